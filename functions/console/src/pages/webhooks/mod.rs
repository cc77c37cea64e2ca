//! Webhooks: endpoints, how their receivers do, what was sent to them, and what failed.

mod attempt;
mod edit;
mod job;
mod list;
mod one;
mod recover;
mod secret;
mod standing;

use axum::Router;
use axum::routing::{get, post};
use stagepost_app::ports::Secrets;
use stagepost_domain::flow::Flow;
use stagepost_domain::health::Health;
use stagepost_domain::id::EndpointId;
use stagepost_domain::shop::Endpoint;

use super::Routes;
use crate::error::{Failed, Trouble};
use crate::names::Use;
use crate::shell::Area;
use crate::visitor::Visit;
use crate::{Console, Stores};

/// Where a new endpoint is made.
const NEW: &str = "/settings/webhooks/new";

/// Its routes.
pub fn routes<S: Stores, K: Secrets + 'static>() -> Routes<S, K> {
    Router::new()
        .route(Area::Webhooks.path(), get(list::show::<S, K>))
        .route(NEW, get(edit::begin::<S, K>).post(edit::create::<S, K>))
        .route("/settings/webhooks/{id}", get(one::show::<S, K>))
        .route("/settings/webhooks/{id}/edit", get(edit::show::<S, K>).post(edit::update::<S, K>))
        .route("/settings/webhooks/{id}/rotate", get(secret::confirm::<S, K>).post(secret::rotate::<S, K>))
        .route("/settings/webhooks/{id}/off", get(one::confirm_off::<S, K>).post(one::off::<S, K>))
        .route("/settings/webhooks/{id}/on", post(one::on::<S, K>))
        .route("/settings/webhooks/{id}/delete", get(one::confirm_delete::<S, K>).post(one::delete::<S, K>))
        .route("/settings/webhooks/{id}/test", post(job::test::<S, K>))
        .route("/settings/webhooks/{id}/resend", post(attempt::resend::<S, K>))
        .route("/settings/webhooks/{id}/recover", get(recover::ask::<S, K>).post(recover::begin::<S, K>))
        .route("/settings/webhooks/{id}/jobs/{job}", get(job::show::<S, K>))
        .route("/settings/webhooks/{id}/jobs/{job}/cancel", post(job::cancel::<S, K>))
}

/// The page of an endpoint.
fn path(id: &EndpointId) -> String {
    format!("/settings/webhooks/{id}")
}

/// An endpoint's id, as a path names it.
fn endpoint_id(id: &str) -> Result<EndpointId, Failed> {
    super::id(EndpointId::parse(id), "endpoint")
}

/// An endpoint of the shop, and how its receiver does.
async fn there<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    id: &EndpointId,
) -> Result<(Endpoint, Health), Failed> {
    let found = console.core.store.endpoint_and_health(&visit.shop, id).await?;
    Ok(found.ok_or_else(|| Trouble::not_found("endpoint"))?)
}

/// The stages that call an endpoint, switched on or not.
fn uses(flows: &[Flow], id: &EndpointId) -> Vec<Use> {
    Use::all(flows, |stage| {
        let call = stage.automations.webhook.as_ref().filter(|call| call.endpoint == *id);
        call.map(|call| call.enabled)
    })
}
