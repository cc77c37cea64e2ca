//! `POST /webhooks/woocommerce/{channel}`: WooCommerce's notifications, and its unsigned ping.
//!
//! WooCommerce never retries, ends a webhook that has failed a few times in a row, and sends a ping that is not
//! answered with exactly 200 after every delivery (observed; integrations §3.2).

use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use stagepost_app::contact::ContactStore;
use stagepost_app::inbound::{Arrival, Route};
use stagepost_app::ports::{ConfigStore, InboundQueue, InboundStore, OrderStore, Secrets};
use stagepost_domain::id::ChannelId;
use stagepost_domain::order::Platform;
use stagepost_domain::signing::{base64_hmac_matches, woocommerce_key};
use stagepost_lambda::http::{body_bytes, empty, header, last_segment};
use stagepost_lambda::inbound::{Armed, Inbound, Intake, Taken, arrived};

const TOPIC: &str = "x-wc-webhook-topic";
const SIGNATURE: &str = "x-wc-webhook-signature";

/// Answers one notification.
pub async fn handle<S, K, Q>(inbound: &Inbound<S, K>, intake: &Intake<Q>, request: Request) -> Response<Body>
where
    S: OrderStore + ConfigStore + InboundStore + ContactStore,
    K: Secrets,
    Q: InboundQueue,
{
    let Ok(channel) = ChannelId::parse(last_segment(&request)) else { return empty(StatusCode::NOT_FOUND) };
    if is_ping(&request) {
        return pinged(inbound, &channel).await;
    }
    let topic = header(request.headers(), TOPIC).unwrap_or_default();
    let route = Route::Woocommerce(channel.clone());
    let arrival = match arrived(&request, route, topic, &[SIGNATURE], inbound.core().now()) {
        Ok(arrival) => arrival,
        Err(answer) => return answer,
    };
    let taking = take(inbound, &channel, &arrival);
    intake.answer(inbound.core(), inbound.secrets(), &arrival, taking).await
}

/// Decides one notification of a channel, now or when it comes out of the inbound queue.
///
/// # Errors
/// Nobody's route, a wrong signature; or later.
pub async fn take<S, K>(inbound: &Inbound<S, K>, channel: &ChannelId, arrival: &Arrival) -> Taken
where
    S: OrderStore + ConfigStore + InboundStore + ContactStore,
    K: Secrets,
{
    let signed = |armed: &Armed| signed(armed, arrival);
    let channel = inbound.authentic(channel, Platform::Woocommerce, arrival, signed).await?;
    let reading = stagepost_woocommerce::read(&arrival.topic, &channel, &arrival.body, arrival.received_at);
    inbound.take(&channel, arrival, reading).await
}

fn signed(armed: &Armed, arrival: &Arrival) -> bool {
    let keys: Vec<String> = armed.secrets.at(arrival.received_at).map(woocommerce_key).collect();
    base64_hmac_matches(keys.iter().map(String::as_str), &arrival.body, arrival.header(SIGNATURE))
}

fn is_ping(request: &Request) -> bool {
    let headers = request.headers();
    let from_woocommerce = headers.keys().any(|name| name.as_str().starts_with("x-wc-"));
    stagepost_woocommerce::is_ping(header(headers, "content-type"), from_woocommerce, body_bytes(request))
}

/// A ping means nothing, so it needs no store: one that is away must not count as a failure.
async fn pinged<S, K>(inbound: &Inbound<S, K>, channel: &ChannelId) -> Response<Body>
where
    S: OrderStore + ConfigStore + InboundStore + ContactStore,
    K: Secrets,
{
    match inbound.channel(channel, Platform::Woocommerce).await {
        Ok(None) => empty(StatusCode::NOT_FOUND),
        Ok(Some(_)) | Err(_) => empty(StatusCode::OK),
    }
}
