//! The Lambda binary of `api`.

use std::sync::Arc;

use lambda_http::{Error, run};
use stagepost_api::{Api, Queue, Senders, router};
use stagepost_domain::search::SearchKey;
use stagepost_dynamodb::DynamoStore;
use stagepost_lambda::{aws, env, links::SignedLinks, system, telemetry};
use stagepost_outbound_http::{check_url, rehearsal};
use stagepost_secrets::DeployedSecrets;
use stagepost_ses::SesSenders;
use stagepost_sqs::SqsInboundQueue;
use url::Url;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let store = DynamoStore::new(stagepost_dynamodb::client().await, env::text(env::TABLE_NAME)?);
    store.warm().await;
    let (aws, core) = (aws::config().await, system::core(store, env::restored_at()?));
    let secrets = DeployedSecrets::new(&aws, env::kms_key(), env::optional_key()?, core.clock.clone())?;
    let key = env::key()?;
    let links = SignedLinks::of_deployment(env::url(env::PUBLIC_URL)?, &key);
    let search = SearchKey::of_deployment(&key);
    let inbound = SqsInboundQueue::new(stagepost_sqs::client(&aws), env::text(env::INBOUND_QUEUE_URL)?);
    let check = |url: &Url| check_url(url, rehearsal::guard()).map_err(|refused| refused.to_string());
    let api = Api::new(core, secrets, Arc::new(links), search, check, Queue::new(inbound));
    let relay = env::optional(env::MAILS_BY_RELAY).is_some();
    let senders = Senders::of_deployment(relay, || SesSenders::new(stagepost_ses::client(&aws)));
    let api = api.with_senders(senders);
    run(router(Arc::new(api))).await
}
