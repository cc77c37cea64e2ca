//! How an endpoint's receiver does: the circuit that spares one that is busy, and the end of one that only fails.
//!
//! It is written only when it changes: a receiver that is well costs nothing, and one that fails costs a write
//! when it begins to, when it asks for patience, when its owner is told, and when it is well again.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::backoff::fraction_of;
use crate::id::AttemptId;
use crate::run::{ERROR_MAX, later};
use crate::text::truncated;

/// An endpoint that has only failed for so long is switched off.
pub const FAILING_MAX: SignedDuration = SignedDuration::from_hours(5 * 24);
/// At which shares of that its owner is told, in per cent.
pub const TOLD_AT: [u8; 3] = [50, 90, 100];
/// First rest of a circuit that was not asked for any; it doubles while it keeps opening.
const COOLING: SignedDuration = SignedDuration::from_secs(30);
/// Longest rest that was not asked for.
const COOLING_MAX: SignedDuration = SignedDuration::from_mins(15);
/// Shortest and longest rest that a receiver may ask for.
const ASKED: (SignedDuration, SignedDuration) = (SignedDuration::from_secs(5), SignedDuration::from_hours(1));
/// How long all others wait for the one that goes first: longer than a call takes.
const PROBE: SignedDuration = SignedDuration::from_secs(30);
/// What is put off comes back over so long a time, not all in one moment.
const SPREAD_MAX: SignedDuration = SignedDuration::from_secs(60);

/// How an endpoint's receiver has done lately.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Counts writes, from 1.
    #[serde(default)]
    pub version: u64,
    /// The attempt that wrote this: two that find out the same at the same time are not one, so that one tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<AttemptId>,
    /// Since it took something last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<Failing>,
}

/// A receiver that has taken nothing since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// The first failure since the last success.
    pub since: Timestamp,
    /// What it was.
    pub error: String,
    /// Its circuit, if it was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooling: Option<Cooling>,
    /// What its owner was told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
}

/// A circuit that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cooling {
    /// Nothing is sent before.
    pub until: Timestamp,
    /// How often it was opened since the last success.
    pub times: u32,
    /// Whether one call is under way to see how the receiver does: until it is back nobody else calls.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub probing: bool,
}

/// Whether a run may be sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// As all others.
    Free,
    /// Nothing is sent before.
    Rests(Timestamp),
    /// It is the one that shows how the receiver does: once this is written, and others wait for it.
    Probe(Health),
}

/// That its owner was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Notice {
    /// When.
    pub at: Timestamp,
    /// How much of the time was over after which the endpoint is switched off, in per cent.
    pub percent: u8,
}

/// What a call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'a> {
    /// It was taken.
    Success,
    /// It was not.
    Failure {
        /// In words.
        error: &'a str,
        /// Whether the receiver wants rest.
        strain: Strain,
    },
}

/// Whether a receiver wants rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strain {
    /// It answered, and not that it is busy.
    None,
    /// It did not answer in time, or could not be reached: the next calls would each wait as long.
    Silent,
    /// 429 or 503, perhaps with a wish.
    Busy(Option<SignedDuration>),
}

/// A change of an endpoint's health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// As it is now: to be written over the version before it.
    pub health: Health,
    /// What its owner is to be told, by whoever has written this.
    pub tell: Option<Notice>,
}

impl Health {
    /// How it fails, as far as that counts: what was before somebody mended it does not.
    #[must_use]
    pub fn failing_since(&self, mended_at: Option<Timestamp>) -> Option<&Failing> {
        self.failing.as_ref().filter(|failing| mended_at.is_none_or(|mended| failing.since >= mended))
    }

    /// Whether a run may be sent `now`. Once a circuit has rested, one call goes first.
    #[must_use]
    pub fn admits(
        &self,
        by: &AttemptId,
        now: Timestamp,
        mended_at: Option<Timestamp>,
        jitter: f64,
    ) -> Admission {
        let Some((failing, cooling)) = self.failing_since(mended_at).and_then(|f| Some((f, f.cooling?)))
        else {
            return Admission::Free;
        };
        if cooling.until > now {
            let over = cooling.until.duration_since(now).min(SPREAD_MAX);
            return Admission::Rests(later(cooling.until, fraction_of(over, jitter)));
        }
        let cooling = Some(Cooling { until: later(now, PROBE), probing: true, ..cooling });
        let failing = Some(Failing { cooling, ..failing.clone() });
        Admission::Probe(Self { version: self.version.saturating_add(1), by: Some(by.clone()), failing })
    }

    /// Whether it has failed for too long.
    #[must_use]
    pub fn is_over(&self, mended_at: Option<Timestamp>) -> bool {
        let told_last = |failing: &Failing| failing.notices.len() >= TOLD_AT.len();
        self.failing_since(mended_at).is_some_and(told_last)
    }

    /// What a call changes of it; nothing if it does not.
    #[must_use]
    pub fn heard(
        &self,
        by: &AttemptId,
        now: Timestamp,
        mended_at: Option<Timestamp>,
        heard: Heard<'_>,
    ) -> Option<Step> {
        let (version, by) = (self.version.saturating_add(1), Some(by.clone()));
        let Heard::Failure { error, strain } = heard else {
            let well = Self { version, by, failing: None };
            return self.failing.is_some().then_some(Step { health: well, tell: None });
        };
        let was = self.failing_since(mended_at);
        let mut next = was.cloned().unwrap_or_else(|| Failing {
            since: now,
            error: truncated(error, ERROR_MAX),
            cooling: None,
            notices: Vec::new(),
        });
        next.cooling = opened(next.cooling, now, strain, was.is_some());
        let tell = next.notice(now);
        next.notices.extend(tell);
        (was != Some(&next)).then_some(Step { health: Self { version, by, failing: Some(next) }, tell })
    }
}

impl Failing {
    /// What its owner is to be told now. One share after the other, each as long after the one before as planned:
    /// an endpoint that hardly anything is sent to is not switched off without a warning.
    fn notice(&self, now: Timestamp) -> Option<Notice> {
        let percent = *TOLD_AT.get(self.notices.len())?;
        (now >= self.told_at(percent)).then_some(Notice { at: now, percent })
    }

    /// When its owner is told of a share that is still to come, at the earliest.
    fn told_at(&self, percent: u8) -> Timestamp {
        let begun = later(self.since, share(percent));
        let after = |last: &Notice| later(last.at, share(percent.saturating_sub(last.percent)));
        self.notices.last().map_or(begun, |last| begun.max(after(last)))
    }

    /// When it is switched off, at the earliest.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.told_at(100)
    }
}

fn share(percent: u8) -> SignedDuration {
    SignedDuration::from_secs(FAILING_MAX.as_secs() * i64::from(percent) / 100)
}

/// The circuit after a failure. One call without an answer is bad luck, two in a row are a receiver that is away.
fn opened(was: Option<Cooling>, now: Timestamp, strain: Strain, was_failing: bool) -> Option<Cooling> {
    let times = was.map_or(0, |cooling| cooling.times);
    let own = COOLING.saturating_mul(2_i32.saturating_pow(times.min(10))).min(COOLING_MAX);
    let rest = match strain {
        Strain::Busy(asked) => asked.map_or(own, |asked| asked.clamp(ASKED.0, ASKED.1)),
        Strain::Silent if was_failing => own,
        // It answers, and not that it is busy.
        Strain::None | Strain::Silent => return was.filter(|cooling| !cooling.probing),
    };
    let until = later(now, rest);
    match was {
        // Calls that were under way when it opened say the same once more.
        Some(open)
            if !open.probing && open.until > now && (until <= open.until || !asks_for_more(strain)) =>
        {
            Some(open)
        }
        _ => Some(Cooling { until, times: times.saturating_add(1), probing: false }),
    }
}

fn asks_for_more(strain: Strain) -> bool {
    matches!(strain, Strain::Busy(Some(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    fn me() -> AttemptId {
        AttemptId::from_body("a").unwrap()
    }

    const DAY: i64 = 24 * 3_600;

    fn fails(strain: Strain) -> Heard<'static> {
        Heard::Failure { error: "HTTP 500", strain }
    }

    fn after(calls: &[(i64, Heard<'_>)]) -> Health {
        calls.iter().fold(Health::default(), |health, (second, heard)| {
            health.heard(&me(), at(*second), None, *heard).map_or(health, |step| step.health)
        })
    }

    fn cooling(health: &Health) -> Option<i64> {
        let until = health.failing.as_ref()?.cooling?.until;
        Some(until.as_second() - at(0).as_second())
    }

    #[test]
    fn what_changes_nothing_is_not_written() {
        assert_eq!(Health::default().heard(&me(), at(0), None, Heard::Success), None);
        let failing = after(&[(0, fails(Strain::None))]);
        assert_eq!(failing.failing.as_ref().unwrap().since, at(0));
        assert_eq!(failing.heard(&me(), at(3_600), None, fails(Strain::None)), None);
        let well = failing.heard(&me(), at(3_601), None, Heard::Success).unwrap();
        assert_eq!((well.health.failing, well.health.version, well.tell), (None, 2, None));
    }

    #[test]
    fn law_16_a_busy_receiver_opens_its_circuit_for_as_long_as_it_asks_within_bounds() {
        let asked = |seconds| Strain::Busy(Some(SignedDuration::from_secs(seconds)));
        for (strain, rest) in
            [(asked(0), 5), (asked(120), 120), (asked(DAY), 3_600), (Strain::Busy(None), 30)]
        {
            assert_eq!(cooling(&after(&[(0, fails(strain))])), Some(rest), "{strain:?}");
        }
        assert_eq!(cooling(&after(&[(0, fails(Strain::None))])), None);
    }

    #[test]
    fn law_16_a_receiver_that_is_silent_twice_gets_rest_and_more_of_it_each_time() {
        let silent = fails(Strain::Silent);
        assert_eq!(cooling(&after(&[(0, silent)])), None, "bad luck");
        let mut calls = vec![(0, silent), (1, silent)];
        let mut rests = Vec::new();
        for _ in 0..7 {
            let until = cooling(&after(&calls)).unwrap();
            rests.push(until - calls.last().unwrap().0);
            // While it rests, what was under way changes nothing.
            calls.push((until - 1, silent));
            assert_eq!(cooling(&after(&calls)), Some(until));
            calls.pop();
            calls.push((until, silent));
        }
        assert_eq!(rests, [30, 60, 120, 240, 480, 900, 900]);
        calls.push((calls.last().unwrap().0 + 1, Heard::Success));
        assert_eq!(cooling(&after(&calls)), None);
    }

    fn admitted(health: &Health, second: i64) -> Admission {
        health.admits(&me(), at(second), None, 0.5)
    }

    #[test]
    fn what_rests_comes_back_spread_over_a_minute_and_never_early() {
        let health = after(&[(0, fails(Strain::Busy(Some(SignedDuration::from_secs(600)))))]);
        for jitter in [0.0, 0.5, 1.0, f64::NAN] {
            let Admission::Rests(until) = health.admits(&me(), at(10), None, jitter) else {
                panic!("at once")
            };
            assert!((600..=660).contains(&until.duration_since(at(0)).as_secs()), "{jitter}");
        }
        assert_eq!(admitted(&Health::default(), 0), Admission::Free);
        assert_eq!(admitted(&after(&[(0, fails(Strain::None))]), 0), Admission::Free);
    }

    #[test]
    fn law_16_once_it_has_rested_one_call_goes_first_and_says_how_it_goes_on() {
        let health = after(&[(0, fails(Strain::Busy(None)))]);
        let Admission::Probe(probing) = admitted(&health, 30) else { panic!("rests") };
        assert!(matches!(admitted(&probing, 31), Admission::Rests(_)), "the others wait");
        let next = |heard| probing.heard(&me(), at(40), None, heard).unwrap().health;
        assert_eq!(admitted(&next(Heard::Success), 40), Admission::Free);
        assert_eq!(admitted(&next(fails(Strain::None)), 40), Admission::Free, "it answers");
        assert_eq!(cooling(&next(fails(Strain::Silent))), Some(40 + 60), "longer than before");
        assert!(matches!(admitted(&probing, 60), Admission::Probe(_)), "one that never came back");
    }

    #[test]
    fn an_owner_is_told_once_at_each_share_and_the_endpoint_is_over_after_five_days() {
        let mut health = after(&[(0, fails(Strain::None))]);
        let mut told = Vec::new();
        for hour in 0..=130 {
            let now = at(hour * 3_600);
            assert_eq!(health.is_over(None), hour > 120);
            if let Some(step) = health.heard(&me(), now, None, fails(Strain::None)) {
                told.extend(step.tell.map(|notice| (hour, notice.percent)));
                health = step.health;
            }
        }
        assert_eq!(told, [(60, 50), (108, 90), (120, 100)]);
        assert_eq!(health.version, 4, "written only for what is told");
    }

    #[test]
    fn an_endpoint_that_hardly_anything_is_sent_to_is_not_switched_off_without_a_warning() {
        let mut health = after(&[(0, fails(Strain::None))]);
        let mut told = Vec::new();
        for day in [6, 7, 8, 9, 30] {
            if let Some(step) = health.heard(&me(), at(day * DAY), None, fails(Strain::None)) {
                told.extend(step.tell.map(|notice| (day, notice.percent)));
                health = step.health;
            }
        }
        assert_eq!(told, [(6, 50), (8, 90), (9, 100)]);
        assert!(health.is_over(None));
    }

    #[test]
    fn what_was_before_it_was_mended_does_not_count() {
        let health = after(&[(0, fails(Strain::Busy(None)))]);
        let mended = Some(at(10));
        assert_eq!(health.admits(&me(), at(11), mended, 0.5), Admission::Free);
        assert!(!health.is_over(mended));
        let step = health.heard(&me(), at(6 * DAY), mended, fails(Strain::None)).unwrap();
        assert_eq!((step.tell, step.health.failing.unwrap().since), (None, at(6 * DAY)));
    }
}
