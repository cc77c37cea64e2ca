//! The fulfillment runner: lock → look → act → settle (laws 5 to 7).
//!
//! The lock on the order is the only right to call the platform. The platform is read before anything is
//! done; a call without an answer is settled by reading again after a pause, while the lock still keeps
//! every notification that comes meanwhile undetermined.

mod finish;
mod recognise;

use std::collections::BTreeSet;

use stagepost_domain::disposition::Disposition;
use stagepost_domain::event::Action;
use stagepost_domain::fact::{Coverage, Settlement, ShipmentId};
use stagepost_domain::fulfillment::{Attribution, LockRefused};
use stagepost_domain::id::{AttemptId, ChannelId};
use stagepost_domain::order::{Lifecycle, Order, Platform};
use stagepost_domain::outcome::SkipReason;
use stagepost_domain::package::Package;
use stagepost_domain::run::{AttemptOutcome, Claim, Run, RunId, RunState, Target};
use stagepost_domain::{SignedDuration, Timestamp};

use crate::Core;
use crate::apply::{ApplyError, TRIES_MAX};
use crate::ports::{
    ActError, ChannelAccess, CommitError, ConfigStore, FulfillError, FulfillRequest, Fulfilled,
    FulfillmentPlatform, OrderStore, PlatformLook, RunStore, SecretKind, Secrets, StoreError,
};
use crate::run::{
    Answered, Of, Opened, Rung, RunnerError, act_until, aside_if_hopeless, claim, keep, lease, open,
    postpone, second_thoughts, skip,
};
use finish::{End, LockEnd};
use recognise::{Hand, in_doubt, loose, ours_of, taken_over};

/// A call without an answer is looked into no sooner than this: a late request must have arrived by then.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);

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
) -> Result<Rung, RunnerError>
where
    S: OrderStore + RunStore + ConfigStore,
    K: Secrets,
    P: FulfillmentPlatform,
    Q: FulfillmentPlatform,
{
    aside_if_hopeless(core, id, fulfilled(core, secrets, platforms, id).await).await
}

async fn fulfilled<S, K, P, Q>(
    core: &Core<S>,
    secrets: &K,
    platforms: &Platforms<P, Q>,
    id: &RunId,
) -> Result<Rung, RunnerError>
where
    S: OrderStore + RunStore + ConfigStore,
    K: Secrets,
    P: FulfillmentPlatform,
    Q: FulfillmentPlatform,
{
    let Target::Fulfill(channel) = &id.key.target else { return Ok(Answered::Unknown.into()) };
    let (order, opened) = match read(core, id).await? {
        Ok(found) => found,
        Err(answered) => return Ok(answered.into()),
    };
    let access = access(core, secrets, channel.as_ref()).await?;
    let job = Job { core, id, attempt: core.attempt()?, until: act_until(Action::Fulfill, core.now()) };
    let of = Of::from(&opened.event);
    let answered = attempted(&job, platforms, access, order, opened).await?;
    Ok(Rung { of: Some(of), ..answered.into() })
}

/// Lock, look, act, settle.
async fn attempted<S, P, Q>(
    job: &Job<'_, S>,
    platforms: &Platforms<P, Q>,
    access: Result<ChannelAccess, ActError>,
    order: Order,
    opened: Opened,
) -> Result<Answered, RunnerError>
where
    S: OrderStore + RunStore + ConfigStore,
    P: FulfillmentPlatform,
    Q: FulfillmentPlatform,
{
    let (core, id) = (job.core, job.id);
    let (locked, run) = match job.lock(order, opened).await? {
        Ok(locked) => locked,
        Err(answered) => return Ok(answered),
    };
    if let Claim::InDoubt(end) = run.claim(Action::Fulfill, &job.attempt, core.now(), lease(Action::Fulfill))
    {
        return job.give_up(&locked, &run, &end).await;
    }
    let claimed = match claim(core, id, &run, &job.attempt).await? {
        Ok(claimed) => claimed,
        Err(answered) => {
            job.let_go(&locked).await?;
            return Ok(answered);
        }
    };
    let end = match access {
        Err(why) => job.without_call(&locked, &claimed, &why),
        Ok(access) => match access.channel.platform {
            Platform::Shopify => job.work(&platforms.shopify, &access, &locked, &claimed).await?,
            Platform::Woocommerce => job.work(&platforms.woocommerce, &access, &locked, &claimed).await?,
            Platform::Api => {
                job.without_call(&locked, &claimed, &ActError::permanent("the API is no sales channel"))
            }
        },
    };
    job.record(&claimed, end).await
}

/// The order, then its run. In this turn: a run ends only after its lock was released, so a run that is
/// still open has not ended before the order was read, and a lock taken on that very version is never left
/// behind on behalf of a run that nobody rings any more.
async fn read<S>(core: &Core<S>, id: &RunId) -> Result<Result<(Order, Opened), Answered>, StoreError>
where
    S: OrderStore + RunStore,
{
    let Some(order) = core.store.order(&id.order).await? else { return Ok(Err(Answered::Unknown)) };
    Ok(open(core, id).await?.map(|opened| (order, opened)))
}

/// The channel with its credentials, or why it cannot be called.
pub(crate) async fn access<S, K>(
    core: &Core<S>,
    secrets: &K,
    channel: Option<&ChannelId>,
) -> Result<Result<ChannelAccess, ActError>, StoreError>
where
    S: ConfigStore,
    K: Secrets,
{
    let never = |why: &str| Ok(Err(ActError::permanent(why)));
    let Some(channel) = channel else { return never("the order has no sales channel") };
    let Some(channel) = core.store.channel(channel).await? else {
        return never("the sales channel is not connected any more");
    };
    let Some(sealed) = &channel.credentials else {
        return never("the sales channel has no credentials; add them under Settings → Integrations");
    };
    // Tried again, but not for ever: the key service may be away, or the key be another one.
    Ok(match secrets.open((&channel.shop).into(), SecretKind::ChannelCredentials, sealed).await {
        Ok(credentials) => Ok(ChannelAccess { channel, credentials }),
        Err(_) => Err(ActError::retry("the channel's credentials cannot be opened")),
    })
}

fn failure(error: &ActError) -> AttemptOutcome {
    AttemptOutcome::Failure { disposition: error.disposition, error: error.message.clone() }
}

/// One attempt at one run.
struct Job<'a, S> {
    core: &'a Core<S>,
    id: &'a RunId,
    attempt: AttemptId,
    /// No call is begun after this.
    until: Timestamp,
}

impl<S> Job<'_, S>
where
    S: OrderStore + RunStore + ConfigStore,
{
    /// Takes the lock on the order, or says why not.
    async fn lock(
        &self,
        mut order: Order,
        mut opened: Opened,
    ) -> Result<Result<(Order, Run), Answered>, RunnerError> {
        let (core, id) = (self.core, self.id);
        for _ in 0..TRIES_MAX {
            if let Some(answered) = self.before_lock(&opened, &order).await? {
                return Ok(Err(answered));
            }
            let (now, lease) = (core.now(), lease(Action::Fulfill));
            let next = match order.fulfillment.locked(id.seq, &id.key, &self.attempt, now, lease) {
                Ok(fulfillment) => bumped(&order, fulfillment),
                Err(why) => return Ok(Err(self.refused(&opened.run, &order, why).await?)),
            };
            match core.store.put_order(&next, order.version, &core.entropy.id_body()).await {
                Ok(()) => return Ok(Ok((next, opened.run))),
                Err(CommitError::LostRace | CommitError::Conflict) => {}
                Err(CommitError::Store(e)) => return Err(e.into()),
            }
            (order, opened) = match read(core, id).await? {
                Ok(found) => found,
                Err(answered) => return Ok(Err(answered)),
            };
            // Our own write, whose answer was lost, and others since.
            if order.fulfillment.lock.as_ref().is_some_and(|lock| lock.attempt == self.attempt) {
                return Ok(Ok((order, opened.run)));
            }
        }
        Err(ApplyError::Busy.into())
    }

    async fn refused(&self, run: &Run, order: &Order, why: LockRefused) -> Result<Answered, RunnerError> {
        let (core, id) = (self.core, self.id);
        match why {
            LockRefused::Fulfilled { by, at } => {
                let platform = order.source.platform;
                Ok(skip(core, id, run, SkipReason::AlreadyFulfilled { by, platform, at }).await?)
            }
            // Another doorbell of this very run is at it: its claim must not find the run changed.
            LockRefused::Held { .. } if self.is_mine(order) => Ok(Answered::Held),
            LockRefused::Held { until } => {
                self.release_orphan(order).await?;
                let wait = until.duration_since(core.now()).max(SignedDuration::from_secs(1));
                Ok(postpone(core, id, run, wait).await?)
            }
        }
    }

    /// Gives back a lock past its time whose run has ended, so that nobody rings for it any more: its holder
    /// died between the lock and a claim that somebody else's end of the run had made impossible. It called
    /// nobody.
    async fn release_orphan(&self, order: &Order) -> Result<(), RunnerError> {
        let core = self.core;
        let Some(lock) = order.fulfillment.lock.as_ref().filter(|lock| lock.until <= core.now()) else {
            return Ok(());
        };
        let event = core.store.event(&order.id, lock.seq).await?;
        if event.is_some_and(|event| event.runs.get(&lock.run).is_some_and(Run::is_open)) {
            return Ok(());
        }
        let id = RunId { order: order.id.clone(), seq: lock.seq, key: lock.run.clone() };
        let orphan = Job { core, id: &id, attempt: lock.attempt.clone(), until: core.now() };
        orphan.settle(&settlement(ours_of(order, lock.seq).cloned().collect()), &[]).await?;
        Ok(())
    }

    /// Whether the order's lock belongs to this run, by whichever attempt.
    fn is_mine(&self, order: &Order) -> bool {
        order.fulfillment.lock.as_ref().is_some_and(|l| l.seq == self.id.seq && l.run == self.id.key)
    }

    /// Gives back a lock whose run somebody else changed before it was claimed: nothing was called. One that
    /// was taken over stays: its run is open, and an earlier call may be in doubt.
    async fn let_go(&self, locked: &Order) -> Result<(), RunnerError> {
        if !locked.fulfillment.lock.as_ref().is_some_and(taken_over) {
            let made = ours_of(locked, self.id.seq).cloned().collect();
            self.settle(&settlement(made), &[]).await?;
        }
        Ok(())
    }

    /// What makes the lock needless: a finished settlement that the run has not mirrored yet, a hold, a
    /// move taken back, a cancelled order.
    async fn before_lock(&self, opened: &Opened, order: &Order) -> Result<Option<Answered>, RunnerError> {
        let (core, id) = (self.core, self.id);
        let Opened { event, run } = opened;
        if self.is_mine(order) {
            return Ok(None);
        }
        if let Some(detail) = recognise::settled_before(run, order, id.seq) {
            let mut next = run.clone();
            next.last_error = None;
            next.state = RunState::Succeeded { at: core.now(), detail };
            return Ok(Some(crate::run::store(core, id, run, &next).await?));
        }
        if let Some(why) = second_thoughts(event, &id.key, order) {
            return Ok(Some(skip(core, id, run, why).await?));
        }
        if order.lifecycle != Lifecycle::Open {
            return Ok(Some(skip(core, id, run, SkipReason::OrderCancelled).await?));
        }
        if order.hold.is_some() {
            return Ok(Some(keep(core, id, run).await?));
        }
        Ok(None)
    }

    /// Looks, and acts if something is left to do. A platform that says in mid-call that nothing was left
    /// is looked at once more.
    async fn work<P>(
        &self,
        platform: &P,
        access: &ChannelAccess,
        order: &Order,
        claimed: &Run,
    ) -> Result<End, RunnerError>
    where
        P: FulfillmentPlatform,
    {
        let mut made: BTreeSet<ShipmentId> = ours_of(order, self.id.seq).cloned().collect();
        let Some(lock) = &order.fulfillment.lock else { return Ok(call_failed(&lost(), made)) };
        let in_doubt = in_doubt(lock, claimed);
        for _ in 0..2 {
            let look = match platform.look(access, &order.source).await {
                Ok(look) => look,
                Err(error) => return Ok(look_failed(&error, in_doubt, made)),
            };
            let packages = self.core.store.packages(&self.id.order).await?;
            let told = loose(packages, &look.shipments);
            let seen = Hand { id: self.id, order, run: claimed, lock }.recognise(&look.shipments, &told);
            made.extend(seen.standing);
            made.retain(|id| !seen.taken_back.contains(id));
            if !seen.taken_back.is_empty() && look.coverage != Coverage::Complete {
                // Doing it again is for people to ask.
                let ids = made.into_iter().collect();
                return Ok(End::ours(ids, seen.taken_back, look.coverage, "fulfilled, then taken back"));
            }
            let Some(work) = &look.work else {
                return Ok(nothing_left(&look, made, seen.taken_back, order));
            };
            // Also a laptop that slept over its lease wakes up here.
            if self.core.now() >= self.until {
                return Ok(look_failed(&ActError::retry("no time was left to call in"), in_doubt, made));
            }
            let request = self.request(claimed, told, in_doubt);
            match platform.fulfill(access, &order.source, work, &request).await {
                Ok(Fulfilled { shipments, coverage }) => {
                    made.extend(shipments);
                    let (made, gone) = (made.into_iter().collect(), seen.taken_back);
                    let left = look.blocked.filter(|_| coverage != Coverage::Complete);
                    return Ok(End::fulfilled(made, gone, coverage, left.as_deref()));
                }
                // In doubt still: what is done already may have been done by our own late request.
                Err(FulfillError { made: parts, already_done: true, .. }) => made.extend(parts),
                Err(FulfillError { made: parts, error, .. }) => {
                    made.extend(parts);
                    return Ok(call_failed(&error, made));
                }
            }
        }
        Ok(call_failed(&ActError::retry("the platform contradicts itself; looking again later"), made))
    }

    /// The end of an attempt that cannot even look.
    fn without_call(&self, locked: &Order, claimed: &Run, why: &ActError) -> End {
        let in_doubt = locked.fulfillment.lock.as_ref().is_some_and(|lock| in_doubt(lock, claimed));
        look_failed(why, in_doubt, ours_of(locked, self.id.seq).cloned().collect())
    }

    /// Ends a run whose attempts all went silent: nobody is called any more, not even to look, for that may
    /// be what stops them. The order first, as ever, so that no lock outlives its run.
    async fn give_up(&self, locked: &Order, run: &Run, end: &Run) -> Result<Answered, RunnerError> {
        let made = ours_of(locked, self.id.seq).cloned().collect();
        if !self.settle(&settlement(made), &[]).await? {
            return Ok(Answered::LeaseLost);
        }
        Ok(crate::run::store(self.core, self.id, run, end).await?)
    }

    fn request(&self, claimed: &Run, told: Vec<Package>, in_doubt: bool) -> FulfillRequest {
        FulfillRequest {
            run: self.id.clone(),
            packages: told.into_iter().filter(|p| !p.removed).map(|p| p.seen).collect(),
            notify_customer: claimed.notify_customer,
            in_doubt,
        }
    }
}

fn lost() -> ActError {
    ActError::retry("the lock was lost")
}

fn bumped(order: &Order, fulfillment: stagepost_domain::fulfillment::Fulfillment) -> Order {
    Order { fulfillment, version: order.version.saturating_add(1), ..order.clone() }
}

/// Nothing remains for us: it was ours all along, somebody else's, or cannot be done. Of an order of two
/// hands, whoever made the last fulfillment completed it (law 5).
fn nothing_left<W>(
    look: &PlatformLook<W>,
    made: BTreeSet<ShipmentId>,
    taken_back: Vec<ShipmentId>,
    order: &Order,
) -> End {
    if look.coverage == Coverage::Complete {
        let active = look.shipments.iter().filter(|s| s.active);
        let last = active.clone().max_by_key(|s| (s.created_at, made.contains(&s.id)));
        if !made.is_empty() && last.is_none_or(|s| made.contains(&s.id)) {
            let made = made.into_iter().collect();
            return End::ours(made, taken_back, Coverage::Complete, "found fulfilled by us");
        }
        let shipments = active.map(|s| s.id.clone()).filter(|id| !made.contains(id)).collect();
        let gone = look.shipments.iter().filter(|s| !s.active).map(|s| s.id.clone()).collect();
        let at = last.map(|s| s.created_at);
        let found = Settlement::Theirs { shipments, gone, coverage: Coverage::Complete, at };
        let why =
            SkipReason::AlreadyFulfilled { by: Attribution::Theirs, platform: order.source.platform, at };
        return End {
            lock: LockEnd::Settle { found, made: made.into_iter().collect() },
            outcome: AttemptOutcome::Skip(why),
        };
    }
    if !made.is_empty() && look.coverage == Coverage::Partial {
        // An attempt before did what there was to do: what is left is not ours.
        let left = look.blocked.as_deref();
        return End::fulfilled(made.into_iter().collect(), taken_back, look.coverage, left);
    }
    let why = look.blocked.clone().unwrap_or_else(|| "the platform offers nothing to fulfill".into());
    End { lock: released(made.into_iter().collect()), outcome: failure(&ActError::permanent(why)) }
}

/// The lock given back by an attempt that made these and no more.
fn released(made: Vec<ShipmentId>) -> LockEnd {
    LockEnd::Settle { found: settlement(made), made: Vec::new() }
}

fn settlement(made: Vec<ShipmentId>) -> Settlement {
    if made.is_empty() {
        Settlement::Nothing
    } else {
        Settlement::Ours { shipments: made, gone: Vec::new(), coverage: Coverage::Partial }
    }
}

/// A look changes nothing, so it is never in doubt itself; an earlier call may still be.
fn look_failed(error: &ActError, in_doubt: bool, made: BTreeSet<ShipmentId>) -> End {
    let error = match error.disposition {
        Disposition::Ambiguous => ActError { disposition: Disposition::RETRY, ..error.clone() },
        _ => error.clone(),
    };
    let made: Vec<_> = made.into_iter().collect();
    let lock = if in_doubt { LockEnd::Keep { made } } else { released(made) };
    End { lock, outcome: failure(&error) }
}

/// Only a call without an answer keeps the lock. One that surely did not happen frees the order for
/// everybody; its own parts that did happen are ours by their ids, and the rest is tried later.
fn call_failed(error: &ActError, made: BTreeSet<ShipmentId>) -> End {
    let made: Vec<_> = made.into_iter().collect();
    let lock = match error.disposition {
        Disposition::Permanent | Disposition::Retry { .. } => released(made),
        Disposition::Ambiguous => LockEnd::Keep { made },
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
