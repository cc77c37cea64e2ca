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
    /// What was usual then; of bounces and complaints, how many mails had an outcome by then.
    pub usual: u64,
    /// What was one too many.
    #[serde(default)]
    pub because: TooMany,
}

/// What stops a shop's mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TooMany {
    /// Mails.
    #[default]
    Mails,
    /// Hard bounces.
    Bounces,
    /// Complaints.
    Complaints,
}

/// What became of a shop's mails in a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Mails with an outcome: delivered or bounced for good.
    pub known: u64,
    /// Of these, bounced for good.
    pub bounced: u64,
    /// Complained about.
    pub complained: u64,
}

/// Outcomes of so many mails say something of a sender.
const TALLY_MIN: u64 = 100;
/// Fewer complaints than this are chance.
const COMPLAINTS_MIN: u64 = 3;

impl Tally {
    fn without(self, forgiven: Self) -> Self {
        Self {
            known: self.known.saturating_sub(forgiven.known),
            bounced: self.bounced.saturating_sub(forgiven.bounced),
            complained: self.complained.saturating_sub(forgiven.complained),
        }
    }

    /// What there is too much of: over 5 % hard bounces, or over 0.1 % complaints. SES puts an account under
    /// review at these rates, and every shop of the deployment with it.
    fn too_many(self) -> Option<(TooMany, u64)> {
        if self.known < TALLY_MIN {
            return None;
        }
        if self.bounced.saturating_mul(20) > self.known {
            return Some((TooMany::Bounces, self.bounced));
        }
        let complaints =
            self.complained >= COMPLAINTS_MIN && self.complained.saturating_mul(1_000) > self.known;
        complaints.then_some((TooMany::Complaints, self.complained))
    }
}

/// The number of the week that a time lies in, counted from 1970.
#[must_use]
pub fn week(at: Timestamp) -> i64 {
    at.as_second().div_euclid(7 * 86_400)
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
    /// The week's outcomes when somebody last looked: only what came after them counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forgiven: Option<(i64, Tally)>,
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
        self.stopped(Paused { at: now, count, usual: self.usual, because: TooMany::Mails })
    }

    fn stopped(&self, paused: Paused) -> Self {
        Self { paused: Some(paused), ..self.next() }
    }

    /// Stopped by what became of its mails this week; `None` if that is no reason, or it is stopped already.
    #[must_use]
    pub fn judged(&self, week: i64, tally: Tally, now: Timestamp) -> Option<Self> {
        let forgiven = self.forgiven.filter(|(then, _)| *then == week).map(|(_, tally)| tally);
        let counts = tally.without(forgiven.unwrap_or_default());
        let (because, count) = counts.too_many().filter(|_| self.paused.is_none())?;
        Some(self.stopped(Paused { at: now, count, usual: counts.known, because }))
    }

    /// After a window with so many mails; `None` if that changes nothing.
    #[must_use]
    pub fn learned(&self, count: u64) -> Option<Self> {
        // A tenth less for each window with mails in it that stays below.
        let usual = count.max(self.usual.saturating_sub(self.usual.div_ceil(10)));
        (usual != self.usual).then(|| Self { usual, ..self.next() })
    }

    /// Somebody lets the mails go: a flood that stopped them is usual from now on, and what became of the
    /// week's mails so far is forgiven. `None` if nothing is stopped.
    #[must_use]
    pub fn released(&self, now: Timestamp, tally: Tally) -> Option<Self> {
        let paused = self.paused.as_ref()?;
        let released_until = Some(crate::run::later(now, RELEASE));
        let usual = if paused.because == TooMany::Mails { self.usual.max(paused.count) } else { self.usual };
        let forgiven = Some((week(now), tally));
        Some(Self { usual, paused: None, released_until, forgiven, ..self.next() })
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
        assert_eq!(paused.released(at(0), Tally::default()).unwrap().paused, None);
        let released = paused.released(at(60), Tally::default()).unwrap();
        assert!(!released.is_too_many(u64::MAX, at(60 + 3_599)));
        assert!(released.is_too_many(u64::MAX, at(60 + 3_600)));
        assert_eq!(released.ceiling(), 5 * (FLOOR + 1));
        assert_eq!(released.released(at(70), Tally::default()), None, "nothing is stopped");
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
    fn bounces_and_complaints_stop_a_shop_before_they_stop_the_account() {
        let tally = |known, bounced, complained| Tally { known, bounced, complained };
        for (counts, because) in [
            (tally(99, 99, 99), None),
            (tally(100, 5, 0), None),
            (tally(100, 6, 0), Some(TooMany::Bounces)),
            (tally(1_000, 50, 2), None),
            (tally(1_000, 0, 3), Some(TooMany::Complaints)),
            (tally(3_000, 0, 3), None),
        ] {
            let judged = Governor::default().judged(1, counts, at(0));
            assert_eq!(judged.and_then(|g| g.paused).map(|p| p.because), because, "{counts:?}");
        }
        let stopped = Governor::default().judged(week(at(0)), tally(100, 6, 0), at(0)).unwrap();
        assert_eq!(stopped.judged(week(at(0)), tally(200, 60, 0), at(1)), None, "stopped already");
        let released = stopped.released(at(60), tally(100, 6, 0)).unwrap();
        assert_eq!(released.usual, 0, "bounces are never usual");
        assert_eq!(released.judged(week(at(60)), tally(190, 11, 0), at(61)), None, "what was is forgiven");
        assert!(released.judged(week(at(60)), tally(200, 12, 0), at(61)).is_some());
        assert!(released.judged(week(at(60)) + 1, tally(100, 6, 0), at(61)).is_some(), "another week");
    }

    #[test]
    fn windows_are_ten_minutes_long() {
        let start = Timestamp::from_second(window(at(0)) * 600).unwrap();
        assert_eq!(window(start), window(start + SignedDuration::from_secs(599)));
        assert_eq!(window(start) + 1, window(start + SignedDuration::from_secs(600)));
    }
}
