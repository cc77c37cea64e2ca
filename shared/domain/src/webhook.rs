//! The body of an outgoing webhook: versioned, frozen when its event is decided.

use serde::Serialize;

use crate::event::{Cause, Event, StageRef};
use crate::id::content_key;
use crate::order::{Order, Snapshot};
use crate::run::{RunId, RunKey};

/// The type of event that a stage entry sends.
pub const STAGE_ENTERED: &str = "order.stage_entered";

#[derive(Serialize)]
struct Message<'a> {
    r#type: &'a str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    order: OrderBody<'a>,
    stage: &'a StageRef,
    previous_stage: Option<&'a StageRef>,
    cause: &'a Cause,
    seq: u64,
    occurred_at: String,
}

#[derive(Serialize)]
struct OrderBody<'a> {
    id: &'a str,
    number: &'a str,
    platform: &'a str,
    store: &'a str,
    external_id: &'a str,
    #[serde(flatten)]
    snapshot: &'a Snapshot,
}

/// The exact bytes of the message, or `None` for an event that enters no stage.
#[must_use]
pub fn body(event: &Event, order: &Order, snapshot: &Snapshot) -> Option<String> {
    let transition = event.transition.as_ref()?;
    let message = Message {
        r#type: STAGE_ENTERED,
        timestamp: event.at.to_string(),
        data: Data {
            order: OrderBody {
                id: order.id.as_str(),
                number: &order.number,
                platform: order.source.platform.as_str(),
                store: &order.source.store,
                external_id: &order.source.external_id,
                snapshot,
            },
            stage: &transition.to,
            previous_stage: transition.from.as_ref(),
            cause: &event.cause,
            seq: event.seq,
            occurred_at: event.fact_at.unwrap_or(event.at).to_string(),
        },
    };
    serde_json::to_string(&message).ok()
}

/// The `webhook-id`: the same on every attempt of one run and when it is sent again, so that a receiver knows
/// what it has. Without a dot, because the signed text is joined by dots.
#[must_use]
pub fn message_id(run: &RunId) -> String {
    let first = RunId { key: RunKey::first(run.key.target.clone()), ..run.clone() };
    format!("msg_{}", content_key(&["webhook-id", &first.to_string()]))
}
