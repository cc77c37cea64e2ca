//! The embedded DynamoDB behind the ordinary SDK client, in this process: what the client sends never leaves
//! it. A port of its own would be open to every user of the machine and to every page in a browser on it, past
//! the key, the folder's rights and the gateway.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

/// Makes the file, if it is not there, one that only its owner reads, wherever it lies: it holds people's
/// addresses. SQLite gives the files beside it the same rights.
fn owners_only(path: &Path) -> io::Result<()> {
    let mut options = File::options();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// How often items whose time is over are removed: what DynamoDB does by itself within days.
const EXPIRE_EVERY: Duration = Duration::from_secs(3_600);

/// The engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The database file cannot be opened.
    #[error("the engine's file cannot be opened: {0}")]
    Open(#[from] DynoxideError),
    /// No thread.
    #[error("the engine cannot be run: {0}")]
    Run(#[from] io::Error),
    /// The file's path is not text.
    #[error("the data folder's path is not valid UTF-8")]
    Path,
}

/// A running engine. Dropping it stops it; [`Engine::stop`] also waits until its file is closed.
#[derive(Debug)]
pub struct Engine {
    asked: Sender<Asked>,
    away: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What comes to the engine's thread.
#[derive(Debug)]
enum Asked {
    Call { operation: String, body: Vec<u8>, reply: oneshot::Sender<(u16, String)> },
    Stop,
}

impl Engine {
    /// Opens the database of this file, or one in memory.
    ///
    /// # Errors
    /// The file cannot be opened, or there is no thread to work on it.
    pub fn start(file: Option<&Path>) -> Result<Self, EngineError> {
        let database = match file {
            Some(path) => {
                owners_only(path)?;
                Database::new(path.to_str().ok_or(EngineError::Path)?)?
            }
            None => Database::memory()?,
        };
        let (asked, calls) = channel();
        // A thread of its own: SQLite works on the thread that asks it.
        let thread =
            std::thread::Builder::new().name("engine".to_owned()).spawn(move || work(&database, &calls))?;
        Ok(Self { asked, away: Arc::default(), thread: Some(thread) })
    }

    /// Makes the engine one that cannot be reached, or reachable again: what is asked meanwhile fails as a call
    /// does that finds nobody.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// An SDK client whose calls the engine answers.
    #[must_use]
    pub fn client(&self) -> Client {
        let connector = SharedHttpConnector::new(InProcess(self.asked.clone(), Arc::clone(&self.away)));
        stagepost_dynamodb::client_over(http_client_fn(move |_, _| connector.clone()))
    }

    /// Stops working and closes the file. Work on SQLite never waits half-way, so nothing is cut in two.
    pub async fn stop(mut self) {
        let _gone_already = self.asked.send(Asked::Stop);
        let Some(thread) = self.thread.take() else { return };
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the engine's thread ended badly");
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _gone_already = self.asked.send(Asked::Stop);
    }
}

/// Answers call by call until it is stopped.
fn work(database: &Database, calls: &Receiver<Asked>) {
    let mut expired_at: Option<Instant> = None;
    loop {
        if expired_at.is_none_or(|at| at.elapsed() >= EXPIRE_EVERY) {
            expired_at = Some(Instant::now());
            if let Err(error) = database.sweep_ttl() {
                tracing::warn!(%error, "expired items could not be removed");
            }
        }
        match calls.recv_timeout(EXPIRE_EVERY) {
            Ok(Asked::Call { operation, body, reply }) => {
                // Whoever asked may have gone.
                let _gone = reply.send(answered(database, &operation, &body));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Asked::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn answered(database: &Database, operation: &str, body: &[u8]) -> (u16, String) {
    match called(database, operation, body) {
        Ok(answer) => (200, answer),
        Err(error) => (error.status_code(), error.to_json()),
    }
}

/// The operations that the store and its tests use.
fn called(database: &Database, operation: &str, body: &[u8]) -> Result<String, DynoxideError> {
    match operation {
        "GetItem" => put(&database.get_item(taken(body)?)?),
        "BatchGetItem" => put(&database.batch_get_item(taken(body)?)?),
        "Query" => put(&database.query(taken(body)?)?),
        "Scan" => put(&database.scan(taken(body)?)?),
        "PutItem" => put(&database.put_item(taken(body)?)?),
        "UpdateItem" => put(&database.update_item(taken(body)?)?),
        "DeleteItem" => put(&database.delete_item(taken(body)?)?),
        "TransactWriteItems" => put(&database.transact_write_items(taken(body)?)?),
        "CreateTable" => put(&database.create_table(taken(body)?)?),
        "DescribeTable" => put(&database.describe_table(taken(body)?)?),
        "UpdateTimeToLive" => put(&database.update_time_to_live(taken(body)?)?),
        "DescribeTimeToLive" => put(&database.describe_time_to_live(taken(body)?)?),
        other => Err(DynoxideError::ValidationException(format!("{other} is not served here"))),
    }
}

fn taken<T: DeserializeOwned>(body: &[u8]) -> Result<T, DynoxideError> {
    serde_json::from_slice(body).map_err(|error| DynoxideError::ValidationException(error.to_string()))
}

fn put<T: Serialize>(answer: &T) -> Result<String, DynoxideError> {
    serde_json::to_string(answer).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

/// The SDK's way to the engine.
#[derive(Debug)]
struct InProcess(Sender<Asked>, Arc<AtomicBool>);

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if self.1.load(Ordering::SeqCst) {
            return HttpConnectorFuture::ready(Err(ConnectorError::io("the engine is away".into())));
        }
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let (reply, answer) = oneshot::channel();
        let sent = self.0.send(Asked::Call { operation, body, reply });
        HttpConnectorFuture::new(async move {
            let stopped = || ConnectorError::io("the engine has stopped".into());
            sent.map_err(|_| stopped())?;
            let (status, body) = answer.await.map_err(|_| stopped())?;
            let status = status.try_into().map_err(|_| stopped())?;
            Ok(HttpResponse::new(status, SdkBody::from(body)))
        })
    }
}
