//! Orders that go, wholly.

use std::future::Future;

use stagepost_domain::id::{OrderId, ShopId};

use crate::Core;
use crate::apply::ApplyError;
use crate::ports::{OrderStore, SearchStore, StoreError};
use crate::search::forget;

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
