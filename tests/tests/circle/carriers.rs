//! Carriers beside EasyPost: the documented format, and what Shopify tells of parcels.

use serde_json::{Value, json};
use stagepost_app::ports::Clock;
use stagepost_domain::SignedDuration;
use stagepost_standins::{Notification, Platform, Tracking};
use stagepost_tests::{World, boats};
use standardwebhooks::Webhook;

use crate::support::{notification, outcome, quarantine};

const NUMBER: &str = "9400100000000000000001";

/// A sender with the official library.
struct Sender {
    webhook: Webhook,
    carrier: String,
}

impl Sender {
    async fn connect(world: &World, secret: &str) -> Self {
        let input = json!({"kind": "generic", "name": "Warehouse", "webhook_secret": secret});
        let made = world.api.post("/v1/carriers", &input).await.ok();
        let webhook = match secret.starts_with("whsec_") {
            true => Webhook::new(secret).unwrap(),
            false => Webhook::from_bytes(secret.as_bytes().to_vec()).unwrap(),
        };
        Self { webhook, carrier: made["id"].as_str().unwrap().to_owned() }
    }

    fn signed(&self, report: &Value, seconds: i64) -> Notification {
        let body = report.to_string();
        let signature = self.webhook.sign("msg_1", seconds, body.as_bytes()).unwrap();
        let headers = [
            ("content-type", "application/json"),
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", &seconds.to_string()),
            ("webhook-signature", &signature),
        ];
        notification("report", &headers, body.as_bytes())
    }

    async fn send(&self, world: &World, report: &Value) -> Value {
        let sent = self.signed(report, world.clock.now().as_second());
        outcome(&world.courier.carrier(&self.carrier, &sent).await.unwrap())
    }
}

fn report(world: &World, status: &str) -> Value {
    json!({"tracking_number": NUMBER, "status": status, "occurred_at": world.clock.now(), "carrier": "Bike"})
}

async fn order_with_parcel(world: &World) -> String {
    let external = world.woo.create_order(&boats("Grace Hopper", "grace@example.com"));
    world.deliver_woo().await;
    let id = world.woo_order(&external);
    world.api.post(&format!("/v1/orders/{id}/packages"), &json!({"number": NUMBER})).await.ok();
    world.pass(15).await;
    id
}

#[tokio::test]
async fn a_report_in_the_documented_format_advances_an_order() {
    let world = World::start().await;
    let id = order_with_parcel(&world).await;
    for secret in ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "any other text"] {
        let sender = Sender::connect(&world, secret).await;
        assert_eq!(sender.send(&world, &report(&world, "out_for_delivery")).await, "applied");
        world.clock.advance(SignedDuration::from_secs(60));
    }
    let sender = Sender::connect(&world, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").await;
    assert_eq!(sender.send(&world, &report(&world, "delivered")).await, "applied");
    world.pass(15).await;
    assert_eq!(world.path(&id).await, ["New", "Delivered"]);
    let order = world.order(&id).await;
    assert_eq!(
        (&order["packages"][0]["status"], &order["packages"][0]["carrier"]),
        (&json!("delivered"), &json!("Bike"))
    );
}

#[tokio::test]
async fn law_17_a_report_with_another_secret_or_time_is_401_and_one_in_other_words_is_quarantined() {
    let world = World::start().await;
    let sender = Sender::connect(&world, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").await;
    let stranger =
        Sender { webhook: Webhook::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap(), ..sender };
    let sender = Sender::connect(&world, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").await;
    let now = world.clock.now().as_second();
    let said = report(&world, "delivered");
    for (what, sent) in [
        ("another secret", Sender { carrier: sender.carrier.clone(), ..stranger }.signed(&said, now)),
        ("too old", sender.signed(&said, now - 301)),
        ("too young", sender.signed(&said, now + 301)),
        ("not signed", notification("report", &[("content-type", "application/json")], b"{}")),
    ] {
        let posted = world.courier.carrier(&sender.carrier, &sent).await.unwrap();
        assert_eq!((posted.status, posted.body.len()), (401, 0), "{what}");
    }
    assert_eq!(sender.send(&world, &report(&world, "arrived")).await, "quarantined");
    assert!(quarantine(&world).await[0]["reason"].as_str().unwrap().contains("status"));
}

#[tokio::test]
async fn law_13_the_time_of_a_signature_is_measured_when_it_comes_and_not_when_it_is_decided() {
    let world = World::start().await;
    let id = order_with_parcel(&world).await;
    let sender = Sender::connect(&world, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").await;
    world.host.stop_queue_workers();
    world.host.set_store_away(true);
    assert_eq!(sender.send(&world, &report(&world, "delivered")).await, "queued");
    world.clock.advance(SignedDuration::from_mins(20));
    world.host.set_store_away(false);
    world.host.start_queue_workers();
    world.settle().await;
    assert_eq!(world.stage(&id).await, "Delivered");
}

#[tokio::test]
async fn what_a_connection_takes_for_a_secret_is_checked_where_it_has_a_form() {
    let world = World::start().await;
    for (secret, taken) in
        [("whsec_short", 422), ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", 201), ("plain", 201)]
    {
        let input = json!({"kind": "generic", "name": "Warehouse", "webhook_secret": secret});
        assert_eq!(world.api.post("/v1/carriers", &input).await.status, taken, "{secret}");
    }
}

#[tokio::test]
async fn what_shopify_tells_of_a_fulfillments_parcels_advances_the_order_once() {
    let world = World::start().await;
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    world.shopify.fulfill_by_hand(&external, &Tracking::number(NUMBER).by("UPS")).unwrap();
    world.deliver_shopify().await;
    world.pass(15).await;
    let id = world.shopify_order(&external);
    world.shopify.shipment_event(&external, "in_transit", "On its way").unwrap();
    world.deliver_shopify().await;
    world.pass(15).await;
    world.shopify.shipment_event(&external, "delivered", "Front door").unwrap();
    let told = world.deliver_shopify().await;
    let outcomes: Vec<_> = told.iter().map(|t| t["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["changed", "no_op", "no_op"], "the event, its fulfillment, its order");
    world.pass(15).await;
    assert_eq!(world.path(&id).await, ["New", "Shipped", "Delivered"]);
    let package = &world.order(&id).await["packages"][0];
    assert_eq!(
        (package["status"].as_str(), package["checkpoints"].as_array().unwrap().len()),
        (Some("delivered"), 2)
    );
    assert_eq!(package["checkpoints"][1]["detail"], "Front door");
    world.shopify.shipment_event(&external, "out_for_delivery", "Late scan").unwrap();
    let late = world.deliver_shopify().await;
    assert_eq!((&late[0]["outcome"], &late[0]["why"]["reason"]), (&json!("ignored"), &json!("late_scan")));
    assert_eq!(world.order(&id).await["packages"][0]["status"], "delivered");
}

#[tokio::test]
async fn shopifys_reports_find_a_parcel_that_went_out_with_our_own_fulfillment() {
    let world = World::start().await;
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    let id = world.shopify_order(&external);
    world.api.post(&format!("/v1/orders/{id}/packages"), &json!({"number": NUMBER})).await.ok();
    world.move_to(&id, "Shipped").await.ok();
    world.settle().await;
    world.deliver_shopify().await;
    world.pass(15).await;
    world.shopify.shipment_event(&external, "delivered", "Front door").unwrap();
    world.deliver_shopify().await;
    world.pass(15).await;
    assert_eq!(world.path(&id).await, ["New", "Shipped", "Delivered"]);
}

#[tokio::test]
async fn a_report_of_shopify_that_comes_before_anything_else_waits_for_its_order() {
    let world = World::start().await;
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    world.shopify.fulfill_by_hand(&external, &Tracking::number(NUMBER).by("UPS")).unwrap();
    let earlier = world.shopify.take_outbox();
    world.shopify.shipment_event(&external, "delivered", "Front door").unwrap();
    let event = world.shopify.take_outbox().remove(0);
    assert_eq!(event.topic, "fulfillment_events/create");
    assert_eq!(world.tell_shopify(&event).await["outcome"], "changed");
    assert_eq!(world.tell_shopify(&event).await["reason"], "same");
    // All that still comes was sent before the delivery.
    for told in &earlier {
        world.tell_shopify(told).await;
    }
    world.pass(15).await;
    assert_eq!(world.stage(&world.shopify_order(&external)).await, "Delivered");
}
