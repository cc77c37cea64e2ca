//! The Lambda binary of `carrier-webhook`.

use lambda_http::{Error, Request, run, service_fn};
use stagepost_carrier_webhook::Carriers;
use stagepost_dynamodb::DynamoStore;
use stagepost_lambda::{aws, env, system, telemetry};
use stagepost_secrets::DeployedSecrets;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let store = DynamoStore::new(stagepost_dynamodb::client().await, env::text(env::TABLE_NAME)?);
    let (aws, core) = (aws::config().await, system::core(store));
    let secrets = DeployedSecrets::new(&aws, env::kms_key(), env::optional_key()?, core.clock.clone())?;
    let carriers = &Carriers::new(core, secrets);
    run(service_fn(async |request: Request| Ok::<_, Error>(carriers.handle(request).await))).await
}
