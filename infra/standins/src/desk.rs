//! What both platforms have in common: a clock of whole seconds, a log of calls, an outbox, and the ways
//! in which calls go wrong.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use stagepost_app::ports::Clock;

use crate::courier::Courier;
use crate::gate::Gate;
use crate::json::time;
use crate::lock;
use crate::notification::{Notification, Outbox};
use crate::server::Answer;

/// One call of the platform's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// When it came.
    pub at: Timestamp,
    /// `fulfillmentCreate`, `order`, `PUT order`, `POST notes`, …
    pub what: String,
    /// The order's id, if one was named.
    pub order: Option<String>,
    /// The status that was to be answered; `None` when the connection was closed instead.
    pub status: Option<u16>,
}

/// What an answer turns into after the call has had its effect.
#[derive(Debug, Clone, Copy)]
enum Spoiled {
    Closed,
    Status(u16),
}

#[derive(Default)]
struct Faults {
    refuse: VecDeque<(bool, u16)>,
    throttle: usize,
    spoil: VecDeque<Spoiled>,
    gate: Option<Gate>,
    read_gate: Option<Gate>,
}

/// The platform's front desk; reached through [`Platform`].
pub struct Desk {
    clock: Arc<dyn Clock>,
    last: Mutex<Timestamp>,
    faults: Mutex<Faults>,
    log: Mutex<Vec<Call>>,
    pub(crate) outbox: Outbox,
}

impl Desk {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            last: Mutex::new(Timestamp::MIN),
            faults: Mutex::default(),
            log: Mutex::default(),
            outbox: Outbox::default(),
        }
    }

    /// The time of a change: whole seconds, never backwards. Changes of one second share it.
    pub(crate) fn tick(&self) -> Timestamp {
        let now = self.clock.now();
        let second = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let mut last = lock(&self.last);
        *last = second.max(*last);
        *last
    }

    /// Whether the next call is throttled.
    pub(crate) fn throttled(&self) -> bool {
        let mut faults = lock(&self.faults);
        let throttled = faults.throttle > 0;
        faults.throttle = faults.throttle.saturating_sub(1);
        throttled
    }

    /// A status with which the call is refused before anything is done.
    pub(crate) fn refused(&self, writes: bool) -> Option<Answer> {
        let mut faults = lock(&self.faults);
        faults.refuse.front().filter(|(only_writes, _)| writes || !only_writes)?;
        let (_, status) = faults.refuse.pop_front()?;
        let mut answer = Answer::empty(status);
        if matches!(status, 429 | 503) {
            answer.headers.push(("retry-after", "2".to_owned()));
        }
        Some(answer)
    }

    /// Logs the call and lets its answer out: as it is, late, spoiled or not at all.
    pub(crate) async fn answer(
        &self,
        what: &str,
        order: Option<String>,
        writes: bool,
        answer: Answer,
    ) -> Option<Answer> {
        let (spoiled, gate) = {
            let mut faults = lock(&self.faults);
            let spoiled = if writes { faults.spoil.pop_front() } else { None };
            (spoiled, if writes { faults.gate.clone() } else { faults.read_gate.clone() })
        };
        let answer = dated(answer, self.tick());
        let answer = match spoiled {
            None => Some(answer),
            Some(Spoiled::Status(status)) => Some(Answer::empty(status)),
            Some(Spoiled::Closed) => None,
        };
        let status = answer.as_ref().map(|a| a.status);
        lock(&self.log).push(Call { at: self.clock.now(), what: what.to_owned(), order, status });
        if let Some(gate) = gate {
            gate.pass().await;
        }
        answer
    }
}

/// By the platform's clock, not by that of the machine.
fn dated(mut answer: Answer, at: Timestamp) -> Answer {
    answer.headers.push(("date", time(at, 0, "%a, %d %b %Y %H:%M:%S GMT")));
    answer
}

/// What a script can do with either platform.
pub trait Platform {
    /// Its front desk.
    fn desk(&self) -> &Desk;

    /// Takes the notifications that wait, oldest first.
    fn take_outbox(&self) -> Vec<Notification> {
        self.desk().outbox.take()
    }

    /// From now on posts every notification at once to `path` of the host, in the background and in order,
    /// perhaps before the call that caused it is answered. Never sends one again: what was not answered
    /// with 2xx is kept, see [`Platform::take_undelivered`]. Needs a tokio runtime.
    fn push_to(&self, courier: &Courier, path: &str) {
        self.desk().outbox.push_to(courier.clone(), path.to_owned());
    }

    /// From now on notifications wait in the outbox again.
    fn queue_again(&self) {
        self.desk().outbox.queue_again();
    }

    /// Waits until every pushed notification was answered or failed; false after `timeout`.
    fn settled(&self, timeout: Duration) -> impl Future<Output = bool> + Send {
        self.desk().outbox.settled(timeout)
    }

    /// Takes the pushed notifications that were not answered with 2xx.
    fn take_undelivered(&self) -> Vec<Notification> {
        self.desk().outbox.take_undelivered()
    }

    /// The API's calls so far, refused ones included.
    fn log(&self) -> Vec<Call> {
        lock(&self.desk().log).clone()
    }

    /// From now on writes have their effect and send their notifications, but are answered only when the
    /// gate is released.
    fn hold_answers(&self) -> Gate {
        let gate = Gate::new();
        lock(&self.desk().faults).gate = Some(gate.clone());
        gate
    }

    /// From now on reads see what is there when they come, but are answered only when the gate is released.
    fn hold_looks(&self) -> Gate {
        let gate = Gate::new();
        lock(&self.desk().faults).read_gate = Some(gate.clone());
        gate
    }

    /// The next `n` writes have their effect, then the connection closes without an answer.
    fn drop_answers(&self, n: usize) {
        lock(&self.desk().faults).spoil.extend(std::iter::repeat_n(Spoiled::Closed, n));
    }

    /// The next `n` writes have their effect, then this status is answered.
    fn spoil_answers(&self, status: u16, n: usize) {
        lock(&self.desk().faults).spoil.extend(std::iter::repeat_n(Spoiled::Status(status), n));
    }

    /// The next `n` calls get this status and nothing is done (429 and 503 with `Retry-After: 2`).
    fn fail_next(&self, status: u16, n: usize) {
        lock(&self.desk().faults).refuse.extend(std::iter::repeat_n((false, status), n));
    }

    /// The next `n` writes get this status and nothing is done; reads go on.
    fn fail_next_writes(&self, status: u16, n: usize) {
        lock(&self.desk().faults).refuse.extend(std::iter::repeat_n((true, status), n));
    }

    /// The next `n` calls are throttled the platform's way: Shopify's HTTP 200 with `THROTTLED`,
    /// WooCommerce's host's 429.
    fn throttle_next(&self, n: usize) {
        lock(&self.desk().faults).throttle = n;
    }
}
