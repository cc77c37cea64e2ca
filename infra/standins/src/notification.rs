//! Notifications as they travel, and where they wait.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::courier::Courier;
use crate::lock;

/// A signed notification, ready to be posted any number of times.
#[derive(Clone, PartialEq, Eq)]
pub struct Notification {
    /// `orders/create`, `order.updated`, `tracker.updated`; `ping` for WooCommerce's ping.
    pub topic: String,
    /// Header names as the platform writes them, with values.
    pub headers: Vec<(String, String)>,
    /// The exact bytes that are signed.
    pub body: Vec<u8>,
}

impl Notification {
    /// The value of a header, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

impl fmt::Debug for Notification {
    /// Without the body: it may hold names and addresses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Notification({}, {} bytes)", self.topic, self.body.len())
    }
}

/// Where a store's notifications go: a queue that a script empties, or at once over HTTP.
#[derive(Default)]
pub(crate) struct Outbox {
    queue: Mutex<Vec<Notification>>,
    push: Mutex<Option<mpsc::UnboundedSender<Notification>>>,
    tally: Arc<Tally>,
}

/// What became of pushed notifications.
#[derive(Default)]
struct Tally {
    underway: watch::Sender<usize>,
    undelivered: Mutex<Vec<Notification>>,
}

impl Outbox {
    pub fn send(&self, notification: Notification) {
        let push = lock(&self.push);
        let Some(sender) = push.as_ref() else { return lock(&self.queue).push(notification) };
        self.tally.underway.send_modify(|n| *n = n.saturating_add(1));
        // The courier's task ends only with its runtime: nothing would wait for an answer then.
        let _ = sender.send(notification);
    }

    pub fn take(&self) -> Vec<Notification> {
        std::mem::take(&mut *lock(&self.queue))
    }

    pub fn take_undelivered(&self) -> Vec<Notification> {
        std::mem::take(&mut *lock(&self.tally.undelivered))
    }

    /// From now on each notification is posted in a background task, one after another.
    pub fn push_to(&self, courier: Courier, path: String) {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(push(receiver, courier, path, Arc::clone(&self.tally)));
        *lock(&self.push) = Some(sender);
    }

    pub fn queue_again(&self) {
        *lock(&self.push) = None;
    }

    pub async fn settled(&self, timeout: Duration) -> bool {
        let mut underway = self.tally.underway.subscribe();
        let settled = tokio::time::timeout(timeout, underway.wait_for(|n| *n == 0)).await;
        matches!(settled, Ok(Ok(_)))
    }
}

async fn push(
    mut receiver: mpsc::UnboundedReceiver<Notification>,
    courier: Courier,
    path: String,
    tally: Arc<Tally>,
) {
    while let Some(notification) = receiver.recv().await {
        let posted = courier.post(&path, &notification).await;
        if !posted.is_ok_and(|p| (200..300).contains(&p.status)) {
            lock(&tally.undelivered).push(notification);
        }
        tally.underway.send_modify(|n| *n = n.saturating_sub(1));
    }
}
