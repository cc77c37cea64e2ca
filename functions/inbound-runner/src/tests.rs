use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::json;
use stagepost_app::config::{CarrierInput, ChannelInput, create_carrier, create_channel, create_shop};
use stagepost_app::ports::{DoorbellError, OrderStore};
use stagepost_domain::Timestamp;
use stagepost_domain::id::{ChannelId, OrderId};
use stagepost_domain::signing::base64_hmac;
use stagepost_secrets::LocalSecrets;
use stagepost_sqs::encode_inbound;
use stagepost_testkit::{Fault, ManualClock, MemoryInboundQueue, MemoryStore, SeededEntropy, build};

use super::*;

const SECRET: &str = "shpss_secret";

#[derive(Default)]
struct Buried(Mutex<Vec<String>>);

impl DeadLetters for Buried {
    async fn bury(&self, body: &str) -> Result<(), DoorbellError> {
        self.0.lock().unwrap().push(body.to_owned());
        Ok(())
    }
}

struct Scene {
    store: MemoryStore,
    core: Core<MemoryStore>,
    secrets: LocalSecrets,
    runner: Arc<InboundRunner<MemoryStore, LocalSecrets, Buried>>,
    channel: ChannelId,
}

impl Scene {
    async fn new() -> Self {
        let store = MemoryStore::new();
        let clock = Arc::new(ManualClock::new(build::at(build::START)));
        let core =
            Core { store: store.clone(), clock, entropy: Arc::new(SeededEntropy::new(1)), restored_at: None };
        let secrets = LocalSecrets::from_key([7; 32]).unwrap();
        create_shop(&core, &build::shop(), "Shop", "shop@example.com").await.unwrap();
        let input: ChannelInput = serde_json::from_value(json!({
            "platform": "shopify", "name": "Shop", "store": "a.myshopify.com", "webhook_secret": SECRET,
        }))
        .unwrap();
        let channel = create_channel(&core, &secrets, &build::shop(), &input, |_| Ok(())).await.unwrap();
        let runner = Arc::new(InboundRunner::new(&core, &secrets, Arc::default()));
        Self { store, core, secrets, runner, channel: channel.id }
    }

    fn order(&self) -> Arrival {
        let now = self.core.now();
        let order =
            json!({"id": 1, "name": "#1", "created_at": now, "updated_at": now, "email": "a@example.com"});
        let body = order.to_string().into_bytes();
        let headers = BTreeMap::from([("x-shopify-hmac-sha256".to_owned(), base64_hmac(SECRET, &body))]);
        let (route, topic) = (Route::Shopify(self.channel.clone()), "orders/create".to_owned());
        Arrival { route, topic, headers, body, received_at: now, proof: Proof::Signature }
    }

    async fn packed(&self, arrival: &Arrival) -> String {
        encode_inbound(&arrival.pack(&self.secrets, &*self.core.entropy).await.unwrap())
    }

    /// Whether the message came back.
    async fn run(&self, body: &str) -> bool {
        let record = json!({"messageId": "m", "body": body, "attributes": {}, "messageAttributes": {}});
        let event = serde_json::from_value(json!({"Records": [record]})).unwrap();
        !handle(&self.runner, event).await.batch_item_failures.is_empty()
    }

    async fn stored(&self) -> bool {
        self.store.order(&order_id()).await.unwrap().is_some()
    }

    fn buried(&self) -> usize {
        self.runner.dead.0.lock().unwrap().len()
    }

    async fn in_quarantine(&self) -> Vec<stagepost_app::ports::QuarantineEntry> {
        self.store.quarantined(&build::shop(), None, 10, self.core.now()).await.unwrap().items
    }
}

fn order_id() -> OrderId {
    OrderId::derive(&build::shop(), "shopify", "a.myshopify.com", "1")
}

#[tokio::test]
async fn law_13_a_message_is_decided_once_and_comes_back_until_then() {
    let scene = Scene::new().await;
    let message = scene.packed(&scene.order()).await;
    for fault in [Fault::Down, Fault::Throttle] {
        scene.store.inject(fault);
        assert!(scene.run(&message).await, "{fault:?}");
        assert!(!scene.stored().await);
    }
    scene.store.inject(Fault::LostReply);
    assert!(scene.run(&message).await);
    let writes = scene.store.writes();
    assert!(!scene.run(&message).await && scene.stored().await);
    assert!(!scene.run(&message).await, "a message that SQS gives twice");
    assert_eq!((scene.store.writes(), scene.buried()), (writes, 0));
}

#[tokio::test]
async fn law_13_only_what_was_checked_before_is_not_checked_again() {
    let scene = Scene::new().await;
    let mut forged = scene.order();
    forged.headers.clear();
    assert!(!scene.run(&scene.packed(&forged).await).await);
    assert!(!scene.stored().await, "dropped");
    forged.route = Route::Shopify(ChannelId::parse("chan_gone").unwrap());
    assert!(!scene.run(&scene.packed(&forged).await).await, "nobody's");
    // Its secret may have been replaced while it waited.
    let checked = Arrival { proof: Proof::Checked, headers: BTreeMap::new(), ..scene.order() };
    assert!(!scene.run(&scene.packed(&checked).await).await);
    assert!(scene.stored().await);
    assert_eq!(scene.buried(), 0);
}

#[tokio::test]
async fn poison_is_buried_at_once_and_what_another_key_or_release_reads_comes_back() {
    let scene = Scene::new().await;
    let poison = ["", "{}", r#"{"v":1,"run":"run_a.1.email.tmpl_1.0"}"#];
    for body in poison {
        assert!(!scene.run(body).await, "{body}");
    }
    let (kind, scope) =
        (stagepost_app::ports::SecretKind::InboundMessage, stagepost_app::ports::Scope::Deployment);
    let (entropy, secrets) = (&*scene.core.entropy, &scene.secrets);
    let strange = stagepost_app::envelope::seal(secrets, entropy, scope, kind, b"no arrival").await.unwrap();
    assert!(!scene.run(&encode_inbound(&strange)).await);
    assert_eq!(scene.buried(), poison.len() + 1);

    let other = LocalSecrets::from_key([8; 32]).unwrap();
    let sealed = scene.order().pack(&other, entropy).await.unwrap();
    assert!(scene.run(&encode_inbound(&sealed)).await);
    assert!(scene.run(r#"{"v":2,"parts":["a","b"]}"#).await);
    assert_eq!(scene.buried(), poison.len() + 1);
}

#[tokio::test]
async fn law_14_what_is_handed_back_leaves_the_quarantine_when_it_is_taken_and_not_before() {
    let scene = Scene::new().await;
    let (arrival, queue) = (scene.order(), MemoryInboundQueue::new());
    scene.store.break_order(&order_id(), true);
    assert!(!scene.run(&scene.packed(&arrival).await).await);
    let kept = scene.in_quarantine().await;
    assert_eq!((kept.len(), kept[0].topic.as_str(), kept[0].at), (1, "orders/create", arrival.received_at));
    let replay = async || {
        let (core, shop) = (&scene.core, build::shop());
        quarantine::replay(core, &scene.secrets, &queue, &shop, &kept[0].id).await.unwrap().unwrap();
        encode_inbound(&queue.take().remove(0))
    };
    let message = replay().await;
    assert!(!scene.run(&message).await);
    assert_eq!(scene.in_quarantine().await, kept, "still unreadable: in its old place");

    scene.store.break_order(&order_id(), false);
    let message = replay().await;
    // It is taken, and the store fails before it is out of the quarantine: it comes back and finds itself known.
    scene.store.inject(Fault::LostReply);
    assert!(scene.run(&message).await);
    assert!(!scene.run(&message).await && scene.stored().await);
    assert!(scene.in_quarantine().await.is_empty());
    let gone = quarantine::replay(&scene.core, &scene.secrets, &queue, &build::shop(), &kept[0].id).await;
    assert!(gone.unwrap().is_none());
    let others =
        quarantine::replay(&scene.core, &scene.secrets, &queue, &build::other_shop(), &kept[0].id).await;
    assert!(others.unwrap().is_none());
}

#[tokio::test]
async fn a_carriers_report_goes_to_the_carriers() {
    let scene = Scene::new().await;
    let input: CarrierInput =
        serde_json::from_value(json!({"kind": "easypost", "name": "E", "webhook_secret": "s"})).unwrap();
    let carrier = create_carrier(&scene.core, &scene.secrets, &build::shop(), &input).await.unwrap();
    let at: Timestamp = build::at(build::START);
    let tracker =
        json!({"object": "Tracker", "tracking_code": "1Z999", "status": "delivered", "updated_at": at});
    let arrival = Arrival {
        route: Route::Carrier(carrier.id),
        topic: "tracking".to_owned(),
        headers: BTreeMap::new(),
        body: tracker.to_string().into_bytes(),
        received_at: at,
        proof: Proof::Checked,
    };
    assert!(!scene.run(&scene.packed(&arrival).await).await);
    let parked = scene.store.parked(&build::shop(), "1Z999", scene.core.now()).await.unwrap();
    assert_eq!(parked.len(), 1);
}
