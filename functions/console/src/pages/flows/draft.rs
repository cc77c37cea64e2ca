//! A flow as its form says it, saved or not.

use std::collections::BTreeMap;

use stagepost_app::config::{FlowInput, StageInput};
use stagepost_domain::flow::{Automations, Flow, FulfilledWhen, Stage};
use stagepost_domain::id::StageId;

use crate::fields::Fields;
use crate::ui::GREY;

/// A row: a stage that is there, or a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The stage's id, or `new-1` for a stage that is not saved yet. Names the row's fields.
    pub key: String,
    pub name: String,
    pub color: String,
}

impl Row {
    fn of_stage(stage: &Stage) -> Self {
        let color = stage.color.clone().unwrap_or_else(|| GREY.to_owned());
        Self { key: stage.id.to_string(), name: stage.name.clone(), color }
    }

    /// Its stage, if it has one.
    pub fn stage(&self) -> Option<StageId> {
        StageId::parse(&self.key).ok()
    }

    /// As the use case refers to it: by id, or by name as long as it has none.
    fn named(&self) -> &str {
        if self.stage().is_some() { &self.key } else { &self.name }
    }
}

/// What the form says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub name: String,
    pub rows: Vec<Row>,
    /// Keys of rows.
    pub default_stage: String,
    pub fulfilled_stage: String,
    pub fulfilled_when: FulfilledWhen,
    /// The version of the flow that the form began with.
    pub version: u64,
}

/// What a button of the form asks for that saves nothing.
pub enum Wish<'a> {
    /// A row for the next stage.
    Add,
    Up(&'a str),
    Down(&'a str),
}

impl<'a> Wish<'a> {
    pub fn of(fields: &'a Fields) -> Self {
        match fields.text("do").split_once(':') {
            Some(("up", key)) => Self::Up(key),
            Some(("down", key)) => Self::Down(key),
            _ => Self::Add,
        }
    }
}

impl Draft {
    /// The flow as it is.
    pub fn of_flow(flow: &Flow) -> Self {
        Self {
            name: flow.name.clone(),
            rows: flow.stages.iter().map(Row::of_stage).collect(),
            default_stage: flow.default_stage.to_string(),
            fulfilled_stage: flow.fulfilled_stage.as_ref().map(ToString::to_string).unwrap_or_default(),
            fulfilled_when: flow.fulfilled_when,
            version: flow.version,
        }
    }

    /// As it was sent. A new row without a name is none.
    pub fn of_form(fields: &Fields) -> Self {
        let row = |key: &str| Row {
            key: key.to_owned(),
            name: fields.text(&format!("stages[{key}].name")).to_owned(),
            color: fields.text(&format!("stages[{key}].color")).to_owned(),
        };
        let rows = fields.all("row").map(row);
        Self {
            name: fields.text("name").to_owned(),
            rows: rows.filter(|row| row.stage().is_some() || !row.name.is_empty()).collect(),
            default_stage: fields.text("default_stage").to_owned(),
            fulfilled_stage: fields.text("fulfilled_stage").to_owned(),
            fulfilled_when: match fields.text("fulfilled_when") {
                "first" => FulfilledWhen::First,
                _ => FulfilledWhen::Complete,
            },
            version: fields.version().unwrap_or_default(),
        }
    }

    /// Does to the form what a button asks for; nothing is saved by it.
    pub fn grant(&mut self, wish: &Wish<'_>) {
        match wish {
            Wish::Up(key) => self.step(key, false),
            Wish::Down(key) => self.step(key, true),
            // The row that was filled in is one of the form's by now, and the page gives the next.
            Wish::Add => {}
        }
    }

    /// Takes a row one up or down.
    fn step(&mut self, key: &str, down: bool) {
        let Some(at) = self.rows.iter().position(|row| row.key == key) else { return };
        let other = if down { at.saturating_add(1) } else { at.saturating_sub(1) };
        if other < self.rows.len() {
            self.rows.swap(at, other);
        }
    }

    /// The key of a row that is not there yet.
    pub fn next_key(&self) -> String {
        let taken = |n: &usize| self.rows.iter().any(|row| row.key == format!("new-{n}"));
        let free = (1..=self.rows.len().saturating_add(1)).find(|n| !taken(n)).unwrap_or(1);
        format!("new-{free}")
    }

    /// The form over the flow as it is by now: stages that came meanwhile are taken up, those that went are
    /// dropped, so that what was entered can be saved.
    pub fn over(&mut self, flow: &Flow) {
        self.version = flow.version;
        self.rows.retain(|row| row.stage().is_none_or(|id| flow.has(&id)));
        for (at, stage) in flow.stages.iter().enumerate() {
            if !self.rows.iter().any(|row| row.key == stage.id.as_str()) {
                self.rows.insert(at.min(self.rows.len()), Row::of_stage(stage));
            }
        }
        let gone = |key: &str| !self.rows.iter().any(|row| row.key == key);
        if gone(&self.default_stage) {
            self.default_stage = flow.default_stage.to_string();
        }
        if !self.fulfilled_stage.is_empty() && gone(&self.fulfilled_stage) {
            self.fulfilled_stage = Self::of_flow(flow).fulfilled_stage;
        }
    }

    /// What the use case takes. What the form does not show stays as the flow has it.
    pub fn input(&self, flow: &Flow) -> FlowInput {
        let named = |key: &str| self.rows.iter().find(|row| row.key == key).map(|row| row.named().to_owned());
        let stages = self.rows.iter().map(|row| {
            let there = flow.stages.iter().find(|stage| stage.id.as_str() == row.key);
            let color = Some(row.color.clone()).filter(|c| !c.is_empty());
            // Grey stands for no colour of its own.
            let color = color.filter(|c| c != GREY || there.is_some_and(|stage| stage.color.is_some()));
            let input = there.map_or_else(new_stage, stage_input);
            StageInput { id: row.stage(), name: row.name.clone(), color, ..input }
        });
        FlowInput {
            name: self.name.clone(),
            stages: stages.collect(),
            default_stage: named(&self.default_stage),
            fulfilled_stage: named(&self.fulfilled_stage),
            fulfilled_when: self.fulfilled_when,
            successors: BTreeMap::new(),
        }
    }
}

fn new_stage() -> StageInput {
    StageInput {
        id: None,
        name: String::new(),
        color: None,
        description: None,
        customer_visible: true,
        automations: Automations::default(),
    }
}

/// A stage as it is, to be written once more.
pub fn stage_input(stage: &Stage) -> StageInput {
    StageInput {
        id: Some(stage.id.clone()),
        name: stage.name.clone(),
        color: stage.color.clone(),
        description: stage.description.clone(),
        customer_visible: stage.customer_visible,
        automations: stage.automations.clone(),
    }
}

/// A flow as it is, to be written once more.
pub fn flow_input(flow: &Flow) -> FlowInput {
    FlowInput {
        name: flow.name.clone(),
        stages: flow.stages.iter().map(stage_input).collect(),
        default_stage: Some(flow.default_stage.to_string()),
        fulfilled_stage: flow.fulfilled_stage.as_ref().map(ToString::to_string),
        fulfilled_when: flow.fulfilled_when,
        successors: BTreeMap::new(),
    }
}
