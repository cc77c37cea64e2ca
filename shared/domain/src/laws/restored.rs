//! A restored table: what is from before the cut moves an order silently, and numbers rise past it (laws 4, 10, 11).

use jiff::SignedDuration;

use super::scene::{Scene, add, console, ids, report, scan, shipment, shopify, stg, t, woo};
use crate::event::{Action, Change};
use crate::fact::{Coverage, Fact, Settlement};
use crate::id::{CarrierId, EndpointId};
use crate::package::TrackingStatus;
use crate::restore::RestoredAt;
use crate::run::{Run, RunKey, RunState};
use crate::shop::Registrar;
use crate::webhook::EventType;

/// The second of the cut; facts of before it are told after it.
const CUT: i64 = 500;

fn cut() -> RestoredAt {
    RestoredAt::parse(&t(CUT).to_string()).unwrap()
}

fn number(order_of: i64) -> u64 {
    u64::try_from(t(CUT).as_second() + order_of).unwrap()
}

fn why(run: &Run) -> Option<&'static str> {
    if let RunState::Skipped { why, .. } = &run.state { Some(why.code()) } else { None }
}

/// The scene as it was kept, restored.
fn restored(scene: Scene) -> Scene {
    Scene { restored_at: Some(cut()), ..scene }
}

/// One parcel on its way, and somebody who wants to hear of everything.
fn open() -> Scene {
    let mut scene = Scene::open();
    scene.apply(add("A"));
    let told: EndpointId = EndpointId::from_body("all").unwrap();
    scene.playbook.settings.endpoints.insert(told.clone(), 1);
    scene.playbook.settings.subscribers.insert(told, EventType::ALL.into_iter().collect());
    restored(scene)
}

/// What is told, its fact at a time, and the stage that it leads to.
type Told = (&'static str, fn(i64) -> Fact, &'static str);

#[test]
fn law_4_what_is_from_before_a_restore_moves_silently_and_what_is_new_acts() {
    let moved_by: [Told; 6] = [
        ("an order", |at| shopify(at).fulfilled(&["s1"], at).into(), "shipped"),
        ("a completion", |at| woo(at, "completed").into(), "shipped"),
        ("a fulfillment by the first of it", |at| shipment("s1", at, true, &[]), "shipped"),
        ("a carrier's report", |at| scan("A", at, TrackingStatus::Delivered), "delivered"),
        ("an order as it came", |at| shopify(at).with(|f| f.created_at = t(at)).into(), "new"),
        (
            "an order, further on",
            |at| shopify(at).with(|f| f.created_at = t(at)).fulfilled(&[], at).into(),
            "shipped",
        ),
    ];
    for (what, fact, stage) in moved_by {
        for (at, silent) in [(CUT - 1, true), (CUT, false)] {
            let mut scene = open();
            match what {
                "a fulfillment by the first of it" => {
                    scene = scene.with_rule(crate::flow::FulfilledWhen::First);
                }
                "an order as it came" | "an order, further on" => {
                    scene.order = None;
                    scene.packages.clear();
                }
                _ => {}
            }
            scene.apply(fact(at));
            assert_eq!(scene.stage(), stage, "{what}");
            assert_eq!(why(scene.run(Action::Email)), silent.then_some("before_restore"), "{what} at {at}");
            let open = scene.last().runs.values().filter(|run| run.is_open()).count();
            assert_eq!(open == 0, silent, "{what} at {at}: {:?}", scene.last().runs);
            let quiet = scene.last().runs.values().all(|run| !run.subscribed);
            assert_eq!(quiet, silent, "{what} at {at}: whoever subscribed");
        }
    }
}

#[test]
fn law_4_a_fulfillment_of_before_the_restore_is_silent_whatever_else_of_its_order_is_new() {
    // Somebody wrote a note after the cut, and that is the first that is heard of the fulfillment.
    for (at, silent) in [(CUT - 1, true), (CUT + 1, false)] {
        let mut scene = open();
        scene.apply(shopify(CUT + 5).fulfilled(&["s1"], at));
        assert_eq!(scene.stage(), "shipped");
        assert_eq!(why(scene.run(Action::Email)), silent.then_some("before_restore"), "{at}");
    }
    // The same of an order: it was told of as new when it came.
    let mut scene = Scene { order: None, ..open() };
    scene.apply(shopify(CUT + 5).with(|f| f.created_at = t(CUT - 1)));
    assert_eq!(scene.last().change, Change::Created { silent: true });
    assert_eq!(why(scene.run(Action::Email)), Some("before_restore"));
}

#[test]
fn law_6_what_a_runner_finds_that_was_made_before_the_restore_moves_silently() {
    for (at, silent) in [(Some(t(CUT - 1)), true), (Some(t(CUT)), false), (None, false)] {
        let mut scene = restored(Scene::packed());
        let seq = scene.last().seq;
        scene.lock(seq, "x");
        let (shipments, gone, coverage) = (ids(&["s1"]), Vec::new(), Coverage::Complete);
        assert!(scene.settle(&Settlement::Theirs { shipments, gone, coverage, at }));
        assert_eq!(scene.stage(), "shipped");
        assert_eq!(why(scene.run(Action::Email)), silent.then_some("before_restore"), "{at:?}");
    }
}

#[test]
fn law_4_what_waited_over_the_restore_is_as_old_as_its_arrival() {
    for (arrived, silent) in [(CUT - 1, true), (CUT, false)] {
        let mut scene = Scene { received_at: Some(t(arrived)), ..open() };
        scene.apply(shopify(0).with(|f| f.updated_at = None).fulfilled(&[], 0));
        assert_eq!(scene.stage(), "shipped");
        assert_eq!(why(scene.run(Action::Email)), silent.then_some("before_restore"), "{arrived}");
        // A job's moves are as old as the job.
        let mut scene = Scene { received_at: Some(t(arrived)), ..open() };
        scene.go("packed", console());
        assert_eq!(why(scene.run(Action::Email)), silent.then_some("before_restore"), "{arrived}");
    }
}

#[test]
fn a_parcel_of_before_the_restore_is_registered_as_its_tracker_is_not_known_here() {
    let mut scene = open();
    scene.playbook.settings.registrar =
        Some(Registrar { carrier: CarrierId::from_body("c").unwrap(), version: 1 });
    scene.apply(shopify(CUT - 1).fulfilled(&[], CUT - 1).shipment("s1", CUT - 1, true, &["B"]));
    let registered = scene.last().runs.iter().filter(|(key, _)| key.action() == Action::RegisterTracker);
    assert!(registered.clone().count() > 0 && registered.clone().all(|(_, run)| run.is_open()));
}

#[test]
fn law_11_numbers_after_a_restore_are_none_of_before_it_and_only_rise() {
    let mut scene = open();
    let lost = {
        let mut lost = Scene { restored_at: None, ..scene.clone() };
        lost.go("printing", console());
        lost.last().clone()
    };
    scene.go("printing", console());
    let first = scene.last().clone();
    assert_ne!(first.seq, lost.seq, "two events, two numbers");
    assert_eq!((first.seq, scene.order().seq), (number(0), number(0)));
    scene.go("packed", console());
    assert_eq!(scene.last().seq, number(1));
    // Restored once more, to when the first event of this life was there and the second was not.
    let mut again = scene.clone();
    again.order = Some(crate::order::Order { seq: first.seq, ..again.order().clone() });
    again.restored_at = Some(RestoredAt::parse(&t(CUT + 60).to_string()).unwrap());
    again.go("shipped", console());
    assert_eq!(again.last().seq, number(60));
    // Without the restore's time the numbers go on from where they are.
    again.restored_at = None;
    again.go("delivered", console());
    assert_eq!(again.last().seq, number(61));
    // Whatever else is said of it: where it stands, the entry that it came by.
    let crate::order::Placement::Placed { entered_seq, .. } = again.order().placement else { panic!() };
    assert_eq!(entered_seq, number(61));
    assert_eq!(again.stage(), stg("delivered").as_str().strip_prefix("stg_").unwrap());
}

#[test]
fn law_11_a_run_is_as_old_as_its_event_or_as_the_last_wish_for_it() {
    let later = |seconds| t(CUT + seconds);
    let run = Run::pending(later(0), 1);
    assert_eq!(run.asked_at(t(0)), t(0));
    let failed = Run { state: RunState::Failed { at: t(0), error: String::new() }, ..run.clone() };
    assert_eq!(failed.retry(later(5), false).unwrap().asked_at(t(0)), later(5));
    let mut scene = Scene::open();
    scene.end_runs(|_, run| Run {
        state: RunState::Succeeded { at: t(0), detail: String::new() },
        ..run.clone()
    });
    let key: RunKey = scene.last().runs.keys().next().unwrap().clone();
    let again = crate::again::Again { request: "a".into(), at: later(7), by: console() };
    let (_, next) = crate::again::send_again(scene.last(), &key, again, false).unwrap();
    assert_eq!(next.asked_at(t(0)), later(7));
}

#[test]
fn law_4_without_a_restore_nothing_is_from_before_it() {
    let mut scene = Scene { restored_at: None, ..open() };
    scene.apply(shopify(20).with(|f| f.created_at = t(-86_400)));
    scene.apply(report("s1", 20, TrackingStatus::InTransit));
    scene.now += SignedDuration::from_hours(1);
    scene.apply(shopify(30).fulfilled(&["s1"], 30));
    assert_eq!(why(scene.run(Action::Email)), None);
    assert_eq!(scene.last().seq, scene.events.len() as u64);
}
