//! What a function finds in its environment. Every variable that a deployment sets is named here; the
//! log's level, `STAGEPOST_LOG`, is read by [`telemetry`](crate::telemetry).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;

/// Name of the DynamoDB table. All functions but `dispatch`.
pub const TABLE_NAME: &str = "TABLE_NAME";
/// URL of the queue in front of `email-runner`. `dispatch` and `wake`.
pub const EMAIL_QUEUE_URL: &str = "EMAIL_QUEUE_URL";
/// URL of the queue in front of `webhook-runner`. `dispatch` and `wake`.
pub const WEBHOOK_QUEUE_URL: &str = "WEBHOOK_QUEUE_URL";
/// URL of the queue in front of `fulfillment-runner`. `dispatch` and `wake`.
pub const FULFILLMENT_QUEUE_URL: &str = "FULFILLMENT_QUEUE_URL";
/// URL of the queue in front of `job-runner`. `dispatch`, `wake` and `job-runner` itself.
pub const JOBS_QUEUE_URL: &str = "JOBS_QUEUE_URL";
/// URL of the queue for messages that nobody can read. The runners.
pub const DEAD_LETTER_QUEUE_URL: &str = "DEAD_LETTER_QUEUE_URL";
/// Start of the links in mails, `https://track.example.com/`. `api` and `email-runner`.
pub const PUBLIC_URL: &str = "PUBLIC_URL";
/// Name of the SES configuration set that bounces and complaints are told to; none if it is not set.
/// `email-runner`.
pub const SES_CONFIGURATION_SET: &str = "SES_CONFIGURATION_SET";
/// The deployment's key: base64 of 32 random bytes. All functions that open secrets or make links. It
/// stands in for a key service, which is to keep it out of the environment.
pub const STAGEPOST_KEY: &str = "STAGEPOST_KEY";

/// A variable is not there, or not what it should be. Never says what it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name} {problem}")]
pub struct BadVariable {
    /// Its name.
    pub name: &'static str,
    /// What is wrong.
    pub problem: &'static str,
}

/// A variable's text, if it is set to any.
#[must_use]
pub fn optional(name: &'static str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A variable's text.
///
/// # Errors
/// It is not set, or empty.
pub fn text(name: &'static str) -> Result<String, BadVariable> {
    optional(name).ok_or(BadVariable { name, problem: "is not set" })
}

/// A variable's URL.
///
/// # Errors
/// It is not set, or no URL.
pub fn url(name: &'static str) -> Result<Url, BadVariable> {
    Url::parse(&text(name)?).map_err(|_| BadVariable { name, problem: "is not a URL" })
}

/// The deployment's key, from [`STAGEPOST_KEY`].
///
/// # Errors
/// It is not set, or not base64 of 32 bytes.
pub fn key() -> Result<[u8; 32], BadVariable> {
    decode_key(&text(STAGEPOST_KEY)?)
}

fn decode_key(text: &str) -> Result<[u8; 32], BadVariable> {
    let problem = "is not base64 of 32 bytes";
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(BadVariable { name: STAGEPOST_KEY, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_bytes_and_is_never_repeated_in_an_error() {
        assert_eq!(decode_key(&STANDARD.encode([7; 32])), Ok([7; 32]));
        for wrong in ["c2VjcmV0", "not base64!"] {
            assert!(!decode_key(wrong).unwrap_err().to_string().contains(wrong));
        }
    }

    #[test]
    fn a_variable_that_is_missing_is_named() {
        let error = text("STAGEPOST_NO_SUCH_VARIABLE").unwrap_err();
        assert_eq!(error.to_string(), "the environment variable STAGEPOST_NO_SUCH_VARIABLE is not set");
    }
}
