//! The one place where facts become events.
//!
//! `decide` is pure: the order as stored, its flow as configured, a fact and the time go in; a no-op, an
//! ignored fact, a refusal or one event with its frozen runs comes out. Everything that follows from the
//! event is in the event: nothing reads the configuration again.

mod assign;
mod entry;
mod manual;
mod register;
mod seen;
mod settle;
mod subscribe;
mod tracking;

use jiff::Timestamp;

pub use entry::{AUTOMATIC_REENTRIES_MAX, STALE_AFTER, superseded};
pub use settle::{Settled, settle};

use crate::event::{Actor, Cause, Change, Event, Refusal, Transition};
use crate::fact::Fact;
use crate::id::{OrderId, ShopId, StageId};
use crate::order::{Order, Snapshot};
use crate::outcome::{IgnoreReason, NoOpReason, SkipReason};
use crate::package::Package;
use crate::restore::RestoredAt;
use crate::run::{Run, RunKey};
use crate::shop::Playbook;

/// What a decision reads.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The tenant.
    pub shop: &'a ShopId,
    /// The order's id.
    pub order_id: &'a OrderId,
    /// The order as stored.
    pub order: Option<&'a Order>,
    /// Its people, lines and money as stored.
    pub snapshot: Option<&'a Snapshot>,
    /// Its packages as stored.
    pub packages: &'a [Package],
    /// The event of its last stage entry, with its runs as they stand: read only where a fact may reopen the
    /// order. Where a move is taken back, the entry that the order returns to.
    pub entry: Option<&'a Event>,
    /// Its flow (or, for an order without one, the flow it would get) and the shop's settings.
    pub playbook: Option<&'a Playbook>,
    /// The time.
    pub now: Timestamp,
    /// When the fact reached us: now, unless it had to wait in the inbound queue. Its age is counted to here,
    /// because our own delay makes no news old (law 4).
    pub received_at: Timestamp,
    /// When the deployment began, if its table was restored from a point in time: what is from before that moves an
    /// order silently, as what is old does (law 4).
    pub restored_at: Option<RestoredAt>,
}

/// A request that cannot be met as the order stands; nothing is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The order is not known.
    UnknownOrder,
    /// The order changed since the screen was drawn.
    Stale {
        /// Where it stands now.
        stage: Option<StageId>,
        /// Its event number now.
        seq: u64,
    },
    /// The stage is not in the order's flow.
    UnknownStage,
    /// The order is in no flow.
    NotPlaced,
    /// There is no such flow that takes orders.
    UnknownFlow,
    /// The order is in this flow already: it is moved, not assigned.
    AlreadyPlaced,
    /// The order is on hold.
    OnHold,
    /// A limit is reached.
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The order holds no such package.
    UnknownPackage,
    /// Neither a number nor a link would be left of the package.
    EmptyPackage,
}

/// All that one decision writes, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changeset {
    /// The order after it; its `version` is one above the stored one.
    pub order: Order,
    /// What happened.
    pub event: Event,
    /// The new snapshot, if it changed.
    pub snapshot: Option<Snapshot>,
    /// New or changed packages.
    pub packages: Vec<Package>,
}

/// What a fact came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing new; nothing is written.
    NoOp(NoOpReason),
    /// A real fact that a rule refuses; it is kept, visibly.
    Ignored(IgnoreReason),
    /// A request that cannot be met.
    Refused(Refused),
    /// One event.
    Changed(Box<Changeset>),
}

/// Decides what a fact means for an order.
#[must_use]
pub fn decide(context: Context<'_>, fact: &Fact) -> Decision {
    match fact {
        Fact::Order(fact) => seen::order(context, fact),
        Fact::Shipment(fact) => seen::shipment(context, fact),
        Fact::Trashed => seen::trashed(context),
        Fact::Tracking(fact) => tracking::tracked(context, fact),
        Fact::ShipmentReport(fact) => tracking::shipment_reported(context, fact),
        Fact::CarrierConnected => register::carrier_connected(context),
        Fact::Packages { edit, actor } => tracking::edited(context, edit, actor),
        Fact::Move(fact) => manual::moved(context, fact),
        Fact::Assign(fact) => assign::assigned(context, fact),
        Fact::StageRetired => assign::restaged(context),
        Fact::RenewLink { actor } => manual::link_renewed(context, actor),
        Fact::Erase { actor } => manual::erased(context, actor.as_ref()),
        Fact::Hold { actor } => manual::held(context, actor),
        Fact::Resume { actor } => manual::resumed(context, actor),
    }
}

/// An event in the making: the next order, and what the event will carry.
struct Draft<'a> {
    context: Context<'a>,
    order: Order,
    cause: Cause,
    /// Who moves the order, where somebody does: an advance that merely follows from an edit is automatic.
    by_hand: Option<Actor>,
    fact_at: Option<Timestamp>,
    /// When what moves the order happened, where that may be long before its fact was written.
    news_at: Option<Timestamp>,
    transition: Option<Transition>,
    refused: Option<Refusal>,
    tripped: bool,
    runs: std::collections::BTreeMap<RunKey, Run>,
    /// Why its stage was entered without automations, if it was.
    silent: Option<SkipReason>,
    snapshot: Option<Snapshot>,
    packages: Vec<Package>,
}

impl<'a> Draft<'a> {
    fn new(context: Context<'a>, mut order: Order, cause: Cause, fact_at: Option<Timestamp>) -> Self {
        order.seq = context.restored_at.map_or(order.seq.saturating_add(1), |cut| cut.seq_after(order.seq));
        order.version = order.version.saturating_add(1);
        Self {
            context,
            order,
            cause,
            by_hand: None,
            fact_at,
            news_at: None,
            transition: None,
            refused: None,
            tripped: false,
            runs: std::collections::BTreeMap::new(),
            silent: None,
            snapshot: None,
            packages: Vec::new(),
        }
    }

    fn finish(mut self, change: Change) -> Changeset {
        self.register_packages();
        self.tell_subscribers(&change);
        let at = self.context.now;
        let event = Event {
            order: self.order.id.clone(),
            shop: self.order.shop.clone(),
            seq: self.order.seq,
            at,
            fact_at: self.fact_at,
            cause: self.cause,
            change,
            transition: self.transition,
            refused: self.refused,
            tripped: self.tripped,
            runs: self.runs.into_iter().map(|(key, run)| (key, run.born(at))).collect(),
        };
        Changeset { order: self.order, event, snapshot: self.snapshot, packages: self.packages }
    }
}

/// The packages as they will be: the stored ones with the changed ones in their places.
fn merged(stored: &[Package], changed: &[Package]) -> Vec<Package> {
    let mut all: Vec<Package> =
        stored.iter().filter(|p| !changed.iter().any(|c| c.id == p.id)).cloned().collect();
    all.extend(changed.iter().cloned());
    all
}
