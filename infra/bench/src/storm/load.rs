//! Orders that go through a flow, stage by stage, each entry with a mail and a webhook.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use stagepost_app::ports::Clock;
use stagepost_domain::{SignedDuration, Timestamp};
use stagepost_lambda::system::SystemClock;
use tokio::task::JoinSet;

use super::ENTRIES_EACH;
use super::client::Client;
use crate::Trouble;

/// The flow.
pub const STAGES: [&str; 5] = ["New", "Printing", "Packed", "Shipped", "Delivered"];
/// Orders moved at a time.
const WORKERS: usize = 8;
/// Longest page of a timeline.
const PAGE: usize = 100;

/// What is done, and with what.
#[derive(Clone)]
pub struct Load {
    client: Client,
    flow: String,
    orders: usize,
    /// Secret of each stage's endpoint, by the path that it calls.
    pub secrets: Arc<BTreeMap<String, String>>,
}

impl Load {
    /// Sets the shop up.
    pub async fn prepare(client: Client, receiver: &str, entries: usize) -> Result<Self, Trouble> {
        client.patch("/v1/settings", &json!({"grace_seconds": 0})).await?;
        let template =
            json!({"name": "T", "subject": "{{orderNumber}} {{stageName}}", "text": "{{trackingUrl}}"});
        let template = made(&client, "/v1/email-templates", &template, "template").await?;
        let (mut stages, mut secrets) = (Vec::new(), BTreeMap::new());
        for (n, stage) in STAGES.iter().enumerate() {
            let path = format!("/{n}");
            let url = format!("{}{path}", receiver.trim_end_matches("/hook"));
            let endpoint = json!({"name": stage, "url": url});
            let endpoint = made(&client, "/v1/webhook-endpoints", &endpoint, stage).await?;
            secrets.insert(path, text(&endpoint, "secret")?);
            stages.push(json!({"name": stage, "automations": {
                "email": {"enabled": true, "template": text(&template, "id")?},
                "webhook": {"enabled": true, "endpoint": text(&endpoint, "id")?},
            }}));
        }
        let flow = made(&client, "/v1/flows", &json!({"name": "F", "stages": stages}), "flow").await?;
        let orders = entries.div_ceil(ENTRIES_EACH);
        Ok(Self { client, flow: text(&flow, "id")?, orders, secrets: Arc::new(secrets) })
    }

    /// All orders through all stages, a stage at a time, so that most mails leave before the next.
    pub async fn run(self) -> Result<(), Trouble> {
        for stage in STAGES {
            self.each(move |load, n| async move { load.enter(n, stage).await }).await?;
        }
        Ok(())
    }

    async fn enter(&self, n: usize, stage: &str) -> Result<(), Trouble> {
        let id = self.id(n).await?;
        loop {
            let seen = self.client.get(&format!("/v1/orders/{id}")).await?;
            if seen["stage"]["name"] == stage {
                return Ok(());
            }
            let body = json!({"stage": stage, "expected_seq": seen["seq"]});
            let once = format!("{n}-{stage}-{}", seen["seq"]);
            let moved = self.client.post(&format!("/v1/orders/{id}/move"), &body, &once).await?;
            if moved.status != 409 {
                moved.ok()?;
            }
        }
    }

    /// The order's id: making it again under the same key gives the same one.
    async fn id(&self, n: usize) -> Result<String, Trouble> {
        let order = json!({"external_id": n.to_string(), "number": format!("#{n}"), "flow": self.flow,
            "customer": {"name": "Ada", "email": format!("ada{n}@example.com")}});
        text(&self.client.post("/v1/orders", &order, &format!("new-{n}")).await?.ok()?, "id")
    }

    /// Every event of every order.
    pub async fn timelines(&self) -> Result<Vec<Value>, Trouble> {
        let all = self.each(|load, n| async move {
            let id = load.id(n).await?;
            let page = load.client.get(&format!("/v1/orders/{id}/timeline?limit={PAGE}")).await?;
            let mut events = page["items"].as_array().cloned().unwrap_or_default();
            events.iter_mut().for_each(|event| event["order"] = json!(id));
            Ok(events)
        });
        Ok(all.await?.into_iter().flatten().collect())
    }

    /// How many runs are open.
    pub async fn open(&self) -> Result<usize, Trouble> {
        Ok(open_runs(&self.timelines().await?).count())
    }

    /// How many runs want attention within the next seconds, by a clock that is so far ahead.
    pub async fn due_by(&self, ahead: i64) -> Result<usize, Trouble> {
        let now = SystemClock.now().checked_add(SignedDuration::from_secs(ahead.saturating_add(5)))?;
        let due = |run: &Value| run["due"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        Ok(open_runs(&self.timelines().await?).filter(|run| due(run).is_some_and(|at| at <= now)).count())
    }

    /// Does it for each order, some at a time.
    async fn each<T, F, R>(&self, act: F) -> Result<Vec<T>, Trouble>
    where
        T: Send + 'static,
        F: Fn(Self, usize) -> R + Copy + Send + 'static,
        R: Future<Output = Result<T, Trouble>> + Send,
    {
        let mut workers = JoinSet::new();
        for worker in 0..WORKERS {
            let load = self.clone();
            workers.spawn(async move {
                let mut done = Vec::new();
                for n in (worker..load.orders).step_by(WORKERS) {
                    done.push(act(load.clone(), n).await?);
                }
                Ok::<_, Trouble>(done)
            });
        }
        let mut all = Vec::new();
        while let Some(done) = workers.join_next().await {
            all.extend(done??);
        }
        Ok(all)
    }
}

/// The open runs of events.
pub fn open_runs(events: &[Value]) -> impl Iterator<Item = &Value> {
    let runs = events.iter().filter_map(|event| event["runs"].as_array()).flatten();
    runs.filter(|run| !run["due"].is_null())
}

async fn made(client: &Client, path: &str, body: &Value, once: &str) -> Result<Value, Trouble> {
    client.post(path, body, once).await?.ok()
}

fn text(value: &Value, field: &str) -> Result<String, Trouble> {
    Ok(value[field].as_str().ok_or_else(|| format!("no {field} in {value}"))?.to_owned())
}
