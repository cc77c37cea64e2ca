//! Jobs: work over many orders, page by page. A job is claimed like a run, keeps its place in a cursor and
//! its progress in counts, and can be stopped between two pages. Every page can be done again without harm:
//! what it does goes through the same decisions as anything else.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::audit::{AUDIT_EVERY, Audit, Audited, Pass};
use crate::canary::{CANARY_EVERY, Canary, Heard};
use crate::event::{Action, Actor};
use crate::id::{AttemptId, CarrierId, ChannelId, EndpointId, FlowId, JobId, OrderId, ShopId, StageId};
use crate::retention::RETAIN_EVERY;
use crate::run::later;
use crate::text::truncated;

/// Most orders that one bulk move names.
pub const ORDERS_MAX: usize = 500;
/// How often a channel is asked for what changed.
pub const RECONCILE_EVERY: SignedDuration = SignedDuration::from_mins(15);
/// How far a reconciliation looks back behind what it saw last: clocks differ, and two changes may share a
/// second.
pub const OVERLAP: SignedDuration = SignedDuration::from_mins(5);
/// How long one attempt may hold a job: longer than its function may live.
pub const JOB_LEASE: SignedDuration = SignedDuration::from_secs(150);
/// Waits between attempts that failed; after the last the job has failed, or waits for its next turn.
const WAITS: [i64; 6] = [10, 60, 300, 900, 3_600, 7_200];
/// How often parcels without news are asked for.
pub const REFETCH_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// Longest error kept of an attempt, in bytes.
const ERROR_MAX: usize = 300;
/// What an attempt is taken to have failed of that told nobody.
const FELL_SILENT: &str = "whoever worked on it stopped in the middle of a page";

/// Which orders a bulk move is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Selection {
    /// These, at most [`ORDERS_MAX`].
    Orders {
        /// Their ids.
        orders: Vec<OrderId>,
    },
    /// All that stood in this stage when the job was made.
    Stage {
        /// The stage.
        stage: StageId,
    },
}

/// What a job does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobKind {
    /// Asks a channel's platform for the orders that changed since then: both platforms lose notifications, and
    /// WooCommerce never sends one twice. Comes again every [`RECONCILE_EVERY`].
    Reconcile {
        /// The channel.
        channel: ChannelId,
        /// What changed before was seen.
        since: Timestamp,
        /// The newest change seen in this pass.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        newest: Option<Timestamp>,
    },
    /// The same once, for the time before a channel was connected. Those orders are older than the channel, so
    /// they are adopted silently (law 3).
    Backfill {
        /// The channel.
        channel: ChannelId,
        /// What changed before is left out.
        since: Timestamp,
    },
    /// Moves orders, as the one who asked for it.
    Move {
        /// Where to.
        to: StageId,
        /// Which.
        selection: Selection,
        /// Who.
        actor: Actor,
    },
    /// Puts the orders of a deleted stage into its successor.
    Restage {
        /// The deleted stage.
        stage: StageId,
    },
    /// Puts a channel's untriaged orders into its new default flow, silently.
    Triage {
        /// The channel.
        channel: ChannelId,
        /// The flow.
        flow: FlowId,
    },
    /// Has the parcels under way registered with a carrier service that was connected. They are those of orders
    /// that came into their stage in the last month.
    Register {
        /// The integration.
        carrier: CarrierId,
    },
    /// Asks a carrier service for the parcels that it should have told of: services lose notifications, too.
    /// Comes again every [`REFETCH_EVERY`].
    Refetch {
        /// The integration.
        carrier: CarrierId,
    },
    /// Sends an endpoint a test message, once.
    Test {
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// Has failed runs tried again. Uncertain ones are for people to look at one by one.
    Recover(Recovery),
    /// Calls a connection's far end once, changing nothing there, to see whether it takes our credentials.
    Check {
        /// Which connection.
        connection: Connection,
    },
    /// Looks whether all that orders decided is there, and stands where the sweep finds it. Comes again every
    /// [`AUDIT_EVERY`].
    Audit(Audit),
    /// Erases what the shop keeps no longer. Comes again every [`RETAIN_EVERY`].
    Retain,
    /// Writes an order of the deployment's own and looks at the mail of the one before. Comes again every
    /// [`CANARY_EVERY`].
    Canary(Canary),
}

/// What an operator should hear of a job's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// What a whole pass of an audit came to.
    Audited(Audited),
    /// What became of a canary's mail.
    Heard(Heard),
}

/// A connection to somebody else's service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Connection {
    /// A sales channel.
    Channel(ChannelId),
    /// A carrier integration.
    Carrier(CarrierId),
}

impl Connection {
    /// The id's body, without its prefix.
    #[must_use]
    pub fn body(&self) -> &str {
        let (id, prefix) = match self {
            Self::Channel(id) => (id.as_str(), ChannelId::PREFIX),
            Self::Carrier(id) => (id.as_str(), CarrierId::PREFIX),
        };
        id.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).unwrap_or_default()
    }
}

/// Which failed runs are tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recovery {
    /// That ended since.
    pub since: Timestamp,
    /// Of one kind only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Of one target only: a template, endpoint or channel by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl JobKind {
    /// Stable word for API and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Reconcile { .. } => "reconcile",
            Self::Backfill { .. } => "backfill",
            Self::Move { .. } => "move",
            Self::Restage { .. } => "restage",
            Self::Triage { .. } => "triage",
            Self::Register { .. } => "register",
            Self::Refetch { .. } => "refetch",
            Self::Test { .. } => "test",
            Self::Recover(_) => "recover",
            Self::Check { .. } => "check",
            Self::Audit(_) => "audit",
            Self::Retain => "retain",
            Self::Canary(_) => "canary",
        }
    }

    /// Whether it comes again by itself.
    #[must_use]
    pub fn recurs(&self) -> bool {
        self.every().is_some()
    }

    /// Whether it may be stopped before its end. The orders of a deleted stage must all leave it: no list shows
    /// those that stay.
    #[must_use]
    pub fn is_stoppable(&self) -> bool {
        !matches!(self, Self::Restage { .. })
    }

    /// After which time it comes again, if it does.
    #[must_use]
    pub fn every(&self) -> Option<SignedDuration> {
        match self {
            Self::Reconcile { .. } => Some(RECONCILE_EVERY),
            Self::Refetch { .. } => Some(REFETCH_EVERY),
            Self::Audit(_) => Some(AUDIT_EVERY),
            Self::Retain => Some(RETAIN_EVERY),
            Self::Canary(_) => Some(CANARY_EVERY),
            _ => None,
        }
    }
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum JobState {
    /// Waits until `due`.
    Waiting {
        /// Not before.
        due: Timestamp,
    },
    /// An attempt works on it.
    Running {
        /// Which attempt.
        attempt: AttemptId,
        /// After this the attempt is presumed dead.
        until: Timestamp,
    },
    /// All done.
    Done {
        /// When.
        at: Timestamp,
    },
    /// Given up; what it did before stands.
    Failed {
        /// When.
        at: Timestamp,
        /// Why.
        error: String,
    },
    /// Stopped by somebody; what it did before stands.
    Cancelled {
        /// When.
        at: Timestamp,
    },
}

impl JobState {
    /// When the job ended, if it has.
    #[must_use]
    pub fn ended_at(&self) -> Option<Timestamp> {
        match self {
            Self::Waiting { .. } | Self::Running { .. } => None,
            Self::Done { at } | Self::Failed { at, .. } | Self::Cancelled { at } => Some(*at),
        }
    }
}

/// What a job came to so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Progress {
    /// Things looked at.
    pub seen: u64,
    /// Of these, changed.
    pub changed: u64,
    /// Of these, refused by a rule, or in a shape that could not be read (kept in quarantine).
    pub refused: u64,
}

impl Progress {
    /// One thing that was changed, refused, or left as it was.
    pub fn count(&mut self, change: Counted) {
        self.seen = self.seen.saturating_add(1);
        match change {
            Counted::Changed => self.changed = self.changed.saturating_add(1),
            Counted::Refused => self.refused = self.refused.saturating_add(1),
            Counted::Same => {}
        }
    }

    fn plus(self, more: Self) -> Self {
        Self {
            seen: self.seen.saturating_add(more.seen),
            changed: self.changed.saturating_add(more.changed),
            refused: self.refused.saturating_add(more.refused),
        }
    }
}

/// What became of one thing that a job looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Changed.
    Changed,
    /// Refused.
    Refused,
    /// As it was.
    Same,
}

/// What a job that comes again remembers of a page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Noted {
    /// Nothing.
    #[default]
    Nothing,
    /// The newest change that a platform told.
    Newest(Timestamp),
    /// What a page of this pass of the audit came to.
    Audited(Pass, Audited),
    /// The canary after its turn.
    Sung(Canary),
}

/// What one page of a job came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageDone {
    /// What it did.
    pub progress: Progress,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
    /// What the job remembers of it.
    pub noted: Noted,
}

impl PageDone {
    /// A page of which nothing is remembered.
    #[must_use]
    pub fn new(progress: Progress, next: Option<String>) -> Self {
        Self { progress, next, noted: Noted::Nothing }
    }
}

/// A job of a shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Stable id. The job that recurs for a channel or carrier integration has its body: there is one.
    pub id: JobId,
    /// Its tenant.
    pub shop: ShopId,
    /// What it does.
    #[serde(flatten)]
    pub kind: JobKind,
    /// Where it stands.
    #[serde(flatten)]
    pub state: JobState,
    /// Where to go on; `None` at the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// What it came to.
    #[serde(default)]
    pub progress: Progress,
    /// When it was made.
    pub created_at: Timestamp,
    /// Attempts that failed in a row.
    #[serde(default)]
    pub failures: u32,
    /// What the last of them said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Counts writes.
    pub version: u64,
}

/// A job cannot be stopped or started as it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStep {
    /// It has ended.
    #[error("the job has ended")]
    Ended,
    /// Somebody else works on it.
    #[error("the job is being worked on")]
    Held,
    /// It comes again by itself for as long as its channel is there.
    #[error("the job recurs and cannot be cancelled")]
    Recurs,
    /// A change that was made is only whole once it is done: half of it would leave orders where nobody sees them.
    #[error("the job carries out what was decided and cannot be cancelled")]
    Decided,
}

impl Job {
    /// A job to be begun at once.
    #[must_use]
    pub fn new(id: JobId, shop: ShopId, kind: JobKind, now: Timestamp) -> Self {
        Self {
            id,
            shop,
            kind,
            state: JobState::Waiting { due: now },
            cursor: None,
            progress: Progress::default(),
            created_at: now,
            failures: 0,
            last_error: None,
            version: 1,
        }
    }

    /// When it wants attention; `None` once it has ended.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        match self.state {
            JobState::Waiting { due } => Some(due),
            JobState::Running { until, .. } => Some(until),
            _ => None,
        }
    }

    /// Why it failed, or why its last attempt did.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        match &self.state {
            JobState::Failed { error, .. } => Some(error),
            _ => self.last_error.as_deref(),
        }
    }

    /// Whether it has ended for good.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.due().is_none()
    }

    /// Whether an attempt holds it.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.state, JobState::Running { .. })
    }

    fn next(&self, state: JobState) -> Self {
        Self { state, version: self.version.saturating_add(1), ..self.clone() }
    }

    /// Asks for the exclusive right to work on it. Whoever held it before and fell silent has failed at its page,
    /// whatever it died of: that counts as any failure does ([`stumbled`](Self::stumbled)), and nobody gets it now.
    ///
    /// # Errors
    /// It has ended, is not due, or another attempt holds it.
    pub fn claimed(&self, attempt: &AttemptId, now: Timestamp) -> Result<Self, InvalidStep> {
        match self.due() {
            None => Err(InvalidStep::Ended),
            Some(due) if due > now => Err(InvalidStep::Held),
            // Or a page that kills its function would be done for ever.
            Some(_) if self.is_running() => Ok(self.stumbled(FELL_SILENT, None, false, now)),
            Some(_) => {
                Ok(self.next(JobState::Running { attempt: attempt.clone(), until: later(now, JOB_LEASE) }))
            }
        }
    }

    /// After a page: on to the next one under a fresh lease, to its next turn, or to its end.
    #[must_use]
    pub fn advanced(&self, page: PageDone, now: Timestamp) -> Self {
        let at_end = page.next.is_none();
        let kind = self.kind.after(&page.noted, at_end);
        let state = match &self.state {
            JobState::Running { attempt, .. } if !at_end => {
                JobState::Running { attempt: attempt.clone(), until: later(now, JOB_LEASE) }
            }
            _ => kind
                .every()
                .map_or(JobState::Done { at: now }, |wait| JobState::Waiting { due: later(now, wait) }),
        };
        Self {
            kind,
            cursor: page.next,
            progress: self.progress.plus(page.progress),
            failures: 0,
            last_error: None,
            ..self.next(state)
        }
    }

    /// What an operator should hear of a turn that brought the job from there to here.
    #[must_use]
    pub fn told(&self, before: &Self) -> Option<Told> {
        match (&before.kind, &self.kind) {
            (JobKind::Audit(before), JobKind::Audit(after)) if after.since != before.since => {
                after.last.map(Told::Audited)
            }
            // The first has nothing to look at.
            (JobKind::Canary(before), JobKind::Canary(after))
                if before.turn > 0 && after.turn > before.turn =>
            {
                after.last.map(Told::Heard)
            }
            _ => None,
        }
    }

    /// Lets go of it between two pages: the next attempt goes on at once.
    #[must_use]
    pub fn put_down(&self, now: Timestamp) -> Self {
        self.next(JobState::Waiting { due: now })
    }

    /// What it was about is gone: it ends, also if it recurs.
    #[must_use]
    pub fn over(&self, now: Timestamp) -> Self {
        self.next(JobState::Done { at: now })
    }

    /// After a page that failed: again later from the same cursor, with growing patience and not sooner than
    /// `asked`; `forever` says that no trying again helps. A recurring job then waits for its next turn.
    #[must_use]
    pub fn stumbled(
        &self,
        error: &str,
        asked: Option<SignedDuration>,
        forever: bool,
        now: Timestamp,
    ) -> Self {
        let error = truncated(error, ERROR_MAX);
        let tried = usize::try_from(self.failures).unwrap_or(usize::MAX);
        let wait = WAITS.get(tried).filter(|_| !forever).map(|s| SignedDuration::from_secs(*s));
        let state = match (wait, self.kind.every()) {
            (Some(wait), _) => JobState::Waiting { due: later(now, asked.map_or(wait, |a| a.max(wait))) },
            (None, Some(turn)) => JobState::Waiting { due: later(now, turn) },
            (None, None) => JobState::Failed { at: now, error: error.clone() },
        };
        let failures = if wait.is_some() { self.failures.saturating_add(1) } else { 0 };
        Self { failures, last_error: Some(error), ..self.next(state) }
    }

    /// Stopped by somebody. Whoever works on it notices at its next write.
    ///
    /// # Errors
    /// It has ended, recurs, or must be done.
    pub fn cancelled(&self, now: Timestamp) -> Result<Self, InvalidStep> {
        if self.ended() {
            return Err(InvalidStep::Ended);
        }
        if self.kind.recurs() {
            return Err(InvalidStep::Recurs);
        }
        if !self.kind.is_stoppable() {
            return Err(InvalidStep::Decided);
        }
        Ok(self.next(JobState::Cancelled { at: now }))
    }

    /// Wanted once more, from the beginning: one that has ended begins anew, one that waits comes at once.
    ///
    /// # Errors
    /// It is being worked on.
    pub fn renewed(&self, now: Timestamp) -> Result<Self, InvalidStep> {
        if let JobState::Running { .. } = self.state {
            return Err(InvalidStep::Held);
        }
        let version = self.version.saturating_add(1);
        Ok(Self { version, ..Self::new(self.id.clone(), self.shop.clone(), self.kind.clone(), now) })
    }

    /// Wanted now: a waiting job comes at once.
    ///
    /// # Errors
    /// It has ended, or is being worked on.
    pub fn hurried(&self, now: Timestamp) -> Result<Self, InvalidStep> {
        match self.state {
            JobState::Waiting { .. } => Ok(self.next(JobState::Waiting { due: now })),
            JobState::Running { .. } => Err(InvalidStep::Held),
            _ => Err(InvalidStep::Ended),
        }
    }
}

impl JobKind {
    /// What it is about after a page, or at the end of a pass.
    fn after(&self, noted: &Noted, at_end: bool) -> Self {
        match (self, noted) {
            (Self::Reconcile { channel, since, newest }, noted) => {
                let seen = if let Noted::Newest(at) = noted { Some(*at) } else { None };
                reconciled(channel, *since, (*newest).max(seen), at_end)
            }
            (Self::Audit(audit), Noted::Audited(pass, page)) => {
                Self::Audit(audit.passed(pass, *page, at_end))
            }
            (Self::Canary(_), Noted::Sung(canary)) => Self::Canary(canary.clone()),
            _ => self.clone(),
        }
    }
}

/// A reconciliation remembers the newest change that it saw, and at the end of a pass begins the next there.
fn reconciled(channel: &ChannelId, since: Timestamp, newest: Option<Timestamp>, at_end: bool) -> JobKind {
    let (since, newest) =
        if at_end { (newest.map_or(since, |at| at.max(since)), None) } else { (since, newest) };
    JobKind::Reconcile { channel: channel.clone(), since, newest }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn channel() -> ChannelId {
        ChannelId::from_body("a").unwrap()
    }

    fn attempt() -> AttemptId {
        AttemptId::from_body("one").unwrap()
    }

    fn job(kind: JobKind) -> Job {
        Job::new(JobId::from_body("a").unwrap(), ShopId::from_body("a").unwrap(), kind, at(0))
    }

    fn backfill() -> Job {
        job(JobKind::Backfill { channel: channel(), since: at(-100) })
    }

    fn reconcile() -> Job {
        job(JobKind::Reconcile { channel: channel(), since: at(-100), newest: None })
    }

    fn page(next: Option<&str>, newest: Option<i64>) -> PageDone {
        let mut progress = Progress::default();
        progress.count(Counted::Changed);
        progress.count(Counted::Same);
        let noted = newest.map_or(Noted::Nothing, |second| Noted::Newest(at(second)));
        PageDone { progress, next: next.map(str::to_owned), noted }
    }

    #[test]
    fn law_10_a_job_is_worked_on_by_one_attempt_at_a_time() {
        let claimed = backfill().claimed(&attempt(), at(1)).unwrap();
        let other = AttemptId::from_body("two").unwrap();
        assert_eq!(claimed.claimed(&other, at(2)), Err(InvalidStep::Held));
        let lease = at(1) + JOB_LEASE;
        let freed = claimed.claimed(&other, lease).unwrap();
        assert_eq!(freed.due(), Some(lease + SignedDuration::from_secs(10)), "a dead attempt's job goes on");
        assert!(freed.claimed(&other, lease + SignedDuration::from_secs(10)).unwrap().is_running());
        let done = claimed.advanced(page(None, None), at(3));
        assert_eq!((done.claimed(&other, lease), done.version), (Err(InvalidStep::Ended), 3));
    }

    #[test]
    fn a_job_keeps_its_place_and_its_counts_from_page_to_page() {
        let mut job = backfill().claimed(&attempt(), at(1)).unwrap();
        job = job.advanced(page(Some("2"), None), at(2));
        assert_eq!((job.cursor.as_deref(), job.progress.seen, job.progress.changed), (Some("2"), 2, 1));
        assert_eq!(job.due(), Some(at(2) + JOB_LEASE), "each page renews the lease");
        job = job.put_down(at(3)).claimed(&attempt(), at(3)).unwrap();
        assert_eq!(job.cursor.as_deref(), Some("2"));
        job = job.advanced(page(None, None), at(4));
        assert_eq!((&job.state, job.progress.seen), (&JobState::Done { at: at(4) }, 4));
    }

    #[test]
    fn a_reconciliation_comes_again_and_begins_where_it_saw_the_newest_change() {
        let job = reconcile().claimed(&attempt(), at(1)).unwrap();
        let job = job.advanced(page(Some("2"), Some(50)), at(2));
        assert!(
            matches!(job.kind, JobKind::Reconcile { since, .. } if since == at(-100)),
            "not before its end"
        );
        let job = job.advanced(page(None, Some(40)), at(3));
        assert_eq!(job.state, JobState::Waiting { due: at(3) + RECONCILE_EVERY });
        assert_eq!(job.kind, JobKind::Reconcile { channel: channel(), since: at(50), newest: None });
        let quiet = job.claimed(&attempt(), at(2_000)).unwrap().advanced(page(None, None), at(2_001));
        assert!(matches!(quiet.kind, JobKind::Reconcile { since, .. } if since == at(50)), "never back");
    }

    #[test]
    fn failures_wait_longer_each_time_and_end_a_job_that_does_not_recur() {
        let waits = |mut job: Job| {
            let mut waits = Vec::new();
            while let (JobState::Waiting { .. }, true) = (&job.state, waits.len() < 8) {
                job = job.stumbled("down", None, false, at(0));
                waits.extend(job.due().map(|due| due.duration_since(at(0)).as_secs()));
            }
            (waits, job)
        };
        let (tried, ended) = waits(backfill());
        assert_eq!(tried, [10, 60, 300, 900, 3_600, 7_200]);
        assert!(matches!(ended.state, JobState::Failed { .. }));
        let (tried, _) = waits(reconcile());
        assert_eq!(tried, [10, 60, 300, 900, 3_600, 7_200, 900, 10], "it never ends");
        let refused = backfill().stumbled("no such key", None, true, at(0));
        assert!(matches!(refused.state, JobState::Failed { .. }), "what cannot help is not tried");
        let asked = backfill().stumbled("busy", Some(SignedDuration::from_secs(33)), false, at(0));
        assert_eq!(asked.due(), Some(at(33)));
        let again = asked.claimed(&attempt(), at(33)).unwrap().advanced(page(Some("2"), None), at(34));
        assert_eq!((again.failures, again.last_error), (0, None));
    }

    /// Attempts that die one after the other at the same page until it is given up: how many there were, when the
    /// last one's lease was over, and the job then.
    fn given_up(mut job: Job) -> (usize, Timestamp, Job) {
        for died in 1..20 {
            let running = job.claimed(&attempt(), job.due().unwrap()).unwrap();
            let lease = running.due().unwrap();
            assert!(running.is_running());
            job = running.claimed(&attempt(), lease).unwrap();
            assert_eq!((job.last_error.as_deref(), job.cursor.as_deref()), (Some(FELL_SILENT), Some("2")));
            if job.failures == 0 {
                return (died, lease, job);
            }
        }
        panic!("a page that kills its function is done for ever: {job:?}");
    }

    #[test]
    fn a_lease_that_is_taken_over_counts_as_a_failure_and_a_page_that_kills_is_given_up() {
        let at_page = |job: Job| {
            let job = job.claimed(&attempt(), at(1)).unwrap().advanced(page(Some("2"), None), at(2));
            job.put_down(at(3))
        };
        let (died, lease, ended) = given_up(at_page(backfill()));
        assert_eq!(died, WAITS.len() + 1);
        assert_eq!(ended.state, JobState::Failed { at: lease, error: FELL_SILENT.to_owned() });
        let (died, lease, waits) = given_up(at_page(reconcile()));
        assert_eq!(died, WAITS.len() + 1);
        assert_eq!(waits.state, JobState::Waiting { due: lease + RECONCILE_EVERY });
        // What a page has done makes good for those that died before it.
        let job = at_page(backfill());
        let lost = job.claimed(&attempt(), at(3)).unwrap().claimed(&attempt(), at(3) + JOB_LEASE).unwrap();
        assert_eq!(lost.failures, 1);
        let again = lost.claimed(&attempt(), lost.due().unwrap()).unwrap();
        assert_eq!(again.advanced(page(Some("3"), None), at(400)).failures, 0);
    }

    #[test]
    fn only_a_job_that_is_open_and_does_not_recur_can_be_stopped() {
        let running = backfill().claimed(&attempt(), at(1)).unwrap();
        let stopped = running.cancelled(at(2)).unwrap();
        assert_eq!(stopped.version, running.version + 1, "the attempt's next write loses");
        assert_eq!(stopped.cancelled(at(3)), Err(InvalidStep::Ended));
        assert_eq!((running.state.ended_at(), stopped.state.ended_at()), (None, Some(at(2))));
        assert_eq!(reconcile().cancelled(at(1)), Err(InvalidStep::Recurs));
        let restage = job(JobKind::Restage { stage: StageId::parse("stg_gone").unwrap() });
        assert_eq!(restage.cancelled(at(1)), Err(InvalidStep::Decided), "its orders would be on no list");
        assert_eq!(running.hurried(at(2)), Err(InvalidStep::Held));
        assert!(reconcile().over(at(2)).ended(), "its channel is gone");
        assert_eq!(reconcile().advanced(page(None, None), at(1)).hurried(at(2)).unwrap().due(), Some(at(2)));
    }

    #[test]
    fn a_job_that_is_wanted_once_more_begins_anew_but_not_under_the_hands_of_another() {
        let check = job(JobKind::Check { connection: Connection::Channel(channel()) });
        let failed = check.claimed(&attempt(), at(1)).unwrap().stumbled("no", None, true, at(2));
        let again = failed.renewed(at(3)).unwrap();
        assert_eq!((again.due(), again.version, &again.last_error), (Some(at(3)), failed.version + 1, &None));
        let put_off = check.claimed(&attempt(), at(1)).unwrap().stumbled("away", None, false, at(2));
        assert_eq!(put_off.renewed(at(3)).unwrap().due(), Some(at(3)));
        assert_eq!(check.claimed(&attempt(), at(1)).unwrap().renewed(at(2)), Err(InvalidStep::Held));
    }

    #[test]
    fn a_job_is_read_back_as_it_was_written() {
        let check = job(JobKind::Check { connection: Connection::Channel(channel()) });
        for job in [backfill(), check, reconcile().claimed(&attempt(), at(1)).unwrap()] {
            let text = serde_json::to_string(&job).unwrap();
            assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job, "{text}");
        }
    }
}
