//! What came in and found no home.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use stagepost_app::ports::{
    IgnoredFact, InboundStore, ParkedFact, QUARANTINE_HEAD, QuarantineEntry, Quarantined, StoreError,
};
use stagepost_domain::Timestamp;
use stagepost_domain::id::{OrderId, ShopId, content_key};

use crate::expression::absent;
use crate::keys::{self, Key};
use crate::row::{Row, corrupt, document, expire, key_of, place_due, read_document};
use crate::store::{DynamoStore, Span, WriteError};

/// Bytes of a body that one item holds; the table's limit is 400 KB with everything.
const PART_MAX: usize = 350_000;
/// Orders or reports that one number leads to.
const SAME_NUMBER_MAX: usize = 100;
/// Longest listing of the quarantine.
const QUARANTINED_MAX: usize = 100;

impl InboundStore for DynamoStore {
    async fn keep_ignored(&self, fact: &IgnoredFact) -> Result<(), StoreError> {
        let key = ignored_key(fact)?;
        let mut row = document(&key, fact)?;
        expire(&mut row, fact.at);
        match self.put(row, Some(absent())).await {
            Ok(()) | Err(WriteError::Condition(_)) => Ok(()),
            Err(error) => Err(error.plain()),
        }
    }

    async fn quarantine(&self, item: &Quarantined) -> Result<(), StoreError> {
        let name = quarantine_name(item);
        let head = item.body.get(..QUARANTINE_HEAD).unwrap_or(&item.body);
        // A long body stands apart, so that a listing reads none of it; it goes first, so that what is
        // listed is whole.
        if head.len() < item.body.len() {
            for (n, part) in item.body.chunks(PART_MAX).enumerate() {
                let mut row = document(&part_key(&item.shop, &name, n), &name)?;
                row.insert("b".to_owned(), AttributeValue::B(Blob::new(part)));
                expire(&mut row, item.at);
                self.put(row, None).await.map_err(WriteError::plain)?;
            }
        }
        let mut row = document(&quarantine_key(&item.shop, &name), &Head::of(item))?;
        row.insert("b".to_owned(), AttributeValue::B(Blob::new(head)));
        expire(&mut row, item.at);
        self.put(row, None).await.map_err(WriteError::plain)
    }

    async fn quarantined(&self, shop: &ShopId, limit: usize) -> Result<Vec<QuarantineEntry>, StoreError> {
        let mut span = Span::prefix(keys::shop_pk(shop), keys::QUARANTINE);
        span.newest_first = true;
        let rows = self.query(&span, limit.clamp(1, QUARANTINED_MAX)).await?;
        rows.into_iter().map(entry).collect()
    }

    async fn orders_with_number(&self, shop: &ShopId, number: &str) -> Result<Vec<OrderId>, StoreError> {
        let span = Span::prefix(keys::track_pk(shop, number), keys::HOLDERS);
        let rows = self.query(&span, SAME_NUMBER_MAX).await?;
        rows.into_iter().map(read_document).collect()
    }

    async fn park(&self, fact: &ParkedFact, due: Timestamp) -> Result<(), StoreError> {
        let key = parked_key(fact);
        let mut row = document(&key, fact)?;
        place_due(&mut row, &key, due);
        expire(&mut row, fact.parked_at);
        self.put(row, None).await.map_err(WriteError::plain)
    }

    async fn parked(&self, shop: &ShopId, number: &str) -> Result<Vec<ParkedFact>, StoreError> {
        let span = Span::prefix(keys::track_pk(shop, number), keys::PARKED);
        let rows = self.query(&span, SAME_NUMBER_MAX).await?;
        rows.into_iter().map(read_document).collect()
    }

    async fn unpark(&self, fact: &ParkedFact) -> Result<(), StoreError> {
        self.delete(&parked_key(fact)).await
    }
}

/// By content without the time of arrival: a duplicate meets its like.
fn ignored_key(fact: &IgnoredFact) -> Result<Key, StoreError> {
    let why =
        serde_json::to_string(&fact.why).map_err(|_| corrupt("ignored fact", "it cannot be written"))?;
    let at = fact.fact_at.map(|at| at.to_string()).unwrap_or_default();
    let content = content_key(&[&fact.fact, &at, &why]);
    Ok(Key::new(keys::order_pk(&fact.order), format!("{}{content}", keys::IGNORED)))
}

/// By status and time under its number: the same scan is one item in whatever words it comes.
pub(crate) fn parked_key(fact: &ParkedFact) -> Key {
    let report = &fact.fact;
    let content = content_key(&[&report.occurred_at.to_string(), &format!("{:?}", report.status)]);
    Key::new(keys::track_pk(&fact.shop, &report.number), format!("{}{content}", keys::PARKED))
}

/// A quarantined notification without its body, of which the first bytes stand beside it.
#[derive(Serialize, Deserialize)]
struct Head {
    shop: ShopId,
    came_by: String,
    topic: String,
    at: Timestamp,
    reason: String,
    /// Length of the whole body.
    bytes: u64,
}

impl Head {
    fn of(item: &Quarantined) -> Self {
        Self {
            shop: item.shop.clone(),
            came_by: item.came_by.clone(),
            topic: item.topic.clone(),
            at: item.at,
            reason: item.reason.clone(),
            bytes: u64::try_from(item.body.len()).unwrap_or(u64::MAX),
        }
    }
}

/// By time, then by content: the same notification written twice is one.
fn quarantine_name(item: &Quarantined) -> String {
    let body = String::from_utf8_lossy(&item.body);
    let content = content_key(&[&item.came_by, &item.topic, &body]);
    format!("{}#{content}", keys::time_text(item.at))
}

fn quarantine_key(shop: &ShopId, name: &str) -> Key {
    Key::new(keys::shop_pk(shop), format!("{}{name}", keys::QUARANTINE))
}

fn part_key(shop: &ShopId, name: &str, part: usize) -> Key {
    Key::new(keys::shop_pk(shop), format!("QPART#{name}#{part:06}"))
}

/// A line of the listing.
fn entry(row: Row) -> Result<QuarantineEntry, StoreError> {
    let body = bytes_of(&row)?;
    let Head { shop, came_by, topic, at, reason, bytes } = read_document(row)?;
    Ok(QuarantineEntry { item: Quarantined { shop, came_by, topic, at, reason, body }, bytes })
}

fn bytes_of(row: &Row) -> Result<Vec<u8>, StoreError> {
    let bytes = row.get("b").and_then(|value| value.as_b().ok());
    let bytes = bytes.ok_or_else(|| corrupt(key_of(row).name(), "it has no body"))?;
    Ok(bytes.as_ref().to_vec())
}
