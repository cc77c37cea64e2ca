//! The Lambda binary of `wake`.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use stagepost_dynamodb::DynamoStore;
use stagepost_lambda::{aws, env, system, telemetry};
use stagepost_sqs::{Queues, SqsDoorbell};
use stagepost_wake::{Wake, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let queues = Queues {
        email: env::text(env::EMAIL_QUEUE_URL)?,
        webhook: env::text(env::WEBHOOK_QUEUE_URL)?,
        fulfillment: env::text(env::FULFILLMENT_QUEUE_URL)?,
        jobs: env::text(env::JOBS_QUEUE_URL)?,
        tracker: env::text(env::TRACKER_QUEUE_URL)?,
    };
    let store = DynamoStore::new(stagepost_dynamodb::client().await, env::text(env::TABLE_NAME)?);
    let doorbell = SqsDoorbell::new(stagepost_sqs::client(&aws::config().await), queues);
    let function = &Wake { core: system::core(store, env::restored_at()?), doorbell };
    run(service_fn(async |_: LambdaEvent<EventBridgeEvent>| {
        // Boxed: the sweep holds the longest chain of calls, deeper than the compiler looks into one type.
        Box::pin(handle(function)).await.map(drop).map_err(Error::from)
    }))
    .await
}
