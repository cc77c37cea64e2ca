//! Runs and the due index, and what is kept about those that they call.

use std::collections::BTreeMap;

use stagepost_domain::Timestamp;
use stagepost_domain::event::Event;
use stagepost_domain::governor::Governor;
use stagepost_domain::health::Health;
use stagepost_domain::id::{EndpointId, OrderId, ShopId};
use stagepost_domain::job::Job;
use stagepost_domain::run::{Run, RunId, RunKey};
use stagepost_domain::shop::Endpoint;

use super::arrivals::ParkedFact;
use super::errors::{CommitError, StoreError};
use super::orders::Page;
use crate::attempt::Attempt;

/// Something that wants attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DueItem {
    /// An event with open runs.
    Event(Box<Event>),
    /// A carrier's report of a parcel that no order had.
    Parked(ParkedFact),
    /// A job.
    Job(Box<Job>),
}

/// Runs, and the due index that nothing falls out of.
pub trait RunStore: Send + Sync {
    /// Replaces one run of an event if it still is `expected`, by path: other runs of the event may change
    /// meanwhile. Takes the event out of the due index when its last run ends, and moves its due time
    /// when a run is to be tried later. Gives the event after the write.
    fn update_run(
        &self,
        id: &RunId,
        expected: &Run,
        next: &Run,
    ) -> impl Future<Output = Result<Event, CommitError>> + Send;
    /// Adds a run to an event and to the due index. The same run again is a success; another one under its key
    /// is a lost race. Gives the event after the write.
    fn add_run(&self, id: &RunId, run: &Run) -> impl Future<Output = Result<Event, CommitError>> + Send;
    /// The frozen webhook body of an event, unless it has expired by `now`.
    fn webhook_body(
        &self,
        order: &OrderId,
        seq: u64,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<String>, StoreError>> + Send;
    /// What is due, oldest first, over all shards of the index; at most `limit`, and fewer only when the
    /// index holds no more. An item that cannot be read is put off and never given.
    fn due(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<DueItem>, StoreError>> + Send;
    /// Events of a shop without open runs of which one has failed or is uncertain, newest end first: what
    /// people should look at (from an index, so possibly a moment old).
    fn attention(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<Event>, StoreError>> + Send;
    /// Moves an item's place in the due index to `due`; `None` takes it out (an event without open runs).
    /// Losing a race is fine: whoever won has set the place.
    fn set_due(
        &self,
        item: &DueItem,
        due: Option<Timestamp>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// The log of calls of endpoints. It is for people: no decision reads it.
pub trait AttemptStore: Send + Sync {
    /// Keeps an attempt for 30 days.
    fn log_attempt(&self, attempt: &Attempt) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// A run's attempts, newest first, at most `limit`, without what has expired by `now`.
    fn attempts_of_run(
        &self,
        run: &RunId,
        limit: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<Attempt>, StoreError>> + Send;
    /// The attempts at an endpoint, newest first, without what has expired by `now` (from an index, so possibly
    /// without the last moment's).
    fn attempts_of_endpoint(
        &self,
        shop: &ShopId,
        endpoint: &EndpointId,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<Page<Attempt>, StoreError>> + Send;
}

/// How endpoints' receivers do.
pub trait HealthStore: Send + Sync {
    /// An endpoint with its health, in one round trip, strongly consistent.
    fn endpoint_and_health(
        &self,
        shop: &ShopId,
        id: &EndpointId,
    ) -> impl Future<Output = Result<Option<(Endpoint, Health)>, StoreError>> + Send;
    /// An endpoint's health, strongly consistent; a good one if nothing was ever heard of it.
    fn health(
        &self,
        shop: &ShopId,
        id: &EndpointId,
    ) -> impl Future<Output = Result<Health, StoreError>> + Send;
    /// The health of all of a shop's endpoints of which anything was heard.
    fn healths(
        &self,
        shop: &ShopId,
    ) -> impl Future<Output = Result<BTreeMap<EndpointId, Health>, StoreError>> + Send;
    /// Replaces it if it still has the version before this one's. The same write again is a success.
    fn put_health(
        &self,
        shop: &ShopId,
        id: &EndpointId,
        next: &Health,
    ) -> impl Future<Output = Result<(), CommitError>> + Send;
}

/// How many mails a shop sends, and whether they are stopped.
pub trait GovernorStore: Send + Sync {
    /// The shop's governor, strongly consistent; a fresh one if it has none yet.
    fn governor(&self, shop: &ShopId) -> impl Future<Output = Result<Governor, StoreError>> + Send;
    /// Replaces it if it still has the version before this one's. The same write again is a success.
    fn put_governor(
        &self,
        shop: &ShopId,
        next: &Governor,
    ) -> impl Future<Output = Result<(), CommitError>> + Send;
    /// Counts one mail of a window; gives the count with it.
    fn count_mail(&self, shop: &ShopId, window: i64) -> impl Future<Output = Result<u64, StoreError>> + Send;
    /// The mails of a window.
    fn mails(&self, shop: &ShopId, window: i64) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// A run's place, for log lines and errors.
#[must_use]
pub fn run_id(order: &OrderId, seq: u64, key: &RunKey) -> RunId {
    RunId { order: order.clone(), seq, key: key.clone() }
}
