//! What a function finds in its environment. Every variable that a deployment sets is named here; the
//! log's level, `STAGEPOST_LOG`, is read by [`telemetry`](crate::telemetry). Those that are `pub` are given to the
//! functions that read them, the others to all.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use stagepost_domain::restore::RestoredAt;
use url::Url;

/// Name of the DynamoDB table. All functions.
pub const TABLE_NAME: &str = "TABLE_NAME";
/// URL of the queue in front of `email-runner`. `dispatch`, `wake` and `email-runner` itself.
pub const EMAIL_QUEUE_URL: &str = "EMAIL_QUEUE_URL";
/// URL of the queue in front of `webhook-runner`. `dispatch` and `wake`.
pub const WEBHOOK_QUEUE_URL: &str = "WEBHOOK_QUEUE_URL";
/// URL of the queue in front of `fulfillment-runner`. `dispatch` and `wake`.
pub const FULFILLMENT_QUEUE_URL: &str = "FULFILLMENT_QUEUE_URL";
/// URL of the queue in front of `job-runner`. `dispatch`, `wake` and `job-runner` itself.
pub const JOBS_QUEUE_URL: &str = "JOBS_QUEUE_URL";
/// URL of the queue in front of `tracker-runner`. `dispatch` and `wake`.
pub const TRACKER_QUEUE_URL: &str = "TRACKER_QUEUE_URL";
/// URL of the queue in front of `inbound-runner`. `api`, `console` and the three functions
/// behind `/webhooks/`.
pub const INBOUND_QUEUE_URL: &str = "INBOUND_QUEUE_URL";
/// URL of the queue for messages that nobody can read. The runners.
pub const DEAD_LETTER_QUEUE_URL: &str = "DEAD_LETTER_QUEUE_URL";
/// Where people reach the pages, and start of the links in mails, `https://track.example.com/`. `api`, `console`,
/// `tracking` and `email-runner`.
pub const PUBLIC_URL: &str = "PUBLIC_URL";
/// Name of the SES configuration set that bounces and complaints are told to; none if it is not set.
/// `email-runner`.
pub const SES_CONFIGURATION_SET: &str = "SES_CONFIGURATION_SET";
/// URL of a mail relay, with user and password; SES sends if it is not set. `email-runner`.
pub const SMTP_URL: &str = "SMTP_URL";
/// Set to anything if a relay takes the mails: nobody can say which senders it knows. `api` and `console`.
pub const MAILS_BY_RELAY: &str = "MAILS_BY_RELAY";
/// How many mails SES takes of the account in a second; the sandbox's 1 if it is not set. `email-runner`.
pub const MAILS_PER_SECOND: &str = "MAILS_PER_SECOND";
/// The key service's key that seals secrets: an id, an ARN or an alias. All functions that open secrets; if it
/// is not set, [`STAGEPOST_KEY`] seals them.
pub const KMS_KEY_ID: &str = "KMS_KEY_ID";
/// The deployment's own key: 32 random bytes in base64 or hex. All functions that make links, `dispatch`, `api`
/// and `console` for the search, and those that open secrets where no key service does.
pub const STAGEPOST_KEY: &str = "STAGEPOST_KEY";

/// When the deployment began, if its table was restored from a point in time, `2026-11-26T12:00:00Z`: what is from
/// before that may have been done already. All functions; it stays for as long as the table is used.
pub const RESTORED_AT: &str = "RESTORED_AT";
/// Name of the deployment, its stack's: figures stand under it. All functions.
const STAGEPOST_DEPLOYMENT: &str = "STAGEPOST_DEPLOYMENT";
/// Set by Lambda itself.
const AWS_LAMBDA_FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// The deployment that this is a function of; none on a laptop.
#[must_use]
pub fn deployment() -> Option<String> {
    optional(AWS_LAMBDA_FUNCTION_NAME).and_then(|_| optional(STAGEPOST_DEPLOYMENT))
}

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

/// A variable's whole number, if it is set.
///
/// # Errors
/// It is no number.
pub fn number(name: &'static str) -> Result<Option<u32>, BadVariable> {
    let read =
        |text: String| text.parse().map_err(|_| BadVariable { name, problem: "is not a whole number" });
    optional(name).map(read).transpose()
}

/// A variable's URL.
///
/// # Errors
/// It is not set, or no URL.
pub fn url(name: &'static str) -> Result<Url, BadVariable> {
    Url::parse(&text(name)?).map_err(|_| BadVariable { name, problem: "is not a URL" })
}

/// When the deployment began, from [`RESTORED_AT`], if its table was restored.
///
/// # Errors
/// It is no time.
pub fn restored_at() -> Result<Option<RestoredAt>, BadVariable> {
    let problem = "is not a time like 2026-11-26T12:00:00Z";
    let read =
        |text: String| RestoredAt::parse(&text).map_err(|_| BadVariable { name: RESTORED_AT, problem });
    optional(RESTORED_AT).map(read).transpose()
}

/// The key service's key, from [`KMS_KEY_ID`], if one is named.
#[must_use]
pub fn kms_key() -> Option<String> {
    optional(KMS_KEY_ID)
}

/// The deployment's own key, from [`STAGEPOST_KEY`].
///
/// # Errors
/// It is not set, or not 32 bytes.
pub fn key() -> Result<[u8; 32], BadVariable> {
    decode_key(&text(STAGEPOST_KEY)?)
}

/// The same, if it is set.
///
/// # Errors
/// It is not 32 bytes.
pub fn optional_key() -> Result<Option<[u8; 32]>, BadVariable> {
    optional(STAGEPOST_KEY).map(|text| decode_key(&text)).transpose()
}

/// Secrets Manager makes no base64, but texts of chosen letters: hex is one of them.
fn decode_key(text: &str) -> Result<[u8; 32], BadVariable> {
    let bytes = if text.len() == 64 { from_hex(text) } else { STANDARD.decode(text).ok() };
    let key = bytes.and_then(|bytes| bytes.try_into().ok());
    key.ok_or(BadVariable { name: STAGEPOST_KEY, problem: "is not 32 bytes in base64 or hex" })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Vec<u8> = text.bytes().map(|byte| digit(&byte)).collect::<Option<_>>()?;
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_bytes_and_is_never_repeated_in_an_error() {
        assert_eq!(decode_key(&STANDARD.encode([7; 32])), Ok([7; 32]));
        assert_eq!(decode_key(&"c0fe".repeat(16)), Ok([0xc0, 0xfe].repeat(16).try_into().unwrap()));
        for wrong in ["c2VjcmV0", "not base64!", &"g".repeat(64), &"a".repeat(63)] {
            assert!(!decode_key(wrong).unwrap_err().to_string().contains(wrong));
        }
    }

    #[test]
    fn a_variable_that_is_missing_is_named() {
        let error = text("STAGEPOST_NO_SUCH_VARIABLE").unwrap_err();
        assert_eq!(error.to_string(), "the environment variable STAGEPOST_NO_SUCH_VARIABLE is not set");
    }
}
