//! Law 1: facts are compared with the stored state and a high-water mark per resource.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{Just, Strategy, prop};
use proptest::{prop_assert, prop_assert_eq, proptest};

use super::scene::{Scene, Seen, add, console, parcel, remove, scan, shipment, shopify, woo};
use crate::decide::Decision;
use crate::event::Change;
use crate::fact::{Fact, PackageEdit, Part, ShipmentId};
use crate::flow::FulfilledWhen;
use crate::fulfillment::Attribution;
use crate::id::PackageId;
use crate::order::{Customer, Lifecycle, Line, Order, Placement, Platform, Snapshot};
use crate::outcome::{IgnoreReason, NoOpReason};
use crate::package::{PackageSeen, TrackingStatus};

fn no_op(decision: &Decision) -> Option<NoOpReason> {
    if let Decision::NoOp(reason) = decision { Some(*reason) } else { None }
}

#[test]
fn law_1_an_older_fact_is_a_no_op() {
    let mut scene = Scene::default();
    scene.apply(shopify(50).shipment("s1", 40, true, &["A"]));
    scene.apply(scan("A", 60, TrackingStatus::OutForDelivery));
    let before = scene.clone();
    let older: [(&str, Fact); 4] = [
        ("order", shopify(49).total("9.90").into()),
        ("a whole fulfillment in an older order fact", shopify(49).fulfilled(&["s9"], 49).into()),
        ("fulfillment", shipment("s1", 39, false, &[])),
        ("package", scan("A", 59, TrackingStatus::InTransit)),
    ];
    for (what, fact) in older {
        assert_eq!(no_op(&scene.apply(fact)), Some(NoOpReason::Older), "{what}");
    }
    assert_eq!((&scene.order, &scene.packages), (&before.order, &before.packages));
}

#[test]
fn law_1_each_resource_has_its_own_mark() {
    let mut scene = Scene::default();
    scene.apply(shopify(50).shipment("s1", 40, true, &["A"]));
    // All of these are older than the order's mark, and none is older than its own resource's.
    let own = [
        ("a new fulfillment", shipment("s2", 20, true, &["B"])),
        ("a newer word of a known one", shipment("s1", 41, true, &["A", "C"])),
        ("a scan of a parcel", scan("A", 30, TrackingStatus::InTransit)),
        ("an earlier scan of another parcel", scan("B", 25, TrackingStatus::InTransit)),
    ];
    for (what, fact) in own {
        assert!(matches!(scene.apply(fact), Decision::Changed(_)), "{what}");
    }
    assert_eq!(scene.order().packages.total, 3);
}

#[test]
fn law_1_the_same_fact_again_is_a_no_op() {
    let mut scene = Scene::default();
    let facts: [Fact; 4] = [
        shipment("s1", 40, true, &["A"]),
        shopify(50).shipment("s1", 40, true, &["A"]).into(),
        scan("A", 60, TrackingStatus::InTransit),
        add("B"),
    ];
    for fact in facts {
        assert!(matches!(scene.apply(fact.clone()), Decision::Changed(_)), "{fact:?}");
        assert_eq!(no_op(&scene.apply(fact.clone())), Some(NoOpReason::Same), "{fact:?}");
    }
    assert_eq!(no_op(&scene.apply(shopify(99).shipment("s1", 45, true, &["A"]))), Some(NoOpReason::Same));
}

#[test]
fn law_1_a_newer_fact_counts() {
    let mut scene = Scene::open();
    scene.apply(shopify(11).total("9.90"));
    assert_eq!(scene.snapshot.as_ref().unwrap().total.as_deref(), Some("9.90"));
    assert_eq!(scene.last().change, Change::Updated);
    scene.apply(shopify(12).total("9.90").cancelled());
    assert_eq!(scene.last().change, Change::Cancelled);
    scene.apply(shopify(13).total("9.90"));
    assert_eq!(scene.last().change, Change::Reopened);
    assert_eq!(scene.entered(), ["new"], "none of it is a move");
}

#[test]
fn law_1_a_written_fact_always_raises_the_mark() {
    let mut scene = Scene::open();
    // The same people and lines, more fulfilled: the mark is the fact's own time all the same.
    scene.apply(shopify(30).partial(&["s1"], 30));
    assert_eq!(no_op(&scene.apply(shopify(20).total("1.00"))), Some(NoOpReason::Older));
}

#[test]
fn law_1_the_same_second_is_compared_by_content() {
    let pairs: [(&str, Fact, Fact); 6] = [
        ("total", shopify(20).total("1.00").into(), shopify(20).total("2.00").into()),
        ("lifecycle", shopify(20).into(), shopify(20).cancelled().into()),
        ("address", shopify(20).total("2.00").into(), shopify(20).total("2.00").without_email().into()),
        ("tracking", shipment("s1", 20, true, &[]), shipment("s1", 20, true, &["A"])),
        ("number", shipment("s1", 20, true, &["A"]), shipment("s1", 20, true, &["B"])),
        ("end", shipment("s1", 20, true, &["A"]), shipment("s1", 20, false, &[])),
    ];
    for (what, one, other) in pairs {
        let ended = |first: &Fact, second: &Fact| {
            let mut scene = Scene::open();
            scene.apply(first.clone());
            scene.apply(second.clone());
            let active: Vec<_> = scene.order().fulfillment.shipments.values().map(|s| s.active).collect();
            (held(&scene), active, scene.snapshot.clone(), scene.order().lifecycle.clone())
        };
        assert_eq!(ended(&one, &other), ended(&other, &one), "{what}");
    }
}

#[test]
fn law_1_parcels_of_the_order_as_a_whole_follow_its_mark() {
    let told = |at, numbers: Option<&[&str]>| {
        let listed = numbers.map(|all| all.iter().map(|n| parcel(n)).collect());
        woo(at, "processing").with(|f| f.fulfillment.packages = listed)
    };
    let cases: [(&str, Seen, &[&str]); 6] = [
        ("newer", told(30, Some(&["B"])), &["B"]),
        ("newer, none any more", told(30, Some(&[])), &[]),
        ("newer, not told", told(30, None), &["A"]),
        ("older", told(19, Some(&["A", "B"])), &["A"]),
        ("of an equal time, more", told(20, Some(&["A", "B"])), &["A", "B"]),
        ("of an equal time, none any more", told(20, Some(&[])), &[]),
    ];
    for (what, seen, expected) in cases {
        let mut scene = Scene::default();
        scene.apply(told(20, Some(&["A"])));
        scene.apply(seen);
        assert_eq!(held(&scene), expected.iter().map(|n| parcel(n).id()).collect(), "{what}");
    }
}

#[test]
fn law_1_of_one_second_the_fuller_content_stays() {
    let mut scene = Scene::open();
    scene.apply(shopify(10).without_email());
    assert!(scene.order().has_email);
}

/// An order as a notification tells it: its customer with a phone, and 80 lines.
fn notified(at: i64) -> Seen {
    let price = Some("500".to_owned());
    let line = |n| Line { title: format!("Line {n}"), sku: None, quantity: "1".into(), price: price.clone() };
    shopify(at).with(|f| {
        f.snapshot.customer.phone = Some("+1".into());
        f.snapshot.lines = (0..80).map(line).collect();
        f.snapshot.line_count = 80;
    })
}

/// The same order in a list that has no customer, writes amounts in its own way and cuts the lines.
fn in_list(at: i64) -> Seen {
    let who = [Part::CustomerName, Part::CustomerEmail, Part::CustomerPhone];
    notified(at).total("19.9").with(|f| {
        f.untold = who.into_iter().chain([Part::MoreLines, Part::Digits]).collect();
        f.snapshot.lines.iter_mut().for_each(|line| line.price = Some("500.0".into()));
        f.snapshot.customer =
            Customer { name: Some("The recipient".into()), email: None, phone: Some("+2".into()) };
        f.snapshot.lines.truncate(50);
        f.snapshot.line_count = 50;
    })
}

#[test]
fn law_1_what_a_source_cannot_tell_stays_as_it_was_told() {
    let mut scene = Scene::default();
    scene.apply(notified(10));
    let told = scene.snapshot.clone().unwrap();
    // A save that changed nothing raises no mark, so the list shows a newer time.
    assert_eq!(no_op(&scene.apply(in_list(20))), Some(NoOpReason::Same));
    assert_eq!(scene.snapshot, Some(told.clone()));
    // What it can tell counts all the same, and nothing else does.
    let edited = in_list(30).total("9.90").with(|f| {
        f.untold.remove(&Part::CustomerEmail);
        f.snapshot.customer.email = Some("new@example.com".into());
        f.snapshot.ship_to = vec!["2 Way".into()];
    });
    assert!(matches!(scene.apply(edited), Decision::Changed(_)));
    let mut expected = Snapshot { total: Some("9.90".into()), ship_to: vec!["2 Way".into()], ..told };
    expected.customer.email = Some("new@example.com".into());
    assert_eq!(scene.snapshot, Some(expected));
    assert!(scene.order().has_email);
}

#[test]
fn law_1_an_amount_in_other_digits_is_the_same_and_another_amount_is_not() {
    let told = |total: &str| {
        let mut scene = Scene::default();
        scene.apply(shopify(10).total(total));
        move |listed: &str| {
            scene.apply(shopify(20).total(listed).with(|f| f.untold = [Part::Digits].into()));
            scene.snapshot.unwrap().total.unwrap()
        }
    };
    for (total, listed, expected) in [
        ("19.90", "19.9", "19.90"),
        ("500", "500.0", "500"),
        ("500", "500.00", "500"),
        ("500", "50.0", "50.0"),
        ("500", "5000", "5000"),
        ("19.90", "19.09", "19.09"),
        ("0.00", "0.0", "0.00"),
    ] {
        assert_eq!(told(total)(listed), expected, "{total} and {listed}");
    }
}

#[test]
fn law_1_of_an_order_that_nobody_told_of_a_poor_source_is_better_than_none() {
    let mut scene = Scene::default();
    scene.apply(in_list(10));
    assert_eq!(scene.snapshot, Some(in_list(10).0.snapshot));
    // What was not there before is filled in, and a list that is longer than what was known is news.
    let fewer = notified(20).with(|f| {
        f.snapshot.customer = Customer::default();
        f.snapshot.lines.truncate(3);
        f.snapshot.line_count = 3;
    });
    scene.apply(fewer);
    scene.apply(in_list(30));
    let (told, listed) = (scene.snapshot.unwrap(), in_list(30).0.snapshot);
    assert_eq!((told.customer, told.line_count), (listed.customer, 50));
    assert_eq!((told.lines.len(), &told.lines[49]), (50, &listed.lines[49]));
}

#[test]
fn law_1_a_report_from_before_the_order_is_of_another_parcel_that_had_the_number() {
    let reused = || scan("A", -86_400, TrackingStatus::Delivered);
    let with_parcel = |seen: Seen| {
        let mut scene = Scene::default();
        scene.apply(seen);
        scene.apply(add("A"));
        scene
    };
    for seen in [shopify(10), woo(10, "processing")] {
        let mut scene = with_parcel(seen);
        assert_eq!(scene.apply(reused()), Decision::Ignored(IgnoreReason::BeforeOrder));
        assert_eq!((scene.order().packages.delivered, scene.stage()), (0, "new"));
        // The time of one that was told without its zone may be half a day off.
        let without_zone = scan("A", -14 * 3_600, TrackingStatus::Delivered);
        assert!(matches!(scene.apply(without_zone), Decision::Changed(_)));
        assert_eq!(no_op(&scene.apply(reused())), Some(NoOpReason::Older), "once another one counts");
    }
    // Whoever writes an order over the API may do so when its parcels have left.
    let mut scene = with_parcel(shopify(10).with(|f| f.source.platform = Platform::Api));
    assert!(matches!(scene.apply(reused()), Decision::Changed(_)));
    // Of an order that only its fulfillment told of nobody knows yet when it was created.
    let mut scene = Scene::default();
    scene.apply(shipment("s1", 20, true, &["A"]));
    assert_eq!(scene.order().placement, Placement::Awaiting);
    assert!(matches!(scene.apply(scan("A", 10, TrackingStatus::InTransit)), Decision::Changed(_)));
}

#[test]
fn law_1_of_an_equal_time_woocommerces_later_word_counts() {
    // Its bodies are built at delivery and sent in turn, and the older storage keeps the time of an order
    // whose metadata changes.
    let mut scene = Scene::default();
    for (status, total, cancelled) in
        [("pending", "2.00", false), ("on-hold", "1.00", true), ("pending", "2.00", false)]
    {
        let seen = woo(10, status).total(total).with(|f| {
            f.lifecycle = if cancelled { Lifecycle::Cancelled { at: None } } else { Lifecycle::Open };
        });
        assert!(matches!(scene.apply(seen.clone()), Decision::Changed(_)), "{status}");
        assert_eq!(scene.order().lifecycle, seen.0.lifecycle);
        assert_eq!(scene.snapshot, Some(seen.0.snapshot.clone()));
        assert_eq!(no_op(&scene.apply(seen)), Some(NoOpReason::Same), "{status} again");
    }
    assert_eq!(no_op(&scene.apply(woo(9, "processing"))), Some(NoOpReason::Older));
}

#[test]
fn law_1_two_scans_of_one_moment_end_the_same_in_either_order() {
    use TrackingStatus::{Delivered, Exception, InTransit, OutForDelivery, ReturnToSender, Unknown};
    for one in [Unknown, InTransit, OutForDelivery, Exception, Delivered, ReturnToSender] {
        for other in [Unknown, InTransit, OutForDelivery, Exception, Delivered, ReturnToSender] {
            let ended = |first, second| {
                let mut scene = Scene::open();
                scene.apply(add("A"));
                scene.apply(scan("A", 20, first));
                scene.apply(scan("A", 20, second));
                scene.packages[0].status
            };
            assert_eq!(ended(one, other), ended(other, one), "{one:?} and {other:?}");
        }
    }
}

#[test]
fn law_1_a_late_scan_does_not_undo_a_delivery() {
    let mut scene = Scene::open();
    scene.apply(add("A"));
    scene.apply(scan("a ", 20, TrackingStatus::Delivered));
    assert_eq!(scene.stage(), "delivered");
    let late = scene.apply(scan("A", 30, TrackingStatus::InTransit));
    assert_eq!(late, Decision::Ignored(IgnoreReason::LateScan { status: TrackingStatus::Delivered }));
    scene.apply(scan("A", 40, TrackingStatus::ReturnToSender));
    assert_eq!(scene.order().packages.delivered, 0, "on its way back is not delivered");
    assert_eq!(scene.stage(), "delivered");
}

#[test]
fn law_1_a_parcel_removed_by_hand_does_not_come_back_by_itself() {
    let mut scene = Scene::open();
    scene.apply(shipment("s1", 20, true, &["A"]));
    scene.apply(remove("A"));
    scene.apply(shipment("s1", 30, true, &["A", "B"]));
    assert_eq!(held(&scene).len(), 1);
    let scan = scene.apply(scan("A", 40, TrackingStatus::Delivered));
    assert_eq!(scan, Decision::Ignored(IgnoreReason::PackageRemoved));
    scene.apply(add("A"));
    assert_eq!(scene.order().packages.total, 2, "a person may bring it back");
}

#[test]
fn law_1_a_known_parcels_missing_link_is_filled_in_and_a_persons_own_stays() {
    let linked = |url: &str| PackageSeen::parse(Some("A"), Some(url), Some("UPS")).unwrap();
    let add = |url: &str| Fact::Packages { edit: PackageEdit::Add(linked(url)), actor: console() };
    let told = |at, url: &str| {
        let Fact::Shipment(mut fact) = shipment("s1", at, true, &[]) else { unreachable!() };
        fact.shipment.packages = vec![linked(url)];
        Fact::Shipment(fact)
    };
    let link = |scene: &Scene| scene.packages[0].seen.url.clone().unwrap();
    let mut scene = Scene::open();
    scene.apply(shipment("s1", 20, true, &["A"]));
    scene.apply(told(30, "https://a.test/"));
    assert_eq!(
        (link(&scene), scene.packages[0].seen.carrier.as_deref()),
        ("https://a.test/".into(), Some("UPS"))
    );
    let seq = scene.order().seq;
    scene.apply(told(40, "https://b.test/"));
    assert_eq!((link(&scene), scene.order().seq), ("https://a.test/".into(), seq));
    scene.apply(add("https://c.test/"));
    assert_eq!((link(&scene), scene.order().packages.total), ("https://c.test/".into(), 1));
    assert_eq!(no_op(&scene.apply(add("https://c.test/"))), Some(NoOpReason::Same));
    scene.apply(told(50, "https://d.test/"));
    assert_eq!(link(&scene), "https://c.test/");
    // It is still the fulfillment's: it goes with it.
    scene.apply(shipment("s1", 60, false, &["A"]));
    assert_eq!(scene.order().packages.total, 0);
}

#[test]
fn law_1_one_parcel_of_two_fulfillments_is_stored_once_and_stays_with_the_other() {
    let mut scene = Scene::open();
    scene.apply(shopify(20).shipment("s1", 20, true, &["A"]).shipment("s2", 20, true, &["A", "A"]));
    assert_eq!(scene.order().packages.total, 1);
    scene.apply(shopify(30).shipment("s2", 20, true, &["A"]).shipment("s1", 30, false, &["A"]));
    assert_eq!(scene.order().packages.total, 1);
    scene.apply(shopify(40).shipment("s2", 40, false, &["A"]).shipment("s1", 30, false, &["A"]));
    assert_eq!(scene.order().packages.total, 0);
}

#[test]
fn law_1_the_fifty_first_fulfillment_is_refused_visibly() {
    let mut scene = Scene::open();
    let names: Vec<String> = (0..50).map(|n| format!("s{n}")).collect();
    let listed = |at: i64| names.iter().fold(shopify(at), |seen, n| seen.shipment(n, 20, true, &[]));
    scene.apply(listed(20));
    let too_many = Decision::Ignored(IgnoreReason::TooMany { limit: 50 });
    assert_eq!(scene.apply(shipment("one-more", 30, true, &[])), too_many);
    assert_eq!(scene.apply(listed(30).shipment("one-more", 30, true, &[])), too_many);
    // What else such a fact says still counts.
    let cancelled = listed(40).shipment("one-more", 30, true, &[]).shipment("s0", 40, false, &[]);
    assert!(matches!(scene.apply(cancelled), Decision::Changed(_)));
}

#[test]
fn law_13_the_fifty_first_parcel_is_told_and_the_order_does_not_arrive_without_it() {
    let mut scene = Scene::open();
    let numbers: Vec<String> = (0..51).map(|n| format!("N{n:02}")).collect();
    let listed = |at, n: usize| {
        let names: Vec<_> = numbers.iter().take(n).map(String::as_str).collect();
        shopify(at).fulfilled(&[], at).shipment("s1", at, true, &names)
    };
    scene.apply(listed(20, 51));
    assert_eq!((scene.order().packages.total, scene.order().packages.more), (50, true));
    assert_eq!(no_op(&scene.apply(listed(30, 51))), Some(NoOpReason::Same), "told once");
    for number in numbers.iter().take(50) {
        scene.apply(scan(number, 40, TrackingStatus::Delivered));
    }
    assert_ne!(scene.stage(), "delivered", "one is on its way still");
    assert!(super::scene::is_refused(&scene.apply(add("ONE-MORE"))).is_some());
    scene.apply(listed(50, 50));
    assert!(!scene.order().packages.more);
}

#[test]
fn law_13_parcels_that_were_taken_away_make_room_for_others() {
    let mut scene = Scene::open();
    let numbers = |letter: char| (0..50).map(|n| format!("{letter}{n:02}")).collect::<Vec<_>>();
    for (at, letter, more) in [(20, 'A', false), (30, 'B', true)] {
        let numbers = numbers(letter);
        let names: Vec<_> = numbers.iter().map(String::as_str).collect();
        scene.apply(shopify(at).shipment("s1", at, true, &names));
        assert_eq!(scene.order().packages.more, more, "{letter}: 96 are kept in all");
        assert!(scene.packages.len() <= crate::package::PACKAGES_KEPT_MAX);
    }
    assert_eq!(scene.order().packages.total, 46);
}

/// The parcels not taken away.
fn held(scene: &Scene) -> BTreeSet<PackageId> {
    scene.packages.iter().filter(|p| !p.removed).map(|p| p.id.clone()).collect()
}

/// What must not depend on the order of arrival: everything but event numbers and times.
type Essence = (Order, Option<Snapshot>, BTreeMap<ShipmentId, (bool, Attribution)>, BTreeSet<PackageId>);

fn essence(scene: &Scene) -> Essence {
    let mut order = scene.order().clone();
    (order.seq, order.version, order.lifecycle_seq, order.last_mail, order.mark) = (0, 0, 0, None, None);
    order.fulfillment.at = None;
    if let crate::order::Placement::Placed { entered_at, entered_seq, visited, .. } = &mut order.placement {
        // Where it was on the way depends on what was told first (law 3).
        (*entered_at, *entered_seq) = (super::scene::t(0), 0);
        visited.clear();
    }
    let shipments = std::mem::take(&mut order.fulfillment.shipments);
    let shipments = shipments.into_iter().map(|(id, s)| (id, (s.active, s.by))).collect();
    (order, scene.snapshot.clone(), shipments, held(scene))
}

/// Create, update, partial, fulfilled and three of `fulfillments/*`, each with its own time.
fn told_apart() -> Vec<Fact> {
    vec![
        shopify(10).into(),
        shopify(20).total("24.90").into(),
        shopify(30).total("24.90").partial(&[], 0).shipment("s1", 30, true, &["A"]).into(),
        both(shopify(40).total("29.90").fulfilled(&[], 0), 35, "B").into(),
        shipment("s1", 30, true, &["A"]),
        shipment("s1", 35, true, &["B"]),
        shipment("s2", 40, true, &["C"]),
    ]
}

/// The same, all in one second.
fn of_one_second() -> Vec<Fact> {
    vec![
        shopify(10).into(),
        shopify(10).total("24.90").into(),
        shopify(10).total("21.90").partial(&[], 0).shipment("s1", 10, true, &[]).into(),
        both(shopify(10).total("29.90").fulfilled(&[], 0), 10, "A").into(),
        shipment("s1", 10, true, &[]),
        shipment("s1", 10, true, &["A"]),
        shipment("s2", 10, true, &["C"]),
    ]
}

fn both(seen: Seen, s1_at: i64, number: &str) -> Seen {
    let s2_at = if s1_at == 35 { 40 } else { s1_at };
    seen.shipment("s1", s1_at, true, &[number]).shipment("s2", s2_at, true, &["C"])
}

fn any_arrival(facts: Vec<Fact>) -> impl Strategy<Value = Vec<Fact>> {
    let again = prop::collection::vec(0..facts.len(), 0..8);
    again
        .prop_map(move |again| {
            let more: Vec<Fact> = again.into_iter().map(|i| facts[i].clone()).collect();
            facts.iter().cloned().chain(more).collect::<Vec<_>>()
        })
        .prop_shuffle()
}

proptest! {
    #[test]
    fn law_1_any_order_of_arrival_with_any_duplicates_ends_in_the_same_state(
        (in_turn, shuffled) in proptest::prop_oneof![Just(told_apart()), Just(of_one_second())]
            .prop_flat_map(|facts| (Just(facts.clone()), any_arrival(facts))),
        first in proptest::bool::ANY,
    ) {
        let rule = if first { FulfilledWhen::First } else { FulfilledWhen::Complete };
        let run = |facts: &[Fact]| {
            let mut scene = Scene::default().with_rule(rule);
            for fact in facts {
                scene.apply(fact.clone());
            }
            scene
        };
        let (expected, scene) = (run(&in_turn), run(&shuffled));
        prop_assert_eq!(essence(&scene), essence(&expected));
        prop_assert_eq!(scene.stage(), "shipped");
        let mut entered = scene.entered();
        prop_assert_eq!(scene.mails(), entered.clone(), "one mail for each entry and none besides");
        entered.dedup();
        prop_assert!(entered == ["shipped"] || entered == ["new", "shipped"], "{:?}", entered);
    }
}
