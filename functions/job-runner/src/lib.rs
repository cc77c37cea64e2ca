//! Works on jobs: back-fill, reconciliation, bulk moves, what follows from edits, parcels, recovery.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use stagepost_app::Core;
use stagepost_app::jobs::{JobStores, Worked, work};
use stagepost_app::platform::Platforms;
use stagepost_app::ports::{DeadLetters, JobDoorbell, OrderSource, Secrets, TrackerService, WebhookSender};
use stagepost_lambda::metrics::Figures;
use stagepost_lambda::runner::unread;
use stagepost_lambda::sqs::{ComesBack, answer};
use stagepost_sqs::{JobMessage, decode_job};

/// Jobs worked on at once. Each reads and writes all the time, so a few fill a small function.
const CONCURRENCY: usize = 3;

/// What the runner needs.
pub struct JobRunner<S, K, P, Q, T, W, B, D> {
    /// Store, clock, ids.
    pub core: Core<S>,
    /// Opens channels' credentials.
    pub secrets: K,
    /// What the platforms list.
    pub sources: Platforms<P, Q>,
    /// Registers parcels and is asked for those without news.
    pub trackers: T,
    /// Sends test messages.
    pub sender: W,
    /// Rings again for a job that is not through.
    pub doorbell: B,
    /// For messages that nobody can read.
    pub dead: Arc<D>,
}

/// A runner as each message of a batch has it.
pub type Shared<S, K, P, Q, T, W, B, D> = Arc<JobRunner<S, K, P, Q, T, W, B, D>>;

/// Answers one batch.
pub async fn handle<S, K, P, Q, T, W, B, D>(
    runner: &Shared<S, K, P, Q, T, W, B, D>,
    event: SqsEvent,
) -> SqsBatchResponse
where
    S: JobStores + 'static,
    K: Secrets + 'static,
    P: OrderSource + 'static,
    Q: OrderSource + 'static,
    T: TrackerService + 'static,
    W: WebhookSender + 'static,
    B: JobDoorbell + 'static,
    D: DeadLetters + 'static,
{
    answer(event, CONCURRENCY, |body| {
        let runner = Arc::clone(runner);
        async move {
            match decode_job(&body) {
                Ok(message) => one(&runner, &message).await,
                Err(why) => unread(&*runner.dead, &body, &why).await.map(Figures::from),
            }
        }
    })
    .await
}

async fn one<S, K, P, Q, T, W, B, D>(
    runner: &JobRunner<S, K, P, Q, T, W, B, D>,
    message: &JobMessage,
) -> Result<Figures, ComesBack>
where
    S: JobStores,
    K: Secrets,
    P: OrderSource,
    Q: OrderSource,
    T: TrackerService,
    W: WebhookSender,
    B: JobDoorbell,
{
    let JobMessage { shop, job } = message;
    let worked =
        work(&runner.core, &runner.secrets, &runner.sources, &runner.trackers, &runner.sender, shop, job)
            .await;
    match worked {
        Ok(worked) => {
            tracing::info!(%shop, %job, ?worked, "job");
            match worked {
                Worked::More => go_on(&runner.doorbell, message).await,
                Worked::Recorded(_, Some(told)) => return Ok(Figures::of_job(told)),
                Worked::Recorded(_, None) | Worked::Unknown | Worked::NotNow | Worked::TakenAway => {}
            }
            Ok(Figures::default())
        }
        Err(error) => {
            tracing::warn!(%shop, %job, %error, "job not decided");
            Err(ComesBack)
        }
    }
}

/// Rings for the rest of a job. Also if the queue refuses nothing is lost: the due index still holds it.
async fn go_on<B: JobDoorbell>(doorbell: &B, JobMessage { shop, job }: &JobMessage) {
    if let Err(error) = doorbell.ring_job(shop, job).await {
        tracing::warn!(%shop, %job, %error, "left to the sweep");
    }
}
