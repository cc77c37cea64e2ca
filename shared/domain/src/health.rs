//! How an endpoint's receiver does: few calls at once until it is known to take them, the circuit that spares one
//! that is busy, and the end of one that only fails.
//!
//! It is written only when it changes: a receiver that is known to be well costs a write in half an hour, and one
//! that is not costs one before and one after each call (docs/adr/0015).

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
/// How long all others wait for the one that goes first, and a call counts as under way: longer than it takes.
const PROBE: SignedDuration = SignedDuration::from_secs(30);
/// How long a receiver that took something is known to be well.
const WELL_FOR: SignedDuration = SignedDuration::from_hours(1);
/// How old that may be before it is written anew.
const WELL_NOTED: SignedDuration = SignedDuration::from_mins(30);
/// Calls at once to a receiver that is not known to be well: so many of a runner's places one receiver can take
/// that never answers.
pub const TRIED_AT_ONCE: usize = 3;
/// After so long without an answer a receiver is no longer known to be well: longer than most of them take.
pub const SILENT_AFTER: SignedDuration = SignedDuration::from_secs(2);
/// The longest that a call takes (docs/adr/0015): those that wait for one that is slow look again then.
const CALL_MAX: SignedDuration = SignedDuration::from_secs(15);
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
    /// When it took something last, to half an hour; none once a call was silent for long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub well_at: Option<Timestamp>,
    /// Calls under way that show how it does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trying: Vec<Trying>,
}

/// A call under way to a receiver that is not known to be well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trying {
    /// The attempt.
    pub by: AttemptId,
    /// Since when.
    pub since: Timestamp,
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
    /// It is one that shows how the receiver does: once this is written. Beyond a few, others wait for it.
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
    /// It was not made after all, or says nothing of how the receiver does.
    Nothing,
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

    /// Whether a run may be sent `now`. Once a circuit has rested one call goes first, and few go at once while the
    /// receiver is not known to be well.
    #[must_use]
    pub fn admits(
        &self,
        by: &AttemptId,
        now: Timestamp,
        mended_at: Option<Timestamp>,
        jitter: f64,
    ) -> Admission {
        let failing = self.failing_since(mended_at);
        let Some((failing, cooling)) = failing.and_then(|f| Some((f, f.cooling?))) else {
            return self.admits_a_few(by, now, mended_at, jitter);
        };
        if cooling.until > now {
            let over = cooling.until.duration_since(now).min(SPREAD_MAX);
            return Admission::Rests(later(cooling.until, fraction_of(over, jitter)));
        }
        let cooling = Some(Cooling { until: later(now, PROBE), probing: true, ..cooling });
        let failing = Some(Failing { cooling, ..failing.clone() });
        Admission::Probe(Self { failing, trying: Vec::new(), ..self.next(by) })
    }

    fn admits_a_few(
        &self,
        by: &AttemptId,
        now: Timestamp,
        mended_at: Option<Timestamp>,
        jitter: f64,
    ) -> Admission {
        if self.is_well(now, mended_at) {
            return Admission::Free;
        }
        let mut trying = self.under_way(now, mended_at);
        let (first, last) = (trying.first().map(|call| call.since), trying.last().map(|call| call.since));
        match (first, last) {
            (Some(first), Some(last)) if trying.len() >= TRIED_AT_ONCE => {
                // Most answer in a moment; one that has not may be as long about it as a call may take.
                let soon = later(now, SILENT_AFTER);
                let until =
                    if now < later(last, SILENT_AFTER) { soon } else { soon.max(later(first, CALL_MAX)) };
                Admission::Rests(later(until, fraction_of(SILENT_AFTER, jitter)))
            }
            _ => {
                trying.push(Trying { by: by.clone(), since: now });
                Admission::Probe(Self { trying, ..self.next(by) })
            }
        }
    }

    /// Whether it took something lately, and nothing speaks against it since.
    fn is_well(&self, now: Timestamp, mended_at: Option<Timestamp>) -> bool {
        let lately = |at: Timestamp| later(at, WELL_FOR) > now && mended_at.is_none_or(|mended| at >= mended);
        self.failing_since(mended_at).is_none() && self.well_at.is_some_and(lately)
    }

    /// The calls that may still be under way, the first one first.
    fn under_way(&self, now: Timestamp, mended_at: Option<Timestamp>) -> Vec<Trying> {
        let counts = |call: &&Trying| {
            later(call.since, PROBE) > now && mended_at.is_none_or(|mended| call.since >= mended)
        };
        self.trying.iter().filter(counts).cloned().collect()
    }

    /// The same, to be changed and written by this attempt.
    fn next(&self, by: &AttemptId) -> Self {
        Self { version: self.version.saturating_add(1), by: Some(by.clone()), ..self.clone() }
    }

    /// What it changes that a call has had no answer for [`SILENT_AFTER`]: others go a few at a time from now on.
    /// Nothing if they do already.
    #[must_use]
    pub fn silent(&self, by: &AttemptId, since: Timestamp, mended_at: Option<Timestamp>) -> Option<Self> {
        let well = self.is_well(since, mended_at);
        let trying = vec![Trying { by: by.clone(), since }];
        well.then(|| Self { well_at: None, trying, ..self.next(by) })
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
        let (error, strain) = match heard {
            Heard::Success => return self.taken(by, now),
            Heard::Nothing => return self.left(by, now),
            Heard::Failure { error, strain } => (error, strain),
        };
        let was = self.failing_since(mended_at);
        let mut failing = was.cloned().unwrap_or_else(|| Failing {
            since: now,
            error: truncated(error, ERROR_MAX),
            cooling: None,
            notices: Vec::new(),
        });
        failing.cooling = opened(failing.cooling, now, strain, was.is_some());
        let tell = failing.notice(now);
        failing.notices.extend(tell);
        let trying = self.others(by);
        let changed = was != Some(&failing) || trying != self.trying;
        changed.then(|| Step { health: Self { failing: Some(failing), trying, ..self.next(by) }, tell })
    }

    /// No call of this attempt is under way any more. If it was the one that all others wait for, the next may go.
    fn left(&self, by: &AttemptId, now: Timestamp) -> Option<Step> {
        let (trying, mut failing) = (self.others(by), self.failing.clone());
        let cooling = failing.as_mut().and_then(|failing| failing.cooling.as_mut());
        if let Some(cooling) = cooling.filter(|cooling| cooling.probing && self.by.as_ref() == Some(by)) {
            cooling.until = cooling.until.min(now);
        }
        let changed = trying != self.trying || failing != self.failing;
        changed.then(|| Step { health: Self { trying, failing, ..self.next(by) }, tell: None })
    }

    /// The calls under way without this one.
    fn others(&self, by: &AttemptId) -> Vec<Trying> {
        self.trying.iter().filter(|call| call.by != *by).cloned().collect()
    }

    fn taken(&self, by: &AttemptId, now: Timestamp) -> Option<Step> {
        let known = self.well_at.is_some_and(|at| later(at, WELL_NOTED) > now);
        let changed = self.failing.is_some() || !self.trying.is_empty() || !known;
        let well = || Self { failing: None, well_at: Some(now), trying: Vec::new(), ..self.next(by) };
        changed.then(|| Step { health: well(), tell: None })
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
        let well = after(&[(0, Heard::Success)]);
        assert_eq!(well.heard(&me(), at(1_799), None, Heard::Success), None);
        let noted = well.heard(&me(), at(1_800), None, Heard::Success).unwrap();
        assert_eq!(
            (noted.health.well_at, noted.health.version),
            (Some(at(1_800)), 2),
            "known to half an hour"
        );
        let failing = after(&[(0, fails(Strain::None))]);
        assert_eq!(failing.failing.as_ref().unwrap().since, at(0));
        assert_eq!(failing.heard(&me(), at(3_600), None, fails(Strain::None)), None);
        let well = failing.heard(&me(), at(3_601), None, Heard::Success).unwrap();
        assert_eq!((well.health.failing, well.health.version, well.tell), (None, 2, None));
    }

    #[test]
    fn law_16_an_attempt_that_calls_nobody_leaves_its_place_and_nothing_else() {
        let Admission::Probe(tried) = Health::default().admits(&me(), at(0), None, 0.0) else { panic!() };
        let left = tried.heard(&me(), at(0), None, Heard::Nothing).unwrap();
        assert_eq!((left.tell, left.health.version), (None, 2));
        assert_eq!(left.health, Health { by: Some(me()), version: 2, ..Health::default() });
        assert_eq!(left.health.heard(&me(), at(0), None, Heard::Nothing), None, "it has none");
        // The one that goes first after a rest.
        let rests = after(&[(0, fails(Strain::Busy(None)))]);
        let Admission::Probe(probed) = rests.admits(&me(), at(30), None, 0.0) else { panic!() };
        let other = AttemptId::from_body("b").unwrap();
        assert!(matches!(probed.admits(&other, at(31), None, 0.0), Admission::Rests(_)));
        let left = probed.heard(&me(), at(31), None, Heard::Nothing).unwrap();
        assert!(matches!(left.health.admits(&other, at(31), None, 0.0), Admission::Probe(_)));
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
    }

    /// As it is after these attempts have asked whether they may go, each at its second, and who of them may.
    fn asked(health: Health, asking: &[(&str, i64)]) -> (Health, Vec<bool>) {
        let mut may = Vec::new();
        let after = asking.iter().fold(health, |health, (by, second)| {
            let admission = health.admits(&AttemptId::from_body(by).unwrap(), at(*second), None, 0.5);
            may.push(!matches!(admission, Admission::Rests(_)));
            if let Admission::Probe(next) = admission { next } else { health }
        });
        (after, may)
    }

    #[test]
    fn law_16_few_go_at_once_until_a_receiver_is_known_to_be_well() {
        let four = [("a", 0), ("b", 0), ("c", 1), ("d", 1)];
        for unknown in [Health::default(), after(&[(-2, Heard::Success), (-1, fails(Strain::None))])] {
            let (trying, may) = asked(unknown, &four);
            assert_eq!(may, [true, true, true, false]);
            // Any of them that is taken lets all go, and a failure lets one more go.
            let taken =
                trying.heard(&AttemptId::from_body("b").unwrap(), at(2), None, Heard::Success).unwrap();
            assert_eq!(admitted(&taken.health, 2), Admission::Free);
            let failed =
                trying.heard(&AttemptId::from_body("b").unwrap(), at(2), None, fails(Strain::None)).unwrap();
            assert_eq!(asked(failed.health, &[("d", 2), ("e", 2)]).1, [true, false]);
            assert_eq!(asked(trying, &[("d", 29), ("e", 30)]).1, [false, true], "one that never came back");
        }
    }

    #[test]
    fn law_16_what_waits_for_calls_under_way_looks_again_in_a_moment_and_then_when_they_must_be_over() {
        let (trying, _) = asked(Health::default(), &[("a", 0), ("b", 0), ("c", 1)]);
        for (second, until) in [(1, 3), (2, 4), (3, 15), (14, 16)] {
            for jitter in [0.0, 0.5, 1.0] {
                let Admission::Rests(due) = trying.admits(&me(), at(second), None, jitter) else {
                    panic!("goes")
                };
                let wait = due.duration_since(at(until)).as_secs();
                assert!((0..=2).contains(&wait), "{second}: {due}");
            }
        }
    }

    #[test]
    fn law_16_a_receiver_that_falls_silent_is_no_longer_known_to_be_well_until_it_takes_something() {
        let well = after(&[(0, Heard::Success)]);
        assert_eq!(
            (admitted(&well, 3_599), matches!(admitted(&well, 3_600), Admission::Probe(_))),
            (Admission::Free, true)
        );
        let silent = well.silent(&me(), at(60), None).unwrap();
        assert_eq!(silent.silent(&me(), at(61), None), None, "said before");
        assert_eq!(asked(silent.clone(), &[("a", 62), ("b", 62), ("c", 62)]).1, [true, true, false]);
        let slow = silent.heard(&me(), at(65), None, Heard::Success).unwrap().health;
        assert_eq!((admitted(&slow, 65), slow.trying), (Admission::Free, Vec::new()));
        assert_eq!(well.silent(&me(), at(60), Some(at(30))), None, "another address is not known at all");
    }

    #[test]
    fn law_16_once_it_has_rested_one_call_goes_first_and_says_how_it_goes_on() {
        let health = after(&[(0, fails(Strain::Busy(None)))]);
        let Admission::Probe(probing) = admitted(&health, 30) else { panic!("rests") };
        assert!(matches!(admitted(&probing, 31), Admission::Rests(_)), "the others wait");
        let next = |heard| probing.heard(&me(), at(40), None, heard).unwrap().health;
        assert_eq!(admitted(&next(Heard::Success), 40), Admission::Free);
        assert!(matches!(admitted(&next(fails(Strain::None)), 40), Admission::Probe(_)), "it answers");
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
        assert!(matches!(health.admits(&me(), at(11), mended, 0.5), Admission::Probe(_)));
        assert!(!health.is_over(mended));
        let step = health.heard(&me(), at(6 * DAY), mended, fails(Strain::None)).unwrap();
        assert_eq!((step.tell, step.health.failing.unwrap().since), (None, at(6 * DAY)));
    }
}
