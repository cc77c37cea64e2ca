//! *Undo*: a move in the console is taken back while nothing has left (law 12).

use stagepost_domain::event::Actor;
use stagepost_domain::fact::{Fact, Follows, MoveFact};
use stagepost_domain::id::{OrderId, ShopId, StageId};
use stagepost_domain::order::{Order, Placement};
use stagepost_domain::run::later;
use stagepost_domain::shop::Settings;
use stagepost_domain::{SignedDuration, Timestamp};

use crate::Core;
use crate::apply::{ApplyError, Outcome, apply};
use crate::ports::{ConfigStore, InboundStore, OrderStore, StoreError, TimelineEntry};

/// How long a move can be taken back at most, however long the shop's grace is: a person has looked away.
const OFFERED: SignedDuration = SignedDuration::from_secs(60);

/// Until when the last move of an order can be taken back: while what follows from it waits.
#[must_use]
pub fn undo_until(order: &Order, settings: &Settings) -> Option<Timestamp> {
    let Placement::Placed { entered_at, .. } = &order.placement else { return None };
    Some(later(*entered_at, settings.grace().min(OFFERED)))
}

/// A move that is to be taken back.
#[derive(Debug, Clone)]
pub struct UndoRequest {
    /// Where the order was before.
    pub stage: StageId,
    /// The order's `seq` after the move.
    pub expected_seq: u64,
    /// Who.
    pub actor: Actor,
}

/// Moves an order back. What the move had superseded in the stage that it returns to is planned anew; all else there
/// has told of itself before. `None` if it is too late: what the move sends is on its way.
///
/// # Errors
/// As [`apply`].
pub async fn undo<S>(
    core: &Core<S>,
    shop: &ShopId,
    id: &OrderId,
    request: UndoRequest,
) -> Result<Option<Outcome>, ApplyError>
where
    S: OrderStore + ConfigStore + InboundStore,
{
    let (order, settings) = (core.store.order(id).await?, core.store.settings(shop).await?);
    let order = order.filter(|order| order.shop == *shop);
    let Some((order, settings)) = order.zip(settings) else { return Ok(None) };
    if undo_until(&order, &settings).is_none_or(|until| core.now() >= until) {
        return Ok(None);
    }
    let UndoRequest { stage, expected_seq, actor } = request;
    let entry = entered(core, &order, &stage).await?;
    let follows = entry.map_or(Follows::Nothing, |entry| Follows::WhatWaited { entry });
    let fact = MoveFact { stage, expected_seq, actor, follows };
    apply(core, shop, id, &Fact::Move(fact)).await.map(Some)
}

/// How far back an entry is looked for. One that is further back than so many entries of the timeline waits for
/// nothing any more.
const ENTRIES: usize = 20;

/// The event that brought the order into a stage before it came to where it stands.
async fn entered<S: OrderStore>(
    core: &Core<S>,
    order: &Order,
    stage: &StageId,
) -> Result<Option<u64>, StoreError> {
    let Placement::Placed { entered_seq, .. } = &order.placement else { return Ok(None) };
    let page = core.store.timeline(&order.id, None, ENTRIES, core.now()).await?;
    Ok(page.items.into_iter().find_map(|entry| match entry {
        TimelineEntry::Event(event) if event.seq < *entered_seq => {
            event.transition.filter(|transition| transition.to.id == *stage).map(|_| event.seq)
        }
        _ => None,
    }))
}
