use std::collections::BTreeMap;
use std::sync::Arc;

use stagepost_domain::shop::Sealed;
use stagepost_secrets::LocalSecrets;
use stagepost_testkit::{
    Fault, ManualClock, MemoryInboundQueue, MemoryStore, QueueFault, SeededEntropy, build,
};

use super::*;

fn core(store: &MemoryStore) -> Core<MemoryStore> {
    let clock = Arc::new(ManualClock::new(build::at(build::START)));
    Core { store: store.clone(), clock, entropy: Arc::new(SeededEntropy::new(1)), restored_at: None }
}

fn secrets() -> LocalSecrets {
    LocalSecrets::from_key([7; 32]).unwrap()
}

fn arrival(body: &[u8]) -> Arrival {
    Arrival {
        route: Route::Shopify(build::channel_id()),
        topic: "orders/create".to_owned(),
        headers: BTreeMap::from([("x-shopify-hmac-sha256".to_owned(), "signature".to_owned())]),
        body: body.to_vec(),
        received_at: build::seconds(7),
        proof: Proof::Signature,
    }
}

fn corrupt() -> StoreError {
    StoreError::Corrupt { item: "ORDER".into(), reason: "it does not match its schema".into() }
}

async fn listed(store: &MemoryStore) -> usize {
    store.quarantined(&build::shop(), None, 10, build::seconds(9)).await.unwrap().items.len()
}

async fn outcome(store: &MemoryStore, error: impl Into<ApplyError>) -> (Taken, usize) {
    let (shop, error) = (build::shop(), error.into());
    let taken = not_applied(&core(store), &secrets(), &shop, &arrival(b"{}"), &error).await;
    (taken, listed(store).await)
}

fn is_later(taken: &Taken) -> bool {
    matches!(taken, Err(NotTaken::Later { checked: true, .. }))
}

#[tokio::test]
async fn law_13_what_the_store_can_never_take_is_kept_raw_and_what_it_may_take_later_waits() {
    let store = MemoryStore::new();
    let newer = StoreError::Newer { item: "ORDER".into() };
    for passing in [StoreError::Throttled, StoreError::Unavailable("down".into()), newer] {
        let (taken, kept) = outcome(&store, passing).await;
        assert_eq!((is_later(&taken), kept), (true, 0));
    }
    let (taken, kept) = outcome(&store, ApplyError::Busy).await;
    assert_eq!((is_later(&taken), kept), (true, 0));
    let (taken, kept) = outcome(&store, corrupt()).await;
    assert!(is_quarantined(&taken.unwrap()) && kept == 1);
    store.inject(Fault::Down);
    let (taken, kept) = outcome(&store, StoreError::TooLarge).await;
    assert_eq!((is_later(&taken), kept), (true, 1), "2xx only after the write");
}

#[tokio::test]
async fn law_14_an_unreadable_body_is_kept_whole_and_only_sealed() {
    let store = MemoryStore::new();
    let arrival = arrival(&vec![b'x'; NOTIFICATION_MAX]);
    let core = core(&store);
    quarantined(&core, &secrets(), &build::shop(), &arrival, "no id".into()).await.unwrap();
    let page = store.quarantined(&build::shop(), None, 10, core.now()).await.unwrap();
    let entry = &page.items[0];
    assert_eq!((entry.bytes, entry.topic.as_str()), (NOTIFICATION_MAX as u64, "orders/create"));
    let item = store.quarantined_item(&build::shop(), &entry.id, core.now()).await.unwrap().unwrap();
    assert!(item.body.data.len() < 10_000, "compressed");
    let (_, body) = quarantine::read(&core, &secrets(), &build::shop(), &entry.id).await.unwrap().unwrap();
    assert_eq!(body, arrival.body);
    let strange = LocalSecrets::from_key([8; 32]).unwrap();
    assert!(quarantine::read(&core, &strange, &build::shop(), &entry.id).await.is_err());
}

async fn answered(queue: &MemoryInboundQueue, taken: Taken) -> Response<Body> {
    let intake = Intake::new(queue.clone(), PATIENCE);
    let store = MemoryStore::new();
    intake.answer(&core(&store), &secrets(), &arrival(b"{}"), std::future::ready(taken)).await
}

fn later(checked: bool) -> Taken {
    Err(NotTaken::later(checked, &"the store is away"))
}

#[tokio::test]
async fn law_13_a_notification_that_cannot_be_decided_is_in_the_queue_before_it_is_answered_2xx() {
    let queue = MemoryInboundQueue::new();
    for (checked, proof) in [(true, Proof::Checked), (false, Proof::Signature)] {
        assert_eq!(answered(&queue, later(checked)).await.status(), StatusCode::OK);
        let kept = queue.take();
        let unpacked = Arrival::unpack(&secrets(), &kept[0]).await.unwrap();
        assert_eq!((kept.len(), unpacked), (1, Arrival { proof, ..arrival(b"{}") }));
    }
    for fault in [QueueFault::Down, QueueFault::TooLarge, QueueFault::LostReply] {
        queue.inject(fault);
        let answer = answered(&queue, later(true)).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{fault:?}");
        assert_eq!(answer.headers()["retry-after"], "30", "{fault:?}");
    }
    assert_eq!(queue.take().len(), 1, "only the one whose answer was lost");
    let refused = answered(&queue, Err(NotTaken::Refused(StatusCode::UNAUTHORIZED))).await;
    assert_eq!((refused.status(), refused.body()), (StatusCode::UNAUTHORIZED, &Body::Empty));
    assert_eq!(answered(&queue, Ok(json!({"outcome": "parked"}))).await.status(), StatusCode::OK);
    assert!(queue.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn law_13_a_store_that_does_not_answer_at_all_costs_no_sender_its_patience() {
    let (queue, store) = (MemoryInboundQueue::new(), MemoryStore::new());
    let intake = Intake::new(queue.clone(), PATIENCE);
    let began = tokio::time::Instant::now();
    let answer = intake.answer(&core(&store), &secrets(), &arrival(b"{}"), std::future::pending()).await;
    assert_eq!((answer.status(), began.elapsed()), (StatusCode::OK, PATIENCE));
    assert_eq!(queue.take().len(), 1);
}

#[tokio::test]
async fn a_packed_arrival_opens_with_the_deployments_key_only_and_whole() {
    let core = core(&MemoryStore::new());
    let arrival = arrival(b"{\"a\":\n\n1}\n");
    let packed = arrival.pack(&secrets(), &*core.entropy).await.unwrap();
    assert_eq!(Arrival::unpack(&secrets(), &packed).await.unwrap(), arrival);
    assert!(Arrival::unpack(&LocalSecrets::from_key([8; 32]).unwrap(), &packed).await.is_err());
    let mut forged = packed.clone();
    forged.data[0] ^= 1;
    assert!(Arrival::unpack(&secrets(), &forged).await.is_err());
    let mut forged = packed.clone();
    forged.key = Sealed(format!("{}A", packed.key.0));
    assert!(Arrival::unpack(&secrets(), &forged).await.is_err());
    let mut cut = packed;
    cut.data.truncate(20);
    assert!(Arrival::unpack(&secrets(), &cut).await.is_err());
}

#[test]
fn law_14_a_notification_counts_once_when_it_comes_into_quarantine() {
    let (kept, taken) = (json!({"outcome": QUARANTINED}), json!({"outcome": "changed"}));
    let fresh = arrival(b"{}");
    assert_eq!(figures_of(&fresh, &kept), Figures::one(Figure::Quarantined));
    assert_eq!(figures_of(&fresh, &taken), Figures::default());
    let id = stagepost_domain::id::QuarantineId::derive(build::seconds(7), "chan_a", "", b"{}");
    let back = Arrival { proof: Proof::Quarantined { shop: build::shop(), id }, ..fresh };
    assert_eq!(figures_of(&back, &kept), Figures::default(), "it stands there still");
}
