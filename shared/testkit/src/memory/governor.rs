//! The governor in memory.

use stagepost_app::ports::{CommitError, GovernorStore, StoreError};
use stagepost_domain::governor::Governor;
use stagepost_domain::id::ShopId;

use super::MemoryStore;

impl GovernorStore for MemoryStore {
    async fn governor(&self, shop: &ShopId) -> Result<Governor, StoreError> {
        Ok(self.lock().governors.get(shop).cloned().unwrap_or_default())
    }

    async fn put_governor(&self, shop: &ShopId, next: &Governor) -> Result<(), CommitError> {
        self.write(|state| {
            let stored = state.governors.get(shop);
            if stored == Some(next) {
                return Ok(());
            }
            if stored.map_or(0, |g| g.version).saturating_add(1) != next.version {
                return Err(CommitError::LostRace);
            }
            state.governors.insert(shop.clone(), next.clone());
            Ok(())
        })
    }

    async fn count_mail(&self, shop: &ShopId, window: i64) -> Result<u64, StoreError> {
        let mut count = 0;
        self.write_plain(|state| {
            let mails = state.mails.entry((shop.clone(), window)).or_default();
            *mails = mails.saturating_add(1);
            count = *mails;
        })?;
        Ok(count)
    }

    async fn mails(&self, shop: &ShopId, window: i64) -> Result<u64, StoreError> {
        Ok(self.lock().mails.get(&(shop.clone(), window)).copied().unwrap_or_default())
    }
}
