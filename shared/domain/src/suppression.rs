//! Addresses that a shop does not mail to.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{InvalidId, ShopId, SuppressionId};
use crate::run::RunId;
use crate::search::SearchKey;
use crate::shop::Sealed;

/// Why a shop does not mail to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// A mail came back for good.
    HardBounce,
    /// Its owner called a mail spam.
    Complaint,
    /// Somebody of the shop put it there.
    ByHand,
}

/// An address that a shop does not mail to. It is found by a keyed hash; the address itself is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// Follows from shop and address.
    pub id: SuppressionId,
    /// Its tenant.
    pub shop: ShopId,
    /// The address.
    pub address: Sealed,
    /// Why.
    pub because: Because,
    /// Since when.
    pub since: Timestamp,
    /// The mail that it came of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

/// The id of an address in a shop, however it is capitalised.
///
/// # Errors
/// Never in truth: a hash is letters and digits.
pub fn suppression_id(key: &SearchKey, shop: &ShopId, address: &str) -> Result<SuppressionId, InvalidId> {
    SuppressionId::from_body(&key.address(shop, address))
}
