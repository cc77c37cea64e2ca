//! The first shop of a deployment, and a fresh key for whoever lost all of theirs: straight into the table, past
//! the API, which lets nobody in without a key.

use std::fs::File;
use std::path::PathBuf;

use stagepost_app::Core;
use stagepost_app::config::{ConfigError, create_key, create_shop};
use stagepost_app::ports::StoreError;
use stagepost_domain::id::ShopId;
use stagepost_domain::shop::Role;
use stagepost_dynamodb::DynamoStore;
use stagepost_lambda::system;

use crate::engine::{Engine, EngineError};
use crate::host::{DATABASE, HostError, TABLE, prepare_folder};

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
    /// What was given is not valid, or the shop is there.
    #[error("{0}")]
    Refused(String),
    /// The table: there is none of that name, or it cannot be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
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

/// Makes a shop and its first owner key, which is given this once.
///
/// # Errors
/// The shop is there already, name or sender are not valid, or the table cannot be reached.
pub async fn bootstrap(
    place: &Place,
    shop: &ShopId,
    name: &str,
    from: &str,
) -> Result<String, BootstrapError> {
    let opened = Opened::at(place).await?;
    let made = create_shop(&opened.core, shop, name, from).await;
    opened.close().await;
    Ok(made?)
}

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
                Ok(Self { core: system::core(store), local: None })
            }
            Place::Folder(folder) => {
                let lock = prepare_folder(folder)?;
                let engine = Engine::start(Some(&folder.join(DATABASE)))?;
                let client = engine.client();
                stagepost_dynamodb::create_table(&client, TABLE).await?;
                let core = system::core(DynamoStore::new(client, TABLE));
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
