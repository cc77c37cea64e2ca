//! What a store answers when it could not do it.

use stagepost_domain::disposition::Disposition;

/// The store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Too many requests for now.
    #[error("the store throttles")]
    Throttled,
    /// No answer, or an error on its side. A write may have happened.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// An item is not what its schema says.
    #[error("stored item {item} is not valid: {reason}")]
    Corrupt {
        /// Its key.
        item: String,
        /// What is wrong.
        reason: String,
    },
    /// An item was written by a later release than this one: after a roll-back the later one comes again.
    #[error("stored item {item} has a schema that is newer than this program")]
    Newer {
        /// Its key.
        item: String,
    },
    /// The item would be larger than the store takes.
    #[error("the item is too large to store")]
    TooLarge,
}

impl StoreError {
    /// What to do about it. Writes are conditional and carry their own identity, so trying again is safe.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Throttled | Self::Unavailable(_) | Self::Newer { .. } => Disposition::RETRY,
            Self::Corrupt { .. } | Self::TooLarge => Disposition::Permanent,
        }
    }
}

/// A conditional write did not take place.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else wrote first: read again and decide again. (A write that lost to its own retry is a
    /// success and never shows here.)
    #[error("another write came first")]
    LostRace,
    /// Another transaction is working on the item: the same as a lost race, but nothing has changed yet.
    #[error("another transaction is in the way")]
    Conflict,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
