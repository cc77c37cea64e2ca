//! What came in and found no home.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use stagepost_app::carrier::HOLDERS_MAX;
use stagepost_app::envelope::Envelope;
use stagepost_app::ports::{
    IgnoredFact, InboundStore, Page, ParkedFact, QuarantineEntry, Quarantined, StoreError,
};
use stagepost_domain::Timestamp;
use stagepost_domain::id::{OrderId, QuarantineId, ShopId, content_key};
use stagepost_domain::shop::Sealed;

use crate::expression::absent_or_expired;
use crate::keys::{self, Key};
use crate::row::{Row, corrupt, document, expire, expired, key_of, key_row, place_due, read_document};
use crate::store::{DynamoStore, Span, WriteError};

/// Bytes of a body that one item holds; the table's limit is 400 KB with everything.
const PART_MAX: usize = 350_000;
/// Parked reports that one number leads to.
const SAME_NUMBER_MAX: usize = 100;
/// Longest page of the quarantine.
const QUARANTINED_MAX: usize = 100;
/// The attribute with a part of a body.
const BODY: &str = "b";

impl InboundStore for DynamoStore {
    async fn keep_ignored(&self, fact: &IgnoredFact) -> Result<(), StoreError> {
        let key = ignored_key(fact)?;
        let mut row = document(&key, fact)?;
        expire(&mut row, fact.at);
        match self.put(row, Some(absent_or_expired(fact.at))).await {
            Ok(()) | Err(WriteError::Condition(_)) => Ok(()),
            Err(error) => Err(error.plain()),
        }
    }

    async fn quarantine(&self, item: &Quarantined) -> Result<(), StoreError> {
        let entry = &item.entry;
        // The body stands apart, so that a listing reads none of it; it goes first, so that what is listed is
        // whole.
        let parts = item.body.data.chunks(PART_MAX);
        let head = Head { entry: entry.clone(), key: item.body.key.clone(), parts: parts.len() };
        for (n, part) in parts.enumerate() {
            let mut row = document(&part_key(&entry.shop, &entry.id, n), &entry.id)?;
            row.insert(BODY.to_owned(), AttributeValue::B(Blob::new(part)));
            expire(&mut row, entry.at);
            self.put(row, None).await.map_err(WriteError::plain)?;
        }
        let mut row = document(&quarantine_key(&entry.shop, &entry.id), &head)?;
        expire(&mut row, entry.at);
        self.put(row, None).await.map_err(WriteError::plain)
    }

    async fn quarantined(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<QuarantineEntry>, StoreError> {
        let after = cursor.map(|c| keys::parse_cursor(c, |id| QuarantineId::parse(id).ok())).transpose()?;
        let mut span = Span::prefix(keys::shop_pk(shop), keys::QUARANTINE);
        span.newest_first = true;
        span.start = after.map(|id| key_row(&quarantine_key(shop, &id)));
        let limit = limit.clamp(1, QUARANTINED_MAX);
        let rows = self.query(&span, limit.saturating_add(1)).await?;
        // The oldest expire first: behind one that has expired there is nothing.
        let alive = rows.into_iter().take_while(|row| !expired(row, now));
        let mut items: Vec<QuarantineEntry> =
            alive.map(|row| Ok(read_document::<Head>(row)?.entry)).collect::<Result<_, StoreError>>()?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|entry| keys::cursor(entry.id.as_str()));
        Ok(Page { items, next })
    }

    async fn quarantined_item(
        &self,
        shop: &ShopId,
        id: &QuarantineId,
        now: Timestamp,
    ) -> Result<Option<Quarantined>, StoreError> {
        let row = self.get(&quarantine_key(shop, id)).await?.filter(|row| !expired(row, now));
        let Some(row) = row else { return Ok(None) };
        let Head { entry, key, parts } = read_document(row)?;
        let span = Span::prefix(keys::shop_pk(shop), &part_prefix(id));
        let rows = self.query(&span, parts).await?;
        // Somebody is just removing it.
        if rows.len() < parts {
            return Ok(None);
        }
        let mut data = Vec::new();
        for row in &rows {
            data.extend_from_slice(bytes_of(row)?);
        }
        Ok(Some(Quarantined { entry, body: Envelope { key, data } }))
    }

    async fn release(&self, shop: &ShopId, id: &QuarantineId) -> Result<(), StoreError> {
        let head = quarantine_key(shop, id);
        let Some(row) = self.get(&head).await? else { return Ok(()) };
        // The body first: should this stop half-way, what is still listed can be removed again.
        for n in 0..read_document::<Head>(row)?.parts {
            self.delete(&part_key(shop, id, n)).await?;
        }
        self.delete(&head).await
    }

    async fn orders_with_number(&self, shop: &ShopId, number: &str) -> Result<Vec<OrderId>, StoreError> {
        let span = Span::prefix(keys::track_pk(shop, number), keys::HOLDERS);
        let rows = self.query(&span, HOLDERS_MAX.saturating_add(1)).await?;
        rows.into_iter().map(read_document).collect()
    }

    async fn park(&self, fact: &ParkedFact, due: Timestamp) -> Result<(), StoreError> {
        let key = parked_key(fact);
        let mut row = document(&key, fact)?;
        place_due(&mut row, &key, due);
        expire(&mut row, fact.parked_at);
        self.put(row, None).await.map_err(WriteError::plain)
    }

    async fn parked(
        &self,
        shop: &ShopId,
        number: &str,
        now: Timestamp,
    ) -> Result<Vec<ParkedFact>, StoreError> {
        let span = Span::prefix(keys::track_pk(shop, number), keys::PARKED);
        let rows = self.query(&span, SAME_NUMBER_MAX).await?;
        rows.into_iter().filter(|row| !expired(row, now)).map(read_document).collect()
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

/// A quarantined notification without its body.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    #[serde(flatten)]
    entry: QuarantineEntry,
    /// Opens the body, once it is opened itself.
    key: Sealed,
    /// Items that hold the body.
    parts: usize,
}

fn quarantine_key(shop: &ShopId, id: &QuarantineId) -> Key {
    Key::new(keys::shop_pk(shop), format!("{}{id}", keys::QUARANTINE))
}

fn part_prefix(id: &QuarantineId) -> String {
    format!("QPART#{id}#")
}

fn part_key(shop: &ShopId, id: &QuarantineId, part: usize) -> Key {
    Key::new(keys::shop_pk(shop), format!("{}{part:06}", part_prefix(id)))
}

fn bytes_of(row: &Row) -> Result<&[u8], StoreError> {
    let bytes = row.get(BODY).and_then(|value| value.as_b().ok());
    let bytes = bytes.ok_or_else(|| corrupt(key_of(row).name(), "it has no body"))?;
    Ok(bytes.as_ref())
}
