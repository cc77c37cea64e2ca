//! Orders in memory.

use std::cmp::Reverse;

use stagepost_app::ports::{
    Commit, CommitError, IgnoredFact, OrderFilter, OrderStore, OrderSummary, Page, StoreError, TimelineEntry,
};
use stagepost_domain::Timestamp;
use stagepost_domain::event::Event;
use stagepost_domain::id::{OrderId, ShopId};
use stagepost_domain::order::{Order, Placement, Snapshot};
use stagepost_domain::package::{Package, normalised_number};

use super::{MemoryStore, State, StoredEvent, StoredOrder, bad_cursor, expired};

impl OrderStore for MemoryStore {
    async fn order(&self, id: &OrderId) -> Result<Option<Order>, StoreError> {
        let state = self.lock();
        state.readable(id)?;
        Ok(state.orders.get(id).map(|stored| stored.order.clone()))
    }

    async fn order_with_snapshot(
        &self,
        id: &OrderId,
    ) -> Result<Option<(Order, Option<Snapshot>)>, StoreError> {
        let state = self.lock();
        state.readable(id)?;
        let snapshot = state.snapshots.get(id).cloned();
        Ok(state.orders.get(id).map(|stored| (stored.order.clone(), snapshot)))
    }

    async fn packages(&self, id: &OrderId) -> Result<Vec<Package>, StoreError> {
        Ok(self.lock().packages.get(id).map(|p| p.values().cloned().collect()).unwrap_or_default())
    }

    async fn event(&self, id: &OrderId, seq: u64) -> Result<Option<Event>, StoreError> {
        Ok(self.lock().events.get(&(id.clone(), seq)).map(|stored| stored.event.clone()))
    }

    async fn timeline(
        &self,
        id: &OrderId,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<TimelineEntry>, StoreError> {
        let skip = cursor.map_or(Ok(0), |c| c.parse::<usize>().map_err(|_| bad_cursor()))?;
        let state = self.lock();
        let events = state.events.range((id.clone(), 0)..=(id.clone(), u64::MAX)).rev();
        let events: Vec<Event> = events.map(|(_, stored)| stored.event.clone()).collect();
        let ignored = state.ignored.iter().filter(|fact| &fact.order == id && !expired(fact.at, now));
        let ignored = ignored.cloned().collect();
        Ok(paged(merged(events, ignored), skip, limit.max(1)))
    }

    async fn orders(
        &self,
        shop: &ShopId,
        filter: &OrderFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<OrderSummary>, StoreError> {
        let skip = cursor.map_or(Ok(0), |c| c.parse::<usize>().map_err(|_| bad_cursor()))?;
        let state = self.lock();
        let mut found: Vec<OrderSummary> = state
            .orders
            .values()
            .map(|stored| &stored.order)
            .filter(|order| &order.shop == shop && matches(order, filter))
            .map(summary)
            .collect();
        found.sort_by_key(|s| Reverse((s.entered_at, s.id.clone())));
        let limit = limit.max(1);
        let more = found.len() > skip.saturating_add(limit);
        let items = found.into_iter().skip(skip).take(limit).collect();
        Ok(Page { items, next: more.then(|| skip.saturating_add(limit).to_string()) })
    }

    async fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        self.write(|state| state.commit(commit))
    }

    async fn put_order(
        &self,
        order: &Order,
        expected_version: u64,
        write_id: &str,
    ) -> Result<(), CommitError> {
        self.write(|state| {
            if state.claims_version(&order.id, Some(expected_version), write_id)? {
                state.put_order(order, write_id);
            }
            Ok(())
        })
    }
}

impl State {
    /// Whether the order still has the version that was read; false if this very write made the present one.
    fn claims_version(
        &self,
        id: &OrderId,
        expected: Option<u64>,
        write_id: &str,
    ) -> Result<bool, CommitError> {
        match self.orders.get(id) {
            stored if stored.map(|s| s.order.version) == expected => Ok(true),
            Some(stored) if stored.write_id == write_id => Ok(false),
            _ => Err(CommitError::LostRace),
        }
    }

    fn put_order(&mut self, order: &Order, write_id: &str) {
        let stored = StoredOrder { order: order.clone(), write_id: write_id.to_owned() };
        self.orders.insert(order.id.clone(), stored);
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), CommitError> {
        let order = &commit.changes.order;
        let event = &commit.changes.event;
        if !self.claims_version(&order.id, commit.expected_version, &commit.write_id)? {
            return Ok(());
        }
        let key = (order.id.clone(), event.seq);
        if self.events.contains_key(&key) {
            let reason = "the event exists although its order has not come to it".to_owned();
            return Err(StoreError::Corrupt { item: format!("{} {}", order.id, event.seq), reason }.into());
        }
        self.put_order(order, &commit.write_id);
        if let Some(body) = &commit.webhook_body {
            self.bodies.insert(key.clone(), body.clone());
        }
        self.events.insert(key, StoredEvent { event: event.clone(), due: event.due() });
        if let Some(snapshot) = &commit.changes.snapshot {
            self.snapshots.insert(order.id.clone(), snapshot.clone());
        }
        for package in &commit.changes.packages {
            self.put_package(order, package);
        }
        Ok(())
    }

    fn put_package(&mut self, order: &Order, package: &Package) {
        if let Some(number) = &package.seen.number {
            let entry = (order.shop.clone(), normalised_number(number), order.id.clone());
            if package.removed {
                self.numbers.remove(&entry);
            } else {
                self.numbers.insert(entry);
            }
        }
        self.packages.entry(order.id.clone()).or_default().insert(package.id.clone(), package.clone());
    }
}

fn matches(order: &Order, filter: &OrderFilter) -> bool {
    match filter {
        OrderFilter::Stage(stage) => order.stage() == Some(stage),
        OrderFilter::Untriaged => order.stage().is_none(),
    }
}

fn summary(order: &Order) -> OrderSummary {
    let entered_at = match &order.placement {
        Placement::Placed { entered_at, .. } => *entered_at,
        Placement::Awaiting | Placement::Untriaged => order.created_at,
    };
    OrderSummary {
        id: order.id.clone(),
        number: order.number.clone(),
        platform: order.source.platform,
        stage: order.stage().cloned(),
        entered_at,
    }
}

/// Events newest first, each refused fact before the first event that is not younger.
fn merged(events: Vec<Event>, mut ignored: Vec<IgnoredFact>) -> Vec<TimelineEntry> {
    ignored.sort_by_key(|fact| Reverse(fact.at));
    let mut ignored = ignored.into_iter().peekable();
    let mut entries = Vec::new();
    let mut oldest = Timestamp::MAX;
    for event in events {
        oldest = oldest.min(event.at);
        while let Some(fact) = ignored.next_if(|fact| fact.at >= oldest) {
            entries.push(TimelineEntry::Ignored(fact));
        }
        entries.push(TimelineEntry::Event(Box::new(event)));
    }
    entries.extend(ignored.map(TimelineEntry::Ignored));
    entries
}

/// Cuts after the last event that fits; what trails the last event of all comes with it.
fn paged(entries: Vec<TimelineEntry>, skip: usize, limit: usize) -> Page<TimelineEntry> {
    let rest: Vec<TimelineEntry> = entries.into_iter().skip(skip).collect();
    let is_event = |entry: &&TimelineEntry| matches!(entry, TimelineEntry::Event(_));
    if rest.iter().filter(is_event).count() <= limit {
        return Page { items: rest, next: None };
    }
    let mut events = 0_usize;
    let mut items = Vec::new();
    for entry in rest {
        events = events.saturating_add(usize::from(is_event(&&entry)));
        items.push(entry);
        if events == limit {
            break;
        }
    }
    let next = skip.saturating_add(items.len()).to_string();
    Page { items, next: Some(next) }
}
