//! Every parcel that an order comes to hold is registered once with the shop's carrier service, or it is told
//! why not (laws 3, 4, 10, 13); a corrected number is another parcel.

use crate::decide::{Decision, Refused};
use crate::event::{Action, Change};
use crate::fact::{AssignFact, Assigner, Fact, Origin, PackageEdit};
use crate::id::{CarrierId, FlowId, PackageId};
use crate::outcome::NoOpReason;
use crate::package::{PACKAGES_KEPT_MAX, PACKAGES_MAX, PackagePatch, PackageSeen, TrackingStatus};
use crate::run::{Run, RunState, Target};
use crate::shop::Registrar;

use super::scene::{
    Scene, add, api_key, console, is_refused, parcel, remove, scan, shipment, shopify, stg, t,
};

fn carrier() -> CarrierId {
    CarrierId::from_body("c").unwrap()
}

trait Registering {
    fn registering(self) -> Self;
    fn planned(&self) -> Vec<(String, &'static str)>;
}

impl Registering for Scene {
    /// The shop has a carrier integration with a key, in its third version.
    fn registering(mut self) -> Self {
        self.playbook.settings.registrar = Some(Registrar { carrier: carrier(), version: 3 });
        self
    }

    /// The registrations of the last event: number, and how each was planned.
    fn planned(&self) -> Vec<(String, &'static str)> {
        let registration = |(target, run): (&Target, &Run)| match target {
            Target::RegisterTracker(by, package) if *by == carrier() => {
                let known = self.packages.iter().find(|p| p.id == *package).unwrap();
                Some((known.seen.number.clone().unwrap(), code(run)))
            }
            _ => None,
        };
        self.last().runs.iter().filter_map(|(k, r)| registration((&k.target, r))).collect()
    }
}

fn code(run: &Run) -> &'static str {
    match &run.state {
        RunState::Skipped { why, .. } => why.code(),
        state => state.code(),
    }
}

fn one(number: &str, code: &'static str) -> Vec<(String, &'static str)> {
    vec![(number.to_owned(), code)]
}

fn id(number: &str) -> PackageId {
    parcel(number).id()
}

fn correct(number: &str, patch: PackagePatch) -> Fact {
    Fact::Packages { edit: PackageEdit::Correct(id(number), patch), actor: api_key() }
}

fn renumber(number: &str, to: &str) -> Fact {
    correct(number, PackagePatch { number: Some(Some(to.to_owned())), ..PackagePatch::default() })
}

#[test]
fn law_10_a_parcel_is_registered_by_the_event_that_brings_it_and_by_no_other() {
    let mut scene = Scene::open().registering();
    scene.apply(add("A1"));
    assert_eq!(scene.planned(), one("A1", "pending"));
    let run = scene.last().runs.values().next().unwrap();
    assert_eq!((run.state.due(), run.target_version), (Some(scene.now), 3));
    assert_eq!(scene.packages[0].registered_by, Some(scene.order().seq));
    assert_eq!(scene.apply(add("a 1")), Decision::NoOp(NoOpReason::Same));
    for fact in [scan("A1", 20, TrackingStatus::InTransit), Fact::from(shopify(30).total("2")), add("B2")] {
        scene.apply(fact);
        assert!(!scene.planned().iter().any(|(number, _)| number == "A1"), "{:?}", scene.last());
    }
    scene.go("packed", console());
    assert_eq!(scene.planned(), []);
}

#[test]
fn law_10_each_way_in_which_a_parcel_comes_registers_it() {
    let seen = |at| shopify(at).partial(&[], at).shipment("f1", at, true, &["A1"]);
    let ways: [Fact; 4] = [
        seen(20).into(),
        shipment("f1", 20, true, &["A1"]),
        shopify(20).with(|f| f.fulfillment.packages = Some(vec![parcel("A1")])).into(),
        add("A1"),
    ];
    for way in ways {
        let mut scene = Scene::open().registering();
        scene.apply(way);
        assert_eq!(scene.planned(), one("A1", "pending"), "{:?}", scene.last());
    }
    let mut first = Scene::default().registering();
    first.apply(seen(10));
    assert_eq!(first.planned(), one("A1", "pending"));
}

#[test]
fn law_13_without_an_integration_that_can_or_without_a_number_there_is_nothing_to_plan() {
    let mut scene = Scene::open();
    scene.apply(add("A1"));
    assert_eq!((scene.planned(), scene.packages[0].registered_by), (vec![], None));
    let mut scene = Scene::open().registering();
    let link = PackageSeen::parse(None, Some("https://carrier.test/x"), None).unwrap();
    scene.apply(Fact::Packages { edit: PackageEdit::Add(link), actor: api_key() });
    assert_eq!(scene.planned(), []);
}

#[test]
fn law_03_04_13_what_is_not_registered_says_why() {
    let with = |at| shopify(at).partial(&[], at).shipment("f1", at, true, &["A1"]);
    let week = 8 * 24 * 3_600;
    let first: [(Fact, &str); 3] = [
        (with(10).with(|f| f.origin = Origin::Import).into(), "imported"),
        (with(10).with(|f| f.armed_at = Some(t(5))).into(), "imported"),
        (with(10).cancelled().into(), "order_cancelled"),
    ];
    for (fact, why) in first {
        let mut scene = Scene::default().registering();
        scene.apply(fact);
        assert_eq!(scene.planned(), one("A1", why));
        assert_eq!(scene.packages[0].registered_by, None);
        assert_eq!(scene.apply(Fact::CarrierConnected), Decision::NoOp(NoOpReason::Same), "that is decided");
    }
    let mut stale = Scene::open().registering();
    stale.now = t(week);
    stale.apply(with(20));
    assert_eq!(stale.planned(), one("A1", "stale_fact"));

    let mut cancelled = Scene::open().registering();
    cancelled.apply(shopify(20).cancelled());
    cancelled.apply(add("A1"));
    assert_eq!(cancelled.planned(), one("A1", "order_cancelled"));

    let mut back = Scene::open().registering();
    back.apply(add("A1"));
    back.apply(scan("A1", 20, TrackingStatus::Delivered));
    back.apply(remove("A1"));
    back.apply(add("A1"));
    assert_eq!(back.planned(), one("A1", "already_delivered"));
}

#[test]
fn law_03_a_later_live_parcel_of_a_silent_order_is_registered() {
    let mut scene = Scene::default().registering();
    scene.apply(shopify(10).with(|f| f.origin = Origin::Import));
    scene.apply(shipment("f1", 20, true, &["A1"]));
    assert_eq!(scene.planned(), one("A1", "pending"));
}

#[test]
fn law_13_the_parcels_of_an_order_without_a_flow_are_registered_when_it_gets_one() {
    let mut scene = Scene::default().registering();
    let playbook = scene.playbook.clone();
    scene.untriaged(shopify(10));
    scene.apply(add("A1"));
    scene.apply(add("B2"));
    scene.apply(remove("B2"));
    assert_eq!(scene.planned(), [], "an untriaged order is never automated");
    let by = Assigner::By { actor: console(), expected_seq: scene.order().seq };
    scene.playbook = playbook;
    let flow: FlowId = scene.playbook.flow.id.clone();
    scene.apply(Fact::Assign(AssignFact { flow, stage: Some(stg("new")), by }));
    assert_eq!(scene.planned(), one("A1", "pending"));
    let known = scene.packages.iter().find(|p| p.id == id("A1")).unwrap();
    assert_eq!(known.registered_by, Some(scene.order().seq));
}

#[test]
fn law_13_the_parcels_of_an_order_that_is_back_from_a_cancellation_are_registered() {
    let mut scene = Scene::open().registering();
    scene.apply(add("A1"));
    scene.apply(scan("A1", 15, TrackingStatus::Delivered));
    scene.apply(shopify(20).cancelled());
    assert_eq!(scene.planned(), []);
    scene.apply(add("B2"));
    scene.apply(shopify(30).cancelled().total("2"));
    assert_eq!(scene.planned(), [], "what stays cancelled is not told again");
    scene.apply(shopify(40));
    let mut planned = scene.planned();
    planned.sort();
    assert_eq!(planned, [one("A1", "already_delivered"), one("B2", "pending")].concat());
}

#[test]
fn law_13_a_parcel_that_a_fulfillment_told_before_its_order_is_registered_with_the_order() {
    let mut scene = Scene::default().registering();
    scene.apply(shipment("f1", 10, true, &["A1"]));
    assert_eq!(scene.planned(), []);
    scene.apply(shopify(20).partial(&["f1"], 10));
    assert_eq!(scene.planned(), one("A1", "pending"));
}

#[test]
fn law_10_a_corrected_number_is_another_parcel_in_one_event() {
    let mut scene = Scene::open().registering();
    scene.apply(shipment("f1", 20, true, &["A1"]));
    scene.apply(scan("A1", 21, TrackingStatus::InTransit));
    let before = scene.events.len();
    scene.apply(renumber("A1", "B2"));
    assert_eq!((scene.events.len(), &scene.last().change), (before + 1, &Change::Packages));
    assert_eq!(scene.planned(), one("B2", "pending"));
    let of = |number: &str| scene.packages.iter().find(|p| p.id == id(number)).unwrap();
    assert!(of("A1").removed && !of("B2").removed);
    assert_eq!((of("B2").status, of("B2").mark), (TrackingStatus::Unknown, None));
    assert_eq!(scene.order().packages.total, 1);
    // What a person decided, the platform's next word does not undo.
    scene.apply(shopify(40).partial(&[], 40).shipment("f1", 40, true, &["A1"]));
    let of = |number: &str| scene.packages.iter().find(|p| p.id == id(number)).unwrap();
    assert!(of("A1").removed && !of("B2").removed);
}

#[test]
fn law_10_a_correction_that_keeps_the_number_keeps_the_parcel() {
    let mut scene = Scene::open().registering();
    let seen = PackageSeen::parse(Some("A1"), Some("https://carrier.test/A1"), Some("UPS")).unwrap();
    scene.apply(Fact::Packages { edit: PackageEdit::Add(seen), actor: api_key() });
    scene.apply(scan("A1", 20, TrackingStatus::InTransit));
    let patch = PackagePatch { carrier: Some(Some("USPS".into())), ..PackagePatch::default() };
    scene.apply(correct("A1", patch.clone()));
    let known = &scene.packages[0];
    assert_eq!(known.seen.carrier.as_deref(), Some("USPS"));
    assert_eq!(known.seen.url.as_deref(), Some("https://carrier.test/A1"));
    assert_eq!((known.status, scene.planned()), (TrackingStatus::InTransit, vec![]));
    assert_eq!(scene.apply(correct("A1", patch)), Decision::NoOp(NoOpReason::Same));
    scene.apply(renumber("A1", "a-1"));
    assert_eq!(scene.packages.len(), 1, "another spelling is the same number");
    scene.apply(renumber("A1", "B2"));
    let fresh = scene.packages.iter().find(|p| p.id == id("B2")).unwrap();
    assert_eq!((fresh.seen.url.as_deref(), fresh.seen.carrier.as_deref()), (None, Some("USPS")));
}

#[test]
fn law_13_a_correction_that_cannot_be_made_is_refused() {
    let mut scene = Scene::open();
    scene.apply(add("A1"));
    let nothing = PackagePatch { number: Some(None), ..PackagePatch::default() };
    assert_eq!(is_refused(&scene.apply(correct("A1", nothing))), Some(&Refused::EmptyPackage));
    assert_eq!(is_refused(&scene.apply(renumber("X9", "B2"))), Some(&Refused::UnknownPackage));
    for n in 1..PACKAGES_MAX {
        scene.apply(add(&format!("N{n}")));
    }
    // The place of the old one is taken by the new one, as long as both can be kept.
    let mut name = "A1".to_owned();
    for n in PACKAGES_MAX..PACKAGES_KEPT_MAX {
        let to = format!("C{n}");
        assert!(matches!(scene.apply(renumber(&name, &to)), Decision::Changed(_)), "{n}");
        name = to;
    }
    let full = Refused::TooMany { limit: PACKAGES_MAX };
    assert_eq!(is_refused(&scene.apply(renumber(&name, "LAST"))), Some(&full));
    let registered = |k: &Target| k.action() == Action::RegisterTracker;
    assert!(!scene.events.iter().flat_map(|e| e.runs.keys()).any(|k| registered(&k.target)));
}

#[test]
fn law_13_a_number_corrected_to_one_that_the_order_holds_leaves_that_one() {
    let mut scene = Scene::open().registering();
    scene.apply(add("A1"));
    scene.apply(add("B2"));
    scene.apply(renumber("A1", "B2"));
    assert_eq!((scene.order().packages.total, scene.planned()), (1, vec![]));
    // And to one that was taken away brings it back.
    scene.apply(renumber("B2", "A1"));
    assert_eq!((scene.order().packages.total, scene.planned()), (1, one("A1", "pending")));
}

#[test]
fn law_10_a_parcel_that_was_registered_keeps_no_reopened_order_from_its_mail() {
    let mut scene = Scene::default().registering();
    scene.apply(shopify(20).shipment("s1", 20, true, &["A1"]));
    assert_eq!(scene.planned(), one("A1", "pending"));
    scene.apply(shopify(30).shipment("s1", 20, true, &["A1"]).cancelled());
    scene.end_runs(|key, run| match key.action() {
        Action::RegisterTracker => {
            Run { state: RunState::Succeeded { at: t(2_000), detail: "trk_1".into() }, ..run.clone() }
        }
        _ => run.skip(crate::outcome::SkipReason::OrderCancelled, t(2_000)),
    });
    scene.apply(shopify(40).shipment("s1", 20, true, &["A1"]));
    // The first registration may have been skipped with the cancellation; a second one is answered with the first.
    assert_eq!((scene.entered(), scene.planned()), (vec!["new", "new"], one("A1", "pending")));
    assert_eq!(scene.last().open_runs(), 2, "the mail, beside it");
}

#[test]
fn law_13_a_service_that_is_connected_later_gets_what_is_under_way_once() {
    let mut scene = Scene::open();
    for number in ["A1", "B2", "C3", "D4"] {
        scene.apply(add(number));
    }
    scene.apply(scan("A1", 20, TrackingStatus::Delivered));
    scene.apply(scan("B2", 20, TrackingStatus::InTransit));
    scene.apply(remove("C3"));
    assert_eq!(scene.apply(Fact::CarrierConnected), Decision::NoOp(NoOpReason::Same), "there is none");
    let mut scene = scene.registering();
    scene.apply(Fact::CarrierConnected);
    let mut planned = scene.planned();
    planned.sort();
    assert_eq!(planned, [one("B2", "pending"), one("D4", "pending")].concat());
    assert_eq!(scene.last().change, Change::CarrierConnected);
    assert_eq!(scene.apply(Fact::CarrierConnected), Decision::NoOp(NoOpReason::Same));

    // Another service in its place reports nothing of what the first was asked to report.
    let connect = |scene: &mut Scene, id: &str| {
        let carrier = CarrierId::from_body(id).unwrap();
        scene.playbook.settings.registrar = Some(Registrar { carrier, version: 1 });
    };
    connect(&mut scene, "other");
    scene.apply(Fact::CarrierConnected);
    assert_eq!(scene.last().open_runs(), 2);
    scene.apply(shopify(30).cancelled());
    connect(&mut scene, "third");
    assert_eq!(scene.apply(Fact::CarrierConnected), Decision::NoOp(NoOpReason::Same), "it is cancelled");
}
