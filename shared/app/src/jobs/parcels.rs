//! Parcels under way and the carrier service that is to report them: registered when it is connected, asked for
//! when it was silent.

use std::collections::BTreeSet;
use std::fmt;

use stagepost_domain::disposition::Disposition;
use stagepost_domain::fact::Fact;
use stagepost_domain::flow::Flow;
use stagepost_domain::id::{CarrierId, OrderId, PackageId, ShopId, StageId};
use stagepost_domain::job::{Counted, Job, PageDone, Progress};
use stagepost_domain::package::Package;
use stagepost_domain::run::later;
use stagepost_domain::{SignedDuration, Timestamp};

use super::{PAGE, PageError, Tools, days_before};
use crate::apply::Outcome;
use crate::ports::{
    ConfigStore, InboundStore, JobStore, OrderFilter, OrderSource, OrderStore, RunStore, Secrets, StoreError,
    TrackerService,
};
use crate::tracker::{RefetchError, Refetched, news_of};

/// Parcels that one page asks for at most, whoever holds them.
const CALLS_MAX: usize = 10;
/// No further call of a page is begun after this: one that nobody answers takes as long again.
const CALLING_MAX: SignedDuration = SignedDuration::from_secs(15);
/// A parcel at which so many pages in a row have failed is passed over until the next day's pass.
const FAILURES_MAX: u32 = 3;
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

    /// Asks for the parcels that the service should have told of, a few calls a page: a page may end in the middle of
    /// an order.
    pub(super) async fn refetch_parcels(
        &self,
        job: &Job,
        carrier: &CarrierId,
    ) -> Result<PageDone, PageError> {
        let has_key = self.there_is(&job.shop, carrier).await?;
        if !has_key {
            return Ok(PageDone::new(Progress::default(), None));
        }
        let flows = self.core.store.flows(&job.shop).await?;
        let mut asking = Asking::new(carrier, job.failures, self.core.now());
        let (mut left, mut behind) = left_at(job.cursor.as_deref());
        for _ in 0..PAGE {
            let order = match left.take() {
                Some(left) => Some(left),
                None => {
                    let walked = self.walk_in(&job.shop, &flows, behind.as_deref(), 1).await?;
                    behind = walked.next;
                    walked.orders.into_iter().next().map(Left::whole)
                }
            };
            if let Some(order) = order
                && let Some(rest) = self.ask_for(&job.shop, order, &mut asking).await?
            {
                return Ok(PageDone::new(asking.progress, Some(rest.cursor(behind.as_deref()))));
            }
            if behind.is_none() {
                break;
            }
        }
        Ok(PageDone::new(asking.progress, behind))
    }

    /// Whether the integration has a key; it may be gone altogether.
    async fn there_is(&self, shop: &ShopId, carrier: &CarrierId) -> Result<bool, PageError> {
        let there = self.core.store.carrier(carrier).await?.filter(|c| c.shop == *shop);
        Ok(there.ok_or(PageError::Gone)?.credentials.is_some())
    }

    /// Asks for what is left of an order's parcels; gives what is left still when the page is to end.
    async fn ask_for(
        &self,
        shop: &ShopId,
        mut left: Left,
        asking: &mut Asking<'_>,
    ) -> Result<Option<Left>, PageError> {
        let packages = match self.core.store.packages(&left.order).await {
            // One that cannot be read is for the audit to tell.
            Err(StoreError::Corrupt { .. } | StoreError::Newer { .. }) => {
                asking.progress.count(Counted::Refused);
                return Ok(None);
            }
            packages => packages?,
        };
        for package in packages {
            let now = self.core.now();
            if left.is_done_with(&package.id) || !asking.wants(&package, now) {
                continue;
            }
            if asking.is_over(now) {
                return Ok(Some(left));
            }
            let (core, secrets, trackers) = (self.core, self.secrets, self.trackers);
            let asked = counted(news_of(core, secrets, trackers, shop, &left.order, &package).await);
            match asking.taken(asked)? {
                Taken::Counted => left.after = Some(package.id),
                Taken::NotNow => return Ok(Some(left)),
            }
        }
        Ok(None)
    }

    /// The next orders of the stages that come before the delivery, stage by stage in the order of their ids.
    async fn walk(&self, shop: &ShopId, cursor: Option<&str>, limit: usize) -> Result<Walked, PageError> {
        self.walk_in(shop, &self.core.store.flows(shop).await?, cursor, limit).await
    }

    /// The same in these flows.
    async fn walk_in(
        &self,
        shop: &ShopId,
        flows: &[Flow],
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Walked, PageError> {
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

/// What one page asks a service for, and what that came to.
struct Asking<'a> {
    carrier: &'a CarrierId,
    /// Pages before this one that failed where it begins.
    failures: u32,
    /// No further call is begun after this.
    until: Timestamp,
    calls: usize,
    progress: Progress,
}

/// What a call came to for its page.
enum Taken {
    /// The next parcel's turn.
    Counted,
    /// The next page begins with this one.
    NotNow,
}

impl<'a> Asking<'a> {
    fn new(carrier: &'a CarrierId, failures: u32, now: Timestamp) -> Self {
        let (until, progress) = (later(now, CALLING_MAX), Progress::default());
        Self { carrier, failures, until, calls: 0, progress }
    }

    /// Whether the service should have told of the parcel.
    fn wants(&self, package: &Package, now: Timestamp) -> bool {
        let elsewhere = package.registered_with.as_ref().is_some_and(|with| with != self.carrier);
        package.is_overdue(now) && !elsewhere
    }

    /// Whether the page has made its calls. Every page makes one.
    fn is_over(&self, now: Timestamp) -> bool {
        self.calls >= CALLS_MAX || (self.calls > 0 && now >= self.until)
    }

    /// Takes in what a call came to. A parcel that fails is where the next page begins; at one that fails there again
    /// and again the page does, which is tried later, and in the end the parcel is passed over: it must not keep the
    /// rest from being asked for.
    fn taken(&mut self, asked: Result<Counted, PageError>) -> Result<Taken, PageError> {
        let first = self.calls == 0;
        self.calls = self.calls.saturating_add(1);
        match asked {
            Ok(counted) => self.progress.count(counted),
            Err(_) if !first => return Ok(Taken::NotNow),
            Err(error) if self.failures < FAILURES_MAX => return Err(error),
            Err(error) => {
                tracing::warn!(carrier = %self.carrier, %error, "a parcel is passed over until the next pass");
                self.progress.count(Counted::Refused);
            }
        }
        Ok(Taken::Counted)
    }
}

/// An order whose parcels are not all asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Left {
    order: OrderId,
    /// The last that was; none if none was.
    after: Option<PackageId>,
}

impl Left {
    fn whole(order: OrderId) -> Self {
        Self { order, after: None }
    }

    /// Packages come in the order of their ids.
    fn is_done_with(&self, package: &PackageId) -> bool {
        self.after.as_ref().is_some_and(|after| package <= after)
    }

    /// This order first, then what is behind it.
    fn cursor(&self, behind: Option<&str>) -> String {
        behind.map_or_else(|| self.to_string(), |behind| format!("{self} {behind}"))
    }

    fn parse(order: &str, after: &str) -> Option<Self> {
        let order = OrderId::parse(order).ok()?;
        Some(Self { order, after: PackageId::parse(after).ok() })
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.after {
            Some(package) => write!(f, "{} {package}", self.order),
            None => write!(f, "{} -", self.order),
        }
    }
}

/// What a cursor says is left of an order, if anything, and where the walk goes on behind that: from the beginning if
/// it says neither, nowhere if only an order is left.
fn left_at(cursor: Option<&str>) -> (Option<Left>, Option<String>) {
    let Some(cursor) = cursor else { return (None, None) };
    let mut parts = cursor.splitn(3, ' ');
    let left = parts.next().zip(parts.next()).and_then(|(order, after)| Left::parse(order, after));
    match left {
        Some(left) => (Some(left), parts.next().map(str::to_owned)),
        None => (None, Some(cursor.to_owned())),
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
    fn a_cursor_may_begin_with_what_is_left_of_an_order() {
        let order = OrderId::parse("ord_a").unwrap();
        for after in [None, Some(PackageId::parse("pkg_b").unwrap())] {
            for behind in [None, Some("stg_a"), Some("stg_a x y")] {
                let left = Left { order: order.clone(), after: after.clone() };
                let cursor = left.cursor(behind);
                assert_eq!(left_at(Some(&cursor)), (Some(left), behind.map(str::to_owned)), "{cursor}");
            }
        }
        assert_eq!(left_at(None), (None, None));
        for plain in ["stg_a", "stg_a x", "stg_a x y"] {
            assert_eq!(left_at(Some(plain)), (None, Some(plain.to_owned())), "as it was before");
        }
    }

    #[test]
    fn a_cursor_is_a_stage_and_a_place_in_it() {
        let stage = StageId::parse("stg_a").unwrap();
        assert_eq!(place(None), (None, None));
        assert_eq!(place(Some("stg_a")), (Some(stage.clone()), None));
        assert_eq!(place(Some("stg_a x y")), (Some(stage), Some("x y")));
    }
}
