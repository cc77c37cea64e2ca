//! What came in and found no home.

use stagepost_domain::Timestamp;
use stagepost_domain::fact::TrackingFact;
use stagepost_domain::id::{CarrierId, OrderId, QuarantineId, ShopId};

use super::errors::StoreError;
use super::orders::{IgnoredFact, Page};
use crate::envelope::Envelope;
use crate::inbound::Route;

/// A carrier's report that no order wanted yet.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ParkedFact {
    /// Its tenant.
    pub shop: ShopId,
    /// The integration it came by.
    pub carrier: CarrierId,
    /// When it came.
    pub parked_at: Timestamp,
    /// The report.
    pub fact: TrackingFact,
}

/// A notification that was authentic but could not be read, without its body.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct QuarantineEntry {
    /// Its id; ids sort by the time of arrival.
    pub id: QuarantineId,
    /// Its tenant.
    pub shop: ShopId,
    /// The route that it came by.
    pub route: Route,
    /// Topic or kind as told.
    pub topic: String,
    /// When it came.
    pub at: Timestamp,
    /// Why it could not be read.
    pub reason: String,
    /// Length of its body.
    pub bytes: u64,
}

/// A notification in quarantine, whole. The body may hold people, so the store only sees it sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// What a listing shows of it.
    pub entry: QuarantineEntry,
    /// Its body.
    pub body: Envelope,
}

/// What came in and found no home.
pub trait InboundStore: Send + Sync {
    /// Keeps a refused fact; the same fact again changes nothing.
    fn keep_ignored(&self, fact: &IgnoredFact) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Keeps an unreadable notification for 30 days; the same id again replaces it.
    fn quarantine(&self, item: &Quarantined) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// The shop's quarantine, newest first, without what has expired by `now`.
    fn quarantined(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<Page<QuarantineEntry>, StoreError>> + Send;
    /// One notification of the shop's quarantine, whole, unless it has expired by `now`.
    fn quarantined_item(
        &self,
        shop: &ShopId,
        id: &QuarantineId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Quarantined>, StoreError>> + Send;
    /// Removes a notification from the quarantine, there or not.
    fn release(
        &self,
        shop: &ShopId,
        id: &QuarantineId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Orders that hold a package with this number (normalised here), always in the same order: all of them up to
    /// [`HOLDERS_MAX`](crate::carrier::HOLDERS_MAX), and of more than that one more, to tell.
    fn orders_with_number(
        &self,
        shop: &ShopId,
        number: &str,
    ) -> impl Future<Output = Result<Vec<OrderId>, StoreError>> + Send;
    /// Parks a report until an order wants it; it stands in the due index from `due` on. Reports of one
    /// number with one status and one time are one, by whatever integration and in whatever words.
    fn park(&self, fact: &ParkedFact, due: Timestamp) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Reports parked for a number that have not expired by `now`.
    fn parked(
        &self,
        shop: &ShopId,
        number: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<ParkedFact>, StoreError>> + Send;
    /// Forgets a parked report.
    fn unpark(&self, fact: &ParkedFact) -> impl Future<Output = Result<(), StoreError>> + Send;
}
