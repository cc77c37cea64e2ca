//! `POST /webhooks/shopify/{channel}`: Shopify's notifications.
//!
//! The secret comes from the route's channel; the signature is over the raw bytes; the topic only picks
//! the payload's shape (integrations §1).

use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use stagepost_app::contact::ContactStore;
use stagepost_app::inbound::{Arrival, Route};
use stagepost_app::ports::{ConfigStore, InboundQueue, InboundStore, OrderStore, Secrets};
use stagepost_domain::id::ChannelId;
use stagepost_domain::order::Platform;
use stagepost_domain::signing::base64_hmac_matches;
use stagepost_lambda::http::{empty, header, last_segment};
use stagepost_lambda::inbound::{Armed, Inbound, Intake, Taken, arrived};

const TOPIC: &str = "x-shopify-topic";
const SIGNATURE: &str = "x-shopify-hmac-sha256";
const STORE: &str = "x-shopify-shop-domain";

/// Answers one notification.
pub async fn handle<S, K, Q>(inbound: &Inbound<S, K>, intake: &Intake<Q>, request: Request) -> Response<Body>
where
    S: OrderStore + ConfigStore + InboundStore + ContactStore,
    K: Secrets,
    Q: InboundQueue,
{
    let Ok(channel) = ChannelId::parse(last_segment(&request)) else { return empty(StatusCode::NOT_FOUND) };
    let topic = header(request.headers(), TOPIC).unwrap_or_default();
    let route = Route::Shopify(channel.clone());
    let arrival = match arrived(&request, route, topic, &[SIGNATURE, STORE], inbound.core().now()) {
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
    let channel = inbound.authentic(channel, Platform::Shopify, arrival, signed).await?;
    let reading = stagepost_shopify::read(&arrival.topic, &channel, &arrival.body, arrival.received_at);
    inbound.take(&channel, arrival, reading).await
}

/// One app secret signs for all stores of the app, so the store must be the channel's as well.
fn signed(armed: &Armed, arrival: &Arrival) -> bool {
    let secrets = armed.secrets.at(arrival.received_at);
    let store = arrival.header(STORE);
    base64_hmac_matches(secrets, &arrival.body, arrival.header(SIGNATURE))
        && store.is_none_or(|store| store.eq_ignore_ascii_case(&armed.channel.store))
}
