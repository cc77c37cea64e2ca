//! The walk over all orders of a shop: stage by stage, those of deleted stages and archived flows too, and at last
//! those in no flow.

use std::collections::BTreeSet;

use stagepost_domain::Timestamp;
use stagepost_domain::flow::Flow;
use stagepost_domain::id::{ShopId, StageId};

use crate::ports::{ConfigStore, OrderFilter, OrderStore, OrderSummary, StoreError};

/// Listings that one page asks: most of many stages are empty.
const ASKED_MAX: usize = 20;
/// The place of the orders in no flow, in a cursor. No stage's id is like it.
const UNTRIAGED: &str = "untriaged";

/// A page of the walk.
#[derive(Debug)]
pub struct Walked {
    /// At most as many as asked for; perhaps none although there are more behind the cursor.
    pub orders: Vec<OrderSummary>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// The next orders that came into their stage since `oldest`, newest first within each stage; of deleted stages all,
/// for nobody is to be left there.
///
/// An order that moves while the walk is under way may be met twice, or, if it goes to a stage that is done, not
/// at all: the next walk meets it.
///
/// # Errors
/// The store failed, or the cursor is none of a walk's.
pub async fn walk<S: OrderStore + ConfigStore>(
    store: &S,
    shop: &ShopId,
    cursor: Option<&str>,
    oldest: Option<Timestamp>,
    limit: usize,
) -> Result<Walked, StoreError> {
    walk_in(store, shop, &store.flows(shop).await?, cursor, oldest, limit).await
}

/// The same, for whoever has the shop's flows already.
///
/// # Errors
/// The store failed, or the cursor is none of a walk's.
pub async fn walk_in<S: OrderStore>(
    store: &S,
    shop: &ShopId,
    flows: &[Flow],
    cursor: Option<&str>,
    oldest: Option<Timestamp>,
    limit: usize,
) -> Result<Walked, StoreError> {
    let places = places(flows);
    let (mut at, mut within) = cursor.map_or((None, None), parsed);
    let mut orders = Vec::new();
    for _ in 0..ASKED_MAX {
        // The stage that the cursor names may be gone.
        let Some(place) = places.iter().copied().find(|place| at.is_none_or(|at| *place >= at)) else {
            return Ok(Walked { orders, next: None });
        };
        let within_here = within.take().filter(|_| at == Some(place));
        let wanted = limit.saturating_sub(orders.len());
        let page = store.orders(shop, &filter(place), within_here, wanted).await?;
        let listed = page.items.len();
        let oldest = oldest.filter(|_| !is_retired(flows, place));
        let young = |order: &OrderSummary| oldest.is_none_or(|oldest| order.entered_at >= oldest);
        let taken: Vec<OrderSummary> = page.items.into_iter().take_while(young).collect();
        let more = page.next.filter(|_| taken.len() == listed);
        orders.extend(taken);
        if let Some(more) = more {
            return Ok(Walked { orders, next: Some(format!("{place} {more}")) });
        }
        at = places.iter().copied().find(|other| *other > place);
        match at {
            None => return Ok(Walked { orders, next: None }),
            Some(next) if orders.len() >= limit => {
                return Ok(Walked { orders, next: Some(next.to_owned()) });
            }
            Some(_) => {}
        }
    }
    Ok(Walked { orders, next: at.map(str::to_owned) })
}

/// Every place an order can stand in, in the order of the walk.
fn places(flows: &[Flow]) -> BTreeSet<&str> {
    let stages = flows.iter().flat_map(|flow| flow.stages.iter().map(|stage| &stage.id));
    let retired = flows.iter().flat_map(|flow| flow.retired.keys());
    stages.chain(retired).map(StageId::as_str).chain([UNTRIAGED]).collect()
}

fn is_retired(flows: &[Flow], place: &str) -> bool {
    flows.iter().flat_map(|flow| flow.retired.keys()).any(|stage| stage.as_str() == place)
}

fn filter(place: &str) -> OrderFilter {
    StageId::parse(place).map_or(OrderFilter::Untriaged, OrderFilter::Stage)
}

/// Place and the listing's own cursor in it.
fn parsed(cursor: &str) -> (Option<&str>, Option<&str>) {
    cursor.split_once(' ').map_or((Some(cursor), None), |(place, within)| (Some(place), Some(within)))
}
