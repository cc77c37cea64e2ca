//! Once a minute: rings again for every run that is due, and looks again for the orders of parked reports.

use stagepost_domain::event::Event;
use stagepost_domain::run::later;
use stagepost_domain::{SignedDuration, Timestamp};

use crate::Core;
use crate::apply::ApplyError;
use crate::carrier::{next_look, retry_parked};
use crate::dispatch::rings;
use crate::ports::{
    ConfigStore, Doorbell, DoorbellError, DueItem, InboundStore, OrderStore, ParkedFact, RunStore, StoreError,
};

/// How long a rung run is left alone before it is rung again.
const RING_AGAIN: SignedDuration = SignedDuration::from_secs(60);
/// Items taken from the index at a time.
const BATCH: usize = 100;
/// Batches per invocation, so that one stays within its time.
const BATCHES_MAX: usize = 20;

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

/// The sweep failed part-way; what it did stands, the rest is still due.
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

/// Sweeps the due index.
///
/// # Errors
/// Store or queue failed.
pub async fn wake<S, D>(core: &Core<S>, doorbell: &D) -> Result<Woken, WakeError>
where
    S: OrderStore + RunStore + InboundStore + ConfigStore,
    D: Doorbell,
{
    let mut woken = Woken::default();
    for _ in 0..BATCHES_MAX {
        let now = core.now();
        let due = core.store.due(now, BATCH).await?;
        let full = due.len() >= BATCH;
        for item in due {
            woken.seen += 1;
            wake_item(core, doorbell, item, now, &mut woken).await?;
        }
        if !full {
            break;
        }
    }
    Ok(woken)
}

async fn wake_item<S, D>(
    core: &Core<S>,
    doorbell: &D,
    item: DueItem,
    now: Timestamp,
    woken: &mut Woken,
) -> Result<(), WakeError>
where
    S: OrderStore + RunStore + InboundStore + ConfigStore,
    D: Doorbell,
{
    let next = match &item {
        DueItem::Event(event) => {
            let rings = rings(event, now, SignedDuration::ZERO);
            if !rings.is_empty() {
                doorbell.ring(&rings).await?;
            }
            woken.rung += rings.len();
            next_ring(event, now)
        }
        DueItem::Parked(parked) => {
            if found_home(core, parked).await? {
                woken.unparked += 1;
                return Ok(());
            }
            Some(next_look(parked, now))
        }
    };
    Ok(core.store.set_due(&item, next).await?)
}

/// Looks for the order of a parked report. A report that cannot be applied as things stand waits its turn:
/// it must not keep the rest of the index waiting.
async fn found_home<S>(core: &Core<S>, parked: &ParkedFact) -> Result<bool, ApplyError>
where
    S: OrderStore + InboundStore + ConfigStore,
{
    match retry_parked(core, parked).await {
        Err(
            error @ (ApplyError::Busy | ApplyError::Store(StoreError::Corrupt { .. } | StoreError::TooLarge)),
        ) => {
            tracing::warn!(shop = %parked.shop, %error, "a parked report is left for its next look");
            Ok(false)
        }
        found => found,
    }
}

/// Rung runs get a minute; others their own time.
fn next_ring(event: &Event, now: Timestamp) -> Option<Timestamp> {
    let again = later(now, RING_AGAIN);
    event.runs.values().filter_map(|r| r.state.due()).map(|due| if due <= now { again } else { due }).min()
}
