//! EasyPost (integrations §5.1): a tracker as it stands now, in an event about its change.

use jiff::Timestamp;
use serde_json::Value;
use stagepost_app::inbound::TrackingReading;
use stagepost_domain::fact::TrackingFact;
use stagepost_domain::package::{PackageSeen, TrackingStatus};
use stagepost_domain::text::tidy;

use crate::{DETAIL_MAX, offset, text, unreadable};

/// Reads a notification whose signature has been checked.
///
/// The payload is walked and not deserialised: a field that we do not need may take any shape without
/// making the parcel's state unreadable.
#[must_use]
pub fn read_easypost(body: &[u8]) -> TrackingReading {
    let Ok(payload) = serde_json::from_slice::<Value>(body) else { return unreadable("not JSON") };
    match text(&payload, "object") {
        Some("Event") => read_event(&payload),
        // A tracker on its own is what the API answers with; signed, it means the same.
        Some("Tracker") => read_tracker(&payload, None),
        Some(_) => TrackingReading::UnknownTopic,
        None => unreadable("not an EasyPost object"),
    }
}

fn read_event(event: &Value) -> TrackingReading {
    match text(event, "description") {
        Some("tracker.updated" | "tracker.created") => {}
        Some(_) => return TrackingReading::UnknownTopic,
        None => return unreadable("the event has no description"),
    }
    match event.get("result").filter(|result| result.is_object()) {
        Some(tracker) => {
            read_tracker(tracker, time(event, "updated_at").or_else(|| time(event, "created_at")))
        }
        None => unreadable("the event has no tracker"),
    }
}

fn read_tracker(tracker: &Value, told_at: Option<Timestamp>) -> TrackingReading {
    // The same tidying as for a parcel that a shop tells of, so that the two are found to be one.
    let seen = PackageSeen::parse(
        text(tracker, "tracking_code"),
        text(tracker, "public_url"),
        text(tracker, "carrier"),
    );
    let Some(PackageSeen { number: Some(number), url, carrier }) = seen else {
        return unreadable("the tracker has no tracking code");
    };
    let word = text(tracker, "status").unwrap_or_default();
    let scan = newest_scan(tracker, word);
    let when = scan.map(|(at, _)| at).or_else(|| time(tracker, "updated_at")).or(told_at);
    let Some(occurred_at) = when else { return unreadable("the tracker has no time") };
    let detail = detail(tracker, scan.map(|(_, scan)| scan));
    let offset = scan.and_then(|(_, scan)| offset(text(scan, "datetime")?));
    TrackingReading::Fact(TrackingFact {
        number,
        carrier,
        status: status(word),
        occurred_at,
        url,
        detail,
        offset,
    })
}

/// The scan that brought the tracker to its status. Its time is the carrier's; the order of the list is not
/// promised, so the newest is looked for.
fn newest_scan<'a>(tracker: &'a Value, status: &str) -> Option<(Timestamp, &'a Value)> {
    let scans = tracker.get("tracking_details")?.as_array()?;
    scans
        .iter()
        .filter(|scan| text(scan, "status") == Some(status))
        .filter_map(|scan| Some((time(scan, "datetime")?, scan)))
        .max_by_key(|(at, _)| *at)
}

/// The carrier's own words: the finer status, else the scan's message.
fn detail(tracker: &Value, scan: Option<&Value>) -> Option<String> {
    let finer = text(tracker, "status_detail").filter(|detail| *detail != "unknown");
    finer.or_else(|| text(scan?, "message")).and_then(|words| tidy(words, DETAIL_MAX))
}

/// Integrations §5.0, column EasyPost. A status of tomorrow is *unknown*, never an error.
fn status(word: &str) -> TrackingStatus {
    match word {
        "pre_transit" => TrackingStatus::PreTransit,
        "in_transit" => TrackingStatus::InTransit,
        "out_for_delivery" => TrackingStatus::OutForDelivery,
        "available_for_pickup" => TrackingStatus::AvailableForPickup,
        "delivered" => TrackingStatus::Delivered,
        "return_to_sender" => TrackingStatus::ReturnToSender,
        "failure" | "error" => TrackingStatus::Exception,
        "cancelled" => TrackingStatus::Cancelled,
        _ => TrackingStatus::Unknown,
    }
}

fn time(value: &Value, key: &str) -> Option<Timestamp> {
    text(value, key)?.parse().ok()
}

#[cfg(test)]
mod tests;
