//! Laws 5, 6 and 7: the two directions never loop.

use jiff::SignedDuration;
use proptest::prelude::{Just, Strategy};
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::scene::{
    Scene, attempt, channel, completed, console, fulfill_key, ids, shipment, shop, shopify, source, t, tmpl,
    woo,
};
use crate::decide::Decision;
use crate::event::{Action, Cause, Change};
use crate::fact::{Coverage, Fact, Settlement, ShipmentId};
use crate::fulfillment::{Attribution, LockRefused};
use crate::order::Platform;
use crate::outcome::{NoOpReason, SkipReason};
use crate::run::{RunId, RunKey, RunState, Target};

const OURS: Attribution = Attribution::Ours { seq: 2 };

fn ours(names: &[&str]) -> Settlement {
    Settlement::Ours { shipments: ids(names), gone: Vec::new(), coverage: Coverage::Complete }
}

fn theirs(names: &[&str]) -> Settlement {
    Settlement::Theirs { shipments: ids(names), gone: Vec::new(), coverage: Coverage::Complete, at: None }
}

/// Packed by hand as event 2, its fulfill run holding the lock.
fn locked() -> Scene {
    let mut scene = Scene::packed();
    scene.lock(2, "one");
    scene
}

/// What a platform sends of one completion: the order twice, and the fulfillment on its own.
fn echoes(name: &str) -> Vec<Fact> {
    vec![
        shopify(30).fulfilled(&[name], 30).into(),
        shopify(31).fulfilled(&[name], 30).total("1.00").into(),
        shipment(name, 30, true, &["A"]),
        shipment(name, 32, true, &["A"]),
    ]
}

#[test]
fn law_5_the_echo_of_our_own_fulfillment_moves_nothing() {
    for settled_after in 0..=echoes("s1").len() {
        let mut scene = locked();
        for (i, echo) in echoes("s1").into_iter().enumerate() {
            if i == settled_after {
                assert!(!scene.settle(&ours(&["s1"])), "our own success is told by its run");
            }
            scene.apply(echo);
        }
        if settled_after == echoes("s1").len() {
            scene.settle(&ours(&["s1"]));
        }
        assert_eq!(scene.entered(), ["new", "packed"], "settled after {settled_after}");
        assert_eq!(scene.by(), Some(OURS));
        assert!(scene.order().fulfillment.edge_spent && scene.order().fulfillment.lock.is_none());
        let again = scene.apply(shopify(31).fulfilled(&["s1"], 30).total("1.00"));
        assert_eq!(again, Decision::NoOp(NoOpReason::OwnFulfillment));
    }
}

#[test]
fn law_5_the_echo_of_our_own_completion_in_woocommerce_moves_nothing() {
    let name = completed(30);
    for echo_first in [true, false] {
        let mut scene = locked();
        let echo =
            || woo(31, "completed").with(|f| f.fulfillment.shipments[0].id = ShipmentId(completed(30)));
        if echo_first {
            scene.apply(echo());
        }
        scene.settle(&ours(&[&name]));
        scene.apply(echo());
        assert_eq!((scene.entered(), scene.by()), (vec!["new", "packed"], Some(OURS)), "{echo_first}");
        // Somebody sets it back and completes it again: that is another identity, and theirs.
        scene.apply(woo(40, "processing"));
        scene.apply(woo(50, "completed"));
        assert_eq!((scene.stage(), scene.by()), ("shipped", Some(Attribution::Theirs)));
    }
}

#[test]
fn law_5_a_notification_from_before_our_own_completion_does_not_take_it_back() {
    let mut scene = locked();
    scene.settle(&ours(&[&completed(30)]));
    scene.apply(woo(29, "processing"));
    assert_eq!((scene.order().fulfillment.epoch, scene.by()), (0, Some(OURS)));
    scene.apply(woo(31, "processing"));
    assert_eq!(scene.order().fulfillment.epoch, 1, "a newer one does");
}

#[test]
fn law_5_their_fulfillment_moves_the_order_once_per_epoch() {
    let mut scene = Scene::packed();
    for echo in echoes("s1") {
        scene.apply(echo);
    }
    assert_eq!(scene.entered(), ["new", "packed", "shipped"]);
    let moved = scene.events.iter().find(|e| e.transition.as_ref().is_some_and(|x| x.to.name == "shipped"));
    assert_eq!(moved.unwrap().cause, Cause::PlatformFulfillment { channel: Some(channel()) });
    scene.go("packed", console());
    for echo in echoes("s2") {
        scene.apply(echo);
    }
    assert_eq!(scene.stage(), "packed", "another fulfillment of a fulfilled order is no edge");
}

#[test]
fn law_5_whoever_completes_an_order_of_two_hands_names_the_edge() {
    // Their part first, our rest: the completing write is ours.
    let mut scene = Scene::packed();
    scene.apply(shopify(20).partial(&["s1"], 20));
    scene.lock(2, "one");
    scene.settle(&ours(&["s2"]));
    scene.apply(shopify(30).fulfilled(&["s1", "s2"], 30));
    assert_eq!((scene.stage(), scene.by()), ("packed", Some(OURS)));
    // Our part first, their rest.
    let mut scene = locked();
    scene.settle(&Settlement::Ours {
        shipments: ids(&["s1"]),
        gone: Vec::new(),
        coverage: Coverage::Partial,
    });
    scene.apply(shopify(30).fulfilled(&["s1", "s2"], 30));
    assert_eq!((scene.stage(), scene.by()), ("shipped", Some(Attribution::Theirs)));
}

#[test]
fn law_5_what_the_look_saw_cancelled_does_not_complete_the_order_anew_when_it_is_told() {
    let mut scene = Scene::packed();
    scene.apply(shopify(20).partial(&["s1"], 20));
    scene.lock(2, "one");
    // They took s1 back and fulfilled the whole as s2; no notification of that has come yet.
    let found = Settlement::Theirs {
        shipments: ids(&["s2"]),
        gone: ids(&["s1"]),
        coverage: Coverage::Complete,
        at: None,
    };
    assert!(scene.settle(&found));
    assert_eq!((scene.stage(), scene.order().fulfillment.epoch), ("shipped", 1));
    scene.go("packed", console());
    scene.apply(shipment("s2", 40, true, &["A"]));
    scene.apply(shopify(41).shipment("s1", 40, false, &[]).fulfilled(&["s2"], 40));
    assert_eq!((scene.stage(), scene.order().fulfillment.epoch), ("packed", 1), "told before, by the look");
}

#[test]
fn law_5_an_echo_of_what_was_ours_and_taken_back_is_nobody_elses_fulfillment() {
    let mut scene = locked();
    let found = Settlement::Ours { shipments: vec![], gone: ids(&["s1"]), coverage: Coverage::None };
    scene.settle(&found);
    let seq = scene.order().seq;
    for echo in echoes("s1") {
        scene.apply(echo);
    }
    assert_eq!((scene.entered(), scene.by()), (vec!["new", "packed"], None));
    assert_eq!(scene.order().fulfillment.coverage, Coverage::None);
    let edges = scene.events.iter().filter(|e| e.seq > seq && matches!(e.change, Change::Fulfillment { .. }));
    assert_eq!(edges.count(), 0);
    // What comes after it is an edge again.
    scene.apply(shopify(50).shipment("s1", 45, false, &[]).fulfilled(&["s2"], 50));
    assert_eq!((scene.stage(), scene.by()), ("shipped", Some(Attribution::Theirs)));
}

#[test]
fn law_5_cancelling_our_fulfillment_gives_the_edge_back() {
    let mut scene = locked();
    scene.settle(&ours(&["s1"]));
    scene.apply(shipment("s1", 40, false, &[]));
    assert_eq!(scene.by(), None);
    scene.apply(shopify(50).shipment("s1", 40, false, &[]).fulfilled(&["s2"], 50));
    assert_eq!((scene.stage(), scene.by()), ("shipped", Some(Attribution::Theirs)));
}

#[test]
fn law_6_under_the_lock_a_fact_is_undetermined_and_moves_nothing() {
    let mut scene = locked();
    scene.apply(shopify(30).fulfilled(&["s1"], 30));
    let f = &scene.order().fulfillment;
    assert_eq!(f.shipments[&ShipmentId("s1".into())].by, Attribution::Undetermined);
    assert_eq!((f.coverage, f.edge_spent), (Coverage::Complete, false));
    assert_eq!((scene.stage(), scene.by()), ("packed", Some(Attribution::Undetermined)));
}

#[test]
fn law_6_the_finishing_write_attributes_and_decides_at_once() {
    let seen = || shopify(30).fulfilled(&["s1"], 30);
    let part = || shopify(30).partial(&["s1"], 30);
    let told_theirs = Some(Attribution::Theirs);
    let cases = [
        ("named by the answer", Some(seen()), ours(&["s1"]), "packed", Some(OURS)),
        ("not named", Some(seen()), Settlement::Nothing, "shipped", told_theirs.clone()),
        ("found theirs", Some(seen()), theirs(&["s1"]), "shipped", told_theirs.clone()),
        ("found theirs, not told yet", None, theirs(&["s1"]), "shipped", told_theirs.clone()),
        ("nothing seen, nothing done", None, Settlement::Nothing, "packed", None),
        ("nothing seen, ours", None, ours(&["s1"]), "packed", Some(OURS)),
        ("their part, our rest", Some(part()), ours(&["s2"]), "packed", Some(OURS)),
        ("their part, nothing done", Some(part()), Settlement::Nothing, "packed", None),
    ];
    for (what, seen, found, stage, by) in cases {
        let mut scene = locked();
        seen.map(|s| scene.apply(s));
        scene.settle(&found);
        let f = &scene.order().fulfillment;
        assert_eq!((scene.stage(), scene.by()), (stage, by), "{what}");
        assert!(
            f.lock.is_none() && f.shipments.values().all(|s| s.by != Attribution::Undetermined),
            "{what}"
        );
    }
}

#[test]
fn law_5_the_mark_of_the_run_that_holds_the_lock_tells_whose_it_is_whatever_the_runner_finds() {
    let order = source(Platform::Shopify).order_id(&shop());
    let copied_from = crate::id::OrderId::from_body("0a1b").unwrap();
    let mark = |order: &crate::id::OrderId, seq, key| RunId { order: order.clone(), seq, key }.to_string();
    let resent = RunKey { generation: 1, ..fulfill_key() };
    let cases = [
        ("the run that holds the lock", mark(&order, 2, fulfill_key()), "packed", OURS),
        ("an earlier run", mark(&order, 1, fulfill_key()), "shipped", Attribution::Theirs),
        ("another generation", mark(&order, 2, resent), "shipped", Attribution::Theirs),
        ("another order", mark(&copied_from, 2, fulfill_key()), "shipped", Attribution::Theirs),
        ("no run at all", "nobody".to_owned(), "shipped", Attribution::Theirs),
    ];
    for (what, marker, stage, by) in cases {
        let marked = |at| woo(at, "completed").with(|f| f.fulfillment.marker = Some(marker.clone()));
        let mut scene = locked();
        scene.apply(marked(31));
        assert_eq!((scene.stage(), scene.by()), ("packed", Some(Attribution::Undetermined)), "{what}");
        scene.settle(&Settlement::Nothing);
        assert_eq!((scene.stage(), scene.by()), (stage, Some(by)), "{what}");
    }
    // Without the lock it proves nothing: it stays on an order that was set back and completed again.
    let mut scene = Scene::packed();
    let marker = mark(&order, 2, fulfill_key());
    scene.apply(woo(31, "completed").with(|f| f.fulfillment.marker = Some(marker)));
    assert_eq!((scene.stage(), scene.by()), ("shipped", Some(Attribution::Theirs)));
}

#[test]
fn law_6_a_fulfillment_cancelled_while_we_waited_stays_cancelled() {
    for seen_before in [true, false] {
        let mut scene = locked();
        if seen_before {
            scene.apply(shopify(30).fulfilled(&["s1"], 30));
        }
        scene.apply(shipment("s1", 40, false, &[]));
        scene.settle(&ours(&["s1"]));
        let f = &scene.order().fulfillment;
        assert_eq!((f.coverage, f.edge_spent, &f.by), (Coverage::None, false, &None), "{seen_before}");
        assert!(!f.shipments[&ShipmentId("s1".into())].active);
    }
}

#[test]
fn law_6_parts_confirmed_while_the_lock_goes_on_are_ours() {
    let mut scene = locked();
    scene.apply(shopify(30).partial(&["s1"], 30));
    let f = &mut scene.order.as_mut().unwrap().fulfillment;
    f.note_ours(&ids(&["s1", "s2"]), 2);
    assert!(f.shipments.values().all(|s| s.by == OURS));
    scene.settle(&Settlement::Nothing);
    scene.apply(shopify(40).fulfilled(&["s1", "s2"], 40));
    assert_eq!((scene.stage(), scene.by()), ("packed", Some(OURS)));
}

#[test]
fn law_7_an_order_already_fulfilled_is_skipped_with_whom_and_when() {
    let platform = Platform::Shopify;
    let skipped = |scene: &Scene| {
        let RunState::Skipped { why, .. } = &scene.run(Action::Fulfill).state else { panic!("not skipped") };
        why.clone()
    };
    let mut scene = Scene::open();
    scene.apply(shopify(20).fulfilled(&["s1"], 20));
    let by_them = SkipReason::AlreadyFulfilled { by: Attribution::Theirs, platform, at: Some(t(20)) };
    assert_eq!(skipped(&scene), by_them, "in the very event that moves it");
    scene.go("packed", console());
    assert_eq!(skipped(&scene), by_them);

    let mut scene = locked();
    scene.settle(&ours(&["s1"]));
    let at = Some(scene.now);
    scene.go("shipped", console());
    assert_eq!(skipped(&scene), SkipReason::AlreadyFulfilled { by: OURS, platform, at });
}

#[test]
fn law_7_a_run_decided_while_another_holds_the_lock_waits_for_what_it_finds() {
    let mut scene = locked();
    scene.apply(shopify(30).fulfilled(&["s1"], 30));
    scene.go("shipped", console());
    assert!(scene.run(Action::Fulfill).is_open());
}

#[test]
fn law_7_the_lock_is_refused_when_nothing_remains() {
    let mut scene = Scene::packed();
    scene.apply(shopify(20).fulfilled(&["s1"], 20));
    let refused = scene.try_lock(2, &fulfill_key(), "one");
    assert_eq!(refused, Err(LockRefused::Fulfilled { by: Attribution::Theirs, at: Some(t(20)) }));
}

#[test]
fn law_7_the_lock_is_taken_again_only_by_its_own_run_after_the_lease() {
    let other = RunKey { target: Target::Fulfill(Some(channel())), generation: 1 };
    let mail = RunKey::first(Target::Email(tmpl("packed")));
    let cases = [
        ("in the lease", 2, fulfill_key(), 59, false),
        ("when it ends", 2, fulfill_key(), 60, true),
        ("another event", 3, fulfill_key(), 90, false),
        ("another generation", 2, other, 90, false),
        ("another action", 2, mail, 90, false),
    ];
    for (what, seq, run, after, granted) in cases {
        let mut scene = locked();
        let first = scene.order().fulfillment.lock.clone().unwrap();
        scene.now = first.since + SignedDuration::from_secs(after);
        let taken = scene.try_lock(seq, &run, "two");
        let lock = scene.order().fulfillment.lock.clone().unwrap();
        if granted {
            assert_eq!((lock.attempt, lock.since), (attempt("two"), first.since), "{what}");
        } else {
            assert_eq!(taken, Err(LockRefused::Held { until: first.until }), "{what}");
            assert_eq!(lock, first, "{what}");
        }
    }
}

#[test]
fn law_7_an_extended_lock_holds_as_long_as_it_says() {
    let mut scene = locked();
    let order = scene.order.as_mut().unwrap();
    order.fulfillment = order.fulfillment.lock_extended(t(5_000));
    scene.now = t(4_999);
    assert!(matches!(scene.try_lock(2, &fulfill_key(), "two"), Err(LockRefused::Held { .. })));
    scene.now = t(5_000);
    assert_eq!(scene.try_lock(2, &fulfill_key(), "two"), Ok(()));
}

#[derive(Debug, Clone)]
enum Step {
    Told(Fact),
    Settled(Settlement),
}

fn any_arrival(found: Settlement) -> impl Strategy<Value = (Settlement, Vec<Step>)> {
    let twice = echoes("s1").into_iter().chain(echoes("s1")).map(Step::Told);
    let steps: Vec<Step> = twice.chain([Step::Settled(found.clone())]).collect();
    Just(steps).prop_shuffle().prop_map(move |steps| (found.clone(), steps))
}

proptest! {
    #[test]
    fn law_5_and_6_hold_in_any_order_of_arrival(
        (found, steps) in proptest::prop_oneof![
            any_arrival(ours(&["s1"])), any_arrival(theirs(&["s1"])), any_arrival(Settlement::Nothing),
        ],
    ) {
        let mut scene = locked();
        for step in steps {
            match step {
                Step::Told(fact) => { scene.apply(fact); }
                Step::Settled(found) => { scene.settle(&found); }
            }
        }
        let own = matches!(found, Settlement::Ours { .. });
        let expected: &[&str] = if own { &["new", "packed"] } else { &["new", "packed", "shipped"] };
        prop_assert_eq!(scene.entered(), expected);
        prop_assert_eq!(scene.by(), Some(if own { OURS } else { Attribution::Theirs }));
        prop_assert!(scene.order().fulfillment.edge_spent);
        prop_assert_eq!(scene.order().packages.total, 1);
    }
}
