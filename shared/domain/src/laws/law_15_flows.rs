//! Law 15 and the words of section 1: orders in no flow, flows that change under their orders.

use super::scene::{Scene, add, api_key, console, is_refused, scan, shopify, stg};
use crate::decide::{Decision, Refused};
use crate::event::{Cause, Change};
use crate::fact::{AssignFact, Assigner, Fact, Follows, MoveFact};
use crate::id::FlowId;
use crate::order::Placement;
use crate::outcome::{NoOpReason, SkipReason};
use crate::package::TrackingStatus;
use crate::run::RunState;

fn flow_id() -> FlowId {
    FlowId::from_body("a").unwrap()
}

/// An order that came while its channel had no flow.
fn untriaged() -> Scene {
    let mut scene = Scene::open();
    let order = scene.order.as_mut().unwrap();
    order.placement = Placement::Untriaged;
    order.last_mail = None;
    scene.events.clear();
    scene
}

fn assign(scene: &mut Scene, stage: Option<&str>, by: Assigner) -> Decision {
    scene.apply(Fact::Assign(AssignFact { flow: flow_id(), stage: stage.map(stg), by }))
}

fn by_hand(scene: &Scene) -> Assigner {
    Assigner::By { actor: console(), expected_seq: scene.order().seq }
}

fn skipped(scene: &Scene, why: &SkipReason) -> bool {
    let runs = &scene.last().runs;
    !runs.is_empty()
        && runs.values().all(|r| matches!(&r.state, RunState::Skipped { why: w, .. } if w == why))
}

#[test]
fn an_untriaged_order_is_never_automated_until_somebody_gives_it_a_flow() {
    let mut scene = untriaged();
    scene.apply(shopify(20).fulfilled(&["s1"], 20));
    assert_eq!((scene.stage(), scene.mails().len()), ("-", 0));
    let by = by_hand(&scene);
    assign(&mut scene, Some("packed"), by);
    assert_eq!((scene.stage(), &scene.last().change), ("packed", &Change::Assigned));
    assert_eq!(scene.mails(), ["packed"], "what a person asks for acts");
}

#[test]
fn an_assigned_order_comes_to_the_furthest_stage_that_its_state_asks_for() {
    let mut scene = untriaged();
    scene.apply(shopify(20).fulfilled(&["s1"], 20));
    let by = by_hand(&scene);
    assign(&mut scene, None, by);
    assert_eq!(scene.stage(), "shipped");
    assert!(matches!(scene.last().cause, Cause::Manual { .. }), "by somebody, not by the platform");
    assert_eq!(scene.mails(), ["shipped"], "one transition, not one mail for every stage it jumped");

    let mut scene = untriaged();
    scene.apply(add("A"));
    scene.apply(scan("A", 30, TrackingStatus::Delivered));
    let by = by_hand(&scene);
    assign(&mut scene, None, by);
    assert_eq!(scene.stage(), "delivered");
}

#[test]
fn law_4_a_new_default_flow_takes_untriaged_orders_in_silently_and_no_others() {
    let mut scene = untriaged();
    assign(&mut scene, None, Assigner::DefaultFlow);
    assert_eq!((scene.stage(), &scene.last().cause), ("new", &Cause::Configuration));
    assert!(skipped(&scene, &SkipReason::ConfigurationChanged), "{:?}", scene.last().runs);
    let again = assign(&mut scene, None, Assigner::DefaultFlow);
    assert_eq!(again, Decision::NoOp(NoOpReason::AlreadyPlaced));
    scene.go("packed", console());
    assert_eq!(scene.mails(), ["packed"], "what happens later acts");
}

#[test]
fn an_assignment_that_cannot_be_met_changes_nothing() {
    let stale = Assigner::By { actor: api_key(), expected_seq: 99 };
    let mut scene = untriaged();
    assert!(matches!(is_refused(&assign(&mut scene, None, stale)), Some(Refused::Stale { seq: 1, .. })));
    let by = by_hand(&scene);
    assert_eq!(is_refused(&assign(&mut scene, Some("gone"), by.clone())), Some(&Refused::UnknownStage));
    let other = FlowId::from_body("b").unwrap();
    let decision = scene.apply(Fact::Assign(AssignFact { flow: other, stage: None, by: by.clone() }));
    assert_eq!(is_refused(&decision), Some(&Refused::UnknownFlow));
    scene.playbook.flow.archived_at = Some(scene.now);
    assert_eq!(is_refused(&assign(&mut scene, None, by)), Some(&Refused::UnknownFlow));

    let mut placed = Scene::open();
    let by = by_hand(&placed);
    assert_eq!(is_refused(&assign(&mut placed, None, by)), Some(&Refused::AlreadyPlaced));
}

#[test]
fn law_15_a_deleted_stage_resolves_to_its_successor_for_facts_moves_and_orders() {
    let mut scene = Scene::open();
    scene.go("printing", console());
    scene.retire("printing", "packed");
    let again = scene.go("packed", console());
    assert_eq!(again, Decision::NoOp(NoOpReason::SameStage), "it stands in the successor already");
    scene.apply(shopify(20).fulfilled(&["s1"], 20));
    assert_eq!(scene.stage(), "shipped", "forward is counted from the successor");
    let expected_seq = scene.order().seq;
    scene.apply(Fact::Move(MoveFact {
        stage: stg("printing"),
        expected_seq,
        actor: console(),
        follows: Follows::All,
    }));
    assert_eq!(scene.stage(), "packed", "an old link leads to the successor");
}

#[test]
fn law_15_an_order_of_a_deleted_stage_is_put_into_the_successor_and_nothing_follows() {
    let mut scene = Scene::open();
    scene.go("printing", console());
    let entered = scene.order().placement.clone();
    assert_eq!(scene.apply(Fact::StageRetired), Decision::NoOp(NoOpReason::SameStage));
    scene.retire("printing", "packed");
    scene.apply(Fact::StageRetired);
    assert_eq!((scene.stage(), &scene.last().change), ("packed", &Change::StageRetired));
    let transition = scene.last().transition.as_ref().unwrap();
    assert_eq!(transition.from.as_ref().unwrap().name, "printing");
    assert!(scene.last().runs.is_empty(), "law 4: an edit of the flow acts on no order");
    let (Placement::Placed { entered_seq: before, .. }, Placement::Placed { entered_seq, .. }) =
        (&entered, &scene.order().placement)
    else {
        panic!("not placed");
    };
    assert_eq!(before, entered_seq, "it entered no stage: the mail of the entry before may still leave");
    assert_eq!(scene.apply(Fact::StageRetired), Decision::NoOp(NoOpReason::SameStage));
}
