//! Two sales platforms with a truth of their own, which send all their notifications, our own writes'
//! included: one like Shopify (an id per fulfillment, several locations, payloads frozen when sent) and one
//! like WooCommerce (a completion known by its time, our run's id in the metadata, payloads built when
//! delivered).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use stagepost_app::ports::{
    ActError, ChannelAccess, Clock, FulfillError, FulfillRequest, Fulfilled, FulfillmentPlatform, OrderStore,
    PlatformLook, PlatformShipment,
};
use stagepost_domain::fact::{
    Coverage, Fact, FulfillmentSeen, ShipmentFact, ShipmentId, ShipmentSeen, TrackingFact,
};
use stagepost_domain::id::OrderId;
use stagepost_domain::order::{Lifecycle, Platform, Source};
use stagepost_domain::run::{RunId, later};
use stagepost_domain::{SignedDuration, Timestamp};

use super::carriers::{Carriers, Ground};
use super::dice::{Shelf, breathe, lock};
use crate::{MemoryStore, build};

/// A notification on its way.
#[derive(Debug, Clone)]
pub(super) struct Note {
    pub what: Told,
    pub not_before: Timestamp,
    /// How often it was sent before.
    pub again: usize,
}

/// What a notification tells.
#[derive(Debug, Clone)]
pub(super) enum Told {
    /// This, whatever happens meanwhile.
    Fact { order: OrderId, fact: Box<Fact> },
    /// The order as it is when the notification goes out.
    AsItIs { external_id: String },
    /// A parcel.
    Tracking(TrackingFact),
}

/// Platforms count in seconds.
pub(super) fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// One fulfillment, or one completion.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub id: ShipmentId,
    /// The locations it covers.
    pub groups: Vec<usize>,
    /// Our run, or nobody of ours.
    pub by: Option<RunId>,
    pub at: Timestamp,
    pub updated: Timestamp,
    pub active: bool,
    pub numbers: Vec<String>,
}

/// An order as its platform has it.
#[derive(Debug, Clone)]
pub(super) struct Sold {
    pub source: Source,
    pub id: OrderId,
    pub created_at: Timestamp,
    pub updated: Timestamp,
    pub cancelled_at: Option<Timestamp>,
    pub email: Option<String>,
    pub groups: usize,
    pub made: Vec<Made>,
    /// WooCommerce: survives a way back to *processing*.
    pub completed_at: Option<Timestamp>,
    /// WooCommerce: our run's id.
    pub marker: Option<String>,
    /// How often somebody else fulfilled something.
    pub theirs: usize,
    /// Every state of its customer and its life so far.
    said: Vec<(Option<String>, bool)>,
}

impl Sold {
    fn woo(&self) -> bool {
        self.source.platform == Platform::Woocommerce
    }

    fn remaining(&self) -> Vec<usize> {
        let done = |g: &usize| self.made.iter().any(|m| m.active && m.groups.contains(g));
        (0..self.groups).filter(|g| !done(g)).collect()
    }

    pub fn coverage(&self) -> Coverage {
        match self.remaining().len() {
            0 => Coverage::Complete,
            n if n == self.groups => Coverage::None,
            _ => Coverage::Partial,
        }
    }

    pub fn lifecycle(&self) -> Lifecycle {
        match self.cancelled_at {
            Some(_) if self.woo() => Lifecycle::Cancelled { at: None },
            Some(at) => Lifecycle::Cancelled { at: Some(at) },
            None => Lifecycle::Open,
        }
    }

    fn number(&self) -> String {
        format!("#{}", self.source.external_id)
    }

    /// Notes what is said of customer and life from now on.
    fn say(&mut self) {
        let word = (self.email.clone(), self.cancelled_at.is_some());
        if self.said.last() != Some(&word) {
            self.said.push(word);
        }
    }

    /// Whether customer and life are again as they once were: then a late word of between may have been
    /// taken for the newest (docs/adr/0005).
    pub fn came_full_circle(&self) -> bool {
        self.said.split_last().is_some_and(|(last, before)| before.contains(last))
    }

    /// The order in a notification.
    pub fn fact(&self) -> Fact {
        let mut fact = build::order_fact(0, 0);
        fact.source = self.source.clone();
        fact.updated_at = Some(self.updated);
        fact.created_at = self.created_at;
        fact.number = self.number();
        fact.lifecycle = self.lifecycle();
        fact.snapshot.customer.email.clone_from(&self.email);
        fact.fulfillment = if self.woo() { self.completion_seen() } else { self.fulfillments_seen() };
        build::told(fact)
    }

    fn fulfillments_seen(&self) -> FulfillmentSeen {
        FulfillmentSeen {
            coverage: self.coverage(),
            shipments: self.made.iter().map(Made::seen).collect(),
            ..FulfillmentSeen::default()
        }
    }

    fn completion_seen(&self) -> FulfillmentSeen {
        let open = self.cancelled_at.is_none() && self.coverage() == Coverage::None;
        // Of the past only the last completion is told, and only while the order is open again.
        let told = self.made.last().filter(|m| m.active || open);
        let completion = told.map(|m| ShipmentSeen {
            id: m.id.clone(),
            updated_at: self.updated,
            active: m.active,
            packages: Vec::new(),
            report: None,
        });
        let parcels: Vec<_> = self.made.iter().flat_map(|m| &m.numbers).map(|n| build::parcel(n)).collect();
        FulfillmentSeen {
            coverage: self.coverage(),
            shipments: completion.into_iter().collect(),
            packages: (!parcels.is_empty()).then_some(parcels),
            reopened: open && self.completed_at.is_some(),
            marker: self.marker.clone(),
        }
    }
}

impl Made {
    fn seen(&self) -> ShipmentSeen {
        ShipmentSeen {
            id: self.id.clone(),
            updated_at: self.updated,
            active: self.active,
            packages: self.numbers.iter().map(|n| build::parcel(n)).collect(),
            report: None,
        }
    }
}

/// A call of ours that takes effect later than its answer would have come.
struct Late {
    lands: Timestamp,
    external_id: String,
    group: usize,
    request: FulfillRequest,
}

#[derive(Default)]
struct Truth {
    sold: BTreeMap<String, Sold>,
    late: Vec<Late>,
    /// Orders with a call under way.
    calling: Vec<OrderId>,
    /// Orders that our last look showed as complete.
    looked_complete: Vec<OrderId>,
    /// Runs that a person had tried again.
    wanted_again: BTreeSet<RunId>,
    ids: u64,
}

/// Both platforms; clones share them.
#[derive(Clone)]
pub(super) struct Market {
    ground: Ground,
    carriers: Carriers,
    store: MemoryStore,
    skew: SignedDuration,
    truth: Arc<Mutex<Truth>>,
    /// What we did that we must not.
    pub fouls: Shelf<String>,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Works,
    Throttled,
    Forbidden,
    /// No answer.
    Lost(Lands),
    /// Neither answer nor end.
    Hangs(Lands),
}

/// Whether a call without an answer takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lands {
    Never,
    Now,
    After(i64),
}

/// What a call found.
enum Landed {
    Made(ShipmentId),
    /// Nothing was left to fulfill there.
    Gone,
    Cancelled,
    /// Not yet, or never.
    Nothing,
}

/// No other call of this order begins while this lives.
struct Calling(Market, OrderId);

impl Drop for Calling {
    fn drop(&mut self) {
        lock(&self.0.truth).calling.retain(|id| *id != self.1);
    }
}

impl Market {
    pub fn new(ground: Ground, carriers: Carriers, store: MemoryStore) -> Self {
        // Nobody's clock is right, but none is off by more than the runner allows for.
        let skew = SignedDuration::from_secs(ground.dice.between(-4, 4));
        Self { ground, carriers, store, skew, truth: Arc::default(), fouls: Shelf::default() }
    }

    /// An order comes in.
    pub fn sell(&self, source: Source, created_at: Timestamp, groups: usize, email: Option<String>) {
        let mut truth = self.truth();
        let mut sold = Sold {
            id: source.order_id(&build::shop()),
            created_at,
            updated: created_at,
            cancelled_at: None,
            email,
            groups,
            made: Vec::new(),
            completed_at: None,
            marker: None,
            theirs: 0,
            said: Vec::new(),
            source,
        };
        self.tell(&mut sold, None);
        truth.sold.insert(sold.source.external_id.clone(), sold);
    }

    /// A person wants it done again, whatever came of it before.
    pub fn wanted_again(&self, run: &RunId) {
        self.truth().wanted_again.insert(run.clone());
    }

    /// The truth about every order.
    pub fn sold(&self) -> Vec<Sold> {
        self.truth().sold.values().cloned().collect()
    }

    /// The truth about one.
    pub fn order(&self, id: &OrderId) -> Option<Sold> {
        self.truth().sold.values().find(|s| s.id == *id).cloned()
    }

    /// What a notification of the order says when it is built now.
    pub fn as_it_is(&self, external_id: &str) -> Option<(OrderId, Fact)> {
        self.truth().sold.get(external_id).map(|s| (s.id.clone(), s.fact()))
    }

    fn now(&self) -> Timestamp {
        whole_second(later(self.ground.clock.now(), self.skew))
    }

    /// The truth, after whatever was still on its way.
    fn truth(&self) -> MutexGuard<'_, Truth> {
        let now = later(self.ground.clock.now(), self.skew);
        let mut truth = lock(&self.truth);
        let (landing, late): (Vec<_>, Vec<_>) = truth.late.drain(..).partition(|l| l.lands <= now);
        truth.late = late;
        for l in landing {
            self.land(&mut truth, &l.external_id, l.group, &l.request, whole_second(l.lands));
        }
        truth
    }

    /// Sends all notifications that a change makes.
    fn tell(&self, sold: &mut Sold, shipment: Option<&Made>) {
        sold.say();
        let order = sold.id.clone();
        for _ in 0..1 + self.ground.dice.below(2) {
            self.ground.send(if sold.woo() {
                Told::AsItIs { external_id: sold.source.external_id.clone() }
            } else {
                Told::Fact { order: order.clone(), fact: Box::new(sold.fact()) }
            });
        }
        if let Some(made) = shipment.filter(|_| !sold.woo()) {
            let fact = Fact::Shipment(ShipmentFact {
                source: sold.source.clone(),
                number: Some(sold.number()),
                shipment: made.seen(),
            });
            self.ground.send(Told::Fact { order, fact: Box::new(fact) });
        }
    }

    /// Somebody fulfills these locations, and everybody is told.
    fn make(&self, sold: &mut Sold, ids: &mut u64, at: Timestamp, made: Made) -> ShipmentId {
        *ids += 1;
        let text = if sold.woo() { format!("completed@{at}") } else { format!("{}", 7_000 + *ids) };
        let made = Made { id: ShipmentId(text), ..made };
        sold.updated = at;
        sold.completed_at = Some(at);
        sold.cancelled_at = None;
        sold.made.push(made.clone());
        self.tell(sold, Some(&made));
        made.id
    }

    /// One of our calls takes effect.
    fn land(
        &self,
        truth: &mut Truth,
        external_id: &str,
        group: usize,
        request: &FulfillRequest,
        now: Timestamp,
    ) -> Landed {
        let Some(sold) = truth.sold.get_mut(external_id) else { return Landed::Nothing };
        let at = now.max(sold.updated);
        let run = request.run.to_string();
        if sold.woo() {
            let marked = sold.marker.replace(run);
            // A completed order stays completed as of then, and takes the mark.
            if let Some(there) = sold.made.iter().find(|m| m.active).map(|m| m.id.clone()) {
                sold.updated = at;
                if marked != sold.marker {
                    self.tell(sold, None);
                }
                return Landed::Made(there);
            }
        } else if sold.cancelled_at.is_some() {
            return Landed::Cancelled;
        } else if !sold.remaining().contains(&group) {
            return Landed::Gone;
        }
        let before =
            sold.made.iter().any(|m| m.by.as_ref() == Some(&request.run) && m.groups.contains(&group));
        if before && !truth.wanted_again.contains(&request.run) {
            self.fouls.put(format!("{} fulfilled location {group} a second time", request.run));
        }
        let made = Made {
            id: ShipmentId(String::new()),
            groups: vec![group],
            by: Some(request.run.clone()),
            at,
            updated: at,
            active: true,
            numbers: request.packages.iter().filter_map(|p| p.number.clone()).collect(),
        };
        Landed::Made(self.make(sold, &mut truth.ids, at, made))
    }

    /// The merchant does something on the platform; gives what.
    pub fn merchant_acts(&self) -> Option<String> {
        let dice = &self.ground.dice;
        let now = self.now();
        let mut truth = self.truth();
        let truth = &mut *truth;
        let all: Vec<String> = truth.sold.keys().cloned().collect();
        let sold = truth.sold.get_mut(dice.pick(&all)?)?;
        // A person is never as quick as to change an order twice in one second.
        let at = now.max(later(sold.updated, SignedDuration::from_secs(1)));
        let what = match dice.below(100) {
            0..45 => self.fulfills(sold, &mut truth.ids, at)?,
            45..65 => self.takes_back(sold, at)?,
            65..72 => self.cancels(sold, at)?,
            _ => {
                sold.updated = at;
                sold.email = Some(format!("ada{}@customer.test", dice.below(3))).filter(|_| dice.chance(80));
                self.tell(sold, None);
                "edits".to_owned()
            }
        };
        Some(format!("{what} {}", sold.id))
    }

    fn fulfills(&self, sold: &mut Sold, ids: &mut u64, at: Timestamp) -> Option<String> {
        let dice = &self.ground.dice;
        let mut groups = sold.remaining();
        if sold.cancelled_at.is_some() || groups.is_empty() {
            return None;
        }
        if dice.chance(40) {
            groups.truncate(1);
        }
        let numbers = (0..dice.below(3)).map(|_| self.carriers.set_out()).collect();
        sold.theirs += 1;
        let id = ShipmentId(String::new());
        let made = Made { id, groups, by: None, at, updated: at, active: true, numbers };
        let id = self.make(sold, ids, at, made);
        Some(format!("fulfills as {}", id.0))
    }

    fn takes_back(&self, sold: &mut Sold, at: Timestamp) -> Option<String> {
        let active: Vec<usize> =
            sold.made.iter().enumerate().filter(|(_, m)| m.active).map(|(i, _)| i).collect();
        let made = sold.made.get_mut(*self.ground.dice.pick(&active)?)?;
        (made.active, made.updated) = (false, at);
        let made = made.clone();
        sold.updated = at;
        self.tell(sold, Some(&made));
        Some(format!("takes back {}", made.id.0))
    }

    fn cancels(&self, sold: &mut Sold, at: Timestamp) -> Option<String> {
        if sold.made.iter().any(|m| m.active) {
            return None;
        }
        sold.cancelled_at = match sold.cancelled_at {
            None => Some(at),
            // Only WooCommerce knows a way back.
            Some(_) if sold.woo() => None,
            Some(_) => return None,
        };
        sold.updated = at;
        self.tell(sold, None);
        Some("cancels or reopens".to_owned())
    }

    // ------------------------------------------------------------ our calls

    fn fate(&self) -> Fate {
        let dice = &self.ground.dice;
        let lands = match dice.below(3) {
            0 => Lands::Never,
            1 => Lands::Now,
            _ => Lands::After(dice.between(1, 24)),
        };
        match dice.below(100) {
            _ if !dice.fault(100) => Fate::Works,
            0..6 => Fate::Throttled,
            6..8 => Fate::Forbidden,
            8..18 => Fate::Lost(lands),
            18..23 => Fate::Hangs(lands),
            _ => Fate::Works,
        }
    }

    fn take(&self, external_id: &str, group: usize, request: &FulfillRequest, fate: Fate) -> Landed {
        let now = self.now();
        let mut truth = self.truth();
        // The adapter sees by the answer that somebody else had completed the order, and withdraws its mark.
        let sold = truth.sold.get(external_id).filter(|sold| sold.woo() && sold.remaining().is_empty());
        if sold.is_some() && fate == Fate::Works && !request.in_doubt {
            return Landed::Gone;
        }
        match fate {
            Fate::Works | Fate::Lost(Lands::Now) | Fate::Hangs(Lands::Now) => {
                self.land(&mut truth, external_id, group, request, now)
            }
            Fate::Lost(Lands::After(seconds)) | Fate::Hangs(Lands::After(seconds)) => {
                let lands = later(now, SignedDuration::from_secs(seconds));
                let (external_id, request) = (external_id.to_owned(), request.clone());
                truth.late.push(Late { lands, external_id, group, request });
                Landed::Nothing
            }
            _ => Landed::Nothing,
        }
    }

    /// The right to call: the stored order's lock, in the name of this very run.
    async fn check_right(&self, order: &OrderId, request: &FulfillRequest) {
        let stored = self.store.order(order).await.ok().flatten();
        let lock = stored.and_then(|o| o.fulfillment.lock);
        let held = lock.is_some_and(|l| l.seq == request.run.seq && l.run == request.run.key);
        if !held {
            self.fouls.put(format!("{} calls without the order's lock", request.run));
        }
    }

    fn begin(&self, order: &OrderId, request: &FulfillRequest) -> Calling {
        let mut truth = self.truth();
        if truth.calling.contains(order) {
            self.fouls.put(format!("{} calls while another call of its order is under way", request.run));
        }
        if truth.looked_complete.contains(order) {
            self.fouls.put(format!("{} calls although nothing remains", request.run));
        }
        truth.calling.push(order.clone());
        Calling(self.clone(), order.clone())
    }
}

impl FulfillmentPlatform for Market {
    type Work = Vec<usize>;

    async fn look(&self, _: &ChannelAccess, order: &Source) -> Result<PlatformLook<Vec<usize>>, ActError> {
        breathe().await;
        if self.ground.dice.fault(5) {
            return Err(ActError::retry("the platform throttles"));
        }
        if self.ground.dice.fault(3) {
            return Err(ActError::ambiguous("no answer"));
        }
        let look = {
            let mut truth = self.truth();
            let truth = &mut *truth;
            let Some(sold) = truth.sold.get(&order.external_id) else {
                return Err(ActError::permanent("no such order"));
            };
            truth.looked_complete.retain(|id| *id != sold.id);
            let remaining = sold.remaining();
            if remaining.is_empty() {
                truth.looked_complete.push(sold.id.clone());
            }
            let blocked = sold.cancelled_at.map(|_| "the order is cancelled".to_owned());
            PlatformLook {
                coverage: sold.coverage(),
                shipments: looked_at(sold),
                work: (!remaining.is_empty() && blocked.is_none()).then_some(remaining),
                blocked,
            }
        };
        breathe().await;
        Ok(look)
    }

    async fn fulfill(
        &self,
        _: &ChannelAccess,
        order: &Source,
        work: &Vec<usize>,
        request: &FulfillRequest,
    ) -> Result<Fulfilled, FulfillError> {
        let id = order.order_id(&build::shop());
        self.check_right(&id, request).await;
        let _calling = self.begin(&id, request);
        let mut made = Vec::new();
        for group in work {
            breathe().await;
            let fate = self.fate();
            let landed = self.take(&order.external_id, *group, request, fate);
            breathe().await;
            let failed = |already_done, error| FulfillError { made: made.clone(), already_done, error };
            match (fate, landed) {
                (Fate::Works, Landed::Made(id)) => made.push(id),
                (Fate::Works, Landed::Gone) => {
                    return Err(failed(true, ActError::permanent("nothing is left to fulfill")));
                }
                (Fate::Works, _) => return Err(failed(false, ActError::permanent("it is cancelled"))),
                (Fate::Throttled, _) => return Err(failed(false, ActError::retry("throttled"))),
                (Fate::Forbidden, _) => {
                    return Err(failed(false, ActError::permanent("a permission is missing")));
                }
                (Fate::Lost(_), _) => return Err(failed(false, ActError::ambiguous("no answer"))),
                (Fate::Hangs(_), _) => std::future::pending().await,
            }
        }
        let coverage = self.order(&id).map_or(Coverage::Complete, |sold| sold.coverage());
        Ok(Fulfilled { shipments: made, coverage })
    }
}

fn looked_at(sold: &Sold) -> Vec<PlatformShipment> {
    // WooCommerce shows one completion, if only by its time.
    let last = sold.made.len().saturating_sub(1);
    let shown = sold.made.iter().enumerate().filter(|(n, _)| *n == last || !sold.woo()).map(|(_, made)| made);
    shown
        .map(|m| PlatformShipment {
            id: m.id.clone(),
            created_at: m.at,
            active: m.active,
            numbers: m.numbers.clone(),
            marker: sold.woo().then(|| sold.marker.clone().unwrap_or_default()),
        })
        .collect()
}
