//! Shops, their keys and what they say of themselves.

use serde::Deserialize;
use stagepost_domain::id::ShopId;
use stagepost_domain::retention::{LOGS_DAYS_MAX, ORDERS_DAYS_MAX, Retention};
use stagepost_domain::shop::{
    GRACE_SECONDS_DEFAULT, GRACE_SECONDS_MAX, MailMode, MailSettings, Role, Settings, TEST_RECIPIENTS_MAX,
};
use stagepost_domain::text::{Invalid, email_address, required_name};

use super::keys::new_key;
use super::{ConfigError, as_expected, edited, saved};
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::jobs::audit_of;
use crate::ports::{ConfigChange, ConfigStore};

/// What a shop may set about itself.
#[derive(Debug, Clone, Default, Deserialize)]
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
    /// Name beside the sender's address; null for the shop's name.
    #[serde(default, deserialize_with = "super::secrets::said")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", length(min = 1, max = 80)))]
    pub from_name: Option<Option<String>>,
    /// Where answers go; null for the sender's address.
    #[serde(default, deserialize_with = "super::secrets::said")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", length(min = 3, max = 254), extend("format" = "email")))]
    pub reply_to: Option<Option<String>>,
    /// What becomes of a mail that would leave: `live` sends it, `test` sends it to `to` instead, `dry_run` only
    /// renders it, `paused` has it wait.
    pub mail_mode: Option<MailMode>,
    /// Where test mails may go beside the shop's own addresses, at most 10.
    #[cfg_attr(feature = "schema", schemars(length(max = 10)))]
    pub test_recipients: Option<Vec<String>>,
    /// SES's configuration set of this shop; null for the deployment's.
    #[serde(default, deserialize_with = "super::secrets::said")]
    #[cfg_attr(
        feature = "schema",
        schemars(
            with = "Option<String>",
            length(min = 1, max = 64),
            regex(pattern = "^[A-Za-z0-9_-]{1,64}$")
        )
    )]
    pub configuration_set: Option<Option<String>>,
    /// Who is mailed when the shop's set-up needs a person, as when an endpoint keeps failing; empty for nobody.
    #[cfg_attr(feature = "schema", schemars(length(max = 254)))]
    pub notify_email: Option<String>,
    /// How long things are kept; what is left out stays as it is.
    pub retention: Option<RetentionInput>,
}

/// How long a shop's things are to be kept.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RetentionInput {
    /// Days that calls of endpoints are logged for.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 30)))]
    pub attempts_days: Option<u16>,
    /// Days that notifications are kept for that could not be read.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 30)))]
    pub quarantine_days: Option<u16>,
    /// Days after an order came to rest until its personal data is erased; null for never.
    #[serde(default, deserialize_with = "super::secrets::said")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u16>", range(min = 1, max = 3650)))]
    pub orders_days: Option<Option<u16>>,
}

impl RetentionInput {
    fn apply(&self, kept: &mut Retention) -> Result<(), Invalid> {
        if let Some(days) = self.attempts_days {
            kept.attempts_days = within("retention.attempts_days", days, LOGS_DAYS_MAX)?;
        }
        if let Some(days) = self.quarantine_days {
            kept.quarantine_days = within("retention.quarantine_days", days, LOGS_DAYS_MAX)?;
        }
        if let Some(days) = self.orders_days {
            let within = |days| within("retention.orders_days", days, ORDERS_DAYS_MAX);
            kept.orders_days = days.map(within).transpose()?;
        }
        Ok(())
    }
}

fn within(field: &str, days: u16, most: u16) -> Result<u16, Invalid> {
    let fits = (1..=most).contains(&days);
    if fits { Ok(days) } else { Err(Invalid::new(field, format!("must be 1 to {most} days"))) }
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
        mail: MailSettings::default(),
        notify_email: None,
        retention: Retention::default(),
    };
    // One write: a shop without a key is one that nobody gets into.
    let (key, token) = new_key(core, shop, "first owner key", Role::Owner)?;
    let change = ConfigChange::Key(key).with_jobs(vec![audit_of(shop, core.now())?]);
    if saved(core, change, &settings).await? {
        return Ok(token);
    }
    Err(Invalid::new("shop", "exists already").into())
}

/// Changes what a shop says of itself, if its configuration still has the version `expected`. The jobs that this asks
/// for are [`save_settings`](crate::jobs::save_settings)'s.
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
        input.apply(&mut settings)?;
        if saved(core, ConfigChange::Shop, &settings).await? {
            return Ok(settings);
        }
        tried = Some(settings);
    }
    Err(ConfigError::Busy)
}

impl SettingsInput {
    fn apply(&self, settings: &mut Settings) -> Result<(), Invalid> {
        if let Some(name) = &self.name {
            settings.name = required_name("name", name, 80)?;
        }
        if let Some(address) = &self.from_email {
            settings.from_email = email_address("from_email", address)?;
        }
        if let Some(address) = &self.notify_email {
            let named = Some(address).filter(|address| !address.trim().is_empty());
            settings.notify_email = named.map(|a| email_address("notify_email", a)).transpose()?;
        }
        if let Some(seconds) = self.grace_seconds {
            if seconds > GRACE_SECONDS_MAX {
                return Err(Invalid::new("grace_seconds", format!("must be at most {GRACE_SECONDS_MAX}")));
            }
            settings.grace_seconds = seconds;
        }
        if let Some(retention) = &self.retention {
            retention.apply(&mut settings.retention)?;
        }
        self.apply_mail(&mut settings.mail)
    }

    fn apply_mail(&self, mail: &mut MailSettings) -> Result<(), Invalid> {
        if let Some(name) = &self.from_name {
            mail.from_name = name.as_ref().map(|name| required_name("from_name", name, 80)).transpose()?;
        }
        if let Some(address) = &self.reply_to {
            mail.reply_to = address.as_ref().map(|a| email_address("reply_to", a)).transpose()?;
        }
        if let Some(mode) = &self.mail_mode {
            mail.mode = match mode {
                MailMode::Test { to } => MailMode::Test { to: email_address("mail_mode.to", to)? },
                other => other.clone(),
            };
        }
        if let Some(addresses) = &self.test_recipients {
            mail.test_recipients = recipients(addresses)?;
        }
        if let Some(set) = &self.configuration_set {
            mail.configuration_set = set.as_ref().map(|set| configuration_set(set)).transpose()?;
        }
        Ok(())
    }
}

fn recipients(addresses: &[String]) -> Result<Vec<String>, Invalid> {
    if addresses.len() > TEST_RECIPIENTS_MAX {
        return Err(Invalid::new("test_recipients", format!("must be at most {TEST_RECIPIENTS_MAX}")));
    }
    let address = |(n, address): (usize, &String)| email_address(&format!("test_recipients[{n}]"), address);
    addresses.iter().enumerate().map(address).collect()
}

/// A name as SES takes it.
fn configuration_set(name: &str) -> Result<String, Invalid> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(name.to_owned());
    }
    Err(Invalid::new("configuration_set", "must be 1 to 64 letters, digits, hyphens and underscores"))
}
