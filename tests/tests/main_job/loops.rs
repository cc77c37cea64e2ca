//! Laws 5 to 7: the two directions never loop.

use serde_json::{Value, json};
use stagepost_app::ports::Clock;
use stagepost_standins::{Platform, Tracking};
use stagepost_tests::{PATIENCE, World, boats};

/// A Shopify order that stands in New, its first mail sent.
async fn shopify_order(world: &World) -> (String, String) {
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    world.pass(10).await;
    let id = world.shopify_order(&external);
    (external, id)
}

/// A WooCommerce order that stands in New, its first mail sent.
async fn woo_order(world: &World) -> (String, String) {
    let external = world.woo.create_order(&boats("Grace Hopper", "grace@example.com"));
    world.deliver_woo().await;
    world.pass(10).await;
    let id = world.woo_order(&external);
    (external, id)
}

async fn only_fulfill_run(world: &World, id: &str) -> Value {
    let runs = world.runs_of(id, "fulfill").await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs[0].clone()
}

#[tokio::test]
async fn fulfilled_on_shopify_moves_the_order_once_and_the_outbound_run_is_skipped_with_who_and_when() {
    let world = World::start().await;
    let (external, id) = shopify_order(&world).await;
    let fulfilled_at = world.clock.now().to_string();
    world.shopify.fulfill_by_hand(&external, &Tracking::number("1Z999AA10123456784").by("UPS")).unwrap();
    world.deliver_shopify().await;
    world.pass(10).await;
    assert_eq!(world.path(&id).await, ["New", "Shipped"]);
    let run = only_fulfill_run(&world, &id).await;
    assert_eq!(run["state"], "skipped");
    assert_eq!(run["skipped"]["reason"], "already_fulfilled");
    assert_eq!(run["skipped"]["by"]["whose"], "theirs");
    assert_eq!(run["skipped"]["platform"], "shopify");
    assert_eq!(run["skipped"]["at"], fulfilled_at);
    assert_eq!(world.shopify.fulfillment_calls(), 0);
    assert_eq!(world.mails().len(), 2, "{:?}", world.subjects());
    let order = world.order(&id).await;
    assert_eq!(order["packages"][0]["number"], "1Z999AA10123456784");
}

#[tokio::test]
async fn completed_in_woocommerce_moves_the_order_once() {
    let world = World::start().await;
    let (external, id) = woo_order(&world).await;
    let completed_at = world.clock.now().to_string();
    world.woo.complete_by_hand(&external, &Tracking::none()).unwrap();
    world.clock.advance(stagepost_domain::SignedDuration::from_secs(2));
    world.woo.touch(&external).unwrap();
    world.deliver_woo().await;
    world.pass(10).await;
    assert_eq!(world.path(&id).await, ["New", "Shipped"]);
    let run = only_fulfill_run(&world, &id).await;
    assert_eq!(run["skipped"]["reason"], "already_fulfilled");
    assert_eq!(run["skipped"]["by"]["whose"], "theirs");
    assert_eq!(run["skipped"]["platform"], "woocommerce");
    assert_eq!(run["skipped"]["at"], completed_at);
    assert_eq!(world.woo.fulfillment_calls(), 0);
}

#[tokio::test]
async fn a_stage_with_both_directions_makes_one_shopify_call_and_its_three_notifications_move_nothing() {
    let world = World::start().await;
    let (external, id) = shopify_order(&world).await;
    assert_eq!(world.move_to(&id, "Shipped").await.status, 200);
    world.settle().await;
    assert_eq!(world.shopify.fulfillment_calls(), 1);
    let echoes = world.shopify.take_outbox();
    assert_eq!(echoes.len(), 3, "{:?}", echoes.iter().map(|n| &n.topic).collect::<Vec<_>>());
    for _ in 0..2 {
        for echo in &echoes {
            world.tell_shopify(echo).await;
        }
    }
    world.pass(10).await;
    world.pass(3600).await;
    assert_eq!(world.path(&id).await, ["New", "Shipped"]);
    assert_eq!(world.states(&id, "fulfill").await, ["succeeded"]);
    assert_eq!(world.shopify.fulfillment_calls(), 1);
    assert_eq!(world.shopify.fulfillments(&external).len(), 1);
    assert_eq!(world.mails().len(), 2, "{:?}", world.subjects());
    let order = world.order(&id).await;
    assert_eq!(order["fulfillment"]["by"]["whose"], "ours");
    assert_eq!(order["fulfillment"]["being_fulfilled"], false);
}

#[tokio::test]
async fn the_echoes_may_arrive_before_the_answer_of_the_call_that_caused_them() {
    let world = World::start().await;
    let (_, id) = shopify_order(&world).await;
    let gate = world.shopify.hold_answers();
    world.move_to(&id, "Shipped").await.ok();
    assert!(gate.reached(1, PATIENCE).await);
    let outcomes = world.deliver_shopify().await;
    assert_eq!(outcomes.len(), 3);
    let order = world.order(&id).await;
    assert_eq!(order["fulfillment"]["by"]["whose"], "undetermined", "{order}");
    assert_eq!(world.stage(&id).await, "Shipped");
    gate.release();
    world.settle().await;
    world.pass(10).await;
    assert_eq!(world.path(&id).await, ["New", "Shipped"]);
    assert_eq!(world.order(&id).await["fulfillment"]["by"]["whose"], "ours");
    assert_eq!(world.shopify.fulfillment_calls(), 1);
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_looking_and_never_by_a_second_call() {
    // In Ready a wrong "theirs" would show as a move to Shipped; Shipped is the stage with both directions.
    for stage in ["Ready", "Shipped"] {
        let world = World::start().await;
        let (external, id) = shopify_order(&world).await;
        world.shopify.drop_answers(1);
        world.move_to(&id, stage).await.ok();
        world.settle().await;
        assert_eq!(world.states(&id, "fulfill").await, ["pending"]);
        assert_eq!(world.deliver_shopify().await.len(), 3);
        assert_eq!(world.order(&id).await["fulfillment"]["by"]["whose"], "undetermined");
        world.pass(20).await;
        assert_eq!(world.states(&id, "fulfill").await, ["pending"], "looked before the pause was over");
        world.pass(60).await;
        assert_eq!(world.states(&id, "fulfill").await, ["succeeded"]);
        assert_eq!(world.path(&id).await, ["New", stage]);
        assert_eq!(world.order(&id).await["fulfillment"]["by"]["whose"], "ours");
        assert_eq!(world.shopify.fulfillments(&external).len(), 1);
        assert_eq!(world.shopify.fulfillment_calls(), 1);
    }
}

#[tokio::test]
async fn a_stage_with_both_directions_makes_one_woocommerce_call_and_its_four_notifications_move_nothing() {
    for lost in [false, true] {
        let world = World::start().await;
        world.woo.set_extra_updates(3);
        let (_, id) = woo_order(&world).await;
        if lost {
            world.woo.drop_answers(1);
        }
        world.move_to(&id, "Shipped").await.ok();
        world.settle().await;
        let echoes = world.woo.take_outbox();
        assert_eq!(echoes.len(), 4);
        for echo in echoes.iter().chain(&echoes) {
            world.tell_woo(echo).await;
        }
        world.pass(60).await;
        world.pass(3600).await;
        assert_eq!(world.path(&id).await, ["New", "Shipped"], "answer lost: {lost}");
        assert_eq!(world.states(&id, "fulfill").await, ["succeeded"]);
        assert_eq!(world.woo.fulfillment_calls(), 1);
        assert_eq!(world.order(&id).await["fulfillment"]["by"]["whose"], "ours");
        assert_eq!(world.mails().len(), 2, "{:?}", world.subjects());
    }
}

#[tokio::test]
async fn woocommerces_four_echoes_before_the_answer_move_nothing() {
    for stage in ["Ready", "Shipped"] {
        let world = World::start().await;
        world.woo.set_extra_updates(3);
        let (_, id) = woo_order(&world).await;
        let gate = world.woo.hold_answers();
        world.move_to(&id, stage).await.ok();
        assert!(gate.reached(1, PATIENCE).await);
        let echoes = world.woo.take_outbox();
        assert_eq!(echoes.len(), 4);
        for echo in &echoes {
            world.tell_woo(echo).await;
        }
        let order = world.order(&id).await;
        assert_eq!(order["fulfillment"]["being_fulfilled"], true, "{order}");
        assert_ne!(order["fulfillment"]["by"]["whose"], "theirs", "{order}");
        assert_eq!(order["stage"]["name"], stage);
        gate.release();
        world.settle().await;
        for echo in &echoes {
            world.tell_woo(echo).await;
        }
        world.pass(10).await;
        assert_eq!(world.path(&id).await, ["New", stage]);
        assert_eq!(world.states(&id, "fulfill").await, ["succeeded"]);
        assert_eq!(world.order(&id).await["fulfillment"]["by"]["whose"], "ours");
        assert_eq!(world.woo.fulfillment_calls(), 1);
        assert_eq!(world.mails().len(), 2, "{:?}", world.subjects());
    }
}

/// The order was fulfilled by the merchant: it moved to the fulfilled stage once, and our runs were skipped
/// with whose it was and when.
async fn is_the_merchants(world: &World, id: &str) {
    world.pass(10).await;
    assert_eq!(world.path(id).await, ["New", "Ready", "Shipped"]);
    let runs = world.runs_of(id, "fulfill").await;
    assert_eq!(runs.len(), 2, "of Ready and of Shipped");
    for run in runs {
        assert_eq!(run["skipped"]["reason"], "already_fulfilled", "{run}");
        assert_eq!(run["skipped"]["by"]["whose"], "theirs");
        let at: stagepost_domain::Timestamp = run["skipped"]["at"].as_str().unwrap().parse().unwrap();
        assert!(at > stagepost_tests::start_time() && at <= world.clock.now(), "{at}");
    }
    assert_eq!(world.order(id).await["fulfillment"]["by"]["whose"], "theirs");
    let shipped = world.subjects().iter().filter(|s| s.contains("Shipped")).count();
    assert_eq!(shipped, 1, "{:?}", world.subjects());
}

#[tokio::test]
async fn what_the_merchant_fulfills_in_shopify_between_our_look_and_our_call_is_theirs() {
    for told in [false, true] {
        let world = World::start().await;
        let (external, id) = shopify_order(&world).await;
        let gate = world.shopify.hold_looks();
        world.move_to(&id, "Ready").await.ok();
        assert!(gate.reached(1, PATIENCE).await);
        assert_eq!(world.order(&id).await["fulfillment"]["being_fulfilled"], true);
        world.shopify.fulfill_by_hand(&external, &Tracking::number("BYHAND1")).unwrap();
        if told {
            assert_eq!(world.deliver_shopify().await.len(), 3);
            let order = world.order(&id).await;
            assert_eq!(order["fulfillment"]["by"]["whose"], "undetermined", "{order}");
            assert_eq!(order["stage"]["name"], "Ready");
        }
        gate.release();
        world.settle().await;
        world.deliver_shopify().await;
        is_the_merchants(&world, &id).await;
        assert_eq!(world.shopify.fulfillments(&external).len(), 1, "no second fulfillment");
    }
}

#[tokio::test]
async fn what_the_merchant_completes_in_woocommerce_between_our_look_and_our_call_is_theirs() {
    for (told, parcel) in [(false, false), (true, false), (false, true), (true, true)] {
        let world = World::start().await;
        let (external, id) = woo_order(&world).await;
        if parcel {
            // Its tracking is told first, which takes calls of its own.
            world.api.post(&format!("/v1/orders/{id}/packages"), &json!({"number": "OURS1"})).await.ok();
        }
        let gate = world.woo.hold_looks();
        world.move_to(&id, "Ready").await.ok();
        assert!(gate.reached(1, PATIENCE).await);
        assert_eq!(world.order(&id).await["fulfillment"]["being_fulfilled"], true);
        world.woo.complete_by_hand(&external, &Tracking::none()).unwrap();
        world.clock.advance(stagepost_domain::SignedDuration::from_secs(5));
        if told {
            assert_eq!(world.deliver_woo().await.len(), 1);
            let order = world.order(&id).await;
            assert_eq!(order["fulfillment"]["by"]["whose"], "undetermined", "{order}");
            assert_eq!(order["stage"]["name"], "Ready");
        }
        gate.release();
        world.settle().await;
        world.deliver_woo().await;
        is_the_merchants(&world, &id).await;
        assert_eq!(world.woo.meta(&external, "_stagepost_run"), None, "nothing of theirs bears our mark");
        assert_eq!(world.woo.mails(), 1, "completed once");
    }
}

#[tokio::test]
async fn an_order_that_shopify_has_fulfilled_without_telling_us_yet_is_found_so_by_the_look() {
    let world = World::start().await;
    let (external, id) = shopify_order(&world).await;
    world.host.stop_queue_workers();
    world.move_to(&id, "Ready").await.ok();
    // The store is ahead of what it has told us: the lock is granted, the look finds it done.
    world.shopify.fulfill_by_hand(&external, &Tracking::number("BYHAND1")).unwrap();
    let told = world.shopify.take_outbox();
    world.host.start_queue_workers();
    world.settle().await;
    assert_eq!(world.path(&id).await, ["New", "Ready", "Shipped"]);
    let runs = world.runs_of(&id, "fulfill").await;
    assert!(runs.iter().all(|r| r["skipped"]["reason"] == "already_fulfilled"), "{runs:?}");
    assert!(runs.iter().all(|r| r["skipped"]["by"]["whose"] == "theirs"));
    assert_eq!(world.shopify.fulfillment_calls(), 0);
    for notification in &told {
        world.tell_shopify(notification).await;
    }
    world.pass(10).await;
    assert_eq!(world.path(&id).await, ["New", "Ready", "Shipped"]);
    assert_eq!(world.shopify.fulfillments(&external).len(), 1);
}

#[tokio::test]
async fn an_order_that_woocommerce_has_completed_without_telling_us_yet_is_found_so_by_the_look() {
    let world = World::start().await;
    let (external, id) = woo_order(&world).await;
    world.host.stop_queue_workers();
    world.move_to(&id, "Ready").await.ok();
    world.woo.complete_by_hand(&external, &Tracking::none()).unwrap();
    world.host.start_queue_workers();
    world.settle().await;
    assert_eq!(world.path(&id).await, ["New", "Ready", "Shipped"]);
    assert_eq!(world.woo.fulfillment_calls(), 0);
    world.deliver_woo().await;
    world.pass(10).await;
    assert_eq!(world.path(&id).await, ["New", "Ready", "Shipped"]);
}

#[tokio::test]
async fn every_notification_ten_times_makes_one_order_one_move_and_one_mail_per_stage() {
    let world = World::start().await;
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    world.clock.advance(stagepost_domain::SignedDuration::from_secs(5));
    world.shopify.fulfill_by_hand(&external, &Tracking::number("1Z1")).unwrap();
    let told = world.shopify.take_outbox();
    let mut seed: usize = 11;
    for _ in 0..10 * told.len() {
        seed = (seed * 31 + 7) % 1_000_003;
        world.tell_shopify(&told[seed % told.len()]).await;
    }
    for notification in told.iter().rev() {
        world.tell_shopify(notification).await;
    }
    world.pass(10).await;
    let id = world.shopify_order(&external);
    assert_eq!(world.stage(&id).await, "Shipped");
    let subjects = world.subjects();
    let mut once = subjects.clone();
    once.dedup();
    assert_eq!(subjects, once);
    assert_eq!(subjects.iter().filter(|s| s.contains("Shipped")).count(), 1, "{subjects:?}");
}
