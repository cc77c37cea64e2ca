//! The SDK client: one TLS stack, deadlines on everything.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpClient;

/// A client for AWS, with region and credentials from the environment.
///
/// A call has 5 seconds in all, an attempt of it 2, its connection 1. The SDK's own standard retries stay
/// on: every write here is conditional or idempotent and recognises itself.
pub async fn client() -> Client {
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(https())
        .timeout_config(timeouts())
        .load()
        .await;
    Client::new(&config)
}

/// The same for an engine in this process, reached through `http`, that checks neither region nor credentials.
pub fn client_over(http: impl HttpClient + 'static) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("local"))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
        .endpoint_url("http://engine.local")
        .http_client(http)
        .timeout_config(timeouts())
        .build();
    Client::from_conf(config)
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(2))
        .connect_timeout(Duration::from_secs(1))
        .build()
}

fn https() -> SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}
