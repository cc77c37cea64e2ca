//! Notifications: as they arrive, and what an adapter makes of them.
//!
//! When the store is away, an arrival is packed and kept in the inbound queue as it came, and decided later by
//! the same code. Its secrets may be unknown then, so it may be kept before its signature was checked; the
//! signature's headers are kept with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stagepost_domain::Timestamp;
use stagepost_domain::fact::{Fact, TrackingFact};
use stagepost_domain::id::{CarrierId, ChannelId, QuarantineId, ShopId};
use stagepost_domain::order::{Platform, Source};
use stagepost_domain::outcome::NoOpReason;
use stagepost_domain::shop::Channel;

use crate::envelope::{self, Envelope};
use crate::ports::{Entropy, Scope, SecretError, SecretKind, Secrets};

/// Largest notification that is taken, in bytes: what Lambda hands over at most is 6 MB of base64.
pub const BODY_MAX: usize = 4 * 1024 * 1024;
/// Most that stands before the body of a packed arrival: API Gateway takes 10 KB of headers.
const HEAD_MAX: usize = 64 * 1024;

/// The route that a notification came by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "route", content = "id", rename_all = "snake_case")]
pub enum Route {
    /// `/webhooks/shopify/{channel}`
    Shopify(ChannelId),
    /// `/webhooks/woocommerce/{channel}`
    Woocommerce(ChannelId),
    /// `/webhooks/carriers/{integration}`
    Carrier(CarrierId),
}

impl Route {
    /// That of a channel's notifications; orders of the API have none.
    #[must_use]
    pub fn of(channel: &Channel) -> Option<Self> {
        match channel.platform {
            Platform::Shopify => Some(Self::Shopify(channel.id.clone())),
            Platform::Woocommerce => Some(Self::Woocommerce(channel.id.clone())),
            Platform::Api => None,
        }
    }

    /// The id of its channel or integration.
    #[must_use]
    pub fn came_by(&self) -> &str {
        match self {
            Self::Shopify(channel) | Self::Woocommerce(channel) => channel.as_str(),
            Self::Carrier(carrier) => carrier.as_str(),
        }
    }
}

/// How far a notification's authenticity is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Its signature is still to be checked.
    Signature,
    /// Its signature was checked when it came.
    Checked,
    /// The same, and it stands in this shop's quarantine until it is taken.
    Quarantined {
        /// The tenant.
        shop: ShopId,
        /// Its id there.
        id: QuarantineId,
    },
}

/// A notification as it arrived.
#[derive(Clone, PartialEq, Eq)]
pub struct Arrival {
    /// By which route.
    pub route: Route,
    /// What the sender calls it, as told; empty where there is no such word.
    pub topic: String,
    /// The headers that its signature needs, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The raw bytes that were signed.
    pub body: Vec<u8>,
    /// When it came: its age and that of its signature are counted to here.
    pub received_at: Timestamp,
    /// Whether it is authentic.
    pub proof: Proof,
}

impl std::fmt::Debug for Arrival {
    /// Without body and headers: people and signatures.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Arrival({:?}, {} bytes, {:?})", self.route, self.body.len(), self.proof)
    }
}

/// A packed arrival before its body.
#[derive(Serialize, Deserialize)]
struct Head {
    route: Route,
    topic: String,
    headers: BTreeMap<String, String>,
    received_at: Timestamp,
    proof: Proof,
}

impl Arrival {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Seals it for the inbound queue.
    ///
    /// # Errors
    /// The key could not be sealed.
    pub async fn pack<K: Secrets>(
        &self,
        secrets: &K,
        entropy: &dyn Entropy,
    ) -> Result<Envelope, SecretError> {
        let Self { route, topic, headers, body, received_at, proof } = self.clone();
        let head = Head { route, topic, headers, received_at, proof };
        // Plain data with text for keys: writing it cannot fail. JSON has no line breaks of its own, so that
        // the body, which is never written as text, begins behind the first.
        let mut plain = serde_json::to_vec(&head).unwrap_or_default();
        plain.push(b'\n');
        plain.extend_from_slice(&body);
        envelope::seal(secrets, entropy, Scope::Deployment, SecretKind::InboundMessage, &plain).await
    }

    /// Opens what [`pack`](Self::pack) made.
    ///
    /// # Errors
    /// It cannot be opened, or nobody packed it.
    pub async fn unpack<K: Secrets>(secrets: &K, packed: &Envelope) -> Result<Self, UnpackError> {
        let (kind, max) = (SecretKind::InboundMessage, HEAD_MAX.saturating_add(BODY_MAX));
        let plain = envelope::open(secrets, Scope::Deployment, kind, packed, max).await?;
        let mut parts = plain.splitn(2, |byte| *byte == b'\n');
        let (Some(head), Some(body)) = (parts.next(), parts.next()) else {
            return Err(UnpackError::NotAnArrival);
        };
        let Head { route, topic, headers, received_at, proof } =
            serde_json::from_slice(head).map_err(|_| UnpackError::NotAnArrival)?;
        Ok(Self { route, topic, headers, body: body.to_vec(), received_at, proof })
    }
}

/// A message of the inbound queue could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// Its key, or what it was to open.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// It opens, and holds something else.
    #[error("the message holds no notification")]
    NotAnArrival,
}

/// An order notification, read.
#[expect(clippy::large_enum_variant, reason = "made once per request and consumed at once")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// A fact about one order.
    Fact {
        /// Which order.
        source: Source,
        /// The fact.
        fact: Fact,
    },
    /// Nothing to us, and why.
    NoOp(NoOpReason),
    /// A topic that we do not follow.
    UnknownTopic,
    /// Authentic, but not what its topic promises.
    Unreadable {
        /// In words, without the payload's content.
        reason: String,
    },
}

/// A carrier notification, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrackingReading {
    /// A parcel's state.
    Fact(TrackingFact),
    /// Some other event of the carrier's service.
    UnknownTopic,
    /// Authentic, but not what it promises.
    Unreadable {
        /// In words, without the payload's content.
        reason: String,
    },
}
