//! Laws 8 and 9: forward only, the stale screen, and the breaker.

use jiff::SignedDuration;

use super::scene::{Scene, add, api_key, console, is_refused, remove, scan, shipment, shopify, stg, t};
use crate::decide::{Decision, Refused};
use crate::event::{Action, Actor, Change};
use crate::fact::{Fact, Follows, MoveFact};
use crate::flow::FulfilledWhen;
use crate::order::{Hold, HoldReason};
use crate::outcome::{IgnoreReason, NoOpReason, SkipReason};
use crate::package::TrackingStatus;
use crate::restore::RestoredAt;
use crate::run::RunState;

fn refusal(scene: &Scene) -> Option<(&str, &IgnoreReason)> {
    scene.last().refused.as_ref().map(|r| (r.to.name.as_str(), &r.reason))
}

/// A program whose answer was lost asks again: what it asked for is told from what others did.
#[test]
fn law_9_a_move_knows_the_wish_that_it_meets() {
    let mut scene = Scene::open();
    let wish = MoveFact {
        stage: stg("packed"),
        expected_seq: scene.order().seq,
        actor: api_key(),
        follows: Follows::All,
    };
    assert!(!scene.last().meets(&wish));
    scene.apply(Fact::Move(wish.clone()));
    assert!(scene.last().meets(&wish));
    for other in [
        MoveFact { stage: stg("shipped"), ..wish.clone() },
        MoveFact { expected_seq: wish.expected_seq + 1, ..wish.clone() },
        MoveFact { actor: console(), ..wish.clone() },
        MoveFact { follows: Follows::Nothing, ..wish.clone() },
    ] {
        assert!(!scene.last().meets(&other), "{other:?}");
    }
    assert!(is_refused(&scene.apply(Fact::Move(wish))).is_some(), "and it is not made twice");
}

#[test]
fn law_8_automatic_moves_go_forward_only() {
    let mut scene = Scene::open();
    scene.go("delivered", console());
    scene.apply(shopify(20).fulfilled(&["s1"], 20));
    assert_eq!(scene.stage(), "delivered");
    assert_eq!(refusal(&scene), Some(("shipped", &IgnoreReason::NotForward)), "told on the timeline");
}

#[test]
fn law_8_forward_is_what_the_positions_say_now() {
    let mut scene = Scene::open();
    scene.go("packed", console());
    scene.playbook.flow.stages.swap(2, 3);
    scene.apply(shopify(20).fulfilled(&["s1"], 20));
    assert_eq!(refusal(&scene), Some(("shipped", &IgnoreReason::NotForward)));
}

#[test]
fn law_8_automation_does_not_enter_a_stage_again_until_somebody_moved_the_order() {
    // Fulfilled, cancelled, fulfilled again; the positions were changed meanwhile.
    let again = |by_hand: Option<Actor>| {
        let mut scene = Scene::open();
        scene.apply(shopify(20).fulfilled(&["s1"], 20));
        scene.apply(add("A"));
        scene.apply(scan("A", 25, TrackingStatus::Delivered));
        scene.playbook.flow.stages.swap(3, 4);
        by_hand.map(|actor| scene.go("packed", actor));
        scene.apply(shipment("s1", 30, false, &[]));
        scene.apply(shopify(40).shipment("s1", 30, false, &[]).fulfilled(&["s2"], 40));
        scene
    };
    let scene = again(None);
    assert_eq!(
        (scene.stage(), refusal(&scene)),
        ("delivered", Some(("shipped", &IgnoreReason::AlreadyEntered)))
    );
    assert_eq!(again(Some(console())).stage(), "shipped");
    assert_eq!(again(Some(api_key())).stage(), "shipped");
}

#[test]
fn law_8_manual_moves_go_anywhere() {
    for actor in [console(), api_key()] {
        let mut scene = Scene::open();
        for stage in ["delivered", "new", "packed", "printing"] {
            assert!(matches!(scene.go(stage, actor.clone()), Decision::Changed(_)), "{stage}");
            assert_eq!((scene.stage(), &scene.last().change), (stage, &Change::Moved));
        }
        assert_eq!(scene.go("printing", actor), Decision::NoOp(NoOpReason::SameStage));
    }
}

#[test]
fn law_8_a_stale_screen_is_refused_with_the_current_stage() {
    let mut scene = Scene::open();
    let expected_seq = scene.order().seq;
    scene.apply(shopify(20).fulfilled(&["s1"], 20));
    for actor in [console(), api_key()] {
        let stale = Fact::Move(MoveFact { stage: stg("packed"), expected_seq, actor, follows: Follows::All });
        let decision = scene.apply(stale);
        assert_eq!(is_refused(&decision), Some(&Refused::Stale { stage: Some(stg("shipped")), seq: 2 }));
    }
    let lost = scene.go("nowhere", console());
    assert_eq!(is_refused(&lost), Some(&Refused::UnknownStage));
    let nobody = Scene::default().apply(Fact::Move(MoveFact {
        stage: stg("new"),
        expected_seq: 0,
        actor: console(),
        follows: Follows::All,
    }));
    assert_eq!(is_refused(&nobody), Some(&Refused::UnknownOrder));
}

#[test]
fn law_8_delivery_moves_forward_once_all_is_shipped_and_delivered() {
    let delivered = |n| scan(n, 50, TrackingStatus::Delivered);
    let cases: [(&str, Vec<Fact>, &str); 6] = [
        ("one of two", vec![add("A"), add("B"), delivered("A")], "new"),
        ("both", vec![add("A"), add("B"), delivered("A"), delivered("B")], "delivered"),
        ("the other taken away", vec![add("A"), add("B"), delivered("A"), remove("B")], "delivered"),
        ("none left", vec![add("A"), remove("A")], "new"),
        ("a part", vec![add("A"), shopify(20).partial(&["s1"], 20).into(), delivered("A")], "new"),
        (
            "the rest is told after all has arrived",
            vec![
                add("A"),
                shopify(20).partial(&["s1"], 20).into(),
                delivered("A"),
                shopify(60).fulfilled(&["s1", "s2"], 60).into(),
            ],
            "delivered",
        ),
    ];
    for (what, facts, stage) in cases {
        let mut scene = Scene::open();
        for fact in facts {
            scene.apply(fact);
        }
        assert_eq!(scene.stage(), stage, "{what}");
        assert!(scene.entered().len() <= 2, "{what}: one transition");
    }
}

/// In Packed, entered by the API for the third time: the next entry would be the third re-entry.
fn looping() -> Scene {
    let mut scene = Scene::open();
    for stage in ["packed", "printing", "packed", "printing", "packed", "printing"] {
        assert!(matches!(scene.go(stage, api_key()), Decision::Changed(_)));
        assert_eq!(scene.stage(), stage);
    }
    scene
}

#[test]
fn law_9_the_third_automatic_reentry_holds_the_order() {
    let mut scene = looping();
    scene.go("packed", api_key());
    assert_eq!((scene.stage(), &scene.last().change), ("printing", &Change::Held));
    assert!(scene.last().runs.is_empty(), "nothing is sent");
    assert!(scene.last().tripped, "whoever runs the deployment hears of it");
    let hold = scene.order().hold.clone().unwrap();
    let breaker = HoldReason::Breaker { stage: stg("packed") };
    assert_eq!((hold.why, hold.pending), (breaker, Some(stg("packed"))));
    assert_eq!(refusal(&scene), Some(("packed", &IgnoreReason::OnHold)));
    assert_eq!(is_refused(&scene.go("new", api_key())), Some(&Refused::OnHold));
}

#[test]
fn law_9_a_fact_can_be_the_third_reentry() {
    let mut scene = Scene::open().with_rule(FulfilledWhen::Complete);
    for (at, name, back) in [(20, "s1", "printing"), (30, "s2", "packed"), (40, "s3", "new")] {
        scene.apply(shopify(at).fulfilled(&[name], at));
        assert_eq!(scene.stage(), "shipped");
        scene.apply(shipment(name, at + 1, false, &[]));
        scene.go(back, api_key());
    }
    scene.apply(shopify(50).fulfilled(&["s4"], 50));
    assert_eq!(scene.stage(), "new");
    assert_eq!(scene.order().hold.as_ref().unwrap().pending, Some(stg("shipped")));
    assert!(scene.last().tripped);
    assert_eq!(scene.order().fulfillment.by, Some(crate::fulfillment::Attribution::Theirs), "still recorded");
}

#[test]
fn law_9_resume_applies_the_latest_once() {
    let mut scene = looping();
    scene.go("packed", api_key());
    scene.apply(shopify(20).fulfilled(&["s1"], 20));
    assert_eq!(refusal(&scene), Some(("shipped", &IgnoreReason::OnHold)));
    assert!(!scene.last().tripped, "it is stopped already");
    assert_eq!(scene.stage(), "printing");
    let before = scene.entered().len();
    scene.apply(Fact::Resume { actor: console() });
    assert_eq!((scene.stage(), &scene.last().change), ("shipped", &Change::Resumed));
    assert_eq!((scene.entered().len(), &scene.order().hold), (before + 1, &None));
    assert_eq!(scene.apply(Fact::Resume { actor: console() }), Decision::NoOp(NoOpReason::NotHeld));
}

#[test]
fn law_9_only_a_move_that_is_allowed_otherwise_waits_for_the_release() {
    let mut scene = looping();
    scene.playbook.flow.fulfilled_stage = Some(stg("new"));
    scene.go("packed", api_key());
    scene.apply(shopify(20).fulfilled(&["s1"], 20));
    assert_eq!(refusal(&scene), Some(("new", &IgnoreReason::NotForward)));
    scene.apply(Fact::Resume { actor: console() });
    assert_eq!(scene.stage(), "packed", "not back");
}

#[test]
fn law_9_a_move_in_the_console_ends_the_hold_and_the_count() {
    let mut scene = looping();
    scene.go("packed", console());
    assert_eq!((scene.stage(), &scene.order().hold), ("packed", &None));
    for stage in ["printing", "packed", "printing", "packed", "printing"] {
        scene.go(stage, api_key());
        assert_eq!(scene.stage(), stage, "counted from the move in the console");
    }
    scene.go("packed", api_key());
    assert!(scene.order().hold.is_some());
    scene.go("delivered", console());
    assert_eq!((scene.stage(), &scene.order().hold), ("delivered", &None));
}

#[test]
fn law_9_a_hold_by_hand_stays_until_it_is_released_and_keeps_the_latest_move() {
    let mut scene = Scene::open();
    scene.apply(Fact::Hold { actor: console() });
    assert_eq!((scene.stage(), &scene.last().change), ("new", &Change::Held));
    assert_eq!(scene.apply(Fact::Hold { actor: api_key() }), Decision::NoOp(NoOpReason::AlreadyHeld));
    scene.apply(shopify(20).fulfilled(&["s1"], 20));
    assert_eq!(refusal(&scene), Some(("shipped", &IgnoreReason::OnHold)), "facts are still recorded");
    scene.go("printing", console());
    assert!(!scene.last().tripped, "a hold by hand is no loop");
    let hold = scene.order().hold.clone().unwrap();
    assert_eq!(hold.why, HoldReason::Manual { by: console() }, "a move does not release it");
    assert_eq!(is_refused(&scene.go("packed", api_key())), Some(&Refused::OnHold));
    scene.apply(Fact::Resume { actor: console() });
    assert_eq!((scene.stage(), &scene.order().hold), ("shipped", &None));
}

#[test]
fn law_9_both_kinds_of_hold_survive_storage() {
    let at = t(1);
    let pending = Some(stg("packed"));
    for why in [HoldReason::Breaker { stage: stg("packed") }, HoldReason::Manual { by: console() }] {
        let pending_silent = Some(SkipReason::StaleFact);
        let hold = Hold { at, why, pending: pending.clone(), pending_silent };
        let stored = serde_json::to_string(&hold).unwrap();
        assert_eq!(serde_json::from_str::<Hold>(&stored).unwrap(), hold, "{stored}");
    }
    let before =
        r#"{"at":"2026-11-22T09:00:01Z","by":{"kind":"console","name":"Ann"},"pending":"stg_packed"}"#;
    let hold: Hold = serde_json::from_str(before).unwrap();
    assert_eq!((hold.pending, hold.pending_silent), (pending, None), "as it was stored before");
}

#[test]
fn law_8_resume_takes_no_order_back_from_where_somebody_moved_it() {
    // Where somebody puts the order while a move to Shipped waits, and where it is after its release.
    for (moved, released) in [("printing", "shipped"), ("shipped", "shipped"), ("delivered", "delivered")] {
        let mut scene = Scene::open();
        scene.apply(Fact::Hold { actor: console() });
        scene.apply(shopify(20).fulfilled(&["s1"], 20));
        assert_eq!(scene.order().hold.as_ref().unwrap().pending, Some(stg("shipped")));
        scene.go(moved, console());
        let still = (moved == "printing").then(|| stg("shipped"));
        assert_eq!(scene.order().hold.as_ref().unwrap().pending, still, "{moved}: nobody is promised more");
        let entered = scene.entered().len();
        scene.apply(Fact::Resume { actor: console() });
        assert_eq!((scene.stage(), &scene.order().hold), (released, &None), "{moved}");
        assert_eq!(scene.entered().len(), entered + usize::from(moved == "printing"), "{moved}");
        assert_eq!(scene.mails().last(), Some(&released), "{moved}");
    }
}

#[test]
fn law_8_what_waited_for_the_release_goes_forward_by_the_positions_of_now() {
    let mut scene = Scene::open();
    scene.go("packed", console());
    scene.apply(Fact::Hold { actor: console() });
    scene.apply(shopify(20).fulfilled(&["s1"], 20));
    scene.playbook.flow.stages.swap(2, 3);
    scene.apply(Fact::Resume { actor: console() });
    assert_eq!(scene.stage(), "packed", "shipped comes before it by now");
    // Where a program's move tripped the breaker, its move is what waits: programs move anywhere.
    let mut back = looping();
    back.playbook.flow.stages.swap(1, 2);
    back.go("packed", api_key());
    assert!(back.order().hold.is_some());
    back.apply(Fact::Resume { actor: console() });
    assert_eq!(back.stage(), "packed");
}

/// A hold put on an order with a parcel, before a fact of second 20 comes; and why the mail of the stage that it asks
/// for does not leave, on hold and after its release, or off hold.
fn silence_of(fact: &Fact, held: bool, late: SignedDuration, cut: Option<RestoredAt>) -> Option<SkipReason> {
    let mut scene = Scene::open();
    scene.apply(add("A"));
    if held {
        scene.apply(Fact::Hold { actor: console() });
    }
    (scene.now, scene.restored_at) = (t(20) + late, cut);
    scene.apply(fact.clone());
    if held {
        assert_eq!(scene.stage(), "new");
        scene.now += SignedDuration::from_hours(1);
        scene.apply(Fact::Resume { actor: console() });
    }
    assert_ne!(scene.stage(), "new");
    match &scene.run(Action::Email).state {
        RunState::Skipped { why, .. } => Some(why.clone()),
        _ => None,
    }
}

#[test]
fn law_4_a_move_that_is_silent_off_hold_is_silent_after_its_release() {
    let facts: [Fact; 2] =
        [shopify(20).fulfilled(&["s1"], 20).into(), scan("A", 20, TrackingStatus::Delivered)];
    let cut = RestoredAt::parse(&t(500).to_string()).unwrap();
    let cases = [
        ("live", SignedDuration::from_secs(1_000), None, None),
        ("eight days old", SignedDuration::from_hours(8 * 24), None, Some(SkipReason::StaleFact)),
        ("before a restore", SignedDuration::from_secs(1_000), Some(cut), Some(SkipReason::BeforeRestore)),
    ];
    for fact in &facts {
        for (what, late, cut, silent) in cases.clone() {
            for held in [false, true] {
                assert_eq!(silence_of(fact, held, late, cut), silent, "{what}, on hold: {held}");
            }
        }
    }
}

#[test]
fn law_9_a_silent_move_that_trips_the_breaker_stays_silent() {
    let mut scene = looping();
    let expected_seq = scene.order().seq;
    let follows = Follows::Nothing;
    scene.apply(Fact::Move(MoveFact { stage: stg("packed"), expected_seq, actor: api_key(), follows }));
    assert_eq!(scene.order().hold.as_ref().unwrap().pending_silent, Some(SkipReason::Quiet));
    scene.apply(Fact::Resume { actor: console() });
    assert_eq!((scene.stage(), scene.last().open_runs()), ("packed", 0));
}

#[test]
fn law_9_the_count_survives_storage() {
    use crate::order::Visit;
    for fresh in [true, false] {
        for automatic in [0, 1, 3, 127] {
            let visit = Visit { fresh, automatic };
            assert_eq!(Visit::from(u8::from(visit)), visit);
        }
        assert_eq!(Visit::from(u8::from(Visit { fresh, automatic: 255 })), Visit { fresh, automatic: 127 });
    }
    let order = looping().order.unwrap();
    let stored = serde_json::to_string(&order).unwrap();
    assert_eq!(serde_json::from_str::<crate::order::Order>(&stored).unwrap(), order);
}
