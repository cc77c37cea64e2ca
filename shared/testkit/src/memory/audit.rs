//! What an audit sees of the store in memory, and the means to break it.

use stagepost_app::audit::{Audible, AuditStore, Place};
use stagepost_app::ports::StoreError;
use stagepost_domain::id::{OrderId, ShopId};
use stagepost_domain::package::normalised_number;

use super::{MemoryStore, StoredEvent};

impl AuditStore for MemoryStore {
    async fn audible(
        &self,
        order: &OrderId,
        below: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Audible>, StoreError> {
        let state = self.lock();
        let events = state.events.range((order.clone(), 0)..(order.clone(), below.unwrap_or(u64::MAX))).rev();
        Ok(events.take(limit).map(|((_, seq), stored)| stored.audible(*seq)).collect())
    }

    async fn list_number(&self, shop: &ShopId, number: &str, order: &OrderId) -> Result<(), StoreError> {
        let entry = (shop.clone(), normalised_number(number), order.clone());
        self.write_plain(|state| {
            state.numbers.insert(entry);
        })
    }
}

impl StoredEvent {
    /// The list of what people should look at is made of the events themselves: none falls out of it.
    fn audible(&self, seq: u64) -> Audible {
        let place = match (self.due, self.event.wants_attention()) {
            (Some(due), _) => Place::Due(due),
            (None, Some(_)) => Place::Attention,
            (None, None) => Place::Nowhere,
        };
        Audible { seq, event: Some(self.event.clone()), place }
    }
}

impl MemoryStore {
    /// Loses an event's place in the due index.
    pub fn lose_place(&self, order: &OrderId, seq: u64) {
        if let Some(stored) = self.lock().events.get_mut(&(order.clone(), seq)) {
            stored.due = None;
        }
    }

    /// Loses an event.
    pub fn lose_event(&self, order: &OrderId, seq: u64) {
        self.lock().events.remove(&(order.clone(), seq));
    }

    /// Loses where a number leads.
    pub fn lose_number(&self, shop: &ShopId, number: &str, order: &OrderId) {
        self.lock().numbers.remove(&(shop.clone(), normalised_number(number), order.clone()));
    }
}
