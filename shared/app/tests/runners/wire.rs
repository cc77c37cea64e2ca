//! The store in memory behind a wire on which a test can do something between two steps, or cut it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use stagepost_app::attempt::Attempt;
use stagepost_app::audit::{Audible, AuditStore};
use stagepost_app::erase::EraseStore;
use stagepost_app::mail::ports::{Counted, Line, PaceStore, SuppressionStore, TallyStore};
use stagepost_app::ports::{
    AttemptStore, Commit, CommitError, ConfigChange, ConfigStore, DueItem, GovernorStore, HealthStore,
    IgnoredFact, InboundStore, Indexed, JobStore, OrderFilter, OrderStore, OrderSummary, Page, ParkedFact,
    QuarantineEntry, Quarantined, RunStore, SearchStore, Searchable, StoreError, TimelineEntry,
};
use stagepost_domain::Timestamp;
use stagepost_domain::brand::Brand;
use stagepost_domain::event::Event;
use stagepost_domain::flow::Flow;
use stagepost_domain::governor::{Governor, Tally};
use stagepost_domain::health::Health;
use stagepost_domain::id::{
    CarrierId, ChannelId, EndpointId, FlowId, JobId, OrderId, QuarantineId, ShopId, SuppressionId, TemplateId,
};
use stagepost_domain::job::Job;
use stagepost_domain::order::{Order, Snapshot};
use stagepost_domain::package::Package;
use stagepost_domain::run::{Run, RunId};
use stagepost_domain::search::Entry;
use stagepost_domain::shop::{ApiKey, CarrierIntegration, Channel, Endpoint, Settings};
use stagepost_domain::suppression::Suppression;
use stagepost_domain::template::EmailTemplate;
use stagepost_testkit::MemoryStore;

/// Lets others go first, once.
pub async fn breathe() {
    let mut breathed = false;
    poll_fn(move |context| {
        if breathed {
            return Poll::Ready(());
        }
        breathed = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

const POLLS_MAX: usize = 10_000;

/// Runs a future to its end.
pub fn done<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS_MAX {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("it hangs");
}

/// Runs a future until it hangs and drops it there: a function that stopped without a word.
pub fn crashed<F: Future>(future: F) {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS_MAX {
        assert!(future.as_mut().poll(&mut context).is_pending(), "it should hang and never end");
    }
}

/// Something done in between.
pub type Hook = Box<dyn FnOnce() + Send>;

/// On which side of a store operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It has not happened yet.
    Before,
    /// It has happened, its answer is not back yet.
    After,
}

enum Trap {
    Do(Hook),
    Cut,
}

type Traps = Vec<(Side, &'static str, Trap)>;

/// The store behind the wire; clones share it.
#[derive(Clone, Default)]
pub struct Wire {
    store: MemoryStore,
    traps: Arc<Mutex<Traps>>,
}

impl Wire {
    pub fn new(store: MemoryStore) -> Self {
        Self { store, traps: Arc::default() }
    }

    /// Does something at the next such operation.
    pub fn at(&self, side: Side, operation: &'static str, hook: impl FnOnce() + Send + 'static) {
        self.traps.lock().unwrap().push((side, operation, Trap::Do(Box::new(hook))));
    }

    /// Hangs for ever at the next such operation.
    pub fn cut(&self, side: Side, operation: &'static str) {
        self.traps.lock().unwrap().push((side, operation, Trap::Cut));
    }

    /// Hangs for ever at the one after the next such operation.
    pub fn cut_second(&self, side: Side, operation: &'static str) {
        self.at(side, operation, || {});
        self.cut(side, operation);
    }

    async fn pass(&self, side: Side, operation: &'static str) {
        breathe().await;
        let trap = {
            let mut traps = self.traps.lock().unwrap();
            let found = traps.iter().position(|(s, o, _)| (*s, *o) == (side, operation));
            found.map(|i| traps.remove(i).2)
        };
        match trap {
            Some(Trap::Do(hook)) => hook(),
            Some(Trap::Cut) => pending().await,
            None => {}
        }
    }
}

macro_rules! wired {
    ($self:ident . $method:ident ( $($argument:expr),* )) => {{
        $self.pass(Side::Before, stringify!($method)).await;
        let answer = $self.store.$method($($argument),*).await;
        $self.pass(Side::After, stringify!($method)).await;
        answer
    }};
}

impl OrderStore for Wire {
    async fn order(&self, id: &OrderId) -> Result<Option<Order>, StoreError> {
        wired!(self.order(id))
    }
    async fn order_with_snapshot(
        &self,
        id: &OrderId,
    ) -> Result<Option<(Order, Option<Snapshot>)>, StoreError> {
        wired!(self.order_with_snapshot(id))
    }
    async fn packages(&self, id: &OrderId) -> Result<Vec<Package>, StoreError> {
        wired!(self.packages(id))
    }
    async fn event(&self, id: &OrderId, seq: u64) -> Result<Option<Event>, StoreError> {
        wired!(self.event(id, seq))
    }
    async fn timeline(
        &self,
        id: &OrderId,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<TimelineEntry>, StoreError> {
        wired!(self.timeline(id, cursor, limit, now))
    }
    async fn orders(
        &self,
        shop: &ShopId,
        filter: &OrderFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<OrderSummary>, StoreError> {
        wired!(self.orders(shop, filter, cursor, limit))
    }
    async fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        wired!(self.commit(commit))
    }
    async fn put_order(&self, order: &Order, expected: u64, write_id: &str) -> Result<(), CommitError> {
        wired!(self.put_order(order, expected, write_id))
    }
}

impl RunStore for Wire {
    async fn update_run(&self, id: &RunId, expected: &Run, next: &Run) -> Result<Event, CommitError> {
        wired!(self.update_run(id, expected, next))
    }
    async fn add_run(&self, id: &RunId, run: &Run) -> Result<Event, CommitError> {
        wired!(self.add_run(id, run))
    }
    async fn webhook_body(
        &self,
        order: &OrderId,
        seq: u64,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        wired!(self.webhook_body(order, seq, now))
    }
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueItem>, StoreError> {
        wired!(self.due(now, limit))
    }
    async fn attention(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Event>, StoreError> {
        wired!(self.attention(shop, cursor, limit))
    }
    async fn set_due(&self, item: &DueItem, due: Option<Timestamp>) -> Result<(), StoreError> {
        wired!(self.set_due(item, due))
    }
}

impl AttemptStore for Wire {
    async fn log_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        wired!(self.log_attempt(attempt))
    }
    async fn attempts_of_run(
        &self,
        run: &RunId,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Attempt>, StoreError> {
        wired!(self.attempts_of_run(run, limit, now))
    }
    async fn attempts_of_endpoint(
        &self,
        shop: &ShopId,
        endpoint: &EndpointId,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<Attempt>, StoreError> {
        wired!(self.attempts_of_endpoint(shop, endpoint, cursor, limit, now))
    }
}

impl HealthStore for Wire {
    async fn endpoint_and_health(
        &self,
        shop: &ShopId,
        id: &EndpointId,
    ) -> Result<Option<(Endpoint, Health)>, StoreError> {
        wired!(self.endpoint_and_health(shop, id))
    }
    async fn health(&self, shop: &ShopId, id: &EndpointId) -> Result<Health, StoreError> {
        wired!(self.health(shop, id))
    }
    async fn healths(&self, shop: &ShopId) -> Result<BTreeMap<EndpointId, Health>, StoreError> {
        wired!(self.healths(shop))
    }
    async fn put_health(&self, shop: &ShopId, id: &EndpointId, next: &Health) -> Result<(), CommitError> {
        wired!(self.put_health(shop, id, next))
    }
}

impl InboundStore for Wire {
    async fn keep_ignored(&self, fact: &IgnoredFact) -> Result<(), StoreError> {
        wired!(self.keep_ignored(fact))
    }
    async fn quarantine(&self, item: &Quarantined) -> Result<(), StoreError> {
        wired!(self.quarantine(item))
    }
    async fn quarantined(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<QuarantineEntry>, StoreError> {
        wired!(self.quarantined(shop, cursor, limit, now))
    }
    async fn quarantined_item(
        &self,
        shop: &ShopId,
        id: &QuarantineId,
        now: Timestamp,
    ) -> Result<Option<Quarantined>, StoreError> {
        wired!(self.quarantined_item(shop, id, now))
    }
    async fn release(&self, shop: &ShopId, id: &QuarantineId) -> Result<(), StoreError> {
        wired!(self.release(shop, id))
    }
    async fn orders_with_number(&self, shop: &ShopId, number: &str) -> Result<Vec<OrderId>, StoreError> {
        wired!(self.orders_with_number(shop, number))
    }
    async fn park(&self, fact: &ParkedFact, due: Timestamp) -> Result<(), StoreError> {
        wired!(self.park(fact, due))
    }
    async fn parked(
        &self,
        shop: &ShopId,
        number: &str,
        now: Timestamp,
    ) -> Result<Vec<ParkedFact>, StoreError> {
        wired!(self.parked(shop, number, now))
    }
    async fn unpark(&self, fact: &ParkedFact) -> Result<(), StoreError> {
        wired!(self.unpark(fact))
    }
}

impl SearchStore for Wire {
    async fn searchable(&self, id: &OrderId) -> Result<Option<Searchable>, StoreError> {
        wired!(self.searchable(id))
    }
    async fn index(
        &self,
        shop: &ShopId,
        order: &OrderId,
        was: &Indexed,
        entries: &BTreeSet<Entry>,
    ) -> Result<(), CommitError> {
        wired!(self.index(shop, order, was, entries))
    }
    async fn entries(
        &self,
        shop: &ShopId,
        prefix: &str,
        after: Option<&Entry>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        wired!(self.entries(shop, prefix, after, limit))
    }
    async fn found(&self, ids: &[OrderId]) -> Result<Vec<(Order, Option<Snapshot>)>, StoreError> {
        wired!(self.found(ids))
    }
}

impl EraseStore for Wire {
    async fn unlist_number(&self, shop: &ShopId, number: &str, order: &OrderId) -> Result<(), StoreError> {
        wired!(self.unlist_number(shop, number, order))
    }
    async fn delete_private(&self, order: &OrderId, before: u64, limit: usize) -> Result<bool, StoreError> {
        wired!(self.delete_private(order, before, limit))
    }
    async fn forget_attempts(
        &self,
        shop: &ShopId,
        endpoint: &EndpointId,
        before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        wired!(self.forget_attempts(shop, endpoint, before, limit))
    }
    async fn delete_some(&self, order: &OrderId, limit: usize) -> Result<bool, StoreError> {
        wired!(self.delete_some(order, limit))
    }
}

impl AuditStore for Wire {
    async fn audible(
        &self,
        order: &OrderId,
        below: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Audible>, StoreError> {
        wired!(self.audible(order, below, limit))
    }
    async fn list_number(&self, shop: &ShopId, number: &str, order: &OrderId) -> Result<(), StoreError> {
        wired!(self.list_number(shop, number, order))
    }
}

impl JobStore for Wire {
    async fn create_job(&self, job: &Job) -> Result<(), CommitError> {
        wired!(self.create_job(job))
    }
    async fn job(&self, shop: &ShopId, id: &JobId) -> Result<Option<Job>, StoreError> {
        wired!(self.job(shop, id))
    }
    async fn jobs(&self, shop: &ShopId, cursor: Option<&str>, limit: usize) -> Result<Page<Job>, StoreError> {
        wired!(self.jobs(shop, cursor, limit))
    }
    async fn update_job(&self, next: &Job) -> Result<(), CommitError> {
        wired!(self.update_job(next))
    }
}

impl ConfigStore for Wire {
    async fn settings(&self, shop: &ShopId) -> Result<Option<Settings>, StoreError> {
        self.store.settings(shop).await
    }
    async fn flow(&self, shop: &ShopId, id: &FlowId) -> Result<Option<Flow>, StoreError> {
        self.store.flow(shop, id).await
    }
    async fn flows(&self, shop: &ShopId) -> Result<Vec<Flow>, StoreError> {
        self.store.flows(shop).await
    }
    async fn template(
        &self,
        shop: &ShopId,
        id: &TemplateId,
        version: Option<u64>,
    ) -> Result<Option<EmailTemplate>, StoreError> {
        self.store.template(shop, id, version).await
    }
    async fn templates(&self, shop: &ShopId) -> Result<Vec<EmailTemplate>, StoreError> {
        self.store.templates(shop).await
    }
    async fn endpoint(&self, shop: &ShopId, id: &EndpointId) -> Result<Option<Endpoint>, StoreError> {
        self.store.endpoint(shop, id).await
    }
    async fn endpoints(&self, shop: &ShopId) -> Result<Vec<Endpoint>, StoreError> {
        self.store.endpoints(shop).await
    }
    async fn channel(&self, id: &ChannelId) -> Result<Option<Channel>, StoreError> {
        self.store.channel(id).await
    }
    async fn channels(&self, shop: &ShopId) -> Result<Vec<Channel>, StoreError> {
        self.store.channels(shop).await
    }
    async fn brand(&self, shop: &ShopId) -> Result<Brand, StoreError> {
        self.store.brand(shop).await
    }
    async fn carrier(&self, id: &CarrierId) -> Result<Option<CarrierIntegration>, StoreError> {
        self.store.carrier(id).await
    }
    async fn carriers(&self, shop: &ShopId) -> Result<Vec<CarrierIntegration>, StoreError> {
        self.store.carriers(shop).await
    }
    async fn api_key(&self, hash: &str) -> Result<Option<ApiKey>, StoreError> {
        self.store.api_key(hash).await
    }
    async fn api_keys(&self, shop: &ShopId) -> Result<Vec<ApiKey>, StoreError> {
        self.store.api_keys(shop).await
    }
    async fn note_use(&self, key: &ApiKey, at: Timestamp) -> Result<(), StoreError> {
        self.store.note_use(key, at).await
    }
    async fn save(&self, change: &ConfigChange, settings: &Settings) -> Result<(), CommitError> {
        wired!(self.save(change, settings))
    }
}

impl GovernorStore for Wire {
    async fn governor(&self, shop: &ShopId) -> Result<Governor, StoreError> {
        self.store.governor(shop).await
    }
    async fn put_governor(&self, shop: &ShopId, next: &Governor) -> Result<(), CommitError> {
        self.store.put_governor(shop, next).await
    }
    async fn count_mail(&self, shop: &ShopId, window: i64) -> Result<u64, StoreError> {
        self.store.count_mail(shop, window).await
    }
    async fn mails(&self, shop: &ShopId, window: i64) -> Result<u64, StoreError> {
        self.store.mails(shop, window).await
    }
}

impl SuppressionStore for Wire {
    async fn suppression(
        &self,
        shop: &ShopId,
        id: &SuppressionId,
    ) -> Result<Option<Suppression>, StoreError> {
        self.store.suppression(shop, id).await
    }
    async fn suppress(&self, suppression: &Suppression) -> Result<Suppression, StoreError> {
        self.store.suppress(suppression).await
    }
    async fn suppressions(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Suppression>, StoreError> {
        self.store.suppressions(shop, cursor, limit).await
    }
    async fn unsuppress(&self, shop: &ShopId, id: &SuppressionId) -> Result<(), StoreError> {
        self.store.unsuppress(shop, id).await
    }
}

impl PaceStore for Wire {
    async fn move_line(
        &self,
        sender: &str,
        seen: Option<Timestamp>,
        now: Timestamp,
        next: Timestamp,
    ) -> Result<Line, StoreError> {
        self.store.move_line(sender, seen, now, next).await
    }
}

impl TallyStore for Wire {
    async fn count_fate(&self, shop: &ShopId, week: i64, what: Counted) -> Result<Tally, StoreError> {
        self.store.count_fate(shop, week, what).await
    }
    async fn tally(&self, shop: &ShopId, week: i64) -> Result<Tally, StoreError> {
        self.store.tally(shop, week).await
    }
}
