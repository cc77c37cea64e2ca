//! One shop, one order, its far ends and its time.

use std::sync::Arc;

use stagepost_app::Core;
use stagepost_app::apply::{Outcome, apply};
use stagepost_app::jobs::{JOB_TIMEOUT, JobError, JobStores, Tools, Worked, work};
use stagepost_app::mail::{TrackingLinks, email};
use stagepost_app::platform::{Platforms, fulfill};
use stagepost_app::ports::{Clock, ConfigChange, ConfigStore, OrderStore, run_id};
use stagepost_app::run::{Answered, Rung, RunnerError};
use stagepost_app::tracker::register;
use stagepost_app::wake::{Woken, wake};
use stagepost_app::webhook::webhook;
use stagepost_domain::event::{Action, Actor, Event};
use stagepost_domain::fact::{Fact, Follows, MoveFact};
use stagepost_domain::flow::Flow;
use stagepost_domain::id::{JobId, OrderId, ShopId};
use stagepost_domain::keyring::Keyring;
use stagepost_domain::order::Order;
use stagepost_domain::run::{Run, RunId, RunState};
use stagepost_domain::shop::{Sealed, Settings};
use stagepost_domain::signing::webhook_secret;
use stagepost_domain::{SignedDuration, Timestamp};
use stagepost_testkit::{ManualClock, MemoryStore, SeededEntropy, build};

use super::canarying::Nowhere;
use super::far_end::{Bell, OpenVault, Provider, Receiver, Store, Trackers};
use super::wire::{Wire, done};

/// The link in every mail.
pub struct Links;

impl TrackingLinks for Links {
    fn link(&self, order: &Order) -> String {
        format!("https://track.test/{}", order.number.trim_start_matches('#'))
    }
}

/// Everything; clones share it.
#[derive(Clone)]
pub struct World {
    pub store: MemoryStore,
    pub wire: Wire,
    pub clock: ManualClock,
    /// Through the wire, for what is under test.
    pub core: Core<Wire>,
    /// Past the wire, for what happens meanwhile.
    pub plain: Core<MemoryStore>,
    pub provider: Provider,
    pub receiver: Receiver,
    pub platform: Store,
    pub trackers: Trackers,
    pub bell: Bell,
}

/// The two secrets of the demo endpoint.
pub fn secrets() -> [String; 2] {
    [webhook_secret(&[7; 32]), webhook_secret(&[8; 32])]
}

/// Both, the second just replaced by the first.
pub fn keyring() -> Keyring {
    let [new, old] = secrets().map(Sealed);
    Keyring::new(old).replaced(new, |_| false, build::at(build::START))
}

impl World {
    /// The demo shop with its flow changed, and no order.
    pub fn empty(change: impl FnOnce(&mut Flow)) -> Self {
        let store = MemoryStore::new();
        let clock = ManualClock::new(build::at(build::START));
        let entropy = SeededEntropy::new(1);
        let wire = Wire::new(store.clone());
        let core = Core {
            store: wire.clone(),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(entropy.clone()),
            restored_at: None,
        };
        let plain = Core {
            store: store.clone(),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(entropy),
            restored_at: None,
        };
        let (provider, receiver, bell) = (Provider::default(), Receiver::default(), Bell::default());
        let platform = Store::new(clock.clone());
        let trackers = Trackers::default();
        let world = Self { store, wire, clock, core, plain, provider, receiver, platform, trackers, bell };
        let shop = build::shop();
        let mut flow = build::flow(&shop);
        change(&mut flow);
        let mut endpoint = build::endpoint(&shop);
        endpoint.secrets = keyring();
        world.save(ConfigChange::Shop);
        world.save(ConfigChange::Flow(flow));
        world.save(ConfigChange::Template(build::template(&shop, 1)));
        world.save(ConfigChange::Endpoint(endpoint));
        world.save(ConfigChange::Channel(build::channel(&shop)));
        world.save(ConfigChange::Carrier(build::carrier(&shop)));
        world
    }

    /// The same with order `#1001` in its default stage, *New*.
    pub fn with(change: impl FnOnce(&mut Flow)) -> Self {
        let world = Self::empty(change);
        world.tell(&build::told(build::order_fact(1001, 0)));
        world
    }

    /// The demo flow and its order.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// Changes the configuration.
    pub fn save(&self, change: ConfigChange) {
        self.save_with(change, |_| {});
    }

    /// Changes the configuration with the settings.
    pub fn save_with(&self, change: ConfigChange, edit: impl FnOnce(&mut Settings)) {
        let stored = done(self.store.settings(&build::shop())).unwrap();
        let mut settings = stored.unwrap_or_else(|| Settings {
            from_email: "orders@shop.test".to_owned(),
            ..build::settings(&build::shop(), 0)
        });
        settings.config_version += 1;
        edit(&mut settings);
        done(self.store.save(&change, &settings)).unwrap();
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// Applies a fact past the wire.
    pub fn tell(&self, fact: &Fact) -> Outcome {
        done(apply(&self.plain, &build::shop(), &id(), fact)).unwrap()
    }

    pub fn order(&self) -> Order {
        done(self.store.order(&id())).unwrap().unwrap()
    }

    /// The stage's id without its prefix.
    pub fn stage(&self) -> String {
        self.order().stage().unwrap().as_str().trim_start_matches("stg_").to_owned()
    }

    pub fn event(&self, seq: u64) -> Event {
        done(self.store.event(&id(), seq)).unwrap().unwrap()
    }

    pub fn events(&self) -> Vec<Event> {
        (1..=self.order().seq).map(|seq| self.event(seq)).collect()
    }

    /// Moves the order and gives the event's number.
    pub fn go(&self, stage: &str, actor: Actor) -> u64 {
        let seq = self.order().seq;
        let wish =
            MoveFact { stage: build::stage_id(stage), expected_seq: seq, actor, follows: Follows::All };
        let outcome = self.tell(&Fact::Move(wish));
        assert!(matches!(outcome, Outcome::Changed(_)), "{outcome:?}");
        seq + 1
    }

    /// A program moves the order: its runs are due at once, but for the mail.
    pub fn enter(&self, stage: &str) -> u64 {
        self.go(stage, build::program())
    }

    /// The run of this action in that event.
    pub fn run_of(&self, seq: u64, action: Action) -> RunId {
        let event = self.event(seq);
        let key = event.runs.keys().find(|key| key.action() == action).expect("a run of that action");
        run_id(&event.order, seq, key)
    }

    pub fn run(&self, id: &RunId) -> Run {
        self.event(id.seq).runs[&id.key].clone()
    }

    pub fn state(&self, id: &RunId) -> RunState {
        self.run(id).state
    }

    pub async fn answer(&self, id: &RunId) -> Result<Answered, RunnerError> {
        Ok(self.rung(id).await?.answered)
    }

    /// The answer with what the log tells beside it.
    pub async fn rung(&self, id: &RunId) -> Result<Rung, RunnerError> {
        match id.key.action() {
            Action::Email => email(&self.core, &self.provider, &build::office(Links), id).await,
            Action::Webhook => webhook(&self.core, &self.receiver, &self.provider, &OpenVault, id).await,
            Action::Fulfill => {
                let both = Platforms { shopify: self.platform.clone(), woocommerce: self.platform.clone() };
                fulfill(&self.core, &OpenVault, &both, id).await
            }
            Action::RegisterTracker => register(&self.core, &OpenVault, &self.trackers, id).await,
        }
    }

    /// Works on a job as an invocation does that begins now.
    pub async fn work<S: JobStores>(
        &self,
        core: &Core<S>,
        shop: &ShopId,
        job: &JobId,
    ) -> Result<Worked, JobError> {
        let limit = SignedDuration::try_from(JOB_TIMEOUT).unwrap();
        self.work_until(core, shop, job, self.now() + limit).await
    }

    /// The same as one does that ends then.
    pub async fn work_until<S: JobStores>(
        &self,
        core: &Core<S>,
        shop: &ShopId,
        job: &JobId,
        deadline: Timestamp,
    ) -> Result<Worked, JobError> {
        let sources = &Platforms { shopify: Nowhere, woocommerce: Nowhere };
        let (trackers, sender) = (&self.trackers, &self.receiver);
        let tools = Tools { core, secrets: &OpenVault, sources, trackers, sender };
        work(&tools, shop, job, deadline).await
    }

    /// Rings once and gives the answer.
    pub fn ring(&self, id: &RunId) -> Answered {
        done(self.answer(id)).unwrap()
    }

    /// Rings once and gives the state that was recorded.
    pub fn ring_to(&self, id: &RunId) -> RunState {
        match self.ring(id) {
            Answered::Recorded(run) => {
                assert_eq!(*run, self.run(id), "what was answered is what stands");
                run.state
            }
            other => panic!("not recorded: {other:?}"),
        }
    }

    pub fn sweep(&self) -> Woken {
        done(wake(&self.core, &self.bell)).unwrap()
    }

    /// Lets the time jump to whatever is due next, wakes, and answers every ring, until nothing is due.
    pub fn until_quiet(&self) {
        for _ in 0..200 {
            let Some(due) = self.events().iter().filter_map(Event::due).min() else { return };
            self.clock.set(due.max(self.now()));
            self.sweep();
            for ring in self.bell.heard() {
                self.ring(&ring.run);
            }
            // Whoever was held or early is rung again by a later wake.
            self.pass(61);
        }
        panic!("it never comes to rest");
    }
}

/// The demo order's id.
pub fn id() -> OrderId {
    build::order_id(1001)
}

/// Due at that time.
pub fn due(state: &RunState) -> Timestamp {
    let RunState::Pending { due } = state else { panic!("not waiting: {state:?}") };
    *due
}
