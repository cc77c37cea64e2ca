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
use stagepost_domain::package::{PACKAGES_KEPT_MAX, PACKAGES_MAX, Package};

use crate::expression::Expression;
use crate::keys;
use crate::order_item::Company;
use crate::patience::Patience;
use crate::row::{Row, expired, key_row, number, number_of, read_document, text, text_of};
use crate::store::{Bounds, DynamoStore, Span, WriteError, holds};
use crate::table::{GSI1, SK};
use crate::{event_item, order_item};

/// Longest page of a listing.
const PAGE_MAX: usize = 200;
/// Ignored facts that a timeline shows of one order; they expire after 30 days.
const IGNORED_MAX: usize = 1_000;
/// Packages that are read: all that may be stored, and some if the limit was once higher.
const PACKAGES_READ: usize = PACKAGES_KEPT_MAX + PACKAGES_MAX;
/// How often a package was written.
pub(crate) const WRITES: &str = "n";
/// The order's version that a snapshot was written with.
pub(crate) const WRITTEN_AT: &str = "ov";

impl OrderStore for DynamoStore {
    async fn order(&self, id: &OrderId) -> Result<Option<Order>, StoreError> {
        self.get(&keys::order(id)).await?.map(order_item::from_row).transpose()
    }

    async fn order_with_snapshot(
        &self,
        id: &OrderId,
    ) -> Result<Option<(Order, Option<Snapshot>)>, StoreError> {
        let mut patience = Patience::new(id.as_str());
        loop {
            let rows = self.get_all(&[keys::order(id), keys::snapshot(id)]).await?;
            let (orders, snapshots): (Vec<Row>, Vec<Row>) =
                rows.into_iter().partition(|row| text_of(row, SK) == Some(keys::ORDER));
            let (order, snapshot) = (orders.into_iter().next(), snapshots.into_iter().next());
            let known = order.as_ref().and_then(|row| number_of(row, order_item::SNAPSHOT_AT));
            let found = snapshot.as_ref().and_then(|row| number_of(row, WRITTEN_AT));
            if known != found && patience.wait().await {
                continue;
            }
            // None at all is no transaction under way by now: a person has deleted it.
            if known != found && snapshot.is_some() {
                return Err(torn(id));
            }
            let order = order.map(order_item::from_row).transpose()?;
            let snapshot = snapshot.map(read_document).transpose()?;
            return Ok(order.map(|order| (order, snapshot)));
        }
    }

    async fn packages(&self, id: &OrderId) -> Result<Vec<Package>, StoreError> {
        let sk = Bounds::Between(keys::ORDER.to_owned(), keys::PACKAGES_END.to_owned());
        let span = Span { index: None, pk: keys::order_pk(id), sk, newest_first: false, start: None };
        let mut patience = Patience::new(id.as_str());
        loop {
            let rows = self.query(&span, PACKAGES_READ + 1).await?;
            let cut = rows.len() > PACKAGES_READ;
            let (orders, packages): (Vec<Row>, Vec<Row>) =
                rows.into_iter().partition(|row| text_of(row, SK) == Some(keys::ORDER));
            if cut || writes(&orders, order_item::PACKAGE_WRITES) == writes(&packages, WRITES) {
                return packages.into_iter().map(read_document).collect();
            }
            if !patience.wait().await {
                return Err(torn(id));
            }
        }
    }

    async fn event(&self, id: &OrderId, seq: u64) -> Result<Option<Event>, StoreError> {
        self.get(&keys::event(id, seq)).await?.map(event_item::from_row).transpose()
    }

    async fn timeline(
        &self,
        id: &OrderId,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<TimelineEntry>, StoreError> {
        let after =
            cursor.map(|c| keys::parse_cursor(c, |inner| serde_json::from_str(inner).ok())).transpose()?;
        let limit = limit.clamp(1, PAGE_MAX);
        let (mut events, ignored) = tokio::try_join!(
            self.events_after(id, after.as_ref(), limit.saturating_add(1)),
            self.ignored(id, now)
        )?;
        let more = events.len() > limit;
        events.truncate(limit);
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
        let condition = still_at(expected_version);
        let update = order_item::to_update(order, write_id, condition, Company::default())?;
        match self.update(&keys::order(&order.id), &update).await {
            Ok(_) => Ok(()),
            Err(WriteError::Condition(old)) if holds(old.as_ref(), "w", write_id) => Ok(()),
            Err(WriteError::Condition(_)) => Err(CommitError::LostRace),
            Err(WriteError::Other(error)) => Err(error),
        }
    }
}

/// The order still has the version that was read.
pub(crate) fn still_at(version: u64) -> Expression {
    Expression::condition("#v = :was").name("v", "v").value("was", number(version))
}

/// Sum of what the rows count under this name.
fn writes(rows: &[Row], name: &str) -> u64 {
    rows.iter().filter_map(|row| number_of(row, name)).sum()
}

/// A transaction is still landing after all that patience: to be read again later, and never decided on.
fn torn(id: &OrderId) -> StoreError {
    tracing::warn!(order = %id, "the order and what belongs to it are not of one version");
    StoreError::Throttled
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
    async fn ignored(&self, id: &OrderId, now: Timestamp) -> Result<Vec<IgnoredFact>, StoreError> {
        let span = Span::prefix(keys::order_pk(id), keys::IGNORED);
        let rows = self.query(&span, IGNORED_MAX).await?.into_iter().filter(|row| !expired(row, now));
        let mut facts: Vec<IgnoredFact> = rows.filter_map(|row| readable(id, row)).collect();
        facts.sort_by_key(|fact| Reverse(fact.at));
        Ok(facts)
    }
}

/// An ignored fact, unless a later release knows a reason for it that this one does not: nothing follows from one that
/// is missing on a timeline.
fn readable(order: &OrderId, row: Row) -> Option<IgnoredFact> {
    let fact = read_document(row);
    fact.inspect_err(|error| tracing::warn!(%order, %error, "an ignored fact is not shown")).ok()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::document;
    use crate::scripted;
    use serde_json::{Value, json};
    use stagepost_domain::package::TrackingStatus;
    use stagepost_testkit::build::{self, Stored, changes, order_fact, order_id, seconds, told};

    fn wire(row: Row) -> Value {
        serde_json::to_value(serde_dynamo::Item::from(row)).unwrap()
    }

    fn counted(mut row: Row, name: &str, count: u64) -> Value {
        if count > 0 {
            row.insert(name.to_owned(), number(count));
        }
        wire(row)
    }

    fn an_order() -> Order {
        changes(Stored::default().decide(&order_id(1), &told(order_fact(1, 0)), seconds(0))).order
    }

    fn order_row() -> Row {
        order_item::to_row(&an_order(), "w").unwrap()
    }

    fn package(number: &str, status: TrackingStatus) -> Package {
        let mut package = Package::new(build::parcel(number), None);
        package.status = status;
        package
    }

    fn package_item(package: &Package, writes: u64) -> Value {
        counted(document(&keys::package(&order_id(1), &package.id), package).unwrap(), WRITES, writes)
    }

    fn snapshot_item(snapshot: &Snapshot, at: u64) -> Value {
        counted(document(&keys::snapshot(&order_id(1)), snapshot).unwrap(), WRITTEN_AT, at)
    }

    fn queried(items: &[Value]) -> (u16, String) {
        (200, json!({"Items": items}).to_string())
    }

    fn batch(items: &[Value]) -> (u16, String) {
        (200, json!({"Responses": {"table": items}}).to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn packages_that_are_behind_their_order_are_read_again() {
        let order = |writes| counted(order_row(), order_item::PACKAGE_WRITES, writes);
        let (old, new) = (package("A1", TrackingStatus::Unknown), package("A1", TrackingStatus::Delivered));
        let other = package("B2", TrackingStatus::InTransit);
        let whole = queried(&[order(3), package_item(&new, 2), package_item(&other, 1)]);
        let torn = [
            queried(&[order(3), package_item(&old, 1), package_item(&other, 1)]),
            queried(&[order(3), package_item(&new, 2)]),
            queried(&[order(2), package_item(&new, 2), package_item(&other, 1)]),
            queried(&[package_item(&new, 2), package_item(&other, 1)]),
        ];
        for torn in torn {
            let (store, heard) = scripted::store([torn.clone(), torn, whole.clone()]);
            let read = store.packages(&order_id(1)).await.unwrap();
            assert_eq!(read, [new.clone(), other.clone()]);
            assert_eq!(heard.lock().unwrap().len(), 3);
        }
        let torn = queried(&[order(2), package_item(&old, 1)]);
        let (store, _) = scripted::store(std::iter::repeat_n(torn, 6));
        assert!(
            matches!(store.packages(&order_id(1)).await, Err(StoreError::Throttled)),
            "rather none than old ones"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_snapshot_that_is_of_another_version_than_its_order_is_read_again() {
        let order = |at| counted(order_row(), order_item::SNAPSHOT_AT, at);
        let (old, new) = (Snapshot::default(), build::snapshot());
        let whole = batch(&[snapshot_item(&new, 4), order(4)]);
        let torn = [
            batch(&[order(4), snapshot_item(&old, 2)]),
            batch(&[order(2), snapshot_item(&new, 4)]),
            batch(&[order(4)]),
        ];
        for torn in torn {
            let (store, _) = scripted::store([torn, whole.clone()]);
            let read = store.order_with_snapshot(&order_id(1)).await.unwrap();
            assert_eq!(read, Some((an_order(), Some(new.clone()))));
        }
        let torn = batch(&[order(4), snapshot_item(&old, 2)]);
        let (store, _) = scripted::store(std::iter::repeat_n(torn, 6));
        assert!(matches!(store.order_with_snapshot(&order_id(1)).await, Err(StoreError::Throttled)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_whose_snapshot_was_deleted_can_still_be_read() {
        let order = counted(order_row(), order_item::SNAPSHOT_AT, 4);
        let (store, _) = scripted::store(std::iter::repeat_n(batch(&[order]), 6));
        assert_eq!(store.order_with_snapshot(&order_id(1)).await.unwrap(), Some((an_order(), None)));
    }

    #[tokio::test]
    async fn items_of_before_the_counts_are_read_at_once() {
        let old = package("A1", TrackingStatus::Unknown);
        let (store, _) = scripted::store([queried(&[wire(order_row()), package_item(&old, 0)])]);
        assert_eq!(store.packages(&order_id(1)).await.unwrap(), [old]);
        let (store, _) = scripted::store([batch(&[wire(order_row()), snapshot_item(&build::snapshot(), 0)])]);
        let read = store.order_with_snapshot(&order_id(1)).await.unwrap();
        assert_eq!(read, Some((an_order(), Some(build::snapshot()))));
    }

    #[test]
    fn an_ignored_fact_with_a_reason_of_a_later_release_is_left_out() {
        let kept = |reason: &str| {
            let fact = json!({"order": order_id(1), "shop": build::shop(), "at": seconds(1), "fact": "tracking",
                "reason": reason});
            readable(&order_id(1), document(&keys::Key::new("ORDER#ord_1", "I#1"), &fact).unwrap())
        };
        assert!(kept("before_order").is_some());
        assert_eq!(kept("of_tomorrow"), None);
    }
}
