//! The Lambda binary of `shopify-webhook`.

use lambda_http::{Error, Request, run, service_fn};
use stagepost_dynamodb::DynamoStore;
use stagepost_lambda::{env, inbound::Inbound, system, telemetry};
use stagepost_secrets::LocalSecrets;
use stagepost_shopify_webhook::handle;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let store = DynamoStore::new(stagepost_dynamodb::client().await, env::text(env::TABLE_NAME)?);
    let inbound = &Inbound::new(system::core(store), LocalSecrets::from_key(env::key()?)?);
    run(service_fn(async |request: Request| Ok::<_, Error>(handle(inbound, request).await))).await
}
