//! Laws of what came in and found no home.
#![expect(clippy::unwrap_used, reason = "a test library: an unexpected error ends the test")]

use stagepost_app::envelope::Envelope;
use stagepost_app::inbound::Route;
use stagepost_app::ports::{
    DueItem, IgnoredFact, InboundStore, OrderStore, ParkedFact, QuarantineEntry, Quarantined, RunStore,
    StoreError,
};
use stagepost_domain::Timestamp;
use stagepost_domain::id::{CarrierId, QuarantineId};
use stagepost_domain::outcome::IgnoreReason;
use stagepost_domain::package::TrackingStatus;
use stagepost_domain::shop::Sealed;

use crate::build::{carrier_id, channel_id, order_id, other_shop, seconds, shop, tracking};

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
    assert_eq!(store.timeline(&order_id(1), None, 10, seconds(100)).await.unwrap().items.len(), 1);
    let other = IgnoredFact { why: IgnoreReason::OnHold, ..fact(1, 0) };
    store.keep_ignored(&other).await.unwrap();
    store.keep_ignored(&fact(61, 3)).await.unwrap();
    assert_eq!(store.timeline(&order_id(1), None, 10, seconds(100)).await.unwrap().items.len(), 3);
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
    assert_eq!(store.parked(&shop(), "1Z 9", seconds(9)).await.unwrap().len(), 2);
    assert!(store.due(seconds(49), 10).await.unwrap().is_empty());
    let due = store.due(seconds(100), 10).await.unwrap();
    assert_eq!(due.len(), 3);
    assert_eq!(due.first(), Some(&DueItem::Parked(second.clone())));
    assert_eq!(due.last(), Some(&DueItem::Parked(first.clone())));
    store.unpark(&second).await.unwrap();
    store.unpark(&second).await.unwrap();
    assert_eq!(store.parked(&shop(), "1Z9", seconds(9)).await.unwrap(), vec![first]);
    assert_eq!(store.due(seconds(100), 10).await.unwrap().len(), 2);
}

/// A carrier repeats itself.
pub async fn the_same_report_parked_twice_is_one<S: InboundStore + RunStore>(store: &S) {
    let fact = report("A1", 1);
    store.park(&fact, seconds(100)).await.unwrap();
    let again = ParkedFact { parked_at: seconds(9), ..fact };
    store.park(&again, seconds(110)).await.unwrap();
    assert_eq!(store.parked(&shop(), "A1", seconds(9)).await.unwrap().len(), 1);
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
    assert_eq!(store.parked(&shop(), "1Z9", seconds(9)).await.unwrap(), vec![again.clone()]);
    assert_eq!(store.due(seconds(100), 10).await.unwrap().len(), 1);
    let mut later = fact.clone();
    later.fact.status = TrackingStatus::Delivered;
    store.park(&later, seconds(100)).await.unwrap();
    assert_eq!(
        store.parked(&shop(), "1Z9", seconds(9)).await.unwrap().len(),
        2,
        "another status is another report"
    );
    store.unpark(&fact).await.unwrap();
    assert_eq!(store.parked(&shop(), "1Z9", seconds(9)).await.unwrap(), vec![later]);
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
    assert_eq!(store.parked(&shop(), "A1", seconds(9)).await.unwrap(), vec![fact.clone()]);
    store.unpark(&fact).await.unwrap();
    store.set_due(&item, Some(seconds(1))).await.unwrap();
    assert!(store.due(seconds(100_000), 10).await.unwrap().is_empty());
}

/// Numbers are known within a shop only.
pub async fn another_shop_does_not_see_what_is_parked<S: InboundStore>(store: &S) {
    store.park(&report("A1", 1), seconds(100)).await.unwrap();
    assert!(store.parked(&other_shop(), "A1", seconds(9)).await.unwrap().is_empty());
}

fn unreadable(at: i64, data: Vec<u8>) -> Quarantined {
    let (topic, route) = ("orders/updated".to_owned(), Route::Shopify(channel_id()));
    let id = QuarantineId::derive(seconds(at), route.came_by(), &topic, &data);
    let (shop, reason, bytes) = (shop(), "no id".to_owned(), 7);
    let entry = QuarantineEntry { id, shop, route, topic, at: seconds(at), reason, bytes };
    Quarantined { entry, body: Envelope { key: Sealed("sealed".to_owned()), data } }
}

async fn listed<S: InboundStore>(store: &S, now: Timestamp) -> Vec<QuarantineEntry> {
    let page = store.quarantined(&shop(), None, 10, now).await.unwrap();
    assert_eq!(page.next, None);
    page.items
}

/// Once each, of this shop only.
pub async fn what_is_quarantined_is_listed_newest_first<S: InboundStore>(store: &S) {
    let (oldest, newest, middle) =
        (unreadable(1, vec![0, 255, 10]), unreadable(3, vec![1]), unreadable(2, b"{}".to_vec()));
    for item in [&oldest, &newest, &middle, &oldest] {
        store.quarantine(item).await.unwrap();
    }
    let expected = [newest.entry, middle.entry, oldest.entry];
    assert_eq!(listed(store, seconds(4)).await, expected);
    assert!(store.quarantined(&other_shop(), None, 10, seconds(4)).await.unwrap().items.is_empty());
    let (mut cursor, mut paged) = (None, Vec::new());
    loop {
        let page = store.quarantined(&shop(), cursor.as_deref(), 1, seconds(4)).await.unwrap();
        assert_eq!(page.items.len(), 1);
        paged.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(paged, expected);
    let wrong = store.quarantined(&shop(), Some("?"), 1, seconds(4)).await;
    assert!(matches!(wrong, Err(StoreError::Corrupt { ref item, .. }) if item == "cursor"));
}

/// Also a body of megabytes that does not compress.
pub async fn a_quarantined_notification_is_read_whole_and_removed_whole<S: InboundStore>(store: &S) {
    let small = unreadable(1, vec![0, 255, 10]);
    let large = unreadable(2, (0..1_000_000_u32).map(|n| (n % 251) as u8).collect());
    for item in [&small, &large] {
        store.quarantine(item).await.unwrap();
        let id = &item.entry.id;
        let read = store.quarantined_item(&shop(), id, seconds(4)).await.unwrap();
        assert_eq!(read.as_ref(), Some(item));
        assert_eq!(store.quarantined_item(&other_shop(), id, seconds(4)).await.unwrap(), None);
    }
    store.release(&other_shop(), &large.entry.id).await.unwrap();
    store.release(&shop(), &large.entry.id).await.unwrap();
    store.release(&shop(), &large.entry.id).await.unwrap();
    assert_eq!(store.quarantined_item(&shop(), &large.entry.id, seconds(4)).await.unwrap(), None);
    assert_eq!(listed(store, seconds(4)).await, [small.entry]);
}

/// A reason of now in the place of that of then.
pub async fn a_notification_that_is_quarantined_again_stays_one<S: InboundStore>(store: &S) {
    let first = unreadable(1, b"{}".to_vec());
    let mut again = first.clone();
    again.entry.reason = "no time".to_owned();
    again.body.data = b"sealed anew".to_vec();
    store.quarantine(&first).await.unwrap();
    store.quarantine(&again).await.unwrap();
    assert_eq!(listed(store, seconds(4)).await, [again.entry.clone()]);
    assert_eq!(store.quarantined_item(&shop(), &again.entry.id, seconds(4)).await.unwrap(), Some(again));
}

/// A table takes days to remove what has expired: until then nobody may meet it.
pub async fn what_has_expired_is_not_there<S: OrderStore + InboundStore>(store: &S) {
    let (old, young) = (unreadable(1, b"old".to_vec()), unreadable(2, b"young".to_vec()));
    store.quarantine(&old).await.unwrap();
    store.quarantine(&young).await.unwrap();
    store.park(&report("A1", 1), seconds(100)).await.unwrap();
    let ignored = |at: i64| IgnoredFact {
        order: order_id(1),
        shop: shop(),
        at: seconds(at),
        fact: "tracking".to_owned(),
        fact_at: Some(seconds(1)),
        why: IgnoreReason::OnHold,
    };
    store.keep_ignored(&ignored(1)).await.unwrap();
    for (now, there) in [(seconds(30 * 86_400), 1), (seconds(30 * 86_400 + 1), 0)] {
        assert_eq!(store.parked(&shop(), "A1", now).await.unwrap().len(), there);
        assert_eq!(store.timeline(&order_id(1), None, 10, now).await.unwrap().items.len(), there);
        let found = store.quarantined_item(&shop(), &old.entry.id, now).await.unwrap();
        assert_eq!(found.map_or(0, |_| 1), there);
        let all = [young.entry.clone(), old.entry.clone()];
        assert_eq!(listed(store, now).await, all.get(..=there).unwrap());
        let page = store.quarantined(&shop(), None, 1, now).await.unwrap();
        assert_eq!((page.items, page.next.is_some()), (vec![young.entry.clone()], there == 1));
    }
    // Told again when the first is past, it is told anew.
    let now = seconds(30 * 86_400 + 1);
    store.keep_ignored(&ignored(30 * 86_400 + 1)).await.unwrap();
    assert_eq!(store.timeline(&order_id(1), None, 10, now).await.unwrap().items.len(), 1);
}
