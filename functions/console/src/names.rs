//! What ids are called.

use std::sync::Arc;

use stagepost_domain::flow::{Flow, Stage};
use stagepost_domain::id::{FlowId, StageId};

use crate::words::Names;

/// The flows of a shop, as pages look things up in them.
#[derive(Debug, Clone)]
pub struct Flows(pub Arc<Vec<Flow>>);

impl Flows {
    /// A flow.
    #[must_use]
    pub fn flow(&self, id: &FlowId) -> Option<&Flow> {
        self.0.iter().find(|flow| flow.id == *id)
    }

    /// A stage, or the successor of the deleted one that had the id, with its flow.
    #[must_use]
    pub fn find(&self, id: &StageId) -> Option<(&Flow, &Stage)> {
        self.0.iter().find_map(|flow| flow.stage(id).map(|stage| (flow, stage)))
    }

    /// The flow that the query names, or the first.
    #[must_use]
    pub fn asked(&self, flow: &str) -> Option<&Flow> {
        self.0.iter().find(|f| f.id.as_str() == flow).or_else(|| self.0.first())
    }

    /// Stages to move to: a group per flow, each stage with its id.
    #[must_use]
    pub fn targets(&self, only: Option<&FlowId>) -> Vec<Group> {
        let wanted = self.0.iter().filter(|flow| only.is_none_or(|only| flow.id == *only));
        let of_flow = |flow: &Flow| Group {
            name: flow.name.clone(),
            stages: flow.stages.iter().map(|s| (s.id.to_string(), s.name.clone())).collect(),
        };
        wanted.map(of_flow).collect()
    }
}

/// The stages of one flow, as a group of choices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The flow's name.
    pub name: String,
    /// Id and name of each stage.
    pub stages: Vec<(String, String)>,
}

impl Names for Flows {
    fn stage(&self, id: &StageId) -> String {
        self.find(id).map_or_else(|| "a stage that is gone".to_owned(), |(_, stage)| stage.name.clone())
    }
}

/// A stage that uses something: a template, an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The stage's name.
    pub stage: String,
    /// Its flow's.
    pub flow: String,
    /// The stage's colour.
    pub color: Option<String>,
    /// Whether its automation is switched on.
    pub on: bool,
    /// The stage's id.
    pub id: StageId,
}

impl Use {
    /// The stages of these flows that use it: `used` says so, and whether that is switched on.
    #[must_use]
    pub fn all(flows: &[Flow], used: impl Fn(&Stage) -> Option<bool>) -> Vec<Self> {
        let stages = flows.iter().flat_map(|flow| flow.stages.iter().map(move |stage| (flow, stage)));
        let using = stages.filter_map(|(flow, stage)| Some((flow, stage, used(stage)?)));
        let as_use = |(flow, stage, on): (&Flow, &Stage, bool)| Self {
            stage: stage.name.clone(),
            flow: flow.name.clone(),
            color: stage.color.clone(),
            on,
            id: stage.id.clone(),
        };
        using.map(as_use).collect()
    }

    /// As an error names it.
    #[must_use]
    pub fn told(&self) -> String {
        format!("stage \u{201c}{}\u{201d} of \u{201c}{}\u{201d}", self.stage, self.flow)
    }
}
