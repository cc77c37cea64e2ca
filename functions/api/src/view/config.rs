//! Configuration, without its secrets.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use stagepost_app::config::MemberShown;
use stagepost_app::jobs::{check_of_carrier, check_of_channel};
use stagepost_domain::Timestamp;
use stagepost_domain::brand::Brand;
use stagepost_domain::contact::{Contact, FarEnd};
use stagepost_domain::event::Actor;
use stagepost_domain::flow::Flow;
use stagepost_domain::flow::warnings::Warning;
use stagepost_domain::id::{CarrierId, ChannelId, FlowId, JobId, KeyId, MemberId, ShopId, TemplateId};
use stagepost_domain::member::Member;
use stagepost_domain::order::Platform;
use stagepost_domain::retention::Retention;
use stagepost_domain::shop::{ApiKey, CarrierIntegration, CarrierKind, Channel, MailMode, Role, Settings};
use stagepost_domain::template::EmailTemplate;

use crate::answer::Versioned;

/// A flow, and what would surprise about it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FlowWithWarnings")]
pub struct FlowView {
    /// The flow.
    #[serde(flatten)]
    flow: Flow,
    /// Settings that are allowed and would surprise, as they stand now beside the rest of the configuration.
    warnings: Vec<Warning>,
}

impl FlowView {
    /// The flow with its warnings.
    pub fn new(flow: Flow, warnings: Vec<Warning>) -> Self {
        Self { flow, warnings }
    }
}

impl Versioned for FlowView {
    fn version(&self) -> u64 {
        self.flow.version
    }
}

/// A shop's settings.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Settings")]
pub struct SettingsView {
    /// The shop.
    shop: ShopId,
    /// Name that customers know.
    name: String,
    /// Sender of its mails.
    from_email: String,
    /// Name beside the sender's address; null for the shop's name.
    from_name: Option<String>,
    /// Where answers go; null for the sender's address.
    reply_to: Option<String>,
    /// What becomes of a mail that would leave.
    mail_mode: MailMode,
    /// Where test mails may go beside the shop's own addresses.
    test_recipients: Vec<String>,
    /// SES's configuration set of this shop; null for the deployment's.
    configuration_set: Option<String>,
    /// How long a mail waits before it leaves.
    grace_seconds: u32,
    /// Who is mailed when its set-up needs a person; null for nobody.
    notify_email: Option<String>,
    /// How long things are kept.
    retention: Retention,
    /// Counts every change of configuration.
    config_version: u64,
}

impl From<Settings> for SettingsView {
    fn from(s: Settings) -> Self {
        Self {
            shop: s.shop,
            name: s.name,
            from_email: s.from_email,
            from_name: s.mail.from_name,
            reply_to: s.mail.reply_to,
            mail_mode: s.mail.mode,
            test_recipients: s.mail.test_recipients,
            configuration_set: s.mail.configuration_set,
            grace_seconds: s.grace_seconds,
            notify_email: s.notify_email,
            retention: s.retention,
            config_version: s.config_version,
        }
    }
}

/// A template in a listing, without its parts: a hundred whole ones do not fit into one answer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TemplateLine {
    /// Its id.
    id: TemplateId,
    /// Name.
    name: String,
    /// Subject line.
    subject: String,
    /// Counts edits, from 1.
    version: u64,
    /// When this version was saved.
    saved_at: Timestamp,
}

impl From<EmailTemplate> for TemplateLine {
    fn from(t: EmailTemplate) -> Self {
        Self { id: t.id, name: t.name, subject: t.subject, version: t.version, saved_at: t.saved_at }
    }
}

/// A sales channel.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Channel")]
pub struct ChannelView {
    /// Its id.
    id: ChannelId,
    /// Shopify or WooCommerce.
    platform: Platform,
    /// Name.
    name: String,
    /// `{shop}.myshopify.com`, or the site's URL.
    store: String,
    /// Where its new orders go; null leaves them untriaged.
    default_flow: Option<FlowId>,
    /// Orders created on the platform before this are adopted silently.
    armed_at: Timestamp,
    /// Whether *Mark fulfilled on platform* can work.
    has_credentials: bool,
    /// The job that tries its credentials out; kept for 30 days after it has ended. Null without credentials.
    check: Option<JobId>,
    /// Where the platform sends its notifications.
    inbound_path: String,
    /// Its last authentic notification, to five minutes; null if none ever came.
    last_inbound_at: Option<Timestamp>,
    /// When it last took a fulfillment, to five minutes; null if it never did.
    last_outbound_at: Option<Timestamp>,
    /// Counts edits, from 1.
    version: u64,
}

impl ChannelView {
    /// A channel with when it was last in contact.
    pub fn new(c: Channel, contacts: &BTreeMap<FarEnd, Contact>) -> Self {
        let check = check_of_channel(&c);
        let contact = contacts.get(&FarEnd::Channel(c.id.clone())).copied().unwrap_or_default();
        Self {
            last_inbound_at: contact.inbound,
            last_outbound_at: contact.outbound,
            inbound_path: format!("/webhooks/{}/{}", c.platform.as_str(), c.id),
            id: c.id,
            platform: c.platform,
            name: c.name,
            store: c.store,
            default_flow: c.default_flow,
            armed_at: c.armed_at,
            has_credentials: c.credentials.is_some(),
            check,
            version: c.version,
        }
    }
}

/// A carrier integration.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Carrier")]
pub struct CarrierView {
    /// Its id.
    id: CarrierId,
    /// The service.
    kind: CarrierKind,
    /// Name.
    name: String,
    /// Whether it has an API key, without which no package is registered with it.
    has_credentials: bool,
    /// The job that tries its key out; kept for 30 days after it has ended. Null without a key.
    check: Option<JobId>,
    /// Where the service sends its notifications.
    inbound_path: String,
    /// Its last authentic notification, to five minutes; null if none ever came.
    last_inbound_at: Option<Timestamp>,
    /// Counts edits, from 1.
    version: u64,
}

impl CarrierView {
    /// An integration with when it was last in contact.
    pub fn new(c: CarrierIntegration, contacts: &BTreeMap<FarEnd, Contact>) -> Self {
        let contact = contacts.get(&FarEnd::Carrier(c.id.clone())).copied().unwrap_or_default();
        let inbound_path = format!("/webhooks/carriers/{}", c.id);
        let (has_credentials, check) = (c.credentials.is_some(), check_of_carrier(&c));
        let CarrierIntegration { id, kind, name, version, .. } = c;
        let last_inbound_at = contact.inbound;
        Self { id, kind, name, has_credentials, check, inbound_path, last_inbound_at, version }
    }
}

/// An API key, without itself.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ApiKey")]
pub struct KeyView {
    /// Its id.
    id: KeyId,
    /// Whose it is, or what for.
    name: String,
    /// What it may do.
    role: Role,
    /// Its first characters, to recognise it by.
    prefix: String,
    /// When it was made.
    created_at: Timestamp,
    /// When it was used last, to the hour; null if never.
    last_used_at: Option<Timestamp>,
    /// `sp_…`: only in the answer to the call that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl KeyView {
    /// With the token that was just made.
    pub fn with_token(key: ApiKey, token: String) -> Self {
        Self { token: Some(token), ..key.into() }
    }
}

impl From<ApiKey> for KeyView {
    fn from(k: ApiKey) -> Self {
        Self {
            id: k.id,
            name: k.name,
            role: k.role,
            prefix: k.prefix,
            created_at: k.created_at,
            last_used_at: k.last_used_at,
            token: None,
        }
    }
}

/// Somebody who works with the shop.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Member")]
pub struct MemberView {
    /// Their id.
    id: MemberId,
    /// Their address; null if what sealed it is gone.
    email: Option<String>,
    /// As people see them.
    name: String,
    /// What they may do.
    role: Role,
    /// When they were invited first.
    created_at: Timestamp,
    /// Who invited them; null if an operator of the deployment did.
    invited_by: Option<Actor>,
    /// When they signed in last, to the hour; null if they never came.
    signed_in_at: Option<Timestamp>,
    /// Counts edits, from 1.
    version: u64,
}

impl From<MemberShown> for MemberView {
    fn from(MemberShown { member, email }: MemberShown) -> Self {
        let Member { id, name, role, created_at, invited_by, signed_in_at, version, .. } = member;
        Self { id, email, name, role, created_at, invited_by, signed_in_at, version }
    }
}

macro_rules! versioned {
    ($($view:ident: $version:ident;)+) => {$(
        impl Versioned for $view {
            fn version(&self) -> u64 {
                self.$version
            }
        }
    )+};
}

versioned! {
    Flow: version;
    EmailTemplate: version;
    SettingsView: config_version;
    ChannelView: version;
    CarrierView: version;
    MemberView: version;
}

/// How a shop looks to its customers.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Brand")]
pub struct BrandView {
    /// `#rrggbb`; null for the page's own colour.
    color: Option<String>,
    /// The logo as a `data:` URL; null if there is none.
    logo: Option<String>,
}

impl From<Brand> for BrandView {
    fn from(brand: Brand) -> Self {
        Self { color: brand.color.map(String::from), logo: brand.logo.map(|logo| logo.data_url()) }
    }
}
