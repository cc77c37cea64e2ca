//! Laws of runs and the due index.
#![expect(clippy::unwrap_used, reason = "a test library: an unexpected error ends the test")]

use stagepost_app::ports::{CommitError, DueItem, OrderStore, RunStore};
use stagepost_domain::disposition::Disposition;
use stagepost_domain::event::{Action, Event};
use stagepost_domain::id::{AttemptId, OrderId};
use stagepost_domain::outcome::SkipReason;
use stagepost_domain::run::{AttemptOutcome, Claim, Run, RunId, RunKey, RunState};
use stagepost_domain::{SignedDuration, Timestamp};

use crate::build::{
    Stored, apply, changes, commit, move_to, order_fact, order_id, other_shop, seconds, shop, told,
};

const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// An order in *Ready* at second 10, where three runs start: a mail due at 20, a webhook and a fulfillment
/// (made by hand, so both wait for the grace as well).
async fn three_runs<S: OrderStore>(store: &S, external_id: u64) -> Event {
    let id = order_id(external_id);
    apply(store, &id, &told(order_fact(external_id, 0)), seconds(0)).await.unwrap();
    let event = apply(store, &id, &move_to("ready", 1), seconds(10)).await.unwrap().event;
    assert_eq!(event.open_runs(), 3);
    event
}

fn place(event: &Event, action: Action) -> (RunId, Run) {
    let (key, run) = event.runs.iter().find(|(key, _)| key.action() == action).unwrap();
    (RunId { order: event.order.clone(), seq: event.seq, key: key.clone() }, run.clone())
}

fn attempt(n: u32) -> AttemptId {
    AttemptId::from_body(&n.to_string()).unwrap()
}

fn claimed(id: &RunId, run: &Run, n: u32, now: Timestamp) -> Run {
    let claim = run.claim(id.key.action(), &attempt(n), now, LEASE);
    let Claim::Granted(claimed) = claim else { unreachable!("expected a claim, got {claim:?}") };
    claimed
}

fn finished(id: &RunId, run: &Run, n: u32, outcome: &AttemptOutcome, now: Timestamp) -> Run {
    run.finish(id.key.action(), &attempt(n), outcome, now, 0.5).unwrap()
}

fn success() -> AttemptOutcome {
    AttemptOutcome::Success { detail: "200".to_owned() }
}

async fn due<S: RunStore>(store: &S, now: i64) -> Vec<(u64, String)> {
    let items = store.due(seconds(now), 100).await.unwrap();
    items
        .into_iter()
        .map(|item| match item {
            DueItem::Event(event) => (event.seq, event.order.to_string()),
            DueItem::Parked(fact) => (0, fact.fact.number),
            DueItem::Job(job) => (0, job.id.to_string()),
        })
        .collect()
}

/// Claims and finishes one run.
async fn end<S: RunStore>(store: &S, event: &Event, action: Action, n: u32) -> Event {
    let (id, run) = place(event, action);
    let now = seconds(30);
    let held = claimed(&id, &run, n, now);
    store.update_run(&id, &run, &held).await.unwrap();
    let done = finished(&id, &held, n, &success(), now);
    store.update_run(&id, &held, &done).await.unwrap()
}

/// The second attempt has lost, and the first one's claim stands.
pub async fn a_claim_is_granted_to_one<S: OrderStore + RunStore>(store: &S) {
    let event = three_runs(store, 1).await;
    let (id, run) = place(&event, Action::Webhook);
    let first = claimed(&id, &run, 1, seconds(30));
    let second = claimed(&id, &run, 2, seconds(30));
    let after = store.update_run(&id, &run, &first).await.unwrap();
    assert_eq!(after.runs.get(&id.key), Some(&first));
    assert!(matches!(store.update_run(&id, &run, &second).await, Err(CommitError::LostRace)));
    assert_eq!(store.event(&id.order, id.seq).await.unwrap(), Some(after));
}

/// A claim, an end and a retry that were stored and never heard of again.
pub async fn the_same_update_again_is_a_success<S: OrderStore + RunStore>(store: &S) {
    let event = three_runs(store, 1).await;
    let (id, run) = place(&event, Action::Webhook);
    let now = seconds(30);
    let held = claimed(&id, &run, 1, now);
    let later = finished(&id, &held, 1, &AttemptOutcome::Later { due: seconds(90), why: None }, now);
    let again = claimed(&id, &later, 2, seconds(90));
    let done = finished(&id, &again, 2, &success(), seconds(91));
    for (expected, next) in [(&run, &held), (&held, &later), (&later, &again), (&again, &done)] {
        let once = store.update_run(&id, expected, next).await.unwrap();
        let twice = store.update_run(&id, expected, next).await.unwrap();
        assert_eq!(once, twice);
        assert_eq!(once.runs.get(&id.key), Some(next));
    }
}

/// Neither sees the other's end before its own write; both stand, and nothing stays due.
pub async fn two_runs_of_one_event_finish_at_the_same_time<S: OrderStore + RunStore>(store: &S) {
    let event = three_runs(store, 1).await;
    end(store, &event, Action::Fulfill, 9).await;
    let now = seconds(30);
    let (mail_id, mail) = place(&event, Action::Email);
    let (hook_id, hook) = place(&event, Action::Webhook);
    let (mail_held, hook_held) = (claimed(&mail_id, &mail, 1, now), claimed(&hook_id, &hook, 2, now));
    store.update_run(&mail_id, &mail, &mail_held).await.unwrap();
    store.update_run(&hook_id, &hook, &hook_held).await.unwrap();
    let mail_done = finished(&mail_id, &mail_held, 1, &success(), now);
    let hook_done = finished(&hook_id, &hook_held, 2, &success(), now);
    let (one, two) = tokio::join!(
        store.update_run(&mail_id, &mail_held, &mail_done),
        store.update_run(&hook_id, &hook_held, &hook_done)
    );
    one.unwrap();
    two.unwrap();
    let stored = store.event(&event.order, event.seq).await.unwrap().unwrap();
    assert_eq!(stored.open_runs(), 0);
    assert_eq!(stored.runs.get(&mail_id.key), Some(&mail_done));
    assert_eq!(stored.runs.get(&hook_id.key), Some(&hook_done));
    assert!(due(store, 100_000).await.is_empty());
}

/// A lost doorbell loses nothing; a finished event costs nothing.
pub async fn an_event_is_due_from_birth_until_its_last_run_ends<S: OrderStore + RunStore>(store: &S) {
    let event = three_runs(store, 1).await;
    let here = vec![(event.seq, event.order.to_string())];
    assert_eq!(due(store, 20).await, here);
    for (n, action) in [(1, Action::Email), (2, Action::Fulfill)] {
        end(store, &event, action, n).await;
        assert_eq!(due(store, 100_000).await, here, "after {action:?}");
    }
    end(store, &event, Action::Webhook, 3).await;
    assert!(due(store, 100_000).await.is_empty());
}

/// Skipped at birth is ended at birth.
pub async fn an_event_without_open_runs_is_never_due<S: OrderStore + RunStore>(store: &S) {
    let id = order_id(1);
    let made = apply(store, &id, &told(order_fact(1, 0)), seconds(0)).await.unwrap();
    assert_eq!(made.event.open_runs(), 0);
    let mut next = changes(Stored::read(store, &id).await.decide(&id, &move_to("packing", 1), seconds(1)));
    for run in next.event.runs.values_mut() {
        *run = Run::skipped(seconds(1), SkipReason::NoAddress);
    }
    store.commit(&commit(next, "skipped")).await.unwrap();
    assert!(due(store, 100_000).await.is_empty());
}

/// The other runs' times count, not only the one that moved.
pub async fn a_retry_moves_the_due_time_to_its_earliest_run<S: OrderStore + RunStore>(store: &S) {
    let event = three_runs(store, 1).await;
    end(store, &event, Action::Email, 1).await;
    let now = seconds(30);
    for (n, action, wait) in [(2, Action::Webhook, 500), (3, Action::Fulfill, 300)] {
        let (id, run) = place(&event, action);
        let held = claimed(&id, &run, n, now);
        store.update_run(&id, &run, &held).await.unwrap();
        let later = finished(&id, &held, n, &AttemptOutcome::Later { due: seconds(wait), why: None }, now);
        store.update_run(&id, &held, &later).await.unwrap();
    }
    assert!(due(store, 299).await.is_empty());
    assert_eq!(due(store, 300).await.len(), 1);
}

/// Its event had left the index.
pub async fn a_failed_run_that_is_tried_again_is_due_again<S: OrderStore + RunStore>(store: &S) {
    let event = three_runs(store, 1).await;
    end(store, &event, Action::Email, 1).await;
    end(store, &event, Action::Fulfill, 2).await;
    let (id, run) = place(&event, Action::Webhook);
    let held = claimed(&id, &run, 3, seconds(30));
    store.update_run(&id, &run, &held).await.unwrap();
    let error = "the receiver answered 404".to_owned();
    let outcome = AttemptOutcome::Failure { disposition: Disposition::Permanent, error };
    let failed = finished(&id, &held, 3, &outcome, seconds(31));
    assert!(matches!(failed.state, RunState::Failed { .. }));
    store.update_run(&id, &held, &failed).await.unwrap();
    assert!(due(store, 100_000).await.is_empty());
    let again = failed.retry(seconds(500), false).unwrap();
    store.update_run(&id, &failed, &again).await.unwrap();
    assert!(due(store, 499).await.is_empty());
    assert_eq!(due(store, 500).await.len(), 1);
    let held = claimed(&id, &again, 4, seconds(500));
    store.update_run(&id, &again, &held).await.unwrap();
    store.update_run(&id, &held, &finished(&id, &held, 4, &success(), seconds(501))).await.unwrap();
    assert!(due(store, 100_000).await.is_empty());
}

/// Over all shards of the index.
pub async fn due_items_come_oldest_first_and_not_before_their_time<S: OrderStore + RunStore>(store: &S) {
    let mut expected = Vec::new();
    for n in 1..=12_u64 {
        let id = order_id(n);
        apply(store, &id, &told(order_fact(n, 0)), seconds(0)).await.unwrap();
        // Later orders first, so that neither insertion nor ids give the order away.
        let now = 1000 - 10 * n as i64;
        apply(store, &id, &move_to("packing", 1), seconds(now)).await.unwrap();
        expected.push((2, id.to_string()));
    }
    expected.reverse();
    assert_eq!(due(store, 2000).await, expected);
    // The grace of the twelfth (880) and the eleventh (890) is over, the tenth's (900) is not.
    assert_eq!(due(store, 909).await, expected.iter().take(2).cloned().collect::<Vec<_>>());
    let few = store.due(seconds(2000), 3).await.unwrap();
    assert_eq!(few.len(), 3);
    assert!(matches!(few.first(), Some(DueItem::Event(event)) if event.order == order_id(12)));
}

/// As `wake` does after it rang.
pub async fn setting_the_due_time_moves_an_event<S: OrderStore + RunStore>(store: &S) {
    three_runs(store, 1).await;
    let items = store.due(seconds(20), 10).await.unwrap();
    let item = items.first().unwrap();
    store.set_due(item, Some(seconds(80))).await.unwrap();
    assert!(due(store, 79).await.is_empty());
    assert_eq!(due(store, 80).await.len(), 1);
    store.set_due(item, None).await.unwrap();
    assert!(due(store, 100_000).await.is_empty());
}

/// Whoever changed the runs has set the place.
pub async fn setting_the_due_time_loses_to_a_change_of_the_runs<S: OrderStore + RunStore>(store: &S) {
    let event = three_runs(store, 1).await;
    let (id, run) = place(&event, Action::Webhook);
    let held = claimed(&id, &run, 1, seconds(30));
    store.update_run(&id, &run, &held).await.unwrap();
    let stale = DueItem::Event(Box::new(event));
    store.set_due(&stale, None).await.unwrap();
    store.set_due(&stale, Some(seconds(99_999))).await.unwrap();
    assert_eq!(due(store, 30).await.len(), 1);
}

/// Nothing is made by updating it.
pub async fn a_run_that_is_not_there_is_a_lost_race<S: OrderStore + RunStore>(store: &S) {
    let event = three_runs(store, 1).await;
    let (id, run) = place(&event, Action::Webhook);
    let held = claimed(&id, &run, 1, seconds(30));
    let resend = RunKey { generation: 7, ..id.key.clone() };
    for wrong in [
        RunId { seq: 99, ..id.clone() },
        RunId { order: order_id(404), ..id.clone() },
        RunId { key: resend, ..id.clone() },
    ] {
        assert!(matches!(store.update_run(&wrong, &run, &held).await, Err(CommitError::LostRace)));
        let done = Run::skipped(seconds(30), SkipReason::OnHold);
        assert!(matches!(store.update_run(&wrong, &run, &done).await, Err(CommitError::LostRace)));
    }
    assert_eq!(store.event(&order_id(404), 2).await.unwrap(), None);
    assert_eq!(store.event(&id.order, id.seq).await.unwrap(), Some(event));
}

/// Byte for byte: its signature is over these bytes.
pub async fn the_webhook_body_is_kept_as_frozen<S: OrderStore + RunStore>(store: &S) {
    let id = order_id(1);
    let mut create = commit(changes(Stored::default().decide(&id, &told(order_fact(1, 0)), seconds(0))), "w");
    let body = "{\"type\":\"order.stage_entered\", \"name\":\"Zoë \\u0000 🎉\"}".to_owned();
    create.webhook_body = Some(body.clone());
    store.commit(&create).await.unwrap();
    assert_eq!(store.webhook_body(&id, 1, seconds(9)).await.unwrap(), Some(body));
    assert_eq!(store.webhook_body(&id, 2, seconds(9)).await.unwrap(), None);
    let past = seconds(31 * 86_400);
    assert_eq!(store.webhook_body(&id, 1, past).await.unwrap(), None, "it has expired");
}

/// What a sweep does that met an event while its last run ended.
async fn swept<S: OrderStore + RunStore>(store: &S, ended: impl Iterator<Item = &RunId>) {
    for id in ended {
        let event = store.event(&id.order, id.seq).await.unwrap().unwrap();
        store.set_due(&DueItem::Event(Box::new(event)), None).await.unwrap();
    }
    assert!(due(store, 100).await.is_empty());
}

/// A failed run shows up once nothing of its event is open, newest first, for its own shop, and goes when it is
/// tried again.
pub async fn what_went_wrong_is_listed_for_people_until_it_is_tried_again<S: OrderStore + RunStore>(
    store: &S,
) {
    let listed = async |cursor: Option<&str>| {
        let page = store.attention(&shop(), cursor, 1).await.unwrap();
        let orders: Vec<OrderId> = page.items.iter().map(|e| e.order.clone()).collect();
        (orders, page.next)
    };
    let mut failed = Vec::new();
    for n in 1..=2 {
        let event = three_runs(store, u64::from(n)).await;
        assert_eq!(listed(None).await.0.len(), usize::from(n > 1), "nothing of it has failed yet");
        let mut last = None;
        for action in [Action::Email, Action::Webhook, Action::Fulfill] {
            let (id, run) = place(&event, action);
            let run = &run;
            let now = seconds(30 + i64::from(n));
            let held = claimed(&id, run, n, now);
            store.update_run(&id, run, &held).await.unwrap();
            let refused =
                AttemptOutcome::Failure { disposition: Disposition::Permanent, error: "refused".to_owned() };
            let ended = finished(&id, &held, n, &refused, now);
            store.update_run(&id, &held, &ended).await.unwrap();
            last = Some((id, ended));
        }
        failed.extend(last);
    }
    let orders: Vec<OrderId> = failed.iter().rev().map(|(id, _)| id.order.clone()).collect();
    let (first, next) = listed(None).await;
    let (second, end) = listed(next.as_deref()).await;
    assert_eq!([first, second].concat(), orders);
    assert_eq!(end, None);
    assert!(store.attention(&other_shop(), None, 10).await.unwrap().items.is_empty());
    assert!(store.attention(&shop(), Some("nonsense"), 10).await.is_err());
    swept(store, failed.iter().map(|(id, _)| id)).await;
    assert_eq!(
        store.attention(&shop(), None, 10).await.unwrap().items.len(),
        2,
        "a sweep takes nothing away"
    );
    let (id, run) = failed.pop().unwrap();
    store.update_run(&id, &run, &run.retry(seconds(60), false).unwrap()).await.unwrap();
    assert_eq!(store.attention(&shop(), None, 10).await.unwrap().items.len(), 1);
    assert_eq!(due(store, 60).await.len(), 1, "it is due again");
}

/// A provider's word settles a mail that had ended, be it that it went after all or that it was refused, whatever
/// its siblings do meanwhile; these end as they would have (law 11).
pub async fn an_ended_run_is_settled_beside_its_siblings<S: OrderStore + RunStore>(store: &S) {
    let listed = async || store.attention(&shop(), None, 10).await.unwrap().items.len();
    let unknown = AttemptOutcome::Failure { disposition: Disposition::Ambiguous, error: "?".to_owned() };
    let refused = RunState::Failed { at: seconds(40), error: "refused".to_owned() };
    let sent = RunState::Succeeded { at: seconds(40), detail: "sent".to_owned() };
    for (n, before, after) in [(0_u8, &unknown, &sent), (1, &success(), &refused)] {
        for ended in 0..=2_u8 {
            let event = three_runs(store, u64::from(n * 3 + ended + 1)).await;
            let siblings = [Action::Webhook, Action::Fulfill];
            let (first, last) = siblings.split_at(usize::from(ended));
            let (id, run) = place(&event, Action::Email);
            let held = claimed(&id, &run, 1, seconds(30));
            store.update_run(&id, &run, &held).await.unwrap();
            let known = finished(&id, &held, 1, before, seconds(30));
            store.update_run(&id, &held, &known).await.unwrap();
            for action in first {
                end(store, &event, *action, 2).await;
            }
            let settled = Run { state: after.clone(), ..known.clone() };
            store.update_run(&id, &known, &settled).await.unwrap();
            let again = store.update_run(&id, &known, &settled).await.unwrap();
            assert_eq!(again.runs.get(&id.key), Some(&settled));
            assert_eq!(due(store, 100).await.len(), usize::from(!last.is_empty()), "{ended} siblings ended");
            for action in last {
                end(store, &event, *action, 3).await;
            }
            assert!(due(store, 100).await.is_empty(), "{ended} siblings ended");
            let wrong = usize::from(after.gone_wrong().is_some()) * usize::from(ended + 1);
            assert_eq!(listed().await, wrong, "{ended} siblings ended");
        }
    }
}

/// *Send again* of what has ended: by a request that is repeated, beside one that comes at the same time.
pub async fn a_run_that_is_added_is_due_once_and_its_event_with_it<S: OrderStore + RunStore>(store: &S) {
    let event = three_runs(store, 1).await;
    for (n, action) in [(1, Action::Email), (2, Action::Fulfill), (3, Action::Webhook)] {
        end(store, &event, action, n).await;
    }
    assert!(due(store, 100_000).await.is_empty());
    let (first, run) = place(&event, Action::Webhook);
    let key = RunKey { generation: 1, ..first.key.clone() };
    let id = RunId { key, ..first };
    let run = Run::pending(seconds(50), run.target_version);
    let after = store.add_run(&id, &run).await.unwrap();
    assert_eq!((after.open_runs(), after.runs.len()), (1, 4));
    assert_eq!(store.add_run(&id, &run).await.unwrap(), after, "the same again");
    let other = Run::pending(seconds(51), run.target_version);
    assert!(matches!(store.add_run(&id, &other).await, Err(CommitError::LostRace)));
    assert!(due(store, 49).await.is_empty());
    assert_eq!(due(store, 50).await.len(), 1);
    let held = claimed(&id, &run, 4, seconds(50));
    store.update_run(&id, &run, &held).await.unwrap();
    store.update_run(&id, &held, &finished(&id, &held, 4, &success(), seconds(51))).await.unwrap();
    assert!(due(store, 100_000).await.is_empty());
    let nowhere = RunId { seq: 99, ..id };
    assert!(matches!(store.add_run(&nowhere, &run).await, Err(CommitError::LostRace)));
}
