//! An order's timeline as the API tells it.

use serde_json::Value;

/// Oldest entry first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Timeline(Vec<Value>);

/// Text at a JSON pointer; empty if there is none.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

impl Timeline {
    /// Of a page, which has the newest first.
    pub fn of(page: &Value) -> Self {
        let items = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        Self(items.into_iter().rev().collect())
    }

    /// All entries.
    pub fn entries(&self) -> &[Value] {
        &self.0
    }

    /// Events alone: what happened, without what was ignored.
    pub fn events(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(|e| text(e, "/type") == "event")
    }

    /// The stages entered, in order.
    pub fn stages(&self) -> Vec<&str> {
        self.events().map(|e| text(e, "/transition/to/name")).filter(|name| !name.is_empty()).collect()
    }

    /// The stages entered, in order, each with the kind of its cause.
    pub fn path(&self) -> Vec<String> {
        let moves = self.events().filter(|e| !text(e, "/transition/to/name").is_empty());
        moves.map(|e| format!("{} by {}", text(e, "/transition/to/name"), text(e, "/cause/kind"))).collect()
    }

    /// All runs.
    pub fn runs(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().filter_map(|e| e.get("runs").and_then(Value::as_array)).flatten()
    }

    /// How the runs of an action stand, in order: `succeeded`, `skipped no_address`, …
    pub fn ends(&self, action: &str) -> Vec<String> {
        let end = |r: &Value| format!("{} {}", text(r, "/state"), text(r, "/skipped/reason"));
        self.runs().filter(|r| text(r, "/action") == action).map(|r| end(r).trim_end().to_owned()).collect()
    }

    /// The reasons of what was ignored.
    pub fn ignored(&self) -> Vec<&str> {
        self.0.iter().map(|e| text(e, "/why/reason")).filter(|why| !why.is_empty()).collect()
    }

    /// How many times a stage was entered again.
    pub fn loops(&self) -> usize {
        let stages = self.stages();
        let distinct: std::collections::BTreeSet<_> = stages.iter().collect();
        stages.len().saturating_sub(distinct.len())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stage_entered_again_is_a_loop() {
        let entry = |name: &str| json!({"type": "event", "transition": {"to": {"name": name}}});
        let page =
            |names: &[&str]| json!({"items": names.iter().rev().map(|n| entry(n)).collect::<Vec<_>>()});
        let straight = Timeline::of(&page(&["New", "Printing"]));
        assert_eq!((straight.stages(), straight.loops()), (vec!["New", "Printing"], 0));
        assert_eq!(Timeline::of(&page(&["New", "Printing", "New", "Printing"])).loops(), 2);
    }
}
