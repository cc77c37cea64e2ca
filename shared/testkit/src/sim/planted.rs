//! Five bugs that somebody could write, as wrappers over the ports: each breaks one promise that the laws
//! stand on, so that a simulation which does not find it looks at nothing.

use stagepost_app::ports::{DueItem, OrderStore};
use stagepost_domain::Timestamp;
use stagepost_domain::event::Event;
use stagepost_domain::fact::{Fact, ShipmentSeen};
use stagepost_domain::id::OrderId;
use stagepost_domain::order::Order;
use stagepost_domain::run::RunState;

use crate::MemoryStore;

/// A bug to plant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// The transaction is written without its condition: the last one wins.
    NoCondition,
    /// The order is read without its lock.
    LockIgnored,
    /// A fulfillment is known by the notification that tells of it, not by its own identity: every echo looks
    /// new.
    AttributionByTopic,
    /// The lease of a claim never expires.
    EternalLease,
    /// The sweep of the due index sees no open runs.
    BlindWake,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::NoCondition, Self::LockIgnored, Self::AttributionByTopic, Self::EternalLease, Self::BlindWake];

    /// The version that a write is to find: whatever is there.
    pub(super) async fn condition(
        bug: Option<Self>,
        store: &MemoryStore,
        id: &OrderId,
        expected: Option<u64>,
    ) -> Option<u64> {
        if bug != Some(Self::NoCondition) {
            return expected;
        }
        store.order(id).await.ok().flatten().map(|order| order.version)
    }

    pub(super) fn bend_order(bug: Option<Self>, mut order: Order) -> Order {
        if bug == Some(Self::LockIgnored) {
            order.fulfillment.lock = None;
        }
        order
    }

    pub(super) fn bend_event(bug: Option<Self>, mut event: Event) -> Event {
        if bug == Some(Self::EternalLease) {
            for run in event.runs.values_mut() {
                if let RunState::Claimed { until, .. } = &mut run.state {
                    *until = Timestamp::MAX;
                }
            }
        }
        event
    }

    pub(super) fn bend_due(bug: Option<Self>, mut due: Vec<DueItem>) -> Vec<DueItem> {
        if bug == Some(Self::BlindWake) {
            due.retain(|item| !matches!(item, DueItem::Event(_)));
        }
        due
    }

    /// `count`: of the notification.
    pub(super) fn bend_fact(bug: Option<Self>, mut fact: Fact, count: usize) -> Fact {
        if bug != Some(Self::AttributionByTopic) {
            return fact;
        }
        let rename = |seen: &mut ShipmentSeen| seen.id.0 = format!("{}-told-{count}", seen.id.0);
        match &mut fact {
            Fact::Order(told) => told.fulfillment.shipments.iter_mut().for_each(rename),
            Fact::Shipment(told) => rename(&mut told.shipment),
            _ => {}
        }
        fact
    }
}
