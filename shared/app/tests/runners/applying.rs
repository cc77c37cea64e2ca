//! fact → decide → one transaction (laws 1, 10, 13).

use stagepost_app::apply::{ApplyError, Outcome, apply};
use stagepost_app::ports::{OrderFilter, OrderStore, TimelineEntry};
use stagepost_domain::decide::Refused;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::event::Action;
use stagepost_domain::fact::Fact;
use stagepost_domain::outcome::{IgnoreReason, NoOpReason};
use stagepost_domain::package::TrackingStatus;
use stagepost_testkit::{Fault, build};

use super::wire::{Side, done};
use super::world::{World, id};

fn applied(world: &World, fact: &Fact) -> Result<Outcome, ApplyError> {
    done(apply(&world.core, &build::shop(), &id(), fact))
}

fn renamed(updated: i64, name: &str) -> Fact {
    let mut fact = build::order_fact(1001, updated);
    fact.snapshot.customer.name = Some(name.to_owned());
    build::told(fact)
}

#[test]
fn law_13_a_duplicate_writes_nothing() {
    let world = World::new();
    let writes = world.store.writes();
    for _ in 0..3 {
        let again = applied(&world, &build::told(build::order_fact(1001, 0))).unwrap();
        assert_eq!(again, Outcome::NoOp(NoOpReason::Same));
    }
    assert_eq!((world.store.writes(), world.order().seq), (writes, 1));
}

#[test]
fn law_10_who_loses_a_race_decides_again_on_what_the_winner_wrote() {
    let world = World::new();
    let other = world.clone();
    world.wire.at(Side::Before, "commit", move || {
        other.tell(&renamed(20, "The later name"));
    });
    let outcome = applied(&world, &renamed(10, "The earlier name")).unwrap();
    assert_eq!(outcome, Outcome::NoOp(NoOpReason::Older), "decided anew, not written over");
    let (_, snapshot) = done(world.store.order_with_snapshot(&id())).unwrap().unwrap();
    assert_eq!(snapshot.unwrap().customer.name.unwrap(), "The later name");
    assert_eq!(world.order().seq, 2);
}

#[test]
fn law_8_a_move_that_loses_a_race_is_refused_as_stale() {
    let world = World::new();
    let other = world.clone();
    world.wire.at(Side::Before, "commit", move || {
        other.enter("packing");
    });
    let outcome = applied(&world, &build::move_to("ready", 1)).unwrap();
    let stage = Some(build::stage_id("packing"));
    assert_eq!(outcome, Outcome::Refused(Refused::Stale { stage, seq: 2 }));
}

#[test]
fn law_10_an_order_that_stays_busy_is_given_back() {
    let world = World::new();
    for _ in 0..10 {
        world.store.inject(Fault::Conflict);
    }
    let busy = applied(&world, &renamed(10, "Somebody")).unwrap_err();
    assert_eq!(busy.disposition(), Disposition::RETRY);
    assert!(matches!(busy, ApplyError::Busy));
    assert!(matches!(applied(&world, &renamed(10, "Somebody")).unwrap(), Outcome::Changed(_)));
}

#[test]
fn law_10_a_write_whose_answer_was_lost_is_a_success_and_is_not_written_twice() {
    let world = World::new();
    let writes = world.store.writes();
    world.store.inject(Fault::LostReply);
    let lost = applied(&world, &renamed(10, "Somebody")).unwrap_err();
    assert_eq!(lost.disposition(), Disposition::RETRY);
    assert_eq!(applied(&world, &renamed(10, "Somebody")).unwrap(), Outcome::NoOp(NoOpReason::Same));
    assert_eq!((world.store.writes(), world.order().seq), (writes + 1, 2));
}

#[test]
fn law_13_a_store_that_is_down_leaves_nothing_half_written() {
    let world = World::empty(|_| {});
    for fault in [Fault::Down, Fault::Throttle] {
        world.store.inject(fault);
        let failed = applied(&world, &build::told(build::order_fact(1001, 0))).unwrap_err();
        assert_eq!(failed.disposition(), Disposition::RETRY);
        assert_eq!(done(world.store.order(&id())).unwrap(), None);
        assert_eq!(done(world.store.event(&id(), 1)).unwrap(), None);
    }
    assert!(matches!(
        applied(&world, &build::told(build::order_fact(1001, 0))).unwrap(),
        Outcome::Changed(_)
    ));
}

#[test]
fn law_13_a_refused_fact_is_kept_once_and_shows_on_the_timeline() {
    let world = World::new();
    world.tell(&Fact::Packages {
        edit: stagepost_domain::fact::PackageEdit::Add(build::parcel("1Z1")),
        actor: build::person(),
    });
    world.tell(&Fact::Tracking(build::tracking("1Z1", TrackingStatus::Delivered, 50)));
    let late = Fact::Tracking(build::tracking("1Z1", TrackingStatus::InTransit, 60));
    let status = TrackingStatus::Delivered;
    for _ in 0..2 {
        let outcome = applied(&world, &late).unwrap();
        assert_eq!(outcome, Outcome::Ignored(IgnoreReason::LateScan { status }));
    }
    let timeline = done(world.store.timeline(&id(), None, 50, world.core.now())).unwrap().items;
    let ignored: Vec<_> = timeline
        .into_iter()
        .filter_map(|entry| match entry {
            TimelineEntry::Ignored(fact) => Some((fact.fact, fact.fact_at, fact.why)),
            TimelineEntry::Event(_) => None,
        })
        .collect();
    let why = IgnoreReason::LateScan { status };
    assert_eq!(ignored, [("tracking".to_owned(), Some(build::seconds(60)), why)]);
}

#[test]
fn law_20_a_fact_of_another_shop_finds_no_order() {
    let world = World::new();
    let writes = world.store.writes();
    let theirs = build::other_shop();
    let outcome = done(apply(&world.core, &theirs, &id(), &build::move_to("packing", 1))).unwrap();
    assert_eq!(outcome, Outcome::Refused(Refused::UnknownOrder));
    assert_eq!(world.store.writes(), writes);
}

#[test]
fn an_order_without_a_flow_is_kept_untriaged_and_never_automated() {
    let world = World::empty(|_| {});
    let mut fact = build::order_fact(1001, 0);
    fact.default_flow = None;
    world.tell(&build::told(fact));
    assert!(world.event(1).runs.is_empty());
    let untriaged = done(world.store.orders(&build::shop(), &OrderFilter::Untriaged, None, 10)).unwrap();
    assert_eq!(untriaged.items.len(), 1);
    let refused = applied(&world, &build::move_to("packing", 1)).unwrap();
    assert_eq!(refused, Outcome::Refused(Refused::NotPlaced));
}

#[test]
fn law_4_a_switch_counts_for_events_decided_with_it_and_for_no_order_already_there() {
    let world = World::with(|flow| flow.stages[1].automations = Default::default());
    let before = world.enter("packing");
    assert!(world.event(before).runs.is_empty());
    let mut flow = build::flow(&build::shop());
    flow.version = 2;
    world.save(stagepost_app::ports::ConfigChange::Flow(flow));
    assert!(world.event(before).runs.is_empty());
    world.enter("new");
    let after = world.enter("packing");
    let actions: Vec<_> = world.event(after).runs.keys().map(|key| key.action()).collect();
    assert_eq!(actions, [Action::Email, Action::Webhook]);
}
