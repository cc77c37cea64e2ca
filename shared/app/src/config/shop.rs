//! Shops, their keys and what they say of themselves.

use serde::Deserialize;
use stagepost_domain::id::ShopId;
use stagepost_domain::shop::{GRACE_SECONDS_DEFAULT, GRACE_SECONDS_MAX, Role, Settings};
use stagepost_domain::text::{Invalid, required_name};

use super::keys::new_key;
use super::{ConfigError, as_expected, edited, saved};
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::ports::{ConfigChange, ConfigStore};

/// What a shop may set about itself.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SettingsInput {
    /// Name that customers know.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 80)))]
    pub name: Option<String>,
    /// Sender of its mails.
    #[cfg_attr(feature = "schema", schemars(length(min = 3, max = 254), extend("format" = "email")))]
    pub from_email: Option<String>,
    /// Grace of its mails, 0 to 300.
    #[cfg_attr(feature = "schema", schemars(range(max = 300)))]
    pub grace_seconds: Option<u32>,
}

/// Makes a shop with its first owner key; gives the key, which is shown once.
///
/// # Errors
/// The shop exists, or the store failed.
pub async fn create_shop<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    name: &str,
    from_email: &str,
) -> Result<String, ConfigError> {
    let settings = Settings {
        shop: shop.clone(),
        name: required_name("name", name, 80)?,
        config_version: 1,
        grace_seconds: GRACE_SECONDS_DEFAULT,
        from_email: email_address("from_email", from_email)?,
        templates: std::collections::BTreeMap::new(),
        endpoints: std::collections::BTreeMap::new(),
        subscribers: std::collections::BTreeMap::new(),
        registrar: None,
    };
    // One write: a shop without a key is one that nobody gets into.
    let (key, token) = new_key(core, shop, "first owner key", Role::Owner)?;
    if saved(core, ConfigChange::Key(key), &settings).await? {
        return Ok(token);
    }
    Err(Invalid::new("shop", "exists already").into())
}

/// Changes what a shop says of itself, if its configuration still has the version `expected`.
///
/// # Errors
/// A field is not valid, or the store failed.
pub async fn update_settings<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    input: &SettingsInput,
    expected: Option<u64>,
) -> Result<Settings, ConfigError> {
    let mut tried: Option<Settings> = None;
    for _ in 0..TRIES_MAX {
        let mut settings = edited(core, shop).await?;
        let was = settings.config_version.saturating_sub(1);
        // By our own write, whose answer was lost.
        if let Some(tried) = tried.filter(|tried| tried.config_version == was)
            && core.store.settings(shop).await?.as_ref() == Some(&tried)
        {
            return Ok(tried);
        }
        as_expected(was, expected)?;
        if let Some(name) = &input.name {
            settings.name = required_name("name", name, 80)?;
        }
        if let Some(address) = &input.from_email {
            settings.from_email = email_address("from_email", address)?;
        }
        if let Some(seconds) = input.grace_seconds {
            if seconds > GRACE_SECONDS_MAX {
                let reason = format!("must be at most {GRACE_SECONDS_MAX}");
                return Err(Invalid::new("grace_seconds", reason).into());
            }
            settings.grace_seconds = seconds;
        }
        if saved(core, ConfigChange::Shop, &settings).await? {
            return Ok(settings);
        }
        tried = Some(settings);
    }
    Err(ConfigError::Busy)
}

fn email_address(field: &str, text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    let well_formed = text.len() <= 254
        && text.is_ascii()
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;\"".contains(c))
        && text.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
        });
    if well_formed { Ok(text.to_owned()) } else { Err(Invalid::new(field, "must be an e-mail address")) }
}
