//! The search in memory.

use std::collections::BTreeSet;

use stagepost_app::ports::{CommitError, Indexed, SearchStore, Searchable, StoreError};
use stagepost_domain::id::{OrderId, ShopId};
use stagepost_domain::order::{Order, Snapshot};
use stagepost_domain::search::Entry;

use super::{MemoryStore, State};

impl SearchStore for MemoryStore {
    async fn searchable(&self, id: &OrderId) -> Result<Option<Searchable>, StoreError> {
        let state = self.lock();
        state.readable(id)?;
        let indexed = state.indexed.get(id).cloned().unwrap_or_default();
        let found = state.found(id);
        Ok(found.map(|(order, snapshot)| Searchable { order, snapshot, indexed }))
    }

    async fn index(
        &self,
        shop: &ShopId,
        order: &OrderId,
        was: &Indexed,
        entries: &BTreeSet<Entry>,
    ) -> Result<(), CommitError> {
        self.write(|state| {
            let there = state.indexed.get(order).map_or(0, |indexed| indexed.revision);
            if there != was.revision {
                return Err(CommitError::LostRace);
            }
            for gone in was.entries.difference(entries) {
                state.entries.remove(&(shop.clone(), gone.clone()));
            }
            state.entries.extend(entries.iter().map(|entry| (shop.clone(), entry.clone())));
            let next = Indexed { entries: entries.clone(), revision: there.saturating_add(1) };
            state.indexed.insert(order.clone(), next);
            Ok(())
        })
    }

    async fn entries(
        &self,
        shop: &ShopId,
        prefix: &str,
        after: Option<&Entry>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let state = self.lock();
        let of_shop = state.entries.iter().filter(|(owner, _)| owner == shop).map(|(_, entry)| entry);
        let behind = of_shop.filter(|entry| after.is_none_or(|after| *entry > after));
        Ok(behind.filter(|entry| entry.as_str().starts_with(prefix)).take(limit).cloned().collect())
    }

    async fn found(&self, ids: &[OrderId]) -> Result<Vec<(Order, Option<Snapshot>)>, StoreError> {
        let state = self.lock();
        Ok(ids.iter().filter_map(|id| state.found(id)).collect())
    }
}

impl State {
    fn found(&self, id: &OrderId) -> Option<(Order, Option<Snapshot>)> {
        let stored = self.orders.get(id)?;
        Some((stored.order.clone(), self.snapshots.get(id).cloned()))
    }
}
