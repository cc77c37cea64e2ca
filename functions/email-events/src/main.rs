//! The Lambda binary of `email-events`.

use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use stagepost_domain::search::SearchKey;
use stagepost_dynamodb::DynamoStore;
use stagepost_email_events::{EmailEvents, handle};
use stagepost_lambda::{aws, env, system, telemetry};
use stagepost_secrets::DeployedSecrets;
use stagepost_sqs::SqsDeadLetters;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let aws = aws::config().await;
    let store = DynamoStore::new(stagepost_dynamodb::client().await, env::text(env::TABLE_NAME)?);
    let sqs = stagepost_sqs::client(&aws);
    let dead = SqsDeadLetters::new(sqs, env::text(env::DEAD_LETTER_QUEUE_URL)?, "email-events");
    let core = system::core(store, env::restored_at()?);
    let secrets = DeployedSecrets::new(&aws, env::kms_key(), env::optional_key()?, core.clock.clone())?;
    let key = SearchKey::of_deployment(&env::key()?);
    let function = &Arc::new(EmailEvents { core, secrets, key, dead: Arc::new(dead) });
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        Ok::<_, Error>(handle(function, event.payload).await)
    }))
    .await
}
