//! Carriers' reports: find the orders that hold the parcel, or park the report until one does.

use stagepost_domain::disposition::Disposition;
use stagepost_domain::fact::{Fact, TrackingFact};
use stagepost_domain::id::{CarrierId, OrderId, ShopId};
use stagepost_domain::outcome::NoOpReason;
use stagepost_domain::package::Package;
use stagepost_domain::run::later;
use stagepost_domain::{SignedDuration, Timestamp};

use crate::Core;
use crate::apply::{ApplyError, Outcome, apply_received};
use crate::ports::{ConfigStore, InboundStore, OrderStore, ParkedFact, StoreError};

/// When the order of a parked report is looked for, counted from its parking. An order that comes later
/// than that asks for its reports itself ([`apply`]); most parcels that a carrier account reports are no
/// order's of ours, and must not crowd the index that runs stand in.
const LOOKS: [SignedDuration; 6] = [
    FIRST_LOOK,
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(3),
    SignedDuration::from_hours(12),
    SignedDuration::from_hours(24),
];
/// The first of them, and the next one of a report that could not be applied just now.
pub(crate) const FIRST_LOOK: SignedDuration = SignedDuration::from_mins(1);

/// Orders that a report of one number is applied to: many times what one shipment holds together, and what one
/// invocation can do. A number that leads to more is a mistake of whoever writes it, and told as one.
pub const HOLDERS_MAX: usize = 1_000;

/// What a carrier's report came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tracked {
    /// One outcome per order that holds the parcel.
    Applied(Vec<(OrderId, Outcome)>),
    /// No order holds it yet.
    Parked,
}

/// Applies a carrier's report as it comes, or parks it. The put of a parked report is followed by a second
/// look at the index: whichever of the two writers comes last sees the other.
///
/// # Errors
/// The store failed; the report can be applied again.
pub async fn track<S>(
    core: &Core<S>,
    shop: &ShopId,
    carrier: &CarrierId,
    fact: &TrackingFact,
) -> Result<Tracked, ApplyError>
where
    S: OrderStore + ConfigStore + InboundStore,
{
    track_received(core, shop, carrier, fact, core.now()).await
}

/// The same for a report that reached us at `received_at` and may have waited since.
///
/// # Errors
/// As [`track`].
pub async fn track_received<S>(
    core: &Core<S>,
    shop: &ShopId,
    carrier: &CarrierId,
    fact: &TrackingFact,
    received_at: Timestamp,
) -> Result<Tracked, ApplyError>
where
    S: OrderStore + ConfigStore + InboundStore,
{
    let applied = to_orders(core, shop, fact, received_at).await?;
    if !applied.is_empty() {
        return Ok(Tracked::Applied(applied));
    }
    let now = core.now();
    let parked =
        ParkedFact { shop: shop.clone(), carrier: carrier.clone(), parked_at: now, fact: fact.clone() };
    core.store.park(&parked, later(now, FIRST_LOOK)).await?;
    Ok(if retry_parked(core, &parked).await? { Tracked::Applied(Vec::new()) } else { Tracked::Parked })
}

/// Applies a report to every order that holds the parcel; gives none if no order does.
pub(crate) async fn to_orders<S>(
    core: &Core<S>,
    shop: &ShopId,
    fact: &TrackingFact,
    received_at: Timestamp,
) -> Result<Vec<(OrderId, Outcome)>, ApplyError>
where
    S: OrderStore + ConfigStore + InboundStore,
{
    let (mut applied, mut failed) = (Vec::new(), None);
    for order in holders(core, shop, &fact.number).await? {
        let report = Fact::Tracking(fact.clone());
        match Box::pin(apply_received(core, shop, &order, &report, received_at)).await {
            // An entry of the index may be older or younger than the order's word.
            Ok(Outcome::NoOp(NoOpReason::UnknownPackage | NoOpReason::UnknownOrder)) => {}
            Ok(outcome) => applied.push((order, outcome)),
            // One order that cannot take it keeps it from no other.
            Err(error) => failed = Some(worse(failed, error)),
        }
    }
    failed.map_or(Ok(applied), Err)
}

/// The orders that a number leads to, at most [`HOLDERS_MAX`].
async fn holders<S: InboundStore>(
    core: &Core<S>,
    shop: &ShopId,
    number: &str,
) -> Result<Vec<OrderId>, StoreError> {
    let mut holders = core.store.orders_with_number(shop, number).await?;
    if let Some(order) = holders.get(HOLDERS_MAX) {
        tracing::error!(%shop, %order, "a number leads to so many orders that its reports do not reach this one");
        holders.truncate(HOLDERS_MAX);
    }
    Ok(holders)
}

/// What may pass is told before what never will: the report then comes again, and what it has done is done.
fn worse(known: Option<ApplyError>, error: ApplyError) -> ApplyError {
    match known {
        Some(known) if known.disposition() != Disposition::Permanent => known,
        _ => error,
    }
}

/// Tries a parked report once more; true when an order took it and it is parked no longer.
///
/// # Errors
/// The store failed.
pub async fn retry_parked<S>(core: &Core<S>, parked: &ParkedFact) -> Result<bool, ApplyError>
where
    S: OrderStore + ConfigStore + InboundStore,
{
    if to_orders(core, &parked.shop, &parked.fact, core.now()).await?.is_empty() {
        return Ok(false);
    }
    core.store.unpark(parked).await?;
    Ok(true)
}

/// When to look next for the order of a parked report; never again after a day, although it stays parked.
#[must_use]
pub fn next_look(parked: &ParkedFact, now: Timestamp) -> Option<Timestamp> {
    LOOKS.iter().map(|wait| later(parked.parked_at, *wait)).find(|look| *look > now)
}

/// Before packages are stored: reports of them that have left the due index are put back, so that the sweep
/// applies them should whoever stores the packages stop before it can.
pub(crate) async fn keep_in_sight<S: InboundStore>(
    core: &Core<S>,
    shop: &ShopId,
    before: &[Package],
    packages: &[Package],
) -> Result<(), StoreError> {
    for number in come_into_use(before, packages) {
        let now = core.now();
        for parked in core.store.parked(shop, number, now).await? {
            if next_look(&parked, now).is_none() {
                core.store.park(&parked, later(now, FIRST_LOOK)).await?;
            }
        }
    }
    Ok(())
}

/// Gives newly stored packages the reports that came before them. What fails here the sweep makes good.
pub(crate) async fn unpark_for<S>(core: &Core<S>, shop: &ShopId, before: &[Package], packages: &[Package])
where
    S: OrderStore + ConfigStore + InboundStore,
{
    let left = |error: &dyn std::fmt::Display| tracing::warn!(%shop, %error, "left to the next look");
    for number in come_into_use(before, packages) {
        let parked = core.store.parked(shop, number, core.now()).await;
        let parked = parked.inspect_err(|e| left(e)).unwrap_or_default();
        for parked in parked {
            if let Err(error) = Box::pin(retry_parked(core, &parked)).await {
                left(&error);
            }
        }
    }
}

/// Numbers of packages that are new, or told again after they were taken away: reports that came meanwhile
/// found no order.
fn come_into_use<'a>(before: &'a [Package], packages: &'a [Package]) -> impl Iterator<Item = &'a str> {
    let in_use = |p: &Package| before.iter().any(|known| known.id == p.id && !known.removed);
    let fresh = packages.iter().filter(move |p| !p.removed && (p.mark.is_none() || !in_use(p)));
    fresh.filter_map(|p| p.seen.number.as_deref())
}
