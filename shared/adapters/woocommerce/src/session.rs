//! One order of one store, over REST v3 (integrations §4).

use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use stagepost_app::ports::{ActError, ApiAnswer, ApiCall, ChannelAccess, PlatformHttp};
use stagepost_domain::SignedDuration;
use stagepost_domain::order::Source;
use url::{Host, Url};

use crate::json::is_id;

/// WooCommerce's own API.
const WC: &[&str] = &["wp-json", "wc", "v3", "orders"];
/// The one of the Shipment Tracking extension.
const SHIPMENT_TRACKING: &[&str] = &["wp-json", "wc-shipment-tracking", "v3", "orders"];

/// Where an order's resources are, and the key to them.
pub(crate) struct Session<'a, H> {
    http: &'a H,
    base: Url,
    authorization: String,
    order: &'a str,
    spent: AtomicI64,
}

/// A resource of the order.
#[derive(Clone, Copy)]
pub(crate) enum Resource {
    /// Itself.
    Order,
    /// What people and programs noted on it.
    Notes,
    /// WooCommerce's own fulfillments; off in most shops.
    Fulfillments,
    /// The Shipment Tracking extension's parcels; absent in most shops.
    ShipmentTrackings,
}

impl<'a, H: PlatformHttp> Session<'a, H> {
    /// Checks address and credentials before anything is sent.
    pub fn open(http: &'a H, access: &ChannelAccess, order: &'a Source) -> Result<Self, ActError> {
        let base = base(&access.channel.store)?;
        if !access.credentials.contains(':') {
            return Err(ActError::permanent(
                "the channel's credentials are not a WooCommerce key and secret",
            ));
        }
        if !is_id(&order.external_id) {
            return Err(ActError::permanent("the order's id is no id of WooCommerce"));
        }
        let authorization = format!("Basic {}", STANDARD.encode(&access.credentials));
        Ok(Self { http, base, authorization, order: &order.external_id, spent: AtomicI64::new(0) })
    }

    pub fn id(&self) -> &str {
        self.order
    }

    pub async fn get(&self, what: Resource) -> Result<ApiAnswer, ActError> {
        self.send("GET", what, None).await
    }

    pub async fn post(&self, what: Resource, body: &Value) -> Result<ApiAnswer, ActError> {
        self.send("POST", what, Some(body)).await
    }

    /// Changes the order.
    pub async fn put(&self, body: &Value) -> Result<ApiAnswer, ActError> {
        self.send("PUT", Resource::Order, Some(body)).await
    }

    async fn send(
        &self,
        method: &'static str,
        what: Resource,
        body: Option<&Value>,
    ) -> Result<ApiAnswer, ActError> {
        let mut headers =
            vec![("authorization", self.authorization.clone()), ("accept", "application/json".to_owned())];
        if body.is_some() {
            // Under any other type WooCommerce ignores the body and answers 200 (live notes 47).
            headers.push(("content-type", "application/json".to_owned()));
        }
        let body = body.map(|b| b.to_string().into_bytes());
        let answer = self.http.call(ApiCall { method, url: self.url(what)?, headers, body }).await?;
        let took = i64::try_from(answer.took.as_millis()).unwrap_or(i64::MAX);
        self.spent.fetch_add(took, Ordering::Relaxed);
        Ok(answer)
    }

    /// How long the calls took so far.
    pub fn spent(&self) -> SignedDuration {
        SignedDuration::from_millis(self.spent.load(Ordering::Relaxed))
    }

    fn url(&self, what: Resource) -> Result<Url, ActError> {
        let (root, leaf) = match what {
            Resource::Order => (WC, None),
            Resource::Notes => (WC, Some("notes")),
            Resource::Fulfillments => (WC, Some("fulfillments")),
            Resource::ShipmentTrackings => (SHIPMENT_TRACKING, Some("shipment-trackings")),
        };
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut path) => path.pop_if_empty().extend(root).push(self.order).extend(leaf),
            Err(()) => return Err(unusable()),
        };
        Ok(url)
    }
}

fn unusable() -> ActError {
    ActError::permanent("the store's address must be an https address without user name and query")
}

/// The store's root. Over plain http WooCommerce refuses keys (live notes 40) and they could be read on
/// the way: only a stand-in on this machine may be called so.
pub(crate) fn base(store: &str) -> Result<Url, ActError> {
    let url = Url::parse(store).map_err(|_| unusable())?;
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err(unusable()),
    };
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && here);
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if scheme && plain { Ok(url) } else { Err(unusable()) }
}
