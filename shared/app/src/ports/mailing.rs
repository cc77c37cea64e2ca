//! Mail.

use std::collections::BTreeMap;

use super::acting::ActError;

/// A mail ready to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Verified sender, `Name <address>`.
    pub from: String,
    /// Where answers go, if not there.
    pub reply_to: Option<String>,
    /// One recipient.
    pub to: String,
    /// One line.
    pub subject: String,
    /// HTML part.
    pub html: Option<String>,
    /// Plain part.
    pub text: Option<String>,
    /// ASCII tags that come back with delivery events.
    pub tags: BTreeMap<String, String>,
    /// SES's configuration set of the shop; the deployment's unless said.
    pub configuration_set: Option<String>,
}

/// Why a mail did not leave, or is not known to have left.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// The sender is stopped for everybody. It says nothing of this mail, which keeps all its attempts.
    #[error("{message}")]
    Paused {
        /// In words for the timeline.
        message: String,
    },
    /// The sender's rate or quota is used up. It says nothing of this mail, which keeps all its attempts.
    #[error("{message}")]
    TooFast {
        /// In words for the timeline.
        message: String,
        /// How long to wait at least.
        after: stagepost_domain::SignedDuration,
    },
    /// This one did not work.
    #[error(transparent)]
    Failed(#[from] ActError),
}

/// Sends mail, at most once per call: no retry below this port.
pub trait Mailer: Send + Sync {
    /// Sends and gives the provider's message id.
    fn send(&self, mail: &Mail) -> impl Future<Output = Result<String, MailError>> + Send;
}
