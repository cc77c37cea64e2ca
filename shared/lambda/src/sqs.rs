//! SQS batches: bounded concurrency, one answer per message, a panic costs one message and not its batch.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::metrics::{Figure, Figures};

/// Nothing could be decided: the message is to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComesBack;

/// Hands each message's body to `handle`, at most `concurrency` at a time, and reports those that are to
/// come back. The figures of the whole batch are written at its end. Messages without an id cannot be reported, so they
/// count as their batch's failure does: an empty identifier makes Lambda retry everything.
pub async fn answer<F, Fut, T>(event: SqsEvent, concurrency: usize, handle: F) -> SqsBatchResponse
where
    F: Fn(String) -> Fut,
    Fut: Future<Output = Result<T, ComesBack>> + Send + 'static,
    T: Into<Figures> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(concurrency.max(1)));
    let mut tasks = JoinSet::new();
    let mut messages = HashMap::new();
    for message in event.records {
        let id = message.message_id.unwrap_or_default();
        let work = handle(message.body.unwrap_or_default());
        let places = Arc::clone(&places);
        let task = tasks.spawn(
            async move {
                let _place = places.acquire_owned().await;
                work.await
            }
            .in_current_span(),
        );
        messages.insert(task.id(), id);
    }
    let (mut failed, mut figures) = (Vec::new(), Figures::default());
    while let Some(ended) = tasks.join_next_with_id().await {
        let (task, result) = match ended {
            Ok((task, result)) => (task, result),
            Err(panic) => {
                tracing::error!(error = %panic, "a message's handler panicked");
                (panic.id(), Err(ComesBack))
            }
        };
        match result {
            Ok(happened) => figures.add(happened.into()),
            Err(ComesBack) => {
                figures.add(Figures::one(Figure::MessagesReturned));
                failed.push(failure(messages.remove(&task).unwrap_or_default()));
            }
        }
    }
    figures.emit();
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed;
    response
}

fn failure(id: String) -> BatchItemFailure {
    let mut failure = BatchItemFailure::default();
    failure.item_identifier = id;
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(bodies: &[&str]) -> SqsEvent {
        let records: Vec<_> = bodies
            .iter()
            .map(|b| serde_json::json!({"messageId": format!("m-{b}"), "body": b, "attributes": {}, "messageAttributes": {}}))
            .collect();
        serde_json::from_value(serde_json::json!({ "Records": records })).unwrap()
    }

    #[tokio::test]
    async fn only_the_messages_that_decided_nothing_come_back() {
        let answer = answer(event(&["ok", "later", "panic"]), 2, |body| async move {
            match body.as_str() {
                "ok" => Ok(()),
                "later" => Err(ComesBack),
                _ => panic!("one bad record"),
            }
        })
        .await;
        let mut ids: Vec<_> = answer.batch_item_failures.iter().map(|f| f.item_identifier.as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["m-later", "m-panic"]);
    }
}
