//! Laws of orders, their events, packages and listings.
#![expect(clippy::unwrap_used, reason = "a test library: an unexpected error ends the test")]

use stagepost_app::ports::{
    CommitError, IgnoredFact, InboundStore, OrderFilter, OrderStore, StoreError, TimelineEntry,
};
use stagepost_domain::decide::Changeset;
use stagepost_domain::fact::{Fact, PackageEdit, ShipmentId};
use stagepost_domain::fulfillment::{Attribution, Lock, Shipment};
use stagepost_domain::id::{AttemptId, OrderId};
use stagepost_domain::order::{Hold, HoldReason, Lifecycle, Order, Placement, Visit};
use stagepost_domain::outcome::{IgnoreReason, SkipReason};
use stagepost_domain::package::{PACKAGES_KEPT_MAX, PACKAGES_MAX, Package, Report, TrackingStatus};
use stagepost_domain::run::{RunKey, Target};

use crate::build::{
    Stored, apply, changes, channel_id, commit, fulfilled_fact, move_to, order_fact, order_id, other_shop,
    parcel, program, seconds, shipment, shop, snapshot, stage_id, told, tracking,
};

async fn create<S: OrderStore>(store: &S, external_id: u64, now: i64) -> Changeset {
    let fact = told(order_fact(external_id, now));
    apply(store, &order_id(external_id), &fact, seconds(now)).await.unwrap()
}

async fn moved<S: OrderStore>(store: &S, id: &OrderId, stage: &str, now: i64) -> Changeset {
    let seq = store.order(id).await.unwrap().unwrap().seq;
    apply(store, id, &move_to(stage, seq), seconds(now)).await.unwrap()
}

/// Order, event, snapshot and packages of one commit are all there.
pub async fn an_order_and_its_event_are_written_together<S: OrderStore>(store: &S) {
    let id = order_id(1);
    let fact = told(fulfilled_fact(1, 0, vec![shipment("f1", 0, &["1Z 999"])]));
    let made = apply(store, &id, &fact, seconds(0)).await.unwrap();
    assert_eq!(store.order(&id).await.unwrap(), Some(made.order));
    assert_eq!(store.event(&id, 1).await.unwrap(), Some(made.event));
    assert_eq!(store.packages(&id).await.unwrap(), made.packages);
    assert_eq!(store.order_with_snapshot(&id).await.unwrap().unwrap().1, Some(snapshot()));
}

/// The loser leaves neither event nor package behind.
pub async fn of_two_commits_of_one_version_one_wins_and_nothing_is_half_written<S: OrderStore>(store: &S) {
    let id = order_id(1);
    create(store, 1, 0).await;
    let stored = Stored::read(store, &id).await;
    let first = changes(stored.decide(&id, &move_to("packing", 1), seconds(5)));
    let edit = Fact::Packages { edit: PackageEdit::Add(parcel("LOST1")), actor: program() };
    let second = changes(stored.decide(&id, &edit, seconds(6)));
    store.commit(&commit(first.clone(), "first")).await.unwrap();
    let mut lost = commit(second, "second");
    lost.webhook_body = Some("{}".to_owned());
    assert!(matches!(store.commit(&lost).await, Err(CommitError::LostRace)));
    assert_eq!(store.order(&id).await.unwrap(), Some(first.order));
    assert_eq!(store.event(&id, 2).await.unwrap(), Some(first.event));
    assert_eq!(store.packages(&id).await.unwrap(), Vec::<Package>::new());
}

/// It lost to itself.
pub async fn a_commit_repeated_after_a_lost_answer_is_a_success<S: OrderStore + InboundStore>(store: &S) {
    let id = order_id(1);
    let fact = told(fulfilled_fact(1, 0, vec![shipment("f1", 0, &["A1"])]));
    let created = commit(changes(Stored::default().decide(&id, &fact, seconds(0))), "create");
    store.commit(&created).await.unwrap();
    store.commit(&created).await.unwrap();
    let next = changes(Stored::read(store, &id).await.decide(&id, &move_to("packing", 1), seconds(1)));
    let next = commit(next, "move");
    store.commit(&next).await.unwrap();
    store.commit(&next).await.unwrap();
    assert_eq!(store.order(&id).await.unwrap().unwrap().version, 2);
    assert_eq!(store.orders_with_number(&shop(), "A1").await.unwrap(), vec![id]);
}

/// Equal content is no excuse: only the write id tells whose write it was.
pub async fn a_commit_with_another_write_id_over_the_same_version_has_lost<S: OrderStore>(store: &S) {
    let id = order_id(1);
    create(store, 1, 0).await;
    let next = changes(Stored::read(store, &id).await.decide(&id, &move_to("packing", 1), seconds(1)));
    store.commit(&commit(next.clone(), "one")).await.unwrap();
    assert!(matches!(store.commit(&commit(next, "two")).await, Err(CommitError::LostRace)));
}

/// The second creation has lost, whatever it says.
pub async fn an_order_is_created_once<S: OrderStore>(store: &S) {
    let id = order_id(1);
    let made = create(store, 1, 0).await;
    let again = changes(Stored::default().decide(&id, &told(order_fact(1, 9)), seconds(9)));
    assert!(matches!(store.commit(&commit(again, "other")).await, Err(CommitError::LostRace)));
    assert_eq!(store.order(&id).await.unwrap(), Some(made.order));
}

/// Of two writes over one version the second has lost.
pub async fn the_control_item_alone_is_written_only_over_the_version_that_was_read<S: OrderStore>(store: &S) {
    let made = create(store, 1, 0).await;
    let mut next = made.order.clone();
    next.version = 2;
    next.fulfillment.lock = Some(lock());
    store.put_order(&next, 1, "lock").await.unwrap();
    let mut other = made.order.clone();
    other.version = 2;
    assert!(matches!(store.put_order(&other, 1, "other").await, Err(CommitError::LostRace)));
    assert_eq!(store.order(&made.order.id).await.unwrap(), Some(next.clone()));
    next.id = order_id(2);
    assert!(matches!(store.put_order(&next, 1, "nobody").await, Err(CommitError::LostRace)));
}

/// It lost to itself.
pub async fn a_repeated_write_of_the_control_item_is_a_success<S: OrderStore>(store: &S) {
    let mut next = create(store, 1, 0).await.order;
    next.version = 2;
    store.put_order(&next, 1, "lock").await.unwrap();
    store.put_order(&next, 1, "lock").await.unwrap();
    assert_eq!(store.order(&next.id).await.unwrap(), Some(next));
}

fn lock() -> Lock {
    Lock {
        seq: 3,
        run: RunKey::first(Target::Fulfill(Some(channel_id()))),
        attempt: AttemptId::parse("att_1").unwrap(),
        since: seconds(10),
        until: seconds(130),
    }
}

/// An order with every optional part set, and one with none.
pub async fn everything_that_an_order_can_carry_comes_back_as_it_was<S: OrderStore>(store: &S) {
    let bare = create(store, 1, 0).await.order;
    let mut full = Order { version: 2, last_mail: Some(3), ..bare.clone() };
    full.lifecycle = Lifecycle::Cancelled { at: Some(seconds(7)) };
    full.lifecycle_seq = 2;
    full.mark = Some("2026-03-01T10:00:00.123456789Z".parse().unwrap());
    full.created_at = "9999-12-30T00:00:00Z".parse().unwrap();
    full.hold = Some(Hold {
        at: seconds(8),
        why: HoldReason::Breaker { stage: stage_id("ready") },
        pending: Some(stage_id("shipped")),
        pending_silent: Some(SkipReason::StaleFact),
    });
    full.fulfillment.epoch = 2;
    full.fulfillment.by = Some(Attribution::Undetermined);
    full.fulfillment.at = Some("1969-12-31T00:00:00Z".parse().unwrap());
    full.fulfillment.edge_spent = true;
    full.fulfillment.lock = Some(lock());
    let report = Report { status: TrackingStatus::OutForDelivery, at: seconds(5) };
    full.fulfillment.reports.insert(ShipmentId("f2".to_owned()), report);
    for (name, active, by) in
        [("f1", true, Attribution::Ours { seq: 4 }), ("completed@2026", false, Attribution::Theirs)]
    {
        let shipment = Shipment { mark: seconds(3), active, by };
        full.fulfillment.shipments.insert(ShipmentId(name.to_owned()), shipment);
    }
    if let Placement::Placed { visited, .. } = &mut full.placement {
        visited.insert(stage_id("ready"), Visit { fresh: false, automatic: 127 });
    }
    store.put_order(&full, 1, "full").await.unwrap();
    assert_eq!(store.order(&bare.id).await.unwrap(), Some(full.clone()));
    let awaited = Order { version: 3, lifecycle: Lifecycle::Trashed, placement: Placement::Awaiting, ..full };
    store.put_order(&awaited, 2, "awaited").await.unwrap();
    assert_eq!(store.order(&bare.id).await.unwrap(), Some(awaited.clone()));
    let untriaged = Order { version: 4, placement: Placement::Untriaged, ..awaited };
    store.put_order(&untriaged, 3, "untriaged").await.unwrap();
    assert_eq!(store.order(&bare.id).await.unwrap(), Some(untriaged));
}

/// And an order that is still awaited has no snapshot.
pub async fn order_and_snapshot_are_read_together<S: OrderStore>(store: &S) {
    let made = create(store, 1, 0).await;
    let read = store.order_with_snapshot(&made.order.id).await.unwrap();
    assert_eq!(read, Some((made.order, made.snapshot)));
    let mut awaited = changes(Stored::default().decide(&order_id(2), &told(order_fact(2, 0)), seconds(0)));
    awaited.order.placement = Placement::Awaiting;
    awaited.snapshot = None;
    store.commit(&commit(awaited.clone(), "w")).await.unwrap();
    assert_eq!(store.order_with_snapshot(&order_id(2)).await.unwrap(), Some((awaited.order, None)));
}

/// What was taken away must be known, or the next notification would bring it back.
pub async fn removed_packages_stay_readable<S: OrderStore>(store: &S) {
    let id = order_id(1);
    create(store, 1, 0).await;
    let add = Fact::Packages { edit: PackageEdit::Add(parcel("A1")), actor: program() };
    apply(store, &id, &add, seconds(1)).await.unwrap();
    let remove = Fact::Packages { edit: PackageEdit::Remove(parcel("A1").id()), actor: program() };
    apply(store, &id, &remove, seconds(2)).await.unwrap();
    let packages = store.packages(&id).await.unwrap();
    assert_eq!(packages.len(), 1);
    assert!(packages.iter().all(|p| p.removed));
}

/// A carrier's spelling differs from the shop's; two orders may share a parcel.
pub async fn the_package_index_finds_orders_by_any_spelling_of_a_number<S: OrderStore + InboundStore>(
    store: &S,
) {
    for n in [1, 2] {
        let fact = told(fulfilled_fact(n, 0, vec![shipment("f1", 0, &["1Z-999 aa 1"])]));
        apply(store, &order_id(n), &fact, seconds(0)).await.unwrap();
    }
    let mut found = store.orders_with_number(&shop(), "1z 999AA1").await.unwrap();
    found.sort();
    let mut both = vec![order_id(1), order_id(2)];
    both.sort();
    assert_eq!(found, both);
    assert!(store.orders_with_number(&shop(), "1Z999AA").await.unwrap().is_empty());
}

/// One container, one number: all that is in it is found, also more than a page of a listing.
pub async fn a_number_leads_to_every_order_that_holds_it<S: OrderStore + InboundStore>(store: &S) {
    let mut all = Vec::new();
    for n in 1..=101 {
        let fact = told(fulfilled_fact(n, 0, vec![shipment("f1", 0, &["A1"])]));
        apply(store, &order_id(n), &fact, seconds(0)).await.unwrap();
        all.push(order_id(n));
    }
    all.sort();
    let mut found = store.orders_with_number(&shop(), "A1").await.unwrap();
    assert_eq!(found, store.orders_with_number(&shop(), "a 1").await.unwrap(), "always in the same order");
    found.sort();
    assert_eq!(found, all);
}

/// Numbers are known within a shop only.
pub async fn another_shop_does_not_find_a_number<S: OrderStore + InboundStore>(store: &S) {
    let fact = told(fulfilled_fact(1, 0, vec![shipment("f1", 0, &["A1"])]));
    apply(store, &order_id(1), &fact, seconds(0)).await.unwrap();
    assert!(store.orders_with_number(&other_shop(), "A1").await.unwrap().is_empty());
}

/// The index holds what the order holds; a scan changes nothing of that.
pub async fn a_removed_package_leaves_the_index_and_comes_back_with_it<S: OrderStore + InboundStore>(
    store: &S,
) {
    let id = order_id(1);
    create(store, 1, 0).await;
    let add = Fact::Packages { edit: PackageEdit::Add(parcel("A1")), actor: program() };
    let remove = Fact::Packages { edit: PackageEdit::Remove(parcel("A1").id()), actor: program() };
    let scan = Fact::Tracking(tracking("A1", TrackingStatus::InTransit, 2));
    for (n, (fact, found)) in [(&add, 1), (&scan, 1), (&remove, 0), (&add, 1)].into_iter().enumerate() {
        apply(store, &id, fact, seconds(10)).await.unwrap();
        let orders = store.orders_with_number(&shop(), "A1").await.unwrap();
        assert_eq!(orders.len(), found, "after step {n}");
    }
}

/// The largest order fits, with all its numbers in the index.
pub async fn an_order_with_the_most_packages_is_stored_whole<S: OrderStore + InboundStore>(store: &S) {
    let id = order_id(1);
    let numbers: Vec<String> = (0..PACKAGES_MAX).map(|n| format!("N{n:03}")).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let fact = told(fulfilled_fact(1, 0, vec![shipment("f1", 0, &numbers)]));
    let mut create = commit(changes(Stored::default().decide(&id, &fact, seconds(0))), "w");
    create.webhook_body = Some("{}".to_owned());
    store.commit(&create).await.unwrap();
    assert_eq!(store.packages(&id).await.unwrap().len(), PACKAGES_MAX);
    for number in numbers {
        assert_eq!(store.orders_with_number(&shop(), number).await.unwrap().len(), 1, "{number}");
    }
}

/// The most that one fact can change, together with the order, its snapshot, the event and its body, is one
/// transaction: every package is taken away and others come in their place.
pub async fn an_order_whose_packages_are_all_exchanged_is_stored_whole<S: OrderStore + InboundStore>(
    store: &S,
) {
    let id = order_id(1);
    let numbers = |letter: &str| (0..PACKAGES_MAX).map(|n| format!("{letter}{n:03}")).collect::<Vec<_>>();
    let fact = |at, numbers: &[String]| {
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let mut fact = fulfilled_fact(1, at, vec![shipment("f1", at, &numbers)]);
        fact.snapshot.total = Some(at.to_string());
        told(fact)
    };
    apply(store, &id, &fact(0, &numbers("A")), seconds(0)).await.unwrap();
    let stored = Stored::read(store, &id).await;
    let mut exchange = commit(changes(stored.decide(&id, &fact(1, &numbers("B")), seconds(1))), "x");
    exchange.webhook_body = Some("{}".to_owned());
    assert!(exchange.changes.snapshot.is_some());
    store.commit(&exchange).await.unwrap();
    let packages = store.packages(&id).await.unwrap();
    assert_eq!(packages.len(), PACKAGES_KEPT_MAX);
    assert_eq!(packages.iter().filter(|p| p.removed).count(), PACKAGES_MAX);
    let order = store.order(&id).await.unwrap().unwrap();
    assert!(order.packages.more, "those that did not fit are told");
    for package in packages {
        let number = package.seen.number.unwrap();
        let found = store.orders_with_number(&shop(), &number).await.unwrap();
        assert_eq!(found.is_empty(), package.removed, "{number}");
    }
}

fn ignored(id: &OrderId, at: i64) -> IgnoredFact {
    IgnoredFact {
        order: id.clone(),
        shop: shop(),
        at: seconds(at),
        fact: "tracking".to_owned(),
        fact_at: Some(seconds(at - 5)),
        why: IgnoreReason::LateScan { status: TrackingStatus::Delivered },
    }
}

async fn whole_timeline<S: OrderStore>(store: &S, id: &OrderId, limit: usize) -> Vec<TimelineEntry> {
    let mut entries = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = store.timeline(id, cursor.as_deref(), limit, seconds(1_000)).await.unwrap();
        let events = page.items.iter().filter(|e| matches!(e, TimelineEntry::Event(_))).count();
        assert!(events <= limit);
        entries.extend(page.items);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return entries,
        }
    }
}

/// The pages put together are the whole, whatever their size.
pub async fn the_timeline_is_paged_newest_first_with_ignored_facts_in_between<
    S: OrderStore + InboundStore,
>(
    store: &S,
) {
    let id = order_id(1);
    create(store, 1, 0).await;
    for (n, stage) in ["packing", "ready", "new", "packing"].into_iter().enumerate() {
        moved(store, &id, stage, 10 * (n as i64 + 1)).await;
    }
    for at in [-3, 12, 14, 20, 99] {
        store.keep_ignored(&ignored(&id, at)).await.unwrap();
    }
    store.keep_ignored(&ignored(&order_id(2), 15)).await.unwrap();
    let line = |entry: &TimelineEntry| match entry {
        TimelineEntry::Event(event) => format!("event {}", event.seq),
        TimelineEntry::Ignored(fact) => {
            format!("ignored {}", fact.at.duration_since(seconds(0)).as_secs())
        }
    };
    let expected = [
        "ignored 99",
        "event 5",
        "event 4",
        "ignored 20",
        "event 3",
        "ignored 14",
        "ignored 12",
        "event 2",
        "event 1",
        "ignored -3",
    ];
    for limit in [1, 2, 3, 5, 100] {
        let lines: Vec<String> = whole_timeline(store, &id, limit).await.iter().map(line).collect();
        assert_eq!(lines, expected, "pages of {limit}");
    }
    assert!(whole_timeline(store, &order_id(3), 10).await.is_empty());
}

async fn listed<S: OrderStore>(store: &S, filter: &OrderFilter, limit: usize) -> Vec<OrderId> {
    let mut ids = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = store.orders(&shop(), filter, cursor.as_deref(), limit).await.unwrap();
        assert!(page.items.len() <= limit);
        ids.extend(page.items.into_iter().map(|s| s.id));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return ids,
        }
    }
}

/// An order is listed once, where it stands, by when it came there.
pub async fn a_listing_is_paged_newest_first_and_follows_the_order<S: OrderStore>(store: &S) {
    for n in 1..=5 {
        create(store, n, n as i64).await;
    }
    moved(store, &order_id(2), "packing", 50).await;
    moved(store, &order_id(4), "packing", 40).await;
    moved(store, &order_id(4), "new", 60).await;
    let new = OrderFilter::Stage(stage_id("new"));
    let expected = [4, 5, 3, 1].map(order_id);
    for limit in [1, 2, 3, 4, 50] {
        assert_eq!(listed(store, &new, limit).await, expected, "pages of {limit}");
    }
    let page = store.orders(&shop(), &OrderFilter::Stage(stage_id("packing")), None, 10).await.unwrap();
    assert_eq!(page.next, None);
    let summary = page.items.into_iter().next().unwrap();
    assert_eq!(summary.id, order_id(2));
    assert_eq!(summary.number, "#2");
    assert_eq!(summary.stage, Some(stage_id("packing")));
    assert_eq!(summary.entered_at, seconds(50));
}

/// No order without a flow gets lost.
pub async fn untriaged_orders_are_listed_apart<S: OrderStore>(store: &S) {
    create(store, 1, 0).await;
    let mut untriaged = changes(Stored::default().decide(&order_id(2), &told(order_fact(2, 0)), seconds(0)));
    untriaged.order.placement = Placement::Untriaged;
    store.commit(&commit(untriaged, "w")).await.unwrap();
    assert_eq!(listed(store, &OrderFilter::Untriaged, 10).await, vec![order_id(2)]);
    let page = store.orders(&shop(), &OrderFilter::Untriaged, None, 10).await.unwrap();
    assert!(page.items.iter().all(|s| s.stage.is_none()));
    assert_eq!(listed(store, &OrderFilter::Stage(stage_id("new")), 10).await, vec![order_id(1)]);
}

/// Even with the stage's id in hand.
pub async fn another_shop_lists_nothing<S: OrderStore>(store: &S) {
    create(store, 1, 0).await;
    for filter in [OrderFilter::Stage(stage_id("new")), OrderFilter::Untriaged] {
        let page = store.orders(&other_shop(), &filter, None, 10).await.unwrap();
        assert!(page.items.is_empty() && page.next.is_none());
    }
}

/// Not answered with a first page as if it were the next.
pub async fn a_cursor_that_is_not_ours_is_refused<S: OrderStore>(store: &S) {
    create(store, 1, 0).await;
    let filter = OrderFilter::Stage(stage_id("new"));
    for bad in ["", "x", "%%%", "T1JERVIjMQ", "eyJzIjotMX0", "ÄÖ"] {
        let orders = store.orders(&shop(), &filter, Some(bad), 10).await;
        assert!(matches!(orders, Err(StoreError::Corrupt { ref item, .. }) if item == "cursor"), "{bad}");
        let timeline = store.timeline(&order_id(1), Some(bad), 10, seconds(1_000)).await;
        assert!(matches!(timeline, Err(StoreError::Corrupt { ref item, .. }) if item == "cursor"), "{bad}");
    }
}

/// Not an error.
pub async fn an_unknown_order_is_nothing<S: OrderStore>(store: &S) {
    let id = order_id(404);
    assert_eq!(store.order(&id).await.unwrap(), None);
    assert_eq!(store.order_with_snapshot(&id).await.unwrap(), None);
    assert_eq!(store.event(&id, 1).await.unwrap(), None);
    assert!(store.packages(&id).await.unwrap().is_empty());
}
