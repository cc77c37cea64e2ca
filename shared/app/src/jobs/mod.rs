//! Jobs: claim → page → record, page after page, until the job or the time is over.
//!
//! A page may be done twice (a runner that dies after it leaves the cursor where it was): everything that a
//! page does goes through `apply` or a conditional write, where the second time changes nothing.

mod audit;
mod canary;
mod check;
mod flows;
mod foresee;
mod moves;
mod parcels;
mod reconcile;
mod recover;
mod request;
mod retain;
mod standing;

use std::time::Duration;

use stagepost_domain::disposition::Disposition;
use stagepost_domain::id::{EndpointId, JobId, ShopId};
use stagepost_domain::job::{Counted, InvalidStep, Job, JobKind, JobState, PageDone, Progress, Told};
use stagepost_domain::{SignedDuration, Timestamp};

use crate::Core;
use crate::apply::ApplyError;
use crate::audit::AuditStore;
use crate::erase::EraseStore;
use crate::platform::Platforms;
use crate::ports::{
    ActError, AttemptStore, CommitError, ConfigStore, InboundStore, JobStore, OrderSource, OrderStore,
    RunStore, SearchStore, Secrets, StoreError, TrackerService, WebhookSender,
};
use crate::quarantine::QuarantineError;
use crate::run::RECORD_TRIES;
use crate::webhook::{Tried, try_out};

pub use audit::audit_of;
pub use canary::{canary_of, canary_order, make_canary};
pub(crate) use check::checked_if_new;
pub use check::{check, check_of, check_of_carrier, check_of_channel};
pub use foresee::{FORESEEN_MAX, Foreseen, foresee};
pub use recover::Recoverable;
pub(crate) use request::days_before;
pub use request::{
    BACKFILL_DAYS_MAX, JobRequestError, MoveRequest, backfill, bulk_move, cancel, hurry, recover,
    recoverable, recovered_since, recovery_of, test_endpoint,
};
pub use standing::{keep_up, save_settings};

/// What jobs need of the store.
pub trait JobStores:
    OrderStore
    + RunStore
    + ConfigStore
    + InboundStore
    + JobStore
    + AttemptStore
    + AuditStore
    + SearchStore
    + EraseStore
{
}

impl<T> JobStores for T where
    T: OrderStore
        + RunStore
        + ConfigStore
        + InboundStore
        + JobStore
        + AttemptStore
        + AuditStore
        + SearchStore
        + EraseStore
{
}

/// How long the job runner's function may live.
pub const JOB_TIMEOUT: Duration = Duration::from_secs(120);
/// No page is begun when less is left of an invocation: one takes half a minute at most, and what came of it is recorded
/// with patience.
const LAST_PAGE: SignedDuration = SignedDuration::from_secs(60);
/// Orders of one page.
const PAGE: usize = 25;

/// What an invocation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Worked {
    /// There is no such job.
    Unknown,
    /// It has ended, is not due, or somebody else is at it.
    NotNow,
    /// It was stopped or taken over while this attempt worked on it.
    TakenAway,
    /// There is more to do: ring again.
    More,
    /// It stands like this now, and perhaps an operator should hear of it.
    Recorded(JobState, Option<Told>),
}

/// Nothing could be decided: the message comes back.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The id generator is broken.
    #[error(transparent)]
    Id(#[from] stagepost_domain::id::InvalidId),
}

/// A page was not done; the cursor stays.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error(transparent)]
    Act(#[from] ActError),
    /// What the job is about is not there any more.
    #[error("what the job is about is gone")]
    Gone,
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        Self::Apply(error.into())
    }
}

impl From<QuarantineError> for PageError {
    fn from(error: QuarantineError) -> Self {
        match error {
            QuarantineError::Store(error) => error.into(),
            QuarantineError::Secret(_) | QuarantineError::Queue(_) => {
                Self::Act(ActError { disposition: error.disposition(), message: error.to_string() })
            }
        }
    }
}

impl PageError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Apply(error) => error.disposition(),
            Self::Act(error) => error.disposition,
            Self::Gone => Disposition::Permanent,
        }
    }
}

/// Works on a job until the invocation has no time for another page: it ends at `deadline`, whichever job of its batch
/// this is.
///
/// # Errors
/// The store failed before the job was claimed; what happens after that is recorded on the job.
pub async fn work<S, K, P, Q, T, W>(
    tools: &Tools<'_, S, K, P, Q, T, W>,
    shop: &ShopId,
    id: &JobId,
    deadline: Timestamp,
) -> Result<Worked, JobError>
where
    S: JobStores,
    K: Secrets,
    P: OrderSource,
    Q: OrderSource,
    T: TrackerService,
    W: WebhookSender,
{
    let core = tools.core;
    let until = deadline.checked_sub(LAST_PAGE).unwrap_or(deadline);
    let Some(job) = core.store.job(shop, id).await? else { return Ok(Worked::Unknown) };
    let now = core.now();
    let Ok(mut job) = job.claimed(&core.attempt()?, now) else { return Ok(Worked::NotNow) };
    // The others of its batch took the time: the next invocation has some.
    if now >= until {
        return Ok(Worked::More);
    }
    match core.store.update_job(&job).await {
        Ok(()) => {}
        Err(CommitError::Store(error)) => return Err(error.into()),
        Err(CommitError::LostRace | CommitError::Conflict) => return Ok(Worked::NotNow),
    }
    if !job.is_running() {
        tracing::warn!(job = %job.id, kind = job.kind.code(), error = job.error(), "an attempt fell silent");
        return Ok(Worked::Recorded(job.state, None));
    }
    loop {
        let next = tools.step(&job, until).await;
        if !record(core, &next).await? {
            return Ok(Worked::TakenAway);
        }
        let told = next.told(&job);
        job = next;
        match &job.state {
            JobState::Running { .. } => {}
            JobState::Waiting { due } if *due <= core.now() => return Ok(Worked::More),
            state => return Ok(Worked::Recorded(state.clone(), told)),
        }
    }
}

/// Stores where the job stands; false if somebody stopped it or took it over. What was done is known only here,
/// so that is tried with patience.
async fn record<S: JobStore>(core: &Core<S>, next: &Job) -> Result<bool, StoreError> {
    for tried in 1.. {
        match core.store.update_job(next).await {
            Ok(()) => return Ok(true),
            Err(CommitError::LostRace) => return Ok(false),
            Err(CommitError::Conflict) if tried < RECORD_TRIES => {}
            Err(CommitError::Conflict) => return Err(StoreError::Throttled),
            Err(CommitError::Store(error)) if tried >= RECORD_TRIES => return Err(error),
            Err(CommitError::Store(_)) => {}
        }
    }
    Ok(false)
}

/// What pages are done with.
pub struct Tools<'a, S, K, P, Q, T, W> {
    /// Store, clock, ids.
    pub core: &'a Core<S>,
    /// Opens credentials.
    pub secrets: &'a K,
    /// What the platforms list.
    pub sources: &'a Platforms<P, Q>,
    /// Is asked for parcels.
    pub trackers: &'a T,
    /// Sends test messages.
    pub sender: &'a W,
}

impl<S, K, P, Q, T, W> Tools<'_, S, K, P, Q, T, W>
where
    S: JobStores,
    K: Secrets,
    P: OrderSource,
    Q: OrderSource,
    T: TrackerService,
    W: WebhookSender,
{
    /// One page, or the end of this attempt's time.
    async fn step(&self, job: &Job, until: Timestamp) -> Job {
        if self.core.now() >= until {
            return job.put_down(self.core.now());
        }
        let page = Box::pin(self.page(job)).await;
        let now = self.core.now();
        match page {
            Ok(page) => job.advanced(page, now),
            Err(PageError::Gone) => job.over(now),
            Err(error) => {
                tracing::warn!(job = %job.id, kind = job.kind.code(), %error, "a page of a job failed");
                let (after, forever) = match error.disposition() {
                    Disposition::Retry { after } => (after, false),
                    Disposition::Ambiguous => (None, false),
                    Disposition::Permanent => (None, true),
                };
                job.stumbled(&error.to_string(), after, forever, now)
            }
        }
    }

    async fn page(&self, job: &Job) -> Result<PageDone, PageError> {
        let cursor = job.cursor.as_deref();
        match &job.kind {
            JobKind::Reconcile { channel, since, .. } => {
                let since = since.checked_sub(stagepost_domain::job::OVERLAP).unwrap_or(*since);
                self.changed_orders(&job.shop, channel, since, cursor).await
            }
            JobKind::Backfill { channel, since } => {
                self.changed_orders(&job.shop, channel, *since, cursor).await
            }
            JobKind::Move { to, selection, actor } => self.moves(job, to, selection, actor).await,
            JobKind::Restage { stage } => self.restage(&job.shop, stage, cursor).await,
            JobKind::Triage { channel, flow } => self.triage(&job.shop, channel, flow, cursor).await,
            JobKind::Register { carrier } => self.register_parcels(&job.shop, carrier, cursor).await,
            JobKind::Refetch { carrier } => self.refetch_parcels(job, carrier).await,
            JobKind::Test { endpoint } => self.try_endpoint(job, endpoint).await,
            JobKind::Recover(which) => self.recover(job, which).await,
            JobKind::Check { connection } => self.check(&job.shop, connection).await,
            JobKind::Audit(audit) => self.audit(&job.shop, audit, cursor).await,
            JobKind::Retain => self.retain(&job.shop, cursor).await,
            JobKind::Canary(canary) => self.canary(&job.shop, canary).await,
        }
    }
}

impl<S, K, P, Q, T, W> Tools<'_, S, K, P, Q, T, W>
where
    S: ConfigStore + AttemptStore,
    K: Secrets,
    W: WebhookSender,
{
    /// One test message, once: whoever wants another asks again.
    async fn try_endpoint(&self, job: &Job, endpoint: &EndpointId) -> Result<PageDone, PageError> {
        let JobState::Running { attempt, .. } = &job.state else { return Err(PageError::Gone) };
        let (core, sender, secrets) = (self.core, self.sender, self.secrets);
        match try_out(core, sender, secrets, &job.shop, endpoint, &job.id, attempt).await? {
            Tried::Gone => Err(PageError::Gone),
            Tried::Sent(Some(error)) => Err(ActError::permanent(error).into()),
            Tried::Sent(None) => {
                let mut progress = Progress::default();
                progress.count(Counted::Changed);
                Ok(PageDone::new(progress, None))
            }
        }
    }
}

/// A step that the job's state does not allow, in the words of an answer.
pub(crate) fn refused(step: InvalidStep) -> JobRequestError {
    JobRequestError::Step(step)
}
