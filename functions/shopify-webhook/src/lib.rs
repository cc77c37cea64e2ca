//! `POST /webhooks/shopify/{channel}`: Shopify's notifications.
//!
//! The secret comes from the route's channel; the signature is over the raw bytes; the topic only picks
//! the payload's shape (integrations §1).

use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use stagepost_app::ports::{ConfigStore, InboundStore, OrderStore, Secrets};
use stagepost_domain::order::Platform;
use stagepost_domain::signing::base64_hmac_matches;
use stagepost_lambda::http::{body_bytes, empty, header};
use stagepost_lambda::inbound::{Armed, Inbound};

/// Answers one notification.
pub async fn handle<S, K>(inbound: &Inbound<S, K>, request: Request) -> Response<Body>
where
    S: OrderStore + ConfigStore + InboundStore,
    K: Secrets,
{
    let armed = match inbound.channel(&request, Platform::Shopify).await {
        Ok(armed) => armed,
        Err(answer) => return answer,
    };
    let (headers, body) = (request.headers(), body_bytes(&request));
    let signature = header(headers, "x-shopify-hmac-sha256");
    let signed = |armed: &Armed| base64_hmac_matches(armed.secrets.iter(), body, signature);
    let armed = match inbound.signed(armed, signed).await {
        Ok(armed) => armed,
        Err(answer) => return answer,
    };
    // One app secret signs for all stores of the app: the store must be the channel's.
    let store = header(headers, "x-shopify-shop-domain");
    if store.is_some_and(|s| !s.eq_ignore_ascii_case(&armed.channel.store)) {
        return empty(StatusCode::UNAUTHORIZED);
    }
    let topic = header(headers, "x-shopify-topic").unwrap_or_default();
    let reading = stagepost_shopify::read(topic, &armed.channel, body, inbound.core().now());
    inbound.take(&armed.channel, topic, body, reading).await
}
