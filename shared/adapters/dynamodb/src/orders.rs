//! Orders: reads and listings.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};
use stagepost_app::ports::{
    Commit, CommitError, IgnoredFact, OrderFilter, OrderStore, OrderSummary, Page, StoreError, TimelineEntry,
};
use stagepost_domain::Timestamp;
use stagepost_domain::event::Event;
use stagepost_domain::id::{OrderId, ShopId};
use stagepost_domain::order::{Order, Snapshot};
use stagepost_domain::package::{PACKAGES_MAX, Package};

use crate::expression::Expression;
use crate::keys;
use crate::row::{Row, key_row, number, read_document, text, text_of};
use crate::store::{Bounds, DynamoStore, Span, WriteError, holds};
use crate::table::{GSI1, SK};
use crate::{event_item, order_item};

/// Longest page of a listing.
const PAGE_MAX: usize = 200;
/// Ignored facts that a timeline shows of one order; they expire after 30 days.
const IGNORED_MAX: usize = 1_000;

impl OrderStore for DynamoStore {
    async fn order(&self, id: &OrderId) -> Result<Option<Order>, StoreError> {
        self.get(&keys::order(id)).await?.map(order_item::from_row).transpose()
    }

    async fn order_with_snapshot(
        &self,
        id: &OrderId,
    ) -> Result<Option<(Order, Option<Snapshot>)>, StoreError> {
        let rows = self.get_all(&[keys::order(id), keys::snapshot(id)]).await?;
        let (mut order, mut snapshot) = (None, None);
        for row in rows {
            match text_of(&row, SK) {
                Some(keys::ORDER) => order = Some(order_item::from_row(row)?),
                _ => snapshot = Some(read_document(row)?),
            }
        }
        Ok(order.map(|order| (order, snapshot)))
    }

    async fn packages(&self, id: &OrderId) -> Result<Vec<Package>, StoreError> {
        let span = Span::prefix(keys::order_pk(id), keys::PACKAGES);
        // Twice the limit: what is stored is shown even if the limit was once higher.
        let rows = self.query(&span, 2 * PACKAGES_MAX).await?;
        rows.into_iter().map(read_document).collect()
    }

    async fn event(&self, id: &OrderId, seq: u64) -> Result<Option<Event>, StoreError> {
        self.get(&keys::event(id, seq)).await?.map(event_item::from_row).transpose()
    }

    async fn timeline(
        &self,
        id: &OrderId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<TimelineEntry>, StoreError> {
        let after =
            cursor.map(|c| keys::parse_cursor(c, |inner| serde_json::from_str(inner).ok())).transpose()?;
        let limit = limit.clamp(1, PAGE_MAX);
        let mut events = self.events_after(id, after.as_ref(), limit.saturating_add(1)).await?;
        let more = events.len() > limit;
        events.truncate(limit);
        let ignored = self.ignored(id).await?;
        Ok(timeline_page(events, ignored, after.as_ref(), more))
    }

    async fn orders(
        &self,
        shop: &ShopId,
        filter: &OrderFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<OrderSummary>, StoreError> {
        let pk = keys::listing_pk(shop, filter);
        let start = cursor.map(|c| keys::parse_cursor(c, |inner| listing_start(&pk, inner))).transpose()?;
        let limit = limit.clamp(1, PAGE_MAX);
        let span = Span { index: Some(GSI1), pk, sk: Bounds::All, newest_first: true, start };
        let mut rows = self.query(&span, limit.saturating_add(1)).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more).and_then(|row| text_of(row, "g1sk")).map(keys::cursor);
        let items: Result<Vec<_>, _> = rows.into_iter().map(|row| order_item::summary(row, filter)).collect();
        Ok(Page { items: items?, next: last })
    }

    async fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        self.transact(commit).await
    }

    async fn put_order(
        &self,
        order: &Order,
        expected_version: u64,
        write_id: &str,
    ) -> Result<(), CommitError> {
        let row = order_item::to_row(order, write_id)?;
        match self.put(row, Some(still_at(expected_version))).await {
            Ok(()) => Ok(()),
            Err(WriteError::Condition(old)) if holds(old.as_ref(), "w", write_id) => Ok(()),
            Err(WriteError::Condition(_)) => Err(CommitError::LostRace),
            Err(WriteError::Other(error)) => Err(error),
        }
    }
}

/// The order still has the version that was read.
pub(crate) fn still_at(version: u64) -> Expression {
    Expression::condition("#v = :v").name("v", "v").value("v", number(version))
}

/// Where a timeline's page ended.
#[derive(Debug, Serialize, Deserialize)]
struct After {
    /// Its last event.
    s: u64,
    /// The oldest event so far: ignored facts from then on have been shown.
    t: Timestamp,
}

impl DynamoStore {
    async fn events_after(
        &self,
        id: &OrderId,
        after: Option<&After>,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let pk = keys::order_pk(id);
        let sk = match after {
            None => Bounds::Prefix(keys::EVENTS.to_owned()),
            Some(after) => match after.s.checked_sub(1) {
                Some(last) => Bounds::Between(keys::event_sk(0), keys::event_sk(last)),
                None => return Ok(Vec::new()),
            },
        };
        let span = Span { index: None, pk, sk, newest_first: true, start: None };
        let rows = self.query(&span, limit).await?;
        rows.into_iter().map(event_item::from_row).collect()
    }

    /// Newest first. Their keys are content, not time (a duplicate must meet its like), so all are read.
    async fn ignored(&self, id: &OrderId) -> Result<Vec<IgnoredFact>, StoreError> {
        let span = Span::prefix(keys::order_pk(id), keys::IGNORED);
        let rows = self.query(&span, IGNORED_MAX).await?;
        let mut facts: Vec<IgnoredFact> = rows.into_iter().map(read_document).collect::<Result<_, _>>()?;
        facts.sort_by_key(|fact| Reverse(fact.at));
        Ok(facts)
    }
}

/// Merges events with the ignored facts that are not older than the page's oldest event (on the last page:
/// with all that are left).
fn timeline_page(
    events: Vec<Event>,
    ignored: Vec<IgnoredFact>,
    after: Option<&After>,
    more: bool,
) -> Page<TimelineEntry> {
    let shown = |fact: &IgnoredFact| after.is_some_and(|after| fact.at >= after.t);
    let mut ignored = ignored.into_iter().filter(|fact| !shown(fact)).peekable();
    let mut oldest = after.map_or(Timestamp::MAX, |after| after.t);
    let mut last = None;
    let mut items = Vec::new();
    for event in events {
        oldest = oldest.min(event.at);
        while let Some(fact) = ignored.next_if(|fact| fact.at >= oldest) {
            items.push(TimelineEntry::Ignored(fact));
        }
        last = Some(After { s: event.seq, t: oldest });
        items.push(TimelineEntry::Event(Box::new(event)));
    }
    let next = last.filter(|_| more).and_then(|after| serde_json::to_string(&after).ok());
    if next.is_none() {
        items.extend(ignored.map(TimelineEntry::Ignored));
    }
    Page { items, next: next.as_deref().map(keys::cursor) }
}

/// The item behind which a listing goes on. The partition is not in the cursor, so none reaches another's.
fn listing_start(pk: &str, sk: &str) -> Option<Row> {
    let (_, order) = keys::parse_listing_sk(sk)?;
    let mut start = key_row(&keys::order(&order));
    start.insert("g1pk".to_owned(), text(pk));
    start.insert("g1sk".to_owned(), text(sk));
    Some(start)
}
