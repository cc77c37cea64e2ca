//! Carriers' notifications, read, and their services, called. One module for each service that an
//! integration can speak.
//!
//! Payloads are walked and not deserialised: a field that we do not need may take any shape without making the
//! parcel's state unreadable.

mod easypost;
mod easypost_api;
mod generic;

use jiff::fmt::temporal::{Pieces, PiecesOffset};
use serde_json::Value;
use stagepost_app::inbound::TrackingReading;

pub use easypost::read_easypost;
pub use easypost_api::{EasyPostBase, EasyPostClient};
pub use generic::read_generic;

/// Longest description that is kept, in bytes.
const DETAIL_MAX: usize = 200;

/// Text that is there and not empty.
fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// Minutes that the clock of a time is ahead of UTC, if it says so itself. `Z` says nothing of where the parcel was;
/// many carriers even write it behind a local time (integrations §5.3).
fn offset(time: &str) -> Option<i16> {
    match Pieces::parse(time).ok()?.offset()? {
        PiecesOffset::Numeric(told) => i16::try_from(told.offset().seconds() / 60).ok(),
        _ => None,
    }
}

/// `reason` is in our own words: the payload's may name people.
fn unreadable(reason: &str) -> TrackingReading {
    TrackingReading::Unreadable { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::offset;

    #[test]
    fn a_clock_is_only_known_where_a_time_says_how_far_it_is_from_utc() {
        for (time, minutes) in [
            ("2026-11-20T18:00:00+01:00", Some(60)),
            ("2026-11-20T18:00:00-03:30", Some(-210)),
            ("2026-11-20T18:00:00+00:00", Some(0)),
            ("2026-11-20T18:00:00Z", None),
            ("2026-11-20T18:00:00", None),
            ("yesterday", None),
        ] {
            assert_eq!(offset(time), minutes, "{time}");
        }
    }
}
