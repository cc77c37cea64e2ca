//! A store: how it does, what can be changed, asked for and taken over, and its end.

use askama::Template;
use axum::extract::Path;
use stagepost_app::config::{
    ChannelPatch, ConfigError, Plain, Removal, reconciliation_of, remove, update_channel,
};
use stagepost_app::jobs::{self, JobRequestError, check_of_channel};
use stagepost_app::ports::Secrets;
use stagepost_domain::contact::FarEnd;
use stagepost_domain::id::FlowId;
use stagepost_domain::job::{Job, JobKind, JobState, RECONCILE_EVERY};
use stagepost_domain::shop::Channel;
use stagepost_domain::text::Invalid;

use super::check::{Check, job};
use super::service::Service;
use super::{Heard, Lost, Standing, channel, channel_path, channel_url, flow_choices};
use crate::answer::{Answer, page, page_as, to_say};
use crate::error::Failed;
use crate::fields::{Fields, Wrong};
use crate::pages::activity::JOBS;
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::time::{Moment, exactly};
use crate::ui::Confirm;
use crate::visitor::{Admin, Member, Visit, Visitor};
use crate::{Console, Stores};

/// What is known of asking a store for what changed.
pub struct Asked {
    /// When it was asked last, if that is known.
    pub last: Option<Moment>,
    /// When it is asked next.
    pub next: String,
    /// The newest change that was seen there, if one was since it is connected.
    pub newest: Option<Moment>,
    /// What went wrong the last time.
    pub error: Option<String>,
}

/// What the job knows that asks a store again and again.
pub fn asked(job: &Job, visit: &Visit) -> Asked {
    let newest = match &job.kind {
        JobKind::Reconcile { since, .. } if *since > job.created_at => Some(Moment::new(*since, visit.now)),
        _ => None,
    };
    let next = match &job.state {
        JobState::Waiting { due } if *due <= visit.now => "in a moment".to_owned(),
        JobState::Waiting { due } => exactly(*due),
        _ => "now".to_owned(),
    };
    // After a pass it waits a full turn; after a failure, or before the first pass, something else.
    let last = match &job.state {
        JobState::Waiting { due } if job.last_error.is_none() => due.checked_sub(RECONCILE_EVERY).ok(),
        _ => None,
    };
    let last = last.filter(|at| *at > job.created_at && *at <= visit.now);
    Asked { last: last.map(|at| Moment::new(at, visit.now)), next, newest, error: job.last_error.clone() }
}

#[derive(Template)]
#[template(path = "integrations/channel.html")]
struct ChannelPage<'a> {
    shell: Shell,
    path: String,
    service: Service,
    channel: &'a Channel,
    check: Check,
    asked: Option<Asked>,
    heard: Heard,
    url: String,
    after: Vec<String>,
    /// Until when the secret before this one counts, too.
    former: Option<String>,
    name: &'a str,
    flow: &'a str,
    flows: Vec<(String, String)>,
    version: u64,
    theirs: bool,
    lost: Lost,
    wrong: Wrong,
}

async fn shown<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    channel: &Channel,
    standing: Standing<'_>,
) -> Answer {
    let (check, asking, flows, contacts) = tokio::join!(
        job(console, visit, check_of_channel(channel)),
        job(console, visit, reconciliation_of(&channel.id).ok()),
        console.flows(visit),
        console.core.store.contacts(&visit.shop)
    );
    let (check, asking, flows, contacts) = (check?, asking?, flows?, contacts?);
    let service = Service::of_channel(channel.platform).unwrap_or(Service::Shopify);
    let (has, path) = (channel.credentials.is_some(), channel_path(&channel.id));
    let stored = channel.default_flow.as_ref().map(FlowId::as_str).unwrap_or_default();
    let shown = ChannelPage {
        shell: visit.shell(Area::Integrations),
        check: Check::new(service, has, check.as_ref(), path.clone(), visit),
        asked: asking.filter(|_| has).map(|job| asked(&job, visit)),
        heard: Heard::new(contacts.get(&FarEnd::Channel(channel.id.clone())), visit),
        url: channel_url(&console.public, channel),
        after: service.after(),
        former: channel.webhook_secrets.at(visit.now).find_map(|(_, until)| until).map(exactly),
        name: standing.text("name", &channel.name),
        flow: standing.text("default_flow", stored),
        flows: flow_choices(&flows),
        version: standing.version(channel.version),
        lost: standing.lost(),
        path,
        service,
        channel,
        theirs: standing.theirs,
        wrong: standing.wrong,
    };
    page_as(shown.wrong.status(shown.theirs), &shown)
}

pub async fn show<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Answer {
    let channel = channel(&console, &visitor, &id).await?;
    shown(&console, &visitor, &channel, Standing::default()).await
}

fn patch(fields: &Fields) -> Result<ChannelPatch, Invalid> {
    let flow = fields.some("default_flow").map(FlowId::parse).transpose();
    let fresh = fields.some("credentials").map(|text| Some(Plain::new(text)));
    Ok(ChannelPatch {
        name: Some(fields.text("name").to_owned()),
        webhook_secret: fields.some("webhook_secret").map(Plain::new),
        credentials: if fields.is_on("forget") { Some(None) } else { fresh },
        default_flow: Some(flow.map_err(|_| Invalid::new("default_flow", "no such flow"))?),
    })
}

pub async fn save<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let before = channel(&console, &visitor, &id).await?;
    let expected = fields.version();
    let (core, secrets, shop) = (&console.core, &console.secrets, &visitor.shop);
    let saved = match patch(&fields) {
        Ok(patch) => update_channel(core, secrets, shop, &before.id, &patch, expected).await,
        Err(wrong) => Err(wrong.into()),
    };
    match saved {
        Ok(now) => to_say(&channel_path(&now.id), Flash::done(told(&before, &now))),
        Err(ConfigError::Invalid(wrong)) => {
            shown(&console, &visitor, &before, Standing::refused(&fields, wrong)).await
        }
        Err(ConfigError::Stale { .. } | ConfigError::Conflict) => {
            let theirs = channel(&console, &visitor, &id).await?;
            shown(&console, &visitor, &theirs, Standing::overtaken(&fields)).await
        }
        Err(error) => Err(error.into()),
    }
}

/// What follows from an edit.
fn told(before: &Channel, now: &Channel) -> String {
    let mut said = vec!["Saved."];
    if now.credentials != before.credentials {
        said.push(match now.credentials {
            Some(_) => "The new credentials are tried out now.",
            None => "Its credentials are gone: it is not asked any more, and nothing is fulfilled there.",
        });
    }
    if before.default_flow.is_none() && now.default_flow.is_some() {
        said.push("Its untriaged orders go into that flow, silently: no customer is told anything.");
    }
    if now.webhook_secrets != before.webhook_secrets {
        said.push("The secret before it counts for 24 hours more.");
    }
    said.join(" ")
}

pub async fn reconcile<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(id): Path<String>,
) -> Answer {
    let channel = channel(&console, &visitor, &id).await?;
    let job = reconciliation_of(&channel.id).map_err(JobRequestError::from)?;
    let flash = match jobs::hurry(&console.core, &visitor.shop, &job).await {
        Ok(_) => Flash::done("The store is asked within a minute for what changed."),
        Err(JobRequestError::Step(_)) => Flash::note("The store is being asked just now."),
        Err(error) => return Err(error.into()),
    };
    to_say(&channel_path(&channel.id), flash)
}

#[derive(Template)]
#[template(path = "integrations/backfill.html")]
struct BackfillPage<'a> {
    shell: Shell,
    path: String,
    channel: &'a Channel,
    days: &'a str,
    wrong: Wrong,
}

fn backfill_form(visit: &Visit, channel: &Channel, days: &str, wrong: Wrong) -> Answer {
    let (status, path) = (wrong.status(false), channel_path(&channel.id));
    let shell = visit.shell(Area::Integrations);
    page_as(status, &BackfillPage { shell, path, channel, days, wrong })
}

pub async fn ask_backfill<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
) -> Answer {
    let channel = channel(&console, &visitor, &id).await?;
    backfill_form(&visitor, &channel, "30", Wrong::default())
}

pub async fn backfill<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let channel = channel(&console, &visitor, &id).await?;
    let wrong = |wrong| backfill_form(&visitor, &channel, fields.text("days"), Wrong(wrong));
    let Ok(days) = fields.text("days").parse() else {
        return wrong(vec![Invalid::new("days", "must be a number")]);
    };
    match jobs::backfill(&console.core, &visitor.shop, &channel.id, days).await {
        Ok(job) => {
            let text = "It has begun. Orders appear as they are found; no customer is told anything.";
            to_say(&format!("{JOBS}/{}", job.id), Flash::done(text))
        }
        Err(JobRequestError::Invalid(why)) => wrong(why),
        Err(error) => Err(Failed::from(error)),
    }
}

pub async fn confirm<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
) -> Answer {
    let channel = channel(&console, &visitor, &id).await?;
    let path = channel_path(&channel.id);
    page(&Confirm {
        shell: visitor.shell(Area::Integrations),
        title: format!("Disconnect \u{201c}{}\u{201d}?", channel.name),
        what: vec![
            format!(
                "Nothing comes in from {} any more, and nothing is marked fulfilled there.",
                channel.store
            ),
            "Its orders stay as they are, with their timelines. Connecting the store again finds them."
                .to_owned(),
            "Its credentials and its secret are deleted here. Take its webhooks away over there, too."
                .to_owned(),
        ],
        action: format!("{path}/disconnect"),
        fields: vec![("version".to_owned(), channel.version.to_string())],
        verb: "Disconnect store".to_owned(),
        danger: true,
        back: path,
    })
}

pub async fn disconnect<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let channel = channel(&console, &visitor, &id).await?;
    let seen = fields.version();
    remove(&console.core, &visitor.shop, Removal::Channel(&channel.id), seen).await?;
    to_say(Area::Integrations.path(), Flash::done("The store is disconnected. Its orders stay."))
}
