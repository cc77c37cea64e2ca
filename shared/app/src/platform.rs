//! The fulfillment runner: lock → look → act → settle (laws 5 to 7).
//!
//! The lock on the order is the only right to call the platform. The platform is read before anything is
//! done; a call without an answer is settled by reading again after a pause, while the lock still keeps
//! every notification that comes meanwhile undetermined.

use std::collections::BTreeSet;

use stagepost_domain::decide::{Context, Settled, settle};
use stagepost_domain::disposition::Disposition;
use stagepost_domain::event::{Action, Event};
use stagepost_domain::fact::{Coverage, Settlement, ShipmentId};
use stagepost_domain::fulfillment::{Attribution, Lock, LockRefused};
use stagepost_domain::id::{AttemptId, ChannelId};
use stagepost_domain::order::{Lifecycle, Order, Platform};
use stagepost_domain::outcome::SkipReason;
use stagepost_domain::package::normalised_number;
use stagepost_domain::run::{AttemptOutcome, Run, RunId, RunState, Target, later};
use stagepost_domain::{SignedDuration, Timestamp};

use crate::Core;
use crate::apply::{ApplyError, Known, TRIES_MAX, commit, playbook};
use crate::ports::{
    ActError, ChannelAccess, CommitError, ConfigStore, FulfillError, FulfillRequest, Fulfilled,
    FulfillmentPlatform, OrderStore, PlatformLook, PlatformShipment, RunStore, SecretKind, Secrets,
    StoreError,
};
use crate::run::{
    Answered, HOLD_LOOK_AGAIN, Opened, RunnerError, claim, lease, open, postpone, second_thoughts, skip,
};

/// A call without an answer is looked into no sooner than this: a late request must have arrived by then.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// The platform's clock may be behind ours by this much.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// The platforms that an order can be fulfilled on.
pub struct Platforms<S, W> {
    /// Shopify.
    pub shopify: S,
    /// WooCommerce.
    pub woocommerce: W,
}

/// Fulfills one order on its platform, once.
///
/// # Errors
/// Nothing could be decided; the doorbell may ring again.
pub async fn fulfill<S, K, P, Q>(
    core: &Core<S>,
    secrets: &K,
    platforms: &Platforms<P, Q>,
    id: &RunId,
) -> Result<Answered, RunnerError>
where
    S: OrderStore + RunStore + ConfigStore,
    K: Secrets,
    P: FulfillmentPlatform,
    Q: FulfillmentPlatform,
{
    let Target::Fulfill(channel) = &id.key.target else { return Ok(Answered::Unknown) };
    let Opened { event, run } = match open(core, id).await? {
        Ok(opened) => opened,
        Err(answered) => return Ok(answered),
    };
    let access = match access(core, secrets, channel.as_ref()).await? {
        Ok(access) => access,
        Err(why) => return Ok(give_up(core, id, &run, why).await?),
    };
    let job = Job { core, id, attempt: core.attempt()?, access };
    let locked = match job.lock(&event, &run).await? {
        Ok(locked) => locked,
        Err(answered) => return Ok(answered),
    };
    let claimed = match claim(core, id, &run, &job.attempt).await? {
        Ok(claimed) => claimed,
        Err(answered) => return Ok(answered),
    };
    let end = match job.access.channel.platform {
        Platform::Shopify => job.work(&platforms.shopify, &locked, &claimed).await?,
        Platform::Woocommerce => job.work(&platforms.woocommerce, &locked, &claimed).await?,
        Platform::Api => End::nothing(failure(&ActError::permanent("the API is no sales channel"))),
    };
    job.record(&claimed, end).await
}

async fn access<S, K>(
    core: &Core<S>,
    secrets: &K,
    channel: Option<&ChannelId>,
) -> Result<Result<ChannelAccess, String>, RunnerError>
where
    S: ConfigStore,
    K: Secrets,
{
    let Some(channel) = channel else { return Ok(Err("the order has no sales channel".into())) };
    let Some(channel) = core.store.channel(channel).await? else {
        return Ok(Err("the sales channel is not connected any more".into()));
    };
    let Some(sealed) = &channel.credentials else {
        return Ok(
            Err("the sales channel has no credentials; add them under Settings → Integrations".into()),
        );
    };
    let credentials = secrets.open(&channel.shop, SecretKind::ChannelCredentials, sealed).await?;
    Ok(Ok(ChannelAccess { channel, credentials }))
}

/// Fails a run before anything was locked or claimed.
async fn give_up<S: RunStore>(
    core: &Core<S>,
    id: &RunId,
    run: &Run,
    error: String,
) -> Result<Answered, StoreError> {
    let mut next = run.clone();
    next.last_error = Some(error.clone());
    next.state = RunState::Failed { at: core.now(), error };
    crate::run::store(core, id, run, &next).await
}

fn failure(error: &ActError) -> AttemptOutcome {
    AttemptOutcome::Failure { disposition: error.disposition, error: error.message.clone() }
}

/// How an attempt ends: what becomes of the lock, and what of the run.
struct End {
    lock: LockEnd,
    outcome: AttemptOutcome,
}

enum LockEnd {
    /// Released, with what was found.
    Settle(Settlement),
    /// Kept until the next attempt: nobody knows yet what the call did. What is known is noted.
    Keep { made: Vec<ShipmentId> },
}

impl End {
    fn nothing(outcome: AttemptOutcome) -> Self {
        Self { lock: LockEnd::Settle(Settlement::Nothing), outcome }
    }

    fn ours(shipments: Vec<ShipmentId>, coverage: Coverage, detail: &str) -> Self {
        let ids = shipments.iter().map(|s| s.0.as_str()).collect::<Vec<_>>().join(", ");
        let detail = if ids.is_empty() { detail.to_owned() } else { format!("{detail}: {ids}") };
        Self {
            lock: LockEnd::Settle(Settlement::Ours { shipments, coverage }),
            outcome: AttemptOutcome::Success { detail },
        }
    }
}

/// One attempt at one run.
struct Job<'a, S> {
    core: &'a Core<S>,
    id: &'a RunId,
    attempt: AttemptId,
    access: ChannelAccess,
}

impl<S> Job<'_, S>
where
    S: OrderStore + RunStore + ConfigStore,
{
    /// Takes the lock on the order, or says why not.
    async fn lock(&self, event: &Event, run: &Run) -> Result<Result<Order, Answered>, RunnerError> {
        let (core, id) = (self.core, self.id);
        for _ in 0..TRIES_MAX {
            let Some(order) = core.store.order(&id.order).await? else { return Ok(Err(Answered::Unknown)) };
            if let Some(answered) = self.before_lock(event, run, &order).await? {
                return Ok(Err(answered));
            }
            let next = match order.fulfillment.locked(
                id.seq,
                &id.key,
                &self.attempt,
                core.now(),
                lease(Action::Fulfill),
            ) {
                Ok(fulfillment) => bumped(&order, fulfillment),
                Err(LockRefused::Fulfilled { by, at }) => {
                    let platform = order.source.platform;
                    let why = SkipReason::AlreadyFulfilled { by, platform, at };
                    return Ok(Err(skip(core, id, run, why).await?));
                }
                Err(LockRefused::Held { until }) => {
                    let wait = until.duration_since(core.now()).max(SignedDuration::from_secs(1));
                    return Ok(Err(postpone(core, id, run, wait).await?));
                }
            };
            match core.store.put_order(&next, order.version, &core.entropy.id_body()).await {
                Ok(()) => return Ok(Ok(next)),
                Err(CommitError::LostRace | CommitError::Conflict) => {}
                Err(CommitError::Store(e)) => return Err(e.into()),
            }
        }
        Err(ApplyError::Busy.into())
    }

    /// What makes the lock needless: a finished settlement that the run has not mirrored yet, a hold, a
    /// move taken back, a cancelled order.
    async fn before_lock(
        &self,
        event: &Event,
        run: &Run,
        order: &Order,
    ) -> Result<Option<Answered>, RunnerError> {
        let (core, id) = (self.core, self.id);
        if order.fulfillment.lock.as_ref().is_some_and(|l| l.seq == id.seq && l.run == id.key) {
            return Ok(None);
        }
        let ours: Vec<_> = ours_of(order, id.seq).map(|s| s.0.clone()).collect();
        if !ours.is_empty() && order.fulfillment.coverage == Coverage::Complete {
            let mut next = run.clone();
            let detail = format!("fulfilled: {}", ours.join(", "));
            next.state = RunState::Succeeded { at: core.now(), detail };
            return Ok(Some(crate::run::store(core, id, run, &next).await?));
        }
        if let Some(why) = second_thoughts(event, order, false) {
            return Ok(Some(skip(core, id, run, why).await?));
        }
        if order.lifecycle != Lifecycle::Open {
            return Ok(Some(skip(core, id, run, SkipReason::OrderCancelled).await?));
        }
        if order.hold.is_some() {
            return Ok(Some(postpone(core, id, run, HOLD_LOOK_AGAIN).await?));
        }
        Ok(None)
    }

    /// Looks, and acts if something is left to do. A platform that says in mid-call that nothing was left
    /// is looked at once more.
    async fn work<P>(&self, platform: &P, order: &Order, claimed: &Run) -> Result<End, RunnerError>
    where
        P: FulfillmentPlatform,
    {
        let Some(lock) = &order.fulfillment.lock else { return Ok(End::nothing(failure(&lost()))) };
        // Taken again after its lease: an earlier attempt may have called without hearing the answer.
        let mut in_doubt = lock.since < later(lock.until, -lease(Action::Fulfill));
        let mut made: BTreeSet<ShipmentId> = ours_of(order, self.id.seq).cloned().collect();
        for _ in 0..2 {
            let look = match platform.look(&self.access, &order.source).await {
                Ok(look) => look,
                Err(error) => return Ok(look_failed(&error, in_doubt, made)),
            };
            let request = self.request(claimed).await?;
            made.extend(recognised(&look.shipments, order, lock, &request, in_doubt).cloned());
            let Some(work) = &look.work else { return Ok(nothing_left(&look, made, order)) };
            match platform.fulfill(&self.access, &order.source, work, &request).await {
                Ok(Fulfilled { shipments, coverage }) => {
                    made.extend(shipments);
                    return Ok(End::ours(made.into_iter().collect(), coverage, "fulfilled"));
                }
                Err(FulfillError { made: parts, already_done: true, .. }) => made.extend(parts),
                Err(FulfillError { made: parts, error, .. }) => {
                    made.extend(parts);
                    return Ok(call_failed(&error, made));
                }
            }
            in_doubt = false;
        }
        Ok(call_failed(&ActError::retry("the platform contradicts itself; looking again later"), made))
    }

    async fn request(&self, claimed: &Run) -> Result<FulfillRequest, StoreError> {
        let packages = self.core.store.packages(&self.id.order).await?;
        Ok(FulfillRequest {
            run: self.id.clone(),
            packages: packages.into_iter().filter(|p| !p.removed).map(|p| p.seen).collect(),
            notify_customer: claimed.notify_customer,
        })
    }

    /// The order first, then the run that mirrors it: should this stop in between, the run finds its
    /// settlement on the order and only copies it.
    async fn record(&self, claimed: &Run, end: End) -> Result<Answered, RunnerError> {
        let outcome = with_pause(end.outcome);
        let jitter = self.core.entropy.fraction();
        let next = claimed.finish(self.id.key.action(), &self.attempt, &outcome, self.core.now(), jitter);
        let Ok(next) = next else { return Ok(Answered::LeaseLost) };
        let held = match (end.lock, &next.state) {
            (LockEnd::Keep { made }, RunState::Pending { due }) => self.keep_lock(*due, &made).await?,
            // The last attempt is over: what is still in doubt is settled by what is known.
            (LockEnd::Keep { made }, _) => self.settle(&settlement(made)).await?,
            (LockEnd::Settle(found), _) => self.settle(&found).await?,
        };
        if !held {
            return Ok(Answered::LeaseLost);
        }
        match crate::run::store(self.core, self.id, claimed, &next).await? {
            Answered::LeaseLost => Ok(Answered::LeaseLost),
            answered => Ok(answered),
        }
    }

    /// Extends the lock to the next attempt and notes what the platform has confirmed so far.
    async fn keep_lock(&self, until: Timestamp, made: &[ShipmentId]) -> Result<bool, RunnerError> {
        for _ in 0..TRIES_MAX {
            let Some(order) = self.locked_order().await? else { return Ok(false) };
            let mut fulfillment = order.fulfillment.lock_extended(until);
            fulfillment.note_ours(made, self.id.seq, self.core.now());
            let next = bumped(&order, fulfillment);
            match self.core.store.put_order(&next, order.version, &self.core.entropy.id_body()).await {
                Ok(()) => return Ok(true),
                Err(CommitError::LostRace | CommitError::Conflict) => {}
                Err(CommitError::Store(e)) => return Err(e.into()),
            }
        }
        Err(ApplyError::Busy.into())
    }

    /// The finishing write: releases the lock, attributes, and moves the order if it was theirs.
    async fn settle(&self, found: &Settlement) -> Result<bool, RunnerError> {
        let core = self.core;
        for _ in 0..TRIES_MAX {
            let Some(order) = self.locked_order().await? else { return Ok(false) };
            let playbook = playbook(core, &order.shop, order.flow()).await?;
            let known = Known { order: Some(order.clone()), snapshot: None, packages: Vec::new(), playbook };
            let context: Context<'_> = known.context(&order.shop, &order.id, core.now());
            let written = match settle(context, &order, self.id.seq, &self.id.key, found) {
                Settled::Quiet(next) => {
                    core.store.put_order(&next, order.version, &core.entropy.id_body()).await
                }
                Settled::Changed(changes) => commit(core, &known, &changes).await,
            };
            match written {
                Ok(()) => return Ok(true),
                Err(CommitError::LostRace | CommitError::Conflict) => {}
                Err(CommitError::Store(e)) => return Err(e.into()),
            }
        }
        Err(ApplyError::Busy.into())
    }

    /// The order, if this attempt still holds its lock.
    async fn locked_order(&self) -> Result<Option<Order>, StoreError> {
        let order = self.core.store.order(&self.id.order).await?;
        Ok(order.filter(|o| o.fulfillment.lock.as_ref().is_some_and(|l| l.attempt == self.attempt)))
    }
}

fn lost() -> ActError {
    ActError::retry("the lock was lost")
}

fn bumped(order: &Order, fulfillment: stagepost_domain::fulfillment::Fulfillment) -> Order {
    Order { fulfillment, version: order.version.saturating_add(1), ..order.clone() }
}

fn ours_of(order: &Order, seq: u64) -> impl Iterator<Item = &ShipmentId> {
    let ours = Attribution::Ours { seq };
    order.fulfillment.shipments.iter().filter(move |(_, s)| s.by == ours && s.active).map(|(id, _)| id)
}

/// Which of the platform's fulfillments are ours: those that carry our run's id, and, after a call without
/// an answer, those made since we hold the lock with the tracking that we would have sent.
fn recognised<'a>(
    shipments: &'a [PlatformShipment],
    order: &'a Order,
    lock: &'a Lock,
    request: &'a FulfillRequest,
    in_doubt: bool,
) -> impl Iterator<Item = &'a ShipmentId> {
    let marker = request.run.to_string();
    let since = later(lock.since, -CLOCK_SKEW);
    let sent: BTreeSet<String> =
        request.packages.iter().filter_map(|p| p.number.as_deref()).map(normalised_number).collect();
    shipments
        .iter()
        .filter(move |s| {
            if let Some(told) = &s.marker {
                return *told == marker && s.active;
            }
            let known = order.fulfillment.shipments.get(&s.id).map(|k| &k.by);
            let numbers: BTreeSet<String> = s.numbers.iter().map(|n| normalised_number(n)).collect();
            in_doubt
                && s.active
                && s.created_at >= since
                && !matches!(known, Some(Attribution::Theirs))
                && (sent.is_empty() || sent.is_subset(&numbers))
        })
        .map(|s| &s.id)
}

/// Nothing remains for us: it was ours all along, somebody else's, or cannot be done.
fn nothing_left<W>(look: &PlatformLook<W>, made: BTreeSet<ShipmentId>, order: &Order) -> End {
    if look.coverage == Coverage::Complete && !made.is_empty() {
        return End::ours(made.into_iter().collect(), Coverage::Complete, "found fulfilled by us");
    }
    if look.coverage == Coverage::Complete {
        let active = look.shipments.iter().filter(|s| s.active);
        let at = active.clone().map(|s| s.created_at).max();
        let shipments = active.map(|s| s.id.clone()).collect();
        let by = Attribution::Theirs;
        let platform = order.source.platform;
        return End {
            lock: LockEnd::Settle(Settlement::Theirs { shipments, coverage: Coverage::Complete }),
            outcome: AttemptOutcome::Skip(SkipReason::AlreadyFulfilled { by, platform, at }),
        };
    }
    let why = look.blocked.clone().unwrap_or_else(|| "the platform offers nothing to fulfill".into());
    End {
        lock: LockEnd::Settle(settlement(made.into_iter().collect())),
        outcome: failure(&ActError::permanent(why)),
    }
}

fn settlement(made: Vec<ShipmentId>) -> Settlement {
    if made.is_empty() {
        Settlement::Nothing
    } else {
        Settlement::Ours { shipments: made, coverage: Coverage::Partial }
    }
}

/// A look changes nothing, so it is never in doubt itself; an earlier call may still be.
fn look_failed(error: &ActError, in_doubt: bool, made: BTreeSet<ShipmentId>) -> End {
    let error = match error.disposition {
        Disposition::Ambiguous => ActError { disposition: Disposition::RETRY, ..error.clone() },
        _ => error.clone(),
    };
    let made: Vec<_> = made.into_iter().collect();
    let lock = if in_doubt { LockEnd::Keep { made } } else { LockEnd::Settle(settlement(made)) };
    End { lock, outcome: failure(&error) }
}

fn call_failed(error: &ActError, made: BTreeSet<ShipmentId>) -> End {
    let made: Vec<_> = made.into_iter().collect();
    let lock = match error.disposition {
        Disposition::Permanent => LockEnd::Settle(settlement(made)),
        // A call that surely did not happen frees the order for everybody; its own parts that did keep it.
        Disposition::Retry { .. } if made.is_empty() => LockEnd::Settle(Settlement::Nothing),
        Disposition::Retry { .. } | Disposition::Ambiguous => LockEnd::Keep { made },
    };
    End { lock, outcome: failure(error) }
}

/// A call without an answer waits long enough for a late request to have arrived.
fn with_pause(outcome: AttemptOutcome) -> AttemptOutcome {
    match outcome {
        AttemptOutcome::Failure { disposition: Disposition::Ambiguous, error } => {
            AttemptOutcome::Failure { disposition: Disposition::Retry { after: Some(PAUSE) }, error }
        }
        other => other,
    }
}
