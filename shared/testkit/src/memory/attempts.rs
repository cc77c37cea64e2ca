//! The attempt log and endpoints' health in memory.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use stagepost_app::attempt::{Attempt, AttemptOf};
use stagepost_app::ports::{AttemptStore, CommitError, HealthStore, Page, StoreError};
use stagepost_domain::Timestamp;
use stagepost_domain::health::Health;
use stagepost_domain::id::{EndpointId, ShopId};
use stagepost_domain::run::RunId;
use stagepost_domain::shop::Endpoint;

use super::{MemoryStore, bad_cursor, expired};

impl MemoryStore {
    fn attempts(&self, wanted: impl Fn(&Attempt) -> bool, now: Timestamp) -> Vec<Attempt> {
        let state = self.lock();
        let alive = state.attempts.iter().filter(|a| wanted(a) && !expired(a.at, now));
        let mut found: Vec<_> = alive.cloned().collect();
        found.sort_by_key(|a| Reverse((a.at, a.id.clone())));
        found
    }
}

impl AttemptStore for MemoryStore {
    async fn log_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        self.write_plain(|state| {
            if !state.attempts.contains(attempt) {
                state.attempts.push(attempt.clone());
            }
        })
    }

    async fn attempts_of_run(
        &self,
        run: &RunId,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Attempt>, StoreError> {
        let of_run = |a: &Attempt| matches!(&a.of, AttemptOf::Run(of) if of == run);
        Ok(self.attempts(of_run, now).into_iter().take(limit).collect())
    }

    async fn attempts_of_endpoint(
        &self,
        shop: &ShopId,
        endpoint: &EndpointId,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<Attempt>, StoreError> {
        let skip = cursor.map_or(Ok(0), |c| c.parse::<usize>().map_err(|_| bad_cursor()))?;
        let found = self.attempts(|a| a.shop == *shop && a.endpoint == *endpoint, now);
        let more = found.len() > skip.saturating_add(limit);
        let items = found.into_iter().skip(skip).take(limit).collect();
        Ok(Page { items, next: more.then(|| skip.saturating_add(limit).to_string()) })
    }
}

impl HealthStore for MemoryStore {
    async fn endpoint_and_health(
        &self,
        shop: &ShopId,
        id: &EndpointId,
    ) -> Result<Option<(Endpoint, Health)>, StoreError> {
        let state = self.lock();
        let key = (shop.clone(), id.clone());
        let health = state.healths.get(&key).cloned().unwrap_or_default();
        Ok(state.endpoints.get(&key).cloned().map(|endpoint| (endpoint, health)))
    }

    async fn health(&self, shop: &ShopId, id: &EndpointId) -> Result<Health, StoreError> {
        Ok(self.lock().healths.get(&(shop.clone(), id.clone())).cloned().unwrap_or_default())
    }

    async fn healths(&self, shop: &ShopId) -> Result<BTreeMap<EndpointId, Health>, StoreError> {
        let state = self.lock();
        let of_shop = state.healths.iter().filter(|((of, _), _)| of == shop);
        Ok(of_shop.map(|((_, id), health)| (id.clone(), health.clone())).collect())
    }

    async fn put_health(&self, shop: &ShopId, id: &EndpointId, next: &Health) -> Result<(), CommitError> {
        self.write(|state| {
            let key = (shop.clone(), id.clone());
            let stored = state.healths.get(&key);
            if stored == Some(next) {
                return Ok(());
            }
            if stored.map_or(0, |health| health.version).saturating_add(1) != next.version {
                return Err(CommitError::LostRace);
            }
            state.healths.insert(key, next.clone());
            Ok(())
        })
    }
}
