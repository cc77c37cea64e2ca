//! Mails customers: claims a run, sends through SES, records.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use stagepost_app::Core;
use stagepost_app::notify::{TrackingLinks, email};
use stagepost_app::ports::{ConfigStore, DeadLetters, GovernorStore, Mailer, OrderStore, RunStore};
use stagepost_lambda::runner::run_batch;

/// What the runner needs.
pub struct EmailRunner<S, M, L, D> {
    /// Store, clock, ids.
    pub core: Core<S>,
    /// Sends.
    pub mailer: M,
    /// Makes `{{trackingUrl}}`.
    pub links: L,
    /// For messages that nobody can read.
    pub dead: Arc<D>,
}

/// Answers one batch.
pub async fn handle<S, M, L, D>(runner: &Arc<EmailRunner<S, M, L, D>>, event: SqsEvent) -> SqsBatchResponse
where
    S: OrderStore + RunStore + ConfigStore + GovernorStore + 'static,
    M: Mailer + 'static,
    L: TrackingLinks + 'static,
    D: DeadLetters + 'static,
{
    let decode = |body: &str| stagepost_sqs::decode(body).ok();
    run_batch(event, decode, Arc::clone(&runner.dead), |id| {
        let runner = Arc::clone(runner);
        async move { email(&runner.core, &runner.mailer, &runner.links, &id).await }
    })
    .await
}
