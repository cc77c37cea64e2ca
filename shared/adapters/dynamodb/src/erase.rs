//! Orders that go. Their items stand together, so a query finds whatever there is, of any release.

use stagepost_app::erase::EraseStore;
use stagepost_app::ports::StoreError;
use stagepost_domain::Timestamp;
use stagepost_domain::id::{EndpointId, OrderId, ShopId};

use crate::attempts;
use crate::keys::{self, Key};
use crate::row::key_of;
use crate::store::{Bounds, DynamoStore, Span};
use crate::table::GSI2;

impl EraseStore for DynamoStore {
    async fn unlist_number(&self, shop: &ShopId, number: &str, order: &OrderId) -> Result<(), StoreError> {
        self.delete(&Key::new(keys::track_pk(shop, number), keys::order_pk(order))).await
    }

    async fn delete_private(&self, order: &OrderId, before: u64, limit: usize) -> Result<bool, StoreError> {
        let Some(last) = before.checked_sub(1) else { return Ok(true) };
        let mut left = limit.max(1);
        for prefix in [keys::BODIES, keys::ATTEMPTS] {
            // What follows the number in a key sorts before a tilde.
            let sk = Bounds::Between(prefix.to_owned(), format!("{prefix}{last:010}~"));
            let span = Span { index: None, pk: keys::order_pk(order), sk, newest_first: false, start: None };
            let rows = self.query(&span, left).await?;
            for row in &rows {
                self.delete(&key_of(row)).await?;
            }
            left = left.saturating_sub(rows.len());
        }
        Ok(left > 0)
    }

    async fn forget_attempts(
        &self,
        shop: &ShopId,
        endpoint: &EndpointId,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let span = Span {
            index: Some(GSI2),
            pk: attempts::of_endpoint(shop, endpoint),
            sk: Bounds::UpTo(keys::time_text(before)),
            newest_first: false,
            start: None,
        };
        let places = self.query(&span, limit).await?;
        for place in &places {
            self.delete(&key_of(place)).await?;
        }
        Ok(places.len())
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
