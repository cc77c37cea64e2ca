//! Addresses that a shop does not mail to: what they are to people, who see them opened.

use stagepost_domain::Timestamp;
use stagepost_domain::id::{InvalidId, ShopId, SuppressionId};
use stagepost_domain::run::RunId;
use stagepost_domain::search::SearchKey;
use stagepost_domain::suppression::{Because, Suppression, suppression_id};
use stagepost_domain::text::{Invalid, email_address};

use super::ports::SuppressionStore;
use crate::Core;
use crate::ports::{Page, SecretError, SecretKind, Secrets, StoreError};

/// An address that a shop does not mail to, readable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: SuppressionId,
    /// The address; none if it cannot be opened any more.
    pub address: Option<String>,
    /// Why.
    pub because: Because,
    /// Since when.
    pub since: Timestamp,
    /// The mail that it came of.
    pub run: Option<RunId>,
}

/// An address was not put aside, or not shown.
#[derive(Debug, thiserror::Error)]
pub enum SuppressionError {
    /// It is none.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be sealed.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A hash that is none.
    #[error(transparent)]
    Id(#[from] InvalidId),
}

/// Has a shop not mail to an address any more. What is there already stays as it is.
///
/// # Errors
/// No address, or the store failed.
pub async fn suppress<S: SuppressionStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    key: &SearchKey,
    shop: &ShopId,
    address: &str,
    because: Because,
    run: Option<RunId>,
) -> Result<Listed, SuppressionError> {
    let address = email_address("address", address)?;
    let sealed = secrets.seal(shop.into(), SecretKind::SuppressedAddress, &address).await?;
    let id = suppression_id(key, shop, &address)?;
    let wanted = Suppression { id, shop: shop.clone(), address: sealed, because, since: core.now(), run };
    let kept = core.store.suppress(&wanted).await?;
    let Suppression { id, because, since, run, .. } = kept;
    Ok(Listed { id, address: Some(address), because, since, run })
}

/// A page of a shop's suppressed addresses, opened.
///
/// # Errors
/// The store failed, or what opens them is away.
pub async fn list<S: SuppressionStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Page<Listed>, SuppressionError> {
    let Page { items, next } = core.store.suppressions(shop, cursor, limit).await?;
    let mut listed = Vec::with_capacity(items.len());
    for item in items {
        listed.push(opened(secrets, item).await?);
    }
    Ok(Page { items: listed, next })
}

/// One of them.
///
/// # Errors
/// The store failed, or what opens it is away.
pub async fn read<S: SuppressionStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
    id: &SuppressionId,
) -> Result<Option<Listed>, SuppressionError> {
    match core.store.suppression(shop, id).await? {
        Some(found) => Ok(Some(opened(secrets, found).await?)),
        None => Ok(None),
    }
}

/// One whose key is gone for good is still shown, and can be taken away.
async fn opened<K: Secrets>(secrets: &K, item: Suppression) -> Result<Listed, SecretError> {
    let opened = secrets.open((&item.shop).into(), SecretKind::SuppressedAddress, &item.address).await;
    let address = match opened {
        Ok(address) => Some(address),
        Err(error) if error.disposition == stagepost_domain::disposition::Disposition::Permanent => None,
        Err(error) => return Err(error),
    };
    let Suppression { id, because, since, run, .. } = item;
    Ok(Listed { id, address, because, since, run })
}
