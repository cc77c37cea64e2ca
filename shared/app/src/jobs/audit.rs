//! Audits: a walk over the orders of a shop, and a look at each.

use stagepost_domain::Timestamp;
use stagepost_domain::audit::{AUDIT_EVERY, Audit, Audited};
use stagepost_domain::id::{InvalidId, JobId, OrderId, ShopId};
use stagepost_domain::job::{Counted, Job, JobKind, JobState, Noted, PageDone, Progress};
use stagepost_domain::run::later;

use super::{JobStores, PageError, Tools};
use crate::Core;
use crate::audit::{Finding, Looked, look_at};
use crate::ports::StoreError;
use crate::walk::walk;

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
        let walked = walk(&self.core.store, shop, cursor, reach.orders, PAGE).await?;
        let (mut progress, mut page) = (Progress::default(), Audited::default());
        for order in &walked.orders {
            let looked = looked_at(self.core, shop, &order.id, reach.events).await?;
            progress.count(counted(&looked));
            page = page.plus(summed(&looked));
        }
        if walked.next.is_none() {
            tell(shop, pass.so_far.plus(page));
        }
        Ok(PageDone { progress, next: walked.next, noted: Noted::Audited(pass, page) })
    }
}

/// One line for each finding, with ids alone.
async fn looked_at<S: JobStores>(
    core: &Core<S>,
    shop: &ShopId,
    order: &OrderId,
    since: Option<Timestamp>,
) -> Result<Looked, StoreError> {
    let looked = look_at(core, shop, order, since).await?;
    for finding in &looked.findings {
        match finding.is_mended() {
            true => tracing::warn!(%shop, %order, %finding, "an audit has put something right"),
            false => tracing::error!(%shop, %order, %finding, "an audit has found something"),
        }
    }
    Ok(looked)
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
