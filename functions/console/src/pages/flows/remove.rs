//! Taking a stage or a flow away, so that no order is lost by it.

use askama::Template;
use axum::extract::Path;
use http::StatusCode;
use stagepost_app::config::{ConfigError, FlowInput, Removal, put_flow, remove};
use stagepost_app::ports::Secrets;
use stagepost_domain::flow::{Flow, Stage};

use super::draft::flow_input;
use super::stage::find;
use super::{Count, path, read, stage_path};
use crate::Stores;
use crate::answer::{Answer, page, page_as, to_say};
use crate::error::Trouble;
use crate::fields::{Fields, Wrong};
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::ui::Confirm;
use crate::visitor::{Admin, Visit, Visitor};

#[derive(Template)]
#[template(path = "flows/delete_stage.html")]
struct DeletePage {
    shell: Shell,
    path: String,
    back: String,
    flow: String,
    stage: String,
    version: u64,
    count: Count,
    successors: Vec<(String, String)>,
    successor: String,
    is_default: bool,
    is_fulfilled: bool,
    automations: usize,
    wrong: Wrong,
    /// Somebody edited the flow since the page was opened.
    meanwhile: bool,
}

#[derive(Template)]
#[template(path = "flows/in_use.html")]
struct InUsePage {
    shell: Shell,
    flow: String,
    back: String,
    users: Vec<String>,
}

pub async fn ask_stage<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path((id, named)): Path<(String, String)>,
) -> Answer {
    let flow = read(&console, &visitor, &id).await?;
    let stage = find(&flow, &named)?;
    if flow.stages.len() < 2 {
        let advice = "Add the stage that orders shall go to first, or archive the flow.";
        return Err(Trouble::conflict("A flow has at least one stage", advice).into());
    }
    let count = Count::read(&console.core.store, &visitor.shop, &stage.id).await?;
    page(&asked(&visitor, &flow, stage, count))
}

fn asked(visit: &Visit, flow: &Flow, stage: &Stage, count: Count) -> DeletePage {
    let others = || flow.stages.iter().filter(|other| other.id != stage.id);
    // The next one is where most orders would have gone anyway.
    let at = flow.position(&stage.id).unwrap_or_default();
    let next = flow.stages.get(at.saturating_add(1)).or_else(|| others().next_back());
    DeletePage {
        shell: visit.shell(Area::Flows),
        path: format!("{}/delete", stage_path(&flow.id, &stage.id)),
        back: path(&flow.id),
        flow: flow.name.clone(),
        stage: stage.name.clone(),
        version: flow.version,
        count,
        successors: others().map(|s| (s.id.to_string(), s.name.clone())).collect(),
        successor: next.map(|s| s.id.to_string()).unwrap_or_default(),
        is_default: flow.default_stage == stage.id,
        is_fulfilled: flow.fulfilled_stage.as_ref() == Some(&stage.id),
        automations: stage.automations.acting(),
        wrong: Wrong::default(),
        meanwhile: false,
    }
}

pub async fn delete_stage<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path((id, named)): Path<(String, String)>,
    fields: Fields,
) -> Answer {
    let flow = read(&console, &visitor, &id).await?;
    let stage = find(&flow, &named)?;
    let (successor, seen) = (fields.text("successor"), fields.version());
    let input = without(&flow, stage, successor);
    let put = match seen {
        Some(seen) if seen == flow.version => {
            put_flow(&console.core, &visitor.shop, Some(&flow.id), &input, Some(seen)).await
        }
        _ => Err(ConfigError::Stale { version: flow.version }),
    };
    let (status, wrong, meanwhile) = match put {
        Ok(saved) => return to_say(&path(&saved.id), deleted(stage, &saved)),
        Err(ConfigError::Invalid(wrong)) => (StatusCode::UNPROCESSABLE_ENTITY, wrong, false),
        Err(ConfigError::Stale { .. } | ConfigError::Conflict) => (StatusCode::CONFLICT, Vec::new(), true),
        Err(error) => return Err(error.into()),
    };
    let flow = if meanwhile { read(&console, &visitor, &id).await? } else { flow };
    let stage = find(&flow, &named)?;
    let count = Count::read(&console.core.store, &visitor.shop, &stage.id).await?;
    let asked = asked(&visitor, &flow, stage, count);
    let successor = if asked.successors.iter().any(|(id, _)| id == successor) {
        successor.to_owned()
    } else {
        asked.successor.clone()
    };
    page_as(status, &DeletePage { wrong: Wrong(wrong), meanwhile, successor, ..asked })
}

/// The flow without the stage: what named it names its successor.
fn without(flow: &Flow, stage: &Stage, successor: &str) -> FlowInput {
    let mut input = flow_input(flow);
    input.stages.retain(|other| other.id.as_ref() != Some(&stage.id));
    input.successors.insert(stage.id.clone(), successor.to_owned());
    for named in [&mut input.default_stage, &mut input.fulfilled_stage] {
        if named.as_deref() == Some(stage.id.as_str()) {
            *named = Some(successor.to_owned());
        }
    }
    input
}

fn deleted(stage: &Stage, flow: &Flow) -> Flash {
    let to = flow.stage(&stage.id).map_or("another stage", |to| to.name.as_str());
    Flash::done(format!(
        "{} is deleted. Its orders go to {to} by themselves, and no customer is told of it.",
        stage.name
    ))
}

impl DeletePage {
    /// What is wrong with the successor, however the rule names it.
    fn wrong_successor(&self) -> Option<&str> {
        self.wrong.0.first().map(|wrong| wrong.reason.as_str())
    }
}

pub async fn ask<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
) -> Answer {
    let flow = read(&console, &visitor, &id).await?;
    let here = path(&flow.id);
    page(&Confirm {
        shell: visitor.shell(Area::Flows),
        title: format!("Archive the flow \u{201c}{}\u{201d}?", flow.name),
        what: vec![
            "It takes no new orders and is not offered anywhere any more.".to_owned(),
            "The timelines of orders that went through it stay as they are.".to_owned(),
            "It can be archived once no store has it as its default and no order stands in it.".to_owned(),
            "It cannot be brought back.".to_owned(),
        ],
        action: format!("{here}/archive"),
        fields: vec![("version".to_owned(), flow.version.to_string())],
        verb: "Archive the flow".to_owned(),
        danger: true,
        back: here,
    })
}

pub async fn archive<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let flow = read(&console, &visitor, &id).await?;
    let expected = fields.version().unwrap_or_default();
    match remove(&console.core, &visitor.shop, Removal::Flow(&flow.id), Some(expected)).await {
        Ok(()) => to_say(Area::Flows.path(), Flash::done(format!("{} is archived.", flow.name))),
        Err(ConfigError::InUse(users)) => {
            let (shell, back) = (visitor.shell(Area::Flows), path(&flow.id));
            page_as(StatusCode::CONFLICT, &InUsePage { shell, flow: flow.name, back, users })
        }
        Err(error) => Err(error.into()),
    }
}
