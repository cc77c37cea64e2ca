//! Endpoints that subscribe are told of what they subscribed to, once each; what is silent for customers is
//! silent for them (laws 3, 4, 10, 16).

use crate::event::{Action, Change, StageRef};
use crate::fact::Origin;
use crate::id::EndpointId;
use crate::outcome::SkipReason;
use crate::package::TrackingStatus;
use crate::run::{Run, RunKey, RunState, Target};
use crate::webhook::{EventType, body, of_type};

use super::scene::{Scene, add, api_key, console, endpoint, scan, shopify, stg, t};

const ALL: [EventType; 4] = EventType::ALL;

fn programs(scene: Scene, wanted: &[EventType]) -> Scene {
    let mut scene = scene;
    let other = EndpointId::parse("ep_other").unwrap();
    scene.playbook.settings.endpoints.insert(other.clone(), 4);
    scene.playbook.settings.subscribers.insert(other, wanted.iter().copied().collect());
    scene
}

/// What the subscriber is told of the last event.
fn told(scene: &Scene) -> Vec<&'static str> {
    let told = |key: &RunKey| match &key.target {
        Target::Webhook(to, told) if to.as_str() == "ep_other" => Some(told.as_str()),
        _ => None,
    };
    scene.last().runs.keys().filter_map(told).collect()
}

#[test]
fn law_16_each_event_is_told_by_its_types() {
    let mut scene = programs(Scene::default(), &ALL);
    scene.apply(shopify(10));
    assert_eq!(told(&scene), ["order.created", "order.stage_entered"]);
    scene.apply(shopify(20).total("7"));
    assert_eq!(told(&scene), ["order.updated"]);
    scene.apply(add("A1"));
    assert_eq!(told(&scene), ["order.updated"]);
    scene.apply(add("B2"));
    scene.apply(scan("A1", 30, TrackingStatus::Delivered));
    assert_eq!(told(&scene), ["order.updated"], "one is under way");
    scene.apply(scan("B2", 40, TrackingStatus::Delivered));
    assert_eq!(told(&scene), ["order.updated", "order.stage_entered", "order.delivered"]);
    scene.go("packed", api_key());
    assert_eq!(told(&scene), ["order.stage_entered"]);
    scene.apply(shopify(50).cancelled());
    assert_eq!(told(&scene), ["order.updated"]);
}

#[test]
fn law_16_nobody_is_told_of_what_they_did_not_ask_for() {
    for wanted in ALL {
        let mut scene = programs(Scene::default(), &[wanted]);
        scene.apply(shopify(10));
        assert!(told(&scene).iter().all(|told| *told == wanted.as_str()), "{wanted:?}");
    }
    let mut scene = programs(Scene::default(), &ALL);
    scene.playbook.settings.forget_endpoint(&EndpointId::parse("ep_other").unwrap());
    scene.apply(shopify(10));
    assert!(told(&scene).is_empty());
}

#[test]
fn law_10_a_stage_that_calls_its_subscriber_does_it_once() {
    let mut scene = Scene::default();
    scene.playbook.settings.subscribers.insert(endpoint(), ALL.into());
    scene.apply(shopify(10));
    scene.go("packed", api_key());
    let calls = |key: &&RunKey| matches!(&key.target, Target::Webhook(to, _) if *to == endpoint());
    assert_eq!(scene.last().runs.keys().filter(calls).count(), 1, "{:?}", scene.last().runs);
}

#[test]
fn law_12_what_a_person_may_take_back_waits_for_subscribers_too() {
    let mut scene = programs(Scene::open(), &ALL);
    scene.go("packed", console());
    let due =
        scene.last().runs.iter().find(|(key, _)| key.target.name() == "ep_other").unwrap().1.state.due();
    assert_eq!(due.unwrap().duration_since(scene.now).as_secs(), scene.playbook.settings.grace().as_secs());
}

#[test]
fn law_03_04_what_is_silent_tells_nobody() {
    let mut imported = programs(Scene::default(), &ALL);
    imported.apply(shopify(10).with(|f| f.origin = Origin::Import));
    assert_eq!(told(&imported), [""; 0]);
    let mut old = programs(Scene::default(), &ALL);
    old.apply(shopify(10).with(|f| f.armed_at = Some(t(5))));
    assert_eq!(told(&old), [""; 0]);
    let mut stale = programs(Scene::open(), &ALL);
    stale.now = t(8 * 24 * 3_600);
    stale.apply(shopify(20).total("7"));
    assert_eq!(told(&stale), [""; 0]);
    let mut untriaged = programs(Scene::default(), &ALL);
    untriaged.untriaged(shopify(10));
    assert_eq!(told(&untriaged), [""; 0], "what is in no flow is never automated");
}

#[test]
fn law_11_each_type_is_the_same_frozen_message_under_its_own_name() {
    let mut scene = programs(Scene::default(), &ALL);
    scene.apply(shopify(10));
    scene.apply(shopify(20).total("7"));
    assert_eq!(scene.last().change, Change::Updated);
    let stage = StageRef { id: stg("new"), name: "New".into() };
    let frozen = body(scene.last(), scene.order(), scene.snapshot.as_ref().unwrap(), Some(&stage)).unwrap();
    for told in ALL {
        let text = of_type(&frozen, told);
        let message: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(message["type"], told.as_str());
        assert_eq!(
            text.split_once(',').unwrap().1,
            frozen.split_once(',').unwrap().1,
            "the rest is the same"
        );
        assert_eq!(
            (&message["data"]["stage"]["name"], &message["data"]["previous_stage"]),
            (&"New".into(), &serde_json::Value::Null)
        );
    }
    assert_eq!(of_type("{\"kept\":1}", EventType::Created), "{\"kept\":1}");
}

#[test]
fn law_10_a_reopened_order_enters_its_stage_again_although_a_subscriber_was_told_of_the_first_time() {
    let mut scene = programs(Scene::default(), &ALL);
    scene.apply(shopify(10));
    scene.apply(shopify(20).cancelled());
    scene.end_runs(|key, run| match key.action() {
        Action::Webhook => {
            Run { state: RunState::Succeeded { at: t(30), detail: String::new() }, ..run.clone() }
        }
        _ => run.skip(SkipReason::OrderCancelled, t(30)),
    });
    scene.apply(shopify(40));
    assert_eq!(scene.mails(), ["new"], "nobody was mailed of the first entry");
    assert_eq!(told(&scene), ["order.updated", "order.stage_entered"]);
}
