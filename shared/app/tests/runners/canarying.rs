//! The canary: an order of every quarter of an hour whose mail tells whether all works; and orders that go wholly.

use stagepost_app::attempt::Attempt;
use stagepost_app::erase::delete_order;
use stagepost_app::jobs::{Worked, canary_order, make_canary};
use stagepost_app::mail::email;
use stagepost_app::ports::{
    ActError, AttemptStore, ChannelAccess, ConfigStore, InboundStore, JobStore, OrderPage, OrderSource,
    OrderStore, RunStore, SearchStore, run_id,
};
use stagepost_app::search::keep;
use stagepost_domain::Timestamp;
use stagepost_domain::canary::{Canary, Heard};
use stagepost_domain::id::{JobId, OrderId, ShopId};
use stagepost_domain::job::{JobKind, Told};
use stagepost_domain::restore::RestoredAt;
use stagepost_domain::search::SearchKey;
use stagepost_testkit::build;

use super::wire::done;
use super::world::{Links, World, id};

/// A store that nobody asks.
pub struct Nowhere;

impl OrderSource for Nowhere {
    async fn changed(
        &self,
        _: &ChannelAccess,
        _: Timestamp,
        _: Option<&str>,
        _: Timestamp,
    ) -> Result<OrderPage, ActError> {
        Err(ActError::permanent("nobody asks it"))
    }
    async fn probe(&self, _: &ChannelAccess) -> Result<(), ActError> {
        Err(ActError::permanent("nobody asks it"))
    }
}

fn canaries() -> ShopId {
    ShopId::parse("shop_canary").unwrap()
}

fn world() -> World {
    let world = World::new();
    for _ in 0..2 {
        done(make_canary(&world.plain, &canaries(), "canary@shop.test")).unwrap();
    }
    world
}

fn job() -> JobId {
    JobId::from_body("canary").unwrap()
}

fn canary(world: &World) -> Canary {
    let job = done(world.store.job(&canaries(), &job())).unwrap().unwrap();
    let JobKind::Canary(canary) = job.kind else { panic!("{job:?}") };
    canary
}

/// A turn that is due; what it heard of the order before.
fn turn(world: &World) -> Option<Heard> {
    let worked = done(world.work(&world.plain, &canaries(), &job())).unwrap();
    let Worked::Recorded(_, told) = worked else { panic!("{worked:?}") };
    let last = canary(world).last;
    assert_eq!(told, last.map(Told::Heard), "an operator hears of it");
    last
}

/// The mail of the newest canary leaves now.
fn sing(world: &World) {
    let order = canary_order(&canaries(), canary(world).turn);
    let seq = done(world.store.order(&order)).unwrap().unwrap().seq;
    let event = done(world.store.event(&order, seq)).unwrap().unwrap();
    let key = event.runs.keys().next().unwrap();
    done(email(&world.plain, &world.provider, &build::office(Links), &run_id(&order, seq, key))).unwrap();
}

fn there(world: &World, turn: u64) -> bool {
    done(world.store.order(&canary_order(&canaries(), turn))).unwrap().is_some()
}

#[test]
fn a_canarys_mail_is_looked_at_a_quarter_of_an_hour_later() {
    let world = world();
    assert_eq!(turn(&world), None, "the first has none before it");
    world.pass(12);
    sing(&world);
    world.pass(900 - 12);
    assert_eq!(turn(&world), Some(Heard::Ok { lag_ms: 12_000 }));
    world.pass(120);
    sing(&world);
    world.pass(900 - 120);
    assert_eq!(turn(&world), Some(Heard::Late { lag_ms: 120_000 }));
    world.pass(900);
    assert_eq!(turn(&world), Some(Heard::Failed), "this one has not left");
    assert_eq!(canary(&world).turn, 4);
}

#[test]
fn a_canary_is_heard_on_a_restored_table_too() {
    let mut world = world();
    let cut = RestoredAt::parse(&world.now().to_string()).unwrap();
    (world.core.restored_at, world.plain.restored_at) = (Some(cut), Some(cut));
    world.pass(1);
    turn(&world);
    world.pass(12);
    sing(&world);
    world.pass(900 - 12);
    assert_eq!(turn(&world), Some(Heard::Ok { lag_ms: 12_000 }));
}

#[test]
fn law_10_a_turn_that_is_taken_twice_writes_one_order() {
    let world = world();
    turn(&world);
    // The runner died after its page and before its record: the job stands as it stood.
    let mut job = done(world.store.job(&canaries(), &job())).unwrap().unwrap();
    job.kind = JobKind::Canary(Canary { turn: 0, ..canary(&world) });
    job.version += 1;
    done(world.store.update_job(&job)).unwrap();
    world.pass(900);
    turn(&world);
    assert_eq!(done(world.store.order(&canary_order(&canaries(), 1))).unwrap().unwrap().seq, 1);
    assert!(!there(&world, 2));
}

#[test]
fn canaries_of_more_than_a_day_are_gone() {
    let world = world();
    for _ in 0..98 {
        turn(&world);
        world.pass(900);
    }
    assert_eq!((there(&world, 1), there(&world, 2), there(&world, 98)), (false, true, true));
    assert_eq!(canary(&world).oldest, 2);
    assert!(done(world.store.settings(&build::shop())).unwrap().is_some());
    assert!(done(world.store.order(&id())).unwrap().is_some(), "nobody else's");
}

fn deleted(world: &World, shop: &ShopId, order: &OrderId) -> bool {
    done(delete_order(&world.plain, shop, order)).unwrap()
}

#[test]
fn law_19_an_order_that_goes_leaves_nothing_behind() {
    let world = World::new();
    let edit = stagepost_domain::fact::PackageEdit::Add(build::parcel("1Z A1"));
    world.tell(&stagepost_domain::fact::Fact::Packages { edit, actor: build::person() });
    let seq = world.enter("packing");
    world.ring(&world.run_of(seq, stagepost_domain::event::Action::Webhook));
    done(keep(&world.store, &SearchKey::of_deployment(&[7; 32]), &id())).unwrap();
    assert!(!deleted(&world, &build::other_shop(), &id()), "law 20");
    assert_eq!(world.order().seq, seq);
    assert!(deleted(&world, &build::shop(), &id()));
    assert!(!deleted(&world, &build::shop(), &id()), "it is gone");
    for prefix in ["N#", "W#", "M#"] {
        assert!(done(world.store.entries(&build::shop(), prefix, None, 10)).unwrap().is_empty(), "{prefix}");
    }
    assert!(done(world.store.orders_with_number(&build::shop(), "1Z A1")).unwrap().is_empty());
    assert!(done(world.store.due(Timestamp::MAX, 10)).unwrap().is_empty());
    assert_eq!(done(world.store.webhook_body(&id(), seq, world.now())).unwrap(), None);
    let (shop, endpoint) = (build::shop(), build::endpoint_id());
    let tried = world.store.attempts_of_endpoint(&shop, &endpoint, None, 10, world.now());
    assert_eq!(done(tried).unwrap().items, Vec::<Attempt>::new());
}
