//! The queues on SQS. The doorbell's messages are small and name a run: the run's record is the truth, so a
//! message that is lost, late or doubled costs nothing but a look. The inbound queue's carry a notification
//! that the store could not take.

mod dead_letters;
mod inbound;
mod message;

use std::time::Duration;

use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use stagepost_app::mail::ports::{AskedMailDoorbell, Asker};
use stagepost_app::ports::{Doorbell, DoorbellError, JobDoorbell, Ring};
use stagepost_domain::event::Action;
use stagepost_domain::id::{JobId, MailId, ShopId};
use stagepost_domain::run::Target;

pub use aws_sdk_sqs::Client;
pub use dead_letters::SqsDeadLetters;
pub use inbound::{MESSAGE_MAX, SqsInboundQueue, decode_inbound, encode_inbound};
pub use message::{
    AskedMailMessage, JobMessage, decode, decode_asked_mail, decode_job, encode, encode_asked_mail,
    encode_job,
};
pub use stagepost_app::ports::BadMessage;

/// Most messages of one call (SQS).
const BATCH_MAX: usize = 10;
/// Longest delay of a message (integrations §8.2); a longer wait stands in the due index.
const DELAY_MAX: u64 = 900;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
const CALL_TIMEOUT: Duration = Duration::from_secs(8);

/// A client bounded in time; the SDK's own retries stay on, because a doubled ring is harmless. Takes what
/// the SDK's configuration converts from: `&SdkConfig`, or a builder.
pub fn client(base: impl Into<aws_sdk_sqs::config::Builder>) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT)
        .build();
    Client::from_conf(base.into().timeout_config(timeouts).build())
}

/// URLs of the queues, one in front of each runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queues {
    /// Mails.
    pub email: String,
    /// Calls of endpoints.
    pub webhook: String,
    /// Fulfillments on platforms.
    pub fulfillment: String,
    /// Jobs.
    pub jobs: String,
    /// Registrations with carrier services.
    pub tracker: String,
}

impl Queues {
    fn of(&self, action: Action) -> &str {
        match action {
            Action::Email => &self.email,
            Action::Webhook => &self.webhook,
            Action::Fulfill => &self.fulfillment,
            Action::RegisterTracker => &self.tracker,
        }
    }
}

/// Rings by SQS.
#[derive(Debug, Clone)]
pub struct SqsDoorbell {
    client: Client,
    queues: Queues,
}

impl SqsDoorbell {
    /// `client` is from [`client`].
    #[must_use]
    pub fn new(client: Client, queues: Queues) -> Self {
        Self { client, queues }
    }

    /// Sends one batch; gives how many were not taken. SQS may refuse some with HTTP 200.
    async fn send(&self, action: Action, rings: &[&Ring]) -> Result<usize, DoorbellError> {
        let entries: Vec<_> =
            rings.iter().enumerate().map(|(i, ring)| entry(i, ring)).collect::<Result<_, _>>()?;
        let request =
            self.client.send_message_batch().queue_url(self.queues.of(action)).set_entries(Some(entries));
        let answer = request.send().await.map_err(|error| failed(action, error.code_or_kind()))?;
        Ok(rings.len().saturating_sub(answer.successful().len()))
    }
}

impl Doorbell for SqsDoorbell {
    /// A queue in trouble does not keep the others silent.
    async fn ring(&self, rings: &[Ring]) -> Result<(), DoorbellError> {
        let mut missed = 0;
        let mut trouble = None;
        for action in Action::ALL {
            let wanted: Vec<&Ring> = rings.iter().filter(|r| r.run.key.action() == action).collect();
            for batch in wanted.chunks(BATCH_MAX) {
                match self.send(action, batch).await {
                    Ok(refused) => missed += refused,
                    Err(error) => {
                        missed += batch.len();
                        trouble = Some(error.0);
                    }
                }
            }
        }
        match (missed, trouble) {
            (0, _) => Ok(()),
            (n, None) => Err(DoorbellError(format!("{n} of {} messages refused", rings.len()))),
            (n, Some(why)) => Err(DoorbellError(format!("{n} of {} messages not sent: {why}", rings.len()))),
        }
    }
}

impl JobDoorbell for SqsDoorbell {
    async fn ring_job(&self, shop: &ShopId, job: &JobId) -> Result<(), DoorbellError> {
        ring_job(&self.client, &self.queues.jobs, shop, job).await
    }
}

impl AskedMailDoorbell for SqsDoorbell {
    async fn ring_asked_mail(
        &self,
        asker: &Asker,
        mail: &MailId,
        delay: Duration,
    ) -> Result<(), DoorbellError> {
        ring_asked_mail(&self.client, &self.queues.email, asker, mail, delay).await
    }
}

async fn ring_asked_mail(
    client: &Client,
    queue: &str,
    asker: &Asker,
    mail: &MailId,
    wait: Duration,
) -> Result<(), DoorbellError> {
    let body = encode_asked_mail(&AskedMailMessage { of: asker.clone(), mail: mail.clone() });
    let request = client.send_message().queue_url(queue).message_body(body).delay_seconds(delay(wait));
    request.send().await.map(drop).map_err(|error| failed(Action::Email, error.code_or_kind()))
}

/// Rings again for runs of one action, as its own runner does: it may send to no other queue.
#[derive(Debug, Clone)]
pub struct SqsOwnQueue {
    client: Client,
    action: Action,
    queue: String,
}

impl SqsOwnQueue {
    /// `client` is from [`client`], `queue` the URL of the queue in front of the runner of `action`.
    #[must_use]
    pub fn new(client: Client, action: Action, queue: String) -> Self {
        Self { client, action, queue }
    }
}

impl Doorbell for SqsOwnQueue {
    async fn ring(&self, rings: &[Ring]) -> Result<(), DoorbellError> {
        for ring in rings.iter().filter(|ring| ring.run.key.action() == self.action) {
            let request = self.client.send_message().queue_url(&self.queue).message_body(encode(&ring.run));
            let request = request.set_message_group_id(group(&ring.run.key.target));
            let sent = request.delay_seconds(delay(ring.delay)).send().await;
            sent.map_err(|error| failed(self.action, error.code_or_kind()))?;
        }
        Ok(())
    }
}

impl AskedMailDoorbell for SqsOwnQueue {
    async fn ring_asked_mail(
        &self,
        asker: &Asker,
        mail: &MailId,
        delay: Duration,
    ) -> Result<(), DoorbellError> {
        ring_asked_mail(&self.client, &self.queue, asker, mail, delay).await
    }
}

/// Rings for jobs and nothing else.
#[derive(Debug, Clone)]
pub struct SqsJobs {
    client: Client,
    queue: String,
}

impl SqsJobs {
    /// `client` is from [`client`], `queue` the URL of the jobs' queue.
    #[must_use]
    pub fn new(client: Client, queue: String) -> Self {
        Self { client, queue }
    }
}

impl JobDoorbell for SqsJobs {
    async fn ring_job(&self, shop: &ShopId, job: &JobId) -> Result<(), DoorbellError> {
        ring_job(&self.client, &self.queue, shop, job).await
    }
}

/// A group per shop keeps the queue fair: one shop's back-fill does not make the others wait.
async fn ring_job(client: &Client, queue: &str, shop: &ShopId, job: &JobId) -> Result<(), DoorbellError> {
    let body = encode_job(&JobMessage { shop: shop.clone(), job: job.clone() });
    let request = client.send_message().queue_url(queue).message_body(body);
    let sent = request.message_group_id(shop.as_str()).send().await;
    sent.map(drop).map_err(|error| DoorbellError(format!("jobs queue: {}", error.code_or_kind())))
}

fn entry(index: usize, ring: &Ring) -> Result<SendMessageBatchRequestEntry, DoorbellError> {
    SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(encode(&ring.run))
        .delay_seconds(delay(ring.delay))
        .set_message_group_id(group(&ring.run.key.target))
        .build()
        .map_err(|_| DoorbellError("a message cannot be put together".to_owned()))
}

/// Whole seconds, rounded up: a run that is looked at too early rings twice.
fn delay(wait: Duration) -> i32 {
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    i32::try_from(seconds.min(DELAY_MAX)).unwrap_or_default()
}

/// On a standard queue a message group makes the queue fair: the backlog of one endpoint, or one account,
/// does not make the others wait (law 16).
fn group(target: &Target) -> Option<String> {
    match target {
        Target::Webhook(endpoint, _) => Some(endpoint.as_str().to_owned()),
        // One account's limit, or its import of a thousand parcels, is not the others'.
        Target::RegisterTracker(carrier, _) => Some(carrier.as_str().to_owned()),
        Target::Email(_) | Target::Fulfill(_) => None,
    }
}

fn failed(action: Action, why: &str) -> DoorbellError {
    DoorbellError(format!("{} queue: {why}", action.as_str()))
}

/// An SDK error in one word, without the request.
trait CodeOrKind {
    fn code_or_kind(&self) -> &str;
}

impl<E: aws_sdk_sqs::error::ProvideErrorMetadata, R> CodeOrKind for aws_sdk_sqs::error::SdkError<E, R> {
    fn code_or_kind(&self) -> &str {
        use aws_sdk_sqs::error::SdkError;
        match self {
            SdkError::ServiceError(answer) => answer.err().code().unwrap_or("error without a code"),
            SdkError::TimeoutError(_) => "no answer in time",
            SdkError::DispatchFailure(_) => "not reached",
            _ => "no readable answer",
        }
    }
}

#[cfg(test)]
mod tests;
