//! Why something was not done, or not known to be done.

use stagepost_domain::disposition::Disposition;

/// Why something was not done, or not known to be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ActError {
    /// What it means for the run.
    pub disposition: Disposition,
    /// In words for the timeline, without personal data or secrets.
    pub message: String,
}

impl ActError {
    /// It did not happen; try again.
    pub fn retry(message: impl Into<String>) -> Self {
        Self { disposition: Disposition::RETRY, message: message.into() }
    }

    /// It will not happen.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { disposition: Disposition::Permanent, message: message.into() }
    }

    /// It may have happened.
    pub fn ambiguous(message: impl Into<String>) -> Self {
        Self { disposition: Disposition::Ambiguous, message: message.into() }
    }
}
