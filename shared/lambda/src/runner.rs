//! What the runners share: a doorbell message in, a decision out.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use stagepost_app::ports::{BadMessage, Clock, DeadLetters, Doorbell, Ring};
use stagepost_app::run::{Answered, Of, Rung, RunnerError};
use stagepost_domain::Timestamp;
use stagepost_domain::run::{Run, RunId};

use crate::metrics::{Figures, lag_ms, since_ms};
use crate::sqs::{ComesBack, answer};

/// Messages worked on at once: most of a runner's time is waiting for others.
pub const CONCURRENCY: usize = 10;

/// Answers a batch of doorbell messages. One that cannot be read is treated as [`unread`] says; one whose run could
/// not be decided comes back; every decided outcome acknowledges.
pub async fn run_batch<D, W, Fut>(
    event: SqsEvent,
    decode: fn(&str) -> Result<RunId, BadMessage>,
    clock: &Arc<dyn Clock>,
    dead: Arc<D>,
    work: W,
) -> SqsBatchResponse
where
    D: DeadLetters + 'static,
    W: Fn(RunId) -> Fut,
    Fut: Future<Output = Result<Rung, RunnerError>> + Send + 'static,
{
    answer(event, CONCURRENCY, |body| {
        let run = decode(&body).map(|id| (id.clone(), work(id)));
        let (dead, clock) = (Arc::clone(&dead), Arc::clone(clock));
        async move {
            match run {
                Ok((id, work)) => {
                    let result = work.await;
                    decided(&id, result, clock.now())
                }
                Err(why) => unread(&*dead, &body, &why).await.map(Figures::from),
            }
        }
    })
    .await
}

/// Rings for a run that is to go on at `due`: exactly then, not with all others in the sweep of a minute. A ring
/// that is not taken is left to the sweep.
pub async fn ring_at<B: Doorbell>(doorbell: &B, id: &RunId, due: Timestamp, now: Timestamp) {
    let delay = due.duration_since(now).try_into().unwrap_or_default();
    if let Err(error) = doorbell.ring(&[Ring { run: id.clone(), delay }]).await {
        tracing::warn!(run = %id, %error, "left to the sweep");
    }
}

/// What becomes of a message whose run was decided, or was not: one line in the log, and what it counts.
///
/// # Errors
/// It was not; the message comes back.
pub fn decided(run: &RunId, result: Result<Rung, RunnerError>, now: Timestamp) -> Result<Figures, ComesBack> {
    let action = run.key.action();
    match result {
        Ok(rung) => {
            told(run, &rung, now);
            Ok(Figures::of_run(action, &rung, now))
        }
        Err(error) => {
            tracing::warn!(%run, order = %run.order, action = action.as_str(), %error, "run not decided");
            Err(ComesBack)
        }
    }
}

/// The line of a run. How late it is stands there once it has ended: until then nobody knows.
fn told(run: &RunId, rung: &Rung, now: Timestamp) {
    let (order, action) = (&run.order, run.key.action().as_str());
    let shop = rung.of.as_ref().map(|of| tracing::field::display(&of.shop));
    let notable = rung.notable.map(tracing::field::debug);
    match (&rung.answered, &rung.of) {
        (Answered::Recorded(after), Some(of)) => {
            let (lag_ms, event_to_done_ms) = lateness(after, of, now);
            let (state, attempts) = (after.state.code(), after.attempts);
            tracing::info!(%run, shop, %order, action, state, attempts, lag_ms, event_to_done_ms, notable, "run");
        }
        (answered, _) => tracing::info!(%run, shop, %order, action, ?answered, notable, "run"),
    }
}

fn lateness(run: &Run, of: &Of, now: Timestamp) -> (Option<i64>, Option<i64>) {
    let ended = !run.is_open();
    (ended.then(|| lag_ms(run, of.at, now)), ended.then(|| since_ms(of.at, now)))
}

/// What becomes of a message that cannot be read: what nobody can read goes to the dead letters at once, what another
/// release can read comes back. If that one was taken back for good, it ends with the dead letters, too.
///
/// # Errors
/// It comes back.
pub async fn unread<D: DeadLetters>(dead: &D, body: &str, why: &BadMessage) -> Result<(), ComesBack> {
    match why {
        BadMessage::Garbage => bury(dead, body).await,
        BadMessage::Version(_) => {
            tracing::warn!(%why, "the message comes back");
            Err(ComesBack)
        }
    }
}

/// Puts a message aside that nobody can read.
///
/// # Errors
/// The dead letters do not take it; it comes back.
pub async fn bury<D: DeadLetters>(dead: &D, body: &str) -> Result<(), ComesBack> {
    tracing::error!(bytes = body.len(), "a message that cannot be decoded goes to the dead letters");
    dead.bury(body).await.map_err(|error| {
        tracing::error!(%error, "the dead letters do not take it");
        ComesBack
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Mutex;

    use serde_json::{Value, json};
    use stagepost_app::ports::DoorbellError;
    use stagepost_domain::id::ShopId;
    use stagepost_domain::run::RunState;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The one line that is written meanwhile.
    fn line(of: impl FnOnce()) -> Value {
        let (log, id) = (Log::default(), "11f0-request");
        let writer = log.clone();
        let subscriber = crate::telemetry::json("info".into()).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info_span!("Lambda runtime invoke", requestId = id).in_scope(of);
        });
        let written = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        serde_json::from_str(&written).unwrap()
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
    }

    #[test]
    fn law_19_the_line_of_a_run_tells_whose_it_is_how_it_stands_and_how_late_in_ids_and_figures_alone() {
        let id = RunId::parse("run_0a1b.2.email.tmpl_x.0").unwrap();
        let state = RunState::Succeeded { at: at(11_500), detail: "of ada@customer.example".to_owned() };
        let run = Run { state, attempts: 1, ..Run::pending(at(10_000), 1).born(at(0)) };
        let of = Some(Of { shop: ShopId::parse("shop_a").unwrap(), at: at(0) });
        let rung = Rung { answered: Answered::Recorded(Box::new(run)), of, notable: None };
        let told = line(|| assert!(decided(&id, Ok(rung.clone()), at(11_500)).is_ok()));
        let expected = json!({
            "level": "INFO", "target": "stagepost_lambda::runner", "message": "run",
            "run": "run_0a1b.2.email.tmpl_x.0", "shop": "shop_a", "order": "ord_0a1b", "action": "email",
            "state": "succeeded", "attempts": 1, "lag_ms": 1_500, "event_to_done_ms": 11_500,
            "span": {"name": "Lambda runtime invoke", "requestId": "11f0-request"},
        });
        assert_eq!(told, expected);
        let mut waits = rung;
        if let Answered::Recorded(run) = &mut waits.answered {
            run.state = RunState::Pending { due: at(90_000) };
        }
        let told = line(|| assert!(decided(&id, Ok(waits), at(11_500)).is_ok()));
        assert_eq!((&told["state"], &told["lag_ms"]), (&json!("pending"), &Value::Null), "not over yet");
    }

    #[derive(Default)]
    struct Dead(Mutex<Vec<String>>);

    impl DeadLetters for Dead {
        async fn bury(&self, body: &str) -> Result<(), DoorbellError> {
            self.0.lock().unwrap().push(body.to_owned());
            Ok(())
        }
    }

    fn decode(body: &str) -> Result<RunId, BadMessage> {
        match body {
            "newer" => Err(BadMessage::Version(2)),
            text => RunId::parse(text).map_err(|_| BadMessage::Garbage),
        }
    }

    #[tokio::test]
    async fn what_another_release_wrote_comes_back_and_what_nobody_did_is_buried() {
        let run = "run_0a1b.2.email.tmpl_x.0";
        let records: Vec<_> = ["newer", "garbage", run]
            .map(
                |b| serde_json::json!({"messageId": b, "body": b, "attributes": {}, "messageAttributes": {}}),
            )
            .into();
        let batch = serde_json::from_value(serde_json::json!({ "Records": records })).unwrap();
        let dead = Arc::new(Dead::default());
        let clock: Arc<dyn Clock> = Arc::new(crate::system::SystemClock);
        let ended = || Rung { answered: Answered::Ended, of: None, notable: None };
        let answer =
            run_batch(batch, decode, &clock, Arc::clone(&dead), |_| async move { Ok(ended()) }).await;
        let back: Vec<_> = answer.batch_item_failures.into_iter().map(|f| f.item_identifier).collect();
        assert_eq!(back, ["newer"]);
        assert_eq!(*dead.0.lock().unwrap(), ["garbage"]);
    }
}
