//! Fulfills orders on their sales channels: lock, look, act, settle.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use stagepost_app::Core;
use stagepost_app::platform::{Platforms, fulfill};
use stagepost_app::ports::{ConfigStore, DeadLetters, FulfillmentPlatform, OrderStore, RunStore, Secrets};
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
}

/// Answers one batch.
pub async fn handle<S, K, P, Q, D>(
    runner: &Arc<FulfillmentRunner<S, K, P, Q, D>>,
    event: SqsEvent,
) -> SqsBatchResponse
where
    S: OrderStore + RunStore + ConfigStore + 'static,
    K: Secrets + 'static,
    P: FulfillmentPlatform + 'static,
    Q: FulfillmentPlatform + 'static,
    D: DeadLetters + 'static,
{
    let decode = |body: &str| stagepost_sqs::decode(body).ok();
    run_batch(event, decode, Arc::clone(&runner.dead), |id| {
        let runner = Arc::clone(runner);
        async move { fulfill(&runner.core, &runner.secrets, &runner.platforms, &id).await }
    })
    .await
}
