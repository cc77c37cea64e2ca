//! Laws of calls under idempotency keys.
#![expect(clippy::unwrap_used, reason = "a test library: an unexpected error ends the test")]

use stagepost_app::ports::{CallRecord, CallState, CallStore, CommitError};
use stagepost_domain::shop::Sealed;

use crate::build::{other_shop, seconds, shop};

const DAY: i64 = 86_400;

fn first(at: i64, seed: &str) -> CallRecord {
    CallRecord {
        shop: shop(),
        id: "c1".to_owned(),
        body: "b".to_owned(),
        began_at: seconds(at),
        seed: Sealed(seed.to_owned()),
        version: 1,
        state: CallState::Running { until: seconds(at.saturating_add(40)) },
    }
}

fn answered(of: &CallRecord) -> CallRecord {
    let state = CallState::Answered { answer: Sealed("a".to_owned()) };
    CallRecord { version: of.version.saturating_add(1), state, ..of.clone() }
}

/// Of two that begin a call one wins, and the same write again is a success.
pub async fn a_call_is_begun_by_one<S: CallStore>(store: &S) {
    let (ours, theirs) = (first(1, "ours"), first(1, "theirs"));
    assert_eq!(store.call(&shop(), "c1", seconds(1)).await.unwrap(), None);
    store.put_call(&ours).await.unwrap();
    store.put_call(&ours).await.unwrap();
    assert!(matches!(store.put_call(&theirs).await, Err(CommitError::LostRace)));
    assert_eq!(store.call(&shop(), "c1", seconds(2)).await.unwrap(), Some(ours));
}

/// The end is recorded over what was read, once.
pub async fn a_call_is_finished_by_its_holder<S: CallStore>(store: &S) {
    let ours = first(1, "ours");
    store.put_call(&ours).await.unwrap();
    let over = CallRecord { version: 2, state: CallState::Running { until: seconds(90) }, ..ours.clone() };
    store.put_call(&over).await.unwrap();
    assert!(matches!(store.put_call(&answered(&ours)).await, Err(CommitError::LostRace)));
    store.put_call(&answered(&over)).await.unwrap();
    assert_eq!(store.call(&shop(), "c1", seconds(2)).await.unwrap(), Some(answered(&over)));
}

/// A day later the key is as new.
pub async fn a_call_is_forgotten_after_a_day<S: CallStore>(store: &S) {
    let old = first(1, "old");
    store.put_call(&old).await.unwrap();
    assert_eq!(store.call(&shop(), "c1", seconds(DAY)).await.unwrap(), Some(old));
    assert_eq!(store.call(&shop(), "c1", seconds(DAY + 1)).await.unwrap(), None);
    assert!(matches!(store.put_call(&first(DAY, "early")).await, Err(CommitError::LostRace)));
    let new = first(DAY + 1, "new");
    store.put_call(&new).await.unwrap();
    assert_eq!(store.call(&shop(), "c1", seconds(DAY + 2)).await.unwrap(), Some(new));
}

/// A key is its shop's own.
pub async fn another_shop_does_not_see_a_call<S: CallStore>(store: &S) {
    store.put_call(&first(1, "ours")).await.unwrap();
    assert_eq!(store.call(&other_shop(), "c1", seconds(1)).await.unwrap(), None);
}
