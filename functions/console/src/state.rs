//! What a handler acts with.

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use stagepost_app::Core;
use stagepost_app::ports::{ConfigStore, Secrets, StoreError};
use stagepost_domain::flow::Flow;

use crate::once::Source;
use crate::visitor::Visit;
use crate::{Console, Stores};

/// The console, and a core whose ids and secrets follow from the key of the form that was sent, if one was.
pub struct State<S, K> {
    /// Store, clock, ids of this request.
    pub core: Core<S>,
    console: Arc<Console<S, K>>,
}

impl<S, K> Deref for State<S, K> {
    type Target = Console<S, K>;

    fn deref(&self) -> &Console<S, K> {
        &self.console
    }
}

impl<S: Stores, K: Secrets + 'static> FromRequestParts<Arc<Console<S, K>>> for State<S, K> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console<S, K>>) -> Result<Self, Infallible> {
        let mut core = console.core.clone();
        if let Some(Source(entropy)) = parts.extensions.get() {
            core.entropy = Arc::clone(entropy);
        }
        Ok(Self { core, console: Arc::clone(console) })
    }
}

impl<S: ConfigStore, K> Console<S, K> {
    /// The shop's flows that are not archived, as they were at the visit's version of the configuration or
    /// later. Every edit makes another version, so an instance reads them once for each.
    ///
    /// # Errors
    /// The store failed.
    pub async fn flows(&self, visit: &Visit) -> Result<Arc<Vec<Flow>>, StoreError> {
        let at = (visit.shop.clone(), visit.settings.config_version);
        let read = async {
            let flows = self.core.store.flows(&visit.shop).await?.into_iter();
            Ok(Some(Arc::new(flows.filter(|flow| flow.archived_at.is_none()).collect())))
        };
        Ok(self.flows.get(&at, self.core.now(), read).await?.unwrap_or_default())
    }
}
