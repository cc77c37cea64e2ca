//! Orders that go. Their items stand together, so a query finds whatever there is, of any release.

use stagepost_app::erase::EraseStore;
use stagepost_app::ports::StoreError;
use stagepost_domain::id::{OrderId, ShopId};

use crate::keys::{self, Key};
use crate::row::key_of;
use crate::store::{Bounds, DynamoStore, Span};

impl EraseStore for DynamoStore {
    async fn unlist_number(&self, shop: &ShopId, number: &str, order: &OrderId) -> Result<(), StoreError> {
        self.delete(&Key::new(keys::track_pk(shop, number), keys::order_pk(order))).await
    }

    async fn delete_some(&self, order: &OrderId, limit: usize) -> Result<bool, StoreError> {
        let limit = limit.max(2);
        let pk = keys::order_pk(order);
        let span = Span { index: None, pk, sk: Bounds::All, newest_first: false, start: None };
        let mut keys: Vec<Key> = self.query(&span, limit).await?.iter().map(key_of).collect();
        let all = keys.len() < limit;
        // The order itself at last: with it a call that stopped half-way finds its way back.
        let (order, others): (Vec<Key>, Vec<Key>) = keys.drain(..).partition(|key| key.sk == keys::ORDER);
        for key in &others {
            self.delete(key).await?;
        }
        if !all {
            return Ok(false);
        }
        for key in &order {
            self.delete(key).await?;
        }
        // What was written meanwhile is met by another look.
        Ok(order.is_empty() && others.is_empty())
    }
}
