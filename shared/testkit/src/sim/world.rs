//! One shop with a flow, two stores and a few orders, all from the seed.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use stagepost_app::Core;
use stagepost_app::ports::{Clock, ConfigChange, ConfigStore, OrderStore};
use stagepost_domain::event::Event;
use stagepost_domain::flow::{AdvanceOnDelivery, Flow, FulfilledWhen};
use stagepost_domain::id::{ChannelId, OrderId};
use stagepost_domain::keyring::Keyring;
use stagepost_domain::order::{Order, Platform, Source};
use stagepost_domain::shop::{Channel, Registrar, Sealed};
use stagepost_domain::signing::webhook_secret;
use stagepost_domain::{SignedDuration, Timestamp};

use super::Stats;
use super::carriers::{Carriers, Ground};
use super::chaos::Chaos;
use super::dice::{Dice, Shelf};
use super::ends::{Bell, Provider, Receiver, Vault};
use super::planted::Bug;
use super::platform::Market;
use super::work::Task;
use crate::{ManualClock, MemoryStore, SeededEntropy, build};

/// What every function has in its hands; clones share it.
#[derive(Clone)]
pub(super) struct Hands {
    pub core: Core<Chaos>,
    pub provider: Provider,
    pub receiver: Receiver,
    pub bell: Bell,
    pub vault: Vault,
    pub market: Market,
    pub carriers: Carriers,
}

/// Everything there is.
pub(super) struct World {
    pub dice: Dice,
    pub clock: ManualClock,
    pub ground: Ground,
    pub carriers: Carriers,
    pub hands: Hands,
    pub store: MemoryStore,
    /// Functions that stand still somewhere.
    pub tasks: Vec<Task>,
    /// Orders of no store.
    pub own: Vec<Source>,
    pub told: usize,
    /// One of its programs moves an order to and fro without end.
    pub eager: bool,
    pub bug: Option<Bug>,
    pub stats: Stats,
}

impl World {
    pub fn new(seed: u64, bug: Option<Bug>) -> Self {
        let dice = Dice::new(seed);
        let clock = ManualClock::new(build::at(build::START));
        let store = MemoryStore::new();
        let ground = Ground { dice: dice.clone(), clock: clock.clone(), inbox: Shelf::default() };
        // A quarter of the worlds; the others are what they were without.
        let carriers = Carriers::new(ground.clone(), seed % 4 == 1);
        let chaos = Chaos {
            inner: store.clone(),
            dice: dice.clone(),
            bug,
            written: Shelf::default(),
            stream: Shelf::default(),
            lagging: Shelf::default(),
            faults: Shelf::default(),
        };
        let hands = Hands {
            core: Core {
                store: chaos,
                clock: Arc::new(clock.clone()),
                entropy: Arc::new(SeededEntropy::new(seed)),
                restored_at: None,
            },
            provider: Provider { dice: dice.clone(), accepted: Shelf::default() },
            receiver: Receiver { dice: dice.clone(), received: Shelf::default() },
            bell: Bell { dice: dice.clone(), clock: clock.clone(), queue: Shelf::default() },
            vault: Vault { dice: dice.clone() },
            market: Market::new(ground.clone(), carriers.clone(), store.clone()),
            carriers: carriers.clone(),
        };
        let world = Self {
            eager: dice.chance(10),
            dice,
            clock,
            ground,
            carriers,
            hands,
            store,
            tasks: Vec::new(),
            own: Vec::new(),
            told: 0,
            bug,
            stats: Stats::default(),
        };
        world.configured().peopled()
    }

    fn configured(self) -> Self {
        let shop = build::shop();
        let mut endpoint = build::endpoint(&shop);
        endpoint.secrets = Keyring::new(Sealed(webhook_secret(&[7; 32])));
        let mut carrier = build::carrier(&shop);
        carrier.credentials = self.carriers.on_request().then(|| Sealed("key".to_owned()));
        let changes = [
            ConfigChange::Shop,
            ConfigChange::Flow(some_flow(&self.dice)),
            ConfigChange::Template(build::template(&shop, 1)),
            ConfigChange::Endpoint(endpoint),
            ConfigChange::Channel(build::channel(&shop)),
            ConfigChange::Channel(woo_channel()),
            ConfigChange::Carrier(carrier.clone()),
        ];
        for (version, change) in (1..).zip(changes) {
            let mut settings = build::settings(&shop, version);
            settings.from_email = "orders@shop.test".to_owned();
            settings.registrar = Registrar::of([&carrier]);
            let _ = at_once(self.store.save(&change, &settings));
        }
        self
    }

    fn peopled(mut self) -> Self {
        let count = 2 + self.dice.below(3);
        for n in 0..count {
            let number = 1_001 + n as u64;
            let platform = match self.dice.below(10) {
                0..5 => Platform::Shopify,
                5..9 => Platform::Woocommerce,
                _ => Platform::Api,
            };
            let source = source(platform, number);
            if platform == Platform::Api {
                self.own.push(source);
                continue;
            }
            let groups = if platform == Platform::Shopify { 1 + self.dice.below(2) } else { 1 };
            // Some are older than their channel.
            let created_at = if self.dice.chance(12) {
                build::at("2025-12-20T08:00:00Z")
            } else {
                build::at(build::START)
            };
            let email = self.dice.chance(90).then(|| "ada@customer.test".to_owned());
            self.hands.market.sell(source, created_at, groups, email);
        }
        self
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Every order that there should be.
    pub fn order_ids(&self) -> Vec<OrderId> {
        let own = self.own.iter().map(|s| s.order_id(&build::shop()));
        self.hands.market.sold().into_iter().map(|s| s.id).chain(own).collect()
    }

    pub fn order(&self, id: &OrderId) -> Option<Order> {
        at_once(self.store.order(id)).and_then(Result::ok).flatten()
    }

    pub fn event(&self, id: &OrderId, seq: u64) -> Option<Event> {
        at_once(self.store.event(id, seq)).and_then(Result::ok).flatten()
    }

    pub fn events(&self, id: &OrderId) -> Vec<Event> {
        let last = self.order(id).map_or(0, |o| o.seq);
        (1..=last).filter_map(|seq| self.event(id, seq)).collect()
    }

    pub fn flow(&self) -> Option<Flow> {
        at_once(self.store.flow(&build::shop(), &build::flow_id())).and_then(Result::ok).flatten()
    }

    /// Seconds since the beginning, for the trace.
    pub fn clock_text(&self) -> String {
        let seconds = self.now().duration_since(build::at(build::START)).as_secs();
        format!(
            "{}d {:02}:{:02}:{:02}",
            seconds / 86_400,
            seconds / 3_600 % 24,
            seconds / 60 % 60,
            seconds % 60
        )
    }
}

/// The answer of something that never waits.
pub(super) fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

fn woo_channel() -> Channel {
    let mut channel = build::channel(&build::shop());
    if let Ok(id) = ChannelId::parse("chan_woo") {
        channel.id = id;
    }
    channel.platform = Platform::Woocommerce;
    channel.store = "https://woo.test".to_owned();
    channel
}

fn source(platform: Platform, number: u64) -> Source {
    let mut source = build::source(number);
    match platform {
        Platform::Shopify => {}
        Platform::Woocommerce => {
            let channel = woo_channel();
            (source.store, source.channel) = (channel.store, Some(channel.id));
        }
        Platform::Api => (source.store, source.channel) = ("api".to_owned(), None),
    }
    source.platform = platform;
    source
}

/// Five stages with automations by chance; often with both directions in one stage.
fn some_flow(dice: &Dice) -> Flow {
    let mut flow = build::flow(&build::shop());
    let fulfilling: BTreeMap<&str, usize> =
        BTreeMap::from([("stg_packing", 30), ("stg_ready", 80), ("stg_shipped", 30)]);
    for stage in &mut flow.stages {
        let automations = &mut stage.automations;
        automations.email = build::mails().filter(|_| dice.chance(45));
        automations.webhook = build::calls().filter(|_| dice.chance(45));
        let percent = fulfilling.get(stage.id.as_str()).copied().unwrap_or_default();
        automations.fulfill = build::fulfills().filter(|_| dice.chance(percent));
        automations.advance_on_delivery = None;
    }
    let stages = ["packing", "ready", "shipped", "delivered"];
    flow.fulfilled_stage = dice.pick(&stages).filter(|_| dice.chance(90)).map(|s| build::stage_id(s));
    if dice.chance(30) {
        flow.fulfilled_when = FulfilledWhen::First;
    }
    let advance = if dice.chance(70) { "delivered" } else { "shipped" };
    for stage in flow.stages.iter_mut().filter(|s| s.id == build::stage_id(advance)) {
        stage.automations.advance_on_delivery = Some(AdvanceOnDelivery { enabled: dice.chance(90) });
    }
    flow
}

/// How long a function of this kind may live: less than the lease of what it claims.
pub(super) const LIFE: SignedDuration = SignedDuration::from_secs(40);
/// The same for the function that fulfills.
pub(super) const LONG_LIFE: SignedDuration = SignedDuration::from_secs(140);
