//! Activity: what went wrong and needs somebody, what could not be read, and the work done in the background.

mod again;
mod governor;
mod jobs;
mod quarantine;
mod wrong;

use axum::Router;
use axum::routing::{get, post};
use stagepost_app::ports::Secrets;

use super::Routes;
use crate::Stores;
use crate::shell::Area;

/// What could not be read.
const QUARANTINE: &str = "/activity/quarantine";
/// Work in the background.
pub const JOBS: &str = "/activity/jobs";
/// All that failed, once more.
const RETRY_ALL: &str = "/activity/retry-all";
/// The shop's mails, once they are stopped.
const RESUME: &str = "/activity/resume";

/// Its routes.
pub fn routes<S: Stores, K: Secrets + 'static>() -> Routes<S, K> {
    Router::new()
        .route(Area::Activity.path(), get(wrong::show::<S, K>))
        .route("/activity/runs/{run}/retry", get(wrong::ask::<S, K>).post(wrong::retry::<S, K>))
        .route(RETRY_ALL, get(again::ask::<S, K>).post(again::begin::<S, K>))
        .route(RESUME, get(governor::ask::<S, K>).post(governor::resume::<S, K>))
        .route(QUARANTINE, get(quarantine::list::<S, K>))
        .route("/activity/quarantine/{id}", get(quarantine::body::<S, K>))
        .route("/activity/quarantine/{id}/replay", post(quarantine::replay::<S, K>))
        .route(
            "/activity/quarantine/{id}/delete",
            get(quarantine::ask::<S, K>).post(quarantine::delete::<S, K>),
        )
        .route(JOBS, get(jobs::list::<S, K>))
        .route("/activity/jobs/{id}", get(jobs::show::<S, K>))
        .route("/activity/jobs/{id}/cancel", post(jobs::cancel::<S, K>))
}

/// Cursors are ours, but what goes into an address is encoded.
fn paged(path: &str, query: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}
