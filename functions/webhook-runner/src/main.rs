//! The Lambda binary of `webhook-runner`.

use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use stagepost_domain::event::Action;
use stagepost_dynamodb::DynamoStore;
use stagepost_lambda::{aws, env, system, telemetry};
use stagepost_outbound_http::{OutboundHttp, rehearsal};
use stagepost_secrets::DeployedSecrets;
use stagepost_ses::SesMailer;
use stagepost_sqs::{SqsDeadLetters, SqsOwnQueue};
use stagepost_webhook_runner::{WebhookRunner, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let aws = aws::config().await;
    let store = DynamoStore::new(stagepost_dynamodb::client().await, env::text(env::TABLE_NAME)?);
    let sqs = stagepost_sqs::client(&aws);
    let doorbell = SqsOwnQueue::new(sqs.clone(), Action::Webhook, env::text(env::WEBHOOK_QUEUE_URL)?);
    let dead = SqsDeadLetters::new(sqs, env::text(env::DEAD_LETTER_QUEUE_URL)?, "webhook-runner");
    let core = system::core(store, env::restored_at()?);
    let secrets = DeployedSecrets::new(&aws, env::kms_key(), env::optional_key()?, core.clock.clone())?;
    let function = &Arc::new(WebhookRunner {
        core,
        sender: OutboundHttp::new(rehearsal::guard())?,
        mailer: SesMailer::new(stagepost_ses::client(&aws), env::optional(env::SES_CONFIGURATION_SET)),
        secrets,
        doorbell,
        dead: Arc::new(dead),
    });
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        Ok::<_, Error>(handle(function, event.payload).await)
    }))
    .await
}
