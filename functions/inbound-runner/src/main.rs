//! The Lambda binary of `inbound-runner`.

use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use stagepost_dynamodb::DynamoStore;
use stagepost_inbound_runner::{InboundRunner, handle};
use stagepost_lambda::{aws, env, system, telemetry};
use stagepost_secrets::DeployedSecrets;
use stagepost_sqs::{SqsDeadLetters, client};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let store = DynamoStore::new(stagepost_dynamodb::client().await, env::text(env::TABLE_NAME)?);
    let queue = env::text(env::DEAD_LETTER_QUEUE_URL)?;
    let aws = aws::config().await;
    let dead = SqsDeadLetters::new(client(&aws), queue, "inbound-runner");
    let core = system::core(store, env::restored_at()?);
    let secrets = DeployedSecrets::new(&aws, env::kms_key(), env::optional_key()?, core.clock.clone())?;
    let function = &Arc::new(InboundRunner::new(&core, &secrets, Arc::new(dead)));
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        Ok::<_, Error>(handle(function, event.payload).await)
    }))
    .await
}
