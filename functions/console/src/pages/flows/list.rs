//! The flows of a shop, and how to begin one.

use std::collections::BTreeMap;

use askama::Template;
use http::StatusCode;
use stagepost_app::config::{ConfigError, FlowInput, StageInput, put_flow};
use stagepost_app::ports::Secrets;
use stagepost_domain::flow::starters::{self, Starter, starter};
use stagepost_domain::flow::{AdvanceOnDelivery, Automations, Flow, FulfilledWhen};

use super::around::Surroundings;
use super::path;
use crate::Stores;
use crate::answer::{Answer, page, page_as, to_say};
use crate::error::Trouble;
use crate::fields::{Fields, Wrong};
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::time::Moment;
use crate::visitor::{Admin, Visit, Visitor};
use crate::words::counted;

#[derive(Template)]
#[template(path = "flows/list.html")]
struct ListPage {
    shell: Shell,
    flows: Vec<Line>,
    /// How many are archived, where they are not shown.
    archived: usize,
    shows_archived: bool,
    starters: [Starter; 3],
    wrong: Wrong,
    name: String,
}

#[derive(Template)]
#[template(path = "flows/new.html")]
struct NewPage {
    shell: Shell,
    starters: [Starter; 3],
    wrong: Wrong,
    name: String,
}

/// A flow in the list.
struct Line {
    name: String,
    path: String,
    stages: Vec<(String, Option<String>)>,
    users: Vec<String>,
    automations: String,
    warnings: usize,
    archived: Option<Moment>,
}

pub async fn show<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    fields: Fields,
) -> Answer {
    let (flows, around) =
        tokio::join!(console.core.store.flows(&visitor.shop), Surroundings::read(&console, &visitor));
    let (flows, around) = (flows?, around?);
    let shows_archived = fields.is_on("archived");
    let archived = flows.iter().filter(|flow| flow.archived_at.is_some()).count();
    let mut shown: Vec<Flow> =
        flows.into_iter().filter(|flow| flow.archived_at.is_some() == shows_archived).collect();
    shown.sort_by_key(|flow| flow.name.to_lowercase());
    page(&ListPage {
        shell: visitor.shell(Area::Flows),
        flows: shown.iter().map(|flow| Line::new(flow, &around, &visitor)).collect(),
        archived,
        shows_archived,
        starters: starters::ALL,
        wrong: Wrong::default(),
        name: String::new(),
    })
}

pub async fn choose(visitor: Visitor<Admin>) -> Answer {
    let shell = visitor.shell(Area::Flows);
    page(&NewPage { shell, starters: starters::ALL, wrong: Wrong::default(), name: String::new() })
}

pub async fn make<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    fields: Fields,
) -> Answer {
    let input = match fields.some("starter") {
        Some(key) => {
            let starter = starter(key).ok_or_else(|| Trouble::not_found("starter flow"))?;
            let name = free_name(starter.name, &console.flows(&visitor).await?);
            FlowInput { name, ..of_starter(starter) }
        }
        None => blank(fields.text("name")),
    };
    match put_flow(&console.core, &visitor.shop, None, &input, None).await {
        Ok(flow) => {
            let text = format!(
                "{} is there. Nothing is sent until you switch something on at one of its stages.",
                flow.name
            );
            to_say(&path(&flow.id), Flash::done(text))
        }
        Err(ConfigError::Invalid(wrong)) => {
            let (shell, name) = (visitor.shell(Area::Flows), fields.text("name").to_owned());
            let form = NewPage { shell, starters: starters::ALL, wrong: Wrong(wrong), name };
            page_as(StatusCode::UNPROCESSABLE_ENTITY, &form)
        }
        Err(error) => Err(error.into()),
    }
}

impl NewPage {
    /// What no field shows: a shop has so many flows at most.
    fn elsewhere(&self) -> Vec<String> {
        let rest = self.wrong.0.iter().filter(|wrong| wrong.field != "name");
        rest.map(|wrong| format!("{}: {}.", wrong.field, wrong.reason)).collect()
    }
}

impl Line {
    fn new(flow: &Flow, around: &Surroundings, visit: &Visit) -> Self {
        let delivering = usize::from(flow.delivery_stage().is_some());
        let acting: usize = flow.stages.iter().map(|stage| stage.automations.acting()).sum();
        let archived = flow.archived_at.map(|at| Moment::new(at, visit.now));
        Self {
            name: flow.name.clone(),
            path: path(&flow.id),
            stages: flow.stages.iter().map(|s| (s.name.clone(), s.color.clone())).collect(),
            users: around.users(flow),
            automations: counted(acting.saturating_add(delivering), "automation", "automations"),
            warnings: if archived.is_some() { 0 } else { around.warnings(flow, visit).len() },
            archived,
        }
    }

    fn warned(&self) -> crate::ui::Badge {
        crate::ui::Badge::new(crate::ui::Tone::Warn, counted(self.warnings, "warning", "warnings"))
    }
}

fn stage(name: &str, color: &str) -> StageInput {
    StageInput {
        id: None,
        name: name.to_owned(),
        color: Some(color.to_owned()),
        description: None,
        customer_visible: true,
        automations: Automations::default(),
    }
}

/// The name, or with a number behind it if there is a flow of that name: one tells them apart where one chooses.
fn free_name(name: &str, flows: &[Flow]) -> String {
    let numbered = (2..).map(|n| format!("{name} {n}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered.take(flows.len()));
    names.find(|name| flows.iter().all(|flow| flow.name != *name)).unwrap_or_else(|| name.to_owned())
}

fn of_starter(starter: &Starter) -> FlowInput {
    let advance =
        |name: &str| (starter.delivery_stage == Some(name)).then_some(AdvanceOnDelivery { enabled: true });
    let stages = starter.stages.iter().map(|s| StageInput {
        description: Some(s.description.to_owned()),
        automations: Automations { advance_on_delivery: advance(s.name), ..Automations::default() },
        ..stage(s.name, s.color)
    });
    FlowInput {
        name: starter.name.to_owned(),
        stages: stages.collect(),
        default_stage: None,
        fulfilled_stage: Some(starter.fulfilled_stage.to_owned()),
        fulfilled_when: FulfilledWhen::Complete,
        successors: BTreeMap::new(),
    }
}

/// One stage to begin with: a flow has at least one.
fn blank(name: &str) -> FlowInput {
    FlowInput {
        name: name.to_owned(),
        stages: vec![stage("New", "#64748b")],
        default_stage: None,
        fulfilled_stage: None,
        fulfilled_when: FulfilledWhen::Complete,
        successors: BTreeMap::new(),
    }
}
