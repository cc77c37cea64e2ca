//! Calls under an idempotency key.

use stagepost_domain::Timestamp;
use stagepost_domain::id::ShopId;
use stagepost_domain::shop::Sealed;

use super::errors::{CommitError, StoreError};

/// Where a call that was made under an idempotency key stands.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CallState {
    /// Somebody works on it. After that time they are presumed dead.
    Running {
        /// The end of the lease.
        until: Timestamp,
    },
    /// It was refused without effect: the key may be used as if for the first time.
    Refused,
    /// It was done.
    Answered {
        /// Status, headers and body as JSON. Sealed: an answer may carry a secret that is shown once.
        answer: Sealed,
    },
}

/// A call under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CallRecord {
    /// Its tenant.
    pub shop: ShopId,
    /// Hash of caller, route and key: the same call has the same.
    pub id: String,
    /// Hash of the body and of what the caller might do.
    pub body: String,
    /// When its key was first used; a day later the record is gone.
    pub began_at: Timestamp,
    /// Where ids and secrets of everything that the call makes come from. Sealed: it tells those secrets.
    pub seed: Sealed,
    /// Counts writes of this record, from 1.
    pub version: u64,
    /// Where it stands.
    pub state: CallState,
}

/// Calls under idempotency keys.
pub trait CallStore: Send + Sync {
    /// The record, strongly consistent; one that is a day old at `now` is not there.
    fn call(
        &self,
        shop: &ShopId,
        id: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<CallRecord>, StoreError>> + Send;
    /// Writes the record over the version before it. Version 1 is written where no record is, or one that is a
    /// day old. The same write again is a success.
    fn put_call(&self, record: &CallRecord) -> impl Future<Output = Result<(), CommitError>> + Send;
}
