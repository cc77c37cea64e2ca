//! The console as a browser meets it: requests in, pages out, on the in-memory store.

mod access;
mod activity;
mod brand;
mod bulk;
mod door;
mod flows;
mod integrations;
mod keys;
mod notifications;
mod order;
mod orders;
mod people;
mod simulate;
mod webhooks;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, Request, StatusCode, header};
use stagepost_app::Core;
use stagepost_app::apply::{Outcome, apply};
use stagepost_app::ports::{ConfigChange, ConfigStore};
use stagepost_domain::fact::Fact;
use stagepost_domain::flow::Flow;
use stagepost_domain::id::{KeyId, OrderId, ShopId};
use stagepost_domain::shop::{ApiKey, Role};
use stagepost_lambda::links::SignedLinks;
use stagepost_secrets::LocalSecrets;
use stagepost_testkit::{ManualClock, MemoryInboundQueue, MemoryStore, SeededEntropy, build};
use tower::ServiceExt;
use url::{Url, form_urlencoded};

use crate::{Console, Keys, Queue, router};

/// A page as it came.
pub struct Seen {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Seen {
    /// Where it leads.
    pub fn to(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |to| to.to_str().unwrap())
    }

    /// Whether the page says this.
    pub fn says(&self, text: &str) -> bool {
        self.body.contains(text)
    }

    /// The value of the first input of this name.
    pub fn value(&self, name: &str) -> String {
        let (_, rest) = self.body.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_default();
        rest.split('"').next().unwrap_or_default().to_owned()
    }
}

/// A shop with its console, and a browser.
pub struct World {
    pub store: MemoryStore,
    pub clock: ManualClock,
    pub core: Core<MemoryStore>,
    pub queue: MemoryInboundQueue,
    router: Router,
    cookies: Mutex<Vec<(String, String)>>,
}

impl World {
    /// The demo shop with the demo flow, signed in as an owner.
    pub async fn new() -> Self {
        Self::with(Role::Owner, |_| {}).await
    }

    /// The same in another role and with the flow changed.
    pub async fn with(role: Role, change: impl FnOnce(&mut Flow)) -> Self {
        let world = Self::outside();
        world.configured(&build::shop(), change).await;
        world.sign_in(&build::shop(), role).await;
        world
    }

    /// An empty store, and nobody signed in.
    pub fn outside() -> Self {
        let (store, clock) = (MemoryStore::new(), ManualClock::new(build::at(build::START)));
        let entropy = Arc::new(SeededEntropy::new(1));
        let core = Core { store: store.clone(), clock: Arc::new(clock.clone()), entropy, restored_at: None };
        let public = Url::parse("https://console.test/").unwrap();
        let links = Arc::new(SignedLinks::of_deployment(public.clone(), &[7; 32]));
        let secrets = LocalSecrets::from_key([7; 32]).unwrap();
        let queue = MemoryInboundQueue::new();
        let (keys, inbound) = (Keys::of_deployment(&[7; 32]), Queue::new(queue.clone()));
        let console = Console::new(core.clone(), secrets, links, keys, public, |_| Ok(()), inbound);
        let router = router(Arc::new(console));
        Self { store, clock, core, queue, router, cookies: Mutex::default() }
    }

    /// The demo configuration in a shop.
    pub async fn configured(&self, shop: &ShopId, change: impl FnOnce(&mut Flow)) {
        let mut flow = build::flow(shop);
        change(&mut flow);
        self.save(shop, ConfigChange::Shop).await;
        self.save(shop, ConfigChange::Flow(flow)).await;
        self.save(shop, ConfigChange::Template(build::template(shop, 1))).await;
        self.save(shop, ConfigChange::Endpoint(build::endpoint(shop))).await;
    }

    /// Changes a shop's configuration.
    pub async fn save(&self, shop: &ShopId, change: ConfigChange) {
        let stored = self.store.settings(shop).await.unwrap();
        let mut settings = stored.unwrap_or_else(|| build::settings(shop, 0));
        settings.config_version += 1;
        self.store.save(&change, &settings).await.unwrap();
    }

    /// A shop in which nothing is set up.
    pub async fn bare(&self, shop: &ShopId) {
        let mut settings = build::settings(shop, 1);
        settings.templates.clear();
        settings.endpoints.clear();
        self.store.save(&ConfigChange::Shop, &settings).await.unwrap();
    }

    /// Signs in with a key of this role, over the form.
    pub async fn sign_in(&self, shop: &ShopId, role: Role) {
        let token = format!("sp_{shop}_{role:?}");
        let hash = stagepost_domain::id::token_hash(&token);
        let id = KeyId::parse(&format!("key_{role:?}")).unwrap();
        let key = ApiKey { hash, id, ..build::api_key(shop, role) };
        self.save(shop, ConfigChange::Key(key)).await;
        let seen = self.post_as_it_is("/sign-in", &[("key", &token), ("next", "/orders")]).await;
        assert_eq!((seen.status, seen.to()), (StatusCode::SEE_OTHER, "/orders"));
    }

    /// Applies a fact that must change something.
    pub async fn tell(&self, id: &OrderId, fact: &Fact) {
        let outcome = apply(&self.core, &build::shop(), id, fact).await.unwrap();
        assert!(matches!(outcome, Outcome::Changed(_)), "{outcome:?}");
    }

    /// The order `#n` of the demo store, in the default stage.
    pub async fn order(&self, n: u64) -> OrderId {
        let id = build::order_id(n);
        self.tell(&id, &build::told(build::order_fact(n, 0))).await;
        id
    }

    /// A page.
    pub async fn get(&self, path: &str) -> Seen {
        self.send(Request::get(path), Body::empty()).await
    }

    /// A part of a page, as htmx asks for it.
    pub async fn part(&self, path: &str) -> Seen {
        self.send(Request::get(path).header("HX-Request", "true"), Body::empty()).await
    }

    /// Sends a form as a page of this session would, under a key of its own.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Seen {
        let page = self.get("/orders?q=a-page-with-a-form").await;
        let (csrf, once) = (page.value("csrf"), page.value("once"));
        let keys = [("csrf", csrf.as_str()), ("once", once.as_str())];
        self.post_as_it_is(path, &[&keys, fields].concat()).await
    }

    /// Sends exactly these fields.
    pub async fn post_as_it_is(&self, path: &str, fields: &[(&str, &str)]) -> Seen {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(Request::post(path).header(header::ORIGIN, "https://console.test"), body.into()).await
    }

    /// Sends a request with the browser's cookies, and keeps those of the answer.
    pub async fn send(&self, request: http::request::Builder, body: Body) -> Seen {
        let kept = self.cookies.lock().unwrap().clone();
        let cookies =
            kept.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let request = request.header(header::COOKIE, cookies).body(body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        self.keep_cookies(&parts.headers);
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Seen { status: parts.status, headers: parts.headers, body }
    }

    fn keep_cookies(&self, headers: &HeaderMap) {
        let mut cookies = self.cookies.lock().unwrap();
        for set in headers.get_all(header::SET_COOKIE) {
            let (name, rest) = set.to_str().unwrap().split_once('=').unwrap();
            cookies.retain(|(known, _)| known != name);
            if !rest.contains("Max-Age=0") {
                cookies.push((name.to_owned(), rest.split(';').next().unwrap().to_owned()));
            }
        }
    }
}
