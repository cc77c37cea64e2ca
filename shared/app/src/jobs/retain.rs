//! Retention: what a shop keeps no longer goes, once a day.

use std::collections::BTreeMap;

use stagepost_domain::Timestamp;
use stagepost_domain::flow::Flow;
use stagepost_domain::id::{FlowId, InvalidId, JobId, OrderId, ShopId};
use stagepost_domain::job::{Counted, Job, JobKind, PageDone, Progress};
use stagepost_domain::retention::{LOGS_DAYS_MAX, Retention, days_ago, is_at_rest, is_over};

use super::{JobStores, PageError, Tools};
use crate::Core;
use crate::erase::erase_people;
use crate::ports::StoreError;
use crate::walk::walk_in;

/// Things of a page.
const PAGE: usize = 50;
/// Events read in one round trip.
const EVENTS: usize = 25;

/// A shop's retention: one job, there while the shop keeps anything shorter than it would by itself.
///
/// # Errors
/// None: the name is a job's.
pub(super) fn retention_of(shop: &ShopId, now: Timestamp) -> Result<Job, InvalidId> {
    Ok(Job::new(JobId::from_body("retain")?, shop.clone(), JobKind::Retain, now))
}

/// Where a pass is.
enum Part<'a> {
    /// At the log of calls.
    Attempts,
    /// At the quarantine, perhaps behind a cursor of it.
    Quarantine(Option<&'a str>),
    /// At the orders, perhaps behind a cursor of the walk.
    Orders(Option<&'a str>),
}

impl<'a> Part<'a> {
    fn of(cursor: Option<&'a str>) -> Self {
        let (part, within) = cursor.map_or(("", None), |c| {
            c.split_once(' ').map_or((c, None), |(part, within)| (part, Some(within)))
        });
        match part {
            "quarantine" => Self::Quarantine(within),
            "orders" => Self::Orders(within),
            _ => Self::Attempts,
        }
    }
}

impl<S, K, P, Q, T, W> Tools<'_, S, K, P, Q, T, W>
where
    S: JobStores,
{
    /// A page of a pass. Done twice, the second finds nothing to do.
    pub(super) async fn retain(&self, shop: &ShopId, cursor: Option<&str>) -> Result<PageDone, PageError> {
        let settings = self.core.store.settings(shop).await?.ok_or(PageError::Gone)?;
        let retention = settings.retention;
        if !retention.erases() {
            return Err(PageError::Gone);
        }
        match Part::of(cursor) {
            Part::Attempts => self.attempts_go(shop, &retention).await,
            Part::Quarantine(within) => self.quarantine_goes(shop, &retention, within).await,
            Part::Orders(within) => match retention.orders_days {
                Some(days) => self.people_go(shop, days, within).await,
                None => Ok(PageDone::new(Progress::default(), None)),
            },
        }
    }

    async fn attempts_go(&self, shop: &ShopId, retention: &Retention) -> Result<PageDone, PageError> {
        let (mut progress, mut more) = (Progress::default(), false);
        if retention.attempts_days < LOGS_DAYS_MAX {
            let before = days_ago(self.core.now(), retention.attempts_days);
            for endpoint in self.core.store.endpoints(shop).await? {
                let gone = self.core.store.forget_attempts(shop, &endpoint.id, before, PAGE).await?;
                (0..gone).for_each(|_| progress.count(Counted::Changed));
                more |= gone >= PAGE;
            }
        }
        let next = if more { "attempts" } else { "quarantine" };
        Ok(PageDone::new(progress, Some(next.to_owned())))
    }

    async fn quarantine_goes(
        &self,
        shop: &ShopId,
        retention: &Retention,
        cursor: Option<&str>,
    ) -> Result<PageDone, PageError> {
        let mut progress = Progress::default();
        if retention.quarantine_days >= LOGS_DAYS_MAX {
            return Ok(PageDone::new(progress, Some("orders".to_owned())));
        }
        let now = self.core.now();
        let page = self.core.store.quarantined(shop, cursor, PAGE, now).await?;
        for entry in page.items {
            if is_over(entry.at, retention.quarantine_days, now) {
                self.core.store.release(shop, &entry.id).await?;
                progress.count(Counted::Changed);
            } else {
                progress.count(Counted::Same);
            }
        }
        let next = page.next.map_or_else(|| "orders".to_owned(), |next| format!("quarantine {next}"));
        Ok(PageDone::new(progress, Some(next)))
    }

    async fn people_go(&self, shop: &ShopId, days: u16, cursor: Option<&str>) -> Result<PageDone, PageError> {
        let flows = self.core.store.flows(shop).await?;
        let walked = walk_in(&self.core.store, shop, &flows, cursor, None, PAGE).await?;
        let flows: BTreeMap<&FlowId, &Flow> = flows.iter().map(|flow| (&flow.id, flow)).collect();
        let mut progress = Progress::default();
        // One that came into its stage since cannot have rested long enough.
        let old = walked.orders.iter().filter(|order| is_over(order.entered_at, days, self.core.now()));
        for order in old {
            let over = is_to_go(self.core, shop, &order.id, &flows, days).await?;
            if over {
                erase_people(self.core, shop, &order.id, None).await?;
            }
            progress.count(if over { Counted::Changed } else { Counted::Same });
        }
        Ok(PageDone::new(progress, walked.next.map(|next| format!("orders {next}"))))
    }
}

/// Whether an order's people are to go: it has been at rest for so many days, and nothing that follows from any of its
/// events is open.
async fn is_to_go<S: JobStores>(
    core: &Core<S>,
    shop: &ShopId,
    id: &OrderId,
    flows: &BTreeMap<&FlowId, &Flow>,
    days: u16,
) -> Result<bool, StoreError> {
    // One that cannot be read is for the audit to tell.
    let order = match core.store.order(id).await {
        Err(StoreError::Corrupt { .. } | StoreError::Newer { .. }) => return Ok(false),
        order => order?,
    };
    // Of one that is erased nothing is left: that it is, was written last.
    let Some(order) = order.filter(|order| order.shop == *shop && order.erased.is_none()) else {
        return Ok(false);
    };
    let flow = order.flow().and_then(|flow| flows.get(flow).copied());
    if !is_at_rest(&order, flow) {
        return Ok(false);
    }
    let mut below = None;
    loop {
        let batch = core.store.audible(id, below, EVENTS).await?;
        for seen in &batch {
            let Some(event) = &seen.event else { return Ok(false) };
            // The newest event tells when it came to rest.
            let rested = below.is_some() || is_over(event.at, days, core.now());
            if !rested || event.due().is_some() {
                return Ok(false);
            }
            below = Some(seen.seq);
        }
        if batch.len() < EVENTS {
            return Ok(true);
        }
    }
}
