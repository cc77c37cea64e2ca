//! Law 13: a store that is away costs nobody a notification. The queue takes them, and what waited is decided
//! once, as if it had come when it came.

use serde_json::json;
use stagepost_app::ports::Clock;
use stagepost_domain::SignedDuration;
use stagepost_standins::{Courier, Notification, Platform, Posted, Tracking};
use stagepost_tests::{Ids, SHOPIFY_SECRET, WOO_SECRET, World, boats};
use tokio::task::JoinSet;

use crate::support::{outcome, quarantine, shopify, woo};

/// Notifications of each kind in the outage.
const EACH: usize = 25;

#[derive(Clone, Copy)]
enum Way {
    Shopify,
    Woo,
    Carrier,
}

async fn posted(courier: &Courier, ids: &Ids, way: Way, n: &Notification) -> Posted {
    match way {
        Way::Shopify => courier.shopify(&ids.shopify, n).await.unwrap(),
        Way::Woo => courier.woocommerce(&ids.woo, n).await.unwrap(),
        Way::Carrier => courier.carrier(&ids.carrier, n).await.unwrap(),
    }
}

async fn post(world: &World, way: Way, n: &Notification) -> Posted {
    posted(&world.courier, &world.ids, way, n).await
}

/// Posts them all, many at a time, and gives the outcomes.
async fn post_all(world: &World, all: &[(Way, Notification)]) -> Vec<serde_json::Value> {
    let mut outcomes = Vec::new();
    for some in all.chunks(50) {
        let mut posts = JoinSet::new();
        for (way, n) in some.iter().cloned() {
            let (courier, ids) = (world.courier.clone(), world.ids.clone());
            posts.spawn(async move { posted(&courier, &ids, way, &n).await });
        }
        outcomes.extend(posts.join_all().await.iter().map(outcome));
    }
    outcomes
}

/// Orders of both platforms that are shipped, with the numbers of their parcels.
async fn shipped(world: &World) -> Vec<(String, String)> {
    let mut orders = Vec::new();
    for n in 0..EACH {
        let external = world.woo.create_order(&boats("Grace Hopper", "grace@example.com"));
        let number = format!("94001000{n:04}");
        world.woo.complete_by_hand(&external, &Tracking::number(&number).by("USPS")).unwrap();
        orders.push((world.woo_order(&external), number));
    }
    world.deliver_woo().await;
    world.pass(15).await;
    orders
}

/// An order and the stage that it must end in.
type Expected = (String, &'static str);

/// What both platforms and the carriers have to say: 25 new orders of each platform, told several times over,
/// those of one of them fulfilled, and 25 parcels delivered.
fn load(world: &World, parcels: &[(String, String)]) -> (Vec<(Way, Notification)>, Vec<Expected>) {
    let mut orders = Vec::new();
    for _ in 0..EACH {
        let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
        world.shopify.fulfill_by_hand(&external, &Tracking::none()).unwrap();
        orders.push((world.shopify_order(&external), "Shipped"));
        let external = world.woo.create_order(&boats("Grace Hopper", "grace@example.com"));
        orders.push((world.woo_order(&external), "New"));
    }
    let now = world.clock.now();
    let delivered = parcels.iter().map(|(_, number)| world.easypost.event(number, "delivered", now));
    let mut all: Vec<_> = delivered.map(|n| (Way::Carrier, n)).collect();
    all.extend(world.shopify.take_outbox().into_iter().map(|n| (Way::Shopify, n)));
    all.extend(world.woo.take_outbox().into_iter().map(|n| (Way::Woo, n)));
    (all, orders)
}

#[tokio::test]
async fn law_13_after_a_minute_without_the_store_every_notification_is_applied_and_none_twice() {
    let world = World::start().await;
    let parcels = shipped(&world).await;
    let before = world.subjects().len();
    let (all, orders) = load(&world, &parcels);
    assert!(all.len() >= 200, "{}", all.len());
    let (first, second) = all.split_at(all.len() / 2);

    world.host.set_store_away(true);
    // Channels are known for a minute: these are checked before they wait.
    let told = post_all(&world, first).await;
    assert!(told.iter().all(|outcome| outcome == "queued"), "{told:?}");
    world.clock.advance(SignedDuration::from_secs(61));
    // And these cannot be.
    let told = post_all(&world, second).await;
    assert!(told.iter().all(|outcome| outcome == "queued"), "{told:?}");
    // WooCommerce's ping means nothing, and must not count as a failure.
    assert_eq!(world.courier.woocommerce(&world.ids.woo, &world.woo.ping()).await.unwrap().status, 200);
    world.host.set_store_away(false);
    world.pass(15).await;

    for (id, end) in &orders {
        let entered = world.path(id).await;
        // Notifications wait in no order: the first may tell all of it.
        assert!(entered == [*end] || entered == ["New", end], "{id}: {entered:?}");
    }
    for (id, number) in &parcels {
        assert_eq!(world.path(id).await.last().unwrap(), "Delivered", "{number}");
        let scans = world.timeline(id).await.iter().filter(|e| e["change"]["kind"] == "package").count();
        assert_eq!(scans, 1, "{number} was delivered once");
    }
    // One mail for each entry and none besides: nothing happened twice.
    let mut mails = world.subjects().split_off(before);
    let sent = mails.len();
    mails.sort();
    mails.dedup();
    assert_eq!(mails.len(), sent, "{mails:?}");
    assert_eq!((world.host.dead_letters().await, world.host.waiting_notifications().await), (0, 0));
    assert!(quarantine(&world).await.is_empty());
    // Told once more, all of it is known.
    for again in post_all(&world, &all).await {
        assert!(again == "no_op" || again == "applied", "{again}");
    }
}

#[tokio::test]
async fn law_13_what_waits_is_still_checked_and_a_forgery_ends_without_effect() {
    let world = World::start().await;
    let body = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    let id = world.shopify_order(&body);
    let told = world.shopify.take_outbox();
    let forged = shopify("another secret", "orders/create", &told[0].body);
    let elsewhere = woo(WOO_SECRET, "order.created", b"{\"id\":1}");
    world.host.stop_queue_workers();
    world.host.set_store_away(true);
    world.clock.advance(SignedDuration::from_secs(61));
    assert_eq!(outcome(&post(&world, Way::Shopify, &forged).await), "queued", "nobody can tell yet");
    let stray = world.courier.woocommerce("chan_nobody", &elsewhere).await.unwrap();
    assert_eq!(outcome(&stray), "queued");
    world.host.set_store_away(false);
    assert_eq!(world.host.waiting_notifications().await, 2);
    world.host.start_queue_workers();
    world.settle().await;
    assert_eq!(world.api.get(&format!("/v1/orders/{id}")).await.status, 404);
    assert_eq!((world.host.dead_letters().await, world.host.waiting_notifications().await), (0, 0));
    // Now that somebody can tell, it is refused at the door.
    assert_eq!(post(&world, Way::Shopify, &forged).await.status, 401);
}

#[tokio::test]
async fn law_13_a_message_comes_back_for_as_long_as_the_store_is_away() {
    let world = World::start().await;
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    let told = world.shopify.take_outbox();
    world.host.set_store_away(true);
    assert_eq!(outcome(&post(&world, Way::Shopify, &told[0]).await), "queued");
    // The runner is up and finds no store: the message is out of the queue and comes back.
    while world.host.waiting_notifications().await > 0 {
        tokio::task::yield_now().await;
    }
    world.host.set_store_away(false);
    world.settle().await;
    assert_eq!(world.path(&world.shopify_order(&external)).await, ["New"]);
}

#[tokio::test]
async fn law_4_a_fact_is_as_old_as_it_was_when_it_came() {
    let world = World::start().await;
    let fulfilled = |world: &World| {
        let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
        let created = world.shopify.take_outbox();
        world.shopify.fulfill_by_hand(&external, &Tracking::none()).unwrap();
        let done = world.shopify.take_outbox().into_iter().find(|n| n.topic == "orders/updated").unwrap();
        (world.shopify_order(&external), created[0].clone(), done)
    };
    let (in_time, created, waits) = fulfilled(&world);
    world.tell_shopify(&created).await;
    let (late, created, comes_late) = fulfilled(&world);
    world.tell_shopify(&created).await;
    world.pass(15).await;
    world.host.stop_queue_workers();
    world.host.set_store_away(true);
    assert_eq!(outcome(&post(&world, Way::Shopify, &waits).await), "queued");
    world.clock.advance(SignedDuration::from_hours(8 * 24));
    assert_eq!(outcome(&post(&world, Way::Shopify, &comes_late).await), "queued");
    world.host.set_store_away(false);
    world.host.start_queue_workers();
    world.settle().await;
    world.pass(15).await;
    let reason = |runs: &[serde_json::Value]| {
        let mail = runs.iter().rfind(|r| r["action"] == "email").unwrap();
        json!([mail["state"], mail["skipped"]["reason"]])
    };
    assert_eq!(reason(&world.runs(&in_time).await), json!(["succeeded", null]), "it waited with us");
    assert_eq!(reason(&world.runs(&late).await), json!(["skipped", "stale_fact"]), "it came late");
}

#[tokio::test]
async fn a_large_notification_waits_whole() {
    let world = World::start().await;
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    let told = world.shopify.take_outbox();
    let mut order: serde_json::Value = serde_json::from_slice(&told[0].body).unwrap();
    let line = order["line_items"][0].clone();
    order["line_items"] = json!(vec![line; 3_000]);
    let body = order.to_string().into_bytes();
    assert!(body.len() > 2_000_000, "{}", body.len());
    world.host.set_store_away(true);
    let large = shopify(SHOPIFY_SECRET, "orders/create", &body);
    assert_eq!(outcome(&post(&world, Way::Shopify, &large).await), "queued");
    world.host.set_store_away(false);
    world.settle().await;
    assert_eq!(world.order(&world.shopify_order(&external)).await["details"]["line_count"], 3_000);
}
