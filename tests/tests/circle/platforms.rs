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
