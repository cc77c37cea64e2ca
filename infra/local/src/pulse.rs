//! What goes on in the host, so that a test can wait for the end of it instead of sleeping.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use stagepost_app::envelope::Envelope;
use stagepost_app::mail::ports::{AskedMailDoorbell, Asker};
use stagepost_app::ports::{Doorbell, DoorbellError, InboundQueue, JobDoorbell, QueueError, Ring};
use stagepost_domain::id::{JobId, MailId, ShopId};
use stagepost_sqs::{SqsDoorbell, SqsInboundQueue};
use tokio::sync::watch;

/// Counts what has begun and what is not finished. Clones share the counts.
#[derive(Debug, Clone)]
pub struct Pulse {
    begun: Arc<AtomicU64>,
    records: Arc<AtomicUsize>,
    rung: watch::Sender<()>,
}

impl Pulse {
    /// Nothing has begun.
    pub fn new() -> Self {
        Self { begun: Arc::default(), records: Arc::default(), rung: watch::Sender::new(()) }
    }

    /// Notes that something begins: whoever looked before has seen too little.
    pub fn begin(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
    }

    /// How much has begun so far.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    /// Notes a stream record on its way to dispatch.
    pub fn record(&self) {
        self.begin();
        self.records.fetch_add(1, Ordering::SeqCst);
    }

    /// Notes that dispatch is through with so many records.
    pub fn recorded(&self, count: usize) {
        self.records.fetch_sub(count, Ordering::SeqCst);
    }

    /// Stream records that dispatch has not finished.
    pub fn records(&self) -> usize {
        self.records.load(Ordering::SeqCst)
    }

    /// Sees every ring from now on.
    pub fn rings(&self) -> watch::Receiver<()> {
        self.rung.subscribe()
    }

    pub fn ring(&self) {
        self.begin();
        self.rung.send_replace(());
    }
}

/// The doorbell on the in-process queues, which wakes their pollers at once.
#[derive(Debug, Clone)]
pub struct LocalDoorbell {
    sqs: SqsDoorbell,
    pulse: Pulse,
}

impl LocalDoorbell {
    /// A doorbell that rings by `sqs`.
    pub fn new(sqs: SqsDoorbell, pulse: Pulse) -> Self {
        Self { sqs, pulse }
    }
}

impl Doorbell for LocalDoorbell {
    async fn ring(&self, rings: &[Ring]) -> Result<(), DoorbellError> {
        let rung = self.sqs.ring(rings).await;
        self.pulse.ring();
        rung
    }
}

impl JobDoorbell for LocalDoorbell {
    async fn ring_job(&self, shop: &ShopId, job: &JobId) -> Result<(), DoorbellError> {
        let rung = self.sqs.ring_job(shop, job).await;
        self.pulse.ring();
        rung
    }
}

impl AskedMailDoorbell for LocalDoorbell {
    async fn ring_asked_mail(
        &self,
        asker: &Asker,
        mail: &MailId,
        delay: Duration,
    ) -> Result<(), DoorbellError> {
        let rung = self.sqs.ring_asked_mail(asker, mail, delay).await;
        self.pulse.ring();
        rung
    }
}

/// The inbound queue in process, which wakes its poller at once.
#[derive(Debug, Clone)]
pub struct LocalInboundQueue {
    sqs: SqsInboundQueue,
    pulse: Pulse,
}

impl LocalInboundQueue {
    /// A queue that is `sqs`.
    pub fn new(sqs: SqsInboundQueue, pulse: Pulse) -> Self {
        Self { sqs, pulse }
    }
}

impl InboundQueue for LocalInboundQueue {
    async fn keep(&self, packed: &Envelope) -> Result<(), QueueError> {
        let kept = self.sqs.keep(packed).await;
        self.pulse.ring();
        kept
    }
}
