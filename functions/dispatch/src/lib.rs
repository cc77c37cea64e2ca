//! The table's stream: rings the doorbell for the runs of a new event, ids only.
//!
//! Losing a record loses nothing: the event stands in the due index from birth, and `wake` rings for it.

use std::sync::Arc;

use aws_lambda_events::event::dynamodb::{Event as StreamEvent, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use stagepost_app::dispatch::dispatch;
use stagepost_app::ports::{Clock, Doorbell};
use stagepost_domain::event::Event;

/// What dispatch needs: no store, the record carries the event.
pub struct Dispatch<D> {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The queues.
    pub doorbell: D,
}

/// Rings for one batch of stream records. From the first record that could not be rung, all come back.
pub async fn handle<D: Doorbell>(function: &Dispatch<D>, batch: StreamEvent) -> DynamoDbEventResponse {
    let mut response = DynamoDbEventResponse::default();
    for record in batch.records {
        let sequence = record.change.sequence_number.clone();
        let Some(event) = new_event(record) else { continue };
        match dispatch(&function.doorbell, &event, function.clock.now()).await {
            Ok(rung) => tracing::info!(order = %event.order, seq = event.seq, rung, "dispatch"),
            Err(error) => {
                tracing::error!(order = %event.order, seq = event.seq, %error, "dispatch");
                let mut failure = DynamoDbBatchItemFailure::default();
                failure.item_identifier = sequence;
                response.batch_item_failures.push(failure);
                break;
            }
        }
    }
    response
}

/// The event of an `INSERT` of an event item; anything else is not for us. An item that cannot be read
/// blocks nobody: the due index still holds it, and reading it there tells of it.
fn new_event(record: EventRecord) -> Option<Event> {
    if record.event_name != "INSERT" {
        return None;
    }
    match stagepost_dynamodb::event_from_image(record.change.new_image) {
        Ok(event) => event,
        Err(error) => {
            tracing::error!(%error, "a stream record cannot be read");
            None
        }
    }
}
