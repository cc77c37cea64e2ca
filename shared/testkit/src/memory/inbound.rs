//! What came in and found no home, in memory.

use stagepost_app::carrier::HOLDERS_MAX;
use stagepost_app::ports::{
    IgnoredFact, InboundStore, Page, ParkedFact, QuarantineEntry, Quarantined, StoreError,
};
use stagepost_domain::Timestamp;
use stagepost_domain::id::{OrderId, QuarantineId, ShopId};
use stagepost_domain::package::normalised_number;

use super::{MemoryStore, StoredParked, bad_cursor, expired};

impl InboundStore for MemoryStore {
    async fn keep_ignored(&self, fact: &IgnoredFact) -> Result<(), StoreError> {
        self.write_plain(|state| {
            let known = |kept: &IgnoredFact| same_refusal(kept, fact) && !expired(kept.at, fact.at);
            if !state.ignored.iter().any(known) {
                state.ignored.push(fact.clone());
            }
        })
    }

    async fn quarantine(&self, item: &Quarantined) -> Result<(), StoreError> {
        self.write_plain(|state| {
            let key = (item.entry.shop.clone(), item.entry.id.clone());
            state.quarantine.insert(key, item.clone());
        })
    }

    async fn quarantined(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<QuarantineEntry>, StoreError> {
        let after = cursor.map(|c| QuarantineId::parse(c).map_err(|_| bad_cursor())).transpose()?;
        let state = self.lock();
        let entries = state.quarantine.values().rev().map(|item| &item.entry);
        let listed = entries.filter(|e| e.shop == *shop && after.as_ref().is_none_or(|after| e.id < *after));
        let mut items: Vec<_> = listed.filter(|e| !expired(e.at, now)).cloned().collect();
        let more = items.len() > limit.max(1);
        items.truncate(limit.max(1));
        let next = items.last().filter(|_| more).map(|entry| entry.id.to_string());
        Ok(Page { items, next })
    }

    async fn quarantined_item(
        &self,
        shop: &ShopId,
        id: &QuarantineId,
        now: Timestamp,
    ) -> Result<Option<Quarantined>, StoreError> {
        let state = self.lock();
        let item = state.quarantine.get(&(shop.clone(), id.clone()));
        Ok(item.filter(|item| !expired(item.entry.at, now)).cloned())
    }

    async fn release(&self, shop: &ShopId, id: &QuarantineId) -> Result<(), StoreError> {
        self.write_plain(|state| drop(state.quarantine.remove(&(shop.clone(), id.clone()))))
    }

    async fn orders_with_number(&self, shop: &ShopId, number: &str) -> Result<Vec<OrderId>, StoreError> {
        let number = normalised_number(number);
        let state = self.lock();
        let found = state.numbers.iter().filter(|(s, n, _)| s == shop && *n == number);
        Ok(found.map(|(_, _, order)| order.clone()).take(HOLDERS_MAX.saturating_add(1)).collect())
    }

    async fn park(&self, fact: &ParkedFact, due: Timestamp) -> Result<(), StoreError> {
        self.write_plain(|state| {
            state.parked.retain(|stored| !same_report(&stored.fact, fact));
            state.parked.push(StoredParked { fact: fact.clone(), due: Some(due) });
        })
    }

    async fn parked(
        &self,
        shop: &ShopId,
        number: &str,
        now: Timestamp,
    ) -> Result<Vec<ParkedFact>, StoreError> {
        let number = normalised_number(number);
        let state = self.lock();
        let facts = state.parked.iter().map(|stored| &stored.fact);
        Ok(facts
            .filter(|fact| !expired(fact.parked_at, now))
            .filter(|fact| &fact.shop == shop && normalised_number(&fact.fact.number) == number)
            .cloned()
            .collect())
    }

    async fn unpark(&self, fact: &ParkedFact) -> Result<(), StoreError> {
        self.write_plain(|state| state.parked.retain(|stored| !same_report(&stored.fact, fact)))
    }
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
