//! Audits: a walk over the orders of a shop, and a look at each.

use stagepost_domain::Timestamp;
use stagepost_domain::audit::{AUDIT_EVERY, Audit, Audited};
use stagepost_domain::disposition::Disposition;
use stagepost_domain::fact::Fact;
use stagepost_domain::flow::Flow;
use stagepost_domain::id::{InvalidId, JobId, OrderId, ShopId, StageId};
use stagepost_domain::job::{Counted, Job, JobKind, JobState, Noted, PageDone, Progress};
use stagepost_domain::run::later;

use super::standing::keep_up;
use super::{JobStores, PageError, Tools};
use crate::apply::{ApplyError, Outcome, apply};
use crate::audit::{Finding, Looked, look_at};
use crate::config::ConfigError;
use crate::ports::{OrderSummary, StoreError};
use crate::walk::walk_in;

/// Orders of a page: a few read units each, and a second's round trips.
const PAGE: usize = 50;

/// A shop's audit: one job.
///
/// # Errors
/// None: the name is a job's.
pub fn audit_of(shop: &ShopId, now: Timestamp) -> Result<Job, InvalidId> {
    let mut job = Job::new(JobId::from_body("audit")?, shop.clone(), JobKind::Audit(Audit::default()), now);
    job.state = JobState::Waiting { due: later(now, AUDIT_EVERY) };
    Ok(job)
}

impl<S, K, P, Q, T, W> Tools<'_, S, K, P, Q, T, W>
where
    S: JobStores,
{
    /// A page of an audit. Done twice, the second finds what the first could not mend.
    pub(super) async fn audit(
        &self,
        shop: &ShopId,
        audit: &Audit,
        cursor: Option<&str>,
    ) -> Result<PageDone, PageError> {
        let pass = audit.pass(self.core.now());
        let reach = audit.reach(&pass);
        if cursor.is_none() {
            self.has_its_jobs(shop).await?;
        }
        let flows = self.core.store.flows(shop).await?;
        let walked = walk_in(&self.core.store, shop, &flows, cursor, reach.orders, PAGE).await?;
        let (mut progress, mut page) = (Progress::default(), Audited::default());
        for order in &walked.orders {
            let mut looked = look_at(self.core, shop, &order.id, reach.events).await?;
            looked.findings.extend(self.left_behind(shop, &flows, order).await?);
            tell_of(shop, &order.id, &looked);
            progress.count(counted(&looked));
            page = page.plus(summed(&looked));
        }
        if walked.next.is_none() {
            tell(shop, pass.so_far.plus(page));
        }
        Ok(PageDone { progress, next: walked.next, noted: Noted::Audited(pass, page) })
    }

    /// What the shop's settings ask for is there: they and its jobs are not written as one.
    async fn has_its_jobs(&self, shop: &ShopId) -> Result<(), StoreError> {
        let Some(settings) = self.core.store.settings(shop).await? else { return Ok(()) };
        match keep_up(self.core, &settings).await {
            Err(ConfigError::Store(error)) => Err(error),
            // Nothing else can be wrong with the two.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// An order that a deleted stage has kept, because it came in behind the back of the job that emptied the stage, or
    /// because that job failed, goes to the successor now.
    async fn left_behind(
        &self,
        shop: &ShopId,
        flows: &[Flow],
        order: &OrderSummary,
    ) -> Result<Option<Finding>, PageError> {
        let deleted = |stage: &&StageId| flows.iter().any(|flow| flow.retired.contains_key(*stage));
        let Some(stage) = order.stage.as_ref().filter(deleted) else { return Ok(None) };
        match apply(self.core, shop, &order.id, &Fact::StageRetired).await {
            Ok(Outcome::Changed(_)) => Ok(Some(Finding::LeftBehind { stage: stage.clone() })),
            Ok(Outcome::NoOp(_) | Outcome::Ignored(_) | Outcome::Refused(_)) => Ok(None),
            // A later release knows it; one that cannot be read is told of. Neither keeps another from its turn.
            Err(ApplyError::Store(StoreError::Newer { .. })) => Ok(None),
            Err(error) if error.disposition() == Disposition::Permanent => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// One line for each finding, with ids alone.
fn tell_of(shop: &ShopId, order: &OrderId, looked: &Looked) {
    for finding in &looked.findings {
        match finding.is_mended() {
            true => tracing::warn!(%shop, %order, %finding, "an audit has put something right"),
            false => tracing::error!(%shop, %order, %finding, "an audit has found something"),
        }
    }
}

/// The end of a pass, in one line.
fn tell(shop: &ShopId, whole: Audited) {
    tracing::info!(
        %shop,
        audited_orders = whole.orders,
        audited_events = whole.events,
        audit_findings = whole.findings,
        audit_mended = whole.mended,
        "audit"
    );
}

fn summed(looked: &Looked) -> Audited {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let mended = looked.findings.iter().filter(|finding| finding.is_mended()).count();
    Audited {
        orders: 1,
        events: looked.events,
        findings: count(looked.findings.len()),
        mended: count(mended),
    }
}

fn counted(looked: &Looked) -> Counted {
    if looked.findings.iter().all(Finding::is_mended) {
        if looked.findings.is_empty() { Counted::Same } else { Counted::Changed }
    } else {
        Counted::Refused
    }
}
