//! What an inbound adapter makes of a notification.

use stagepost_domain::fact::{Fact, TrackingFact};
use stagepost_domain::order::Source;
use stagepost_domain::outcome::NoOpReason;

/// An order notification, read.
#[expect(clippy::large_enum_variant, reason = "made once per request and consumed at once")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// A fact about one order.
    Fact {
        /// Which order.
        source: Source,
        /// The fact.
        fact: Fact,
    },
    /// Nothing to us, and why.
    NoOp(NoOpReason),
    /// A topic that we do not follow.
    UnknownTopic,
    /// Authentic, but not what its topic promises.
    Unreadable {
        /// In words, without the payload's content.
        reason: String,
    },
}

/// A carrier notification, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrackingReading {
    /// A parcel's state.
    Fact(TrackingFact),
    /// Some other event of the carrier's service.
    UnknownTopic,
    /// Authentic, but not what it promises.
    Unreadable {
        /// In words, without the payload's content.
        reason: String,
    },
}
