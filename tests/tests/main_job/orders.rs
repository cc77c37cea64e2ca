use serde_json::json;
use stagepost_tests::{World, boats};

#[tokio::test]
async fn a_paid_shopify_order_lands_in_the_default_stage_and_its_customer_gets_one_mail() {
    let world = World::start().await;
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    let id = world.shopify_order(&external);
    assert_eq!(world.stage(&id).await, "New");
    world.settle().await;
    assert!(world.mails().is_empty(), "a mail left before its grace");
    world.pass(10).await;
    assert_eq!(world.mails().len(), 1);
    let mail = &world.mails()[0];
    assert_eq!(mail.to, "ada@example.com");
    assert!(mail.text.as_deref().unwrap().starts_with("Hello Ada Lovelace, see http"));
    assert_eq!(world.states(&id, "email").await, ["succeeded"]);
}

#[tokio::test]
async fn an_api_order_moves_and_its_webhook_is_signed() {
    let world = World::start().await;
    let order = json!({
        "external_id": "web-1", "number": "#W1", "flow": world.ids.flow,
        "customer": {"name": "Grace", "email": "grace@example.com"},
    });
    let made = world.api.post("/v1/orders", &order).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.body["id"].as_str().unwrap().to_owned();
    assert_eq!(world.move_to(&id, "Printing").await.status, 200);
    world.pass(10).await;
    let received = world.receiver.received();
    assert_eq!(received.len(), 1);
    // The receiver's own library signs the same bytes to the same signature (its `verify` reads the machine's
    // clock, which this test does not run on).
    let receivers = standardwebhooks::Webhook::new(&world.ids.endpoint_secret).unwrap();
    let header = |name: &str| received[0].header(name).unwrap();
    let timestamp = header("webhook-timestamp").parse().unwrap();
    let expected = receivers.sign(header("webhook-id"), timestamp, &received[0].body).unwrap();
    assert_eq!(header("webhook-signature"), expected);
    let body: serde_json::Value = serde_json::from_slice(&received[0].body).unwrap();
    assert_eq!(body["type"], "order.stage_entered");
    assert_eq!(body["data"]["stage"]["name"], "Printing");
    assert_eq!(body["data"]["previous_stage"]["name"], "New");
    // The first stage's mail was taken back: the order had left within the grace.
    assert_eq!(world.states(&id, "email").await, ["skipped"]);
    assert!(world.mails().is_empty());
}
