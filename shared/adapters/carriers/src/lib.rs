//! Carriers' notifications, read, and their services, called. One module for each service that an
//! integration can speak.
//!
//! Payloads are walked and not deserialised: a field that we do not need may take any shape without making the
//! parcel's state unreadable.

mod easypost;
mod easypost_api;
mod generic;

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

/// `reason` is in our own words: the payload's may name people.
fn unreadable(reason: &str) -> TrackingReading {
    TrackingReading::Unreadable { reason: reason.to_owned() }
}
