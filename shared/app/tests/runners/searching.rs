//! The search: kept behind the orders in any order of events, and never shown without a second look (laws 10,
//! 13, 19, 20).

use std::collections::BTreeSet;

use stagepost_app::ports::{Indexed, OrderStore, Page, SearchStore, StoreError};
use stagepost_app::search::{Hit, Kept, concerns, forget, keep, search};
use stagepost_domain::fact::{Fact, OrderFact};
use stagepost_domain::id::{OrderId, ShopId};
use stagepost_domain::search::{Query, SearchKey, entries};
use stagepost_testkit::{Fault, build};

use super::wire::{Side, done};
use super::world::{World, id};

fn key() -> SearchKey {
    SearchKey::of_deployment(&[7; 32])
}

fn kept(world: &World) -> Kept {
    done(keep(&world.core.store, &key(), &id())).unwrap()
}

fn page_of(
    world: &World,
    shop: &ShopId,
    text: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Page<Hit>, StoreError> {
    let query = Query::parse(text, shop, &key()).unwrap();
    done(search(&world.store, &key(), shop, &query, cursor, limit))
}

fn found(world: &World, text: &str) -> Vec<OrderId> {
    let page = page_of(world, &build::shop(), text, None, 100).unwrap();
    assert_eq!(page.next, None);
    page.items.into_iter().map(|hit| hit.order.id).collect()
}

fn renamed(name: Option<&str>, at: i64) -> Fact {
    let mut fact = build::order_fact(1001, at);
    fact.snapshot.customer.name = name.map(str::to_owned);
    build::told(fact)
}

fn indexed(world: &World) -> Indexed {
    done(world.store.searchable(&id())).unwrap().unwrap().indexed
}

#[test]
fn an_order_is_found_by_number_name_and_address_once_its_event_was_followed() {
    let world = World::new();
    assert!(found(&world, "1001").is_empty(), "nobody has followed yet");
    assert_eq!(kept(&world), Kept::Changed);
    for query in ["#1001", "100", "ada", "Exam ad", "ada@customer.test"] {
        assert_eq!(found(&world, query), [id()], "{query}");
    }
    for query in ["1002", "adam", "ada smith", "ada@customer.tes"] {
        assert!(found(&world, query).is_empty(), "{query}");
    }
    let hit = page_of(&world, &build::shop(), "ada", None, 1).unwrap().items.remove(0);
    assert_eq!((hit.order, hit.customer.as_deref()), (world.order(), Some("Ada Example")));
    assert_eq!(done(keep(&world.store, &key(), &build::order_id(404))).unwrap(), Kept::Unknown);
}

#[test]
fn law_10_a_replayed_record_writes_nothing_and_an_old_one_takes_nothing_back() {
    let world = World::new();
    kept(&world);
    world.tell(&renamed(Some("Grace Hopper"), 10));
    assert_eq!(kept(&world), Kept::Changed);
    let (writes, before) = (world.store.writes(), indexed(&world));
    // The record of the first event again, and late: what counts is the order as it is.
    assert_eq!((kept(&world), kept(&world)), (Kept::AsItWas, Kept::AsItWas));
    assert_eq!((world.store.writes(), indexed(&world)), (writes, before));
    assert_eq!((found(&world, "grace"), found(&world, "ada")), (vec![id()], vec![]));
}

#[test]
fn law_13_a_lost_record_shows_nothing_wrong_and_the_next_event_mends_it() {
    let world = World::new();
    kept(&world);
    world.tell(&renamed(Some("Grace Hopper"), 10));
    assert!(found(&world, "ada").is_empty(), "an entry that is not true any more is no hit");
    assert!(found(&world, "grace").is_empty(), "not yet");
    world.tell(&renamed(Some("Grace Hopper-King"), 20));
    assert!(concerns(world.events().last().unwrap()));
    kept(&world);
    assert_eq!(found(&world, "king grace"), [id()]);
}

#[test]
fn law_10_of_two_that_follow_at_once_the_newer_word_stays() {
    for (side, operation) in [(Side::After, "searchable"), (Side::Before, "index"), (Side::After, "index")] {
        let world = World::new();
        let other = world.clone();
        world.wire.at(side, operation, move || {
            other.tell(&renamed(Some("Grace Hopper"), 10));
            done(keep(&other.store, &key(), &id())).unwrap();
        });
        kept(&world);
        assert_eq!(
            (found(&world, "grace"), found(&world, "ada")),
            (vec![id()], vec![]),
            "{side:?} {operation}"
        );
        // The list is the truth: nothing is left that it does not name.
        let of_shop: BTreeSet<_> = ["N#", "W#", "M#"]
            .into_iter()
            .flat_map(|prefix| done(world.store.entries(&build::shop(), prefix, None, 100)).unwrap())
            .collect();
        assert_eq!(of_shop, indexed(&world).entries, "{side:?} {operation}");
    }
}

#[test]
fn law_10_a_write_that_fails_or_whose_answer_is_lost_is_made_good() {
    for fault in [Fault::Throttle, Fault::Conflict, Fault::Down, Fault::LostReply] {
        let world = World::new();
        world.store.inject(fault);
        let first = done(keep(&world.core.store, &key(), &id()));
        assert_eq!(first.is_ok(), matches!(fault, Fault::Conflict), "{fault:?}");
        kept(&world);
        assert_eq!((found(&world, "ada"), indexed(&world).revision), (vec![id()], 1), "{fault:?}");
    }
}

#[test]
fn law_19_an_order_that_is_forgotten_leaves_no_entry() {
    let world = World::new();
    kept(&world);
    done(forget(&world.store, &id())).unwrap();
    for prefix in ["N#", "W#", "M#"] {
        assert!(done(world.store.entries(&build::shop(), prefix, None, 100)).unwrap().is_empty());
    }
    assert!(indexed(&world).entries.is_empty());
    // One whose people are gone is found by its number alone.
    let mut bare = build::order_fact(1001, 10);
    bare.snapshot.customer = stagepost_domain::order::Customer::default();
    world.tell(&build::told(bare));
    kept(&world);
    assert_eq!(
        (found(&world, "1001"), found(&world, "ada"), found(&world, "ada@customer.test").len()),
        (vec![id()], vec![], 0)
    );
}

#[test]
fn what_is_new_and_what_a_platform_tells_concerns_the_search() {
    let world = World::new();
    world.enter("packing");
    let events = world.events();
    assert_eq!(events.iter().map(concerns).collect::<Vec<_>>(), [true, false]);
    // No platform ever tells of an order that a person wrote.
    let mut by_hand = build::order_fact(2, 10);
    by_hand.by = Some(build::person());
    let order = by_hand.source.order_id(&build::shop());
    done(stagepost_app::apply::apply(&world.plain, &build::shop(), &order, &build::told(by_hand))).unwrap();
    assert!(concerns(&done(world.store.event(&order, 1)).unwrap().unwrap()));
}

/// An order of this shop, created so long after the start.
fn made(world: &World, shop: &ShopId, n: u64, edit: impl FnOnce(&mut OrderFact)) -> OrderId {
    let mut fact = build::order_fact(n, 0);
    fact.created_at = build::seconds(i64::try_from(n).unwrap());
    edit(&mut fact);
    let id = fact.source.order_id(shop);
    done(stagepost_app::apply::apply(&world.plain, shop, &id, &build::told(fact))).unwrap();
    done(keep(&world.store, &key(), &id)).unwrap();
    id
}

#[test]
fn hits_come_newest_first_a_page_at_a_time_and_each_once() {
    let world = World::empty(|_| {});
    let shop = build::shop();
    let made: Vec<OrderId> = (1..=130)
        .map(|n| made(&world, &shop, n, |f| f.snapshot.customer.name = Some("Anna Andersson".to_owned())))
        .collect();
    let (mut hits, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = page_of(&world, &shop, "an", cursor.as_deref(), 25).unwrap();
        assert!(page.items.len() <= 25);
        hits.extend(page.items.into_iter().map(|hit| hit.order.id));
        (cursor, pages) = (page.next, pages + 1);
        if cursor.is_none() {
            break;
        }
    }
    let newest_first: Vec<OrderId> = made.into_iter().rev().collect();
    assert_eq!(hits, newest_first, "each under one of its two words");
    assert!(pages <= 12, "{pages}");
}

#[test]
fn a_search_looks_at_so_many_entries_and_says_where_to_go_on() {
    let world = World::empty(|_| {});
    let shop = build::shop();
    // Entries that lead nowhere, as many as a search looks at, before one that does.
    let stale: BTreeSet<_> = (0..300)
        .flat_map(|n| {
            let gone = build::order_fact(10_000 + n, 0);
            let id = gone.source.order_id(&shop);
            let mut order = World::new().order();
            order.id = id;
            entries(&order, &gone.snapshot.customer, &key())
        })
        .filter(|entry| entry.as_str().starts_with("W#ada#"))
        .collect();
    done(world.store.index(&shop, &build::order_id(9), &Indexed::default(), &stale)).unwrap();
    let adam = made(&world, &shop, 1, |f| f.snapshot.customer.name = Some("Adam".to_owned()));
    let first = page_of(&world, &shop, "ada", None, 25).unwrap();
    assert!(first.items.is_empty() && first.next.is_some());
    let rest = page_of(&world, &shop, "ada", first.next.as_deref(), 25).unwrap();
    assert_eq!(rest.items.into_iter().map(|hit| hit.order.id).collect::<Vec<_>>(), [adam]);
    assert!(page_of(&world, &shop, "adb", first.next.as_deref(), 25).is_err(), "another query's cursor");
    assert!(page_of(&world, &shop, "ada", Some("nonsense"), 25).is_err());
}

#[test]
fn law_20_nobody_finds_another_shops_orders() {
    let world = World::new();
    kept(&world);
    let other = build::other_shop();
    for query in ["1001", "ada", "ada@customer.test"] {
        assert!(page_of(&world, &other, query, None, 25).unwrap().items.is_empty(), "{query}");
    }
    // Not even if an entry said so.
    let theirs = indexed(&world).entries;
    done(world.store.index(&other, &build::order_id(9), &Indexed::default(), &theirs)).unwrap();
    for query in ["1001", "ada"] {
        assert!(page_of(&world, &other, query, None, 25).unwrap().items.is_empty(), "{query}");
    }
}
