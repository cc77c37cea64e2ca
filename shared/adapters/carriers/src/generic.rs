//! Our own documented format (docs/carriers.md): one report, in the words that we use ourselves.

use jiff::Timestamp;
use serde_json::Value;
use stagepost_app::inbound::TrackingReading;
use stagepost_domain::fact::TrackingFact;
use stagepost_domain::package::{PackageSeen, TrackingStatus};
use stagepost_domain::text::tidy;

use crate::{DETAIL_MAX, offset, text, unreadable};

/// Reads a report whose signature has been checked.
///
/// Here the format is ours: a status that is misspelt is a fault of its sender, who is told of it in the
/// quarantine, and not a state that nobody knows.
#[must_use]
pub fn read_generic(body: &[u8]) -> TrackingReading {
    let Ok(report) = serde_json::from_slice::<Value>(body) else { return unreadable("not JSON") };
    let (url, carrier) = (text(&report, "url"), text(&report, "carrier"));
    let seen = PackageSeen::parse(text(&report, "tracking_number"), url, carrier);
    let Some(PackageSeen { number: Some(number), url, carrier }) = seen else {
        return unreadable("tracking_number is missing");
    };
    let status = text(&report, "status").map(Value::from);
    let Some(status) = status.and_then(|word| serde_json::from_value::<TrackingStatus>(word).ok()) else {
        return unreadable("status is not one of the documented words");
    };
    let told = text(&report, "occurred_at");
    let Some(occurred_at) = told.and_then(|at| at.parse::<Timestamp>().ok()) else {
        return unreadable("occurred_at is not a time with its offset (RFC 3339)");
    };
    let detail = text(&report, "detail").and_then(|words| tidy(words, DETAIL_MAX));
    TrackingReading::Fact(TrackingFact {
        number,
        carrier,
        status,
        occurred_at,
        url,
        detail,
        offset: told.and_then(offset),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(report: &str) -> TrackingReading {
        read_generic(report.as_bytes())
    }

    #[test]
    fn a_report_is_read_as_documented() {
        let report = r#"{"tracking_number":" 1Z 999 ","status":"out_for_delivery","occurred_at":"2026-11-20T18:00:00+01:00",
            "carrier":"UPS","url":"https://track.test/1Z999","detail":"On the\nvan","more":[1]}"#;
        let TrackingReading::Fact(fact) = read(report) else { panic!("it does not read") };
        assert_eq!((fact.number.as_str(), fact.status), ("1Z 999", TrackingStatus::OutForDelivery));
        assert_eq!(fact.occurred_at, "2026-11-20T17:00:00Z".parse().unwrap());
        assert_eq!(fact.offset, Some(60));
        assert_eq!((fact.carrier.as_deref(), fact.detail.as_deref()), (Some("UPS"), Some("On the van")));
        assert_eq!(fact.url.as_deref(), Some("https://track.test/1Z999"));
    }

    #[test]
    fn every_status_has_its_documented_word() {
        let words = [
            ("unknown", TrackingStatus::Unknown),
            ("pre_transit", TrackingStatus::PreTransit),
            ("in_transit", TrackingStatus::InTransit),
            ("out_for_delivery", TrackingStatus::OutForDelivery),
            ("available_for_pickup", TrackingStatus::AvailableForPickup),
            ("attempt_failed", TrackingStatus::AttemptFailed),
            ("exception", TrackingStatus::Exception),
            ("cancelled", TrackingStatus::Cancelled),
            ("delivered", TrackingStatus::Delivered),
            ("return_to_sender", TrackingStatus::ReturnToSender),
        ];
        let documented = include_str!("../../../../docs/carriers.md");
        for (word, status) in words {
            let report = format!(
                r#"{{"tracking_number":"1","status":"{word}","occurred_at":"2026-11-20T17:00:00Z"}}"#
            );
            let TrackingReading::Fact(fact) = read(&report) else { panic!("{word} does not read") };
            assert_eq!((fact.status, fact.carrier, fact.url, fact.detail), (status, None, None, None));
            assert!(documented.contains(&format!("`{word}`")), "{word} is not documented");
        }
    }

    #[test]
    fn what_is_wrong_is_named_without_its_content() {
        let cases = [
            ("", "not JSON"),
            ("[]", "tracking_number"),
            (r#"{"status":"delivered","occurred_at":"2026-11-20T17:00:00Z"}"#, "tracking_number"),
            (
                r#"{"tracking_number":"---","status":"delivered","occurred_at":"2026-11-20T17:00:00Z"}"#,
                "tracking_number",
            ),
            (
                r#"{"tracking_number":"SECRET","status":"Delivered","occurred_at":"2026-11-20T17:00:00Z"}"#,
                "status",
            ),
            (
                r#"{"tracking_number":"SECRET","status":"lost","occurred_at":"2026-11-20T17:00:00Z"}"#,
                "status",
            ),
            (r#"{"tracking_number":"SECRET","occurred_at":"2026-11-20T17:00:00Z"}"#, "status"),
            (r#"{"tracking_number":"SECRET","status":"delivered"}"#, "occurred_at"),
            (
                r#"{"tracking_number":"SECRET","status":"delivered","occurred_at":"2026-11-20T17:00:00"}"#,
                "occurred_at",
            ),
            (r#"{"tracking_number":"SECRET","status":"delivered","occurred_at":1795194000}"#, "occurred_at"),
        ];
        for (report, named) in cases {
            let TrackingReading::Unreadable { reason } = read(report) else { panic!("{report} was read") };
            assert!(reason.contains(named) && !reason.contains("SECRET"), "{report}: {reason}");
        }
    }
}
