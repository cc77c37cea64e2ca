//! What a bulk move would do, before anybody asks for it: the same decisions on the same orders, counted, and
//! nothing written.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use stagepost_domain::decide::{Decision, Refused, decide};
use stagepost_domain::event::{Action, Event};
use stagepost_domain::fact::{Fact, Follows, MoveFact};
use stagepost_domain::id::{OrderId, ShopId};
use stagepost_domain::job::Selection;
use stagepost_domain::order::{Order, Platform, Snapshot};
use stagepost_domain::outcome::SkipReason;
use stagepost_domain::run::RunState;
use stagepost_domain::shop::Playbook;

use super::request::{JobRequestError, MoveRequest, destination};
use crate::Core;
use crate::apply::Known;
use crate::ports::{ConfigStore, OrderFilter, OrderStore, SearchStore, StoreError};

/// So many orders are looked at; what a larger move does is told as *more than* that.
pub const FORESEEN_MAX: usize = 1_000;
/// Orders read in one round trip.
const BATCH: usize = 50;

/// What a bulk move would come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Foreseen {
    /// Orders looked at.
    pub orders: usize,
    /// There are more of them than are looked at.
    pub more: bool,
    /// Of these, moved.
    pub moved: usize,
    /// There already.
    pub same: usize,
    /// Customers mailed.
    pub mails: usize,
    /// Webhooks sent.
    pub webhooks: usize,
    /// Orders fulfilled on their channels, by platform.
    pub fulfillments: BTreeMap<&'static str, usize>,
    /// Actions decided against, by action and the reason's stable word: a reason of each, and how many.
    pub skipped: BTreeMap<(Action, &'static str), (SkipReason, usize)>,
    /// Orders that cannot be moved, by the reason.
    pub refused: Vec<(Refused, usize)>,
    /// Orders that are not the shop's.
    pub unknown: usize,
}

impl Foreseen {
    /// Orders fulfilled on any channel.
    #[must_use]
    pub fn fulfilled(&self) -> usize {
        self.fulfillments.values().sum()
    }

    fn count(&mut self, decision: Decision, platform: Platform) {
        match decision {
            Decision::Changed(changes) => {
                self.moved += 1;
                self.count_runs(&changes.event, platform);
            }
            Decision::NoOp(_) | Decision::Ignored(_) => self.same += 1,
            Decision::Refused(why) => self.count_refused(why),
        }
    }

    fn count_runs(&mut self, event: &Event, platform: Platform) {
        for (key, run) in &event.runs {
            match (key.action(), &run.state) {
                (action, RunState::Skipped { why, .. }) => {
                    let counted = self.skipped.entry((action, why.code())).or_insert((why.clone(), 0));
                    counted.1 += 1;
                }
                (Action::Email, _) => self.mails += 1,
                (Action::Webhook, _) => self.webhooks += 1,
                (Action::Fulfill, _) => *self.fulfillments.entry(platform.label()).or_default() += 1,
                (Action::RegisterTracker, _) => {}
            }
        }
    }

    fn count_refused(&mut self, why: Refused) {
        match self.refused.iter_mut().find(|(known, _)| *known == why) {
            Some((_, counted)) => *counted += 1,
            None => self.refused.push((why, 1)),
        }
    }
}

/// Tells what a bulk move would do to the orders as they are now.
///
/// # Errors
/// As [`bulk_move`](super::bulk_move).
pub async fn foresee<S>(
    core: &Core<S>,
    shop: &ShopId,
    mut request: MoveRequest,
) -> Result<Foreseen, JobRequestError>
where
    S: OrderStore + ConfigStore + SearchStore,
{
    let flow = destination(core, shop, &mut request).await?;
    let settings = core.store.settings(shop).await?.ok_or(JobRequestError::NotFound)?;
    let playbook = Playbook { flow, settings };
    let (ids, more) = chosen(core, shop, &request.selection).await?;
    let mut foreseen = Foreseen { more, ..Foreseen::default() };
    let batches: Vec<_> = ids.chunks(BATCH).collect();
    let found = try_join_all(batches.iter().map(|batch| core.store.found(batch))).await?;
    for (batch, found) in batches.into_iter().zip(found) {
        let ours: Vec<_> = found.into_iter().filter(|(order, _)| order.shop == *shop).collect();
        let known: BTreeSet<&OrderId> = ours.iter().map(|(order, _)| &order.id).collect();
        foreseen.unknown += batch.iter().filter(|id| !known.contains(id)).count();
        foreseen.orders += batch.len();
        for (order, snapshot) in ours {
            if left(&request.selection, &order, &playbook) {
                continue;
            }
            let platform = order.source.platform;
            foreseen.count(decided(core, shop, &request, &playbook, order, snapshot), platform);
        }
    }
    Ok(foreseen)
}

/// What moving one order comes to. A move reads no packages: it neither ships nor delivers any.
fn decided<S>(
    core: &Core<S>,
    shop: &ShopId,
    request: &MoveRequest,
    playbook: &Playbook,
    order: Order,
    snapshot: Option<Snapshot>,
) -> Decision {
    let here = order.flow() == Some(&playbook.flow.id);
    let (id, expected_seq) = (order.id.clone(), order.seq);
    let (stage, actor) = (request.to.clone(), request.actor.clone());
    let known = Known {
        order: Some(order),
        snapshot,
        packages: Vec::new(),
        entry: None,
        playbook: here.then(|| playbook.clone()),
    };
    let fact = Fact::Move(MoveFact { stage, expected_seq, actor, follows: Follows::All });
    match decide(known.context(shop, &id, core.now(), core.restored_at), &fact) {
        // It stands in another flow, which has no such stage.
        Decision::Refused(Refused::NotPlaced) if !here && known_stage(&known) => {
            Decision::Refused(Refused::UnknownStage)
        }
        decision => decision,
    }
}

fn known_stage(known: &Known) -> bool {
    known.order.as_ref().is_some_and(|order| order.stage().is_some())
}

/// Whether the order has left the stage that all were chosen of.
fn left(selection: &Selection, order: &Order, playbook: &Playbook) -> bool {
    let Selection::Stage { stage } = selection else { return false };
    let at = |id| playbook.flow.position(id);
    order.stage().and_then(at) != at(stage)
}

/// The orders that are meant, and whether there are more.
async fn chosen<S: OrderStore>(
    core: &Core<S>,
    shop: &ShopId,
    selection: &Selection,
) -> Result<(Vec<OrderId>, bool), StoreError> {
    let stage = match selection {
        Selection::Orders { orders } => return Ok((orders.clone(), false)),
        Selection::Stage { stage } => stage,
    };
    let filter = OrderFilter::Stage(stage.clone());
    let (mut ids, mut cursor) = (Vec::new(), None);
    while ids.len() < FORESEEN_MAX {
        let page = core.store.orders(shop, &filter, cursor.as_deref(), 2 * BATCH).await?;
        ids.extend(page.items.into_iter().map(|summary| summary.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok((ids, cursor.is_some()))
}
