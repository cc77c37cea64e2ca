//! What would happen: the same decisions on the same data, and nothing written.

use std::collections::{BTreeMap, BTreeSet};

use stagepost_domain::Timestamp;
use stagepost_domain::decide::{Changeset, Decision, Refused, decide};
use stagepost_domain::event::Actor;
use stagepost_domain::fact::{
    Coverage, Fact, Follows, FulfillmentSeen, MoveFact, OrderFact, Origin, PackageEdit, ShipmentId,
    ShipmentSeen, TrackingFact,
};
use stagepost_domain::id::{FlowId, OrderId, ShopId, StageId};
use stagepost_domain::order::{Customer, Lifecycle, Order, Platform, Snapshot, Source};
use stagepost_domain::outcome::{IgnoreReason, NoOpReason};
use stagepost_domain::package::{Package, PackageSeen, TrackingStatus};
use stagepost_domain::text::Invalid;

use crate::Core;
use crate::apply::{Known, playbook};
use crate::ports::{ConfigStore, OrderStore, StoreError};

/// Most steps of one simulation.
pub const STEPS_MAX: usize = 20;

/// Which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// One that is there, as it is now.
    Existing(OrderId),
    /// One that is made up.
    Invented(Invented),
}

/// An order that is made up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invented {
    /// The flow that it runs in.
    pub flow: FlowId,
    /// Where it comes from.
    pub platform: Platform,
    /// Its customer's name, if they gave one.
    pub name: Option<String>,
    /// Their address, if they gave one.
    pub email: Option<String>,
    /// A parcel that it has from the beginning.
    pub package: Option<PackageSeen>,
    /// The stage that it stands in already. Nowhere: its coming in is told as the first step.
    pub at: Option<StageId>,
}

/// What happens to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Somebody moves it.
    Move {
        /// Where to: a stage's id or name.
        stage: String,
    },
    /// A parcel becomes known.
    Package(PackageSeen),
    /// Somebody fulfills all of it on its platform.
    FulfilledOnPlatform,
    /// The carrier confirms the delivery of all its parcels.
    Delivered,
    /// It is cancelled on its platform.
    Cancelled,
}

/// What one fact would come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WouldBe {
    /// This event, with its runs and skips.
    Changed(Box<Changeset>),
    /// Nothing.
    NoOp(NoOpReason),
    /// Refused by a rule.
    Ignored(IgnoreReason),
    /// A request that could not be met.
    Refused(Refused),
}

/// What each step would come to, in order; the first entries of an invented order that stands nowhere yet are its
/// coming in, and its parcel's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulated {
    /// The step's place among those asked for; `None` for what an invented order begins with.
    pub step: Option<usize>,
    /// What it would come to.
    pub would_be: WouldBe,
}

/// Nothing could be simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// There is no such order.
    #[error("not found")]
    NotFound,
    /// A field is not valid.
    #[error("not valid")]
    Invalid(Invalid),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Tells what would happen, step by step, each on what the one before it would have left.
///
/// # Errors
/// There is no such order or flow, there are too many steps, or the store failed.
pub async fn simulate<S>(
    core: &Core<S>,
    shop: &ShopId,
    actor: &Actor,
    subject: &Subject,
    steps: &[Step],
) -> Result<Vec<Simulated>, SimulateError>
where
    S: OrderStore + ConfigStore,
{
    if steps.len() > STEPS_MAX {
        let reason = format!("must be at most {STEPS_MAX}");
        return Err(SimulateError::Invalid(Invalid::new("steps", reason)));
    }
    let mut scene = Scene::set(core, shop, subject).await?;
    let mut plan = Vec::new();
    if let Subject::Invented(invented) = subject {
        let told = scene.begin(invented, actor)?;
        plan.extend(told.into_iter().map(|would_be| Simulated { step: None, would_be }));
    }
    for (n, step) in steps.iter().enumerate() {
        match scene.facts(step, actor) {
            Ok(facts) => {
                let played = facts.iter().map(|fact| scene.play(fact));
                plan.extend(played.map(|would_be| Simulated { step: Some(n), would_be }));
            }
            Err(would_be) => plan.push(Simulated { step: Some(n), would_be }),
        }
    }
    Ok(plan)
}

/// An order in the mind, and the time there.
struct Scene {
    shop: ShopId,
    id: OrderId,
    source: Source,
    known: Known,
    now: Timestamp,
}

impl Scene {
    async fn set<S>(core: &Core<S>, shop: &ShopId, subject: &Subject) -> Result<Self, SimulateError>
    where
        S: OrderStore + ConfigStore,
    {
        let now = core.now();
        match subject {
            Subject::Existing(id) => {
                let found = core.store.order_with_snapshot(id).await?.filter(|(o, _)| o.shop == *shop);
                let (order, snapshot) = found.ok_or(SimulateError::NotFound)?;
                let packages = core.store.packages(id).await?;
                let playbook = playbook(core, shop, order.flow()).await?;
                let source = order.source.clone();
                let known = Known { order: Some(order), snapshot, packages, entry: None, playbook };
                Ok(Self { shop: shop.clone(), id: id.clone(), source, known, now })
            }
            Subject::Invented(Invented { flow, platform, .. }) => {
                let playbook = playbook(core, shop, Some(flow)).await?;
                let playbook = playbook.filter(|playbook| playbook.flow.archived_at.is_none());
                if playbook.is_none() {
                    return Err(SimulateError::Invalid(Invalid::new("flow", "no such flow")));
                }
                let channels = core.store.channels(shop).await?;
                let channel = channels.into_iter().find(|c| c.platform == *platform).map(|c| c.id);
                let (store, external_id) = ("invented".to_owned(), core.entropy.id_body());
                let source = Source { platform: *platform, store, external_id, channel };
                let known =
                    Known { order: None, snapshot: None, packages: Vec::new(), entry: None, playbook };
                Ok(Self { shop: shop.clone(), id: source.order_id(shop), source, known, now })
            }
        }
    }

    /// Has an invented order come in; gives what is to be told of that.
    fn begin(&mut self, invented: &Invented, actor: &Actor) -> Result<Vec<WouldBe>, SimulateError> {
        let arrival = Fact::Order(Box::new(self.arrival(invented)));
        let mut told = vec![self.play(&arrival)];
        if let Some(parcel) = &invented.package {
            let edit = PackageEdit::Add(parcel.clone());
            told.push(self.play(&Fact::Packages { edit, actor: actor.clone() }));
        }
        let Some(stage) = &invented.at else { return Ok(told) };
        let flow = self.known.playbook.as_ref().map(|p| &p.flow);
        if flow.is_none_or(|flow| flow.stage(stage).is_none()) {
            return Err(SimulateError::Invalid(Invalid::new("stage", "is not a stage of this flow")));
        }
        let expected_seq = self.order().map_or(0, |o| o.seq);
        let (stage, actor) = (stage.clone(), actor.clone());
        self.play(&Fact::Move(MoveFact { stage, expected_seq, actor, follows: Follows::Nothing }));
        Ok(Vec::new())
    }

    fn arrival(&self, invented: &Invented) -> OrderFact {
        let (name, email) = (invented.name.clone(), invented.email.clone());
        let customer = Customer { name, email, phone: None };
        self.order_fact(Snapshot { customer, line_count: 1, ..Snapshot::default() }, "#1001")
    }

    /// The order as its platform would show it now, with nothing new.
    fn order_fact(&self, snapshot: Snapshot, number: &str) -> OrderFact {
        OrderFact {
            source: self.source.clone(),
            updated_at: Some(self.now),
            created_at: self.now,
            number: number.to_owned(),
            lifecycle: self.order().map_or(Lifecycle::Open, |o| o.lifecycle.clone()),
            snapshot,
            untold: BTreeSet::new(),
            fulfillment: FulfillmentSeen {
                coverage: self.order().map_or(Coverage::None, |o| o.fulfillment.coverage),
                ..FulfillmentSeen::default()
            },
            draft: false,
            origin: Origin::Live,
            armed_at: None,
            default_flow: self.known.playbook.as_ref().map(|p| p.flow.id.clone()),
            by: None,
        }
    }

    fn order(&self) -> Option<&Order> {
        self.known.order.as_ref()
    }

    fn as_seen(&self) -> OrderFact {
        let number = self.order().map(|o| o.number.clone()).unwrap_or_default();
        self.order_fact(self.known.snapshot.clone().unwrap_or_default(), &number)
    }

    /// What the step tells, at least one fact; or why there is none to tell.
    fn facts(&self, step: &Step, actor: &Actor) -> Result<Vec<Fact>, WouldBe> {
        Ok(match step {
            Step::Move { stage } => {
                let expected_seq = self.order().map_or(0, |o| o.seq);
                let stage = self.stage(stage).ok_or(WouldBe::Refused(Refused::UnknownStage))?;
                vec![Fact::Move(MoveFact {
                    stage,
                    expected_seq,
                    actor: actor.clone(),
                    follows: Follows::All,
                })]
            }
            Step::Package(seen) => {
                vec![Fact::Packages { edit: PackageEdit::Add(seen.clone()), actor: actor.clone() }]
            }
            Step::FulfilledOnPlatform => {
                let mut fact = self.as_seen();
                fact.fulfillment.coverage = Coverage::Complete;
                let id = ShipmentId(format!("simulated-{}", self.order().map_or(0, |o| o.seq)));
                let shipment = ShipmentSeen {
                    id,
                    updated_at: self.now,
                    active: true,
                    packages: Vec::new(),
                    report: None,
                };
                fact.fulfillment.shipments.push(shipment);
                vec![Fact::Order(Box::new(fact))]
            }
            Step::Delivered => {
                let facts: Vec<Fact> =
                    self.known.packages.iter().filter_map(|p| self.delivery_of(p)).collect();
                if facts.is_empty() {
                    return Err(WouldBe::NoOp(NoOpReason::UnknownPackage));
                }
                facts
            }
            Step::Cancelled => {
                let mut fact = self.as_seen();
                fact.lifecycle = Lifecycle::Cancelled { at: Some(self.now) };
                vec![Fact::Order(Box::new(fact))]
            }
        })
    }

    fn delivery_of(&self, package: &Package) -> Option<Fact> {
        let number = package.seen.number.clone().filter(|_| !package.removed && !package.delivered())?;
        Some(Fact::Tracking(TrackingFact {
            number,
            carrier: None,
            status: TrackingStatus::Delivered,
            occurred_at: self.now,
            url: None,
            detail: None,
            offset: None,
        }))
    }

    /// The stage by id or name.
    fn stage(&self, named: &str) -> Option<StageId> {
        let flow = self.known.playbook.as_ref().map(|p| &p.flow);
        let by_name = flow.and_then(|f| f.stages.iter().find(|s| s.name == named)).map(|s| s.id.clone());
        by_name.or_else(|| StageId::parse(named).ok())
    }

    fn play(&mut self, fact: &Fact) -> WouldBe {
        // What would happen now is after any restore.
        let context = self.known.context(&self.shop, &self.id, self.now, None);
        let would_be = match decide(context, fact) {
            Decision::Changed(changes) => {
                self.keep(&changes);
                WouldBe::Changed(changes)
            }
            Decision::NoOp(reason) => WouldBe::NoOp(reason),
            Decision::Ignored(why) => WouldBe::Ignored(why),
            Decision::Refused(refused) => WouldBe::Refused(refused),
        };
        // Steps follow each other: two of one second would be taken for one.
        self.now = stagepost_domain::run::later(self.now, stagepost_domain::SignedDuration::from_secs(1));
        would_be
    }

    fn keep(&mut self, changes: &Changeset) {
        self.known.order = Some(changes.order.clone());
        if let Some(snapshot) = &changes.snapshot {
            self.known.snapshot = Some(snapshot.clone());
        }
        let mut packages: BTreeMap<_, Package> =
            self.known.packages.drain(..).map(|p| (p.id.clone(), p)).collect();
        packages.extend(changes.packages.iter().map(|p| (p.id.clone(), p.clone())));
        self.known.packages = packages.into_values().collect();
    }
}
