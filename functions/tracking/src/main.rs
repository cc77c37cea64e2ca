//! The Lambda binary of `tracking`.

use lambda_http::{Error, Request, run, service_fn};
use stagepost_dynamodb::DynamoStore;
use stagepost_lambda::{env, links::SignedLinks, system, telemetry};
use stagepost_tracking::{Tracking, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let store = DynamoStore::new(stagepost_dynamodb::client().await, env::text(env::TABLE_NAME)?);
    store.warm().await;
    let links = SignedLinks::of_deployment(env::url(env::PUBLIC_URL)?, &env::key()?);
    let tracking = &Tracking { core: system::core(store, env::restored_at()?), links };
    run(service_fn(async |request: Request| Ok::<_, Error>(handle(tracking, request).await))).await
}
