//! Order flows: a pipeline of stages with the automations of each stage.

pub mod starters;
pub mod warnings;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::brand::is_color;
use crate::id::{EndpointId, FlowId, ShopId, StageId, TemplateId};
use crate::text::{Invalid, required_name};

/// Most stages that one flow may have.
pub const STAGES_MAX: usize = 50;
/// Most deleted stages that one flow remembers.
pub const RETIRED_MAX: usize = 200;
/// Longest name of a flow or a stage, in characters.
pub const NAME_CHARS_MAX: usize = 80;
/// Longest description of a stage, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 500;

/// When a fulfillment on the platform moves the order to the fulfilled stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FulfilledWhen {
    /// Nothing remains to fulfill (the default).
    #[default]
    Complete,
    /// The first fulfillment, even of a part.
    First,
}

/// *Send Email Notification*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EmailAutomation {
    /// Off keeps the setting but plans no run.
    pub enabled: bool,
    /// The template to render.
    pub template: TemplateId,
}

/// *Trigger Webhook*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookAutomation {
    /// Off keeps the setting but plans no run.
    pub enabled: bool,
    /// The endpoint to call.
    pub endpoint: EndpointId,
}

/// *Mark fulfilled on platform*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FulfillAutomation {
    /// Off keeps the setting but plans no run.
    pub enabled: bool,
    /// Whether the platform mails the customer about it. Off unless asked for: our own mail would
    /// otherwise be the second.
    #[serde(default)]
    pub notify_customer: bool,
}

/// *Advance on Delivery*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AdvanceOnDelivery {
    /// Off keeps the setting but moves nothing.
    pub enabled: bool,
}

/// The four automation settings of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Automations {
    /// Mails the customer on entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailAutomation>,
    /// Calls an endpoint on entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookAutomation>,
    /// Fulfills the order on its sales channel on entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fulfill: Option<FulfillAutomation>,
    /// Orders move here when all their packages are delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advance_on_delivery: Option<AdvanceOnDelivery>,
}

impl Automations {
    /// How many of them are on and do something outside: mail, call, fulfill.
    #[must_use]
    pub fn acting(&self) -> usize {
        let email = self.email.as_ref().is_some_and(|a| a.enabled);
        let webhook = self.webhook.as_ref().is_some_and(|a| a.enabled);
        let fulfill = self.fulfill.as_ref().is_some_and(|a| a.enabled);
        usize::from(email) + usize::from(webhook) + usize::from(fulfill)
    }
}

/// One stage of a flow. Its position is its index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stage {
    /// Stable over edits of the flow.
    pub id: StageId,
    /// As people see it, and `{{stageName}}`.
    pub name: String,
    /// `#rrggbb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// For the people of the shop and, where visible, the tracking page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether customers see this stage.
    pub customer_visible: bool,
    /// What happens on entry, and what moves orders here.
    #[serde(default)]
    pub automations: Automations,
}

impl Stage {
    /// Whether a carrier's delivery moves orders here.
    #[must_use]
    pub fn advances_on_delivery(&self) -> bool {
        self.automations.advance_on_delivery.as_ref().is_some_and(|a| a.enabled)
    }
}

/// A deleted stage: what names it finds its successor, for ever (law 15).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Retired {
    /// What it was called, for timelines.
    pub name: String,
    /// The stage that stands in for it; always one that the flow has now.
    pub successor: StageId,
}

/// A pipeline: one versioned document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Flow {
    /// Stable id.
    pub id: FlowId,
    /// Its tenant.
    pub shop: ShopId,
    /// As people see it.
    pub name: String,
    /// Counts edits, from 1.
    pub version: u64,
    /// In order of position.
    pub stages: Vec<Stage>,
    /// Where new orders land.
    pub default_stage: StageId,
    /// Where a fulfillment on the platform moves the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fulfilled_stage: Option<StageId>,
    /// Which fulfillment does.
    #[serde(default)]
    pub fulfilled_when: FulfilledWhen,
    /// Its deleted stages.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub retired: BTreeMap<StageId, Retired>,
    /// Since when it takes no new orders and is not listed. It stays readable: orders may name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<Timestamp>,
}

impl Flow {
    /// The stage with this id, or the successor of the deleted one that had it.
    #[must_use]
    pub fn stage(&self, id: &StageId) -> Option<&Stage> {
        self.position(id).and_then(|at| self.stages.get(at))
    }

    /// Where that stage stands, from 0.
    #[must_use]
    pub fn position(&self, id: &StageId) -> Option<usize> {
        let at = |id: &StageId| self.stages.iter().position(|s| s.id == *id);
        at(id).or_else(|| self.retired.get(id).and_then(|gone| at(&gone.successor)))
    }

    /// Whether it has this very stage, deleted ones not counted.
    #[must_use]
    pub fn has(&self, id: &StageId) -> bool {
        self.stages.iter().any(|s| s.id == *id)
    }

    /// The stage that a confirmed delivery moves orders to.
    #[must_use]
    pub fn delivery_stage(&self) -> Option<&Stage> {
        self.stages.iter().find(|s| s.advances_on_delivery())
    }

    /// Checks the whole document: every rule that a flow must keep, each refusal with its field.
    ///
    /// # Errors
    /// All the fields that are wrong, in order.
    pub fn validated(mut self) -> Result<Self, Vec<Invalid>> {
        let mut wrong = Vec::new();
        match required_name("name", &self.name, NAME_CHARS_MAX) {
            Ok(name) => self.name = name,
            Err(e) => wrong.push(e),
        }
        if self.stages.is_empty() || self.stages.len() > STAGES_MAX {
            wrong.push(Invalid::new("stages", format!("a flow has 1 to {STAGES_MAX} stages")));
        }
        let mut ids = BTreeSet::new();
        let mut names = BTreeSet::new();
        for (i, stage) in self.stages.iter_mut().enumerate() {
            wrong.extend(check_stage(i, stage, &mut ids, &mut names));
        }
        wrong.extend(self.check_references());
        if wrong.is_empty() { Ok(self) } else { Err(wrong) }
    }

    fn check_references(&self) -> Vec<Invalid> {
        let mut wrong = Vec::new();
        if !self.has(&self.default_stage) {
            wrong.push(Invalid::new("default_stage", "is not a stage of this flow"));
        }
        if let Some(stage) = &self.fulfilled_stage
            && !self.has(stage)
        {
            wrong.push(Invalid::new("fulfilled_stage", "is not a stage of this flow"));
        }
        if self.retired.len() > RETIRED_MAX {
            wrong.push(Invalid::new("successors", format!("a flow remembers {RETIRED_MAX} deleted stages")));
        }
        let mut delivery = self.stages.iter().enumerate().filter(|(_, s)| s.advances_on_delivery());
        if let (Some((_, first)), Some((i, _))) = (delivery.next(), delivery.next()) {
            let field = format!("stages[{i}].automations.advance_on_delivery");
            let reason =
                format!("\"{}\" already advances on delivery; only one stage of a flow can", first.name);
            wrong.push(Invalid::new(field, reason));
        }
        wrong
    }
}

fn check_stage(
    i: usize,
    stage: &mut Stage,
    ids: &mut BTreeSet<StageId>,
    names: &mut BTreeSet<String>,
) -> Vec<Invalid> {
    let mut wrong = Vec::new();
    match required_name(&format!("stages[{i}].name"), &stage.name, NAME_CHARS_MAX) {
        Ok(name) => {
            if !names.insert(name.to_lowercase()) {
                wrong.push(Invalid::new(format!("stages[{i}].name"), "is the name of another stage already"));
            }
            stage.name = name;
        }
        Err(e) => wrong.push(e),
    }
    if !ids.insert(stage.id.clone()) {
        wrong.push(Invalid::new(format!("stages[{i}].id"), "another stage has this id"));
    }
    if stage.color.as_deref().is_some_and(|c| !is_color(c)) {
        wrong.push(Invalid::new(format!("stages[{i}].color"), "must look like #1a2b3c"));
    }
    if stage.description.as_ref().is_some_and(|d| d.chars().count() > DESCRIPTION_CHARS_MAX) {
        let reason = format!("must have at most {DESCRIPTION_CHARS_MAX} characters");
        wrong.push(Invalid::new(format!("stages[{i}].description"), reason));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(name: &str) -> Stage {
        Stage {
            id: StageId::from_body(name).unwrap(),
            name: format!(" {name} "),
            color: Some("#1a2B3c".into()),
            description: None,
            customer_visible: true,
            automations: Automations::default(),
        }
    }

    fn flow() -> Flow {
        Flow {
            id: FlowId::from_body("a").unwrap(),
            shop: ShopId::from_body("a").unwrap(),
            name: " Orders ".into(),
            version: 1,
            stages: ["new", "packed", "shipped"].map(stage).to_vec(),
            default_stage: StageId::from_body("new").unwrap(),
            fulfilled_stage: Some(StageId::from_body("shipped").unwrap()),
            fulfilled_when: FulfilledWhen::Complete,
            retired: BTreeMap::new(),
            archived_at: None,
        }
    }

    fn delivery(enabled: bool) -> Option<AdvanceOnDelivery> {
        Some(AdvanceOnDelivery { enabled })
    }

    #[test]
    fn a_good_flow_is_tidied() {
        let good = flow().validated().unwrap();
        assert_eq!((good.name.as_str(), good.stages[1].name.as_str()), ("Orders", "packed"));
        assert_eq!(good.clone().validated(), Ok(good));
    }

    #[test]
    fn law_15_what_names_a_deleted_stage_finds_its_successor() {
        let mut flow = flow();
        let gone = flow.stages.remove(1);
        let successor = flow.stages[1].id.clone();
        flow.retired.insert(gone.id.clone(), Retired { name: gone.name, successor: successor.clone() });
        assert_eq!(flow.stage(&gone.id).map(|s| &s.id), Some(&successor));
        assert_eq!((flow.position(&gone.id), flow.has(&gone.id)), (Some(1), false));
        flow.default_stage = gone.id;
        assert_eq!(flow.validated().unwrap_err()[0].field, "default_stage", "nothing new lands there");
    }

    #[test]
    fn every_refusal_names_its_field() {
        let gone = || StageId::from_body("gone").unwrap();
        let many = |n: usize| (0..n).map(|i| stage(&format!("s{i}"))).collect::<Vec<_>>();
        type Edit = Box<dyn Fn(&mut Flow)>;
        let edits: Vec<(&str, Edit)> = vec![
            ("name", Box::new(|f| f.name = " ".into())),
            ("name", Box::new(|f| f.name = "x".repeat(NAME_CHARS_MAX + 1))),
            ("name", Box::new(|f| f.name = "a\nb".into())),
            ("default_stage", Box::new(move |f| f.default_stage = gone())),
            ("fulfilled_stage", Box::new(move |f| f.fulfilled_stage = Some(gone()))),
            ("stages[1].name", Box::new(|f| f.stages[1].name = String::new())),
            ("stages[1].name", Box::new(|f| f.stages[1].name = "NEW".into())),
            (
                "stages[2].id",
                Box::new(|f| (f.stages[2].id, f.fulfilled_stage) = (f.stages[0].id.clone(), None)),
            ),
            ("stages[1].color", Box::new(|f| f.stages[1].color = Some("red".into()))),
            ("stages[1].color", Box::new(|f| f.stages[1].color = Some("#12345g".into()))),
            ("stages[1].color", Box::new(|f| f.stages[1].color = Some("#12345é".into()))),
            ("stages[0].description", Box::new(|f| f.stages[0].description = Some("x".repeat(501)))),
            (
                "stages[2].automations.advance_on_delivery",
                Box::new(|f| {
                    [0, 2]
                        .into_iter()
                        .for_each(|i| f.stages[i].automations.advance_on_delivery = delivery(true))
                }),
            ),
            (
                "stages",
                Box::new(move |f| {
                    f.stages = many(STAGES_MAX + 1);
                    f.default_stage = f.stages[0].id.clone();
                    f.fulfilled_stage = None;
                }),
            ),
        ];
        for (field, edit) in edits {
            let mut flow = flow();
            edit(&mut flow);
            let wrong = flow.validated().expect_err(field);
            assert_eq!(wrong.iter().map(|w| w.field.as_str()).collect::<Vec<_>>(), [field], "{wrong:?}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let empty = Flow { name: String::new(), stages: vec![], ..flow() };
        let fields: Vec<_> = empty.validated().unwrap_err().into_iter().map(|w| w.field).collect();
        assert_eq!(fields, ["name", "stages", "default_stage", "fulfilled_stage"]);
    }

    #[test]
    fn limits_are_inclusive_and_a_disabled_advance_does_not_count() {
        let mut flow = flow();
        flow.name = "é".repeat(NAME_CHARS_MAX);
        flow.stages[0].description = Some("é".repeat(DESCRIPTION_CHARS_MAX));
        flow.stages[0].automations.advance_on_delivery = delivery(false);
        flow.stages[2].automations.advance_on_delivery = delivery(true);
        let flow = flow.validated().unwrap();
        assert_eq!(flow.delivery_stage().map(|s| &s.id), flow.fulfilled_stage.as_ref());
    }
}
