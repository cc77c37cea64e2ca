//! SES's records (integrations §7.4): as a topic with raw delivery hands them on, or wrapped in its envelope.

use std::collections::BTreeMap;

use serde::Deserialize;
use stagepost_app::mail::events::{MailEvent, run_of};
use stagepost_domain::Timestamp;
use stagepost_domain::feedback::{Fate, Word};

/// Most addresses looked at of one record: our mails have one recipient.
const ADDRESSES_MAX: usize = 50;

/// A message that is no record of SES's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a record of SES")]
pub struct Unreadable;

/// The topic's envelope: the record is a JSON string in it.
#[derive(Deserialize)]
struct Enveloped {
    #[serde(rename = "Message")]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_type: String,
    mail: Sent,
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
    delivery: Option<At>,
    delivery_delay: Option<At>,
    reject: Option<Reject>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    message_id: String,
    timestamp: Option<Timestamp>,
    #[serde(default)]
    tags: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    bounce_type: String,
    #[serde(default)]
    bounced_recipients: Vec<Recipient>,
    timestamp: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    #[serde(default)]
    complained_recipients: Vec<Recipient>,
    timestamp: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    email_address: String,
}

#[derive(Deserialize)]
struct At {
    timestamp: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Reject {
    reason: Option<String>,
}

/// What a record tells of a mail of ours; `None` if it tells of another, or nothing that matters.
///
/// # Errors
/// It is no record.
pub fn read(body: &str) -> Result<Option<MailEvent>, Unreadable> {
    let inner = serde_json::from_str::<Enveloped>(body).map(|enveloped| enveloped.message);
    let text = inner.as_deref().unwrap_or(body);
    let record: Record = serde_json::from_str(text).map_err(|_| Unreadable)?;
    let tag = |name: &str| record.mail.tags.get(name).and_then(|values| values.first()).map(String::as_str);
    let Some(run) = run_of(tag) else { return Ok(None) };
    let Some((word, at, addresses)) = record.told() else { return Ok(None) };
    let at = at.or(record.mail.timestamp).ok_or(Unreadable)?;
    Ok(Some(MailEvent { run, message: record.mail.message_id.clone(), at, word, addresses }))
}

type Told = (Word, Option<Timestamp>, Vec<String>);

impl Record {
    fn told(&self) -> Option<Told> {
        let nobody = Vec::new;
        // The names differ by channel (integrations §7.4).
        match self.event_type.as_str() {
            "Send" => Some((Word::Sent, self.mail.timestamp, nobody())),
            "Delivery" => Some((Word::Fate(Fate::Delivered), self.delivery.as_ref()?.timestamp, nobody())),
            "DeliveryDelay" => {
                Some((Word::Fate(Fate::Delayed), self.delivery_delay.as_ref()?.timestamp, nobody()))
            }
            "Reject" => {
                let reason = self.reject.as_ref().and_then(|reject| reject.reason.clone());
                let reason = reason.unwrap_or_else(|| "SES does not say why".to_owned());
                Some((Word::Rejected { reason }, None, nobody()))
            }
            "Bounce" => self.bounce.as_ref().map(Bounce::told),
            "Complaint" => self.complaint.as_ref().map(|complaint| {
                let addresses = addresses(&complaint.complained_recipients);
                (Word::Fate(Fate::Complained), complaint.timestamp, addresses)
            }),
            _ => None,
        }
    }
}

impl Bounce {
    /// Only what SES calls permanent is for good: undetermined is doubt, and doubt suppresses nobody.
    fn told(&self) -> Told {
        let fate = if self.bounce_type == "Permanent" { Fate::HardBounced } else { Fate::SoftBounced };
        (Word::Fate(fate), self.timestamp, addresses(&self.bounced_recipients))
    }
}

/// Some servers' reports wrap the address in angle brackets, with a name before.
fn addresses(recipients: &[Recipient]) -> Vec<String> {
    let plain = |r: &Recipient| {
        let text = r.email_address.trim();
        let inner = text.rsplit_once('<').and_then(|(_, rest)| rest.strip_suffix('>'));
        inner.unwrap_or(text).to_owned()
    };
    recipients.iter().take(ADDRESSES_MAX).map(plain).collect()
}
