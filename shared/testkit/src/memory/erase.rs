//! Orders that go, in memory.

use stagepost_app::attempt::AttemptOf;
use stagepost_app::erase::EraseStore;
use stagepost_app::ports::StoreError;
use stagepost_domain::Timestamp;
use stagepost_domain::id::{EndpointId, OrderId, ShopId};
use stagepost_domain::package::normalised_number;

use super::{MemoryStore, State};

impl EraseStore for MemoryStore {
    async fn unlist_number(&self, shop: &ShopId, number: &str, order: &OrderId) -> Result<(), StoreError> {
        let entry = (shop.clone(), normalised_number(number), order.clone());
        self.write_plain(|state| {
            state.numbers.remove(&entry);
        })
    }

    async fn delete_private(&self, order: &OrderId, before: u64, _: usize) -> Result<bool, StoreError> {
        self.write_plain(|state| state.delete_private(order, before))?;
        Ok(true)
    }

    async fn forget_attempts(
        &self,
        shop: &ShopId,
        endpoint: &EndpointId,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let mut gone = 0;
        self.write_plain(|state| {
            state.attempts.sort_by_key(|attempt| attempt.at);
            state.attempts.retain(|a| {
                let goes = a.shop == *shop && a.endpoint == *endpoint && a.at < before && gone < limit;
                gone += usize::from(goes);
                !goes
            });
        })?;
        Ok(gone)
    }

    async fn delete_some(&self, order: &OrderId, limit: usize) -> Result<bool, StoreError> {
        if self.lock().is_gone(order) {
            return Ok(true);
        }
        self.write_plain(|state| state.delete_some(order, limit))?;
        Ok(false)
    }
}

impl State {
    fn is_gone(&self, order: &OrderId) -> bool {
        !self.orders.contains_key(order) && self.events_of(order).is_empty() && !self.has_company(order)
    }

    fn events_of(&self, order: &OrderId) -> Vec<(OrderId, u64)> {
        self.events.keys().filter(|(of, _)| of == order).cloned().collect()
    }

    /// Whether anything but events and the order itself stands under it.
    fn has_company(&self, order: &OrderId) -> bool {
        self.snapshots.contains_key(order)
            || self.packages.contains_key(order)
            || self.indexed.contains_key(order)
            || self.bodies.keys().any(|(of, _)| of == order)
            || self.ignored.iter().any(|fact| fact.order == *order)
            || self.attempts.iter().any(|a| matches!(&a.of, AttemptOf::Run(run) if run.order == *order))
    }

    fn delete_private(&mut self, order: &OrderId, before: u64) {
        self.bodies.retain(|(of, seq), _| of != order || *seq >= before);
        self.attempts
            .retain(|a| !matches!(&a.of, AttemptOf::Run(run) if run.order == *order && run.seq < before));
    }

    /// Events some at a time; then the rest, and at last the order.
    fn delete_some(&mut self, order: &OrderId, limit: usize) {
        let events = self.events_of(order);
        if !events.is_empty() {
            for key in events.iter().take(limit) {
                self.events.remove(key);
            }
        } else if self.has_company(order) {
            self.snapshots.remove(order);
            self.packages.remove(order);
            self.indexed.remove(order);
            self.ignored.retain(|fact| fact.order != *order);
            self.delete_private(order, u64::MAX);
        } else {
            self.orders.remove(order);
        }
    }
}
