//! Fulfills orders on their sales channels: lock, look, act, settle.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use stagepost_app::Core;
use stagepost_app::contact::{ContactStore, Contacts};
use stagepost_app::platform::{Platforms, fulfill};
use stagepost_app::ports::{ConfigStore, DeadLetters, FulfillmentPlatform, OrderStore, RunStore, Secrets};
use stagepost_app::run::Answered;
use stagepost_domain::Timestamp;
use stagepost_domain::id::ChannelId;
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
    run_batch(event, stagepost_sqs::decode, &runner.core.clock, Arc::clone(&runner.dead), |id| {
        let runner = Arc::clone(runner);
        async move {
            let rung = fulfill(&runner.core, &runner.secrets, &runner.platforms, &id).await?;
            if let Some((channel, at)) = taken(&id, &rung.answered) {
                runner.contacts.took(&runner.core, channel, at).await;
            }
            Ok(rung)
        }
    })
    .await
}

/// The channel that took what a run did, and when, if one did.
fn taken<'a>(id: &'a RunId, answered: &Answered) -> Option<(&'a ChannelId, Timestamp)> {
    let Answered::Recorded(run) = answered else { return None };
    match (&id.key.target, &run.state) {
        (Target::Fulfill(Some(channel)), RunState::Succeeded { at, .. }) => Some((channel, *at)),
        _ => None,
    }
}
