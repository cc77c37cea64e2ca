//! Fulfilling on the sales channel: lock → look → act → settle (laws 5 to 7).

use stagepost_app::ports::{ActError, ConfigChange};
use stagepost_app::run::{Answered, retry};
use stagepost_domain::SignedDuration;
use stagepost_domain::event::{Action, Cause, Change};
use stagepost_domain::fact::{Coverage, Fact, PackageEdit};
use stagepost_domain::fulfillment::Attribution;
use stagepost_domain::order::Platform;
use stagepost_domain::outcome::SkipReason;
use stagepost_domain::run::{RunId, RunState};
use stagepost_domain::shop::Sealed;
use stagepost_testkit::{Fault, build};

use super::far_end::{Call, Lands, UNOPENABLE};
use super::wire::{Side, breathe, crashed, done};
use super::world::{World, due};

/// The order with a parcel, just entered *Ready to ship* by a program: its fulfillment is due.
fn ripe() -> (World, RunId) {
    let world = World::new();
    let edit = PackageEdit::Add(build::parcel("OURS-1"));
    world.tell(&Fact::Packages { edit, actor: build::person() });
    let run = world.run_of(world.enter("ready"), Action::Fulfill);
    (world, run)
}

/// The same on a platform that keeps our run's id (WooCommerce), and on one that does not (Shopify).
fn on_both(test: impl Fn(World, RunId)) {
    for marks in [false, true] {
        let (world, run) = ripe();
        if marks {
            world.platform.keeps_marks();
        }
        test(world, run);
    }
}

/// What the platform notifies of its newest fulfillment, several times and in any order.
fn echo(world: &World) {
    for fact in [world.platform.shipment_fact(), world.platform.order_fact()] {
        world.tell(&fact);
        world.tell(&fact);
    }
}

/// Ours, nothing moved, and whatever is told later moves nothing either.
fn is_ours(world: &World, run: &RunId) {
    assert!(matches!(world.state(run), RunState::Succeeded { .. }), "{:?}", world.state(run));
    for _ in 0..2 {
        let order = world.order();
        assert_eq!(order.fulfillment.lock, None);
        assert_eq!(order.fulfillment.complete().unwrap().0, Attribution::Ours { seq: run.seq });
        assert_eq!(world.stage(), "ready");
        echo(world);
    }
    assert_eq!(world.ring(run), Answered::Ended);
}

/// Theirs: the run is skipped with whose it was, the order stands in the fulfilled stage.
fn is_theirs(world: &World, run: &RunId) {
    let at = world.platform.made().last().unwrap().at;
    let (by, platform) = (Attribution::Theirs, Platform::Shopify);
    let RunState::Skipped { why, .. } = world.state(run) else { panic!("{:?}", world.state(run)) };
    assert_eq!(why, SkipReason::AlreadyFulfilled { by, platform, at: Some(at) });
    moved_by_them(world);
}

/// The order moved to the fulfilled stage because somebody else fulfilled it, exactly once.
fn moved_by_them(world: &World) {
    for _ in 0..2 {
        let order = world.order();
        assert_eq!(order.fulfillment.lock, None);
        assert_eq!(order.fulfillment.complete().unwrap().0, Attribution::Theirs);
        assert_eq!(world.stage(), "shipped");
        let moves =
            world.events().into_iter().filter(|e| matches!(e.cause, Cause::PlatformFulfillment { .. }));
        assert_eq!(moves.filter(|e| e.transition.is_some()).count(), 1);
        echo(world);
    }
}

#[test]
fn a_stage_entry_fulfills_the_order_with_one_call() {
    on_both(|world, run| {
        let state = world.ring_to(&run);
        let made = world.platform.made();
        assert_eq!(made[0].numbers, ["OURS-1"]);
        assert!(
            matches!(state, RunState::Succeeded { detail, .. } if detail == format!("fulfilled: {}", made[0].id.0))
        );
        is_ours(&world, &run);
        assert_eq!((world.platform.calls(), made.len()), (1, 1));
    });
}

#[test]
fn what_is_fulfilled_in_part_says_what_is_left() {
    let (world, run) = ripe();
    world.platform.in_parts(2);
    world.platform.withhold("a platform hold");
    let state = world.ring_to(&run);
    let made = world.platform.made();
    let expected = format!("fulfilled in part: {}; left: a platform hold", made[0].id.0);
    assert!(matches!(&state, RunState::Succeeded { detail, .. } if *detail == expected), "{state:?}");
    assert_eq!((world.order().fulfillment.coverage, made.len()), (Coverage::Partial, 1));
}

/// The first attempt had done all there was to do when its answer failed.
#[test]
fn what_an_attempt_before_fulfilled_in_part_is_no_failure_of_the_next() {
    let (world, run) = ripe();
    world.platform.in_parts(2);
    world.platform.then(Call::Works);
    world.platform.then(Call::Fails(ActError::retry("read on")));
    let again = due(&world.ring_to(&run));
    world.platform.withhold("a platform hold");
    world.clock.set(again);
    let state = world.ring_to(&run);
    let in_part =
        |detail: &str| detail.starts_with("fulfilled in part") && detail.ends_with("a platform hold");
    assert!(matches!(&state, RunState::Succeeded { detail, .. } if in_part(detail)), "{state:?}");
    assert_eq!(world.platform.made().len(), 1);
}

#[test]
fn law_5_the_echo_that_comes_before_the_answer_is_ours_and_moves_nothing() {
    on_both(|world, run| {
        let other = world.clone();
        world.platform.before_answer(move || {
            echo(&other);
            let order = other.order();
            assert_eq!(order.fulfillment.complete().unwrap().0, Attribution::Undetermined);
        });
        world.ring_to(&run);
        is_ours(&world, &run);
        assert_eq!(world.platform.calls(), 1);
    });
}

#[test]
fn law_5_the_echo_that_comes_after_the_answer_is_ours_and_moves_nothing() {
    on_both(|world, run| {
        world.ring_to(&run);
        let order = world.order();
        echo(&world);
        is_ours(&world, &run);
        assert_eq!(world.order().placement, order.placement);
    });
}

#[test]
fn law_7_a_lost_answer_is_found_by_looking_and_no_second_call_is_made() {
    for lands in [Lands::Now, Lands::After(20)] {
        for echoed in [false, true] {
            on_both(|world, run| {
                world.platform.then(Call::Lost(lands));
                let again = due(&world.ring_to(&run));
                let wait = again.duration_since(world.now());
                assert!(wait >= SignedDuration::from_secs(30), "a late request must have arrived: {wait:?}");
                world.pass(20);
                if echoed {
                    echo(&world);
                }
                assert_eq!(world.ring(&run), Answered::Early(again));
                assert!(world.order().fulfillment.lock.is_some(), "still undetermined");
                assert_eq!(world.stage(), "ready");
                world.clock.set(again);
                world.ring_to(&run);
                is_ours(&world, &run);
                assert_eq!((world.platform.calls(), world.platform.made().len()), (1, 1));
            });
        }
    }
}

#[test]
fn law_7_a_lost_call_that_did_nothing_is_made_again_after_the_pause_and_never_before() {
    on_both(|world, run| {
        world.platform.then(Call::Lost(Lands::Never));
        let again = due(&world.ring_to(&run));
        while world.now() < again {
            assert_eq!(world.ring(&run), Answered::Early(again));
            assert_eq!(world.platform.calls(), 1);
            world.pass(1);
        }
        world.ring_to(&run);
        is_ours(&world, &run);
        assert_eq!((world.platform.calls(), world.platform.made().len()), (2, 1));
    });
}

#[test]
fn law_7_a_late_request_that_lands_between_look_and_second_call_is_ours() {
    let (world, run) = ripe();
    world.platform.then(Call::Lost(Lands::After(40)));
    let again = due(&world.ring_to(&run));
    assert!(again < build::seconds(40));
    world.clock.set(again);
    let late = world.clone();
    world.platform.after_look(move || late.clock.set(build::seconds(41)));
    world.ring_to(&run);
    is_ours(&world, &run);
    assert_eq!(world.platform.made().len(), 1);
}

#[test]
fn law_7_a_package_that_comes_while_a_call_is_in_doubt_does_not_hide_what_is_ours() {
    let (world, run) = ripe();
    world.platform.in_parts(2);
    world.platform.then(Call::Works);
    world.platform.then(Call::Hangs(Lands::Now));
    crashed(world.answer(&run));
    // By hand, and with a fulfillment that the platform tells.
    let edit = PackageEdit::Add(build::parcel("BY-HAND-1"));
    world.tell(&Fact::Packages { edit, actor: build::person() });
    echo(&world);
    world.until_quiet();
    is_ours(&world, &run);
    assert_eq!(world.platform.calls(), 2);
}

#[test]
fn law_7_a_lost_call_without_tracking_is_ours_though_a_package_came_since() {
    let world = World::new();
    let run = world.run_of(world.enter("ready"), Action::Fulfill);
    world.platform.then(Call::Lost(Lands::Now));
    let again = due(&world.ring_to(&run));
    world.pass(10);
    let edit = PackageEdit::Add(build::parcel("BY-HAND-1"));
    world.tell(&Fact::Packages { edit, actor: build::person() });
    world.clock.set(again);
    world.ring_to(&run);
    is_ours(&world, &run);
    assert_eq!((world.platform.calls(), world.platform.made().len()), (1, 1));
}

#[test]
fn a_package_that_another_fulfillment_brought_is_not_sent_with_ours() {
    let (world, run) = ripe();
    world.platform.in_parts(2);
    world.platform.merchant_fulfills_a_part("THEIRS-1");
    echo(&world);
    world.ring_to(&run);
    is_ours(&world, &run);
    assert_eq!(world.platform.made()[1].numbers, ["OURS-1"]);
}

#[test]
fn law_7_what_the_merchant_fulfilled_between_lock_and_look_is_theirs_and_moves_the_order() {
    for told in [false, true] {
        on_both(|world, run| {
            let other = world.clone();
            world.wire.at(Side::After, "put_order", move || {
                other.platform.merchant_fulfills("THEIRS-1");
                if told {
                    echo(&other);
                    assert_eq!(other.stage(), "ready", "undetermined under the lock");
                }
            });
            world.ring_to(&run);
            is_theirs(&world, &run);
            assert_eq!(world.platform.calls(), 0);
        });
    }
}

#[test]
fn law_7_what_the_merchant_fulfilled_between_look_and_call_is_theirs_and_moves_the_order() {
    for told in [false, true] {
        on_both(|world, run| {
            let other = world.clone();
            world.platform.after_look(move || {
                other.platform.merchant_fulfills("THEIRS-1");
                if told {
                    echo(&other);
                }
            });
            world.ring_to(&run);
            is_theirs(&world, &run);
            assert_eq!((world.platform.calls(), world.platform.made().len()), (1, 1));
        });
    }
}

#[test]
fn law_7_what_the_merchant_fulfilled_after_our_lost_call_is_theirs() {
    for told in [false, true] {
        on_both(|world, run| {
            world.platform.then(Call::Lost(Lands::Never));
            let again = due(&world.ring_to(&run));
            world.pass(10);
            world.platform.merchant_fulfills("THEIRS-1");
            if told {
                echo(&world);
                assert_eq!(world.stage(), "ready", "undetermined under the lock");
            }
            world.clock.set(again);
            world.ring_to(&run);
            is_theirs(&world, &run);
            assert_eq!(world.platform.calls(), 1);
        });
    }
}

#[test]
fn law_7_what_our_lost_call_made_and_a_person_took_back_is_not_made_again() {
    for told in [false, true] {
        on_both(|world, run| {
            world.platform.then(Call::Lost(Lands::Now));
            let again = due(&world.ring_to(&run));
            world.pass(10);
            if told {
                echo(&world);
            }
            world.platform.merchant_takes_back();
            if told {
                echo(&world);
            }
            world.clock.set(again);
            let state = world.ring_to(&run);
            assert!(
                matches!(&state, RunState::Succeeded { detail, .. } if detail.contains("taken back")),
                "{state:?}"
            );
            assert_eq!((world.platform.calls(), world.platform.made().len()), (1, 1));
            for _ in 0..2 {
                let order = world.order();
                assert_eq!(order.fulfillment.lock, None);
                assert_eq!(order.fulfillment.coverage, Coverage::None);
                assert_eq!(world.stage(), "ready");
                echo(&world);
            }
            // By hand it is fulfilled again, and then it is theirs.
            world.pass(60);
            world.platform.merchant_fulfills("THEIRS-1");
            echo(&world);
            moved_by_them(&world);
        });
    }
}

#[test]
fn law_7_an_order_that_is_fulfilled_already_is_not_even_looked_at() {
    let (world, run) = ripe();
    world.platform.merchant_fulfills("THEIRS-1");
    echo(&world);
    world.ring_to(&run);
    is_theirs(&world, &run);
    assert_eq!((world.platform.looks(), world.platform.calls()), (0, 0));
    // And an event decided after it is skipped at birth.
    world.go("new", build::person());
    let next = world.run_of(world.enter("ready"), Action::Fulfill);
    assert!(matches!(
        world.state(&next),
        RunState::Skipped { why: SkipReason::AlreadyFulfilled { by: Attribution::Theirs, .. }, .. }
    ));
}

#[test]
fn law_5_the_parts_of_a_call_that_failed_midway_are_ours_and_the_rest_is_finished_later() {
    for failure in
        [Call::Fails(ActError::retry("throttled")), Call::Lost(Lands::Never), Call::Lost(Lands::Now)]
    {
        for echoed in [false, true] {
            let (world, run) = ripe();
            world.platform.in_parts(3);
            world.platform.then(Call::Works);
            world.platform.then(failure.clone());
            let again = due(&world.ring_to(&run));
            if echoed {
                echo(&world);
            }
            let made = world.platform.made()[0].id.clone();
            let ours = Attribution::Ours { seq: run.seq };
            assert_eq!(world.order().fulfillment.shipments[&made].by, ours, "confirmed is ours at once");
            assert_eq!(world.stage(), "ready");
            world.clock.set(again);
            world.ring_to(&run);
            is_ours(&world, &run);
            let fulfillment = world.order().fulfillment;
            assert!(fulfillment.shipments.values().all(|s| s.by == ours), "{fulfillment:?}");
            assert_eq!(world.platform.made().len(), 3, "each part once");
        }
    }
}

#[test]
fn law_5_a_part_of_ours_and_the_last_one_of_theirs_is_their_edge() {
    // The call that failed surely did not happen: nobody keeps the order from being told.
    let (world, run) = ripe();
    world.platform.in_parts(2);
    world.platform.then(Call::Works);
    world.platform.then(Call::Fails(ActError::retry("throttled")));
    let again = due(&world.ring_to(&run));
    assert_eq!(world.order().fulfillment.lock, None);
    world.platform.merchant_fulfills("THEIRS-1");
    echo(&world);
    moved_by_them(&world);
    world.clock.set(again);
    world.ring_to(&run);
    assert_eq!(world.platform.calls(), 2);
    moved_by_them(&world);
    // Found by the runner itself, told or not, between its two calls or after the one that was lost.
    for told in [false, true] {
        let (world, run) = ripe();
        world.platform.in_parts(2);
        let other = world.clone();
        world.platform.before_answer(move || {
            other.pass(1);
            other.platform.merchant_fulfills("THEIRS-1");
            if told {
                echo(&other);
            }
        });
        world.ring_to(&run);
        moved_by_them(&world);
        let (world, run) = ripe();
        world.platform.in_parts(2);
        world.platform.then(Call::Lost(Lands::Now));
        let again = due(&world.ring_to(&run));
        world.platform.merchant_fulfills("THEIRS-1");
        if told {
            echo(&world);
        }
        world.clock.set(again);
        world.ring_to(&run);
        moved_by_them(&world);
    }
}

#[test]
fn law_5_a_part_of_theirs_and_the_last_one_of_ours_is_our_edge() {
    for lost in [false, true] {
        let (world, run) = ripe();
        world.platform.in_parts(2);
        world.platform.merchant_fulfills_a_part("THEIRS-1");
        world.pass(1);
        if lost {
            world.platform.then(Call::Lost(Lands::Now));
            let again = due(&world.ring_to(&run));
            world.clock.set(again);
        }
        world.ring_to(&run);
        is_ours(&world, &run);
        assert_eq!(world.platform.calls(), 1);
    }
}

#[test]
fn law_6_their_last_part_that_is_told_under_our_lock_moves_the_order_when_we_are_done() {
    let (world, run) = ripe();
    world.platform.in_parts(2);
    world.platform.then(Call::Works);
    world.platform.then(Call::Fails(ActError::retry("throttled")));
    let other = world.clone();
    world.platform.before_answer(move || {
        let after_ours = other.clone();
        // Under the second call, which then does nothing.
        other.platform.before_answer(move || {
            after_ours.platform.merchant_fulfills("THEIRS-1");
            echo(&after_ours);
        });
    });
    world.ring_to(&run);
    moved_by_them(&world);
}

#[test]
fn an_order_that_the_platform_blocks_fails_visibly_and_is_free_again() {
    let (world, run) = ripe();
    world.platform.block(Some("a platform hold: awaiting stock"));
    let RunState::Failed { error, .. } = world.ring_to(&run) else { panic!("it should have failed") };
    assert_eq!(error, "a platform hold: awaiting stock");
    assert_eq!((world.order().fulfillment.lock, world.platform.calls()), (None, 0));
    // A person who has cleared it up tries again.
    world.platform.block(None);
    done(retry(&world.core, &run, false)).unwrap().unwrap().unwrap();
    world.ring_to(&run);
    is_ours(&world, &run);
}

#[test]
fn law_6_a_look_that_fails_before_any_call_frees_the_order() {
    let (world, run) = ripe();
    for error in [ActError::retry("throttled"), ActError::ambiguous("no answer")] {
        world.platform.look_fails(error);
        let again = due(&world.ring_to(&run));
        assert_eq!(world.order().fulfillment.lock, None);
        world.clock.set(again);
    }
    world.platform.merchant_fulfills("THEIRS-1");
    world.tell(&world.platform.order_fact());
    assert_eq!(world.stage(), "shipped", "theirs at once");
    world.ring_to(&run);
    is_theirs(&world, &run);
}

#[test]
fn law_6_a_look_that_fails_after_a_lost_call_keeps_the_lock() {
    for error in [ActError::retry("throttled"), ActError::ambiguous("no answer")] {
        on_both(|world, run| {
            world.platform.then(Call::Lost(Lands::Now));
            let again = due(&world.ring_to(&run));
            world.clock.set(again);
            world.platform.look_fails(error.clone());
            let again = due(&world.ring_to(&run));
            echo(&world);
            assert_eq!(world.order().fulfillment.complete().unwrap().0, Attribution::Undetermined);
            world.clock.set(again);
            world.ring_to(&run);
            is_ours(&world, &run);
            assert_eq!(world.platform.calls(), 1);
        });
    }
}

#[test]
fn law_6_when_the_looks_never_work_again_the_doubt_ends_with_the_last_attempt() {
    let (world, run) = ripe();
    world.platform.then(Call::Lost(Lands::Never));
    let mut state = world.ring_to(&run);
    for _ in 0..20 {
        world.platform.look_fails(ActError::retry("down"));
    }
    world.platform.merchant_fulfills("THEIRS-1");
    echo(&world);
    while let RunState::Pending { due } = state {
        world.clock.set(due);
        state = world.ring_to(&run);
    }
    assert!(matches!(state, RunState::Failed { .. }));
    moved_by_them(&world);
}

#[test]
fn law_6_a_call_that_is_refused_for_good_leaves_what_was_seen_to_them() {
    let (world, run) = ripe();
    world.platform.then(Call::Fails(ActError::permanent("a permission is missing")));
    let other = world.clone();
    world.platform.before_answer(move || {
        other.platform.merchant_fulfills("THEIRS-1");
        echo(&other);
        assert_eq!(other.stage(), "ready");
    });
    let RunState::Failed { error, .. } = world.ring_to(&run) else { panic!("it should have failed") };
    assert_eq!(error, "a permission is missing");
    moved_by_them(&world);
}

#[test]
fn law_6_a_crash_between_settling_and_recording_is_copied_and_calls_nobody() {
    on_both(|world, run| {
        world.wire.cut_second(Side::Before, "update_run");
        crashed(world.answer(&run));
        assert!(matches!(world.state(&run), RunState::Claimed { .. }));
        assert_eq!(world.order().fulfillment.lock, None, "settled");
        world.pass(149);
        assert_eq!(world.ring(&run), Answered::Held);
        world.pass(1);
        assert!(matches!(world.ring_to(&run), RunState::Succeeded { .. }));
        is_ours(&world, &run);
        assert_eq!((world.platform.calls(), world.platform.looks()), (1, 1));
    });
}

#[test]
fn law_6_a_crash_between_settling_theirs_and_recording_is_copied_too() {
    let (world, run) = ripe();
    let other = world.clone();
    world.platform.after_look(move || other.platform.merchant_fulfills("THEIRS-1"));
    world.wire.cut_second(Side::Before, "update_run");
    crashed(world.answer(&run));
    moved_by_them(&world);
    world.pass(150);
    assert!(matches!(
        world.ring_to(&run),
        RunState::Skipped { why: SkipReason::AlreadyFulfilled { by: Attribution::Theirs, .. }, .. }
    ));
    moved_by_them(&world);
    assert_eq!(world.platform.looks(), 2);
}

#[test]
fn law_7_a_crash_anywhere_makes_at_most_one_fulfillment() {
    type Crash = (&'static str, fn(&World));
    let crashes: [Crash; 7] = [
        ("before the lock", |w| w.wire.cut(Side::Before, "put_order")),
        ("after the lock", |w| w.wire.cut(Side::After, "put_order")),
        ("before the claim", |w| w.wire.cut(Side::Before, "update_run")),
        ("after the claim", |w| w.wire.cut(Side::After, "update_run")),
        ("in a call that does nothing", |w| w.platform.then(Call::Hangs(Lands::Never))),
        ("in a call that works", |w| w.platform.then(Call::Hangs(Lands::Now))),
        ("before the settlement", |w| w.wire.cut_second(Side::Before, "put_order")),
    ];
    for (place, crash) in crashes {
        for echoed in [false, true] {
            on_both(|world, run| {
                crash(&world);
                crashed(world.answer(&run));
                if echoed && world.platform.coverage() == Coverage::Complete {
                    echo(&world);
                    assert_eq!(world.stage(), "ready", "{place}");
                }
                world.until_quiet();
                is_ours(&world, &run);
                assert_eq!(world.platform.made().len(), 1, "{place}");
            });
        }
    }
}

#[test]
fn law_7_an_attempt_that_only_took_the_lock_leaves_no_doubt() {
    // It called nobody, so that what was fulfilled since is theirs even where nothing tells the two apart.
    let world = World::new();
    let run = world.run_of(world.enter("ready"), Action::Fulfill);
    world.wire.cut(Side::After, "put_order");
    crashed(world.answer(&run));
    assert_eq!(world.ring(&run), Answered::Held);
    world.pass(1);
    world.platform.merchant_fulfills("THEIRS-1");
    echo(&world);
    world.pass(149);
    world.ring_to(&run);
    is_theirs(&world, &run);
}

#[test]
fn law_7_of_two_runs_of_one_order_the_second_waits_and_then_finds_it_done() {
    let (world, first) = ripe();
    world.enter("new");
    let second = world.run_of(world.enter("ready"), Action::Fulfill);
    let (other, waiting) = (world.clone(), second.clone());
    world.platform.before_answer(move || {
        let until = other.order().fulfillment.lock.unwrap().until;
        assert_eq!(due(&other.ring_to(&waiting)), until);
    });
    assert!(matches!(world.ring_to(&first), RunState::Succeeded { .. }));
    world.clock.set(due(&world.state(&second)));
    let ours = Attribution::Ours { seq: first.seq };
    assert!(
        matches!(world.ring_to(&second), RunState::Skipped { why: SkipReason::AlreadyFulfilled { by, .. }, .. } if by == ours)
    );
    assert_eq!(world.platform.calls(), 1);
}

#[test]
fn law_7_the_lock_of_a_dead_run_is_taken_over_by_that_run_alone() {
    let (world, first) = ripe();
    world.platform.then(Call::Hangs(Lands::Now));
    crashed(world.answer(&first));
    world.enter("new");
    let second = world.run_of(world.enter("ready"), Action::Fulfill);
    world.pass(151);
    let wait = due(&world.ring_to(&second)).duration_since(world.now());
    assert_eq!(wait, SignedDuration::from_secs(1), "the first run settles it first");
    world.until_quiet();
    assert!(matches!(world.state(&first), RunState::Succeeded { .. }));
    assert!(matches!(world.state(&second), RunState::Skipped { .. }));
    assert_eq!(world.platform.made().len(), 1);
}

#[test]
fn law_10_two_doorbells_at_once_make_one_call() {
    on_both(|world, run| {
        for head_start in 0..30 {
            let (fresh, id) = ripe();
            let answers = done(async {
                tokio::join!(fresh.answer(&id), async {
                    for _ in 0..head_start {
                        breathe().await;
                    }
                    fresh.answer(&id).await
                })
            });
            answers.0.unwrap();
            answers.1.unwrap();
            is_ours(&fresh, &id);
            assert_eq!((fresh.platform.calls(), fresh.run(&id).attempts), (1, 1), "{head_start}");
        }
        let (one, two) = done(async { tokio::join!(world.answer(&run), world.answer(&run)) });
        one.unwrap();
        two.unwrap();
        is_ours(&world, &run);
    });
}

#[test]
fn law_10_a_second_doorbell_that_comes_too_late_leaves_no_lock_behind() {
    // The first attempt ends for good while the second is anywhere on its way.
    for operation in ["order", "event"] {
        for side in [Side::Before, Side::After] {
            let (world, run) = ripe();
            world.platform.then(Call::Fails(ActError::permanent("a permission is missing")));
            let (other, id) = (world.clone(), run.clone());
            world.wire.at(side, operation, move || {
                other.ring_to(&id);
            });
            world.ring(&run);
            assert!(matches!(world.state(&run), RunState::Failed { .. }), "{side:?} {operation}");
            assert_eq!(world.order().fulfillment.lock, None, "{side:?} {operation}");
        }
    }
}

#[test]
fn law_6_a_run_that_somebody_else_changed_before_the_claim_gives_the_lock_back() {
    let (world, run) = ripe();
    let (other, id) = (world.clone(), run.clone());
    world.wire.at(Side::After, "put_order", move || {
        // Somebody else puts the run off.
        let (stored, mut next) = (other.run(&id), other.run(&id));
        next.state = RunState::Pending { due: build::seconds(60) };
        done(stagepost_app::ports::RunStore::update_run(&other.store, &id, &stored, &next)).unwrap();
        other.platform.merchant_fulfills("THEIRS-1");
        echo(&other);
    });
    assert_eq!(world.ring(&run), Answered::LeaseLost);
    moved_by_them(&world);
    assert_eq!(world.platform.looks(), 0);
}

#[test]
fn a_channel_without_credentials_fails_with_what_to_do_about_it() {
    let (world, run) = ripe();
    credentials(&world, None);
    let RunState::Failed { error, .. } = world.ring_to(&run) else { panic!("it should have failed") };
    assert!(error.contains("credentials") && error.contains("Settings"), "{error}");
    assert_eq!((world.order().fulfillment.lock, world.platform.looks()), (None, 0));
}

#[test]
fn law_6_credentials_that_are_taken_away_while_a_call_is_in_doubt_leave_no_lock_behind() {
    for crash in [Call::Lost(Lands::Never), Call::Hangs(Lands::Never)] {
        let (world, run) = ripe();
        world.platform.then(crash.clone());
        match crash {
            Call::Lost(_) => drop(world.ring_to(&run)),
            _ => crashed(world.answer(&run)),
        }
        credentials(&world, None);
        world.platform.merchant_fulfills("THEIRS-1");
        echo(&world);
        assert_eq!(world.stage(), "ready", "undetermined under the lock");
        world.until_quiet();
        assert!(matches!(world.state(&run), RunState::Failed { .. }));
        moved_by_them(&world);
    }
}

fn credentials(world: &World, sealed: Option<Sealed>) {
    let mut channel = build::channel(&build::shop());
    channel.credentials = sealed;
    world.save(ConfigChange::Channel(channel));
}

#[test]
fn credentials_that_do_not_open_are_failed_attempts_that_end_with_the_schedule() {
    let (world, run) = ripe();
    let good = build::channel(&build::shop()).credentials;
    credentials(&world, Some(Sealed(UNOPENABLE.to_owned())));
    let mut state = world.ring_to(&run);
    while let RunState::Pending { due } = state {
        assert_eq!(world.order().fulfillment.lock, None, "nobody was called");
        world.clock.set(due);
        state = world.ring_to(&run);
    }
    let RunState::Failed { error, .. } = state else { panic!("{state:?}") };
    assert!(error.contains("credentials cannot be opened"), "{error}");
    assert_eq!((world.run(&run).attempts, world.platform.looks()), (9, 0));
    assert_eq!(world.order().fulfillment.lock, None);
    // A person who has entered them anew tries again.
    credentials(&world, good);
    done(retry(&world.core, &run, false)).unwrap().unwrap().unwrap();
    world.ring_to(&run);
    is_ours(&world, &run);
}

#[test]
fn law_6_credentials_that_do_not_open_while_a_call_is_in_doubt_keep_the_lock() {
    on_both(|world, run| {
        let good = build::channel(&build::shop()).credentials;
        world.platform.then(Call::Lost(Lands::Now));
        let again = due(&world.ring_to(&run));
        credentials(&world, Some(Sealed(UNOPENABLE.to_owned())));
        world.clock.set(again);
        let again = due(&world.ring_to(&run));
        echo(&world);
        assert_eq!(world.order().fulfillment.complete().unwrap().0, Attribution::Undetermined);
        credentials(&world, good);
        world.clock.set(again);
        world.ring_to(&run);
        is_ours(&world, &run);
        assert_eq!(world.platform.calls(), 1);
    });
}

#[test]
fn a_run_whose_every_attempt_goes_silent_is_given_up_and_frees_the_order() {
    for crash_at_the_end in [false, true] {
        let (world, run) = ripe();
        for _ in 0..9 {
            world.platform.then(Call::Hangs(Lands::Never));
            crashed(world.answer(&run));
            world.pass(151);
        }
        world.platform.merchant_fulfills("THEIRS-1");
        echo(&world);
        assert_eq!(world.stage(), "ready", "undetermined under the lock");
        if crash_at_the_end {
            world.wire.cut(Side::Before, "update_run");
            crashed(world.answer(&run));
            moved_by_them(&world);
            world.pass(151);
            world.ring_to(&run);
        } else {
            assert!(matches!(world.ring_to(&run), RunState::Failed { .. }));
        }
        moved_by_them(&world);
        assert_eq!(world.ring(&run), Answered::Ended);
        assert_eq!((world.platform.looks(), world.platform.calls()), (9, 9), "nobody is called any more");
    }
}

#[test]
fn law_5_our_mark_in_the_echo_outlives_a_run_that_is_given_up() {
    for silent in [false, true] {
        let (world, run) = ripe();
        world.platform.keeps_marks();
        if silent {
            for _ in 0..8 {
                world.platform.then(Call::Hangs(Lands::Never));
                crashed(world.answer(&run));
                world.pass(151);
            }
            world.platform.then(Call::Hangs(Lands::Now));
            crashed(world.answer(&run));
        } else {
            world.platform.then(Call::Lost(Lands::Now));
            let again = due(&world.ring_to(&run));
            credentials(&world, None);
            world.clock.set(again);
        }
        world.tell(&world.platform.order_fact());
        world.pass(if silent { 151 } else { 0 });
        assert!(matches!(world.ring_to(&run), RunState::Failed { .. }));
        assert_eq!(world.order().fulfillment.lock, None);
        assert_eq!(world.order().fulfillment.complete().unwrap().0, Attribution::Ours { seq: run.seq });
        echo(&world);
        assert_eq!(world.stage(), "ready");
    }
}

/// The writes of one attempt in their order: the claim, the lock, the end on the order, the run's own.
const WRITES: [(&str, bool); 4] =
    [("update_run", false), ("put_order", false), ("put_order", true), ("update_run", true)];

fn fails_at(world: &World, (operation, second): (&'static str, bool), fault: Fault, times: usize) {
    if second {
        world.wire.at(Side::Before, operation, || {});
    }
    let other = world.clone();
    world.wire.at(Side::Before, operation, move || (0..times).for_each(|_| other.store.inject(fault)));
}

#[test]
fn law_10_a_store_that_is_down_on_the_way_costs_time_but_no_second_call() {
    for fault in [Fault::Down, Fault::Throttle] {
        for write in WRITES {
            on_both(|world, run| {
                // More patience than this no attempt has.
                fails_at(&world, write, fault, 5);
                done(world.answer(&run)).unwrap_err();
                world.store.heal();
                assert_eq!(world.stage(), "ready");
                world.until_quiet();
                is_ours(&world, &run);
                assert_eq!(world.platform.made().len(), 1, "{fault:?} at {write:?}");
            });
        }
    }
}

#[test]
fn law_10_a_hiccup_of_the_store_after_the_call_is_waited_out() {
    for fault in [Fault::Down, Fault::Throttle, Fault::Conflict, Fault::LostReply] {
        for write in WRITES.into_iter().filter(|(_, second)| *second) {
            on_both(|world, run| {
                fails_at(&world, write, fault, 1);
                assert!(matches!(world.ring_to(&run), RunState::Succeeded { .. }), "{fault:?} at {write:?}");
                is_ours(&world, &run);
                assert_eq!((world.platform.made().len(), world.stage()), (1, "ready".to_owned()));
            });
        }
    }
}

#[test]
fn law_10_a_lost_answer_of_the_store_on_the_way_costs_no_second_call() {
    for write in WRITES {
        on_both(|world, run| {
            fails_at(&world, write, Fault::LostReply, 1);
            let _tried_or_done = done(world.answer(&run));
            assert_eq!(world.stage(), "ready");
            world.until_quiet();
            is_ours(&world, &run);
            assert_eq!(world.platform.made().len(), 1, "at {write:?}");
        });
    }
}

#[test]
fn a_move_taken_back_in_the_grace_is_not_fulfilled() {
    let world = World::new();
    let run = world.run_of(world.go("ready", build::person()), Action::Fulfill);
    world.pass(5);
    let by_seq = world.go("new", build::person());
    world.pass(5);
    let why = SkipReason::Superseded { by_seq };
    assert!(matches!(world.ring_to(&run), RunState::Skipped { why: found, .. } if found == why));
    assert_eq!((world.platform.looks(), world.order().fulfillment.lock), (0, None));
}

#[test]
fn an_order_that_was_cancelled_since_is_not_fulfilled() {
    let (world, run) = ripe();
    let mut cancelled = build::order_fact(1001, 5);
    cancelled.lifecycle = stagepost_domain::order::Lifecycle::Cancelled { at: None };
    world.tell(&build::told(cancelled));
    let why = SkipReason::OrderCancelled;
    assert!(matches!(world.ring_to(&run), RunState::Skipped { why: found, .. } if found == why));
    assert_eq!(world.platform.looks(), 0);
}

#[test]
fn law_5_a_runners_own_success_is_told_by_its_run_and_not_by_an_event() {
    let (world, run) = ripe();
    let seq = world.order().seq;
    world.ring_to(&run);
    assert_eq!(world.order().seq, seq);
    echo(&world);
    let edges =
        world.events().into_iter().filter(|e| matches!(&e.change, Change::Fulfillment { by: Some(_), .. }));
    assert_eq!(edges.count(), 0);
}
