//! What came in and found no home, in memory.

use std::cmp::Reverse;

use stagepost_app::ports::{
    IgnoredFact, InboundStore, ParkedFact, QUARANTINE_HEAD, QuarantineEntry, Quarantined, StoreError,
};
use stagepost_domain::Timestamp;
use stagepost_domain::id::{OrderId, ShopId};
use stagepost_domain::package::normalised_number;

use super::{MemoryStore, StoredParked};

impl InboundStore for MemoryStore {
    async fn keep_ignored(&self, fact: &IgnoredFact) -> Result<(), StoreError> {
        self.write_plain(|state| {
            if !state.ignored.iter().any(|kept| same_refusal(kept, fact)) {
                state.ignored.push(fact.clone());
            }
        })
    }

    async fn quarantine(&self, item: &Quarantined) -> Result<(), StoreError> {
        self.write_plain(|state| {
            if !state.quarantine.contains(item) {
                state.quarantine.push(item.clone());
            }
        })
    }

    async fn quarantined(&self, shop: &ShopId, limit: usize) -> Result<Vec<QuarantineEntry>, StoreError> {
        let mut found: Vec<_> =
            self.lock().quarantine.iter().filter(|item| &item.shop == shop).cloned().collect();
        found.sort_by_key(|item| Reverse(item.at));
        found.truncate(limit);
        Ok(found.into_iter().map(entry).collect())
    }

    async fn orders_with_number(&self, shop: &ShopId, number: &str) -> Result<Vec<OrderId>, StoreError> {
        let number = normalised_number(number);
        let state = self.lock();
        let found = state.numbers.iter().filter(|(s, n, _)| s == shop && *n == number);
        Ok(found.map(|(_, _, order)| order.clone()).collect())
    }

    async fn park(&self, fact: &ParkedFact, due: Timestamp) -> Result<(), StoreError> {
        self.write_plain(|state| {
            state.parked.retain(|stored| !same_report(&stored.fact, fact));
            state.parked.push(StoredParked { fact: fact.clone(), due: Some(due) });
        })
    }

    async fn parked(&self, shop: &ShopId, number: &str) -> Result<Vec<ParkedFact>, StoreError> {
        let number = normalised_number(number);
        let state = self.lock();
        let facts = state.parked.iter().map(|stored| &stored.fact);
        Ok(facts
            .filter(|fact| &fact.shop == shop && normalised_number(&fact.fact.number) == number)
            .cloned()
            .collect())
    }

    async fn unpark(&self, fact: &ParkedFact) -> Result<(), StoreError> {
        self.write_plain(|state| state.parked.retain(|stored| !same_report(&stored.fact, fact)))
    }
}

fn entry(mut item: Quarantined) -> QuarantineEntry {
    let bytes = u64::try_from(item.body.len()).unwrap_or(u64::MAX);
    item.body.truncate(QUARANTINE_HEAD);
    QuarantineEntry { item, bytes }
}

/// The same fact, whenever it came.
fn same_refusal(a: &IgnoredFact, b: &IgnoredFact) -> bool {
    (&a.order, &a.fact, a.fact_at, &a.why) == (&b.order, &b.fact, b.fact_at, &b.why)
}

/// The same report, whenever, by whichever integration and in whatever words it came.
pub(super) fn same_report(a: &ParkedFact, b: &ParkedFact) -> bool {
    let identity = |parked: &ParkedFact| {
        let fact = &parked.fact;
        (parked.shop.clone(), normalised_number(&fact.number), fact.status, fact.occurred_at)
    };
    identity(a) == identity(b)
}
