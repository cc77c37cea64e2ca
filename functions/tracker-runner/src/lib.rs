//! Registers parcels with carrier services: claims a run, asks for the parcel's reports, takes in what the
//! service knows already, records.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use stagepost_app::Core;
use stagepost_app::ports::{
    ConfigStore, DeadLetters, InboundStore, OrderStore, RunStore, Secrets, TrackerService,
};
use stagepost_app::tracker::register;
use stagepost_lambda::runner::run_batch;

/// What the runner needs.
pub struct TrackerRunner<S, K, T, D> {
    /// Store, clock, ids.
    pub core: Core<S>,
    /// Opens API keys.
    pub secrets: K,
    /// EasyPost.
    pub service: T,
    /// For messages that nobody can read.
    pub dead: Arc<D>,
}

/// Answers one batch.
pub async fn handle<S, K, T, D>(runner: &Arc<TrackerRunner<S, K, T, D>>, event: SqsEvent) -> SqsBatchResponse
where
    S: OrderStore + RunStore + ConfigStore + InboundStore + 'static,
    K: Secrets + 'static,
    T: TrackerService + 'static,
    D: DeadLetters + 'static,
{
    run_batch(event, stagepost_sqs::decode, &runner.core.clock, Arc::clone(&runner.dead), |id| {
        let runner = Arc::clone(runner);
        async move { register(&runner.core, &runner.secrets, &runner.service, &id).await }
    })
    .await
}
