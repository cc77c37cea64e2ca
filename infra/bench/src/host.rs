//! The host as a process of its own, so that it can be killed: its clock is so many seconds ahead.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use stagepost_app::ports::Clock;
use stagepost_domain::{SignedDuration, Timestamp};
use stagepost_lambda::system::SystemClock;
use stagepost_local::{HostConfig, start};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::Trouble;

/// Longest that a start may take: the data of a killed host are checked first.
const START_MAX: Duration = Duration::from_secs(60);
/// How long after a start that failed the next one is tried.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
const READY: &str = "ready";

/// The machine's clock, so far ahead.
#[derive(Debug)]
struct Ahead(SignedDuration);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().checked_add(self.0).unwrap_or(Timestamp::MAX)
    }
}

/// Serves until it is killed or interrupted.
pub async fn serve(folder: &str, port: &str, ahead: &str) -> Result<(), Trouble> {
    let config = HostConfig {
        bind: SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?)),
        clock: Arc::new(Ahead(SignedDuration::from_secs(ahead.parse()?))),
        ..HostConfig::in_folder(folder)
    };
    let host = start(config).await?;
    println!("{READY} {}", host.base_url());
    tokio::signal::ctrl_c().await?;
    host.stop().await;
    Ok(())
}

/// A host that is killed and started again on the same data and port.
pub struct Mortal {
    folder: PathBuf,
    port: u16,
    ahead: i64,
    child: Option<Child>,
}

impl Mortal {
    /// Starts one.
    pub async fn start(folder: &Path) -> Result<Self, Trouble> {
        let mut mortal = Self { folder: folder.to_owned(), port: free_port()?, ahead: 0, child: None };
        mortal.launch().await?;
        Ok(mortal)
    }

    /// Where it is reached, alive or not.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// `kill -9`, in the middle of whatever it does.
    pub async fn kill(&mut self) -> Result<(), Trouble> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Starts it again, its clock so many seconds further on.
    pub async fn revive(&mut self, later: i64) -> Result<(), Trouble> {
        self.ahead = self.ahead.saturating_add(later);
        self.launch().await
    }

    /// How far its clock is ahead, in seconds.
    pub fn ahead(&self) -> i64 {
        self.ahead
    }

    /// Starts it; again, while somebody else has its port: what it was killed on is anybody's until it is back.
    async fn launch(&mut self) -> Result<(), Trouble> {
        let started = async {
            loop {
                match self.try_launch().await? {
                    Some(child) => return Ok::<_, Trouble>(child),
                    None => tokio::time::sleep(AGAIN_AFTER).await,
                }
            }
        };
        self.child = Some(tokio::time::timeout(START_MAX, started).await??);
        Ok(())
    }

    /// One start; `None` if it ended before it was ready, which it says why itself.
    async fn try_launch(&self) -> Result<Option<Child>, Trouble> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("host")
            .arg(&self.folder)
            .args([self.port.to_string(), self.ahead.to_string()])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let out = child.stdout.take().ok_or("the host has no output")?;
        let mut lines = BufReader::new(out).lines();
        while let Some(line) = lines.next_line().await? {
            if line.starts_with(READY) {
                return Ok(Some(child));
            }
        }
        Ok(None)
    }
}

fn free_port() -> Result<u16, Trouble> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
