//! Orders, their events, snapshots and packages; and one decision about them.

use stagepost_domain::Timestamp;
use stagepost_domain::decide::Changeset;
use stagepost_domain::event::Event;
use stagepost_domain::id::{OrderId, ShopId, StageId};
use stagepost_domain::order::{Order, Platform, Snapshot};
use stagepost_domain::outcome::IgnoreReason;
use stagepost_domain::package::Package;

use super::errors::{CommitError, StoreError};

/// One decision, written as one transaction.
#[derive(Debug, Clone)]
pub struct Commit {
    /// What `decide` made.
    pub changes: Changeset,
    /// The version that was read; `None` when no order existed.
    pub expected_version: Option<u64>,
    /// The frozen body for the event's webhook runs.
    pub webhook_body: Option<String>,
    /// Identity of this write, to recognise it after a lost answer.
    pub write_id: String,
}

/// A page of a listing.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Opaque; `None` at the end.
    pub next: Option<String>,
}

/// A fact that a rule refused, as kept.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct IgnoredFact {
    /// Its order.
    pub order: OrderId,
    /// Its tenant.
    pub shop: ShopId,
    /// When it came.
    pub at: Timestamp,
    /// What kind of fact it was: `order`, `fulfillment`, `tracking`.
    pub fact: String,
    /// When it says it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact_at: Option<Timestamp>,
    /// Why it was refused.
    #[serde(flatten)]
    pub why: IgnoreReason,
}

/// One line of an order's timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimelineEntry {
    /// Something happened.
    Event(Box<Event>),
    /// Something was refused.
    Ignored(IgnoredFact),
}

/// An order in a listing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderSummary {
    /// Its id.
    pub id: OrderId,
    /// As the shop prints it.
    pub number: String,
    /// Its platform.
    pub platform: Platform,
    /// Its stage; `None` when untriaged or awaited.
    pub stage: Option<StageId>,
    /// When it entered the stage, or was seen first.
    pub entered_at: Timestamp,
}

/// What to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderFilter {
    /// Orders in a stage, newest entry first.
    Stage(StageId),
    /// Orders in no flow.
    Untriaged,
}

/// Orders, their events, snapshots and packages.
pub trait OrderStore: Send + Sync {
    /// The control item, strongly consistent.
    fn order(&self, id: &OrderId) -> impl Future<Output = Result<Option<Order>, StoreError>> + Send;
    /// Control item and snapshot in one round trip, strongly consistent. The snapshot is default for an
    /// order that is still awaited.
    fn order_with_snapshot(
        &self,
        id: &OrderId,
    ) -> impl Future<Output = Result<Option<(Order, Option<Snapshot>)>, StoreError>> + Send;
    /// All packages of an order, removed ones included, strongly consistent.
    fn packages(&self, id: &OrderId) -> impl Future<Output = Result<Vec<Package>, StoreError>> + Send;
    /// One event, strongly consistent.
    fn event(&self, id: &OrderId, seq: u64)
    -> impl Future<Output = Result<Option<Event>, StoreError>> + Send;
    /// The timeline, newest first; at most `limit` events with the ignored facts between them that have not
    /// expired by `now`.
    fn timeline(
        &self,
        id: &OrderId,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<Page<TimelineEntry>, StoreError>> + Send;
    /// Orders of a shop, newest entry first (from an index, so possibly a moment old).
    fn orders(
        &self,
        shop: &ShopId,
        filter: &OrderFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<OrderSummary>, StoreError>> + Send;
    /// Writes order, event, snapshot, packages, package index and webhook body, all or nothing.
    fn commit(&self, commit: &Commit) -> impl Future<Output = Result<(), CommitError>> + Send;
    /// Writes the control item alone (lock, quiet settlement), if its version is still `expected_version`.
    fn put_order(
        &self,
        order: &Order,
        expected_version: u64,
        write_id: &str,
    ) -> impl Future<Output = Result<(), CommitError>> + Send;
}
