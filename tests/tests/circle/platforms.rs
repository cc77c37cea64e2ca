//! What Shopify and WooCommerce really do, where it differs from what one would expect of them.

use stagepost_standins::{LineSpec, THIRD_PARTY, Tracking};
use stagepost_tests::{World, boats};

#[tokio::test]
async fn law_2_a_part_that_our_scopes_do_not_show_completes_the_order_only_when_it_is_shipped() {
    let world = World::start().await;
    let spec = boats("Ada Lovelace", "ada@example.com").line(LineSpec::new("Sail", 1, 400).by_third_party());
    let external = world.shopify.create_order(&spec);
    world.deliver_shopify().await;
    let id = world.shopify_order(&external);
    world.move_to(&id, "Ready").await.ok();
    world.settle().await;
    world.deliver_shopify().await;
    world.pass(10).await;
    assert_eq!(world.states(&id, "fulfill").await, ["succeeded"]);
    assert_eq!(world.order(&id).await["fulfillment"]["coverage"], "partial");
    assert_eq!(world.path(&id).await, ["New", "Ready"]);
    world.shopify.fulfill_location(&external, THIRD_PARTY, &Tracking::none()).unwrap();
    world.deliver_shopify().await;
    world.pass(10).await;
    let order = world.order(&id).await;
    assert_eq!(order["fulfillment"]["coverage"], "complete");
    assert_eq!(order["fulfillment"]["by"]["whose"], "theirs", "{order}");
    assert_eq!(world.path(&id).await, ["New", "Ready", "Shipped"]);
}

#[tokio::test]
async fn law_1_of_the_older_woocommerce_storage_a_change_of_metadata_counts_although_it_keeps_the_time() {
    let world = World::start().await;
    world.woo.set_legacy_storage(true);
    let external = world.woo.create_order(&boats("Grace Hopper", "grace@example.com"));
    world.deliver_woo().await;
    let id = world.woo_order(&external);
    let numbers = |order: &serde_json::Value| {
        let all = order["packages"].as_array().unwrap().iter();
        all.map(|p| p["number"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (number, listed) in [("1Z999AA10123456784", 1), ("9400100000000000000001", 2)] {
        world.pass(3600).await;
        world.woo.add_tracking(&external, &Tracking::number(number)).unwrap();
        world.deliver_woo().await;
        let held = numbers(&world.order(&id).await);
        assert!(held.len() == listed && held.iter().any(|n| n == number), "{held:?}");
    }
}

#[tokio::test]
async fn law_3_a_woocommerce_order_begins_when_it_is_paid_however_often_its_payment_failed_before() {
    let world = World::start().await;
    let external = world.woo.create_unpaid(&boats("Grace Hopper", "grace@example.com"));
    let id = world.woo_order(&external);
    world.pass(600).await;
    world.woo.set_status(&external, "failed").unwrap();
    for outcome in world.deliver_woo().await {
        assert_eq!(outcome["reason"], "draft", "{outcome}");
    }
    world.pass(10).await;
    assert_eq!(world.api.get(&format!("/v1/orders/{id}")).await.status, 404);
    assert!(world.mails().is_empty(), "{:?}", world.subjects());
    world.woo.set_status(&external, "processing").unwrap();
    world.deliver_woo().await;
    world.pass(10).await;
    assert_eq!((world.path(&id).await, world.mails().len()), (vec!["New".to_owned()], 1));
}

#[tokio::test]
async fn law_10_an_order_cancelled_within_the_grace_and_reopened_is_mailed_once() {
    let world = World::start().await;
    let external = world.woo.create_order(&boats("Grace Hopper", "grace@example.com"));
    world.deliver_woo().await;
    let id = world.woo_order(&external);
    world.woo.set_status(&external, "cancelled").unwrap();
    world.deliver_woo().await;
    world.pass(10).await;
    assert_eq!(world.runs_of(&id, "email").await[0]["skipped"]["reason"], "order_cancelled");
    for _ in 0..2 {
        world.pass(60).await;
        world.woo.set_status(&external, "processing").unwrap();
        world.deliver_woo().await;
        world.pass(10).await;
        assert_eq!(world.path(&id).await, ["New", "New"]);
        assert_eq!(world.states(&id, "email").await, ["skipped", "succeeded"]);
        assert_eq!(world.subjects(), ["71: New"]);
        world.pass(60).await;
        world.woo.set_status(&external, "cancelled").unwrap();
        world.deliver_woo().await;
    }
}
