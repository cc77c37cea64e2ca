//! Order flows, their stages and automations.

use axum::Router;
use axum::routing::get;
use stagepost_app::ports::Secrets;

use super::{Routes, stub};
use crate::Stores;
use crate::answer::Answer;
use crate::shell::Area;
use crate::visitor::Visitor;

/// Its routes.
pub fn routes<S: Stores, K: Secrets + 'static>() -> Routes<S, K> {
    Router::new().route(Area::Flows.path(), get(show))
}

async fn show(visitor: Visitor) -> Answer {
    stub(&visitor, Area::Flows)
}
