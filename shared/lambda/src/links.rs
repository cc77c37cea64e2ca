//! The link behind `{{trackingUrl}}`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use stagepost_app::mail::TrackingLinks;
use stagepost_domain::id::OrderId;
use stagepost_domain::order::Order;
use url::Url;

/// Longest token that is looked at.
const TOKEN_MAX: usize = 100;

/// Links whose token nobody can guess: order and shop under a key of the deployment.
#[derive(Clone)]
pub struct SignedLinks {
    base: Url,
    key: [u8; 32],
}

impl SignedLinks {
    /// Links under `base`, e.g. `https://track.example.com/`.
    #[must_use]
    pub fn new(base: Url, key: [u8; 32]) -> Self {
        Self { base, key }
    }

    /// Links under `base`, with a key of their own that hangs on the deployment's.
    #[must_use]
    pub fn of_deployment(base: Url, key: &[u8; 32]) -> Self {
        let derived = Hmac::<Sha256>::new_from_slice(key).map(|mut mac| {
            mac.update(b"tracking links");
            mac.finalize().into_bytes().into()
        });
        // A key of 32 bytes is never refused.
        Self::new(base, derived.unwrap_or(*key))
    }

    /// The order that a token is about, whether or not it opens it.
    #[must_use]
    pub fn order_of(token: &str) -> Option<OrderId> {
        let (body, _) = token.split_once('-').filter(|_| token.len() <= TOKEN_MAX)?;
        OrderId::from_body(body).ok()
    }

    /// Whether the token opens the order's page, told in constant time.
    #[must_use]
    pub fn opens(&self, token: &str, order: &Order) -> bool {
        let own = self.token(order);
        own.len() == token.len() && own.bytes().zip(token.bytes()).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
    }

    /// The order's token: its id's body and 128 bits of its mac.
    #[must_use]
    pub fn token(&self, order: &Order) -> String {
        let body = order.id.as_str().trim_start_matches("ord_");
        let mac = Hmac::<Sha256>::new_from_slice(&self.key).map(|mut mac| {
            mac.update(order.shop.as_str().as_bytes());
            mac.update(b"/");
            mac.update(order.id.as_str().as_bytes());
            // Those that were sent out before links could be renewed stay as they are.
            if order.links > 0 {
                mac.update(format!("/{}", order.links).as_bytes());
            }
            mac.finalize().into_bytes()
        });
        let tag = mac.map(|m| URL_SAFE_NO_PAD.encode(m.get(..16).unwrap_or_default())).unwrap_or_default();
        format!("{body}-{tag}")
    }
}

impl TrackingLinks for SignedLinks {
    fn link(&self, order: &Order) -> String {
        format!("{}/t/{}", self.base.as_str().trim_end_matches('/'), self.token(order))
    }
}
