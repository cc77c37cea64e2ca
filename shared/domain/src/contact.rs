//! When a store or a carrier service was last heard of: whoever looks at an integration wants to know whether it is
//! alive before anything else.

use jiff::{SignedDuration, Timestamp};

use crate::id::{CarrierId, ChannelId};

/// Something that is connected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum FarEnd {
    /// A sales channel.
    Channel(ChannelId),
    /// A carrier integration.
    Carrier(CarrierId),
}

impl std::fmt::Display for FarEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Channel(id) => id.fmt(f),
            Self::Carrier(id) => id.fmt(f),
        }
    }
}

impl FarEnd {
    /// Reads what [`Display`](std::fmt::Display) writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let carrier = || CarrierId::parse(text).map(Self::Carrier);
        ChannelId::parse(text).map(Self::Channel).or_else(|_| carrier()).ok()
    }
}

/// Who spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// The far end told us something, and it was authentic.
    Inbound,
    /// We told it something, and it was taken.
    Outbound,
}

/// When a far end was last in contact, to [`NOTED`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contact {
    /// Its last authentic notification.
    pub inbound: Option<Timestamp>,
    /// What it last took of us.
    pub outbound: Option<Timestamp>,
}

/// How exactly it is known: not every notification is worth a write.
pub const NOTED: SignedDuration = SignedDuration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_end_is_named_by_its_id() {
        let channel = FarEnd::Channel(ChannelId::from_body("a").unwrap());
        let carrier = FarEnd::Carrier(CarrierId::from_body("a").unwrap());
        for far in [channel, carrier] {
            assert_eq!(FarEnd::parse(&far.to_string()), Some(far));
        }
        assert_eq!(FarEnd::parse("shop_a"), None);
    }
}
