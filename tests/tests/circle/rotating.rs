//! Secrets that are replaced while the other end still uses the one before (law 17).

use serde_json::{Value, json};
use stagepost_standins::{Notification, Received};
use stagepost_tests::{World, boats};
use standardwebhooks::Webhook;

const DAY: i64 = 24 * 3_600;

/// Whether a receiver with this secret takes the call, by its own library. (Its `verify` compares times with the
/// machine's clock, which these tests do not run on; this is the rest of it.)
fn verifies(secret: &str, call: &Received) -> bool {
    let time = call.header("webhook-timestamp").unwrap().parse().unwrap();
    let own =
        Webhook::new(secret).unwrap().sign(call.header("webhook-id").unwrap(), time, &call.body).unwrap();
    call.header("webhook-signature").unwrap().split(' ').any(|signature| signature == own)
}

/// The call that an order makes which enters *Printing* now.
async fn called(world: &World, external_id: &str) -> Received {
    let order = json!({"external_id": external_id, "flow": world.ids.flow});
    let id = world.api.post("/v1/orders", &order).await.ok()["id"].as_str().unwrap().to_owned();
    world.move_to(&id, "Printing").await.ok();
    world.settle().await;
    world.receiver.received().pop().unwrap()
}

#[tokio::test]
async fn law_17_a_rotated_endpoint_secret_signs_beside_the_new_one_for_a_day_and_is_shown_once() {
    let world = World::start().await;
    let endpoint = format!("/v1/webhook-endpoints/{}", world.ids.endpoint);
    let old = &world.ids.endpoint_secret;
    let rotated = world.api.post(&format!("{endpoint}/rotate-secret"), &json!({})).await;
    assert_eq!((rotated.status, &rotated.body["version"]), (200, &json!(2)), "{}", rotated.body);
    let new = rotated.body["secret"].as_str().unwrap();
    assert!(new.starts_with("whsec_") && new != old);
    assert_eq!(world.api.get(&endpoint).await.ok()["secret"], Value::Null, "shown once");

    let call = called(&world, "1").await;
    assert!(verifies(new, &call) && verifies(old, &call), "the receiver may know either");
    world.pass(DAY - 60).await;
    let call = called(&world, "2").await;
    assert!(verifies(new, &call) && verifies(old, &call));
    world.pass(60).await;
    let call = called(&world, "3").await;
    assert!(verifies(new, &call) && !verifies(old, &call), "a leaked secret is worth nothing now");
}

/// The notification, signed with this secret instead.
fn signed(notification: &Notification, secret: &str) -> Notification {
    let mut other = notification.clone();
    other.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("x-shopify-hmac-sha256"));
    let signature = stagepost_domain::signing::base64_hmac(secret, &other.body);
    other.headers.push(("X-Shopify-Hmac-Sha256".to_owned(), signature));
    other
}

#[tokio::test]
async fn law_17_a_replaced_channel_secret_is_taken_for_a_day_however_warm_the_function_is() {
    let world = World::start().await;
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    world.pass(10).await;
    let channel = format!("/v1/channels/{}", world.ids.shopify);
    let patch = json!({"webhook_secret": "shpss_new"}).to_string().into_bytes();
    world.api.send("PATCH", &channel, Some(patch)).await.ok();
    let old = world.shopify.notification(&external, "orders/updated").unwrap();
    let new = signed(&old, "shpss_new");
    let status = async |n: &Notification| world.courier.shopify(&world.ids.shopify, n).await.unwrap().status;
    assert_eq!((status(&old).await, status(&new).await), (200, 200));
    world.pass(DAY - 30).await;
    assert_eq!(
        (status(&old).await, status(&new).await),
        (200, 200),
        "the channel is read anew, and kept warm"
    );
    world.pass(30).await;
    assert_eq!((status(&old).await, status(&new).await), (401, 200));
}
