//! Lets a shop's mails through, or stops them until somebody has looked (law 9).

use stagepost_domain::governor::{Governor, week, window};
use stagepost_domain::id::ShopId;

use crate::Core;
use crate::apply::TRIES_MAX;
use crate::mail::ports::TallyStore;
use crate::ports::{CommitError, GovernorStore, StoreError};

/// Whether one more mail of the shop may leave now, by its governor as it was just read. The mail is counted
/// here, so it is asked once, under its claim.
///
/// # Errors
/// The store failed.
pub async fn admits<S: GovernorStore>(
    core: &Core<S>,
    shop: &ShopId,
    governor: &Governor,
) -> Result<bool, StoreError> {
    let now = core.now();
    let this = window(now);
    let count = core.store.count_mail(shop, this).await?;
    if governor.is_too_many(count, now) {
        tracing::error!(%shop, count, usual = governor.usual, "far more mails than usual: stopped");
        keep(core, shop, &governor.paused(count, now)).await?;
        return Ok(false);
    }
    if count == 1
        && let Some(learned) = governor.learned(core.store.mails(shop, this.saturating_sub(1)).await?)
    {
        keep(core, shop, &learned).await?;
    }
    Ok(true)
}

/// Whoever was faster has seen the same.
async fn keep<S: GovernorStore>(core: &Core<S>, shop: &ShopId, next: &Governor) -> Result<(), StoreError> {
    match core.store.put_governor(shop, next).await {
        Ok(()) | Err(CommitError::LostRace | CommitError::Conflict) => Ok(()),
        Err(CommitError::Store(error)) => Err(error),
    }
}

/// Lets the shop's mails go again.
///
/// # Errors
/// The store failed.
pub async fn release<S: GovernorStore + TallyStore>(
    core: &Core<S>,
    shop: &ShopId,
) -> Result<Governor, StoreError> {
    for _ in 0..TRIES_MAX {
        let governor = core.store.governor(shop).await?;
        let now = core.now();
        let tally = core.store.tally(shop, week(now)).await?;
        let Some(released) = governor.released(now, tally) else { return Ok(governor) };
        match core.store.put_governor(shop, &released).await {
            Ok(()) => return Ok(released),
            Err(CommitError::LostRace | CommitError::Conflict) => {}
            Err(CommitError::Store(error)) => return Err(error),
        }
    }
    Err(StoreError::Throttled)
}
