//! Signing and posting, and words for what the tests look at.

use serde_json::Value;
use stagepost_domain::signing::{base64_hmac, woocommerce_key};
use stagepost_standins::{Notification, Posted};
use stagepost_tests::{SHOPIFY_DOMAIN, World};

/// A notification with these headers.
pub fn notification(topic: &str, headers: &[(&str, &str)], body: &[u8]) -> Notification {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Notification { topic: topic.to_owned(), headers, body: body.to_vec() }
}

/// A body as Shopify would send it.
pub fn shopify(secret: &str, topic: &str, body: &[u8]) -> Notification {
    let headers = [
        ("Content-Type", "application/json"),
        ("X-Shopify-Topic", topic),
        ("X-Shopify-Hmac-Sha256", &base64_hmac(secret, body)),
        ("X-Shopify-Shop-Domain", SHOPIFY_DOMAIN),
    ];
    notification(topic, &headers, body)
}

/// A body as WooCommerce would send it.
pub fn woo(secret: &str, topic: &str, body: &[u8]) -> Notification {
    let headers = [
        ("Content-Type", "application/json"),
        ("X-WC-Webhook-Topic", topic),
        ("X-WC-Webhook-Signature", &base64_hmac(&woocommerce_key(secret), body)),
    ];
    notification(topic, &headers, body)
}

/// What an answer says became of the notification.
pub fn outcome(posted: &Posted) -> Value {
    assert_eq!(posted.status, 200, "{}", String::from_utf8_lossy(&posted.body));
    serde_json::from_slice::<Value>(&posted.body).unwrap()["outcome"].clone()
}

/// The shop's quarantine, newest first.
pub async fn quarantine(world: &World) -> Vec<Value> {
    let listed = world.api.get("/v1/quarantine").await.ok();
    listed["items"].as_array().unwrap().clone()
}
