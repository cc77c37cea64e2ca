//! A test message or a recovery: begun, watched, stopped.

use askama::Template;
use axum::extract::Path;
use http::HeaderMap;
use stagepost_app::attempt::AttemptOf;
use stagepost_app::jobs::{self, test_endpoint};
use stagepost_app::ports::Secrets;
use stagepost_domain::SignedDuration;
use stagepost_domain::id::{EndpointId, JobId};
use stagepost_domain::job::{Job, JobKind, JobState};
use stagepost_domain::run::later;

use super::attempt::{Numbers, Row};
use super::{endpoint_id, path, there};
use crate::answer::{Answer, from_script, last_of, page, to, to_say};
use crate::error::{Failed, Trouble};
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::time::Moment;
use crate::ui::Badge;
use crate::visitor::{Member, Visit, Visitor};
use crate::words::{self, counted};
use crate::{Console, Stores};

/// Attempts among which a test's is looked for.
const LATEST: usize = 20;
/// How long a test's attempt is waited for once its job has ended.
const BEHIND: SignedDuration = SignedDuration::from_secs(10);

#[derive(Template)]
#[template(path = "webhooks/job.html")]
struct JobPage {
    shell: Shell,
    title: &'static str,
    name: String,
    part: Part,
}

/// Where the job stands.
#[derive(Template)]
#[template(path = "webhooks/job_part.html")]
struct Part {
    shell: Shell,
    back: String,
    path: String,
    is_test: bool,
    badge: Badge,
    meaning: String,
    progress: Option<String>,
    begun: Moment,
    /// Whether htmx goes on asking.
    open: bool,
    stoppable: bool,
    row: Option<Row>,
}

impl askama::filters::HtmlSafe for Part {}

pub async fn test<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(id): Path<String>,
) -> Answer {
    let id = endpoint_id(&id)?;
    let job = test_endpoint(&console.core, &visitor.shop, &id).await;
    let job = job.map_err(|error| match error {
        jobs::JobRequestError::NotFound => Trouble::not_found("endpoint").into(),
        other => Failed::from(other),
    })?;
    Ok(to(&format!("{}/jobs/{}", path(&id), job.id)))
}

/// A job of this endpoint.
async fn job_of<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    endpoint: &EndpointId,
    id: &str,
) -> Result<Job, Failed> {
    let id = crate::pages::id(JobId::parse(id), "job")?;
    let found = console.core.store.job(&visit.shop, &id).await?;
    let ours = |job: &Job| match &job.kind {
        JobKind::Test { endpoint: of } => of == endpoint,
        JobKind::Recover(which) => which.target.as_deref() == Some(endpoint.as_str()),
        _ => false,
    };
    Ok(found.filter(ours).ok_or_else(|| Trouble::not_found("job"))?)
}

pub async fn show<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    Path((id, job)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let id = endpoint_id(&id)?;
    let (store, now) = (&console.core.store, visitor.now);
    let (there, job, attempts) = tokio::join!(
        there(&console, &visitor, &id),
        job_of(&console, &visitor, &id, &job),
        store.attempts_of_endpoint(&visitor.shop, &id, None, LATEST, now)
    );
    let ((endpoint, _), job, attempts) = (there?, job?, attempts?);
    let made = attempts.items.into_iter().find(|attempt| attempt.of == AttemptOf::Job(job.id.clone()));
    let row = made.map(|attempt| Row::new(attempt, &Numbers::new(), &visitor));
    let part = Part::new(&job, &id, row, &visitor);
    match (from_script(&headers), part.open) {
        (true, true) => page(&part),
        (true, false) => last_of(&part),
        (false, _) => {
            let title = if part.is_test { "Test message" } else { "Sending again" };
            let shell = visitor.shell(Area::Webhooks);
            page(&JobPage { shell, title, name: endpoint.name, part })
        }
    }
}

impl Part {
    fn new(job: &Job, endpoint: &EndpointId, row: Option<Row>, visit: &Visit) -> Self {
        let is_test = matches!(job.kind, JobKind::Test { .. });
        // The log is read from an index, which may be a moment behind the job.
        let just_ended = job.state.ended_at().is_some_and(|at| later(at, BEHIND) > visit.now);
        let behind = is_test && row.is_none() && just_ended;
        let open = !job.ended() || behind;
        let meaning = if is_test { test_meaning(&job.state) } else { recovery_meaning(&job.state) };
        let seen =
            counted(usize::try_from(job.progress.changed).unwrap_or(usize::MAX), "message", "messages");
        let left = match job.progress.refused {
            0 => String::new(),
            n => format!(" {n} could not be tried again as they stood."),
        };
        Self {
            shell: visit.fragment(Area::Webhooks),
            back: path(endpoint),
            path: format!("{}/jobs/{}", path(endpoint), job.id),
            is_test,
            badge: words::job_badge(&job.state),
            meaning,
            progress: (!is_test).then(|| format!("{seen} put back in line so far.{left}")),
            begun: Moment::new(job.created_at, visit.now),
            stoppable: !is_test && !job.ended(),
            open,
            row,
        }
    }
}

fn test_meaning(state: &JobState) -> String {
    match state {
        JobState::Waiting { .. } | JobState::Running { .. } => "It is sent in a moment.".to_owned(),
        JobState::Done { .. } => {
            "The receiver took it. Signature and headers were those of any other message.".to_owned()
        }
        JobState::Failed { error, .. } => format!(
            "The receiver did not take it: {error}. Mend it there and send another; a test is never tried again by \
             itself, and how it went does not count for the endpoint's health."
        ),
        JobState::Cancelled { .. } => "It was stopped before it was sent.".to_owned(),
    }
}

fn recovery_meaning(state: &JobState) -> String {
    match state {
        JobState::Waiting { .. } | JobState::Running { .. } => {
            "It goes through what failed, newest first. You can leave this page.".to_owned()
        }
        JobState::Done { .. } => "All of it is in line again and leaves as the receiver takes it.".to_owned(),
        JobState::Failed { error, .. } => format!("It was given up: {error}. What it did before stands."),
        JobState::Cancelled { .. } => {
            "It was stopped. What was put back in line before is still sent.".to_owned()
        }
    }
}

pub async fn cancel<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path((id, job)): Path<(String, String)>,
) -> Answer {
    let id = endpoint_id(&id)?;
    let job = job_of(&console, &visitor, &id, &job).await?;
    jobs::cancel(&console.core, &visitor.shop, &job.id).await?;
    to_say(&format!("{}/jobs/{}", path(&id), job.id), Flash::done("It is stopped."))
}
