//! The search.

use std::collections::BTreeSet;

use stagepost_domain::id::{OrderId, ShopId};
use stagepost_domain::order::{Order, Snapshot};
use stagepost_domain::search::Entry;

use super::errors::{CommitError, StoreError};

/// The entries under which an order is found now; those of an order that never was are none, at revision 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Indexed {
    /// All of them: who deletes these has deleted the order from the search.
    pub entries: BTreeSet<Entry>,
    /// Counts their changes.
    pub revision: u64,
}

/// An order as the search looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Searchable {
    /// The control item.
    pub order: Order,
    /// Its people; none if they were deleted.
    pub snapshot: Option<Snapshot>,
    /// Where it is found.
    pub indexed: Indexed,
}

/// The search: entries that lead to orders, kept behind the orders' back.
pub trait SearchStore: Send + Sync {
    /// An order with its people and its entries, in one round trip. Each is as new as any write that has been
    /// answered, but they may be of neighbouring versions: whoever keeps entries is told of the later one too.
    fn searchable(&self, id: &OrderId)
    -> impl Future<Output = Result<Option<Searchable>, StoreError>> + Send;
    /// Makes `entries` the ones under which the order is found, by difference to `was` and all or nothing; a lost
    /// race if its entries are not those any more.
    fn index(
        &self,
        shop: &ShopId,
        order: &OrderId,
        was: &Indexed,
        entries: &BTreeSet<Entry>,
    ) -> impl Future<Output = Result<(), CommitError>> + Send;
    /// Entries of a shop that begin with `prefix`, in their order, behind `after`.
    fn entries(
        &self,
        shop: &ShopId,
        prefix: &str,
        after: Option<&Entry>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Entry>, StoreError>> + Send;
    /// The orders with these ids and their people, in no order; what is not there is left out.
    fn found(
        &self,
        ids: &[OrderId],
    ) -> impl Future<Output = Result<Vec<(Order, Option<Snapshot>)>, StoreError>> + Send;
}
