//! Endpoints that subscribe to events over HTTP: each message once, signed, under its own name and id.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use standardwebhooks::Webhook;
use stagepost_app::ports::Clock;
use stagepost_standins::{Platform, Receiver, Tracking};
use stagepost_tests::{World, boats};

/// A second receiver that subscribes to these, with its endpoint as made.
async fn subscriber(world: &World, events: &Value) -> (Receiver, Value) {
    let receiver = Receiver::start(std::sync::Arc::new(world.clock.clone())).await.unwrap();
    let endpoint = json!({"name": "ERP", "url": receiver.url(), "events": events});
    let made = world.api.post("/v1/webhook-endpoints", &endpoint).await.ok();
    (receiver, made)
}

fn types(receiver: &Receiver) -> Vec<String> {
    let of = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["type"].as_str().unwrap().to_owned();
    receiver.received().iter().map(|r| of(&r.body)).collect()
}

#[tokio::test]
async fn a_subscriber_follows_an_order_from_its_creation_to_its_delivery() {
    let world = World::start().await;
    let all = json!(["order.created", "order.updated", "order.stage_entered", "order.delivered"]);
    let (receiver, made) = subscriber(&world, &all).await;
    assert_eq!(made["events"], all);
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    world.pass(1).await;
    let mut first = types(&receiver);
    first.sort();
    assert_eq!(first, ["order.created", "order.stage_entered"]);

    let id = world.shopify_order(&external);
    world.shopify.fulfill_by_hand(&external, &Tracking::number("1Z1").by("UPS")).unwrap();
    world.deliver_shopify().await;
    world.pass(1).await;
    let delivered = world.easypost.event("1Z1", "delivered", world.clock.now());
    world.tell_carrier(&delivered).await;
    world.pass(1).await;
    assert_eq!(world.stage(&id).await, "Delivered");
    let told: BTreeSet<String> = types(&receiver).into_iter().collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(types(&receiver).iter().filter(|t| *t == "order.delivered").count(), 1);

    // Each message has an id of its own and is signed for this endpoint.
    let webhook = Webhook::new(made["secret"].as_str().unwrap()).unwrap();
    let mut ids = BTreeSet::new();
    for received in receiver.received() {
        let header = |name: &str| received.header(name).unwrap().to_owned();
        let at = header("webhook-timestamp").parse().unwrap();
        let signed = webhook.sign(&header("webhook-id"), at, &received.body).unwrap();
        assert_eq!(header("webhook-signature"), signed);
        assert!(ids.insert(header("webhook-id")), "twice");
        let body: Value = serde_json::from_slice(&received.body).unwrap();
        assert_eq!(body["data"]["order"]["id"], id.as_str());
        assert!(body["data"]["stage"]["name"].is_string(), "{body}");
    }
    let runs = world.runs_of(&id, "webhook").await;
    let ours: Vec<_> = runs.iter().filter(|r| r["target"] == made["id"]).collect();
    assert!(ours.iter().all(|r| r["state"] == "succeeded" && r["event_type"].is_string()), "{ours:?}");
}

#[tokio::test]
async fn what_is_not_subscribed_to_is_not_told_and_what_is_switched_off_neither() {
    let world = World::start().await;
    let (receiver, made) = subscriber(&world, &json!(["order.updated"])).await;
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    world.pass(1).await;
    assert!(types(&receiver).is_empty());
    let id = world.shopify_order(&external);
    let parcel = |number: &str| json!({"number": number});
    let packages = format!("/v1/orders/{id}/packages");
    world.api.post(&packages, &parcel("A1")).await.ok();
    world.pass(1).await;
    assert_eq!(types(&receiver), ["order.updated"]);

    let path = format!("/v1/webhook-endpoints/{}", made["id"].as_str().unwrap());
    let off = json!({"name": "ERP", "url": receiver.url(), "enabled": false});
    let edited = world.api.put(&path, &off).await.ok();
    assert_eq!(edited["events"], json!(["order.updated"]), "what is not said stays");
    world.api.post(&packages, &parcel("B2")).await.ok();
    world.pass(1).await;
    assert_eq!(types(&receiver).len(), 1);
    let on = json!({"name": "ERP", "url": receiver.url(), "enabled": true, "events": []});
    world.api.put(&path, &on).await.ok();
    world.api.post(&packages, &parcel("C3")).await.ok();
    world.pass(1).await;
    assert_eq!(types(&receiver).len(), 1);
    let runs = world.runs_of(&id, "webhook").await;
    assert_eq!(runs.iter().filter(|r| r["target"] == made["id"]).count(), 1, "{runs:?}");
}

#[tokio::test]
async fn a_subscription_that_cannot_be_is_refused_by_name() {
    let world = World::start().await;
    let wrong = json!({"name": "E", "url": "https://e.example/", "events": ["order.eaten"]});
    let refused = world.api.post("/v1/webhook-endpoints", &wrong).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body["errors"][0]["field"].as_str().unwrap().starts_with("events"), "{}", refused.body);
    for n in 0..11 {
        let endpoint = json!({"name": format!("E{n}"), "url": "https://e.example/", "events": ["order.created"]});
        let made = world.api.post("/v1/webhook-endpoints", &endpoint).await;
        match n {
            0..10 => assert_eq!(made.status, 201, "{}", made.body),
            _ => assert_eq!((made.status, &made.body["errors"][0]["field"]), (422, &json!("events"))),
        }
    }
}

#[tokio::test]
async fn the_document_tells_what_endpoints_are_sent() {
    let world = World::start().await;
    let document = world.api.get("/v1/openapi.json").await.ok();
    let webhooks = document["webhooks"].as_object().unwrap();
    let names: Vec<&String> = webhooks.keys().collect();
    assert_eq!(names, ["order.created", "order.delivered", "order.stage_entered", "order.updated"]);
    let schema = &webhooks["order.created"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    let name = schema["$ref"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let message = &document["components"]["schemas"][&name];
    assert_eq!(message["required"], json!(["type", "timestamp", "data"]), "{message}");
}
