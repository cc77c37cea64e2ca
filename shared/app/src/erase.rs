//! What goes: an order's people, or the whole order.

use std::future::Future;

use stagepost_domain::Timestamp;
use stagepost_domain::event::Actor;
use stagepost_domain::fact::Fact;
use stagepost_domain::id::{EndpointId, OrderId, ShopId};

use crate::Core;
use crate::apply::{ApplyError, Outcome, apply};
use crate::ports::{ConfigStore, InboundStore, OrderStore, SearchStore, StoreError};
use crate::search::{forget, keep_numbers};

/// Items deleted in one step.
const STEP: usize = 25;
/// Steps of one call: many times what the largest order has. An order that somebody writes all the time would never
/// be through.
const STEPS_MAX: usize = 200;

/// What takes orders out of the store.
pub trait EraseStore: Send + Sync {
    /// Has a number lead to the order no more. Not there already is a success.
    fn unlist_number(
        &self,
        shop: &ShopId,
        number: &str,
        order: &OrderId,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// Deletes at most `limit` of what stands beside an order and may name its people: frozen bodies and the log of
    /// calls, of events before this one. True when nothing of it is left.
    fn delete_private(
        &self,
        order: &OrderId,
        before: u64,
        limit: usize,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
    /// Deletes at most `limit` of the calls of an endpoint before then, oldest first; how many there were.
    fn forget_attempts(
        &self,
        shop: &ShopId,
        endpoint: &EndpointId,
        before: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<usize, StoreError>> + Send;
    /// Deletes at most `limit` of the items that stand under an order, the order itself last: true when nothing is
    /// left. Whatever stops in between, the same call goes on.
    fn delete_some(
        &self,
        order: &OrderId,
        limit: usize,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// Deletes an order with everything under it and everything that leads to it: its entries in the search, its numbers,
/// its events, packages, people, bodies and logs. What leads to it goes first and it goes last, so that a call that
/// stops half-way is done again. False if there is no such order in the shop.
///
/// # Errors
/// The store failed, or the order kept being written; to be done again.
pub async fn delete_order<S>(core: &Core<S>, shop: &ShopId, id: &OrderId) -> Result<bool, ApplyError>
where
    S: OrderStore + SearchStore + EraseStore,
{
    if core.store.order(id).await?.is_none_or(|order| order.shop != *shop) {
        return Ok(false);
    }
    forget(&core.store, id).await?;
    for package in core.store.packages(id).await? {
        if let Some(number) = package.seen.number.as_deref() {
            core.store.unlist_number(shop, number, id).await?;
        }
    }
    for _ in 0..STEPS_MAX {
        if core.store.delete_some(id, STEP).await? {
            return Ok(true);
        }
    }
    Err(ApplyError::Busy)
}

/// Erases an order's personal data: its people, what it is found by in the search beside its number, the frozen bodies
/// and the log of calls. The order itself, its lines and its timeline stay. It is an event of the order, by `actor` or
/// by the shop's settings; what its platform tells of people later is left out (law 19). Erased again it is looked for
/// what a call that stopped half-way has left; what later events want done is not touched, for it names nobody.
///
/// What stands beside the order goes first, so that a call that stops there leaves an order that is not erased and is
/// found again by whoever looks for such; and once more behind the event, for what came in between.
///
/// What this does not reach goes by itself: the quarantine within 30 days, a call under an idempotency key within a
/// day. A message that has not been sent yet goes without its body, and fails.
///
/// # Errors
/// The store failed; to be done again.
pub async fn erase_people<S>(
    core: &Core<S>,
    shop: &ShopId,
    id: &OrderId,
    actor: Option<Actor>,
) -> Result<Outcome, ApplyError>
where
    S: OrderStore + ConfigStore + InboundStore + SearchStore + EraseStore,
{
    if let Some(order) = core.store.order(id).await?.filter(|order| order.shop == *shop) {
        // All that its events have wanted so far is from before the erasure, unless that has been.
        let before = order.erased.map_or(order.seq.saturating_add(1), |erased| erased.seq);
        beside_goes(core, id, before).await?;
    }
    let outcome = apply(core, shop, id, &Fact::Erase { actor }).await?;
    let erased = match &outcome {
        Outcome::Refused(_) => None,
        Outcome::Changed(changes) => changes.order.erased,
        Outcome::NoOp(_) | Outcome::Ignored(_) => core.store.order(id).await?.and_then(|order| order.erased),
    };
    if let Some(erased) = erased {
        beside_goes(core, id, erased.seq).await?;
    }
    Ok(outcome)
}

/// Deletes what names an order's people beside it: what the search finds it by but its number, the bodies and the
/// calls of events before this one.
async fn beside_goes<S>(core: &Core<S>, id: &OrderId, before: u64) -> Result<(), ApplyError>
where
    S: SearchStore + EraseStore,
{
    keep_numbers(&core.store, id).await?;
    for _ in 0..STEPS_MAX {
        if core.store.delete_private(id, before, STEP).await? {
            return Ok(());
        }
    }
    Err(ApplyError::Busy)
}
