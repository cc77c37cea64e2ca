//! Work in the background: what it is, how far it is, and how it ended.

use askama::Template;
use axum::extract::Path;
use http::HeaderMap;
use stagepost_app::jobs::{self, JobRequestError};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::JobId;
use stagepost_domain::job::{Job, JobKind};

use super::{JOBS, paged};
use crate::Stores;
use crate::answer::{Answer, from_script, last_of, page, to_say};
use crate::error::Trouble;
use crate::fields::Fields;
use crate::pages::id;
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::time::Moment;
use crate::ui::Badge;
use crate::visitor::{Member, Visit, Visitor};
use crate::words::{self, counted};

/// Jobs of one page.
const PAGE: usize = 25;

#[derive(Template)]
#[template(path = "activity/jobs.html")]
struct ListPage {
    shell: Shell,
    tab: &'static str,
    rows: Vec<View>,
    first: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "activity/job.html")]
struct JobPage {
    shell: Shell,
    job: View,
}

/// The part of it that changes.
#[derive(Template)]
#[template(path = "activity/job_part.html")]
struct JobPart {
    shell: Shell,
    job: View,
}

struct View {
    path: String,
    title: &'static str,
    badge: Badge,
    progress: String,
    error: String,
    begun: Moment,
    ended: Option<Moment>,
    /// When it is at it next, of one that comes again by itself.
    next: Option<Moment>,
    /// Whether it goes on, and comes to an end.
    open: bool,
    /// Whether somebody may stop it.
    stoppable: bool,
}

impl View {
    fn of(job: &Job, visit: &Visit) -> Self {
        // A bulk move has a page of its own, which knows the stage.
        let path = match &job.kind {
            JobKind::Move { .. } => format!("/jobs/{}", job.id),
            _ => format!("{JOBS}/{}", job.id),
        };
        let recurs = job.kind.recurs();
        Self {
            path,
            title: words::job(&job.kind),
            badge: words::job_badge(&job.state),
            progress: progress(job),
            error: job.error().unwrap_or_default().to_owned(),
            begun: Moment::new(job.created_at, visit.now),
            ended: job.state.ended_at().map(|at| Moment::new(at, visit.now)),
            next: job.due().filter(|_| recurs).map(|at| Moment::new(at, visit.now)),
            open: !job.ended() && !recurs,
            stoppable: job.kind.is_stoppable(),
        }
    }
}

/// *120 looked at, 30 changed, 2 refused*
fn progress(job: &Job) -> String {
    let n = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let (seen, changed, refused) = (n(job.progress.seen), n(job.progress.changed), n(job.progress.refused));
    let refused =
        if refused == 0 { String::new() } else { format!(", {} refused", words::thousands(refused)) };
    match &job.kind {
        JobKind::Test { .. } | JobKind::Check { .. } => String::new(),
        JobKind::Recover(_) => {
            format!("{} put back in line{refused}", counted(changed, "action", "actions"))
        }
        _ => format!("{} looked at, {} changed{refused}", words::thousands(seen), words::thousands(changed)),
    }
}

pub async fn list<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    fields: Fields,
) -> Answer {
    let cursor = fields.some("cursor");
    let found = console.core.store.jobs(&visitor.shop, cursor, PAGE).await?;
    page(&ListPage {
        shell: visitor.shell(Area::Activity),
        tab: "jobs",
        rows: found.items.iter().map(|job| View::of(job, &visitor)).collect(),
        first: cursor.map(|_| JOBS.to_owned()),
        next: found.next.map(|cursor| paged(JOBS, &[("cursor", &cursor)])),
    })
}

pub async fn show<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let id = id(JobId::parse(&text), "job")?;
    let job = console.core.store.job(&visitor.shop, &id).await?;
    let job = View::of(&job.ok_or_else(|| Trouble::not_found("job"))?, &visitor);
    if !from_script(&headers) {
        return page(&JobPage { shell: visitor.shell(Area::Activity), job });
    }
    let open = job.open;
    let part = JobPart { shell: visitor.fragment(Area::Activity), job };
    if open { page(&part) } else { last_of(&part) }
}

pub async fn cancel<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(text): Path<String>,
) -> Answer {
    let id = id(JobId::parse(&text), "job")?;
    let flash = match jobs::cancel(&console.core, &visitor.shop, &id).await {
        Ok(_) => Flash::done("It is stopped. What it did by then stands."),
        Err(JobRequestError::Step(step)) => Flash::note(format!("Not stopped: {step}.")),
        Err(error) => return Err(error.into()),
    };
    to_say(&format!("{JOBS}/{id}"), flash)
}
