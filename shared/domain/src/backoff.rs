//! When a run is tried again.

use jiff::SignedDuration;

use crate::event::Action;

/// Waits between the attempts of a webhook, the first being at once: 8 attempts over about 27 h 35 min,
/// the schedule that receivers know from Standard Webhooks senders.
const WEBHOOK: &[i64] = &[5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];
/// Mails that were refused before they left: the sender's rate or a pause, so patience for a day.
const EMAIL: &[i64] = &[15, 60, 300, 900, 3_600, 7_200, 14_400, 21_600, 21_600];
/// Platform calls: a throttle passes in seconds, an outage in hours.
const FULFILL: &[i64] = &[10, 30, 120, 600, 1_800, 7_200, 21_600, 43_200];
/// A receiver may ask for patience, but not for the whole schedule.
const RETRY_AFTER_MAX: SignedDuration = SignedDuration::from_hours(6);

fn schedule(action: Action) -> &'static [i64] {
    match action {
        Action::Email => EMAIL,
        Action::Webhook => WEBHOOK,
        Action::Fulfill => FULFILL,
    }
}

/// How often a run of this action is tried in all.
#[must_use]
pub fn attempts_max(action: Action) -> u32 {
    u32::try_from(schedule(action).len()).unwrap_or(u32::MAX).saturating_add(1)
}

/// The wait after attempt number `made` (from 1); `None` when that was the last.
///
/// `jitter` in 0..=1 spreads the wait by ±20 %. A wait that the other side asked for is honoured when it
/// is longer than ours, up to 6 hours.
#[must_use]
pub fn next_wait(
    action: Action,
    made: u32,
    asked: Option<SignedDuration>,
    jitter: f64,
) -> Option<SignedDuration> {
    let index = usize::try_from(made.checked_sub(1)?).ok()?;
    let base = *schedule(action).get(index)?;
    let spread = 0.8 + 0.4 * jitter.clamp(0.0, 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "seconds below 10^5")]
    let own = SignedDuration::from_millis((base as f64 * 1000.0 * spread) as i64);
    Some(asked.map_or(own, |a| own.max(a.min(RETRY_AFTER_MAX))))
}
