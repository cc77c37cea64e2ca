//! Orders: the list, the board, one order, many at once.

mod act;
mod add;
mod board;
mod bulk;
mod list;
mod order;
mod row;
mod runs;
mod timeline;

use axum::Router;
use axum::routing::{get, post};
use stagepost_app::ports::Secrets;

use super::Routes;
use crate::Stores;

/// Its routes.
pub fn routes<S: Stores, K: Secrets + 'static>() -> Routes<S, K> {
    Router::new()
        .route("/orders", get(list::show::<S, K>).post(add::make::<S, K>))
        .route("/orders/new", get(add::ask::<S, K>))
        .route("/orders/move", get(bulk::ask::<S, K>).post(bulk::begin::<S, K>))
        .route("/jobs/{id}", get(bulk::show::<S, K>))
        .route("/jobs/{id}/progress", get(bulk::progress::<S, K>))
        .route("/jobs/{id}/stop", post(bulk::stop::<S, K>))
        .route("/orders/board", get(board::show::<S, K>))
        .route("/orders/{id}", get(order::show::<S, K>))
        .route("/orders/{id}/timeline", get(order::live::<S, K>))
        .route("/orders/{id}/move", post(act::move_to::<S, K>))
        .route("/orders/{id}/undo", post(act::take_back::<S, K>))
        .route("/orders/{id}/assign", post(act::assign::<S, K>))
        .route("/orders/{id}/hold", post(act::hold::<S, K>))
        .route("/orders/{id}/resume", post(act::resume::<S, K>))
        .route("/orders/{id}/erase", get(act::ask_erase::<S, K>).post(act::erase::<S, K>))
        .route("/orders/{id}/renew-link", get(act::ask_renew_link::<S, K>).post(act::renew_link::<S, K>))
        .route("/orders/{id}/packages", get(act::to_order).post(act::add_package::<S, K>))
        .route("/orders/{id}/packages/{package}", get(act::to_order).post(act::correct_package::<S, K>))
        .route("/orders/{id}/packages/{package}/remove", post(act::remove_package::<S, K>))
        .route("/orders/{id}/runs/{run}/retry", get(runs::ask_retry::<S, K>).post(runs::retry_run::<S, K>))
        .route("/orders/{id}/runs/{run}/again", get(runs::ask_again::<S, K>).post(runs::send_again::<S, K>))
}
