//! `POST /webhooks/carriers/{integration}`: carriers' reports.

use lambda_http::http::{HeaderMap, StatusCode};
use lambda_http::{Body, Request, Response};
use serde_json::json;
use stagepost_app::Core;
use stagepost_app::carrier::{Tracked, track};
use stagepost_app::inbound::TrackingReading;
use stagepost_app::ports::{ConfigStore, InboundStore, OrderStore, SecretKind, Secrets, StoreError};
use stagepost_domain::id::CarrierId;
use stagepost_domain::shop::{CarrierIntegration, CarrierKind};
use stagepost_domain::signing::{EasypostHeaders, easypost_matches};
use stagepost_lambda::cache::Warm;
use stagepost_lambda::http::{
    NOTIFICATION_MAX, body_bytes, empty, header, json as json_answer, last_segment,
};
use stagepost_lambda::inbound::{Opened, not_applied, open_all, quarantine, store_away, told};

/// An integration with its secrets opened.
type Armed = (CarrierIntegration, Opened);

/// What a carrier's report needs.
pub struct Carriers<S, K> {
    core: Core<S>,
    secrets: K,
    integrations: Warm<CarrierId, Armed>,
}

impl<S, K> Carriers<S, K>
where
    S: OrderStore + ConfigStore + InboundStore,
    K: Secrets,
{
    /// Ready to take reports.
    pub fn new(core: Core<S>, secrets: K) -> Self {
        Self { core, secrets, integrations: Warm::default() }
    }

    async fn arm(&self, id: &CarrierId) -> Result<Option<Armed>, StoreError> {
        let Some(carrier) = self.core.store.carrier(id).await? else { return Ok(None) };
        let kind = SecretKind::CarrierWebhook;
        let now = self.core.now();
        let secrets = open_all(&self.secrets, &carrier.shop, kind, &carrier.webhook_secrets, now).await?;
        Ok(Some((carrier, secrets)))
    }

    /// Answers one report.
    pub async fn handle(&self, request: Request) -> Response<Body> {
        let Ok(id) = CarrierId::parse(last_segment(&request)) else { return empty(StatusCode::NOT_FOUND) };
        let now = self.core.now();
        let armed = match self.integrations.get(&id, now, self.arm(&id)).await {
            Ok(Some((carrier, secrets))) => (carrier, secrets.at(now)),
            Ok(None) => return empty(StatusCode::NOT_FOUND),
            Err(e) => return store_away(&e),
        };
        let body = body_bytes(&request);
        if body.len() > NOTIFICATION_MAX {
            return empty(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let signed = |(carrier, secrets): &Armed| authentic(carrier.kind, secrets, request.headers(), body);
        let carrier = match self.integrations.proven(&id, now, armed, signed, self.arm(&id)).await {
            Ok(Some((carrier, _))) => carrier,
            Ok(None) => return empty(StatusCode::UNAUTHORIZED),
            Err(e) => return store_away(&e),
        };
        let reading = match carrier.kind {
            CarrierKind::Easypost => stagepost_carriers::read_easypost(body),
        };
        self.take(&carrier, body, reading).await
    }

    async fn take(
        &self,
        carrier: &CarrierIntegration,
        body: &[u8],
        reading: TrackingReading,
    ) -> Response<Body> {
        let outcome = match reading {
            TrackingReading::UnknownTopic => json!({"outcome": "no_op", "reason": "unknown_topic"}),
            TrackingReading::Unreadable { reason } => {
                let kept =
                    quarantine(&self.core, &carrier.shop, carrier.id.as_str(), "tracking", reason, body);
                if let Err(e) = kept.await {
                    return store_away(&e);
                }
                json!({"outcome": "quarantined"})
            }
            TrackingReading::Fact(fact) => match track(&self.core, &carrier.shop, &carrier.id, &fact).await {
                Ok(Tracked::Parked) => json!({"outcome": "parked"}),
                Ok(Tracked::Applied(applied)) => {
                    let orders: Vec<_> = applied.iter().map(|(_, outcome)| told(outcome)).collect();
                    json!({"outcome": "applied", "orders": orders})
                }
                Err(e) => {
                    let came_by = carrier.id.as_str();
                    return not_applied(&self.core, &carrier.shop, came_by, "tracking", body, &e).await;
                }
            },
        };
        tracing::info!(carrier = %carrier.id, %outcome, "report");
        json_answer(StatusCode::OK, &outcome)
    }
}

fn authentic(kind: CarrierKind, secrets: &Opened, headers: &HeaderMap, body: &[u8]) -> bool {
    let secrets = secrets.iter();
    match kind {
        CarrierKind::Easypost => {
            let signed = EasypostHeaders {
                v1: header(headers, "x-hmac-signature"),
                v2: header(headers, "x-hmac-signature-v2"),
                timestamp: header(headers, "x-timestamp"),
                path: header(headers, "x-path"),
            };
            easypost_matches(secrets, body, signed)
        }
    }
}
