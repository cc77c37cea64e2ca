//! What the runners share: a doorbell message in, a decision out.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use stagepost_app::ports::{DeadLetters, Doorbell, Ring};
use stagepost_app::run::{Answered, RunnerError};
use stagepost_domain::Timestamp;
use stagepost_domain::run::RunId;

use crate::sqs::{ComesBack, answer};

/// Messages worked on at once: most of a runner's time is waiting for others.
pub const CONCURRENCY: usize = 10;

/// Answers a batch of doorbell messages. One that cannot be decoded goes to the dead letters at once; one
/// whose run could not be decided comes back; every decided outcome acknowledges.
pub async fn run_batch<D, W, Fut>(
    event: SqsEvent,
    decode: fn(&str) -> Option<RunId>,
    dead: Arc<D>,
    work: W,
) -> SqsBatchResponse
where
    D: DeadLetters + 'static,
    W: Fn(RunId) -> Fut,
    Fut: Future<Output = Result<Answered, RunnerError>> + Send + 'static,
{
    answer(event, CONCURRENCY, |body| {
        let run = decode(&body).map(|id| (id.clone(), work(id)));
        let dead = Arc::clone(&dead);
        async move {
            match run {
                Some((id, work)) => decided(&id, work.await),
                None => bury(&*dead, &body).await,
            }
        }
    })
    .await
}

/// Rings for a run that is to go on at `due`: exactly then, not with all others in the sweep of a minute. A ring
/// that is not taken is left to the sweep.
pub async fn ring_at<B: Doorbell>(doorbell: &B, id: &RunId, due: Timestamp, now: Timestamp) {
    let delay = due.duration_since(now).try_into().unwrap_or_default();
    if let Err(error) = doorbell.ring(&[Ring { run: id.clone(), delay }]).await {
        tracing::warn!(run = %id, %error, "left to the sweep");
    }
}

/// What becomes of a message whose run was decided, or was not.
///
/// # Errors
/// It was not; the message comes back.
pub fn decided(run: &RunId, result: Result<Answered, RunnerError>) -> Result<(), ComesBack> {
    match result {
        Ok(Answered::Recorded(after)) => {
            tracing::info!(%run, state = after.state.code(), attempts = after.attempts, "run");
            Ok(())
        }
        Ok(answered) => {
            tracing::info!(%run, ?answered, "run");
            Ok(())
        }
        Err(error) => {
            tracing::warn!(%run, %error, "run not decided");
            Err(ComesBack)
        }
    }
}

/// Puts a message aside that nobody can read.
///
/// # Errors
/// The dead letters do not take it; it comes back.
pub async fn bury<D: DeadLetters>(dead: &D, body: &str) -> Result<(), ComesBack> {
    tracing::error!(bytes = body.len(), "a message that cannot be decoded goes to the dead letters");
    dead.bury(body).await.map_err(|error| {
        tracing::error!(%error, "the dead letters do not take it");
        ComesBack
    })
}
