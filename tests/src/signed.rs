//! Notifications as their senders would sign them.

use stagepost_domain::signing::{base64_hmac, easypost_v1, woocommerce_key};
use stagepost_standins::Notification;

use crate::SHOPIFY_DOMAIN;

/// A notification with these headers.
#[must_use]
pub fn notification(topic: &str, headers: &[(&str, &str)], body: &[u8]) -> Notification {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Notification { topic: topic.to_owned(), headers, body: body.to_vec() }
}

/// A body as Shopify would send it.
#[must_use]
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
#[must_use]
pub fn woo(secret: &str, topic: &str, body: &[u8]) -> Notification {
    let headers = [
        ("Content-Type", "application/json"),
        ("X-WC-Webhook-Topic", topic),
        ("X-WC-Webhook-Signature", &base64_hmac(&woocommerce_key(secret), body)),
    ];
    notification(topic, &headers, body)
}

/// A body as EasyPost would send it.
#[must_use]
pub fn easypost(secret: &str, body: &[u8]) -> Notification {
    let headers = [("Content-Type", "application/json"), ("X-Hmac-Signature", &easypost_v1(secret, body))];
    notification("tracker", &headers, body)
}
