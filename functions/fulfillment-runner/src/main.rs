//! The Lambda binary of `fulfillment-runner`.

use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use stagepost_app::contact::Contacts;
use stagepost_app::platform::Platforms;
use stagepost_dynamodb::DynamoStore;
use stagepost_fulfillment_runner::{FulfillmentRunner, handle};
use stagepost_lambda::{aws, env, system, telemetry};
use stagepost_outbound_http::OutboundHttp;
use stagepost_outbound_http::rehearsal::{self, StandIn};
use stagepost_secrets::DeployedSecrets;
use stagepost_shopify::{ApiBase, ShopifyClient};
use stagepost_sqs::SqsDeadLetters;
use stagepost_woocommerce::WooClient;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let aws = aws::config().await;
    let store = DynamoStore::new(stagepost_dynamodb::client().await, env::text(env::TABLE_NAME)?);
    let sqs = stagepost_sqs::client(&aws);
    let dead = SqsDeadLetters::new(sqs, env::text(env::DEAD_LETTER_QUEUE_URL)?, "fulfillment-runner");
    let http = OutboundHttp::new(rehearsal::guard())?;
    let shopify = rehearsal::address_of(StandIn::Shopify).map_or(ApiBase::Shopify, ApiBase::Override);
    let core = system::core(store, env::restored_at()?);
    let secrets = DeployedSecrets::new(&aws, env::kms_key(), env::optional_key()?, core.clock.clone())?;
    let function = &Arc::new(FulfillmentRunner {
        contacts: Contacts::default(),
        core,
        secrets,
        platforms: Platforms {
            shopify: ShopifyClient::new(http.clone(), shopify),
            woocommerce: WooClient::new(http),
        },
        dead: Arc::new(dead),
    });
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        Ok::<_, Error>(handle(function, event.payload).await)
    }))
    .await
}
