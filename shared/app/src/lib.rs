//! Use cases and the ports they act through.
//!
//! One way through: fact → decide (pure) → one conditional transaction → doorbell → claim (conditional
//! write) → act → record. Nothing here knows AWS, HTTP servers or a real clock.

pub mod again;
pub mod apply;
pub mod attempt;
pub mod audit;
pub mod carrier;
pub mod config;
pub mod contact;
pub mod dispatch;
pub mod envelope;
pub mod erase;
pub mod governor;
pub mod inbound;
pub mod jobs;
pub mod mail;
pub mod once;
pub mod people;
pub mod platform;
pub mod ports;
pub mod quarantine;
pub mod run;
pub mod search;
pub mod simulate;
pub mod tracker;
pub mod undo;
pub mod wake;
pub mod walk;
pub mod webhook;

use std::sync::Arc;

use contact::ContactStore;
use jobs::JobStores;
use mail::ports::{AskedMailStore, SuppressionStore, TallyStore};
use people::ports::PeopleStore;
use ports::{CallStore, Clock, Entropy, GovernorStore, HealthStore};
use stagepost_domain::Timestamp;
use stagepost_domain::id::AttemptId;
use stagepost_domain::restore::RestoredAt;

/// The stores of a shop, for what serves all of its work: the API, the console.
pub trait ShopStores:
    JobStores
    + CallStore
    + GovernorStore
    + SuppressionStore
    + TallyStore
    + AskedMailStore
    + HealthStore
    + PeopleStore
    + ContactStore
    + Clone
    + 'static
{
}

impl<T> ShopStores for T where
    T: JobStores
        + CallStore
        + GovernorStore
        + SuppressionStore
        + TallyStore
        + AskedMailStore
        + HealthStore
        + PeopleStore
        + ContactStore
        + Clone
        + 'static
{
}

/// What every use case needs: a store, the time, and ids.
#[derive(Clone)]
pub struct Core<S> {
    /// The store.
    pub store: S,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ids and chance.
    pub entropy: Arc<dyn Entropy>,
    /// When this deployment began, if its table was restored from a point in time.
    pub restored_at: Option<RestoredAt>,
}

impl<S> Core<S> {
    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether what was asked for then may have been done already, by the deployment before the table was restored.
    #[must_use]
    pub fn is_from_before(&self, at: Timestamp) -> bool {
        self.restored_at.is_some_and(|cut| cut.is_after(at))
    }

    /// A fresh attempt id.
    ///
    /// # Errors
    /// The id generator made something that is no id.
    pub fn attempt(&self) -> Result<AttemptId, stagepost_domain::id::InvalidId> {
        AttemptId::from_body(&self.entropy.id_body())
    }
}
