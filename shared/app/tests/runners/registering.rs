//! Parcels registered with a carrier service, and asked for again (laws 7, 10, 13).

use std::collections::BTreeSet;

use stagepost_app::ports::{ActError, ConfigChange, JobStore};
use stagepost_app::run::{Answered, retry};
use stagepost_app::tracker::{Refetched, refetch};
use stagepost_domain::SignedDuration;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::event::{Action, Change, Event};
use stagepost_domain::fact::{Fact, PackageEdit};
use stagepost_domain::id::JobId;
use stagepost_domain::job::{Job, JobKind};
use stagepost_domain::order::Lifecycle;
use stagepost_domain::outcome::SkipReason;
use stagepost_domain::package::{Package, TrackingStatus};
use stagepost_domain::run::{RunId, RunState};
use stagepost_domain::shop::{CarrierIntegration, Registrar, Sealed};
use stagepost_testkit::{Fault, build};

use super::far_end::{OpenVault, Registers};
use super::wire::{Side, crashed, done};
use super::world::{World, due, id};

const NUMBER: &str = "1Z999";

fn integration() -> CarrierIntegration {
    CarrierIntegration { credentials: Some(Sealed("EZAK".to_owned())), ..build::carrier(&build::shop()) }
}

fn connect(world: &World, carrier: CarrierIntegration) {
    let registrar = Registrar::of([&carrier]);
    world.save_with(ConfigChange::Carrier(carrier), |settings| settings.registrar = registrar);
}

/// The demo order in a shop that registers, with the parcel and its run.
fn registering() -> (World, RunId) {
    let world = World::new();
    connect(&world, integration());
    let run = add(&world);
    (world, run)
}

fn add(world: &World) -> RunId {
    edit(world, PackageEdit::Add(build::parcel(NUMBER)));
    world.run_of(world.order().seq, Action::RegisterTracker)
}

fn remove(world: &World) {
    edit(world, PackageEdit::Remove(build::parcel(NUMBER).id()));
}

fn edit(world: &World, edit: PackageEdit) {
    world.tell(&Fact::Packages { edit, actor: build::program() });
}

fn package(world: &World) -> Package {
    use stagepost_app::ports::OrderStore;
    done(world.store.packages(&id())).unwrap().remove(0)
}

fn skipped(state: &RunState) -> &SkipReason {
    let RunState::Skipped { why, .. } = state else { panic!("not skipped: {state:?}") };
    why
}

fn fails(disposition: Disposition) -> Registers {
    Registers::Fails(ActError { disposition, message: "no".to_owned() })
}

fn delivered(at: i64) -> stagepost_domain::fact::TrackingFact {
    build::tracking(NUMBER, TrackingStatus::Delivered, at)
}

#[test]
fn law_10_a_parcel_is_registered_once_and_what_the_tracker_says_is_applied_at_once() {
    let (world, run) = registering();
    world.trackers.show(delivered(5));
    let state = world.ring_to(&run);
    assert!(matches!(&state, RunState::Succeeded { detail, .. } if detail == "trk_1Z999"), "{state:?}");
    assert_eq!((package(&world).status, world.stage()), (TrackingStatus::Delivered, "delivered".to_owned()));
    assert_eq!(world.ring(&run), Answered::Ended);
    assert_eq!(world.trackers.asked(), ["EZAK 1Z999"]);
}

#[test]
fn law_13_a_parcel_of_which_nothing_is_known_yet_is_registered_without_another_event() {
    let (world, run) = registering();
    let seq = world.order().seq;
    world.ring_to(&run);
    world.trackers.show(build::tracking(NUMBER, TrackingStatus::Unknown, 5));
    assert_eq!(world.order().seq, seq);
}

#[test]
fn law_13_what_changed_since_the_decision_is_told_and_nothing_is_registered() {
    let (world, run) = registering();
    remove(&world);
    assert_eq!(skipped(&world.ring_to(&run)), &SkipReason::PackageRemoved);

    let (world, first) = registering();
    remove(&world);
    let second = add(&world);
    assert_eq!(skipped(&world.ring_to(&first)), &SkipReason::Superseded { by_seq: second.seq });
    world.ring_to(&second);
    assert_eq!(world.trackers.asked().len(), 1);

    let (world, run) = registering();
    world.tell(&Fact::Tracking(delivered(5)));
    assert_eq!(skipped(&world.ring_to(&run)), &SkipReason::AlreadyDelivered);

    let (world, run) = registering();
    let mut cancelled = build::order_fact(1001, 10);
    cancelled.lifecycle = Lifecycle::Cancelled { at: None };
    world.tell(&build::told(cancelled));
    assert_eq!(skipped(&world.ring_to(&run)), &SkipReason::OrderCancelled);
    assert!(world.trackers.asked().is_empty());
}

#[test]
fn law_13_an_integration_that_is_gone_skips_and_one_without_its_key_waits_for_a_person() {
    let (world, run) = registering();
    world.save_with(ConfigChange::NoCarrier(build::carrier_id()), |settings| settings.registrar = None);
    assert_eq!(skipped(&world.ring_to(&run)), &SkipReason::TargetGone);

    let (world, run) = registering();
    connect(&world, CarrierIntegration { credentials: None, ..integration() });
    assert!(matches!(world.ring_to(&run), RunState::Failed { .. }));
    connect(&world, CarrierIntegration { credentials: Some(Sealed("EZAK2".to_owned())), ..integration() });
    done(retry(&world.plain, &run, false)).unwrap().unwrap().unwrap();
    assert!(matches!(world.ring_to(&run), RunState::Succeeded { .. }));
    assert_eq!(world.trackers.asked(), ["EZAK2 1Z999"], "with the key as it is now");
}

#[test]
fn law_20_an_integration_of_another_shop_registers_nothing() {
    let (world, run) = registering();
    let theirs = CarrierIntegration { shop: build::other_shop(), ..integration() };
    world.save(ConfigChange::NoCarrier(build::carrier_id()));
    let mut settings = build::settings(&build::other_shop(), 1);
    settings.registrar = None;
    use stagepost_app::ports::ConfigStore;
    done(world.store.save(&ConfigChange::Carrier(theirs), &settings)).unwrap();
    assert_eq!(skipped(&world.ring_to(&run)), &SkipReason::TargetGone);
    assert!(world.trackers.asked().is_empty());
}

#[test]
fn law_10_what_may_pass_is_tried_again_with_the_patience_that_was_asked_for() {
    let (world, run) = registering();
    world.trackers.then(fails(Disposition::Retry { after: Some(SignedDuration::from_mins(30)) }));
    assert!(due(&world.ring_to(&run)) >= world.now() + SignedDuration::from_mins(30));
    world.pass(1_801);
    world.trackers.then(fails(Disposition::Ambiguous));
    let again = due(&world.ring_to(&run));
    assert!(again > world.now(), "an answer that never came is asked for again");
    world.clock.set(again);
    world.trackers.then(fails(Disposition::Permanent));
    assert!(matches!(world.ring_to(&run), RunState::Failed { error, .. } if error == "no"));
    assert_eq!(world.trackers.asked().len(), 3);
}

#[test]
fn law_10_a_runner_that_dies_anywhere_leaves_a_parcel_that_is_registered_in_the_end() {
    // Where it dies, how often the service was called by then, and whether the parcel is seen to have arrived.
    let deaths = [
        (Side::Before, "update_run", 1, 0, false),
        (Side::After, "update_run", 1, 0, false),
        (Side::Before, "commit", 1, 1, false),
        (Side::After, "commit", 1, 1, true),
        (Side::Before, "update_run", 2, 1, true),
    ];
    for (side, operation, time, calls, arrived) in deaths {
        let (world, run) = registering();
        world.trackers.show(delivered(5));
        match time {
            1 => world.wire.cut(side, operation),
            _ => world.wire.cut_second(side, operation),
        }
        crashed(world.answer(&run));
        assert_eq!(world.trackers.asked().len(), calls, "{side:?} {operation}");
        world.until_quiet();
        assert_eq!(package(&world).status, TrackingStatus::Delivered);
        // What has arrived needs no second call: there is nothing left to report.
        let state = world.state(&run);
        let fits = match &state {
            RunState::Skipped { why, .. } => arrived && *why == SkipReason::AlreadyDelivered,
            state => !arrived && matches!(state, RunState::Succeeded { .. }),
        };
        assert!(fits, "{side:?} {operation}: {state:?}");
        let told = |e: &Event| matches!(e.change, Change::Package { .. });
        assert_eq!(world.events().iter().filter(|e| told(e)).count(), 1, "told once");
    }
    let (world, run) = registering();
    world.trackers.then(Registers::Hangs);
    crashed(world.answer(&run));
    world.until_quiet();
    assert!(matches!(world.state(&run), RunState::Succeeded { .. }));
}

#[test]
fn law_13_what_the_tracker_says_and_the_store_does_not_take_is_asked_for_again() {
    let (world, run) = registering();
    world.trackers.show(delivered(5));
    let store = world.store.clone();
    world.wire.at(Side::Before, "commit", move || store.inject(Fault::Down));
    let RunState::Pending { .. } = world.ring_to(&run) else { panic!("done without the news") };
    assert!(world.run(&run).last_error.unwrap().starts_with("registered, but"));
    world.until_quiet();
    assert_eq!(package(&world).status, TrackingStatus::Delivered);
    assert!(matches!(world.state(&run), RunState::Succeeded { .. }));
}

fn asked_again(world: &World) -> Refetched {
    let (shop, package) = (build::shop(), build::parcel(NUMBER).id());
    done(refetch(&world.core, &OpenVault, &world.trackers, &shop, &id(), &package)).unwrap()
}

const DAY: i64 = 86_400;

#[test]
fn a_parcel_without_news_for_two_days_is_asked_for_by_its_tracker() {
    let (world, run) = registering();
    world.ring_to(&run);
    world.pass(2 * DAY - 1);
    assert_eq!(asked_again(&world), Refetched::NotOverdue);
    world.pass(1);
    let writes = world.store.writes();
    assert_eq!(asked_again(&world), Refetched::Applied(vec![]));
    assert_eq!(world.store.writes(), writes, "no news are no write");
    world.trackers.show(build::tracking(NUMBER, TrackingStatus::InTransit, 2 * DAY));
    assert!(matches!(asked_again(&world), Refetched::Applied(told) if told.len() == 1));
    assert_eq!(package(&world).status, TrackingStatus::InTransit);
    assert_eq!(asked_again(&world), Refetched::NotOverdue);
    assert_eq!(world.trackers.asked(), ["EZAK 1Z999", "EZAK trk_1Z999", "EZAK trk_1Z999"]);
    world.pass(31 * DAY);
    assert_eq!(asked_again(&world), Refetched::NotOverdue, "one that was silent for a month is given up");
}

#[test]
fn only_a_registered_parcel_under_way_is_asked_for() {
    let world = World::new();
    edit(&world, PackageEdit::Add(build::parcel(NUMBER)));
    world.pass(3 * DAY);
    assert_eq!(asked_again(&world), Refetched::NotOverdue, "nobody had it registered");

    let (world, run) = registering();
    world.trackers.then(fails(Disposition::Permanent));
    world.ring_to(&run);
    world.pass(3 * DAY);
    assert_eq!(asked_again(&world), Refetched::NoTracker);

    let (world, run) = registering();
    world.trackers.show(delivered(5));
    world.ring_to(&run);
    world.pass(3 * DAY);
    assert_eq!(asked_again(&world), Refetched::NotOverdue);

    let (world, run) = registering();
    world.ring_to(&run);
    world.pass(3 * DAY);
    let package = build::parcel(NUMBER).id();
    let other = build::other_shop();
    let asked = done(refetch(&world.core, &OpenVault, &world.trackers, &other, &id(), &package)).unwrap();
    assert_eq!(asked, Refetched::NotOverdue, "law 20");
    remove(&world);
    assert_eq!(asked_again(&world), Refetched::NotOverdue);
    assert_eq!(world.trackers.asked().len(), 1);
}

#[test]
fn news_that_could_not_be_fetched_say_whether_to_ask_again() {
    let (world, run) = registering();
    world.ring_to(&run);
    world.pass(3 * DAY);
    let (shop, package) = (build::shop(), build::parcel(NUMBER).id());
    for (answered, means) in
        [(Disposition::Ambiguous, Disposition::RETRY), (Disposition::Permanent, Disposition::Permanent)]
    {
        world.trackers.then(fails(answered));
        let error = done(refetch(&world.core, &OpenVault, &world.trackers, &shop, &id(), &package));
        assert_eq!(error.unwrap_err().disposition(), means);
    }
}

/// The demo order with so many parcels, registered and without news for two days, and the job that asks for them.
fn overdue(parcels: usize) -> (World, JobId) {
    let world = World::new();
    connect(&world, integration());
    for n in 0..parcels {
        edit(&world, PackageEdit::Add(build::parcel(&format!("1Z{n:03}"))));
        world.ring_to(&world.run_of(world.order().seq, Action::RegisterTracker));
    }
    world.pass(2 * DAY);
    let id = JobId::from_body("refetch").unwrap();
    let kind = JobKind::Refetch { carrier: build::carrier_id() };
    done(world.store.create_job(&Job::new(id.clone(), build::shop(), kind, world.now()))).unwrap();
    (world, id)
}

/// One page of a job, in an invocation that has no time for another: the trackers it asked for, and the job then.
fn page(world: &World, id: &JobId) -> (Vec<String>, Job) {
    let (asked, clock) = (world.trackers.asked().len(), world.clock.clone());
    // Behind the claim comes what the page came to.
    world.wire.at(Side::After, "update_job", || {});
    world.wire.at(Side::After, "update_job", move || {
        clock.advance(SignedDuration::from_secs(60));
    });
    done(world.work(&world.core, &build::shop(), id)).unwrap();
    let job = done(world.store.job(&build::shop(), id)).unwrap().unwrap();
    (world.trackers.asked().split_off(asked), job)
}

#[test]
fn a_page_asks_for_ten_parcels_and_the_next_goes_on_behind_them_in_the_middle_of_an_order() {
    let (world, id) = overdue(50);
    let (mut asked, mut cursors) = (BTreeSet::new(), BTreeSet::new());
    for n in 1..=5 {
        let (calls, job) = page(&world, &id);
        assert_eq!(calls.len(), 10, "page {n}");
        asked.extend(calls);
        assert_eq!(job.cursor.is_none(), n == 5, "{:?}", job.cursor);
        cursors.insert(job.cursor);
    }
    assert_eq!((asked.len(), cursors.len()), (50, 5), "each once");
    let job = done(world.store.job(&build::shop(), &id)).unwrap().unwrap();
    assert_eq!((job.progress.seen, job.failures), (50, 0));
    assert!(job.due() > Some(world.now()), "tomorrow again");
}

#[test]
fn a_page_whose_calls_take_long_ends_before_its_function_does() {
    let (world, id) = overdue(12);
    for _ in 0..12 {
        let clock = world.clock.clone();
        let slowly = move || {
            clock.advance(SignedDuration::from_secs(14));
        };
        world.trackers.then(Registers::Slowly(Box::new(slowly)));
    }
    let begun = world.now();
    let (calls, job) = page(&world, &id);
    assert_eq!(calls.len(), 2);
    assert!(world.now() - SignedDuration::from_secs(60) <= begun + SignedDuration::from_secs(30));
    assert!(job.cursor.is_some());
    let (more, _) = page(&world, &id);
    assert!(more.len() == 2 && more != calls, "{more:?}");
}

#[test]
fn a_parcel_that_always_fails_keeps_no_other_from_being_asked_for() {
    let (world, id) = overdue(12);
    world.trackers.fail_at("trk_1Z005");
    let (mut asked, mut job) = (Vec::new(), None::<Job>);
    for _ in 0..12 {
        if let Some(due) = job.as_ref().and_then(Job::due) {
            world.clock.set(due.max(world.now()));
        }
        let (calls, now) = page(&world, &id);
        asked.extend(calls);
        let over = now.cursor.is_none() && now.progress.seen > 0;
        job = Some(now);
        if over {
            break;
        }
    }
    let job = job.unwrap();
    assert_eq!((job.progress.seen, job.progress.refused), (12, 1), "{job:?}");
    assert!(job.cursor.is_none() && job.due() >= Some(world.now() + SignedDuration::from_hours(23)));
    let times =
        |number: usize| asked.iter().filter(|call| **call == format!("EZAK trk_1Z{number:03}")).count();
    for number in (0..12).filter(|number| *number != 5) {
        assert_eq!(times(number), 1, "{number}: {asked:?}");
    }
    assert!((4..=5).contains(&times(5)), "not given up at once: {asked:?}");
}
