//! The Lambda binary of `job-runner`.

use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use stagepost_app::platform::Platforms;
use stagepost_dynamodb::DynamoStore;
use stagepost_job_runner::{JobRunner, handle};
use stagepost_lambda::{aws, env, system, telemetry};
use stagepost_outbound_http::{Guard, OutboundHttp};
use stagepost_secrets::LocalSecrets;
use stagepost_shopify::{ApiBase, ShopifyClient};
use stagepost_sqs::{SqsDeadLetters, SqsJobs, client};
use stagepost_woocommerce::WooClient;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let sqs = client(&aws::config().await);
    let store = DynamoStore::new(stagepost_dynamodb::client().await, env::text(env::TABLE_NAME)?);
    let http = OutboundHttp::new(Guard::Public)?;
    let dead = SqsDeadLetters::new(sqs.clone(), env::text(env::DEAD_LETTER_QUEUE_URL)?, "job-runner");
    let function = &Arc::new(JobRunner {
        core: system::core(store),
        secrets: LocalSecrets::from_key(env::key()?)?,
        sources: Platforms {
            shopify: ShopifyClient::new(http.clone(), ApiBase::Shopify),
            woocommerce: WooClient::new(http),
        },
        doorbell: SqsJobs::new(sqs, env::text(env::JOBS_QUEUE_URL)?),
        dead: Arc::new(dead),
    });
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        Ok::<_, Error>(handle(function, event.payload).await)
    }))
    .await
}
