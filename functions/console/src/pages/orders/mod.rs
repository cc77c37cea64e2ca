//! Orders: the list, the board, one order, many at once.

mod list;
mod row;

use axum::Router;
use axum::routing::get;
use stagepost_app::ports::Secrets;

use super::Routes;
use crate::Stores;

/// Its routes.
pub fn routes<S: Stores, K: Secrets + 'static>() -> Routes<S, K> {
    Router::new().route("/orders", get(list::show::<S, K>))
}
