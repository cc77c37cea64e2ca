//! What the black-box suites share: stand-ins for the far ends, a shop set up over HTTP, and words for what a test
//! wants to see. A [`World`] is a host in memory with a clock that is driven; a [`Trial`] runs in real time on
//! whatever deployment there is.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test library: what does not hold ends the test"
)]

pub mod deployment;
pub mod signed;
mod trial;

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stagepost_app::config::create_shop;
use stagepost_app::ports::Clock;
use stagepost_domain::id::ShopId;
use stagepost_domain::{SignedDuration, Timestamp};
use stagepost_local::{Captured, Host, HostConfig, start};
use stagepost_standins::{
    Courier, EasyPost, EasyPostAccount, LineSpec, Notification, OrderSpec, Platform, Receiver, ShopifyStore,
    WooStore,
};
use stagepost_testkit::{ManualClock, SeededEntropy};

pub use trial::{Trial, until};

/// Longest that anything may take to come to rest, in real time.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Secret of the Shopify channel.
pub const SHOPIFY_SECRET: &str = "shpss_test_secret";
/// Secret of the WooCommerce channel.
pub const WOO_SECRET: &str = "woo_test_secret";
/// Secret of the carrier integration.
pub const EASYPOST_SECRET: &str = "sécret";
/// API key of the EasyPost account; the carrier integration gets it from the tests that want it.
pub const EASYPOST_KEY: &str = "EZAKtest";
/// The Shopify store's domain.
pub const SHOPIFY_DOMAIN: &str = "paper-boat.myshopify.com";

/// An answer of the API.
#[derive(Debug, Clone)]
pub struct Answered {
    /// HTTP status.
    pub status: u16,
    /// JSON, or null.
    pub body: Value,
}

impl Answered {
    /// The body of a success.
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "expected success, got {} {}", self.status, self.body);
        self.body
    }
}

/// The API's own document: the same of every host of this process.
static DOCUMENT: tokio::sync::OnceCell<Value> = tokio::sync::OnceCell::const_new();

/// Whether a path is one of the document's with its placeholders filled in.
fn fits(template: &str, path: &str) -> bool {
    let (mut told, mut asked) = (template.split('/'), path.split('/'));
    loop {
        match (told.next(), asked.next()) {
            (None, None) => return true,
            (Some(t), Some(a)) if t == a || t.starts_with('{') => {}
            _ => return false,
        }
    }
}

/// An answer with its headers.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub text: String,
}

impl Reply {
    /// The body as JSON; null if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's client for a loopback host")]
fn client() -> reqwest::Client {
    // Another client of this process may have been first.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

/// A client of the API with one key.
#[derive(Clone)]
pub struct Api {
    base: String,
    key: String,
    http: reqwest::Client,
}

impl Api {
    /// A client for a host and a key.
    #[must_use]
    pub fn new(base: &str, key: &str) -> Self {
        Self { base: base.to_owned(), key: key.to_owned(), http: client() }
    }

    /// The same host with another key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// The same key at another host.
    #[must_use]
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// One call; the body is sent as it is.
    pub async fn send(&self, method: &str, path: &str, body: Option<Vec<u8>>) -> Answered {
        let called = method.to_lowercase();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.bytes().await.unwrap();
        self.is_documented(&called, path, status).await;
        Answered { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    /// One call with headers of its own; the answer with its headers, names in lower case.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Reply {
        let called = method.to_lowercase();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key);
        for (name, value) in headers {
            request = request.header(*name, value.as_bytes());
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = |v: &reqwest::header::HeaderValue| v.to_str().unwrap_or_default().to_owned();
        let headers = response.headers().iter().map(|(n, v)| (n.to_string(), text(v))).collect();
        self.is_documented(&called, path, status).await;
        Reply { status, headers, text: response.text().await.unwrap() }
    }

    /// Every answer of every test is one that the API's own document tells of.
    async fn is_documented(&self, method: &str, path: &str, status: u16) {
        let url = format!("{}/v1/openapi.json", self.base);
        let read = || async { self.http.get(url).send().await.unwrap().json::<Value>().await.unwrap() };
        let document = DOCUMENT.get_or_init(read).await;
        let path = path.split('?').next().unwrap_or_default();
        let paths = document["paths"].as_object().unwrap();
        let found =
            paths.keys().filter(|template| fits(template, path)).min_by_key(|t| t.matches('{').count());
        let Some(operation) = found.and_then(|template| paths[template].get(method)) else { return };
        let told = &operation["responses"][status.to_string()];
        assert!(told.is_object(), "{method} {path} is not documented to answer {status}");
    }

    /// The key that it calls with.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// A page as a browser gets it, without the key: status, headers, text.
    pub async fn page(&self, url: &str) -> (u16, Vec<(String, String)>, String) {
        let response = self.http.get(url).send().await.unwrap();
        let status = response.status().as_u16();
        let text = |v: &reqwest::header::HeaderValue| v.to_str().unwrap_or_default().to_owned();
        let headers = response.headers().iter().map(|(n, v)| (n.to_string(), text(v))).collect();
        (status, headers, response.text().await.unwrap())
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answered {
        self.send("GET", path, None).await
    }

    /// POST.
    pub async fn post(&self, path: &str, body: &Value) -> Answered {
        self.send("POST", path, Some(body.to_string().into_bytes())).await
    }

    /// PUT.
    pub async fn put(&self, path: &str, body: &Value) -> Answered {
        self.send("PUT", path, Some(body.to_string().into_bytes())).await
    }
}

/// Ids of what the setup made.
#[derive(Debug, Clone, Default)]
pub struct Ids {
    /// The template of every mail.
    pub template: String,
    /// The receiver as an endpoint.
    pub endpoint: String,
    /// Its secret.
    pub endpoint_secret: String,
    /// The flow.
    pub flow: String,
    /// The Shopify channel.
    pub shopify: String,
    /// The WooCommerce channel.
    pub woo: String,
    /// The carrier integration.
    pub carrier: String,
}

/// A shop with its surroundings, wherever it is served.
///
/// The flow: New (mail) → Printing (webhook) → Ready (fulfill, mail) → Shipped (mail, fulfill, and the
/// fulfilled stage: both directions) → Delivered (mail, advance on delivery).
pub struct Scene {
    /// The API with the owner's key.
    pub api: Api,
    /// The shop.
    pub shop: ShopId,
    /// The Shopify store.
    pub shopify: ShopifyStore,
    /// The WooCommerce site.
    pub woo: WooStore,
    /// The carrier service.
    pub easypost: EasyPost,
    /// The account that parcels are registered with, once the integration has its key.
    pub parcels: EasyPostAccount,
    /// The merchant's receiver.
    pub receiver: Receiver,
    /// Posts notifications.
    pub courier: Courier,
    /// What was set up.
    pub ids: Ids,
}

/// A shop on a host in memory whose clock is driven.
pub struct World {
    /// The host.
    pub host: Host,
    /// Its time.
    pub clock: ManualClock,
    scene: Scene,
}

impl Deref for World {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.scene
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Scene {
        &mut self.scene
    }
}

/// An order of two paper boats.
#[must_use]
pub fn boats(name: &str, email: &str) -> OrderSpec {
    OrderSpec::new(name, email).line(LineSpec::new("Paper boat", 2, 950))
}

/// Where the tests' time begins.
#[must_use]
pub fn start_time() -> Timestamp {
    "2026-11-20T17:00:00Z".parse().unwrap()
}

/// The flow of the tests.
#[must_use]
pub fn flow(template: &str, endpoint: &str) -> Value {
    let mail = json!({"enabled": true, "template": template});
    let call = json!({"enabled": true, "endpoint": endpoint});
    json!({
        "name": "Paper boats",
        "stages": [
            {"name": "New", "automations": {"email": mail}},
            {"name": "Printing", "color": "#2563eb", "automations": {"webhook": call}},
            {"name": "Ready", "color": "#9333ea", "automations": {"fulfill": {"enabled": true}, "email": mail}},
            {"name": "Shipped", "color": "#ea580c", "automations": {"email": mail, "fulfill": {"enabled": true}}},
            {"name": "Delivered", "color": "#16a34a", "automations": {"email": mail, "advance_on_delivery": {"enabled": true}}},
        ],
        "default_stage": "New",
        "fulfilled_stage": "Shipped",
    })
}

impl World {
    /// A host in memory with everything connected, set up over its API.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same, its host configured otherwise.
    pub async fn start_with(edit: impl FnOnce(&mut HostConfig)) -> Self {
        let mut world = Self::bare(edit).await;
        let (shopify, woo, receiver) = (world.shopify.domain(), world.woo.url(), world.receiver.url());
        world.scene.ids = set_up(&world.scene.api, shopify, &woo, &receiver).await;
        // The stores' credentials are tried out before a test begins: no fault and no count of it is theirs.
        world.settle().await;
        world.clock.advance(SignedDuration::from_secs(60));
        world
    }

    /// A shop with nothing in it but an owner's key. Who connects something to it puts its id into `ids`.
    pub async fn empty() -> Self {
        Self::bare(|_| {}).await
    }

    async fn bare(edit: impl FnOnce(&mut HostConfig)) -> Self {
        let clock = ManualClock::new(start_time());
        let time: Arc<dyn Clock> = Arc::new(clock.clone());
        let shopify = ShopifyStore::start(SHOPIFY_DOMAIN, "shpat_test", SHOPIFY_SECRET, Arc::clone(&time));
        let shopify = shopify.await.unwrap();
        let woo = WooStore::start("ck_test:cs_test", WOO_SECRET, Arc::clone(&time)).await.unwrap();
        let receiver = Receiver::start(Arc::clone(&time)).await.unwrap();
        let parcels = EasyPostAccount::start(EASYPOST_KEY, EASYPOST_SECRET, Arc::clone(&time)).await.unwrap();
        let mut config = HostConfig {
            clock: time,
            entropy: Arc::new(SeededEntropy::new(7)),
            sweep_interval: Duration::from_millis(200),
            shopify_base: Some(shopify.base_url().parse().unwrap()),
            easypost_base: Some(parcels.url().parse().unwrap()),
            ..HostConfig::in_memory()
        };
        edit(&mut config);
        let host = start(config).await.unwrap();
        let shop = ShopId::parse("shop_paperboat").unwrap();
        let key = create_shop(host.core(), &shop, "Paper Boat", "hello@paperboat.example").await.unwrap();
        let api = Api::new(&host.base_url(), &key);
        let courier = Courier::new(&host.base_url());
        let easypost = EasyPost::new(EASYPOST_SECRET);
        let ids = Ids::default();
        let scene = Scene { api, shop, shopify, woo, easypost, parcels, receiver, courier, ids };
        Self { host, clock, scene }
    }

    /// Lets everything come to rest at the present time.
    pub async fn settle(&self) {
        assert!(self.host.settle(PATIENCE).await, "the host does not come to rest");
    }

    /// The present time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the clock on and lets everything come to rest.
    pub async fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
        self.settle().await;
    }

    /// The captured mails.
    #[must_use]
    pub fn mails(&self) -> Vec<Captured> {
        self.host.mailbox().mails()
    }

    /// Subjects of the captured mails.
    #[must_use]
    pub fn subjects(&self) -> Vec<String> {
        self.mails().into_iter().map(|m| m.subject).collect()
    }
}

impl Scene {
    /// Posts a Shopify notification and gives the outcome.
    pub async fn tell_shopify(&self, notification: &Notification) -> Value {
        let posted = self.courier.shopify(&self.ids.shopify, notification).await.unwrap();
        assert_eq!(posted.status, 200, "{}", String::from_utf8_lossy(&posted.body));
        serde_json::from_slice(&posted.body).unwrap_or(Value::Null)
    }

    /// Posts a WooCommerce notification and gives the outcome.
    pub async fn tell_woo(&self, notification: &Notification) -> Value {
        let posted = self.courier.woocommerce(&self.ids.woo, notification).await.unwrap();
        assert_eq!(posted.status, 200, "{}", String::from_utf8_lossy(&posted.body));
        serde_json::from_slice(&posted.body).unwrap_or(Value::Null)
    }

    /// Posts a carrier's report and gives the outcome.
    pub async fn tell_carrier(&self, notification: &Notification) -> Value {
        let posted = self.courier.carrier(&self.ids.carrier, notification).await.unwrap();
        assert_eq!(posted.status, 200, "{}", String::from_utf8_lossy(&posted.body));
        serde_json::from_slice(&posted.body).unwrap_or(Value::Null)
    }

    /// Posts everything that the Shopify store has to say, in order.
    pub async fn deliver_shopify(&self) -> Vec<Value> {
        let mut outcomes = Vec::new();
        for notification in self.shopify.take_outbox() {
            outcomes.push(self.tell_shopify(&notification).await);
        }
        outcomes
    }

    /// Posts everything that the WooCommerce site has to say, in order.
    pub async fn deliver_woo(&self) -> Vec<Value> {
        let mut outcomes = Vec::new();
        for notification in self.woo.take_outbox() {
            outcomes.push(self.tell_woo(&notification).await);
        }
        outcomes
    }

    /// Posts everything that the EasyPost account has to say, in order.
    pub async fn deliver_parcels(&self) -> Vec<Value> {
        let mut outcomes = Vec::new();
        for notification in self.parcels.take_outbox() {
            outcomes.push(self.tell_carrier(&notification).await);
        }
        outcomes
    }

    /// Our id of a Shopify order.
    #[must_use]
    pub fn shopify_order(&self, external_id: &str) -> String {
        self.order_id("shopify", self.shopify.domain(), external_id)
    }

    /// Our id of a WooCommerce order.
    #[must_use]
    pub fn woo_order(&self, external_id: &str) -> String {
        self.order_id("woocommerce", &self.woo.url(), external_id)
    }

    fn order_id(&self, platform: &str, store: &str, external_id: &str) -> String {
        stagepost_domain::id::OrderId::derive(&self.shop, platform, store, external_id).to_string()
    }

    /// The order as the API shows it.
    pub async fn order(&self, id: &str) -> Value {
        self.api.get(&format!("/v1/orders/{id}")).await.ok()
    }

    /// The name of the order's stage.
    pub async fn stage(&self, id: &str) -> String {
        self.order(id).await["stage"]["name"].as_str().unwrap_or("none").to_owned()
    }

    /// Moves an order by API from where it stands now.
    pub async fn move_to(&self, id: &str, stage: &str) -> Answered {
        let seq = self.order(id).await["seq"].clone();
        self.api.post(&format!("/v1/orders/{id}/move"), &json!({"stage": stage, "expected_seq": seq})).await
    }

    /// The whole timeline, oldest first.
    pub async fn timeline(&self, id: &str) -> Vec<Value> {
        let page = self.api.get(&format!("/v1/orders/{id}/timeline?limit=100")).await.ok();
        let mut entries = page["items"].as_array().unwrap().clone();
        entries.reverse();
        entries
    }

    /// The names of the stages that the order entered, in order.
    pub async fn path(&self, id: &str) -> Vec<String> {
        let entered = |e: &Value| e["transition"]["to"]["name"].as_str().map(str::to_owned);
        self.timeline(id).await.iter().filter_map(entered).collect()
    }

    /// All runs of an order, oldest event first.
    pub async fn runs(&self, id: &str) -> Vec<Value> {
        let timeline = self.timeline(id).await;
        timeline.iter().filter_map(|e| e["runs"].as_array()).flatten().cloned().collect()
    }

    /// The runs of one action.
    pub async fn runs_of(&self, id: &str, action: &str) -> Vec<Value> {
        self.runs(id).await.into_iter().filter(|r| r["action"] == action).collect()
    }

    /// States of the runs of one action, oldest first.
    pub async fn states(&self, id: &str, action: &str) -> Vec<String> {
        self.runs_of(id, action).await.iter().map(|r| r["state"].as_str().unwrap().to_owned()).collect()
    }
}

async fn set_up(api: &Api, shopify: &str, woo: &str, receiver: &str) -> Ids {
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let template = json!({
        "name": "Stage",
        "subject": "{{orderNumber}}: {{stageName}}",
        "text": "Hello {{customerName}}, see {{trackingUrl}}",
        "html": "<p>Hello {{customerName}}, <a href=\"{{trackingUrl}}\">{{stageName}}</a></p>",
    });
    let template = text(&api.post("/v1/email-templates", &template).await.ok()["id"]);
    let endpoint = api.post("/v1/webhook-endpoints", &json!({"name": "ERP", "url": receiver})).await.ok();
    let flow = api.post("/v1/flows", &flow(&template, &text(&endpoint["id"]))).await.ok();
    let shopify = json!({
        "platform": "shopify", "name": "Paper Boat", "store": shopify, "webhook_secret": SHOPIFY_SECRET,
        "credentials": "shpat_test", "default_flow": flow["id"], "backfill_days": 0,
    });
    let woocommerce = json!({
        "platform": "woocommerce", "name": "Paper Boat EU", "store": woo, "webhook_secret": WOO_SECRET,
        "credentials": "ck_test:cs_test", "default_flow": flow["id"], "backfill_days": 0,
    });
    let carrier = json!({"kind": "easypost", "name": "EasyPost", "webhook_secret": EASYPOST_SECRET});
    Ids {
        shopify: text(&api.post("/v1/channels", &shopify).await.ok()["id"]),
        woo: text(&api.post("/v1/channels", &woocommerce).await.ok()["id"]),
        carrier: text(&api.post("/v1/carriers", &carrier).await.ok()["id"]),
        endpoint: text(&endpoint["id"]),
        endpoint_secret: text(&endpoint["secret"]),
        flow: text(&flow["id"]),
        template,
    }
}
