//! What an audit reads: events with the place that they really have in the index, which no other reader looks at.

use stagepost_app::audit::{Audible, AuditStore, Place};
use stagepost_app::ports::StoreError;
use stagepost_domain::id::{OrderId, ShopId};

use crate::event_item;
use crate::keys::{self, Key};
use crate::row::{Row, corrupt, document, key_of, text_of};
use crate::store::{Bounds, DynamoStore, Span, WriteError};

impl AuditStore for DynamoStore {
    async fn audible(
        &self,
        order: &OrderId,
        below: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Audible>, StoreError> {
        let sk = match below {
            None => Bounds::Prefix(keys::EVENTS.to_owned()),
            Some(below) => match below.checked_sub(1) {
                Some(last) => Bounds::Between(keys::event_sk(0), keys::event_sk(last)),
                None => return Ok(Vec::new()),
            },
        };
        let span = Span { index: None, pk: keys::order_pk(order), sk, newest_first: true, start: None };
        self.query(&span, limit).await?.into_iter().map(audible).collect()
    }

    async fn list_number(&self, shop: &ShopId, number: &str, order: &OrderId) -> Result<(), StoreError> {
        let key = Key::new(keys::track_pk(shop, number), keys::order_pk(order));
        self.put(document(&key, order)?, None).await.map_err(WriteError::plain)
    }
}

fn audible(row: Row) -> Result<Audible, StoreError> {
    let key = key_of(&row);
    let seq = key.sk.strip_prefix(keys::EVENTS).and_then(|seq| seq.parse().ok());
    let seq = seq.ok_or_else(|| corrupt(key.name(), "its key names no event"))?;
    let place = place(&row);
    let event = match event_item::from_row(row) {
        Ok(event) => Some(event),
        Err(StoreError::Corrupt { .. }) => None,
        Err(error) => return Err(error),
    };
    Ok(Audible { seq, event, place })
}

fn place(row: &Row) -> Place {
    let at = text_of(row, "g2sk").and_then(keys::text_time);
    match (text_of(row, "g2pk"), at) {
        (Some(pk), Some(at)) if keys::is_due_pk(pk) => Place::Due(at),
        (Some(_), Some(_)) => Place::Attention,
        _ => Place::Nowhere,
    }
}
