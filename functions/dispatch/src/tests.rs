use std::sync::Mutex;

use serde_json::{Value, json};
use stagepost_app::mail::ports::Asker;
use stagepost_app::ports::{DoorbellError, JobDoorbell, OrderStore, Ring};
use stagepost_domain::Timestamp;
use stagepost_domain::fact::{Fact, Follows, MoveFact};
use stagepost_domain::id::{JobId, MailId, ShopId};
use stagepost_domain::job::{JobKind, JobState};
use stagepost_testkit::{Fault, ManualClock, MemoryStore, build};

use super::*;

/// Takes so many rings, and no more.
#[derive(Default)]
struct Bell {
    heard: Mutex<usize>,
    takes: Option<usize>,
}

impl Doorbell for Bell {
    async fn ring(&self, rings: &[Ring]) -> Result<(), DoorbellError> {
        let mut heard = self.heard.lock().unwrap();
        if self.takes.is_some_and(|takes| *heard >= takes) {
            return Err(DoorbellError("full".to_owned()));
        }
        *heard += rings.len();
        Ok(())
    }
}

impl JobDoorbell for Bell {
    async fn ring_job(&self, _: &ShopId, _: &JobId) -> Result<(), DoorbellError> {
        let mut heard = self.heard.lock().unwrap();
        if self.takes.is_some_and(|takes| *heard >= takes) {
            return Err(DoorbellError("full".to_owned()));
        }
        *heard += 1;
        Ok(())
    }
}

impl AskedMailDoorbell for Bell {
    async fn ring_asked_mail(&self, _: &Asker, _: &MailId, _: Duration) -> Result<(), DoorbellError> {
        self.ring_job(&build::shop(), &JobId::from_body("x").unwrap()).await
    }
}

fn function(store: &MemoryStore, takes: Option<usize>) -> Arc<Dispatch<MemoryStore, Bell>> {
    Arc::new(Dispatch {
        clock: Arc::new(ManualClock::new(build::seconds(1))),
        doorbell: Bell { takes, ..Bell::default() },
        store: store.clone(),
        key: SearchKey::of_deployment(&[7; 32]),
    })
}

/// The stream record of an event, numbered.
fn record(event: &Event, number: usize) -> Value {
    inserted(&json!(stagepost_dynamodb::event_image(event).unwrap()), number)
}

fn inserted(image: &Value, number: usize) -> Value {
    json!({
        "eventID": "e", "eventName": "INSERT", "awsRegion": "local", "eventSource": "aws:dynamodb",
        "dynamodb": {
            "ApproximateCreationDateTime": 0, "Keys": {}, "SequenceNumber": number.to_string(), "SizeBytes": 1,
            "StreamViewType": "NEW_AND_OLD_IMAGES", "NewImage": image,
        },
    })
}

async fn works_off(function: &Arc<Dispatch<MemoryStore, Bell>>, records: &[Value]) -> Vec<String> {
    let batch = serde_json::from_value(json!({ "Records": records })).unwrap();
    let answer = handle(function, batch).await;
    answer.batch_item_failures.into_iter().filter_map(|f| f.item_identifier).collect()
}

/// So many orders, each with the record of its first event.
async fn orders(store: &MemoryStore, count: u64) -> Vec<Value> {
    let mut records = Vec::new();
    for n in 1..=count {
        let fact = build::told(build::order_fact(n, 0));
        let made = build::apply(store, &build::order_id(n), &fact, build::seconds(0)).await.unwrap();
        records.push(record(&made.event, records.len() + 1));
    }
    records
}

async fn is_indexed(store: &MemoryStore, n: u64) -> bool {
    let found = store.searchable(&build::order_id(n)).await.unwrap().unwrap();
    !found.indexed.entries.is_empty()
}

#[tokio::test]
async fn the_search_follows_every_new_order_of_a_batch() {
    let store = MemoryStore::new();
    let records = orders(&store, 25).await;
    assert!(works_off(&function(&store, None), &records).await.is_empty());
    for n in 1..=25 {
        assert!(is_indexed(&store, n).await, "{n}");
    }
    let writes = store.writes();
    assert!(works_off(&function(&store, None), &records).await.is_empty());
    assert_eq!(store.writes(), writes, "a replay writes nothing");
}

#[tokio::test]
async fn what_does_not_concern_the_search_reads_and_writes_nothing() {
    let store = MemoryStore::new();
    orders(&store, 1).await;
    let wish = MoveFact {
        stage: build::stage_id("packing"),
        expected_seq: 1,
        actor: build::program(),
        follows: Follows::All,
    };
    let moved =
        build::apply(&store, &build::order_id(1), &Fact::Move(wish), build::seconds(1)).await.unwrap();
    let writes = store.writes();
    store.break_order(&build::order_id(1), true);
    let function = function(&store, None);
    assert!(works_off(&function, &[record(&moved.event, 1)]).await.is_empty());
    assert_eq!(
        (store.writes(), *function.doorbell.heard.lock().unwrap()),
        (writes, 2),
        "it is rung all the same"
    );
}

#[tokio::test]
async fn from_the_first_order_that_is_behind_all_come_back() {
    let store = MemoryStore::new();
    let records = orders(&store, 3).await;
    (0..2).for_each(|_| store.inject(Fault::Down));
    let failed = works_off(&function(&store, None), &records).await;
    // Two of the three could not be written; which two is chance, so the first of them is 1 or 2.
    assert!(failed == ["1"] || failed == ["2"], "{failed:?}");
    assert!(works_off(&function(&store, None), &records).await.is_empty());
    for n in 1..=3 {
        assert!(is_indexed(&store, n).await, "{n}");
    }
}

#[tokio::test]
async fn an_order_that_nobody_can_read_holds_nobody_up() {
    let store = MemoryStore::new();
    let records = orders(&store, 2).await;
    store.break_order(&build::order_id(1), true);
    assert!(works_off(&function(&store, None), &records).await.is_empty());
    assert!(is_indexed(&store, 2).await);
    assert!(store.order(&build::order_id(1)).await.is_err());
}

#[tokio::test]
async fn a_bell_that_does_not_ring_brings_its_record_back_and_what_came_before_is_followed() {
    let store = MemoryStore::new();
    let mut records = Vec::new();
    for n in 1..=2 {
        let mut fact = build::order_fact(n, 0);
        fact.default_flow = Some(build::flow_id());
        let id = build::order_id(n);
        build::apply(&store, &id, &build::told(fact), build::seconds(0)).await.unwrap();
        let mut renamed = build::order_fact(n, 5);
        renamed.snapshot.customer.name = Some("Grace".to_owned());
        let wish = MoveFact {
            stage: build::stage_id("packing"),
            expected_seq: 1,
            actor: build::program(),
            follows: Follows::All,
        };
        let moved = build::apply(&store, &id, &Fact::Move(wish), build::seconds(1)).await.unwrap();
        let told = build::apply(&store, &id, &build::told(renamed), build::seconds(2)).await.unwrap();
        records.push(record(&told.event, records.len() + 1));
        records.push(record(&moved.event, records.len() + 1));
    }
    // The first order's two runs are rung for; there is no place for the second's.
    assert_eq!(works_off(&function(&store, Some(2)), &records).await, ["4"]);
    assert!(is_indexed(&store, 1).await && is_indexed(&store, 2).await);
}

#[tokio::test]
async fn a_new_job_is_rung_for_unless_it_waits_for_later() {
    let store = MemoryStore::new();
    let job = |due: Timestamp, number: usize| {
        let kind = JobKind::Backfill { channel: build::channel_id(), since: Timestamp::UNIX_EPOCH };
        let id = JobId::from_body(&number.to_string()).unwrap();
        let mut job = Job::new(id, build::shop(), kind, build::seconds(0));
        job.state = JobState::Waiting { due };
        inserted(&json!(stagepost_dynamodb::job_image(&job).unwrap()), number)
    };
    let records = [job(build::seconds(1), 1), job(build::seconds(2), 2), job(build::seconds(0), 3)];
    let bells = function(&store, Some(1));
    assert_eq!(works_off(&bells, &records).await, ["3"], "the second waits, for the third there is no place");
    let bells = function(&store, None);
    assert!(works_off(&bells, &records).await.is_empty());
    assert_eq!(*bells.doorbell.heard.lock().unwrap(), 2);
}

#[tokio::test]
async fn law_9_an_order_that_the_breaker_stopped_counts_wherever_its_moves_came_from() {
    let store = MemoryStore::new();
    let fact = build::told(build::order_fact(1, 0));
    let made = build::apply(&store, &build::order_id(1), &fact, build::seconds(0)).await.unwrap();
    let new = |tripped| New {
        sequence: None,
        item: Inserted::Event(Box::new(Event { tripped, ..made.event.clone() })),
    };
    assert_eq!(figures(&[new(false)]), Figures::default());
    assert_eq!(figures(&[new(true), new(false)]), Figures::one(Figure::Held));
}
