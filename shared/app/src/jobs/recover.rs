//! Failed runs, tried again: after an outage of a receiver, nobody wants to press a button a hundred times.

use std::collections::BTreeSet;

use stagepost_domain::Timestamp;
use stagepost_domain::event::{Action, Event};
use stagepost_domain::id::ShopId;
use stagepost_domain::job::{Counted, Job, PageDone, Progress, Recovery};
use stagepost_domain::run::{RunId, RunState};

use super::{PAGE, PageError, Tools};
use crate::Core;
use crate::apply::ApplyError;
use crate::ports::{
    CommitError, ConfigStore, InboundStore, JobStore, OrderSource, OrderStore, RunStore, Secrets, StoreError,
    TrackerService, run_id,
};
use crate::run::retry;

impl<S, K, P, Q, T, W> Tools<'_, S, K, P, Q, T, W>
where
    S: OrderStore + RunStore + ConfigStore + InboundStore + JobStore,
    K: Secrets,
    P: OrderSource,
    Q: OrderSource,
    T: TrackerService,
{
    /// A page of what went wrong, newest first, down to its `since`. Uncertain runs are left alone: trying one again
    /// may do it twice, which is for a person to accept. So are mails that somebody wanted tried again before the
    /// table was restored.
    pub(super) async fn recover(&self, job: &Job, which: &Recovery) -> Result<PageDone, PageError> {
        let shop = &job.shop;
        let page = self.core.store.attention(shop, job.cursor.as_deref(), PAGE).await?;
        let fenced = self.core.is_from_before(job.created_at);
        let over = ends_before(&page.items, which.since);
        let off = switched_off(self.core, shop).await?;
        let mut progress = Progress::default();
        for event in &page.items {
            for run in failed(event, which, &off) {
                progress.count(match run.key.action() {
                    Action::Email if fenced => Counted::Refused,
                    _ => self.try_again(&run).await?,
                });
            }
        }
        Ok(PageDone::new(progress, page.next.filter(|_| !over)))
    }

    async fn try_again(&self, run: &RunId) -> Result<Counted, PageError> {
        match retry(self.core, run, false).await {
            Ok(Some(Ok(_))) => Ok(Counted::Changed),
            Ok(_) => Ok(Counted::Refused),
            // Somebody else was at it.
            Err(CommitError::LostRace) => Ok(Counted::Same),
            Err(CommitError::Conflict) => Err(ApplyError::Busy.into()),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }
}

/// Events that are looked at to count what can be recovered.
const COUNTED_MAX: usize = 500;

/// What a recovery would try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recoverable {
    /// Failed runs.
    pub failed: usize,
    /// Whether there may be more: not all was looked at.
    pub more: bool,
    /// When the oldest of them ended.
    pub oldest: Option<Timestamp>,
}

/// Counts what a recovery would try again, among the latest 500 events that went wrong. Of one endpoint it counts
/// what waits for it also while it is off.
pub(super) async fn counted<S: RunStore + ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    which: &Recovery,
) -> Result<Recoverable, StoreError> {
    let (mut found, mut cursor, mut seen) = (Recoverable::default(), None::<String>, 0_usize);
    let off = if which.target.is_some() { BTreeSet::new() } else { switched_off(core, shop).await? };
    loop {
        let page = core.store.attention(shop, cursor.as_deref(), 100).await?;
        for event in &page.items {
            let runs = failed(event, which, &off);
            let ends = runs.iter().filter_map(|id| event.runs.get(&id.key)?.state.gone_wrong());
            found.failed = found.failed.saturating_add(runs.len());
            found.oldest = found.oldest.into_iter().chain(ends).min();
        }
        seen = seen.saturating_add(page.items.len());
        cursor = page.next.filter(|_| !ends_before(&page.items, which.since));
        found.more = cursor.is_some();
        if cursor.is_none() || seen >= COUNTED_MAX {
            return Ok(found);
        }
    }
}

/// Whether what comes after this page is older: the newest come first.
fn ends_before(page: &[Event], since: Timestamp) -> bool {
    page.last().and_then(Event::wants_attention).is_some_and(|at| at < since)
}

/// The endpoints that are switched off: what is sent to one is skipped, and could not be recovered once more.
async fn switched_off<S: ConfigStore>(core: &Core<S>, shop: &ShopId) -> Result<BTreeSet<String>, StoreError> {
    let endpoints = core.store.endpoints(shop).await?.into_iter();
    Ok(endpoints.filter(|e| e.disabled.is_some()).map(|e| e.id.to_string()).collect())
}

/// Runs that are to be tried again, but for those of endpoints that are `off`.
fn failed(event: &Event, which: &Recovery, off: &BTreeSet<String>) -> Vec<RunId> {
    let wanted = |at: Timestamp, id: &RunId| {
        at >= which.since
            && !off.contains(id.key.target.name())
            && which.action.is_none_or(|action| id.key.action() == action)
            && which.target.as_ref().is_none_or(|target| id.key.target.name() == *target)
    };
    let runs = event.latest_runs().filter_map(|(key, run)| match run.state {
        RunState::Failed { at, .. } => Some((at, run_id(&event.order, event.seq, key))),
        _ => None,
    });
    runs.filter(|(at, id)| wanted(*at, id)).map(|(_, id)| id).collect()
}
