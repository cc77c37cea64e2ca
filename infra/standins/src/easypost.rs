//! EasyPost's reports (integrations §5.1).

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use stagepost_domain::signing::easypost_v1;

use crate::json::time;
use crate::notification::Notification;

/// Signs tracker events.
#[derive(Debug)]
pub struct EasyPost {
    secret: String,
    carrier: String,
    events: AtomicU64,
}

impl EasyPost {
    /// EasyPost with a webhook secret; parcels go by UPS.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self { secret: secret.to_owned(), carrier: "UPS".to_owned(), events: AtomicU64::default() }
    }

    /// The same for another carrier.
    #[must_use]
    pub fn by(self, carrier: &str) -> Self {
        Self { carrier: carrier.to_owned(), ..self }
    }

    /// `tracker.updated`: the parcel `code` has reached `status` (EasyPost's word: `in_transit`,
    /// `delivered`, …) at `at`. Each is an event of its own; post one twice to repeat it.
    #[must_use]
    pub fn event(&self, code: &str, status: &str, at: Timestamp) -> Notification {
        self.event_with(code, status, at, words(status))
    }

    /// The same in the carrier's own words.
    #[must_use]
    pub fn event_with(&self, code: &str, status: &str, at: Timestamp, detail: &str) -> Notification {
        let label = at.checked_sub(SignedDuration::from_hours(20)).unwrap_or(at);
        let mut scans = vec![
            Scan::new("pre_transit", label),
            Scan { detail: detail.to_owned(), ..Scan::new(status, at) },
        ];
        if status == "pre_transit" {
            scans.remove(0);
        }
        let id = tracker_id(self.events.load(Ordering::Relaxed) + 1);
        self.tell("tracker.updated", at, &self.tracker(&id, code, label, &scans))
    }

    /// A signed event about a tracker; each is one of its own.
    pub(crate) fn tell(&self, description: &str, at: Timestamp, tracker: &Value) -> Notification {
        let n = self.events.fetch_add(1, Ordering::Relaxed) + 1;
        let told = zulu(at);
        let event = json!({
            "id": format!("evt_{n:032x}"),
            "object": "Event",
            "mode": "production",
            "description": description,
            "previous_attributes": { "status": "unknown" },
            "pending_urls": [],
            "completed_urls": [],
            "status": "pending",
            "user_id": "user_standin",
            "created_at": told,
            "updated_at": told,
            "result": tracker,
        });
        let body = event.to_string().into_bytes();
        let headers = [
            ("Content-Type", "application/json".to_owned()),
            ("User-Agent", "EasyPost/v2".to_owned()),
            ("X-Hmac-Signature", easypost_v1(&self.secret, &body)),
        ];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Notification { topic: description.to_owned(), headers, body }
    }

    /// A tracker as it stands after these scans, the newest last.
    pub(crate) fn tracker(&self, id: &str, code: &str, created: Timestamp, scans: &[Scan]) -> Value {
        let last = scans.last();
        let status = last.map_or("unknown", |scan| scan.status.as_str());
        json!({
            "id": id,
            "object": "Tracker",
            "mode": "production",
            "tracking_code": code,
            "status": status,
            "status_detail": "unknown",
            "created_at": zulu(created),
            "updated_at": zulu(last.map_or(created, |scan| scan.at.max(created))),
            "signed_by": null,
            "weight": 614.4,
            "est_delivery_date": null,
            "shipment_id": null,
            "carrier": self.carrier,
            "tracking_details": scans.iter().map(|scan| self.detail(scan)).collect::<Vec<_>>(),
            "carrier_detail": null,
            "finalized": matches!(status, "delivered" | "return_to_sender"),
            "is_return": false,
            "public_url": format!("https://track.easypost.com/{id}"),
            "fees": [],
        })
    }

    fn detail(&self, scan: &Scan) -> Value {
        json!({
            "object": "TrackingDetail",
            "message": scan.detail,
            "description": scan.detail,
            "status": scan.status,
            "status_detail": "unknown",
            "datetime": zulu(scan.at),
            "source": self.carrier,
            "carrier_code": null,
            "tracking_location": { "object": "TrackingLocation", "city": "PRAGUE", "state": null,
                "country": "CZ", "zip": null },
        })
    }
}

/// One scan of a parcel.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    pub status: String,
    pub at: Timestamp,
    pub detail: String,
}

impl Scan {
    pub fn new(status: &str, at: Timestamp) -> Self {
        Self { status: status.to_owned(), at, detail: words(status).to_owned() }
    }
}

pub(crate) fn tracker_id(n: u64) -> String {
    format!("trk_{n:032x}")
}

fn zulu(at: Timestamp) -> String {
    time(at, 0, "%Y-%m-%dT%H:%M:%SZ")
}

fn words(status: &str) -> &'static str {
    match status {
        "pre_transit" => "Shipping label created",
        "in_transit" => "Departed from facility",
        "out_for_delivery" => "Out for delivery",
        "delivered" => "Delivered, front door",
        "available_for_pickup" => "Ready for pickup",
        "return_to_sender" => "Returning to sender",
        _ => "Status update",
    }
}

#[cfg(test)]
mod tests {
    use stagepost_app::inbound::TrackingReading;
    use stagepost_domain::package::TrackingStatus;
    use stagepost_domain::signing::{EasypostHeaders, easypost_matches};

    use super::*;

    #[test]
    fn an_event_is_signed_and_carries_status_and_time() {
        let at: Timestamp = "2026-03-04T10:20:30Z".parse().unwrap();
        let easypost = EasyPost::new("sécret").by("FedEx");
        let event = easypost.event("1Z-1", "delivered", at);
        let headers = EasypostHeaders { v1: event.header("x-hmac-signature"), ..Default::default() };
        assert!(easypost_matches(["sécret"].into_iter(), &event.body, headers));
        assert!(!easypost_matches(["other"].into_iter(), &event.body, headers));
        let body: Value = serde_json::from_slice(&event.body).unwrap();
        assert_eq!(body["result"]["tracking_code"], "1Z-1");
        assert_eq!(body["result"]["status"], "delivered");
        assert_eq!(body["result"]["carrier"], "FedEx");
        assert_eq!(body["result"]["tracking_details"][1]["datetime"], "2026-03-04T10:20:30Z");
    }

    #[test]
    fn every_status_reads_as_the_last_scan() {
        let at: Timestamp = "2026-03-04T10:20:30Z".parse().unwrap();
        for (word, status) in [
            ("pre_transit", TrackingStatus::PreTransit),
            ("in_transit", TrackingStatus::InTransit),
            ("delivered", TrackingStatus::Delivered),
            ("return_to_sender", TrackingStatus::ReturnToSender),
        ] {
            let event = EasyPost::new("s").event("1Z-1", word, at);
            let TrackingReading::Fact(fact) = stagepost_carriers::read_easypost(&event.body) else {
                panic!("{word} does not read")
            };
            assert_eq!((fact.number.as_str(), fact.status, fact.occurred_at), ("1Z-1", status, at));
            assert_eq!(fact.detail.as_deref(), Some(words(word)));
        }
    }

    #[test]
    fn two_events_of_one_scan_are_two_events() {
        let easypost = EasyPost::new("s");
        let at = Timestamp::UNIX_EPOCH;
        assert_ne!(easypost.event("A", "delivered", at), easypost.event("A", "delivered", at));
    }
}
