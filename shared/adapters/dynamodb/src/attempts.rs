//! The attempt log. An attempt stands under its order (or its shop, for a test), so that whoever deletes the order
//! deletes what receivers said of it; the index by keys alone leads from an endpoint to its attempts.

use stagepost_app::attempt::{Attempt, AttemptOf};
use stagepost_app::ports::{AttemptStore, Page, StoreError};
use stagepost_domain::Timestamp;
use stagepost_domain::id::{EndpointId, ShopId};
use stagepost_domain::run::RunId;

use crate::keys::{self, Key, time_text};
use crate::row::{Row, document, expire, expired, key_of, key_row, read_document, text, text_of};
use crate::store::{Bounds, DynamoStore, Span, WriteError};
use crate::table::GSI2;

/// Longest page.
const ATTEMPTS_MAX: usize = 100;

impl AttemptStore for DynamoStore {
    async fn log_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        let mut row = document(&key(attempt), attempt)?;
        expire(&mut row, attempt.at);
        row.insert("g2pk".to_owned(), text(of_endpoint(&attempt.shop, &attempt.endpoint)));
        row.insert("g2sk".to_owned(), text(format!("{}#{}", time_text(attempt.at), attempt.id)));
        self.put(row, None).await.map_err(WriteError::plain)
    }

    async fn attempts_of_run(
        &self,
        run: &RunId,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Attempt>, StoreError> {
        let mut span = Span::prefix(keys::order_pk(&run.order), &run_prefix(run));
        span.newest_first = true;
        let rows = self.query(&span, limit.clamp(1, ATTEMPTS_MAX)).await?;
        rows.into_iter().filter(|row| !expired(row, now)).map(read_document).collect()
    }

    async fn attempts_of_endpoint(
        &self,
        shop: &ShopId,
        endpoint: &EndpointId,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<Attempt>, StoreError> {
        let pk = of_endpoint(shop, endpoint);
        let start = cursor.map(|c| keys::parse_cursor(c, |at| start(&pk, shop, at))).transpose()?;
        let span = Span { index: Some(GSI2), pk, sk: Bounds::All, newest_first: true, start };
        let limit = limit.clamp(1, ATTEMPTS_MAX);
        let places = self.query(&span, limit.saturating_add(1)).await?;
        let more = places.len() > limit;
        let next = places.get(limit.saturating_sub(1)).filter(|_| more).map(cursor_of);
        let keys: Vec<Key> = places.iter().take(limit).map(key_of).collect();
        let rows = self.get_all(&keys).await?.into_iter().filter(|row| !expired(row, now));
        let mut items: Vec<Attempt> = rows.map(read_document).collect::<Result<_, _>>()?;
        // A batch comes in no order.
        items.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
        Ok(Page { items, next })
    }
}

fn run_prefix(run: &RunId) -> String {
    format!("{}{:010}#{}#", keys::ATTEMPTS, run.seq, run.key)
}

fn key(attempt: &Attempt) -> Key {
    let place = format!("{}#{}", time_text(attempt.at), attempt.id);
    match &attempt.of {
        AttemptOf::Run(run) => Key::new(keys::order_pk(&run.order), run_prefix(run) + &place),
        AttemptOf::Job(job) => Key::new(keys::shop_pk(&attempt.shop), format!("A#{job}#{place}")),
    }
}

pub(crate) fn of_endpoint(shop: &ShopId, endpoint: &EndpointId) -> String {
    format!("TRIED#{shop}#{endpoint}")
}

fn cursor_of(place: &Row) -> String {
    let Key { pk, sk } = key_of(place);
    keys::cursor(&format!("{}|{pk}|{sk}", text_of(place, "g2sk").unwrap_or_default()))
}

fn start(index_pk: &str, shop: &ShopId, cursor: &str) -> Option<Row> {
    let mut parts = cursor.splitn(3, '|');
    let (at, pk, sk) = (parts.next()?, parts.next()?, parts.next()?);
    let place = pk.starts_with("ORDER#") || pk == keys::shop_pk(shop);
    let ours = place && keys::text_time(at.split('#').next()?).is_some() && sk.starts_with("A#");
    let mut row = key_row(&Key::new(pk, sk));
    row.insert("g2pk".to_owned(), text(index_pk));
    row.insert("g2sk".to_owned(), text(at));
    ours.then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DynamoDB refuses a start that is no key, in words that say nothing of a cursor.
    #[test]
    fn a_cursor_that_was_not_given_is_none() {
        let (shop, at) = (ShopId::parse("shop_a").unwrap(), time_text(Timestamp::UNIX_EPOCH));
        let of = |pk: &str, sk: &str| start("TRIED#shop_a#ep_a", &shop, &format!("{at}#att_1|{pk}|{sk}"));
        assert!(of("ORDER#ord_1", "A#1").is_some());
        assert!(of("SHOP#shop_a", "A#job_1").is_some());
        for (pk, sk) in [("", "A#1"), ("SHOP#shop_b", "A#1"), ("ORDER#ord_1", "R#1"), ("SHOP#shop_a", "")] {
            assert!(of(pk, sk).is_none(), "{pk} {sk}");
        }
    }
}
