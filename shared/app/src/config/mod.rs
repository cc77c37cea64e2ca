//! A shop's configuration: every change is one transaction with the shop's settings, so that what refers
//! to what is always consistent.

mod brand;
mod carriers;
mod channels;
mod endpoints;
mod flows;
mod keys;
mod members;
mod removal;
mod secrets;
mod shop;
mod templates;

pub use brand::{BrandInput, update_brand};
pub use carriers::{CarrierInput, CarrierPatch, create_carrier, update_carrier};
pub use channels::{ChannelInput, ChannelPatch, create_channel, reconciliation_of, update_channel};
pub use endpoints::{EndpointInput, disable_endpoint, put_endpoint, rotate_endpoint_secret};
pub use flows::{FlowInput, StageInput, put_flow};
pub use keys::{KeyInput, create_key, make_key, revoke_key};
pub use members::{
    INVITATIONS_PER_HOUR, MemberError, MemberInput, MemberPatch, MemberShown, MemberStores, create_owner,
    invite, invite_again, members, members_unopened, remove_member, sign_out_member, update_member,
};
pub use removal::{Removal, remove};
pub use secrets::Plain;
pub use shop::{RetentionInput, SettingsInput, create_shop, update_settings};
pub use templates::{TemplateInput, put_template};

use stagepost_domain::id::{InvalidId, ShopId};
use stagepost_domain::member::Refusal;
use stagepost_domain::shop::Settings;
use stagepost_domain::text::Invalid;

use crate::Core;
use crate::ports::{CommitError, ConfigChange, ConfigStore, SecretError, StoreError};

/// Most flows, templates, endpoints, channels or carriers of one shop.
pub const EACH_MAX: usize = 100;

/// A change of configuration was not made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is not valid; each field is named.
    #[error("the configuration is not valid")]
    Invalid(Vec<Invalid>),
    /// What was to be changed is not there.
    #[error("not found")]
    NotFound,
    /// Something names it; these.
    #[error("it is in use")]
    InUse(Vec<String>),
    /// It has another version than the caller saw.
    #[error("it has version {version} now")]
    Stale {
        /// The version that it has.
        version: u64,
    },
    /// Nobody gives or takes away what is above their own role.
    #[error("the caller's role is below it")]
    AboveRole,
    /// A shop without an owner is one that nobody can run.
    #[error("it is the last owner")]
    LastOwner,
    /// Somebody else changed the same thing since it was read.
    #[error("somebody else has changed it meanwhile")]
    Conflict,
    /// Others kept changing the configuration.
    #[error("the configuration is being changed by others")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret could not be sealed.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The id generator is broken.
    #[error(transparent)]
    Id(#[from] InvalidId),
}

impl From<Invalid> for ConfigError {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(vec![invalid])
    }
}

impl From<Refusal> for ConfigError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::AboveRole => Self::AboveRole,
            Refusal::LastOwner => Self::LastOwner,
        }
    }
}

/// The settings as they will be after one more change of configuration.
async fn edited<S: ConfigStore>(core: &Core<S>, shop: &ShopId) -> Result<Settings, ConfigError> {
    let mut settings = core.store.settings(shop).await?.ok_or(ConfigError::NotFound)?;
    settings.config_version = settings.config_version.saturating_add(1);
    Ok(settings)
}

/// Writes a change with the settings that go with it; false when somebody else changed the configuration
/// since the settings were read.
async fn saved<S: ConfigStore>(
    core: &Core<S>,
    change: ConfigChange,
    settings: &Settings,
) -> Result<bool, ConfigError> {
    match core.store.save(&change, settings).await {
        Ok(()) => Ok(true),
        Err(CommitError::LostRace | CommitError::Conflict) => Ok(false),
        Err(CommitError::Store(e)) => Err(e.into()),
    }
}

/// Looks at what is to be edited in the light of what was tried before: true when the try was written after
/// all and only its answer was lost. What others changed elsewhere does not matter to an edit; what they made
/// of the same thing must not be written over unseen.
///
/// `expected` is the version that the caller saw, if the caller says: another one is [`ConfigError::Stale`].
fn is_written<T: PartialEq>(
    tried: Option<&T>,
    there: &T,
    version: fn(&T) -> u64,
    expected: Option<u64>,
) -> Result<bool, ConfigError> {
    if tried == Some(there) {
        return Ok(true);
    }
    as_expected(version(there), expected)?;
    match tried {
        Some(tried) if version(there).saturating_add(1) != version(tried) => Err(ConfigError::Conflict),
        _ => Ok(false),
    }
}

/// Refuses to touch another version than the caller saw.
fn as_expected(version: u64, expected: Option<u64>) -> Result<(), ConfigError> {
    match expected {
        Some(expected) if expected != version => Err(ConfigError::Stale { version }),
        _ => Ok(()),
    }
}

fn refuse_above(what: &str, count: usize) -> Result<(), Invalid> {
    if count < EACH_MAX {
        return Ok(());
    }
    Err(Invalid::new(what, format!("a shop has at most {EACH_MAX} of them")))
}
