//! Law 1 for a platform's reports of its fulfillments' parcels: the same marks as a carrier's, and none is lost.

use jiff::SignedDuration;

use super::scene::{Scene, Seen, add, parcel, report, scan, shipment, shopify, standing, t};
use crate::decide::{Decision, STALE_AFTER};
use crate::event::{Action, Cause, Change};
use crate::fact::{Coverage, Fact, ShipmentId};
use crate::outcome::{IgnoreReason, NoOpReason, SkipReason};
use crate::package::TrackingStatus::{self, Delivered, InTransit, OutForDelivery, ReturnToSender, Unknown};
use crate::run::RunState;

fn statuses(scene: &Scene) -> Vec<(String, TrackingStatus)> {
    let in_use = scene.packages.iter().filter(|p| !p.removed);
    let mut all: Vec<_> = in_use.map(|p| (p.seen.number.clone().unwrap_or_default(), p.status)).collect();
    all.sort();
    all
}

fn waiting(scene: &Scene) -> Vec<&str> {
    scene.order().fulfillment.reports.keys().map(|id| id.0.as_str()).collect()
}

/// The order with all of it in fulfillment `s1`, which has these parcels and stands like this.
fn shipped(at: i64, numbers: &[&str], status: Option<(i64, TrackingStatus)>) -> Seen {
    shopify(at).shipment("s1", 20, true, numbers).with(|fact| {
        fact.fulfillment.coverage = Coverage::Complete;
        fact.fulfillment.shipments[0].report = status.map(|(at, status)| standing(at, status));
    })
}

/// `fulfillments/update` with its `shipment_status`.
fn told(at: i64, numbers: &[&str], status: TrackingStatus) -> Fact {
    let Fact::Shipment(mut fact) = shipment("s1", at, true, numbers) else { unreachable!() };
    fact.shipment.report = Some(standing(at, status));
    Fact::Shipment(fact)
}

#[test]
fn law_1_a_report_of_a_fulfillment_is_one_of_each_of_its_parcels_and_of_no_other() {
    let mut scene = Scene::open();
    scene.apply(shopify(20).shipment("s1", 20, true, &["A", "B"]).shipment("s2", 20, true, &["C"]));
    scene.apply(add("D"));
    scene.apply(scan("B", 40, OutForDelivery));
    scene.apply(report("s1", 30, InTransit));
    let known = [("A", InTransit), ("B", OutForDelivery), ("C", Unknown), ("D", Unknown)];
    assert_eq!(statuses(&scene), known.map(|(n, s)| (n.to_owned(), s)), "each parcel has its own mark");
    let change = Change::Shipment { shipment: ShipmentId("s1".into()), status: InTransit };
    assert_eq!(scene.last().change, change);
    assert!(matches!(&scene.last().cause, Cause::Carrier { package, .. } if *package == parcel("A").id()));
    for (at, status) in [(30, InTransit), (29, OutForDelivery)] {
        assert!(matches!(scene.apply(report("s1", at, status)), Decision::NoOp(_)), "{status:?}");
    }
}

#[test]
fn law_1_no_report_undoes_a_delivery_whoever_told_it() {
    for delivered in [scan("A", 40, Delivered), report("s1", 40, Delivered), told(40, &["A"], Delivered)] {
        let mut scene = Scene::open();
        scene.apply(shipped(20, &["A"], None));
        scene.apply(delivered.clone());
        assert_eq!(scene.stage(), "delivered", "{delivered:?}");
        let refused = Decision::Ignored(IgnoreReason::LateScan { status: Delivered });
        assert_eq!(scene.apply(report("s1", 50, InTransit)), refused);
        scene.apply(told(50, &["A"], InTransit));
        scene.apply(shipped(50, &["A"], Some((50, InTransit))));
        assert_eq!(statuses(&scene), [("A".to_owned(), Delivered)]);
        scene.apply(report("s1", 60, ReturnToSender));
        assert_eq!(statuses(&scene), [("A".to_owned(), ReturnToSender)]);
    }
}

#[test]
fn law_1_a_report_that_comes_before_its_parcels_waits_for_them() {
    let parcels: [(&str, Fact); 3] = [
        ("the order", shipped(60, &["A", "B"], None).into()),
        ("the fulfillment", shipment("s1", 60, true, &["A", "B"])),
        ("an older word of the fulfillment", shipment("s1", 20, true, &["A", "B"])),
    ];
    for (what, fact) in parcels {
        for known in [false, true] {
            let mut scene = if known { Scene::open() } else { Scene::default() };
            scene.apply(report("s1", 30, InTransit));
            assert_eq!(scene.apply(report("s1", 29, OutForDelivery)), Decision::NoOp(NoOpReason::Older));
            scene.apply(report("s1", 40, Delivered));
            let late = Decision::Ignored(IgnoreReason::LateScan { status: Delivered });
            assert_eq!(scene.apply(report("s1", 50, InTransit)), late);
            assert_eq!(waiting(&scene), ["s1"], "{what}");
            scene.apply(fact.clone());
            let all = [("A".to_owned(), Delivered), ("B".to_owned(), Delivered)];
            assert_eq!(statuses(&scene), all, "{what}");
            assert_eq!(scene.packages[0].delivered_at, Some(t(40)), "by its own time");
            assert!(waiting(&scene).is_empty(), "{what}");
        }
    }
}

#[test]
fn law_1_a_parcel_told_by_hand_takes_the_reports_of_the_fulfillment_that_lists_it() {
    let mut scene = Scene::open();
    scene.apply(add("A"));
    // Without a number nobody can tell that "A" is what travels with this fulfillment.
    scene.apply(report("s1", 40, Delivered));
    assert_eq!((scene.stage(), statuses(&scene)), ("new", vec![("A".to_owned(), Unknown)]));
    scene.apply(shipped(30, &["A"], None));
    assert_eq!((scene.stage(), statuses(&scene)), ("delivered", vec![("A".to_owned(), Delivered)]));
    assert_eq!(scene.entered(), ["new", "delivered"], "one move, to the furthest stage");
}

#[test]
fn law_1_a_fulfillment_tells_its_parcels_states_with_itself() {
    let facts: [(&str, Fact); 2] = [
        ("fulfillment", told(40, &["A"], Delivered)),
        ("order", shipped(40, &["A"], Some((40, Delivered))).into()),
    ];
    for (what, fact) in facts {
        let mut scene = Scene::open();
        scene.apply(shipped(20, &["A"], Some((20, InTransit))));
        assert_eq!((scene.stage(), statuses(&scene)), ("shipped", vec![("A".to_owned(), InTransit)]));
        scene.apply(fact.clone());
        assert_eq!(
            (scene.stage(), statuses(&scene)),
            ("delivered", vec![("A".to_owned(), Delivered)]),
            "{what}"
        );
        assert_eq!(
            scene.last().change,
            Change::Shipment { shipment: ShipmentId("s1".into()), status: Delivered }
        );
        let seq = scene.order().seq;
        // Shopify tells one delivery three times, and its orders are saved for many reasons.
        scene.apply(report("s1", 38, Delivered));
        scene.apply(told(40, &["A"], Delivered));
        scene.apply(shipped(90, &["A"], Some((80, Delivered))));
        assert_eq!(scene.order().seq, seq, "{what}");
    }
}

#[test]
fn law_2_a_delivered_fulfillment_delivers_no_order_that_has_more_to_ship() {
    let mut scene = Scene::open();
    scene.apply(shopify(20).partial(&[], 20).shipment("s1", 20, true, &["A"]));
    scene.apply(report("s1", 40, Delivered));
    assert_eq!(scene.stage(), "new");
    assert_eq!(scene.last().refused.as_ref().unwrap().reason, IgnoreReason::NotAllShipped);
    scene.apply(shopify(50).fulfilled(&[], 50).shipment("s1", 20, true, &["A"]).shipment(
        "s2",
        50,
        true,
        &["B"],
    ));
    assert_eq!(scene.stage(), "shipped");
    scene.apply(report("s2", 60, Delivered));
    assert_eq!(scene.stage(), "delivered");
}

#[test]
fn law_3_an_order_first_seen_delivered_makes_one_transition() {
    let mut scene = Scene::default();
    scene.apply(shipped(40, &["A"], Some((40, Delivered))));
    assert_eq!(scene.entered(), ["delivered"]);
    let mut scene = Scene::default();
    scene.apply(report("s1", 35, Delivered));
    scene.apply(shipped(30, &["A"], None));
    assert_eq!(scene.entered(), ["delivered"], "told before the order itself");
}

#[test]
fn law_4_an_old_delivery_moves_silently_and_our_own_delay_makes_none_old() {
    let cases: [(&str, Fact); 2] = [
        ("a report", report("s1", 40, Delivered)),
        ("an order saved just now", shipped(9_000_000, &["A"], Some((40, Delivered))).into()),
    ];
    for (what, fact) in cases {
        for (received, silent) in [(None, true), (Some(STALE_AFTER), false)] {
            let mut scene = Scene::open();
            scene.apply(shipped(20, &["A"], None));
            scene.now = t(40) + STALE_AFTER + SignedDuration::from_hours(1);
            scene.received_at = received.map(|age| t(40) + age);
            scene.apply(fact.clone());
            assert_eq!(scene.stage(), "delivered", "{what}");
            let state = &scene.run(Action::Email).state;
            let skipped = matches!(state, RunState::Skipped { why: SkipReason::StaleFact, .. });
            assert_eq!(skipped, silent, "{what}");
        }
    }
}

#[test]
fn law_1_a_cancelled_fulfillments_reports_are_refused() {
    let mut scene = Scene::open();
    scene.apply(report("s1", 30, InTransit));
    scene.apply(shipment("s1", 40, false, &[]));
    assert!(waiting(&scene).is_empty());
    let refused = Decision::Ignored(IgnoreReason::PackageRemoved);
    assert_eq!(scene.apply(report("s1", 50, Delivered)), refused);
}

#[test]
fn law_1_an_order_keeps_the_reports_of_fifty_fulfillments() {
    let mut scene = Scene::open();
    for n in 0..50 {
        scene.apply(report(&format!("s{n}"), 30, InTransit));
    }
    let too_many = Decision::Ignored(IgnoreReason::TooMany { limit: 50 });
    assert_eq!(scene.apply(report("one-more", 30, InTransit)), too_many);
    assert!(
        matches!(scene.apply(report("s7", 40, Delivered)), Decision::Changed(_)),
        "known ones still count"
    );
}
