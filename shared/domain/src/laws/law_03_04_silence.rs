//! Laws 3 and 4: what was there before, and what is told too late, moves silently.

use jiff::SignedDuration;

use super::scene::{Scene, Seen, add, console, scan, shipment, shopify, stg, t, tmpl};
use crate::decide::STALE_AFTER;
use crate::event::{Action, Change};
use crate::fact::Origin;
use crate::flow::FulfilledWhen;
use crate::order::Lifecycle;
use crate::outcome::SkipReason;
use crate::package::TrackingStatus;
use crate::run::{Run, RunKey, RunState, Target};

fn why(run: &Run) -> Option<&'static str> {
    if let RunState::Skipped { why, .. } = &run.state { Some(why.code()) } else { None }
}

#[test]
fn law_3_the_first_sighting_is_silent_before_the_channel_was_armed_and_by_import() {
    let armed = |seconds| move |f: &mut crate::fact::OrderFact| f.armed_at = Some(t(seconds));
    let fulfilled = || shopify(20).fulfilled(&["s1"], 20);
    let cases: [(&str, Seen, &str, Option<&str>); 8] = [
        ("live", shopify(20), "new", None),
        ("created just when it was armed", shopify(20).with(armed(0)), "new", None),
        ("created before", shopify(20).with(armed(1)), "new", Some("imported")),
        ("created before, further on", fulfilled().with(armed(1)), "shipped", Some("imported")),
        ("imported", shopify(20).with(|f| f.origin = Origin::Import), "new", Some("imported")),
        (
            "imported, further on",
            fulfilled().with(|f| f.origin = Origin::Import),
            "shipped",
            Some("imported"),
        ),
        ("cancelled already", shopify(20).cancelled(), "new", Some("order_cancelled")),
        ("by the API, never armed", shopify(20).with(|f| f.armed_at = None), "new", None),
    ];
    for (what, seen, stage, skipped) in cases {
        let mut scene = Scene::default();
        scene.apply(seen);
        assert_eq!(scene.stage(), stage, "{what}");
        assert_eq!(scene.last().change, Change::Created { silent: skipped.is_some() }, "{what}");
        assert_eq!(why(scene.run(Action::Email)), skipped, "{what}");
        assert_eq!(scene.last().open_runs() == 0, skipped.is_some(), "{what}");
    }
}

#[test]
fn law_3_an_adopted_order_stays_silent_there_and_acts_on_what_comes_later() {
    let mut scene = Scene::default();
    scene.apply(shopify(20).with(|f| f.origin = Origin::Import));
    scene.apply(shopify(30).total("1.00").with(|f| f.armed_at = Some(t(1))));
    assert!(scene.mails().is_empty(), "a later look at it changes nothing");
    scene.apply(shopify(40).fulfilled(&["s1"], 40).with(|f| f.armed_at = Some(t(1))));
    assert_eq!(scene.mails(), ["shipped"], "what happens live, acts");

    let mut scene = Scene::default();
    scene.apply(shopify(20).fulfilled(&["s1"], 20).with(|f| f.origin = Origin::Import));
    scene.apply(shopify(30).fulfilled(&["s1"], 20).total("1.00"));
    assert_eq!(scene.entered(), ["shipped"], "its edge was spent on adoption");
}

#[test]
fn law_3_a_live_order_first_seen_further_on_makes_one_transition() {
    let mut scene = Scene::default();
    scene.apply(shopify(20).fulfilled(&["s1"], 20));
    assert_eq!(scene.entered(), ["shipped"]);
    assert_eq!(scene.mails(), ["shipped"]);
    assert_eq!(scene.last().transition.as_ref().unwrap().from, None);
    for passed in ["new", "printing", "packed"] {
        let run = &scene.last().runs[&RunKey::first(Target::Email(tmpl(passed)))];
        let expected = SkipReason::PassedThrough { stage: stg(passed) };
        assert_eq!(run.state, RunState::Skipped { at: scene.now, why: expected }, "{passed}");
    }
}

#[test]
fn law_3_the_furthest_stage_is_what_the_state_asks_for() {
    let delivered = |number| scan(number, 30, TrackingStatus::Delivered);
    let cases: [(&str, FulfilledWhen, Vec<crate::fact::Fact>, &str); 6] = [
        ("nothing", FulfilledWhen::Complete, vec![shopify(40).into()], "new"),
        ("a part", FulfilledWhen::Complete, vec![shopify(40).partial(&["s1"], 20).into()], "new"),
        ("a part, on first", FulfilledWhen::First, vec![shopify(40).partial(&["s1"], 20).into()], "shipped"),
        (
            "a part told before the order",
            FulfilledWhen::First,
            vec![shipment("s1", 20, true, &[]), shopify(40).partial(&["s1"], 20).into()],
            "shipped",
        ),
        (
            "all of it delivered",
            FulfilledWhen::Complete,
            vec![
                shipment("s1", 20, true, &["A"]),
                delivered("A"),
                shopify(40).fulfilled(&[], 20).shipment("s1", 20, true, &["A"]).into(),
            ],
            "delivered",
        ),
        (
            "a part of it delivered, more to come",
            FulfilledWhen::Complete,
            vec![
                shipment("s1", 20, true, &["A"]),
                delivered("A"),
                shopify(40).partial(&[], 20).shipment("s1", 20, true, &["A"]).into(),
            ],
            "new",
        ),
    ];
    for (what, rule, facts, stage) in cases {
        let mut scene = Scene::default().with_rule(rule);
        for fact in facts {
            scene.apply(fact);
        }
        assert_eq!(scene.entered(), [stage], "{what}");
    }
}

#[test]
fn law_3_an_order_without_a_flow_is_stored_and_never_automated() {
    let mut scene = Scene::default();
    let playbook = scene.playbook.clone();
    let context = crate::decide::Context {
        shop: &playbook.settings.shop,
        order_id: &super::scene::source(crate::order::Platform::Shopify).order_id(&playbook.settings.shop),
        order: None,
        snapshot: None,
        packages: &[],
        playbook: None,
        now: scene.now,
    };
    let fact = shopify(20).fulfilled(&["s1"], 20).into();
    let crate::decide::Decision::Changed(changes) = crate::decide::decide(context, &fact) else { panic!() };
    assert_eq!(changes.order.placement, crate::order::Placement::Untriaged);
    assert!(
        changes.event.runs.is_empty() && changes.event.transition.is_none() && changes.snapshot.is_some()
    );
    // A default flow set later leaves it there.
    (scene.order, scene.snapshot) = (Some(changes.order), changes.snapshot);
    scene.apply(shopify(30).fulfilled(&["s1"], 20).total("1.00"));
    assert!(scene.entered().is_empty());
}

#[test]
fn law_4_a_fact_older_than_seven_days_moves_silently() {
    for (late, silent) in [(SignedDuration::ZERO, false), (SignedDuration::from_secs(1), true)] {
        let mut scene = Scene::open();
        scene.apply(add("A"));
        scene.now = t(20) + STALE_AFTER + late - SignedDuration::from_secs(1);
        let mut others = [scene.clone(), scene.clone(), Scene { order: None, ..scene.clone() }];
        others[0].apply(shopify(20).fulfilled(&["s1"], 20));
        others[1].apply(scan("A", 20, TrackingStatus::Delivered));
        others[2].apply(shopify(20));
        for (scene, stage) in others.iter().zip(["shipped", "delivered", "new"]) {
            assert_eq!(scene.stage(), stage);
            assert_eq!(why(scene.run(Action::Email)), silent.then_some("stale_fact"), "{stage} {late}");
        }
    }
}

#[test]
fn law_4_an_edited_automation_never_acts_on_orders_already_there() {
    let mut scene = Scene::open();
    let before = scene.clone();
    for stage in &mut scene.playbook.flow.stages {
        stage.automations.email.as_mut().unwrap().enabled = false;
        stage.automations.webhook = None;
    }
    scene.apply(shopify(30).total("1.00"));
    assert_eq!(scene.events[0], before.events[0], "what was decided, stays decided");
    scene.go("shipped", console());
    assert_eq!(scene.last().runs.len(), 1, "only the fulfillment is still enabled");
    scene.playbook = before.playbook;
    scene.apply(shopify(40).total("2.00"));
    assert!(scene.last().runs.is_empty(), "enabled again, nothing is made up for");
}

#[test]
fn law_4_a_cancelled_order_is_not_moved_by_facts() {
    let mut scene = Scene::open();
    scene.apply(shopify(20).cancelled());
    scene.apply(shopify(30).cancelled().fulfilled(&["s1"], 30));
    assert_eq!(scene.stage(), "new");
    assert_eq!(scene.last().refused.as_ref().unwrap().reason, crate::outcome::IgnoreReason::OrderCancelled);
    assert!(matches!(scene.order().lifecycle, Lifecycle::Cancelled { .. }));
}
