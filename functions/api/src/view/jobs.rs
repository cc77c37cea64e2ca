//! Jobs, the governor, simulations.

use schemars::JsonSchema;
use serde::Serialize;
use stagepost_app::jobs::Recoverable;
use stagepost_app::simulate::{Simulated, WouldBe};
use stagepost_domain::Timestamp;
use stagepost_domain::decide::Refused;
use stagepost_domain::governor::{Governor, Paused};
use stagepost_domain::id::JobId;
use stagepost_domain::job::{Job, JobKind, JobState, Progress};
use stagepost_domain::outcome::{IgnoreReason, NoOpReason};

use super::timeline::EventView;

/// What kind of work it is.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[schemars(rename = "JobKindName")]
#[serde(rename_all = "snake_case")]
pub enum KindView {
    /// Asks a channel's platform for what changed; recurs.
    Reconcile,
    /// Adopts a channel's past.
    Backfill,
    /// Moves orders.
    Move,
    /// Puts orders of a deleted stage into its successor.
    Restage,
    /// Puts untriaged orders into a new default flow.
    Triage,
    /// Has parcels registered with a carrier service.
    Register,
    /// Asks a carrier service for parcels without news; recurs.
    Refetch,
    /// Sends an endpoint a test message.
    Test,
    /// Has failed runs tried again.
    Recover,
    /// Tries a connection's credentials out.
    Check,
    /// Looks whether all that orders decided is there and where it must be; recurs.
    Audit,
    /// Erases what the shop keeps no longer; recurs.
    Retain,
    /// Writes an order of the deployment's own and looks at its mail; recurs.
    Canary,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[schemars(rename = "JobState")]
#[serde(rename_all = "snake_case")]
pub enum JobStateView {
    /// Waits until `due`.
    Waiting,
    /// Is being worked on.
    Running,
    /// All done.
    Done,
    /// Given up; what it did stands.
    Failed,
    /// Stopped by somebody; what it did stands.
    Cancelled,
}

/// Work over many orders.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Job")]
pub struct JobView {
    /// Its id.
    id: JobId,
    /// What kind of work it is.
    kind: KindView,
    /// What it is about.
    about: JobKind,
    /// Where it stands.
    state: JobStateView,
    /// When an open job wants attention.
    due: Option<Timestamp>,
    /// When it ended.
    ended_at: Option<Timestamp>,
    /// What it came to so far.
    progress: Progress,
    /// What the last attempt said that failed.
    last_error: Option<String>,
    /// When it was made.
    created_at: Timestamp,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        let state = match job.state {
            JobState::Waiting { .. } => JobStateView::Waiting,
            JobState::Running { .. } => JobStateView::Running,
            JobState::Done { .. } => JobStateView::Done,
            JobState::Failed { .. } => JobStateView::Failed,
            JobState::Cancelled { .. } => JobStateView::Cancelled,
        };
        let kind = match job.kind {
            JobKind::Reconcile { .. } => KindView::Reconcile,
            JobKind::Backfill { .. } => KindView::Backfill,
            JobKind::Move { .. } => KindView::Move,
            JobKind::Restage { .. } => KindView::Restage,
            JobKind::Triage { .. } => KindView::Triage,
            JobKind::Register { .. } => KindView::Register,
            JobKind::Refetch { .. } => KindView::Refetch,
            JobKind::Test { .. } => KindView::Test,
            JobKind::Recover { .. } => KindView::Recover,
            JobKind::Check { .. } => KindView::Check,
            JobKind::Audit(_) => KindView::Audit,
            JobKind::Retain => KindView::Retain,
            JobKind::Canary(_) => KindView::Canary,
        };
        Self {
            due: job.due(),
            ended_at: job.state.ended_at(),
            id: job.id,
            kind,
            about: job.kind,
            state,
            progress: job.progress,
            last_error: job.last_error,
            created_at: job.created_at,
        }
    }
}

/// How many mails are usual, and whether they are stopped.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Governor")]
pub struct GovernorView {
    /// Mails that the shop's fuller windows of ten minutes have.
    usual: u64,
    /// More than this in one window stops them.
    ceiling: u64,
    /// Why they are stopped; null if they are not.
    paused: Option<Paused>,
    /// Nothing is stopped until then: somebody has looked.
    released_until: Option<Timestamp>,
}

impl From<Governor> for GovernorView {
    fn from(governor: Governor) -> Self {
        let (usual, ceiling) = (governor.usual, governor.ceiling());
        Self { usual, ceiling, paused: governor.paused, released_until: governor.released_until }
    }
}

/// What would happen.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Plan {
    /// What each step would come to, in order. An invented order's first entry is its coming in.
    pub steps: Vec<PlanStep>,
}

/// What one step would come to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlanStep {
    /// The step's place among those asked for, from 0; null for the coming in of an invented order.
    step: Option<usize>,
    /// In a word.
    outcome: OutcomeView,
    /// The event with its runs and skips.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<EventView>,
    /// Why nothing would change.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_op: Option<NoOpReason>,
    /// Which rule would refuse it.
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<IgnoreReason>,
    /// Why it could not be met.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'static str>,
}

/// What a fact would come to.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[schemars(rename = "Outcome")]
#[serde(rename_all = "snake_case")]
pub enum OutcomeView {
    /// An event.
    Changed,
    /// Nothing.
    NoOp,
    /// Refused by a rule.
    Ignored,
    /// A request that could not be met.
    Refused,
}

impl From<Simulated> for PlanStep {
    fn from(simulated: Simulated) -> Self {
        let step = simulated.step;
        let nothing =
            |outcome| Self { step, outcome, event: None, no_op: None, ignored: None, refused: None };
        match simulated.would_be {
            WouldBe::Changed(changes) => {
                let event = Some(EventView::from(changes.event));
                Self { event, ..nothing(OutcomeView::Changed) }
            }
            WouldBe::NoOp(why) => Self { no_op: Some(why), ..nothing(OutcomeView::NoOp) },
            WouldBe::Ignored(why) => Self { ignored: Some(why), ..nothing(OutcomeView::Ignored) },
            WouldBe::Refused(why) => Self { refused: Some(word(&why)), ..nothing(OutcomeView::Refused) },
        }
    }
}

fn word(refused: &Refused) -> &'static str {
    match refused {
        Refused::UnknownOrder => "unknown_order",
        Refused::Stale { .. } => "stale",
        Refused::UnknownStage => "unknown_stage",
        Refused::NotPlaced => "not_placed",
        Refused::UnknownFlow => "unknown_flow",
        Refused::AlreadyPlaced => "already_placed",
        Refused::OnHold => "on_hold",
        Refused::TooMany { .. } => "too_many",
        Refused::UnknownPackage => "unknown_package",
        Refused::EmptyPackage => "empty_package",
    }
}

/// What a recovery would try again.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Recoverable")]
pub struct RecoverableView {
    /// How many failed runs.
    failed: usize,
    /// Whether there may be more: not all were counted.
    more: bool,
    /// When the oldest of them ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<Timestamp>,
}

impl From<Recoverable> for RecoverableView {
    fn from(Recoverable { failed, more, oldest }: Recoverable) -> Self {
        Self { failed, more, oldest }
    }
}
