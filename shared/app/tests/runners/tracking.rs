//! Carriers' reports, before and after their order (laws 1, 13).

use std::fmt;
use std::sync::{Arc, Mutex};

use stagepost_app::apply::{Outcome, apply};
use stagepost_app::carrier::{HOLDERS_MAX, Tracked, next_look, track};
use stagepost_app::ports::{InboundStore, OrderStore, ParkedFact};
use stagepost_domain::fact::{Fact, PackageEdit, TrackingFact};
use stagepost_domain::outcome::NoOpReason;
use stagepost_domain::package::TrackingStatus;
use stagepost_testkit::{Fault, build};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::wire::{Side, crashed, done};
use super::world::{World, id};

fn delivered() -> TrackingFact {
    build::tracking("1Z 999", TrackingStatus::Delivered, 5)
}

fn reported(world: &World, fact: &TrackingFact) -> Tracked {
    done(track(&world.core, &build::shop(), &build::carrier_id(), fact)).unwrap()
}

/// The errors that are logged, each as one text.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!("{field}={value:?} "));
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The order as its platform ships it with the parcel.
fn shipped() -> Fact {
    build::told(build::fulfilled_fact(1001, 10, vec![build::shipment("7000", 10, &["1Z999"])]))
}

fn add_package() -> Fact {
    Fact::Packages { edit: PackageEdit::Add(build::parcel("1Z999")), actor: build::person() }
}

fn status(world: &World) -> TrackingStatus {
    done(world.store.packages(&id())).unwrap()[0].status
}

fn parked(world: &World) -> usize {
    done(world.store.parked(&build::shop(), "1Z999", world.core.now())).unwrap().len()
}

#[test]
fn a_report_advances_every_order_that_holds_the_parcel() {
    let world = World::new();
    world.tell(&shipped());
    let Tracked::Applied(outcomes) = reported(&world, &delivered()) else { panic!("an order holds it") };
    assert_eq!(outcomes.len(), 1);
    assert_eq!(world.stage(), "delivered");
    let again = reported(&world, &delivered());
    assert_eq!(again, Tracked::Applied(vec![(id(), Outcome::NoOp(NoOpReason::Same))]));
}

#[test]
fn a_report_advances_a_thousand_orders_of_one_parcel_and_says_so_when_there_are_more() {
    let world = World::empty(|_| {});
    let all = HOLDERS_MAX as u64 + 1;
    for n in 1..=all {
        let fact = build::fulfilled_fact(n, 10, vec![build::shipment("7000", 10, &["1Z999"])]);
        done(apply(&world.plain, &build::shop(), &build::order_id(n), &build::told(fact))).unwrap();
    }
    let lines = Lines::default();
    let told = tracing::subscriber::with_default(lines.clone(), || {
        done(track(&world.plain, &build::shop(), &build::carrier_id(), &delivered())).unwrap()
    });
    let Tracked::Applied(outcomes) = told else { panic!("they hold it") };
    assert!(outcomes.iter().all(|(_, outcome)| matches!(outcome, Outcome::Changed(_))));
    assert_eq!(outcomes.len(), HOLDERS_MAX);
    let stages = (1..=all).map(|n| done(world.store.order(&build::order_id(n))).unwrap().unwrap());
    let arrived = stages.filter(|order| order.stage() == Some(&build::stage_id("delivered"))).count();
    assert_eq!(arrived, HOLDERS_MAX);
    let lines = lines.0.lock().unwrap();
    assert!(matches!(lines.as_slice(), [line] if line.contains("do not reach this one")), "{lines:?}");
}

#[test]
fn law_13_a_report_before_its_order_is_parked_and_applied_at_once_when_the_order_comes() {
    let world = World::empty(|_| {});
    assert_eq!(reported(&world, &delivered()), Tracked::Parked);
    assert_eq!(reported(&world, &delivered()), Tracked::Parked, "told twice, kept once");
    assert_eq!(parked(&world), 1);
    let outcome = done(apply(&world.core, &build::shop(), &id(), &shipped())).unwrap();
    assert!(matches!(outcome, Outcome::Changed(_)));
    assert_eq!((status(&world), parked(&world)), (TrackingStatus::Delivered, 0));
    assert_eq!(world.stage(), "delivered");
}

#[test]
fn law_13_a_report_before_its_package_waits_for_it_too() {
    let world = World::new();
    assert_eq!(reported(&world, &delivered()), Tracked::Parked);
    done(apply(&world.core, &build::shop(), &id(), &add_package())).unwrap();
    assert_eq!((status(&world), parked(&world)), (TrackingStatus::Delivered, 0));
}

#[test]
fn law_13_a_crash_between_the_order_and_its_parked_report_is_made_good_by_wake() {
    // Also days after anybody looked for the order of the report.
    for days in [0, 4] {
        let world = World::empty(|_| {});
        reported(&world, &delivered());
        world.pass(days * 86_400);
        (0..10).for_each(|_| assert_eq!(world.sweep().unparked, 0));
        world.wire.cut(Side::After, "commit");
        crashed(apply(&world.core, &build::shop(), &id(), &shipped()));
        assert_eq!((status(&world), parked(&world)), (TrackingStatus::Unknown, 1));
        world.pass(60);
        assert_eq!(world.sweep().unparked, 1, "after {days} days");
        assert_eq!((status(&world), parked(&world)), (TrackingStatus::Delivered, 0));
        assert_eq!(world.stage(), "delivered");
    }
}

#[test]
fn law_13_a_crash_between_applying_and_unparking_applies_once() {
    let world = World::empty(|_| {});
    reported(&world, &delivered());
    world.wire.cut(Side::Before, "unpark");
    crashed(apply(&world.core, &build::shop(), &id(), &shipped()));
    let seq = world.order().seq;
    assert_eq!((status(&world), parked(&world)), (TrackingStatus::Delivered, 1));
    world.pass(60);
    assert_eq!(world.sweep().unparked, 1);
    assert_eq!((world.order().seq, parked(&world)), (seq, 0), "the second time it is a no-op");
}

#[test]
fn law_13_a_report_that_is_parked_while_its_package_is_stored_is_found_by_one_of_the_two() {
    // The package comes after the report looked for it and before the report is parked …
    for (side, operation) in
        [(Side::After, "orders_with_number"), (Side::Before, "park"), (Side::After, "park")]
    {
        let world = World::new();
        let other = world.clone();
        world.wire.at(side, operation, move || {
            other.tell(&add_package());
        });
        reported(&world, &delivered());
        assert_eq!((status(&world), parked(&world)), (TrackingStatus::Delivered, 0), "{side:?} {operation}");
    }
    // … or the report while the package is on its way into the store.
    for (side, operation) in [(Side::Before, "commit"), (Side::After, "commit"), (Side::Before, "parked")] {
        let world = World::new();
        let other = world.clone();
        world.wire.at(side, operation, move || {
            done(track(&other.plain, &build::shop(), &build::carrier_id(), &delivered())).unwrap();
        });
        done(apply(&world.core, &build::shop(), &id(), &add_package())).unwrap();
        assert_eq!((status(&world), parked(&world)), (TrackingStatus::Delivered, 0), "{side:?} {operation}");
    }
}

#[test]
fn law_13_a_report_that_could_not_be_parked_is_answered_with_an_error() {
    let world = World::new();
    world.store.inject(Fault::Down);
    done(track(&world.core, &build::shop(), &build::carrier_id(), &delivered())).unwrap_err();
    assert_eq!(parked(&world), 0);
}

#[test]
fn law_20_a_report_touches_no_order_of_another_shop() {
    let world = World::new();
    world.tell(&shipped());
    let theirs = build::other_shop();
    let tracked = done(track(&world.core, &theirs, &build::carrier_id(), &delivered())).unwrap();
    assert_eq!((tracked, status(&world)), (Tracked::Parked, TrackingStatus::Unknown));
}

#[test]
fn the_looks_for_a_parked_reports_order_grow_apart_and_end_after_a_day() {
    let report = ParkedFact {
        shop: build::shop(),
        carrier: build::carrier_id(),
        parked_at: build::seconds(0),
        fact: delivered(),
    };
    let look = |age: i64| next_look(&report, build::seconds(age));
    let planned = [(0, 60), (59, 60), (60, 300), (61, 300), (4_000, 10_800), (43_200, 86_400)];
    for (age, next) in planned {
        assert_eq!(look(age), Some(build::seconds(next)), "at the age of {age} s");
    }
    assert_eq!((look(86_400), look(2_000_000)), (None, None));
}

#[test]
fn law_13_a_report_that_came_while_its_package_was_taken_away_is_applied_when_it_is_back() {
    let world = World::new();
    world.tell(&add_package());
    reported(&world, &build::tracking("1Z999", TrackingStatus::InTransit, 3));
    let package = done(world.store.packages(&id())).unwrap()[0].id.clone();
    world.tell(&Fact::Packages { edit: PackageEdit::Remove(package), actor: build::person() });
    assert_eq!(reported(&world, &delivered()), Tracked::Parked);
    // Long enough for the sweep to look no more.
    world.pass(4 * 86_400);
    (0..10).for_each(|_| assert_eq!(world.sweep().unparked, 0));
    world.tell(&add_package());
    assert_eq!((status(&world), parked(&world)), (TrackingStatus::Delivered, 0));
}

#[test]
fn an_order_that_cannot_be_read_keeps_no_report_from_the_others() {
    let world = World::new();
    let numbers = [1001, 1002, 1003];
    for number in numbers {
        let fact = build::fulfilled_fact(number, 10, vec![build::shipment("7000", 10, &["1Z999"])]);
        done(apply(&world.plain, &build::shop(), &build::order_id(number), &build::told(fact))).unwrap();
    }
    for broken in numbers {
        world.store.break_order(&build::order_id(broken), true);
        let told = done(track(&world.core, &build::shop(), &build::carrier_id(), &delivered()));
        assert!(told.is_err(), "it is to be kept for {broken}");
        world.store.break_order(&build::order_id(broken), false);
    }
    for number in numbers {
        let packages = done(world.store.packages(&build::order_id(number))).unwrap();
        assert_eq!(packages[0].status, TrackingStatus::Delivered, "{number}");
    }
}
