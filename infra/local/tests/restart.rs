//! The program itself: the demo to its end, and restarts, `kill -9` in mid-work included, that lose nothing
//! and double nothing.
//!
//! The real program works on a folder and is killed at a chosen moment; then the same folder is opened in
//! this process, with a clock that is driven past every lease.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests: what does not hold ends the test")]

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stagepost_app::ports::Clock;
use stagepost_domain::{SignedDuration, Timestamp};
use stagepost_lambda::system::SystemClock;
use stagepost_local::{Host, HostConfig, start};
use stagepost_standins::{Courier, Gate, Platform, Receiver, Reply, ShopifyStore};
use stagepost_testkit::ManualClock;
use stagepost_tests::{Api, PATIENCE, SHOPIFY_DOMAIN, SHOPIFY_SECRET, boats};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The program, running on a folder.
struct Running {
    child: Child,
    api: Api,
    base: String,
    flow: String,
}

async fn launch(folder: &Path, options: &[&str]) -> Running {
    let mut child = Command::new(env!("CARGO_BIN_EXE_stagepost"))
        .args(["serve", "--port", "0", "--data"])
        .arg(folder)
        .args(options)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut base, mut key, mut flow) = (None, None, None);
    while base.is_none() || key.is_none() || flow.is_none() {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        let word = |after: &str| {
            let rest = line.split_once(after)?.1;
            Some(rest.split([',', '"', ' ']).next().unwrap_or_default().to_owned())
        };
        base = base.or_else(|| word("listens on "));
        key = key.or_else(|| word("STAGEPOST_API_KEY="));
        flow = flow.or_else(|| word("\"flow\":\""));
    }
    // Keeps the pipe open: the program must not notice that nobody reads on.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let base = base.unwrap();
    let api = Api::new(&base, &key.unwrap());
    let no_grace = json!({"grace_seconds": 0}).to_string().into_bytes();
    api.send("PATCH", "/v1/settings", Some(no_grace)).await.ok();
    Running { child, api, base, flow: flow.unwrap() }
}

impl Running {
    /// `kill -9`, at once.
    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    async fn order(&self, external: &str) -> String {
        let order = json!({
            "external_id": external, "number": format!("#{external}"), "flow": self.flow,
            "customer": {"name": "Ada", "email": "ada@example.com"},
        });
        self.api.post("/v1/orders", &order).await.ok()["id"].as_str().unwrap().to_owned()
    }

    async fn move_to(&self, id: &str, stage: &str) {
        let body = json!({"stage": stage, "expected_seq": 1});
        self.api.post(&format!("/v1/orders/{id}/move"), &body).await.ok();
    }
}

/// Opens the folder again, two minutes later by its clock, and lets everything come to rest.
async fn reopen(folder: &Path, shopify: Option<&ShopifyStore>) -> (Host, ManualClock) {
    let clock = ManualClock::new(SystemClock.now());
    clock.advance(SignedDuration::from_secs(200));
    let config = HostConfig {
        clock: Arc::new(clock.clone()),
        sweep_interval: Duration::from_millis(200),
        shopify_base: shopify.map(|s| s.base_url().parse().unwrap()),
        ..HostConfig::in_folder(folder)
    };
    let host = start(config).await.unwrap();
    assert!(host.settle(PATIENCE).await);
    (host, clock)
}

async fn runs(host: &Host, api: &Api, id: &str) -> Vec<Value> {
    let again = api.at(&host.base_url());
    let timeline = again.get(&format!("/v1/orders/{id}/timeline")).await.ok();
    let events = timeline["items"].as_array().unwrap().clone();
    events.iter().filter_map(|e| e["runs"].as_array()).flatten().cloned().collect()
}

/// Asks again until the condition holds.
async fn until<F: Future<Output = bool>>(condition: impl Fn() -> F) {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, holds).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_kept_on_disk_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = TempDir::new().unwrap();
    // Made by somebody else, for all to look into.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let running = launch(folder.path(), &[]).await;
    let id = running.order("1001").await;
    running.move_to(&id, "Packed").await;
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert!(name == "lock" || mode & 0o077 == 0, "{name} has {mode:o}");
        seen.push(name);
    }
    assert!(seen.iter().any(|name| name == "engine.db"), "{seen:?}");
    running.kill().await;
}

#[tokio::test]
async fn the_demo_plays_to_its_end_and_exits_with_zero() {
    let demo = Command::new(env!("CARGO_BIN_EXE_stagepost")).arg("demo").kill_on_drop(true).output();
    let played = tokio::time::timeout(2 * PATIENCE, demo).await.unwrap().unwrap();
    let told = String::from_utf8_lossy(&played.stdout);
    assert!(played.status.success(), "{told}");
    assert!(told.ends_with("\nEverything is as it should be.\n"), "{told}");
}

#[tokio::test]
async fn a_mail_in_doubt_after_kill_9_is_uncertain_and_never_sent_again() {
    let folder = TempDir::new().unwrap();
    let running = launch(folder.path(), &["--slow-mail", "25"]).await;
    let id = running.order("doubt").await;
    running.move_to(&id, "Printing").await;
    until(async || {
        let mails = running.api.get("/_local/mailbox").await.body;
        mails.to_string().contains("#doubt")
    })
    .await;
    let api = running.api.clone();
    running.kill().await;
    let (host, clock) = reopen(folder.path(), None).await;
    let found = runs(&host, &api, &id).await;
    assert_eq!(found[0]["state"], "uncertain", "{found:?}");
    clock.advance(SignedDuration::from_hours(48));
    assert!(host.settle(PATIENCE).await);
    assert_eq!(host.mailbox().mails().len(), 1);
    // Only a person who accepts a second mail has it sent again.
    let again = api.at(&host.base_url());
    let path = format!("/v1/runs/{}/retry", found[0]["id"].as_str().unwrap());
    assert_eq!(again.post(&path, &json!({})).await.status, 409);
    again.post(&path, &json!({"accept_duplicate": true})).await.ok();
    assert!(host.settle(PATIENCE).await);
    assert_eq!(host.mailbox().mails().len(), 2);
    assert_eq!(runs(&host, &api, &id).await[0]["state"], "succeeded");
    host.stop().await;
}

#[tokio::test]
async fn a_webhook_killed_between_call_and_record_is_sent_again_with_the_same_id_and_bytes() {
    let folder = TempDir::new().unwrap();
    let receiver = Receiver::start(Arc::new(SystemClock)).await.unwrap();
    receiver.reply(Reply::Hang(Gate::new()), 1);
    let running = launch(folder.path(), &[]).await;
    let endpoint = json!({"name": "ERP", "url": receiver.url()});
    let endpoint = running.api.post("/v1/webhook-endpoints", &endpoint).await.ok();
    let call = json!({"webhook": {"enabled": true, "endpoint": endpoint["id"]}});
    let flow =
        json!({"name": "Hooked", "stages": [{"name": "New"}, {"name": "Called", "automations": call}]});
    let flow = running.api.post("/v1/flows", &flow).await.ok();
    let running = Running { flow: flow["id"].as_str().unwrap().to_owned(), ..running };
    let id = running.order("hook").await;
    running.move_to(&id, "Called").await;
    receiver.wait_for(1, PATIENCE).await.unwrap();
    let api = running.api.clone();
    running.kill().await;
    let (host, clock) = reopen(folder.path(), None).await;
    let received = receiver.wait_for(2, PATIENCE).await.unwrap();
    assert_eq!(received[0].header("webhook-id"), received[1].header("webhook-id"));
    assert_eq!(received[0].body, received[1].body);
    assert!(host.settle(PATIENCE).await);
    clock.advance(SignedDuration::from_hours(48));
    assert!(host.settle(PATIENCE).await);
    assert_eq!(receiver.received().len(), 2);
    assert_eq!(runs(&host, &api, &id).await[0]["state"], "succeeded");
    host.stop().await;
}

#[tokio::test]
async fn a_fulfillment_killed_before_its_answer_is_found_on_the_platform_and_not_made_again() {
    let folder = TempDir::new().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let shopify = ShopifyStore::start(SHOPIFY_DOMAIN, "shpat_test", SHOPIFY_SECRET, clock).await.unwrap();
    let running = launch(folder.path(), &["--shopify-base", &shopify.base_url()]).await;
    let channel = json!({
        "platform": "shopify", "name": "Paper Boat", "store": SHOPIFY_DOMAIN, "webhook_secret": SHOPIFY_SECRET,
        "credentials": "shpat_test", "default_flow": running.flow,
    });
    let channel = running.api.post("/v1/channels", &channel).await.ok();
    let channel = channel["id"].as_str().unwrap();
    let armed: Timestamp = SystemClock.now();
    until(async || SystemClock.now().as_second() > armed.as_second()).await;
    let external = shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    let courier = Courier::new(&running.base);
    let mut id = String::new();
    for notification in shopify.take_outbox() {
        let posted = courier.shopify(channel, &notification).await.unwrap();
        let outcome: Value = serde_json::from_slice(&posted.body).unwrap();
        id = outcome["order"].as_str().map_or(id, str::to_owned);
    }
    let gate = shopify.hold_answers();
    running.move_to(&id, "Shipped").await;
    assert!(gate.reached(1, PATIENCE).await);
    let api = running.api.clone();
    running.kill().await;
    gate.release();
    let (host, _) = reopen(folder.path(), Some(&shopify)).await;
    let courier = Courier::new(&host.base_url());
    for notification in shopify.take_outbox() {
        courier.shopify(channel, &notification).await.unwrap();
    }
    assert!(host.settle(PATIENCE).await);
    let found = runs(&host, &api, &id).await;
    let fulfill: Vec<_> = found.iter().filter(|r| r["action"] == "fulfill").collect();
    assert_eq!(fulfill.len(), 1);
    assert_eq!(fulfill[0]["state"], "succeeded", "{found:?}");
    assert_eq!(shopify.fulfillments(&external).len(), 1);
    assert_eq!(shopify.fulfillment_calls(), 1);
    let order = api.at(&host.base_url()).get(&format!("/v1/orders/{id}")).await.ok();
    assert_eq!(order["fulfillment"]["by"]["whose"], "ours");
    assert_eq!(order["fulfillment"]["being_fulfilled"], false);
    assert_eq!(order["seq"], 2, "created and moved: nothing followed from what was told afterwards");
    host.stop().await;
}

#[tokio::test]
async fn what_was_answered_before_kill_9_is_done_after_it_once() {
    let folder = TempDir::new().unwrap();
    let running = launch(folder.path(), &[]).await;
    let mut ids = Vec::new();
    for n in 0..12 {
        let id = running.order(&format!("burst-{n}")).await;
        running.move_to(&id, "Printing").await;
        ids.push(id);
    }
    let api = running.api.clone();
    running.kill().await;
    let (host, _) = reopen(folder.path(), None).await;
    let mails = host.mailbox().mails();
    for (n, id) in ids.iter().enumerate() {
        let found = runs(&host, &api, id).await;
        let state = found[0]["state"].as_str().unwrap();
        assert!(matches!(state, "succeeded" | "uncertain"), "{found:?}");
        let about = format!("#burst-{n}:");
        let sent = mails.iter().filter(|m| m.subject.contains(&about)).count();
        assert!(sent <= 1, "{about} was mailed {sent} times");
        assert!(sent == 1 || state == "uncertain", "{about} is {state} but was not mailed");
    }
    host.stop().await;
}
