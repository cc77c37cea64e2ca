//! The doorbell and the due index that nothing falls out of.

use std::time::Duration;

use stagepost_app::apply::apply;
use stagepost_app::carrier::track;
use stagepost_app::dispatch::{DELAY_MAX, dispatch, rings};
use stagepost_app::ports::{ActError, DueItem, RunStore};
use stagepost_app::run::Answered;
use stagepost_app::wake::{WakeError, Woken};
use stagepost_domain::SignedDuration;
use stagepost_domain::event::Action;
use stagepost_domain::fact::{Fact, PackageEdit};
use stagepost_domain::package::TrackingStatus;
use stagepost_domain::run::RunState;
use stagepost_testkit::{Fault, build};

use super::far_end::Take;
use super::wire::{Side, crashed, done};
use super::world::{World, due, id};

#[test]
fn a_new_event_rings_once_for_every_open_run_after_its_own_wait() {
    let world = World::new();
    let event = world.event(world.enter("packing"));
    let count = done(dispatch(&world.bell, &event, world.now())).unwrap();
    let heard = world.bell.heard();
    let waits: Vec<_> = heard.iter().map(|ring| (ring.run.key.action(), ring.delay.as_secs())).collect();
    assert_eq!((count, waits), (2, vec![(Action::Email, 10), (Action::Webhook, 0)]));
    // An event whose runs are all decided against rings for nothing, and not even an empty ring.
    world.bell.break_down(true);
    assert_eq!(done(dispatch(&world.bell, &world.event(1), world.now())).unwrap(), 0);
    done(dispatch(&world.bell, &event, world.now())).unwrap_err();
}

#[test]
fn a_run_beyond_the_queues_reach_is_left_to_the_due_index() {
    let world = World::new();
    let mut event = world.event(world.enter("packing"));
    for run in event.runs.values_mut() {
        run.state = RunState::Pending { due: world.now() + SignedDuration::from_secs(901) };
    }
    assert!(rings(&event, world.now(), DELAY_MAX).is_empty());
    world.pass(1);
    let found = rings(&event, world.now(), DELAY_MAX);
    assert_eq!(found.iter().map(|ring| ring.delay).collect::<Vec<_>>(), [Duration::from_secs(900); 2]);
    world.pass(5_000);
    assert_eq!(
        rings(&event, world.now(), SignedDuration::ZERO)[0].delay,
        Duration::ZERO,
        "long due: at once"
    );
}

#[test]
fn wake_rings_what_is_due_and_leaves_it_alone_for_a_minute() {
    let world = World::new();
    let seq = world.enter("packing");
    let (mail, call) = (world.run_of(seq, Action::Email), world.run_of(seq, Action::Webhook));
    assert_eq!(world.sweep(), Woken { rung: 1, unparked: 0, seen: 1 });
    assert_eq!(world.bell.heard()[0].run, call);
    // The mail's own time comes before the minute is over.
    world.pass(9);
    assert_eq!(world.sweep().seen, 0);
    world.pass(1);
    world.sweep();
    let heard: Vec<_> = world.bell.heard().into_iter().map(|ring| ring.run).collect();
    assert_eq!(heard, [mail.clone(), call.clone()]);
    world.pass(59);
    assert_eq!(world.sweep().seen, 0, "rung less than a minute ago");
    world.ring_to(&call);
    world.pass(1);
    world.sweep();
    assert_eq!(world.bell.heard().into_iter().map(|ring| ring.run).collect::<Vec<_>>(), [mail]);
}

#[test]
fn wake_rings_a_run_whose_attempt_went_silent() {
    let world = World::new();
    let mail = world.run_of(world.enter("packing"), Action::Email);
    world.ring_to(&world.run_of(mail.seq, Action::Webhook));
    world.pass(10);
    world.provider.then(Take::Hangs);
    crashed(world.answer(&mail));
    world.pass(44);
    world.sweep();
    assert!(world.bell.heard().is_empty(), "its lease goes on");
    world.pass(60);
    world.sweep();
    assert_eq!(world.bell.heard()[0].run, mail);
    assert!(matches!(world.ring_to(&mail), RunState::Uncertain { .. }));
}

#[test]
fn an_event_without_open_runs_leaves_the_due_index() {
    let world = World::new();
    let seq = world.enter("packing");
    world.pass(10);
    world.ring_to(&world.run_of(seq, Action::Email));
    let before = world.event(seq);
    world.ring_to(&world.run_of(seq, Action::Webhook));
    world.pass(100_000);
    assert_eq!(world.sweep(), Woken::default());
    // One that stands there by mistake is taken out by the first wake that meets it.
    let ended = DueItem::Event(Box::new(world.event(seq)));
    done(world.store.set_due(&ended, Some(world.now()))).unwrap();
    assert_eq!(world.sweep(), Woken { rung: 0, unparked: 0, seen: 1 });
    assert_eq!(world.sweep(), Woken::default());
    // And an old picture of an event does not bring it back.
    done(world.store.set_due(&DueItem::Event(Box::new(before)), Some(world.now()))).unwrap();
    assert_eq!(world.sweep(), Woken::default());
}

#[test]
fn a_run_that_is_to_be_tried_later_is_rung_then() {
    let world = World::new();
    let mail = world.run_of(world.enter("packing"), Action::Email);
    world.ring_to(&world.run_of(mail.seq, Action::Webhook));
    world.pass(10);
    world.provider.then(Take::Fails(ActError::retry("slow down")));
    let again = due(&world.ring_to(&mail));
    world.clock.set(again - SignedDuration::from_millis(1));
    assert_eq!(world.sweep().seen, 0);
    world.clock.set(again);
    assert_eq!(world.sweep().rung, 1);
    assert!(matches!(world.ring(&mail), Answered::Recorded(_)));
}

#[test]
fn a_wake_that_fails_leaves_the_rest_due() {
    let world = World::new();
    world.enter("packing");
    world.bell.break_down(true);
    assert!(matches!(done(stagepost_app::wake::wake(&world.core, &world.bell)), Err(WakeError::Doorbell(_))));
    world.bell.break_down(false);
    world.store.inject(Fault::Down);
    assert!(matches!(done(stagepost_app::wake::wake(&world.core, &world.bell)), Err(WakeError::Store(_))));
    assert_eq!(world.bell.heard().len(), 1, "rung, but not pushed due forward");
    assert_eq!(world.sweep().rung, 1, "rather twice than never");
}

#[test]
fn a_parked_report_is_looked_after_at_growing_distances() {
    let world = World::new();
    let report = build::tracking("1Z999", TrackingStatus::Delivered, 0);
    done(track(&world.core, &build::shop(), &build::carrier_id(), &report)).unwrap();
    let mut looks = Vec::new();
    for second in 1..=1_000 {
        world.pass(1);
        if world.sweep().seen > 0 {
            looks.push(second);
        }
    }
    assert_eq!(looks, [60, 120, 240, 480, 960]);
}

#[test]
fn a_report_that_cannot_be_applied_does_not_keep_the_rest_waiting() {
    let world = World::new();
    let report = build::tracking("1Z999", TrackingStatus::Delivered, 0);
    done(track(&world.core, &build::shop(), &build::carrier_id(), &report)).unwrap();
    // Its package is there by now, but the order stays busy under every look.
    world.wire.cut(Side::Before, "parked");
    let edit = PackageEdit::Add(build::parcel("1Z999"));
    let package = Fact::Packages { edit, actor: build::person() };
    crashed(apply(&world.core, &build::shop(), &id(), &package));
    world.pass(61);
    let call = world.run_of(world.enter("packing"), Action::Webhook);
    (0..10).for_each(|_| world.store.inject(Fault::Conflict));
    assert_eq!(world.sweep(), Woken { rung: 1, unparked: 0, seen: 2 });
    assert_eq!(world.bell.heard()[0].run, call);
    world.pass(61);
    assert_eq!(world.sweep().unparked, 1);
}
