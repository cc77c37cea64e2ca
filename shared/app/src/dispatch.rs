//! Rings the doorbell for the runs of a new event. Loses nothing if it is never called: the event stands
//! in the due index from birth.

use std::time::Duration;

use stagepost_domain::event::Event;
use stagepost_domain::{SignedDuration, Timestamp};

use crate::ports::{Doorbell, DoorbellError, Ring, run_id};

/// Queues hold a message back this long at most; later runs are left to the due index.
pub const DELAY_MAX: SignedDuration = SignedDuration::from_mins(15);

/// One ring per open run that is due within the queues' reach.
#[must_use]
pub fn rings(event: &Event, now: Timestamp, within: SignedDuration) -> Vec<Ring> {
    event
        .runs
        .iter()
        .filter_map(|(key, run)| run.state.due().map(|due| (key, due.duration_since(now))))
        .filter(|(_, wait)| *wait <= within)
        .map(|(key, wait)| Ring {
            run: run_id(&event.order, event.seq, key),
            delay: Duration::try_from(wait).unwrap_or_default(),
        })
        .collect()
}

/// Rings for a new event.
///
/// # Errors
/// The queue did not take it.
pub async fn dispatch<D: Doorbell>(
    doorbell: &D,
    event: &Event,
    now: Timestamp,
) -> Result<usize, DoorbellError> {
    let rings = rings(event, now, DELAY_MAX);
    if !rings.is_empty() {
        doorbell.ring(&rings).await?;
    }
    Ok(rings.len())
}
