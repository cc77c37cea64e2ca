//! Laws 3 and 4: what was there before, and what is told too late, moves silently.

use jiff::SignedDuration;

use super::scene::{Scene, Seen, add, console, scan, shipment, shopify, stg, t, tmpl, woo};
use crate::decide::{Decision, STALE_AFTER};
use crate::event::{Action, Change};
use crate::fact::Origin;
use crate::flow::FulfilledWhen;
use crate::order::Lifecycle;
use crate::outcome::{NoOpReason, SkipReason};
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
        entry: None,
        playbook: None,
        now: scene.now,
        received_at: scene.now,
        restored_at: None,
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

#[test]
fn law_3_what_is_not_placed_yet_is_no_order_and_its_first_sighting_is_when_it_is_placed() {
    let mut scene = Scene::default();
    let unpaid = |at| woo(at, "pending").with(|f| f.draft = true);
    let failed = |at| unpaid(at).cancelled();
    for seen in [unpaid(10), failed(20), unpaid(30)] {
        assert_eq!(scene.apply(seen), Decision::NoOp(NoOpReason::Draft));
    }
    scene.apply(woo(40, "processing"));
    assert_eq!((scene.entered(), scene.mails()), (vec!["new"], vec!["new"]));
    assert_eq!(scene.last().change, Change::Created { silent: false });
    // Of a known order the same words count.
    scene.apply(failed(50));
    assert_eq!(scene.last().change, Change::Cancelled);
    scene.apply(unpaid(60));
    assert_eq!(scene.last().change, Change::Reopened);
}

/// An end that a runner gives to a run.
fn skipped(why: SkipReason) -> impl Fn(&RunKey, &Run) -> Run {
    move |_, run| run.skip(why.clone(), t(2_000))
}

fn succeeded(_: &RunKey, run: &Run) -> Run {
    let state = RunState::Succeeded { at: t(2_000), detail: "sent".into() };
    Run { state, ..run.clone() }
}

/// What a reopening at second 60 plans, if the order's only runs ended like this while it was cancelled.
fn planned_on_reopening(end: impl Fn(&RunKey, &Run) -> Run) -> (Vec<String>, usize) {
    let mut scene = Scene::open();
    scene.apply(shopify(50).cancelled());
    scene.end_runs(end);
    scene.apply(shopify(60));
    assert_eq!(scene.last().change, Change::Reopened);
    (scene.entered().into_iter().map(str::to_owned).collect(), scene.last().open_runs())
}

#[test]
fn law_10_a_reopened_order_gets_what_its_cancellation_alone_kept_from_it() {
    let once = |entered: &[&str], open| (entered.iter().map(|e| (*e).to_owned()).collect::<Vec<_>>(), open);
    assert_eq!(planned_on_reopening(skipped(SkipReason::OrderCancelled)), once(&["new", "new"], 1));
    for why in [SkipReason::NoAddress, SkipReason::Superseded { by_seq: 9 }, SkipReason::StaleFact] {
        assert_eq!(planned_on_reopening(skipped(why.clone())), once(&["new"], 0), "{why:?}");
    }
    assert_eq!(planned_on_reopening(succeeded), once(&["new"], 0), "what was done");
    assert_eq!(planned_on_reopening(|_, run| run.clone()), once(&["new"], 0), "what is still open");
}

#[test]
fn law_10_an_order_first_seen_cancelled_gets_the_runs_of_its_stage_once_when_it_is_opened() {
    let mut scene = Scene::default();
    scene.apply(shopify(20).cancelled());
    assert!(scene.mails().is_empty());
    scene.apply(shopify(30));
    assert_eq!((scene.entered(), scene.mails()), (vec!["new", "new"], vec!["new"]));
    assert_eq!(scene.last().seq, 2);
    // To and fro: what was skipped is planned again, what was done is not.
    scene.apply(shopify(40).cancelled());
    scene.end_runs(skipped(SkipReason::OrderCancelled));
    scene.apply(shopify(50));
    assert_eq!(scene.last().open_runs(), 1);
    scene.end_runs(succeeded);
    scene.apply(shopify(60).cancelled());
    scene.apply(shopify(70));
    assert_eq!((scene.entered().len(), scene.last().open_runs()), (3, 0));
}

#[test]
fn law_9_an_order_that_is_cancelled_and_reopened_without_end_is_put_on_hold() {
    let mut scene = Scene::default();
    for n in 1..10 {
        scene.apply(shopify(20 * n).cancelled());
        scene.end_runs(skipped(SkipReason::OrderCancelled));
        scene.apply(shopify(20 * n + 10));
    }
    assert_eq!(scene.entered(), ["new"; 3]);
    assert!(scene.order().hold.is_some());
    assert_eq!(scene.events.iter().filter(|e| e.refused.is_some()).count(), 1);
}

#[test]
fn law_4_a_reopening_plans_only_what_was_switched_on_at_the_entry_and_is_now() {
    let reopened = |edit: fn(&mut crate::flow::Automations), late: SignedDuration| {
        let mut scene = Scene::default();
        scene.apply(shopify(20).cancelled());
        edit(&mut scene.playbook.flow.stages[0].automations);
        scene.now += late;
        scene.apply(shopify(30));
        scene
    };
    let later = reopened(
        |a| {
            let endpoint = super::scene::endpoint();
            a.webhook = Some(crate::flow::WebhookAutomation { enabled: true, endpoint });
        },
        SignedDuration::ZERO,
    );
    let keys: Vec<_> = later.last().runs.keys().map(RunKey::action).collect();
    assert_eq!(keys, [Action::Email], "enabling acts on nobody who is there already");
    let off = reopened(|a| a.email = None, SignedDuration::ZERO);
    assert!(off.last().runs.is_empty() && off.last().transition.is_none());
    let stale = reopened(|_| {}, STALE_AFTER);
    assert_eq!(why(stale.last().runs.values().next().unwrap()), Some("stale_fact"));
    let mut imported = Scene::default();
    imported.apply(shopify(20).cancelled().with(|f| f.origin = Origin::Import));
    imported.apply(shopify(30));
    assert_eq!((imported.entered(), imported.mails().len()), (vec!["new"], 0));
}
