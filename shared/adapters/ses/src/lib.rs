//! Mail by Amazon SES v2, at most once (law 11).
//!
//! SES has no idempotency token: a second call is a second mail. So nothing here, and nothing in the SDK
//! below, tries twice, and [`classify`] says *ambiguous* whenever SES may have taken the mail.

mod address;
mod classify;
mod senders;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::config::timeout::TimeoutConfig;
use aws_sdk_sesv2::error::BuildError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageTag};
use stagepost_app::ports::{ActError, Mail, MailError, Mailer};

pub use address::from_header;
pub use aws_sdk_sesv2::Client;
pub use classify::classify;
pub use senders::SesSenders;

/// The whole call. A claim's lease must be longer.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const CHARSET: &str = "UTF-8";
/// Longest tag name or value (integrations §7.1).
const TAG_MAX: usize = 256;
/// Most tags of a message.
const TAGS_MAX: usize = 50;
/// A header line's limit in RFC 5322.
const SUBJECT_MAX: usize = 998;

/// A client that sends once: no retries, bounded in time. Takes what the SDK's own configuration converts
/// from: `&SdkConfig`, or a builder in tests.
pub fn client(base: impl Into<aws_sdk_sesv2::config::Builder>) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(CALL_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT)
        .build();
    Client::from_conf(base.into().retry_config(RetryConfig::disabled()).timeout_config(timeouts).build())
}

/// Sends through SES.
#[derive(Debug, Clone)]
pub struct SesMailer {
    client: Client,
    configuration_set: Option<String>,
}

impl SesMailer {
    /// `client` is from [`client`]; the configuration set is where bounces and complaints are told.
    #[must_use]
    pub fn new(client: Client, configuration_set: Option<String>) -> Self {
        Self { client, configuration_set }
    }
}

impl Mailer for SesMailer {
    async fn send(&self, mail: &Mail) -> Result<String, MailError> {
        let to = address::recipient(&mail.to)?;
        let reply_to = mail.reply_to.as_deref().map(address::recipient).transpose()?;
        // Each shop its own, where it has one: its reputation is told apart from the others'.
        let own = mail.configuration_set.clone();
        let request = self
            .client
            .send_email()
            .from_email_address(address::sender(&mail.from))
            .destination(Destination::builder().to_addresses(to).build())
            .content(content(mail)?)
            .set_email_tags(Some(tags(&mail.tags)))
            .set_reply_to_addresses(reply_to.map(|address| vec![address]))
            .set_configuration_set_name(own.or_else(|| self.configuration_set.clone()));
        let answer = request.send().await.map_err(|error| classify(&error))?;
        // An answer without an id would be a sent mail that no delivery event can be matched to.
        let unnamed = || ActError::ambiguous("SES answered without a message id");
        Ok(answer.message_id.ok_or_else(unnamed)?)
    }
}

fn content(mail: &Mail) -> Result<EmailContent, ActError> {
    if mail.html.is_none() && mail.text.is_none() {
        return Err(ActError::permanent("the mail has no text"));
    }
    let subject = stagepost_domain::text::tidy(&mail.subject, SUBJECT_MAX).unwrap_or_default();
    let part = |text: &Option<String>| text.as_deref().map(utf8).transpose();
    let unbuildable = |_: BuildError| ActError::permanent("the mail cannot be put together");
    let body = Body::builder()
        .set_html(part(&mail.html).map_err(unbuildable)?)
        .set_text(part(&mail.text).map_err(unbuildable)?)
        .build();
    let message = Message::builder().subject(utf8(&subject).map_err(unbuildable)?).body(body).build();
    Ok(EmailContent::builder().simple(message).build())
}

/// SES takes text for 7-bit ASCII unless told otherwise.
fn utf8(text: &str) -> Result<Content, BuildError> {
    Content::builder().data(text).charset(CHARSET).build()
}

fn tags(tags: &BTreeMap<String, String>) -> Vec<MessageTag> {
    tags.iter()
        .filter_map(|(name, value)| {
            MessageTag::builder().name(tag_text(name)?).value(tag_text(value)?).build().ok()
        })
        .take(TAGS_MAX)
        .collect()
}

/// `[A-Za-z0-9_-]`, at most 256: an order number like `#1001` becomes `-1001`.
fn tag_text(text: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let clean: String = text.chars().take(TAG_MAX).map(|c| if allowed(c) { c } else { '-' }).collect();
    (!clean.is_empty()).then_some(clean)
}

#[cfg(test)]
mod tests;
