//! What follows for orders when flows change under them. Nothing is sent because of it (law 4).

use stagepost_domain::disposition::Disposition;
use stagepost_domain::fact::{AssignFact, Assigner, Fact};
use stagepost_domain::id::{ChannelId, FlowId, OrderId, ShopId, StageId};
use stagepost_domain::job::{Counted, PageDone, Progress};

use super::{PAGE, PageError, Tools};
use crate::apply::{Outcome, apply};
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
    /// Puts the orders of a deleted stage into its successor.
    pub(super) async fn restage(
        &self,
        shop: &ShopId,
        stage: &StageId,
        cursor: Option<&str>,
    ) -> Result<PageDone, PageError> {
        let page = self.core.store.orders(shop, &OrderFilter::Stage(stage.clone()), cursor, PAGE).await?;
        let mut progress = Progress::default();
        for order in page.items {
            progress.count(self.decided(shop, &order.id, &Fact::StageRetired).await?);
        }
        Ok(PageDone::new(progress, page.next))
    }

    /// Puts a channel's untriaged orders into its new default flow.
    pub(super) async fn triage(
        &self,
        shop: &ShopId,
        channel: &ChannelId,
        flow: &FlowId,
        cursor: Option<&str>,
    ) -> Result<PageDone, PageError> {
        let page = self.core.store.orders(shop, &OrderFilter::Untriaged, cursor, PAGE).await?;
        let mut progress = Progress::default();
        for listed in page.items {
            let order = self.core.store.order(&listed.id).await?;
            if order.is_none_or(|order| order.source.channel.as_ref() != Some(channel)) {
                continue;
            }
            let by = Assigner::DefaultFlow;
            let fact = Fact::Assign(AssignFact { flow: flow.clone(), stage: None, by });
            progress.count(self.decided(shop, &listed.id, &fact).await?);
        }
        Ok(PageDone::new(progress, page.next))
    }

    pub(super) async fn decided(
        &self,
        shop: &ShopId,
        order: &OrderId,
        fact: &Fact,
    ) -> Result<Counted, PageError> {
        match apply(self.core, shop, order, fact).await {
            Ok(Outcome::Changed(_)) => Ok(Counted::Changed),
            Ok(Outcome::NoOp(_)) => Ok(Counted::Same),
            Ok(Outcome::Ignored(_) | Outcome::Refused(_)) => Ok(Counted::Refused),
            // One that the store can never take keeps no other from its turn.
            Err(error) if error.disposition() == Disposition::Permanent => {
                tracing::error!(%shop, %order, %error, "an order is left out");
                Ok(Counted::Refused)
            }
            Err(error) => Err(error.into()),
        }
    }
}
