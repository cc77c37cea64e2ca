//! Fulfills orders on their sales channels: lock, look, act, settle.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use stagepost_app::Core;
use stagepost_app::contact::{ContactStore, Contacts};
use stagepost_app::platform::{Platforms, fulfill};
use stagepost_app::ports::{ConfigStore, DeadLetters, FulfillmentPlatform, OrderStore, RunStore, Secrets};
use stagepost_app::run::Answered;
use stagepost_domain::contact::{FarEnd, Way};
use stagepost_domain::run::{RunId, RunState, Target};
use stagepost_lambda::runner::run_batch;

/// What the runner needs.
pub struct FulfillmentRunner<S, K, P, Q, D> {
    /// Store, clock, ids.
    pub core: Core<S>,
    /// Opens channels' credentials.
    pub secrets: K,
    /// Shopify and WooCommerce.
    pub platforms: Platforms<P, Q>,
    /// For messages that nobody can read.
    pub dead: Arc<D>,
    /// What it has noted of channels that took something.
    pub contacts: Contacts,
}

/// Answers one batch.
pub async fn handle<S, K, P, Q, D>(
    runner: &Arc<FulfillmentRunner<S, K, P, Q, D>>,
    event: SqsEvent,
) -> SqsBatchResponse
where
    S: OrderStore + RunStore + ConfigStore + ContactStore + 'static,
    K: Secrets + 'static,
    P: FulfillmentPlatform + 'static,
    Q: FulfillmentPlatform + 'static,
    D: DeadLetters + 'static,
{
    let decode = |body: &str| stagepost_sqs::decode(body).ok();
    run_batch(event, decode, Arc::clone(&runner.dead), |id| {
        let runner = Arc::clone(runner);
        async move {
            let answered = fulfill(&runner.core, &runner.secrets, &runner.platforms, &id).await?;
            runner.note(&id, &answered).await;
            Ok(answered)
        }
    })
    .await
}

impl<S: ConfigStore + ContactStore, K, P, Q, D> FulfillmentRunner<S, K, P, Q, D> {
    /// Notes that a channel took a fulfillment.
    async fn note(&self, id: &RunId, answered: &Answered) {
        let Answered::Recorded(run) = answered else { return };
        let (Target::Fulfill(Some(channel)), RunState::Succeeded { at, .. }) = (&id.key.target, &run.state)
        else {
            return;
        };
        match self.core.store.channel(channel).await {
            Ok(Some(there)) => {
                let far = FarEnd::Channel(there.id);
                self.contacts.note(&self.core, &there.shop, far, Way::Outbound, *at).await;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%channel, %error, "a contact is not noted"),
        }
    }
}
