//! Flows to begin with: what a shop takes, and then makes its own. None of them tells anybody anything.

use serde::Serialize;

/// A flow to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "FlowStarter"))]
pub struct Starter {
    /// Stable word for it.
    pub key: &'static str,
    /// Name.
    pub name: &'static str,
    /// For whom it is.
    pub description: &'static str,
    /// In order; new orders begin in the first.
    pub stages: &'static [StarterStage],
    /// The stage that a fulfillment on the platform moves orders to.
    pub fulfilled_stage: &'static str,
    /// The stage that a confirmed delivery moves orders to; null if its parcels have no carrier.
    pub delivery_stage: Option<&'static str>,
}

/// A stage of a flow to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "FlowStarterStage"))]
pub struct StarterStage {
    /// Name.
    pub name: &'static str,
    /// `#rrggbb`.
    pub color: &'static str,
    /// What customers read about it.
    pub description: &'static str,
}

const fn stage(name: &'static str, color: &'static str, description: &'static str) -> StarterStage {
    StarterStage { name, color, description }
}

/// All of them.
pub const ALL: [Starter; 3] = [
    Starter {
        key: "made_to_order",
        name: "Made to order",
        description: "For what is made after it is bought: prints, engravings, furniture.",
        stages: &[
            stage("New", "#64748b", "We have your order."),
            stage("Printing", "#2563eb", "Your order is being made."),
            stage("Packed", "#9333ea", "Your order is packed and waits for the carrier."),
            stage("Shipped", "#ea580c", "Your order is on its way."),
            stage("Delivered", "#16a34a", "Your order has arrived."),
        ],
        fulfilled_stage: "Shipped",
        delivery_stage: Some("Delivered"),
    },
    Starter {
        key: "simple_shipping",
        name: "Simple shipping",
        description: "For what lies on the shelf: packed today, gone tomorrow.",
        stages: &[
            stage("New", "#64748b", "We have your order."),
            stage("Shipped", "#ea580c", "Your order is on its way."),
            stage("Delivered", "#16a34a", "Your order has arrived."),
        ],
        fulfilled_stage: "Shipped",
        delivery_stage: Some("Delivered"),
    },
    Starter {
        key: "pickup",
        name: "Pickup",
        description: "For what customers fetch themselves.",
        stages: &[
            stage("New", "#64748b", "We have your order."),
            stage("Preparing", "#2563eb", "We are getting your order ready."),
            stage("Ready for pickup", "#ca8a04", "Your order is ready: come and get it."),
            stage("Picked up", "#16a34a", "You have picked your order up. Enjoy it!"),
        ],
        fulfilled_stage: "Picked up",
        delivery_stage: None,
    },
];

/// The one with that key.
#[must_use]
pub fn starter(key: &str) -> Option<&'static Starter> {
    static STARTERS: [Starter; 3] = ALL;
    STARTERS.iter().find(|starter| starter.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_starter_names_stages_that_it_has_each_once() {
        for starter in ALL {
            let names: Vec<_> = starter.stages.iter().map(|stage| stage.name).collect();
            let mut once = names.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), names.len(), "{}", starter.key);
            assert!(names.contains(&starter.fulfilled_stage), "{}", starter.key);
            assert!(starter.delivery_stage.is_none_or(|name| names.contains(&name)), "{}", starter.key);
            assert_eq!(super::starter(starter.key).map(|s| s.name), Some(starter.name));
        }
        assert_eq!(starter("x"), None);
    }
}
