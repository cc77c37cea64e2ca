//! Law 16 in figures: how long healthy receivers wait for their messages alone, and beside one that never answers.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use stagepost_app::config::create_shop;
use stagepost_app::ports::Clock;
use stagepost_domain::Timestamp;
use stagepost_domain::id::ShopId;
use stagepost_lambda::system::SystemClock;
use stagepost_local::{HostConfig, start};
use stagepost_standins::{Ends, RawReceiver, Receiver, Says};

use crate::Trouble;
use crate::storm::client::Client;

/// Healthy endpoints, a stage each.
const HEALTHY: usize = 50;
/// Messages that wait for the one that never answers.
const WAITING: usize = 100;
/// More than it is ever called.
const CALLS_MAX: usize = 10_000;
/// Longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs it and prints what it finds; true if every message arrived.
pub async fn run() -> Result<bool, Trouble> {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let host = start(HostConfig::in_memory()).await?;
    let shop = ShopId::parse("shop_hole")?;
    let key = create_shop(host.core(), &shop, "Hole", "hole@example.com").await?;
    let client = Client::new(host.base_url(), key)?;
    let receiver = Receiver::start(Arc::new(SystemClock)).await?;
    let hole = RawReceiver::start(Arc::new(SystemClock)).await?;
    for _ in 0..CALLS_MAX {
        hole.then(Says::raw("", Ends::Open));
    }
    let alive = flow(&client, "alive", &receiver.url(), HEALTHY).await?;
    let dead = flow(&client, "dead", &hole.url(), 1).await?;

    let alone = round(&client, &alive, "alone", &receiver).await?;
    for n in 0..WAITING {
        order(&client, &dead, &format!("dead-{n}")).await?;
    }
    if !hole.reached(1, PATIENCE).await {
        return Err("the black hole was never called".into());
    }
    let beside = round(&client, &alive, "beside", &receiver).await?;
    let calls = hole.received().len();
    println!("{HEALTHY} healthy endpoints, from the move to the message: median, 95 % and longest, in ms");
    println!(
        "alone                                      {:>6} {:>6} {:>6}",
        alone.half, alone.most, alone.all
    );
    println!(
        "beside a black hole with {WAITING} messages waiting {:>6} {:>6} {:>6}",
        beside.half, beside.most, beside.all
    );
    println!("ratio of the medians                       {:>6.2}", ratio(beside.half, alone.half));
    println!("the black hole was called {calls} times meanwhile");
    host.stop().await;
    Ok(true)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds below 2^50")]
fn ratio(a: i64, b: i64) -> f64 {
    a as f64 / b.max(1) as f64
}

/// A flow whose stages each call an endpoint of their own; its id.
async fn flow(client: &Client, name: &str, url: &str, stages: usize) -> Result<String, Trouble> {
    let mut all = Vec::new();
    for n in 0..stages {
        let endpoint = json!({"name": format!("{name} {n}"), "url": format!("{url}/{n}")});
        let made = client.post("/v1/webhook-endpoints", &endpoint, &format!("{name}-{n}")).await?.ok()?;
        let calls = json!({"webhook": {"enabled": true, "endpoint": made["id"]}});
        all.push(json!({"name": format!("{name} {n}"), "automations": calls}));
    }
    let flow = json!({"name": name, "stages": all});
    let made = client.post("/v1/flows", &flow, name).await?.ok()?;
    Ok(made["id"].as_str().ok_or("no id")?.to_owned())
}

async fn order(client: &Client, flow: &str, name: &str) -> Result<String, Trouble> {
    let order = json!({"external_id": name, "flow": flow});
    let made = client.post("/v1/orders", &order, name).await?.ok()?;
    Ok(made["id"].as_str().ok_or("no id")?.to_owned())
}

/// How long messages took, in milliseconds.
struct Took {
    half: i64,
    most: i64,
    all: i64,
}

/// An order into each stage but the first, one after the other.
async fn round(client: &Client, flow: &str, name: &str, receiver: &Receiver) -> Result<Took, Trouble> {
    let before = receiver.received().len();
    let mut moved: Vec<(String, Timestamp)> = Vec::new();
    for n in 1..HEALTHY {
        let once = format!("{name}-{n}");
        let id = order(client, flow, &once).await?;
        let wish = json!({"stage": format!("alive {n}"), "expected_seq": 1});
        moved.push((format!("/hook/{n}"), SystemClock.now()));
        client.post(&format!("/v1/orders/{id}/move"), &wish, &format!("{once}-move")).await?.ok()?;
    }
    // Each order calls the first stage's endpoint as well.
    let wanted = before + 2 * moved.len();
    let received = receiver.wait_for(wanted, PATIENCE).await.ok_or("a healthy endpoint waits for ever")?;
    let mut took: Vec<i64> = moved
        .iter()
        .filter_map(|(path, at)| {
            let came = received.iter().skip(before).find(|r| r.path == *path)?.at;
            i64::try_from(came.duration_since(*at).as_millis()).ok()
        })
        .collect();
    took.sort_unstable();
    let at =
        |percent: usize| took.get((took.len() * percent / 100).min(took.len().saturating_sub(1))).copied();
    Ok(Took {
        half: at(50).unwrap_or_default(),
        most: at(95).unwrap_or_default(),
        all: at(100).unwrap_or_default(),
    })
}
