//! The embedded DynamoDB, served on a loopback port of its own so that the ordinary SDK client talks to it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::thread::JoinHandle;

use dynoxide::Database;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// The engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The database file cannot be opened.
    #[error("the engine's file cannot be opened: {0}")]
    Open(#[from] dynoxide::DynoxideError),
    /// No port, no thread or no runtime.
    #[error("the engine cannot be served: {0}")]
    Serve(#[from] io::Error),
    /// The file's path is not text.
    #[error("the data folder's path is not valid UTF-8")]
    Path,
}

/// A running engine. Dropping it stops it; [`Engine::stop`] also waits until its file is closed.
#[derive(Debug)]
pub struct Engine {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Engine {
    /// Serves the database of this file, or one in memory.
    ///
    /// # Errors
    /// The file cannot be opened, or there is no port or thread to serve it.
    pub fn start(file: Option<&Path>) -> Result<Self, EngineError> {
        let database = match file {
            Some(path) => Database::new(path.to_str().ok_or(EngineError::Path)?)?,
            None => Database::memory()?,
        };
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        // A runtime of its own: SQLite works on the thread that asks it.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("engine".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, database) => {}
                    _ = stopped => {}
                }
            });
            // Dropping the runtime ends all connections, and the last of them closes the file. Work on
            // SQLite never waits half-way, so nothing is cut in two.
        })?;
        Ok(Self { address, stop, thread })
    }

    /// Where the SDK client finds it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops serving and closes the file.
    pub async fn stop(self) {
        drop(self.stop);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the engine's thread ended badly");
        }
    }
}

async fn serve(listener: std::net::TcpListener, database: Database) {
    match TcpListener::from_std(listener) {
        Ok(listener) => dynoxide::server::serve_on(listener, database).await,
        Err(error) => tracing::error!(%error, "the engine cannot be served"),
    }
}
