//! A merchant's webhook receiver.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use stagepost_app::ports::Clock;
use tokio::sync::Notify;

use crate::gate::Gate;
use crate::lock;
use crate::server::{Answer, Handler, Request, Server};

/// What the receiver does with a request, once it has read and recorded it.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Answers this status.
    Status(u16),
    /// Answers this status and asks for patience in seconds.
    RetryAfter(u16, u32),
    /// Answers 200 when the gate is released.
    Hang(Gate),
    /// Closes the connection.
    Drop,
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Header names in lower case, with values that are text.
    pub headers: Vec<(String, String)>,
    /// The exact bytes.
    pub body: Vec<u8>,
    /// When it had been read.
    pub at: Timestamp,
}

impl Received {
    /// The value of a header; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// A receiver on loopback that answers by script, 200 when the script is done. Clones are the same.
#[derive(Clone)]
pub struct Receiver {
    inner: Arc<Inner>,
    server: Arc<Server>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    script: Mutex<VecDeque<Reply>>,
    received: Mutex<Vec<Received>>,
    came: Notify,
}

impl Receiver {
    /// Opens it.
    ///
    /// # Errors
    /// No loopback port is free.
    pub async fn start(clock: Arc<dyn Clock>) -> io::Result<Self> {
        let inner = Arc::new(Inner {
            clock,
            script: Mutex::default(),
            received: Mutex::default(),
            came: Notify::new(),
        });
        let server = Arc::new(Server::start(Arc::clone(&inner)).await?);
        Ok(Self { inner, server })
    }

    /// `http://127.0.0.1:{port}/hook`; any other path is received just the same.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/hook", self.server.url())
    }

    /// Appends to the script: the next `n` requests get this.
    pub fn reply(&self, reply: Reply, n: usize) {
        lock(&self.inner.script).extend(std::iter::repeat_n(reply, n));
    }

    /// Everything so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        lock(&self.inner.received).clone()
    }

    /// Waits until at least `n` requests have come, and gives all; `None` after `timeout`.
    pub async fn wait_for(&self, n: usize, timeout: Duration) -> Option<Vec<Received>> {
        let enough = async {
            loop {
                let came = self.inner.came.notified();
                tokio::pin!(came);
                // Listening before looking, so that nothing slips in between.
                came.as_mut().enable();
                let received = self.received();
                if received.len() >= n {
                    return received;
                }
                came.await;
            }
        };
        tokio::time::timeout(timeout, enough).await.ok()
    }
}

impl Handler for Inner {
    async fn handle(&self, request: Request) -> Option<Answer> {
        let text = |value: &http::HeaderValue| value.to_str().ok().map(str::to_owned);
        let headers = request.headers.iter();
        let received = Received {
            method: request.method.to_string(),
            path: request.path,
            headers: headers.filter_map(|(n, v)| Some((n.as_str().to_owned(), text(v)?))).collect(),
            body: request.body.to_vec(),
            at: self.clock.now(),
        };
        let reply = {
            // One after another: the record's order is the script's.
            let mut all = lock(&self.received);
            all.push(received);
            lock(&self.script).pop_front()
        };
        self.came.notify_waiters();
        match reply {
            None => Some(Answer::empty(200)),
            Some(Reply::Status(status)) => Some(Answer::empty(status)),
            Some(Reply::RetryAfter(status, seconds)) => {
                let mut answer = Answer::empty(status);
                answer.headers.push(("retry-after", seconds.to_string()));
                Some(answer)
            }
            Some(Reply::Hang(gate)) => {
                gate.pass().await;
                Some(Answer::empty(200))
            }
            Some(Reply::Drop) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::ManualClock;

    use super::*;
    use crate::courier::{Courier, CourierError};
    use crate::notification::Notification;

    const LONG: Duration = Duration::from_secs(10);

    fn post(body: &str) -> Notification {
        let headers = vec![("webhook-id".to_owned(), "msg_1".to_owned())];
        Notification { topic: String::new(), headers, body: body.as_bytes().to_vec() }
    }

    async fn receiver() -> (Receiver, Courier) {
        let receiver = Receiver::start(Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH))).await.unwrap();
        let courier = Courier::new(&receiver.server.url());
        (receiver, courier)
    }

    #[tokio::test]
    async fn it_records_the_exact_bytes_and_answers_by_script() {
        let (receiver, courier) = receiver().await;
        receiver.reply(Reply::Status(500), 2);
        receiver.reply(Reply::RetryAfter(429, 7), 1);
        let mut statuses = Vec::new();
        for body in ["1", "2", "3", "{\"ä\": 4}"] {
            statuses.push(courier.post("/hook", &post(body)).await.unwrap().status);
        }
        assert_eq!(statuses, [500, 500, 429, 200]);
        let all = receiver.wait_for(4, LONG).await.unwrap();
        assert_eq!(all[3].body, "{\"ä\": 4}".as_bytes());
        assert_eq!(all[0].header("webhook-id"), Some("msg_1"));
        assert_eq!(receiver.wait_for(5, Duration::from_millis(1)).await, None);
    }

    #[tokio::test]
    async fn it_can_hang_up_after_reading() {
        let (receiver, courier) = receiver().await;
        receiver.reply(Reply::Drop, 1);
        let lost = courier.post("/hook", &post("x")).await;
        assert!(matches!(lost, Err(CourierError::Unreachable(_))), "{lost:?}");
        assert_eq!(receiver.received().len(), 1);
    }

    #[tokio::test]
    async fn a_hanging_answer_comes_when_it_is_released() {
        let (receiver, courier) = receiver().await;
        let gate = Gate::new();
        receiver.reply(Reply::Hang(gate.clone()), 1);
        let call = tokio::spawn(async move { courier.post("/hook", &post("x")).await });
        assert!(gate.reached(1, LONG).await);
        assert!(!call.is_finished());
        gate.release();
        assert_eq!(call.await.unwrap().unwrap().status, 200);
    }
}
