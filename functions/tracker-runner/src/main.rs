//! The Lambda binary of `tracker-runner`.

use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use stagepost_carriers::{EasyPostBase, EasyPostClient};
use stagepost_dynamodb::DynamoStore;
use stagepost_lambda::{aws, env, system, telemetry};
use stagepost_outbound_http::OutboundHttp;
use stagepost_outbound_http::rehearsal::{self, StandIn};
use stagepost_secrets::DeployedSecrets;
use stagepost_sqs::SqsDeadLetters;
use stagepost_tracker_runner::{TrackerRunner, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let aws = aws::config().await;
    let store = DynamoStore::new(stagepost_dynamodb::client().await, env::text(env::TABLE_NAME)?);
    let sqs = stagepost_sqs::client(&aws);
    let dead = SqsDeadLetters::new(sqs, env::text(env::DEAD_LETTER_QUEUE_URL)?, "tracker-runner");
    let core = system::core(store, env::restored_at()?);
    let secrets = DeployedSecrets::new(&aws, env::kms_key(), env::optional_key()?, core.clock.clone())?;
    let easypost =
        rehearsal::address_of(StandIn::EasyPost).map_or(EasyPostBase::EasyPost, EasyPostBase::Override);
    let function = &Arc::new(TrackerRunner {
        core,
        secrets,
        service: EasyPostClient::new(OutboundHttp::new(rehearsal::guard())?, easypost),
        dead: Arc::new(dead),
    });
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        Ok::<_, Error>(handle(function, event.payload).await)
    }))
    .await
}
