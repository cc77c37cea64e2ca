//! What a provider tells of a mail after it was taken: settles doubt, shows on the timeline, suppresses.

use stagepost_domain::Timestamp;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::feedback::{Fate, Heard, Word};
use stagepost_domain::governor::week;
use stagepost_domain::id::ShopId;
use stagepost_domain::run::RunId;
use stagepost_domain::search::SearchKey;

use super::ports::{Counted, SuppressionStore, TallyStore};
use super::suppressions::{SuppressionError, suppress};
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::ports::{CommitError, GovernorStore, OrderStore, RunStore, Secrets, StoreError};

pub use super::compose::run_of;

/// What a provider tells of one mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailEvent {
    /// The run that the mail is of.
    pub run: RunId,
    /// The provider's id of the mail.
    pub message: String,
    /// When it happened.
    pub at: Timestamp,
    /// What.
    pub word: Word,
    /// Whom it is about: the addresses that bounced or complained. Never logged.
    pub addresses: Vec<String>,
}

/// What hearing it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listened {
    /// The run stands differently now.
    Recorded,
    /// The same, and too many of the shop's mails come back or offend: they are stopped.
    Stopped,
    /// Known already, or nothing to do with a run that sent.
    Nothing,
    /// There is no such run.
    Unknown,
}

/// It could not be taken in; it comes back.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The mail's sender has not recorded its own answer yet.
    #[error("the mail is still being sent")]
    TooEarly,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An address could not be put aside.
    #[error(transparent)]
    Suppression(#[from] SuppressionError),
}

/// What taking events in needs of the store.
pub trait EventStores: OrderStore + RunStore + SuppressionStore + TallyStore + GovernorStore {}

impl<T> EventStores for T where T: OrderStore + RunStore + SuppressionStore + TallyStore + GovernorStore {}

/// Takes in what a provider tells of a mail. Told twice it changes nothing more: addresses are put aside first,
/// which is safe to do again; then the run is written; what was written is counted.
///
/// # Errors
/// It cannot be taken in yet.
pub async fn listen<S: EventStores, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    key: &SearchKey,
    event: &MailEvent,
) -> Result<Listened, ListenError> {
    for _ in 0..TRIES_MAX {
        let id = &event.run;
        let Some(found) = core.store.event(&id.order, id.seq).await? else { return Ok(Listened::Unknown) };
        let Some(run) = found.runs.get(&id.key) else { return Ok(Listened::Unknown) };
        let next = match run.hears(&event.word, &event.message, event.at, core.now()) {
            Heard::TooEarly => return Err(ListenError::TooEarly),
            Heard::Nothing => return Ok(Listened::Nothing),
            Heard::Changed(next) => next,
        };
        put_aside(core, secrets, key, &found.shop, event).await?;
        match core.store.update_run(id, run, &next).await {
            Ok(_) => {
                let stopped = count(core, &found.shop, &event.word).await?;
                return Ok(if stopped { Listened::Stopped } else { Listened::Recorded });
            }
            Err(CommitError::LostRace | CommitError::Conflict) => {}
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    Err(StoreError::Throttled.into())
}

async fn put_aside<S: SuppressionStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    key: &SearchKey,
    shop: &ShopId,
    event: &MailEvent,
) -> Result<(), ListenError> {
    let Word::Fate(fate) = &event.word else { return Ok(()) };
    let Some(because) = fate.suppresses() else { return Ok(()) };
    for address in &event.addresses {
        let run = Some(event.run.clone());
        match suppress(core, secrets, key, shop, address, because, run).await {
            Ok(_) => {}
            // What no shop could have mailed to need not be kept from it.
            Err(SuppressionError::Invalid(_)) => tracing::warn!(run = %event.run, "an address is none"),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Counts what became of a mail, and stops a shop whose mails come back or offend too often; true if this did. A count
/// that is lost with its invocation is one of hundreds; the run is not written again for it.
async fn count<S: TallyStore + GovernorStore>(
    core: &Core<S>,
    shop: &ShopId,
    word: &Word,
) -> Result<bool, StoreError> {
    let what = match word {
        Word::Fate(Fate::Delivered) => Counted::Delivered,
        Word::Fate(Fate::HardBounced) => Counted::Bounced,
        Word::Fate(Fate::Complained) => Counted::Complained,
        Word::Fate(Fate::Delayed | Fate::SoftBounced) | Word::Sent | Word::Rejected { .. } => {
            return Ok(false);
        }
    };
    let now = core.now();
    let tally = core.store.count_fate(shop, week(now), what).await?;
    if what == Counted::Delivered {
        return Ok(false);
    }
    let governor = core.store.governor(shop).await?;
    let Some(stopped) = governor.judged(week(now), tally, now) else { return Ok(false) };
    tracing::error!(%shop, ?tally, "too many mails come back or offend: stopped");
    match core.store.put_governor(shop, &stopped).await {
        Ok(()) => Ok(true),
        // The next one that comes back is judged again.
        Err(CommitError::LostRace | CommitError::Conflict) => Ok(false),
        Err(CommitError::Store(error)) => Err(error),
    }
}

impl ListenError {
    /// What to do about it.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::TooEarly => Disposition::RETRY,
            Self::Store(error) | Self::Suppression(SuppressionError::Store(error)) => error.disposition(),
            Self::Suppression(SuppressionError::Secret(error)) => error.disposition,
            Self::Suppression(SuppressionError::Invalid(_) | SuppressionError::Id(_)) => {
                Disposition::Permanent
            }
        }
    }
}
