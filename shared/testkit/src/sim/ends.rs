//! The other far ends: a mail provider, a merchant's receiver, queues, a vault that is none.

use stagepost_app::mail::TrackingLinks;
use stagepost_app::ports::{
    ActError, Answer, Clock, Doorbell, DoorbellError, JobDoorbell, Mail, MailError, Mailer, Post, Ring,
    Scope, SecretAction, SecretError, SecretKind, Secrets, WebhookSender,
};
use stagepost_domain::id::{JobId, ShopId};
use stagepost_domain::order::Order;
use stagepost_domain::run::{RunId, later};
use stagepost_domain::shop::Sealed;
use stagepost_domain::{SignedDuration, Timestamp};

use super::dice::{Dice, Shelf, breathe};
use crate::ManualClock;

/// A mail provider that sometimes sends and does not say so.
#[derive(Clone)]
pub(super) struct Provider {
    pub dice: Dice,
    /// Every mail that really left.
    pub accepted: Shelf<Mail>,
}

impl Mailer for Provider {
    async fn send(&self, mail: &Mail) -> Result<String, MailError> {
        breathe().await;
        if self.dice.fault(8) {
            return Err(ActError::retry("too many mails for now").into());
        }
        if self.dice.fault(2) {
            return Err(ActError::permanent("the sender is not verified").into());
        }
        if self.dice.fault(4) {
            return Err(ActError::ambiguous("no answer, and nothing sent").into());
        }
        self.accepted.put(mail.clone());
        breathe().await;
        if self.dice.fault(8) {
            return Err(ActError::ambiguous("no answer").into());
        }
        Ok("message".to_owned())
    }
}

/// A call that reached the receiver.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub id: String,
    pub body: Vec<u8>,
    /// It did what it does on such a call.
    pub took: bool,
}

/// A merchant's receiver that sometimes acts and then times out.
#[derive(Clone)]
pub(super) struct Receiver {
    pub dice: Dice,
    pub received: Shelf<Received>,
}

impl WebhookSender for Receiver {
    async fn post(&self, post: &Post, silent: impl Future<Output = ()> + Send) -> Result<Answer, ActError> {
        breathe().await;
        let status = match self.dice.below(100) {
            _ if !self.dice.fault(100) => 204,
            0..15 => 503,
            15..18 => 429,
            18..20 => 410,
            20..25 => 0,
            _ => 204,
        };
        if self.dice.fault(5) {
            return Err(ActError::retry("connection refused"));
        }
        let id = post.headers.iter().find(|(name, _)| *name == "webhook-id").map(|(_, id)| id.clone());
        let took = matches!(status, 0 | 204);
        self.received.put(Received { id: id.unwrap_or_default(), body: post.body.clone(), took });
        breathe().await;
        match status {
            0 => {
                silent.await;
                Err(ActError::ambiguous("timed out"))
            }
            429 => Ok(Answer { retry_after: Some(SignedDuration::from_mins(10)), ..Answer::of(status) }),
            _ => Ok(Answer::of(status)),
        }
    }
}

/// A message in a queue.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub run: RunId,
    pub not_before: Timestamp,
}

/// The queues: they take, refuse, or take and say that they did not.
#[derive(Clone)]
pub(super) struct Bell {
    pub dice: Dice,
    pub clock: ManualClock,
    pub queue: Shelf<Message>,
}

impl Doorbell for Bell {
    async fn ring(&self, rings: &[Ring]) -> Result<(), DoorbellError> {
        breathe().await;
        let refused = || DoorbellError("no answer".to_owned());
        if self.dice.fault(4) {
            return Err(refused());
        }
        let now = self.clock.now();
        self.queue.open().extend(rings.iter().map(|ring| {
            let delay = SignedDuration::try_from(ring.delay).unwrap_or_default();
            Message { run: ring.run.clone(), not_before: later(now, delay) }
        }));
        breathe().await;
        if self.dice.fault(3) { Err(refused()) } else { Ok(()) }
    }
}

impl JobDoorbell for Bell {
    async fn ring_job(&self, _: &ShopId, _: &JobId) -> Result<(), DoorbellError> {
        // No world has jobs: what they do goes through the same decisions, which the worlds do try.
        Ok(())
    }
}

/// Seals nothing; the key service is sometimes away.
#[derive(Clone)]
pub(super) struct Vault {
    pub dice: Dice,
}

impl Secrets for Vault {
    async fn seal(&self, _: Scope<'_>, _: SecretKind, plain: &str) -> Result<Sealed, SecretError> {
        Ok(Sealed(plain.to_owned()))
    }

    async fn open(&self, _: Scope<'_>, kind: SecretKind, sealed: &Sealed) -> Result<String, SecretError> {
        breathe().await;
        if self.dice.fault(1) {
            return Err(SecretError::away(kind, SecretAction::Open, "the key service does not answer"));
        }
        Ok(sealed.0.clone())
    }
}

/// The link in every mail.
#[derive(Clone, Copy)]
pub(super) struct Links;

impl TrackingLinks for Links {
    fn link(&self, order: &Order) -> String {
        format!("https://track.test/{}", order.id)
    }
}
