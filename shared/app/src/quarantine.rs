//! The quarantine: authentic notifications that could not be read, kept raw and sealed until somebody hands
//! them back to their reader or throws them away (law 14).

use std::collections::BTreeMap;

use stagepost_domain::disposition::Disposition;
use stagepost_domain::id::{QuarantineId, ShopId};
use stagepost_domain::text::truncated;

use crate::Core;
use crate::envelope;
use crate::inbound::{Arrival, BODY_MAX, Proof};
use crate::ports::{
    InboundQueue, InboundStore, QuarantineEntry, Quarantined, QueueError, Scope, SecretError, SecretKind,
    Secrets, StoreError,
};

/// Longest topic that is kept, in bytes; real ones have fewer than 40.
const TOPIC_MAX: usize = 100;
const KIND: SecretKind = SecretKind::QuarantinedBody;

/// Something about the quarantine could not be done.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The body could not be sealed or opened.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The inbound queue did not take it.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl QuarantineError {
    /// What to do about it.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Store(error) => error.disposition(),
            Self::Secret(error) => error.disposition,
            Self::Queue(error) => error.disposition(),
        }
    }
}

/// Keeps an arrival of `shop`, whole: whoever took it in has bounded it by [`BODY_MAX`]. One that was handed
/// back and still cannot be read stays in its place, with the reason of now.
///
/// # Errors
/// Store or key service failed.
pub async fn keep<S: InboundStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
    arrival: &Arrival,
    reason: String,
) -> Result<QuarantineId, QuarantineError> {
    let topic = truncated(&arrival.topic, TOPIC_MAX);
    let id = match &arrival.proof {
        Proof::Quarantined { id, .. } => id.clone(),
        Proof::Signature | Proof::Checked => {
            QuarantineId::derive(arrival.received_at, arrival.route.came_by(), &topic, &arrival.body)
        }
    };
    tracing::error!(%shop, %id, came_by = arrival.route.came_by(), topic, reason, "quarantined");
    let body = envelope::seal(secrets, &*core.entropy, Scope::Shop(shop), KIND, &arrival.body).await?;
    let entry = QuarantineEntry {
        id: id.clone(),
        shop: shop.clone(),
        route: arrival.route.clone(),
        topic,
        at: arrival.received_at,
        reason,
        bytes: u64::try_from(arrival.body.len()).unwrap_or(u64::MAX),
    };
    core.store.quarantine(&Quarantined { entry, body }).await?;
    Ok(id)
}

/// A notification of the shop's quarantine with its raw body, if there is one.
///
/// # Errors
/// Store or key service failed.
pub async fn read<S: InboundStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
    id: &QuarantineId,
) -> Result<Option<(QuarantineEntry, Vec<u8>)>, QuarantineError> {
    let Some(item) = core.store.quarantined_item(shop, id, core.now()).await? else { return Ok(None) };
    let body = envelope::open(secrets, Scope::Shop(shop), KIND, &item.body, BODY_MAX).await?;
    Ok(Some((item.entry, body)))
}

/// Hands a notification back to its reader by way of the inbound queue: authentic, and as old as it was when
/// it came. It leaves the quarantine when it is taken. Gives what is replayed, if there is such a notification.
///
/// # Errors
/// Store, key service or queue failed.
pub async fn replay<S: InboundStore, K: Secrets, Q: InboundQueue>(
    core: &Core<S>,
    secrets: &K,
    queue: &Q,
    shop: &ShopId,
    id: &QuarantineId,
) -> Result<Option<QuarantineEntry>, QuarantineError> {
    let Some((entry, body)) = read(core, secrets, shop, id).await? else { return Ok(None) };
    let QuarantineEntry { id, shop, route, topic, at: received_at, .. } = entry.clone();
    let (headers, proof) = (BTreeMap::new(), Proof::Quarantined { shop, id });
    let arrival = Arrival { route, topic, headers, body, received_at, proof };
    queue.keep(&arrival.pack(secrets, &*core.entropy).await?).await?;
    Ok(Some(entry))
}

/// Removes a notification from the quarantine, there or not.
///
/// # Errors
/// The store failed.
pub async fn release<S: InboundStore>(
    core: &Core<S>,
    shop: &ShopId,
    id: &QuarantineId,
) -> Result<(), StoreError> {
    core.store.release(shop, id).await
}
