//! A shop's configuration beside its flows: templates' and endpoints' versions, channels, carriers, keys.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::flow::Flow;
use crate::id::{CarrierId, ChannelId, EndpointId, FlowId, KeyId, ShopId, TemplateId};
use crate::keyring::Keyring;
use crate::order::Platform;
use crate::retention::Retention;
use crate::run::later;
use crate::webhook::EventType;

/// Longest grace that a shop can set.
pub const GRACE_SECONDS_MAX: u32 = 300;
/// Grace of a shop that set none.
pub const GRACE_SECONDS_DEFAULT: u32 = 10;

/// What a decision needs of a shop beside the flow: written in one transaction with every configuration
/// change, so that one read gives a consistent picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The tenant.
    pub shop: ShopId,
    /// Name that customers know.
    pub name: String,
    /// Counts every change of configuration.
    pub config_version: u64,
    /// How long a mail waits before it leaves; the undo window.
    pub grace_seconds: u32,
    /// Sender of the shop's mails.
    pub from_email: String,
    /// Current version of each template.
    #[serde(default)]
    pub templates: BTreeMap<TemplateId, u64>,
    /// Current version of each endpoint.
    #[serde(default)]
    pub endpoints: BTreeMap<EndpointId, u64>,
    /// Which endpoints are told of which events, whatever the stage. Those that are switched off are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub subscribers: BTreeMap<EndpointId, BTreeSet<EventType>>,
    /// The carrier integration that packages are registered with, if the shop has one that can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registrar: Option<Registrar>,
    /// Who is mailed when something of the shop's set-up needs a person, if anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_email: Option<String>,
    /// How its mails leave.
    #[serde(default)]
    pub mail: MailSettings,
    /// How long its things are kept.
    #[serde(default, skip_serializing_if = "Retention::is_default")]
    pub retention: Retention,
}

/// Most addresses that test mails may go to, beside the shop's own.
pub const TEST_RECIPIENTS_MAX: usize = 10;

/// How a shop's mails leave. Read when a mail is sent, not when it is decided (docs/adr/0013).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MailSettings {
    /// Name beside the sender's address; the shop's name unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_name: Option<String>,
    /// Where answers go; the sender's address unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// What becomes of a mail that would leave.
    pub mode: MailMode,
    /// Where test mails may go beside the shop's own addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub test_recipients: Vec<String>,
    /// SES's configuration set of this shop; the deployment's unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration_set: Option<String>,
}

/// What becomes of a mail that would leave.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum MailMode {
    /// It goes to the customer.
    #[default]
    Live,
    /// It goes to this address instead, its subject marked.
    Test {
        /// Where to.
        to: String,
    },
    /// It is rendered, and skipped with that as its reason.
    DryRun,
    /// It waits until the mode is another.
    Paused,
}

/// A carrier integration with a key, as it was when the settings were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registrar {
    /// Which.
    pub carrier: CarrierId,
    /// Its version then.
    pub version: u64,
}

impl Registrar {
    /// The one of a shop's integrations that packages are registered with: of those with a key the oldest, so
    /// that a second one does not have every parcel reported twice.
    #[must_use]
    pub fn of<'a>(carriers: impl IntoIterator<Item = &'a CarrierIntegration>) -> Option<Self> {
        let able = carriers.into_iter().filter(|c| c.kind.registers() && c.credentials.is_some());
        let first = able.min_by(|a, b| a.id.cmp(&b.id))?;
        Some(Self { carrier: first.id.clone(), version: first.version })
    }
}

/// Most endpoints that subscribe to events: an event carries a run for each.
pub const SUBSCRIBERS_MAX: usize = 10;

impl Settings {
    /// Takes an endpoint over as it is now.
    pub fn keep_endpoint(&mut self, endpoint: &Endpoint) {
        self.endpoints.insert(endpoint.id.clone(), endpoint.version);
        if endpoint.events.is_empty() || endpoint.disabled.is_some() {
            self.subscribers.remove(&endpoint.id);
        } else {
            self.subscribers.insert(endpoint.id.clone(), endpoint.events.clone());
        }
    }

    /// Forgets an endpoint; gives the version that it had.
    pub fn forget_endpoint(&mut self, id: &EndpointId) -> Option<u64> {
        self.subscribers.remove(id);
        self.endpoints.remove(id)
    }

    /// The name beside the sender's address.
    #[must_use]
    pub fn sender_name(&self) -> &str {
        self.mail.from_name.as_deref().unwrap_or(&self.name)
    }

    /// Where test mails may go: the shop's own addresses and those that it named, each once.
    #[must_use]
    pub fn test_addresses(&self) -> Vec<&str> {
        let to = match &self.mail.mode {
            MailMode::Test { to } => Some(to.as_str()),
            MailMode::Live | MailMode::DryRun | MailMode::Paused => None,
        };
        let own = [to, self.mail.reply_to.as_deref(), Some(self.from_email.as_str())];
        let named = self.mail.test_recipients.iter().map(String::as_str);
        let mut addresses: Vec<&str> = Vec::new();
        for address in named.chain(own.into_iter().flatten()) {
            if !addresses.iter().any(|known| known.eq_ignore_ascii_case(address)) {
                addresses.push(address);
            }
        }
        addresses
    }

    /// Whether a test mail may go there.
    #[must_use]
    pub fn may_test(&self, address: &str) -> bool {
        self.test_addresses().iter().any(|known| known.eq_ignore_ascii_case(address))
    }

    /// The grace of law 12.
    #[must_use]
    pub fn grace(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::from(self.grace_seconds.min(GRACE_SECONDS_MAX)))
    }
}

/// What `decide` reads of the configuration: the order's flow and the versions its automations name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playbook {
    /// The order's flow as it is now.
    pub flow: Flow,
    /// The shop's settings as they are now.
    pub settings: Settings,
}

/// An encrypted secret: opaque outside the adapter that seals and opens it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed(pub String);

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealed(…)")
    }
}

/// A connected store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Stable id; part of the inbound URL.
    pub id: ChannelId,
    /// Its tenant.
    pub shop: ShopId,
    /// Shopify or WooCommerce.
    pub platform: Platform,
    /// As people see it.
    pub name: String,
    /// The store's own identity: `{shop}.myshopify.com`, or the site's URL without a trailing slash.
    pub store: String,
    /// Where new orders of this channel go; none leaves them untriaged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_flow: Option<FlowId>,
    /// Orders created on the platform before this are adopted silently (law 3).
    pub armed_at: Timestamp,
    /// Secrets that sign its notifications; several while one is replaced.
    pub webhook_secrets: Keyring,
    /// Credentials for calling the platform: Shopify's access token, or WooCommerce's `key:secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Sealed>,
    /// Counts edits, from 1.
    pub version: u64,
}

/// Which carrier service an integration speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CarrierKind {
    /// EasyPost trackers.
    Easypost,
    /// Our own documented format, signed as Standard Webhooks (docs/carriers.md).
    Generic,
}

impl CarrierKind {
    /// Whether the service reports only what it was asked to report.
    #[must_use]
    pub fn registers(self) -> bool {
        match self {
            Self::Easypost => true,
            Self::Generic => false,
        }
    }
}

/// A connected carrier service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarrierIntegration {
    /// Stable id; part of the inbound URL.
    pub id: CarrierId,
    /// Its tenant.
    pub shop: ShopId,
    /// The service.
    pub kind: CarrierKind,
    /// As people see it.
    pub name: String,
    /// Secrets that sign its notifications; several while one is replaced.
    pub webhook_secrets: Keyring,
    /// Opens the service's API; without it nothing is registered there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Sealed>,
    /// Counts edits, from 1.
    pub version: u64,
}

/// Where webhooks go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Stable id.
    pub id: EndpointId,
    /// Its tenant.
    pub shop: ShopId,
    /// As people see it.
    pub name: String,
    /// Checked again at every connect.
    pub url: Url,
    /// `whsec_…` secrets; each that counts signs.
    pub secrets: Keyring,
    /// What it is told of beside the stages that call it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub events: BTreeSet<EventType>,
    /// Switched off, if it is: nothing is sent there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Disabled>,
    /// Headers that every call carries, by their names in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Sealed>,
    /// When it was switched on again or got another address: how its receiver did before does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mended_at: Option<Timestamp>,
    /// Counts edits, from 1.
    pub version: u64,
}

/// Since when and why an endpoint is switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: DisabledReason,
}

/// Why an endpoint is switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// Somebody did it.
    ByHand,
    /// Its receiver answered 410: it wants no more (integrations §6).
    ReceiverGone,
    /// It has only failed for five days.
    KeptFailing,
}

/// What a key or a person may do; each role includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Works with orders.
    Member,
    /// Changes configuration.
    Admin,
    /// Everything.
    Owner,
}

impl Role {
    /// All, lowest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Member, Self::Admin, Self::Owner];

    /// Its name, as in keys and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

/// An API key as stored: its hash is the lookup, the key itself was shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Stable id, used as the actor on causes.
    pub id: KeyId,
    /// Its tenant.
    pub shop: ShopId,
    /// As people see it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// First characters of the key, to recognise it by.
    pub prefix: String,
    /// The hash that it is looked up by.
    pub hash: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used last, to the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}

/// How exactly a key's last use is known: it is written at most once in this time.
const USE_NOTED: SignedDuration = SignedDuration::from_hours(1);

impl ApiKey {
    /// Whether a use at `now` is worth writing down.
    #[must_use]
    pub fn use_is_news(&self, now: Timestamp) -> bool {
        self.last_used_at.is_none_or(|at| now >= later(at, USE_NOTED))
    }
}
