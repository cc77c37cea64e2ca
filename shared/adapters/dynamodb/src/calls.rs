//! Calls under idempotency keys. Their version is their condition; a day later they are gone.

use aws_sdk_dynamodb::types::AttributeValue;
use stagepost_app::once::KEPT;
use stagepost_app::ports::{CallRecord, CallStore, CommitError, StoreError};
use stagepost_domain::Timestamp;
use stagepost_domain::id::ShopId;
use stagepost_domain::run::later;

use crate::expression::Expression;
use crate::keys;
use crate::row::{document, expired, number, read_document};
use crate::store::{DynamoStore, WriteError};
use crate::table::TTL;

impl CallStore for DynamoStore {
    async fn call(&self, shop: &ShopId, id: &str, now: Timestamp) -> Result<Option<CallRecord>, StoreError> {
        let row = self.get(&keys::call(shop, id)).await?;
        row.filter(|row| !expired(row, now)).map(read_document).transpose()
    }

    async fn put_call(&self, record: &CallRecord) -> Result<(), CommitError> {
        let mut row = document(&keys::call(&record.shop, &record.id), record)?;
        row.insert("v".to_owned(), number(record.version));
        row.insert(TTL.to_owned(), seconds(later(record.began_at, KEPT)));
        let condition = match record.version.saturating_sub(1) {
            // The table removes what has expired within days, not at once.
            0 => Expression::condition("attribute_not_exists(pk) OR #t <= :t")
                .name("t", TTL)
                .value("t", seconds(record.began_at)),
            was => Expression::condition("#v = :was").name("v", "v").value("was", number(was)),
        };
        match self.put(row, Some(condition)).await {
            Ok(()) => Ok(()),
            // Our own write, whose answer was lost.
            Err(WriteError::Condition(there)) => match there.map(read_document::<CallRecord>).transpose()? {
                Some(there) if there == *record => Ok(()),
                _ => Err(CommitError::LostRace),
            },
            Err(WriteError::Other(error)) => Err(error),
        }
    }
}

fn seconds(at: Timestamp) -> AttributeValue {
    AttributeValue::N(at.as_second().to_string())
}
