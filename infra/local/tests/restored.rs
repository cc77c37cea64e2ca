//! A restore, rehearsed: the table goes back to a copy, the world does not (docs/adr/0021, docs/runbook.md).
//!
//! A host works on a folder; the folder is copied; the host goes on and does what will be lost. Then another host
//! starts on the copy, and is told when it began.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests: what does not hold ends the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stagepost_app::ports::Clock;
use stagepost_domain::restore::RestoredAt;
use stagepost_local::{Captured, HostConfig, start};
use stagepost_standins::{Courier, Reply, Tracking};
use stagepost_testkit::SeededEntropy;
use stagepost_tests::{World, boats};
use tempfile::TempDir;

/// Reconciling takes place every quarter of an hour.
const QUARTER: i64 = 900;

/// Stops the host; its folder is free then.
async fn stop(world: &mut World) {
    let nothing = start(HostConfig::in_memory()).await.unwrap();
    std::mem::replace(&mut world.host, nothing).stop().await;
}

/// Starts a host of the same shop on a folder, with chances of its own.
async fn open(world: &mut World, folder: &Path, chance: u64, restored_at: Option<RestoredAt>) {
    let config = HostConfig {
        clock: Arc::new(world.clock.clone()),
        entropy: Arc::new(SeededEntropy::new(chance)),
        sweep_interval: Duration::from_millis(200),
        shopify_base: Some(world.shopify.base_url().parse().unwrap()),
        easypost_base: Some(world.parcels.url().parse().unwrap()),
        restored_at,
        ..HostConfig::in_folder(folder)
    };
    let host = start(config).await.unwrap();
    world.api = world.api.at(&host.base_url());
    world.courier = Courier::new(&host.base_url());
    std::mem::replace(&mut world.host, host).stop().await;
    world.settle().await;
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A new order of the Shopify store: its id there and here.
async fn ordered(world: &World, who: &str) -> (String, String) {
    let external = world.shopify.create_order(&boats(who, &format!("{who}@customer.example")));
    world.deliver_shopify().await;
    let id = world.shopify_order(&external);
    (external, id)
}

fn mails_to(mails: &[Captured], who: &str) -> Vec<String> {
    let address = format!("{who}@customer.example");
    mails.iter().filter(|mail| mail.to.contains(&address)).map(|mail| mail.subject.clone()).collect()
}

/// How the mails of an order's last stage entry stand: state and reason.
async fn last_mail(world: &World, id: &str) -> Value {
    let mail = world.runs_of(id, "email").await.pop().unwrap();
    json!([mail["state"], mail["skipped"]["reason"]])
}

/// The ids of the messages that the receiver got, each with the bodies that came under it.
fn messages(world: &World) -> BTreeMap<String, BTreeSet<Vec<u8>>> {
    let mut all: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for received in world.receiver.received() {
        let id = received.header("webhook-id").unwrap().to_owned();
        all.entry(id).or_default().insert(received.body.clone());
    }
    all
}

/// It has numbers and ids that nothing before it had.
async fn what_is_new_acts_as_ever(world: &World, sent: &str, lost_seq: u64) {
    let told = messages(world);
    world.move_to(sent, "New").await.ok();
    world.pass(30).await;
    world.move_to(sent, "Printing").await.ok();
    world.settle().await;
    assert!(world.order(sent).await["seq"].as_u64().unwrap() > lost_seq);
    let told_after = messages(world);
    assert_eq!(told_after.len(), told.len() + 1);
    assert!(told_after.values().all(|bodies| bodies.len() == 1));
    let (_, new) = ordered(world, "new").await;
    world.pass(30).await;
    assert_eq!(last_mail(world, &new).await[0], "succeeded");
    assert_eq!(mails_to(&world.mails(), "new").len(), 1);
}

/// A mail that may have been lost.
async fn is_sent_again_when_a_person_wants_it(world: &World, id: &str, who: &str) {
    let before = world.mails().len();
    let mail = world.runs_of(id, "email").await.pop().unwrap();
    let path = format!("/v1/runs/{}/send-again", mail["id"].as_str().unwrap());
    world.api.post(&path, &json!({})).await.ok();
    world.settle().await;
    assert_eq!(mails_to(&world.mails()[before..], who).len(), 1);
}

#[tokio::test]
async fn law_11_after_a_restore_nobody_is_mailed_twice_and_what_was_lost_comes_back_silently() {
    let (folder, backup) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let own = folder.path().to_owned();
    let mut world = World::start_with(move |config| config.data_dir = Some(own)).await;
    // What the copy holds: a mail that has left, one that waits, a call that failed so far, a wish for many.
    let (_, sent) = ordered(&world, "sent").await;
    let (open_there, open_here) = ordered(&world, "open").await;
    let (_, bulk) = ordered(&world, "bulk").await;
    let (shipped_there, shipped) = ordered(&world, "shipped").await;
    world.pass(30).await;
    world.receiver.reply(Reply::Status(503), 1);
    world.move_to(&sent, "Printing").await.ok();
    world.settle().await;
    world.move_to(&open_here, "Ready").await.ok();
    world.settle().await;
    world.host.stop_queue_workers();
    let wish = json!({"stage": "Delivered", "orders": [bulk]});
    world.api.post("/v1/orders/move", &wish).await.ok();
    stop(&mut world).await;
    copy(folder.path(), backup.path());

    // What will be lost.
    open(&mut world, folder.path(), 8, None).await;
    world.pass(60).await;
    world.pass(600).await;
    world.shopify.fulfill_by_hand(&shipped_there, &Tracking::none()).unwrap();
    world.deliver_shopify().await;
    let (_, lost) = ordered(&world, "lost").await;
    world.pass(30).await;
    world.move_to(&sent, "New").await.ok();
    world.settle().await;
    world.move_to(&sent, "Printing").await.ok();
    world.pass(60).await;
    let before = world.mails();
    for (who, count) in [("sent", 1), ("open", 2), ("bulk", 2), ("shipped", 2), ("lost", 1)] {
        assert_eq!(mails_to(&before, who).len(), count, "{who}: {:?}", mails_to(&before, who));
    }
    let told_before = messages(&world);
    let lost_seq = world.order(&sent).await["seq"].as_u64().unwrap();
    stop(&mut world).await;

    // The table goes back; the deployment on it begins now.
    world.clock.advance(stagepost_domain::SignedDuration::from_secs(60));
    let cut = RestoredAt::parse(&world.clock.now().to_string()).unwrap();
    open(&mut world, backup.path(), 9, Some(cut)).await;
    let kept = world.mails().len();
    world.pass(60).await;
    world.pass(QUARTER).await;
    world.pass(QUARTER).await;
    assert_eq!(world.mails().len(), kept, "nobody is mailed: {:?}", world.subjects());
    assert_eq!(last_mail(&world, &open_here).await, json!(["skipped", "before_restore"]));
    // The wish for many is fulfilled, silently; what the platform knows is known again, as silently.
    assert_eq!(last_mail(&world, &bulk).await, json!(["skipped", "before_restore"]));
    assert_eq!(
        (world.stage(&bulk).await, world.stage(&shipped).await),
        ("Delivered".into(), "Shipped".into())
    );
    assert_eq!(last_mail(&world, &shipped).await, json!(["skipped", "before_restore"]));
    assert_eq!(last_mail(&world, &lost).await, json!(["skipped", "before_restore"]));
    // The call that waited is made again as it was.
    let told = messages(&world);
    assert_eq!(told.keys().collect::<Vec<_>>(), told_before.keys().collect::<Vec<_>>());
    assert!(told.values().all(|bodies| bodies.len() == 1), "one id, one message");
    assert_eq!(world.shopify.fulfillments(&open_there).len(), 1, "fulfilled once");

    what_is_new_acts_as_ever(&world, &sent, lost_seq).await;
    is_sent_again_when_a_person_wants_it(&world, &open_here, "open").await;
    assert_eq!(world.host.dead_letters().await, 0);
    stop(&mut world).await;
}
