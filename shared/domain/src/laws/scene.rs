//! One shop, one flow, one order: facts go in, the stored state and the events come out.

use jiff::{SignedDuration, Timestamp};

use crate::decide::{Changeset, Context, Decision, Refused, Settled, decide, settle};
use crate::event::{Action, Actor, Event};
use crate::fact::{
    Coverage, Fact, Follows, FulfillmentSeen, MoveFact, OrderFact, Origin, PackageEdit, Settlement,
    ShipmentFact, ShipmentId, ShipmentReport, ShipmentSeen, TrackingFact,
};
use crate::flow::{
    AdvanceOnDelivery, Automations, EmailAutomation, Flow, FulfillAutomation, FulfilledWhen, Retired, Stage,
    WebhookAutomation,
};
use crate::fulfillment::{Attribution, LockRefused};
use crate::id::{AttemptId, ChannelId, EndpointId, FlowId, KeyId, OrderId, ShopId, StageId, TemplateId};
use crate::order::{Customer, Lifecycle, Order, Placement, Platform, Snapshot, Source};
use crate::package::{Checkpoint, Package, PackageSeen, TrackingStatus};
use crate::restore::RestoredAt;
use crate::run::{Run, RunKey, Target};
use crate::shop::{Playbook, Settings};

pub const STAGES: [&str; 5] = ["new", "printing", "packed", "shipped", "delivered"];
pub const GRACE: i64 = 10;

/// Seconds after the beginning of the scene.
pub fn t(seconds: i64) -> Timestamp {
    "2026-11-22T09:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

pub fn stg(name: &str) -> StageId {
    StageId::from_body(name).unwrap()
}

pub fn tmpl(stage: &str) -> TemplateId {
    TemplateId::from_body(stage).unwrap()
}

pub fn shop() -> ShopId {
    ShopId::from_body("a").unwrap()
}

pub fn channel() -> ChannelId {
    ChannelId::from_body("a").unwrap()
}

pub fn attempt(name: &str) -> AttemptId {
    AttemptId::from_body(name).unwrap()
}

pub fn endpoint() -> EndpointId {
    EndpointId::from_body("a").unwrap()
}

pub fn fulfill_key() -> RunKey {
    RunKey::first(Target::Fulfill(Some(channel())))
}

pub fn ids(names: &[&str]) -> Vec<ShipmentId> {
    names.iter().map(|n| ShipmentId((*n).to_owned())).collect()
}

pub fn console() -> Actor {
    Actor::Console { name: "Ann".into(), by: None }
}

pub fn api_key() -> Actor {
    Actor::ApiKey { id: KeyId::from_body("k").unwrap() }
}

/// Every stage mails; Packed and Shipped fulfill; Shipped calls an endpoint and is the fulfilled stage;
/// Delivered advances on delivery.
pub fn flow() -> Flow {
    let stage = |name: &&str| Stage {
        id: stg(name),
        name: (*name).to_owned(),
        color: None,
        description: None,
        customer_visible: true,
        automations: Automations {
            email: Some(EmailAutomation { enabled: true, template: tmpl(name) }),
            webhook: (*name == "shipped").then(|| WebhookAutomation { enabled: true, endpoint: endpoint() }),
            fulfill: ["packed", "shipped"]
                .contains(name)
                .then_some(FulfillAutomation { enabled: true, notify_customer: false }),
            advance_on_delivery: (*name == "delivered").then_some(AdvanceOnDelivery { enabled: true }),
        },
    };
    Flow {
        id: FlowId::from_body("a").unwrap(),
        shop: shop(),
        name: "Orders".into(),
        version: 1,
        stages: STAGES.iter().map(stage).collect(),
        default_stage: stg("new"),
        fulfilled_stage: Some(stg("shipped")),
        fulfilled_when: FulfilledWhen::Complete,
        retired: std::collections::BTreeMap::new(),
        archived_at: None,
    }
}

fn settings() -> Settings {
    Settings {
        shop: shop(),
        name: "Shop".into(),
        config_version: 1,
        grace_seconds: u32::try_from(GRACE).unwrap(),
        from_email: "shop@example.com".into(),
        templates: STAGES.iter().map(|s| (tmpl(s), 1)).collect(),
        endpoints: [(endpoint(), 1)].into(),
        subscribers: std::collections::BTreeMap::new(),
        registrar: None,
        mail: crate::shop::MailSettings::default(),
        notify_email: None,
        retention: crate::retention::Retention::default(),
    }
}

/// The stored state of one order, with everything that happened to it.
#[derive(Debug, Clone)]
pub struct Scene {
    pub playbook: Playbook,
    pub order: Option<Order>,
    pub snapshot: Option<Snapshot>,
    pub packages: Vec<Package>,
    pub events: Vec<Event>,
    pub now: Timestamp,
    /// When facts reached us, if not now.
    pub received_at: Option<Timestamp>,
    /// When the table was restored, if it was.
    pub restored_at: Option<RestoredAt>,
}

impl Default for Scene {
    fn default() -> Self {
        let playbook = Playbook { flow: flow(), settings: settings() };
        let (packages, events) = (vec![], vec![]);
        let (now, received_at, restored_at) = (t(1_000), None, None);
        Self { playbook, order: None, snapshot: None, packages, events, now, received_at, restored_at }
    }
}

impl Scene {
    /// A live order in the default stage, seen unfulfilled at second 10.
    pub fn open() -> Self {
        let mut scene = Self::default();
        scene.apply(shopify(10));
        scene
    }

    /// A live order that a person has moved to Packed, with its fulfill run waiting.
    pub fn packed() -> Self {
        let mut scene = Self::open();
        scene.go("packed", console());
        scene
    }

    pub fn with_rule(mut self, rule: FulfilledWhen) -> Self {
        self.playbook.flow.fulfilled_when = rule;
        self
    }

    fn context<'a>(&'a self, shop: &'a ShopId, order_id: &'a OrderId) -> Context<'a> {
        Context {
            shop,
            order_id,
            order: self.order.as_ref(),
            snapshot: self.snapshot.as_ref(),
            packages: &self.packages,
            entry: self.entry(),
            playbook: Some(&self.playbook),
            now: self.now,
            received_at: self.received_at.unwrap_or(self.now),
            restored_at: self.restored_at,
        }
    }

    /// The event of the last stage entry.
    fn entry(&self) -> Option<&Event> {
        let Some(Placement::Placed { entered_seq, .. }) = self.order.as_ref().map(|o| &o.placement) else {
            return None;
        };
        self.events.iter().find(|e| e.seq == *entered_seq)
    }

    /// The runners come by and end what is open, as `end` says of each.
    pub fn end_runs(&mut self, end: impl Fn(&RunKey, &Run) -> Run) {
        for event in &mut self.events {
            for (key, run) in event.runs.iter_mut().filter(|(_, run)| run.is_open()) {
                *run = end(key, run);
            }
        }
    }

    /// Decides a fact and stores what it changes, as the store would.
    pub fn apply(&mut self, fact: impl Into<Fact>) -> Decision {
        self.now += SignedDuration::from_secs(1);
        let (shop, order_id) = (shop(), source(Platform::Shopify).order_id(&shop()));
        let decision = decide(self.context(&shop, &order_id), &fact.into());
        if let Decision::Changed(changes) = &decision {
            self.fold(changes);
        }
        decision
    }

    /// An order of which no flow is known.
    pub fn untriaged(&mut self, fact: impl Into<Fact>) {
        let (shop, order_id) = (shop(), source(Platform::Shopify).order_id(&shop()));
        let context = Context { playbook: None, ..self.context(&shop, &order_id) };
        let Decision::Changed(changes) = decide(context, &fact.into()) else { panic!("not taken") };
        self.fold(&changes);
    }

    fn fold(&mut self, changes: &Changeset) {
        let (seq, version) = self.order.as_ref().map_or((0, 0), |o| (o.seq, o.version));
        assert_eq!(
            (changes.order.seq, changes.order.version),
            (self.restored_at.map_or(seq + 1, |cut| cut.seq_after(seq)), version + 1),
            "one event, one write"
        );
        assert_eq!(changes.event.seq, changes.order.seq);
        let written: std::collections::BTreeSet<_> = changes.packages.iter().map(|p| &p.id).collect();
        assert_eq!(written.len(), changes.packages.len(), "one transaction writes a package once");
        self.packages.retain(|p| !written.contains(&p.id));
        self.packages.extend(changes.packages.iter().cloned());
        self.snapshot = changes.snapshot.clone().or(self.snapshot.take());
        self.order = Some(changes.order.clone());
        self.events.push(changes.event.clone());
    }

    /// Takes the lock as the fulfillment runner does; panics if it is refused.
    pub fn lock(&mut self, seq: u64, name: &str) {
        self.try_lock(seq, &fulfill_key(), name).unwrap();
    }

    pub fn try_lock(&mut self, seq: u64, run: &RunKey, name: &str) -> Result<(), LockRefused> {
        let lease = SignedDuration::from_secs(60);
        let order = self.order.as_mut().unwrap();
        order.fulfillment = order.fulfillment.locked(seq, run, &attempt(name), self.now, lease)?;
        order.version += 1;
        Ok(())
    }

    /// The runner's finishing write; says whether it made an event.
    pub fn settle(&mut self, found: &Settlement) -> bool {
        self.now += SignedDuration::from_secs(1);
        let order = self.order.clone().unwrap();
        let seq = order.fulfillment.lock.as_ref().unwrap().seq;
        let (shop, order_id) = (shop(), order.id.clone());
        match settle(self.context(&shop, &order_id), &order, seq, &fulfill_key(), found) {
            Settled::Quiet(next) => {
                assert_eq!((next.seq, next.version), (order.seq, order.version + 1));
                self.order = Some(*next);
                false
            }
            Settled::Changed(changes) => {
                self.fold(&changes);
                true
            }
        }
    }

    /// A move by hand or by API from the present state.
    pub fn go(&mut self, stage: &str, actor: Actor) -> Decision {
        let expected_seq = self.order().seq;
        self.apply(Fact::Move(MoveFact { stage: stg(stage), expected_seq, actor, follows: Follows::All }))
    }

    /// A person takes the last move back.
    pub fn undo(&mut self, stage: &str) -> Decision {
        self.now += SignedDuration::from_secs(1);
        let back = |event: &&Event| event.transition.as_ref().is_some_and(|t| t.to.id == stg(stage));
        let entry = self.events.iter().rev().find(back).cloned().unwrap();
        let fact = Fact::Move(MoveFact {
            stage: stg(stage),
            expected_seq: self.order().seq,
            actor: console(),
            follows: Follows::WhatWaited { entry: entry.seq },
        });
        let (shop, order_id) = (shop(), source(Platform::Shopify).order_id(&shop()));
        let decision = decide(Context { entry: Some(&entry), ..self.context(&shop, &order_id) }, &fact);
        if let Decision::Changed(changes) = &decision {
            self.fold(changes);
        }
        decision
    }

    /// The flow loses a stage; what names it goes to the successor from now on.
    pub fn retire(&mut self, stage: &str, successor: &str) {
        let flow = &mut self.playbook.flow;
        flow.stages.retain(|s| s.id != stg(stage));
        flow.version += 1;
        let gone = Retired { name: stage.to_owned(), successor: stg(successor) };
        flow.retired.insert(stg(stage), gone);
    }

    pub fn order(&self) -> &Order {
        self.order.as_ref().unwrap()
    }

    pub fn last(&self) -> &Event {
        self.events.last().unwrap()
    }

    pub fn stage(&self) -> &str {
        self.order().stage().map_or("-", |s| s.as_str().strip_prefix("stg_").unwrap())
    }

    /// The stages entered, in order.
    pub fn entered(&self) -> Vec<&str> {
        self.events.iter().filter_map(|e| e.transition.as_ref()).map(|x| x.to.name.as_str()).collect()
    }

    /// The stages whose mail was planned to leave, in order.
    pub fn mails(&self) -> Vec<&str> {
        let open = |e: &Event| e.runs.iter().any(|(k, r)| k.action() == Action::Email && r.is_open());
        self.events
            .iter()
            .filter(|e| open(e))
            .map(|e| e.transition.as_ref().unwrap().to.name.as_str())
            .collect()
    }

    /// The last event's run of this action for the stage it entered.
    pub fn run(&self, action: Action) -> &Run {
        let to = &self.last().transition.as_ref().unwrap().to.name;
        let here = |k: &RunKey| match &k.target {
            Target::Email(id) => *id == tmpl(to),
            target => target.action() == action,
        };
        self.last().runs.iter().find(|(k, _)| k.action() == action && here(k)).unwrap().1
    }

    pub fn by(&self) -> Option<Attribution> {
        self.order().fulfillment.by.clone()
    }
}

pub fn source(platform: Platform) -> Source {
    let store = "a.example".to_owned();
    Source { platform, store, external_id: "820982911946154508".into(), channel: Some(channel()) }
}

/// An order notification in the making.
#[derive(Debug, Clone)]
pub struct Seen(pub OrderFact);

impl From<Seen> for Fact {
    fn from(seen: Seen) -> Self {
        Self::Order(Box::new(seen.0))
    }
}

/// A Shopify-like order, created at second 0, updated at `at`, with nothing fulfilled.
pub fn shopify(at: i64) -> Seen {
    let customer =
        Customer { name: Some("Bob Norman".into()), email: Some("bob@example.com".into()), phone: None };
    Seen(OrderFact {
        source: source(Platform::Shopify),
        updated_at: Some(t(at)),
        created_at: t(0),
        number: "#1001".into(),
        lifecycle: Lifecycle::Open,
        snapshot: Snapshot { customer, line_count: 1, total: Some("19.90".into()), ..Snapshot::default() },
        untold: std::collections::BTreeSet::new(),
        fulfillment: FulfillmentSeen::default(),
        draft: false,
        origin: Origin::Live,
        armed_at: Some(t(0)),
        default_flow: None,
        by: None,
    })
}

/// A WooCommerce-like order in this status: *completed* at `at` is the fulfillment `completed@…`, anything
/// else says in so many words that the order is open.
pub fn woo(at: i64, status: &str) -> Seen {
    let mut seen = shopify(at);
    seen.0.source.platform = Platform::Woocommerce;
    seen.0.snapshot.platform_status = Some(status.to_owned());
    seen.0.fulfillment.reopened = status != "completed";
    if status == "completed" { seen.fulfilled(&[&completed(at)], at) } else { seen }
}

/// WooCommerce's identity of a completion.
pub fn completed(at: i64) -> String {
    format!("completed@{}", t(at))
}

impl Seen {
    fn coverage(mut self, coverage: Coverage) -> Self {
        self.0.fulfillment.coverage = coverage;
        self
    }

    /// Nothing remains; these fulfillments, each updated at `at`.
    pub fn fulfilled(self, names: &[&str], at: i64) -> Self {
        names.iter().fold(self.coverage(Coverage::Complete), |s, n| s.shipment(n, at, true, &[]))
    }

    /// Something remains.
    pub fn partial(self, names: &[&str], at: i64) -> Self {
        names.iter().fold(self.coverage(Coverage::Partial), |s, n| s.shipment(n, at, true, &[]))
    }

    /// Lists one more fulfillment.
    pub fn shipment(mut self, name: &str, at: i64, active: bool, numbers: &[&str]) -> Self {
        self.0.fulfillment.shipments.push(shipment_seen(name, at, active, numbers));
        self
    }

    /// Other content at the same time.
    pub fn total(mut self, total: &str) -> Self {
        self.0.snapshot.total = Some(total.to_owned());
        self
    }

    pub fn without_email(mut self) -> Self {
        self.0.snapshot.customer.email = None;
        self
    }

    pub fn cancelled(mut self) -> Self {
        self.0.lifecycle = Lifecycle::Cancelled { at: self.0.updated_at };
        self
    }

    pub fn with(mut self, edit: impl FnOnce(&mut OrderFact)) -> Self {
        edit(&mut self.0);
        self
    }
}

fn shipment_seen(name: &str, at: i64, active: bool, numbers: &[&str]) -> ShipmentSeen {
    let packages = numbers.iter().map(|n| parcel(n)).collect();
    ShipmentSeen { id: ShipmentId(name.to_owned()), updated_at: t(at), active, packages, report: None }
}

/// Shopify's `fulfillments/create` and `fulfillments/update`.
pub fn shipment(name: &str, at: i64, active: bool, numbers: &[&str]) -> Fact {
    let shipment = shipment_seen(name, at, active, numbers);
    Fact::Shipment(ShipmentFact { source: source(Platform::Shopify), number: None, shipment })
}

pub fn parcel(number: &str) -> PackageSeen {
    PackageSeen::parse(Some(number), None, None).unwrap()
}

pub fn add(number: &str) -> Fact {
    Fact::Packages { edit: PackageEdit::Add(parcel(number)), actor: api_key() }
}

pub fn remove(number: &str) -> Fact {
    Fact::Packages { edit: PackageEdit::Remove(parcel(number).id()), actor: console() }
}

/// A carrier's report.
pub fn scan(number: &str, at: i64, status: TrackingStatus) -> Fact {
    Fact::Tracking(TrackingFact {
        number: number.to_owned(),
        carrier: None,
        status,
        occurred_at: t(at),
        url: None,
        detail: None,
        offset: None,
    })
}

/// How a platform says that parcels stand, at `at`.
pub fn standing(at: i64, status: TrackingStatus) -> Checkpoint {
    Checkpoint { at: t(at), status, detail: None, offset: None }
}

/// Shopify's `fulfillment_events/create`.
pub fn report(name: &str, at: i64, status: TrackingStatus) -> Fact {
    let (source, shipment) = (source(Platform::Shopify), ShipmentId(name.to_owned()));
    Fact::ShipmentReport(ShipmentReport { source, shipment, report: standing(at, status) })
}

pub fn is_refused(decision: &Decision) -> Option<&Refused> {
    if let Decision::Refused(refused) = decision { Some(refused) } else { None }
}
