//! Webhook endpoints, without their secrets.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;
use stagepost_domain::Timestamp;
use stagepost_domain::health::{Health, Notice};
use stagepost_domain::id::EndpointId;
use stagepost_domain::shop::{DisabledReason, Endpoint};
use stagepost_domain::webhook::EventType;

use crate::answer::Versioned;

/// A webhook endpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookEndpoint")]
pub struct EndpointView {
    /// Its id.
    id: EndpointId,
    /// Name.
    name: String,
    /// Where to.
    url: String,
    /// What it is told of, wherever an order stands.
    events: BTreeSet<EventType>,
    /// Names of the headers that every call carries.
    headers: Vec<String>,
    /// Whether anything is sent there.
    enabled: bool,
    /// Since when nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_since: Option<Timestamp>,
    /// Why nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_reason: Option<DisabledReason>,
    /// How its receiver fails; null while it takes what it is sent.
    failing: Option<FailingView>,
    /// Counts edits, from 1.
    version: u64,
    /// `whsec_…`: only in the answer to the call that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// What may be sent again: only in the answer to the call that switched it on again.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery: Option<RecoveryView>,
}

/// A receiver that has taken nothing since.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Failing")]
pub struct FailingView {
    /// The first failure since the last success.
    since: Timestamp,
    /// What it was.
    error: String,
    /// Nothing is sent before: it is busy or away.
    #[serde(skip_serializing_if = "Option::is_none")]
    cooling_until: Option<Timestamp>,
    /// When the endpoint is switched off if it goes on, at the earliest.
    disabled_at: Timestamp,
    /// What its owner was told so far: at 50, 90 and 100 per cent of that time.
    notices: Vec<Notice>,
}

/// Messages that failed while an endpoint was not to be had.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Recovery")]
pub struct RecoveryView {
    /// How many failed runs it has.
    failed: usize,
    /// Whether there may be more: not all were counted.
    more: bool,
    /// Since when.
    since: Option<Timestamp>,
    /// What to POST to have them tried again.
    path: &'static str,
    /// With this body.
    body: RecoverBody,
}

/// The body of `POST /v1/runs/recover`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RecoverBody {
    /// That ended since.
    since: Option<Timestamp>,
    /// Of this kind.
    action: &'static str,
    /// Of this endpoint.
    target: EndpointId,
}

impl RecoveryView {
    /// Of so many failed runs of an endpoint, the oldest of which ended then.
    pub fn new(endpoint: &EndpointId, failed: usize, more: bool, since: Option<Timestamp>) -> Self {
        let body = RecoverBody { since, action: "webhook", target: endpoint.clone() };
        Self { failed, more, since, path: "/v1/runs/recover", body }
    }
}

impl EndpointView {
    /// An endpoint as it does at `now`.
    pub fn new(e: Endpoint, health: &Health, now: Timestamp) -> Self {
        let failing = health.failing_since(e.mended_at).map(|failing| FailingView {
            since: failing.since,
            error: failing.error.clone(),
            cooling_until: failing.cooling.map(|cooling| cooling.until).filter(|until| *until > now),
            disabled_at: failing.ends_at(),
            notices: failing.notices.clone(),
        });
        Self {
            id: e.id,
            name: e.name,
            url: e.url.to_string(),
            events: e.events,
            headers: e.headers.into_keys().collect(),
            enabled: e.disabled.is_none(),
            disabled_since: e.disabled.as_ref().map(|d| d.since),
            disabled_reason: e.disabled.map(|d| d.reason),
            failing,
            version: e.version,
            secret: None,
            recovery: None,
        }
    }

    /// With the secret that was just made.
    pub fn with_secret(self, secret: Option<String>) -> Self {
        Self { secret, ..self }
    }

    /// With what may be sent again.
    pub fn with_recovery(self, recovery: Option<RecoveryView>) -> Self {
        Self { recovery, ..self }
    }
}

impl Versioned for EndpointView {
    fn version(&self) -> u64 {
        self.version
    }
}
