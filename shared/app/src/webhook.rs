//! Webhooks: at least once, with one id and one body (law 11); a receiver that is busy or away costs others
//! nothing (law 16).

mod health;
mod post;
mod tryout;

use std::sync::atomic::AtomicBool;

use stagepost_domain::Timestamp;
use stagepost_domain::decide::superseded;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::event::{Actor, Cause, Event};
use stagepost_domain::health::Health;
use stagepost_domain::id::AttemptId;
use stagepost_domain::outcome::SkipReason;
use stagepost_domain::run::{AttemptOutcome, Run, RunId, RunState, Target};
use stagepost_domain::shop::{DisabledReason, Endpoint};
use stagepost_domain::webhook::{BODY_MAX, EventType, message_id, of_type};

use crate::Core;
use crate::attempt::{Attempt, AttemptOf, Called, Whose};
use crate::config::disable_endpoint;
use crate::ports::{
    ActError, Answer, AttemptStore, ConfigStore, HealthStore, Mailer, OrderStore, Post, RunStore, Secrets,
    StoreError, WebhookSender,
};
use crate::run::{
    Answered, Notable, Opened, Rung, RunnerError, aside_if_hopeless, claim, fail_unsent, finish, keep, open,
    skip, store,
};
use health::Seen;
pub(crate) use tryout::{Tried, try_out};

/// Sends one webhook: at least once, with the same id and the same bytes on every attempt (law 11).
///
/// # Errors
/// Nothing could be decided; the doorbell may ring again.
pub async fn webhook<S, W, M, K>(
    core: &Core<S>,
    sender: &W,
    mailer: &M,
    secrets: &K,
    id: &RunId,
) -> Result<Rung, RunnerError>
where
    S: OrderStore + RunStore + ConfigStore + AttemptStore + HealthStore,
    W: WebhookSender,
    M: Mailer,
    K: Secrets,
{
    let Target::Webhook(_, told) = &id.key.target else { return Ok(Answered::Unknown.into()) };
    aside_if_hopeless(core, id, sent(core, sender, mailer, secrets, id, *told).await).await
}

async fn sent<S, W, M, K>(
    core: &Core<S>,
    sender: &W,
    mailer: &M,
    secrets: &K,
    id: &RunId,
    told: EventType,
) -> Result<Rung, RunnerError>
where
    S: OrderStore + RunStore + ConfigStore + AttemptStore + HealthStore,
    W: WebhookSender,
    M: Mailer,
    K: Secrets,
{
    let Opened { event, run } = match open(core, id).await? {
        Ok(opened) => opened,
        Err(answered) => return Ok(answered.into()),
    };
    let attempt = core.attempt()?;
    if let Some(answered) = hesitate(core, &event, id, &run).await? {
        return Ok(Rung::of(&event, answered));
    }
    let (endpoint, health) = match receiver(core, &event, id, &run, &attempt).await? {
        Ok(there) => there,
        Err(answered) => return Ok(Rung::of(&event, answered)),
    };
    let (claimed, post) = match taken(core, secrets, &endpoint, id, told, &run, &attempt).await? {
        Ok(taken) => taken,
        Err(answered) => {
            health::left(core, &endpoint, health, &attempt).await;
            return Ok(Rung::of(&event, answered));
        }
    };
    let (unsigned, noted) = (post.is_err(), AtomicBool::new(false));
    let silent = health::silent(core, &endpoint, &health, &attempt, core.now(), &noted);
    let called = post::call(core, sender, post, silent).await;
    let outcome = judge(&called.answer);
    let answered = finish(core, id, &claimed, &attempt, &outcome).await?;
    let whose = Whose {
        id: &attempt,
        shop: &event.shop,
        endpoint: &endpoint.id,
        of: AttemptOf::Run(id.clone()),
        number: claimed.attempts,
    };
    remember(core, &called.kept(whose, error_of(&outcome))).await;
    let mut notable = None;
    if unsigned {
        health::left(core, &endpoint, health, &attempt).await;
    } else {
        let seen = if noted.into_inner() { Seen::Stale } else { Seen::Now(health) };
        let called = (&called, error_of(&outcome));
        notable = health::heard(core, mailer, &endpoint, seen, &attempt, called).await;
    }
    Ok(Rung::of(&event, answered).noting(notable))
}

/// The message signed and the run claimed, so that the call can be made; or what is recorded instead.
async fn taken<S: RunStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    endpoint: &Endpoint,
    id: &RunId,
    told: EventType,
    run: &Run,
    attempt: &AttemptId,
) -> Result<Result<(Run, Result<Post, ActError>), Answered>, RunnerError> {
    let body = match message(core, id, told).await? {
        Ok(body) => body,
        Err(error) => return Ok(Err(fail_unsent(core, id, run, error).await?)),
    };
    let post = match post::signed(core, secrets, endpoint, message_id(id), body).await {
        Ok(Some(post)) => Ok(post),
        Ok(None) => {
            let error = "the endpoint has no secret to sign with".to_owned();
            return Ok(Err(fail_unsent(core, id, run, error).await?));
        }
        // An attempt as any other: tried again, but not for ever.
        Err(_) => Err(ActError::retry("the endpoint's secrets cannot be opened")),
    };
    Ok(claim(core, id, run, attempt).await?.map(|claimed| (claimed, post)))
}

/// Where the run goes, and how that receiver does; or what is recorded instead of a call.
async fn receiver<S>(
    core: &Core<S>,
    event: &Event,
    id: &RunId,
    run: &Run,
    attempt: &AttemptId,
) -> Result<Result<(Endpoint, Health), Answered>, RunnerError>
where
    S: OrderStore + RunStore + HealthStore,
{
    let Target::Webhook(endpoint, _) = &id.key.target else { return Ok(Err(Answered::Unknown)) };
    let Some((endpoint, health)) = core.store.endpoint_and_health(&event.shop, endpoint).await? else {
        return Ok(Err(skip(core, id, run, SkipReason::TargetGone).await?));
    };
    match &endpoint.disabled {
        // What waited for it counts as failed, so that it is found and recovered when the receiver is mended.
        Some(disabled) if disabled.reason == DisabledReason::KeptFailing => {
            let error = "the endpoint was switched off: it had only failed for 5 days".to_owned();
            return Ok(Err(fail_unsent(core, id, run, error).await?));
        }
        Some(_) => return Ok(Err(skip(core, id, run, SkipReason::EndpointDisabled).await?)),
        None => {}
    }
    Ok(match health::admitted(core, &endpoint, health, attempt).await? {
        Ok(health) => Ok((endpoint, health)),
        Err(due) => Err(put_off(core, id, run, due).await?),
    })
}

/// Without a call and without an attempt; people see why.
async fn put_off<S: RunStore>(
    core: &Core<S>,
    id: &RunId,
    run: &Run,
    due: Timestamp,
) -> Result<Answered, StoreError> {
    let mut next = run.clone();
    next.last_error = Some("put off: its receiver is busy or away".to_owned());
    next.state = RunState::Pending { due };
    store(core, id, run, &next).await
}

/// The frozen message, or why it is not sent.
async fn message<S: RunStore>(
    core: &Core<S>,
    id: &RunId,
    told: EventType,
) -> Result<Result<String, String>, StoreError> {
    let Some(frozen) = core.store.webhook_body(&id.order, id.seq, core.now()).await? else {
        return Ok(Err("the stored body has expired".to_owned()));
    };
    let body = of_type(&frozen, told);
    Ok(match body.len() {
        0..=BODY_MAX => Ok(body),
        bytes => Err(format!("the message has {bytes} bytes, and none above {BODY_MAX} is sent")),
    })
}

/// What is recorded instead of a call, as the order stands now. Only a move can be taken back, by the person who made
/// it; and a hold keeps what a stage wants done, but not from those who subscribed to what happens.
async fn hesitate<S: OrderStore + RunStore>(
    core: &Core<S>,
    event: &Event,
    id: &RunId,
    run: &Run,
) -> Result<Option<Answered>, StoreError> {
    let by_hand = matches!(event.cause, Cause::Manual { actor: Actor::Console { .. } });
    let a_move = by_hand && matches!(id.key.target, Target::Webhook(_, EventType::StageEntered));
    if run.subscribed && !a_move {
        return Ok(None);
    }
    let Some(order) = core.store.order(&id.order).await? else { return Ok(None) };
    if let Some(why) = superseded(event, &id.key, &order).filter(|_| a_move) {
        return Ok(Some(skip(core, id, run, why).await?));
    }
    match order.hold {
        Some(_) if !run.subscribed => Ok(Some(keep(core, id, run).await?)),
        _ => Ok(None),
    }
}

/// Keeps a call in the log. The run does not fail for it: its record says how it stands.
async fn remember<S: AttemptStore>(core: &Core<S>, attempt: &Attempt) {
    if let Err(error) = core.store.log_attempt(attempt).await {
        tracing::warn!(attempt = %attempt.id, endpoint = %attempt.endpoint, %error, "an attempt is not logged");
    }
}

/// The receiver wants no more: Standard Webhooks has the endpoint switched off then (integrations §6).
const GONE: u16 = 410;

/// Why a call did not count, if it did not.
fn error_of(outcome: &AttemptOutcome) -> Option<&str> {
    match outcome {
        AttemptOutcome::Failure { error, .. } => Some(error),
        _ => None,
    }
}

/// 2xx is success; 410 ends it; everything else is tried again, with the patience that was asked for.
fn judge(answer: &Result<Answer, ActError>) -> AttemptOutcome {
    let failure = |disposition, error| AttemptOutcome::Failure { disposition, error };
    match answer {
        Ok(Answer { status: status @ 200..=299, .. }) => {
            AttemptOutcome::Success { detail: format!("HTTP {status}") }
        }
        Ok(Answer { status: GONE, .. }) => failure(
            Disposition::Permanent,
            "HTTP 410: the receiver wants no more; its endpoint is switched off".to_owned(),
        ),
        Ok(Answer { status, retry_after, .. }) => {
            failure(Disposition::Retry { after: *retry_after }, in_words(*status))
        }
        Err(ActError { disposition, message }) => failure(*disposition, message.clone()),
    }
}

/// A status that is no success, with a hint where its owner can do something about it.
fn in_words(status: u16) -> String {
    match status {
        300..=399 => {
            format!("HTTP {status}: redirects are not followed; give the endpoint the address itself")
        }
        401 | 403 => format!("HTTP {status}: the receiver does not let us in; check its secret and headers"),
        404 | 405 => format!("HTTP {status}: nothing receives there; check the endpoint's address"),
        408 | 425 | 429 => format!("HTTP {status}"),
        400..=499 => format!("HTTP {status}: the receiver refuses the message"),
        _ => format!("HTTP {status}"),
    }
}

/// Switches an endpoint off, if it is on still. What it was called for has ended; the next call will find the same.
async fn switch_off<S: ConfigStore>(
    core: &Core<S>,
    endpoint: &Endpoint,
    reason: DisabledReason,
) -> Option<Notable> {
    match disable_endpoint(core, endpoint, reason).await {
        Ok(off) => off.then_some(Notable::EndpointDisabled),
        Err(error) => {
            tracing::error!(endpoint = %endpoint.id, ?reason, %error, "an endpoint could not be switched off");
            None
        }
    }
}

fn is_gone(called: &Called) -> bool {
    matches!(called.answer, Ok(Answer { status: GONE, .. }))
}
