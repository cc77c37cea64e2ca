//! The Lambda binary of `dispatch`.

use std::sync::Arc;

use aws_lambda_events::event::dynamodb::Event;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use stagepost_dispatch::{Dispatch, handle};
use stagepost_domain::search::SearchKey;
use stagepost_dynamodb::DynamoStore;
use stagepost_lambda::{aws, env, system::SystemClock, telemetry};
use stagepost_sqs::{Queues, SqsDoorbell, client};

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
    let doorbell = SqsDoorbell::new(client(&aws::config().await), queues);
    let store = DynamoStore::new(stagepost_dynamodb::client().await, env::text(env::TABLE_NAME)?);
    let key = SearchKey::of_deployment(&env::key()?);
    let function = &Arc::new(Dispatch { clock: Arc::new(SystemClock), doorbell, store, key });
    run(service_fn(async |event: LambdaEvent<Event>| Ok::<_, Error>(handle(function, event.payload).await)))
        .await
}
