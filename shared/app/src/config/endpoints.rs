//! Webhook endpoints: the merchant's own receivers.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use stagepost_domain::Timestamp;
use stagepost_domain::id::{EndpointId, ShopId};
use stagepost_domain::keyring::Keyring;
use stagepost_domain::shop::{Disabled, DisabledReason, Endpoint, SUBSCRIBERS_MAX, Sealed};
use stagepost_domain::signing::webhook_secret;
use stagepost_domain::text::{Invalid, required_name};
use stagepost_domain::webhook::EventType;
use url::Url;

use super::{ConfigError, edited, is_written, refuse_above, saved};
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::ports::{ConfigChange, ConfigStore, SecretKind, Secrets};

/// Most headers of an endpoint's own.
const HEADERS_MAX: usize = 10;
/// Longest name and value of one.
const HEADER_MAX: (usize, usize) = (60, 1_000);

/// An endpoint as somebody writes it.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EndpointInput {
    /// Name.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 80)))]
    pub name: String,
    /// Where to.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 2048), extend("format" = "uri")))]
    pub url: String,
    /// Whether anything is sent there; a new one is enabled, one that is edited stays as it is unless said.
    pub enabled: Option<bool>,
    /// What it is told of, wherever an order stands: nothing unless said. Stages that name it tell it of their
    /// entries anyway. Of a shop's endpoints at most 10 may ask for anything.
    pub events: Option<BTreeSet<EventType>>,
    /// Headers that every call carries, at most 10: `Authorization`, or a name that begins with `X-`. Their values
    /// are secrets and never shown; null keeps the one that is there. Unless said they stay as they are.
    #[cfg_attr(feature = "schema", schemars(length(max = 10)))]
    pub headers: Option<BTreeMap<String, Option<String>>>,
}

/// The same, checked.
struct Wanted {
    name: String,
    url: Url,
    enabled: Option<bool>,
    events: Option<BTreeSet<EventType>>,
    /// By their names in lower case; `None` keeps the one that is there.
    headers: Option<BTreeMap<String, Option<Sealed>>>,
}

impl Wanted {
    async fn of<K: Secrets>(
        input: &EndpointInput,
        secrets: &K,
        shop: &ShopId,
        check: impl Fn(&Url) -> Result<(), String>,
    ) -> Result<Self, ConfigError> {
        let name = required_name("name", &input.name, 80)?;
        let url = Url::parse(&input.url).map_err(|e| Invalid::new("url", e.to_string()))?;
        check(&url).map_err(|reason| Invalid::new("url", reason))?;
        let headers = match &input.headers {
            Some(headers) => Some(sealed_headers(headers, secrets, shop).await?),
            None => None,
        };
        Ok(Self { name, url, enabled: input.enabled, events: input.events.clone(), headers })
    }

    /// The headers with those that stay.
    fn headers(&self, old: &BTreeMap<String, Sealed>) -> Result<BTreeMap<String, Sealed>, Invalid> {
        let Some(headers) = &self.headers else { return Ok(old.clone()) };
        let kept = headers.iter().map(|(name, value)| {
            let value = value.as_ref().or_else(|| old.get(name));
            let missing = || Invalid::new(format!("headers.{name}"), "there is none to keep: give its value");
            Ok((name.clone(), value.ok_or_else(missing)?.clone()))
        });
        kept.collect()
    }

    fn edited(&self, old: &Endpoint, now: Timestamp) -> Result<Endpoint, Invalid> {
        Ok(Endpoint {
            mended_at: mended(old, self.enabled, &self.url, now),
            name: self.name.clone(),
            url: self.url.clone(),
            events: self.events.clone().unwrap_or_else(|| old.events.clone()),
            headers: self.headers(&old.headers)?,
            disabled: switched(self.enabled, old.disabled.clone(), now),
            version: old.version.saturating_add(1),
            ..old.clone()
        })
    }

    fn made(
        &self,
        id: &EndpointId,
        shop: &ShopId,
        secret: Sealed,
        now: Timestamp,
    ) -> Result<Endpoint, Invalid> {
        Ok(Endpoint {
            id: id.clone(),
            shop: shop.clone(),
            name: self.name.clone(),
            url: self.url.clone(),
            secrets: Keyring::new(secret),
            events: self.events.clone().unwrap_or_default(),
            headers: self.headers(&BTreeMap::new())?,
            disabled: switched(self.enabled, None, now),
            mended_at: None,
            version: 1,
        })
    }
}

async fn sealed_headers<K: Secrets>(
    headers: &BTreeMap<String, Option<String>>,
    secrets: &K,
    shop: &ShopId,
) -> Result<BTreeMap<String, Option<Sealed>>, ConfigError> {
    if headers.len() > HEADERS_MAX {
        return Err(Invalid::new("headers", format!("must be at most {HEADERS_MAX}")).into());
    }
    let mut sealed = BTreeMap::new();
    for (name, value) in headers {
        let lower = name.to_ascii_lowercase();
        check_header(name, &lower, value.as_deref())?;
        let value = match value {
            Some(value) => Some(secrets.seal(shop.into(), SecretKind::EndpointHeader, value.trim()).await?),
            None => None,
        };
        if sealed.insert(lower, value).is_some() {
            return Err(Invalid::new(format!("headers.{name}"), "is there twice").into());
        }
    }
    Ok(sealed)
}

/// Names that cannot change what a call is, and values that stay on their line.
fn check_header(name: &str, lower: &str, value: Option<&str>) -> Result<(), Invalid> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let own = lower.strip_prefix("x-").is_some_and(|rest| !rest.is_empty() && rest.chars().all(plain));
    let bad = |reason: &str| Err(Invalid::new(format!("headers.{name}"), reason));
    if !(own || lower == "authorization") || lower.len() > HEADER_MAX.0 {
        return bad(
            "must be Authorization, or begin with X- and have at most 60 letters, digits and hyphens",
        );
    }
    let visible = |c: char| c == ' ' || c.is_ascii_graphic();
    match value.map(str::trim) {
        Some(value) if value.is_empty() || value.len() > HEADER_MAX.1 || !value.chars().all(visible) => {
            bad("its value must have 1 to 1,000 visible ASCII characters")
        }
        _ => Ok(()),
    }
}

/// Makes an endpoint, or edits the one given, if it still has the version `expected`. A new one gets a secret,
/// which is shown once; one whose id is there already was made by an earlier try of the same call.
///
/// `check` is the outbound guard's word on the URL.
///
/// # Errors
/// The name, URL or a header is not valid, or somebody else edited the endpoint meanwhile.
pub async fn put_endpoint<S: ConfigStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
    id: Option<&EndpointId>,
    input: &EndpointInput,
    check: impl Fn(&Url) -> Result<(), String>,
    expected: Option<u64>,
) -> Result<(Endpoint, Option<String>), ConfigError> {
    let secret = webhook_secret(&core.entropy.bytes());
    let fresh = EndpointId::from_body(&core.entropy.id_body())?;
    let wanted = Wanted::of(input, secrets, shop, check).await?;
    let sealed = secrets.seal(shop.into(), SecretKind::EndpointSecret, &secret).await?;
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
            Some(old) => wanted.edited(&old, core.now())?,
            None => {
                refuse_above("webhook_endpoints", settings.endpoints.len())?;
                wanted.made(&fresh, shop, sealed.clone(), core.now())?
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

/// When it was mended last: how its receiver did before that does not count.
fn mended(old: &Endpoint, enabled: Option<bool>, url: &Url, now: Timestamp) -> Option<Timestamp> {
    let switched_on = enabled == Some(true) && old.disabled.is_some();
    if switched_on || old.url != *url { Some(now) } else { old.mended_at }
}

/// Switches an endpoint off whose receiver wants no more, or never takes anything. Only as it was when it was called: whoever has edited
/// it since may have mended just that.
///
/// # Errors
/// The store failed, or others kept changing the configuration.
pub async fn disable_endpoint<S: ConfigStore>(
    core: &Core<S>,
    called: &Endpoint,
    reason: DisabledReason,
) -> Result<bool, ConfigError> {
    for _ in 0..TRIES_MAX {
        let mut settings = edited(core, &called.shop).await?;
        let there = core.store.endpoint(&called.shop, &called.id).await?;
        let Some(old) = there.filter(|there| there.version == called.version) else { return Ok(false) };
        let off = Disabled { since: core.now(), reason };
        let version = old.version.saturating_add(1);
        let endpoint = Endpoint { disabled: Some(off), version, ..old };
        settings.keep_endpoint(&endpoint);
        if saved(core, ConfigChange::Endpoint(endpoint), &settings).await? {
            return Ok(true);
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
