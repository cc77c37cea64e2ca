//! The host end to end: requests in, mails out, restarts between.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stagepost_app::config::{SettingsInput, update_settings};
use stagepost_app::ports::{ApiCall, PlatformHttp};
use stagepost_domain::id::ShopId;
use stagepost_domain::{SignedDuration, Timestamp};
use stagepost_outbound_http::{Guard, OutboundHttp};
use stagepost_testkit::clock::ManualClock;

use crate::seed::{DEMO_SHOP, Seeded, seed};
use crate::{Host, HostConfig, HostError, start};

const PATIENCE: Duration = Duration::from_secs(20);

fn clock() -> ManualClock {
    ManualClock::new(Timestamp::from_millisecond(1_800_000_000_000).unwrap())
}

/// Calls a host with a key.
struct Caller<'a> {
    host: &'a Host,
    http: OutboundHttp,
    key: String,
}

impl<'a> Caller<'a> {
    fn new(host: &'a Host, key: &str) -> Self {
        Self { host, http: OutboundHttp::new(Guard::LoopbackAllowed).unwrap(), key: format!("Bearer {key}") }
    }

    async fn call(&self, method: &'static str, path: &str, body: Option<Value>) -> (u16, Value) {
        let call = ApiCall {
            method,
            url: format!("{}{path}", self.host.base_url()).parse().unwrap(),
            headers: vec![("authorization", self.key.clone()), ("content-type", "application/json".into())],
            body: body.map(|b| b.to_string().into_bytes()),
        };
        let answer = self.http.call(call).await.unwrap();
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    /// Makes an order and moves it to Printing, which plans a mail ten seconds later. Gives its id.
    async fn printing_order(&self, seeded: &Seeded) -> String {
        let order = json!({"external_id": "1", "number": "1001", "flow": seeded.flow.id,
            "customer": {"name": "Ada", "email": "ada@customer.example"}});
        let (status, order) = self.call("POST", "/v1/orders", Some(order)).await;
        assert_eq!(status, 201, "{order}");
        let id = order["id"].as_str().unwrap().to_owned();
        let to = json!({"stage": "Printing", "expected_seq": 1});
        let (status, moved) = self.call("POST", &format!("/v1/orders/{id}/move"), Some(to)).await;
        assert_eq!(status, 200, "{moved}");
        id
    }
}

fn subjects(host: &Host) -> Vec<String> {
    host.mailbox().mails().into_iter().map(|m| m.subject).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_order_mails_its_customer_after_the_grace() {
    let clock = clock();
    let host = start(HostConfig { clock: Arc::new(clock.clone()), ..HostConfig::in_memory() }).await.unwrap();
    let seeded = seed(host.core()).await.unwrap().unwrap();
    let caller = Caller::new(&host, &seeded.key);
    let id = caller.printing_order(&seeded).await;
    assert!(host.settle(PATIENCE).await);
    assert_eq!(subjects(&host), [""; 0], "the grace is not over");
    clock.advance(SignedDuration::from_secs(11));
    assert!(host.settle(PATIENCE).await);
    assert_eq!(subjects(&host), ["Order 1001: we have started"]);
    let (_, timeline) = caller.call("GET", &format!("/v1/orders/{id}/timeline"), None).await;
    assert!(timeline.to_string().contains("succeeded"), "{timeline}");
    let (_, mailbox) = caller.call("GET", "/_local/mailbox", None).await;
    assert_eq!(mailbox[0]["to"], "ada@customer.example");
    assert_eq!(host.dead_letters().await, 0);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_rings_without_a_sweep() {
    let never = Duration::from_secs(24 * 3600);
    let host = start(HostConfig { sweep_interval: never, ..HostConfig::in_memory() }).await.unwrap();
    let seeded = seed(host.core()).await.unwrap().unwrap();
    let caller = Caller::new(&host, &seeded.key);
    let shop = ShopId::parse(DEMO_SHOP).unwrap();
    let at_once = SettingsInput { grace_seconds: Some(0), ..SettingsInput::default() };
    update_settings(host.core(), &shop, &at_once, None).await.unwrap();
    caller.printing_order(&seeded).await;
    let mailed = async {
        while host.mailbox().mails().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, mailed).await.is_ok());
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stopped_host_left_is_done_once_by_the_next() {
    let clock = clock();
    let folder = Folder::new("restart");
    let config = HostConfig { clock: Arc::new(clock.clone()), ..HostConfig::in_folder(&folder.0) };
    let host = start(config.clone()).await.unwrap();
    let seeded = seed(host.core()).await.unwrap().unwrap();
    host.stop_queue_workers();
    Caller::new(&host, &seeded.key).printing_order(&seeded).await;
    clock.advance(SignedDuration::from_secs(11));
    host.wake_now().await.unwrap();
    assert!(matches!(start(config.clone()).await, Err(HostError::InUse)));
    host.stop().await;

    // The sweep before gave the lost message a minute.
    clock.advance(SignedDuration::from_secs(61));
    let host = start(config.clone()).await.unwrap();
    assert!(seed(host.core()).await.unwrap().is_none());
    assert!(host.settle(PATIENCE).await);
    assert_eq!(subjects(&host), ["Order 1001: we have started"]);
    host.stop().await;
    let host = start(config).await.unwrap();
    assert!(host.settle(PATIENCE).await);
    assert_eq!(subjects(&host).len(), 1);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_served_is_not_found_and_strangers_are_sent_away() {
    let host = start(HostConfig::in_memory()).await.unwrap();
    let caller = Caller::new(&host, "sp_nobody");
    for (method, path, expected) in [
        ("GET", "/", 303),
        ("GET", "/sign-in", 200),
        ("GET", "/_local/health", 200),
        ("GET", "/_local/engine", 404),
        ("POST", "/_local/mailbox", 404),
        ("GET", "/webhooks/shopify/chan_1", 404),
        ("POST", "/webhooks/shopify/chan_1", 404),
        ("POST", "/webhooks/woocommerce/chan_1", 404),
        ("POST", "/webhooks/carriers/car_1", 404),
        ("POST", "/webhooks/shopify/chan_1/more", 404),
        ("GET", "/v1/flows", 401),
        ("GET", "/v1/nothing", 404),
    ] {
        let body = (method == "POST").then(|| json!({}));
        assert_eq!(caller.call(method, path, body).await.0, expected, "{method} {path}");
    }
    host.stop().await;
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let config = HostConfig { bind: "0.0.0.0:0".parse().unwrap(), ..HostConfig::in_memory() };
    assert!(matches!(start(config).await, Err(HostError::NotLoopback(_))));
}

/// A folder of a test's own, gone when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("stagepost-local-{name}-{}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
