//! Orders come in, customers are mailed, receivers are called.

use serde_json::{Value, json};
use stagepost_standins::Reply;
use stagepost_tests::{Trial, until};

use crate::{shopify_order, woo_order};

/// A page of the deployment by the path of a link: where the deployment's own address is no place of this machine.
async fn visit(trial: &Trial, link: &str) -> (u16, String) {
    let path = link.split_once("://").and_then(|(_, rest)| rest.split_once('/')).unwrap().1;
    let (status, _, page) = trial.api.page(&format!("{}/{path}", trial.deployment.base())).await;
    (status, page)
}

#[tokio::test]
async fn an_order_of_either_platform_is_mailed_once_with_a_link_that_opens_its_page() {
    let trial = Trial::start().await;
    let (_, ada) = shopify_order(&trial).await;
    let (_, grace) = woo_order(&trial).await;
    let mails = trial.mails().await;
    let to: Vec<_> = mails.iter().map(|m| m.to.as_str()).collect();
    assert_eq!(to, ["ada@example.com", "grace@example.com"]);
    for id in [ada, grace] {
        assert_eq!(trial.states(&id, "email").await, ["succeeded"]);
    }
    let link = mails[0].text.strip_prefix("Hello Ada Lovelace, see ").unwrap();
    let (status, page) = visit(&trial, link.trim()).await;
    assert_eq!(status, 200);
    assert!(page.contains("aria-current=\"step\">New") && !page.contains("Ada"), "{page}");
    let (status, _) = visit(&trial, &link.replace("/t/", "/t/x")).await;
    assert_eq!(status, 404);
}

async fn api_order(trial: &Trial, external: &str) -> String {
    let order = json!({
        "external_id": external, "number": format!("#{external}"), "flow": trial.ids.flow,
        "customer": {"name": "Grace", "email": "grace@example.com"},
    });
    trial.api.post("/v1/orders", &order).await.ok()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_receiver_that_fails_first_gets_the_same_signed_message_again() {
    let trial = Trial::start().await;
    let id = api_order(&trial, "hook").await;
    trial.comes_to(&id, "New").await;
    trial.receiver.reply(Reply::Status(500), 1);
    trial.move_to(&id, "Printing").await.ok();
    trial.comes_to(&id, "Printing").await;
    assert_eq!(trial.states(&id, "webhook").await, ["succeeded"]);
    let received = trial.receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].header("webhook-id"), received[1].header("webhook-id"));
    assert_eq!(received[0].body, received[1].body);
    let receivers = standardwebhooks::Webhook::new(&trial.ids.endpoint_secret).unwrap();
    for call in &received {
        let header = |name: &str| call.header(name).unwrap();
        let timestamp = header("webhook-timestamp").parse().unwrap();
        let expected = receivers.sign(header("webhook-id"), timestamp, &call.body).unwrap();
        assert_eq!(header("webhook-signature"), expected);
    }
    let body: Value = serde_json::from_slice(&received[0].body).unwrap();
    assert_eq!(body["type"], "order.stage_entered");
    assert_eq!(body["data"]["stage"]["name"], "Printing");
    assert_eq!(body["data"]["previous_stage"]["name"], "New");
}

#[tokio::test]
async fn of_two_moves_from_one_screen_one_wins_and_the_same_call_under_its_key_acts_once() {
    let trial = Trial::start().await;
    let id = api_order(&trial, "twice").await;
    let path = format!("/v1/orders/{id}/move");
    let to = |stage: &str| json!({"stage": stage, "expected_seq": 1});
    let (printing, ready) = (to("Printing"), to("Delivered"));
    let (a, b) = tokio::join!(trial.api.post(&path, &printing), trial.api.post(&path, &ready));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let order = json!({"external_id": "keyed", "flow": trial.ids.flow}).to_string().into_bytes();
    let headers = [("content-type", "application/json"), ("idempotency-key", "once")];
    let first = trial.api.call("POST", "/v1/orders", &headers, Some(order.clone())).await;
    let again = trial.api.call("POST", "/v1/orders", &headers, Some(order)).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.text, again.text);
    assert!(again.headers.iter().any(|(name, value)| name == "idempotency-replayed" && value == "true"));
}

#[tokio::test]
async fn what_dispatch_keeps_lets_an_order_be_found_by_its_customers_address() {
    let trial = Trial::start().await;
    let (_, id) = shopify_order(&trial).await;
    let found = until(async || {
        let page = trial.api.get("/v1/orders?q=ada%40example.com").await.ok();
        page["items"][0]["id"].as_str().map(str::to_owned)
    });
    assert_eq!(found.await, id);
}

#[tokio::test]
async fn nobody_gets_in_without_a_key_a_signature_or_a_session() {
    let trial = Trial::start().await;
    assert_eq!(trial.api.with_key("sp_nobody").get("/v1/settings").await.status, 401);
    let stranger = stagepost_tests::signed::shopify("wrong", "orders/create", b"{}");
    let posted = trial.courier.shopify(&trial.ids.shopify, &stranger).await.unwrap();
    assert_eq!((posted.status, posted.body), (401, Vec::new()));
    let (status, _, page) = trial.api.page(&format!("{}/sign-in", trial.deployment.base())).await;
    assert_eq!(status, 200);
    assert!(page.contains("Sign in with an API key"), "{page}");
}
