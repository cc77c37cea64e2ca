//! The routes, by resource.

mod config;
mod orders;
mod runs;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::Response;
use axum::routing::{delete, get, post};
use http::StatusCode;
use serde_json::{Value, json};
use stagepost_app::ports::Secrets;
use stagepost_lambda::http::Problem;

use crate::payload::{BODY_MAX, Failed, problem};
use crate::{Api, Stores};

/// What a handler answers.
type Answer = Result<(StatusCode, axum::Json<Value>), Failed>;
type State<S, K> = axum::extract::State<Arc<Api<S, K>>>;

fn ok(value: Value) -> Answer {
    Ok((StatusCode::OK, axum::Json(value)))
}

fn created(value: Value) -> Answer {
    Ok((StatusCode::CREATED, axum::Json(value)))
}

fn list(items: Vec<Value>, next: Option<&String>) -> Answer {
    ok(json!({"items": items, "next": next}))
}

/// Every route of the API.
pub fn all<S: Stores, K: Secrets + 'static>() -> Router<Arc<Api<S, K>>> {
    Router::new()
        .route("/v1/settings", get(config::settings).patch(config::update_settings))
        .route("/v1/flows", get(config::flows).post(config::create_flow))
        .route("/v1/flows/{id}", get(config::flow).put(config::update_flow))
        .route("/v1/email-templates", get(config::templates).post(config::create_template))
        .route("/v1/email-templates/{id}", get(config::template).put(config::update_template))
        .route("/v1/webhook-endpoints", get(config::endpoints).post(config::create_endpoint))
        .route("/v1/webhook-endpoints/{id}", get(config::endpoint).put(config::update_endpoint))
        .route("/v1/channels", get(config::channels).post(config::create_channel))
        .route("/v1/channels/{id}", get(config::channel).patch(config::update_channel))
        .route("/v1/carriers", get(config::carriers).post(config::create_carrier))
        .route("/v1/carriers/{id}", get(config::carrier).patch(config::update_carrier))
        .route("/v1/orders", get(orders::list).post(orders::create))
        .route("/v1/orders/{id}", get(orders::read))
        .route("/v1/orders/{id}/timeline", get(orders::timeline))
        .route("/v1/orders/{id}/move", post(orders::move_order))
        .route("/v1/orders/{id}/resume", post(orders::resume))
        .route("/v1/orders/{id}/packages", post(orders::add_package))
        .route("/v1/orders/{id}/packages/{package}", delete(orders::remove_package))
        .route("/v1/runs/{id}", get(runs::read))
        .route("/v1/runs/{id}/retry", post(runs::retry))
        .route("/v1/quarantine", get(runs::quarantine))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(BODY_MAX))
}

async fn no_route() -> Response {
    problem(&Problem::not_found("route"))
}

async fn no_method() -> Response {
    let title = "This route does not take that method";
    problem(&Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", title))
}
