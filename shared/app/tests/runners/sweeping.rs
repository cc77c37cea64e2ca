//! The doorbell and the due index that nothing falls out of.

use std::time::Duration;

use stagepost_app::apply::apply;
use stagepost_app::carrier::track;
use stagepost_app::dispatch::{DELAY_MAX, dispatch, rings};
use stagepost_app::ports::{
    ActError, Doorbell, DoorbellError, DueItem, InboundStore, JobDoorbell, OrderStore, Ring, RunStore,
};
use stagepost_app::run::Answered;
use stagepost_app::wake::{WakeError, Woken, wake};
use stagepost_domain::SignedDuration;
use stagepost_domain::event::Action;
use stagepost_domain::fact::{Fact, Follows, MoveFact, PackageEdit};
use stagepost_domain::id::{JobId, OrderId, ShopId};
use stagepost_domain::package::TrackingStatus;
use stagepost_domain::run::RunState;
use stagepost_testkit::{Fault, build};

use super::far_end::{Bell, Take};
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

/// Orders beside the world's own, each with a webhook due.
fn crowd(world: &World, size: u64) -> Vec<OrderId> {
    let enter = |n: u64| {
        let id = build::order_id(n);
        let created = build::told(build::order_fact(n, 0));
        done(apply(&world.plain, &build::shop(), &id, &created)).unwrap();
        let stage = build::stage_id("packing");
        let wish = MoveFact { stage, expected_seq: 1, actor: build::program(), follows: Follows::All };
        done(apply(&world.plain, &build::shop(), &id, &Fact::Move(wish))).unwrap();
        id
    };
    (1..=size).map(enter).collect()
}

/// Refuses the rings of some orders.
struct Picky<'a>(&'a Bell, &'a [OrderId]);

impl Doorbell for Picky<'_> {
    async fn ring(&self, rings: &[Ring]) -> Result<(), DoorbellError> {
        match rings.iter().any(|ring| self.1.contains(&ring.run.order)) {
            true => Err(DoorbellError("injected".to_owned())),
            false => self.0.ring(rings).await,
        }
    }
}

impl JobDoorbell for Picky<'_> {
    async fn ring_job(&self, shop: &ShopId, job: &JobId) -> Result<(), DoorbellError> {
        self.0.ring_job(shop, job).await
    }
}

#[test]
fn a_run_that_no_queue_takes_is_rung_again_a_minute_later() {
    let world = World::new();
    let seq = world.enter("packing");
    world.pass(10);
    world.ring_to(&world.run_of(seq, Action::Email));
    world.bell.break_down(true);
    assert!(matches!(done(wake(&world.core, &world.bell)), Err(WakeError::Doorbell(_))));
    world.bell.break_down(false);
    world.pass(59);
    assert_eq!(world.sweep().seen, 0);
    world.pass(1);
    assert_eq!(world.sweep().rung, 1);
}

#[test]
fn a_queue_that_refuses_the_oldest_does_not_stop_the_sweep() {
    let world = World::empty(|_| {});
    let orders = crowd(&world, 3);
    let error = done(wake(&world.core, &Picky(&world.bell, &orders[..1]))).unwrap_err();
    assert!(matches!(error, WakeError::Doorbell(_)), "and it is not kept quiet: {error:?}");
    let rung: Vec<_> = world.bell.heard().into_iter().map(|ring| ring.run.order).collect();
    assert_eq!(rung.len(), 2);
    assert!(!rung.contains(&orders[0]));
}

#[test]
fn an_item_whose_place_cannot_be_moved_does_not_stop_the_sweep() {
    let world = World::empty(|_| {});
    crowd(&world, 3);
    world.store.inject(Fault::Down);
    assert!(matches!(done(wake(&world.core, &world.bell)), Err(WakeError::Store(_))));
    assert_eq!(world.bell.heard().len(), 3, "each once, although the first is still due");
    assert_eq!(world.sweep().rung, 1, "rather twice than never");
}

#[test]
fn what_fails_does_not_stand_in_front_of_the_rest_however_much_it_is() {
    let world = World::empty(|_| {});
    let orders = crowd(&world, 260);
    (0..120).for_each(|_| world.store.inject(Fault::Down));
    done(wake(&world.core, &Picky(&world.bell, &orders[..110]))).unwrap_err();
    assert_eq!(world.bell.heard().len(), 150);
}

#[test]
fn a_sweep_goes_on_while_the_index_has_more() {
    let world = World::empty(|_| {});
    crowd(&world, 260);
    assert_eq!(world.sweep(), Woken { rung: 260, unparked: 0, seen: 260 });
    assert_eq!(world.sweep().seen, 0);
}

#[test]
fn a_parked_report_is_looked_after_for_a_day_and_then_out_of_the_way() {
    let world = World::new();
    let report = build::tracking("1Z999", TrackingStatus::Delivered, 0);
    done(track(&world.core, &build::shop(), &build::carrier_id(), &report)).unwrap();
    let mut looks = Vec::new();
    for minute in 1..=3 * 24 * 60 {
        world.pass(60);
        if world.sweep().seen > 0 {
            looks.push(minute);
        }
    }
    assert_eq!(looks, [1, 5, 30, 180, 720, 1_440]);
    // An order that comes later brings the number, and the report with it.
    let edit = PackageEdit::Add(build::parcel("1Z999"));
    world.tell(&Fact::Packages { edit, actor: build::person() });
    assert_eq!(done(world.store.packages(&id())).unwrap()[0].status, TrackingStatus::Delivered);
    assert!(done(world.store.parked(&build::shop(), "1Z999", world.core.now())).unwrap().is_empty());
}

#[test]
fn a_crash_over_a_report_that_had_left_the_index_is_made_good_by_wake() {
    let world = World::new();
    let report = build::tracking("1Z999", TrackingStatus::Delivered, 0);
    done(track(&world.core, &build::shop(), &build::carrier_id(), &report)).unwrap();
    world.pass(25 * 60 * 60);
    world.sweep();
    world.pass(25 * 60 * 60);
    assert_eq!(world.sweep(), Woken::default());
    world.wire.cut(Side::Before, "orders_with_number");
    let edit = PackageEdit::Add(build::parcel("1Z999"));
    crashed(apply(&world.core, &build::shop(), &id(), &Fact::Packages { edit, actor: build::person() }));
    world.pass(60);
    assert_eq!(world.sweep().unparked, 1);
}

#[test]
fn a_report_that_cannot_be_applied_does_not_keep_the_rest_waiting() {
    let world = World::new();
    let report = build::tracking("1Z999", TrackingStatus::Delivered, 0);
    done(track(&world.core, &build::shop(), &build::carrier_id(), &report)).unwrap();
    // Its package is there by now, but the order stays busy under every look.
    world.wire.cut(Side::After, "commit");
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
