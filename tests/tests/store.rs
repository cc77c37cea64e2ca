//! The store's contract, on the store in memory and on DynamoDB's; then what the table charges.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests: what does not hold ends the test")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use stagepost_app::Core;
use stagepost_app::audit::{Finding, look_at};
use stagepost_app::envelope::Envelope;
use stagepost_app::inbound::Route;
use stagepost_app::ports::{
    CommitError, DueItem, Entropy, InboundStore, OrderFilter, OrderStore, ParkedFact, QuarantineEntry,
    Quarantined, RunStore, StoreError,
};
use stagepost_domain::decide::{Changeset, Context, Decision, decide};
use stagepost_domain::disposition::Disposition;
use stagepost_domain::event::{Action, Event};
use stagepost_domain::fact::{Fact, PackageEdit, ShipmentId};
use stagepost_domain::fulfillment::{Attribution, Fulfillment, Lock, Shipment};
use stagepost_domain::id::{
    AttemptId, ChannelId, EndpointId, FlowId, OrderId, QuarantineId, ShopId, StageId, TemplateId,
};
use stagepost_domain::order::{Hold, HoldReason, Lifecycle, Order, Placement, Source, Visit};
use stagepost_domain::outcome::NoOpReason;
use stagepost_domain::package::{Report, Rollup, TrackingStatus};
use stagepost_domain::run::{AttemptOutcome, Claim, Run, RunId, RunKey, RunState, Target};
use stagepost_domain::shop::{Playbook, Sealed};
use stagepost_domain::{SignedDuration, Timestamp};
use stagepost_dynamodb::{DynamoStore, Meter, Units, create_table};
use stagepost_local::engine::Engine;
use stagepost_testkit::{ManualClock, SeededEntropy, build};

/// One engine per process.
fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::start(None).unwrap())
}

/// A store on a fresh table, and the means to look behind it.
struct Bench {
    store: DynamoStore,
    meter: Meter,
    client: Client,
    table: String,
}

impl Bench {
    async fn new() -> Self {
        static TABLES: AtomicU32 = AtomicU32::new(0);
        let table = format!("stagepost-{}", TABLES.fetch_add(1, Ordering::Relaxed));
        let client = engine().client();
        create_table(&client, &table).await.unwrap();
        let meter = Meter::new();
        let store = DynamoStore::new(client.clone(), &table).with_meter(meter.clone());
        Self { store, meter, client, table }
    }

    async fn item(&self, pk: &str, sk: &str) -> HashMap<String, AttributeValue> {
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let call = self.client.get_item().table_name(&self.table).key("pk", text(pk)).key("sk", text(sk));
        call.send().await.unwrap().item.unwrap()
    }

    async fn put(&self, item: HashMap<String, AttributeValue>) {
        self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await.unwrap();
    }

    /// The units since the last look, printed for ARCHITECTURE.md.
    fn units(&self, what: &str) -> Units {
        let units = self.meter.take();
        println!("{what}: {} read, {} write, {} round trips", units.read, units.write, units.round_trips);
        units
    }
}

mod memory {
    stagepost_testkit::store_contract!(stagepost_testkit::MemoryStore::new());
}

mod dynamodb {
    stagepost_testkit::store_contract!(super::Bench::new().await.store);
}

/// A shop whose ids are as long as real ones, and an order of it.
struct RealShop {
    shop: ShopId,
    playbook: Playbook,
    source: Source,
    ids: SeededEntropy,
}

impl RealShop {
    fn new() -> Self {
        let ids = SeededEntropy::new(1);
        let shop = ShopId::from_body(&ids.id_body()).unwrap();
        let mut playbook = build::playbook(&shop);
        let (template, endpoint) =
            (TemplateId::from_body(&ids.id_body()).unwrap(), EndpointId::from_body(&ids.id_body()).unwrap());
        playbook.flow.id = FlowId::from_body(&ids.id_body()).unwrap();
        for stage in &mut playbook.flow.stages {
            stage.id = StageId::from_body(&ids.id_body()).unwrap();
            stage.automations.email.iter_mut().for_each(|a| a.template = template.clone());
            stage.automations.webhook.iter_mut().for_each(|a| a.endpoint = endpoint.clone());
        }
        playbook.flow.default_stage = playbook.flow.stages[0].id.clone();
        playbook.flow.fulfilled_stage = Some(playbook.flow.stages[3].id.clone());
        playbook.settings.templates = [(template, 3)].into();
        playbook.settings.endpoints = [(endpoint, 2)].into();
        let channel = ChannelId::from_body(&ids.id_body()).unwrap();
        let source = Source {
            store: "a-rather-long-name.myshopify.com".to_owned(),
            external_id: "820982911946154508".to_owned(),
            channel: Some(channel),
            ..build::source(0)
        };
        Self { shop, playbook, source, ids }
    }

    fn order_id(&self) -> OrderId {
        self.source.order_id(&self.shop)
    }

    fn stage(&self, n: usize) -> StageId {
        self.playbook.flow.stages[n].id.clone()
    }

    fn attempt(&self) -> AttemptId {
        AttemptId::from_body(&self.ids.id_body()).unwrap()
    }

    /// Reads and decides, as a use case does.
    async fn decide(&self, store: &DynamoStore, fact: &Fact, now: Timestamp) -> Decision {
        let id = self.order_id();
        let (order, snapshot) = store.order_with_snapshot(&id).await.unwrap().unzip();
        let packages = match &order {
            Some(order) if order.packages.total > 0 => store.packages(&id).await.unwrap(),
            _ => Vec::new(),
        };
        decide(
            Context {
                shop: &self.shop,
                order_id: &id,
                order: order.as_ref(),
                snapshot: snapshot.as_ref().and_then(Option::as_ref),
                packages: &packages,
                entry: None,
                playbook: Some(&self.playbook),
                now,
                received_at: now,
                restored_at: None,
            },
            fact,
        )
    }

    async fn apply(&self, store: &DynamoStore, fact: &Fact, now: i64) -> Changeset {
        let changes = build::changes(self.decide(store, fact, build::seconds(now)).await);
        store.commit(&build::commit(changes.clone(), &self.ids.id_body())).await.unwrap();
        changes
    }

    fn created(&self) -> Fact {
        let mut fact = build::order_fact(1001, 0);
        fact.source = self.source.clone();
        build::told(fact)
    }

    fn moved(&self, stage: usize, seq: u64) -> Fact {
        let mut fact = build::move_to("new", seq);
        if let Fact::Move(to) = &mut fact {
            to.stage = self.stage(stage);
        }
        fact
    }
}

/// An item's size as DynamoDB counts it: names and text in UTF-8, two digits to a byte, maps 3 + 1 each.
fn size(item: &HashMap<String, AttributeValue>) -> usize {
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

fn value_size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => {
            let digits = number.trim_start_matches('-').trim_matches('0');
            digits.len().div_ceil(2) + 1
        }
        AttributeValue::Bool(_) | AttributeValue::Null(_) => 1,
        AttributeValue::M(map) => 3 + map.len() + size(map),
        AttributeValue::L(list) => 3 + list.len() + list.iter().map(value_size).sum::<usize>(),
        other => unreachable!("no such attribute here: {other:?}"),
    }
}

/// Three packages, two shipments, a lock, six stages visited, a mail sent.
fn busy_order(shop: &RealShop, order: &Order) -> Order {
    let mut busy = order.clone();
    busy.seq = 17;
    busy.version = 42;
    busy.number = "#1001".to_owned();
    busy.mark = Some(build::seconds(1234));
    busy.packages.total = 3;
    busy.packages.delivered = 1;
    busy.last_mail = Some(15);
    busy.lifecycle_seq = 1;
    if let Placement::Placed { visited, .. } = &mut busy.placement {
        for n in 0..5 {
            visited.insert(shop.stage(n), Visit { fresh: true, automatic: 1 });
        }
        visited.insert(StageId::from_body(&shop.ids.id_body()).unwrap(), Visit { fresh: true, automatic: 1 });
    }
    for (id, by) in [("5210987654321", Attribution::Ours { seq: 12 }), ("5210987654399", Attribution::Theirs)]
    {
        let shipment = Shipment { mark: build::seconds(900), active: true, by };
        busy.fulfillment.shipments.insert(ShipmentId(id.to_owned()), shipment);
    }
    busy.fulfillment.edge_spent = true;
    busy.fulfillment.lock = Some(Lock {
        seq: 17,
        run: RunKey::first(Target::Fulfill(shop.source.channel.clone())),
        attempt: shop.attempt(),
        since: "2026-03-01T10:20:34.123Z".parse().unwrap(),
        until: "2026-03-01T10:22:34.123Z".parse().unwrap(),
    });
    busy
}

#[tokio::test]
async fn the_control_item_of_a_busy_order_stays_below_a_kilobyte() {
    let (bench, shop) = (Bench::new().await, RealShop::new());
    let made = shop.apply(&bench.store, &shop.created(), 0).await;
    let busy = busy_order(&shop, &made.order);
    bench.store.put_order(&busy, 1, &shop.ids.id_body()).await.unwrap();
    let item = bench.item(&format!("ORDER#{}", busy.id), "ORDER").await;
    println!("control item of a busy order: {} bytes", size(&item));
    assert!(size(&item) <= 1024, "{} bytes", size(&item));
    assert_eq!(bench.store.order(&busy.id).await.unwrap(), Some(busy));
}

#[tokio::test]
async fn an_event_with_three_runs_stays_below_a_kilobyte_even_when_all_are_claimed() {
    let (bench, shop) = (Bench::new().await, RealShop::new());
    shop.apply(&bench.store, &shop.created(), 0).await;
    let event = shop.apply(&bench.store, &shop.moved(2, 1), 5).await.event;
    assert_eq!(event.open_runs(), 3);
    let key = format!("ORDER#{}", event.order);
    println!("event with three open runs: {} bytes", size(&bench.item(&key, "E#0000000002").await));
    for (run_key, run) in &event.runs {
        let id = RunId { order: event.order.clone(), seq: event.seq, key: run_key.clone() };
        let claimed = claim(&shop, &id, run, build::seconds(60));
        bench.store.update_run(&id, run, &claimed).await.unwrap();
    }
    let item = bench.item(&key, "E#0000000002").await;
    println!("event with three claimed runs: {} bytes", size(&item));
    assert!(size(&item) <= 1024, "{} bytes", size(&item));
}

fn claim(shop: &RealShop, id: &RunId, run: &Run, now: Timestamp) -> Run {
    let claim = run.claim(id.key.action(), &shop.attempt(), now, SignedDuration::from_secs(60));
    let Claim::Granted(claimed) = claim else { unreachable!("expected a claim, got {claim:?}") };
    claimed
}

#[tokio::test]
async fn a_transition_without_an_action_takes_at_most_six_write_units() {
    let (bench, shop) = (Bench::new().await, RealShop::new());
    shop.apply(&bench.store, &shop.created(), 0).await;
    bench.units("an order is created");
    let made = shop.apply(&bench.store, &shop.moved(3, 1), 5).await;
    assert!(made.event.transition.is_some() && made.event.runs.is_empty());
    let units = bench.units("a transition without an action");
    assert!(units.write <= 6.0, "{units:?}");
    assert!(units.round_trips <= 2, "{units:?}");
}

#[tokio::test]
async fn a_duplicate_notification_writes_nothing() {
    let (bench, shop) = (Bench::new().await, RealShop::new());
    shop.apply(&bench.store, &shop.created(), 0).await;
    bench.units("an order is created");
    let decision = shop.decide(&bench.store, &shop.created(), build::seconds(9)).await;
    assert_eq!(decision, Decision::NoOp(NoOpReason::Same));
    let units = bench.units("a duplicate notification");
    assert!(units.write == 0.0 && units.round_trips == 1, "{units:?}");
}

#[tokio::test]
async fn a_claim_takes_one_write_unit_and_an_end_one_more_and_a_read() {
    let (bench, shop) = (Bench::new().await, RealShop::new());
    shop.apply(&bench.store, &shop.created(), 0).await;
    let event = shop.apply(&bench.store, &shop.moved(1, 1), 5).await.event;
    let units = bench.units("an order is created and enters a stage with a mail and a webhook");
    assert!(units.round_trips <= 4, "{units:?}");
    let now = build::seconds(60);
    for (n, action) in [Action::Webhook, Action::Email].into_iter().enumerate() {
        let (key, run) = event.runs.iter().find(|(key, _)| key.action() == action).unwrap();
        let id = RunId { order: event.order.clone(), seq: event.seq, key: key.clone() };
        let claimed = claim(&shop, &id, run, now);
        bench.store.update_run(&id, run, &claimed).await.unwrap();
        let units = bench.units("a claim");
        assert!(units == Units { read: 0.0, write: 1.0, round_trips: 1 }, "{units:?}");
        let attempt = match &claimed.state {
            stagepost_domain::run::RunState::Claimed { attempt, .. } => attempt.clone(),
            other => unreachable!("{other:?}"),
        };
        let outcome = AttemptOutcome::Success { detail: "200".to_owned() };
        let done = claimed.finish(action, &attempt, &outcome, now, 0.5).unwrap();
        bench.store.update_run(&id, &claimed, &done).await.unwrap();
        let last = n == 1;
        let units = bench.units(if last { "the last run ends" } else { "a run ends, another stays open" });
        let write = if last { 2.0 } else { 1.0 };
        assert!(units.read <= 1.0 && units.write <= write && units.round_trips == 2, "{units:?}");
    }
}

#[tokio::test]
async fn a_carriers_report_leaves_the_package_index_and_the_listing_alone() {
    let (bench, shop) = (Bench::new().await, RealShop::new());
    shop.apply(&bench.store, &shop.created(), 0).await;
    let add = PackageEdit::Add(build::parcel("1Z999AA10123456784"));
    shop.apply(&bench.store, &Fact::Packages { edit: add, actor: build::person() }, 1).await;
    bench.units("an order is created and gets a package");
    let report = build::tracking("1Z999AA10123456784", TrackingStatus::InTransit, 100);
    shop.apply(&bench.store, &Fact::Tracking(report), 101).await;
    let units = bench.units("a carrier's report without a transition");
    assert!(units.write <= 6.0, "{units:?}");
}

#[tokio::test]
async fn an_item_of_a_newer_schema_is_refused_and_named() {
    let (bench, shop) = (Bench::new().await, RealShop::new());
    let order = shop.apply(&bench.store, &shop.created(), 0).await.order;
    let mut item = bench.item(&format!("ORDER#{}", order.id), "ORDER").await;
    item.insert("sv".to_owned(), AttributeValue::N("2".to_owned()));
    bench.put(item.clone()).await;
    let read = bench.store.order(&order.id).await;
    assert!(matches!(&read, Err(StoreError::Newer { item }) if item.contains(order.id.as_str())), "{read:?}");
    assert_eq!(read.unwrap_err().disposition(), Disposition::RETRY, "the later release comes again");
    item.insert("sv".to_owned(), AttributeValue::N("1".to_owned()));
    item.insert("v".to_owned(), AttributeValue::S("Ada Example".to_owned()));
    bench.put(item).await;
    let error = bench.store.order(&order.id).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }));
    assert!(!error.to_string().contains("Ada"), "an error repeats what was stored: {error}");
}

#[tokio::test]
async fn a_due_item_that_cannot_be_read_does_not_hold_up_the_others() {
    let (bench, shop) = (Bench::new().await, RealShop::new());
    shop.apply(&bench.store, &shop.created(), 0).await;
    let event = shop.apply(&bench.store, &shop.moved(1, 1), 5).await.event;
    let mut broken = bench.item(&format!("ORDER#{}", event.order), "E#0000000002").await;
    broken.insert("sk".to_owned(), AttributeValue::S("E#0000000099".to_owned()));
    broken.insert("c".to_owned(), AttributeValue::Bool(true));
    bench.put(broken).await;
    let due = bench.store.due(build::seconds(100), 10).await.unwrap();
    assert_eq!(due.len(), 1);
}

#[tokio::test]
async fn unreadable_items_are_put_off_however_many_stand_in_front() {
    let (bench, shop) = (Bench::new().await, RealShop::new());
    shop.apply(&bench.store, &shop.created(), 0).await;
    let event = shop.apply(&bench.store, &shop.moved(1, 1), 5).await.event;
    let mut broken = bench.item(&format!("ORDER#{}", event.order), "E#0000000002").await;
    broken.insert("c".to_owned(), AttributeValue::Bool(true));
    let oldest = AttributeValue::S(format!("{:021}", build::seconds(1).as_nanosecond()));
    broken.insert("g2sk".to_owned(), oldest);
    for n in 100..112 {
        broken.insert("sk".to_owned(), AttributeValue::S(format!("E#{n:010}")));
        bench.put(broken.clone()).await;
    }
    let live = |due: Vec<DueItem>| matches!(due.as_slice(), [DueItem::Event(e)] if e.seq == 2);
    assert!(live(bench.store.due(build::seconds(100), 3).await.unwrap()));
    bench.units("a look at the due index past a dozen unreadable items");
    assert!(live(bench.store.due(build::seconds(100), 3).await.unwrap()));
    let units = bench.units("the next look");
    assert!(units.write == 0.0, "they are out of the way: {units:?}");
    assert!(live(bench.store.due(build::seconds(3_699), 3).await.unwrap()));
    assert!(bench.units("a look within the hour").write == 0.0);
    assert!(live(bench.store.due(build::seconds(3_700), 3).await.unwrap()));
    assert!(bench.units("a look after an hour").write > 0.0, "they have their turn again");
}

#[tokio::test]
async fn places_that_no_longer_count_do_not_shorten_what_is_due() {
    let (bench, shop) = (Bench::new().await, RealShop::new());
    let month = 31 * 24 * 3_600;
    // Its time is over; the table removes it some day.
    for n in 0..30 {
        let mut fact = build::tracking(&format!("OLD{n}"), TrackingStatus::Delivered, 0);
        fact.detail = None;
        let parked = ParkedFact {
            shop: shop.shop.clone(),
            carrier: build::carrier_id(),
            parked_at: build::seconds(0),
            fact,
        };
        bench.store.park(&parked, build::seconds(60)).await.unwrap();
    }
    shop.apply(&bench.store, &shop.created(), month).await;
    shop.apply(&bench.store, &shop.moved(1, 1), month + 5).await;
    shop.apply(&bench.store, &shop.moved(2, 2), month + 6).await;
    shop.apply(&bench.store, &shop.moved(1, 3), month + 7).await;
    let due = bench.store.due(build::seconds(month + 100), 3).await.unwrap();
    let seqs: Vec<u64> = due.iter().map(|d| if let DueItem::Event(e) = d { e.seq } else { 0 }).collect();
    assert_eq!(seqs, [2, 3, 4]);
}

/// Writes something into every run of the event that only a later version of this program knows.
async fn from_the_future(bench: &Bench, event: &Event) {
    let mut item = bench.item(&format!("ORDER#{}", event.order), &format!("E#{:010}", event.seq)).await;
    let Some(AttributeValue::M(runs)) = item.get_mut("r") else { unreachable!("it has runs") };
    for run in runs.values_mut() {
        let AttributeValue::M(run) = run else { unreachable!("a run is a map") };
        run.insert("zz".to_owned(), AttributeValue::S("new".to_owned()));
    }
    bench.put(item).await;
}

#[tokio::test]
async fn runs_with_a_field_that_this_program_does_not_know_are_claimed_ended_and_moved() {
    let (bench, shop) = (Bench::new().await, RealShop::new());
    shop.apply(&bench.store, &shop.created(), 0).await;
    let event = shop.apply(&bench.store, &shop.moved(2, 1), 5).await.event;
    let now = build::seconds(60);
    from_the_future(&bench, &event).await;
    bench.store.set_due(&DueItem::Event(Box::new(event.clone())), Some(build::seconds(90))).await.unwrap();
    assert!(bench.store.due(build::seconds(89), 10).await.unwrap().is_empty());
    for (n, (key, run)) in event.runs.iter().enumerate() {
        let id = RunId { order: event.order.clone(), seq: event.seq, key: key.clone() };
        let (claimed, rival) = (claim(&shop, &id, run, now), claim(&shop, &id, run, now));
        bench.store.update_run(&id, run, &claimed).await.unwrap();
        let lost = bench.store.update_run(&id, run, &rival).await;
        assert!(matches!(lost, Err(CommitError::LostRace)), "{lost:?}");
        from_the_future(&bench, &event).await;
        let again = bench.store.update_run(&id, run, &claimed).await.unwrap();
        assert_eq!(again.runs.get(key), Some(&claimed), "its own write is recognised");
        let RunState::Claimed { attempt, .. } = &claimed.state else { unreachable!("{claimed:?}") };
        let outcome = match n {
            0 => AttemptOutcome::Later { due: build::seconds(90), why: None },
            _ => AttemptOutcome::Success { detail: "200".to_owned() },
        };
        let after = claimed.finish(key.action(), attempt, &outcome, now, 0.5).unwrap();
        bench.store.update_run(&id, &claimed, &after).await.unwrap();
        from_the_future(&bench, &event).await;
    }
    let stored = bench.store.event(&event.order, event.seq).await.unwrap().unwrap();
    assert_eq!(stored.open_runs(), 1);
    bench.store.set_due(&DueItem::Event(Box::new(stored)), None).await.unwrap();
    assert!(bench.store.due(build::seconds(99_999), 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_order_that_comes_to_be_without_something_is_stored_without_it() {
    let (bench, shop) = (Bench::new().await, RealShop::new());
    let made = shop.apply(&bench.store, &shop.created(), 0).await;
    let mut busy = busy_order(&shop, &made.order);
    busy.version = 2;
    busy.lifecycle = Lifecycle::Cancelled { at: None };
    busy.has_email = true;
    let why = HoldReason::Breaker { stage: shop.stage(1) };
    busy.hold = Some(Hold { at: build::seconds(1), why, pending: None, pending_silent: None });
    bench.store.put_order(&busy, 1, "w2").await.unwrap();
    assert_eq!(bench.store.order(&busy.id).await.unwrap(), Some(busy.clone()));
    for placement in [Placement::Awaiting, Placement::Untriaged] {
        let stored = bench.store.order(&busy.id).await.unwrap().unwrap();
        let source = Source { channel: None, ..busy.source.clone() };
        let bare = Order {
            version: stored.version + 1,
            source,
            placement,
            lifecycle: Lifecycle::Open,
            lifecycle_seq: 0,
            mark: None,
            fulfillment: Fulfillment::default(),
            packages: Rollup::default(),
            hold: None,
            has_email: false,
            last_mail: None,
            erased: None,
            ..stored.clone()
        };
        bench.store.put_order(&bare, stored.version, &format!("w{}", bare.version)).await.unwrap();
        assert_eq!(bench.store.order(&busy.id).await.unwrap(), Some(bare));
    }
    let (_, snapshot) = bench.store.order_with_snapshot(&busy.id).await.unwrap().unwrap();
    assert!(snapshot.is_some(), "what the control item knows of its snapshot is kept");
}

#[tokio::test]
async fn an_order_counts_its_packages_writes_over_whatever_else_is_written() {
    let (bench, shop) = (Bench::new().await, RealShop::new());
    let number = "1Z999AA10123456784";
    shop.apply(&bench.store, &shop.created(), 0).await;
    for n in [number, "SECOND"] {
        let edit = PackageEdit::Add(build::parcel(n));
        shop.apply(&bench.store, &Fact::Packages { edit, actor: build::person() }, 1).await;
    }
    let report = build::tracking(number, TrackingStatus::InTransit, 100);
    shop.apply(&bench.store, &Fact::Tracking(report), 101).await;
    let order = shop.apply(&bench.store, &shop.moved(1, 4), 102).await.order;
    let locked = Order { version: order.version + 1, ..order.clone() };
    bench.store.put_order(&locked, order.version, "lock").await.unwrap();
    let item = bench.item(&format!("ORDER#{}", order.id), "ORDER").await;
    assert_eq!(item["pw"], AttributeValue::N("3".to_owned()));
    let stale = bench.store.packages(&order.id).await.unwrap().remove(0);
    let pk = format!("ORDER#{}", order.id);
    let mut package = bench.item(&pk, &format!("P#{}", stale.id)).await;
    // As if the transaction of the last write had not come to this item yet.
    let writes: u64 = package["n"].as_n().unwrap().parse().unwrap();
    package.insert("n".to_owned(), AttributeValue::N((writes - 1).to_string()));
    bench.put(package).await;
    assert!(matches!(bench.store.packages(&order.id).await, Err(StoreError::Throttled)));
}

#[tokio::test]
async fn a_listing_of_the_quarantine_reads_no_body() {
    let bench = Bench::new().await;
    let data: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let (topic, route) = ("orders/updated".to_owned(), Route::Shopify(build::channel_id()));
    let id = QuarantineId::derive(build::seconds(1), route.came_by(), &topic, &data);
    let (shop, reason, at) = (build::shop(), "no id".to_owned(), build::seconds(1));
    let entry = QuarantineEntry { id: id.clone(), shop, route, topic, at, reason, bytes: 1_000_000 };
    let item = Quarantined { entry, body: Envelope { key: Sealed("sealed".to_owned()), data } };
    bench.store.quarantine(&item).await.unwrap();
    bench.units("a megabyte goes into quarantine");
    let now = build::seconds(2);
    let listed = bench.store.quarantined(&build::shop(), None, 100, now).await.unwrap();
    let units = bench.units("the listing");
    assert!(units.read <= 1.0 && units.round_trips == 1, "{units:?}");
    assert_eq!(listed.items, std::slice::from_ref(&item.entry));
    let read = bench.store.quarantined_item(&build::shop(), &id, now).await.unwrap();
    assert_eq!(bench.units("it is read whole").round_trips, 2);
    assert_eq!(read, Some(item));
    bench.store.release(&build::shop(), &id).await.unwrap();
    let left = bench.client.scan().table_name(&bench.table).send().await.unwrap();
    assert!(left.items().is_empty(), "its body goes with it");
}

#[tokio::test]
async fn an_event_beyond_its_orders_count_is_told_from_a_lost_race() {
    let (bench, shop) = (Bench::new().await, RealShop::new());
    shop.apply(&bench.store, &shop.created(), 0).await;
    let next = build::changes(shop.decide(&bench.store, &shop.moved(1, 1), build::seconds(5)).await);
    let mut stray = bench.item(&format!("ORDER#{}", shop.order_id()), "E#0000000001").await;
    stray.insert("sk".to_owned(), AttributeValue::S("E#0000000002".to_owned()));
    bench.put(stray).await;
    let written = bench.store.commit(&build::commit(next, "w")).await;
    assert!(matches!(written, Err(CommitError::Store(StoreError::Corrupt { .. }))), "{written:?}");
}

#[tokio::test]
async fn an_item_that_is_too_large_is_refused_for_good() {
    let (bench, shop) = (Bench::new().await, RealShop::new());
    let created = build::changes(shop.decide(&bench.store, &shop.created(), build::seconds(0)).await);
    let mut commit = build::commit(created, "w");
    commit.webhook_body = Some("x".repeat(420_000));
    let written = bench.store.commit(&commit).await;
    assert!(matches!(written, Err(CommitError::Store(StoreError::TooLarge))), "{written:?}");
    assert_eq!(bench.store.order(&shop.order_id()).await.unwrap(), None);
}

/// An audit over a shop's store.
async fn audited(bench: &Bench, shop: &RealShop, order: &OrderId, now: i64) -> Vec<Finding> {
    let clock = Arc::new(ManualClock::new(build::seconds(now)));
    let core = Core {
        store: bench.store.clone(),
        clock,
        entropy: Arc::new(SeededEntropy::new(9)),
        restored_at: None,
    };
    look_at(&core, &shop.shop, order, None).await.unwrap().findings
}

#[tokio::test]
async fn law_13_an_audit_puts_back_what_has_fallen_out_of_the_index_and_tells_what_is_missing() {
    let (bench, shop) = (Bench::new().await, RealShop::new());
    shop.apply(&bench.store, &shop.created(), 0).await;
    let (id, seq) = (shop.order_id(), 2);
    shop.apply(&bench.store, &shop.moved(1, 1), 10).await;
    assert_eq!(audited(&bench, &shop, &id, 20).await, []);
    let (pk, sk) = (format!("ORDER#{id}"), "E#0000000002");
    let mut item = bench.item(&pk, sk).await;
    for name in ["g2pk", "g2sk"] {
        item.remove(name).unwrap();
    }
    bench.put(item.clone()).await;
    assert!(bench.store.due(build::seconds(10_000), 10).await.unwrap().is_empty());
    assert_eq!(audited(&bench, &shop, &id, 20).await, [Finding::Misplaced { seq }]);
    let due = bench.store.due(build::seconds(10_000), 10).await.unwrap();
    assert!(matches!(due.as_slice(), [DueItem::Event(event)] if event.seq == seq), "{due:?}");
    assert_eq!(audited(&bench, &shop, &id, 20).await, []);
    // An event that another program wrote, and that nobody can read; then one that is gone.
    item.insert("r".to_owned(), AttributeValue::S("?".to_owned()));
    bench.put(item).await;
    assert_eq!(audited(&bench, &shop, &id, 20).await, [Finding::Unreadable { seq: Some(seq) }]);
    let key = |text: &str| AttributeValue::S(text.to_owned());
    let gone = bench.client.delete_item().table_name(&bench.table).key("pk", key(&pk)).key("sk", key(sk));
    gone.send().await.unwrap();
    assert_eq!(audited(&bench, &shop, &id, 20).await, [Finding::Missing { from: 2, to: 2 }]);
}

#[tokio::test]
async fn a_table_that_does_not_answer_is_unavailable() {
    let stopped = Engine::start(None).unwrap();
    let store = DynamoStore::new(stopped.client(), "nowhere");
    stopped.stop().await;
    assert!(matches!(store.order(&build::order_id(1)).await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_missing_table_is_unavailable_and_not_empty() {
    let bench = Bench::new().await;
    let store = DynamoStore::new(bench.client.clone(), "nowhere");
    assert!(matches!(store.order(&build::order_id(1)).await, Err(StoreError::Unavailable(_))));
    let listed = store.orders(&build::shop(), &OrderFilter::Untriaged, None, 10).await;
    assert!(matches!(listed, Err(StoreError::Unavailable(_))));
    assert!(store.orders_with_number(&build::shop(), "A1").await.is_err());
}

#[tokio::test]
async fn an_order_of_every_limit_fits_an_item_many_times_over() {
    let (bench, shop) = (Bench::new().await, RealShop::new());
    let made = shop.apply(&bench.store, &shop.created(), 0).await;
    let mut huge = busy_order(&shop, &made.order);
    huge.number = "9".repeat(250);
    huge.source.store = format!("https://{}.example", "s".repeat(2_000));
    huge.source.external_id = "9".repeat(100);
    if let Placement::Placed { visited, .. } = &mut huge.placement {
        while visited.len() < stagepost_domain::flow::STAGES_MAX {
            let stage = StageId::from_body(&shop.ids.id_body()).unwrap();
            visited.insert(stage, Visit { fresh: true, automatic: 3 });
        }
    }
    while huge.fulfillment.shipments.len() < stagepost_domain::fulfillment::SHIPMENTS_MAX {
        let id = ShipmentId(format!("completed@2026-03-01T10:20:34Z#{}", huge.fulfillment.shipments.len()));
        let shipment =
            Shipment { mark: build::seconds(900), active: false, by: Attribution::Ours { seq: 12 } };
        huge.fulfillment.shipments.insert(id, shipment);
        let report = Report { status: TrackingStatus::AvailableForPickup, at: build::seconds(900) };
        let id = ShipmentId(format!("52109876543{}", 100 + huge.fulfillment.reports.len()));
        huge.fulfillment.reports.insert(id, report);
    }
    bench.store.put_order(&huge, 1, &shop.ids.id_body()).await.unwrap();
    let item = bench.item(&format!("ORDER#{}", huge.id), "ORDER").await;
    println!("control item of an order at every limit: {} bytes", size(&item));
    assert!(size(&item) <= 12_288, "{} bytes", size(&item));
    assert_eq!(bench.store.order(&huge.id).await.unwrap(), Some(huge));
}
