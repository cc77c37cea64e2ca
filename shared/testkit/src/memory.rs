//! The store in memory: the same laws as the real one, and faults on demand.

mod attempts;
mod audit;
mod calls;
mod config;
mod contact;
mod erase;
mod governor;
mod inbound;
mod jobs;
mod mail;
mod orders;
mod people;
mod runs;
mod search;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stagepost_app::attempt::Attempt;
use stagepost_app::mail::ports::{AskedMail, Asker};
use stagepost_app::ports::{
    CallRecord, CommitError, IgnoredFact, Indexed, ParkedFact, Quarantined, StoreError,
};
use stagepost_domain::brand::Brand;
use stagepost_domain::contact::{Contact, FarEnd};
use stagepost_domain::event::Event;
use stagepost_domain::flow::Flow;
use stagepost_domain::governor::{Governor, Tally};
use stagepost_domain::health::Health;
use stagepost_domain::id::{
    CarrierId, ChannelId, EndpointId, FlowId, JobId, MailId, MemberId, OrderId, PackageId, QuarantineId,
    ShopId, SuppressionId, TemplateId,
};
use stagepost_domain::job::Job;
use stagepost_domain::link::Link;
use stagepost_domain::member::Member;
use stagepost_domain::order::{Order, Snapshot};
use stagepost_domain::package::Package;
use stagepost_domain::run::later;
use stagepost_domain::search::Entry;
use stagepost_domain::shop::{ApiKey, CarrierIntegration, Channel, Endpoint, Settings};
use stagepost_domain::suppression::Suppression;
use stagepost_domain::template::EmailTemplate;
use stagepost_domain::{SignedDuration, Timestamp};

/// What goes wrong with the next write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is refused for now.
    Throttle,
    /// Another transaction stands in the way.
    Conflict,
    /// The store is away; nothing is written.
    Down,
    /// It is written, but the answer never comes.
    LostReply,
}

/// A store in memory; clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct StoredOrder {
    order: Order,
    write_id: String,
}

#[derive(Debug)]
struct StoredEvent {
    event: Event,
    due: Option<Timestamp>,
}

#[derive(Debug)]
struct StoredParked {
    fact: ParkedFact,
    due: Option<Timestamp>,
}

#[derive(Debug)]
struct StoredJob {
    job: Job,
    due: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct State {
    orders: BTreeMap<OrderId, StoredOrder>,
    snapshots: BTreeMap<OrderId, Snapshot>,
    packages: BTreeMap<OrderId, BTreeMap<PackageId, Package>>,
    events: BTreeMap<(OrderId, u64), StoredEvent>,
    bodies: BTreeMap<(OrderId, u64), String>,
    numbers: BTreeSet<(ShopId, String, OrderId)>,
    entries: BTreeSet<(ShopId, Entry)>,
    indexed: BTreeMap<OrderId, Indexed>,
    ignored: Vec<IgnoredFact>,
    parked: Vec<StoredParked>,
    quarantine: BTreeMap<(ShopId, QuarantineId), Quarantined>,
    settings: BTreeMap<ShopId, Settings>,
    flows: BTreeMap<(ShopId, FlowId), Flow>,
    templates: BTreeMap<(ShopId, TemplateId, u64), EmailTemplate>,
    endpoints: BTreeMap<(ShopId, EndpointId), Endpoint>,
    channels: BTreeMap<ChannelId, Channel>,
    carriers: BTreeMap<CarrierId, CarrierIntegration>,
    keys: BTreeMap<String, ApiKey>,
    members: BTreeMap<(ShopId, MemberId), Member>,
    calls: BTreeMap<(ShopId, String), CallRecord>,
    jobs: BTreeMap<(ShopId, JobId), StoredJob>,
    governors: BTreeMap<ShopId, Governor>,
    attempts: Vec<Attempt>,
    healths: BTreeMap<(ShopId, EndpointId), Health>,
    contacts: BTreeMap<(ShopId, FarEnd), Contact>,
    brands: BTreeMap<ShopId, Brand>,
    mails: BTreeMap<(ShopId, i64), u64>,
    suppressions: BTreeMap<(ShopId, SuppressionId), Suppression>,
    lines: BTreeMap<String, Timestamp>,
    tallies: BTreeMap<(ShopId, i64), Tally>,
    asked_mails: BTreeMap<(Asker, MailId), AskedMail>,
    hourly: BTreeMap<(String, i64), u64>,
    links: BTreeMap<String, Link>,
    /// Templates that are not to be had any more.
    gone: BTreeSet<(ShopId, TemplateId)>,
    faults: VecDeque<Fault>,
    /// Orders whose items cannot be read.
    broken: BTreeSet<OrderId>,
    writes: u64,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next write fail this way; several queue up.
    pub fn inject(&self, fault: Fault) {
        self.lock().faults.push_back(fault);
    }

    /// Ends all faults that have not struck.
    pub fn heal(&self) {
        self.lock().faults.clear();
    }

    /// Makes the order's item one that cannot be read, or readable again.
    pub fn break_order(&self, id: &OrderId, broken: bool) {
        let mut state = self.lock();
        match broken {
            true => state.broken.insert(id.clone()),
            false => state.broken.remove(id),
        };
    }

    /// How many writes took place: what a duplicate must not add to.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.lock().writes
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one write under the next fault. `work` changes the state only when it succeeds.
    fn write<T>(&self, work: impl FnOnce(&mut State) -> Result<T, CommitError>) -> Result<T, CommitError> {
        let mut state = self.lock();
        let fault = state.faults.pop_front();
        match fault {
            Some(Fault::Throttle) => return Err(StoreError::Throttled.into()),
            Some(Fault::Conflict) => return Err(CommitError::Conflict),
            Some(Fault::Down) => return Err(StoreError::Unavailable("injected".to_owned()).into()),
            Some(Fault::LostReply) | None => {}
        }
        let done = work(&mut state)?;
        state.writes = state.writes.saturating_add(1);
        match fault {
            Some(_) => Err(StoreError::Unavailable("the answer was lost".to_owned()).into()),
            None => Ok(done),
        }
    }

    /// The same for writes without a condition.
    fn write_plain(&self, work: impl FnOnce(&mut State)) -> Result<(), StoreError> {
        let done = self.write(|state| {
            work(state);
            Ok(())
        });
        done.map_err(|error| match error {
            CommitError::Store(error) => error,
            CommitError::LostRace | CommitError::Conflict => StoreError::Throttled,
        })
    }
}

impl State {
    fn readable(&self, id: &OrderId) -> Result<(), StoreError> {
        match self.broken.contains(id) {
            true => Err(StoreError::Corrupt { item: id.to_string(), reason: "injected".to_owned() }),
            false => Ok(()),
        }
    }
}

/// What expires is kept for 30 days.
fn expired(at: Timestamp, now: Timestamp) -> bool {
    later(at, SignedDuration::from_hours(30 * 24)).as_second() <= now.as_second()
}

fn bad_cursor() -> StoreError {
    StoreError::Corrupt { item: "cursor".to_owned(), reason: "not one of ours".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{Stored, changes, commit, order_fact, order_id, seconds, told};
    use stagepost_app::ports::OrderStore;

    #[tokio::test]
    async fn a_fault_hits_one_write_and_only_a_lost_reply_leaves_it_written() {
        let decided = Stored::default().decide(&order_id(1), &told(order_fact(1, 0)), seconds(0));
        let commit = commit(changes(decided), "w");
        for (fault, written) in
            [(Fault::Throttle, 0), (Fault::Conflict, 0), (Fault::Down, 0), (Fault::LostReply, 1)]
        {
            let store = MemoryStore::new();
            store.inject(fault);
            assert!(store.commit(&commit).await.is_err(), "{fault:?}");
            assert_eq!(store.writes(), written, "{fault:?}");
            assert_eq!(store.order(&order_id(1)).await.unwrap().is_some(), written == 1, "{fault:?}");
            store.commit(&commit).await.unwrap();
            assert_eq!(store.order(&order_id(1)).await.unwrap(), Some(commit.changes.order.clone()));
        }
    }
}
