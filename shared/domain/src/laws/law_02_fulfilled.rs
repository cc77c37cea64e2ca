//! Law 2: what *fulfilled* means, and the one thing that opens a new epoch.

use super::scene::{Scene, Seen, completed, ids, shipment, shopify, woo};
use crate::decide::Decision;
use crate::event::Change;
use crate::fact::{Coverage, Fact, ShipmentId};
use crate::flow::FulfilledWhen;
use crate::fulfillment::Attribution;

#[test]
fn law_2_a_flow_moves_on_complete_or_on_first() {
    let part = |at| shopify(at).partial(&["s1"], at);
    let cases: [(&str, FulfilledWhen, Vec<Fact>, &str); 6] = [
        ("complete, a part", FulfilledWhen::Complete, vec![part(20).into()], "new"),
        (
            "complete, all",
            FulfilledWhen::Complete,
            vec![shopify(20).fulfilled(&["s1"], 20).into()],
            "shipped",
        ),
        ("complete, told alone", FulfilledWhen::Complete, vec![shipment("s1", 20, true, &[])], "new"),
        ("first, a part", FulfilledWhen::First, vec![part(20).into()], "shipped"),
        ("first, told alone", FulfilledWhen::First, vec![shipment("s1", 20, true, &[])], "shipped"),
        ("first, told cancelled", FulfilledWhen::First, vec![shipment("s1", 20, false, &[])], "new"),
    ];
    for (what, rule, facts, stage) in cases {
        let mut scene = Scene::open().with_rule(rule);
        for fact in facts {
            scene.apply(fact);
        }
        assert_eq!(scene.stage(), stage, "{what}");
    }
}

#[test]
fn law_2_an_order_is_fulfilled_once_however_it_got_there() {
    for rule in [FulfilledWhen::First, FulfilledWhen::Complete] {
        let mut scene = Scene::open().with_rule(rule);
        scene.apply(shopify(20).partial(&["s1"], 20));
        scene.apply(shopify(30).fulfilled(&["s1", "s2"], 30));
        scene.apply(shopify(40).fulfilled(&["s1", "s2", "s3"], 40));
        assert_eq!(scene.entered(), ["new", "shipped"], "{rule:?}");
    }
}

#[test]
fn law_2_neither_absence_nor_an_added_line_reopens() {
    let fulfilled = || shopify(20).fulfilled(&["s1"], 20);
    let later: [(&str, Seen); 4] = [
        ("an added line", shopify(30).partial(&["s1"], 20)),
        ("the fulfillments left out", shopify(30)),
        ("complete without a list", shopify(30).fulfilled(&[], 30).total("1.00")),
        ("something else", fulfilled().total("1.00").with(|f| f.updated_at = Some(super::scene::t(30)))),
    ];
    for (what, seen) in later {
        let mut scene = Scene::open();
        scene.apply(fulfilled());
        scene.apply(seen);
        let f = &scene.order().fulfillment;
        assert_eq!(
            (f.epoch, f.coverage, &f.by),
            (0, Coverage::Complete, &Some(Attribution::Theirs)),
            "{what}"
        );
        assert!(f.shipments[&ShipmentId("s1".into())].active, "{what}");
    }
}

#[test]
fn law_2_only_an_explicit_cancellation_newer_than_the_mark_opens_an_epoch() {
    let shopify_order = || shopify(20).fulfilled(&["s1"], 20);
    let woo_order = || woo(20, "completed");
    let cases: [(&str, Seen, Fact, u32); 8] = [
        ("told alone", shopify_order(), shipment("s1", 30, false, &[]), 1),
        ("in the order", shopify_order(), shopify(30).shipment("s1", 30, false, &[]).into(), 1),
        ("of the same second", shopify_order(), shipment("s1", 20, false, &[]), 1),
        ("stale", shopify_order(), shipment("s1", 19, false, &[]), 0),
        ("stale in a newer order", shopify_order(), shopify(30).shipment("s1", 19, false, &[]).into(), 0),
        ("of another fulfillment", shopify_order(), shipment("s2", 30, false, &[]), 0),
        ("set back", woo_order(), woo(30, "processing").into(), 1),
        ("set back, stale", woo_order(), woo(19, "processing").into(), 0),
    ];
    for (what, before, cancellation, epoch) in cases {
        let mut scene = Scene::open();
        scene.apply(before);
        scene.apply(cancellation);
        let f = &scene.order().fulfillment;
        let expected = if epoch == 1 { (1, Coverage::None, false) } else { (0, Coverage::Complete, true) };
        assert_eq!((f.epoch, f.coverage, f.edge_spent), expected, "{what}");
        if epoch == 1 {
            assert!(matches!(scene.last().change, Change::Fulfillment { reopened: true, .. }), "{what}");
        }
    }
}

#[test]
fn law_2_a_new_epoch_has_its_own_edge() {
    let mut scene = Scene::open();
    scene.apply(shopify(20).fulfilled(&["s1"], 20));
    scene.apply(shopify(30).shipment("s1", 30, false, &[]));
    scene.go("new", super::scene::console());
    scene.apply(shopify(40).shipment("s1", 30, false, &[]).fulfilled(&["s2"], 40));
    assert_eq!(scene.entered(), ["new", "shipped", "new", "shipped"]);
}

#[test]
fn law_2_cancelling_one_of_two_leaves_a_part_and_is_no_edge() {
    // What stands was the first all along; but the order is complete anew.
    for (rule, then) in [(FulfilledWhen::First, "new"), (FulfilledWhen::Complete, "shipped")] {
        let mut scene = Scene::open().with_rule(rule);
        scene.apply(shopify(20).fulfilled(&["s1", "s2"], 20));
        scene.go("new", super::scene::console());
        scene.apply(shipment("s2", 30, false, &[]));
        assert_eq!(scene.order().fulfillment.coverage, Coverage::Partial);
        assert_eq!(scene.stage(), "new", "{rule:?}: less is fulfilled than before, nothing moves");
        scene.apply(shopify(40).fulfilled(&["s1", "s3"], 40).shipment("s2", 30, false, &[]));
        assert_eq!(scene.stage(), then, "{rule:?}");
    }
}

#[test]
fn law_2_a_cancellation_told_after_its_replacement_is_no_second_first() {
    let mut scene = Scene::open().with_rule(FulfilledWhen::First);
    scene.apply(shopify(20).partial(&["s1"], 20));
    scene.go("new", super::scene::console());
    scene.apply(shipment("s1", 30, false, &[]));
    scene.apply(shipment("s2", 31, true, &[]));
    assert_eq!(scene.stage(), "shipped");
    scene.apply(shipment("s3", 32, true, &[]));
    scene.go("new", super::scene::console());
    scene.apply(shopify(40).fulfilled(&["s3"], 32).shipment("s1", 30, false, &[]).shipment(
        "s2",
        39,
        false,
        &[],
    ));
    assert_eq!(scene.stage(), "new", "s3 was told before");
}

#[test]
fn law_2_a_fact_that_still_counts_a_cancelled_fulfillment_does_not_complete() {
    let mut scene = Scene::open();
    // The cancellation overtakes the notification of what it cancels.
    scene.apply(shipment("s1", 30, false, &[]));
    scene.apply(shopify(20).fulfilled(&["s1"], 20));
    assert_eq!((scene.order().fulfillment.coverage, scene.stage()), (Coverage::None, "new"));
    scene.apply(shopify(30).shipment("s1", 30, false, &[]));
    scene.apply(shopify(40).shipment("s1", 30, false, &[]).fulfilled(&["s2"], 40));
    assert_eq!((scene.order().fulfillment.coverage, scene.stage()), (Coverage::Complete, "shipped"));
}

#[test]
fn law_2_a_cancelled_fulfillment_and_its_parcels_do_not_come_back() {
    let mut scene = Scene::open();
    scene.apply(shipment("s1", 20, true, &["A"]));
    scene.apply(shipment("s1", 30, false, &[]));
    assert_eq!(scene.order().packages.total, 0);
    let again = scene.apply(shipment("s1", 30, true, &["A"]));
    assert!(matches!(again, Decision::NoOp(_)), "{again:?}");
    assert_eq!(scene.order().packages.total, 0);
}

#[test]
fn law_2_a_changed_rule_acts_on_the_next_fulfillment_only() {
    let mut scene = Scene::open();
    scene.apply(shopify(20).partial(&["s1"], 20));
    scene.playbook.flow.fulfilled_when = FulfilledWhen::First;
    scene.apply(shopify(30).partial(&["s1"], 20).total("1.00"));
    assert_eq!(scene.stage(), "new", "an edited address is no fulfillment");
    scene.apply(shopify(40).fulfilled(&["s1", "s2"], 40));
    assert_eq!(scene.stage(), "shipped");
}

#[test]
fn law_2_a_completion_taken_back_and_done_again_is_another_fulfillment() {
    let mut scene = Scene::open();
    for (at, status) in [(20, "completed"), (30, "processing"), (40, "completed")] {
        scene.apply(woo(at, status));
    }
    let f = &scene.order().fulfillment;
    let active: Vec<_> = f.shipments.iter().filter(|(_, s)| s.active).map(|(id, _)| id.clone()).collect();
    assert_eq!((f.epoch, f.coverage), (1, Coverage::Complete));
    assert_eq!(active, ids(&[&completed(40)]));
}
