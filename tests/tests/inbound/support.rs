//! Signing, posting, and words for what became of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stagepost_app::ports::Entropy;
use stagepost_standins::{Notification, Posted};
use stagepost_testkit::SeededEntropy;
pub use stagepost_tests::signed::{easypost, notification, shopify, woo};
use stagepost_tests::{PATIENCE, World};

/// Where recorded payloads lie, outside the repository; not everybody has them. With `STAGEPOST_FIXTURES` they
/// are there, and must be.
fn fixtures() -> (PathBuf, bool) {
    match std::env::var_os("STAGEPOST_FIXTURES") {
        Some(folder) => (folder.into(), true),
        None => (Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"), false),
    }
}

/// A file or folder of the fixtures, if they are here.
pub fn fixture(path: &str) -> Option<PathBuf> {
    let (folder, required) = fixtures();
    let found = folder.join(path);
    let there = found.exists();
    assert!(there || !required, "{} is not there", found.display());
    if !there {
        println!("not checked: the recorded payloads are not on this machine ({path})");
    }
    there.then_some(found)
}

/// The files of a folder by name, in order; none if the folder is not there.
pub fn files(folder: &str) -> BTreeMap<String, Vec<u8>> {
    let Some(folder) = fixture(folder) else { return BTreeMap::new() };
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|e| e.unwrap().path()).filter(|p| p.is_file());
    paths.map(|p| (p.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(p).unwrap())).collect()
}

/// Which route a notification goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Shopify,
    Woo,
    Carrier,
}

/// Posts to the World's own channel or carrier.
pub async fn post(world: &World, way: Way, n: &Notification) -> Posted {
    match way {
        Way::Shopify => world.courier.shopify(&world.ids.shopify, n).await.unwrap(),
        Way::Woo => world.courier.woocommerce(&world.ids.woo, n).await.unwrap(),
        Way::Carrier => world.courier.carrier(&world.ids.carrier, n).await.unwrap(),
    }
}

/// What became of a notification in one word: `created:silent>New`, `fulfillment>Shipped`, `no_op:older`,
/// `quarantined`, `parked`; an answer other than 200 by its status.
pub async fn outcome(world: &World, posted: &Posted) -> String {
    match (posted.status, posted.body.is_empty()) {
        (200, true) => return "empty".to_owned(),
        (200, false) => {}
        (status, true) => return status.to_string(),
        (status, false) => return format!("{status} {}", String::from_utf8_lossy(&posted.body)),
    }
    let told: Value = serde_json::from_slice(&posted.body).unwrap();
    match told["outcome"].as_str().unwrap() {
        "changed" => change(world, &told).await,
        "no_op" => format!("no_op:{}", told["reason"].as_str().unwrap()),
        "ignored" => format!("ignored:{}", told["why"]["reason"].as_str().unwrap()),
        other => other.to_owned(),
    }
}

async fn change(world: &World, told: &Value) -> String {
    let timeline = world.timeline(told["order"].as_str().unwrap()).await;
    let event = timeline.iter().find(|e| e["seq"] == told["seq"]).expect("the event stands on the timeline");
    let kind = event["change"]["kind"].as_str().unwrap();
    let silent = if event["change"]["silent"] == true { ":silent" } else { "" };
    match event["transition"]["to"]["name"].as_str() {
        Some(stage) => format!("{kind}{silent}>{stage}"),
        None => format!("{kind}{silent}"),
    }
}

/// Checks that an order that has come to rest is in a state that can be.
pub async fn assert_sound(world: &World, id: &str) {
    let order = world.order(id).await;
    let timeline = world.timeline(id).await;
    let events: Vec<_> = timeline.iter().filter(|e| e["type"] == "event").collect();
    let seqs: Vec<u64> = events.iter().map(|e| e["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=order["seq"].as_u64().unwrap()).collect::<Vec<_>>(), "{id}: a gap in the events");
    let mut stage = &Value::Null;
    for transition in events.iter().map(|e| &e["transition"]).filter(|t| !t.is_null()) {
        assert_eq!(&transition["from"]["name"], stage, "{id}: a jump between stages");
        stage = &transition["to"]["name"];
    }
    assert_eq!(&order["stage"]["name"], stage, "{id}: not where its timeline says");
    assert_eq!(order["placement"] == "placed", !stage.is_null(), "{id}: {order}");
    let complete = order["fulfillment"]["coverage"] == "complete";
    assert_eq!(complete, !order["fulfillment"]["by"].is_null(), "{id}: {order}");
    assert_ne!(order["fulfillment"]["by"]["whose"], "undetermined", "{id}: {order}");
    assert_eq!(order["fulfillment"]["being_fulfilled"], false, "{id}: locked at rest");
    assert!(order["hold"].is_null(), "{id}: held by notifications");
    for run in events.iter().filter_map(|e| e["runs"].as_array()).flatten() {
        assert!(["succeeded", "skipped"].contains(&run["state"].as_str().unwrap()), "{id}: {run}");
    }
}

/// Lets ten seconds pass, and more while runs of these orders wait: for one another, for a place in the line, for
/// a second look.
pub async fn come_to_rest(world: &World, ids: &[String]) {
    for _ in 0..12 {
        world.pass(10).await;
        let mut open = false;
        for id in ids {
            open |=
                world.runs(id).await.iter().any(|run| run["state"] == "pending" || run["state"] == "claimed");
        }
        if !open {
            return;
        }
    }
}

/// Where an order has ended, as far as every order of arrival must agree on it; without times, so that two
/// orders that lived the same life can be compared.
pub fn end_state(order: &Value) -> Value {
    let mut packages: Vec<Value> = order["packages"].as_array().unwrap().iter().map(package).collect();
    packages.sort_by_key(Value::to_string);
    json!({
        "placement": order["placement"],
        "stage": order["stage"]["name"],
        "lifecycle": order["lifecycle"]["state"],
        "hold": order["hold"],
        "coverage": order["fulfillment"]["coverage"],
        "whose": order["fulfillment"]["by"]["whose"],
        "details": order["details"],
        "packages": packages,
    })
}

fn package(p: &Value) -> Value {
    json!({"number": p["number"], "url": p["url"], "carrier": p["carrier"], "status": p["status"],
        "delivered": !p["delivered_at"].is_null()})
}

/// The items in an order that repeats with the seed.
pub fn shuffled<T>(mut items: Vec<T>, seed: u64) -> Vec<T> {
    let chance = SeededEntropy::new(seed);
    for last in (1..items.len()).rev() {
        let place = (chance.fraction() * (last + 1) as f64) as usize;
        items.swap(last, place);
    }
    items
}

/// Every order of the items.
pub fn permutations<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    let Some((first, rest)) = items.split_first() else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for shorter in permutations(rest) {
        for place in 0..items.len() {
            let mut longer = shorter.clone();
            longer.insert(place, first.clone());
            all.push(longer);
        }
    }
    all
}

/// How many mails of this order and stage have left.
pub fn mails_of(world: &World, number: &str, stage: &str) -> usize {
    let subject = format!("{number}: {stage}");
    world.subjects().iter().filter(|s| **s == subject).count()
}

/// An HTTP answer with what a problem is told by.
pub struct Raw {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Body.
    pub body: Vec<u8>,
}

impl Raw {
    /// Checks that this is an RFC 9457 problem of the status, and gives it.
    pub fn problem(&self, status: u16, what: &str) -> Value {
        assert_eq!(self.status, status, "{what}: {}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.headers["content-type"], "application/problem+json", "{what}");
        let problem: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem["status"], status, "{what}: {problem}");
        assert!(problem["type"].as_str().unwrap().starts_with("/problems/"), "{what}: {problem}");
        assert!(!problem["title"].as_str().unwrap().is_empty(), "{what}: {problem}");
        problem
    }
}

/// One call with nothing added.
#[expect(clippy::disallowed_methods, reason = "a test's client for a loopback host")]
pub async fn call(
    world: &World,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Vec<u8>>,
) -> Raw {
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = http.request(method, format!("{}{path}", world.host.base_url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(body) = body {
        request = request.body(body);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = |(n, v): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        (n.as_str().to_owned(), v.to_str().unwrap().to_owned())
    };
    let headers = response.headers().iter().map(text).collect();
    Raw { status, headers, body: response.bytes().await.unwrap().to_vec() }
}
