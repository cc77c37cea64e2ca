//! Parcels registered with EasyPost by the events that bring them (laws 3, 10, 13, 20).

use serde_json::{Value, json};
use stagepost_app::ports::Clock;
use stagepost_domain::signing::base64_hmac;
use stagepost_standins::{Call, Platform, Tracking};
use stagepost_tests::{EASYPOST_KEY, SHOPIFY_SECRET, World, boats};

const NUMBER: &str = "1Z999AA10123456784";

/// A world whose carrier integration has its key, with an order of a WooCommerce site.
async fn registering() -> (World, String) {
    let world = World::start().await;
    give_key(&world, json!(EASYPOST_KEY)).await;
    let external = world.woo.create_order(&boats("Grace Hopper", "grace@example.com"));
    world.deliver_woo().await;
    world.settle().await;
    let id = world.woo_order(&external);
    (world, id)
}

async fn give_key(world: &World, key: Value) {
    let patch = json!({ "credentials": key }).to_string().into_bytes();
    let path = format!("/v1/carriers/{}", world.ids.carrier);
    world.api.send("PATCH", &path, Some(patch)).await.ok();
}

async fn add(world: &World, id: &str, number: &str) {
    let package = json!({"number": number, "carrier": "UPS"});
    world.api.post(&format!("/v1/orders/{id}/packages"), &package).await.ok();
    world.settle().await;
}

async fn skips(world: &World, id: &str) -> Vec<String> {
    let runs = world.runs_of(id, "register_tracker").await;
    runs.iter().filter_map(|r| r["skipped"]["reason"].as_str()).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_parcel_is_registered_when_it_comes_and_the_report_that_follows_advances_the_order() {
    let (world, id) = registering().await;
    add(&world, &id, NUMBER).await;
    let runs = world.runs_of(&id, "register_tracker").await;
    assert_eq!((runs.len(), &runs[0]["state"]), (1, &json!("succeeded")), "{runs:?}");
    assert!(runs[0]["result"].as_str().unwrap().starts_with("trk_"));
    assert_eq!(world.parcels.tracked(), [NUMBER]);
    world.pass(3_600).await;
    world.parcels.scan(NUMBER, "delivered");
    assert_eq!(world.deliver_parcels().await.len(), 2, "tracker.created and tracker.updated");
    world.pass(15).await;
    assert_eq!(world.stage(&id).await, "Delivered");
    assert_eq!(calls(&world).len(), 1, "one call in all");
}

#[tokio::test]
async fn law_13_a_parcel_that_has_arrived_before_it_was_told_advances_the_order_without_any_report() {
    let (world, id) = registering().await;
    world.parcels.scan(NUMBER, "in_transit");
    world.pass(3_600).await;
    world.parcels.scan(NUMBER, "delivered");
    add(&world, &id, NUMBER).await;
    world.pass(15).await;
    assert_eq!(world.stage(&id).await, "Delivered");
    assert_eq!(world.states(&id, "register_tracker").await, ["succeeded"]);
    for told in world.deliver_parcels().await {
        assert_eq!(told["orders"][0]["outcome"], "no_op", "{told}");
    }
}

#[tokio::test]
async fn law_10_a_parcel_that_a_fulfillment_brings_is_registered_once_however_often_it_is_told() {
    let (world, _) = registering().await;
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    world.pass(15).await;
    world.shopify.fulfill_by_hand(&external, &Tracking::number(NUMBER).by("UPS")).unwrap();
    let told = world.shopify.take_outbox();
    for notification in told.iter().chain(&told) {
        world.tell_shopify(notification).await;
    }
    world.pass(15).await;
    let id = world.shopify_order(&external);
    assert_eq!(world.states(&id, "register_tracker").await, ["succeeded"]);
    assert_eq!(calls(&world).len(), 1);
}

#[tokio::test]
async fn law_10_no_answer_a_limit_and_a_failure_end_in_one_tracker() {
    let (world, id) = registering().await;
    world.parcels.drop_answers(1);
    add(&world, &id, NUMBER).await;
    assert_eq!(world.states(&id, "register_tracker").await, ["pending"]);
    world.parcels.throttle_next(1);
    world.pass(15).await;
    let runs = world.runs_of(&id, "register_tracker").await;
    assert!(runs[0]["last_error"].as_str().unwrap().contains("try again later"), "{runs:?}");
    world.parcels.fail_next(503, 1);
    world.pass(120).await;
    assert_eq!(world.states(&id, "register_tracker").await, ["pending"]);
    world.pass(600).await;
    assert_eq!(world.states(&id, "register_tracker").await, ["succeeded"]);
    let log = calls(&world);
    assert_eq!((log.len(), world.parcels.tracked().len()), (4, 1), "{log:?}");
}

#[tokio::test]
async fn law_13_a_number_that_easypost_does_not_take_fails_with_its_words_and_can_be_tried_again() {
    let (world, id) = registering().await;
    world.parcels.refuse(NUMBER);
    add(&world, &id, NUMBER).await;
    let run = world.runs_of(&id, "register_tracker").await[0].clone();
    assert_eq!(run["state"], "failed");
    assert!(run["last_error"].as_str().unwrap().contains("TRACKER.NO_CARRIER_FOR_CODE"), "{run}");
    world.parcels.accept(NUMBER);
    let retry = format!("/v1/runs/{}/retry", run["id"].as_str().unwrap());
    world.api.post(&retry, &json!({})).await.ok();
    world.settle().await;
    assert_eq!(world.states(&id, "register_tracker").await, ["succeeded"]);
}

#[tokio::test]
async fn law_03_a_parcel_of_an_order_that_was_adopted_silently_is_not_registered_and_says_why() {
    let world = World::start().await;
    give_key(&world, json!(EASYPOST_KEY)).await;
    // Older than its channel, and shipped before anybody told us of it.
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    world.shopify.fulfill_by_hand(&external, &Tracking::number(NUMBER).by("UPS")).unwrap();
    let mut told = world.shopify.notification(&external, "orders/updated").unwrap();
    let mut order: Value = serde_json::from_slice(&told.body).unwrap();
    order["created_at"] = json!("2026-11-01T10:00:00-05:00");
    told.body = order.to_string().into_bytes();
    let signature = base64_hmac(SHOPIFY_SECRET, &told.body);
    for (name, value) in &mut told.headers {
        if name.eq_ignore_ascii_case("x-shopify-hmac-sha256") {
            value.clone_from(&signature);
        }
    }
    world.tell_shopify(&told).await;
    world.pass(15).await;
    let id = world.shopify_order(&external);
    assert_eq!(skips(&world, &id).await, ["imported"]);
    assert!(calls(&world).is_empty());
}

#[tokio::test]
async fn law_13_a_parcel_taken_away_before_its_turn_is_not_registered() {
    let (world, id) = registering().await;
    world.host.stop_queue_workers();
    let package = json!({"number": NUMBER, "carrier": "UPS"});
    let order = world.api.post(&format!("/v1/orders/{id}/packages"), &package).await.ok();
    let package = order["packages"][0]["id"].as_str().unwrap();
    world.api.send("DELETE", &format!("/v1/orders/{id}/packages/{package}"), None).await.ok();
    world.host.start_queue_workers();
    world.settle().await;
    assert_eq!(skips(&world, &id).await, ["package_removed"]);
    assert!(calls(&world).is_empty());
}

#[tokio::test]
async fn without_a_key_nothing_is_registered_and_a_new_key_counts_from_then_on() {
    let (world, id) = registering().await;
    give_key(&world, Value::Null).await;
    add(&world, &id, "1Z1").await;
    assert_eq!(world.runs_of(&id, "register_tracker").await.len(), 0);
    give_key(&world, json!("EZAKwrong")).await;
    add(&world, &id, "1Z2").await;
    assert_eq!(world.states(&id, "register_tracker").await, ["failed", "failed"], "the first with the key");
    give_key(&world, json!(EASYPOST_KEY)).await;
    add(&world, &id, "1Z3").await;
    assert_eq!(world.states(&id, "register_tracker").await, ["failed", "failed", "succeeded"]);
    assert_eq!(world.parcels.tracked(), ["1Z3"], "what failed is for somebody to try again");
}

/// What the carrier service was asked, but for trying out the key: that asks for no parcel.
fn calls(world: &World) -> Vec<Call> {
    world.parcels.log().into_iter().filter(|call| call.what != "GET trackers").collect()
}

/// The job of a kind, as it stands.
async fn job(world: &World, kind: &str) -> Vec<Value> {
    let jobs = world.api.get("/v1/jobs?limit=100").await.ok();
    jobs["items"].as_array().unwrap().iter().filter(|job| job["kind"] == kind).cloned().collect()
}

#[tokio::test]
async fn law_13_a_key_that_comes_later_registers_the_parcels_under_way_and_no_others() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for (n, number) in [(1, "EZ1"), (2, "EZ2"), (3, "EZ3")] {
        let external = world.woo.create_order(&boats("Grace Hopper", &format!("grace{n}@example.com")));
        world.deliver_woo().await;
        world.settle().await;
        ids.push(world.woo_order(&external));
        add(&world, ids.last().unwrap(), number).await;
    }
    // One has arrived, one has left the stages that come before the delivery.
    let delivered = world.easypost.event("EZ1", "delivered", world.clock.now());
    world.tell_carrier(&delivered).await;
    world.move_to(&ids[1], "Delivered").await.ok();
    world.pass(15).await;
    let seen = world.timeline(&ids[1]).await.len();

    give_key(&world, json!(EASYPOST_KEY)).await;
    world.pass(5).await;
    assert_eq!(world.parcels.tracked(), ["EZ3"]);
    assert_eq!(world.states(&ids[2], "register_tracker").await, ["succeeded"]);
    assert_eq!(world.timeline(&ids[2]).await.last().unwrap()["cause"]["kind"], "configuration");
    assert_eq!(world.timeline(&ids[1]).await.len(), seen);
    let made = job(&world, "register").await;
    assert_eq!(
        (made.len(), &made[0]["state"], &made[0]["progress"]["changed"]),
        (1, &json!("done"), &json!(1))
    );

    // Another key for the same service: what it reports it reports.
    give_key(&world, json!(EASYPOST_KEY)).await;
    world.pass(5).await;
    assert_eq!((job(&world, "register").await.len(), calls(&world).len()), (1, 1));
}

#[tokio::test]
async fn law_13_a_parcel_that_the_service_does_not_tell_of_is_asked_for() {
    let (world, id) = registering().await;
    add(&world, &id, NUMBER).await;
    world.parcels.scan(NUMBER, "in_transit");
    world.deliver_parcels().await;
    world.parcels.scan_unreported(NUMBER, "delivered");
    let asked = calls(&world).len();
    world.pass(26 * 3_600).await;
    assert_eq!(calls(&world).len(), asked, "it is not overdue yet");
    world.pass(24 * 3_600).await;
    world.pass(15).await;
    assert_eq!(world.stage(&id).await, "Delivered");
    assert_eq!(calls(&world).len(), asked + 1);
    world.pass(24 * 3_600).await;
    assert_eq!(calls(&world).len(), asked + 1, "what has arrived is not asked for");
    let recurs = job(&world, "refetch").await;
    assert_eq!((recurs.len(), &recurs[0]["state"]), (1, &json!("waiting")), "{recurs:?}");
}
