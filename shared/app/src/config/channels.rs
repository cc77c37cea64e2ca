//! Connected stores.

use serde::Deserialize;
use stagepost_domain::id::{ChannelId, FlowId, InvalidId, JobId, ShopId};
use stagepost_domain::job::{Connection, Job, JobKind, JobState, RECONCILE_EVERY};
use stagepost_domain::keyring::Keyring;
use stagepost_domain::order::Platform;
use stagepost_domain::run::later;
use stagepost_domain::shop::{Channel, Sealed};
use stagepost_domain::text::{Invalid, required_name};
use url::Url;

use super::secrets::{Plain, replaced, said, seal};
use super::{ConfigError, edited, is_written, refuse_above, saved};
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::jobs::{BACKFILL_DAYS_MAX, checked_if_new, days_before};
use crate::ports::{ConfigChange, ConfigStore, SecretKind, Secrets};

/// Longest `{shop}.myshopify.com`: a host name's part has 63 bytes at most.
const SHOPIFY_DOMAIN_MAX: usize = 63 + ".myshopify.com".len();
/// Longest address of a WooCommerce site: it is kept with every one of its orders.
const SITE_MAX: usize = 200;
/// How many days of a new channel's past are adopted unless said otherwise.
const BACKFILL_DAYS: u16 = 30;

/// A channel as somebody writes it.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChannelInput {
    /// `shopify` or `woocommerce`.
    pub platform: Platform,
    /// Name.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 80)))]
    pub name: String,
    /// `{shop}.myshopify.com`, or the WooCommerce site's URL.
    pub store: String,
    /// Signs its notifications.
    pub webhook_secret: Plain,
    /// Shopify: Admin API access token. WooCommerce: `ck_…:cs_…`. Needed for *Mark fulfilled on platform*.
    pub credentials: Option<Plain>,
    /// Where its new orders go.
    pub default_flow: Option<FlowId>,
    /// How many days of its past are adopted, silently; 30 unless said, 0 for none. Needs credentials.
    pub backfill_days: Option<u16>,
}

/// What somebody changes about a channel; what is not given stays. Its platform and store never change: they
/// are part of its orders' ids.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ChannelPatch {
    /// Name.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 80)))]
    pub name: Option<String>,
    /// Signs its notifications from now on; the one before it counts for a day more.
    pub webhook_secret: Option<Plain>,
    /// As for a new channel; `null` takes them away.
    #[serde(deserialize_with = "said")]
    pub credentials: Option<Option<Plain>>,
    /// Where its new orders go; `null` leaves them untriaged.
    #[serde(deserialize_with = "said")]
    pub default_flow: Option<Option<FlowId>>,
}

/// Connects a store. Its orders created before now are adopted silently when they show up.
///
/// # Errors
/// A field is not valid, or the shop has connected the store already: two channels of one store would hand
/// its orders to and fro with every notification.
pub async fn create_channel<S: ConfigStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
    input: &ChannelInput,
    check: impl Fn(&Url) -> Result<(), String>,
) -> Result<Channel, ConfigError> {
    let name = required_name("name", &input.name, 80)?;
    let store = store_identity(input, check)?;
    let webhook =
        seal(secrets, shop, SecretKind::ChannelWebhook, "webhook_secret", &input.webhook_secret).await?;
    let credentials = match &input.credentials {
        Some(plain) => Some(sealed_credentials(secrets, shop, input.platform, plain).await?),
        None => None,
    };
    let days = input.backfill_days.unwrap_or(BACKFILL_DAYS);
    if days > BACKFILL_DAYS_MAX {
        return Err(Invalid::new("backfill_days", format!("must be at most {BACKFILL_DAYS_MAX}")).into());
    }
    let id = ChannelId::from_body(&core.entropy.id_body())?;
    for _ in 0..TRIES_MAX {
        let settings = edited(core, shop).await?;
        let channels = core.store.channels(shop).await?;
        let count = channels.len();
        if let Some(there) = channels.into_iter().find(|c| c.platform == input.platform && c.store == store) {
            // By our own write, whose answer was lost.
            let ours = there.id == id;
            return if ours { Ok(there) } else { Err(Invalid::new("store", "is connected already").into()) };
        }
        refuse_above("channels", count)?;
        there_is(core, shop, input.default_flow.as_ref()).await?;
        let channel = Channel {
            id: id.clone(),
            shop: shop.clone(),
            platform: input.platform,
            name: name.clone(),
            store: store.clone(),
            default_flow: input.default_flow.clone(),
            armed_at: core.now(),
            webhook_secrets: Keyring::new(webhook.clone()),
            credentials: credentials.clone(),
            version: 1,
        };
        let jobs = jobs_of_new(core, &channel, days)?;
        if saved(core, ConfigChange::Channel(channel.clone()).with_jobs(jobs), &settings).await? {
            return Ok(channel);
        }
    }
    Err(ConfigError::Busy)
}

/// A connected store is asked for what changed from now on, and once for its past.
fn jobs_of_new<S>(core: &Core<S>, channel: &Channel, days: u16) -> Result<Vec<Job>, ConfigError> {
    let (now, shop) = (core.now(), &channel.shop);
    let kind = JobKind::Reconcile { channel: channel.id.clone(), since: now, newest: None };
    let mut reconcile = Job::new(reconciliation_of(&channel.id)?, shop.clone(), kind, now);
    reconcile.state = JobState::Waiting { due: later(now, RECONCILE_EVERY) };
    let mut jobs = vec![reconcile];
    jobs.extend(check_if_new(core, channel, None)?);
    if channel.credentials.is_some() && days > 0 {
        jobs.push(backfill_of(core, channel, days)?);
    }
    Ok(jobs)
}

/// Credentials that are new are tried out at once.
fn check_if_new<S>(
    core: &Core<S>,
    channel: &Channel,
    old: Option<&Sealed>,
) -> Result<Option<Job>, InvalidId> {
    let connection = Connection::Channel(channel.id.clone());
    checked_if_new(core, &channel.shop, connection, old, channel.credentials.as_ref())
}

fn backfill_of<S>(core: &Core<S>, channel: &Channel, days: u16) -> Result<Job, ConfigError> {
    let kind = JobKind::Backfill { channel: channel.id.clone(), since: days_before(core.now(), days) };
    Ok(Job::new(JobId::from_body(&core.entropy.id_body())?, channel.shop.clone(), kind, core.now()))
}

/// A channel's reconciliation: one job, with the channel's own body as its id.
///
/// # Errors
/// None: a channel's body is a job's as well.
pub fn reconciliation_of(channel: &ChannelId) -> Result<JobId, InvalidId> {
    JobId::from_body(channel.as_str().strip_prefix("chan_").unwrap_or_default())
}

/// Edits a channel, if it still has the version `expected`.
///
/// # Errors
/// A field is not valid, or the shop has no such channel.
pub async fn update_channel<S: ConfigStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
    id: &ChannelId,
    patch: &ChannelPatch,
    expected: Option<u64>,
) -> Result<Channel, ConfigError> {
    let name = patch.name.as_ref().map(|name| required_name("name", name, 80)).transpose()?;
    let mut tried: Option<Channel> = None;
    for _ in 0..TRIES_MAX {
        let settings = edited(core, shop).await?;
        let old = core.store.channel(id).await?.filter(|c| c.shop == *shop).ok_or(ConfigError::NotFound)?;
        if is_written(tried.as_ref(), &old, |channel| channel.version, expected)? {
            return Ok(old);
        }
        there_is(core, shop, patch.default_flow.as_ref().and_then(Option::as_ref)).await?;
        let credentials = match &patch.credentials {
            None => old.credentials.clone(),
            Some(None) => None,
            Some(Some(plain)) => Some(sealed_credentials(secrets, shop, old.platform, plain).await?),
        };
        let webhook = patch.webhook_secret.as_ref();
        let webhook_secrets =
            replaced(core, secrets, shop, SecretKind::ChannelWebhook, webhook, old.webhook_secrets).await?;
        let (had_flow, had) = (old.default_flow.clone(), old.credentials.clone());
        let channel = Channel {
            name: name.clone().unwrap_or(old.name),
            default_flow: patch.default_flow.clone().unwrap_or(old.default_flow),
            webhook_secrets,
            credentials,
            version: old.version.saturating_add(1),
            ..old
        };
        let mut jobs = triage(core, &channel, had_flow.as_ref())?;
        jobs.extend(check_if_new(core, &channel, had.as_ref())?);
        if channel.credentials.is_some() && had.is_none() {
            // Its past could not be asked for when it was connected.
            jobs.push(backfill_of(core, &channel, BACKFILL_DAYS)?);
        }
        if saved(core, ConfigChange::Channel(channel.clone()).with_jobs(jobs), &settings).await? {
            return Ok(channel);
        }
        tried = Some(channel);
    }
    Err(ConfigError::Busy)
}

/// A default flow where there was none takes the channel's untriaged orders in, silently.
fn triage<S>(core: &Core<S>, channel: &Channel, had: Option<&FlowId>) -> Result<Vec<Job>, ConfigError> {
    let Some(flow) = channel.default_flow.clone().filter(|_| had.is_none()) else { return Ok(Vec::new()) };
    let kind = JobKind::Triage { channel: channel.id.clone(), flow };
    let id = JobId::from_body(&core.entropy.id_body())?;
    Ok(vec![Job::new(id, channel.shop.clone(), kind, core.now())])
}

async fn there_is<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    flow: Option<&FlowId>,
) -> Result<(), ConfigError> {
    match flow {
        Some(flow) if core.store.flow(shop, flow).await?.is_none_or(|f| f.archived_at.is_some()) => {
            Err(Invalid::new("default_flow", "no such flow").into())
        }
        _ => Ok(()),
    }
}

async fn sealed_credentials<K: Secrets>(
    secrets: &K,
    shop: &ShopId,
    platform: Platform,
    plain: &Plain,
) -> Result<Sealed, ConfigError> {
    if platform == Platform::Woocommerce && !plain.0.contains(':') {
        return Err(Invalid::new("credentials", "must be consumer key and secret: ck_…:cs_…").into());
    }
    seal(secrets, shop, SecretKind::ChannelCredentials, "credentials", plain).await
}

/// The store's own identity: part of its orders' ids, so it has one spelling.
fn store_identity(
    input: &ChannelInput,
    check: impl Fn(&Url) -> Result<(), String>,
) -> Result<String, Invalid> {
    match input.platform {
        Platform::Shopify => {
            let domain = input.store.trim().to_ascii_lowercase();
            let name = domain.strip_suffix(".myshopify.com").unwrap_or_default();
            let well_formed = domain.len() <= SHOPIFY_DOMAIN_MAX
                && name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if well_formed {
                Ok(domain)
            } else {
                Err(Invalid::new("store", "must look like my-shop.myshopify.com"))
            }
        }
        Platform::Woocommerce => {
            let url = Url::parse(input.store.trim()).map_err(|e| Invalid::new("store", e.to_string()))?;
            check(&url).map_err(|reason| Invalid::new("store", reason))?;
            if url.query().is_some() || url.fragment().is_some() {
                return Err(Invalid::new("store", "must be the site's address, without ? or #"));
            }
            let address = url.as_str().trim_end_matches('/');
            if address.len() > SITE_MAX {
                return Err(Invalid::new("store", format!("must have at most {SITE_MAX} bytes")));
            }
            Ok(address.to_owned())
        }
        Platform::Api => Err(Invalid::new("platform", "must be shopify or woocommerce")),
    }
}
