//! A mail as bytes.

use std::time::SystemTime;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use stagepost_app::ports::{ActError, Mail};
use stagepost_domain::Timestamp;
use stagepost_domain::text::tidy;

/// A header line's limit in RFC 5322.
const SUBJECT_MAX: usize = 998;

/// A mail as the relay gets it.
pub struct Letter {
    /// Envelope sender.
    pub from: Address,
    /// Envelope recipient.
    pub to: Address,
    /// Its `Message-ID`, without the brackets.
    pub id: String,
    /// Headers and body.
    pub bytes: Vec<u8>,
}

/// Puts a mail together. Text in other letters than ASCII is encoded, so that any relay takes it.
pub fn put_together(mail: &Mail, now: Timestamp, id: &str) -> Result<Letter, ActError> {
    let from: Mailbox =
        mail.from.parse().map_err(|_| ActError::permanent("the sender's address is not valid"))?;
    let to = crate::address(&mail.to)?;
    let id = format!("{id}@{}", from.email.domain());
    let subject = tidy(&mail.subject, SUBJECT_MAX).unwrap_or_default();
    let mut builder = Message::builder();
    if let Some(reply_to) = &mail.reply_to {
        builder = builder.reply_to(Mailbox::new(None, crate::address(reply_to)?));
    }
    let builder = builder
        .from(from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(subject)
        .message_id(Some(format!("<{id}>")))
        .date(SystemTime::from(now));
    let unbuildable = |_| ActError::permanent("the mail cannot be put together");
    let message = match (&mail.text, &mail.html) {
        (Some(text), Some(html)) => {
            builder.multipart(MultiPart::alternative_plain_html(text.clone(), html.clone()))
        }
        (Some(text), None) => builder.singlepart(SinglePart::plain(text.clone())),
        (None, Some(html)) => {
            builder.singlepart(SinglePart::builder().header(ContentType::TEXT_HTML).body(html.clone()))
        }
        (None, None) => return Err(ActError::permanent("the mail has no text")),
    };
    Ok(Letter { from: from.email, to, id, bytes: message.map_err(unbuildable)?.formatted() })
}
