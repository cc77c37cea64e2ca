//! What mails need beside runs: suppressed addresses, the line of a sender's rate, tallies, mails that were asked for.

use aws_sdk_dynamodb::types::AttributeValue;
use stagepost_app::mail::asked::KEPT;
use stagepost_app::mail::ports::{
    AskedMail, AskedMailStore, Asker, Counted, Hourly, Line, PaceStore, SuppressionStore, TallyStore,
};
use stagepost_app::ports::{CommitError, Page, StoreError};
use stagepost_domain::Timestamp;
use stagepost_domain::governor::Tally;
use stagepost_domain::id::{MailId, ShopId, SuppressionId};
use stagepost_domain::run::later;
use stagepost_domain::suppression::Suppression;

use crate::expression::{Expression, absent};
use crate::keys;
use crate::row::{Row, document, expired, key_row, number, number_of, read_document, text, text_of};
use crate::store::{Bounds, DynamoStore, Span, WriteError};
use crate::table::TTL;

/// Longest page of a listing.
const PAGE_MAX: usize = 100;
const DAY: i64 = 86_400;
/// Days that a week's tally is kept.
const TALLY_DAYS: i64 = 60;

impl SuppressionStore for DynamoStore {
    async fn suppression(
        &self,
        shop: &ShopId,
        id: &SuppressionId,
    ) -> Result<Option<Suppression>, StoreError> {
        self.get(&keys::suppression(shop, id)).await?.map(read_document).transpose()
    }

    async fn suppress(&self, suppression: &Suppression) -> Result<Suppression, StoreError> {
        let key = keys::suppression(&suppression.shop, &suppression.id);
        match self.put(document(&key, suppression)?, Some(absent())).await {
            Ok(()) => Ok(suppression.clone()),
            Err(WriteError::Condition(Some(there))) => read_document(there),
            Err(error) => Err(error.plain()),
        }
    }

    async fn suppressions(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Suppression>, StoreError> {
        let start = cursor.map(|c| keys::parse_cursor(c, |id| SuppressionId::parse(id).ok())).transpose()?;
        let span = Span {
            index: None,
            pk: keys::suppressions_pk(shop),
            sk: Bounds::Prefix(keys::SUPPRESSED.to_owned()),
            newest_first: false,
            start: start.map(|id| key_row(&keys::suppression(shop, &id))),
        };
        let limit = limit.clamp(1, PAGE_MAX);
        let rows = self.query(&span, limit.saturating_add(1)).await?;
        let more = rows.len() > limit;
        let items =
            rows.into_iter().take(limit).map(read_document).collect::<Result<Vec<Suppression>, _>>()?;
        let next = items.last().filter(|_| more).map(|item| keys::cursor(item.id.as_str()));
        Ok(Page { items, next })
    }

    async fn unsuppress(&self, shop: &ShopId, id: &SuppressionId) -> Result<(), StoreError> {
        self.delete(&keys::suppression(shop, id)).await
    }
}

impl PaceStore for DynamoStore {
    /// One write of one small item. The idle line needs no read: its condition is the time itself.
    async fn move_line(
        &self,
        sender: &str,
        seen: Option<Timestamp>,
        now: Timestamp,
        next: Timestamp,
    ) -> Result<Line, StoreError> {
        let condition = if seen.is_some() { "#l = :was" } else { "attribute_not_exists(#l) OR #l <= :was" };
        let change = Expression::update("SET #l = :next", condition)
            .name("l", "l")
            .value("was", text(keys::time_text(seen.unwrap_or(now))))
            .value("next", text(keys::time_text(next)));
        match self.update(&keys::line(sender), &change).await {
            Ok(_) => Ok(Line::Moved),
            Err(WriteError::Condition(there)) => {
                let free = there.as_ref().and_then(|row| text_of(row, "l")).and_then(keys::text_time);
                Ok(Line::At(free.unwrap_or(now)))
            }
            Err(error) => Err(error.plain()),
        }
    }
}

impl TallyStore for DynamoStore {
    async fn count_fate(&self, shop: &ShopId, week: i64, what: Counted) -> Result<Tally, StoreError> {
        let ends = week.saturating_mul(7 * DAY).saturating_add(TALLY_DAYS * DAY);
        let change = match what {
            Counted::Delivered => "SET #t = :t ADD #known :one",
            // It has an outcome, and this is it.
            Counted::Bounced => "SET #t = :t ADD #known :one, #bounced :one",
            Counted::Complained => "SET #t = :t ADD #complained :one",
        };
        let ends = AttributeValue::N(ends.to_string());
        let count = Expression::always(change).name("t", TTL).value("t", ends).value("one", number(1));
        let count = match what {
            Counted::Delivered => count.name("known", "known"),
            Counted::Bounced => count.name("known", "known").name("bounced", "bounced"),
            Counted::Complained => count.name("complained", "complained"),
        };
        let row = self.update(&keys::tally(shop, week), &count).await.map_err(WriteError::plain)?;
        Ok(tally_of(&row))
    }

    async fn tally(&self, shop: &ShopId, week: i64) -> Result<Tally, StoreError> {
        let row = self.get(&keys::tally(shop, week)).await?;
        Ok(row.as_ref().map(tally_of).unwrap_or_default())
    }
}

pub(crate) fn tally_of(row: &Row) -> Tally {
    let count = |name| number_of(row, name).unwrap_or_default();
    Tally { known: count("known"), bounced: count("bounced"), complained: count("complained") }
}

impl AskedMailStore for DynamoStore {
    async fn asked_mail(
        &self,
        asker: &Asker,
        id: &MailId,
        now: Timestamp,
    ) -> Result<Option<AskedMail>, StoreError> {
        let row = self.get(&keys::asked_mail(asker, id)).await?;
        row.filter(|row| !expired(row, now)).map(read_document).transpose()
    }

    async fn put_asked_mail(&self, mail: &AskedMail) -> Result<(), CommitError> {
        let condition = match mail.version.saturating_sub(1) {
            0 => absent(),
            was => Expression::condition("#v = :was").name("v", "v").value("was", number(was)),
        };
        match self.put(asked_row(mail)?, Some(condition)).await {
            Ok(()) => Ok(()),
            // Our own write, whose answer was lost.
            Err(WriteError::Condition(there)) => match there.map(read_document::<AskedMail>).transpose()? {
                Some(there) if there == *mail => Ok(()),
                _ => Err(CommitError::LostRace),
            },
            Err(WriteError::Other(error)) => Err(error),
        }
    }

    async fn count_hourly(&self, what: Hourly<'_>, hour: i64) -> Result<u64, StoreError> {
        let ends = hour.saturating_mul(3_600).saturating_add(DAY);
        let count =
            Expression::always("SET #t = :t").name("t", TTL).value("t", AttributeValue::N(ends.to_string()));
        let row = self.update(&keys::hourly(what, hour), &count.add("n", 1)).await;
        Ok(number_of(&row.map_err(WriteError::plain)?, "n").unwrap_or_default())
    }
}

/// A mail that was asked for, as it is stored.
pub(crate) fn asked_row(mail: &AskedMail) -> Result<Row, StoreError> {
    let mut row = document(&keys::asked_mail(&mail.asker(), &mail.id), mail)?;
    row.insert("v".to_owned(), number(mail.version));
    row.insert(TTL.to_owned(), AttributeValue::N(later(mail.at, KEPT).as_second().to_string()));
    Ok(row)
}
