//! Parcels under way and the carrier service that is to report them: registered when it is connected, asked for
//! when it was silent.

use std::collections::BTreeSet;

use stagepost_domain::disposition::Disposition;
use stagepost_domain::fact::Fact;
use stagepost_domain::flow::Flow;
use stagepost_domain::id::{CarrierId, OrderId, ShopId, StageId};
use stagepost_domain::job::{Counted, PageDone, Progress};

use super::{PAGE, PageError, Tools, days_before};
use crate::apply::Outcome;
use crate::ports::{
    ConfigStore, InboundStore, JobStore, OrderFilter, OrderSource, OrderStore, RunStore, Secrets,
    TrackerService,
};
use crate::tracker::{RefetchError, Refetched, news_of};

/// Orders of a page whose parcels are asked for, one call each: they fit an attempt's time.
const ASKED: usize = 5;
/// An order that came into its stage before has no parcel under way.
const UNDER_WAY_DAYS: u16 = 30;

/// A page of the walk over the orders under way.
struct Walked {
    orders: Vec<OrderId>,
    next: Option<String>,
}

impl<S, K, P, Q, T, W> Tools<'_, S, K, P, Q, T, W>
where
    S: OrderStore + RunStore + ConfigStore + InboundStore + JobStore,
    K: Secrets,
    P: OrderSource,
    Q: OrderSource,
    T: TrackerService,
{
    /// Has parcels registered that the shop's carrier service does not report yet.
    pub(super) async fn register_parcels(
        &self,
        shop: &ShopId,
        carrier: &CarrierId,
        cursor: Option<&str>,
    ) -> Result<PageDone, PageError> {
        self.there_is(shop, carrier).await?;
        let walked = self.walk(shop, cursor, PAGE).await?;
        let mut progress = Progress::default();
        for order in walked.orders {
            progress.count(self.decided(shop, &order, &Fact::CarrierConnected).await?);
        }
        Ok(PageDone::new(progress, walked.next))
    }

    /// Asks for the parcels that the service should have told of.
    pub(super) async fn refetch_parcels(
        &self,
        shop: &ShopId,
        carrier: &CarrierId,
        cursor: Option<&str>,
    ) -> Result<PageDone, PageError> {
        let has_key = self.there_is(shop, carrier).await?;
        if !has_key {
            return Ok(PageDone::new(Progress::default(), None));
        }
        let walked = self.walk(shop, cursor, ASKED).await?;
        let mut progress = Progress::default();
        for order in walked.orders {
            self.refetch_order(shop, carrier, &order, &mut progress).await?;
        }
        Ok(PageDone::new(progress, walked.next))
    }

    /// Whether the integration has a key; it may be gone altogether.
    async fn there_is(&self, shop: &ShopId, carrier: &CarrierId) -> Result<bool, PageError> {
        let there = self.core.store.carrier(carrier).await?.filter(|c| c.shop == *shop);
        Ok(there.ok_or(PageError::Gone)?.credentials.is_some())
    }

    async fn refetch_order(
        &self,
        shop: &ShopId,
        carrier: &CarrierId,
        order: &OrderId,
        progress: &mut Progress,
    ) -> Result<(), PageError> {
        let now = self.core.now();
        let packages = self.core.store.packages(order).await?;
        for package in packages {
            if !package.is_overdue(now)
                || package.registered_with.as_ref().is_some_and(|with| with != carrier)
            {
                continue;
            }
            let asked = news_of(self.core, self.secrets, self.trackers, shop, order, &package).await;
            progress.count(counted(asked)?);
        }
        Ok(())
    }

    /// The next orders of the stages that come before the delivery, stage by stage in the order of their ids.
    async fn walk(&self, shop: &ShopId, cursor: Option<&str>, limit: usize) -> Result<Walked, PageError> {
        let flows = self.core.store.flows(shop).await?;
        let stages: BTreeSet<&StageId> = flows.iter().flat_map(before_delivery).collect();
        let (from, within) = place(cursor);
        let Some(stage) =
            stages.iter().copied().find(|stage| from.as_ref().is_none_or(|from| *stage >= from))
        else {
            return Ok(Walked { orders: Vec::new(), next: None });
        };
        // The stage that the cursor names may have been deleted since.
        let within = within.filter(|_| from.as_ref() == Some(stage));
        let page = self.core.store.orders(shop, &OrderFilter::Stage(stage.clone()), within, limit).await?;
        let oldest = days_before(self.core.now(), UNDER_WAY_DAYS);
        let listed = page.items.len();
        let orders: Vec<OrderId> =
            page.items.into_iter().take_while(|o| o.entered_at >= oldest).map(|o| o.id).collect();
        let more = page.next.filter(|_| orders.len() == listed);
        let next = match more {
            Some(next) => Some(format!("{stage} {next}")),
            None => stages.iter().find(|other| **other > stage).map(ToString::to_string),
        };
        Ok(Walked { orders, next })
    }
}

/// Stage and place in it, of a cursor.
fn place(cursor: Option<&str>) -> (Option<StageId>, Option<&str>) {
    let Some(cursor) = cursor else { return (None, None) };
    let (stage, within) = cursor.split_once(' ').map_or((cursor, None), |(s, w)| (s, Some(w)));
    (StageId::parse(stage).ok(), within)
}

/// The stages in which parcels may be under way: those before the one that a delivery leads to.
fn before_delivery(flow: &Flow) -> impl Iterator<Item = &StageId> {
    let live = flow.stages.iter().filter(|_| flow.archived_at.is_none());
    live.take_while(|stage| !stage.advances_on_delivery()).map(|stage| &stage.id)
}

/// What asking for one parcel came to. Only what may be otherwise next time keeps the page from its end.
fn counted(asked: Result<Refetched, RefetchError>) -> Result<Counted, PageError> {
    match asked {
        Ok(Refetched::Applied(outcomes))
            if outcomes.iter().any(|(_, o)| matches!(o, Outcome::Changed(_))) =>
        {
            Ok(Counted::Changed)
        }
        Ok(Refetched::Applied(_) | Refetched::NotOverdue) => Ok(Counted::Same),
        Ok(Refetched::NoTracker) => Ok(Counted::Refused),
        Err(error) if error.disposition() == Disposition::Permanent => Ok(Counted::Refused),
        Err(RefetchError::Store(error)) => Err(error.into()),
        Err(RefetchError::Apply(error)) => Err(error.into()),
        Err(RefetchError::Service(error)) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_a_stage_and_a_place_in_it() {
        let stage = StageId::parse("stg_a").unwrap();
        assert_eq!(place(None), (None, None));
        assert_eq!(place(Some("stg_a")), (Some(stage.clone()), None));
        assert_eq!(place(Some("stg_a x y")), (Some(stage), Some("x y")));
    }
}
