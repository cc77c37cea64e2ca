//! `/v1/…`: the JSON API. Authenticates a key, checks its role, calls one use case, encodes.

mod answer;
mod caller;
pub mod export;
mod failed;
mod once;
mod openapi;
mod payload;
mod routes;
mod view;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use stagepost_app::Core;
use stagepost_app::mail::TrackingLinks;
use stagepost_app::mail::ports::Unchecked;
use stagepost_app::ports::Secrets;
use stagepost_domain::search::SearchKey;
use stagepost_domain::shop::ApiKey;
use stagepost_lambda::asked::told;
use stagepost_lambda::cache::Warm;
use url::Url;

pub use stagepost_app::ShopStores as Stores;
pub use stagepost_lambda::queue::Queue;
pub use stagepost_lambda::senders::Senders;

/// What the API needs.
pub struct Api<S, K> {
    /// Store, clock, ids.
    pub core: Core<S>,
    /// Seals secrets.
    pub secrets: K,
    /// Makes tracking links.
    pub links: Arc<dyn TrackingLinks>,
    /// Hashes the e-mail addresses that are searched for.
    pub search: SearchKey,
    /// The outbound guard's word on a URL, so that a bad one is refused when it is written.
    pub check_url: fn(&Url) -> Result<(), String>,
    /// Where notifications go that somebody hands back to their reader.
    pub inbound: Queue,
    /// Asks the mail provider about senders.
    pub senders: Senders,
    keys: Warm<String, ApiKey>,
}

impl<S, K> Api<S, K> {
    /// An API over these ports.
    pub fn new(
        core: Core<S>,
        secrets: K,
        links: Arc<dyn TrackingLinks>,
        search: SearchKey,
        check_url: fn(&Url) -> Result<(), String>,
        inbound: Queue,
    ) -> Self {
        let senders = Senders::new(Unchecked);
        Self { core, secrets, links, search, check_url, inbound, senders, keys: Warm::default() }
    }

    /// The same, with somebody to ask about senders.
    #[must_use]
    pub fn with_senders(self, senders: Senders) -> Self {
        Self { senders, ..self }
    }
}

/// Every route.
pub fn router<S: Stores, K: Secrets + 'static>(api: Arc<Api<S, K>>) -> Router {
    routes::all().router().layer(from_fn(told)).with_state(api)
}
