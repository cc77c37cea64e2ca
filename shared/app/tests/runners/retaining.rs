//! Retention: what a shop keeps no longer goes once a day, and nothing else does.

use stagepost_app::apply::Outcome;
use stagepost_app::erase::erase_people;
use stagepost_app::jobs::{Worked, keep_up};
use stagepost_app::ports::{
    AttemptStore, ConfigChange, ConfigStore, JobStore, OrderStore, RunStore, SearchStore,
};
use stagepost_app::search::keep;
use stagepost_domain::decide::Refused;
use stagepost_domain::event::{Action, Cause, Change};
use stagepost_domain::fact::Fact;
use stagepost_domain::id::JobId;
use stagepost_domain::job::JobState;
use stagepost_domain::order::{Lifecycle, Snapshot};
use stagepost_domain::retention::Retention;
use stagepost_domain::run::RunState;
use stagepost_domain::search::SearchKey;
use stagepost_testkit::build;

use super::wire::{Side, crashed, done};
use super::world::{World, id};

const DAY: i64 = 24 * 3_600;

fn world(retention: Retention) -> World {
    let world = World::new();
    world.save_with(ConfigChange::Shop, |settings| settings.retention = retention);
    keep_jobs(&world);
    world
}

/// What saving the settings does beside.
fn keep_jobs(world: &World) {
    let settings = done(world.store.settings(&build::shop())).unwrap().unwrap();
    done(keep_up(&world.plain, &settings)).unwrap();
}

fn orders_after(days: u16) -> Retention {
    Retention { orders_days: Some(days), ..Retention::default() }
}

/// A whole pass.
fn pass(world: &World) -> JobState {
    let job = JobId::from_body("retain").unwrap();
    match done(world.work(&world.plain, &build::shop(), &job)).unwrap() {
        Worked::Recorded(state, _) => state,
        other => panic!("{other:?}"),
    }
}

fn people(world: &World) -> Snapshot {
    done(world.store.order_with_snapshot(&id())).unwrap().unwrap().1.unwrap()
}

fn has_people(world: &World) -> bool {
    people(world).customer.name.is_some()
}

/// Brings the order to the last stage of its flow, and everything to its end.
fn come_to_rest(world: &World) {
    world.enter("delivered");
    world.until_quiet();
}

#[test]
fn law_19_an_order_that_has_rested_long_enough_loses_its_people() {
    let world = world(orders_after(30));
    come_to_rest(&world);
    world.pass(29 * DAY);
    pass(&world);
    assert!(has_people(&world), "not a day early");
    world.pass(DAY);
    assert!(matches!(pass(&world), JobState::Waiting { .. }), "it comes again");
    assert_eq!(people(&world), build::snapshot().without_people());
    let last = world.events().pop().unwrap();
    assert_eq!((last.change, last.cause), (Change::Erased, Cause::Configuration));
    world.pass(DAY);
    pass(&world);
    assert_eq!(world.order().seq, last.seq, "once");
}

#[test]
fn law_19_an_order_that_is_not_at_rest_keeps_its_people_however_old_it_is() {
    let under_way = world(orders_after(1));
    under_way.enter("shipped");
    under_way.until_quiet();
    let held = world(orders_after(1));
    come_to_rest(&held);
    held.tell(&Fact::Hold { actor: build::person() });
    let busy = world(orders_after(1));
    busy.enter("delivered");
    let changed = world(orders_after(1));
    come_to_rest(&changed);
    changed.pass(100 * DAY);
    let mut fact = build::order_fact(1001, 100 * DAY);
    fact.snapshot.total = Some("1.00".to_owned());
    changed.tell(&build::told(fact));
    for (what, world) in
        [("under way", under_way), ("on hold", held), ("with an open mail", busy), ("just changed", changed)]
    {
        if what != "just changed" {
            world.pass(400 * DAY);
        }
        pass(&world);
        assert!(has_people(&world), "{what}");
    }
}

#[test]
fn law_19_a_cancelled_order_rests_where_it_stands() {
    let world = world(orders_after(7));
    let mut fact = build::order_fact(1001, 60);
    fact.lifecycle = Lifecycle::Cancelled { at: None };
    world.tell(&build::told(fact));
    world.pass(7 * DAY);
    pass(&world);
    assert!(!has_people(&world));
}

#[test]
fn law_19_what_names_people_beside_the_order_goes_with_them() {
    let world = World::new();
    let seq = world.enter("packing");
    world.ring(&world.run_of(seq, Action::Webhook));
    let keys = SearchKey::of_deployment(&[7; 32]);
    done(keep(&world.store, &keys, &id())).unwrap();
    let erased = |shop| done(erase_people(&world.plain, &shop, &id(), Some(build::person()))).unwrap();
    assert_eq!(erased(build::other_shop()), Outcome::Refused(Refused::UnknownOrder), "law 20");
    assert!(done(world.store.webhook_body(&id(), seq, world.now())).unwrap().is_some());
    assert!(matches!(erased(build::shop()), Outcome::Changed(_)));
    assert_eq!(done(world.store.webhook_body(&id(), seq, world.now())).unwrap(), None);
    let (shop, endpoint) = (build::shop(), build::endpoint_id());
    let tried = world.store.attempts_of_endpoint(&shop, &endpoint, None, 10, world.now());
    assert!(done(tried).unwrap().items.is_empty());
    done(keep(&world.store, &keys, &id())).unwrap();
    let entries = |prefix| done(world.store.entries(&build::shop(), prefix, None, 10)).unwrap().len();
    assert_eq!((entries("N#"), entries("W#"), entries("M#")), (1, 0, 0), "found by its number alone");
    let mail = world.run_of(seq, Action::Email);
    world.pass(11);
    assert!(matches!(world.ring_to(&mail), RunState::Skipped { .. }), "nobody is mailed any more");
    // Once more is nothing: its number still leads to it, and what is wanted since is done.
    world.enter("new");
    let since = world.enter("packing");
    assert!(matches!(erased(build::shop()), Outcome::NoOp(_)));
    assert_eq!((entries("N#"), entries("W#"), entries("M#")), (1, 0, 0));
    assert!(matches!(world.ring_to(&world.run_of(since, Action::Webhook)), RunState::Succeeded { .. }));
}

/// How many bodies and calls of the order's events are there.
fn private(world: &World) -> usize {
    let (order, shop, endpoint, now) = (id(), build::shop(), build::endpoint_id(), world.now());
    let has_body = |seq: &u64| done(world.store.webhook_body(&order, *seq, now)).unwrap().is_some();
    let bodies = (1..=world.order().seq).filter(has_body).count();
    let tried = world.store.attempts_of_endpoint(&shop, &endpoint, None, 10, now);
    bodies + done(tried).unwrap().items.len()
}

#[test]
fn law_19_an_erasure_that_stops_half_way_is_completed_by_the_next_pass() {
    for (side, operation) in [
        (Side::Before, "delete_private"),
        (Side::After, "delete_private"),
        (Side::Before, "commit"),
        (Side::After, "commit"),
        (Side::Before, "index"),
    ] {
        let world = world(orders_after(7));
        world.ring(&world.run_of(world.enter("packing"), Action::Webhook));
        let keys = SearchKey::of_deployment(&[7; 32]);
        done(keep(&world.store, &keys, &id())).unwrap();
        come_to_rest(&world);
        // Bodies are kept for 30 days.
        world.pass(8 * DAY);
        assert!(private(&world) >= 2, "{}", private(&world));
        world.wire.cut(side, operation);
        crashed(world.work(&world.core, &build::shop(), &JobId::from_body("retain").unwrap()));
        // The lease of the one that died, and the wait that its failure costs.
        world.pass(150);
        pass(&world);
        world.pass(10);
        pass(&world);
        assert!(!has_people(&world), "{side:?} {operation}");
        assert_eq!(private(&world), 0, "{side:?} {operation}: nothing names them beside the order");
        let named = done(world.store.entries(&build::shop(), "W#", None, 10)).unwrap();
        assert!(named.is_empty(), "{side:?} {operation}: {named:?}");
    }
}

#[test]
fn calls_go_after_as_many_days_as_the_shop_says() {
    let world = world(Retention { attempts_days: 7, ..Retention::default() });
    let seq = world.enter("packing");
    world.ring(&world.run_of(seq, Action::Webhook));
    let tried = || {
        let (shop, endpoint) = (build::shop(), build::endpoint_id());
        let all = world.store.attempts_of_endpoint(&shop, &endpoint, None, 10, world.now());
        done(all).unwrap().items.len()
    };
    world.pass(7 * DAY - 1);
    pass(&world);
    assert_eq!(tried(), 1);
    world.pass(DAY);
    pass(&world);
    assert_eq!(tried(), 0);
    assert!(has_people(&world), "orders are another matter");
}

#[test]
fn retention_is_a_job_while_a_shop_wants_it_and_comes_back_with_the_wish() {
    let world = world(orders_after(30));
    let job = || {
        let id = JobId::from_body("retain").unwrap();
        done(world.store.job(&build::shop(), &id)).unwrap().unwrap()
    };
    pass(&world);
    world.save_with(ConfigChange::Shop, |settings| settings.retention = Retention::default());
    world.pass(DAY);
    assert!(matches!(pass(&world), JobState::Done { .. }), "nobody wants it");
    keep_jobs(&world);
    assert!(job().ended());
    world.save_with(ConfigChange::Shop, |settings| settings.retention = orders_after(1));
    keep_jobs(&world);
    assert_eq!(job().due(), Some(world.now()), "at once");
}
