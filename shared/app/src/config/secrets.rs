//! Secrets that people type in: what is taken of them, and how one takes the place of another.

use std::fmt;

use serde::{Deserialize, Deserializer};
use stagepost_domain::id::ShopId;
use stagepost_domain::keyring::Keyring;
use stagepost_domain::shop::Sealed;
use stagepost_domain::text::Invalid;

use super::ConfigError;
use crate::Core;
use crate::ports::{SecretKind, Secrets};

/// Longest secret or credential that is taken, in bytes.
pub const SECRET_MAX: usize = 500;

/// A secret as somebody writes it. Nothing that prints an input prints it.
#[derive(Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Plain(#[cfg_attr(feature = "schema", schemars(length(min = 1, max = 500)))] pub(super) String);

impl Plain {
    /// What somebody has entered.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plain({} bytes)", self.0.len())
    }
}

/// Tells `null` from nothing said.
pub(super) fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    value: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(value).map(Some)
}

/// The new secret in front of the one it takes the place of. One that does not open any more is another one
/// than what somebody has just typed in, or is as good as that.
pub(super) async fn replaced<S, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
    kind: SecretKind,
    fresh: Option<&Plain>,
    old: Keyring,
) -> Result<Keyring, ConfigError> {
    let Some(fresh) = fresh else { return Ok(old) };
    let sealed = seal(secrets, shop, kind, "webhook_secret", fresh).await?;
    let now = core.now();
    let mut same = Vec::new();
    for (one, _) in old.at(now) {
        if secrets.open(shop.into(), kind, one).await.is_ok_and(|plain| plain == fresh.0) {
            same.push(one.clone());
        }
    }
    Ok(old.replaced(sealed, |one| same.contains(one), now))
}

pub(super) async fn seal<K: Secrets>(
    secrets: &K,
    shop: &ShopId,
    kind: SecretKind,
    field: &str,
    Plain(plain): &Plain,
) -> Result<Sealed, ConfigError> {
    if plain.trim().is_empty() || plain.len() > SECRET_MAX {
        return Err(Invalid::new(field, format!("must have 1 to {SECRET_MAX} bytes")).into());
    }
    Ok(secrets.seal(shop.into(), kind, plain).await?)
}
