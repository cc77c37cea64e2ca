//! Endpoints' health: an item beside each endpoint, written only when it changes.

use std::collections::BTreeMap;

use stagepost_app::ports::{CommitError, HealthStore, StoreError};
use stagepost_domain::health::Health;
use stagepost_domain::id::{EndpointId, ShopId};
use stagepost_domain::shop::Endpoint;

use crate::config::of_shop;
use crate::expression::{Expression, absent};
use crate::keys::{Key, shop_pk};
use crate::row::{document, key_of, number, read_document};
use crate::store::{DynamoStore, Span, WriteError};

/// More than a shop has endpoints.
const LISTED_MAX: usize = 1_000;
const HEALTH: &str = "HEALTH#";

impl HealthStore for DynamoStore {
    async fn endpoint_and_health(
        &self,
        shop: &ShopId,
        id: &EndpointId,
    ) -> Result<Option<(Endpoint, Health)>, StoreError> {
        let (mut endpoint, mut health) = (None, Health::default());
        let keys = [of_shop(shop, "ENDPOINT", id.as_str()), key(shop, id)];
        for row in self.get_all(&keys).await? {
            match key_of(&row).sk.starts_with(HEALTH) {
                true => health = read_document(row)?,
                false => endpoint = Some(read_document(row)?),
            }
        }
        Ok(endpoint.map(|endpoint| (endpoint, health)))
    }

    async fn health(&self, shop: &ShopId, id: &EndpointId) -> Result<Health, StoreError> {
        Ok(self.get(&key(shop, id)).await?.map(read_document).transpose()?.unwrap_or_default())
    }

    async fn healths(&self, shop: &ShopId) -> Result<BTreeMap<EndpointId, Health>, StoreError> {
        let rows = self.query(&Span::prefix(shop_pk(shop), HEALTH), LISTED_MAX).await?;
        let mut all = BTreeMap::new();
        for row in rows {
            let id = key_of(&row).sk.strip_prefix(HEALTH).and_then(|id| EndpointId::parse(id).ok());
            if let Some(id) = id {
                all.insert(id, read_document(row)?);
            }
        }
        Ok(all)
    }

    async fn put_health(&self, shop: &ShopId, id: &EndpointId, next: &Health) -> Result<(), CommitError> {
        let mut row = document(&key(shop, id), next)?;
        row.insert("v".to_owned(), number(next.version));
        let condition = match next.version.saturating_sub(1) {
            0 => absent(),
            was => Expression::condition("#v = :was").name("v", "v").value("was", number(was)),
        };
        match self.put(row, Some(condition)).await {
            Ok(()) => Ok(()),
            Err(WriteError::Condition(there)) => match there.map(read_document::<Health>).transpose()? {
                Some(there) if there == *next => Ok(()),
                _ => Err(CommitError::LostRace),
            },
            Err(WriteError::Other(error)) => Err(error),
        }
    }
}

pub(crate) fn key(shop: &ShopId, id: &EndpointId) -> Key {
    Key::new(shop_pk(shop), format!("{HEALTH}{id}"))
}
