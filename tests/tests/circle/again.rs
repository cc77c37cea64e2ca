//! *Send again*: what a person wants once more (law 11).

use serde_json::{Value, json};
use stagepost_standins::Reply;
use stagepost_tests::{Reply as Answered, World};

async fn in_printing(world: &World) -> String {
    let order = json!({
        "external_id": "again", "flow": world.ids.flow, "customer": {"name": "Ada", "email": "ada@example.com"},
    });
    let id = world.api.post("/v1/orders", &order).await.ok()["id"].as_str().unwrap().to_owned();
    world.pass(11).await;
    world.move_to(&id, "Printing").await.ok();
    world.settle().await;
    id
}

async fn once_more(world: &World, run: &Value, key: &str) -> Answered {
    let path = format!("/v1/runs/{}/send-again", run["id"].as_str().unwrap());
    world.api.call("POST", &path, &[("idempotency-key", key)], Some(b"{}".to_vec())).await
}

#[tokio::test]
async fn law_11_a_webhook_is_sent_again_with_the_same_id_and_bytes_and_once_per_request() {
    let world = World::start().await;
    let id = in_printing(&world).await;
    let run = world.runs_of(&id, "webhook").await[0].clone();
    assert_eq!(run["state"], "succeeded");
    let sent = once_more(&world, &run, "a").await;
    assert_eq!((sent.status, &sent.json()["generation"]), (201, &json!(1)), "{}", sent.text);
    assert_eq!(sent.json()["sent_again"]["by"]["kind"], "api_key");
    world.settle().await;
    let repeated = once_more(&world, &run, "a").await;
    assert_eq!((repeated.status, &repeated.text), (201, &sent.text));
    world.settle().await;
    let received = world.receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(received[0].header("webhook-id"), received[1].header("webhook-id"));
    assert_eq!(world.states(&id, "webhook").await, ["succeeded", "succeeded"]);
}

#[tokio::test]
async fn law_11_a_mail_is_sent_again_by_a_persons_choice_wherever_the_order_is_by_now() {
    let world = World::start().await;
    let id = in_printing(&world).await;
    assert_eq!(world.subjects().len(), 1);
    let mail = world.runs_of(&id, "email").await[0].clone();
    assert_eq!(once_more(&world, &mail, "a").await.status, 201);
    world.settle().await;
    assert_eq!(world.subjects().len(), 2);
    assert_eq!(world.subjects()[0], world.subjects()[1]);
    assert_eq!(world.states(&id, "email").await, ["succeeded", "succeeded"]);
}

#[tokio::test]
async fn what_failed_and_was_sent_again_is_not_looked_at_any_more() {
    let world = World::start().await;
    world.receiver.reply(Reply::Status(410), 1);
    let id = in_printing(&world).await;
    let wrong = async || world.api.get("/v1/runs").await.ok()["items"].as_array().unwrap().len();
    assert_eq!(wrong().await, 1);
    let endpoint = json!({"name": "ERP", "url": world.receiver.url(), "enabled": true});
    world.api.put(&format!("/v1/webhook-endpoints/{}", world.ids.endpoint), &endpoint).await.ok();
    let run = world.runs_of(&id, "webhook").await[0].clone();
    assert_eq!(once_more(&world, &run, "a").await.status, 201);
    world.settle().await;
    assert_eq!(world.states(&id, "webhook").await, ["failed", "succeeded"]);
    assert_eq!(wrong().await, 0);
}

#[tokio::test]
async fn what_makes_no_sense_to_send_again_says_why() {
    let world = World::start().await;
    let id = in_printing(&world).await;
    world.move_to(&id, "Ready").await.ok();
    world.settle().await;
    let fulfill = world.runs_of(&id, "fulfill").await[0].clone();
    let refused = once_more(&world, &fulfill, "a").await;
    assert_eq!((refused.status, &refused.json()["reason"]), (409, &json!("fulfilled_once")));
    let waiting = world.runs_of(&id, "email").await[1].clone();
    assert_eq!(waiting["state"], "pending");
    let refused = once_more(&world, &waiting, "b").await;
    assert_eq!((refused.status, &refused.json()["reason"]), (409, &json!("still_open")));
    world.pass(31 * 24 * 3_600).await;
    let hook = world.runs_of(&id, "webhook").await[0].clone();
    let refused = once_more(&world, &hook, "c").await;
    assert_eq!((refused.status, &refused.json()["reason"]), (409, &json!("no_message")));
}
