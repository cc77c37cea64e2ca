//! The Lambda binary of `carrier-webhook`.

use lambda_http::{Error, Request, run, service_fn};
use stagepost_carrier_webhook::Carriers;
use stagepost_dynamodb::DynamoStore;
use stagepost_lambda::inbound::{Intake, PATIENCE};
use stagepost_lambda::{aws, env, system, telemetry};
use stagepost_secrets::DeployedSecrets;
use stagepost_sqs::SqsInboundQueue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let aws = aws::config().await;
    let queue = SqsInboundQueue::new(stagepost_sqs::client(&aws), env::text(env::INBOUND_QUEUE_URL)?);
    let intake = &Intake::new(queue, PATIENCE);
    let store = DynamoStore::new(stagepost_dynamodb::client().await, env::text(env::TABLE_NAME)?);
    store.warm().await;
    let core = system::core(store, env::restored_at()?);
    let secrets = DeployedSecrets::new(&aws, env::kms_key(), env::optional_key()?, core.clock.clone())?;
    let carriers = &Carriers::new(core, secrets);
    run(service_fn(async |request: Request| Ok::<_, Error>(carriers.handle(intake, request).await))).await
}
