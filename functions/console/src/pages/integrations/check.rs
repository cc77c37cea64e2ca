//! Whether a connection's credentials work, as the job that tried them out knows it.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use http::HeaderMap;
use stagepost_app::jobs::{check, check_of_carrier, check_of_channel};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::JobId;
use stagepost_domain::job::{Connection, Job, JobState};

use super::service::Service;
use super::{carrier, carrier_path, channel, channel_path};
use crate::answer::{Answer, from_script, last_of, page, to, to_say};
use crate::error::Failed;
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::time::Moment;
use crate::ui::{Badge, Tone};
use crate::visitor::{Member, Visit, Visitor};
use crate::{Console, Stores};

/// What is known of a connection's credentials.
#[derive(Template)]
#[template(path = "integrations/check.html")]
pub struct Check {
    shell: Shell,
    /// Where it is asked again.
    path: String,
    /// In a word.
    pub badge: Badge,
    /// What that means, and what to do.
    pub meaning: String,
    /// When that was found.
    pub at: Option<Moment>,
    /// Whether there is something to check.
    has_credentials: bool,
    /// Whether it is being found out.
    pub open: bool,
}

impl askama::filters::HtmlSafe for Check {}

impl Check {
    /// What the job found, if there is one.
    pub fn new(
        service: Service,
        has_credentials: bool,
        job: Option<&Job>,
        path: String,
        visit: &Visit,
    ) -> Self {
        let Told { badge, meaning, at } = match (service.is_called(), has_credentials, job) {
            (false, ..) => {
                told(Tone::Plain, "Nothing to check", "It calls us; there is nothing of it that we call.")
            }
            (true, false, _) => told(Tone::Plain, "No credentials", service.without()),
            (true, true, None) => told(
                Tone::Plain,
                "Not checked lately",
                "Credentials are stored. Whether they work was not tried in the last 30 days.",
            ),
            (true, true, Some(job)) => found(job),
        };
        let open = has_credentials && job.is_some_and(|job| !job.ended() && job.last_error.is_none());
        let at = at.map(|at| Moment::new(at, visit.now));
        let has_credentials = has_credentials && service.is_called();
        Self { shell: visit.fragment(Area::Integrations), path, badge, meaning, at, has_credentials, open }
    }

    /// Whether there are credentials.
    pub fn stored(&self) -> bool {
        self.has_credentials
    }

    /// The same where it was connected this moment: the check has just begun.
    pub fn begun(service: Service, has_credentials: bool, path: String, visit: &Visit) -> Self {
        let check = Self::new(service, has_credentials, None, path, visit);
        if !check.has_credentials {
            return check;
        }
        let Told { badge, meaning, .. } = begun();
        Self { badge, meaning, open: true, ..check }
    }
}

struct Told {
    badge: Badge,
    meaning: String,
    at: Option<stagepost_domain::Timestamp>,
}

fn told(tone: Tone, word: &str, meaning: impl Into<String>) -> Told {
    Told { badge: Badge::new(tone, word), meaning: meaning.into(), at: None }
}

fn begun() -> Told {
    told(Tone::Busy, "Saved, not yet checked", "One harmless call is made there to see. This takes a moment.")
}

fn found(job: &Job) -> Told {
    match (&job.state, &job.last_error) {
        (JobState::Waiting { due }, Some(error)) => told(
            Tone::Warn,
            "Not reached yet",
            format!("Saved, but not reached: {error}. It is tried again on {}.", crate::time::exactly(*due)),
        ),
        (JobState::Waiting { .. } | JobState::Running { .. }, _) => begun(),
        (JobState::Done { at }, _) => Told {
            at: Some(*at),
            ..told(Tone::Good, "Works", "The other side took the credentials, and they allow what we do.")
        },
        (JobState::Failed { at, error }, _) => Told {
            at: Some(*at),
            ..told(Tone::Bad, "Refused", format!("Saved, but they do not work: {error}."))
        },
        (JobState::Cancelled { at }, _) => Told {
            at: Some(*at),
            ..told(Tone::Plain, "Not checked", "The check was stopped before it was through.")
        },
    }
}

/// A job, if there is one of that id.
pub async fn job<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    id: Option<JobId>,
) -> Result<Option<Job>, Failed> {
    match id {
        Some(id) => Ok(console.core.store.job(&visit.shop, &id).await?),
        None => Ok(None),
    }
}

pub async fn of_channel<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let channel = channel(&console, &visitor, &id).await?;
    let (id, back) = (check_of_channel(&channel), channel_path(&channel.id));
    let service = Service::of_channel(channel.platform).unwrap_or(Service::Shopify);
    part(&console, &visitor, service, id, back, &headers).await
}

pub async fn of_carrier<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let carrier = carrier(&console, &visitor, &id).await?;
    let (id, back) = (check_of_carrier(&carrier), carrier_path(&carrier.id));
    part(&console, &visitor, Service::of_carrier(carrier.kind), id, back, &headers).await
}

async fn part<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    service: Service,
    id: Option<JobId>,
    back: String,
    headers: &HeaderMap,
) -> Answer {
    if !from_script(headers) {
        return Ok::<Response, Failed>(to(&back));
    }
    let has_credentials = id.is_some();
    let job = job(console, visit, id).await?;
    let part = Check::new(service, has_credentials, job.as_ref(), back, visit);
    if part.open { page(&part) } else { last_of(&part) }
}

pub async fn check_channel<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(id): Path<String>,
) -> Answer {
    let channel = channel(&console, &visitor, &id).await?;
    check(&console.core, &visitor.shop, Connection::Channel(channel.id.clone())).await?;
    asked(&channel_path(&channel.id))
}

pub async fn check_carrier<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(id): Path<String>,
) -> Answer {
    let carrier = carrier(&console, &visitor, &id).await?;
    check(&console.core, &visitor.shop, Connection::Carrier(carrier.id.clone())).await?;
    asked(&carrier_path(&carrier.id))
}

fn asked(path: &str) -> Answer {
    to_say(path, Flash::done("The credentials are tried out within a minute."))
}
