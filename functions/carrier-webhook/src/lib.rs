//! `POST /webhooks/carriers/{integration}`: carriers' reports.

use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use serde_json::json;
use stagepost_app::Core;
use stagepost_app::carrier::{Tracked, track_received};
use stagepost_app::contact::{ContactStore, Contacts};
use stagepost_app::inbound::{Arrival, Proof, Route, TrackingReading};
use stagepost_app::ports::{
    ConfigStore, InboundQueue, InboundStore, OrderStore, SecretKind, Secrets, StoreError,
};
use stagepost_domain::contact::{FarEnd, Way};
use stagepost_domain::id::CarrierId;
use stagepost_domain::shop::{CarrierIntegration, CarrierKind};
use stagepost_domain::signing::{EasypostHeaders, WebhookHeaders, easypost_matches, webhook_matches};
use stagepost_lambda::cache::Warm;
use stagepost_lambda::http::{empty, last_segment};
use stagepost_lambda::inbound::{
    Intake, NotTaken, Opened, Taken, arrived, not_applied, open_all, quarantined, told,
};

/// The headers that any of the services signs with.
const HEADERS: [&str; 7] = [
    "x-hmac-signature",
    "x-hmac-signature-v2",
    "x-timestamp",
    "x-path",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];
/// What a report is called in quarantine: the services' own words differ, and none is needed to read one.
const TOPIC: &str = "tracking";

/// An integration with its secrets opened.
type Armed = (CarrierIntegration, Opened);

/// What a carrier's report needs.
pub struct Carriers<S, K> {
    core: Core<S>,
    secrets: K,
    integrations: Warm<CarrierId, Armed>,
    contacts: Contacts,
}

impl<S, K> Carriers<S, K>
where
    S: OrderStore + ConfigStore + InboundStore + ContactStore,
    K: Secrets,
{
    /// Ready to take reports.
    pub fn new(core: Core<S>, secrets: K) -> Self {
        Self { core, secrets, integrations: Warm::default(), contacts: Contacts::default() }
    }

    async fn arm(&self, id: &CarrierId) -> Result<Option<Armed>, StoreError> {
        let Some(carrier) = self.core.store.carrier(id).await? else { return Ok(None) };
        let kind = SecretKind::CarrierWebhook;
        let secrets = open_all(&self.secrets, &carrier.shop, kind, &carrier.webhook_secrets).await?;
        Ok(Some((carrier, secrets)))
    }

    /// Answers one report.
    pub async fn handle<Q: InboundQueue>(&self, intake: &Intake<Q>, request: Request) -> Response<Body> {
        let Ok(id) = CarrierId::parse(last_segment(&request)) else { return empty(StatusCode::NOT_FOUND) };
        let route = Route::Carrier(id.clone());
        let arrival = match arrived(&request, route, TOPIC, &HEADERS, self.core.now()) {
            Ok(arrival) => arrival,
            Err(answer) => return answer,
        };
        intake.answer(&self.core, &self.secrets, &arrival, self.take(&id, &arrival)).await
    }

    /// Decides one report of an integration, now or when it comes out of the inbound queue.
    ///
    /// # Errors
    /// Nobody's route, a wrong signature; or later.
    pub async fn take(&self, id: &CarrierId, arrival: &Arrival) -> Taken {
        let carrier = self.authentic(id, arrival).await?;
        let (core, far, at) = (&self.core, FarEnd::Carrier(carrier.id.clone()), arrival.received_at);
        let noting = self.contacts.note(core, &carrier.shop, far, Way::Inbound, at);
        tokio::join!(self.decided(&carrier, arrival), noting).0
    }

    async fn decided(&self, carrier: &CarrierIntegration, arrival: &Arrival) -> Taken {
        let reading = match carrier.kind {
            CarrierKind::Easypost => stagepost_carriers::read_easypost(&arrival.body),
            CarrierKind::Generic => stagepost_carriers::read_generic(&arrival.body),
        };
        let shop = &carrier.shop;
        let outcome = match reading {
            TrackingReading::UnknownTopic => json!({"outcome": "no_op", "reason": "unknown_topic"}),
            TrackingReading::Unreadable { reason } => {
                quarantined(&self.core, &self.secrets, shop, arrival, reason).await?
            }
            TrackingReading::Fact(fact) => {
                match track_received(&self.core, shop, &carrier.id, &fact, arrival.received_at).await {
                    Ok(Tracked::Parked) => json!({"outcome": "parked"}),
                    Ok(Tracked::Applied(applied)) => {
                        let orders: Vec<_> = applied.iter().map(|(_, outcome)| told(outcome)).collect();
                        json!({"outcome": "applied", "orders": orders})
                    }
                    Err(e) => not_applied(&self.core, &self.secrets, shop, arrival, &e).await?,
                }
            }
        };
        tracing::info!(%shop, carrier = %carrier.id, %outcome, "report");
        Ok(outcome)
    }

    /// The integration of an arrival that it signed, unless that was checked before.
    async fn authentic(&self, id: &CarrierId, arrival: &Arrival) -> Result<CarrierIntegration, NotTaken> {
        let checked = arrival.proof != Proof::Signature;
        let later = |error: StoreError| NotTaken::Later { checked, why: error.to_string() };
        let (now, integrations) = (self.core.now(), &self.integrations);
        let armed = integrations.get(id, now, self.arm(id)).await.map_err(later)?;
        let armed = armed.ok_or(NotTaken::Refused(StatusCode::NOT_FOUND))?;
        if checked {
            return Ok(armed.0);
        }
        let signed = |(carrier, secrets): &Armed| signed(carrier.kind, secrets, arrival);
        let proven = integrations.proven(id, now, armed, signed, self.arm(id)).await.map_err(later)?;
        proven.map(|(carrier, _)| carrier).ok_or(NotTaken::Refused(StatusCode::UNAUTHORIZED))
    }
}

fn signed(kind: CarrierKind, secrets: &Opened, arrival: &Arrival) -> bool {
    let (secrets, body) = (secrets.at(arrival.received_at), &arrival.body);
    match kind {
        CarrierKind::Easypost => {
            let headers = EasypostHeaders {
                v1: arrival.header("x-hmac-signature"),
                v2: arrival.header("x-hmac-signature-v2"),
                timestamp: arrival.header("x-timestamp"),
                path: arrival.header("x-path"),
            };
            easypost_matches(secrets, body, headers)
        }
        CarrierKind::Generic => {
            let headers = WebhookHeaders {
                id: arrival.header("webhook-id"),
                timestamp: arrival.header("webhook-timestamp"),
                signature: arrival.header("webhook-signature"),
            };
            webhook_matches(secrets, body, headers, arrival.received_at)
        }
    }
}
