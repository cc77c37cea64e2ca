//! Notifications come in any order, any number of times, and say less than they promise.

use serde_json::{Value, json};
use stagepost_app::ports::{Clock, OrderStore};
use stagepost_domain::SignedDuration;
use stagepost_domain::id::OrderId;
use stagepost_standins::{LineSpec, Notification, OrderSpec, Platform, Tracking};
use stagepost_tests::{SHOPIFY_SECRET, WOO_SECRET, World};

use crate::support::{
    Way, assert_sound, come_to_rest, end_state, mails_of, outcome, permutations, post, shopify, shuffled, woo,
};

/// What the outside has to say of one order, oldest first.
type Story = Vec<(Way, Notification)>;

fn ada() -> OrderSpec {
    OrderSpec::new("Ada Lovelace", "ada@example.com").line(LineSpec::new("Paper boat", 2, 450))
}

/// Lets a minute pass, so that the next change has a later time.
fn later(world: &World) {
    world.clock.advance(SignedDuration::from_secs(60));
}

fn told(world: &World, story: &mut Story) {
    story.extend(world.shopify.take_outbox().into_iter().map(|n| (Way::Shopify, n)));
    story.extend(world.woo.take_outbox().into_iter().map(|n| (Way::Woo, n)));
}

/// The carrier's reports of a parcel up to its delivery.
fn reports(world: &World, story: &mut Story, number: &str) {
    for status in ["pre_transit", "in_transit", "out_for_delivery", "delivered"] {
        later(world);
        story.push((Way::Carrier, world.easypost.event(number, status, world.clock.now())));
    }
}

async fn deliver(world: &World, story: &[(Way, Notification)]) {
    for (way, n) in story {
        let posted = post(world, *way, n).await;
        assert_eq!(posted.status, 200, "{}: {}", n.topic, String::from_utf8_lossy(&posted.body));
    }
    // A clock that is put on while a mail is under way leaves nobody sure of it.
    world.settle().await;
}

/// A Shopify order, made and shipped in one go by the merchant.
fn shipped_on_shopify(world: &World) -> (String, Story) {
    let mut story = Vec::new();
    let external = world.shopify.create_order(&ada());
    later(world);
    let tracking = Tracking::number(&format!("9400{external}")).url("https://carrier.example/t").by("UPS");
    world.shopify.fulfill_by_hand(&external, &tracking).unwrap();
    told(world, &mut story);
    (external, story)
}

/// The end without what differs between two orders that lived the same life.
fn anonymous(state: &Value, external: &str) -> String {
    state.to_string().replace(external, "")
}

#[tokio::test]
async fn any_shopify_topic_may_come_first_and_the_order_ends_the_same() {
    let world = World::start().await;
    let mut ends = Vec::new();
    // The last of five says what the one before it says.
    for order in permutations(&[0, 2, 3, 4]) {
        let (external, story) = shipped_on_shopify(&world);
        let topics: Vec<_> = story.iter().map(|(_, n)| n.topic.as_str()).collect();
        let all =
            ["orders/create", "orders/updated", "fulfillments/create", "orders/fulfilled", "orders/updated"];
        assert_eq!(topics, all);
        let story: Story = order.iter().map(|i| story[*i].clone()).collect();
        deliver(&world, &story).await;
        ends.push((external, order));
    }
    let ids: Vec<String> = ends.iter().map(|(external, _)| world.shopify_order(external)).collect();
    come_to_rest(&world, &ids).await;
    let mut seen = Vec::new();
    for (external, order) in &ends {
        let id = world.shopify_order(external);
        assert_sound(&world, &id).await;
        let end = world.order(&id).await;
        assert_eq!(end["stage"]["name"], "Shipped", "{order:?}");
        let number = end["number"].as_str().unwrap();
        assert_eq!(mails_of(&world, number, "Shipped"), 1, "{order:?}");
        assert!(mails_of(&world, number, "New") <= 1, "{order:?}");
        seen.push((order, anonymous(&end_state(&end), external)));
    }
    for (order, end) in &seen {
        assert_eq!(*end, seen[0].1, "{order:?} and {:?} end otherwise", seen[0].0);
    }
}

#[tokio::test]
async fn a_delivery_may_be_told_before_the_order_its_parcel_or_its_fulfillment() {
    let world = World::start().await;
    let mut ends = Vec::new();
    for order in permutations(&[0, 2, 3, 5]) {
        let (external, mut story) = shipped_on_shopify(&world);
        later(&world);
        let parcel = format!("9400{external}");
        story.push((Way::Carrier, world.easypost.event(&parcel, "delivered", world.clock.now())));
        let story: Story = order.iter().map(|i| story[*i].clone()).collect();
        deliver(&world, &story).await;
        ends.push((external, order));
    }
    let ids: Vec<String> = ends.iter().map(|(external, _)| world.shopify_order(external)).collect();
    come_to_rest(&world, &ids).await;
    for (external, order) in &ends {
        let id = world.shopify_order(external);
        assert_sound(&world, &id).await;
        let end = world.order(&id).await;
        assert_eq!(end["packages"][0]["status"], "delivered", "{order:?}");
        assert_eq!(end["fulfillment"]["coverage"], "complete", "{order:?}");
        assert_eq!(end["stage"]["name"], "Delivered", "{order:?}: {:?}", world.path(&id).await);
        let number = end["number"].as_str().unwrap();
        assert_eq!(mails_of(&world, number, "Delivered"), 1, "{order:?}");
    }
}

#[tokio::test]
async fn whatever_topic_tells_of_an_order_first_makes_it_known() {
    let world = World::start().await;
    for topic in [
        "orders/create",
        "orders/updated",
        "orders/fulfilled",
        "orders/partially_fulfilled",
        "orders/cancelled",
    ] {
        let external = world.shopify.create_order(&ada());
        world.shopify.take_outbox();
        let told = world.tell_shopify(&world.shopify.notification(&external, topic).unwrap()).await;
        assert_eq!(told["outcome"], "changed", "{topic}");
        assert_eq!(world.stage(&world.shopify_order(&external)).await, "New", "{topic}");
    }
    for topic in ["order.created", "order.updated", "order.restored"] {
        let external = world.woo.create_order(&ada());
        world.woo.take_outbox();
        let told = world.tell_woo(&world.woo.notification(&external, topic).unwrap()).await;
        assert_eq!(told["outcome"], "changed", "{topic}");
        assert_eq!(world.stage(&world.woo_order(&external)).await, "New", "{topic}");
    }
    let external = world.woo.create_order(&ada());
    let deleted = world.woo.notification(&external, "order.deleted").unwrap();
    let told = world.tell_woo(&deleted).await;
    assert_eq!(told, json!({"outcome": "no_op", "reason": "unknown_order"}));
}

#[tokio::test]
async fn a_fulfillment_told_before_its_order_waits_for_it_and_sends_nothing() {
    let world = World::start().await;
    let (external, story) = shipped_on_shopify(&world);
    let id = world.shopify_order(&external);
    deliver(&world, &story[2..3]).await;
    world.pass(10).await;
    let order = world.order(&id).await;
    assert_eq!((&order["placement"], &order["stage"]), (&json!("awaiting_order"), &Value::Null));
    assert_eq!(order["packages"].as_array().unwrap().len(), 1);
    assert!(world.runs(&id).await.is_empty() && world.mails().is_empty());
    deliver(&world, &story[3..4]).await;
    world.pass(10).await;
    assert_eq!(world.path(&id).await, ["Shipped"], "one transition to the furthest stage");
    assert_eq!(world.subjects(), [format!("{}: Shipped", order["number"].as_str().unwrap())]);
    assert_sound(&world, &id).await;
}

#[tokio::test]
async fn the_notifications_of_a_woocommerce_order_may_come_in_any_order() {
    let world = World::start().await;
    let mut ends = Vec::new();
    for order in permutations(&[0, 1, 2, 3]) {
        let mut story = Vec::new();
        let external = world.woo.create_order(&ada());
        let _the_same_again = world.woo.take_outbox().pop();
        story.push((Way::Woo, world.woo.notification(&external, "order.created").unwrap()));
        later(&world);
        world.woo.edit_address(&external, "Dlouhá 7").unwrap();
        later(&world);
        let tracking =
            Tracking::number(&format!("9400-{external}-")).url("https://carrier.example/t").by("UPS");
        world.woo.complete_by_hand(&external, &tracking).unwrap();
        later(&world);
        world.woo.touch(&external).unwrap();
        told(&world, &mut story);
        let story: Story = order.iter().map(|i| story[*i].clone()).collect();
        deliver(&world, &story).await;
        ends.push((external, order));
    }
    let ids: Vec<String> = ends.iter().map(|(external, _)| world.woo_order(external)).collect();
    come_to_rest(&world, &ids).await;
    let mut seen = Vec::new();
    for (external, order) in &ends {
        let id = world.woo_order(external);
        assert_sound(&world, &id).await;
        let end = world.order(&id).await;
        assert_eq!(end["stage"]["name"], "Shipped", "{order:?}");
        assert_eq!(mails_of(&world, external, "Shipped"), 1, "{order:?}");
        assert!(mails_of(&world, external, "New") <= 1, "{order:?}");
        seen.push((order, anonymous(&end_state(&end), &format!("-{external}-"))));
    }
    for (order, end) in &seen {
        assert_eq!(*end, seen[0].1, "{order:?} and {:?} end otherwise", seen[0].0);
    }
}

#[tokio::test]
async fn an_order_without_an_address_is_a_visible_skip() {
    let world = World::start().await;
    let guest = OrderSpec::new("A Guest", "").without_email();
    let shopify = world.shopify.create_order(&guest);
    let woo = world.woo.create_order(&guest);
    let nameless = r##"{"id": 450, "name": "#450", "created_at": "2026-11-20T17:01:00Z",
        "updated_at": "2026-11-20T17:01:00Z", "email": "", "contact_email": null, "customer": null}"##;
    world.tell_shopify(&shopify_raw("orders/create", nameless)).await;
    world.deliver_shopify().await;
    world.deliver_woo().await;
    world.pass(10).await;
    for id in [world.shopify_order(&shopify), world.woo_order(&woo), world.shopify_order("450")] {
        let mails = world.runs_of(&id, "email").await;
        assert_eq!(mails.len(), 1, "{id}");
        assert_eq!(mails[0]["state"], "skipped", "{id}");
        assert_eq!(mails[0]["skipped"]["reason"], "no_address", "{id}");
        assert_eq!(world.stage(&id).await, "New");
    }
    assert!(world.mails().is_empty());
}

fn shopify_raw(topic: &str, body: &str) -> Notification {
    shopify(SHOPIFY_SECRET, topic, body.as_bytes())
}

#[tokio::test]
async fn ids_above_two_to_the_53_are_exact() {
    let world = World::start().await;
    let body = |id: u64| {
        format!(
            r##"{{"id": {id}, "name": "#{id}", "created_at": "2026-11-20T17:01:00Z",
            "updated_at": "2026-11-20T17:01:00Z", "email": "ada@example.com"}}"##
        )
    };
    // Neighbours that are one and the same as floating-point numbers.
    let ids = [
        9_007_199_254_740_992,
        9_007_199_254_740_993,
        820_982_911_946_154_508,
        820_982_911_946_154_509,
        u64::MAX,
    ];
    for id in ids {
        let told = world.tell_shopify(&shopify_raw("orders/create", &body(id))).await;
        assert_eq!(told["outcome"], "changed", "{id}");
        let shipment = format!(
            r#"{{"id": {}, "order_id": {id}, "status": "success", "updated_at": "2026-11-20T17:02:00Z"}}"#,
            id - 1
        );
        world.tell_shopify(&shopify_raw("fulfillments/create", &shipment)).await;
    }
    for id in ids {
        let order = world.order(&world.shopify_order(&id.to_string())).await;
        assert_eq!(order["external_id"], json!(id.to_string()));
        assert_eq!(order["number"], format!("#{id}"));
        let shipments = order["fulfillment"]["shipments"].as_array().unwrap();
        assert_eq!(shipments.iter().map(|s| &s["id"]).collect::<Vec<_>>(), [&json!((id - 1).to_string())]);
    }
    let woo_body = r#"{"id": 9007199254740993, "number": "9007199254740993", "status": "processing",
        "date_created_gmt": "2026-11-20T17:01:00", "date_modified_gmt": "2026-11-20T17:01:00", "line_items": []}"#;
    world.tell_woo(&woo(WOO_SECRET, "order.created", woo_body.as_bytes())).await;
    let order = world.order(&world.woo_order("9007199254740993")).await;
    assert_eq!(order["external_id"], "9007199254740993");
}

#[tokio::test]
async fn three_orders_that_share_one_woocommerce_delivery_id_are_three_orders() {
    let world = World::start().await;
    let ids: Vec<_> = (0..3).map(|_| world.woo.create_order(&ada())).collect();
    let created: Vec<_> =
        world.woo.take_outbox().into_iter().filter(|n| n.topic == "order.created").collect();
    let delivery = |n: &Notification| n.header("x-wc-webhook-delivery-id").unwrap().to_owned();
    assert_eq!(created.len(), 3);
    assert!(created.iter().all(|n| delivery(n) == delivery(&created[0])), "one second, one delivery id");
    for n in &created {
        assert_eq!(world.tell_woo(n).await["outcome"], "changed");
    }
    for id in &ids {
        assert_eq!(world.order(&world.woo_order(id)).await["external_id"], json!(id));
    }
    // And two contents of one order under one delivery id.
    world.woo.edit_address(&ids[0], "Dlouhá 7").unwrap();
    let first = world.woo.take_outbox().remove(0);
    world.woo.set_status(&ids[0], "completed").unwrap();
    let second = world.woo.take_outbox().remove(0);
    assert_eq!(delivery(&first), delivery(&second));
    world.tell_woo(&first).await;
    world.tell_woo(&second).await;
    assert_eq!(world.stage(&world.woo_order(&ids[0])).await, "Shipped");
}

#[tokio::test]
async fn an_open_checkout_makes_no_order_until_it_is_placed() {
    let world = World::start().await;
    let external = world.woo.open_checkout(&ada());
    assert_eq!(world.deliver_woo().await, [json!({"outcome": "no_op", "reason": "draft"})]);
    let id = world.woo_order(&external);
    assert_eq!(world.api.get(&format!("/v1/orders/{id}")).await.status, 404);
    later(&world);
    world.woo.place_checkout(&external).unwrap();
    let placed = world.deliver_woo().await;
    assert_eq!(placed[0]["outcome"], "changed");
    assert_eq!(placed[1], json!({"outcome": "no_op", "reason": "same"}), "updated comes before created");
    assert_eq!(world.stage(&id).await, "New");
    assert_eq!(world.order(&id).await["details"]["customer"]["name"], "Ada Lovelace");
}

/// Everything that a write to the order would change.
async fn fingerprint(world: &World, id: &str) -> (u64, Value, Vec<Value>) {
    let stored = world.host.core().store.order(&OrderId::parse(id).unwrap()).await.unwrap().unwrap();
    (stored.version, world.order(id).await, world.timeline(id).await)
}

#[tokio::test]
async fn an_update_that_changes_nothing_writes_nothing() {
    let world = World::start().await;
    let (shopify, mut story) = shipped_on_shopify(&world);
    // A carrier that Shopify follows.
    later(&world);
    world.shopify.set_shipment_status(&shopify, "in_transit").unwrap();
    told(&world, &mut story);
    deliver(&world, &story).await;
    let woo = world.woo.create_order(&ada());
    world.deliver_woo().await;
    world.pass(10).await;
    let (on_shopify, on_woo) = (world.shopify_order(&shopify), world.woo_order(&woo));
    let before = (fingerprint(&world, &on_shopify).await, fingerprint(&world, &on_woo).await);
    for _ in 0..3 {
        later(&world);
        world.woo.touch(&woo).unwrap();
        let touched = world.deliver_woo().await;
        assert_eq!(
            touched,
            [json!({"outcome": "no_op", "reason": "same"})],
            "only the time of change is new"
        );
        for (way, n) in &story {
            assert!(outcome(&world, &post(&world, *way, n).await).await.starts_with("no_op:"), "{}", n.topic);
        }
        // The parcel is where it was.
        world.shopify.set_shipment_status(&shopify, "in_transit").unwrap();
        for told in world.deliver_shopify().await {
            assert_eq!(told["outcome"], "no_op", "{told}");
        }
    }
    world.pass(10).await;
    let after = (fingerprint(&world, &on_shopify).await, fingerprint(&world, &on_woo).await);
    assert_eq!(before, after);
}

/// An order in two parts from two locations, edited in between, delivered in the end.
fn shopify_life(world: &World, n: usize) -> (String, Story) {
    let mut story = Vec::new();
    let spec = ada().line(LineSpec::new("Ink", 1, 900).at(1));
    let external = world.shopify.create_order(&spec);
    later(world);
    world.shopify.edit_address(&external, "Dlouhá 7").unwrap();
    for location in [0, 1] {
        later(world);
        let number = format!("{location}-{n:04}-");
        let tracking = Tracking::number(&number).url("https://carrier.example/t").by("UPS");
        world.shopify.fulfill_location(&external, location, &tracking).unwrap();
    }
    told(world, &mut story);
    for location in [0, 1] {
        reports(world, &mut story, &format!("{location}-{n:04}-"));
    }
    (world.shopify_order(&external), story)
}

/// A WooCommerce order that was opened as a cart, edited, completed with a parcel, and delivered.
fn woo_life(world: &World, n: usize) -> (String, Story) {
    let mut story = Vec::new();
    let external = world.woo.open_checkout(&ada());
    later(world);
    world.woo.place_checkout(&external).unwrap();
    later(world);
    world.woo.edit_address(&external, "Dlouhá 7").unwrap();
    later(world);
    let number = format!("0-{n:04}-");
    let tracking = Tracking::number(&number).url("https://carrier.example/t").by("UPS");
    world.woo.complete_by_hand(&external, &tracking).unwrap();
    later(world);
    world.woo.touch(&external).unwrap();
    told(world, &mut story);
    reports(world, &mut story, &number);
    (world.woo_order(&external), story)
}

/// A fulfillment that was cancelled and made again with another parcel.
fn corrected_life(world: &World, n: usize) -> (String, Story) {
    let mut story = Vec::new();
    let external = world.shopify.create_order(&ada());
    for parcel in [0, 1] {
        later(world);
        let tracking = Tracking::number(&format!("{parcel}-{n:04}-")).by("UPS");
        world.shopify.fulfill_by_hand(&external, &tracking).unwrap();
        later(world);
        if parcel == 0 {
            world.shopify.cancel_fulfillment(&external).unwrap();
        }
    }
    told(world, &mut story);
    (world.shopify_order(&external), story)
}

/// An order that is cancelled before anything was shipped.
fn cancelled_life(world: &World, _n: usize) -> (String, Story) {
    let mut story = Vec::new();
    let external = world.shopify.create_order(&ada());
    later(world);
    world.shopify.edit_address(&external, "Dlouhá 7").unwrap();
    later(world);
    world.shopify.cancel_order(&external).unwrap();
    told(world, &mut story);
    (world.shopify_order(&external), story)
}

/// Lives the life once in order and then, for each seed, ten times over in a shuffled order, while the
/// clock goes on; every end is the same, and each stage's customer was told at most once.
async fn ends_the_same(live: impl Fn(&World, usize) -> (String, Story), stage: &str, mailed: bool) {
    let world = World::start().await;
    let mut ends = Vec::new();
    for n in 0..5 {
        let (id, story) = live(&world, n);
        if n == 0 {
            deliver(&world, &story).await;
        } else {
            let ten_times: Story = std::iter::repeat_n(story, 10).flatten().collect();
            for part in shuffled(ten_times, n as u64).chunks(25) {
                deliver(&world, part).await;
                world.pass(4).await;
            }
        }
        world.pass(10).await;
        come_to_rest(&world, std::slice::from_ref(&id)).await;
        assert_sound(&world, &id).await;
        let order = world.order(&id).await;
        assert_eq!(order["stage"]["name"], stage, "seed {n}: {:?}", world.path(&id).await);
        let number = order["number"].as_str().unwrap();
        for each in ["New", "Printing", "Ready", "Shipped", "Delivered"] {
            assert!(mails_of(&world, number, each) <= 1, "seed {n}: {each} was mailed twice");
        }
        assert!(!mailed || mails_of(&world, number, stage) == 1, "seed {n}: {stage} was not mailed");
        ends.push(end_state(&order).to_string().replace(&format!("-{n:04}-"), ""));
    }
    for (n, end) in ends.iter().enumerate() {
        assert_eq!(*end, ends[0], "seed {n} ends otherwise than the story in order");
    }
    assert_eq!(world.host.dead_letters().await, 0);
    assert_eq!(world.shopify.fulfillment_calls() + world.woo.fulfillment_calls(), 0);
}

#[tokio::test]
async fn a_shopify_life_told_ten_times_in_any_order_ends_the_same() {
    ends_the_same(shopify_life, "Delivered", true).await;
}

#[tokio::test]
async fn a_woocommerce_life_told_ten_times_in_any_order_ends_the_same() {
    ends_the_same(woo_life, "Delivered", true).await;
}

#[tokio::test]
async fn a_corrected_fulfillment_told_ten_times_in_any_order_ends_the_same() {
    ends_the_same(corrected_life, "Shipped", true).await;
}

#[tokio::test]
async fn a_cancelled_order_told_ten_times_in_any_order_ends_the_same() {
    ends_the_same(cancelled_life, "New", false).await;
}
