use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use serde_json::json;
use stagepost_domain::id::{ChannelId, FlowId, ShopId};
use stagepost_domain::keyring::Keyring;
use stagepost_domain::shop::Sealed;

use super::*;
use crate::payload::{fixture, fixtures};

const TOPICS: [&str; 9] = [
    "orders/create",
    "orders/updated",
    "orders/fulfilled",
    "orders/partially_fulfilled",
    "orders/cancelled",
    "fulfillments/create",
    "fulfillments/update",
    "fulfillment_events/create",
    "app/uninstalled",
];
const BIG: &str = "820982911946154508";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn channel() -> Channel {
    Channel {
        id: ChannelId::parse("chan_a").unwrap(),
        shop: ShopId::parse("shop_a").unwrap(),
        platform: Platform::Shopify,
        name: "Main".into(),
        store: "demo.myshopify.com".into(),
        default_flow: Some(FlowId::parse("flow_a").unwrap()),
        armed_at: at("2026-01-01T00:00:00Z"),
        webhook_secrets: Keyring::new(Sealed("sealed".into())),
        credentials: None,
        version: 1,
    }
}

fn read_bytes(topic: &str, body: &[u8]) -> Reading {
    read(topic, &channel(), body, at("2026-09-01T00:00:00Z"))
}

fn read_json(topic: &str, body: &Value) -> Reading {
    read_bytes(topic, body.to_string().as_bytes())
}

fn order_of(reading: Reading) -> OrderFact {
    match reading {
        Reading::Fact { source, fact: Fact::Order(fact) } => {
            assert_eq!(source, fact.source);
            *fact
        }
        other => panic!("no order: {other:?}"),
    }
}

fn shipment_of(reading: Reading) -> ShipmentFact {
    match reading {
        Reading::Fact { source, fact: Fact::Shipment(fact) } => {
            assert_eq!(source, fact.source);
            fact
        }
        other => panic!("no fulfillment: {other:?}"),
    }
}

fn reason_of(reading: Reading) -> String {
    match reading {
        Reading::Unreadable { reason } => reason,
        other => panic!("readable: {other:?}"),
    }
}

/// A small order; fields of `patch` replace its own.
fn order_json(patch: Value) -> Value {
    let mut order = json!({
        "id": 820_982_911_946_154_508_u64,
        "name": "#1001",
        "order_number": 1,
        "email": "ada@example.com",
        "created_at": "2026-08-01T10:00:00-04:00",
        "updated_at": "2026-08-02T10:00:00+02:00",
        "cancelled_at": null,
        "financial_status": "partially_refunded",
        "fulfillment_status": null,
        "currency": "EUR",
        "total_price": "30.00",
        "customer": {"first_name": "Ada", "last_name": "L\u{0007}ovelace", "email": "other@example.com"},
        "shipping_address": {"name": "Ada Lovelace", "address1": "1 Way", "zip": "12345", "city": "Town", "country": "DE"},
        "line_items": [{"id": 1, "name": "Mug - blue", "title": "Mug", "sku": "M-1", "quantity": 2, "price": "15.00"}],
        "fulfillments": []
    });
    order.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    order
}

fn fulfillment_json(patch: Value) -> Value {
    let mut fulfillment = json!({
        "id": 5_000_000_000_001_u64,
        "order_id": 820_982_911_946_154_508_u64,
        "name": "#1001.2",
        "status": "success",
        "created_at": "2026-08-02T10:00:00Z",
        "updated_at": "2026-08-03T10:00:00Z",
        "tracking_company": "UPS",
        "tracking_numbers": ["1Z1"],
        "tracking_urls": ["https://ups.example/1Z1"]
    });
    fulfillment.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    fulfillment
}

fn patched(patch: Value) -> OrderFact {
    order_of(read_json("orders/updated", &order_json(patch)))
}

fn seen(number: Option<&str>, url: Option<&str>, carrier: Option<&str>) -> PackageSeen {
    PackageSeen::parse(number, url, carrier).unwrap()
}

#[test]
fn an_order_is_read_whole() {
    let fact = patched(json!({}));
    assert_eq!(fact.untold, BTreeSet::new(), "a notification's silence is a word");
    assert_eq!(fact.source.external_id, BIG);
    assert_eq!(fact.source.store, "demo.myshopify.com");
    assert_eq!(fact.source.channel, Some(channel().id));
    assert_eq!(fact.number, "#1001");
    assert_eq!(fact.created_at, at("2026-08-01T14:00:00Z"));
    assert_eq!(fact.updated_at, Some(at("2026-08-02T08:00:00Z")));
    assert_eq!(fact.lifecycle, Lifecycle::Open);
    assert_eq!(fact.origin, Origin::Live);
    assert_eq!(fact.armed_at, Some(channel().armed_at));
    assert_eq!(fact.default_flow, channel().default_flow);
    assert_eq!(fact.fulfillment, FulfillmentSeen::default());
    let snapshot = &fact.snapshot;
    assert_eq!(snapshot.customer.name.as_deref(), Some("Ada L ovelace"));
    assert_eq!(snapshot.customer.email.as_deref(), Some("ada@example.com"));
    assert_eq!(snapshot.ship_to, ["Ada Lovelace", "1 Way", "12345 Town", "DE"]);
    assert_eq!(snapshot.lines[0].title, "Mug - blue");
    assert_eq!(snapshot.lines[0].quantity, "2");
    assert_eq!(snapshot.lines[0].price.as_deref(), Some("15.00"));
    assert_eq!(snapshot.line_count, 1);
    assert_eq!((snapshot.total.as_deref(), snapshot.currency.as_deref()), (Some("30.00"), Some("EUR")));
    assert_eq!(snapshot.platform_status.as_deref(), Some("partially refunded"));
}

#[test]
fn the_topic_proves_nothing_about_the_state() {
    let order = order_json(json!({"fulfillment_status": "partial"}));
    let first = order_of(read_json(TOPICS[0], &order));
    for topic in &TOPICS[1..5] {
        assert_eq!(order_of(read_json(topic, &order)), first, "{topic}");
    }
    assert_eq!(first.fulfillment.coverage, Coverage::Partial);
    assert_eq!(first.lifecycle, Lifecycle::Open);
}

#[test]
fn topics_that_we_do_not_follow_are_told_apart_before_anything_is_parsed() {
    for topic in ["orders/edited", "orders/delete", "fulfillment_events/delete", "ORDERS_CREATE", ""] {
        assert_eq!(read_bytes(topic, b"not json"), Reading::UnknownTopic, "{topic}");
    }
}

#[test]
fn law_19_what_shopify_asks_by_law_is_kept_for_a_person() {
    let asked =
        br#"{"shop_id": 1, "customer": {"id": 2, "email": "ada@customer.example"}, "orders_to_redact": [3]}"#;
    for topic in ["customers/redact", "customers/data_request", "shop/redact"] {
        let Reading::Unreadable { reason } = read_bytes(topic, asked) else { panic!("{topic}") };
        assert!(!reason.contains("ada"), "{reason}");
    }
}

fn report_of(reading: Reading) -> ShipmentReport {
    match reading {
        Reading::Fact { source, fact: Fact::ShipmentReport(fact) } => {
            assert_eq!(source, fact.source);
            fact
        }
        other => panic!("no report: {other:?}"),
    }
}

/// As documented, with the exact ids.
fn event_json(patch: Value) -> Value {
    let mut event = json!({
        "id": 1_234_567,
        "fulfillment_id": 123_456,
        "status": "in_transit",
        "message": "Item is now\nin transit",
        "happened_at": "2021-12-31T19:00:00-05:00",
        "city": null,
        "shop_id": 548_380_009,
        "created_at": "2021-12-31T20:00:00-05:00",
        "updated_at": "2021-12-31T20:00:00-05:00",
        "order_id": 820_982_911_946_154_508_u64,
    });
    event.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    event
}

#[test]
fn a_fulfillment_event_says_where_the_parcels_of_its_fulfillment_are() {
    let read = |patch| report_of(read_json("fulfillment_events/create", &event_json(patch)));
    let fact = read(json!({}));
    assert_eq!((fact.source.external_id.as_str(), fact.shipment.0.as_str()), (BIG, "123456"));
    let detail = Some("Item is now in transit".to_owned());
    let report = Checkpoint {
        at: at("2022-01-01T00:00:00Z"),
        status: TrackingStatus::InTransit,
        detail,
        offset: None,
    };
    assert_eq!(fact.report, report);
    let bare = read(json!({"message": null, "happened_at": null, "status": "teleported"})).report;
    let status = TrackingStatus::Unknown;
    assert_eq!(bare, Checkpoint { at: at("2022-01-01T01:00:00Z"), status, detail: None, offset: None });
    let missing =
        [("order_id", "no order id"), ("fulfillment_id", "no fulfillment id"), ("status", "no status")];
    for (field, reason) in missing {
        let event = event_json(json!({ field: null }));
        assert!(reason_of(read_json("fulfillment_events/create", &event)).contains(reason), "{field}");
    }
    let timeless = event_json(json!({"happened_at": null, "created_at": null, "updated_at": "soon"}));
    assert!(reason_of(read_json("fulfillment_events/create", &timeless)).contains("no time"));
}

#[test]
fn a_shipment_status_is_a_report_as_of_the_fulfillments_update() {
    let words = [
        ("label_printed", Some(TrackingStatus::PreTransit)),
        ("label_purchased", Some(TrackingStatus::PreTransit)),
        ("confirmed", Some(TrackingStatus::PreTransit)),
        ("in_transit", Some(TrackingStatus::InTransit)),
        ("carrier_picked_up", Some(TrackingStatus::InTransit)),
        ("delayed", Some(TrackingStatus::InTransit)),
        ("out_for_delivery", Some(TrackingStatus::OutForDelivery)),
        ("ready_for_pickup", Some(TrackingStatus::AvailableForPickup)),
        ("attempted_delivery", Some(TrackingStatus::AttemptFailed)),
        ("delivered", Some(TrackingStatus::Delivered)),
        ("failure", Some(TrackingStatus::Exception)),
        ("fulfilled", None),
        ("teleported", None),
    ];
    let documented = include_str!("../../../../../docs/carriers.md");
    for (word, status) in words {
        let fulfillment = fulfillment_json(json!({ "shipment_status": word }));
        let told = shipment_of(read_json("fulfillments/update", &fulfillment)).shipment;
        assert_eq!(told.report.as_ref().map(|report| report.status), status, "{word}");
        assert!(told.report.is_none_or(|report| report.at == told.updated_at), "{word}");
        assert_eq!(documented.contains(&format!("`{word}`")), status.is_some(), "{word}");
        let order = patched(json!({ "fulfillments": [fulfillment] }));
        assert_eq!(order.fulfillment.shipments[0].report.as_ref().map(|r| r.status), status, "{word}");
    }
    assert_eq!(
        shipment_of(read_json("fulfillments/create", &fulfillment_json(json!({})))).shipment.report,
        None
    );
}

#[test]
fn coverage_is_what_the_order_says_and_never_what_its_list_suggests() {
    let cancelled = fulfillment_json(json!({"status": "cancelled"}));
    for (status, coverage) in [
        (json!("fulfilled"), Coverage::Complete),
        (json!("partial"), Coverage::Partial),
        (json!("restocked"), Coverage::None),
        (json!("new word"), Coverage::None),
        (json!(null), Coverage::None),
        (json!(7), Coverage::None),
    ] {
        let fact = patched(json!({"fulfillment_status": status, "fulfillments": [cancelled]}));
        assert_eq!(fact.fulfillment.coverage, coverage, "{status}");
        assert!(!fact.fulfillment.shipments[0].active);
        assert!(!fact.fulfillment.reopened);
    }
    let fulfilled_without_a_list = patched(json!({"fulfillment_status": "fulfilled"}));
    assert_eq!(fulfilled_without_a_list.fulfillment.coverage, Coverage::Complete);
}

#[test]
fn a_fulfillment_changes_nothing_in_the_snapshot() {
    let line = json!({"name": "Mug", "quantity": 2, "price": "15.00", "fulfillable_quantity": 2, "fulfillment_status": null});
    let shipped = json!({"name": "Mug", "quantity": 2, "price": "15.00", "fulfillable_quantity": 0, "fulfillment_status": "fulfilled"});
    let before = patched(json!({"line_items": [line]}));
    let after = patched(json!({
        "line_items": [shipped],
        "fulfillment_status": "fulfilled",
        "fulfillments": [fulfillment_json(json!({}))]
    }));
    assert_eq!(before.snapshot, after.snapshot);
}

#[test]
fn the_address_is_the_first_of_three_homes_that_is_not_blank() {
    for (patch, email) in [
        (json!({"email": "a@x.example", "contact_email": "b@x.example"}), Some("a@x.example")),
        (json!({"email": "", "contact_email": "b@x.example"}), Some("b@x.example")),
        (json!({"email": null, "contact_email": "  "}), Some("other@example.com")),
        (json!({"email": 5, "customer": {"email": " c@x.example\n"}}), Some("c@x.example")),
        (json!({"email": null, "customer": null}), None),
        (json!({"email": "", "customer": {"email": ""}}), None),
        (json!({"email": "a@x.example\nBcc: b@x.example", "customer": null}), None),
        (json!({"email": format!("{}@x.example", "a".repeat(FIELD_MAX)), "customer": null}), None),
    ] {
        assert_eq!(patched(patch.clone()).snapshot.customer.email.as_deref(), email, "{patch}");
    }
}

#[test]
fn guests_and_digital_orders_are_orders() {
    let fact = patched(json!({
        "email": "", "phone": "+81 3", "customer": null, "shipping_address": null, "billing_address": null,
        "line_items": null, "fulfillments": null, "total_price": 12, "financial_status": null, "currency": null
    }));
    assert_eq!(fact.snapshot.customer, Customer { phone: Some("+81 3".into()), ..Customer::default() });
    assert!(fact.snapshot.ship_to.is_empty() && fact.snapshot.lines.is_empty());
    assert_eq!(fact.snapshot.total.as_deref(), Some("12"));
    assert_eq!(fact.snapshot.platform_status, None);
    let billed = patched(json!({"customer": {"first_name": null}, "shipping_address": null,
        "billing_address": {"name": "Bill\u{0000} Payer"}}));
    assert_eq!(billed.snapshot.customer.name.as_deref(), Some("Bill  Payer"));
}

#[test]
fn the_number_is_the_name_else_the_order_number_else_the_id() {
    assert_eq!(patched(json!({"name": "EN-7\n"})).number, "EN-7");
    assert_eq!(patched(json!({"name": " ", "order_number": 1234})).number, "#1234");
    assert_eq!(patched(json!({"name": null, "order_number": null})).number, BIG);
    assert_eq!(patched(json!({"name": "x".repeat(500)})).number.len(), NUMBER_MAX);
}

#[test]
fn a_cancelled_order_says_when() {
    let fact = patched(json!({"cancelled_at": "2026-08-05T00:00:00-04:00"}));
    assert_eq!(fact.lifecycle, Lifecycle::Cancelled { at: Some(at("2026-08-05T04:00:00Z")) });
    let odd = patched(json!({"cancelled_at": "yesterday"}));
    assert_eq!(odd.lifecycle, Lifecycle::Cancelled { at: None });
}

#[test]
fn ids_are_exact_or_not_there() {
    for (id, text) in [
        (json!(u64::MAX), u64::MAX.to_string()),
        (json!(BIG), BIG.to_owned()),
        (json!(9_007_199_254_740_993_u64), "9007199254740993".to_owned()),
    ] {
        assert_eq!(patched(json!({"id": id})).source.external_id, text);
    }
    for id in [json!(null), json!(0), json!(-5), json!(1.5), json!(""), json!("gid"), json!([1]), json!(true)]
    {
        let reason = reason_of(read_json("orders/create", &order_json(json!({"id": id}))));
        assert_eq!(reason, "the order has no id");
    }
    let rounded = br#"{"id": 8.20982911946154508e17, "created_at": "2026-08-01T10:00:00Z"}"#;
    assert_eq!(reason_of(read_bytes("orders/create", rounded)), "the order has no id");
}

#[test]
fn what_cannot_be_read_says_why_without_the_payload() {
    for (topic, body) in [
        ("orders/create", "secret"),
        ("orders/create", "[\"secret\"]"),
        ("orders/create", r#"{"id": 1, "email": "secret"}"#),
        ("orders/create", r#"{"id": 1, "created_at": "secret", "updated_at": 5}"#),
        ("fulfillments/create", r#"{"id": 1, "status": "secret", "order_id": 2}"#),
        ("fulfillments/create", r#"{"id": 1, "status": "success", "order_id": 2, "name": "secret"}"#),
        ("fulfillments/update", r#"{"id": 1, "status": "secret", "updated_at": "2026-08-01T10:00:00Z"}"#),
    ] {
        let reason = reason_of(read_bytes(topic, body.as_bytes()));
        assert!(!reason.is_empty() && !reason.contains("secret"), "{reason}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(reason_of(read_bytes("orders/create", deep.as_bytes())), "the payload is not JSON");
}

#[test]
fn one_time_of_an_order_is_enough() {
    let created = patched(json!({"updated_at": null}));
    assert_eq!((created.updated_at, created.created_at), (None, at("2026-08-01T14:00:00Z")));
    let updated = patched(json!({"created_at": null}));
    assert_eq!(updated.created_at, at("2026-08-02T08:00:00Z"));
}

#[test]
fn large_orders_keep_their_first_lines_and_say_how_many_there_are() {
    let lines: Vec<Value> = (0..250).map(|n| json!({"title": "t".repeat(400), "quantity": n})).collect();
    let fact = patched(json!({"line_items": lines}));
    assert_eq!((fact.snapshot.lines.len(), fact.snapshot.line_count), (LINES_MAX, 250));
    assert!(fact.snapshot.lines.iter().all(|l| l.title.len() == FIELD_MAX));
}

#[test]
fn a_fulfillment_is_read_with_its_order_and_time() {
    let fact = shipment_of(read_json("fulfillments/update", &fulfillment_json(json!({}))));
    assert_eq!(fact.source.external_id, BIG);
    assert_eq!(fact.number.as_deref(), Some("#1001"));
    assert_eq!(fact.shipment.id, ShipmentId("5000000000001".into()));
    assert_eq!(fact.shipment.updated_at, at("2026-08-03T10:00:00Z"));
    assert!(fact.shipment.active);
    assert_eq!(fact.shipment.packages, [seen(Some("1Z1"), Some("https://ups.example/1Z1"), Some("UPS"))]);
}

#[test]
fn a_fulfillment_without_an_update_time_takes_the_next_best() {
    let created = fulfillment_json(json!({"updated_at": null}));
    assert_eq!(
        shipment_of(read_json("fulfillments/create", &created)).shipment.updated_at,
        at("2026-08-02T10:00:00Z")
    );
    let bare = fulfillment_json(json!({"updated_at": null, "created_at": null}));
    assert_eq!(reason_of(read_json("fulfillments/create", &bare)), "the fulfillment has no time");
    let listed = patched(json!({"fulfillments": [bare]}));
    assert_eq!(listed.fulfillment.shipments[0].updated_at, at("2026-08-02T08:00:00Z"));
}

#[test]
fn only_a_known_status_makes_or_cancels_a_fulfillment() {
    for (status, active) in [("success", true), ("cancelled", false), ("error", false), ("failure", false)] {
        let body = fulfillment_json(json!({"status": status}));
        assert_eq!(shipment_of(read_json("fulfillments/update", &body)).shipment.active, active, "{status}");
    }
    for status in [json!("teleported"), json!(null), json!(1)] {
        let body = fulfillment_json(json!({"status": status}));
        let reason = reason_of(read_json("fulfillments/update", &body));
        assert!(reason.contains("status"), "{reason}");
        let listed = patched(json!({"fulfillments": [body, fulfillment_json(json!({"id": 2}))]}));
        let ids: Vec<_> = listed.fulfillment.shipments.iter().map(|s| s.id.0.as_str()).collect();
        assert_eq!(ids, ["2"]);
    }
}

#[test]
fn a_fulfillment_that_is_not_shipped_yet_says_nothing() {
    for status in ["pending", "open", " Open "] {
        let body = fulfillment_json(json!({"status": status}));
        for topic in ["fulfillments/create", "fulfillments/update"] {
            assert_eq!(read_json(topic, &body), Reading::NoOp(NoOpReason::NotShipped), "{topic} {status}");
        }
        let listed = patched(json!({"fulfillments": [body, fulfillment_json(json!({"id": 2}))]}));
        let ids: Vec<_> = listed.fulfillment.shipments.iter().map(|s| s.id.0.as_str()).collect();
        assert_eq!(ids, ["2"]);
    }
}

#[test]
fn a_fulfillments_name_gives_the_orders_number() {
    for (name, number) in [
        (json!("#1001.1"), Some("#1001")),
        (json!("A.B-7.12"), Some("A.B-7")),
        (json!("#1001"), None),
        (json!("#1001.x"), None),
        (json!(".1"), None),
        (json!(null), None),
    ] {
        let body = fulfillment_json(json!({"name": name}));
        assert_eq!(shipment_of(read_json("fulfillments/update", &body)).number.as_deref(), number, "{name}");
    }
}

#[test]
fn a_parcel_is_a_number_or_where_there_is_none_a_link() {
    let url = |n: u8| format!("https://t.example/{n}");
    for (patch, expected) in [
        (
            json!({"tracking_numbers": ["A1", "A2"], "tracking_urls": [url(1)]}),
            vec![seen(Some("A1"), Some(&url(1)), Some("UPS")), seen(Some("A2"), None, Some("UPS"))],
        ),
        (
            json!({"tracking_numbers": ["A1"], "tracking_urls": [url(1), url(2)]}),
            vec![seen(Some("A1"), Some(&url(1)), Some("UPS"))],
        ),
        (
            json!({"tracking_numbers": ["A1", null, "A2"], "tracking_urls": [url(1), url(2), url(3)]}),
            vec![seen(Some("A1"), Some(&url(1)), Some("UPS")), seen(Some("A2"), Some(&url(3)), Some("UPS"))],
        ),
        (
            json!({"tracking_numbers": [], "tracking_urls": [url(1), url(2), url(1)]}),
            vec![seen(None, Some(&url(1)), Some("UPS")), seen(None, Some(&url(2)), Some("UPS"))],
        ),
        // The same link again is no further parcel, and neither is the same number.
        (
            json!({"tracking_numbers": ["A1", "a-1"], "tracking_urls": [url(1), url(1), url(1)]}),
            vec![seen(Some("A1"), Some(&url(1)), Some("UPS"))],
        ),
        (
            json!({"tracking_numbers": [], "tracking_urls": null, "tracking_number": "A1", "tracking_url": url(1)}),
            vec![seen(Some("A1"), Some(&url(1)), Some("UPS"))],
        ),
        (
            json!({"tracking_numbers": [" ", null], "tracking_number": null, "tracking_urls": [url(1)]}),
            vec![seen(None, Some(&url(1)), Some("UPS"))],
        ),
        (
            json!({"tracking_numbers": ["#☠1☢\n---\n4321\n"], "tracking_urls": ["javascript:alert(1)"], "tracking_company": null}),
            vec![seen(Some("#☠1☢ --- 4321"), None, None)],
        ),
        (json!({"tracking_numbers": {}, "tracking_urls": "x", "tracking_company": "UPS"}), vec![]),
    ] {
        let body = fulfillment_json(patch.clone());
        let packages = shipment_of(read_json("fulfillments/update", &body)).shipment.packages;
        assert_eq!(packages, expected, "{patch}");
    }
}

#[test]
fn a_link_in_the_place_of_a_number_is_a_parcel_known_by_its_link() {
    let link = "https://carrier.example/t?id=1";
    let body = fulfillment_json(json!({"tracking_numbers": [link], "tracking_urls": [link]}));
    let packages = shipment_of(read_json("fulfillments/update", &body)).shipment.packages;
    assert_eq!(packages, [seen(None, Some(link), Some("UPS"))]);
}

#[test]
fn lists_are_bounded_and_the_domain_still_sees_that_some_did_not_fit() {
    let many: Vec<Value> = (1..=500).map(|n| fulfillment_json(json!({"id": n}))).collect();
    assert_eq!(patched(json!({"fulfillments": many})).fulfillment.shipments.len(), SHIPMENTS_MAX + 1);
    let numbers: Vec<String> = (0..500).map(|n| format!("N{n}")).collect();
    let body = fulfillment_json(json!({"tracking_numbers": numbers}));
    let packages = shipment_of(read_json("fulfillments/update", &body)).shipment.packages;
    assert_eq!(packages.len(), PACKAGES_MAX + 1);
}

// ---------------------------------------------------------------- fixtures, where present

#[test]
fn no_fixture_makes_reading_panic_whatever_its_topic() {
    let Ok(files) = std::fs::read_dir(fixtures().join("shopify")) else { return };
    for file in files {
        let body = std::fs::read(file.unwrap().path()).unwrap();
        for topic in TOPICS {
            let _reading = read_bytes(topic, &body);
        }
    }
}

fn fixture_order(name: &str) -> Option<OrderFact> {
    Some(order_of(read_bytes("orders/updated", &fixture(&format!("shopify/{name}.json"))?)))
}

#[test]
fn the_official_samples_keep_their_exact_ids_and_prove_no_fulfillment() {
    for name in ["create", "fulfilled", "partially_fulfilled"] {
        let Some(fact) = fixture_order(&format!("webhook_exactids_orders_{name}")) else { return };
        assert_eq!(fact.source.external_id, BIG);
        assert_eq!(fact.number, "#9999");
        assert_eq!(fact.snapshot.customer.email.as_deref(), Some("jon@example.com"));
        assert_eq!(fact.fulfillment, FulfillmentSeen::default());
        assert_eq!(fact.lifecycle, Lifecycle::Cancelled { at: Some(at("2022-01-01T00:00:00Z")) });
        assert_eq!(fact.snapshot.line_count, 5);
    }
    for name in ["create", "update"] {
        let body = fixture(&format!("shopify/webhook_exactids_fulfillments_{name}.json")).unwrap();
        let reading = read_bytes("fulfillments/update", &body);
        assert_eq!(reading, Reading::NoOp(NoOpReason::NotShipped), "they are pending");
    }
}

#[test]
fn the_realistic_samples_are_read_as_they_are_meant() {
    let Some(cancelled) = fixture_order("derived_webhook_orders_cancelled_after_fulfillment_cancelled")
    else {
        return;
    };
    assert!(matches!(cancelled.lifecycle, Lifecycle::Cancelled { at: Some(_) }));
    assert_eq!(cancelled.fulfillment.coverage, Coverage::None);
    assert!(!cancelled.fulfillment.shipments[0].active);

    let huge = fixture_order("derived_webhook_orders_create_huge_250_lines").unwrap();
    assert_eq!((huge.snapshot.lines.len(), huge.snapshot.line_count), (LINES_MAX, 250));

    let guest = fixture_order("derived_webhook_orders_guest_unicode").unwrap();
    assert_eq!(guest.snapshot.customer.email, None);
    assert_eq!(guest.snapshot.customer.name.as_deref(), Some("Zoë O'Neill-Łukasz 山田"));
    assert_eq!(guest.snapshot.customer.phone.as_deref(), Some("+81312345678"));

    let partial = fixture_order("derived_webhook_orders_partially_fulfilled_realistic").unwrap();
    assert_eq!(partial.fulfillment.coverage, Coverage::Partial);
    assert_eq!(partial.fulfillment.shipments[0].updated_at, at("2026-09-03T16:00:00Z"));

    let both = fixture_order("derived_webhook_orders_updated_two_fulfillments_one_delivered").unwrap();
    assert_eq!(both.fulfillment.coverage, Coverage::Complete);
    let parcels: Vec<_> = both.fulfillment.shipments.iter().map(|s| s.packages.len()).collect();
    assert_eq!(parcels, [1, 2]);
    assert!(both.fulfillment.shipments[1].packages[1].url.is_none());
}

#[test]
fn real_deliveries_with_missing_parts_are_orders() {
    for name in [
        "webhook_anon_order_12_items_null_email",
        "webhook_anon_order_no_customer_no_email",
        "webhook_anon_order_fulfilled_no_tracking",
        "webhook_anon_order_2025_04_fulfilled",
    ] {
        let Some(fact) = fixture_order(name) else { return };
        assert_eq!(fact.source.external_id, "123", "{name}");
    }
}

// ---------------------------------------------------------------- anything at all

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        Just(json!("2026-08-01T10:00:00-04:00")),
        Just(json!("9999-12-31T23:59:59-23:59")),
        Just(json!("https://t.example/\u{202e}\n")),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,12}", inner, 0..5)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

/// Replaces the value at the `place`-th spot of the tree.
fn mutate(value: &mut Value, place: &mut usize, with: &Value) {
    if *place == 0 {
        value.clone_from(with);
        *place = usize::MAX;
        return;
    }
    *place -= 1;
    match value {
        Value::Array(items) => items.iter_mut().for_each(|v| mutate(v, place, with)),
        Value::Object(fields) => fields.values_mut().for_each(|v| mutate(v, place, with)),
        _ => {}
    }
}

fn bounded(fact: &OrderFact) -> bool {
    fact.snapshot.lines.len() <= LINES_MAX
        && fact.number.len() <= NUMBER_MAX
        && fact.snapshot.ship_to.iter().all(|l| l.len() <= FIELD_MAX && !l.contains(char::is_control))
        && fact.source.external_id.bytes().all(|b| b.is_ascii_digit())
}

proptest! {
    #[test]
    fn reading_any_bytes_ends_in_a_reading(topic in 0..TOPICS.len(), body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _reading = read_bytes(TOPICS[topic], &body);
    }

    #[test]
    fn reading_a_mutated_payload_ends_in_a_bounded_reading(
        topic in 0..TOPICS.len(),
        places in prop::collection::vec(0_usize..60, 1..6),
        with in prop::collection::vec(any_json(), 6),
        cut in 0_usize..4000,
    ) {
        let mut body = order_json(json!({
            "order_id": 7,
            "status": "success",
            "tracking_numbers": ["A"],
            "fulfillments": [fulfillment_json(json!({}))],
            "billing_address": {"first_name": "B"}
        }));
        for (place, value) in places.iter().zip(&with) {
            mutate(&mut body, &mut place.clone(), value);
        }
        let text = body.to_string();
        if let Reading::Fact { fact: Fact::Order(fact), .. } = read_bytes(TOPICS[topic], text.as_bytes()) {
            assert!(bounded(&fact), "{fact:?}");
        }
        let _torn = read_bytes(TOPICS[topic], &text.as_bytes()[..cut.min(text.len())]);
    }
}
