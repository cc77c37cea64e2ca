//! The queues in process, and the pollers that feed the runners as Lambda's event source mapping does.

use std::collections::{BTreeSet, HashSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use aws_sdk_sqs::config::{BehaviorVersion, Region};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName, QueueAttributeName,
};
use serde_json::{Value, json};
use stagepost_app::jobs::JOB_TIMEOUT;
use stagepost_app::run::function_timeout;
use stagepost_domain::event::Action;
use stagepost_sqs::{Client, Queues, SqsDeadLetters};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use winterbaume_core::MockAws;
use winterbaume_sqs::SqsService;

use crate::invoke::invoke;
use crate::pulse::Pulse;

/// Messages of one invocation.
const BATCH: i32 = 10;
/// Invocations of one function at a time: what Lambda's pollers start with.
const INVOCATIONS: usize = 5;
/// How often a queue is looked into without a ring, for messages whose delay has passed.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Receives of one doorbell message before it goes to the dead letters.
pub const RECEIVES_MAX: u32 = 20;
/// Longest wait of a message that comes back. On AWS that is the visibility timeout; nobody wants to wait
/// for that on a laptop.
const COMES_BACK_MAX: u32 = 60;
/// Visibility timeout in function timeouts.
const VISIBILITY: u64 = 6;

/// The queues could not be made: a broken program, not a broken input.
#[derive(Debug, thiserror::Error)]
#[error("the in-process queues cannot be made: {0}")]
pub struct QueueError(String);

/// An SQS function, called with an event.
pub type SqsFunction =
    Arc<dyn Fn(SqsEvent) -> Pin<Box<dyn Future<Output = SqsBatchResponse> + Send>> + Send + Sync>;

/// A runner's queue and its function.
#[derive(Clone)]
pub struct Source {
    /// The queue's URL.
    pub url: String,
    /// The function's timeout.
    pub timeout: Duration,
    /// Receives of one message before it goes to the dead letters.
    pub receives: u32,
    /// The function.
    pub function: SqsFunction,
}

/// The queues and the client that reaches them.
#[derive(Debug, Clone)]
pub struct LocalQueues {
    /// Reaches the in-process service and nothing else.
    pub client: Client,
    /// In front of the runners.
    pub urls: Queues,
    /// In front of `inbound-runner`.
    pub inbound: String,
    /// In front of `email-events`.
    pub mail_events: String,
    dead_letters: String,
}

/// Timeouts of the runners: e-mail, webhook, fulfillment, tracker.
pub const TIMEOUTS: [Duration; 4] = [
    function_timeout(Action::Email),
    function_timeout(Action::Webhook),
    function_timeout(Action::Fulfill),
    function_timeout(Action::RegisterTracker),
];

impl LocalQueues {
    /// Makes the service with its queues.
    ///
    /// # Errors
    /// The service refuses, which it has no reason to.
    pub async fn create() -> Result<Self, QueueError> {
        let aws = MockAws::builder().with_service(SqsService::new()).build();
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(aws.credentials_provider())
            .http_client(aws.http_client());
        let client = stagepost_sqs::client(config);
        let dead_letters = make(&client, "stagepost-dead-letters", Duration::from_secs(5), &[]).await?;
        let arn = arn(&client, &dead_letters).await?;
        let [email, webhook, fulfillment, tracker] = TIMEOUTS;
        let to_dead = |receives: u32| {
            let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": receives}).to_string();
            [(QueueAttributeName::RedrivePolicy, policy)]
        };
        let urls = Queues {
            email: make(&client, "stagepost-email", email, &to_dead(RECEIVES_MAX)).await?,
            webhook: make(&client, "stagepost-webhook", webhook, &to_dead(RECEIVES_MAX)).await?,
            fulfillment: make(&client, "stagepost-fulfillment", fulfillment, &to_dead(RECEIVES_MAX)).await?,
            jobs: make(&client, "stagepost-jobs", JOB_TIMEOUT, &to_dead(RECEIVES_MAX)).await?,
            tracker: make(&client, "stagepost-tracker", tracker, &to_dead(RECEIVES_MAX)).await?,
        };
        let [redrive] = to_dead(stagepost_inbound_runner::RECEIVES_MAX);
        let whole = (QueueAttributeName::MaximumMessageSize, stagepost_sqs::MESSAGE_MAX.to_string());
        let timeout = stagepost_inbound_runner::TIMEOUT;
        let inbound = make(&client, "stagepost-inbound", timeout, &[redrive, whole]).await?;
        let timeout = stagepost_email_events::TIMEOUT;
        let mail_events = make(&client, "stagepost-mail-events", timeout, &to_dead(RECEIVES_MAX)).await?;
        Ok(Self { client, urls, inbound, mail_events, dead_letters })
    }

    /// Where messages go that nobody can read.
    pub fn dead_letters(&self, runner: &'static str) -> SqsDeadLetters {
        SqsDeadLetters::new(self.client.clone(), self.dead_letters.clone(), runner)
    }

    /// Puts a message of any shape into the queue in front of a runner; says whether it was taken.
    pub async fn inject(&self, runner: Action, body: &str) -> bool {
        let url = match runner {
            Action::Email => &self.urls.email,
            Action::Webhook => &self.urls.webhook,
            Action::Fulfill => &self.urls.fulfillment,
            Action::RegisterTracker => &self.urls.tracker,
        };
        self.client.send_message().queue_url(url).message_body(body).send().await.is_ok()
    }

    /// How many messages the inbound queue holds, those in flight not counted.
    pub async fn waiting(&self) -> usize {
        count(&self.client, &self.inbound, &[QueueAttributeName::ApproximateNumberOfMessages]).await
    }

    /// How many messages the dead letters hold.
    pub async fn buried(&self) -> usize {
        count(&self.client, &self.dead_letters, &[QueueAttributeName::ApproximateNumberOfMessages]).await
    }
}

async fn make(
    client: &Client,
    name: &str,
    timeout: Duration,
    attributes: &[(QueueAttributeName, String)],
) -> Result<String, QueueError> {
    let visibility = timeout.as_secs().saturating_mul(VISIBILITY).to_string();
    let mut request =
        client.create_queue().queue_name(name).attributes(QueueAttributeName::VisibilityTimeout, visibility);
    for (name, value) in attributes {
        request = request.attributes(name.clone(), value);
    }
    let made = request.send().await.map_err(|e| QueueError(e.to_string()))?;
    made.queue_url.ok_or_else(|| QueueError("a queue has no URL".to_owned()))
}

async fn arn(client: &Client, url: &str) -> Result<String, QueueError> {
    let name = QueueAttributeName::QueueArn;
    let request = client.get_queue_attributes().queue_url(url).attribute_names(name.clone());
    let answer = request.send().await.map_err(|e| QueueError(e.to_string()))?;
    let arn = answer.attributes.and_then(|mut a| a.remove(&name));
    arn.ok_or_else(|| QueueError("a queue has no ARN".to_owned()))
}

/// The sum of these counts; one that cannot be had counts as a message, so that nobody takes an unknown for
/// an end.
async fn count(client: &Client, url: &str, names: &[QueueAttributeName]) -> usize {
    let request = client.get_queue_attributes().queue_url(url).set_attribute_names(Some(names.to_vec()));
    let attributes = request.send().await.ok().and_then(|a| a.attributes).unwrap_or_default();
    let of = |name| attributes.get(name).and_then(|n: &String| n.parse::<usize>().ok()).unwrap_or(1);
    names.iter().map(of).sum()
}

/// Takes messages out of one queue and hands them to its function.
pub struct Poller {
    client: Client,
    source: Source,
    pulse: Pulse,
    open: watch::Receiver<bool>,
    /// Messages that came back: the service counts them neither as waiting nor as in flight.
    back: Arc<Mutex<HashSet<String>>>,
}

impl Poller {
    /// A poller that works while `open` says so.
    pub fn new(client: Client, source: Source, pulse: Pulse, open: watch::Receiver<bool>) -> Self {
        Self { client, source, pulse, open, back: Arc::default() }
    }

    /// The same queue, for asking whether it is empty.
    pub fn gauge(&self) -> Gauge {
        Gauge { client: self.client.clone(), url: self.source.url.clone(), back: Arc::clone(&self.back) }
    }

    /// Works until it is aborted; then its invocations end with it.
    pub async fn run(mut self) {
        let places = Arc::new(Semaphore::new(INVOCATIONS));
        let mut rings = self.pulse.rings();
        let mut invocations = JoinSet::new();
        while self.open.wait_for(|open| *open).await.is_ok() {
            while invocations.try_join_next().is_some() {}
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let batch = self.receive().await;
            if batch.is_empty() {
                drop(place);
                let _rung_or_not = tokio::time::timeout(LOOK_AGAIN, rings.changed()).await;
                continue;
            }
            let invocation = Invocation {
                client: self.client.clone(),
                source: self.source.clone(),
                back: Arc::clone(&self.back),
            };
            invocations.spawn(async move {
                invocation.run(batch).await;
                drop(place);
            });
        }
    }

    async fn receive(&self) -> Vec<Message> {
        let request = self
            .client
            .receive_message()
            .queue_url(&self.source.url)
            .max_number_of_messages(BATCH)
            .wait_time_seconds(0)
            .message_system_attribute_names(MessageSystemAttributeName::All);
        match request.send().await {
            Ok(answer) => {
                let messages = answer.messages.unwrap_or_default();
                if !messages.is_empty() {
                    self.pulse.begin();
                }
                messages
            }
            Err(error) => {
                tracing::error!(%error, "a queue does not answer");
                Vec::new()
            }
        }
    }
}

/// Looks whether a queue is empty.
pub struct Gauge {
    client: Client,
    url: String,
    back: Arc<Mutex<HashSet<String>>>,
}

impl Gauge {
    /// Whether no message waits, is in flight or comes back. Messages sent with a delay that has not passed
    /// do not count: their runs are not due.
    pub async fn idle(&self) -> bool {
        if !self.back.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return false;
        }
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        count(&self.client, &self.url, &names).await == 0
    }
}

/// One call of a function.
struct Invocation {
    client: Client,
    source: Source,
    back: Arc<Mutex<HashSet<String>>>,
}

impl Invocation {
    async fn run(&self, batch: Vec<Message>) {
        let failed = self.failed(&batch).await;
        let (back, done): (Vec<_>, Vec<_>) = batch.iter().partition(|m| failed.contains(id(m)));
        self.delete(&done).await;
        self.send_back(&back).await;
    }

    /// Ids of the messages that are to come back: those that the function names, and all of them if it
    /// fails, takes too long or names one that is not there.
    async fn failed(&self, batch: &[Message]) -> BTreeSet<String> {
        let all = || batch.iter().map(|m| id(m).to_owned()).collect::<BTreeSet<_>>();
        let Ok(event) = serde_json::from_value::<SqsEvent>(event(batch, &self.source.url)) else {
            return all();
        };
        let response = match invoke(self.source.timeout, (self.source.function)(event)).await {
            Ok(response) => response,
            Err(error) => {
                tracing::error!(queue = self.source.url, %error, "the messages come back");
                return all();
            }
        };
        let named: BTreeSet<String> =
            response.batch_item_failures.into_iter().map(|f| f.item_identifier).collect();
        if named.is_subset(&all()) { named } else { all() }
    }

    async fn delete(&self, messages: &[&Message]) {
        let entry = |(i, m): (usize, &&Message)| {
            let handle = m.receipt_handle.clone().unwrap_or_default();
            DeleteMessageBatchRequestEntry::builder().id(i.to_string()).receipt_handle(handle).build().ok()
        };
        let entries: Vec<_> = messages.iter().enumerate().filter_map(entry).collect();
        if entries.is_empty() {
            return;
        }
        self.forget(messages);
        let request = self.client.delete_message_batch().queue_url(&self.source.url);
        if let Err(error) = request.set_entries(Some(entries)).send().await {
            tracing::error!(%error, "messages cannot be deleted; they come again");
        }
    }

    async fn send_back(&self, messages: &[&Message]) {
        let entry = |(i, m): (usize, &&Message)| {
            let handle = m.receipt_handle.clone().unwrap_or_default();
            let wait = i32::try_from(comes_back_in(receives(m))).unwrap_or_default();
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(i.to_string());
            entry.receipt_handle(handle).visibility_timeout(wait).build().ok()
        };
        let entries: Vec<_> = messages.iter().enumerate().filter_map(entry).collect();
        if entries.is_empty() {
            return;
        }
        self.forget(messages);
        let again = messages.iter().filter(|m| receives(m) < self.source.receives).map(|m| id(m).to_owned());
        self.back.lock().unwrap_or_else(PoisonError::into_inner).extend(again);
        let request = self.client.change_message_visibility_batch().queue_url(&self.source.url);
        if let Err(error) = request.set_entries(Some(entries)).send().await {
            tracing::error!(%error, "messages cannot be sent back; they come again later");
        }
    }

    fn forget(&self, messages: &[&Message]) {
        let mut back = self.back.lock().unwrap_or_else(PoisonError::into_inner);
        for message in messages {
            back.remove(id(message));
        }
    }
}

fn id(message: &Message) -> &str {
    message.message_id.as_deref().unwrap_or_default()
}

fn receives(message: &Message) -> u32 {
    let name = MessageSystemAttributeName::ApproximateReceiveCount;
    let count = message.attributes.as_ref().and_then(|a| a.get(&name));
    count.and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// Seconds: 1, 2, 4 and so on.
fn comes_back_in(receives: u32) -> u32 {
    2_u32.saturating_pow(receives.saturating_sub(1)).min(COMES_BACK_MAX)
}

/// The event as Lambda gets it.
fn event(batch: &[Message], url: &str) -> Value {
    let queue = url.rsplit('/').next().unwrap_or_default();
    let record = |message: &Message| {
        let attributes = message.attributes.iter().flatten();
        let attributes =
            attributes.map(|(name, value)| (name.as_str().to_owned(), Value::from(value.as_str())));
        json!({
            "messageId": message.message_id,
            "receiptHandle": message.receipt_handle,
            "body": message.body,
            "md5OfBody": message.md5_of_body,
            "attributes": attributes.collect::<serde_json::Map<_, _>>(),
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:us-east-1:123456789012:{queue}"),
            "awsRegion": "us-east-1",
        })
    };
    json!({ "Records": batch.iter().map(record).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_lambda_events::event::sqs::BatchItemFailure;

    use super::*;

    /// Panics at its first call, then takes everything.
    fn moody(calls: Arc<AtomicUsize>) -> SqsFunction {
        Arc::new(move |_| {
            let call = calls.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                assert!(call != 0, "the first call panics");
                SqsBatchResponse::default()
            })
        })
    }

    fn message(id: &str) -> Message {
        Message::builder().message_id(id).receipt_handle(id).body("x").build()
    }

    /// What comes back of the messages `a` and `b` when the function names these.
    async fn back_of(named: &'static [&'static str]) -> Vec<String> {
        let function: SqsFunction = Arc::new(move |event: SqsEvent| {
            assert_eq!(event.records.len(), 2);
            let mut response = SqsBatchResponse::default();
            for id in named {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = (*id).to_owned();
                response.batch_item_failures.push(failure);
            }
            Box::pin(std::future::ready(response))
        });
        let queues = LocalQueues::create().await.unwrap();
        let source = Source {
            url: queues.urls.email.clone(),
            timeout: Duration::from_secs(5),
            receives: RECEIVES_MAX,
            function,
        };
        let invocation = Invocation { client: queues.client, source, back: Arc::default() };
        invocation.failed(&[message("a"), message("b")]).await.into_iter().collect()
    }

    #[tokio::test]
    async fn the_named_messages_come_back_and_all_of_them_if_the_answer_makes_no_sense() {
        assert_eq!(back_of(&[]).await, [""; 0]);
        assert_eq!(back_of(&["b"]).await, ["b"]);
        assert_eq!(back_of(&["b", "stranger"]).await, ["a", "b"]);
        assert_eq!(back_of(&[""]).await, ["a", "b"]);
    }

    #[tokio::test]
    async fn a_message_comes_back_until_it_is_decided_and_the_queue_is_not_idle_before() {
        let queues = LocalQueues::create().await.unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        let source = Source {
            url: queues.urls.email.clone(),
            timeout: Duration::from_secs(5),
            receives: RECEIVES_MAX,
            function: moody(Arc::clone(&calls)),
        };
        let (_open, is_open) = watch::channel(true);
        let poller = Poller::new(queues.client.clone(), source, Pulse::new(), is_open);
        let gauge = poller.gauge();
        assert!(gauge.idle().await);
        queues.client.send_message().queue_url(&queues.urls.email).message_body("x").send().await.unwrap();
        assert!(!gauge.idle().await);
        let running = tokio::spawn(poller.run());
        while !gauge.idle().await {
            tokio::task::yield_now().await;
        }
        running.abort();
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        assert_eq!(queues.buried().await, 0);
    }

    #[test]
    fn waits_grow_and_stay_bounded() {
        let waits: Vec<u32> = [1, 2, 3, 7, 40].into_iter().map(comes_back_in).collect();
        assert_eq!(waits, [1, 2, 4, 60, 60]);
    }
}
