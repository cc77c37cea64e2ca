//! The least that a function of this stack can be: logs, a client of DynamoDB, one read to warm it, and a
//! handler that reads once more. What our functions cost is measured against it (docs/cold-start.md).

use std::collections::HashMap;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

#[cfg(feature = "ring")]
const CRYPTO: CryptoMode = CryptoMode::Ring;
#[cfg(not(feature = "ring"))]
const CRYPTO: CryptoMode = CryptoMode::AwsLc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let filter = EnvFilter::try_from_env("STAGEPOST_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().without_time().with_env_filter(filter).init();
    let (client, table) = (&client().await, &std::env::var("TABLE_NAME")?);
    read(client, table).await?;
    run(service_fn(async |_: LambdaEvent<Value>| {
        read(client, table).await?;
        Ok::<_, Error>(json!({}))
    }))
    .await
}

/// As `stagepost_dynamodb::client`.
async fn client() -> Client {
    let timeouts = TimeoutConfig::builder()
        .operation_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(2))
        .connect_timeout(Duration::from_secs(1))
        .build();
    let https = Builder::new().tls_provider(Provider::Rustls(CRYPTO)).build_https();
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(https)
        .timeout_config(timeouts)
        .load()
        .await;
    Client::new(&config)
}

async fn read(client: &Client, table: &str) -> Result<(), Error> {
    let key = |value: &str| AttributeValue::S(value.to_owned());
    let key = HashMap::from([("pk".to_owned(), key("WARM")), ("sk".to_owned(), key("WARM"))]);
    client.get_item().table_name(table).set_key(Some(key)).send().await?;
    Ok(())
}
