//! A stage: what it is called, who sees it, and what happens when an order enters it.

use askama::Template;
use axum::extract::Path;
use http::StatusCode;
use stagepost_app::config::{ConfigError, put_flow};
use stagepost_app::ports::Secrets;
use stagepost_domain::flow::warnings::About;
use stagepost_domain::flow::{Flow, Stage};
use stagepost_domain::id::StageId;

use super::around::{Surroundings, Told};
use super::edit::Meanwhile;
use super::stage_draft::StageDraft;
use super::{Count, busy, path, read, stage_path};
use crate::Stores;
use crate::answer::{Answer, page_as, to_say};
use crate::error::{Failed, Trouble};
use crate::fields::{Fields, Wrong};
use crate::pages::id;
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::visitor::{Admin, Visit, Visitor};

/// How often an edit is tried over those of others before it is given up.
const TRIES: usize = 3;

#[derive(Template)]
#[template(path = "flows/stage.html")]
struct StagePage {
    shell: Shell,
    path: String,
    flow_path: String,
    flow: String,
    /// As the stage is called, saved.
    called: String,
    id: String,
    draft: StageDraft,
    /// How long a mail waits.
    grace: u32,
    templates: Vec<(String, String)>,
    endpoints: Vec<(String, String)>,
    /// The other stage that advances on delivery: name and page.
    other: Option<(String, String)>,
    /// Whether it is the stage that fulfilled orders go to.
    is_fulfilled_stage: bool,
    is_default: bool,
    /// Whether it can be deleted: it is not the last one.
    deletable: bool,
    warnings: Vec<Told>,
    wrong: Wrong,
    elsewhere: Vec<String>,
    meanwhile: Option<Meanwhile>,
}

pub async fn show<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    Path((id, stage)): Path<(String, String)>,
) -> Answer {
    let (flow, around) = tokio::join!(read(&console, &visitor, &id), Surroundings::read(&console, &visitor));
    let (flow, around) = (flow?, around?);
    let stage = find(&flow, &stage)?;
    let draft = StageDraft::of_stage(stage, flow.version);
    shown(StatusCode::OK, &visitor, (&flow, stage), &around, draft, (Wrong::default(), None))
}

pub async fn save<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path((id, named)): Path<(String, String)>,
    fields: Fields,
) -> Answer {
    let mut draft = StageDraft::of_form(&fields);
    for _ in 0..TRIES {
        let (flow, around) =
            tokio::join!(read(&console, &visitor, &id), Surroundings::read(&console, &visitor));
        let (flow, around) = (flow?, around?);
        let stage = find(&flow, &named)?;
        let at = (&flow, stage);
        if draft.version != flow.version {
            let there = StageDraft::of_stage(stage, flow.version);
            let differences = draft.differences(&there, |field, draft| said(field, draft, &around));
            let meanwhile = Meanwhile { differences };
            draft.version = flow.version;
            let came = (Wrong::default(), Some(meanwhile));
            return shown(StatusCode::CONFLICT, &visitor, at, &around, draft, came);
        }
        let put = match draft.input(&flow, stage) {
            Ok(input) => {
                put_flow(&console.core, &visitor.shop, Some(&flow.id), &input, Some(flow.version)).await
            }
            Err(wrong) => Err(ConfigError::Invalid(wrong)),
        };
        match put {
            Ok(saved) => {
                let flash = law(&console.core.store, &visitor, stage, &saved).await?;
                return to_say(&stage_path(&flow.id, &stage.id), flash);
            }
            Err(ConfigError::Invalid(wrong)) => {
                let came = (of_stage(wrong, flow.position(&stage.id)), None);
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                return shown(status, &visitor, at, &around, draft, came);
            }
            Err(ConfigError::Stale { .. } | ConfigError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(busy())
}

/// A stage that the flow has, not one that was deleted.
pub fn find<'a>(flow: &'a Flow, named: &str) -> Result<&'a Stage, Failed> {
    let wanted = id(StageId::parse(named), "stage")?;
    let found = flow.stages.iter().find(|stage| stage.id == wanted);
    found.ok_or_else(|| Trouble::not_found("stage").into())
}

/// What an automation that was just switched on acts on, and what it does not (law 4).
async fn law<S: Stores>(store: &S, visit: &Visit, was: &Stage, saved: &Flow) -> Result<Flash, Failed> {
    let Some(now) = saved.stages.iter().find(|stage| stage.id == was.id) else {
        return Ok(Flash::done("The stage is saved."));
    };
    let (before, after) = (StageDraft::of_stage(was, 0), StageDraft::of_stage(now, 0));
    let acts = [(before.mails, after.mails), (before.calls, after.calls), (before.fulfills, after.fulfills)];
    let mut text = "The stage is saved.".to_owned();
    if acts.contains(&(false, true)) {
        let count = Count::read(store, &visit.shop, &was.id).await?;
        let stay = match count {
            Count { n: 0, .. } => "no order is in it yet.".to_owned(),
            Count { n: 1, .. } => "the one that is in it stays as it is.".to_owned(),
            _ => format!("the {} that are in it stay as they are.", count.number()),
        };
        text.push_str(" Acts on orders that enter the stage from now on; ");
        text.push_str(&stay);
    }
    if !before.advances && after.advances {
        text.push_str(" Orders come here with the next confirmed delivery; those that arrived before stay.");
    }
    Ok(Flash::done(text))
}

/// The fields of this stage by their own names, as its form has them.
fn of_stage(wrong: Vec<stagepost_domain::text::Invalid>, at: Option<usize>) -> Wrong {
    let prefix = format!("stages[{}].", at.unwrap_or_default());
    let own = |mut wrong: stagepost_domain::text::Invalid| {
        // Only one stage of a flow advances on delivery: the second one is refused, whichever this is.
        if wrong.field.ends_with(".advance_on_delivery") {
            wrong.field = "automations.advance_on_delivery".to_owned();
        } else if let Some(field) = wrong.field.strip_prefix(&prefix) {
            wrong.field = field.to_owned();
        }
        wrong
    };
    Wrong(wrong.into_iter().map(own).collect())
}

fn shown(
    status: StatusCode,
    visit: &Visit,
    (flow, stage): (&Flow, &Stage),
    around: &Surroundings,
    draft: StageDraft,
    (wrong, meanwhile): (Wrong, Option<Meanwhile>),
) -> Answer {
    let other = flow.delivery_stage().filter(|other| other.id != stage.id);
    let mut warnings = around.warnings(flow, visit);
    warnings.retain(|told| told.is_of(&stage.id));
    // Its own page need not name it.
    warnings.iter_mut().for_each(|told| told.stage = None);
    let page = StagePage {
        shell: visit.shell(Area::Flows),
        path: stage_path(&flow.id, &stage.id),
        flow_path: path(&flow.id),
        flow: flow.name.clone(),
        called: stage.name.clone(),
        id: stage.id.to_string(),
        grace: visit.settings.grace_seconds,
        templates: around.template_choices(&draft.template),
        endpoints: around.endpoint_choices(&draft.endpoint),
        other: other.map(|other| (other.name.clone(), stage_path(&flow.id, &other.id))),
        is_fulfilled_stage: flow.fulfilled_stage.as_ref() == Some(&stage.id),
        is_default: flow.default_stage == stage.id,
        deletable: flow.stages.len() > 1,
        warnings,
        elsewhere: elsewhere(&wrong),
        draft,
        wrong,
        meanwhile,
    };
    page_as(status, &page)
}

impl StagePage {
    fn email(&self) -> Vec<&Told> {
        self.about(About::Email)
    }

    fn webhook(&self) -> Vec<&Told> {
        self.about(About::Webhook)
    }

    fn fulfill(&self) -> Vec<&Told> {
        self.about(About::Fulfill)
    }

    fn delivery(&self) -> Vec<&Told> {
        self.about(About::Delivery)
    }

    fn about(&self, about: About) -> Vec<&Told> {
        self.warnings.iter().filter(|told| told.about == about).collect()
    }
}

/// What no field of the form shows.
fn elsewhere(wrong: &Wrong) -> Vec<String> {
    const KNOWN: [&str; 6] = [
        "name",
        "color",
        "description",
        "automations.email.template",
        "automations.webhook.endpoint",
        "automations.advance_on_delivery",
    ];
    let rest = wrong.0.iter().filter(|wrong| !KNOWN.contains(&wrong.field.as_str()));
    rest.map(|wrong| format!("{}: {}.", wrong.field, wrong.reason)).collect()
}

/// What a field of the form says, in words.
fn said(field: &'static str, draft: &StageDraft, around: &Surroundings) -> String {
    let on = |on: bool| if on { "On" } else { "Off" }.to_owned();
    let with = |is_on: bool, chosen: &str, choices: Vec<(String, String)>| {
        let name = choices.into_iter().find(|(id, _)| id == chosen && !id.is_empty());
        match name {
            Some((_, name)) => format!("{}, {name}", on(is_on)),
            None => on(is_on),
        }
    };
    match field {
        "Name" => draft.name.clone(),
        "Colour" => draft.color.clone(),
        "Description" => draft.description.clone(),
        "Shown to customers" => on(draft.customer_visible),
        "Send Email Notification" => {
            with(draft.mails, &draft.template, around.template_choices(&draft.template))
        }
        "Trigger Webhook" => with(draft.calls, &draft.endpoint, around.endpoint_choices(&draft.endpoint)),
        "Advance on Delivery" => on(draft.advances),
        "Mark fulfilled on platform" => on(draft.fulfills),
        _ => on(draft.notifies),
    }
}
