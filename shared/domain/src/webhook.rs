//! The body of an outgoing webhook: versioned, frozen when its event is decided.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{Cause, Event, StageRef};
use crate::id::content_key;
use crate::order::{Order, Snapshot};
use crate::run::{RunId, RunKey};

/// Largest body that is sent, in bytes.
pub const BODY_MAX: usize = 256 * 1_024;
/// The version of the messages: it counts changes that a receiver must know of. What is added is none.
pub const MESSAGE_VERSION: u32 = 1;
/// The type of the message that tries an endpoint out.
pub const ENDPOINT_TEST: &str = "endpoint.test";

/// What a message tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum EventType {
    /// An order is new.
    #[serde(rename = "order.created")]
    Created,
    /// Something about an order has changed: what it says, its fulfillment, its packages, whether it is open.
    #[serde(rename = "order.updated")]
    Updated,
    /// An order has entered a stage.
    #[serde(rename = "order.stage_entered")]
    StageEntered,
    /// All packages of an order are delivered.
    #[serde(rename = "order.delivered")]
    Delivered,
}

impl EventType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Created, Self::Updated, Self::StageEntered, Self::Delivered];

    /// The message's `type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "order.created",
            Self::Updated => "order.updated",
            Self::StageEntered => "order.stage_entered",
            Self::Delivered => "order.delivered",
        }
    }
}

/// A message: Standard Webhooks' envelope (integrations §6).
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "WebhookMessage"))]
pub struct Message<'a> {
    /// What it tells of.
    r#type: EventType,
    /// When it was decided.
    timestamp: String,
    /// Counts changes of messages that a receiver must know of.
    version: u32,
    /// What it tells.
    data: Data<'a>,
}

/// What a message tells.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "WebhookData"))]
struct Data<'a> {
    /// The order, whole.
    order: OrderBody<'a>,
    /// Where it stands; null if it stands nowhere.
    stage: Option<&'a StageRef>,
    /// Where it came from, if it has just moved.
    previous_stage: Option<&'a StageRef>,
    /// Why it happened.
    cause: &'a Cause,
    /// The event's number within the order: what has a higher one is newer.
    seq: u64,
    /// When it happened, as the outside says.
    occurred_at: String,
}

/// An order, as a message shows it.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "WebhookOrder"))]
struct OrderBody<'a> {
    /// Its id.
    id: &'a str,
    /// As the shop prints it.
    number: &'a str,
    /// Where it was placed.
    platform: &'a str,
    /// The store there.
    store: &'a str,
    /// Its id there.
    external_id: &'a str,
    #[serde(flatten)]
    snapshot: &'a Snapshot,
}

/// The message of a stage entry, frozen; [`of_type`] makes the others of it. `stage` is where the order stands
/// after the event.
#[must_use]
pub fn body(event: &Event, order: &Order, snapshot: &Snapshot, stage: Option<&StageRef>) -> Option<String> {
    let transition = event.transition.as_ref();
    let message = Message {
        r#type: EventType::StageEntered,
        timestamp: event.at.to_string(),
        version: MESSAGE_VERSION,
        data: Data {
            order: OrderBody {
                id: order.id.as_str(),
                number: &order.number,
                platform: order.source.platform.as_str(),
                store: &order.source.store,
                external_id: &order.source.external_id,
                snapshot,
            },
            stage: transition.map(|transition| &transition.to).or(stage),
            previous_stage: transition.and_then(|transition| transition.from.as_ref()),
            cause: &event.cause,
            seq: event.seq,
            occurred_at: event.fact_at.unwrap_or(event.at).to_string(),
        },
    };
    serde_json::to_string(&message).ok()
}

/// The frozen message as one of this type: the same bytes but for its `type`, which comes first.
#[must_use]
pub fn of_type(frozen: &str, told: EventType) -> String {
    let head = |told: EventType| format!("{{\"type\":\"{}\"", told.as_str());
    match frozen.strip_prefix(&head(EventType::StageEntered)) {
        Some(rest) => format!("{}{rest}", head(told)),
        None => frozen.to_owned(),
    }
}

/// A message that tries an endpoint out.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "TestMessage"))]
pub struct TestMessage<'a> {
    /// `endpoint.test`.
    r#type: &'a str,
    /// When it was sent.
    timestamp: String,
    /// Counts changes of messages that a receiver must know of.
    version: u32,
    /// What it tells.
    data: TestData<'a>,
}

/// What a test message tells.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "TestData"))]
struct TestData<'a> {
    /// The endpoint that is tried out.
    endpoint: TestEndpoint<'a>,
}

/// An endpoint, as a test message names it.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "TestEndpoint"))]
struct TestEndpoint<'a> {
    /// Its id.
    id: &'a str,
    /// Its name.
    name: &'a str,
}

/// The message that tries an endpoint out: of no order.
#[must_use]
pub fn test_body(at: Timestamp, id: &str, name: &str) -> String {
    let data = TestData { endpoint: TestEndpoint { id, name } };
    let (r#type, timestamp) = (ENDPOINT_TEST, at.to_string());
    serde_json::to_string(&TestMessage { r#type, timestamp, version: MESSAGE_VERSION, data })
        .unwrap_or_default()
}

/// The `webhook-id`: the same on every attempt of one run and when it is sent again, so that a receiver knows
/// what it has. Without a dot, because the signed text is joined by dots.
#[must_use]
pub fn message_id(run: &RunId) -> String {
    let first = RunId { key: RunKey::first(run.key.target.clone()), ..run.clone() };
    message_id_of(&first.to_string())
}

/// The `webhook-id` of what has this id.
#[must_use]
pub fn message_id_of(id: &str) -> String {
    format!("msg_{}", content_key(&["webhook-id", id]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_message_says_that_it_is_one() {
        let body = test_body(Timestamp::UNIX_EPOCH, "ep_a", "My \"ERP\"");
        let read: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&read["type"], &read["version"]), (&ENDPOINT_TEST.into(), &1.into()));
        assert_eq!(read["data"]["endpoint"], serde_json::json!({"id": "ep_a", "name": "My \"ERP\""}));
    }
}
