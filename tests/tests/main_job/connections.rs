//! Connections that a merchant corrects: secrets, credentials, flows, endpoints.

use serde_json::{Value, json};
use stagepost_standins::{OrderSpec, Receiver, Reply};
use stagepost_tests::{World, boats};

async fn patch(world: &World, path: &str, body: &Value) -> Value {
    world.api.send("PATCH", path, Some(body.to_string().into_bytes())).await.ok()
}

fn shopify(world: &World) -> String {
    format!("/v1/channels/{}", world.ids.shopify)
}

#[tokio::test]
async fn a_corrected_webhook_secret_counts_at_once_and_the_one_before_it_still_does() {
    let world = World::start().await;
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    world.pass(30).await;
    let shown = patch(&world, &shopify(&world), &json!({"webhook_secret": "shpss_new"})).await;
    assert_eq!((&shown["name"], &shown["version"]), (&json!("Paper Boat"), &json!(2)));
    assert!(!shown.to_string().contains("shpss"), "never shown: {shown}");
    let mut notification = world.shopify.notification(&external, "orders/updated").unwrap();
    let posted = world.courier.shopify(&world.ids.shopify, &notification).await.unwrap();
    assert_eq!(posted.status, 200, "Shopify may sign with the old secret for an hour");
    let signature = stagepost_domain::signing::base64_hmac("shpss_new", &notification.body);
    notification.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("x-shopify-hmac-sha256"));
    notification.headers.push(("X-Shopify-Hmac-Sha256".to_owned(), signature));
    let posted = world.courier.shopify(&world.ids.shopify, &notification).await.unwrap();
    assert_eq!(posted.status, 200, "although the channel was read half a minute ago");
    let carrier = format!("/v1/carriers/{}", world.ids.carrier);
    patch(&world, &carrier, &json!({"webhook_secret": "one"})).await;
    let renamed = patch(&world, &carrier, &json!({"name": "Parcels", "webhook_secret": "two"})).await;
    assert_eq!(renamed["name"], "Parcels");
    let now = stagepost_app::ports::Clock::now(&world.clock);
    let report = world.easypost.event("1Z999AA10123456784", "in_transit", now);
    let status = async || world.courier.carrier(&world.ids.carrier, &report).await.unwrap().status;
    assert_eq!(status().await, 200, "two changes later the first secret still counts");
    world.pass(24 * 3_600).await;
    assert_eq!(status().await, 401, "for a day");
}

#[tokio::test]
async fn credentials_that_are_corrected_let_a_failed_fulfillment_be_retried() {
    let world = World::start().await;
    patch(&world, &shopify(&world), &json!({"credentials": "shpat_mistyped"})).await;
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    let id = world.shopify_order(&external);
    world.move_to(&id, "Shipped").await.ok();
    world.settle().await;
    let run = world.runs_of(&id, "fulfill").await[0].clone();
    assert_eq!(run["state"], "failed", "{run}");
    let path = format!("/v1/runs/{}", run["id"].as_str().unwrap());
    assert_eq!(world.api.get(&path).await.ok(), run, "a run reads alone as it does on the timeline");
    assert_eq!(
        patch(&world, &shopify(&world), &json!({"credentials": "shpat_test"})).await["has_credentials"],
        true
    );
    world.api.post(&format!("{path}/retry"), &json!({})).await.ok();
    world.settle().await;
    assert_eq!(world.states(&id, "fulfill").await, ["succeeded"]);
    assert_eq!(world.shopify.fulfillments(&external).len(), 1);
    assert_eq!(
        patch(&world, &shopify(&world), &json!({"credentials": null})).await["has_credentials"],
        false
    );
}

#[tokio::test]
async fn a_channel_without_a_default_flow_leaves_its_new_orders_untriaged() {
    let world = World::start().await;
    assert_eq!(
        patch(&world, &shopify(&world), &json!({"default_flow": null})).await["default_flow"],
        Value::Null
    );
    let external = world.shopify.create_order(&OrderSpec::new("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    let id = world.shopify_order(&external);
    assert_eq!(world.order(&id).await["placement"], "untriaged");
    let listed = world.api.get("/v1/orders?untriaged=true").await.ok();
    assert_eq!(listed["items"][0]["id"], json!(id));
    assert!(world.runs(&id).await.is_empty());
}

async fn in_printing(world: &World, external: &str) -> String {
    let order = json!({"external_id": external, "flow": world.ids.flow, "customer": {"name": "Grace"}});
    let id = world.api.post("/v1/orders", &order).await.ok()["id"].as_str().unwrap().to_owned();
    world.move_to(&id, "Printing").await.ok();
    world.settle().await;
    id
}

#[tokio::test]
async fn a_call_that_waits_goes_where_its_endpoint_is_now_and_nowhere_while_it_is_disabled() {
    let world = World::start().await;
    world.receiver.reply(Reply::Status(500), 1);
    let id = in_printing(&world, "moved").await;
    let elsewhere = Receiver::start(std::sync::Arc::new(world.clock.clone())).await.unwrap();
    let path = format!("/v1/webhook-endpoints/{}", world.ids.endpoint);
    let edited = json!({"name": "ERP", "url": elsewhere.url()});
    assert_eq!(world.api.put(&path, &edited).await.ok()["enabled"], true);
    world.pass(10).await;
    assert_eq!(world.states(&id, "webhook").await, ["succeeded"]);
    assert_eq!((world.receiver.received().len(), elsewhere.received().len()), (1, 1));
    let body = |receiver: &Receiver| receiver.received()[0].body.clone();
    assert_eq!(body(&world.receiver), body(&elsewhere));

    let disabled = json!({"name": "ERP", "url": elsewhere.url(), "enabled": false});
    assert_eq!(world.api.put(&path, &disabled).await.ok()["enabled"], false);
    let id = in_printing(&world, "silent").await;
    let run = world.runs_of(&id, "webhook").await[0].clone();
    assert_eq!(run["skipped"]["reason"], "endpoint_disabled", "{run}");
    assert_eq!(elsewhere.received().len(), 1);
}
