//! Queues: doorbells, the inbound queue, dead letters.

use std::time::Duration;

use stagepost_domain::disposition::Disposition;
use stagepost_domain::id::{JobId, ShopId};
use stagepost_domain::run::RunId;

use crate::envelope::Envelope;

/// One ring: a hint that a run is due. The run's record is the truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// The run.
    pub run: RunId,
    /// Not before; queues hold it back up to 15 minutes.
    pub delay: Duration,
}

/// The queues in front of the runners.
pub trait Doorbell: Send + Sync {
    /// Rings once for each; all or an error.
    fn ring(&self, rings: &[Ring]) -> impl Future<Output = Result<(), DoorbellError>> + Send;
}

/// The queue in front of the job runner.
pub trait JobDoorbell: Send + Sync {
    /// Rings for a job.
    fn ring_job(&self, shop: &ShopId, job: &JobId) -> impl Future<Output = Result<(), DoorbellError>> + Send;
}

/// The queue did not take it; the due index still holds the run.
#[derive(Debug, thiserror::Error)]
#[error("the queue did not take it: {0}")]
pub struct DoorbellError(pub String);

/// A message that this release cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    /// Not one of ours: nobody will ever read it.
    #[error("the message is not one of this queue")]
    Garbage,
    /// Made by another release, which reads it when it comes back: while one takes the place of another, both run.
    #[error("the message has version {0}, which this release does not know")]
    Version(u32),
}

/// Where messages go that nobody can read: at once, without a retry.
pub trait DeadLetters: Send + Sync {
    /// Keeps the message for a person.
    fn bury(&self, body: &str) -> impl Future<Output = Result<(), DoorbellError>> + Send;
}

/// The queue in front of `inbound-runner`: where notifications wait while the store is away.
pub trait InboundQueue: Send + Sync {
    /// Keeps a packed arrival until it could be decided.
    fn keep(&self, packed: &Envelope) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// A queue did not take a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// It is away, or refuses for now.
    #[error("the queue did not take it: {0}")]
    Away(String),
    /// No message of this size is ever taken.
    #[error("a message of {bytes} bytes is more than the queue takes")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

impl QueueError {
    /// What to do about it. A message kept twice is decided once, so trying again is safe.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Away(_) => Disposition::RETRY,
            Self::TooLarge { .. } => Disposition::Permanent,
        }
    }
}
