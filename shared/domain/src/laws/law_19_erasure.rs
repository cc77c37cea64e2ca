//! Law 19: personal data is deletable, and an order without its people drops those fields from later facts.

use super::scene::{Scene, add, api_key, scan, shopify};
use crate::decide::{Decision, Refused};
use crate::event::{Action, Cause, Change};
use crate::fact::{Fact, Part, TrackingFact};
use crate::outcome::NoOpReason;
use crate::package::TrackingStatus;
use crate::run::RunState;

fn erase() -> Fact {
    Fact::Erase { actor: Some(api_key()) }
}

fn is_without_people(scene: &Scene) -> bool {
    let people = scene.snapshot.as_ref().map(|s| (s.customer.clone(), s.ship_to.clone()));
    people == Some(Default::default()) && !scene.order().has_email
}

#[test]
fn law_19_erased_people_are_gone_and_all_else_stays() {
    let mut scene = Scene::open();
    let before = (scene.order().clone(), scene.snapshot.clone().unwrap());
    assert!(matches!(scene.apply(erase()), Decision::Changed(_)));
    assert!(is_without_people(&scene));
    let after = scene.snapshot.clone().unwrap();
    assert_eq!((&after.lines, &after.total), (&before.1.lines, &before.1.total));
    assert_eq!((scene.order().stage(), scene.order().seq), (before.0.stage(), before.0.seq + 1));
    assert_eq!(scene.order().erased.map(|erasure| erasure.seq), Some(scene.order().seq));
    assert_eq!((&scene.last().change, scene.last().runs.len()), (&Change::Erased, 0), "nobody is told");
    assert_eq!(scene.last().cause, Cause::Manual { actor: api_key() });
}

#[test]
fn law_19_what_is_told_of_people_later_is_left_out() {
    let mut scene = Scene::open();
    scene.apply(erase());
    let same = shopify(500);
    assert!(matches!(scene.apply(same), Decision::NoOp(_)), "its people are no news any more");
    assert!(matches!(scene.apply(shopify(510).total("9.90")), Decision::Changed(_)), "and the rest is");
    assert!(is_without_people(&scene));
    assert_eq!(scene.snapshot.as_ref().unwrap().total.as_deref(), Some("9.90"));
    scene.apply(shopify(520).cancelled());
    scene.apply(shopify(530));
    assert!(is_without_people(&scene), "not by coming back either");
}

#[test]
fn law_19_a_source_that_cannot_tell_all_brings_nobody_back_either() {
    let mut scene = Scene::open();
    scene.apply(erase());
    let listed = |at| shopify(at).with(|f| f.untold = [Part::CustomerName, Part::CustomerEmail].into());
    assert!(matches!(scene.apply(listed(500)), Decision::NoOp(_)));
    assert!(matches!(scene.apply(listed(510).total("9.90")), Decision::Changed(_)));
    assert!(is_without_people(&scene));
}

/// *Left with Mrs Smith, no. 12.*
#[test]
fn law_19_what_carriers_say_of_a_parcel_goes_too_and_is_not_kept_again() {
    let said = |at, status| match scan("1Z1", at, status) {
        Fact::Tracking(fact) => Fact::Tracking(TrackingFact { detail: Some("with Ada".to_owned()), ..fact }),
        other => other,
    };
    let words = |scene: &Scene| {
        let scans = scene.packages.iter().flat_map(|package| &package.checkpoints);
        (scans.clone().count(), scans.filter(|scan| scan.detail.is_some()).count())
    };
    let mut scene = Scene::open();
    scene.apply(add("1Z1"));
    scene.apply(said(100, TrackingStatus::InTransit));
    assert_eq!(words(&scene), (1, 1));
    scene.apply(erase());
    assert_eq!(words(&scene), (1, 0), "the scan itself stays");
    assert!(matches!(scene.apply(said(100, TrackingStatus::InTransit)), Decision::NoOp(_)), "known");
    scene.apply(said(200, TrackingStatus::OutForDelivery));
    assert_eq!(words(&scene), (2, 0));
    // Kept by a release that did not know.
    let erased = scene.order().erased;
    scene.packages[0].checkpoints[0].detail = Some("with Ada".to_owned());
    assert!(matches!(scene.apply(erase()), Decision::Changed(_)));
    assert_eq!((words(&scene), scene.order().erased), ((2, 0), erased));
    assert!(matches!(scene.apply(erase()), Decision::NoOp(_)));
}

#[test]
fn law_19_an_order_without_people_goes_on_and_mails_nobody() {
    let mut scene = Scene::open();
    scene.apply(erase());
    scene.go("packed", api_key());
    let mails = scene.last().runs.iter().filter(|(key, _)| key.action() == Action::Email);
    for (key, run) in mails {
        assert!(matches!(run.state, RunState::Skipped { .. }), "{key}: {:?}", run.state);
    }
}

#[test]
fn law_19_people_are_erased_once_and_only_where_there_are_any() {
    let mut scene = Scene::default();
    assert_eq!(scene.apply(erase()), Decision::Refused(Refused::UnknownOrder));
    let mut scene = Scene::open();
    scene.apply(erase());
    let seq = scene.order().seq;
    assert_eq!(scene.apply(erase()), Decision::NoOp(NoOpReason::Same));
    assert_eq!(scene.order().seq, seq);
}
