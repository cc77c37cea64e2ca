//! Once a minute: rings again for every run that is due, and looks again for the orders of parked reports.

use stagepost_domain::event::Event;
use stagepost_domain::run::later;
use stagepost_domain::{SignedDuration, Timestamp};

use crate::Core;
use crate::apply::ApplyError;
use crate::carrier::{FIRST_LOOK, next_look, retry_parked};
use crate::dispatch::rings;
use crate::ports::{
    ConfigStore, Doorbell, DoorbellError, DueItem, InboundStore, JobDoorbell, OrderStore, ParkedFact,
    RunStore, StoreError,
};

/// How long a rung run is left alone before it is rung again.
const RING_AGAIN: SignedDuration = SignedDuration::from_secs(60);
/// Items taken from the index at a time.
const BATCH: usize = 100;
/// Batches per invocation.
const BATCHES_MAX: usize = 20;
/// Nothing is begun after this: the next sweep comes every minute and goes on.
const SWEEP_MAX: SignedDuration = SignedDuration::from_secs(40);

/// What one wake did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Woken {
    /// Runs rung.
    pub rung: usize,
    /// Parked reports that found their order.
    pub unparked: usize,
    /// Items looked at.
    pub seen: usize,
}

/// A step of the sweep failed; what it did stands, what failed is due again.
#[derive(Debug, thiserror::Error)]
pub enum WakeError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue failed.
    #[error(transparent)]
    Doorbell(#[from] DoorbellError),
    /// A parked report could not be applied.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

/// Sweeps the due index. What fails does not stop the sweep: the item is due again in a minute, the others
/// get their turn, and the first error is given at the end.
///
/// # Errors
/// Store or queue failed.
pub async fn wake<S, D>(core: &Core<S>, doorbell: &D) -> Result<Woken, WakeError>
where
    S: OrderStore + RunStore + InboundStore + ConfigStore,
    D: Doorbell + JobDoorbell,
{
    let mut sweep = Sweep::default();
    let until = later(core.now(), SWEEP_MAX);
    for _ in 0..BATCHES_MAX {
        let now = core.now();
        if now >= until {
            break;
        }
        let limit = BATCH.saturating_add(sweep.stuck.len());
        let due = match core.store.due(now, limit).await {
            Ok(due) => due,
            Err(error) => {
                sweep.failed(error.into());
                break;
            }
        };
        // Not a short answer but an empty one is the end of the index.
        let fresh: Vec<DueItem> = due.into_iter().filter(|item| !sweep.stuck.contains(item)).collect();
        if fresh.is_empty() {
            break;
        }
        for item in fresh {
            if core.now() >= until {
                break;
            }
            sweep.wake_item(core, doorbell, item, now).await;
        }
    }
    sweep.first_error.map_or(Ok(sweep.woken), Err)
}

#[derive(Default)]
struct Sweep {
    woken: Woken,
    first_error: Option<WakeError>,
    /// Items whose place could not be moved: they stay the oldest of all, and others must come behind them.
    stuck: Vec<DueItem>,
}

impl Sweep {
    fn failed(&mut self, error: WakeError) {
        tracing::warn!(%error, "a step of the sweep failed");
        self.first_error.get_or_insert(error);
    }

    async fn wake_item<S, D>(&mut self, core: &Core<S>, doorbell: &D, item: DueItem, now: Timestamp)
    where
        S: OrderStore + RunStore + InboundStore + ConfigStore,
        D: Doorbell + JobDoorbell,
    {
        self.woken.seen += 1;
        let next = match &item {
            DueItem::Event(event) => {
                self.ring(doorbell, event, now).await;
                // Also if the queue refused: the next minute rings again.
                next_ring(event, now)
            }
            DueItem::Job(job) => {
                match doorbell.ring_job(&job.shop, &job.id).await {
                    Ok(()) => self.woken.rung += 1,
                    Err(error) => self.failed(error.into()),
                }
                Some(later(now, RING_AGAIN))
            }
            DueItem::Parked(parked) => match self.look(core, parked, now).await {
                Look::Found => return,
                Look::Next(next) => next,
            },
        };
        if let Err(error) = core.store.set_due(&item, next).await {
            self.failed(error.into());
            self.stuck.push(item);
        }
    }

    async fn ring<D: Doorbell>(&mut self, doorbell: &D, event: &Event, now: Timestamp) {
        let rings = rings(event, now, SignedDuration::ZERO);
        if rings.is_empty() {
            return;
        }
        match doorbell.ring(&rings).await {
            Ok(()) => self.woken.rung += rings.len(),
            Err(error) => self.failed(error.into()),
        }
    }

    /// Looks for the order of a parked report. One that cannot be applied as things stand waits its turn.
    async fn look<S>(&mut self, core: &Core<S>, parked: &ParkedFact, now: Timestamp) -> Look
    where
        S: OrderStore + InboundStore + ConfigStore,
    {
        let soon = Look::Next(Some(later(now, FIRST_LOOK)));
        match retry_parked(core, parked).await {
            Ok(true) => {
                self.woken.unparked += 1;
                Look::Found
            }
            Ok(false) => Look::Next(next_look(parked, now)),
            Err(ApplyError::Busy) => soon,
            Err(ApplyError::Store(StoreError::Newer { item })) => {
                tracing::warn!(shop = %parked.shop, item, "a parked report is left to the later release");
                soon
            }
            Err(ApplyError::Store(error @ (StoreError::Corrupt { .. } | StoreError::TooLarge))) => {
                tracing::warn!(shop = %parked.shop, %error, "a parked report is left for its next look");
                Look::Next(next_look(parked, now))
            }
            Err(error @ ApplyError::Store(_)) => {
                self.failed(error.into());
                soon
            }
        }
    }
}

/// What a look for a parked report's order came to.
enum Look {
    /// An order took it, and it is parked no longer.
    Found,
    /// When to look again, if ever.
    Next(Option<Timestamp>),
}

/// Rung runs get a minute; others their own time.
fn next_ring(event: &Event, now: Timestamp) -> Option<Timestamp> {
    let again = later(now, RING_AGAIN);
    event.runs.values().filter_map(|r| r.state.due()).map(|due| if due <= now { again } else { due }).min()
}
