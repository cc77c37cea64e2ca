//! What all runners share: read the run, ask for the claim, record the end.

use std::time::Duration;

use stagepost_domain::decide::superseded;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::event::{Action, Event};
use stagepost_domain::id::{AttemptId, ShopId};
use stagepost_domain::order::{Lifecycle, Order};
use stagepost_domain::outcome::SkipReason;
use stagepost_domain::run::{AttemptOutcome, Claim, InvalidTransition, Run, RunId, RunKey, RunState, later};
use stagepost_domain::{SignedDuration, Timestamp};

use crate::Core;
use crate::apply::ApplyError;
use crate::ports::{CommitError, DueItem, OrderStore, RunStore, StoreError};

/// How long the function of an action's runner may live: its deployment and the local host take it from here.
#[must_use]
pub const fn function_timeout(action: Action) -> Duration {
    match action {
        Action::Email | Action::Webhook | Action::RegisterTracker => Duration::from_secs(30),
        Action::Fulfill => Duration::from_secs(120),
    }
}

/// Until when an attempt that begins now may still act: what it does then, and its record, must end before its
/// function does.
pub(crate) fn act_until(action: Action, now: Timestamp) -> Timestamp {
    let acting = match action {
        // SES's 10 seconds, or a receiver's or carrier service's 15.
        Action::Email | Action::Webhook | Action::RegisterTracker => SignedDuration::from_secs(10),
        Action::Fulfill => SignedDuration::from_secs(30),
    };
    later(now, acting)
}

/// How long one attempt may hold a run: half as long again as its function may live (a quarter for the long
/// one), so that a lease that has passed belongs to an attempt that is over.
#[must_use]
pub fn lease(action: Action) -> SignedDuration {
    let margin = match action {
        Action::Email | Action::Webhook | Action::RegisterTracker => Duration::from_secs(15),
        Action::Fulfill => Duration::from_secs(30),
    };
    SignedDuration::try_from(function_timeout(action).saturating_add(margin)).unwrap_or(SignedDuration::MAX)
}

/// How long a run waits that must not act yet.
pub const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// How long the runs of an order on hold wait between looks.
pub const HOLD_LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// How a doorbell was answered. Each is a decision: the message has done its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// There is no such run.
    Unknown,
    /// It has ended before.
    Ended,
    /// Somebody else is at it.
    Held,
    /// Not yet; the due index will ring.
    Early(Timestamp),
    /// The run stands like this now.
    Recorded(Box<Run>),
    /// Another attempt took over before this one could record.
    LeaseLost,
    /// What it needs cannot be read, and will not be by itself: put aside until then, for people to see.
    PutAside(Timestamp),
}

/// Something that whoever runs the deployment wants to hear of, and that came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notable {
    /// The governor stopped the shop's mails.
    MailsStopped,
    /// An endpoint was switched off.
    EndpointDisabled,
}

/// Which event a run is of: its tenant and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Of {
    /// The tenant.
    pub shop: ShopId,
    /// When the event was decided.
    pub at: Timestamp,
}

impl From<&Event> for Of {
    fn from(event: &Event) -> Self {
        Self { shop: event.shop.clone(), at: event.at }
    }
}

/// A doorbell's answer, with what the log tells beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// The answer.
    pub answered: Answered,
    /// The run's event, if it was read to the end.
    pub of: Option<Of>,
    /// What else came of it.
    pub notable: Option<Notable>,
}

impl Rung {
    pub(crate) fn of(event: &Event, answered: Answered) -> Self {
        Self { of: Some(event.into()), ..answered.into() }
    }

    pub(crate) fn noting(self, notable: Option<Notable>) -> Self {
        Self { notable, ..self }
    }
}

impl From<Answered> for Rung {
    fn from(answered: Answered) -> Self {
        Self { answered, of: None, notable: None }
    }
}

/// Nothing could be decided: the message comes back.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The order stayed busy, or the store failed under it.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The id generator is broken.
    #[error(transparent)]
    Id(#[from] stagepost_domain::id::InvalidId),
    /// So much time went by before the claim that none is left to act and to record.
    #[error("no time is left in this invocation")]
    Late,
}

impl RunnerError {
    /// What to do about it.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Store(e) => e.disposition(),
            Self::Apply(e) => e.disposition(),
            Self::Id(_) | Self::Late => Disposition::RETRY,
        }
    }
}

/// How long a run is left alone that the store cannot serve.
const ASIDE: SignedDuration = SignedDuration::from_hours(1);

/// Puts a run aside that failed for good on what the store holds: its doorbell would come back for ever, and
/// fill the dead letters with what is neither poison nor an outage. What may pass comes back as it was.
///
/// # Errors
/// The one given, if it may pass; or the store's.
pub async fn aside_if_hopeless<S>(
    core: &Core<S>,
    id: &RunId,
    result: Result<Rung, RunnerError>,
) -> Result<Rung, RunnerError>
where
    S: OrderStore + RunStore,
{
    let error = match result {
        Err(error) if error.disposition() == Disposition::Permanent => error,
        other => return other,
    };
    let until = later(core.now(), ASIDE);
    tracing::error!(run = %id, %error, "a run cannot be served by the store; it is put aside");
    // An event that cannot be read itself is put off by the sweep.
    if let Ok(Some(event)) = core.store.event(&id.order, id.seq).await {
        // Its siblings keep their turn.
        let others = event.runs.iter().filter(|(key, _)| **key != id.key);
        let due = others.filter_map(|(_, run)| run.state.due()).chain([until]).min();
        core.store.set_due(&DueItem::Event(Box::new(event)), due).await?;
    }
    Ok(Answered::PutAside(until).into())
}

/// A run with its event, read for one attempt.
pub(crate) struct Opened {
    pub event: Event,
    pub run: Run,
}

/// Reads the run and sorts out every case in which nothing is to be done.
pub(crate) async fn open<S>(core: &Core<S>, id: &RunId) -> Result<Result<Opened, Answered>, StoreError>
where
    S: OrderStore + RunStore,
{
    let Some(event) = core.store.event(&id.order, id.seq).await? else { return Ok(Err(Answered::Unknown)) };
    let Some(run) = event.runs.get(&id.key).cloned() else { return Ok(Err(Answered::Unknown)) };
    let now = core.now();
    Ok(match &run.state {
        RunState::Pending { due } if *due > now => Err(Answered::Early(*due)),
        RunState::Claimed { until, .. } if *until > now => Err(Answered::Held),
        RunState::Pending { .. } | RunState::Claimed { .. } => Ok(Opened { event, run }),
        _ => Err(Answered::Ended),
    })
}

/// Stores the claim: nothing is done before it is.
pub(crate) async fn claim<S: RunStore>(
    core: &Core<S>,
    id: &RunId,
    run: &Run,
    attempt: &AttemptId,
) -> Result<Result<Run, Answered>, StoreError> {
    let claim = run.claim(id.key.action(), attempt, core.now(), lease(id.key.action()));
    let (next, granted) = match claim {
        Claim::Granted(next) => (next, true),
        Claim::InDoubt(next) => (next, false),
        Claim::Held { .. } => return Ok(Err(Answered::Held)),
        Claim::Early { due } => return Ok(Err(Answered::Early(due))),
        Claim::Ended => return Ok(Err(Answered::Ended)),
    };
    Ok(match store(core, id, run, &next).await? {
        Answered::Recorded(run) if granted => Ok(*run),
        other => Err(other),
    })
}

/// Records what the attempt found out, if it still holds the run.
pub(crate) async fn finish<S: RunStore>(
    core: &Core<S>,
    id: &RunId,
    claimed: &Run,
    attempt: &AttemptId,
    outcome: &AttemptOutcome,
) -> Result<Answered, StoreError> {
    let jitter = core.entropy.fraction();
    let Ok(next) = claimed.finish(id.key.action(), attempt, outcome, core.now(), jitter) else {
        return Ok(Answered::LeaseLost);
    };
    store_patiently(core, id, claimed, &next).await
}

/// How often what was done is recorded before the run is left to its lease; each try has the store's own
/// patience.
pub(crate) const RECORD_TRIES: usize = 5;

/// Records the end of an attempt. What was done is known only here: worth more patience than one call's.
pub(crate) async fn store_patiently<S: RunStore>(
    core: &Core<S>,
    id: &RunId,
    claimed: &Run,
    next: &Run,
) -> Result<Answered, StoreError> {
    for _ in 1..RECORD_TRIES {
        match store(core, id, claimed, next).await {
            Err(StoreError::Throttled | StoreError::Unavailable(_)) if holds(claimed, core.now()) => {}
            recorded => return recorded,
        }
    }
    let recorded = store(core, id, claimed, next).await;
    recorded.inspect_err(|error| tracing::error!(run = %id, ?next, %error, "an end is not recorded"))
}

fn holds(claimed: &Run, now: Timestamp) -> bool {
    claimed.state.due().is_some_and(|until| now < until)
}

/// Ends an unclaimed run without acting.
pub(crate) async fn skip<S: RunStore>(
    core: &Core<S>,
    id: &RunId,
    run: &Run,
    why: SkipReason,
) -> Result<Answered, StoreError> {
    store(core, id, run, &run.skip(why, core.now())).await
}

/// Puts an unclaimed run off without counting an attempt.
pub(crate) async fn postpone<S: RunStore>(
    core: &Core<S>,
    id: &RunId,
    run: &Run,
    wait: SignedDuration,
) -> Result<Answered, StoreError> {
    let mut next = run.clone();
    next.state = RunState::Pending { due: later(core.now(), wait) };
    store(core, id, run, &next).await
}

/// The same, by somebody's word: a hold, a pause, a stop.
pub(crate) async fn keep<S: RunStore>(core: &Core<S>, id: &RunId, run: &Run) -> Result<Answered, StoreError> {
    store(core, id, run, &run.kept(later(core.now(), HOLD_LOOK_AGAIN))).await
}

/// Gives a run up that nothing can be sent for.
pub(crate) async fn fail_unsent<S: RunStore>(
    core: &Core<S>,
    id: &RunId,
    run: &Run,
    error: String,
) -> Result<Answered, RunnerError> {
    let mut next = run.clone();
    next.last_error = Some(error.clone());
    next.state = RunState::Failed { at: core.now(), error };
    Ok(store(core, id, run, &next).await?)
}

pub(crate) async fn store<S: RunStore>(
    core: &Core<S>,
    id: &RunId,
    expected: &Run,
    next: &Run,
) -> Result<Answered, StoreError> {
    match core.store.update_run(id, expected, next).await {
        Ok(_) => Ok(Answered::Recorded(Box::new(next.clone()))),
        Err(CommitError::LostRace) => Ok(Answered::LeaseLost),
        Err(CommitError::Conflict) => Err(StoreError::Throttled),
        Err(CommitError::Store(e)) => Err(e),
    }
}

/// Why the order as it is now speaks against a run that was decided earlier (law 12).
pub(crate) fn second_thoughts(event: &Event, key: &RunKey, order: &Order) -> Option<SkipReason> {
    // Who has it sent again has seen where the order is by now.
    if event.runs.get(key).is_some_and(|run| run.again.is_some()) {
        return None;
    }
    if cancelled_since(event, order) {
        return Some(SkipReason::OrderCancelled);
    }
    superseded(event, key, order)
}

/// Whether the order was cancelled or trashed after the event.
pub(crate) fn cancelled_since(event: &Event, order: &Order) -> bool {
    order.lifecycle != Lifecycle::Open && order.lifecycle_seq > event.seq
}

/// A person wants an ended run tried again.
///
/// # Errors
/// The inner error says why its state does not allow it; the outer one that the store failed or somebody
/// else was faster.
pub async fn retry<S>(
    core: &Core<S>,
    id: &RunId,
    accept_duplicate: bool,
) -> Result<Option<Result<Run, InvalidTransition>>, CommitError>
where
    S: OrderStore + RunStore,
{
    let Some(event) = core.store.event(&id.order, id.seq).await? else { return Ok(None) };
    let Some(run) = event.runs.get(&id.key) else { return Ok(None) };
    let next = match run.retry(core.now(), accept_duplicate) {
        Ok(next) => next,
        Err(e) => return Ok(Some(Err(e))),
    };
    core.store.update_run(id, run, &next).await?;
    Ok(Some(Ok(next)))
}
