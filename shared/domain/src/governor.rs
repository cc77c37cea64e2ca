//! The governor (law 9): a shop that suddenly mails far more than usual is stopped, and asks.
//!
//! Mails are counted in windows of ten minutes. What is usual follows the fullest windows of late: it takes a
//! new height at once and forgets it slowly.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Length of a window.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// No shop is stopped below this many mails in a window.
pub const FLOOR: u64 = 200;
/// So many times its usual is too much.
const FACTOR: u64 = 5;
/// How long a release lets everything through.
pub const RELEASE: SignedDuration = SignedDuration::from_hours(1);

/// Why mails are stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Paused {
    /// Since when.
    pub at: Timestamp,
    /// Mails of the window that were one too many.
    pub count: u64,
    /// What was usual then.
    pub usual: u64,
}

/// A shop's governor.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Governor {
    /// Mails that its fuller windows have.
    pub usual: u64,
    /// Stopped, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// Somebody has looked: nothing is stopped until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released_until: Option<Timestamp>,
    /// Counts writes.
    pub version: u64,
}

/// The number of the window that a time lies in.
#[must_use]
pub fn window(at: Timestamp) -> i64 {
    at.as_second().div_euclid(WINDOW.as_secs())
}

impl Governor {
    /// Most mails of a window.
    #[must_use]
    pub fn ceiling(&self) -> u64 {
        self.usual.saturating_mul(FACTOR).max(FLOOR)
    }

    /// Whether a mail that is the `count`th of its window is one too many.
    #[must_use]
    pub fn is_too_many(&self, count: u64, now: Timestamp) -> bool {
        count > self.ceiling() && self.released_until.is_none_or(|until| until <= now)
    }

    fn next(&self) -> Self {
        Self { version: self.version.saturating_add(1), ..self.clone() }
    }

    /// Stopped by that many mails.
    #[must_use]
    pub fn paused(&self, count: u64, now: Timestamp) -> Self {
        Self { paused: Some(Paused { at: now, count, usual: self.usual }), ..self.next() }
    }

    /// After a window with so many mails; `None` if that changes nothing.
    #[must_use]
    pub fn learned(&self, count: u64) -> Option<Self> {
        // A tenth less for each window with mails in it that stays below.
        let usual = count.max(self.usual.saturating_sub(self.usual.div_ceil(10)));
        (usual != self.usual).then(|| Self { usual, ..self.next() })
    }

    /// Somebody lets the mails go: what stopped them is usual from now on. `None` if nothing is stopped.
    #[must_use]
    pub fn released(&self, now: Timestamp) -> Option<Self> {
        let paused = self.paused.as_ref()?;
        let released_until = Some(crate::run::later(now, RELEASE));
        Some(Self { usual: self.usual.max(paused.count), paused: None, released_until, ..self.next() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn law_9_a_shop_is_stopped_at_five_times_its_usual_and_not_below_the_floor() {
        for (usual, count, stopped) in [
            (0, FLOOR, false),
            (0, FLOOR + 1, true),
            (40, 201, true),
            (41, 205, false),
            (41, 206, true),
            (1_000, 5_000, false),
        ] {
            let governor = Governor { usual, ..Governor::default() };
            assert_eq!(governor.is_too_many(count, at(0)), stopped, "{count} mails where {usual} are usual");
        }
    }

    #[test]
    fn law_9_a_release_lets_everything_through_for_an_hour_and_learns() {
        let paused = Governor::default().paused(FLOOR + 1, at(0));
        assert_eq!(paused.released(at(0)).unwrap().paused, None);
        let released = paused.released(at(60)).unwrap();
        assert!(!released.is_too_many(u64::MAX, at(60 + 3_599)));
        assert!(released.is_too_many(u64::MAX, at(60 + 3_600)));
        assert_eq!(released.ceiling(), 5 * (FLOOR + 1));
        assert_eq!(released.released(at(70)), None, "nothing is stopped");
    }

    #[test]
    fn what_is_usual_rises_at_once_and_sinks_slowly() {
        let mut governor = Governor::default().learned(100).unwrap();
        assert_eq!(governor.usual, 100);
        governor = governor.learned(3).unwrap();
        assert_eq!(governor.usual, 90);
        assert_eq!(governor.learned(90), None);
        let mut windows = 0;
        while let Some(next) = governor.learned(1) {
            (governor, windows) = (next, windows + 1);
        }
        assert_eq!(governor.usual, 1);
        assert!((20..60).contains(&windows), "forgotten after {windows} windows with mails");
    }

    #[test]
    fn windows_are_ten_minutes_long() {
        let start = Timestamp::from_second(window(at(0)) * 600).unwrap();
        assert_eq!(window(start), window(start + SignedDuration::from_secs(599)));
        assert_eq!(window(start) + 1, window(start + SignedDuration::from_secs(600)));
    }
}
