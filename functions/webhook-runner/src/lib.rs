//! Calls merchants' endpoints: claims a run, signs the frozen body, posts, records.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use stagepost_app::Core;
use stagepost_app::ports::{
    AttemptStore, ConfigStore, DeadLetters, Doorbell, HealthStore, Mailer, OrderStore, RunStore, Secrets,
    WebhookSender,
};
use stagepost_app::run::{Answered, Rung, RunnerError};
use stagepost_app::webhook::webhook;
use stagepost_domain::run::later;
use stagepost_domain::{SignedDuration, Timestamp};
use stagepost_lambda::runner::{ring_at, run_batch};

/// What the runner needs.
pub struct WebhookRunner<S, W, M, K, B, D> {
    /// Store, clock, ids.
    pub core: Core<S>,
    /// Posts.
    pub sender: W,
    /// Mails owners of endpoints that fail.
    pub mailer: M,
    /// Opens signing secrets.
    pub secrets: K,
    /// Rings again for a run that goes on in a moment: the sweep comes once a minute.
    pub doorbell: B,
    /// For messages that nobody can read.
    pub dead: Arc<D>,
}

/// What comes later than the next sweep is left to one.
const SOON: SignedDuration = SignedDuration::from_secs(60);

/// When a run goes on that was put off or failed, if that is before a sweep would see it.
fn soon(result: &Result<Rung, RunnerError>, now: Timestamp) -> Option<Timestamp> {
    match result {
        Ok(Rung { answered: Answered::Recorded(run), .. }) => {
            run.state.due().filter(|due| *due <= later(now, SOON))
        }
        _ => None,
    }
}

/// Answers one batch.
pub async fn handle<S, W, M, K, B, D>(
    runner: &Arc<WebhookRunner<S, W, M, K, B, D>>,
    event: SqsEvent,
) -> SqsBatchResponse
where
    S: OrderStore + RunStore + ConfigStore + AttemptStore + HealthStore + 'static,
    W: WebhookSender + 'static,
    M: Mailer + 'static,
    K: Secrets + 'static,
    B: Doorbell + 'static,
    D: DeadLetters + 'static,
{
    run_batch(event, stagepost_sqs::decode, &runner.core.clock, Arc::clone(&runner.dead), |id| {
        let runner = Arc::clone(runner);
        async move {
            let result = webhook(&runner.core, &runner.sender, &runner.mailer, &runner.secrets, &id).await;
            if let Some(due) = soon(&result, runner.core.now()) {
                ring_at(&runner.doorbell, &id, due, runner.core.now()).await;
            }
            result
        }
    })
    .await
}
