//! How long a shop keeps what it has.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::flow::Flow;
use crate::order::{Lifecycle, Order, Placement};
use crate::run::later;

/// How often what is kept no longer is erased.
pub const RETAIN_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// Longest time, in days, that the log of calls and the quarantine are kept; and how long unless said.
pub const LOGS_DAYS_MAX: u16 = 30;
/// Longest time, in days, that an order's personal data can be told to be kept. Without a word it is kept for ever.
pub const ORDERS_DAYS_MAX: u16 = 3_650;

/// How long things of a shop are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Retention {
    /// Days that calls of endpoints are logged for, 1 to 30.
    pub attempts_days: u16,
    /// Days that notifications are kept for that could not be read, 1 to 30.
    pub quarantine_days: u16,
    /// Days after an order came to rest until its personal data is erased, 1 to 3650; null for never.
    pub orders_days: Option<u16>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { attempts_days: LOGS_DAYS_MAX, quarantine_days: LOGS_DAYS_MAX, orders_days: None }
    }
}

impl Retention {
    /// Whether anything goes sooner than it would by itself.
    #[must_use]
    pub fn erases(&self) -> bool {
        *self != Self::default()
    }

    /// Whether it says nothing but what goes without saying.
    #[must_use]
    pub fn is_default(&self) -> bool {
        !self.erases()
    }
}

/// So many days before `now`.
#[must_use]
pub fn days_ago(now: Timestamp, days: u16) -> Timestamp {
    let by = SignedDuration::from_hours(24 * i64::from(days));
    now.checked_sub(by).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Whether what came to rest then has been at rest for so many days.
#[must_use]
pub fn is_over(rested: Timestamp, days: u16, now: Timestamp) -> bool {
    later(rested, SignedDuration::from_hours(24 * i64::from(days))) <= now
}

/// Whether nothing more is to come of an order by itself: it is cancelled or in the trash, or stands in the last stage
/// of its flow, and neither a hold nor a lock is on it.
#[must_use]
pub fn is_at_rest(order: &Order, flow: Option<&Flow>) -> bool {
    let in_last_stage = match &order.placement {
        Placement::Placed { stage, .. } => flow.is_some_and(|flow| {
            flow.position(stage).is_some_and(|at| at.saturating_add(1) == flow.stages.len())
        }),
        Placement::Awaiting | Placement::Untriaged => false,
    };
    let ended = order.lifecycle != Lifecycle::Open;
    (ended || in_last_stage) && order.hold.is_none() && order.fulfillment.lock.is_none()
}
