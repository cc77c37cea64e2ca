//! The fulfillment runner's finishing write: release the lock, attribute what was seen under it, and
//! decide, all at once (law 6).

use super::tracking::all_arrived;
use super::{Changeset, Context, Draft};
use crate::event::{Cause, Change};
use crate::fact::Settlement;
use crate::flow::FulfilledWhen;
use crate::fulfillment::Attribution;
use crate::order::Order;
use crate::run::RunKey;

/// What settling writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// Only the order: our own fulfillment, or none. It moves nothing and the run itself tells of it.
    Quiet(Box<Order>),
    /// An event: somebody else's fulfillment came to light.
    Changed(Box<Changeset>),
}

/// Settles `order` with what the runner found; the caller has checked that the run holds the lock.
#[must_use]
pub fn settle(context: Context<'_>, order: &Order, seq: u64, run: &RunKey, found: &Settlement) -> Settled {
    let rule = context.playbook.map_or(FulfilledWhen::default(), |p| p.flow.fulfilled_when);
    let (fulfillment, observed) = order.fulfillment.settled(seq, found, context.now, rule);
    let news = observed.edge.is_some() || observed.reopened || !observed.shipments.is_empty();
    if !news {
        let mut next = order.clone();
        next.fulfillment = fulfillment;
        next.version = next.version.saturating_add(1);
        return Settled::Quiet(Box::new(next));
    }
    let at = fulfillment.at;
    let cause = Cause::Runner { seq, run: run.clone() };
    let mut draft = Draft::new(context, order.clone(), cause, at);
    draft.news_at = match found {
        Settlement::Theirs { at, .. } => *at,
        Settlement::Ours { .. } | Settlement::Nothing => fulfillment.last_told(),
    };
    draft.order.fulfillment = fulfillment;
    if observed.edge == Some(Attribution::Theirs) {
        draft.cause = Cause::PlatformFulfillment { channel: order.source.channel.clone() };
        draft.move_to_fulfilled_stage();
    }
    let change =
        Change::Fulfillment { by: observed.edge, shipments: observed.shipments, reopened: observed.reopened };
    Settled::Changed(Box::new(draft.finish(change)))
}

impl Draft<'_> {
    /// A fulfillment that was not ours moves the order to the flow's fulfilled stage, or at once to the one
    /// that advances on delivery when its parcels have arrived before it was told.
    pub(super) fn move_to_fulfilled_stage(&mut self) {
        let Some(flow) = self.context.playbook.map(|p| &p.flow) else { return };
        let arrived = flow.delivery_stage().map(|s| s.id.clone()).filter(|_| all_arrived(&self.order));
        let asked = flow.fulfilled_stage.clone().into_iter().chain(arrived);
        if let Some(target) = asked.max_by_key(|id| flow.position(id)) {
            self.move_automatically(&target);
        }
    }
}
