//! A host in memory, everything that it talks to, and a shop that was set up over its API.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use stagepost_app::config::create_shop;
use stagepost_app::ports::{ApiCall, Clock, PlatformHttp};
use stagepost_domain::id::ShopId;
use stagepost_domain::run::later;
use stagepost_domain::{SignedDuration, Timestamp};
use stagepost_lambda::system::SystemClock;
use stagepost_outbound_http::{Guard, OutboundHttp};
use stagepost_standins::{Courier, EasyPost, Notification, Platform, Receiver, ShopifyStore, WooStore};
use url::Url;

use super::DemoError;
use super::timeline::{Timeline, text};
use crate::host::{Host, HostConfig, HostError, start};
use crate::mailbox::Captured;

/// Longest that anything may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(20);
/// A little more than the grace of a shop that set none, in seconds.
pub(super) const GRACE: i64 = 11;
/// Where `--keep` wants to be found.
const KEPT_PORT: u16 = 8787;

const SHOPIFY_DOMAIN: &str = "paper-boat.myshopify.com";
const SHOPIFY_SECRET: &str = "shpss_demo_secret";
const SHOPIFY_TOKEN: &str = "shpat_demo_token";
const WOO_SECRET: &str = "woo demo secret";
const WOO_KEY: &str = "ck_demo:cs_demo";
const EASYPOST_SECRET: &str = "easypost demo secret";

/// The machine's time and an offset.
#[derive(Clone, Default)]
struct DemoClock(Arc<AtomicI64>);

impl DemoClock {
    fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for DemoClock {
    fn now(&self) -> Timestamp {
        later(SystemClock.now(), SignedDuration::from_secs(self.0.load(Ordering::Relaxed)))
    }
}

/// A client of the API.
struct Api {
    http: OutboundHttp,
    base: Url,
    key: String,
}

impl Api {
    /// The body of a success.
    async fn call(&self, method: &'static str, path: &str, body: Option<&Value>) -> Result<Value, DemoError> {
        let headers = vec![("authorization", format!("Bearer {}", self.key))];
        let body = body.map(|b| b.to_string().into_bytes());
        let call = ApiCall { method, url: self.base.join(path)?, headers, body };
        let answer = self.http.call(call).await.map_err(|e| DemoError::unanswered(path, &e))?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if (200..300).contains(&answer.status) {
            return Ok(body);
        }
        let code = text(&body, "/type").to_owned();
        Err(DemoError::Refused { path: path.to_owned(), status: answer.status, code })
    }

    /// Makes something and gives its id.
    async fn make(&self, path: &str, body: &Value) -> Result<String, DemoError> {
        id_of(&self.call("POST", path, Some(body)).await?)
    }
}

fn id_of(made: &Value) -> Result<String, DemoError> {
    match text(made, "/id") {
        "" => Err(DemoError::Missing("id")),
        id => Ok(id.to_owned()),
    }
}

/// What was set up.
pub(super) struct Ids {
    pub flow: String,
    /// The flow's first stage.
    pub first_stage: String,
    pub endpoint_secret: String,
    shopify: String,
    woo: String,
    carrier: String,
}

/// Who sends a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sender {
    Shopify,
    Woo,
    Carrier,
}

/// What cannot be told from the orders' timelines.
#[derive(Default)]
struct Counted {
    /// Notifications that our own platform calls caused and that moved nothing.
    recognised: usize,
    /// Notifications sent a second and third time.
    replayed: usize,
}

/// Everything that a scene plays with.
pub(super) struct Surroundings {
    pub host: Host,
    pub shopify: ShopifyStore,
    pub woo: WooStore,
    pub easypost: EasyPost,
    pub receiver: Receiver,
    pub ids: Ids,
    /// Every order, oldest first.
    pub orders: Vec<String>,
    /// Every notification posted so far.
    pub posted: Vec<(Sender, Notification)>,
    clock: DemoClock,
    courier: Courier,
    api: Api,
    counted: Counted,
}

impl Surroundings {
    /// Starts everything and sets the shop up.
    pub async fn start(keep: bool) -> Result<Self, DemoError> {
        let clock = DemoClock::default();
        let time: Arc<dyn Clock> = Arc::new(clock.clone());
        let shopify =
            ShopifyStore::start(SHOPIFY_DOMAIN, SHOPIFY_TOKEN, SHOPIFY_SECRET, Arc::clone(&time)).await?;
        let woo = WooStore::start(WOO_KEY, WOO_SECRET, Arc::clone(&time)).await?;
        // Three more saves by plugins after each completion: four notifications of one fulfillment.
        woo.set_extra_updates(3);
        let receiver = Receiver::start(Arc::clone(&time)).await?;
        let config = HostConfig {
            clock: time,
            sweep_interval: Duration::from_millis(200),
            shopify_base: Some(shopify.base_url().parse()?),
            ..HostConfig::in_memory()
        };
        let host = if keep { start_on_kept_port(config).await? } else { start(config).await? };
        let shop = ShopId::parse("shop_demo")?;
        let key = create_shop(host.core(), &shop, "Paper Boat", "hello@paperboat.example").await?;
        let http = OutboundHttp::new(Guard::LoopbackAllowed)?;
        let api = Api { http, base: host.base_url().parse()?, key };
        let ids = set_up(&api, &woo.url(), &receiver.url()).await?;
        let surroundings = Self {
            courier: Courier::new(&host.base_url()),
            easypost: EasyPost::new(EASYPOST_SECRET),
            host,
            shopify,
            woo,
            receiver,
            ids,
            orders: Vec::new(),
            posted: Vec::new(),
            clock,
            api,
            counted: Counted::default(),
        };
        // Platforms tell time in whole seconds: no order is to be older than its channel. Nor is one to be found
        // by the look at the store's past before its notification tells of it.
        surroundings.pass(60).await?;
        Ok(surroundings)
    }

    /// The owner's API key.
    pub fn key(&self) -> &str {
        &self.api.key
    }

    /// Lets the clock go on by so many seconds and everything come to rest.
    pub async fn pass(&self, seconds: i64) -> Result<(), DemoError> {
        self.clock.advance(seconds);
        if self.host.settle(PATIENCE).await { Ok(()) } else { Err(DemoError::Restless) }
    }

    /// Posts a notification as it is and gives the status and the outcome.
    pub async fn post(&self, from: Sender, notification: &Notification) -> Result<(u16, Value), DemoError> {
        let posted = match from {
            Sender::Shopify => self.courier.shopify(&self.ids.shopify, notification).await?,
            Sender::Woo => self.courier.woocommerce(&self.ids.woo, notification).await?,
            Sender::Carrier => self.courier.carrier(&self.ids.carrier, notification).await?,
        };
        Ok((posted.status, serde_json::from_slice(&posted.body).unwrap_or_default()))
    }

    /// Delivers a notification and gives the outcome.
    pub async fn deliver(&mut self, from: Sender, notification: Notification) -> Result<Value, DemoError> {
        let (status, outcome) = self.post(from, &notification).await?;
        if status != 200 {
            return Err(DemoError::Notification { topic: notification.topic, status });
        }
        self.posted.push((from, notification));
        Ok(outcome)
    }

    /// Delivers all that a store has to say, in order, and gives the outcomes.
    pub async fn deliver_all(&mut self, from: Sender) -> Result<Vec<Value>, DemoError> {
        let notifications = match from {
            Sender::Shopify => self.shopify.take_outbox(),
            Sender::Woo => self.woo.take_outbox(),
            Sender::Carrier => Vec::new(),
        };
        let mut outcomes = Vec::with_capacity(notifications.len());
        for notification in notifications {
            outcomes.push(self.deliver(from, notification).await?);
        }
        Ok(outcomes)
    }

    /// A new order has come to its store: delivers what the store says, lets the grace pass and gives our id
    /// of the order.
    pub async fn arrive(&mut self, from: Sender) -> Result<String, DemoError> {
        let outcomes = self.deliver_all(from).await?;
        let order = outcomes.iter().map(|o| text(o, "/order")).find(|id| !id.is_empty());
        let order = order.ok_or(DemoError::Missing("order"))?.to_owned();
        self.orders.push(order.clone());
        self.pass(GRACE).await?;
        Ok(order)
    }

    /// Delivers what the store says of our own platform call. Gives the number of notifications, and how
    /// many of them moved the order.
    pub async fn hear_ourselves(&mut self, from: Sender, order: &str) -> Result<(usize, usize), DemoError> {
        let before = self.timeline(order).await?.stages().len();
        let heard = self.deliver_all(from).await?.len();
        self.pass(0).await?;
        let moved = self.timeline(order).await?.stages().len().saturating_sub(before);
        if moved == 0 {
            self.counted.recognised += heard;
        }
        Ok((heard, moved))
    }

    /// A carrier reports a parcel.
    pub async fn carrier(&mut self, number: &str, status: &str) -> Result<Value, DemoError> {
        let report = self.easypost.event(number, status, self.clock.now());
        let outcome = self.deliver(Sender::Carrier, report).await?;
        self.pass(GRACE).await?;
        Ok(outcome)
    }

    /// Makes an order over the API.
    pub async fn make_order(&mut self, order: &Value) -> Result<String, DemoError> {
        let id = self.api.make("/v1/orders", order).await?;
        self.orders.push(id.clone());
        self.pass(GRACE).await?;
        Ok(id)
    }

    /// Adds a parcel over the API.
    pub async fn add_parcel(&self, order: &str, number: &str) -> Result<(), DemoError> {
        let parcel = json!({"number": number, "carrier": "UPS"});
        self.api.call("POST", &format!("/v1/orders/{order}/packages"), Some(&parcel)).await?;
        self.pass(0).await
    }

    /// Moves an order over the API from where it stands now, and lets what is due at once happen.
    pub async fn move_to(&self, order: &str, stage: &str) -> Result<(), DemoError> {
        let seq = self.order(order).await?.get("seq").cloned();
        let wish = json!({"stage": stage, "expected_seq": seq});
        self.api.call("POST", &format!("/v1/orders/{order}/move"), Some(&wish)).await?;
        self.pass(0).await
    }

    /// The order as the API shows it.
    pub async fn order(&self, id: &str) -> Result<Value, DemoError> {
        self.api.call("GET", &format!("/v1/orders/{id}"), None).await
    }

    /// The order's timeline as the API shows it.
    pub async fn timeline(&self, id: &str) -> Result<Timeline, DemoError> {
        let page = self.api.call("GET", &format!("/v1/orders/{id}/timeline?limit=100"), None).await?;
        Ok(Timeline::of(&page))
    }

    /// How many items a list of the API has.
    pub async fn count(&self, path: &str) -> Result<usize, DemoError> {
        let page = self.api.call("GET", path, None).await?;
        Ok(page.get("items").and_then(Value::as_array).map_or(0, Vec::len))
    }

    /// The mails that an order's customer got.
    pub fn mails_of(&self, order: &str) -> Vec<Captured> {
        let mails = self.host.mailbox().mails();
        mails.into_iter().filter(|m| m.tags.get("order").is_some_and(|o| o == order)).collect()
    }

    /// All orders' timelines.
    pub async fn timelines(&self) -> Result<Vec<Timeline>, DemoError> {
        let mut all = Vec::with_capacity(self.orders.len());
        for order in &self.orders {
            all.push(self.timeline(order).await?);
        }
        Ok(all)
    }

    /// How many mails, webhooks and platform writes have left so far.
    pub fn effects(&self) -> (usize, usize, usize) {
        let writes = self.shopify.fulfillment_calls() + self.woo.fulfillment_calls();
        (self.host.mailbox().mails().len(), self.receiver.received().len(), writes)
    }

    /// Sends all notifications again, newest first; gives how many.
    pub async fn replay(&mut self) -> Result<usize, DemoError> {
        for (from, notification) in self.posted.iter().rev() {
            let (status, _) = self.post(*from, notification).await?;
            if status != 200 {
                return Err(DemoError::Notification { topic: notification.topic.clone(), status });
            }
        }
        self.pass(GRACE).await?;
        self.counted.replayed += self.posted.len();
        Ok(self.posted.len())
    }

    /// One line of sums.
    pub async fn totals(&self) -> Result<String, DemoError> {
        let timelines = self.timelines().await?;
        let skips =
            timelines.iter().flat_map(Timeline::runs).filter(|r| text(r, "/state") == "skipped").count();
        let loops: usize = timelines.iter().map(Timeline::loops).sum();
        let (mails, webhooks, writes) = self.effects();
        let calls = self.shopify.log().len() + self.woo.log().len();
        Ok(format!(
            "Totals: orders {}, notifications {} (replayed {}), mails {mails}, webhooks {webhooks}, \
             platform calls {calls} ({writes} of them fulfill), skips {skips}, \
             own notifications recognised {}, loops {loops}",
            self.orders.len(),
            self.posted.len(),
            self.counted.replayed,
            self.counted.recognised,
        ))
    }

    /// The stores post what they have to say by themselves from now on.
    pub fn echo_from_now_on(&self) {
        self.shopify.push_to(&self.courier, &format!("/webhooks/shopify/{}", self.ids.shopify));
        self.woo.push_to(&self.courier, &format!("/webhooks/woocommerce/{}", self.ids.woo));
    }

    /// One notification of each sender.
    pub fn one_of_each(&self) -> Vec<(Sender, Notification)> {
        let mut senders = BTreeSet::new();
        self.posted.iter().filter(|(from, _)| senders.insert(*from)).cloned().collect()
    }
}

async fn start_on_kept_port(config: HostConfig) -> Result<Host, HostError> {
    let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, KEPT_PORT));
    match start(HostConfig { bind, ..config.clone() }).await {
        Err(HostError::Bind(..)) => start(config).await,
        started => started,
    }
}

async fn set_up(api: &Api, woo: &str, receiver: &str) -> Result<Ids, DemoError> {
    let template = json!({
        "name": "Stage",
        "subject": "{{orderNumber}}: {{stageName}}",
        "text": "Hello {{customerName}}, see {{trackingUrl}}",
    });
    let template = api.make("/v1/email-templates", &template).await?;
    let endpoint = json!({"name": "ERP", "url": receiver});
    let endpoint = api.call("POST", "/v1/webhook-endpoints", Some(&endpoint)).await?;
    let flow = flow(&template, text(&endpoint, "/id"));
    let flow = api.call("POST", "/v1/flows", Some(&flow)).await?;
    let flow_id = id_of(&flow)?;
    let shopify = json!({
        "platform": "shopify", "name": "Paper Boat", "store": SHOPIFY_DOMAIN, "default_flow": flow_id,
        "webhook_secret": SHOPIFY_SECRET, "credentials": SHOPIFY_TOKEN,
    });
    let woocommerce = json!({
        "platform": "woocommerce", "name": "Paper Boat EU", "store": woo, "default_flow": flow_id,
        "webhook_secret": WOO_SECRET, "credentials": WOO_KEY,
    });
    let carrier = json!({"kind": "easypost", "name": "EasyPost", "webhook_secret": EASYPOST_SECRET});
    Ok(Ids {
        shopify: api.make("/v1/channels", &shopify).await?,
        woo: api.make("/v1/channels", &woocommerce).await?,
        carrier: api.make("/v1/carriers", &carrier).await?,
        first_stage: text(&flow, "/stages/0/id").to_owned(),
        endpoint_secret: text(&endpoint, "/secret").to_owned(),
        flow: flow_id,
    })
}

/// *Shipped* has both directions: entering it fulfills on the platform, and a fulfillment on the platform
/// enters it.
fn flow(template: &str, endpoint: &str) -> Value {
    let mail = json!({"enabled": true, "template": template});
    json!({
        "name": "Prints",
        "stages": [
            {"name": "New", "automations": {"email": mail}},
            {"name": "Printing", "automations": {"webhook": {"enabled": true, "endpoint": endpoint}}},
            {"name": "Shipped", "automations": {"email": mail, "fulfill": {"enabled": true}}},
            {"name": "Delivered", "automations": {"email": mail, "advance_on_delivery": {"enabled": true}}},
        ],
        "fulfilled_stage": "Shipped",
    })
}
