use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};
use serde_json::{Value, json};
use stagepost_app::inbound::Reading;
use stagepost_domain::fact::{Coverage, Fact, OrderFact};
use stagepost_domain::order::{FIELD_MAX, LINES_MAX, Lifecycle};
use stagepost_domain::outcome::NoOpReason;

use super::{at, channel, completed, order, with_meta};
use crate::{is_ping, read};

const NOW: &str = "2026-11-22T09:30:00Z";

fn reading(topic: &str, body: &Value) -> Reading {
    read(topic, &channel(), body.to_string().as_bytes(), at(NOW))
}

fn fact(body: &Value) -> OrderFact {
    match reading("order.updated", body) {
        Reading::Fact { fact: Fact::Order(fact), .. } => *fact,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_topics_about_orders_are_followed() {
    for topic in ["order.created", "order.updated", "order.restored", " Order.Updated "] {
        assert!(matches!(reading(topic, &order("processing")), Reading::Fact { .. }), "{topic}");
    }
    for topic in [
        "product.updated",
        "customer.created",
        "coupon.deleted",
        "order.paid",
        "",
        "order",
        "action.woocommerce_order_status_completed",
    ] {
        assert_eq!(reading(topic, &order("processing")), Reading::UnknownTopic, "{topic}");
    }
}

#[test]
fn an_order_is_read_with_people_lines_and_money() {
    let fact = fact(&order("processing"));
    assert_eq!(
        (fact.source.external_id.as_str(), fact.source.store.as_str()),
        ("79", "https://shop.example")
    );
    assert_eq!(fact.number, "79");
    assert_eq!(fact.armed_at, Some(channel().armed_at));
    assert_eq!(fact.lifecycle, Lifecycle::Open);
    let snapshot = &fact.snapshot;
    assert_eq!(snapshot.customer.name.as_deref(), Some("Ann O’Conner"));
    assert_eq!(snapshot.customer.email.as_deref(), Some("ann@example.test"));
    assert_eq!(snapshot.ship_to, ["Ann O’Conner", "High St 1", "LS1 Leeds", "GB"]);
    assert_eq!(snapshot.total.as_deref(), Some("24.08"));
    assert_eq!(snapshot.line_count, 2);
    assert_eq!(snapshot.lines[0].title, "Mug & spoon");
    assert_eq!(snapshot.lines[0].price.as_deref(), Some("9.95"));
    assert_eq!((snapshot.lines[1].sku.as_deref(), snapshot.lines[1].price.as_deref()), (None, Some("4.18")));
}

#[test]
fn the_links_that_open_an_order_are_never_kept() {
    let kept = format!("{:?}", reading("order.updated", &order("processing")));
    assert!(!kept.contains("wc_order_secret"), "{kept}");
}

#[test]
fn times_are_utc_and_site_local_ones_stand_in_only_where_there_are_no_others() {
    let mut body = order("processing");
    let seen = fact(&body);
    assert_eq!(seen.created_at, at("2026-11-22T09:14:39Z"));
    assert_eq!(seen.updated_at, Some(at("2026-11-22T09:15:00Z")));
    body.as_object_mut().unwrap().remove("date_modified_gmt");
    assert_eq!(fact(&body).updated_at, Some(at("2026-11-22T10:15:00Z")));
    for key in ["date_modified", "date_created", "date_created_gmt"] {
        body[key] = "0000-00-00T00:00:00".into();
    }
    let seen = fact(&body);
    assert_eq!((seen.updated_at, seen.created_at), (None, at(NOW)));
}

#[test]
fn the_status_decides_what_an_order_is() {
    let open = [
        ("pending", true),
        ("processing", false),
        ("on-hold", true),
        ("ready-pickup", true),
        ("wc-awaiting-stock", true),
    ];
    for (status, shown) in open {
        let fact = fact(&order(status));
        assert_eq!(
            (fact.lifecycle, fact.fulfillment.coverage),
            (Lifecycle::Open, Coverage::None),
            "{status}"
        );
        assert_eq!(fact.snapshot.platform_status.is_some(), shown, "{status}");
    }
    for status in ["cancelled", "refunded", "failed"] {
        assert_eq!(fact(&order(status)).lifecycle, Lifecycle::Cancelled { at: None }, "{status}");
    }
    assert_eq!(fact(&order("trash")).lifecycle, Lifecycle::Trashed);
    for status in ["checkout-draft", "auto-draft"] {
        assert_eq!(reading("order.updated", &order(status)), Reading::NoOp(NoOpReason::Draft), "{status}");
    }
}

#[test]
fn law_2_what_tracking_plugins_call_shipped_in_part_is_a_part_and_what_they_call_shipped_is_all() {
    let read = |body: &Value| fact(body).fulfillment;
    for (status, coverage) in [
        ("partial-shipped", Coverage::Partial),
        ("wc-partial-shipped", Coverage::Partial),
        ("shipped", Coverage::Complete),
        ("wc-shipped", Coverage::Complete),
        ("delivered", Coverage::Complete),
    ] {
        let seen = read(&order(status));
        // Its time is in no field, so there is no identity to tell it by.
        assert_eq!((seen.coverage, seen.shipments.len(), seen.reopened), (coverage, 0, false), "{status}");
        assert_eq!(fact(&order(status)).lifecycle, Lifecycle::Open, "{status}");
    }
    // The fulfillments feature may know more.
    let all = with_meta(order("partial-shipped"), "_fulfillment_status", "fulfilled".into());
    assert_eq!(read(&all).coverage, Coverage::Complete);
    // A plugin that turns our own completion into another status is nobody else who fulfilled the order.
    for status in ["shipped", "delivered"] {
        let ours = with_meta(order(status), "_stagepost_run", "run_x.1.fulfill.none.0".into());
        assert_eq!(read(&ours).coverage, Coverage::None, "{status}");
    }
}

#[test]
fn a_completed_order_is_fulfilled_and_known_by_its_completion_time() {
    let seen = fact(&completed(order("processing"))).fulfillment;
    assert_eq!(seen.coverage, Coverage::Complete);
    assert_eq!(seen.shipments.len(), 1);
    assert_eq!(seen.shipments[0].id.0, "completed@2026-11-22T09:20:00Z");
    assert_eq!(seen.shipments[0].updated_at, at("2026-11-22T09:20:01Z"));
    assert!(!seen.reopened);
}

#[test]
fn our_own_completion_changes_nothing_but_the_fulfillment() {
    let before = fact(&order("processing"));
    let after =
        fact(&with_meta(completed(order("processing")), "_stagepost_run", "run_x.1.fulfill.none.0".into()));
    assert_eq!(before.snapshot, after.snapshot);
    assert_eq!((before.number, before.lifecycle), (after.number, after.lifecycle));
    assert_eq!(after.fulfillment.marker.as_deref(), Some("run_x.1.fulfill.none.0"));
}

#[test]
fn a_completion_time_that_outlives_the_completion_reopens_and_does_not_fulfill() {
    let mut body = completed(order("processing"));
    body["status"] = "processing".into();
    let seen = fact(&body).fulfillment;
    assert_eq!((seen.coverage, seen.reopened), (Coverage::None, true));
    let [past] = seen.shipments.as_slice() else { panic!("{seen:?}") };
    assert!(!past.active && past.id == fact(&completed(order("processing"))).fulfillment.shipments[0].id);
    // A cancelled one does not say that it was taken back.
    body["status"] = "cancelled".into();
    let seen = fact(&body).fulfillment;
    assert!(!seen.reopened && seen.shipments.is_empty());
}

#[test]
fn an_order_that_never_was_completed_is_not_reopened() {
    for status in ["pending", "processing", "on-hold"] {
        assert!(!fact(&order(status)).fulfillment.reopened, "{status}");
    }
}

#[test]
fn the_fulfillments_feature_counts_where_it_is_used() {
    let table = [
        ("unfulfilled", Coverage::None, 0),
        ("partially_fulfilled", Coverage::Partial, 1),
        ("fulfilled", Coverage::Complete, 1),
    ];
    for (word, coverage, shipments) in table {
        let seen = fact(&with_meta(order("processing"), "_fulfillment_status", word.into())).fulfillment;
        assert_eq!((seen.coverage, seen.shipments.len()), (coverage, shipments), "{word}");
        assert_eq!(seen.reopened, word == "unfulfilled", "{word}");
    }
}

#[test]
fn a_shipped_order_that_stays_processing_is_not_reopened_by_every_edit() {
    let mut body = with_meta(completed(order("processing")), "_fulfillment_status", "fulfilled".into());
    body["status"] = "processing".into();
    let seen = fact(&body).fulfillment;
    assert_eq!((seen.coverage, seen.reopened), (Coverage::Complete, false));
}

#[test]
fn our_own_fulfillment_does_not_complete_an_order_before_our_completion_does() {
    let body = with_meta(order("processing"), "_fulfillment_status", "fulfilled".into());
    let seen = fact(&with_meta(body, "_stagepost_run", "run_x.1.fulfill.none.0".into())).fulfillment;
    assert_eq!((seen.coverage, seen.reopened), (Coverage::Partial, false));
}

#[test]
fn tracking_is_read_in_every_shape_that_plugins_write() {
    let one = json!({ "tracking_provider": "dhl", "custom_tracking_provider": "", "custom_tracking_link": "",
        "tracking_number": "JD014600003SE" });
    let own = json!({ "tracking_provider": "", "custom_tracking_provider": "PPL &amp; co", "tracking_number": 123,
        "custom_tracking_link": "https://ppl.example/?id=%1$s" });
    let link = json!({ "tracking_number": "https://ups.example/t/1" });
    let gap = json!({ "1": one, "5": own });
    let text = json!([one]).to_string();
    let table = [
        (json!([one, own]), Some(2)),
        (gap, Some(2)),
        (one.clone(), Some(1)),
        (json!(text), Some(1)),
        (json!([link]), Some(1)),
        (json!([]), Some(0)),
        (json!([one, null, 7, {}]), Some(1)),
        (json!("a:1:{i:0;a:2:{}}"), None),
        (json!(""), None),
        (json!(null), None),
        (json!(true), None),
        (json!([{ "unknown": 1 }]), None),
    ];
    for (value, expected) in table {
        let seen = fact(&with_meta(order("processing"), "_wc_shipment_tracking_items", value.clone()));
        assert_eq!(seen.fulfillment.packages.map(|p| p.len()), expected, "{value}");
    }
    let seen = fact(&with_meta(order("processing"), "_wc_shipment_tracking_items", json!([own, link])));
    let packages = seen.fulfillment.packages.unwrap();
    assert_eq!(packages[0].number.as_deref(), Some("123"));
    assert_eq!(packages[0].carrier.as_deref(), Some("PPL & co"));
    assert_eq!(packages[0].url.as_deref(), Some("https://ppl.example/?id=123"));
    assert_eq!(
        (packages[1].number.as_deref(), packages[1].url.as_deref()),
        (None, Some("https://ups.example/t/1"))
    );
}

#[test]
fn an_order_without_the_tracking_key_says_nothing_of_its_packages() {
    assert_eq!(fact(&order("processing")).fulfillment.packages, None);
}

#[test]
fn a_deleted_order_is_trashed_by_its_id_alone() {
    let Reading::Fact { source, fact } = reading("order.deleted", &json!({ "id": 79 })) else { panic!() };
    assert_eq!((source.external_id.as_str(), fact), ("79", Fact::Trashed));
}

#[test]
fn the_topic_is_not_trusted_about_what_happened() {
    // A signature covers the body only: a body can be sent again under another topic.
    let Reading::Fact { fact: Fact::Order(fact), .. } = reading("order.deleted", &order("processing")) else {
        panic!()
    };
    assert_eq!(fact.lifecycle, Lifecycle::Open);
    assert!(matches!(reading("order.updated", &json!({ "id": 79 })), Reading::Unreadable { .. }));
    let product = json!({ "id": 17, "status": "publish", "name": "Mug", "price": "9" });
    assert!(matches!(reading("order.updated", &product), Reading::Unreadable { .. }));
}

#[test]
fn what_is_not_an_order_is_unreadable_and_tells_nothing_of_itself() {
    let table = [
        (
            r#"{"code":"woocommerce_rest_cannot_view","message":"Secret, Ann","data":{"status":403}}"#,
            "woocommerce_rest_cannot_view",
        ),
        (r#"{"code":"Ann <b>","message":"x","data":null}"#, "no id"),
        ("not json Ann", "not JSON"),
        ("", "not JSON"),
        ("[]", "no id"),
        (r#"{"id":"79/../1","status":"x","billing":{}}"#, "no id"),
        (r#"{"id":-1,"status":"Ann","billing":{}}"#, "no id"),
        (r#"{"id":0,"status":"Ann","billing":{}}"#, "no id"),
        (r#"{"id":1.5,"status":"Ann","billing":{}}"#, "no id"),
    ];
    for (body, expected) in table {
        match read("order.updated", &channel(), body.as_bytes(), at(NOW)) {
            Reading::Unreadable { reason } => {
                assert!(reason.contains(expected) && !reason.contains("Ann"), "{body}: {reason}");
            }
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn odd_types_cost_only_their_own_field() {
    let mut body = order("processing");
    body["id"] = "79".into();
    body["number"] = 1001.into();
    body["total"] = json!(24.080000000000002);
    body["billing"]["email"] = "".into();
    body["billing"]["phone"] = json!({});
    body["shipping"] = json!([]);
    body["line_items"] =
        json!({ "0": { "id": "7", "name": "Mug", "quantity": "2", "price": {} }, "3": { "name": null } });
    body["meta_data"] = json!({ "2": { "id": 1, "key": "_stagepost_run", "value": 5 }, "4": { "key": [] } });
    let seen = fact(&body);
    assert_eq!((seen.source.external_id.as_str(), seen.number.as_str()), ("79", "1001"));
    assert_eq!(seen.snapshot.total.as_deref(), Some("24.08"));
    assert_eq!((seen.snapshot.customer.email, seen.snapshot.customer.phone), (None, None));
    assert_eq!(seen.snapshot.line_count, 2);
    assert_eq!(
        (seen.snapshot.lines[0].quantity.as_str(), seen.snapshot.lines[0].price.as_deref()),
        ("2", None)
    );
    assert_eq!(seen.fulfillment.marker.as_deref(), Some("5"));
    for key in ["billing", "shipping", "line_items", "meta_data"] {
        for odd in [json!(null), json!(""), json!(7), json!([]), json!([[1]]), json!({ "a": 1 })] {
            body[key] = odd;
            fact(&body);
        }
    }
}

#[test]
fn what_is_kept_of_an_order_is_bounded() {
    let mut body = order("processing");
    let line = json!({ "id": 1, "name": "x".repeat(5_000), "quantity": 1 });
    body["line_items"] = Value::Array(vec![line; LINES_MAX + 50]);
    body["billing"]["first_name"] = "y".repeat(5_000).into();
    body["number"] = "9".repeat(5_000).into();
    let seen = fact(&body);
    assert_eq!((seen.snapshot.lines.len(), seen.snapshot.line_count), (LINES_MAX, 150));
    assert!(seen.snapshot.lines[0].title.len() <= FIELD_MAX && seen.number.len() <= FIELD_MAX);
    assert!(seen.snapshot.customer.name.unwrap().len() <= FIELD_MAX);
}

#[test]
fn html_entities_are_decoded_once_and_only_when_they_are_some() {
    let table = [
        ("O&#8217;Conner", "O’Conner"),
        ("&#x26;amp;", "&amp;"),
        ("&amp;lt;", "&lt;"),
        (
            "a & b &c; &; &#; &#xZZ; &#1114112; &longerthanany;",
            "a & b &c; &; &#; &#xZZ; &#1114112; &longerthanany;",
        ),
        ("ä&hellip;&", "ä…&"),
    ];
    for (written, read) in table {
        assert_eq!(crate::json::decoded(written), read);
    }
}

#[test]
fn exactly_the_unsigned_form_body_is_a_ping() {
    const FORM: Option<&str> = Some("application/x-www-form-urlencoded");
    assert!(is_ping(FORM, false, b"webhook_id=1"));
    assert!(is_ping(
        Some("Application/X-WWW-Form-Urlencoded; charset=UTF-8"),
        false,
        b"webhook_id=12345678901234567890"
    ));
    for body in [
        &b"webhook_id="[..],
        b"webhook_id=1&x=2",
        b"webhook_id=a",
        b"webhook_id=123456789012345678901",
        b"",
        b"x=1",
        b"1",
        b" webhook_id=1",
        b"webhook_id=1\n",
        b"webhook_id=webhook_id=1",
    ] {
        assert!(!is_ping(FORM, false, body), "{body:?}");
    }
    assert!(!is_ping(FORM, true, b"webhook_id=1"));
    assert!(!is_ping(Some("application/json"), false, b"webhook_id=1"));
    assert!(!is_ping(None, false, b"webhook_id=1"));
}

fn odd() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~äß☢&;#%{}\\[\\]\"]{0,40}".prop_map(Value::from),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}".prop_map(Value::from),
        prop::sample::select(vec![
            "completed",
            "fulfilled",
            "_wc_shipment_tracking_items",
            "-9999-01-01T00:00:00"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[0-9]|key|value|tracking_number|email", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(topic in "order\\.(created|deleted)", body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&topic, &channel(), &body, at(NOW));
        let _ = is_ping(Some("application/x-www-form-urlencoded"), false, &body);
    }

    #[test]
    fn no_odd_field_makes_the_reader_panic_or_lose_the_order(field in 0..20usize, value in odd()) {
        let mut body = with_meta(completed(order("processing")), "_wc_shipment_tracking_items", value.clone());
        let keys: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
        let key = &keys[field % keys.len()];
        body[key.as_str()] = value;
        let read = reading("order.updated", &body);
        if key != "id" && key != "status" {
            assert!(matches!(read, Reading::Fact { .. }), "{read:?}");
        }
    }
}

#[test]
fn an_order_is_one_once_it_is_paid_or_waits_for_a_payment_by_hand() {
    for (status, paid, draft) in [
        ("pending", false, true),
        ("pending", true, false),
        ("failed", false, true),
        ("failed", true, true),
        ("on-hold", false, false),
        ("processing", false, false),
        ("completed", false, false),
        ("cancelled", false, false),
        ("printing", false, false),
    ] {
        let mut body = order(status);
        body["date_paid_gmt"] = if paid { "2026-11-22T09:14:00".into() } else { Value::Null };
        body["date_paid"] = body["date_paid_gmt"].clone();
        assert_eq!(fact(&body).draft, draft, "{status}, paid: {paid}");
    }
}

#[test]
fn an_address_is_taken_whole_or_not_at_all() {
    let of = |email: &str| {
        let mut body = order("processing");
        body["billing"]["email"] = email.into();
        fact(&body).snapshot.customer.email
    };
    assert_eq!(of(" o&#8217;c@example.test ").as_deref(), Some("o’c@example.test"));
    let long = |n: usize| format!("{}@example.test", "x".repeat(n - "@example.test".len()));
    assert_eq!(of(&long(FIELD_MAX)), Some(long(FIELD_MAX)));
    for odd in
        [&long(FIELD_MAX + 1), &long(4_000), "a b@example.test", "a@example.test\nb@example.test", "", " "]
    {
        assert_eq!(of(odd), None, "{odd:?}");
    }
}
