//! Laws of the search.
#![expect(clippy::unwrap_used, reason = "a test library: an unexpected error ends the test")]

use std::collections::BTreeSet;

use stagepost_app::ports::{CommitError, Indexed, OrderStore, SearchStore};
use stagepost_domain::search::{Entry, SearchKey, entries};

use crate::build::{apply, order_fact, order_id, other_shop, seconds, shop, snapshot, told};

fn key() -> SearchKey {
    SearchKey::of_deployment(&[7; 32])
}

/// The entries of the demo order with this id: its number, two words, an address.
async fn demo<S: OrderStore>(store: &S, n: u64) -> BTreeSet<Entry> {
    let made = apply(store, &order_id(n), &told(order_fact(n, 0)), seconds(0)).await.unwrap();
    entries(&made.order, &snapshot().customer, &key())
}

async fn indexed<S: SearchStore>(store: &S, n: u64) -> Indexed {
    store.searchable(&order_id(n)).await.unwrap().unwrap().indexed
}

async fn all<S: SearchStore>(store: &S, prefix: &str) -> Vec<Entry> {
    store.entries(&shop(), prefix, None, 100).await.unwrap()
}

/// An order comes with its people and with no entries; then with those that were made.
pub async fn an_order_is_found_where_it_was_indexed<S: OrderStore + SearchStore>(store: &S) {
    assert_eq!(store.searchable(&order_id(1)).await.unwrap(), None);
    let made = demo(store, 1).await;
    let found = store.searchable(&order_id(1)).await.unwrap().unwrap();
    assert_eq!((found.order.id, found.snapshot), (order_id(1), Some(snapshot())));
    assert_eq!(found.indexed, Indexed::default());
    store.index(&shop(), &order_id(1), &found.indexed, &made).await.unwrap();
    assert_eq!(indexed(store, 1).await, Indexed { entries: made.clone(), revision: 1 });
    let listed: BTreeSet<Entry> = [all(store, "N#").await, all(store, "W#").await, all(store, "M#").await]
        .concat()
        .into_iter()
        .collect();
    assert_eq!(listed, made);
}

/// What is gone is deleted, what stays stays, and an order without entries is found nowhere.
pub async fn entries_are_exchanged_by_difference<S: OrderStore + SearchStore>(store: &S) {
    let made = demo(store, 1).await;
    let other = demo(store, 2).await;
    store.index(&shop(), &order_id(2), &Indexed::default(), &other).await.unwrap();
    store.index(&shop(), &order_id(1), &Indexed::default(), &made).await.unwrap();
    let fewer: BTreeSet<Entry> = made.iter().filter(|e| !e.as_str().starts_with("W#")).cloned().collect();
    let was = indexed(store, 1).await;
    store.index(&shop(), &order_id(1), &was, &fewer).await.unwrap();
    assert_eq!(indexed(store, 1).await, Indexed { entries: fewer, revision: 2 });
    assert!(all(store, "W#").await.iter().all(|e| e.order() == Some(order_id(2))));
    let was = indexed(store, 1).await;
    store.index(&shop(), &order_id(1), &was, &BTreeSet::new()).await.unwrap();
    assert_eq!(all(store, "N#").await.len(), 1);
    assert_eq!(indexed(store, 1).await, Indexed { entries: BTreeSet::new(), revision: 3 });
}

/// Of two that read the same one wins, and the other has written nothing.
pub async fn of_two_that_index_one_order_one_loses<S: OrderStore + SearchStore>(store: &S) {
    let made = demo(store, 1).await;
    let fewer: BTreeSet<Entry> = made.iter().take(1).cloned().collect();
    let read = indexed(store, 1).await;
    store.index(&shop(), &order_id(1), &read, &fewer).await.unwrap();
    let late = store.index(&shop(), &order_id(1), &read, &made).await;
    assert!(matches!(late, Err(CommitError::LostRace)), "{late:?}");
    assert_eq!(indexed(store, 1).await, Indexed { entries: fewer, revision: 1 });
    assert!(all(store, "W#").await.is_empty(), "all or nothing");
}

/// Entries come in their order, a page at a time, and each shop has its own.
pub async fn entries_are_paged_by_prefix_and_shop<S: OrderStore + SearchStore>(store: &S) {
    for n in [1, 10, 100, 2] {
        let made = demo(store, n).await;
        store.index(&shop(), &order_id(n), &Indexed::default(), &made).await.unwrap();
    }
    let ones = all(store, "N#1").await;
    let ids: Vec<_> = ones.iter().filter_map(Entry::order).collect();
    assert_eq!(ids, [order_id(1), order_id(10), order_id(100)], "the shorter before its continuation");
    let first = store.entries(&shop(), "N#1", None, 2).await.unwrap();
    let rest = store.entries(&shop(), "N#1", first.last(), 2).await.unwrap();
    assert_eq!([first, rest].concat(), ones);
    assert!(store.entries(&shop(), "N#1", ones.last(), 2).await.unwrap().is_empty());
    assert!(store.entries(&other_shop(), "N#1", None, 10).await.unwrap().is_empty());
}

/// Many orders at once, with their people; what is not there is left out.
pub async fn orders_are_read_for_their_hits<S: OrderStore + SearchStore>(store: &S) {
    for n in 1..=60 {
        demo(store, n).await;
    }
    let ids: Vec<_> = (1..=61).map(order_id).collect();
    let found = store.found(&ids).await.unwrap();
    assert_eq!(found.len(), 60);
    assert!(found.iter().all(|(_, s)| *s == Some(snapshot())));
    let known: BTreeSet<_> = found.into_iter().map(|(order, _)| order.id).collect();
    assert!((1..=60).all(|n| known.contains(&order_id(n))));
}
