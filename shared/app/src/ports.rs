//! Ports: one small trait per capability, native async. Adapters implement them; a function's role needs
//! no more rights than the ports it uses.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use stagepost_domain::Timestamp;
use stagepost_domain::brand::Brand;
use stagepost_domain::decide::Changeset;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::event::Event;
use stagepost_domain::fact::{Coverage, ShipmentId, TrackingFact};
use stagepost_domain::flow::Flow;
use stagepost_domain::governor::Governor;
use stagepost_domain::health::Health;
use stagepost_domain::id::{
    CarrierId, ChannelId, EndpointId, FlowId, JobId, OrderId, QuarantineId, ShopId, StageId, TemplateId,
};
use stagepost_domain::job::Job;
use stagepost_domain::member::Member;
use stagepost_domain::order::{Order, Platform, Snapshot, Source};
use stagepost_domain::outcome::IgnoreReason;
use stagepost_domain::package::{Package, PackageSeen};
use stagepost_domain::run::{Run, RunId, RunKey};
use stagepost_domain::search::Entry;
use stagepost_domain::shop::{ApiKey, CarrierIntegration, Channel, Endpoint, Sealed, Settings};
use stagepost_domain::template::EmailTemplate;

use crate::attempt::Attempt;
use crate::envelope::Envelope;
use crate::inbound::Route;
use crate::mail::ports::AskedMail;

// ---------------------------------------------------------------- time, ids, chance

/// The time, injected.
pub trait Clock: Send + Sync {
    /// Now, to the millisecond: what is stored compares equal to what was decided.
    fn now(&self) -> Timestamp;
}

/// Ids and chance, injected.
pub trait Entropy: Send + Sync {
    /// A fresh id body: 26 lower-case letters and digits, sortable by time.
    fn id_body(&self) -> String;
    /// A number in 0..1, for jitter.
    fn fraction(&self) -> f64;
    /// Random bytes for secrets and tokens.
    fn bytes(&self) -> [u8; 32];
}

// ---------------------------------------------------------------- store

/// The store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Too many requests for now.
    #[error("the store throttles")]
    Throttled,
    /// No answer, or an error on its side. A write may have happened.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// An item is not what its schema says.
    #[error("stored item {item} is not valid: {reason}")]
    Corrupt {
        /// Its key.
        item: String,
        /// What is wrong.
        reason: String,
    },
    /// An item was written by a later release than this one: after a roll-back the later one comes again.
    #[error("stored item {item} has a schema that is newer than this program")]
    Newer {
        /// Its key.
        item: String,
    },
    /// The item would be larger than the store takes.
    #[error("the item is too large to store")]
    TooLarge,
}

impl StoreError {
    /// What to do about it. Writes are conditional and carry their own identity, so trying again is safe.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Throttled | Self::Unavailable(_) | Self::Newer { .. } => Disposition::RETRY,
            Self::Corrupt { .. } | Self::TooLarge => Disposition::Permanent,
        }
    }
}

/// A conditional write did not take place.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else wrote first: read again and decide again. (A write that lost to its own retry is a
    /// success and never shows here.)
    #[error("another write came first")]
    LostRace,
    /// Another transaction is working on the item: the same as a lost race, but nothing has changed yet.
    #[error("another transaction is in the way")]
    Conflict,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One decision, written as one transaction.
#[derive(Debug, Clone)]
pub struct Commit {
    /// What `decide` made.
    pub changes: Changeset,
    /// The version that was read; `None` when no order existed.
    pub expected_version: Option<u64>,
    /// The frozen body for the event's webhook runs.
    pub webhook_body: Option<String>,
    /// Identity of this write, to recognise it after a lost answer.
    pub write_id: String,
}

/// A page of a listing.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Opaque; `None` at the end.
    pub next: Option<String>,
}

/// A fact that a rule refused, as kept.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct IgnoredFact {
    /// Its order.
    pub order: OrderId,
    /// Its tenant.
    pub shop: ShopId,
    /// When it came.
    pub at: Timestamp,
    /// What kind of fact it was: `order`, `fulfillment`, `tracking`.
    pub fact: String,
    /// When it says it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact_at: Option<Timestamp>,
    /// Why it was refused.
    #[serde(flatten)]
    pub why: IgnoreReason,
}

/// One line of an order's timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimelineEntry {
    /// Something happened.
    Event(Box<Event>),
    /// Something was refused.
    Ignored(IgnoredFact),
}

/// An order in a listing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderSummary {
    /// Its id.
    pub id: OrderId,
    /// As the shop prints it.
    pub number: String,
    /// Its platform.
    pub platform: Platform,
    /// Its stage; `None` when untriaged or awaited.
    pub stage: Option<StageId>,
    /// When it entered the stage, or was seen first.
    pub entered_at: Timestamp,
}

/// What to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderFilter {
    /// Orders in a stage, newest entry first.
    Stage(StageId),
    /// Orders in no flow.
    Untriaged,
}

/// Orders, their events, snapshots and packages.
pub trait OrderStore: Send + Sync {
    /// The control item, strongly consistent.
    fn order(&self, id: &OrderId) -> impl Future<Output = Result<Option<Order>, StoreError>> + Send;
    /// Control item and snapshot in one round trip, strongly consistent. The snapshot is default for an
    /// order that is still awaited.
    fn order_with_snapshot(
        &self,
        id: &OrderId,
    ) -> impl Future<Output = Result<Option<(Order, Option<Snapshot>)>, StoreError>> + Send;
    /// All packages of an order, removed ones included, strongly consistent.
    fn packages(&self, id: &OrderId) -> impl Future<Output = Result<Vec<Package>, StoreError>> + Send;
    /// One event, strongly consistent.
    fn event(&self, id: &OrderId, seq: u64)
    -> impl Future<Output = Result<Option<Event>, StoreError>> + Send;
    /// The timeline, newest first; at most `limit` events with the ignored facts between them that have not
    /// expired by `now`.
    fn timeline(
        &self,
        id: &OrderId,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<Page<TimelineEntry>, StoreError>> + Send;
    /// Orders of a shop, newest entry first (from an index, so possibly a moment old).
    fn orders(
        &self,
        shop: &ShopId,
        filter: &OrderFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<OrderSummary>, StoreError>> + Send;
    /// Writes order, event, snapshot, packages, package index and webhook body, all or nothing.
    fn commit(&self, commit: &Commit) -> impl Future<Output = Result<(), CommitError>> + Send;
    /// Writes the control item alone (lock, quiet settlement), if its version is still `expected_version`.
    fn put_order(
        &self,
        order: &Order,
        expected_version: u64,
        write_id: &str,
    ) -> impl Future<Output = Result<(), CommitError>> + Send;
}

/// Something that wants attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DueItem {
    /// An event with open runs.
    Event(Box<Event>),
    /// A carrier's report of a parcel that no order had.
    Parked(ParkedFact),
    /// A job.
    Job(Box<Job>),
}

/// Runs, and the due index that nothing falls out of.
pub trait RunStore: Send + Sync {
    /// Replaces one run of an event if it still is `expected`, by path: other runs of the event may change
    /// meanwhile. Takes the event out of the due index when its last run ends, and moves its due time
    /// when a run is to be tried later. Gives the event after the write.
    fn update_run(
        &self,
        id: &RunId,
        expected: &Run,
        next: &Run,
    ) -> impl Future<Output = Result<Event, CommitError>> + Send;
    /// Adds a run to an event and to the due index. The same run again is a success; another one under its key
    /// is a lost race. Gives the event after the write.
    fn add_run(&self, id: &RunId, run: &Run) -> impl Future<Output = Result<Event, CommitError>> + Send;
    /// The frozen webhook body of an event, unless it has expired by `now`.
    fn webhook_body(
        &self,
        order: &OrderId,
        seq: u64,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<String>, StoreError>> + Send;
    /// What is due, oldest first, over all shards of the index; at most `limit`, and fewer only when the
    /// index holds no more. An item that cannot be read is put off and never given.
    fn due(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<DueItem>, StoreError>> + Send;
    /// Events of a shop without open runs of which one has failed or is uncertain, newest end first: what
    /// people should look at (from an index, so possibly a moment old).
    fn attention(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<Event>, StoreError>> + Send;
    /// Moves an item's place in the due index to `due`; `None` takes it out (an event without open runs).
    /// Losing a race is fine: whoever won has set the place.
    fn set_due(
        &self,
        item: &DueItem,
        due: Option<Timestamp>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// The log of calls of endpoints. It is for people: no decision reads it.
pub trait AttemptStore: Send + Sync {
    /// Keeps an attempt for 30 days.
    fn log_attempt(&self, attempt: &Attempt) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// A run's attempts, newest first, at most `limit`, without what has expired by `now`.
    fn attempts_of_run(
        &self,
        run: &RunId,
        limit: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<Attempt>, StoreError>> + Send;
    /// The attempts at an endpoint, newest first, without what has expired by `now` (from an index, so possibly
    /// without the last moment's).
    fn attempts_of_endpoint(
        &self,
        shop: &ShopId,
        endpoint: &EndpointId,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<Page<Attempt>, StoreError>> + Send;
}

/// How endpoints' receivers do.
pub trait HealthStore: Send + Sync {
    /// An endpoint with its health, in one round trip, strongly consistent.
    fn endpoint_and_health(
        &self,
        shop: &ShopId,
        id: &EndpointId,
    ) -> impl Future<Output = Result<Option<(Endpoint, Health)>, StoreError>> + Send;
    /// An endpoint's health, strongly consistent; a good one if nothing was ever heard of it.
    fn health(
        &self,
        shop: &ShopId,
        id: &EndpointId,
    ) -> impl Future<Output = Result<Health, StoreError>> + Send;
    /// The health of all of a shop's endpoints of which anything was heard.
    fn healths(
        &self,
        shop: &ShopId,
    ) -> impl Future<Output = Result<BTreeMap<EndpointId, Health>, StoreError>> + Send;
    /// Replaces it if it still has the version before this one's. The same write again is a success.
    fn put_health(
        &self,
        shop: &ShopId,
        id: &EndpointId,
        next: &Health,
    ) -> impl Future<Output = Result<(), CommitError>> + Send;
}

/// How many mails a shop sends, and whether they are stopped.
pub trait GovernorStore: Send + Sync {
    /// The shop's governor, strongly consistent; a fresh one if it has none yet.
    fn governor(&self, shop: &ShopId) -> impl Future<Output = Result<Governor, StoreError>> + Send;
    /// Replaces it if it still has the version before this one's. The same write again is a success.
    fn put_governor(
        &self,
        shop: &ShopId,
        next: &Governor,
    ) -> impl Future<Output = Result<(), CommitError>> + Send;
    /// Counts one mail of a window; gives the count with it.
    fn count_mail(&self, shop: &ShopId, window: i64) -> impl Future<Output = Result<u64, StoreError>> + Send;
    /// The mails of a window.
    fn mails(&self, shop: &ShopId, window: i64) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

/// Jobs of shops. An open one stands in the due index.
pub trait JobStore: Send + Sync {
    /// Keeps a new job; one with its id is a lost race.
    fn create_job(&self, job: &Job) -> impl Future<Output = Result<(), CommitError>> + Send;
    /// A job, strongly consistent.
    fn job(&self, shop: &ShopId, id: &JobId) -> impl Future<Output = Result<Option<Job>, StoreError>> + Send;
    /// A shop's jobs, newest first; what has ended is kept for 30 days.
    fn jobs(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<Job>, StoreError>> + Send;
    /// Replaces a job if it still has the version before this one's. The same write again is a success.
    fn update_job(&self, next: &Job) -> impl Future<Output = Result<(), CommitError>> + Send;
}

/// A carrier's report that no order wanted yet.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ParkedFact {
    /// Its tenant.
    pub shop: ShopId,
    /// The integration it came by.
    pub carrier: CarrierId,
    /// When it came.
    pub parked_at: Timestamp,
    /// The report.
    pub fact: TrackingFact,
}

/// A notification that was authentic but could not be read, without its body.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct QuarantineEntry {
    /// Its id; ids sort by the time of arrival.
    pub id: QuarantineId,
    /// Its tenant.
    pub shop: ShopId,
    /// The route that it came by.
    pub route: Route,
    /// Topic or kind as told.
    pub topic: String,
    /// When it came.
    pub at: Timestamp,
    /// Why it could not be read.
    pub reason: String,
    /// Length of its body.
    pub bytes: u64,
}

/// A notification in quarantine, whole. The body may hold people, so the store only sees it sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// What a listing shows of it.
    pub entry: QuarantineEntry,
    /// Its body.
    pub body: Envelope,
}

/// What came in and found no home.
pub trait InboundStore: Send + Sync {
    /// Keeps a refused fact; the same fact again changes nothing.
    fn keep_ignored(&self, fact: &IgnoredFact) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Keeps an unreadable notification for 30 days; the same id again replaces it.
    fn quarantine(&self, item: &Quarantined) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// The shop's quarantine, newest first, without what has expired by `now`.
    fn quarantined(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<Page<QuarantineEntry>, StoreError>> + Send;
    /// One notification of the shop's quarantine, whole, unless it has expired by `now`.
    fn quarantined_item(
        &self,
        shop: &ShopId,
        id: &QuarantineId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Quarantined>, StoreError>> + Send;
    /// Removes a notification from the quarantine, there or not.
    fn release(
        &self,
        shop: &ShopId,
        id: &QuarantineId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Orders that hold a package with this number (normalised here).
    fn orders_with_number(
        &self,
        shop: &ShopId,
        number: &str,
    ) -> impl Future<Output = Result<Vec<OrderId>, StoreError>> + Send;
    /// Parks a report until an order wants it; it stands in the due index from `due` on. Reports of one
    /// number with one status and one time are one, by whatever integration and in whatever words.
    fn park(&self, fact: &ParkedFact, due: Timestamp) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Reports parked for a number that have not expired by `now`.
    fn parked(
        &self,
        shop: &ShopId,
        number: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<ParkedFact>, StoreError>> + Send;
    /// Forgets a parked report.
    fn unpark(&self, fact: &ParkedFact) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// One change of configuration; it is written together with the shop's new settings.
#[derive(Debug, Clone)]
pub enum ConfigChange {
    /// A new shop.
    Shop,
    /// How the shop looks.
    Brand(Brand),
    /// A flow, new or edited.
    Flow(Flow),
    /// A new version of a template.
    Template(EmailTemplate),
    /// An endpoint.
    Endpoint(Endpoint),
    /// A channel, with its lookup.
    Channel(Channel),
    /// A carrier integration, with its lookup.
    Carrier(CarrierIntegration),
    /// An API key, with its lookup by hash.
    Key(ApiKey),
    /// An API key is revoked.
    NoKey(ApiKey),
    /// A member, with the look-up by person.
    Member(Member),
    /// A member is gone, with the look-up.
    NoMember(Member),
    /// A template is not to be had any more; the versions that runs name stay.
    NoTemplate(TemplateId),
    /// An endpoint is gone.
    NoEndpoint(EndpointId),
    /// A channel is gone, with its lookup.
    NoChannel(ChannelId),
    /// A carrier integration is gone, with its lookup.
    NoCarrier(CarrierId),
    /// A change with the jobs that follow from it.
    WithJobs(Box<ConfigChange>, Vec<Job>),
    /// A change with a mail that tells of it.
    WithMail(Box<ConfigChange>, Box<AskedMail>),
}

impl ConfigChange {
    /// The change with what follows from it.
    #[must_use]
    pub fn with_jobs(self, jobs: Vec<Job>) -> Self {
        if jobs.is_empty() { self } else { Self::WithJobs(Box::new(self), jobs) }
    }
}

/// A shop's configuration.
pub trait ConfigStore: Send + Sync {
    /// The shop's settings.
    fn settings(&self, shop: &ShopId) -> impl Future<Output = Result<Option<Settings>, StoreError>> + Send;
    /// How the shop looks to its customers; plain if nothing was ever said.
    fn brand(&self, shop: &ShopId) -> impl Future<Output = Result<Brand, StoreError>> + Send;
    /// A flow as it is now, strongly consistent: a switch that was just turned counts at once.
    fn flow(
        &self,
        shop: &ShopId,
        id: &FlowId,
    ) -> impl Future<Output = Result<Option<Flow>, StoreError>> + Send;
    /// All flows.
    fn flows(&self, shop: &ShopId) -> impl Future<Output = Result<Vec<Flow>, StoreError>> + Send;
    /// One version of a template, or the newest.
    fn template(
        &self,
        shop: &ShopId,
        id: &TemplateId,
        version: Option<u64>,
    ) -> impl Future<Output = Result<Option<EmailTemplate>, StoreError>> + Send;
    /// The newest version of all templates.
    fn templates(&self, shop: &ShopId)
    -> impl Future<Output = Result<Vec<EmailTemplate>, StoreError>> + Send;
    /// An endpoint.
    fn endpoint(
        &self,
        shop: &ShopId,
        id: &EndpointId,
    ) -> impl Future<Output = Result<Option<Endpoint>, StoreError>> + Send;
    /// All endpoints.
    fn endpoints(&self, shop: &ShopId) -> impl Future<Output = Result<Vec<Endpoint>, StoreError>> + Send;
    /// A channel by the id in its inbound URL.
    fn channel(&self, id: &ChannelId) -> impl Future<Output = Result<Option<Channel>, StoreError>> + Send;
    /// All channels of a shop.
    fn channels(&self, shop: &ShopId) -> impl Future<Output = Result<Vec<Channel>, StoreError>> + Send;
    /// A carrier integration by the id in its inbound URL.
    fn carrier(
        &self,
        id: &CarrierId,
    ) -> impl Future<Output = Result<Option<CarrierIntegration>, StoreError>> + Send;
    /// All carrier integrations of a shop.
    fn carriers(
        &self,
        shop: &ShopId,
    ) -> impl Future<Output = Result<Vec<CarrierIntegration>, StoreError>> + Send;
    /// An API key by its hash, strongly consistent.
    fn api_key(&self, hash: &str) -> impl Future<Output = Result<Option<ApiKey>, StoreError>> + Send;
    /// All API keys of a shop.
    fn api_keys(&self, shop: &ShopId) -> impl Future<Output = Result<Vec<ApiKey>, StoreError>> + Send;
    /// Notes when a key was used. One that was revoked meanwhile stays so. No change of configuration.
    fn note_use(&self, key: &ApiKey, at: Timestamp) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Writes one change and the settings that go with it, if `config_version` is still
    /// `settings.config_version - 1` (0 for a new shop: no settings may exist).
    fn save(
        &self,
        change: &ConfigChange,
        settings: &Settings,
    ) -> impl Future<Output = Result<(), CommitError>> + Send;
}

// ---------------------------------------------------------------- calls under an idempotency key

/// Where a call that was made under an idempotency key stands.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CallState {
    /// Somebody works on it. After that time they are presumed dead.
    Running {
        /// The end of the lease.
        until: Timestamp,
    },
    /// It was refused without effect: the key may be used as if for the first time.
    Refused,
    /// It was done.
    Answered {
        /// Status, headers and body as JSON. Sealed: an answer may carry a secret that is shown once.
        answer: Sealed,
    },
}

/// A call under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CallRecord {
    /// Its tenant.
    pub shop: ShopId,
    /// Hash of route and key: the same call has the same.
    pub id: String,
    /// Hash of the body.
    pub body: String,
    /// When its key was first used; a day later the record is gone.
    pub began_at: Timestamp,
    /// Where ids and secrets of everything that the call makes come from. Sealed: it tells those secrets.
    pub seed: Sealed,
    /// Counts writes of this record, from 1.
    pub version: u64,
    /// Where it stands.
    pub state: CallState,
}

/// Calls under idempotency keys.
pub trait CallStore: Send + Sync {
    /// The record, strongly consistent; one that is a day old at `now` is not there.
    fn call(
        &self,
        shop: &ShopId,
        id: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<CallRecord>, StoreError>> + Send;
    /// Writes the record over the version before it. Version 1 is written where no record is, or one that is a
    /// day old. The same write again is a success.
    fn put_call(&self, record: &CallRecord) -> impl Future<Output = Result<(), CommitError>> + Send;
}

// ---------------------------------------------------------------- search

/// The entries under which an order is found now; those of an order that never was are none, at revision 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Indexed {
    /// All of them: who deletes these has deleted the order from the search.
    pub entries: BTreeSet<Entry>,
    /// Counts their changes.
    pub revision: u64,
}

/// An order as the search looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Searchable {
    /// The control item.
    pub order: Order,
    /// Its people; none if they were deleted.
    pub snapshot: Option<Snapshot>,
    /// Where it is found.
    pub indexed: Indexed,
}

/// The search: entries that lead to orders, kept behind the orders' back.
pub trait SearchStore: Send + Sync {
    /// An order with its people and its entries, in one round trip. Each is as new as any write that has been
    /// answered, but they may be of neighbouring versions: whoever keeps entries is told of the later one too.
    fn searchable(&self, id: &OrderId)
    -> impl Future<Output = Result<Option<Searchable>, StoreError>> + Send;
    /// Makes `entries` the ones under which the order is found, by difference to `was` and all or nothing; a lost
    /// race if its entries are not those any more.
    fn index(
        &self,
        shop: &ShopId,
        order: &OrderId,
        was: &Indexed,
        entries: &BTreeSet<Entry>,
    ) -> impl Future<Output = Result<(), CommitError>> + Send;
    /// Entries of a shop that begin with `prefix`, in their order, behind `after`.
    fn entries(
        &self,
        shop: &ShopId,
        prefix: &str,
        after: Option<&Entry>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Entry>, StoreError>> + Send;
    /// The orders with these ids and their people, in no order; what is not there is left out.
    fn found(
        &self,
        ids: &[OrderId],
    ) -> impl Future<Output = Result<Vec<(Order, Option<Snapshot>)>, StoreError>> + Send;
}

// ---------------------------------------------------------------- doorbell

/// One ring: a hint that a run is due. The run's record is the truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// The run.
    pub run: RunId,
    /// Not before; queues hold it back up to 15 minutes.
    pub delay: Duration,
}

/// The queues in front of the runners.
pub trait Doorbell: Send + Sync {
    /// Rings once for each; all or an error.
    fn ring(&self, rings: &[Ring]) -> impl Future<Output = Result<(), DoorbellError>> + Send;
}

/// The queue in front of the job runner.
pub trait JobDoorbell: Send + Sync {
    /// Rings for a job.
    fn ring_job(&self, shop: &ShopId, job: &JobId) -> impl Future<Output = Result<(), DoorbellError>> + Send;
}

/// The queue did not take it; the due index still holds the run.
#[derive(Debug, thiserror::Error)]
#[error("the queue did not take it: {0}")]
pub struct DoorbellError(pub String);

/// A message that this release cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    /// Not one of ours: nobody will ever read it.
    #[error("the message is not one of this queue")]
    Garbage,
    /// Made by another release, which reads it when it comes back: while one takes the place of another, both run.
    #[error("the message has version {0}, which this release does not know")]
    Version(u32),
}

/// Where messages go that nobody can read: at once, without a retry.
pub trait DeadLetters: Send + Sync {
    /// Keeps the message for a person.
    fn bury(&self, body: &str) -> impl Future<Output = Result<(), DoorbellError>> + Send;
}

// ---------------------------------------------------------------- inbound queue

/// The queue in front of `inbound-runner`: where notifications wait while the store is away.
pub trait InboundQueue: Send + Sync {
    /// Keeps a packed arrival until it could be decided.
    fn keep(&self, packed: &Envelope) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// A queue did not take a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// It is away, or refuses for now.
    #[error("the queue did not take it: {0}")]
    Away(String),
    /// No message of this size is ever taken.
    #[error("a message of {bytes} bytes is more than the queue takes")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

impl QueueError {
    /// What to do about it. A message kept twice is decided once, so trying again is safe.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Away(_) => Disposition::RETRY,
            Self::TooLarge { .. } => Disposition::Permanent,
        }
    }
}

// ---------------------------------------------------------------- acting

/// Why something was not done, or not known to be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ActError {
    /// What it means for the run.
    pub disposition: Disposition,
    /// In words for the timeline, without personal data or secrets.
    pub message: String,
}

impl ActError {
    /// It did not happen; try again.
    pub fn retry(message: impl Into<String>) -> Self {
        Self { disposition: Disposition::RETRY, message: message.into() }
    }

    /// It will not happen.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { disposition: Disposition::Permanent, message: message.into() }
    }

    /// It may have happened.
    pub fn ambiguous(message: impl Into<String>) -> Self {
        Self { disposition: Disposition::Ambiguous, message: message.into() }
    }
}

/// A mail ready to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Verified sender, `Name <address>`.
    pub from: String,
    /// Where answers go, if not there.
    pub reply_to: Option<String>,
    /// One recipient.
    pub to: String,
    /// One line.
    pub subject: String,
    /// HTML part.
    pub html: Option<String>,
    /// Plain part.
    pub text: Option<String>,
    /// ASCII tags that come back with delivery events.
    pub tags: BTreeMap<String, String>,
    /// SES's configuration set of the shop; the deployment's unless said.
    pub configuration_set: Option<String>,
}

/// Why a mail did not leave, or is not known to have left.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// The sender is stopped for everybody. It says nothing of this mail, which keeps all its attempts.
    #[error("{message}")]
    Paused {
        /// In words for the timeline.
        message: String,
    },
    /// The sender's rate or quota is used up. It says nothing of this mail, which keeps all its attempts.
    #[error("{message}")]
    TooFast {
        /// In words for the timeline.
        message: String,
        /// How long to wait at least.
        after: stagepost_domain::SignedDuration,
    },
    /// This one did not work.
    #[error(transparent)]
    Failed(#[from] ActError),
}

/// Sends mail, at most once per call: no retry below this port.
pub trait Mailer: Send + Sync {
    /// Sends and gives the provider's message id.
    fn send(&self, mail: &Mail) -> impl Future<Output = Result<String, MailError>> + Send;
}

/// A webhook call.
#[derive(Debug, Clone)]
pub struct Post {
    /// Vetted at connect time.
    pub url: url::Url,
    /// Header names in lower case; of two of one name the last counts.
    pub headers: Vec<(String, String)>,
    /// The frozen bytes.
    pub body: Vec<u8>,
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Its wish for patience.
    pub retry_after: Option<stagepost_domain::SignedDuration>,
    /// Headers whose values are text.
    pub headers: Vec<(String, String)>,
    /// The beginning of its body.
    pub body: Vec<u8>,
    /// Whether the body went on.
    pub more: bool,
}

impl Answer {
    /// A status and nothing else.
    #[must_use]
    pub fn of(status: u16) -> Self {
        Self { status, retry_after: None, headers: Vec::new(), body: Vec::new(), more: false }
    }
}

/// Calls merchants' URLs: guarded, bounded, without redirects.
pub trait WebhookSender: Send + Sync {
    /// One POST. Any HTTP answer is `Ok`. Once there has been none for
    /// [`SILENT_AFTER`](stagepost_domain::health::SILENT_AFTER), `silent` runs beside the call.
    fn post(
        &self,
        post: &Post,
        silent: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = Result<Answer, ActError>> + Send;
}

/// A call of a platform's API.
#[derive(Clone)]
pub struct ApiCall {
    /// `GET`, `POST` or `PUT`.
    pub method: &'static str,
    /// Vetted at connect time like a merchant's URL: a store's address is a merchant's word.
    pub url: url::Url,
    /// Header names in lower case; credentials among them, so this type has no `Debug`.
    pub headers: Vec<(&'static str, String)>,
    /// JSON bytes.
    pub body: Option<Vec<u8>>,
}

/// A platform's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiAnswer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, if sent.
    pub retry_after: Option<stagepost_domain::SignedDuration>,
    /// How long the call took, from its sending to its whole answer.
    pub took: stagepost_domain::SignedDuration,
    /// `Date`, if sent: when it was answered by the other side's clock, in whole seconds.
    pub date: Option<Timestamp>,
    /// At most 2 MiB.
    pub body: Vec<u8>,
}

/// Calls platforms' APIs: guarded, bounded, without redirects. Any HTTP answer is `Ok`; an error says
/// whether the request may have reached the platform (`Ambiguous`) or not (`Retry`, `Permanent`).
pub trait PlatformHttp: Send + Sync {
    /// One call.
    fn call(&self, call: ApiCall) -> impl Future<Output = Result<ApiAnswer, ActError>> + Send;
}

/// A channel with its credentials opened, for one use.
#[derive(Clone)]
pub struct ChannelAccess {
    /// The channel.
    pub channel: Channel,
    /// Shopify's access token, or WooCommerce's `key:secret`.
    pub credentials: String,
}

/// What to fulfill with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FulfillRequest {
    /// Our run, kept in the platform's metadata where it has any.
    pub run: RunId,
    /// The order's packages that are not taken away and that no fulfillment on the platform brought.
    pub packages: Vec<PackageSeen>,
    /// Whether the platform mails the customer.
    pub notify_customer: bool,
    /// Whether an earlier call of this run may have taken effect, or still may: what is found done meanwhile
    /// may be our own doing.
    pub in_doubt: bool,
}

/// A fulfillment as the platform shows it to a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformShipment {
    /// Its identity, the same as in notifications.
    pub id: ShipmentId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Not cancelled.
    pub active: bool,
    /// Its tracking numbers as the platform shows them.
    pub numbers: Vec<String>,
    /// Our run's id, if the platform kept it.
    pub marker: Option<String>,
}

/// What the platform shows of an order before we act.
#[derive(Debug, Clone)]
pub struct PlatformLook<W> {
    /// How much is fulfilled.
    pub coverage: Coverage,
    /// The fulfillments there.
    pub shipments: Vec<PlatformShipment>,
    /// What is left for us to fulfill, in the adapter's own terms; `None` when there is nothing.
    pub work: Option<W>,
    /// Why nothing can be fulfilled although something remains: cancelled, a platform hold, another
    /// service's, a missing permission. In words for the timeline.
    pub blocked: Option<String>,
}

/// What our call made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fulfilled {
    /// The fulfillments named in the answers.
    pub shipments: Vec<ShipmentId>,
    /// Whether nothing remains.
    pub coverage: Coverage,
}

/// A call that failed, perhaps after some of its parts had worked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FulfillError {
    /// What the platform had confirmed before.
    pub made: Vec<ShipmentId>,
    /// The platform says that nothing was left: settle by looking again.
    pub already_done: bool,
    /// The error.
    pub error: ActError,
}

/// One sales platform, for the fulfillment runner: look, then act.
pub trait FulfillmentPlatform: Send + Sync {
    /// What remains, in the adapter's own terms.
    type Work: Send + Sync;
    /// Reads the order. Never writes.
    fn look(
        &self,
        access: &ChannelAccess,
        order: &Source,
    ) -> impl Future<Output = Result<PlatformLook<Self::Work>, ActError>> + Send;
    /// Fulfills what remains.
    fn fulfill(
        &self,
        access: &ChannelAccess,
        order: &Source,
        work: &Self::Work,
        request: &FulfillRequest,
    ) -> impl Future<Output = Result<Fulfilled, FulfillError>> + Send;
}

/// An order as a platform lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedOrder {
    /// What it says, as a notification of it would be read.
    pub reading: crate::inbound::Reading,
    /// The raw order in the shape of its notification, for the quarantine.
    pub raw: Vec<u8>,
    /// The topic under which that is read.
    pub topic: &'static str,
}

/// A page of a platform's orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPage {
    /// The orders, those that changed first before the others.
    pub orders: Vec<ListedOrder>,
    /// The newest change on the page.
    pub newest: Option<Timestamp>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// One sales platform, for reconciliation: what changed since.
pub trait OrderSource: Send + Sync {
    /// A page of the orders that changed after `since`, oldest change first. `cursor` is a page's `next`.
    fn changed(
        &self,
        access: &ChannelAccess,
        since: Timestamp,
        cursor: Option<&str>,
        now: Timestamp,
    ) -> impl Future<Output = Result<OrderPage, ActError>> + Send;
    /// Whether the platform takes our credentials, and whether they allow what we do: a call that changes
    /// nothing. Why not, and what to do about it, is in the error.
    fn probe(&self, access: &ChannelAccess) -> impl Future<Output = Result<(), ActError>> + Send;
}

/// A carrier integration with its credentials opened, for one use.
#[derive(Clone)]
pub struct CarrierAccess {
    /// The integration.
    pub carrier: CarrierIntegration,
    /// EasyPost's API key.
    pub credentials: String,
}

/// A tracker as its carrier service shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracker {
    /// Its id there, at most [`TRACKER_ID_MAX`] bytes.
    pub id: String,
    /// What it says of the parcel, read as a notification is; nothing if it says nothing that can be read.
    pub fact: Option<TrackingFact>,
}

/// Longest id of a tracker, in bytes.
pub const TRACKER_ID_MAX: usize = 100;

/// A carrier service's API: what it reports is what it was asked to report.
pub trait TrackerService: Send + Sync {
    /// Asks for a parcel's reports. Asked again for the same parcel it gives the tracker that is there.
    fn register(
        &self,
        access: &CarrierAccess,
        parcel: &PackageSeen,
    ) -> impl Future<Output = Result<Tracker, ActError>> + Send;
    /// A tracker as it stands now.
    fn fetch(
        &self,
        access: &CarrierAccess,
        tracker: &str,
    ) -> impl Future<Output = Result<Tracker, ActError>> + Send;
    /// Whether the service takes our key: a call that changes nothing.
    fn probe(&self, access: &CarrierAccess) -> impl Future<Output = Result<(), ActError>> + Send;
}

// ---------------------------------------------------------------- secrets

/// What a secret is for: part of the encryption context, so that one cannot stand in for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// Signs a channel's notifications.
    ChannelWebhook,
    /// Opens a channel's platform.
    ChannelCredentials,
    /// Signs a carrier's notifications.
    CarrierWebhook,
    /// Opens a carrier service's API.
    CarrierCredentials,
    /// Signs our webhooks.
    EndpointSecret,
    /// A header that an endpoint's owner wants on every call.
    EndpointHeader,
    /// What a call under an idempotency key makes and answers.
    Call,
    /// Opens one message of the inbound queue.
    InboundMessage,
    /// Opens one body in quarantine.
    QuarantinedBody,
    /// An address that a shop does not mail to.
    SuppressedAddress,
    /// The address of somebody who works with a shop.
    MemberAddress,
}

impl SecretKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::ChannelWebhook,
        Self::ChannelCredentials,
        Self::CarrierWebhook,
        Self::CarrierCredentials,
        Self::EndpointSecret,
        Self::EndpointHeader,
        Self::Call,
        Self::InboundMessage,
        Self::QuarantinedBody,
        Self::SuppressedAddress,
        Self::MemberAddress,
    ];

    /// Stable word in the encryption context.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChannelWebhook => "channel-webhook",
            Self::ChannelCredentials => "channel-credentials",
            Self::CarrierWebhook => "carrier-webhook",
            Self::CarrierCredentials => "carrier-credentials",
            Self::EndpointSecret => "endpoint-secret",
            Self::EndpointHeader => "endpoint-header",
            Self::Call => "call",
            Self::InboundMessage => "inbound-message",
            Self::QuarantinedBody => "quarantined-body",
            Self::SuppressedAddress => "suppressed-address",
            Self::MemberAddress => "member-address",
        }
    }

    /// Longest text that is sealed for this, in bytes. Real secrets have fewer than 300; an answer holds a
    /// template at most, and its record must fit into one item.
    #[must_use]
    pub fn plain_max(self) -> usize {
        match self {
            Self::Call => 256 * 1_024,
            _ => 4_096,
        }
    }
}

impl std::fmt::Display for SecretKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was to be done with a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretAction {
    /// Encrypt it.
    Seal,
    /// Decrypt it.
    Open,
}

impl std::fmt::Display for SecretAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Seal => "sealed",
            Self::Open => "opened",
        })
    }
}

/// A secret could not be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {kind} secret cannot be {action}: {why}")]
pub struct SecretError {
    /// Which kind.
    pub kind: SecretKind,
    /// What was to be done.
    pub action: SecretAction,
    /// In words, without the secret.
    pub why: String,
    /// What to do about it. Never ambiguous: nothing changes by it.
    pub disposition: Disposition,
}

impl SecretError {
    /// What holds the key is away for now.
    pub fn away(kind: SecretKind, action: SecretAction, why: impl Into<String>) -> Self {
        Self { kind, action, why: why.into(), disposition: Disposition::RETRY }
    }

    /// It never works like this: another key, another shop, a text that nobody sealed.
    pub fn hopeless(kind: SecretKind, action: SecretAction, why: impl Into<String>) -> Self {
        Self { kind, action, why: why.into(), disposition: Disposition::Permanent }
    }
}

/// Whose a secret is: part of the encryption context, like its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// One tenant's.
    Shop(&'a ShopId),
    /// The deployment's own: of what comes in before anybody can tell whose it is.
    Deployment,
}

impl std::fmt::Display for Scope<'_> {
    /// Stable text in the encryption context. A shop's id begins with `shop_`, so the two never meet.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shop(shop) => shop.fmt(f),
            Self::Deployment => f.write_str("deployment"),
        }
    }
}

impl<'a> From<&'a ShopId> for Scope<'a> {
    fn from(shop: &'a ShopId) -> Self {
        Self::Shop(shop)
    }
}

/// Encrypts small secrets at rest, bound to their scope and kind. For anything large a key is sealed here that
/// is used once: [`envelope`](crate::envelope).
pub trait Secrets: Send + Sync {
    /// Encrypts; at most 4 KB.
    fn seal(
        &self,
        scope: Scope<'_>,
        kind: SecretKind,
        plain: &str,
    ) -> impl Future<Output = Result<Sealed, SecretError>> + Send;
    /// Decrypts.
    fn open(
        &self,
        scope: Scope<'_>,
        kind: SecretKind,
        sealed: &Sealed,
    ) -> impl Future<Output = Result<String, SecretError>> + Send;
}

/// A run's place, for log lines and errors.
#[must_use]
pub fn run_id(order: &OrderId, seq: u64, key: &RunKey) -> RunId {
    RunId { order: order.clone(), seq, key: key.clone() }
}
