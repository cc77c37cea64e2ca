//! Laws of what came in and found no home.
#![expect(clippy::unwrap_used, reason = "a test library: an unexpected error ends the test")]

use stagepost_app::ports::{
    DueItem, IgnoredFact, InboundStore, OrderStore, ParkedFact, QUARANTINE_HEAD, QuarantineEntry,
    Quarantined, RunStore,
};
use stagepost_domain::id::CarrierId;
use stagepost_domain::outcome::IgnoreReason;
use stagepost_domain::package::TrackingStatus;

use crate::build::{carrier_id, order_id, other_shop, seconds, shop, tracking};

/// A duplicate notification is refused again, later; it is still one fact.
pub async fn an_ignored_fact_told_twice_is_one<S: OrderStore + InboundStore>(store: &S) {
    let fact = |at: i64, fact_at: i64| IgnoredFact {
        order: order_id(1),
        shop: shop(),
        at: seconds(at),
        fact: "tracking".to_owned(),
        fact_at: Some(seconds(fact_at)),
        why: IgnoreReason::LateScan { status: TrackingStatus::Delivered },
    };
    store.keep_ignored(&fact(1, 0)).await.unwrap();
    store.keep_ignored(&fact(60, 0)).await.unwrap();
    assert_eq!(store.timeline(&order_id(1), None, 10).await.unwrap().items.len(), 1);
    let other = IgnoredFact { why: IgnoreReason::OnHold, ..fact(1, 0) };
    store.keep_ignored(&other).await.unwrap();
    store.keep_ignored(&fact(61, 3)).await.unwrap();
    assert_eq!(store.timeline(&order_id(1), None, 10).await.unwrap().items.len(), 3);
}

fn report(number: &str, occurred: i64) -> ParkedFact {
    ParkedFact {
        shop: shop(),
        carrier: carrier_id(),
        parked_at: seconds(occurred),
        fact: tracking(number, TrackingStatus::InTransit, occurred),
    }
}

/// Parked until an order wants it.
pub async fn a_parked_report_is_found_due_and_forgotten<S: InboundStore + RunStore>(store: &S) {
    let (first, second) = (report("1Z-9", 1), report("1z9", 2));
    store.park(&first, seconds(100)).await.unwrap();
    store.park(&second, seconds(50)).await.unwrap();
    store.park(&report("OTHER", 3), seconds(70)).await.unwrap();
    assert_eq!(store.parked(&shop(), "1Z 9").await.unwrap().len(), 2);
    assert!(store.due(seconds(49), 10).await.unwrap().is_empty());
    let due = store.due(seconds(100), 10).await.unwrap();
    assert_eq!(due.len(), 3);
    assert_eq!(due.first(), Some(&DueItem::Parked(second.clone())));
    assert_eq!(due.last(), Some(&DueItem::Parked(first.clone())));
    store.unpark(&second).await.unwrap();
    store.unpark(&second).await.unwrap();
    assert_eq!(store.parked(&shop(), "1Z9").await.unwrap(), vec![first]);
    assert_eq!(store.due(seconds(100), 10).await.unwrap().len(), 2);
}

/// A carrier repeats itself.
pub async fn the_same_report_parked_twice_is_one<S: InboundStore + RunStore>(store: &S) {
    let fact = report("A1", 1);
    store.park(&fact, seconds(100)).await.unwrap();
    let again = ParkedFact { parked_at: seconds(9), ..fact };
    store.park(&again, seconds(110)).await.unwrap();
    assert_eq!(store.parked(&shop(), "A1").await.unwrap().len(), 1);
    assert!(store.due(seconds(109), 10).await.unwrap().is_empty());
    assert_eq!(store.due(seconds(110), 10).await.unwrap().len(), 1);
}

/// Two integrations, or one with a word more: looked after once.
pub async fn a_parked_report_in_other_words_is_the_same_report<S: InboundStore + RunStore>(store: &S) {
    let fact = report("1Z-9", 1);
    store.park(&fact, seconds(100)).await.unwrap();
    let mut again = ParkedFact { carrier: CarrierId::parse("car_other").unwrap(), ..fact.clone() };
    again.fact.number = "1z9".to_owned();
    again.fact.detail = Some("Out of the depot".to_owned());
    store.park(&again, seconds(100)).await.unwrap();
    assert_eq!(store.parked(&shop(), "1Z9").await.unwrap(), vec![again.clone()]);
    assert_eq!(store.due(seconds(100), 10).await.unwrap().len(), 1);
    let mut later = fact.clone();
    later.fact.status = TrackingStatus::Delivered;
    store.park(&later, seconds(100)).await.unwrap();
    assert_eq!(store.parked(&shop(), "1Z9").await.unwrap().len(), 2, "another status is another report");
    store.unpark(&fact).await.unwrap();
    assert_eq!(store.parked(&shop(), "1Z9").await.unwrap(), vec![later]);
}

/// Or taken out of the index while it stays parked.
pub async fn a_parked_report_can_be_put_off<S: InboundStore + RunStore>(store: &S) {
    let fact = report("A1", 1);
    store.park(&fact, seconds(100)).await.unwrap();
    let item = DueItem::Parked(fact.clone());
    store.set_due(&item, Some(seconds(200))).await.unwrap();
    assert!(store.due(seconds(199), 10).await.unwrap().is_empty());
    assert_eq!(store.due(seconds(200), 10).await.unwrap(), vec![item.clone()]);
    store.set_due(&item, None).await.unwrap();
    assert!(store.due(seconds(100_000), 10).await.unwrap().is_empty());
    assert_eq!(store.parked(&shop(), "A1").await.unwrap(), vec![fact.clone()]);
    store.unpark(&fact).await.unwrap();
    store.set_due(&item, Some(seconds(1))).await.unwrap();
    assert!(store.due(seconds(100_000), 10).await.unwrap().is_empty());
}

/// Numbers are known within a shop only.
pub async fn another_shop_does_not_see_what_is_parked<S: InboundStore>(store: &S) {
    store.park(&report("A1", 1), seconds(100)).await.unwrap();
    assert!(store.parked(&other_shop(), "A1").await.unwrap().is_empty());
}

fn unreadable(at: i64, body: Vec<u8>) -> Quarantined {
    Quarantined {
        shop: shop(),
        came_by: "chan_store".to_owned(),
        topic: "orders/updated".to_owned(),
        at: seconds(at),
        reason: "no id".to_owned(),
        body,
    }
}

fn listed(item: &Quarantined) -> QuarantineEntry {
    QuarantineEntry { item: item.clone(), bytes: item.body.len() as u64 }
}

/// Any bytes, of this shop only.
pub async fn what_is_quarantined_is_listed_newest_first_with_its_body<S: InboundStore>(store: &S) {
    let (oldest, newest, middle) =
        (unreadable(1, vec![0, 255, 10]), unreadable(3, Vec::new()), unreadable(2, b"{}".to_vec()));
    for item in [&oldest, &newest, &middle, &oldest] {
        store.quarantine(item).await.unwrap();
    }
    let found = store.quarantined(&shop(), 10).await.unwrap();
    assert_eq!(found, [newest, middle, oldest].iter().map(listed).collect::<Vec<_>>());
    assert_eq!(store.quarantined(&shop(), 2).await.unwrap().len(), 2);
    assert!(store.quarantined(&other_shop(), 10).await.unwrap().is_empty());
}

/// A hundred of them would not fit in a function.
pub async fn a_listing_of_the_quarantine_carries_no_large_body<S: InboundStore>(store: &S) {
    let body: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let item = unreadable(1, body);
    store.quarantine(&item).await.unwrap();
    store.quarantine(&unreadable(2, b"small".to_vec())).await.unwrap();
    let entries = store.quarantined(&shop(), 10).await.unwrap();
    assert_eq!(entries.len(), 2);
    let head = Quarantined { body: item.body.iter().copied().take(QUARANTINE_HEAD).collect(), ..item };
    assert_eq!(entries.last(), Some(&QuarantineEntry { item: head, bytes: 1_000_000 }));
}
