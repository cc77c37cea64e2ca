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
/// Registrations: parcels are scanned for days, but a tracker that comes after the delivery is of no use.
const REGISTER: &[i64] = &[10, 60, 300, 1_800, 7_200, 14_400, 21_600, 43_200];
/// A receiver may ask for patience, but not for the whole schedule.
const RETRY_AFTER_MAX: SignedDuration = SignedDuration::from_hours(6);

fn schedule(action: Action) -> &'static [i64] {
    match action {
        Action::Email => EMAIL,
        Action::Webhook => WEBHOOK,
        Action::Fulfill => FULFILL,
        Action::RegisterTracker => REGISTER,
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
    // Four fifths of it, and up to two fifths more.
    let fifth = SignedDuration::from_millis(base.saturating_mul(200));
    let own = fifth.saturating_mul(4).saturating_add(fraction_of(fifth.saturating_mul(2), jitter));
    Some(asked.map_or(own, |a| own.max(a.min(RETRY_AFTER_MAX))))
}

/// So much of a time as chance wants: `jitter` is 0..=1, and what is no number is the middle.
#[must_use]
pub fn fraction_of(whole: SignedDuration, jitter: f64) -> SignedDuration {
    let jitter = if jitter.is_nan() { 0.5 } else { jitter.clamp(0.0, 1.0) };
    SignedDuration::try_from_secs_f64(whole.as_secs_f64() * jitter).unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, prop};
    use proptest::{prop_assert, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    fn seconds(action: Action, jitter: f64) -> Vec<i64> {
        (1..).map_while(|made| next_wait(action, made, None, jitter)).map(|wait| wait.as_secs()).collect()
    }

    #[test]
    fn each_action_has_its_schedule() {
        assert_eq!(seconds(Action::Webhook, 0.5), [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000]);
        assert_eq!(seconds(Action::Email, 0.5), [15, 60, 300, 900, 3_600, 7_200, 14_400, 21_600, 21_600]);
        assert_eq!(seconds(Action::Fulfill, 0.5), [10, 30, 120, 600, 1_800, 7_200, 21_600, 43_200]);
        assert_eq!(
            seconds(Action::RegisterTracker, 0.5),
            [10, 60, 300, 1_800, 7_200, 14_400, 21_600, 43_200]
        );
        assert_eq!(Action::ALL.map(attempts_max), [10, 8, 9, 9]);
        assert_eq!(next_wait(Action::Webhook, 0, None, 0.5), None, "no attempt, no wait");
    }

    #[test]
    fn the_webhook_schedule_is_the_one_receivers_know() {
        assert_eq!(seconds(Action::Webhook, 0.5).iter().sum::<i64>(), 27 * 3_600 + 35 * 60 + 5);
    }

    #[test]
    fn a_wait_that_was_asked_for_is_honoured_within_bounds() {
        let wait =
            |asked| next_wait(Action::Webhook, 2, Some(SignedDuration::from_secs(asked)), 0.5).unwrap();
        let cases = [
            (-5, 300),
            (0, 300),
            (299, 300),
            (301, 301),
            (21_600, 21_600),
            (21_601, 21_600),
            (i64::MAX, 21_600),
        ];
        for (asked, waited) in cases {
            assert_eq!(wait(asked).as_secs(), waited, "asked for {asked}");
        }
    }

    proptest! {
        #[test]
        fn a_wait_is_spread_by_a_fifth_and_never_shorter_than_asked_for(
            action in prop::sample::select(Action::ALL.to_vec()),
            made in 0_u32..20,
            asked in prop_oneof![Just(None), prop::num::i64::ANY.prop_map(Some)],
            jitter in prop::num::f64::ANY,
        ) {
            let asked = asked.map(SignedDuration::from_secs);
            let base = next_wait(action, made, None, 0.5);
            let wait = next_wait(action, made, asked, jitter);
            prop_assert_eq!(base.is_some(), wait.is_some());
            if let (Some(base), Some(wait)) = (base, wait) {
                let floor = asked.map_or(SignedDuration::ZERO, |a| a.min(RETRY_AFTER_MAX));
                prop_assert!(wait >= floor.max(base * 8 / 10), "{} is too short", wait);
                prop_assert!(wait <= floor.max(base * 12 / 10), "{} is too long", wait);
            }
        }
    }
}
