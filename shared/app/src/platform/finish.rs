//! The end of an attempt: what becomes of the lock and of the run, written in this turn.
//!
//! What the platform has just said is known nowhere else until it is written, so these writes have more
//! patience than any other.

use stagepost_domain::Timestamp;
use stagepost_domain::decide::{Context, Settled, settle};
use stagepost_domain::disposition::Disposition;
use stagepost_domain::fact::{Coverage, Settlement, ShipmentId};
use stagepost_domain::order::Order;
use stagepost_domain::run::{AttemptOutcome, Run, RunState};

use super::{Job, bumped, settlement, with_pause};
use crate::apply::{ApplyError, Known, TRIES_MAX, commit, playbook};
use crate::ports::{CommitError, ConfigStore, OrderStore, RunStore};
use crate::run::{Answered, RECORD_TRIES, RunnerError};

/// How an attempt ends: what becomes of the lock, and what of the run.
pub(super) struct End {
    pub lock: LockEnd,
    pub outcome: AttemptOutcome,
}

pub(super) enum LockEnd {
    /// Released, with what was found. What is known to be made by our call stays ours, whoever did the rest.
    Settle { found: Settlement, made: Vec<ShipmentId> },
    /// Kept until the next attempt: nobody knows yet what the call did. What is known is noted.
    Keep { made: Vec<ShipmentId> },
}

impl End {
    pub fn ours(shipments: Vec<ShipmentId>, gone: Vec<ShipmentId>, coverage: Coverage, detail: &str) -> Self {
        let ids = shipments.iter().chain(&gone).map(|s| s.0.as_str()).collect::<Vec<_>>().join(", ");
        let detail = if ids.is_empty() { detail.to_owned() } else { format!("{detail}: {ids}") };
        Self {
            lock: LockEnd::Settle { found: Settlement::Ours { shipments, gone, coverage }, made: Vec::new() },
            outcome: AttemptOutcome::Success { detail },
        }
    }

    /// Fulfilled by our call. `left`: why what remains was not for us to fulfill, if that is known.
    pub fn fulfilled(
        made: Vec<ShipmentId>,
        gone: Vec<ShipmentId>,
        coverage: Coverage,
        left: Option<&str>,
    ) -> Self {
        let Some(left) = left else { return Self::ours(made, gone, coverage, "fulfilled") };
        let Self { lock, mut outcome } = Self::ours(made, gone, coverage, "fulfilled in part");
        if let AttemptOutcome::Success { detail } = &mut outcome {
            detail.push_str("; left: ");
            detail.push_str(left);
        }
        Self { lock, outcome }
    }
}

/// What is written on the order.
enum Finish<'a> {
    /// The lock goes on to the next attempt; what the platform has confirmed so far is noted.
    Keep { until: Timestamp, made: &'a [ShipmentId] },
    /// The lock is released, everything seen under it attributed, and the order moved if it was theirs.
    Settle { found: &'a Settlement, made: &'a [ShipmentId] },
}

/// What one try came to.
enum Tried {
    Written,
    /// Somebody else wrote the order meanwhile.
    Overtaken,
    /// The lock is not this attempt's.
    NotHeld,
}

impl<S> Job<'_, S>
where
    S: OrderStore + RunStore + ConfigStore,
{
    /// The order first, then the run that mirrors it: should this stop in between, the run finds its
    /// settlement on the order and only copies it.
    pub(super) async fn record(&self, claimed: &Run, end: End) -> Result<Answered, RunnerError> {
        let outcome = with_pause(end.outcome);
        let jitter = self.core.entropy.fraction();
        let next = claimed.finish(self.id.key.action(), &self.attempt, &outcome, self.core.now(), jitter);
        let Ok(next) = next else { return Ok(Answered::LeaseLost) };
        let held = match (end.lock, &next.state) {
            (LockEnd::Keep { made }, RunState::Pending { due }) => {
                self.finish(&Finish::Keep { until: *due, made: &made }).await?
            }
            // The last attempt is over: what is still in doubt is settled by what is known.
            (LockEnd::Keep { made }, _) => self.settle(&settlement(made), &[]).await?,
            (LockEnd::Settle { found, made }, _) => self.settle(&found, &made).await?,
        };
        if !held {
            return Ok(Answered::LeaseLost);
        }
        Ok(crate::run::store_patiently(self.core, self.id, claimed, &next).await?)
    }

    pub(super) async fn settle(&self, found: &Settlement, made: &[ShipmentId]) -> Result<bool, RunnerError> {
        self.finish(&Finish::Settle { found, made }).await
    }

    /// Writes until it is written; false if the lock is not this attempt's any more.
    async fn finish(&self, finish: &Finish<'_>) -> Result<bool, RunnerError> {
        let mut faults = 0;
        for _ in 0..TRIES_MAX {
            match self.try_to(finish).await {
                Ok(Tried::Written) => return Ok(true),
                // One of our own tries may have been written although its answer was lost.
                Ok(Tried::NotHeld) => return Ok(faults > 0),
                Ok(Tried::Overtaken) => {}
                Err(error) if error.disposition() != Disposition::Permanent && faults + 1 < RECORD_TRIES => {
                    faults += 1;
                }
                Err(error) => {
                    let ids = finish.ids();
                    tracing::error!(run = %self.id, ?ids, %error, "what the platform said is not recorded");
                    return Err(error);
                }
            }
        }
        Err(ApplyError::Busy.into())
    }

    async fn try_to(&self, finish: &Finish<'_>) -> Result<Tried, RunnerError> {
        let core = self.core;
        let order = core.store.order(&self.id.order).await?;
        let held = |o: &Order| o.fulfillment.lock.as_ref().is_some_and(|l| l.attempt == self.attempt);
        let Some(order) = order.filter(held) else { return Ok(Tried::NotHeld) };
        let written = match finish {
            Finish::Keep { until, made } => {
                let mut fulfillment = order.fulfillment.lock_extended(*until);
                fulfillment.note_ours(made, self.id.seq);
                let next = bumped(&order, fulfillment);
                core.store.put_order(&next, order.version, &core.entropy.id_body()).await
            }
            Finish::Settle { found, made } => self.try_to_settle(order, found, made).await?,
        };
        match written {
            Ok(()) => Ok(Tried::Written),
            Err(CommitError::LostRace | CommitError::Conflict) => Ok(Tried::Overtaken),
            Err(CommitError::Store(e)) => Err(e.into()),
        }
    }

    async fn try_to_settle(
        &self,
        mut order: Order,
        found: &Settlement,
        made: &[ShipmentId],
    ) -> Result<Result<(), CommitError>, RunnerError> {
        let core = self.core;
        order.fulfillment.note_ours(made, self.id.seq);
        let playbook = playbook(core, &order.shop, order.flow()).await?;
        let known =
            Known { order: Some(order.clone()), snapshot: None, packages: Vec::new(), entry: None, playbook };
        let context: Context<'_> = known.context(&order.shop, &order.id, core.now(), core.restored_at);
        Ok(match settle(context, &order, self.id.seq, &self.id.key, found) {
            Settled::Quiet(next) => core.store.put_order(&next, order.version, &core.entropy.id_body()).await,
            Settled::Changed(changes) => commit(core, &known, &changes).await,
        })
    }
}

impl Finish<'_> {
    /// What the platform has named, for a log that is all there is left of it.
    fn ids(&self) -> Vec<&str> {
        let (found, made): (&[ShipmentId], _) = match self {
            Self::Keep { made, .. } => (&[], made),
            Self::Settle { found: Settlement::Nothing, made } => (&[], made),
            Self::Settle {
                found: Settlement::Ours { shipments, .. } | Settlement::Theirs { shipments, .. },
                made,
            } => (shipments, made),
        };
        found.iter().chain(made.iter()).map(|id| id.0.as_str()).collect()
    }
}
