//! The governor: a document that hardly ever changes, and a count that every mail adds to.

use aws_sdk_dynamodb::types::AttributeValue;
use stagepost_app::ports::{CommitError, GovernorStore, StoreError};
use stagepost_domain::governor::{Governor, WINDOW};
use stagepost_domain::id::ShopId;

use crate::expression::{Expression, absent};
use crate::keys;
use crate::row::{document, number, number_of, read_document};
use crate::store::{DynamoStore, WriteError};
use crate::table::TTL;

/// Seconds that a window's count is kept: the next window reads it.
const KEPT: i64 = 86_400;

impl GovernorStore for DynamoStore {
    async fn governor(&self, shop: &ShopId) -> Result<Governor, StoreError> {
        let row = self.get(&keys::governor(shop)).await?;
        Ok(row.map(read_document).transpose()?.unwrap_or_default())
    }

    async fn put_governor(&self, shop: &ShopId, next: &Governor) -> Result<(), CommitError> {
        let mut row = document(&keys::governor(shop), next)?;
        row.insert("v".to_owned(), number(next.version));
        let condition = match next.version.saturating_sub(1) {
            0 => absent(),
            was => Expression::condition("#v = :was").name("v", "v").value("was", number(was)),
        };
        match self.put(row, Some(condition)).await {
            Ok(()) => Ok(()),
            Err(WriteError::Condition(there)) => match there.map(read_document::<Governor>).transpose()? {
                Some(there) if there == *next => Ok(()),
                _ => Err(CommitError::LostRace),
            },
            Err(WriteError::Other(error)) => Err(error),
        }
    }

    async fn count_mail(&self, shop: &ShopId, window: i64) -> Result<u64, StoreError> {
        let ends = window.saturating_mul(WINDOW.as_secs()).saturating_add(KEPT);
        let count = Expression::always("SET #t = :t")
            .name("t", TTL)
            .value("t", AttributeValue::N(ends.to_string()))
            .add("n", 1);
        let row = self.update(&keys::mails(shop, window), &count).await.map_err(WriteError::plain)?;
        Ok(number_of(&row, "n").unwrap_or_default())
    }

    async fn mails(&self, shop: &ShopId, window: i64) -> Result<u64, StoreError> {
        let row = self.get(&keys::mails(shop, window)).await?;
        Ok(row.and_then(|row| number_of(&row, "n")).unwrap_or_default())
    }
}
