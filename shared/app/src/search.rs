//! Search: entries kept behind the orders, and hits that are looked at once more before they are shown.
//!
//! The entries follow the orders by the table's stream, a moment late. A stream record that is lost leaves the
//! entries as they were: an order may then not be found by what is new about it, and is never shown for what it
//! is not any more, because every hit is compared with the order itself. The next event that its platform causes
//! mends it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use stagepost_domain::event::{Cause, Change, Event};
use stagepost_domain::id::{OrderId, ShopId};
use stagepost_domain::order::{Customer, Order, Snapshot};
use stagepost_domain::search::{Entry, Query, SearchKey, entries, number_entries};

use crate::apply::{ApplyError, TRIES_MAX};
use crate::ports::{CommitError, Page, SearchStore, Searchable, StoreError};

/// Entries looked at in one round trip.
const BATCH: usize = 50;
/// Round trips of one search: what they do not reach is behind the cursor.
const BATCHES_MAX: usize = 6;

/// Whether the event may have changed what its order is found by: one that is new, by whomever, and whatever its
/// platform tells. Carriers, moves and runners know of no names or numbers.
#[must_use]
pub fn concerns(event: &Event) -> bool {
    let by_platform = matches!(event.cause, Cause::Platform { .. } | Cause::PlatformFulfillment { .. });
    by_platform || matches!(event.change, Change::Created { .. } | Change::Updated | Change::Erased)
}

/// What keeping an order's entries came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It was found by what it is found by.
    AsItWas,
    /// Its entries are other ones now.
    Changed,
    /// There is no such order.
    Unknown,
}

/// Brings an order's entries up to what it is now. Any number may do so at once, in any order, for events old or
/// new: each reads the order after the event, and whoever wrote on an older reading loses the race.
///
/// # Errors
/// The store failed, or the entries stayed busy; to be done again.
pub async fn keep<S: SearchStore>(store: &S, key: &SearchKey, id: &OrderId) -> Result<Kept, ApplyError> {
    brought(store, id, |found| entries(&found.order, customer(found.snapshot.as_ref()), key)).await
}

/// Leaves an order what it is found by without its people: its number.
///
/// # Errors
/// The store failed, or the entries stayed busy; to be done again.
pub async fn keep_numbers<S: SearchStore>(store: &S, id: &OrderId) -> Result<Kept, ApplyError> {
    brought(store, id, |found| number_entries(&found.order).collect()).await
}

/// Takes an order out of the search, before it is deleted.
///
/// # Errors
/// The store failed, or the entries stayed busy; to be done again.
pub async fn forget<S: SearchStore>(store: &S, id: &OrderId) -> Result<Kept, ApplyError> {
    brought(store, id, |_| BTreeSet::new()).await
}

/// Brings an order's entries to what is wanted of it as it is read.
async fn brought<S: SearchStore>(
    store: &S,
    id: &OrderId,
    wanted: impl Fn(&Searchable) -> BTreeSet<Entry>,
) -> Result<Kept, ApplyError> {
    for _ in 0..TRIES_MAX {
        let Some(found) = store.searchable(id).await? else { return Ok(Kept::Unknown) };
        let wanted = wanted(&found);
        if wanted == found.indexed.entries {
            return Ok(Kept::AsItWas);
        }
        match store.index(&found.order.shop, id, &found.indexed, &wanted).await {
            Ok(()) => return Ok(Kept::Changed),
            Err(CommitError::LostRace | CommitError::Conflict) => {}
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    Err(ApplyError::Busy)
}

/// An order that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The order as it is now.
    pub order: Order,
    /// Its customer's name.
    pub customer: Option<String>,
}

/// Orders that the query finds: by whole words and numbers first, then their continuations; of one word the
/// newest first. A page may have fewer than `limit` and still not be the last.
///
/// # Errors
/// The store failed, or the cursor is none of this query's.
pub async fn search<S: SearchStore>(
    store: &S,
    key: &SearchKey,
    shop: &ShopId,
    query: &Query,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Page<Hit>, StoreError> {
    let mut after = cursor.map(|text| parse_cursor(text, query)).transpose()?;
    let mut items = Vec::new();
    for _ in 0..BATCHES_MAX {
        let batch = store.entries(shop, query.prefix(), after.as_ref(), BATCH).await?;
        let last_batch = batch.len() < BATCH;
        let orders = looked_at(store, shop, &batch).await?;
        for entry in batch {
            if items.len() >= limit {
                return Ok(Page { items, next: after.as_ref().map(cursor_of) });
            }
            let found = entry.order().and_then(|id| orders.get(&id));
            items.extend(found.and_then(|found| hit(query, &entry, found, key)));
            after = Some(entry);
        }
        if last_batch {
            return Ok(Page { items, next: None });
        }
    }
    Ok(Page { items, next: after.as_ref().map(cursor_of) })
}

type Looked = BTreeMap<OrderId, (Order, Option<Snapshot>)>;

/// The orders behind the entries; none of another shop, whatever an entry says.
async fn looked_at<S: SearchStore>(store: &S, shop: &ShopId, batch: &[Entry]) -> Result<Looked, StoreError> {
    let ids: BTreeSet<OrderId> = batch.iter().filter_map(Entry::order).collect();
    let ids: Vec<OrderId> = ids.into_iter().collect();
    let found = if ids.is_empty() { Vec::new() } else { store.found(&ids).await? };
    let ours = found.into_iter().filter(|(order, _)| order.shop == *shop);
    Ok(ours.map(|(order, snapshot)| (order.id.clone(), (order, snapshot))).collect())
}

fn hit(query: &Query, entry: &Entry, found: &(Order, Option<Snapshot>), key: &SearchKey) -> Option<Hit> {
    let (order, snapshot) = found;
    let customer = customer(snapshot.as_ref());
    let fits = query.is_hit(entry, order, customer, key);
    fits.then(|| Hit { order: order.clone(), customer: customer.name.clone() })
}

fn customer(snapshot: Option<&Snapshot>) -> &Customer {
    const NOBODY: &Customer = &Customer { name: None, email: None, phone: None };
    snapshot.map_or(NOBODY, |s| &s.customer)
}

fn cursor_of(entry: &Entry) -> String {
    URL_SAFE_NO_PAD.encode(entry.as_str())
}

fn parse_cursor(text: &str, query: &Query) -> Result<Entry, StoreError> {
    let inner = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let entry = inner.as_deref().filter(|entry| entry.starts_with(query.prefix())).and_then(Entry::parse);
    entry.ok_or_else(|| StoreError::Corrupt {
        item: "cursor".to_owned(),
        reason: "not one of this search".to_owned(),
    })
}
