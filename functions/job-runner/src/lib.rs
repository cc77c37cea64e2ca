//! Works on jobs: back-fill, reconciliation, bulk moves, what follows from edits, parcels, recovery.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use stagepost_app::Core;
use stagepost_app::jobs::{JOB_TIMEOUT, JobStores, Tools, Worked, work};
use stagepost_app::platform::Platforms;
use stagepost_app::ports::{DeadLetters, JobDoorbell, OrderSource, Secrets, TrackerService, WebhookSender};
use stagepost_domain::Timestamp;
use stagepost_domain::run::later;
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

/// Answers one batch before `deadline`, in milliseconds as Lambda's context tells it: then the invocation is ended.
pub async fn handle<S, K, P, Q, T, W, B, D>(
    runner: &Shared<S, K, P, Q, T, W, B, D>,
    event: SqsEvent,
    deadline: u64,
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
    let deadline = ends_at(deadline, runner.core.now());
    answer(event, CONCURRENCY, |body| {
        let runner = Arc::clone(runner);
        async move {
            match decode_job(&body) {
                Ok(message) => one(&runner, &message, deadline).await,
                Err(why) => unread(&*runner.dead, &body, &why).await.map(Figures::from),
            }
        }
    })
    .await
}

/// When the invocation ends that began now: when it is told, and never later than its function may live.
fn ends_at(deadline: u64, now: Timestamp) -> Timestamp {
    let told = i64::try_from(deadline).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let limit = later(now, JOB_TIMEOUT.try_into().unwrap_or_default());
    told.map_or(limit, |told| told.min(limit))
}

async fn one<S, K, P, Q, T, W, B, D>(
    runner: &JobRunner<S, K, P, Q, T, W, B, D>,
    message: &JobMessage,
    deadline: Timestamp,
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
    let tools = Tools {
        core: &runner.core,
        secrets: &runner.secrets,
        sources: &runner.sources,
        trackers: &runner.trackers,
        sender: &runner.sender,
    };
    match work(&tools, shop, job, deadline).await {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_ends_when_lambda_says_so_and_never_later_than_its_function_may_live() {
        let at = |ms: i64| Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap();
        assert_eq!(ends_at(1_800_000_090_000, at(0)), at(90_000));
        for later in [1_800_000_500_000, u64::MAX] {
            assert_eq!(ends_at(later, at(0)), at(120_000), "{later}");
        }
    }
}
