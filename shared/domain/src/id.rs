//! Typed identifiers: a prefix that a person can read in a log, a body that sorts or hashes.
//!
//! Ids of other systems keep their own types (`ExternalId`, `ShipmentId`), always as text: Shopify's
//! exceed 2^53, so they never pass through a float.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Longest body of an id after its prefix.
const BODY_MAX: usize = 40;

/// Text that is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id that starts with \"{prefix}_\"")]
pub struct InvalidId {
    /// The prefix that was expected.
    pub prefix: &'static str,
}

fn valid_body(body: &str) -> bool {
    !body.is_empty() && body.len() <= BODY_MAX && body.bytes().all(|b| b.is_ascii_alphanumeric())
}

macro_rules! ids {
    ($($(#[doc = $doc:literal])* $name:ident = $prefix:literal;)+) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The readable prefix of this kind of id, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Makes an id from a body that an id generator gave.
            ///
            /// # Errors
            /// The body is empty, longer than 40 characters or not ASCII letters and digits.
            pub fn from_body(body: &str) -> Result<Self, InvalidId> {
                Self::parse(&format!("{}_{body}", $prefix))
            }

            /// Parses the whole id, prefix included.
            ///
            /// # Errors
            /// Another prefix, or a body that no generator makes.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                match text.strip_prefix(concat!($prefix, "_")) {
                    Some(body) if valid_body(body) => Ok(Self(text.to_owned())),
                    _ => Err(InvalidId { prefix: $prefix }),
                }
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "description": concat!($($doc,)*).trim(),
                    "pattern": concat!("^", $prefix, "_[A-Za-z0-9]{1,40}$"),
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

ids! {
    /// A tenant.
    ShopId = "shop";
    /// An order flow: a pipeline of stages.
    FlowId = "flow";
    /// A stage of a flow.
    StageId = "stg";
    /// An e-mail template.
    TemplateId = "tmpl";
    /// A webhook endpoint.
    EndpointId = "ep";
    /// A sales channel: one Shopify or WooCommerce store.
    ChannelId = "chan";
    /// A carrier integration.
    CarrierId = "car";
    /// An order.
    OrderId = "ord";
    /// One try of a run.
    AttemptId = "att";
    /// An API key's record (not the key itself).
    KeyId = "key";
    /// A person who works with a shop.
    MemberId = "mem";
    /// Whose an e-mail address is, over all shops: a keyed hash of it.
    PersonId = "per";
    /// A package of an order.
    PackageId = "pkg";
    /// A notification in quarantine.
    QuarantineId = "quar";
    /// A job of a shop.
    JobId = "job";
    /// An address that a shop does not mail to.
    SuppressionId = "sup";
    /// A mail that somebody asked for, beside those of orders.
    MailId = "mail";
}

/// Lower-case hex of the first `bytes` bytes of a SHA-256 over the parts, each with its length, so that
/// no two lists of parts collide by concatenation.
fn digest_hex<P: AsRef<[u8]>>(parts: &[P], bytes: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts.iter().map(AsRef::as_ref) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(bytes).map(|b| format!("{b:02x}")).collect()
}

impl OrderId {
    /// The order's id is a hash of where it comes from: a notification finds its order with one read,
    /// the same order never exists twice, and a store connected again keeps its orders.
    #[must_use]
    pub fn derive(shop: &ShopId, platform: &str, store: &str, external_id: &str) -> Self {
        Self(format!("ord_{}", digest_hex(&[shop.as_str(), platform, store, external_id], 13)))
    }
}

impl PackageId {
    /// A package is known by what a person would compare: its normalised number, else its URL.
    #[must_use]
    pub fn derive(identity: &str) -> Self {
        Self(format!("pkg_{}", digest_hex(&[identity], 8)))
    }
}

impl QuarantineId {
    /// By the time of arrival, which ids sort by, then by content: the same notification kept twice is one.
    #[must_use]
    pub fn derive(at: Timestamp, came_by: &str, topic: &str, body: &[u8]) -> Self {
        let content = digest_hex(&[came_by.as_bytes(), topic.as_bytes(), body], 10);
        Self(format!("quar_{:013}{content}", at.as_millisecond().max(0)))
    }
}

/// Hash under which a secret token (an API key) is looked up; the token itself is never stored.
#[must_use]
pub fn token_hash(token: &str) -> String {
    digest_hex(&["api-key", token], 32)
}

/// Hash under which a sign-in link is looked up; its token is never stored.
#[must_use]
pub fn link_hash(token: &str) -> String {
    digest_hex(&["sign-in", token], 32)
}

/// Hash of a request's body: whether two calls under one idempotency key say the same.
#[must_use]
pub fn body_hash(body: &[u8]) -> String {
    Sha256::digest(body).iter().map(|b| format!("{b:02x}")).collect()
}

/// A short stable hash for a key that must not carry its content, e.g. of an ignored fact.
#[must_use]
pub fn content_key(parts: &[&str]) -> String {
    digest_hex(parts, 10)
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn an_id_parses_only_with_its_own_prefix() {
        assert!(OrderId::parse("ord_0a1b").is_ok());
        for bad in ["shop_0a1b", "ord_", "ord", "", "ord_a b", "ord_ä", &format!("ord_{}", "a".repeat(41))] {
            assert!(OrderId::parse(bad).is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn one_order_has_one_id_per_shop_and_store() {
        let shop = ShopId::parse("shop_a").unwrap();
        let other = ShopId::parse("shop_b").unwrap();
        let id = OrderId::derive(&shop, "shopify", "a.myshopify.com", "820982911946154508");
        assert_eq!(id, OrderId::derive(&shop, "shopify", "a.myshopify.com", "820982911946154508"));
        assert_ne!(id, OrderId::derive(&other, "shopify", "a.myshopify.com", "820982911946154508"));
        assert_ne!(id, OrderId::derive(&shop, "shopify", "a.myshopify.co", "m820982911946154508"));
    }

    #[test]
    fn parts_do_not_collide_by_concatenation() {
        assert_ne!(content_key(&["ab", "c"]), content_key(&["a", "bc"]));
        assert_ne!(content_key(&["a", ""]), content_key(&["a"]));
        assert_eq!(token_hash("sp_x").len(), 64);
        assert_ne!(token_hash("sp_x"), token_hash("sp_y"));
    }

    proptest! {
        #[test]
        fn an_id_is_read_back_as_it_was_written(body in "[a-zA-Z0-9]{1,40}", any in "\\PC{0,50}") {
            let id = FlowId::from_body(&body).unwrap();
            prop_assert_eq!(FlowId::parse(id.as_str()), Ok(id.clone()));
            prop_assert_eq!(serde_json::from_str::<FlowId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
            if let Ok(id) = FlowId::parse(&any) {
                prop_assert_eq!(id.to_string(), any);
            }
        }

        #[test]
        fn a_derived_id_is_an_id(parts in ["\\PC{0,30}", "\\PC{0,30}"], at in 0_i64..4_000_000_000_000) {
            let shop = ShopId::from_body("a").unwrap();
            let order = OrderId::derive(&shop, "shopify", &parts[0], &parts[1]);
            prop_assert_eq!(OrderId::parse(order.as_str()), Ok(order));
            let package = PackageId::derive(&parts[0]);
            prop_assert_eq!(PackageId::parse(package.as_str()), Ok(package));
            let at = Timestamp::from_millisecond(at).unwrap();
            let kept = QuarantineId::derive(at, &parts[0], &parts[1], parts[1].as_bytes());
            prop_assert_eq!(QuarantineId::parse(kept.as_str()), Ok(kept.clone()));
            prop_assert!(kept < QuarantineId::derive(Timestamp::from_millisecond(4_000_000_000_001).unwrap(), "", "", b""));
        }
    }
}
