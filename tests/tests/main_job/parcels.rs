//! Advance on Delivery with several packages.

use serde_json::json;
use stagepost_standins::Tracking;
use stagepost_tests::{World, boats};

async fn add(world: &World, id: &str, number: &str) {
    let package = json!({"number": number, "carrier": "USPS"});
    world.api.post(&format!("/v1/orders/{id}/packages"), &package).await.ok();
}

#[tokio::test]
async fn two_packages_advance_the_order_on_the_second_delivery_and_a_late_scan_is_ignored() {
    let world = World::start().await;
    let external = world.woo.create_order(&boats("Grace Hopper", "grace@example.com"));
    world.deliver_woo().await;
    let id = world.woo_order(&external);
    add(&world, &id, "9400 1000 0000 0000 0000 01").await;
    add(&world, &id, "9400100000000000000002").await;
    world.pass(3600).await;
    let now = || stagepost_app::ports::Clock::now(&world.clock);

    let scan = world.easypost.event("9400100000000000000001", "in_transit", now());
    assert_eq!(world.tell_carrier(&scan).await["orders"][0]["outcome"], "changed");
    world.pass(3600).await;
    world.tell_carrier(&world.easypost.event("9400100000000000000001", "delivered", now())).await;
    assert_eq!(world.stage(&id).await, "New", "one of two packages has arrived");
    world.pass(3600).await;
    let second = world.easypost.event("9400100000000000000002", "delivered", now());
    world.tell_carrier(&second).await;
    world.tell_carrier(&second).await;
    world.pass(10).await;
    assert_eq!(world.path(&id).await, ["New", "Delivered"]);
    let cause = world
        .timeline(&id)
        .await
        .iter()
        .rev()
        .find_map(|e| e["transition"].is_object().then(|| e["cause"].clone()));
    assert_eq!(cause.unwrap()["kind"], "carrier");

    world.pass(3600).await;
    let late = world.easypost.event("9400100000000000000001", "out_for_delivery", now());
    assert_eq!(world.tell_carrier(&late).await["orders"][0]["outcome"], "ignored");
    assert_eq!(world.tell_carrier(&scan).await["orders"][0]["reason"], "older");
    let order = world.order(&id).await;
    assert!(order["packages"].as_array().unwrap().iter().all(|p| p["status"] == "delivered"));
    let ignored: Vec<_> = world.timeline(&id).await.into_iter().filter(|e| e["type"] == "ignored").collect();
    assert_eq!(ignored.len(), 1);
    assert_eq!(ignored[0]["why"]["reason"], "late_scan");
    assert_eq!(world.subjects().iter().filter(|s| s.contains("Delivered")).count(), 1);
}

#[tokio::test]
async fn a_delivery_known_before_the_order_is_parked_and_then_advances_it() {
    let world = World::start().await;
    let now = stagepost_app::ports::Clock::now(&world.clock);
    let early = world.easypost.event("1Z999AA10123456784", "delivered", now);
    assert_eq!(world.tell_carrier(&early).await["outcome"], "parked");
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    world.pass(15).await;
    world.shopify.fulfill_by_hand(&external, &Tracking::number("1Z999AA10123456784").by("UPS")).unwrap();
    world.deliver_shopify().await;
    world.pass(15).await;
    let id = world.shopify_order(&external);
    assert_eq!(world.stage(&id).await, "Delivered");
    assert_eq!(world.tell_carrier(&early).await["orders"][0]["outcome"], "no_op");
}

#[tokio::test]
async fn the_tracking_number_goes_to_the_platform_with_the_fulfillment() {
    let world = World::start().await;
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    let id = world.shopify_order(&external);
    add(&world, &id, "9400100000000000000001").await;
    world.move_to(&id, "Shipped").await.ok();
    world.settle().await;
    assert_eq!(world.shopify.tracking_numbers(&external), ["9400100000000000000001"]);
    world.deliver_shopify().await;
    let packages = world.order(&id).await["packages"].as_array().unwrap().len();
    assert_eq!(packages, 1, "our own tracking came back as a second package");
}

#[tokio::test]
async fn a_delivery_that_arrives_after_a_scan_dated_later_still_counts() {
    let world = World::start().await;
    let external = world.woo.create_order(&boats("Grace Hopper", "grace@example.com"));
    world.deliver_woo().await;
    let id = world.woo_order(&external);
    add(&world, &id, "9400100000000000000001").await;
    let delivered = stagepost_app::ports::Clock::now(&world.clock);
    let later = world.clock.advance(stagepost_domain::SignedDuration::from_secs(600));
    world.tell_carrier(&world.easypost.event("9400100000000000000001", "in_transit", later)).await;
    world.tell_carrier(&world.easypost.event("9400100000000000000001", "delivered", delivered)).await;
    assert_eq!(world.stage(&id).await, "Delivered");
}

#[tokio::test]
async fn a_tracking_link_without_a_number_goes_to_the_platform_too() {
    let world = World::start().await;
    let link = "https://parcels.example/track/77";
    let package = json!({"url": link});
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    let id = world.shopify_order(&external);
    world.api.post(&format!("/v1/orders/{id}/packages"), &package).await.ok();
    world.move_to(&id, "Shipped").await.ok();
    world.settle().await;
    assert_eq!(world.states(&id, "fulfill").await, ["succeeded"]);
    let shown = world.shopify.notification(&external, "orders/updated").unwrap();
    assert!(String::from_utf8_lossy(&shown.body).contains("parcels.example"), "Shopify shows the link");
    let external = world.woo.create_order(&boats("Grace Hopper", "grace@example.com"));
    world.deliver_woo().await;
    let id = world.woo_order(&external);
    world.api.post(&format!("/v1/orders/{id}/packages"), &package).await.ok();
    world.move_to(&id, "Shipped").await.ok();
    world.settle().await;
    assert_eq!(world.states(&id, "fulfill").await, ["succeeded"]);
    let told = world.woo.meta(&external, "_wc_shipment_tracking_items").unwrap();
    assert_eq!(told[0]["custom_tracking_link"], link);
    world.deliver_woo().await;
    assert_eq!(world.order(&id).await["packages"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn taking_away_the_package_that_never_came_advances_the_order() {
    let world = World::start().await;
    let external = world.woo.create_order(&boats("Grace Hopper", "grace@example.com"));
    world.deliver_woo().await;
    let id = world.woo_order(&external);
    add(&world, &id, "9400100000000000000001").await;
    add(&world, &id, "9400100000000000000002").await;
    world.pass(3600).await;
    let now = stagepost_app::ports::Clock::now(&world.clock);
    world.tell_carrier(&world.easypost.event("9400100000000000000001", "delivered", now)).await;
    assert_eq!(world.stage(&id).await, "New");
    let packages = world.order(&id).await["packages"].as_array().unwrap().clone();
    let lost = packages.iter().find(|p| p["status"] == "unknown").unwrap()["id"].as_str().unwrap();
    let left = world.api.send("DELETE", &format!("/v1/orders/{id}/packages/{lost}"), None).await.ok();
    assert_eq!(left["packages"].as_array().unwrap().len(), 1);
    assert_eq!(world.stage(&id).await, "Delivered");
}
