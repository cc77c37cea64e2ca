//! `POST /webhooks/woocommerce/{channel}`: WooCommerce's notifications, and its unsigned ping.
//!
//! WooCommerce never retries, and a ping that is not answered with exactly 200 comes back after every
//! delivery (observed; integrations §3.2).

use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use stagepost_app::ports::{ConfigStore, InboundStore, OrderStore, Secrets};
use stagepost_domain::order::Platform;
use stagepost_domain::signing::{base64_hmac_matches, woocommerce_key};
use stagepost_lambda::http::{body_bytes, empty, header};
use stagepost_lambda::inbound::{Armed, Inbound};

/// Answers one notification.
pub async fn handle<S, K>(inbound: &Inbound<S, K>, request: Request) -> Response<Body>
where
    S: OrderStore + ConfigStore + InboundStore,
    K: Secrets,
{
    let armed = match inbound.channel(&request, Platform::Woocommerce).await {
        Ok(armed) => armed,
        Err(answer) => return answer,
    };
    let (headers, body) = (request.headers(), body_bytes(&request));
    let from_woocommerce = headers.keys().any(|name| name.as_str().starts_with("x-wc-"));
    if stagepost_woocommerce::is_ping(header(headers, "content-type"), from_woocommerce, body) {
        return empty(StatusCode::OK);
    }
    let signature = header(headers, "x-wc-webhook-signature");
    let signed = |armed: &Armed| {
        let keys: Vec<String> = armed.secrets.iter().map(woocommerce_key).collect();
        base64_hmac_matches(keys.iter().map(String::as_str), body, signature)
    };
    let armed = match inbound.signed(armed, signed).await {
        Ok(armed) => armed,
        Err(answer) => return answer,
    };
    let topic = header(headers, "x-wc-webhook-topic").unwrap_or_default();
    let reading = stagepost_woocommerce::read(topic, &armed.channel, body, inbound.core().now());
    inbound.take(&armed.channel, topic, body, reading).await
}
