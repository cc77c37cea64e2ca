//! What the inbound functions share: the arrival from the request, the channel with its secrets, the answer.
//!
//! 2xx is given only after a write: into the store, or, when the store is away or the order stays busy, into
//! the inbound queue (law 13). The order of checks is fixed: route, size, signature, and only then does
//! anything read the body. `inbound-runner` decides what waited in the queue by the same functions.

use std::time::Duration;

use lambda_http::http::StatusCode;
use lambda_http::http::header::{HeaderValue, RETRY_AFTER};
use lambda_http::{Body, Request, Response};
use serde_json::{Value, json};
use stagepost_app::Core;
use stagepost_app::apply::{ApplyError, Outcome, apply_received};
use stagepost_app::contact::{ContactStore, Contacts};
use stagepost_app::inbound::{Arrival, Proof, Reading, Route};
use stagepost_app::ports::{
    ConfigStore, InboundQueue, InboundStore, OrderStore, SecretKind, Secrets, StoreError,
};
use stagepost_app::quarantine::{self, QuarantineError};
use stagepost_domain::Timestamp;
use stagepost_domain::contact::{FarEnd, Way};
use stagepost_domain::disposition::Disposition;
use stagepost_domain::id::{ChannelId, ShopId};
use stagepost_domain::keyring::Keyring;
use stagepost_domain::order::Platform;
use stagepost_domain::shop::Channel;

use crate::cache::Warm;
use crate::http::{NOTIFICATION_MAX, Problem, body_bytes, empty, header, json as json_answer};
use crate::metrics::{Figure, Figures};

/// How long a function on AWS tries to decide: Shopify hangs up after 5 seconds (integrations §1.4) and ends a
/// subscription that has failed eight times in a row, so that a store that does not answer at all must not cost
/// more.
pub const PATIENCE: Duration = Duration::from_millis(3_500);
/// Seconds after which a sender may come again, if both store and queue are away.
const COME_AGAIN_IN: HeaderValue = HeaderValue::from_static("30");

/// What became of a notification, for the answer and the log.
pub type Taken = Result<Value, NotTaken>;

/// Why a notification was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// It never will be: nobody's route, a wrong signature.
    Refused(StatusCode),
    /// Nothing could be decided just now.
    Later {
        /// Its signature is known to be right.
        checked: bool,
        /// In words, without content.
        why: String,
    },
}

impl NotTaken {
    fn later(checked: bool, why: &impl ToString) -> Self {
        Self::Later { checked, why: why.to_string() }
    }
}

/// The arrival that a request is. `topic` is the sender's word for it, `headers` names those that the signature
/// needs.
///
/// # Errors
/// 413 for a body that is too large.
pub fn arrived(
    request: &Request,
    route: Route,
    topic: &str,
    headers: &[&str],
    received_at: Timestamp,
) -> Result<Arrival, Response<Body>> {
    let body = body_bytes(request);
    if body.len() > NOTIFICATION_MAX {
        return Err(empty(StatusCode::PAYLOAD_TOO_LARGE));
    }
    let all = request.headers();
    let named = |name: &&str| header(all, name).map(|value| ((*name).to_owned(), value.to_owned()));
    Ok(Arrival {
        route,
        topic: topic.to_owned(),
        headers: headers.iter().filter_map(named).collect(),
        body: body.to_vec(),
        received_at,
        proof: Proof::Signature,
    })
}

/// Answers senders, and keeps for later what cannot be decided now.
pub struct Intake<Q> {
    queue: Q,
    patience: Duration,
}

impl<Q: InboundQueue> Intake<Q> {
    /// Keeps in `queue` what is not decided within `patience`.
    pub fn new(queue: Q, patience: Duration) -> Self {
        Self { queue, patience }
    }

    /// Answers an arrival by what `taking` makes of it.
    pub async fn answer<S, K: Secrets>(
        &self,
        core: &Core<S>,
        secrets: &K,
        arrival: &Arrival,
        taking: impl Future<Output = Taken>,
    ) -> Response<Body> {
        let taken = tokio::time::timeout(self.patience, taking).await;
        match taken.unwrap_or_else(|_| Err(NotTaken::later(false, &"no decision in time"))) {
            Ok(outcome) => {
                figures_of(arrival, &outcome).emit();
                json_answer(StatusCode::OK, &outcome)
            }
            Err(NotTaken::Refused(status)) => {
                let came_by = arrival.route.came_by();
                tracing::info!(came_by, status = status.as_u16(), "refused");
                empty(status)
            }
            Err(NotTaken::Later { checked, why }) => {
                let proof = if checked { Proof::Checked } else { Proof::Signature };
                let kept = Arrival { proof, ..arrival.clone() };
                self.keep(core, secrets, &kept, &why).await
            }
        }
    }

    async fn keep<S, K: Secrets>(
        &self,
        core: &Core<S>,
        secrets: &K,
        arrival: &Arrival,
        why: &str,
    ) -> Response<Body> {
        let packed = match arrival.pack(secrets, &*core.entropy).await {
            Ok(packed) => packed,
            Err(error) => return away(&error),
        };
        match self.queue.keep(&packed).await {
            Ok(()) => {
                tracing::warn!(?arrival, why, "kept in the inbound queue");
                Figures::one(Figure::InboundQueued).emit();
                json_answer(StatusCode::OK, &json!({"outcome": "queued"}))
            }
            Err(error) => away(&error),
        }
    }
}

/// Neither store nor queue: the sender is to come again.
fn away(error: &dyn std::fmt::Display) -> Response<Body> {
    tracing::error!(%error, "neither the store nor the inbound queue takes it");
    let mut response = Problem::unavailable().response();
    response.headers_mut().insert(RETRY_AFTER, COME_AGAIN_IN);
    response
}

/// A channel with its secrets opened.
#[derive(Clone)]
pub struct Armed {
    /// The channel.
    pub channel: Channel,
    /// Any of these may have signed.
    pub secrets: Opened,
}

/// Secrets that may have signed a notification, each with its end if it has one. Also those that have ended: a
/// notification that waited was signed with what counted when it came.
#[derive(Clone, Default)]
pub struct Opened(Vec<(String, Option<Timestamp>)>);

impl Opened {
    /// Those that counted at `at`.
    pub fn at(&self, at: Timestamp) -> impl Iterator<Item = &str> {
        let counted = self.0.iter().filter(move |(_, until)| until.is_none_or(|until| at < until));
        counted.map(|(secret, _)| secret.as_str())
    }
}

/// What an order notification needs.
pub struct Inbound<S, K> {
    core: Core<S>,
    secrets: K,
    channels: Warm<ChannelId, Armed>,
    contacts: Contacts,
}

impl<S, K> Inbound<S, K>
where
    S: OrderStore + ConfigStore + InboundStore + ContactStore,
    K: Secrets,
{
    /// Ready to take notifications.
    pub fn new(core: Core<S>, secrets: K) -> Self {
        Self { core, secrets, channels: Warm::default(), contacts: Contacts::default() }
    }

    /// The use cases' core.
    #[must_use]
    pub fn core(&self) -> &Core<S> {
        &self.core
    }

    /// What opens secrets.
    #[must_use]
    pub fn secrets(&self) -> &K {
        &self.secrets
    }

    /// The channel with this id, if it is of this platform.
    ///
    /// # Errors
    /// The store failed.
    pub async fn channel(&self, id: &ChannelId, platform: Platform) -> Result<Option<Armed>, StoreError> {
        let armed = self.channels.get(id, self.core.now(), self.arm(id)).await?;
        Ok(armed.filter(|armed| armed.channel.platform == platform))
    }

    /// The channel of an arrival, if one of its secrets signed it by `signed`'s word, unless that was checked
    /// before. The cached secrets may be a minute old, and one that was just corrected must not cost a
    /// notification: WooCommerce sends none twice.
    ///
    /// # Errors
    /// 404 for a channel that is not there, 401 for a wrong signature; later, if the store is away.
    pub async fn authentic(
        &self,
        id: &ChannelId,
        platform: Platform,
        arrival: &Arrival,
        signed: impl Fn(&Armed) -> bool,
    ) -> Result<Channel, NotTaken> {
        let checked = arrival.proof != Proof::Signature;
        let later = |error: StoreError| NotTaken::later(checked, &error);
        let armed = self.channel(id, platform).await.map_err(later)?;
        let armed = armed.ok_or(NotTaken::Refused(StatusCode::NOT_FOUND))?;
        if checked {
            return Ok(armed.channel);
        }
        let proven = self.channels.proven(id, self.core.now(), armed, signed, self.arm(id)).await;
        let armed = proven.map_err(later)?.ok_or(NotTaken::Refused(StatusCode::UNAUTHORIZED))?;
        Ok(armed.channel)
    }

    async fn arm(&self, id: &ChannelId) -> Result<Option<Armed>, StoreError> {
        let Some(channel) = self.core.store.channel(id).await? else { return Ok(None) };
        let kind = SecretKind::ChannelWebhook;
        let secrets = open_all(&self.secrets, &channel.shop, kind, &channel.webhook_secrets).await?;
        Ok(Some(Armed { channel, secrets }))
    }

    /// Applies what was read.
    ///
    /// # Errors
    /// Later, if the store is away or the order stays busy.
    pub async fn take(&self, channel: &Channel, arrival: &Arrival, reading: Reading) -> Taken {
        let (core, far, at) = (&self.core, FarEnd::Channel(channel.id.clone()), arrival.received_at);
        let noting = self.contacts.note(core, &channel.shop, far, Way::Inbound, at);
        tokio::join!(self.decided(channel, arrival, reading), noting).0
    }

    async fn decided(&self, channel: &Channel, arrival: &Arrival, reading: Reading) -> Taken {
        let shop = &channel.shop;
        let (outcome, order) = match reading {
            Reading::UnknownTopic => (json!({"outcome": "no_op", "reason": "unknown_topic"}), None),
            Reading::NoOp(reason) => (json!({"outcome": "no_op", "reason": reason}), None),
            Reading::Unreadable { reason } => {
                (quarantined(&self.core, &self.secrets, shop, arrival, reason).await?, None)
            }
            Reading::Fact { source, fact } => {
                let id = source.order_id(shop);
                match apply_received(&self.core, shop, &id, &fact, arrival.received_at).await {
                    Ok(outcome) => (told(&outcome), Some(id)),
                    Err(e) => (not_applied(&self.core, &self.secrets, shop, arrival, &e).await?, Some(id)),
                }
            }
        };
        let order = order.as_ref().map(tracing::field::display);
        let topic = arrival.topic.as_str();
        tracing::info!(%shop, channel = %channel.id, topic, order, %outcome, "notification");
        Ok(outcome)
    }
}

/// What becomes of an authentic arrival whose fact could not be applied. One that the store can never take is
/// kept raw, as an unreadable one is: tried again it would fail again. Any other is for later.
///
/// # Errors
/// Later.
pub async fn not_applied<S: InboundStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
    arrival: &Arrival,
    error: &ApplyError,
) -> Taken {
    if error.disposition() != Disposition::Permanent {
        return Err(NotTaken::later(true, error));
    }
    quarantined(core, secrets, shop, arrival, error.to_string()).await
}

/// Keeps an authentic arrival in quarantine.
///
/// # Errors
/// Later, if the store or the key service is away.
pub async fn quarantined<S: InboundStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
    arrival: &Arrival,
    reason: String,
) -> Taken {
    let kept = quarantine::keep(core, secrets, shop, arrival, reason).await;
    kept.map_err(|error: QuarantineError| NotTaken::later(true, &error))?;
    Ok(json!({"outcome": QUARANTINED}))
}

const QUARANTINED: &str = "quarantined";

/// Whether an outcome says that the notification is in quarantine (still, or now).
#[must_use]
pub fn is_quarantined(outcome: &Value) -> bool {
    outcome.get("outcome").and_then(Value::as_str) == Some(QUARANTINED)
}

/// What an outcome counts: one that is new in the quarantine.
#[must_use]
pub fn figures_of(arrival: &Arrival, outcome: &Value) -> Figures {
    let new = is_quarantined(outcome) && !matches!(arrival.proof, Proof::Quarantined { .. });
    if new { Figures::one(Figure::Quarantined) } else { Figures::default() }
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
) -> Result<Opened, StoreError> {
    let mut opened = Vec::new();
    for (one, until) in sealed.at(Timestamp::MIN) {
        match secrets.open(shop.into(), kind, one).await {
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

/// An outcome in JSON, for the answer and the log.
#[must_use]
pub fn told(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Changed(changes) => {
            json!({"outcome": "changed", "order": changes.order.id, "seq": changes.event.seq})
        }
        Outcome::NoOp(reason) => json!({"outcome": "no_op", "reason": reason}),
        Outcome::Ignored(why) => json!({"outcome": "ignored", "why": why}),
        Outcome::Refused(_) => json!({"outcome": "refused"}),
    }
}

#[cfg(test)]
mod tests;
