//! Calls merchants' endpoints: claims a run, signs the frozen body, posts, records.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use stagepost_app::Core;
use stagepost_app::ports::{
    AttemptStore, ConfigStore, DeadLetters, HealthStore, Mailer, OrderStore, RunStore, Secrets, WebhookSender,
};
use stagepost_app::webhook::webhook;
use stagepost_lambda::runner::run_batch;

/// What the runner needs.
pub struct WebhookRunner<S, W, M, K, D> {
    /// Store, clock, ids.
    pub core: Core<S>,
    /// Posts.
    pub sender: W,
    /// Mails owners of endpoints that fail.
    pub mailer: M,
    /// Opens signing secrets.
    pub secrets: K,
    /// For messages that nobody can read.
    pub dead: Arc<D>,
}

/// Answers one batch.
pub async fn handle<S, W, M, K, D>(
    runner: &Arc<WebhookRunner<S, W, M, K, D>>,
    event: SqsEvent,
) -> SqsBatchResponse
where
    S: OrderStore + RunStore + ConfigStore + AttemptStore + HealthStore + 'static,
    W: WebhookSender + 'static,
    M: Mailer + 'static,
    K: Secrets + 'static,
    D: DeadLetters + 'static,
{
    let decode = |body: &str| stagepost_sqs::decode(body).ok();
    run_batch(event, decode, Arc::clone(&runner.dead), |id| {
        let runner = Arc::clone(runner);
        async move { webhook(&runner.core, &runner.sender, &runner.mailer, &runner.secrets, &id).await }
    })
    .await
}
