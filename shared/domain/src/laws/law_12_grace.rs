//! Law 12: the short grace, and mails in the order of their events.

use jiff::SignedDuration;

use super::scene::{GRACE, Scene, api_key, console, shopify};
use crate::decide::superseded;
use crate::event::{Action, Actor};
use crate::fact::{Fact, Follows, MoveFact};
use crate::id::{EndpointId, StageId};
use crate::outcome::SkipReason;
use crate::run::{Run, RunState};
use crate::shop::GRACE_SECONDS_MAX;
use crate::webhook::EventType;

/// Seconds that the run of this action waits after the decision.
fn waits(scene: &Scene, action: Action) -> i64 {
    let RunState::Pending { due } = scene.run(action).state else { panic!("not pending") };
    due.duration_since(scene.now).as_secs()
}

#[test]
fn law_12_every_mail_waits_and_every_run_of_a_move_in_the_console() {
    let by_fact = |scene: &mut Scene| scene.apply(shopify(20).fulfilled(&["s1"], 20));
    let moved = |actor: Actor| move |scene: &mut Scene| scene.go("shipped", actor.clone());
    let mut fact = Scene::open();
    by_fact(&mut fact);
    let (mut api, mut person) = (Scene::open(), Scene::open());
    moved(api_key())(&mut api);
    moved(console())(&mut person);
    for (what, scene, others) in [("fact", &fact, 0), ("api", &api, 0), ("console", &person, GRACE)] {
        assert_eq!(waits(scene, Action::Email), GRACE, "{what}");
        assert_eq!(waits(scene, Action::Webhook), others, "{what}");
    }
    assert_eq!((waits(&api, Action::Fulfill), waits(&person, Action::Fulfill)), (0, GRACE));
}

#[test]
fn law_12_the_grace_is_the_shops_own_up_to_five_minutes() {
    for (set, waited) in [(0, 0), (25, 25), (300, 300), (u32::MAX, i64::from(GRACE_SECONDS_MAX))] {
        let mut scene = Scene::default();
        scene.playbook.settings.grace_seconds = set;
        assert_eq!(scene.playbook.settings.grace(), SignedDuration::from_secs(waited));
        scene.apply(shopify(10));
        assert_eq!(waits(&scene, Action::Email), waited);
    }
}

#[test]
fn law_12_mails_go_in_the_order_of_their_events() {
    let mut scene = Scene::open();
    for stage in ["printing", "packed"] {
        scene.go(stage, console());
    }
    scene.playbook.flow.stages[3].automations.email = None;
    scene.go("shipped", console());
    scene.apply(shopify(30).without_email());
    scene.go("delivered", console());
    scene.apply(shopify(40));
    scene.go("new", console());
    let chain: Vec<_> = scene
        .events
        .iter()
        .flat_map(|e| e.runs.iter().map(move |(k, r)| (e.seq, k, r)))
        .filter(|(_, k, r)| k.action() == Action::Email && r.is_open())
        .map(|(seq, _, r)| (seq, r.after_mail))
        .collect();
    assert_eq!(chain, [(1, None), (2, Some(1)), (3, Some(2)), (8, Some(3))], "skipped mails hold nobody up");
    assert_eq!(scene.order().last_mail, Some(8));
}

#[test]
fn law_12_an_order_without_an_address_is_skipped_visibly() {
    let mut scene = Scene::default();
    scene.apply(shopify(10).without_email());
    let RunState::Skipped { why, .. } = &scene.run(Action::Email).state else { panic!() };
    assert_eq!(why.code(), "no_address");
}

#[test]
fn law_12_what_an_automation_names_but_is_gone_is_skipped_visibly() {
    let mut scene = Scene::open();
    scene.playbook.settings.templates.clear();
    scene.playbook.settings.endpoints.clear();
    scene.go("shipped", console());
    for action in [Action::Email, Action::Webhook] {
        let RunState::Skipped { why, .. } = &scene.run(action).state else { panic!() };
        assert_eq!(why.code(), "target_gone");
    }
}

#[test]
fn law_12_nothing_follows_from_a_move_that_is_to_be_quiet() {
    let mut scene = Scene::open();
    let endpoint = EndpointId::parse("ep_other").unwrap();
    let settings = &mut scene.playbook.settings;
    settings.endpoints.insert(endpoint.clone(), 1);
    settings.subscribers.insert(endpoint, [EventType::StageEntered].into());
    let expected_seq = scene.order().seq;
    let stage = StageId::parse("stg_shipped").unwrap();
    scene.apply(Fact::Move(MoveFact { stage, expected_seq, actor: console(), follows: Follows::Nothing }));
    assert_eq!(scene.stage(), "shipped");
    let runs: Vec<_> = scene.last().runs.values().map(|run| run.state.clone()).collect();
    assert_eq!(runs.len(), 3, "each says why, and no subscriber is told");
    for state in runs {
        assert!(matches!(state, RunState::Skipped { why: SkipReason::Quiet, .. }), "{state:?}");
    }
    assert_eq!(scene.last().due(), None);
}

#[test]
fn law_12_what_is_late_when_a_move_is_taken_back_acts_once() {
    let mut scene = Scene::open();
    scene.go("shipped", console());
    let entered = scene.last().seq;
    scene.now += SignedDuration::from_secs(GRACE - 2);
    scene.go("delivered", console());
    scene.now += SignedDuration::from_secs(3);
    scene.undo("shipped");
    // The webhook's doorbell is late: its run is due, and as the order stands now nothing keeps it from acting.
    let entry = scene.events.iter().find(|e| e.seq == entered).unwrap();
    let (key, _) = entry.runs.iter().find(|(key, _)| key.action() == Action::Webhook).unwrap();
    assert_eq!(superseded(entry, key, scene.order()), None);
    let anew: Vec<_> = stand(&scene).into_iter().filter(|(_, word)| *word == "due").collect();
    assert_eq!(
        anew,
        [(Action::Email, "due")],
        "so it is not planned anew; the mail never leaves from an older entry"
    );
}

/// How each run of the last event stands: due, or the reason why it is skipped.
fn stand(scene: &Scene) -> Vec<(Action, &'static str)> {
    let word = |state: &RunState| match state {
        RunState::Pending { .. } => "due",
        RunState::Skipped { why, .. } => why.code(),
        other => panic!("{other:?}"),
    };
    scene.last().runs.iter().map(|(key, run)| (key.action(), word(&run.state))).collect()
}

#[test]
fn law_12_a_move_that_is_taken_back_leaves_what_it_found_waiting() {
    // Printing was entered a moment ago: its mail waits for its grace still, and would be superseded for good.
    let mut scene = Scene::open();
    let endpoint = EndpointId::parse("ep_other").unwrap();
    let settings = &mut scene.playbook.settings;
    settings.endpoints.insert(endpoint.clone(), 1);
    settings.subscribers.insert(endpoint, [EventType::StageEntered].into());
    scene.go("shipped", console());
    let planned = stand(&scene);
    assert_eq!(planned.len(), 4, "mail, webhook, fulfillment, subscriber: {planned:?}");
    scene.go("delivered", console());
    scene.undo("shipped");
    assert_eq!((scene.stage(), stand(&scene)), ("shipped", planned), "all of it is planned anew");
    assert_eq!(waits(&scene, Action::Email), GRACE, "with a grace of its own");
}

#[test]
fn law_12_a_move_that_is_taken_back_repeats_nothing_that_has_acted() {
    let mut scene = Scene::open();
    scene.go("shipped", console());
    let acted = scene.now;
    scene.end_runs(|key, run| {
        // The webhook has waited for its grace and gone; the mail was put off by the provider.
        let gone = RunState::Succeeded { at: acted, detail: String::new() };
        if key.action() == Action::Email { run.clone() } else { Run { state: gone, ..run.clone() } }
    });
    scene.go("delivered", console());
    scene.undo("shipped");
    let email = |(action, _): &(Action, &str)| *action == Action::Email;
    let (mail, others): (Vec<_>, Vec<_>) = stand(&scene).into_iter().partition(email);
    assert_eq!(mail, [(Action::Email, "due")]);
    assert!(!others.is_empty() && others.iter().all(|(_, word)| *word == "quiet"), "{others:?}");
}
