use serde_json::{Value, json};
use stagepost_app::inbound::Reading;
use stagepost_app::ports::{
    ActError, ChannelAccess, FulfillError, FulfillRequest, Fulfilled, FulfillmentPlatform, PlatformLook,
};
use stagepost_domain::disposition::Disposition;
use stagepost_domain::fact::{Coverage, Fact, ShipmentId};
use stagepost_domain::order::{Platform, Source};
use stagepost_domain::package::PackageSeen;
use stagepost_domain::run::RunId;

use super::store::{Fault, Store};
use super::{at, channel, completed, order, with_meta};
use crate::{WooClient, Work};

const RUN: &str = "run_abc.3.fulfill.chan_woo.0";
const ITEMS: &str = "_wc_shipment_tracking_items";
const READ_ONLY: &str =
    r#"{"code":"woocommerce_rest_authentication_error","message":"Nur Lesen","data":{"status":401}}"#;

fn access(store: &str) -> ChannelAccess {
    let mut channel = channel();
    channel.store = store.into();
    ChannelAccess { channel, credentials: "ck_a:cs_b".into() }
}

fn source() -> Source {
    Source {
        platform: Platform::Woocommerce,
        store: "https://shop.example".into(),
        external_id: "79".into(),
        channel: None,
    }
}

fn parcel(number: &str) -> PackageSeen {
    PackageSeen::parse(Some(number), Some("https://dhl.example/t"), Some("DHL")).unwrap()
}

fn request(packages: &[PackageSeen]) -> FulfillRequest {
    let run = RunId::parse(RUN).unwrap();
    FulfillRequest { run, packages: packages.to_vec(), notify_customer: false, in_doubt: false }
}

async fn look(store: &Store) -> Result<PlatformLook<Work>, ActError> {
    WooClient::new(store).look(&access("https://shop.example"), &source()).await
}

/// Looks and fulfills, as the runner does.
async fn run(store: &Store, request: &FulfillRequest) -> Result<Fulfilled, FulfillError> {
    let work = look(store).await.unwrap().work.expect("nothing to do");
    WooClient::new(store).fulfill(&access("https://shop.example"), &source(), &work, request).await
}

fn meta(store: &Store, key: &str) -> Value {
    store.see(|s| {
        let entries = s.order["meta_data"].as_array().unwrap();
        entries.iter().find(|m| m["key"] == key).map(|m| m["value"].clone()).unwrap_or_default()
    })
}

fn numbers(entries: &Value) -> Vec<&str> {
    entries.as_array().unwrap().iter().map(|e| e["tracking_number"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_order_without_parcels_is_completed_in_one_call_that_carries_our_run() {
    let store = Store::new(order("processing"));
    let done = run(&store, &request(&[])).await.unwrap();
    assert_eq!(done.coverage, Coverage::Complete);
    assert_eq!(done.shipments, [ShipmentId("completed@2026-11-22T09:40:01Z".into())]);
    assert_eq!(store.calls(), ["GET 79", "PUT 79"]);
    assert_eq!(meta(&store, "_stagepost_run"), RUN);
    let (headers, url) = store.see(|s| s.last.clone()).unwrap();
    assert_eq!(url.as_str(), "https://shop.example/wp-json/wc/v3/orders/79");
    assert!(headers.contains(&("authorization", "Basic Y2tfYTpjc19i".into())));
    assert!(headers.contains(&("content-type", "application/json".into())));
}

/// The merchant's completion as it stands in the store, without a mark of ours.
fn assert_theirs(store: &Store, failed: &FulfillError) {
    assert!(failed.already_done, "{failed:?}");
    assert_eq!(store.see(|s| s.order["date_completed_gmt"].clone()), "2026-11-22T09:40:01");
    assert_eq!(meta(store, "_stagepost_run"), Value::Null, "nobody may take it for ours");
}

#[tokio::test]
async fn law_7_an_order_that_the_merchant_completes_before_our_call_lands_is_the_merchants() {
    let before =
        |call| move |s: &mut super::store::State| s.faults.push_back((call, Fault::AfterTheMerchant(3)));
    let store = Store::new(order("processing")).with(before("PUT"));
    assert_theirs(&store, &run(&store, &request(&[])).await.unwrap_err());
    // While the tracking is told, it is seen before anything is completed.
    for call in ["GET shipment", "GET fulfillments", "GET notes"] {
        let store = Store::new(order("processing")).with(before(call));
        assert_theirs(&store, &run(&store, &request(&[parcel("A1")])).await.unwrap_err());
        assert!(!store.calls().iter().any(|c| c == "PUT 79"), "{:?}", store.calls());
    }
    let store = Store::new(order("processing")).with(|s| s.fulfillments = Some(Vec::new()));
    let store = store.with(|s| s.faults.push_back(("POST fulfillments", Fault::AfterTheMerchant(1))));
    let failed = run(&store, &request(&[parcel("A1")])).await.unwrap_err();
    assert!(failed.already_done);
    assert_eq!(failed.made, [ShipmentId("fulfillments".into())], "that one is ours");
    assert_eq!(meta(&store, "_stagepost_run"), Value::Null);
    let seen = look(&store).await.unwrap().shipments;
    let last = seen.iter().max_by_key(|s| s.created_at).unwrap();
    assert!(last.id.0.starts_with("completed@"), "the completion came after it: {seen:?}");
}

#[tokio::test]
async fn a_store_that_takes_its_time_over_our_completion_has_still_completed_it_for_us() {
    let store = Store::new(order("processing")).with(|s| s.faults.push_back(("PUT", Fault::Slow(9))));
    run(&store, &request(&[])).await.unwrap();
    assert_eq!(meta(&store, "_stagepost_run"), RUN);
}

#[tokio::test]
async fn law_7_of_the_older_storage_the_answers_own_date_tells_who_completed_the_order() {
    // A metadata change keeps the order's time there: the merchant's completion looks as fresh as ours.
    let store = Store::new(order("processing")).with(|s| s.legacy = true);
    let store = store.with(|s| s.faults.push_back(("PUT", Fault::AfterTheMerchant(10))));
    assert_theirs(&store, &run(&store, &request(&[])).await.unwrap_err());
    let ours = Store::new(order("processing")).with(|s| s.legacy = true);
    run(&ours, &request(&[])).await.unwrap();
    assert_eq!(meta(&ours, "_stagepost_run"), RUN);
    // A proxy's clock may be a little ahead of the store's.
    let near = Store::new(order("processing")).with(|s| s.legacy = true);
    let near = near.with(|s| s.faults.push_back(("PUT", Fault::AfterTheMerchant(5))));
    run(&near, &request(&[])).await.unwrap();
}

#[tokio::test]
async fn law_7_after_a_call_without_an_answer_a_completion_in_between_is_taken_for_our_late_one() {
    let store = Store::new(order("processing"));
    let store = store.with(|s| s.faults.push_back(("PUT", Fault::AfterTheMerchant(3))));
    let request = FulfillRequest { in_doubt: true, ..request(&[]) };
    run(&store, &request).await.unwrap();
    assert_eq!(meta(&store, "_stagepost_run"), RUN);
}

#[tokio::test]
async fn an_order_that_is_cancelled_while_its_tracking_is_told_is_not_completed() {
    let store = Store::new(order("processing"));
    let request = request(&[parcel("A1")]);
    let work = look(&store).await.unwrap().work.unwrap();
    let store = store.with(|s| s.order["status"] = "cancelled".into());
    let client = WooClient::new(&store);
    let failed =
        client.fulfill(&access("https://shop.example"), &source(), &work, &request).await.unwrap_err();
    assert!(failed.already_done);
    assert_eq!(store.see(|s| s.order["status"].clone()), "cancelled");
}

#[tokio::test]
async fn a_completion_that_was_taken_back_is_shown_as_such() {
    let store = Store::new(order("processing"));
    run(&store, &request(&[])).await.unwrap();
    let store = store.with(|s| s.order["status"] = "processing".into());
    let seen = look(&store).await.unwrap();
    assert_eq!(seen.coverage, Coverage::None);
    assert!(seen.work.is_some());
    let [past] = seen.shipments.as_slice() else { panic!("{seen:?}") };
    assert_eq!((past.active, past.marker.as_deref()), (false, Some(RUN)));
}

#[tokio::test]
async fn the_echo_of_our_completion_carries_the_identity_that_the_answer_gave() {
    let store = Store::new(order("processing"));
    let done = run(&store, &request(&[])).await.unwrap();
    let body = store.see(|s| s.order.to_string());
    let Reading::Fact { fact: Fact::Order(fact), .. } =
        crate::read("order.updated", &channel(), body.as_bytes(), at("2026-11-22T10:00:00Z"))
    else {
        panic!()
    };
    assert_eq!(vec![fact.fulfillment.shipments[0].id.clone()], done.shipments);
    assert_eq!(fact.fulfillment.marker.as_deref(), Some(RUN));
}

#[tokio::test]
async fn the_extension_gets_the_parcels_before_the_order_is_completed() {
    let store = Store::new(order("processing")).with(|s| s.extension = Some(Vec::new()));
    let bare = PackageSeen::parse(Some("B2"), None, Some("usps")).unwrap();
    let link = PackageSeen::parse(None, Some("https://ups.example/t/1"), None).unwrap();
    run(&store, &request(&[parcel("A1"), bare, link])).await.unwrap();
    let posts = ["POST shipment-trackings"; 3];
    assert_eq!(
        store.calls(),
        [&["GET 79", "GET shipment-trackings"], &posts[..], &["GET 79", "PUT 79"]].concat()
    );
    let entries = store.see(|s| s.extension.clone()).unwrap();
    assert_eq!(entries[0]["custom_tracking_provider"], "DHL");
    assert_eq!(entries[0]["custom_tracking_link"], "https://dhl.example/t");
    assert_eq!(
        (&entries[1]["tracking_provider"], &entries[1]["tracking_number"]),
        (&json!("usps"), &json!("B2"))
    );
    assert_eq!(entries[2]["tracking_number"], "https://ups.example/t/1");
    assert_eq!(numbers(&meta(&store, ITEMS)), ["A1", "B2", "https://ups.example/t/1"]);
}

#[tokio::test]
async fn parcels_that_the_store_shows_already_are_not_told_again() {
    let items = json!([{ "tracking_number": "a 1", "tracking_provider": "dhl" }]);
    let store = Store::new(with_meta(order("processing"), ITEMS, items));
    run(&store, &request(&[parcel("A1")])).await.unwrap();
    assert_eq!(store.calls(), ["GET 79", "PUT 79"]);
}

#[tokio::test]
async fn a_retry_after_the_tracking_was_posted_does_not_post_it_twice() {
    for fault in [Fault::Lost, Fault::Garbled(500, "<html>"), Fault::Garbled(504, "")] {
        let store = Store::new(order("processing")).with(|s| {
            s.extension = Some(Vec::new());
            s.faults.push_back(("POST shipment", fault));
        });
        let request = request(&[parcel("A1"), parcel("B2")]);
        let failed = run(&store, &request).await.unwrap_err();
        // Nothing is completed yet, so nothing is in doubt.
        assert!(matches!(failed.error.disposition, Disposition::Retry { .. }), "{:?}", failed.error);
        assert_eq!(store.see(|s| s.order["status"].clone()), "processing");
        run(&store, &request).await.unwrap();
        assert_eq!(numbers(&meta(&store, ITEMS)), ["A1", "B2"]);
    }
}

#[tokio::test]
async fn an_extension_that_hides_its_list_from_the_order_gets_nothing_twice() {
    let store = Store::new(order("processing"))
        .with(|s| s.extension = Some(vec![json!({ "tracking_number": "A1", "tracking_id": "x" })]));
    run(&store, &request(&[parcel("A1")])).await.unwrap();
    assert_eq!(store.see(|s| s.extension.clone()).unwrap().len(), 1);
}

#[tokio::test]
async fn without_extension_and_feature_the_list_is_written_with_the_completion_and_noted() {
    let old = json!({ "tracking_number": "OLD", "odd": [1] });
    let store = Store::new(with_meta(order("processing"), ITEMS, json!([old])));
    run(&store, &request(&[parcel("A1")])).await.unwrap();
    assert_eq!(
        store.calls(),
        [
            "GET 79",
            "GET shipment-trackings",
            "GET fulfillments",
            "GET notes",
            "POST notes",
            "GET 79",
            "PUT 79"
        ]
    );
    let items = meta(&store, ITEMS);
    assert_eq!(items[0], old);
    assert_eq!(numbers(&items), ["OLD", "A1"]);
    assert_eq!(items[1]["custom_tracking_link"], "https://dhl.example/t");
    assert_eq!(store.see(|s| s.notes[0]["note"].clone()), "Tracking: DHL A1 https://dhl.example/t");
    assert_eq!(store.see(|s| s.notes[0]["customer_note"].clone()), false);
}

#[tokio::test]
async fn notes_that_cannot_be_read_are_not_taken_for_none() {
    for (status, page) in [(200, "<html>"), (200, "{}"), (200, r#"{"code":"x"}"#), (403, "<html>"), (404, "")]
    {
        let store = Store::new(order("processing"));
        let store = store.with(|s| s.faults.push_back(("GET notes", Fault::Answer(status, page))));
        let failed = run(&store, &request(&[parcel("A1")])).await.unwrap_err();
        assert_eq!(failed.error.disposition, Disposition::RETRY, "{status} {page}");
        assert!(!store.calls().iter().any(|c| c == "POST notes" || c == "PUT 79"), "{:?}", store.calls());
    }
}

#[tokio::test]
async fn a_note_tells_of_a_parcel_only_by_its_whole_number() {
    for (note, told) in [
        ("Tracking: A1", true),
        ("Tracking: UPS B2; DHL A1", true),
        ("Tracking: A1; B2", true),
        ("Tracking: A12", false),
        ("Tracking: UPS BA1; A1-2", false),
        ("Tracking: A12 A1 https://t.example/A1", true),
        ("Sent A1", false),
    ] {
        let store = Store::new(order("processing"));
        let store = store.with(|s| s.notes.push(json!({ "note": note })));
        run(&store, &request(&[parcel("A1")])).await.unwrap();
        assert_eq!(store.see(|s| s.notes.len()) == 1, told, "{note}");
    }
}

#[tokio::test]
async fn a_note_is_not_written_twice() {
    let store = Store::new(order("processing")).with(|s| s.faults.push_back(("PUT", Fault::Answer(503, ""))));
    let request = request(&[parcel("A1")]);
    run(&store, &request).await.unwrap_err();
    run(&store, &request).await.unwrap();
    assert_eq!(store.see(|s| s.notes.len()), 1);
}

#[tokio::test]
async fn a_list_in_an_unknown_shape_is_left_alone_and_the_note_tells() {
    let store = Store::new(with_meta(order("processing"), ITEMS, "a:1:{i:0;s:2:\"A1\";}".into()));
    run(&store, &request(&[parcel("A1")])).await.unwrap();
    assert_eq!(meta(&store, ITEMS), "a:1:{i:0;s:2:\"A1\";}");
    assert_eq!(store.see(|s| s.notes.len()), 1);
    // Where not even a note is taken, the order is not completed as if all had been told.
    let store = Store::new(with_meta(order("processing"), ITEMS, true.into()))
        .with(|s| s.faults.push_back(("POST notes", Fault::Answer(403, r#"{"code":"rest_forbidden"}"#))));
    let failed = run(&store, &request(&[parcel("A1")])).await.unwrap_err();
    assert_eq!(failed.error.disposition, Disposition::Permanent);
    assert_eq!(store.see(|s| s.order["status"].clone()), "processing");
}

#[tokio::test]
async fn the_fulfillments_feature_gets_a_fulfillment_for_each_parcel() {
    let store = Store::new(order("processing")).with(|s| s.fulfillments = Some(Vec::new()));
    let mut request = request(&[parcel("A1"), parcel("B2")]);
    request.notify_customer = true;
    let done = run(&store, &request).await.unwrap();
    assert_eq!(
        store.calls(),
        [
            "GET 79",
            "GET shipment-trackings",
            "GET fulfillments",
            "PUT 79",
            "POST fulfillments",
            "POST fulfillments",
            "GET 79",
            "PUT 79"
        ]
    );
    assert_eq!(done.shipments.len(), 2);
    assert!(done.shipments.contains(&ShipmentId("fulfillments".into())));
    let made = store.see(|s| s.fulfillments.clone()).unwrap();
    assert_eq!(made[0]["status"], "fulfilled");
    assert_eq!(made[0]["notify_customer"], true);
    let entries = made[0]["meta_data"].as_array().unwrap();
    assert!(entries.iter().all(|m| m["id"] == 0), "entries without id 0 are dropped by WooCommerce");
    assert_eq!(entries[0]["value"], json!([{ "item_id": 7, "qty": 2 }, { "item_id": 8, "qty": 1 }]));
    assert_eq!(entries[1], json!({ "id": 0, "key": "_tracking_number", "value": "A1" }));
}

#[tokio::test]
async fn only_what_no_fulfillment_has_named_is_fulfilled() {
    let there = json!({ "id": 1, "is_fulfilled": true, "status": "fulfilled", "meta_data": [
        { "id": 1, "key": "_items", "value": [{ "item_id": 7, "qty": 1 }, { "item_id": 8, "qty": 5 }] },
        { "id": 2, "key": "_tracking_number", "value": "A1" }] });
    let draft = json!({ "id": 2, "is_fulfilled": false, "meta_data": [
        { "id": 3, "key": "_items", "value": [{ "item_id": 7, "qty": 1 }] }] });
    let store = Store::new(order("processing")).with(|s| s.fulfillments = Some(vec![there, draft]));
    run(&store, &request(&[parcel("A1"), parcel("B2")])).await.unwrap();
    let made = store.see(|s| s.fulfillments.clone()).unwrap();
    assert_eq!(made.len(), 3);
    assert_eq!(made[2]["meta_data"][0]["value"], json!([{ "item_id": 7, "qty": 1 }]));
    assert_eq!(made[2]["meta_data"][1]["value"], "B2");
}

#[tokio::test]
async fn an_attempt_that_stops_after_our_fulfillment_is_finished_by_the_next_attempt() {
    let store = Store::new(order("processing")).with(|s| {
        s.fulfillments = Some(Vec::new());
        s.faults.push_back(("POST fulfillments", Fault::Lost));
    });
    let request = request(&[parcel("A1")]);
    let failed = run(&store, &request).await;
    // A fulfillment fulfills, so a lost answer stays in doubt and the lock stays held.
    assert_eq!(failed.unwrap_err().error.disposition, Disposition::Ambiguous);
    let seen = look(&store).await.unwrap();
    assert_eq!(seen.coverage, Coverage::Partial);
    assert_eq!(seen.shipments[0].marker.as_deref(), Some(RUN));
    run(&store, &request).await.unwrap();
    assert_eq!(store.see(|s| s.order["status"].clone()), "completed");
    assert_eq!(store.see(|s| s.fulfillments.clone()).unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_fulfilled_before_an_error_is_named_in_it() {
    let marked = with_meta(order("processing"), "_stagepost_run", RUN.into());
    let store = Store::new(marked).with(|s| {
        s.fulfillments = Some(Vec::new());
        s.faults.push_back(("PUT", Fault::Answer(503, "")));
    });
    let failed = run(&store, &request(&[parcel("A1")])).await.unwrap_err();
    assert_eq!(failed.made, [ShipmentId("fulfillments".into())]);
    assert_eq!(failed.error.disposition, Disposition::Ambiguous);
}

#[tokio::test]
async fn a_way_that_refuses_this_key_gives_way_to_the_next() {
    let forbidden = r#"{"code":"woocommerce_rest_cannot_create","data":{"status":403}}"#;
    let store = Store::new(order("processing")).with(|s| {
        s.extension = Some(Vec::new());
        s.fulfillments = Some(Vec::new());
        s.faults.push_back(("POST shipment", Fault::Answer(403, forbidden)));
        s.faults.push_back(("GET fulfillments", Fault::Answer(401, forbidden)));
    });
    run(&store, &request(&[parcel("A1")])).await.unwrap();
    assert_eq!(numbers(&meta(&store, ITEMS)), ["A1"]);
}

#[tokio::test]
async fn the_list_that_the_extension_has_just_written_is_not_overwritten() {
    let store = Store::new(order("processing")).with(|s| {
        s.extension = Some(Vec::new());
        s.faults.push_back(("POST shipment", Fault::Answer(400, r#"{"code":"rest_invalid_param"}"#)));
    });
    run(&store, &request(&[parcel("A1"), parcel("B2")])).await.unwrap();
    assert_eq!(numbers(&meta(&store, ITEMS)), ["B2"]);
    assert!(store.see(|s| s.notes[0]["note"].to_string()).contains("A1"));
}

#[tokio::test]
async fn a_list_that_the_extension_keeps_out_of_sight_is_not_overwritten() {
    let store = Store::new(order("processing")).with(|s| {
        s.extension = Some(vec![json!({ "tracking_number": "OLD" })]);
        s.faults.push_back(("POST shipment", Fault::Answer(401, READ_ONLY)));
    });
    run(&store, &request(&[parcel("A1")])).await.unwrap();
    assert_eq!(meta(&store, ITEMS), Value::Null);
    assert!(store.see(|s| s.notes[0]["note"].to_string()).contains("A1"));
}

#[tokio::test]
async fn a_passing_trouble_with_the_tracking_comes_before_the_completion() {
    for call in ["GET shipment", "POST shipment", "GET fulfillments"] {
        for status in [429, 503, 500, 502] {
            let store = Store::new(order("processing")).with(|s| {
                s.extension = (call != "GET fulfillments").then(Vec::new);
                s.faults.push_back((call, Fault::Answer(status, "<html>")));
            });
            let failed = run(&store, &request(&[parcel("A1")])).await.unwrap_err();
            assert!(matches!(failed.error.disposition, Disposition::Retry { .. }), "{call} {status}");
            assert_eq!(store.see(|s| s.order["status"].clone()), "processing");
        }
    }
}

#[tokio::test]
async fn an_attempt_posts_a_bounded_number_of_parcels_and_the_next_goes_on() {
    let store = Store::new(order("processing")).with(|s| s.extension = Some(Vec::new()));
    let parcels: Vec<_> = (0..25).map(|n| parcel(&format!("N{n}"))).collect();
    let request = request(&parcels);
    for _ in 0..2 {
        let failed = run(&store, &request).await.unwrap_err();
        assert!(matches!(failed.error.disposition, Disposition::Retry { after: Some(_) }));
    }
    run(&store, &request).await.unwrap();
    assert_eq!(numbers(&meta(&store, ITEMS)).len(), 25);
}

#[tokio::test]
async fn a_lost_answer_to_the_completion_is_in_doubt_and_the_next_look_knows_it_as_ours() {
    let statuses = [200, 408, 500, 502, 503, 504, 520];
    let garbled = statuses.map(|status| Fault::Garbled(status, "<html>"));
    for fault in [Fault::Lost].into_iter().chain(garbled) {
        let store = Store::new(order("processing")).with(|s| s.faults.push_back(("PUT", fault)));
        let failed = run(&store, &request(&[])).await.unwrap_err();
        assert_eq!(failed.error.disposition, Disposition::Ambiguous);
        let seen = look(&store).await.unwrap();
        assert_eq!(seen.coverage, Coverage::Complete);
        assert!(seen.work.is_none());
        assert_eq!(seen.shipments[0].marker.as_deref(), Some(RUN));
    }
}

#[tokio::test]
async fn a_rate_limit_surely_comes_before_the_completion() {
    for status in [425, 429] {
        let store = Store::new(order("processing"))
            .with(|s| s.faults.push_back(("PUT", Fault::Answer(status, "<html>"))));
        let failed = run(&store, &request(&[])).await.unwrap_err();
        assert_eq!(failed.error.disposition, Disposition::RETRY, "{status}");
    }
}

#[tokio::test]
async fn a_fulfillment_behind_a_proxy_that_gave_up_waiting_is_in_doubt() {
    for status in [408, 503, 504] {
        let store = Store::new(order("processing")).with(|s| {
            s.fulfillments = Some(Vec::new());
            s.faults.push_back(("POST fulfillments", Fault::Garbled(status, "<html>")));
        });
        let failed = run(&store, &request(&[parcel("A1")])).await.unwrap_err();
        assert_eq!(failed.error.disposition, Disposition::Ambiguous, "{status}");
    }
}

#[tokio::test]
async fn refusals_say_what_a_merchant_can_do() {
    let table = [
        (401, READ_ONLY, "read/write"),
        (401, r#"{"code":"woocommerce_rest_cannot_edit","message":"x","data":{"status":401}}"#, "revoked"),
        (403, r#"{"code":"woocommerce_rest_cannot_edit","message":"x","data":{"status":403}}"#, "owner"),
        (
            400,
            r#"{"code":"woocommerce_rest_shop_order_invalid_id","message":"Ungültig","data":{"status":400}}"#,
            "no such order",
        ),
        (403, "<html>Blocked, Ann</html>", "firewall"),
        (301, "", "redirect"),
        (400, r#"{"code":"rest_invalid_param","message":"Ann","data":{}}"#, "rest_invalid_param"),
    ];
    for (status, body, hint) in table {
        let store = Store::new(order("processing"))
            .with(|s| s.faults.push_back(("PUT", Fault::Answer(status, body))));
        let failed = run(&store, &request(&[])).await.unwrap_err();
        assert_eq!(failed.error.disposition, Disposition::Permanent, "{status} {body}");
        let message = &failed.error.message;
        assert!(message.contains(hint) && !message.contains("Ann"), "{message}");
    }
}

#[tokio::test]
async fn the_store_s_wish_for_patience_is_kept() {
    struct Busy;
    impl stagepost_app::ports::PlatformHttp for Busy {
        async fn call(
            &self,
            _: stagepost_app::ports::ApiCall,
        ) -> Result<stagepost_app::ports::ApiAnswer, ActError> {
            let retry_after = Some(stagepost_domain::SignedDuration::from_secs(90));
            Ok(stagepost_app::ports::ApiAnswer {
                status: 429,
                retry_after,
                took: stagepost_domain::SignedDuration::ZERO,
                date: None,
                body: Vec::new(),
            })
        }
    }
    let failed = WooClient::new(Busy).look(&access("https://shop.example"), &source()).await.unwrap_err();
    let after = Some(stagepost_domain::SignedDuration::from_secs(90));
    assert_eq!(failed.disposition, Disposition::Retry { after });
}

#[tokio::test]
async fn a_look_that_fails_never_leaves_a_doubt_about_the_order() {
    let table = [
        (404, r#"{"code":"woocommerce_rest_shop_order_invalid_id"}"#, Disposition::Permanent),
        (404, r#"{"code":"rest_no_route"}"#, Disposition::Permanent),
        (401, READ_ONLY, Disposition::Permanent),
        (403, "<html>", Disposition::Permanent),
        (503, "<html>", Disposition::RETRY),
        (500, "", Disposition::RETRY),
        (200, "<html>", Disposition::RETRY),
        (200, r#"{"id":80,"status":"processing","billing":{}}"#, Disposition::RETRY),
    ];
    for (status, body, expected) in table {
        let store = Store::new(order("processing"))
            .with(|s| s.faults.push_back(("GET", Fault::Answer(status, body))));
        assert_eq!(look(&store).await.unwrap_err().disposition, expected, "{status} {body}");
    }
}

#[tokio::test]
async fn what_must_not_be_completed_is_blocked() {
    for status in ["trash", "cancelled", "refunded", "failed", "checkout-draft", "auto-draft"] {
        let seen = look(&Store::new(order(status))).await.unwrap();
        assert!(seen.work.is_none() && seen.blocked.is_some(), "{status}");
    }
    for status in ["pending", "processing", "on-hold", "partial-shipped", "awaiting-stock"] {
        let seen = look(&Store::new(order(status))).await.unwrap();
        assert!(seen.work.is_some() && seen.blocked.is_none(), "{status}");
    }
    let seen = look(&Store::new(order("shipped"))).await.unwrap();
    assert_eq!(seen.coverage, Coverage::Complete);
    assert!(seen.work.is_none() && seen.blocked.is_none(), "there is nothing left to complete");
}

#[tokio::test]
async fn an_order_that_somebody_completed_is_left_alone_and_never_taken_for_ours() {
    let items = json!([{ "tracking_number": "A1" }]);
    let seen = look(&Store::new(with_meta(completed(order("processing")), ITEMS, items))).await.unwrap();
    assert_eq!(seen.coverage, Coverage::Complete);
    assert!(seen.work.is_none() && seen.blocked.is_none());
    let shipment = &seen.shipments[0];
    assert_eq!(shipment.id.0, "completed@2026-11-22T09:20:00Z");
    assert_eq!(shipment.created_at, at("2026-11-22T09:20:00Z"));
    assert_eq!(shipment.numbers, ["A1"]);
    // No mark is a mark that is no run's: time and numbers are not guessed from.
    assert_eq!(shipment.marker.as_deref(), Some(""));
}

#[tokio::test]
async fn a_completion_that_a_plugin_turned_into_something_else_is_told() {
    let body = r#"{"id":79,"status":"shipped","billing":{}}"#;
    let store =
        Store::new(order("processing")).with(|s| s.faults.push_back(("PUT", Fault::Answer(200, body))));
    let failed = run(&store, &request(&[])).await.unwrap_err();
    assert_eq!(failed.error.disposition, Disposition::Permanent);
    assert!(failed.error.message.contains("shipped"));
}

#[tokio::test]
async fn keys_leave_only_over_https_or_to_this_machine() {
    let table = [
        ("https://shop.example/", Some("https://shop.example/wp-json/wc/v3/orders/79")),
        ("https://shop.example/blog", Some("https://shop.example/blog/wp-json/wc/v3/orders/79")),
        ("http://127.0.0.1:8090", Some("http://127.0.0.1:8090/wp-json/wc/v3/orders/79")),
        ("http://localhost:8090", Some("http://localhost:8090/wp-json/wc/v3/orders/79")),
        ("http://shop.example", None),
        ("http://localhost.shop.example", None),
        ("http://10.0.0.1", None),
        ("https://a:b@shop.example", None),
        ("https://shop.example/?x=1", None),
        ("ftp://shop.example", None),
        ("shop.example", None),
        ("", None),
    ];
    for (address, expected) in table {
        let store = Store::new(order("processing"));
        let seen = WooClient::new(&store).look(&access(address), &source()).await;
        assert_eq!(
            store.see(|s| s.last.clone().map(|(_, url)| url.to_string())).as_deref(),
            expected,
            "{address}"
        );
        assert_eq!(seen.is_ok(), expected.is_some(), "{address}");
    }
}

#[tokio::test]
async fn an_id_that_is_none_never_becomes_part_of_an_address() {
    for id in ["", "..", "79/notes", "7 9", "abc"] {
        let store = Store::new(order("processing"));
        let order = Source { external_id: id.into(), ..source() };
        let failed = WooClient::new(&store).look(&access("https://shop.example"), &order).await.unwrap_err();
        assert_eq!(failed.disposition, Disposition::Permanent);
        assert!(store.calls().is_empty());
    }
}
