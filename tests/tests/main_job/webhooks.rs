//! Law 11: webhooks are at least once, the same on every attempt.

use serde_json::json;
use stagepost_app::ports::Clock;
use stagepost_standins::Reply;
use stagepost_tests::World;

async fn in_printing(world: &World) -> String {
    let order = json!({
        "external_id": "hook", "flow": world.ids.flow, "customer": {"name": "Grace"},
    });
    let id = world.api.post("/v1/orders", &order).await.ok()["id"].as_str().unwrap().to_owned();
    world.move_to(&id, "Printing").await.ok();
    world.settle().await;
    id
}

#[tokio::test]
async fn a_failing_receiver_gets_the_same_id_and_bytes_again_with_a_fresh_signature() {
    let world = World::start().await;
    world.receiver.reply(Reply::Status(500), 2);
    let id = in_printing(&world).await;
    assert_eq!(world.receiver.received().len(), 1);
    // The order's customer changes meanwhile; the message was frozen when it was decided.
    let renamed = json!({"external_id": "hook", "flow": world.ids.flow, "customer": {"name": "Renamed"}});
    world.api.post("/v1/orders", &renamed).await.ok();
    world.pass(10).await;
    world.pass(400).await;
    let received = world.receiver.received();
    assert_eq!(received.len(), 3);
    let of = |name: &str| received.iter().map(|r| r.header(name).unwrap().to_owned()).collect::<Vec<_>>();
    assert!(of("webhook-id").windows(2).all(|w| w[0] == w[1]));
    assert!(of("webhook-timestamp").windows(2).all(|w| w[0] != w[1]));
    assert!(of("webhook-signature").windows(2).all(|w| w[0] != w[1]));
    assert!(received.windows(2).all(|w| w[0].body == w[1].body));
    assert_eq!(world.states(&id, "webhook").await, ["succeeded"]);
}

#[tokio::test]
async fn a_dead_receiver_ends_as_failed_after_eight_attempts_and_a_person_can_retry() {
    let world = World::start().await;
    world.receiver.reply(Reply::Status(503), 8);
    let id = in_printing(&world).await;
    for _ in 0..8 {
        world.pass(13 * 3600).await;
    }
    assert_eq!(world.receiver.received().len(), 8);
    let run = world.runs_of(&id, "webhook").await[0].clone();
    assert_eq!((run["state"].as_str(), run["result"].as_str()), (Some("failed"), Some("HTTP 503")));
    let path = format!("/v1/runs/{}/retry", run["id"].as_str().unwrap());
    world.api.post(&path, &json!({})).await.ok();
    world.settle().await;
    assert_eq!(world.states(&id, "webhook").await, ["succeeded"]);
    assert_eq!(world.api.post(&path, &json!({})).await.status, 409);
}

#[tokio::test]
async fn gone_ends_it_at_once_and_patience_is_honoured() {
    let world = World::start().await;
    world.receiver.reply(Reply::RetryAfter(429, 120), 1);
    world.receiver.reply(Reply::Status(410), 1);
    let id = in_printing(&world).await;
    world.pass(60).await;
    assert_eq!(world.receiver.received().len(), 1, "came back before the wait that was asked for");
    world.pass(61).await;
    assert_eq!(world.receiver.received().len(), 2);
    assert_eq!(world.states(&id, "webhook").await, ["failed"]);
    let path = format!("/v1/webhook-endpoints/{}", world.ids.endpoint);
    let endpoint = world.api.get(&path).await.ok();
    assert_eq!(
        (&endpoint["enabled"], &endpoint["disabled_reason"]),
        (&json!(false), &json!("receiver_gone"))
    );
    assert_eq!(endpoint["disabled_since"], world.clock.now().to_string());
    let body = json!({"name": "ERP", "url": world.receiver.url(), "enabled": true});
    let endpoint = world.api.put(&path, &body).await.ok();
    assert_eq!((&endpoint["enabled"], &endpoint["disabled_reason"]), (&json!(true), &json!(null)));
}
