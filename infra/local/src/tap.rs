//! The table's stream. The engine's own slows every write down, so the records are taken from the writes:
//! an interceptor on the SDK client sees each transaction that succeeded, and hands its new events on as the
//! stream would.
//!
//! This is a stream that forgets at a crash. It may: an event stands in the due index from birth.

use aws_lambda_events::event::dynamodb::Event as StreamEvent;
use aws_sdk_dynamodb::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::pulse::Pulse;

/// Records that wait for dispatch at most; what comes on top is left to the due index.
const WAITING_MAX: usize = 10_000;
/// Records of one invocation, as a stream's event source mapping has it by default.
const BATCH: usize = 100;

/// Listens to the writes of a client.
#[derive(Debug)]
pub struct StreamTap {
    records: mpsc::Sender<Value>,
    pulse: Pulse,
}

/// The end where the records come out.
pub struct Stream {
    records: mpsc::Receiver<Value>,
    numbered: u64,
}

/// A tap and its stream.
pub fn tap(pulse: Pulse) -> (StreamTap, Stream) {
    let (sender, records) = mpsc::channel(WAITING_MAX);
    (StreamTap { records: sender, pulse }, Stream { records, numbered: 0 })
}

/// Images of the events that a request in flight puts.
#[derive(Debug)]
struct NewEvents(Vec<Value>);

impl Storable for NewEvents {
    type Storer = StoreReplace<Self>;
}

impl Intercept for StreamTap {
    fn name(&self) -> &'static str {
        "StreamTap"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        if target.ends_with(".TransactWriteItems") {
            let events = request.body().bytes().map(new_events).unwrap_or_default();
            bag.interceptor_state().store_put(NewEvents(events));
        }
        if target.ends_with(".PutItem") {
            let mail = request.body().bytes().and_then(new_mail);
            bag.interceptor_state().store_put(NewEvents(mail.into_iter().collect()));
        }
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(NewEvents(events)) = bag.load::<NewEvents>()
            && context.output_or_error().is_ok()
        {
            for image in events {
                self.hand_on(image.clone());
            }
        }
        Ok(())
    }
}

impl StreamTap {
    fn hand_on(&self, image: Value) {
        self.pulse.record();
        if self.records.try_send(image).is_err() {
            self.pulse.recorded(1);
            tracing::warn!("a stream record is left to the sweep");
        }
    }
}

/// Items put under `E#…`, `JOB#…` and `MAIL#…` by a `TransactWriteItems` request: on the wire they look as in a stream's image.
fn new_events(body: &[u8]) -> Vec<Value> {
    let Ok(Value::Object(mut request)) = serde_json::from_slice(body) else { return Vec::new() };
    let Some(Value::Array(actions)) = request.remove("TransactItems") else { return Vec::new() };
    actions.into_iter().filter_map(put_item).filter(is_event).collect()
}

/// The item that a `PutItem` request puts under `MAIL#…` where none is: nothing but its record rings for it.
fn new_mail(body: &[u8]) -> Option<Value> {
    let mut request: Value = serde_json::from_slice(body).ok()?;
    let is_new = request.get("ConditionExpression")?.as_str()?.starts_with("attribute_not_exists");
    let item = request.get_mut("Item")?.take();
    let sk = item.get("sk").and_then(|sk| sk.get("S")).and_then(Value::as_str)?;
    (is_new && sk.starts_with("MAIL#")).then_some(item)
}

fn put_item(mut action: Value) -> Option<Value> {
    Some(action.get_mut("Put")?.get_mut("Item")?.take())
}

fn is_event(item: &Value) -> bool {
    let sk = item.get("sk").and_then(|sk| sk.get("S")).and_then(Value::as_str);
    sk.is_some_and(|sk| ["E#", "JOB#", "MAIL#"].iter().any(|kind| sk.starts_with(kind)))
}

impl Stream {
    /// The next batch as Lambda would get it, with the number of its records. `None` when the tap is gone.
    pub async fn next(&mut self) -> Option<(StreamEvent, usize)> {
        let mut images = Vec::new();
        let count = self.records.recv_many(&mut images, BATCH).await;
        if count == 0 {
            return None;
        }
        let records: Vec<Value> = images.into_iter().map(|image| self.insert(image)).collect();
        match serde_json::from_value(json!({ "Records": records })) {
            Ok(event) => Some((event, count)),
            Err(error) => {
                tracing::error!(%error, "stream records cannot be made");
                Some((StreamEvent::default(), count))
            }
        }
    }

    fn insert(&mut self, image: Value) -> Value {
        self.numbered += 1;
        json!({
            "eventID": format!("{:032x}", self.numbered),
            "eventName": "INSERT",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "local",
            "eventSourceARN": "arn:aws:dynamodb:local:000000000000:table/stagepost/stream/local",
            "dynamodb": {
                "ApproximateCreationDateTime": 0,
                "Keys": { "pk": image.get("pk"), "sk": image.get("sk") },
                "SequenceNumber": format!("{:021}", self.numbered),
                "SizeBytes": image.to_string().len(),
                "StreamViewType": "NEW_AND_OLD_IMAGES",
                "NewImage": image,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_new_events_of_a_transaction_become_insert_records_and_nothing_else_does() {
        let put = |sk: &str| json!({"Put": {"TableName": "t", "Item": {"pk": {"S": "ORDER#1"}, "sk": {"S": sk}, "n": {"N": "7"}}}});
        let update =
            json!({"Update": {"TableName": "t", "Key": {"pk": {"S": "ORDER#1"}, "sk": {"S": "E#1"}}}});
        let body = json!({"TransactItems": [put("ORDER"), put("E#0000000001"), put("SNAPSHOT"), update]});
        let events = new_events(body.to_string().as_bytes());
        assert_eq!(events.len(), 1);

        let (tap, mut stream) = tap(Pulse::new());
        tap.hand_on(events[0].clone());
        assert_eq!(tap.pulse.records(), 1);
        let (batch, count) = stream.next().await.unwrap();
        assert_eq!((batch.records.len(), count), (1, 1));
        let record = &batch.records[0];
        assert_eq!(record.event_name, "INSERT");
        assert!(record.change.sequence_number.is_some());
        assert!(record.change.keys.contains_key("sk") && record.change.new_image.contains_key("n"));
    }

    #[test]
    fn a_mail_that_is_new_becomes_a_record() {
        let put = |sk: &str, condition: &str| {
            let put = json!({"Item": {"sk": {"S": sk}}, "ConditionExpression": condition});
            new_mail(put.to_string().as_bytes()).is_some()
        };
        assert!(put("MAIL#a", "attribute_not_exists(pk)"));
        assert!(!put("MAIL#a", "#v = :was") && !put("SETTINGS", "attribute_not_exists(pk)"));
    }

    #[test]
    fn a_request_that_is_no_transaction_has_no_events() {
        for body in ["", "[]", "{}", r#"{"TransactItems":{}}"#, r#"{"TransactItems":[{"Put":{}},1]}"#] {
            assert!(new_events(body.as_bytes()).is_empty(), "{body}");
        }
    }
}
