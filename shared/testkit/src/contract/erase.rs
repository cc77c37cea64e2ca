//! Laws of orders that go.
#![expect(clippy::unwrap_used, reason = "a test library: an unexpected error ends the test")]

use std::collections::BTreeSet;

use stagepost_app::audit::AuditStore;
use stagepost_app::erase::EraseStore;
use stagepost_app::ports::{IgnoredFact, InboundStore, Indexed, OrderFilter, OrderStore, SearchStore};
use stagepost_domain::id::OrderId;
use stagepost_domain::outcome::IgnoreReason;
use stagepost_domain::search::{SearchKey, entries};

use crate::build::{
    Stored, changes, commit, fulfilled_fact, order_id, other_shop, parcel, seconds, shipment, shop, snapshot,
    told,
};

/// An order with all that can stand under it: people, a package, a fact that was refused, entries in the search.
async fn an_order<S>(store: &S, n: u64) -> OrderId
where
    S: OrderStore + InboundStore + SearchStore,
{
    let id = order_id(n);
    let fact = told(fulfilled_fact(n, 0, vec![shipment("s1", 0, &["1Z A1"])]));
    let changed = changes(Stored::default().decide(&id, &fact, seconds(0)));
    let found = entries(&changed.order, &snapshot().customer, &SearchKey::of_deployment(&[7; 32]));
    store.commit(&commit(changed, "w")).await.unwrap();
    let refused = IgnoredFact {
        order: id.clone(),
        shop: shop(),
        at: seconds(1),
        fact: "order".to_owned(),
        fact_at: None,
        why: IgnoreReason::TooMany { limit: 1 },
    };
    store.keep_ignored(&refused).await.unwrap();
    store.index(&shop(), &id, &Indexed::default(), &found).await.unwrap();
    id
}

/// Nothing of it is found by anybody.
async fn is_gone<S: OrderStore + AuditStore>(store: &S, gone: &OrderId) {
    assert_eq!(store.order(gone).await.unwrap(), None);
    assert_eq!(store.order_with_snapshot(gone).await.unwrap(), None);
    assert!(store.packages(gone).await.unwrap().is_empty());
    assert!(store.audible(gone, None, 10).await.unwrap().is_empty());
    assert!(store.timeline(gone, None, 10, seconds(2)).await.unwrap().items.is_empty());
    let listed = store.orders(&shop(), &OrderFilter::Untriaged, None, 10).await.unwrap().items;
    assert!(listed.iter().all(|order| order.id != *gone));
}

/// Some at a time, the order itself at last, and nothing of another order.
pub async fn an_order_is_deleted_with_everything_under_it<S>(store: &S)
where
    S: OrderStore + InboundStore + SearchStore + EraseStore + AuditStore,
{
    let (gone, stays) = (an_order(store, 1).await, an_order(store, 2).await);
    let mut steps = 0_usize;
    while !store.delete_some(&gone, 2).await.unwrap() {
        steps = steps.saturating_add(1);
        assert!(steps < 50, "it never ends");
    }
    assert!(store.delete_some(&gone, 2).await.unwrap(), "once more is nothing");
    is_gone(store, &gone).await;
    let (_, people) = store.order_with_snapshot(&stays).await.unwrap().unwrap();
    assert!(people.is_some());
    assert_eq!(store.packages(&stays).await.unwrap().len(), 1);
    assert_eq!(store.audible(&stays, None, 10).await.unwrap().len(), 1);
}

/// A number leads to the orders that it is listed for, whoever listed them.
pub async fn a_number_is_listed_and_unlisted_for_one_order<S>(store: &S)
where
    S: OrderStore + InboundStore + SearchStore + EraseStore + AuditStore,
{
    let (one, other) = (an_order(store, 1).await, an_order(store, 2).await);
    let number = parcel("1Z A1").number.unwrap();
    let holders = async || {
        store.orders_with_number(&shop(), &number).await.unwrap().into_iter().collect::<BTreeSet<_>>()
    };
    assert_eq!(holders().await, BTreeSet::from([one.clone(), other.clone()]));
    for _ in 0..2 {
        store.unlist_number(&shop(), "1za1", &one).await.unwrap();
        assert_eq!(holders().await, BTreeSet::from([other.clone()]));
    }
    store.unlist_number(&other_shop(), &number, &other).await.unwrap();
    assert_eq!(holders().await, BTreeSet::from([other.clone()]), "law 20");
    for _ in 0..2 {
        store.list_number(&shop(), &number, &one).await.unwrap();
        assert_eq!(holders().await, BTreeSet::from([one.clone(), other.clone()]));
    }
}
