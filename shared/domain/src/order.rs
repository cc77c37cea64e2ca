//! Orders: the control item that decisions read, and the snapshot that holds the people.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::Actor;
use crate::fulfillment::Fulfillment;
use crate::id::{ChannelId, FlowId, OrderId, ShopId, StageId};
use crate::outcome::SkipReason;
use crate::package::Rollup;

/// Lines kept of one order; larger orders say how many there are.
pub const LINES_MAX: usize = 100;
/// Longest text kept of one field of a snapshot, in bytes.
pub const FIELD_MAX: usize = 250;

/// Where orders come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// A Shopify store.
    Shopify,
    /// A WooCommerce site.
    Woocommerce,
    /// Our own API.
    Api,
}

impl Platform {
    /// As in ids and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shopify => "shopify",
            Self::Woocommerce => "woocommerce",
            Self::Api => "api",
        }
    }

    /// As people write it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Shopify => "Shopify",
            Self::Woocommerce => "WooCommerce",
            Self::Api => "the API",
        }
    }
}

/// Where an order comes from, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The platform.
    pub platform: Platform,
    /// The store's own identity.
    pub store: String,
    /// The order's id there, as text.
    pub external_id: String,
    /// The channel it came through last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelId>,
}

impl Source {
    /// The order's id in `shop`.
    #[must_use]
    pub fn order_id(&self, shop: &ShopId) -> OrderId {
        OrderId::derive(shop, self.platform.as_str(), &self.store, &self.external_id)
    }
}

/// Whether an order still wants to be worked on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Lifecycle {
    /// Yes.
    #[default]
    Open,
    /// Cancelled (or refunded in full, or failed) on its platform.
    Cancelled {
        /// When, if told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// In the platform's trash.
    Trashed,
}

/// Where an order stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Placement {
    /// A fulfillment told us of it before any order notification did.
    Awaiting,
    /// Stored and shown, in no flow, never automated.
    Untriaged,
    /// In a stage.
    Placed {
        /// Its flow.
        flow: FlowId,
        /// Its stage.
        stage: StageId,
        /// When it came there.
        entered_at: Timestamp,
        /// The event that brought it there.
        entered_seq: u64,
        /// Stages entered since the last manual move, with how often automation re-entered each since
        /// the last move in the console (laws 8 and 9).
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        visited: BTreeMap<StageId, Visit>,
    },
}

/// What one stage has seen of an order; stored as one small number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub struct Visit {
    /// Entered since the last manual move.
    pub fresh: bool,
    /// Entries by automation or API key since the last move in the console, at most 127.
    pub automatic: u8,
}

impl From<u8> for Visit {
    fn from(packed: u8) -> Self {
        Self { fresh: packed & 1 == 1, automatic: packed >> 1 }
    }
}

impl From<Visit> for u8 {
    fn from(visit: Visit) -> u8 {
        (visit.automatic.min(127) << 1) | u8::from(visit.fresh)
    }
}

/// Who or what stopped an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum HoldReason {
    /// The breaker (law 9).
    Breaker {
        /// The stage whose third automatic re-entry was refused.
        stage: StageId,
    },
    /// Somebody, by hand or by API. It stays until somebody releases it.
    Manual {
        /// Who.
        by: Actor,
    },
}

/// Why and since when an order is stopped, and what it missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hold {
    /// Since when.
    pub at: Timestamp,
    /// Why.
    #[serde(flatten)]
    pub why: HoldReason,
    /// The latest move that automation wanted meanwhile, applied once on resume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<StageId>,
    /// Why nothing is to follow from that move: it was to be silent when it was asked for, and still is (law 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_silent: Option<SkipReason>,
}

/// The control item: everything a decision reads of an order, without a person in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Its tenant.
    pub shop: ShopId,
    /// Where it comes from.
    pub source: Source,
    /// As the shop prints it, e.g. `#1001`.
    pub number: String,
    /// The last event's number.
    pub seq: u64,
    /// Counts writes of this item.
    pub version: u64,
    /// Where it stands.
    pub placement: Placement,
    /// Whether it wants work.
    pub lifecycle: Lifecycle,
    /// The event that last changed `lifecycle`.
    #[serde(default)]
    pub lifecycle_seq: u64,
    /// High-water mark of order facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Timestamp>,
    /// When it was created on its platform.
    pub created_at: Timestamp,
    /// Epoch, coverage, lock and attribution.
    pub fulfillment: Fulfillment,
    /// How its packages stand.
    pub packages: Rollup,
    /// Stopped, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// How often the link to its tracking page was renewed: those before open nothing.
    #[serde(default, skip_serializing_if = "is_first")]
    pub links: u32,
    /// Whether the snapshot has an address to mail to.
    pub has_email: bool,
    /// The last event with a mail in it: mails go in the order of their events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_mail: Option<u64>,
    /// Its personal data was erased: what is told of people since is left out (law 19).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<Erasure>,
}

/// The end of an order's personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// When.
    pub at: Timestamp,
    /// The event that did it: nothing that follows from a later one holds any.
    pub seq: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_first(links: &u32) -> bool {
    *links == 0
}

impl Order {
    /// The stage it stands in.
    #[must_use]
    pub fn stage(&self) -> Option<&StageId> {
        match &self.placement {
            Placement::Placed { stage, .. } => Some(stage),
            _ => None,
        }
    }

    /// The flow it runs in.
    #[must_use]
    pub fn flow(&self) -> Option<&FlowId> {
        match &self.placement {
            Placement::Placed { flow, .. } => Some(flow),
            _ => None,
        }
    }
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Line {
    /// Title.
    pub title: String,
    /// Stock-keeping unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Pieces, as written by the platform.
    pub quantity: String,
    /// Price of one, as written by the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
}

/// Who ordered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Customer {
    /// Full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where mail goes; guests and protected data may leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// The people, lines and money of an order: the only home of its personal data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Snapshot {
    /// Who ordered.
    pub customer: Customer,
    /// Where it goes, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ship_to: Vec<String>,
    /// What was ordered, the first 100 lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
    /// How many lines there are.
    pub line_count: u32,
    /// Total as the platform writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<String>,
    /// ISO 4217.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The platform's own word for the order's state, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_status: Option<String>,
}

impl Snapshot {
    /// The same without whom it is about: lines and money stay.
    #[must_use]
    pub fn without_people(&self) -> Self {
        Self { customer: Customer::default(), ship_to: Vec::new(), ..self.clone() }
    }

    /// Writes its amounts as `before` does, where they are the same: `19.9` as `19.90`, `500.0` as `500`.
    pub(crate) fn keep_digits(&mut self, before: &Self) {
        let keep = |amount: &mut Option<String>, before: &Option<String>| {
            if amount.as_deref().map(bare_amount) == before.as_deref().map(bare_amount) {
                amount.clone_from(before);
            }
        };
        keep(&mut self.total, &before.total);
        for (line, before) in self.lines.iter_mut().zip(&before.lines) {
            keep(&mut line.price, &before.price);
        }
    }
}

/// An amount without the zeros that say nothing.
fn bare_amount(amount: &str) -> &str {
    if amount.contains('.') { amount.trim_end_matches('0').trim_end_matches('.') } else { amount }
}
