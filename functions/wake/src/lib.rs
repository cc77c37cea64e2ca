//! Every minute: rings again for whatever is due.

use stagepost_app::Core;
use stagepost_app::ports::{ConfigStore, Doorbell, InboundStore, JobDoorbell, OrderStore, RunStore};
use stagepost_app::wake::{WakeError, Woken, wake};

/// What the sweep needs.
pub struct Wake<S, D> {
    /// Store, clock, ids.
    pub core: Core<S>,
    /// The queues.
    pub doorbell: D,
}

/// Sweeps the due index once.
///
/// # Errors
/// Store or queue failed; the next minute tries again.
pub async fn handle<S, D>(wake_function: &Wake<S, D>) -> Result<Woken, WakeError>
where
    S: OrderStore + RunStore + InboundStore + ConfigStore,
    D: Doorbell + JobDoorbell,
{
    let woken = wake(&wake_function.core, &wake_function.doorbell).await?;
    if woken != Woken::default() {
        tracing::info!(rung = woken.rung, unparked = woken.unparked, seen = woken.seen, "wake");
    }
    Ok(woken)
}
