//! Settings that are allowed and would surprise: what each flow should be told of before an order is.

use serde::Serialize;

use super::{Flow, Stage};
use crate::id::{EndpointId, StageId, TemplateId};
use crate::order::Platform;
use crate::shop::{CarrierIntegration, Channel, Endpoint, MailMode, Settings};
use crate::template::{EmailTemplate, uses};

/// What a flow's automations lean on.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// The shop's settings.
    pub settings: &'a Settings,
    /// Its sales channels.
    pub channels: &'a [Channel],
    /// Its carrier integrations.
    pub carriers: &'a [CarrierIntegration],
    /// The newest version of its templates.
    pub templates: &'a [EmailTemplate],
    /// Its endpoints.
    pub endpoints: &'a [Endpoint],
}

/// A setting that would surprise, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "FlowWarning"))]
pub struct Warning {
    /// The stage; null for the flow as a whole.
    pub stage: Option<StageId>,
    /// What is surprising.
    #[serde(flatten)]
    pub what: Surprise,
}

/// What would surprise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Surprise {
    /// The stage fulfills orders on their channel, and is where orders go that were fulfilled there. That does not
    /// go round in circles; but what was fulfilled there is not fulfilled once more here.
    BothDirections,
    /// The stage mails the customer, and has the platform mail them as well.
    TwoMails,
    /// Nobody reports deliveries: the shop has no carrier integration.
    NoCarrier {
        /// Whether a Shopify store is connected, which reports those that it follows itself.
        shopify: bool,
    },
    /// The carrier integration has no key, so that no parcel is registered with it.
    CarrierWithoutKey,
    /// The shop has no address to send from.
    NoSender,
    /// The shop's mails do not go to customers.
    MailsNotLive {
        /// Where they go.
        mode: MailMode,
    },
    /// The template is gone: every mail of the stage is skipped.
    TemplateGone {
        /// Which.
        template: TemplateId,
    },
    /// The template says the same to everybody: nothing of the order or its customer is in it.
    TemplateSaysNothing {
        /// Which.
        template: TemplateId,
    },
    /// The endpoint is gone: every call of the stage is skipped.
    EndpointGone {
        /// Which.
        endpoint: EndpointId,
    },
    /// The endpoint is switched off: every call of the stage is skipped.
    EndpointOff {
        /// Which.
        endpoint: EndpointId,
    },
    /// No connected store can be told of a fulfillment.
    NoStore,
    /// The stage that fulfilled orders go to stands before the one that new orders begin in: automatic moves go
    /// forward only, so hardly any order gets there.
    FulfilledBeforeDefault,
    /// Automations are on, and no channel puts its orders into the flow.
    NobodyUses,
}

/// The automation that a warning is about, if it is about one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// *Send Email Notification*.
    Email,
    /// *Trigger Webhook*.
    Webhook,
    /// *Mark fulfilled on platform*.
    Fulfill,
    /// *Advance on Delivery*.
    Delivery,
    /// The flow.
    Flow,
}

impl Surprise {
    /// Where it belongs on the page of a stage.
    #[must_use]
    pub fn about(&self) -> About {
        match self {
            Self::NoSender
            | Self::MailsNotLive { .. }
            | Self::TemplateGone { .. }
            | Self::TemplateSaysNothing { .. } => About::Email,
            Self::EndpointGone { .. } | Self::EndpointOff { .. } => About::Webhook,
            Self::BothDirections | Self::TwoMails | Self::NoStore => About::Fulfill,
            Self::NoCarrier { .. } | Self::CarrierWithoutKey => About::Delivery,
            Self::FulfilledBeforeDefault | Self::NobodyUses => About::Flow,
        }
    }
}

/// Everything about a flow that would surprise, the flow first, then stage by stage.
#[must_use]
pub fn warnings(flow: &Flow, around: &Around<'_>) -> Vec<Warning> {
    let of_flow = of_flow(flow, around).into_iter().map(|what| Warning { stage: None, what });
    let of_stages = flow.stages.iter().flat_map(|stage| {
        let found = [mails(stage, around), calls(stage, around), fulfills(flow, stage, around)];
        let found = found.into_iter().flatten().chain(delivers(stage, around));
        found.map(|what| Warning { stage: Some(stage.id.clone()), what })
    });
    of_flow.chain(of_stages).collect()
}

fn of_flow(flow: &Flow, around: &Around<'_>) -> Vec<Surprise> {
    let mut found = Vec::new();
    let at = |id: &StageId| flow.position(id);
    let fulfilled = flow.fulfilled_stage.as_ref().and_then(at);
    if fulfilled.is_some_and(|place| Some(place) < at(&flow.default_stage)) {
        found.push(Surprise::FulfilledBeforeDefault);
    }
    let used = around.channels.iter().any(|channel| channel.default_flow.as_ref() == Some(&flow.id));
    if !used && flow.stages.iter().any(|stage| stage.automations.acting() > 0) {
        found.push(Surprise::NobodyUses);
    }
    found
}

fn mails(stage: &Stage, around: &Around<'_>) -> Vec<Surprise> {
    let Some(email) = stage.automations.email.as_ref().filter(|a| a.enabled) else { return Vec::new() };
    let mut found = Vec::new();
    let template = email.template.clone();
    match around.templates.iter().find(|t| t.id == template) {
        None => found.push(Surprise::TemplateGone { template }),
        Some(newest) if !says_something(newest) => found.push(Surprise::TemplateSaysNothing { template }),
        Some(_) => {}
    }
    if around.settings.from_email.trim().is_empty() {
        found.push(Surprise::NoSender);
    }
    match &around.settings.mail.mode {
        MailMode::Live => {}
        mode @ (MailMode::Test { .. } | MailMode::DryRun | MailMode::Paused) => {
            found.push(Surprise::MailsNotLive { mode: mode.clone() });
        }
    }
    found
}

/// What is the same in every mail of a stage.
const SAME_FOR_ALL: [&str; 3] = ["shopName", "stageName", "stageDescription"];

/// Whether a template says anything of the order or its customer.
fn says_something(template: &EmailTemplate) -> bool {
    let parts = [Some(template.subject.as_str()), template.html.as_deref(), template.text.as_deref()];
    let mut used = parts.into_iter().flatten().flat_map(uses);
    used.any(|(name, _)| !SAME_FOR_ALL.contains(&name.as_str()))
}

fn calls(stage: &Stage, around: &Around<'_>) -> Vec<Surprise> {
    let Some(webhook) = stage.automations.webhook.as_ref().filter(|a| a.enabled) else { return Vec::new() };
    let endpoint = webhook.endpoint.clone();
    match around.endpoints.iter().find(|e| e.id == endpoint) {
        None => vec![Surprise::EndpointGone { endpoint }],
        Some(there) if there.disabled.is_some() => vec![Surprise::EndpointOff { endpoint }],
        Some(_) => Vec::new(),
    }
}

fn fulfills(flow: &Flow, stage: &Stage, around: &Around<'_>) -> Vec<Surprise> {
    let Some(fulfill) = stage.automations.fulfill.as_ref().filter(|a| a.enabled) else { return Vec::new() };
    let mut found = Vec::new();
    if flow.fulfilled_stage.as_ref().is_some_and(|id| flow.position(id) == flow.position(&stage.id)) {
        found.push(Surprise::BothDirections);
    }
    if fulfill.notify_customer && stage.automations.email.as_ref().is_some_and(|a| a.enabled) {
        found.push(Surprise::TwoMails);
    }
    if !around.channels.iter().any(|channel| channel.platform != Platform::Api) {
        found.push(Surprise::NoStore);
    }
    found
}

fn delivers(stage: &Stage, around: &Around<'_>) -> Option<Surprise> {
    if !stage.advances_on_delivery() {
        return None;
    }
    if around.carriers.is_empty() {
        let shopify = around.channels.iter().any(|channel| channel.platform == Platform::Shopify);
        return Some(Surprise::NoCarrier { shopify });
    }
    let able = |carrier: &CarrierIntegration| !carrier.kind.registers() || carrier.credentials.is_some();
    (!around.carriers.iter().any(able)).then_some(Surprise::CarrierWithoutKey)
}

#[cfg(test)]
mod tests;
