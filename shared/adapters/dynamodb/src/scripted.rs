//! A table that answers by a script: what no local engine does, from conflicts to half-written transactions.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;

use crate::store::DynamoStore;

/// What came in, as the operation's name and its body.
pub(crate) type Heard = Arc<Mutex<Vec<(String, serde_json::Value)>>>;

#[derive(Debug, Clone)]
struct Script {
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
    heard: Heard,
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
        self.heard.lock().unwrap().push((operation, body));
        let (status, body) = self.answers.lock().unwrap().pop_front().expect("an answer is left");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))))
    }
}

/// A store whose table gives these answers, and what it is asked.
pub(crate) fn store(answers: impl IntoIterator<Item = (u16, String)>) -> (DynamoStore, Heard) {
    let heard = Heard::default();
    let answers = Arc::new(Mutex::new(answers.into_iter().collect()));
    let connector = SharedHttpConnector::new(Script { answers, heard: Arc::clone(&heard) });
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("local"))
        .credentials_provider(Credentials::new("local", "local", None, None, "local"))
        .endpoint_url("http://table.test")
        .retry_config(RetryConfig::disabled())
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    (DynamoStore::new(aws_sdk_dynamodb::Client::from_conf(config), "table"), heard)
}

/// Done, and nothing to tell.
pub(crate) fn fine() -> (u16, String) {
    (200, "{}".to_owned())
}

/// A transaction cancelled for these reasons.
pub(crate) fn cancelled(codes: &[&str]) -> (u16, String) {
    let reasons: Vec<_> = codes.iter().map(|code| serde_json::json!({"Code": code})).collect();
    cancelled_for(&serde_json::json!(reasons))
}

pub(crate) fn cancelled_for(reasons: &serde_json::Value) -> (u16, String) {
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    (400, serde_json::json!({"__type": kind, "CancellationReasons": reasons}).to_string())
}

/// A plain error.
pub(crate) fn refused(kind: &str) -> (u16, String) {
    (400, serde_json::json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{kind}")}).to_string())
}
