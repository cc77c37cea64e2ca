//! The store as a function sees it: slow, throttled, sometimes away, with an index that lags. Every call is
//! a place to be interrupted, every write is noted for the laws.

use std::collections::BTreeMap;
use std::future::Future;

use stagepost_app::attempt::Attempt;
use stagepost_app::mail::ports::{Line, PaceStore, SuppressionStore};
use stagepost_app::ports::{
    AttemptStore, Commit, CommitError, ConfigChange, ConfigStore, DueItem, GovernorStore, HealthStore,
    IgnoredFact, InboundStore, OrderFilter, OrderStore, OrderSummary, Page, ParkedFact, QuarantineEntry,
    Quarantined, RunStore, StoreError, TimelineEntry,
};
use stagepost_domain::Timestamp;
use stagepost_domain::brand::Brand;
use stagepost_domain::event::Event;
use stagepost_domain::flow::Flow;
use stagepost_domain::governor::Governor;
use stagepost_domain::health::Health;
use stagepost_domain::id::{
    CarrierId, ChannelId, EndpointId, FlowId, OrderId, QuarantineId, ShopId, SuppressionId, TemplateId,
};
use stagepost_domain::order::{Order, Snapshot};
use stagepost_domain::package::Package;
use stagepost_domain::run::{Run, RunId};
use stagepost_domain::shop::{ApiKey, CarrierIntegration, Channel, Endpoint, Settings};
use stagepost_domain::suppression::Suppression;
use stagepost_domain::template::EmailTemplate;

use super::dice::{Dice, Shelf, breathe};
use super::planted::Bug;
use crate::{Fault, MemoryStore};

/// A write that took place.
#[derive(Debug, Clone)]
pub(super) enum Write {
    /// Of an order, with the event of the same transaction.
    Order { before: Option<Box<Order>>, after: Box<Order>, event: Option<Box<Event>> },
    /// Of a run.
    Run { id: RunId, before: Box<Run>, after: Box<Run> },
    /// Of a flow.
    Flow(Box<Flow>),
}

/// The store behind its faults; clones share it.
#[derive(Clone)]
pub(super) struct Chaos {
    pub inner: MemoryStore,
    pub dice: Dice,
    pub bug: Option<Bug>,
    /// What the laws have not looked at yet.
    pub written: Shelf<Write>,
    /// What the stream has not handed on yet.
    pub stream: Shelf<Event>,
    /// The last answer of the due index: what a lagging index gives.
    pub lagging: Shelf<DueItem>,
    /// Faults so far.
    pub faults: Shelf<()>,
}

impl Chaos {
    /// A read of another machine.
    async fn read<T>(&self, read: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        breathe().await;
        if self.dice.fault(1) {
            self.faults.put(());
            return Err(StoreError::Throttled);
        }
        read.await
    }

    /// A write of another machine: before it and between it and its answer a function may die.
    async fn write<T, E>(&self, write: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        breathe().await;
        if self.dice.fault(6) {
            self.faults.put(());
            let faults = [Fault::Throttle, Fault::Conflict, Fault::Down, Fault::LostReply];
            self.dice.pick(&faults).into_iter().for_each(|fault| self.inner.inject(*fault));
        }
        let answer = write.await;
        breathe().await;
        answer
    }

    async fn write_order(
        &self,
        id: &OrderId,
        event: Option<&Event>,
        write: impl Future<Output = Result<(), CommitError>>,
    ) -> Result<(), CommitError> {
        self.write(async {
            let before = self.inner.order(id).await?;
            let answer = write.await;
            if let Some(after) = self.inner.order(id).await?.filter(|after| Some(after) != before.as_ref()) {
                self.stream.open().extend(event.cloned());
                self.written.put(Write::Order {
                    before: before.map(Box::new),
                    after: Box::new(after),
                    event: event.cloned().map(Box::new),
                });
            }
            answer
        })
        .await
    }

    async fn run_of(&self, id: &RunId) -> Result<Option<Run>, StoreError> {
        let event = self.inner.event(&id.order, id.seq).await?;
        Ok(event.and_then(|e| e.runs.get(&id.key).cloned()))
    }
}

impl OrderStore for Chaos {
    async fn order(&self, id: &OrderId) -> Result<Option<Order>, StoreError> {
        let order = self.read(self.inner.order(id)).await?;
        Ok(order.map(|o| Bug::bend_order(self.bug, o)))
    }
    async fn order_with_snapshot(
        &self,
        id: &OrderId,
    ) -> Result<Option<(Order, Option<Snapshot>)>, StoreError> {
        let both = self.read(self.inner.order_with_snapshot(id)).await?;
        Ok(both.map(|(order, snapshot)| (Bug::bend_order(self.bug, order), snapshot)))
    }
    async fn packages(&self, id: &OrderId) -> Result<Vec<Package>, StoreError> {
        self.read(self.inner.packages(id)).await
    }
    async fn event(&self, id: &OrderId, seq: u64) -> Result<Option<Event>, StoreError> {
        let event = self.read(self.inner.event(id, seq)).await?;
        Ok(event.map(|e| Bug::bend_event(self.bug, e)))
    }
    async fn timeline(
        &self,
        id: &OrderId,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<TimelineEntry>, StoreError> {
        self.read(self.inner.timeline(id, cursor, limit, now)).await
    }
    async fn orders(
        &self,
        shop: &ShopId,
        filter: &OrderFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<OrderSummary>, StoreError> {
        self.read(self.inner.orders(shop, filter, cursor, limit)).await
    }
    async fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        let id = &commit.changes.order.id;
        let mut commit = commit.clone();
        let event = commit.changes.event.clone();
        self.write_order(id, Some(&event), async {
            let expected = commit.expected_version;
            commit.expected_version = Bug::condition(self.bug, &self.inner, id, expected).await;
            self.inner.commit(&commit).await
        })
        .await
    }
    async fn put_order(&self, order: &Order, expected: u64, write_id: &str) -> Result<(), CommitError> {
        self.write_order(&order.id, None, async {
            let expected = Bug::condition(self.bug, &self.inner, &order.id, Some(expected)).await;
            self.inner.put_order(order, expected.unwrap_or_default(), write_id).await
        })
        .await
    }
}

impl RunStore for Chaos {
    async fn update_run(&self, id: &RunId, expected: &Run, next: &Run) -> Result<Event, CommitError> {
        self.write(async {
            let before = self.run_of(id).await?;
            let answer = self.inner.update_run(id, expected, next).await;
            if let (Some(before), Some(after)) = (before, self.run_of(id).await?)
                && before != after
            {
                let (before, after) = (Box::new(before), Box::new(after));
                self.written.put(Write::Run { id: id.clone(), before, after });
            }
            answer
        })
        .await
    }
    async fn add_run(&self, id: &RunId, run: &Run) -> Result<Event, CommitError> {
        // No world sends anything again.
        self.write(self.inner.add_run(id, run)).await
    }
    async fn webhook_body(
        &self,
        order: &OrderId,
        seq: u64,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        self.read(self.inner.webhook_body(order, seq, now)).await
    }
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueItem>, StoreError> {
        let fresh = self.read(self.inner.due(now, limit)).await?;
        let stale = std::mem::replace(&mut *self.lagging.open(), fresh.clone());
        let given = if self.dice.fault(15) { stale } else { fresh };
        Ok(Bug::bend_due(self.bug, given))
    }
    async fn attention(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Event>, StoreError> {
        self.read(self.inner.attention(shop, cursor, limit)).await
    }
    async fn set_due(&self, item: &DueItem, due: Option<Timestamp>) -> Result<(), StoreError> {
        self.write(self.inner.set_due(item, due)).await
    }
}

impl AttemptStore for Chaos {
    async fn log_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        self.write(self.inner.log_attempt(attempt)).await
    }
    async fn attempts_of_run(
        &self,
        run: &RunId,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Attempt>, StoreError> {
        self.read(self.inner.attempts_of_run(run, limit, now)).await
    }
    async fn attempts_of_endpoint(
        &self,
        shop: &ShopId,
        endpoint: &EndpointId,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<Attempt>, StoreError> {
        self.read(self.inner.attempts_of_endpoint(shop, endpoint, cursor, limit, now)).await
    }
}

impl HealthStore for Chaos {
    async fn endpoint_and_health(
        &self,
        shop: &ShopId,
        id: &EndpointId,
    ) -> Result<Option<(Endpoint, Health)>, StoreError> {
        self.read(self.inner.endpoint_and_health(shop, id)).await
    }
    async fn health(&self, shop: &ShopId, id: &EndpointId) -> Result<Health, StoreError> {
        self.read(self.inner.health(shop, id)).await
    }
    async fn healths(&self, shop: &ShopId) -> Result<BTreeMap<EndpointId, Health>, StoreError> {
        self.read(self.inner.healths(shop)).await
    }
    async fn put_health(&self, shop: &ShopId, id: &EndpointId, next: &Health) -> Result<(), CommitError> {
        self.write(self.inner.put_health(shop, id, next)).await
    }
}

impl InboundStore for Chaos {
    async fn keep_ignored(&self, fact: &IgnoredFact) -> Result<(), StoreError> {
        self.write(self.inner.keep_ignored(fact)).await
    }
    async fn quarantine(&self, item: &Quarantined) -> Result<(), StoreError> {
        self.write(self.inner.quarantine(item)).await
    }
    async fn quarantined(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<QuarantineEntry>, StoreError> {
        self.read(self.inner.quarantined(shop, cursor, limit, now)).await
    }
    async fn quarantined_item(
        &self,
        shop: &ShopId,
        id: &QuarantineId,
        now: Timestamp,
    ) -> Result<Option<Quarantined>, StoreError> {
        self.read(self.inner.quarantined_item(shop, id, now)).await
    }
    async fn release(&self, shop: &ShopId, id: &QuarantineId) -> Result<(), StoreError> {
        self.write(self.inner.release(shop, id)).await
    }
    async fn orders_with_number(&self, shop: &ShopId, number: &str) -> Result<Vec<OrderId>, StoreError> {
        self.read(self.inner.orders_with_number(shop, number)).await
    }
    async fn park(&self, fact: &ParkedFact, due: Timestamp) -> Result<(), StoreError> {
        self.write(self.inner.park(fact, due)).await
    }
    async fn parked(
        &self,
        shop: &ShopId,
        number: &str,
        now: Timestamp,
    ) -> Result<Vec<ParkedFact>, StoreError> {
        self.read(self.inner.parked(shop, number, now)).await
    }
    async fn unpark(&self, fact: &ParkedFact) -> Result<(), StoreError> {
        self.write(self.inner.unpark(fact)).await
    }
}

impl ConfigStore for Chaos {
    async fn settings(&self, shop: &ShopId) -> Result<Option<Settings>, StoreError> {
        self.read(self.inner.settings(shop)).await
    }
    async fn flow(&self, shop: &ShopId, id: &FlowId) -> Result<Option<Flow>, StoreError> {
        self.read(self.inner.flow(shop, id)).await
    }
    async fn flows(&self, shop: &ShopId) -> Result<Vec<Flow>, StoreError> {
        self.read(self.inner.flows(shop)).await
    }
    async fn template(
        &self,
        shop: &ShopId,
        id: &TemplateId,
        version: Option<u64>,
    ) -> Result<Option<EmailTemplate>, StoreError> {
        self.read(self.inner.template(shop, id, version)).await
    }
    async fn templates(&self, shop: &ShopId) -> Result<Vec<EmailTemplate>, StoreError> {
        self.read(self.inner.templates(shop)).await
    }
    async fn endpoint(&self, shop: &ShopId, id: &EndpointId) -> Result<Option<Endpoint>, StoreError> {
        self.read(self.inner.endpoint(shop, id)).await
    }
    async fn endpoints(&self, shop: &ShopId) -> Result<Vec<Endpoint>, StoreError> {
        self.read(self.inner.endpoints(shop)).await
    }
    async fn channel(&self, id: &ChannelId) -> Result<Option<Channel>, StoreError> {
        self.read(self.inner.channel(id)).await
    }
    async fn channels(&self, shop: &ShopId) -> Result<Vec<Channel>, StoreError> {
        self.read(self.inner.channels(shop)).await
    }
    async fn brand(&self, shop: &ShopId) -> Result<Brand, StoreError> {
        self.read(self.inner.brand(shop)).await
    }
    async fn carrier(&self, id: &CarrierId) -> Result<Option<CarrierIntegration>, StoreError> {
        self.read(self.inner.carrier(id)).await
    }
    async fn carriers(&self, shop: &ShopId) -> Result<Vec<CarrierIntegration>, StoreError> {
        self.read(self.inner.carriers(shop)).await
    }
    async fn api_key(&self, hash: &str) -> Result<Option<ApiKey>, StoreError> {
        self.read(self.inner.api_key(hash)).await
    }
    async fn api_keys(&self, shop: &ShopId) -> Result<Vec<ApiKey>, StoreError> {
        self.read(self.inner.api_keys(shop)).await
    }
    async fn note_use(&self, key: &ApiKey, at: Timestamp) -> Result<(), StoreError> {
        self.inner.note_use(key, at).await
    }
    async fn save(&self, change: &ConfigChange, settings: &Settings) -> Result<(), CommitError> {
        self.write(async {
            let before = self.inner.settings(&settings.shop).await?;
            let answer = self.inner.save(change, settings).await;
            let after = self.inner.settings(&settings.shop).await?;
            if let ConfigChange::Flow(flow) = change
                && before != after
            {
                self.written.put(Write::Flow(Box::new(flow.clone())));
            }
            answer
        })
        .await
    }
}

impl SuppressionStore for Chaos {
    async fn suppression(
        &self,
        shop: &ShopId,
        id: &SuppressionId,
    ) -> Result<Option<Suppression>, StoreError> {
        self.read(self.inner.suppression(shop, id)).await
    }
    async fn suppress(&self, suppression: &Suppression) -> Result<Suppression, StoreError> {
        self.write(self.inner.suppress(suppression)).await
    }
    async fn suppressions(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Suppression>, StoreError> {
        self.read(self.inner.suppressions(shop, cursor, limit)).await
    }
    async fn unsuppress(&self, shop: &ShopId, id: &SuppressionId) -> Result<(), StoreError> {
        self.write(self.inner.unsuppress(shop, id)).await
    }
}

impl PaceStore for Chaos {
    async fn move_line(
        &self,
        sender: &str,
        seen: Option<Timestamp>,
        now: Timestamp,
        next: Timestamp,
    ) -> Result<Line, StoreError> {
        self.write(self.inner.move_line(sender, seen, now, next)).await
    }
}

impl GovernorStore for Chaos {
    async fn governor(&self, shop: &ShopId) -> Result<Governor, StoreError> {
        self.read(self.inner.governor(shop)).await
    }
    async fn put_governor(&self, shop: &ShopId, next: &Governor) -> Result<(), CommitError> {
        self.write(self.inner.put_governor(shop, next)).await
    }
    async fn count_mail(&self, shop: &ShopId, window: i64) -> Result<u64, StoreError> {
        self.write(self.inner.count_mail(shop, window)).await
    }
    async fn mails(&self, shop: &ShopId, window: i64) -> Result<u64, StoreError> {
        self.read(self.inner.mails(shop, window)).await
    }
}
