//! What an audit remembers between its passes: how far the last ones looked, and what they found.
//!
//! An audit asks of every order whether all that it decided is there and whether what is to be done still stands
//! where the sweep finds it. Most passes look at what is new; once a week one looks at all orders under way.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::run::later;

/// How often a shop's orders are audited.
pub const AUDIT_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// How often a pass looks at all orders under way, and not at those alone that came into their stage since the last.
pub const DEEP_EVERY: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How far a pass looks back behind the beginning of the one before it.
pub const AUDIT_OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// An order that came into its stage longer ago is looked at by the first pass of all and by no other.
pub const UNDER_WAY: SignedDuration = SignedDuration::from_hours(30 * 24);
/// An open run that is overdue by more has been left lying. What waits for a reason is given a new time at each
/// look: on hold, its mails paused, its endpoint failing, its sender's rate used up.
pub const OVERDUE_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// What a pass, or a part of it, came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Audited {
    /// Orders looked at.
    pub orders: u64,
    /// Events looked at.
    pub events: u64,
    /// What was not as it must be.
    pub findings: u64,
    /// Of these, put right.
    pub mended: u64,
}

impl Audited {
    /// The sum of both.
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        Self {
            orders: self.orders.saturating_add(more.orders),
            events: self.events.saturating_add(more.events),
            findings: self.findings.saturating_add(more.findings),
            mended: self.mended.saturating_add(more.mended),
        }
    }
}

/// A pass under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pass {
    /// When it began.
    pub began_at: Timestamp,
    /// Whether it looks at all orders under way.
    pub deep: bool,
    /// What it came to so far.
    #[serde(flatten)]
    pub so_far: Audited,
}

/// A shop's audit, between two passes or in one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Audit {
    /// When the last pass began that is over; none before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When the last pass over all orders under way began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deep_since: Option<Timestamp>,
    /// The pass under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pass: Option<Pass>,
    /// What the last whole pass came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Audited>,
}

/// How far back a pass looks; nowhere ends where there is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reach {
    /// At orders that came into their stage since then.
    pub orders: Option<Timestamp>,
    /// At their events of since then.
    pub events: Option<Timestamp>,
}

impl Audit {
    /// The pass under way, or the one that begins now.
    #[must_use]
    pub fn pass(&self, now: Timestamp) -> Pass {
        let deep = self.deep_since.is_none_or(|last| now >= later(last, DEEP_EVERY - AUDIT_OVERLAP / 2));
        self.pass.clone().unwrap_or(Pass { began_at: now, deep, so_far: Audited::default() })
    }

    /// How far back it looks.
    #[must_use]
    pub fn reach(&self, pass: &Pass) -> Reach {
        let before = |at: Timestamp, by: SignedDuration| at.checked_sub(by).unwrap_or(Timestamp::UNIX_EPOCH);
        match (pass.deep, self.deep_since, self.since) {
            (true, Some(last), _) => {
                Reach { orders: Some(before(last, UNDER_WAY)), events: Some(before(last, AUDIT_OVERLAP)) }
            }
            (false, _, Some(last)) => {
                let since = Some(before(last, AUDIT_OVERLAP));
                Reach { orders: since, events: since }
            }
            // The first: at everything.
            (true, None, _) | (false, _, None) => Reach::default(),
        }
    }

    /// After a page of `pass` that came to `page`.
    #[must_use]
    pub fn passed(&self, pass: &Pass, page: Audited, at_end: bool) -> Self {
        let so_far = pass.so_far.plus(page);
        if !at_end {
            return Self { pass: Some(Pass { so_far, ..pass.clone() }), ..self.clone() };
        }
        let deep_since = if pass.deep { Some(pass.began_at) } else { self.deep_since };
        Self { since: Some(pass.began_at), deep_since, pass: None, last: Some(so_far) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        later(Timestamp::UNIX_EPOCH, SignedDuration::from_hours(10_000 + hours))
    }

    fn counted(orders: u64) -> Audited {
        Audited { orders, events: 2 * orders, findings: 1, mended: 0 }
    }

    /// One whole pass of two pages.
    fn passed(audit: &Audit, hour: i64) -> (Audit, Reach, bool) {
        let pass = audit.pass(at(hour));
        let reach = audit.reach(&pass);
        let half = audit.passed(&pass, counted(3), false);
        let pass = half.pass(at(hour + 1));
        assert_eq!(
            (pass.began_at, half.reach(&pass)),
            (at(hour), reach),
            "a pass keeps its reach to its end"
        );
        let whole = half.passed(&pass, counted(4), true);
        assert_eq!((whole.last, &whole.pass), (Some(counted(3).plus(counted(4))), &None));
        (whole, reach, pass.deep)
    }

    #[test]
    fn the_first_pass_looks_at_everything_and_the_others_at_what_is_new_and_weekly_at_what_is_under_way() {
        let (first, reach, deep) = passed(&Audit::default(), 0);
        assert_eq!((reach, deep), (Reach::default(), true));
        let mut audit = first;
        for day in 1..7 {
            let (next, reach, deep) = passed(&audit, 24 * day);
            let since = Some(at(24 * day - 48));
            assert_eq!((reach, deep), (Reach { orders: since, events: since }, false), "day {day}");
            audit = next;
        }
        let (_, reach, deep) = passed(&audit, 24 * 7);
        assert!(deep);
        assert_eq!(reach, Reach { orders: Some(at(-30 * 24)), events: Some(at(-24)) });
    }

    #[test]
    fn no_event_is_left_out_between_two_passes_however_late_they_come() {
        let (first, ..) = passed(&Audit::default(), 0);
        for late in [24, 100, 167, 168, 5_000] {
            let pass = first.pass(at(late));
            let reach = first.reach(&pass);
            assert!(reach.events <= Some(at(0)) && reach.orders <= Some(at(0)), "{late}: {reach:?}");
        }
    }

    #[test]
    fn an_audit_is_read_back_as_it_was_written_and_one_of_nothing_too() {
        let audit = Audit::default();
        let half = audit.passed(&audit.pass(at(0)), counted(3), false);
        for audit in [audit, half] {
            let text = serde_json::to_string(&audit).unwrap();
            assert_eq!(serde_json::from_str::<Audit>(&text).unwrap(), audit, "{text}");
        }
    }
}
