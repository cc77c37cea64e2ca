//! Connected carrier services.

use serde::Deserialize;
use stagepost_domain::id::{CarrierId, InvalidId, JobId, ShopId};
use stagepost_domain::job::{Connection, Job, JobKind, JobState, REFETCH_EVERY};
use stagepost_domain::keyring::Keyring;
use stagepost_domain::run::later;
use stagepost_domain::shop::{CarrierIntegration, CarrierKind, Registrar, Sealed, Settings};
use stagepost_domain::signing::{WHSEC, webhook_key};
use stagepost_domain::text::{Invalid, required_name};

use super::secrets::{Plain, replaced, said, seal};
use super::{ConfigError, edited, is_written, refuse_above, saved};
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::jobs::checked_if_new;
use crate::ports::{ConfigChange, ConfigStore, SecretKind, Secrets};

/// What somebody changes about a carrier integration; what is not given stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CarrierPatch {
    /// Name.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 80)))]
    pub name: Option<String>,
    /// Signs its notifications from now on; the one before it counts for a day more.
    pub webhook_secret: Option<Plain>,
    /// As for a new integration; `null` takes it away.
    #[serde(deserialize_with = "said")]
    pub credentials: Option<Option<Plain>>,
}

/// A carrier integration as somebody writes it.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CarrierInput {
    /// `easypost` or `generic`.
    pub kind: CarrierKind,
    /// Name.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 80)))]
    pub name: String,
    /// Signs its notifications.
    pub webhook_secret: Plain,
    /// EasyPost: API key. With it the packages of orders are registered there; without it only those are
    /// reported that somebody else registers.
    pub credentials: Option<Plain>,
}

/// Connects a carrier service.
///
/// # Errors
/// A field is not valid.
pub async fn create_carrier<S: ConfigStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
    input: &CarrierInput,
) -> Result<CarrierIntegration, ConfigError> {
    let name = required_name("name", &input.name, 80)?;
    can_sign(input.kind, &input.webhook_secret)?;
    let webhook =
        seal(secrets, shop, SecretKind::CarrierWebhook, "webhook_secret", &input.webhook_secret).await?;
    let credentials = match &input.credentials {
        Some(plain) => Some(sealed_key(secrets, shop, input.kind, plain).await?),
        None => None,
    };
    let id = CarrierId::from_body(&core.entropy.id_body())?;
    for _ in 0..TRIES_MAX {
        let mut settings = edited(core, shop).await?;
        let carriers = core.store.carriers(shop).await?;
        // By our own write, whose answer was lost.
        if let Some(made) = carriers.iter().find(|carrier| carrier.id == id) {
            return Ok(made.clone());
        }
        refuse_above("carriers", carriers.len())?;
        let carrier = CarrierIntegration {
            id: id.clone(),
            shop: shop.clone(),
            kind: input.kind,
            name: name.clone(),
            webhook_secrets: Keyring::new(webhook.clone()),
            credentials: credentials.clone(),
            version: 1,
        };
        settings.registrar = registrar(&carriers, &carrier);
        let mut jobs = registration(core, &carrier, &settings)?;
        jobs.extend(check_if_new(core, &carrier, None)?);
        if carrier.kind.registers() {
            jobs.push(refetching(core, &carrier)?);
        }
        if saved(core, ConfigChange::Carrier(carrier.clone()).with_jobs(jobs), &settings).await? {
            return Ok(carrier);
        }
    }
    Err(ConfigError::Busy)
}

/// Edits a carrier integration, if it still has the version `expected`.
///
/// # Errors
/// A field is not valid, or the shop has no such integration.
pub async fn update_carrier<S: ConfigStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
    id: &CarrierId,
    patch: &CarrierPatch,
    expected: Option<u64>,
) -> Result<CarrierIntegration, ConfigError> {
    let name = patch.name.as_ref().map(|name| required_name("name", name, 80)).transpose()?;
    let mut tried: Option<CarrierIntegration> = None;
    for _ in 0..TRIES_MAX {
        let mut settings = edited(core, shop).await?;
        let carriers = core.store.carriers(shop).await?;
        let old = carriers.iter().find(|c| c.id == *id).cloned().ok_or(ConfigError::NotFound)?;
        if is_written(tried.as_ref(), &old, |carrier| carrier.version, expected)? {
            return Ok(old);
        }
        let credentials = match &patch.credentials {
            None => old.credentials.clone(),
            Some(None) => None,
            Some(Some(plain)) => Some(sealed_key(secrets, shop, old.kind, plain).await?),
        };
        let webhook = patch.webhook_secret.as_ref();
        webhook.map_or(Ok(()), |secret| can_sign(old.kind, secret))?;
        let webhook_secrets =
            replaced(core, secrets, shop, SecretKind::CarrierWebhook, webhook, old.webhook_secrets).await?;
        let had = old.credentials.clone();
        let carrier = CarrierIntegration {
            name: name.clone().unwrap_or(old.name),
            webhook_secrets,
            credentials,
            version: old.version.saturating_add(1),
            ..old
        };
        settings.registrar = registrar(&carriers, &carrier);
        let mut jobs = if had.is_some() { Vec::new() } else { registration(core, &carrier, &settings)? };
        jobs.extend(check_if_new(core, &carrier, had.as_ref())?);
        if saved(core, ConfigChange::Carrier(carrier.clone()).with_jobs(jobs), &settings).await? {
            return Ok(carrier);
        }
        tried = Some(carrier);
    }
    Err(ConfigError::Busy)
}

/// The parcels under way are registered with an integration that has just got its key, if it is the one that
/// parcels are registered with.
fn registration<S>(
    core: &Core<S>,
    carrier: &CarrierIntegration,
    settings: &Settings,
) -> Result<Vec<Job>, ConfigError> {
    if settings.registrar.as_ref().is_none_or(|registrar| registrar.carrier != carrier.id) {
        return Ok(Vec::new());
    }
    let kind = JobKind::Register { carrier: carrier.id.clone() };
    let id = JobId::from_body(&core.entropy.id_body())?;
    Ok(vec![Job::new(id, carrier.shop.clone(), kind, core.now())])
}

/// A key that is new is tried out at once.
fn check_if_new<S>(
    core: &Core<S>,
    carrier: &CarrierIntegration,
    old: Option<&Sealed>,
) -> Result<Option<Job>, InvalidId> {
    let connection = Connection::Carrier(carrier.id.clone());
    checked_if_new(core, &carrier.shop, connection, old, carrier.credentials.as_ref())
}

/// An integration that registers is asked for what it did not tell of, from tomorrow on.
fn refetching<S>(core: &Core<S>, carrier: &CarrierIntegration) -> Result<Job, ConfigError> {
    let id = JobId::from_body(carrier.id.as_str().strip_prefix("car_").unwrap_or_default())?;
    let kind = JobKind::Refetch { carrier: carrier.id.clone() };
    let mut job = Job::new(id, carrier.shop.clone(), kind, core.now());
    job.state = JobState::Waiting { due: later(core.now(), REFETCH_EVERY) };
    Ok(job)
}

/// The integration that packages are registered with once this one is as it will be.
fn registrar(carriers: &[CarrierIntegration], changed: &CarrierIntegration) -> Option<Registrar> {
    Registrar::of(carriers.iter().filter(|c| c.id != changed.id).chain([changed]))
}

async fn sealed_key<K: Secrets>(
    secrets: &K,
    shop: &ShopId,
    kind: CarrierKind,
    Plain(plain): &Plain,
) -> Result<Sealed, ConfigError> {
    let key = plain.trim();
    // It is the user of basic authentication: a colon would end it.
    let fits = key.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    match kind {
        CarrierKind::Easypost if !fits => {
            Err(Invalid::new("credentials", "must be an EasyPost API key: letters and digits").into())
        }
        CarrierKind::Easypost => {
            let key = Plain(key.to_owned());
            seal(secrets, shop, SecretKind::CarrierCredentials, "credentials", &key).await
        }
        CarrierKind::Generic => Err(Invalid::new("credentials", "this format has nothing to call").into()),
    }
}

/// A secret that says it is one of Standard Webhooks must be one, or no signature would ever be right.
fn can_sign(kind: CarrierKind, Plain(secret): &Plain) -> Result<(), Invalid> {
    let prefixed = kind == CarrierKind::Generic && secret.starts_with(WHSEC);
    if prefixed && let Err(wrong) = webhook_key(secret) {
        return Err(Invalid::new("webhook_secret", wrong.to_string()));
    }
    Ok(())
}
