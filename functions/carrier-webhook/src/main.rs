//! The Lambda binary of `carrier-webhook`.

use lambda_http::{Error, Request, run, service_fn};
use stagepost_carrier_webhook::Carriers;
use stagepost_dynamodb::DynamoStore;
use stagepost_lambda::{env, system, telemetry};
use stagepost_secrets::LocalSecrets;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let store = DynamoStore::new(stagepost_dynamodb::client().await, env::text(env::TABLE_NAME)?);
    let carriers = &Carriers::new(system::core(store), LocalSecrets::from_key(env::key()?)?);
    run(service_fn(async |request: Request| Ok::<_, Error>(carriers.handle(request).await))).await
}
