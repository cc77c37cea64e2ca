//! The Lambda binary of `job-runner`.

use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use stagepost_app::platform::Platforms;
use stagepost_carriers::{EasyPostBase, EasyPostClient};
use stagepost_dynamodb::DynamoStore;
use stagepost_job_runner::{JobRunner, handle};
use stagepost_lambda::{aws, env, system, telemetry};
use stagepost_outbound_http::OutboundHttp;
use stagepost_outbound_http::rehearsal::{self, StandIn};
use stagepost_secrets::DeployedSecrets;
use stagepost_shopify::{ApiBase, ShopifyClient};
use stagepost_sqs::{SqsDeadLetters, SqsJobs, client};
use stagepost_woocommerce::WooClient;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let aws = aws::config().await;
    let sqs = client(&aws);
    let store = DynamoStore::new(stagepost_dynamodb::client().await, env::text(env::TABLE_NAME)?);
    let dead = SqsDeadLetters::new(sqs.clone(), env::text(env::DEAD_LETTER_QUEUE_URL)?, "job-runner");
    let (core, http) = (system::core(store, env::restored_at()?), OutboundHttp::new(rehearsal::guard())?);
    let shopify = rehearsal::address_of(StandIn::Shopify).map_or(ApiBase::Shopify, ApiBase::Override);
    let easypost =
        rehearsal::address_of(StandIn::EasyPost).map_or(EasyPostBase::EasyPost, EasyPostBase::Override);
    let secrets = DeployedSecrets::new(&aws, env::kms_key(), env::optional_key()?, core.clock.clone())?;
    let function = &Arc::new(JobRunner {
        core,
        secrets,
        sources: Platforms {
            shopify: ShopifyClient::new(http.clone(), shopify),
            woocommerce: WooClient::new(http.clone()),
        },
        trackers: EasyPostClient::new(http.clone(), easypost),
        sender: http,
        doorbell: SqsJobs::new(sqs, env::text(env::JOBS_QUEUE_URL)?),
        dead: Arc::new(dead),
    });
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        Ok::<_, Error>(handle(function, event.payload, event.context.deadline).await)
    }))
    .await
}
