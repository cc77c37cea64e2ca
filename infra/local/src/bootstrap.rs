//! The first shop of a deployment, a fresh key for whoever lost all of theirs, and a link into the console for its
//! operator: straight into the table, past the API, which lets nobody in without a key.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

pub use stagepost_api::export::{ExportError, Exported, export};
use stagepost_app::Core;
use stagepost_app::config::{ConfigError, MemberError, SettingsInput, create_key, create_owner, create_shop};
use stagepost_app::jobs::{make_canary, save_settings};
use stagepost_app::people::ports::PeopleStore;
use stagepost_app::people::print_link;
use stagepost_app::ports::{ConfigStore, StoreError};
use stagepost_domain::id::ShopId;
use stagepost_domain::member::Member;
use stagepost_domain::search::SearchKey;
use stagepost_domain::shop::{MailMode, Role};
use stagepost_domain::text::email_address;
use stagepost_dynamodb::DynamoStore;
use stagepost_lambda::env::{self, BadVariable};
use stagepost_lambda::system::SystemClock;
use stagepost_lambda::{aws, system};
use stagepost_secrets::DeployedSecrets;

use crate::engine::{Engine, EngineError};
use crate::host::{DATABASE, HostError, TABLE, key_in, prepare_folder};

/// Where a deployment's table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a local host's data folder, while no host works on it.
    Folder(PathBuf),
    /// In DynamoDB, by name, with region and credentials of the environment.
    Table(String),
}

/// It could not be done.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The data folder: another process works on it, or it cannot be used.
    #[error(transparent)]
    Folder(#[from] HostError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The name has no letters for an id.
    #[error("give the shop an id: --id shop_…, letters and digits")]
    NoId,
    /// There is no such shop to make a key for.
    #[error("there is no shop {0} here")]
    NoShop(ShopId),
    /// Nobody owns the shop, and nobody was named.
    #[error("{0} has no owner who signs in yet: name one with --email ADDRESS")]
    NoOwner(ShopId),
    /// A table's addresses are hashed and sealed by the deployment's keys.
    #[error("{0}; set it to the deployment's (docs/deploy.md), for the address is hashed and sealed by it")]
    NoKey(#[from] BadVariable),
    /// What was given is not valid, or the shop is there.
    #[error("{0}")]
    Refused(String),
    /// The table: there is none of that name, or it cannot be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An export stopped.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// Anything else.
    #[error(transparent)]
    Config(ConfigError),
}

impl From<ConfigError> for BootstrapError {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Invalid(fields) => {
                let told: Vec<_> = fields.iter().map(ToString::to_string).collect();
                Self::Refused(told.join("; "))
            }
            ConfigError::Store(error) => error.into(),
            other => Self::Config(other),
        }
    }
}

/// The id of a shop that is called by its id or its name: the name's ASCII letters and digits.
///
/// # Errors
/// The name has none, or too many.
pub fn shop_id(called: &str) -> Result<ShopId, BootstrapError> {
    if let Ok(id) = ShopId::parse(called) {
        return Ok(id);
    }
    let letters = called.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase());
    ShopId::from_body(&letters.collect::<String>()).map_err(|_| BootstrapError::NoId)
}

/// A shop to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewShop<'a> {
    /// Its id.
    pub shop: &'a ShopId,
    /// Its name.
    pub name: &'a str,
    /// Sender of its mails.
    pub from: &'a str,
    /// Address of its first owner, if one is to sign in to the console.
    pub owner: Option<&'a str>,
}

/// What lets people into a new shop. Both are given this once.
#[derive(Clone, PartialEq, Eq)]
pub struct Bootstrapped {
    /// Its first owner key.
    pub key: String,
    /// The token of its first owner's link.
    pub link: Option<String>,
}

/// Makes a shop with its first owner key, and its first owner if one is named.
///
/// # Errors
/// The shop is there already, a field is not valid, the deployment's keys are not there for an owner's address, or
/// the table cannot be reached.
pub async fn bootstrap(place: &Place, new: NewShop<'_>) -> Result<Bootstrapped, BootstrapError> {
    // Before anything is written: a shop is made once.
    let owner = match new.owner {
        Some(email) => {
            Some((email_address("owner", email).map_err(ConfigError::from)?, Vault::of(place).await?))
        }
        None => None,
    };
    let opened = Opened::at(place).await?;
    let made = made(&opened.core, new, owner).await;
    opened.close().await;
    made
}

async fn made(
    core: &Core<DynamoStore>,
    new: NewShop<'_>,
    owner: Option<(String, Vault)>,
) -> Result<Bootstrapped, BootstrapError> {
    let key = create_shop(core, new.shop, new.name, new.from).await?;
    let Some((email, vault)) = owner else { return Ok(Bootstrapped { key, link: None }) };
    let owner = vault.owner(core, new.shop, &email).await?;
    Ok(Bootstrapped { key, link: Some(print_link(core, &owner).await?) })
}

/// Makes a link that signs somebody in to a shop; gives its token. With an address: the member of that address, who is
/// made an owner if there is none. Without: the owner who has been there longest, one who signs in before one who
/// never did.
///
/// # Errors
/// There is no such shop, it has no owner and no address is given, the deployment's keys are not there for an
/// address, or the table cannot be reached.
pub async fn sign_in(place: &Place, shop: &ShopId, email: Option<&str>) -> Result<String, BootstrapError> {
    let named = match email {
        Some(email) => Some((email, Vault::of(place).await?)),
        None => None,
    };
    let opened = Opened::at(place).await?;
    let made = link(&opened.core, shop, named).await;
    opened.close().await;
    made
}

async fn link(
    core: &Core<DynamoStore>,
    shop: &ShopId,
    named: Option<(&str, Vault)>,
) -> Result<String, BootstrapError> {
    if core.store.settings(shop).await?.is_none() {
        return Err(BootstrapError::NoShop(shop.clone()));
    }
    let member = match named {
        Some((email, vault)) => vault.owner(core, shop, email).await?,
        None => {
            let members = core.store.members(shop).await?.into_iter();
            let owners = members.filter(|member| member.role == Role::Owner);
            let first = owners.min_by_key(|owner| (owner.signed_in_at.is_none(), owner.created_at));
            first.ok_or_else(|| BootstrapError::NoOwner(shop.clone()))?
        }
    };
    Ok(print_link(core, &member).await?)
}

/// What hashes and seals people's addresses: in a data folder its key, for a table what the environment names.
struct Vault {
    secrets: DeployedSecrets,
    addresses: SearchKey,
}

impl Vault {
    async fn of(place: &Place) -> Result<Self, BootstrapError> {
        let (key, kms) = match place {
            Place::Folder(folder) => {
                let _lock = prepare_folder(folder)?;
                (key_in(folder)?, None)
            }
            Place::Table(_) => (env::key()?, env::kms_key()),
        };
        let aws = aws::config().await;
        let secrets = DeployedSecrets::new(&aws, kms, Some(key), Arc::new(SystemClock));
        let no_key = |_| BadVariable { name: env::STAGEPOST_KEY, problem: "is not a key" };
        Ok(Self { secrets: secrets.map_err(no_key)?, addresses: SearchKey::of_deployment(&key) })
    }

    /// The member of this address; an owner, if it was nobody's.
    async fn owner(
        &self,
        core: &Core<DynamoStore>,
        shop: &ShopId,
        email: &str,
    ) -> Result<Member, BootstrapError> {
        let owner = create_owner(core, &self.secrets, &self.addresses, shop, (email, OWNER)).await;
        owner.map_err(|error| match error {
            MemberError::Config(error) => error.into(),
            // Nothing is mailed here.
            MemberError::TooMany => BootstrapError::Refused(error.to_string()),
        })
    }
}

/// What an owner is called who was made before anybody could ask.
const OWNER: &str = "Owner";

/// Makes another owner key of a shop, which is given this once. Keys that are there stay.
///
/// # Errors
/// There is no such shop, or the table cannot be reached.
pub async fn owner_key(place: &Place, shop: &ShopId) -> Result<String, BootstrapError> {
    let opened = Opened::at(place).await?;
    let made = create_key(&opened.core, shop, "owner key", Role::Owner).await;
    opened.close().await;
    match made {
        Ok((_, token)) => Ok(token),
        Err(ConfigError::NotFound) => Err(BootstrapError::NoShop(shop.clone())),
        Err(error) => Err(error.into()),
    }
}

/// Writes everything of a shop as lines of JSON, without secrets.
///
/// # Errors
/// There is no such shop, the table cannot be reached, or nothing more can be written.
pub async fn exported<W: std::io::Write>(
    place: &Place,
    shop: &ShopId,
    out: &mut W,
) -> Result<Exported, BootstrapError> {
    let opened = Opened::at(place).await?;
    let done = export(&opened.core, shop, out).await;
    opened.close().await;
    Ok(done?)
}

/// Makes a deployment's canary: a shop of its own that writes an order every quarter of an hour and looks whether its
/// mail left in time. With an address its mails go there, marked; without one to SES's own simulator. A canary that is
/// there is completed, and gets the address.
///
/// # Errors
/// An address is not valid, or the table cannot be reached.
pub async fn canary(place: &Place, from: &str, to: Option<&str>) -> Result<ShopId, BootstrapError> {
    let shop = shop_id(CANARY)?;
    let opened = Opened::at(place).await?;
    let made = made_canary(&opened.core, &shop, from, to).await;
    opened.close().await;
    made.map(|()| shop)
}

/// What the canary's shop is called.
const CANARY: &str = "Canary";

async fn made_canary(
    core: &Core<DynamoStore>,
    shop: &ShopId,
    from: &str,
    to: Option<&str>,
) -> Result<(), BootstrapError> {
    make_canary(core, shop, from).await?;
    let mail_mode = to.map_or(MailMode::Live, |to| MailMode::Test { to: to.to_owned() });
    let input = SettingsInput {
        from_email: Some(from.to_owned()),
        mail_mode: Some(mail_mode),
        ..SettingsInput::default()
    };
    save_settings(core, shop, &input, None).await?;
    Ok(())
}

/// A table that is open for a moment.
struct Opened {
    core: Core<DynamoStore>,
    local: Option<(Engine, File)>,
}

impl Opened {
    async fn at(place: &Place) -> Result<Self, BootstrapError> {
        match place {
            Place::Table(name) => {
                let store = DynamoStore::new(stagepost_dynamodb::client().await, name.as_str());
                Ok(Self { core: system::core(store, None), local: None })
            }
            Place::Folder(folder) => {
                let lock = prepare_folder(folder)?;
                let engine = Engine::start(Some(&folder.join(DATABASE)))?;
                let client = engine.client();
                stagepost_dynamodb::create_table(&client, TABLE).await?;
                // No order is decided here and no mail is sent: no restore matters.
                let core = system::core(DynamoStore::new(client, TABLE), None);
                Ok(Self { core, local: Some((engine, lock)) })
            }
        }
    }

    /// Waits until the folder is free again.
    async fn close(self) {
        if let Some((engine, lock)) = self.local {
            engine.stop().await;
            drop(lock);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shop_is_called_by_its_name_or_its_id() {
        for called in ["Paper Boat", "paper-boat", "PAPER BOAT!", "shop_paperboat"] {
            assert_eq!(shop_id(called).unwrap().as_str(), "shop_paperboat", "{called}");
        }
        for nameless in ["", "折り紙", &"x".repeat(41)] {
            assert!(matches!(shop_id(nameless), Err(BootstrapError::NoId)), "{nameless}");
        }
    }
}
