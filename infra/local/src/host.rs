//! The host: starts everything, feeds everything, stops everything.

use std::fs::{File, TryLockError};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stagepost_app::Core;
use stagepost_app::ports::{Clock, Entropy, RunStore, StoreError};
use stagepost_app::wake::Woken;
use stagepost_carriers::EasyPostBase;
use stagepost_console::Keys;
use stagepost_dispatch::Dispatch;
use stagepost_domain::event::Action;
use stagepost_domain::pace::{PER_SECOND_MAX, Pace};
use stagepost_domain::restore::RestoredAt;
use stagepost_domain::search::SearchKey;
use stagepost_dynamodb::DynamoStore;
use stagepost_lambda::links::SignedLinks;
use stagepost_lambda::system::{SystemClock, SystemEntropy};
use stagepost_outbound_http::{BuildError, Guard, OutboundHttp};
use stagepost_secrets::{KEY_LEN, KeyFileError, LocalSecrets};
use stagepost_shopify::ApiBase;
use stagepost_smtp::{Relay, SmtpMailer};
use stagepost_sqs::{SqsDoorbell, SqsInboundQueue};
use stagepost_wake::Wake;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

use crate::engine::{Engine, EngineError};
use crate::functions::{Dead, Ports};
use crate::gateway;
use crate::invoke::invoke;
use crate::mailbox::Mailbox;
use crate::mailer::{LocalMailer, Simulator};
use crate::pulse::{LocalDoorbell, LocalInboundQueue, Pulse};
use crate::queues::{Gauge, LocalQueues, Poller, QueueError};
use crate::tap::{Stream, tap};

pub(crate) const TABLE: &str = "stagepost";
/// The engine's file in the data folder.
pub(crate) const DATABASE: &str = "engine.db";
/// Longest that one sweep or one batch of stream records takes.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(60);
/// How often `settle` looks.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Longest that a stop waits for requests in flight.
const DRAIN: Duration = Duration::from_secs(2);

/// How to run a host.
#[derive(Clone)]
pub struct HostConfig {
    /// Where the data is; none keeps it in memory.
    pub data_dir: Option<PathBuf>,
    /// Loopback only; port 0 takes a free one.
    pub bind: SocketAddr,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ids and chance.
    pub entropy: Arc<dyn Entropy>,
    /// Start of the links in mails; the bound address unless said.
    pub public_url: Option<Url>,
    /// How often the due index is swept, in real time.
    pub sweep_interval: Duration,
    /// A stand-in for Shopify.
    pub shopify_base: Option<Url>,
    /// A stand-in for EasyPost.
    pub easypost_base: Option<Url>,
    /// Mails go by this relay instead of into the mailbox.
    pub smtp: Option<Relay>,
    /// How many mails the mailbox takes in a second.
    pub mails_per_second: u32,
    /// How late the mailbox answers, to try what a stop in between does.
    pub mail_delay: Duration,
    /// How long a call of a receiver or platform may take in all.
    pub call_timeout: Duration,
    /// When the host began, if its data was restored from a copy: what is from before may have been done already.
    pub restored_at: Option<RestoredAt>,
}

impl HostConfig {
    /// In memory, on a free port, with the machine's clock and chance.
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            data_dir: None,
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            public_url: None,
            sweep_interval: Duration::from_secs(1),
            shopify_base: None,
            easypost_base: None,
            smtp: None,
            mails_per_second: PER_SECOND_MAX,
            mail_delay: Duration::ZERO,
            call_timeout: stagepost_outbound_http::TOTAL_TIMEOUT,
            restored_at: None,
        }
    }

    /// The same with its data in this folder, which is made if it is not there.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { data_dir: Some(folder.into()), ..Self::in_memory() }
    }
}

/// The host did not start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The local pages have no key, so nobody else may reach them.
    #[error("{0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// Somebody listens there.
    #[error("{0} cannot be listened on: {1}")]
    Bind(SocketAddr, #[source] io::Error),
    /// Another host works on the data.
    #[error("another process works on this data folder")]
    InUse,
    /// The data folder cannot be read or written.
    #[error("the data folder cannot be used: {0}")]
    Folder(#[from] io::Error),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The table.
    #[error("the table cannot be made: {0}")]
    Table(#[from] StoreError),
    /// The queues.
    #[error(transparent)]
    Queues(#[from] QueueError),
    /// The key file.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The HTTP client.
    #[error(transparent)]
    Http(#[from] BuildError),
    /// The public address.
    #[error("the public address is not a URL: {0}")]
    PublicUrl(#[from] url::ParseError),
}

/// A sweep did not take place.
#[derive(Debug, thiserror::Error)]
#[error("the sweep failed: {0}")]
pub struct SweepFailed(String);

type Sweeper = Arc<Mutex<Arc<Wake<DynamoStore, LocalDoorbell>>>>;

/// A running host. Dropping it stops it; [`Host::stop`] also waits until its data is free.
pub struct Host {
    address: SocketAddr,
    core: Core<DynamoStore>,
    secrets: LocalSecrets,
    keys: Keys,
    mailbox: Mailbox,
    queues: LocalQueues,
    gauges: Vec<Gauge>,
    sweeper: Sweeper,
    pulse: Pulse,
    workers: watch::Sender<bool>,
    tasks: JoinSet<()>,
    closing: watch::Sender<()>,
    server: JoinHandle<()>,
    engine: Engine,
    lock: Option<File>,
}

/// Starts a host.
///
/// # Errors
/// Something that it needs is not to be had; nothing is left running then.
pub async fn start(config: HostConfig) -> Result<Host, HostError> {
    if !config.bind.ip().is_loopback() {
        return Err(HostError::NotLoopback(config.bind));
    }
    // The port first: a second host on it fails before it touches anything.
    let listener = TcpListener::bind(config.bind).await.map_err(|e| HostError::Bind(config.bind, e))?;
    let address = listener.local_addr()?;
    let lock = config.data_dir.as_deref().map(prepare_folder).transpose()?;
    let engine = Engine::start(config.data_dir.as_ref().map(|dir| dir.join(DATABASE)).as_deref())?;
    let pulse = Pulse::new();
    let (tap, stream) = tap(pulse.clone());
    let dynamodb = engine.client();
    let tapped = aws_sdk_dynamodb::Client::from_conf(dynamodb.config().to_builder().interceptor(tap).build());
    stagepost_dynamodb::create_table(&dynamodb, TABLE).await?;
    let queues = LocalQueues::create().await?;
    let ports = ports(&config, address, DynamoStore::new(tapped, TABLE), &queues, &pulse)?;

    let (workers, open) = watch::channel(true);
    let sweeper: Sweeper = Arc::new(Mutex::new(Arc::new(ports.wake())));
    let mut tasks = JoinSet::new();
    let mut gauges = Vec::new();
    for source in ports.sources(&queues) {
        let poller = Poller::new(queues.client.clone(), source, pulse.clone(), open.clone());
        gauges.push(poller.gauge());
        tasks.spawn(poller.run());
    }
    tasks.spawn(follow(stream, Arc::new(ports.dispatch()), pulse.clone()));
    tasks.spawn(sweep(Arc::clone(&sweeper), config.sweep_interval));
    let router = gateway::router(ports.http_functions(), ports.mailbox.clone());
    let (closing, closed) = watch::channel(());
    let server = tokio::spawn(serve(listener, router, closed));
    let Ports { core, secrets, keys, mailbox, .. } = ports;
    Ok(Host {
        address,
        core,
        secrets,
        keys,
        mailbox,
        queues,
        gauges,
        sweeper,
        pulse,
        workers,
        tasks,
        closing,
        server,
        engine,
        lock,
    })
}

/// Makes the folder, for its owner only, and takes it for this process.
pub(crate) fn prepare_folder(folder: &Path) -> Result<File, HostError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let lock = File::create(folder.join("lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(HostError::InUse),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn ports(
    config: &HostConfig,
    address: SocketAddr,
    store: DynamoStore,
    queues: &LocalQueues,
    pulse: &Pulse,
) -> Result<Ports, HostError> {
    let (clock, entropy) = (Arc::clone(&config.clock), Arc::clone(&config.entropy));
    let key = key(config)?;
    let mailbox = match &config.data_dir {
        Some(dir) => Mailbox::on_file(&dir.join("mailbox.jsonl"), Arc::clone(&clock), Arc::clone(&entropy))?,
        None => Mailbox::in_memory(Arc::clone(&clock), Arc::clone(&entropy)),
    };
    let public_url = match &config.public_url {
        Some(url) => url.clone(),
        None => Url::parse(&format!("http://{address}/"))?,
    };
    Ok(Ports {
        core: Core { store, clock, entropy, restored_at: config.restored_at },
        secrets: LocalSecrets::from_key(key)?,
        links: SignedLinks::of_deployment(public_url.clone(), &key),
        keys: Keys::of_deployment(&key),
        public_url,
        search: SearchKey::of_deployment(&key),
        mailer: mailer(config, mailbox.clone().slow(config.mail_delay), queues, pulse),
        mailbox,
        pace: Pace::per_second(config.mails_per_second),
        doorbell: LocalDoorbell::new(
            SqsDoorbell::new(queues.client.clone(), queues.urls.clone()),
            pulse.clone(),
        ),
        inbound: LocalInboundQueue::new(
            SqsInboundQueue::new(queues.client.clone(), queues.inbound.clone()),
            pulse.clone(),
        ),
        dead: Dead::of(queues),
        http: OutboundHttp::within(Guard::LoopbackAllowed, config.call_timeout)?,
        shopify: config.shopify_base.clone().map_or(ApiBase::Shopify, ApiBase::Override),
        easypost: config.easypost_base.clone().map_or(EasyPostBase::EasyPost, EasyPostBase::Override),
    })
}

/// By a relay, or into the mailbox, which tells of its mails as SES does.
fn mailer(config: &HostConfig, mailbox: Mailbox, queues: &LocalQueues, pulse: &Pulse) -> LocalMailer {
    match &config.smtp {
        Some(relay) => {
            let (clock, entropy) = (Arc::clone(&config.clock), Arc::clone(&config.entropy));
            LocalMailer::Relay(SmtpMailer::new(relay.clone(), clock, entropy))
        }
        None => LocalMailer::Mailbox(Simulator {
            mailbox,
            clock: Arc::clone(&config.clock),
            client: queues.client.clone(),
            queue: queues.mail_events.clone(),
            pulse: pulse.clone(),
        }),
    }
}

/// The key that everything secret hangs on: in a file of its own, or for this run only.
fn key(config: &HostConfig) -> Result<[u8; KEY_LEN], HostError> {
    config.data_dir.as_deref().map_or_else(|| Ok(config.entropy.bytes()), key_in)
}

/// The key of a data folder, made if it has none yet.
pub(crate) fn key_in(folder: &Path) -> Result<[u8; KEY_LEN], HostError> {
    let path = folder.join("key");
    LocalSecrets::open_or_create(&path)?;
    std::fs::read(path)?.try_into().map_err(|_| KeyFileError::NotAKey.into())
}

/// Feeds dispatch with the stream.
async fn follow(mut stream: Stream, dispatch: Arc<Dispatch<DynamoStore, LocalDoorbell>>, pulse: Pulse) {
    while let Some((event, count)) = stream.next().await {
        let dispatch = Arc::clone(&dispatch);
        let call = async move { stagepost_dispatch::handle(&dispatch, event).await };
        match invoke(FUNCTION_TIMEOUT, call).await {
            Ok(answer) if answer.batch_item_failures.is_empty() => {}
            Ok(_) => tracing::warn!("stream records are left to the sweep"),
            Err(error) => tracing::error!(%error, "stream records are left to the sweep"),
        }
        pulse.recorded(count);
    }
}

/// Sweeps at once, which finds what a killed process left, and then for ever.
async fn sweep(sweeper: Sweeper, every: Duration) {
    let mut ticks = tokio::time::interval(every.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = swept(&sweeper).await {
            tracing::error!(%error, "the next sweep tries again");
        }
    }
}

async fn swept(sweeper: &Sweeper) -> Result<Woken, SweepFailed> {
    // One at a time: two at once would ring for everything twice.
    let function = sweeper.lock().await;
    let wake = Arc::clone(&function);
    let woken = invoke(FUNCTION_TIMEOUT, async move { stagepost_wake::handle(&wake).await }).await;
    woken.map_err(|e| SweepFailed(e.to_string()))?.map_err(|e| SweepFailed(e.to_string()))
}

async fn serve(listener: TcpListener, router: axum::Router, mut closed: watch::Receiver<()>) {
    let until = async move {
        let _told_or_gone = closed.changed().await;
    };
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(until).await {
        tracing::error!(%error, "the server ended");
    }
}

impl Host {
    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:{port}`, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The captured mails.
    #[must_use]
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Store, clock and ids, for use cases that have no route.
    #[must_use]
    pub fn core(&self) -> &Core<DynamoStore> {
        &self.core
    }

    /// Seals secrets.
    #[must_use]
    pub fn secrets(&self) -> &LocalSecrets {
        &self.secrets
    }

    /// The console's keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// How many messages went to the dead letters.
    pub async fn dead_letters(&self) -> usize {
        self.queues.buried().await
    }

    /// Puts a message of any shape into the queue in front of a runner, past the doorbell; says whether the
    /// queue took it. For tests: only so is it seen what becomes of a message that nobody can read.
    pub async fn inject_message(&self, runner: Action, body: &str) -> bool {
        self.queues.inject(runner, body).await
    }

    /// Makes the store one that cannot be reached, or reachable again. For tests of an outage.
    pub fn set_store_away(&self, away: bool) {
        self.engine.set_away(away);
    }

    /// How many notifications wait in the inbound queue.
    pub async fn waiting_notifications(&self) -> usize {
        self.queues.waiting().await
    }

    /// Stops the runners from taking messages; what they work on, they finish.
    pub fn stop_queue_workers(&self) {
        self.workers.send_replace(false);
    }

    /// Lets the runners go on.
    pub fn start_queue_workers(&self) {
        self.workers.send_replace(true);
    }

    /// Sweeps the due index now.
    ///
    /// # Errors
    /// Store or queue failed.
    pub async fn wake_now(&self) -> Result<Woken, SweepFailed> {
        swept(&self.sweeper).await
    }

    /// Waits until there is nothing to do by the host's clock: no stream record and no message on its way,
    /// nothing due. What is due and has no message yet is rung for. `false` if that takes longer than
    /// `timeout`.
    pub async fn settle(&self, timeout: Duration) -> bool {
        let settled = async {
            while !self.idle().await {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(timeout, settled).await.is_ok()
    }

    async fn idle(&self) -> bool {
        let begun = self.pulse.begun();
        if self.pulse.records() > 0 {
            return false;
        }
        for gauge in &self.gauges {
            if !gauge.idle().await {
                return false;
            }
        }
        match self.core.store.due(self.core.now(), 1).await {
            // Work may have passed from one place to another behind our back; then something has begun.
            Ok(due) if due.is_empty() => self.pulse.begun() == begun,
            Ok(_) => {
                let _the_next_sweep_tries_again = self.wake_now().await;
                false
            }
            Err(_) => false,
        }
    }

    /// Stops everything at once, finishing nothing but requests that are being answered, and gives the data
    /// free.
    pub async fn stop(mut self) {
        drop(self.closing);
        self.tasks.shutdown().await;
        if tokio::time::timeout(DRAIN, &mut self.server).await.is_err() {
            self.server.abort();
        }
        self.engine.stop().await;
        drop(self.lock);
    }
}

#[cfg(test)]
mod tests;
