//! API keys: shown once, stored as a hash, revoked at once.

use serde::Deserialize;
use stagepost_domain::id::{KeyId, ShopId, token_hash};
use stagepost_domain::member::{People, may_give};
use stagepost_domain::shop::{ApiKey, Role};
use stagepost_domain::text::required_name;

use super::{ConfigError, edited, refuse_above, saved};
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::people::ports::PeopleStore;
use crate::ports::{ConfigChange, ConfigStore};

/// Letters of a key that are shown to recognise it by, its `sp_` among them.
const PREFIX_LETTERS: usize = 9;

/// A key as somebody asks for it.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyInput {
    /// Name: whose it is, or what for.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 80)))]
    pub name: String,
    /// What it may do; at most what the caller may.
    pub role: Role,
}

/// Makes an API key for a caller of the role `by`; the token is shown once and stored as a hash.
///
/// # Errors
/// The name is not valid, the role is above the caller's, the shop has too many keys, or the store failed.
pub async fn make_key<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    by: Role,
    input: &KeyInput,
) -> Result<(ApiKey, String), ConfigError> {
    may_give(by, input.role)?;
    create_key(core, shop, &input.name, input.role).await
}

/// Makes an API key. One whose hash is there already was made by an earlier try of the same call.
///
/// # Errors
/// The name is not valid, the shop has too many keys, or the store failed.
pub async fn create_key<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    name: &str,
    role: Role,
) -> Result<(ApiKey, String), ConfigError> {
    let (key, token) = new_key(core, shop, name, role)?;
    for _ in 0..TRIES_MAX {
        let settings = edited(core, shop).await?;
        let keys = core.store.api_keys(shop).await?;
        if let Some(there) = keys.iter().find(|there| there.hash == key.hash) {
            return Ok((there.clone(), token));
        }
        refuse_above("api_keys", keys.len())?;
        if saved(core, ConfigChange::Key(key.clone()), &settings).await? {
            return Ok((key, token));
        }
    }
    Err(ConfigError::Busy)
}

/// A key as it is stored, and its token.
pub(super) fn new_key<S>(
    core: &Core<S>,
    shop: &ShopId,
    name: &str,
    role: Role,
) -> Result<(ApiKey, String), ConfigError> {
    let token: String = core.entropy.bytes().iter().map(|b| format!("{b:02x}")).collect();
    let token = format!("sp_{token}");
    let key = ApiKey {
        id: KeyId::from_body(&core.entropy.id_body())?,
        shop: shop.clone(),
        name: required_name("name", name, 80)?,
        role,
        prefix: token.chars().take(PREFIX_LETTERS).collect(),
        hash: token_hash(&token),
        created_at: core.now(),
        last_used_at: None,
    };
    Ok((key, token))
}

/// Revokes a key for a caller of the role `by`; gives what it was. Causes keep naming its id.
///
/// # Errors
/// The shop has no such key, it is above the caller's role, it is the last owner, or the store failed.
pub async fn revoke_key<S: ConfigStore + PeopleStore>(
    core: &Core<S>,
    shop: &ShopId,
    by: Role,
    id: &KeyId,
) -> Result<ApiKey, ConfigError> {
    let mut tried: Option<ApiKey> = None;
    for _ in 0..TRIES_MAX {
        let settings = edited(core, shop).await?;
        let keys = core.store.api_keys(shop).await?;
        let Some(key) = keys.iter().find(|key| key.id == *id) else {
            // Gone by our own write, whose answer was lost; or by somebody else's, which is as good.
            return tried.ok_or(ConfigError::NotFound);
        };
        let members = core.store.members(shop).await?;
        People { members: &members, keys: &keys }.may_revoke(by, key)?;
        if saved(core, ConfigChange::NoKey(key.clone()), &settings).await? {
            return Ok(key.clone());
        }
        tried = Some(key.clone());
    }
    Err(ConfigError::Busy)
}
