use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::json;
use stagepost_domain::signing::{EasypostHeaders, easypost_matches, webhook_key, webhook_signature};

use super::*;

/// A file of the fixtures that lie beside the repository on some machines.
fn fixtures(folder: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/fixtures").join(folder);
    path.exists().then_some(path)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn tracker() -> Value {
    json!({
        "object": "Tracker",
        "tracking_code": "EZ1000000001",
        "status": "in_transit",
        "status_detail": "arrived_at_facility",
        "carrier": "USPS",
        "public_url": "https://track.example.com/1",
        "updated_at": "2026-03-02T12:00:00Z",
        "weight": 614.4,
        "tracking_details": [
            {"status": "pre_transit", "datetime": "2026-03-01T08:00:00Z", "message": "Label made"},
            {"status": "in_transit", "datetime": "2026-03-02T10:30:00Z", "message": "Arrived"},
            {"status": "in_transit", "datetime": "2026-03-01T19:00:00Z", "message": "Picked up"},
        ],
    })
}

fn event(tracker: &Value) -> Value {
    json!({
        "object": "Event",
        "description": "tracker.updated",
        "created_at": "2026-03-02T12:00:05.000Z",
        "updated_at": "2026-03-02T12:00:06.000Z",
        "result": tracker,
    })
}

fn read(payload: &Value) -> TrackingReading {
    read_easypost(payload.to_string().as_bytes())
}

fn fact(payload: &Value) -> TrackingFact {
    match read(payload) {
        TrackingReading::Fact(fact) => fact,
        other => panic!("{other:?}"),
    }
}

fn with(mut value: Value, key: &str, new: Value) -> Value {
    value[key] = new;
    value
}

fn without(mut value: Value, key: &str) -> Value {
    value.as_object_mut().unwrap().remove(key);
    value
}

#[test]
fn an_updated_tracker_is_a_fact_by_the_carriers_clock() {
    let expected = TrackingFact {
        number: "EZ1000000001".to_owned(),
        carrier: Some("USPS".to_owned()),
        status: TrackingStatus::InTransit,
        occurred_at: at("2026-03-02T10:30:00Z"),
        url: Some("https://track.example.com/1".to_owned()),
        detail: Some("arrived_at_facility".to_owned()),
        offset: None,
    };
    assert_eq!(fact(&event(&tracker())), expected);
    assert_eq!(fact(&tracker()), expected, "a bare tracker says the same");
    let created = with(event(&tracker()), "description", json!("tracker.created"));
    assert_eq!(fact(&created), expected);
}

#[test]
fn every_status_of_easypost_has_its_common_word() {
    for (word, common) in [
        ("unknown", TrackingStatus::Unknown),
        ("pre_transit", TrackingStatus::PreTransit),
        ("in_transit", TrackingStatus::InTransit),
        ("out_for_delivery", TrackingStatus::OutForDelivery),
        ("delivered", TrackingStatus::Delivered),
        ("available_for_pickup", TrackingStatus::AvailableForPickup),
        ("return_to_sender", TrackingStatus::ReturnToSender),
        ("failure", TrackingStatus::Exception),
        ("error", TrackingStatus::Exception),
        ("cancelled", TrackingStatus::Cancelled),
    ] {
        assert_eq!(fact(&with(tracker(), "status", json!(word))).status, common, "{word}");
    }
}

#[test]
fn only_the_word_delivered_is_a_delivery() {
    for word in ["Delivered", "delivered ", "DE", "delivered_to_neighbour", "teleported", "\u{fb01}n"] {
        assert_eq!(fact(&with(tracker(), "status", json!(word))).status, TrackingStatus::Unknown, "{word}");
    }
    // A delivered scan in the list, or a detail that says so, is not the tracker's status.
    let mut scanned = with(tracker(), "status_detail", json!("delivered"));
    scanned["tracking_details"][0]["status"] = json!("delivered");
    assert_eq!(fact(&scanned).status, TrackingStatus::InTransit);
    assert_eq!(fact(&without(tracker(), "status")).status, TrackingStatus::Unknown);
}

#[test]
fn the_time_falls_back_from_the_scan_to_the_tracker_to_the_event() {
    let delivered = with(tracker(), "status", json!("delivered"));
    assert_eq!(fact(&event(&delivered)).occurred_at, at("2026-03-02T12:00:00Z"));
    let bare = without(delivered, "updated_at");
    assert_eq!(fact(&event(&bare)).occurred_at, at("2026-03-02T12:00:06Z"));
    let young = without(event(&bare), "updated_at");
    assert_eq!(fact(&young).occurred_at, at("2026-03-02T12:00:05Z"));
    let timeless = without(young, "created_at");
    assert_eq!(read(&timeless), unreadable("the tracker has no time"));
}

#[test]
fn a_scan_with_a_broken_time_is_passed_over() {
    let mut broken = tracker();
    broken["tracking_details"][1]["datetime"] = json!("yesterday");
    assert_eq!(fact(&broken).occurred_at, at("2026-03-01T19:00:00Z"));
}

#[test]
fn the_detail_is_the_finer_status_or_the_scans_words_and_short() {
    let vague = with(tracker(), "status_detail", json!("unknown"));
    assert_eq!(fact(&vague).detail.as_deref(), Some("Arrived"));
    let wordless = with(vague, "tracking_details", json!([]));
    assert_eq!(fact(&wordless).detail, None);
    let long = with(tracker(), "status_detail", json!("é".repeat(500)));
    assert!(fact(&long).detail.unwrap().len() <= DETAIL_MAX);
}

#[test]
fn a_link_that_no_browser_should_follow_is_dropped() {
    for link in [json!("javascript:alert(1)"), json!("not a url"), json!(7), json!(null)] {
        assert_eq!(fact(&with(tracker(), "public_url", link)).url, None);
    }
}

#[test]
fn other_events_are_not_ours() {
    for description in ["batch.created", "batch.updated", "shipment.invoice.created", "tracker.deleted"] {
        let other = with(event(&tracker()), "description", json!(description));
        assert_eq!(read(&other), TrackingReading::UnknownTopic, "{description}");
    }
    assert_eq!(read(&json!({"object": "Batch"})), TrackingReading::UnknownTopic);
}

#[test]
fn what_breaks_its_promise_is_unreadable_without_its_content_in_the_reason() {
    for payload in [
        json!(null),
        json!([]),
        json!({}),
        json!({"object": "Event"}),
        json!({"object": "Event", "description": "tracker.updated"}),
        event(&json!(null)),
        event(&json!("EZ1000000001")),
        event(&without(tracker(), "tracking_code")),
        event(&with(tracker(), "tracking_code", json!(" - "))),
        event(&with(tracker(), "tracking_code", json!(17))),
    ] {
        match read(&payload) {
            TrackingReading::Unreadable { reason } => assert!(!reason.contains("EZ1"), "{reason}"),
            other => panic!("{payload} gave {other:?}"),
        }
    }
    for bytes in [&b""[..], b"not json", b"\xff\xfe", b"{\"object\":\"Event\""] {
        assert_eq!(read_easypost(bytes), unreadable("not JSON"));
    }
}

#[test]
fn recorded_payloads_are_read_without_a_panic() {
    let Some(folder) = fixtures("easypost") else { return };
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let body = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let reading = read_easypost(&body);
        if name.starts_with("cassette_tracker_create") || name.starts_with("cassette_tracker_retrieve_0") {
            assert!(matches!(reading, TrackingReading::Fact(_)), "{name}: {reading:?}");
        }
    }
}

#[test]
fn the_official_event_is_a_fact() {
    let Some(folder) = fixtures("easypost") else { return };
    let body = std::fs::read(folder.join("event_tracker_updated_in_transit.json")).unwrap();
    let TrackingReading::Fact(fact) = read_easypost(&body) else { panic!("not a fact") };
    assert_eq!(fact.status, TrackingStatus::InTransit);
    assert_eq!(fact.occurred_at, at("2024-08-02T18:50:00Z"));
    assert_eq!((fact.number.as_str(), fact.carrier.as_deref()), ("1", Some("FedEx")));
}

fn vectors(file: &str) -> Vec<Value> {
    let Some(folder) = fixtures("signatures") else { return Vec::new() };
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

#[test]
fn law_17_easyposts_own_vectors_are_accepted_and_forged_ones_rejected() {
    let mut body = String::new();
    for vector in vectors("easypost_webhook_hmac.json") {
        if vector["raw_body"] != "(same)" {
            body = vector["raw_body"].as_str().unwrap().to_owned();
        }
        let header = vector["expected"].as_str();
        // The second version has no official vector ("confirmed": false): ours follows the published recipe.
        let second = vector["header"] == "X-Hmac-Signature-V2";
        let headers = match second {
            false => EasypostHeaders { v1: header, ..EasypostHeaders::default() },
            true => EasypostHeaders {
                v1: None,
                v2: header,
                timestamp: vector["headers"]["x-timestamp"].as_str(),
                path: vector["headers"]["x-path"].as_str(),
            },
        };
        let secret = vector["secret"].as_str().unwrap();
        let accepted = |body: &[u8]| easypost_matches([secret].into_iter(), body, headers);
        assert_eq!(accepted(body.as_bytes()), vector["valid"] == true, "{}", vector["origin"]);
        assert!(!accepted(format!("{body} ").as_bytes()), "one more byte was accepted");
    }
}

#[test]
fn our_webhook_signatures_agree_with_the_vectors_of_standard_webhooks() {
    for vector in vectors("standard_webhooks.json") {
        let key = webhook_key(vector["secret"].as_str().unwrap()).unwrap();
        let body = vector["raw_body"].as_str().unwrap().as_bytes();
        let id = vector["webhook_id"].as_str().unwrap();
        let ours = webhook_signature(&[key], id, vector["webhook_timestamp"].as_i64().unwrap(), body);
        let header = vector["expected"].as_str().or(vector["header"].as_str()).unwrap();
        let named = header.split(' ').any(|entry| entry == ours);
        assert_eq!(named, vector["valid"] == true, "{} {}", vector["origin"], vector["comment"]);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("delivered")),
        Just(json!("2026-03-02T10:30:00Z")),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop_oneof![Just("status"), Just("datetime"), Just("tracking_code"), Just("object")];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.prop_map(str::to_owned), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_easypost(&bytes);
    }

    #[test]
    fn a_field_of_any_shape_never_makes_it_panic_or_deliver(
        key in prop::sample::select(vec![
            "object", "tracking_code", "status_detail", "carrier", "public_url", "updated_at", "tracking_details",
        ]),
        value in any_json(),
    ) {
        if let TrackingReading::Fact(fact) = read(&event(&with(tracker(), key, value))) {
            prop_assert_eq!(fact.status, TrackingStatus::InTransit);
            prop_assert!(!fact.number.is_empty());
        }
    }
}
