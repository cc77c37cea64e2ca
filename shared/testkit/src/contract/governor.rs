//! Laws of the governor's store.
#![expect(clippy::unwrap_used, reason = "a test library: an unexpected error ends the test")]

use stagepost_app::ports::{CommitError, GovernorStore};
use stagepost_domain::governor::{Governor, Tally};

use crate::build::{other_shop, seconds, shop};

/// A shop has one from the beginning; of two writers one wins, and the same write again is a success.
pub async fn a_governor_is_replaced_over_the_version_that_was_read<S: GovernorStore>(store: &S) {
    let fresh = store.governor(&shop()).await.unwrap();
    assert_eq!(fresh, Governor::default());
    let paused = fresh.paused(300, seconds(1));
    store.put_governor(&shop(), &paused).await.unwrap();
    store.put_governor(&shop(), &paused).await.unwrap();
    let late = store.put_governor(&shop(), &fresh.learned(7).unwrap()).await;
    assert!(matches!(late, Err(CommitError::LostRace)));
    let released = paused.released(seconds(2), Tally::default()).unwrap();
    store.put_governor(&shop(), &released).await.unwrap();
    assert_eq!(store.governor(&shop()).await.unwrap(), released);
    assert_eq!(store.governor(&other_shop()).await.unwrap(), Governor::default());
}

/// Every mail counts once, in its own window and shop.
pub async fn mails_are_counted_by_window<S: GovernorStore>(store: &S) {
    for n in 1..=3 {
        assert_eq!(store.count_mail(&shop(), 7).await.unwrap(), n);
    }
    assert_eq!(store.count_mail(&shop(), 8).await.unwrap(), 1);
    assert_eq!(store.count_mail(&other_shop(), 7).await.unwrap(), 1);
    assert_eq!(store.mails(&shop(), 7).await.unwrap(), 3);
    assert_eq!(store.mails(&shop(), 6).await.unwrap(), 0);
}
