//! Law 2: only an explicit cancellation opens a new fulfillment epoch.

use stagepost_standins::{Platform, Tracking};
use stagepost_tests::{World, boats};

#[tokio::test]
async fn a_cancelled_fulfillment_opens_a_new_epoch_and_a_late_stale_payload_does_not() {
    let world = World::start().await;
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    let unfulfilled = world.shopify.take_outbox();
    for notification in &unfulfilled {
        world.tell_shopify(notification).await;
    }
    let id = world.shopify_order(&external);
    world.pass(15).await;
    world.shopify.fulfill_by_hand(&external, &Tracking::number("1Z1")).unwrap();
    world.deliver_shopify().await;
    world.pass(15).await;
    assert_eq!(world.order(&id).await["fulfillment"]["coverage"], "complete");

    // What the store said before the fulfillment comes once more, late.
    for notification in &unfulfilled {
        assert_eq!(world.tell_shopify(notification).await["outcome"], "no_op");
    }
    assert_eq!(world.order(&id).await["fulfillment"]["epoch"], 0);

    world.shopify.cancel_fulfillment(&external).unwrap();
    let cancelled = world.shopify.take_outbox();
    for notification in &cancelled {
        world.tell_shopify(notification).await;
    }
    let order = world.order(&id).await;
    assert_eq!(order["fulfillment"]["epoch"], 1);
    assert_eq!(order["fulfillment"]["coverage"], "none");
    assert_eq!(order["packages"].as_array().unwrap().len(), 0, "its package went with it");

    // In the new epoch the order can be fulfilled again, by us.
    world.move_to(&id, "Ready").await.ok();
    world.settle().await;
    assert_eq!(world.shopify.fulfillment_calls(), 1);
    assert_eq!(world.order(&id).await["fulfillment"]["by"]["whose"], "ours");
    world.deliver_shopify().await;
    for notification in &cancelled {
        world.tell_shopify(notification).await;
    }
    let order = world.order(&id).await;
    assert_eq!(order["fulfillment"]["epoch"], 1, "the old cancellation came again and was taken as new");
    assert_eq!(order["stage"]["name"], "Ready");
}

#[tokio::test]
async fn a_woocommerce_order_set_back_from_completed_opens_a_new_epoch() {
    let world = World::start().await;
    let external = world.woo.create_order(&boats("Grace Hopper", "grace@example.com"));
    world.deliver_woo().await;
    let id = world.woo_order(&external);
    world.pass(15).await;
    world.move_to(&id, "Ready").await.ok();
    world.settle().await;
    world.deliver_woo().await;
    world.pass(15).await;
    assert_eq!(world.order(&id).await["fulfillment"]["by"]["whose"], "ours");
    world.woo.set_status(&external, "processing").unwrap();
    world.deliver_woo().await;
    let order = world.order(&id).await;
    assert_eq!(
        (&order["fulfillment"]["epoch"], &order["fulfillment"]["coverage"]),
        (&1.into(), &"none".into())
    );
    world.pass(15).await;
    world.woo.complete_by_hand(&external, &Tracking::none()).unwrap();
    world.deliver_woo().await;
    world.pass(15).await;
    assert_eq!(world.order(&id).await["fulfillment"]["by"]["whose"], "theirs");
    assert_eq!(world.path(&id).await, ["New", "Ready", "Shipped"]);
    assert_eq!(world.woo.fulfillment_calls(), 1);
}
