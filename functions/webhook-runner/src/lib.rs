//! Calls merchants' endpoints: claims a run, signs the frozen body, posts, records.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use stagepost_app::Core;
use stagepost_app::notify::webhook;
use stagepost_app::ports::{ConfigStore, DeadLetters, OrderStore, RunStore, Secrets, WebhookSender};
use stagepost_lambda::runner::run_batch;

/// What the runner needs.
pub struct WebhookRunner<S, W, K, D> {
    /// Store, clock, ids.
    pub core: Core<S>,
    /// Posts.
    pub sender: W,
    /// Opens signing secrets.
    pub secrets: K,
    /// For messages that nobody can read.
    pub dead: Arc<D>,
}

/// Answers one batch.
pub async fn handle<S, W, K, D>(runner: &Arc<WebhookRunner<S, W, K, D>>, event: SqsEvent) -> SqsBatchResponse
where
    S: OrderStore + RunStore + ConfigStore + 'static,
    W: WebhookSender + 'static,
    K: Secrets + 'static,
    D: DeadLetters + 'static,
{
    let decode = |body: &str| stagepost_sqs::decode(body).ok();
    run_batch(event, decode, Arc::clone(&runner.dead), |id| {
        let runner = Arc::clone(runner);
        async move { webhook(&runner.core, &runner.sender, &runner.secrets, &id).await }
    })
    .await
}
