//! What sends the local host's mails: the mailbox, which tells of some as SES's mailbox simulator does, or a relay.

use std::sync::Arc;

use serde_json::{Value, json};
use stagepost_app::ports::{Clock, Mail, MailError, Mailer};
use stagepost_smtp::SmtpMailer;
use stagepost_sqs::Client;

use crate::mailbox::Mailbox;
use crate::pulse::Pulse;

/// Mails to these addresses have a fate, as at SES itself: `success@`, `bounce@`, `ooto@`, `complaint@` and
/// `suppressionlist@`. Any other mail just stays in the mailbox.
const SIMULATED: &str = "@simulator.amazonses.com";

/// Sends.
#[derive(Clone)]
pub enum LocalMailer {
    /// Into the mailbox.
    Mailbox(Simulator),
    /// By a relay.
    Relay(SmtpMailer),
}

impl Mailer for LocalMailer {
    async fn send(&self, mail: &Mail) -> Result<String, MailError> {
        match self {
            Self::Mailbox(simulator) => simulator.send(mail).await,
            Self::Relay(relay) => relay.send(mail).await,
        }
    }
}

/// The mailbox with SES's simulator in front.
#[derive(Clone)]
pub struct Simulator {
    /// Keeps the mails.
    pub mailbox: Mailbox,
    /// The time of what it tells.
    pub clock: Arc<dyn Clock>,
    /// Reaches the queue.
    pub client: Client,
    /// In front of `email-events`.
    pub queue: String,
    /// Wakes its poller.
    pub pulse: Pulse,
}

impl Simulator {
    async fn send(&self, mail: &Mail) -> Result<String, MailError> {
        let id = self.mailbox.send(mail).await?;
        let at = self.clock.now().to_string();
        let records = records(mail, &id, &at);
        if records.is_empty() {
            return Ok(id);
        }
        for record in records {
            let told = self.client.send_message().queue_url(&self.queue).message_body(record.to_string());
            if let Err(error) = told.send().await {
                tracing::warn!(%error, "nobody hears what became of a mail");
            }
        }
        self.pulse.ring();
        Ok(id)
    }
}

/// What SES would tell of the mail (integrations §7.4).
fn records(mail: &Mail, id: &str, at: &str) -> Vec<Value> {
    let Some(name) = mail.to.strip_suffix(SIMULATED) else { return Vec::new() };
    let delivery = || ("Delivery", "delivery", json!({"timestamp": at}));
    let bounce = || {
        let who = json!([{"emailAddress": mail.to}]);
        let bounce = json!({"bounceType": "Permanent", "bouncedRecipients": who, "timestamp": at});
        ("Bounce", "bounce", bounce)
    };
    let told = match name {
        "success" | "ooto" => vec![delivery()],
        "bounce" | "suppressionlist" => vec![bounce()],
        "complaint" => {
            let who = json!([{"emailAddress": mail.to}]);
            let complaint = json!({"complainedRecipients": who, "timestamp": at});
            vec![delivery(), ("Complaint", "complaint", complaint)]
        }
        _ => Vec::new(),
    };
    let tags: Value = mail.tags.iter().map(|(name, value)| (name.clone(), json!([value]))).collect();
    let record = |(kind, field, what): (&str, &str, Value)| {
        json!({
            "eventType": kind,
            "mail": {"messageId": id, "timestamp": at, "destination": [mail.to], "tags": tags},
            field: what,
        })
    };
    told.into_iter().map(record).collect()
}
