//! Calls under idempotency keys, in memory.

use stagepost_app::once::KEPT;
use stagepost_app::ports::{CallRecord, CallStore, CommitError, StoreError};
use stagepost_domain::Timestamp;
use stagepost_domain::id::ShopId;
use stagepost_domain::run::later;

use super::MemoryStore;

impl CallStore for MemoryStore {
    async fn call(&self, shop: &ShopId, id: &str, now: Timestamp) -> Result<Option<CallRecord>, StoreError> {
        let there = self.lock().calls.get(&(shop.clone(), id.to_owned())).cloned();
        Ok(there.filter(|call| now < later(call.began_at, KEPT)))
    }

    async fn put_call(&self, record: &CallRecord) -> Result<(), CommitError> {
        self.write(|state| {
            let key = (record.shop.clone(), record.id.clone());
            let free = match state.calls.get(&key) {
                Some(there) if there == record => return Ok(()),
                Some(there) if record.version == 1 => later(there.began_at, KEPT) <= record.began_at,
                Some(there) => there.version.saturating_add(1) == record.version,
                None => record.version == 1,
            };
            if !free {
                return Err(CommitError::LostRace);
            }
            state.calls.insert(key, record.clone());
            Ok(())
        })
    }
}
