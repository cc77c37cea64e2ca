//! What the two order notifications share: the channel from the route, its secrets, and the answer.
//!
//! 2xx is given only after the write. The order of checks is fixed: route, size, signature, and only then
//! does anything read the body.

use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use serde_json::json;
use stagepost_app::Core;
use stagepost_app::apply::{ApplyError, Outcome, apply};
use stagepost_app::inbound::Reading;
use stagepost_app::ports::{
    ConfigStore, InboundStore, OrderStore, Quarantined, SecretKind, Secrets, StoreError,
};
use stagepost_domain::Timestamp;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::id::{ChannelId, ShopId};
use stagepost_domain::keyring::Keyring;
use stagepost_domain::order::Platform;
use stagepost_domain::shop::Channel;
use stagepost_domain::text::truncated;

use crate::cache::Warm;
use crate::http::{NOTIFICATION_MAX, Problem, body_bytes, empty, json as json_answer, last_segment};

/// A channel with its secrets opened.
#[derive(Clone)]
pub struct Armed {
    /// The channel.
    pub channel: Channel,
    /// Any of these may have signed.
    pub secrets: Opened,
}

/// Secrets that may have signed a notification, each with its end if it has one: they are kept warm, and one
/// may end meanwhile.
#[derive(Clone, Default)]
pub struct Opened(Vec<(String, Option<Timestamp>)>);

impl Opened {
    /// Those that count at `now`.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        self.0.retain(|(_, until)| until.is_none_or(|until| now < until));
        self
    }

    /// All that are here.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(secret, _)| secret.as_str())
    }
}

/// What an order notification needs.
pub struct Inbound<S, K> {
    core: Core<S>,
    secrets: K,
    channels: Warm<ChannelId, Armed>,
}

impl<S, K> Inbound<S, K>
where
    S: OrderStore + ConfigStore + InboundStore,
    K: Secrets,
{
    /// Ready to take notifications.
    pub fn new(core: Core<S>, secrets: K) -> Self {
        Self { core, secrets, channels: Warm::default() }
    }

    /// The use cases' core.
    #[must_use]
    pub fn core(&self) -> &Core<S> {
        &self.core
    }

    /// The channel that the route names, of this platform, after the size of the body was checked.
    ///
    /// # Errors
    /// 404 for a channel that is not there, 413 for a body that is too large, 503 when the store is away.
    pub async fn channel(&self, request: &Request, platform: Platform) -> Result<Armed, Response<Body>> {
        let id = ChannelId::parse(last_segment(request)).map_err(|_| empty(StatusCode::NOT_FOUND))?;
        let armed = self.channels.get(&id, self.core.now(), self.arm(&id)).await;
        let armed = armed.map_err(|e| store_away(&e))?;
        let armed =
            armed.filter(|a| a.channel.platform == platform).ok_or_else(|| empty(StatusCode::NOT_FOUND))?;
        if body_bytes(request).len() > NOTIFICATION_MAX {
            return Err(empty(StatusCode::PAYLOAD_TOO_LARGE));
        }
        Ok(Armed { secrets: armed.secrets.at(self.core.now()), ..armed })
    }

    /// The channel, if one of its secrets signed the request by `signed`'s word. The cached secrets may be a
    /// minute old, and one that was just corrected must not cost a notification: WooCommerce sends none twice.
    ///
    /// # Errors
    /// 401 without a body, 503 when the store is away.
    pub async fn signed(
        &self,
        armed: Armed,
        signed: impl Fn(&Armed) -> bool,
    ) -> Result<Armed, Response<Body>> {
        let id = armed.channel.id.clone();
        let proven = self.channels.proven(&id, self.core.now(), armed, signed, self.arm(&id)).await;
        proven.map_err(|e| store_away(&e))?.ok_or_else(|| empty(StatusCode::UNAUTHORIZED))
    }

    async fn arm(&self, id: &ChannelId) -> Result<Option<Armed>, StoreError> {
        let Some(channel) = self.core.store.channel(id).await? else { return Ok(None) };
        let kind = SecretKind::ChannelWebhook;
        let now = self.core.now();
        let secrets = open_all(&self.secrets, &channel.shop, kind, &channel.webhook_secrets, now).await?;
        Ok(Some(Armed { channel, secrets }))
    }

    /// Applies what was read and answers.
    pub async fn take(
        &self,
        channel: &Channel,
        topic: &str,
        body: &[u8],
        reading: Reading,
    ) -> Response<Body> {
        let (outcome, order) = match reading {
            Reading::UnknownTopic => (json!({"outcome": "no_op", "reason": "unknown_topic"}), None),
            Reading::NoOp(reason) => (json!({"outcome": "no_op", "reason": reason}), None),
            Reading::Unreadable { reason } => {
                let kept =
                    quarantine(&self.core, &channel.shop, channel.id.as_str(), topic, reason, body).await;
                if let Err(e) = kept {
                    return store_away(&e);
                }
                (json!({"outcome": "quarantined"}), None)
            }
            Reading::Fact { source, fact } => {
                let id = source.order_id(&channel.shop);
                match apply(&self.core, &channel.shop, &id, &fact).await {
                    Ok(outcome) => (told(&outcome), Some(id)),
                    Err(e) => {
                        let came_by = channel.id.as_str();
                        return not_applied(&self.core, &channel.shop, came_by, topic, body, &e).await;
                    }
                }
            }
        };
        tracing::info!(channel = %channel.id, topic, order = order.as_ref().map(tracing::field::display), %outcome, "notification");
        json_answer(StatusCode::OK, &outcome)
    }
}

/// Answers a fact that could not be applied. One that the store can never take is kept raw, as an unreadable
/// one is: sent again it would fail again, until the sender gives up. Any other is to be sent again.
pub async fn not_applied<S: InboundStore>(
    core: &Core<S>,
    shop: &ShopId,
    came_by: &str,
    topic: &str,
    body: &[u8],
    error: &ApplyError,
) -> Response<Body> {
    if error.disposition() != Disposition::Permanent {
        tracing::error!(%error, "not decided");
        return Problem::unavailable().response();
    }
    match quarantine(core, shop, came_by, topic, error.to_string(), body).await {
        Ok(()) => json_answer(StatusCode::OK, &json!({"outcome": "quarantined"})),
        Err(e) => store_away(&e),
    }
}

/// Opens the secrets that may have signed a notification.
///
/// # Errors
/// The key service is away, or none of them opens with the key that is here. One that cannot be looked at is
/// not passed over: what it signed would count as forged, and WooCommerce sends nothing twice.
pub async fn open_all<K: Secrets>(
    secrets: &K,
    shop: &ShopId,
    kind: SecretKind,
    sealed: &Keyring,
    now: Timestamp,
) -> Result<Opened, StoreError> {
    let mut opened = Vec::new();
    for (one, until) in sealed.at(now) {
        match secrets.open(shop, kind, one).await {
            Ok(secret) => opened.push((secret, until)),
            Err(error) if error.disposition == Disposition::Permanent => {
                tracing::error!(%shop, %error, "a secret does not open");
            }
            Err(error) => return Err(StoreError::Unavailable(error.to_string())),
        }
    }
    if opened.is_empty() {
        return Err(StoreError::Unavailable("no secret opens".into()));
    }
    Ok(Opened(opened))
}

/// Keeps an authentic but unreadable notification, whole: whoever takes it has bounded it by
/// [`NOTIFICATION_MAX`].
///
/// # Errors
/// The store failed.
pub async fn quarantine<S: InboundStore>(
    core: &Core<S>,
    shop: &ShopId,
    came_by: &str,
    topic: &str,
    reason: String,
    body: &[u8],
) -> Result<(), StoreError> {
    tracing::error!(came_by, topic, reason, "quarantined");
    let item = Quarantined {
        shop: shop.clone(),
        came_by: came_by.to_owned(),
        topic: truncated(topic, 100),
        at: core.now(),
        reason,
        body: body.to_vec(),
    };
    core.store.quarantine(&item).await
}

/// An outcome in JSON, for the answer and the log.
#[must_use]
pub fn told(outcome: &Outcome) -> serde_json::Value {
    match outcome {
        Outcome::Changed(changes) => {
            json!({"outcome": "changed", "order": changes.order.id, "seq": changes.event.seq})
        }
        Outcome::NoOp(reason) => json!({"outcome": "no_op", "reason": reason}),
        Outcome::Ignored(why) => json!({"outcome": "ignored", "why": why}),
        Outcome::Refused(_) => json!({"outcome": "refused"}),
    }
}

/// The sender is to try again.
#[must_use]
pub fn store_away(error: &StoreError) -> Response<Body> {
    tracing::error!(%error, "the store is away");
    Problem::unavailable().response()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stagepost_testkit::{Fault, ManualClock, MemoryStore, SeededEntropy, build};

    use super::*;

    fn core(store: &MemoryStore) -> Core<MemoryStore> {
        let clock = Arc::new(ManualClock::new(build::at(build::START)));
        Core { store: store.clone(), clock, entropy: Arc::new(SeededEntropy::new(1)) }
    }

    fn corrupt() -> StoreError {
        StoreError::Corrupt { item: "ORDER".into(), reason: "its version is from the future".into() }
    }

    async fn answered(store: &MemoryStore, error: impl Into<ApplyError>) -> (u16, usize) {
        let (shop, error) = (build::shop(), error.into());
        let answer = not_applied(&core(store), &shop, "car_x", "tracking", b"{}", &error).await;
        (answer.status().as_u16(), store.quarantined(&shop, 10).await.unwrap().len())
    }

    #[tokio::test]
    async fn what_the_store_can_never_take_is_kept_and_what_it_may_take_later_comes_again() {
        let store = MemoryStore::new();
        assert_eq!(answered(&store, StoreError::Throttled).await, (503, 0));
        assert_eq!(answered(&store, StoreError::Unavailable("down".into())).await, (503, 0));
        assert_eq!(answered(&store, ApplyError::Busy).await, (503, 0));
        assert_eq!(answered(&store, corrupt()).await, (200, 1));
        store.inject(Fault::Down);
        assert_eq!(answered(&store, StoreError::TooLarge).await, (503, 1), "2xx only after the write");
    }

    #[tokio::test]
    async fn an_unreadable_body_is_kept_whole() {
        let (store, shop) = (MemoryStore::new(), build::shop());
        let body = vec![b'x'; NOTIFICATION_MAX];
        quarantine(&core(&store), &shop, "chan_x", "orders/create", "no id".into(), &body).await.unwrap();
        let kept = store.quarantined(&shop, 10).await.unwrap();
        assert_eq!(kept[0].bytes, NOTIFICATION_MAX as u64);
    }
}
