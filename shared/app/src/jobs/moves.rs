//! Bulk moves: one move after the other, each as if its order had been moved alone.

use stagepost_domain::event::Actor;
use stagepost_domain::fact::{Fact, Follows, MoveFact};
use stagepost_domain::id::{OrderId, StageId};
use stagepost_domain::job::{Counted, Job, PageDone, Progress, Selection};
use stagepost_domain::order::Placement;

use super::{PAGE, PageError, Tools};
use crate::apply::{Outcome, apply_received};
use crate::ports::{
    ConfigStore, InboundStore, JobStore, OrderFilter, OrderSource, OrderStore, RunStore, Secrets,
    TrackerService,
};

impl<S, K, P, Q, T, W> Tools<'_, S, K, P, Q, T, W>
where
    S: OrderStore + RunStore + ConfigStore + InboundStore + JobStore,
    K: Secrets,
    P: OrderSource,
    Q: OrderSource,
    T: TrackerService,
{
    pub(super) async fn moves(
        &self,
        job: &Job,
        to: &StageId,
        selection: &Selection,
        actor: &Actor,
    ) -> Result<PageDone, PageError> {
        let (orders, next) = self.selected(job, selection).await?;
        let mut progress = Progress::default();
        for order in orders {
            progress.count(self.move_one(job, &order, to, selection, actor).await?);
        }
        Ok(PageDone::new(progress, next))
    }

    async fn selected(
        &self,
        job: &Job,
        selection: &Selection,
    ) -> Result<(Vec<OrderId>, Option<String>), PageError> {
        match selection {
            Selection::Orders { orders } => {
                let from = job.cursor.as_deref().and_then(|c| c.parse::<usize>().ok()).unwrap_or(0);
                let page: Vec<OrderId> = orders.iter().skip(from).take(PAGE).cloned().collect();
                let next = from.saturating_add(page.len());
                Ok((page, (next < orders.len()).then(|| next.to_string())))
            }
            Selection::Stage { stage } => {
                let filter = OrderFilter::Stage(stage.clone());
                let page = self.core.store.orders(&job.shop, &filter, job.cursor.as_deref(), PAGE).await?;
                Ok((page.items.into_iter().map(|o| o.id).collect(), page.next))
            }
        }
    }

    async fn move_one(
        &self,
        job: &Job,
        id: &OrderId,
        to: &StageId,
        selection: &Selection,
        actor: &Actor,
    ) -> Result<Counted, PageError> {
        let order = self.core.store.order(id).await?.filter(|order| order.shop == job.shop);
        let Some(order) = order else { return Ok(Counted::Refused) };
        if let Placement::Placed { stage: here, entered_at, .. } = &order.placement {
            let elsewhere = matches!(selection, Selection::Stage { stage } if stage != here);
            // Moved on since, perhaps by this very page when it was done before, or come in after the question was
            // asked: nobody meant this one.
            if elsewhere || *entered_at > job.created_at {
                return Ok(Counted::Same);
            }
        }
        let fact = MoveFact {
            stage: to.clone(),
            expected_seq: order.seq,
            actor: actor.clone(),
            follows: Follows::All,
        };
        // As old as the wish: what a job of before a restore has still to do may be done already.
        let wished = job.created_at;
        Ok(match apply_received(self.core, &job.shop, id, &Fact::Move(fact), wished).await? {
            Outcome::Changed(_) => Counted::Changed,
            Outcome::NoOp(_) => Counted::Same,
            Outcome::Ignored(_) | Outcome::Refused(_) => Counted::Refused,
        })
    }
}
