//! `/`: the console, pages for the people of a shop.
//!
//! Each page reads what the API reads and each form calls the use case that the API calls: there are no rules
//! here. Pages work without scripts wherever a form can; htmx and `assets/console.js` only make them nicer. How to
//! add one: [`pages`].

pub mod answer;
pub mod assets;
pub mod csrf;
pub mod error;
pub mod fields;
pub mod names;
pub mod once;
pub mod pages;
pub mod sealed;
pub mod session;
pub mod shell;
pub mod state;
#[cfg(test)]
mod tests;
pub mod time;
pub mod ui;
pub mod visitor;
pub mod words;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{any, get};
use stagepost_app::mail::TrackingLinks;
use stagepost_app::mail::ports::Unchecked;
use stagepost_app::people::ports::LinkStore;
use stagepost_app::ports::Secrets;
use stagepost_app::{Core, ShopStores};
use stagepost_domain::flow::Flow;
use stagepost_domain::id::ShopId;
use stagepost_lambda::cache::Warm;
use url::Url;

pub use sealed::Keys;
pub use stagepost_lambda::queue::Queue;
pub use stagepost_lambda::senders::Senders;

/// The stores that the console needs: a shop's, and the links that people sign in by.
pub trait Stores: ShopStores + LinkStore {}

impl<T: ShopStores + LinkStore> Stores for T {}

/// A shop at a version of its configuration: what was read then stays true under it.
type Configured = (ShopId, u64);

/// What the console needs.
pub struct Console<S, K> {
    /// Store, clock, ids.
    pub core: Core<S>,
    /// Seals secrets.
    pub secrets: K,
    /// Makes tracking links.
    pub links: Arc<dyn TrackingLinks>,
    /// Sign cookies and forms, hash the e-mail addresses that are searched for.
    pub keys: Keys,
    /// Where people reach the console.
    pub public: Url,
    /// The outbound guard's word on a URL, so that a bad one is refused when it is written.
    pub check_url: fn(&Url) -> Result<(), String>,
    /// Where notifications go that somebody hands back to their reader.
    pub inbound: Queue,
    /// Asks the mail provider about senders.
    pub senders: Senders,
    flows: Warm<Configured, Arc<Vec<Flow>>>,
}

impl<S, K> Console<S, K> {
    /// A console over these ports.
    pub fn new(
        core: Core<S>,
        secrets: K,
        links: Arc<dyn TrackingLinks>,
        keys: Keys,
        public: Url,
        check_url: fn(&Url) -> Result<(), String>,
        inbound: Queue,
    ) -> Self {
        let senders = Senders::new(Unchecked);
        Self { core, secrets, links, keys, public, check_url, inbound, senders, flows: Warm::default() }
    }

    /// The same, with somebody to ask about senders.
    #[must_use]
    pub fn with_senders(self, senders: Senders) -> Self {
        Self { senders, ..self }
    }
}

/// Everything that is served.
pub fn router<S: Stores, K: Secrets + 'static>(console: Arc<Console<S, K>>) -> Router {
    let signed_in = from_fn_with_state(Arc::clone(&console), visitor::signed_in::<S, K>);
    let inside = pages::all::<S, K>().fallback(pages::nothing_here);
    let inside = inside.method_not_allowed_fallback(pages::not_this_way).layer(signed_in);
    // What is none of the other functions' comes here, too, and is no page of a person.
    let outside = pages::signin::routes::<S, K>()
        .route("/assets/{name}", get(assets::serve))
        .route("/webhooks/{*rest}", any(pages::nothing_here))
        .route("/t/{*rest}", any(pages::nothing_here))
        .method_not_allowed_fallback(pages::not_this_way);
    inside
        .merge(outside)
        .layer(from_fn(answer::guarded))
        .layer(from_fn(stagepost_lambda::asked::told))
        .with_state(console)
}
