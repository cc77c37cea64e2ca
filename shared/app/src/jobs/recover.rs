//! Failed runs, tried again: after an outage of a receiver, nobody wants to press a button a hundred times.

use stagepost_domain::Timestamp;
use stagepost_domain::event::{Action, Event};
use stagepost_domain::id::ShopId;
use stagepost_domain::job::{Counted, PageDone, Progress};
use stagepost_domain::run::{RunId, RunState};

use super::{PAGE, PageError, Tools};
use crate::apply::ApplyError;
use crate::ports::{
    CommitError, ConfigStore, InboundStore, JobStore, OrderSource, OrderStore, RunStore, Secrets,
    TrackerService, run_id,
};
use crate::run::retry;

impl<S, K, P, Q, T> Tools<'_, S, K, P, Q, T>
where
    S: OrderStore + RunStore + ConfigStore + InboundStore + JobStore,
    K: Secrets,
    P: OrderSource,
    Q: OrderSource,
    T: TrackerService,
{
    /// A page of what went wrong, newest first, down to `since`. Uncertain runs are left alone: trying one again
    /// may do it twice, which is for a person to accept.
    pub(super) async fn recover(
        &self,
        shop: &ShopId,
        since: Timestamp,
        action: Option<Action>,
        target: Option<&str>,
        cursor: Option<&str>,
    ) -> Result<PageDone, PageError> {
        let page = self.core.store.attention(shop, cursor, PAGE).await?;
        let over = page.items.last().is_some_and(|e| e.wants_attention().is_some_and(|at| at < since));
        let mut progress = Progress::default();
        for event in &page.items {
            for run in failed(event, since, action, target) {
                progress.count(self.try_again(&run).await?);
            }
        }
        Ok(PageDone { progress, next: page.next.filter(|_| !over), newest: None })
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

fn failed(event: &Event, since: Timestamp, action: Option<Action>, target: Option<&str>) -> Vec<RunId> {
    let wanted = |at: Timestamp, id: &RunId| {
        at >= since
            && action.is_none_or(|action| id.key.action() == action)
            && target.is_none_or(|target| id.key.target.name() == target)
    };
    let runs = event.latest_runs().filter_map(|(key, run)| match run.state {
        RunState::Failed { at, .. } => Some((at, run_id(&event.order, event.seq, key))),
        _ => None,
    });
    runs.filter(|(at, id)| wanted(*at, id)).map(|(_, id)| id).collect()
}
