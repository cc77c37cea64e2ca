//! The runner that tells programs: webhooks.

use stagepost_domain::Timestamp;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::event::{Actor, Cause, Event};
use stagepost_domain::outcome::SkipReason;
use stagepost_domain::run::{AttemptOutcome, Run, RunId, RunState, Target};
use stagepost_domain::shop::Endpoint;
use stagepost_domain::signing::{webhook_key, webhook_signature};
use stagepost_domain::webhook::{self, message_id};

use crate::Core;
use crate::config::disable_endpoint;
use crate::ports::{
    ActError, Answer, ConfigStore, OrderStore, Post, RunStore, SecretError, SecretKind, Secrets, StoreError,
    WebhookSender,
};
use crate::run::{Answered, Opened, RunnerError, aside_if_hopeless, claim, finish, open, skip, superseded};

pub(crate) async fn fail_unsent<S: RunStore>(
    core: &Core<S>,
    id: &RunId,
    run: &Run,
    error: String,
) -> Result<Answered, RunnerError> {
    let mut next = run.clone();
    next.last_error = Some(error.clone());
    next.state = RunState::Failed { at: core.now(), error };
    Ok(crate::run::store(core, id, run, &next).await?)
}

/// Sends one webhook: at least once, with the same id and the same bytes on every attempt (law 11).
///
/// # Errors
/// Nothing could be decided; the doorbell may ring again.
pub async fn webhook<S, W, K>(
    core: &Core<S>,
    sender: &W,
    secrets: &K,
    id: &RunId,
) -> Result<Answered, RunnerError>
where
    S: OrderStore + RunStore + ConfigStore,
    W: WebhookSender,
    K: Secrets,
{
    aside_if_hopeless(core, id, called(core, sender, secrets, id).await).await
}

async fn called<S, W, K>(core: &Core<S>, sender: &W, secrets: &K, id: &RunId) -> Result<Answered, RunnerError>
where
    S: OrderStore + RunStore + ConfigStore,
    W: WebhookSender,
    K: Secrets,
{
    let Target::Webhook(endpoint, told) = &id.key.target else { return Ok(Answered::Unknown) };
    let Opened { event, run } = match open(core, id).await? {
        Ok(opened) => opened,
        Err(answered) => return Ok(answered),
    };
    if let Some(why) = hesitate(core, &event, id).await? {
        return Ok(skip(core, id, &run, why).await?);
    }
    let endpoint = match core.store.endpoint(&event.shop, endpoint).await? {
        None => return Ok(skip(core, id, &run, SkipReason::TargetGone).await?),
        Some(e) if e.disabled.is_some() => {
            return Ok(skip(core, id, &run, SkipReason::EndpointDisabled).await?);
        }
        Some(endpoint) => endpoint,
    };
    let Some(body) = core.store.webhook_body(&id.order, id.seq, core.now()).await? else {
        return fail_unsent(core, id, &run, "the stored body has expired".into()).await;
    };
    let body = webhook::of_type(&body, *told);
    let post = match signed(core, secrets, &endpoint, id, body).await {
        Ok(Some(post)) => Ok(post),
        Ok(None) => {
            return fail_unsent(core, id, &run, "the endpoint has no secret to sign with".into()).await;
        }
        // An attempt as any other: tried again, but not for ever.
        Err(_) => Err(ActError::retry("the endpoint's signing secret cannot be opened")),
    };
    let attempt = core.attempt()?;
    let claimed = match claim(core, id, &run, &attempt).await? {
        Ok(claimed) => claimed,
        Err(answered) => return Ok(answered),
    };
    let answer = match post {
        Ok(post) => sender.post(&post).await,
        Err(unsigned) => Err(unsigned),
    };
    let gone = matches!(answer, Ok(Answer { status: GONE, .. }));
    let outcome = judge(answer);
    let answered = finish(core, id, &claimed, &attempt, &outcome).await?;
    if gone && let Err(error) = disable_endpoint(core, &endpoint).await {
        // The run has ended; the next call will hear the same.
        tracing::error!(endpoint = %endpoint.id, %error, "an endpoint that is gone could not be switched off");
    }
    Ok(answered)
}

/// The receiver wants no more: Standard Webhooks has the endpoint switched off then (integrations §6).
const GONE: u16 = 410;

/// A webhook looks at the order again only where a person may have taken the move back.
async fn hesitate<S: OrderStore>(
    core: &Core<S>,
    event: &Event,
    id: &RunId,
) -> Result<Option<SkipReason>, StoreError> {
    if !matches!(event.cause, Cause::Manual { actor: Actor::Console { .. } }) {
        return Ok(None);
    }
    let order = core.store.order(&id.order).await?;
    Ok(order.and_then(|order| superseded(event, &id.key, &order)))
}

/// The call with its signatures; `None` if no secret can sign: nothing leaves unsigned.
async fn signed<S, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    endpoint: &Endpoint,
    id: &RunId,
    body: String,
) -> Result<Option<Post>, SecretError> {
    let now = core.now();
    let keys = signing_keys(secrets, endpoint, now).await?;
    if keys.is_empty() {
        return Ok(None);
    }
    let message = message_id(id);
    let timestamp = now.as_second();
    let signature = webhook_signature(&keys, &message, timestamp, body.as_bytes());
    Ok(Some(Post {
        url: endpoint.url.clone(),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", message),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signature),
        ],
        body: body.into_bytes(),
    }))
}

/// Keys of the secrets that count at `now`. A former one that never opens again is done without: only what
/// becomes of the current one is worth another try.
async fn signing_keys<K: Secrets>(
    secrets: &K,
    endpoint: &Endpoint,
    now: Timestamp,
) -> Result<Vec<Vec<u8>>, SecretError> {
    let mut keys = Vec::new();
    for (sealed, until) in endpoint.secrets.at(now) {
        match secrets.open((&endpoint.shop).into(), SecretKind::EndpointSecret, sealed).await {
            Ok(secret) => keys.extend(webhook_key(&secret).ok()),
            Err(error) if until.is_some() && error.disposition == Disposition::Permanent => {
                tracing::error!(endpoint = %endpoint.id, %error, "a former secret signs no more");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(keys)
}

/// 2xx is success; 410 ends it; everything else is tried again, with the patience that was asked for.
fn judge(answer: Result<Answer, ActError>) -> AttemptOutcome {
    match answer {
        Ok(Answer { status: status @ 200..=299, .. }) => {
            AttemptOutcome::Success { detail: format!("HTTP {status}") }
        }
        Ok(Answer { status: GONE, .. }) => AttemptOutcome::Failure {
            disposition: Disposition::Permanent,
            error: "HTTP 410: the receiver wants no more; its endpoint is switched off".into(),
        },
        Ok(Answer { status, retry_after }) => AttemptOutcome::Failure {
            disposition: Disposition::Retry { after: retry_after },
            error: format!("HTTP {status}"),
        },
        Err(ActError { disposition, message: error }) => AttemptOutcome::Failure { disposition, error },
    }
}
