//! The canary: an order that a deployment writes for itself every quarter of an hour, and whose mail tells whether
//! everything between the two still works: table, stream, queue, runner, mail provider.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::event::{Action, Event};
use crate::id::FlowId;
use crate::run::{RunState, later};

/// How often a canary order is written. By then the one before must have sent its mail.
pub const CANARY_EVERY: SignedDuration = SignedDuration::from_mins(15);
/// The objective of a deployment: a mail leaves within this of the end of its grace. A message that a queue or the
/// stream loses costs a minute, until the sweep.
pub const LEAVES_WITHIN: SignedDuration = SignedDuration::from_secs(60);
/// The same from the event to the mail, whatever the grace of the canary's shop is.
pub const MAILED_WITHIN: SignedDuration = SignedDuration::from_secs(90);
/// Canary orders that are kept, which is a day of them.
pub const CANARIES_KEPT: u64 = 96;
/// Where a canary's mail goes unless its shop's settings say another address: SES's own simulator, which takes it and
/// counts it in no statistic.
pub const CANARY_ADDRESS: &str = "success@simulator.amazonses.com";

/// What the canary job remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Canary {
    /// The flow of its orders: its default stage mails.
    pub flow: FlowId,
    /// Orders written so far; each is named by its number, so that a turn taken twice writes one.
    #[serde(default)]
    pub turn: u64,
    /// The oldest order that is still there.
    #[serde(default)]
    pub oldest: u64,
    /// What the last look came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Heard>,
}

/// What became of a canary's mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "canary", rename_all = "snake_case")]
pub enum Heard {
    /// It left in time.
    Ok {
        /// From the event to the mail, in milliseconds.
        lag_ms: i64,
    },
    /// It left, too late.
    Late {
        /// From the event to the mail, in milliseconds.
        lag_ms: i64,
    },
    /// It has not left by now, nobody knows, or its order is not there.
    Failed,
}

impl Heard {
    /// What became of the mail of a canary order's first event, where mails have this grace.
    #[must_use]
    pub fn of(event: Option<&Event>, grace: SignedDuration) -> Self {
        let Some(event) = event else { return Self::Failed };
        let mut mails = event.latest_runs().filter(|(key, _)| key.action() == Action::Email);
        let Some(RunState::Succeeded { at, .. }) = mails.next().map(|(_, run)| &run.state) else {
            return Self::Failed;
        };
        let lag = at.duration_since(event.at);
        let lag_ms = i64::try_from(lag.as_millis()).unwrap_or(i64::MAX);
        let late = lag > MAILED_WITHIN || *at > later(later(event.at, grace), LEAVES_WITHIN);
        if late { Self::Late { lag_ms } } else { Self::Ok { lag_ms } }
    }

    /// Stable word, for the log.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Ok { .. } => "ok",
            Self::Late { .. } => "late",
            Self::Failed => "failed",
        }
    }

    /// From the event to the mail, in milliseconds, if it left.
    #[must_use]
    pub fn lag_ms(self) -> Option<i64> {
        match self {
            Self::Ok { lag_ms } | Self::Late { lag_ms } => Some(lag_ms),
            Self::Failed => None,
        }
    }
}

impl Canary {
    /// A canary that has not sung yet.
    #[must_use]
    pub fn new(flow: FlowId) -> Self {
        Self { flow, turn: 0, oldest: 1, last: None }
    }

    /// The own id of the order of that number.
    #[must_use]
    pub fn external_id(turn: u64) -> String {
        format!("canary-{turn}")
    }

    /// The orders that are to go before the next is written, oldest first, at most `limit`.
    #[must_use]
    pub fn outlived(&self, limit: usize) -> Vec<u64> {
        let first = self.oldest.max(1);
        (first..).take(limit).take_while(|n| n.saturating_add(CANARIES_KEPT) <= self.turn).collect()
    }

    /// After a turn: one order more, and those up to `gone` less.
    #[must_use]
    pub fn sung(&self, gone: Option<u64>, last: Option<Heard>) -> Self {
        let oldest = gone.map_or(self.oldest, |gone| gone.saturating_add(1));
        Self { flow: self.flow.clone(), turn: self.turn.saturating_add(1), oldest, last: last.or(self.last) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use jiff::Timestamp;

    use crate::event::{Cause, Change};
    use crate::id::{OrderId, ShopId, TemplateId};
    use crate::run::{Run, RunKey, Target};

    const GRACE: SignedDuration = SignedDuration::from_secs(10);

    fn mailed(state: RunState) -> Event {
        let key = RunKey::first(Target::Email(TemplateId::from_body("a").unwrap()));
        let run = Run { state, ..Run::pending(Timestamp::UNIX_EPOCH, 1) };
        Event {
            order: OrderId::from_body("a").unwrap(),
            shop: ShopId::from_body("a").unwrap(),
            seq: 1,
            at: Timestamp::UNIX_EPOCH,
            fact_at: None,
            cause: Cause::Configuration,
            change: Change::Created { silent: false },
            transition: None,
            refused: None,
            tripped: false,
            runs: BTreeMap::from([(key, run)]),
        }
    }

    fn left_after(seconds: i64, grace: SignedDuration) -> Heard {
        let at = Timestamp::from_second(seconds).unwrap();
        Heard::of(Some(&mailed(RunState::Succeeded { at, detail: String::new() })), grace)
    }

    #[test]
    fn a_mail_is_late_a_minute_after_its_grace_and_in_any_case_after_ninety_seconds() {
        assert_eq!(left_after(70, GRACE), Heard::Ok { lag_ms: 70_000 });
        assert_eq!(left_after(71, GRACE), Heard::Late { lag_ms: 71_000 });
        let long = SignedDuration::from_secs(60);
        assert_eq!(left_after(90, long), Heard::Ok { lag_ms: 90_000 });
        assert_eq!(left_after(91, long), Heard::Late { lag_ms: 91_000 });
    }

    #[test]
    fn a_mail_that_has_not_left_has_failed_and_so_has_one_of_which_nobody_knows() {
        let waits = mailed(RunState::Pending { due: Timestamp::UNIX_EPOCH });
        let without = Event { runs: BTreeMap::new(), ..waits.clone() };
        for event in [None, Some(&waits), Some(&without)] {
            assert_eq!((Heard::of(event, GRACE), Heard::Failed.lag_ms()), (Heard::Failed, None));
        }
    }

    #[test]
    fn a_day_of_canaries_is_kept_and_what_was_left_behind_goes_a_few_at_a_time() {
        let canary = |turn, oldest| Canary { turn, oldest, ..Canary::new(FlowId::from_body("a").unwrap()) };
        assert_eq!(canary(0, 1).outlived(4), [] as [u64; 0]);
        assert_eq!(canary(96, 1).outlived(4), [] as [u64; 0]);
        assert_eq!(canary(97, 1).outlived(4), [1]);
        assert_eq!(canary(200, 1).outlived(4), [1, 2, 3, 4]);
        assert_eq!(canary(200, 103).outlived(4), [103, 104]);
        let sung = canary(200, 103).sung(Some(104), Some(Heard::Failed));
        assert_eq!((sung.turn, sung.oldest, sung.last), (201, 105, Some(Heard::Failed)));
    }
}
