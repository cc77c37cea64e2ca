//! What each use case costs: capacity units and sequential round trips to the table, as the engine reports
//! them. The table in ARCHITECTURE.md holds the same rows, or the test says which differ.
//!
//! `cargo test -p stagepost-tests --test units -- --nocapture` prints the table.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests: what does not hold ends the test")]

use std::sync::{Arc, Mutex};

use serde_json::json;
use stagepost_app::Core;
use stagepost_app::apply::{Outcome, apply};
use stagepost_app::audit::look_at;
use stagepost_app::carrier::track;
use stagepost_app::config::{self, create_shop};
use stagepost_app::mail::events::{MailEvent, listen};
use stagepost_app::mail::{TrackingLinks, email};
use stagepost_app::people::{print_link, redeem, visitor};
use stagepost_app::platform::{Platforms, fulfill};
use stagepost_app::ports::Clock;
use stagepost_app::run::Answered;
use stagepost_app::search::{keep, search};
use stagepost_app::tracker::register;
use stagepost_app::webhook::webhook;
use stagepost_carriers::{EasyPostBase, EasyPostClient};
use stagepost_domain::decide::Changeset;
use stagepost_domain::event::{Action, Actor};
use stagepost_domain::fact::{Fact, Follows, MoveFact, PackageEdit, TrackingFact};
use stagepost_domain::feedback::{Fate, Word};
use stagepost_domain::flow::Flow;
use stagepost_domain::id::{KeyId, OrderId, ShopId};
use stagepost_domain::order::Order;
use stagepost_domain::package::{PackageSeen, TrackingStatus};
use stagepost_domain::run::{RunId, RunState};
use stagepost_domain::search::{Query, SearchKey};
use stagepost_domain::shop::Channel;
use stagepost_domain::{SignedDuration, Timestamp};
use stagepost_dynamodb::{DynamoStore, Meter, Units, create_table};
use stagepost_local::Mailbox;
use stagepost_local::engine::Engine;
use stagepost_outbound_http::{Guard, OutboundHttp};
use stagepost_secrets::LocalSecrets;
use stagepost_shopify::{ApiBase, ShopifyClient};
use stagepost_standins::{EasyPostAccount, Platform, Receiver, ShopifyStore, Tracking, WooStore};
use stagepost_testkit::{ManualClock, SeededEntropy, build};
use stagepost_tests::{EASYPOST_KEY, EASYPOST_SECRET, SHOPIFY_DOMAIN, SHOPIFY_SECRET, boats, start_time};
use stagepost_woocommerce::WooClient;

struct Links;

impl TrackingLinks for Links {
    fn link(&self, order: &Order) -> String {
        format!("https://track.example.com/t/{}", order.id)
    }
}

/// A metered store with a shop on it, and everything that its runs reach.
struct Bench {
    core: Core<DynamoStore>,
    meter: Meter,
    clock: ManualClock,
    secrets: LocalSecrets,
    mailbox: Mailbox,
    http: OutboundHttp,
    shopify: ShopifyStore,
    shop: ShopId,
    flow: Flow,
    channel: Channel,
    woo: WooStore,
    woo_channel: Channel,
    parcels: EasyPostAccount,
    rows: Mutex<Vec<String>>,
    _receiver: Receiver,
    _engine: Engine,
}

impl Bench {
    async fn new() -> Self {
        let clock = ManualClock::new(start_time());
        let time: Arc<dyn Clock> = Arc::new(clock.clone());
        let entropy = Arc::new(SeededEntropy::new(3));
        let engine = Engine::start(None).unwrap();
        let dynamodb = engine.client();
        create_table(&dynamodb, "stagepost").await.unwrap();
        let meter = Meter::new();
        let store = DynamoStore::new(dynamodb, "stagepost").with_meter(meter.clone());
        let core = Core { store, clock: Arc::clone(&time), entropy: entropy.clone(), restored_at: None };
        let secrets = LocalSecrets::from_key([7; 32]).unwrap();
        let receiver = Receiver::start(Arc::clone(&time)).await.unwrap();
        let shopify = ShopifyStore::start(SHOPIFY_DOMAIN, "shpat_test", SHOPIFY_SECRET, Arc::clone(&time));
        let shopify = shopify.await.unwrap();
        let shop = ShopId::parse("shop_01kaj3m2q8v7x9w5t4s6r2p0n1").unwrap();
        create_shop(&core, &shop, "Paper Boat", "hello@paperboat.example").await.unwrap();
        let woo = WooStore::start("ck_a:cs_b", "secret", Arc::clone(&time)).await.unwrap();
        let (flow, channel) = set_up(&core, &secrets, &shop, &receiver.url()).await;
        let woo_channel = json!({
            "platform": "woocommerce", "name": "Paper Boat EU", "store": woo.url(), "webhook_secret": "secret",
            "default_flow": flow.id,
        });
        let woo_channel = serde_json::from_value(woo_channel).unwrap();
        let woo_channel = config::create_channel(&core, &secrets, &shop, &woo_channel, |_| Ok(()));
        let woo_channel = woo_channel.await.unwrap();
        clock.advance(SignedDuration::from_secs(60));
        let parcels = EasyPostAccount::start(EASYPOST_KEY, EASYPOST_SECRET, Arc::clone(&time)).await.unwrap();
        let mailbox = Mailbox::in_memory(time, entropy);
        let http = OutboundHttp::new(Guard::LoopbackAllowed).unwrap();
        let bench = Self {
            core,
            meter,
            clock,
            secrets,
            mailbox,
            http,
            shopify,
            shop,
            flow,
            channel,
            woo,
            woo_channel,
            parcels,
            rows: Mutex::default(),
            _receiver: receiver,
            _engine: engine,
        };
        let _set_up = bench.meter.take();
        bench
    }

    fn units(&self, what: &str) -> Units {
        let units = self.meter.take();
        self.row(&format!("| {what} | {} | {} | {} |", units.write, units.read, units.round_trips));
        units
    }

    fn row(&self, row: &str) {
        println!("{row}");
        self.rows.lock().unwrap().push(row.to_owned());
    }

    /// What WooCommerce has to say, applied and measured.
    async fn hear_woo(&self, what: &str) -> Units {
        for n in self.woo.take_outbox() {
            let read = stagepost_woocommerce::read(&n.topic, &self.woo_channel, &n.body, self.core.now());
            let stagepost_app::inbound::Reading::Fact { source, fact } = read else {
                unreachable!("{read:?}")
            };
            self.apply(&source.order_id(&self.shop), &fact).await;
        }
        self.units(what)
    }

    async fn apply(&self, id: &OrderId, fact: &Fact) -> Option<Box<Changeset>> {
        match apply(&self.core, &self.shop, id, fact).await.unwrap() {
            Outcome::Changed(changes) => Some(changes),
            _ => None,
        }
    }

    /// The facts of everything that the store has told.
    fn told(&self) -> Vec<(OrderId, Fact)> {
        let read = |n: &stagepost_standins::Notification| match stagepost_shopify::read(
            &n.topic,
            &self.channel,
            &n.body,
            self.core.now(),
        ) {
            stagepost_app::inbound::Reading::Fact { source, fact } => {
                Some((source.order_id(&self.shop), fact))
            }
            _ => None,
        };
        self.shopify.take_outbox().iter().filter_map(read).collect()
    }

    async fn move_to(&self, id: &OrderId, stage: usize, expected_seq: u64) -> Changeset {
        let actor = Actor::ApiKey { id: KeyId::parse("key_01kaj3m2q8v7x9w5t4s6r2p0n1").unwrap() };
        let fact = MoveFact {
            stage: self.flow.stages[stage].id.clone(),
            expected_seq,
            actor,
            follows: Follows::All,
        };
        *self.apply(id, &Fact::Move(fact)).await.unwrap()
    }

    async fn run(&self, changes: &Changeset, action: Action) {
        let key = changes.event.runs.keys().find(|k| k.action() == action).unwrap().clone();
        let id = RunId { order: changes.order.id.clone(), seq: changes.event.seq, key };
        let platforms = Platforms {
            shopify: ShopifyClient::new(
                OutboundHttp::new(Guard::LoopbackAllowed).unwrap(),
                ApiBase::Override(self.shopify.base_url().parse().unwrap()),
            ),
            woocommerce: WooClient::new(OutboundHttp::new(Guard::LoopbackAllowed).unwrap()),
        };
        let answered = match action {
            Action::Email => email(&self.core, &self.mailbox, &build::office(Links), &id).await,
            Action::Webhook => webhook(&self.core, &self.http, &self.mailbox, &self.secrets, &id).await,
            Action::Fulfill => fulfill(&self.core, &self.secrets, &platforms, &id).await,
            Action::RegisterTracker => {
                let base = EasyPostBase::Override(self.parcels.url().parse().unwrap());
                let service = EasyPostClient::new(self.http.clone(), base);
                register(&self.core, &self.secrets, &service, &id).await
            }
        };
        let Answered::Recorded(run) = answered.unwrap().answered else {
            unreachable!("{action:?} was not recorded")
        };
        assert!(matches!(run.state, RunState::Succeeded { .. }), "{run:?}");
    }
}

async fn set_up(
    core: &Core<DynamoStore>,
    secrets: &LocalSecrets,
    shop: &ShopId,
    receiver: &str,
) -> (Flow, Channel) {
    let input = serde_json::from_value(
        json!({"name": "Stage", "subject": "{{orderNumber}}", "text": "{{stageName}}"}),
    );
    let template = config::put_template(core, shop, None, &input.unwrap(), None).await.unwrap();
    let input = serde_json::from_value(json!({"name": "ERP", "url": receiver})).unwrap();
    let (endpoint, _) =
        config::put_endpoint(core, secrets, shop, None, &input, |_| Ok(()), None).await.unwrap();
    let everything = json!({
        "email": {"enabled": true, "template": template.id},
        "webhook": {"enabled": true, "endpoint": endpoint.id},
        "fulfill": {"enabled": true},
    });
    let stages = json!([
        {"name": "New"}, {"name": "Printing"}, {"name": "Ready to ship", "automations": everything},
        {"name": "Shipped"}, {"name": "Delivered", "automations": {"advance_on_delivery": {"enabled": true}}},
    ]);
    let input = json!({"name": "Paper boats", "stages": stages, "fulfilled_stage": "Shipped"});
    let flow =
        config::put_flow(core, shop, None, &serde_json::from_value(input).unwrap(), None).await.unwrap();
    let input = json!({
        "platform": "shopify", "name": "Paper Boat", "store": SHOPIFY_DOMAIN, "webhook_secret": SHOPIFY_SECRET,
        "credentials": "shpat_test", "default_flow": flow.id,
    });
    let input = serde_json::from_value(input).unwrap();
    let channel = config::create_channel(core, secrets, shop, &input, |_| Ok(())).await.unwrap();
    (flow, channel)
}

fn delivered(number: &str, at: Timestamp) -> TrackingFact {
    TrackingFact {
        number: number.into(),
        carrier: None,
        status: TrackingStatus::Delivered,
        occurred_at: at,
        url: None,
        detail: None,
        offset: None,
    }
}

/// A shop's day in Shopify: a new order, moves, a fulfillment of ours with its echoes, a delivery.
async fn a_day_in_shopify(bench: &Bench) {
    let external = bench.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    let (id, fact) = bench.told()[0].clone();
    bench.apply(&id, &fact).await.unwrap();
    bench.units("an order is seen for the first time");
    assert!(bench.apply(&id, &fact).await.is_none());
    let duplicate = bench.units("the same notification again");
    assert!(duplicate.write == 0.0, "{duplicate:?}");
    bench.move_to(&id, 1, 1).await;
    let plain = bench.units("a transition without an action");
    assert!(plain.write <= 6.0, "{plain:?}");
    let package = PackageSeen::parse(Some("9400100000000000000001"), None, Some("USPS")).unwrap();
    let actor = Actor::ApiKey { id: KeyId::parse("key_a").unwrap() };
    bench.apply(&id, &Fact::Packages { edit: PackageEdit::Add(package), actor }).await.unwrap();
    bench.units("a package is added");
    with_all_actions(bench, &id).await;
    for (n, (id, fact)) in bench.told().iter().enumerate() {
        bench.apply(id, fact).await;
        let echo = bench.units(&format!("an echo of our own fulfillment, notification {}", n + 1));
        assert!(echo.write == 0.0, "{echo:?}");
    }
    deliveries(bench).await;
    assert_eq!(bench.shopify.fulfillments(&external).len(), 1);
}

async fn with_all_actions(bench: &Bench, id: &OrderId) {
    let changes = bench.move_to(id, 2, 3).await;
    let moved = bench.units("a transition with mail, webhook and fulfillment");
    bench.run(&changes, Action::Webhook).await;
    let webhook = bench.units("— its webhook, the first in an hour: read, place, claim, record, log, well");
    bench.run(&changes, Action::Fulfill).await;
    let fulfill = bench.units("— its fulfillment: lock, claim, settle, record");
    bench.clock.advance(SignedDuration::from_secs(10));
    bench.run(&changes, Action::Email).await;
    let email = bench.units("— its mail: read, claim, record");
    heard(bench, &changes).await;
    let of = [moved, webhook, fulfill, email];
    let (write, read) = (of.iter().map(|u| u.write).sum::<f64>(), of.iter().map(|u| u.read).sum::<f64>());
    bench.row(&format!(
        "| — all of it, in four invocations | {write} | {read} | {} |",
        of.iter().map(|u| u.round_trips).sum::<u32>()
    ));
    // Of these the governor counts the mail (law 9), the sender's line gives it a place, two log the webhook's
    // attempt, and two note that its receiver is tried and well, as the first webhook in an hour does (law 16).
    assert!(write <= 24.0, "{write}");
}

/// What is told of the mail later: that it arrived, then that it came back after all.
async fn heard(bench: &Bench, changes: &Changeset) {
    let key = changes.event.runs.keys().find(|k| k.action() == Action::Email).unwrap().clone();
    let run = RunId { order: changes.order.id.clone(), seq: changes.event.seq, key };
    let event = |fate| MailEvent {
        run: run.clone(),
        message: "m-1".to_owned(),
        at: bench.core.now(),
        word: Word::Fate(fate),
        addresses: vec!["ada@example.com".to_owned()],
    };
    let search = build::office(Links).addresses;
    for (fate, what) in [
        (Fate::Delivered, "— its mail arrived"),
        (Fate::Delivered, "— the same told again"),
        (Fate::HardBounced, "— its mail came back for good: the address is suppressed"),
    ] {
        listen(&bench.core, &bench.secrets, &search, &event(fate)).await.unwrap();
        bench.units(what);
    }
}

async fn deliveries(bench: &Bench) {
    let carrier = stagepost_domain::id::CarrierId::parse("car_a").unwrap();
    let report = delivered("9400100000000000000001", bench.core.now());
    track(&bench.core, &bench.shop, &carrier, &report).await.unwrap();
    bench.units("a delivery that advances the order");
    track(&bench.core, &bench.shop, &carrier, &report).await.unwrap();
    assert!(bench.units("the same report again").write == 0.0);
    track(&bench.core, &bench.shop, &carrier, &delivered("NOBODYS", bench.core.now())).await.unwrap();
    bench.units("a report that is parked");
}

async fn fulfilled_by_hand(bench: &Bench) {
    let theirs = bench.shopify.create_order(&boats("Grace Hopper", "grace@example.com"));
    for (id, fact) in bench.told() {
        bench.apply(&id, &fact).await;
    }
    bench.clock.advance(SignedDuration::from_secs(10));
    bench.shopify.fulfill_by_hand(&theirs, &Tracking::number("1Z1")).unwrap();
    let _between = bench.meter.take();
    for (n, (id, fact)) in bench.told().iter().enumerate() {
        bench.apply(id, fact).await;
        bench.units(&format!("a fulfillment by hand, notification {}", n + 1));
    }
}

/// Parcels of a shop that has them reported: one that is new to the carrier, and one under way.
async fn registered(bench: &Bench) {
    let input = json!({
        "kind": "easypost", "name": "EasyPost", "webhook_secret": "secret", "credentials": EASYPOST_KEY,
    });
    let input = serde_json::from_value(input).unwrap();
    config::create_carrier(&bench.core, &bench.secrets, &bench.shop, &input).await.unwrap();
    let _theirs = bench.shopify.create_order(&boats("Edith Clarke", "edith@example.com"));
    let (id, fact) = bench.told()[0].clone();
    bench.apply(&id, &fact).await.unwrap();
    let _between = bench.meter.take();
    bench.parcels.scan("1Z9002", "in_transit");
    for (number, what) in
        [("1Z9001", "— its registration: read, claim, record"), ("1Z9002", "— the same, with news")]
    {
        let package = PackageSeen::parse(Some(number), None, Some("UPS")).unwrap();
        let actor = Actor::ApiKey { id: KeyId::parse("key_a").unwrap() };
        let added =
            bench.apply(&id, &Fact::Packages { edit: PackageEdit::Add(package), actor }).await.unwrap();
        match number {
            "1Z9001" => bench.units("a package is added that is to be registered"),
            _ => bench.meter.take(),
        };
        bench.run(&added, Action::RegisterTracker).await;
        bench.units(what);
    }
}

/// What dispatch does for the search, and what somebody finds.
async fn searched(bench: &Bench) {
    let key = SearchKey::of_deployment(&[7; 32]);
    let _theirs = bench.shopify.create_order(&boats("Hedy Lamarr", "hedy@example.com"));
    let (id, fact) = bench.told()[0].clone();
    bench.apply(&id, &fact).await.unwrap();
    let _between = bench.meter.take();
    keep(&bench.core.store, &key, &id).await.unwrap();
    bench.units("the search takes in an order: number, two names, an address");
    keep(&bench.core.store, &key, &id).await.unwrap();
    assert!(bench.units("the search looks at an event that changed nothing of it").write == 0.0);
    for (text, what) in [("hedy@example.com", "one order is found"), ("nobody", "nothing is found")] {
        let query = Query::parse(text, &bench.shop, &key).unwrap();
        let found = search(&bench.core.store, &key, &bench.shop, &query, None, 25).await.unwrap();
        assert_eq!(found.items.len(), usize::from(text != "nobody"));
        assert!(bench.units(what).write == 0.0);
    }
}

/// What it costs to look whether an order is as it must be.
async fn audited(bench: &Bench) {
    let _theirs = bench.shopify.create_order(&boats("Joan Clarke", "joan@example.com"));
    let (id, fact) = bench.told()[0].clone();
    bench.apply(&id, &fact).await.unwrap();
    bench.clock.advance(SignedDuration::from_secs(10));
    let package = PackageSeen::parse(Some("1Z9101"), None, Some("UPS")).unwrap();
    let actor = Actor::ApiKey { id: KeyId::parse("key_a").unwrap() };
    bench.apply(&id, &Fact::Packages { edit: PackageEdit::Add(package), actor }).await.unwrap();
    let since = bench.core.now() + SignedDuration::from_secs(1);
    let _between = bench.meter.take();
    for (since, what) in [
        (Some(since), "an audit looks at an order of which nothing is new"),
        (None, "an audit looks at an order with a package, from its beginning"),
    ] {
        let looked = look_at(&bench.core, &bench.shop, &id, since).await.unwrap();
        assert_eq!(looked.findings, []);
        assert!(bench.units(what).write == 0.0);
    }
}

/// What it costs to let somebody in, and to know them at each request.
async fn people(bench: &Bench) {
    let key = SearchKey::of_deployment(&[7; 32]);
    let ann = ("ann@example.com", "Ann");
    let ann = config::create_owner(&bench.core, &bench.secrets, &key, &bench.shop, ann).await.unwrap();
    let link = print_link(&bench.core, &ann).await.unwrap();
    let _between = bench.meter.take();
    let (session, _) = redeem(&bench.core, &link).await.unwrap();
    bench.units("a link signs somebody in");
    visitor(&bench.core, session).await.unwrap().unwrap();
    assert!(bench.units("who a request of the console is from").write == 0.0);
}

async fn saves_that_change_nothing(bench: &Bench) {
    let external = bench.woo.create_order(&boats("Grace Hopper", "grace@example.com"));
    bench.woo.take_outbox().truncate(0);
    bench.woo.touch(&external).unwrap();
    bench.hear_woo("a WooCommerce order is seen for the first time").await;
    bench.clock.advance(SignedDuration::from_secs(10));
    bench.woo.touch(&external).unwrap();
    let touched = bench.hear_woo("WooCommerce tells of a save that changed nothing").await;
    assert!(touched.write == 0.0, "{touched:?}");
}

#[tokio::test]
async fn every_use_case_costs_what_the_architecture_says() {
    let bench = Bench::new().await;
    println!(
        "| use case | write units | read units | sequential round trips |\n| --- | ---: | ---: | ---: |"
    );
    a_day_in_shopify(&bench).await;
    bench.clock.advance(SignedDuration::from_secs(10));
    fulfilled_by_hand(&bench).await;
    registered(&bench).await;
    searched(&bench).await;
    audited(&bench).await;
    people(&bench).await;
    saves_that_change_nothing(&bench).await;
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../ARCHITECTURE.md")).unwrap();
    let rows = bench.rows.lock().unwrap();
    let missing: Vec<_> = rows.iter().filter(|row| !text.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md does not say:\n{missing:#?}");
}
