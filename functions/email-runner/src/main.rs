//! The Lambda binary of `email-runner`.

use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use stagepost_dynamodb::DynamoStore;
use stagepost_email_runner::{EmailRunner, handle};
use stagepost_lambda::{aws, env, links::SignedLinks, system, telemetry};
use stagepost_ses::SesMailer;
use stagepost_sqs::SqsDeadLetters;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let aws = aws::config().await;
    let store = DynamoStore::new(stagepost_dynamodb::client().await, env::text(env::TABLE_NAME)?);
    let dead = SqsDeadLetters::new(
        stagepost_sqs::client(&aws),
        env::text(env::DEAD_LETTER_QUEUE_URL)?,
        "email-runner",
    );
    let function = &Arc::new(EmailRunner {
        core: system::core(store),
        mailer: SesMailer::new(stagepost_ses::client(&aws), env::optional(env::SES_CONFIGURATION_SET)),
        links: SignedLinks::of_deployment(env::url(env::PUBLIC_URL)?, &env::key()?),
        dead: Arc::new(dead),
    });
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        Ok::<_, Error>(handle(function, event.payload).await)
    }))
    .await
}
