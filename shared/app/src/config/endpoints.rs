//! Webhook endpoints: the merchant's own receivers.

use std::collections::BTreeSet;

use serde::Deserialize;
use stagepost_domain::Timestamp;
use stagepost_domain::id::{EndpointId, ShopId};
use stagepost_domain::keyring::Keyring;
use stagepost_domain::shop::{Disabled, DisabledReason, Endpoint, SUBSCRIBERS_MAX};
use stagepost_domain::signing::webhook_secret;
use stagepost_domain::text::{Invalid, required_name};
use stagepost_domain::webhook::EventType;
use url::Url;

use super::{ConfigError, edited, is_written, refuse_above, saved};
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::ports::{ConfigChange, ConfigStore, SecretKind, Secrets};

/// An endpoint as somebody writes it.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EndpointInput {
    /// Name.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 80)))]
    pub name: String,
    /// Where to.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 2048), extend("format" = "uri")))]
    pub url: String,
    /// What it is told of beside the stages that call it; nothing unless said, and one that is edited stays as it
    /// is.
    pub events: Option<BTreeSet<EventType>>,
    /// Whether anything is sent there; a new one is enabled, one that is edited stays as it is unless said.
    pub enabled: Option<bool>,
}

/// Makes an endpoint, or edits the one given, if it still has the version `expected`. A new one gets a secret,
/// which is shown once; one whose id is there already was made by an earlier try of the same call.
///
/// `check` is the outbound guard's word on the URL.
///
/// # Errors
/// The name or URL is not valid, or somebody else edited the endpoint meanwhile.
pub async fn put_endpoint<S: ConfigStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
    id: Option<&EndpointId>,
    input: &EndpointInput,
    check: impl Fn(&Url) -> Result<(), String>,
    expected: Option<u64>,
) -> Result<(Endpoint, Option<String>), ConfigError> {
    let name = required_name("name", &input.name, 80)?;
    let url = Url::parse(&input.url).map_err(|e| Invalid::new("url", e.to_string()))?;
    check(&url).map_err(|reason| Invalid::new("url", reason))?;
    let secret = webhook_secret(&core.entropy.bytes());
    let sealed = secrets.seal(shop.into(), SecretKind::EndpointSecret, &secret).await?;
    let fresh = EndpointId::from_body(&core.entropy.id_body())?;
    let shown = id.is_none().then_some(secret);
    let mut tried: Option<Endpoint> = None;
    for _ in 0..TRIES_MAX {
        let mut settings = edited(core, shop).await?;
        let there = match id {
            Some(id) => Some(core.store.endpoint(shop, id).await?.ok_or(ConfigError::NotFound)?),
            None if settings.endpoints.contains_key(&fresh) => core.store.endpoint(shop, &fresh).await?,
            None => None,
        };
        if let Some(there) = &there
            && (id.is_none() || is_written(tried.as_ref(), there, |endpoint| endpoint.version, expected)?)
        {
            return Ok((there.clone(), shown));
        }
        let endpoint = match there {
            Some(old) => Endpoint {
                name: name.clone(),
                url: url.clone(),
                events: input.events.clone().unwrap_or(old.events),
                disabled: switched(input.enabled, old.disabled, core.now()),
                version: old.version.saturating_add(1),
                ..old
            },
            None => {
                refuse_above("webhook_endpoints", settings.endpoints.len())?;
                Endpoint {
                    id: fresh.clone(),
                    shop: shop.clone(),
                    name: name.clone(),
                    url: url.clone(),
                    secrets: Keyring::new(sealed.clone()),
                    events: input.events.clone().unwrap_or_default(),
                    disabled: switched(input.enabled, None, core.now()),
                    version: 1,
                }
            }
        };
        settings.keep_endpoint(&endpoint);
        if settings.subscribers.len() > SUBSCRIBERS_MAX {
            let reason = format!("at most {SUBSCRIBERS_MAX} endpoints may subscribe to events");
            return Err(Invalid::new("events", reason).into());
        }
        if saved(core, ConfigChange::Endpoint(endpoint.clone()), &settings).await? {
            return Ok((endpoint, shown));
        }
        tried = Some(endpoint);
    }
    Err(ConfigError::Busy)
}

/// As somebody wants it; unless said, as it was.
fn switched(enabled: Option<bool>, before: Option<Disabled>, now: Timestamp) -> Option<Disabled> {
    match enabled {
        None => before,
        Some(true) => None,
        Some(false) => before.or(Some(Disabled { since: now, reason: DisabledReason::ByHand })),
    }
}

/// Switches an endpoint off whose receiver wants no more. Only as it was when it was called: whoever has edited
/// it since may have mended just that.
///
/// # Errors
/// The store failed, or others kept changing the configuration.
pub async fn disable_endpoint<S: ConfigStore>(core: &Core<S>, called: &Endpoint) -> Result<(), ConfigError> {
    for _ in 0..TRIES_MAX {
        let mut settings = edited(core, &called.shop).await?;
        let there = core.store.endpoint(&called.shop, &called.id).await?;
        let Some(old) = there.filter(|there| there.version == called.version) else { return Ok(()) };
        let gone = Disabled { since: core.now(), reason: DisabledReason::ReceiverGone };
        let version = old.version.saturating_add(1);
        let endpoint = Endpoint { disabled: Some(gone), version, ..old };
        settings.keep_endpoint(&endpoint);
        if saved(core, ConfigChange::Endpoint(endpoint), &settings).await? {
            return Ok(());
        }
    }
    Err(ConfigError::Busy)
}

/// Gives an endpoint a new secret, which is shown once. The one before it signs beside it for a day more, so
/// that a receiver verifies with either until it has been told the new one.
///
/// # Errors
/// The shop has no such endpoint, or others kept changing the configuration.
pub async fn rotate_endpoint_secret<S: ConfigStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
    id: &EndpointId,
) -> Result<(Endpoint, String), ConfigError> {
    let secret = webhook_secret(&core.entropy.bytes());
    let sealed = secrets.seal(shop.into(), SecretKind::EndpointSecret, &secret).await?;
    for _ in 0..TRIES_MAX {
        let mut settings = edited(core, shop).await?;
        let old = core.store.endpoint(shop, id).await?.ok_or(ConfigError::NotFound)?;
        // By our own write, whose answer was lost.
        if old.secrets.current() == &sealed {
            return Ok((old, secret));
        }
        let endpoint = Endpoint {
            secrets: old.secrets.replaced(sealed.clone(), |_| false, core.now()),
            version: old.version.saturating_add(1),
            ..old
        };
        settings.keep_endpoint(&endpoint);
        if saved(core, ConfigChange::Endpoint(endpoint.clone()), &settings).await? {
            return Ok((endpoint, secret));
        }
    }
    Err(ConfigError::Busy)
}
