//! A receiver below HTTP: it says what it is told to say, byte for byte, and ends a connection in every way that one
//! can end.

use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use stagepost_app::ports::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

use crate::lock;
use crate::receiver::Received;

/// Largest request that is read, in bytes.
const REQUEST_MAX: usize = 1024 * 1024;

/// What becomes of the connection after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// It is closed.
    Closed,
    /// It is reset.
    Reset,
    /// Nothing more is said, and everything more is read.
    HalfClosed,
    /// Nothing more is said, and it stays open.
    Open,
}

/// An answer in bytes.
#[derive(Debug, Clone)]
pub struct Says {
    /// What is said once the request has been read.
    pub bytes: Vec<u8>,
    /// And then.
    pub ends: Ends,
}

impl Says {
    /// An answer with a body, and the end.
    #[must_use]
    pub fn status(line: &str, headers: &str, body: &[u8]) -> Self {
        let mut bytes =
            format!("HTTP/1.1 {line}\r\ncontent-length: {}\r\n{headers}\r\n", body.len()).into_bytes();
        bytes.extend_from_slice(body);
        Self { bytes, ends: Ends::Closed }
    }

    /// These bytes and this end.
    #[must_use]
    pub fn raw(bytes: impl Into<Vec<u8>>, ends: Ends) -> Self {
        Self { bytes: bytes.into(), ends }
    }
}

/// A receiver that answers by script, 200 when the script is done. Clones are the same.
#[derive(Clone)]
pub struct RawReceiver {
    inner: Arc<Inner>,
    port: u16,
    _task: Arc<Task>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    script: Mutex<VecDeque<Says>>,
    received: Mutex<Vec<Received>>,
    came: Notify,
}

struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl RawReceiver {
    /// Opens it.
    ///
    /// # Errors
    /// No loopback port is free.
    pub async fn start(clock: Arc<dyn Clock>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let inner = Arc::new(Inner {
            clock,
            script: Mutex::default(),
            received: Mutex::default(),
            came: Notify::new(),
        });
        let task = Task(tokio::spawn(accept(listener, Arc::clone(&inner))));
        Ok(Self { inner, port, _task: Arc::new(task) })
    }

    /// `http://127.0.0.1:{port}/hook`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// Appends to the script.
    pub fn then(&self, says: Says) {
        lock(&self.inner.script).push_back(says);
    }

    /// Everything so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        lock(&self.inner.received).clone()
    }

    /// Waits until at least `n` requests have come; false after `timeout`.
    pub async fn reached(&self, n: usize, timeout: Duration) -> bool {
        let enough = async {
            loop {
                let came = self.inner.came.notified();
                tokio::pin!(came);
                // Listening before looking, so that nothing slips in between.
                came.as_mut().enable();
                if lock(&self.inner.received).len() >= n {
                    return;
                }
                came.await;
            }
        };
        tokio::time::timeout(timeout, enough).await.is_ok()
    }
}

async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    // The set dies with this task, and with it the connections.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, Arc::clone(&inner)));
        while connections.try_join_next().is_some() {}
    }
}

/// One request, one answer. An error is a client that went away.
async fn serve(mut stream: TcpStream, inner: Arc<Inner>) -> io::Result<()> {
    let Some(received) = read(&mut stream, inner.clock.now()).await? else { return Ok(()) };
    let says = {
        // One after another: the record's order is the script's.
        let mut all = lock(&inner.received);
        all.push(received);
        lock(&inner.script).pop_front()
    };
    inner.came.notify_waiters();
    let says = says.unwrap_or_else(|| Says::status("200 OK", "connection: close\r\n", b""));
    stream.write_all(&says.bytes).await?;
    stream.flush().await?;
    match says.ends {
        Ends::Closed => stream.shutdown().await,
        Ends::Reset => stream.set_zero_linger(),
        Ends::HalfClosed => {
            stream.shutdown().await?;
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop)
        }
        Ends::Open => std::future::pending().await,
    }
}

async fn read(stream: &mut TcpStream, at: Timestamp) -> io::Result<Option<Received>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(received) = parsed(&bytes, at) {
            return Ok(Some(received));
        }
        if bytes.len() > REQUEST_MAX || stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}

/// The request, if all of it is there.
fn parsed(bytes: &[u8], at: Timestamp) -> Option<Received> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let pair = |line: &str| line.split_once(": ").map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()));
    let headers: Vec<_> = lines.filter_map(pair).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse::<usize>().ok()?;
    let body = bytes.get(end.saturating_add(4)..)?;
    (body.len() >= length).then(|| Received { method, path, headers, body: body.to_vec(), at })
}
