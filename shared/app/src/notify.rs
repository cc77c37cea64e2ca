//! The two runners that tell people and programs: mails and webhooks.

use std::collections::BTreeMap;

use stagepost_domain::SignedDuration;
use stagepost_domain::Timestamp;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::event::{Action, Actor, Cause, Event};
use stagepost_domain::id::TemplateId;
use stagepost_domain::order::{Order, Snapshot};
use stagepost_domain::outcome::SkipReason;
use stagepost_domain::run::{AttemptOutcome, Run, RunId, RunKey, RunState, Target, later};
use stagepost_domain::shop::Endpoint;
use stagepost_domain::signing::{webhook_key, webhook_signature};
use stagepost_domain::template::{EmailTemplate, Rendered, Variables};
use stagepost_domain::webhook::{self, message_id};

use crate::Core;
use crate::config::disable_endpoint;
use crate::governor::admits;
use crate::ports::{
    ActError, Answer, ConfigStore, GovernorStore, Mail, MailError, Mailer, OrderStore, Post, RunStore,
    SecretError, SecretKind, Secrets, StoreError, WebhookSender, run_id,
};
use crate::run::{
    Answered, HOLD_LOOK_AGAIN, LOOK_AGAIN, Opened, RunnerError, act_until, aside_if_hopeless, claim, finish,
    open, postpone, second_thoughts, skip, superseded,
};

/// Builds the link behind `{{trackingUrl}}`.
pub trait TrackingLinks: Send + Sync {
    /// The page of one order.
    fn link(&self, order: &Order) -> String;
}

/// Sends one mail: look again → render → claim → send → record. A mail leaves at most once; whatever
/// cannot be told is *uncertain* (law 11).
///
/// # Errors
/// Nothing could be decided; the doorbell may ring again.
pub async fn email<S, M, L>(
    core: &Core<S>,
    mailer: &M,
    links: &L,
    id: &RunId,
) -> Result<Answered, RunnerError>
where
    S: OrderStore + RunStore + ConfigStore + GovernorStore,
    M: Mailer,
    L: TrackingLinks,
{
    aside_if_hopeless(core, id, mailed(core, mailer, links, id).await).await
}

async fn mailed<S, M, L>(core: &Core<S>, mailer: &M, links: &L, id: &RunId) -> Result<Answered, RunnerError>
where
    S: OrderStore + RunStore + ConfigStore + GovernorStore,
    M: Mailer,
    L: TrackingLinks,
{
    let Target::Email(template) = &id.key.target else { return Ok(Answered::Unknown) };
    let until = act_until(Action::Email, core.now());
    let Opened { event, run } = match open(core, id).await? {
        Ok(opened) => opened,
        Err(answered) => return Ok(answered),
    };
    let attempt = core.attempt()?;
    if matches!(run.state, RunState::Claimed { .. }) {
        // The lease has passed and nobody recorded an end: the claim itself turns this into doubt.
        return Ok(claim(core, id, &run, &attempt)
            .await?
            .map_or_else(|a| a, |r| Answered::Recorded(Box::new(r))));
    }
    let mail = match prepare(core, links, template, &event, &run, id).await? {
        Ok(mail) => mail,
        Err(Instead::Skip(why)) => return Ok(skip(core, id, &run, why).await?),
        Err(Instead::Wait(wait)) => return Ok(postpone(core, id, &run, wait).await?),
        Err(Instead::Fail(error)) => return fail_unsent(core, id, &run, error).await,
    };
    let governor = core.store.governor(&event.shop).await?;
    if governor.paused.is_some() {
        return Ok(postpone(core, id, &run, HOLD_LOOK_AGAIN).await?);
    }
    // A mail that is cut off in mid-send is in doubt for ever: rather let the doorbell come back.
    if core.now() >= until {
        return Err(RunnerError::Late);
    }
    let claimed = match claim(core, id, &run, &attempt).await? {
        Ok(claimed) => claimed,
        Err(answered) => return Ok(answered),
    };
    let outcome = match admits(core, &event.shop, &governor).await {
        Ok(true) => sent(core, mailer.send(&mail).await),
        Ok(false) => AttemptOutcome::Later { due: later(core.now(), HOLD_LOOK_AGAIN), why: None },
        // Not sent: the claim is given back, or its lease would leave the mail in doubt.
        Err(_) => AttemptOutcome::Later { due: later(core.now(), LOOK_AGAIN), why: None },
    };
    Ok(finish(core, id, &claimed, &attempt, &outcome).await?)
}

/// How long mails wait between looks while sending is paused for everybody.
const PAUSED_LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(30);

fn sent<S>(core: &Core<S>, answer: Result<String, MailError>) -> AttemptOutcome {
    match answer {
        Ok(detail) => AttemptOutcome::Success { detail },
        Err(MailError::Failed(ActError { disposition, message: error })) => {
            AttemptOutcome::Failure { disposition, error }
        }
        Err(MailError::Paused { message }) => {
            // Spread, so that what has waited does not come all at once.
            let wait = PAUSED_LOOK_AGAIN.mul_f64(0.8 + 0.4 * core.entropy.fraction());
            AttemptOutcome::Later { due: later(core.now(), wait), why: Some(message) }
        }
    }
}

/// What to do instead of sending.
enum Instead {
    Skip(SkipReason),
    Wait(SignedDuration),
    Fail(String),
}

async fn prepare<S, L>(
    core: &Core<S>,
    links: &L,
    template: &TemplateId,
    event: &Event,
    run: &Run,
    id: &RunId,
) -> Result<Result<Mail, Instead>, StoreError>
where
    S: OrderStore + RunStore + ConfigStore,
    L: TrackingLinks,
{
    let Some((order, snapshot)) = core.store.order_with_snapshot(&id.order).await? else {
        return Ok(Err(Instead::Fail("the order is gone".into())));
    };
    let snapshot = snapshot.unwrap_or_default();
    if let Some(why) = second_thoughts(event, &id.key, &order) {
        return Ok(Err(Instead::Skip(why)));
    }
    if order.hold.is_some() {
        return Ok(Err(Instead::Wait(HOLD_LOOK_AGAIN)));
    }
    let Some(to) = snapshot.customer.email.clone() else {
        return Ok(Err(Instead::Skip(SkipReason::NoAddress)));
    };
    if earlier_mail_in_flight(core, &order, run).await? {
        return Ok(Err(Instead::Wait(LOOK_AGAIN)));
    }
    let found = core.store.template(&order.shop, template, Some(run.target_version)).await?;
    let (Some(template), Some(settings)) = (found, core.store.settings(&order.shop).await?) else {
        return Ok(Err(Instead::Skip(SkipReason::TargetGone)));
    };
    let rendered = match template.render(&variables(event, &order, &snapshot, links)) {
        Ok(rendered) => rendered,
        Err(e) => return Ok(Err(Instead::Fail(e.to_string()))),
    };
    let from = sender(&settings.name, &settings.from_email);
    Ok(Ok(envelope(from, to, rendered, &template, id)))
}

fn sender(name: &str, address: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control() && !"<>\"".contains(*c)).collect();
    format!("{name} <{address}>")
}

fn envelope(from: String, to: String, rendered: Rendered, template: &EmailTemplate, id: &RunId) -> Mail {
    let tags = BTreeMap::from([
        ("order".to_owned(), id.order.to_string()),
        ("seq".to_owned(), id.seq.to_string()),
        ("template".to_owned(), template.id.to_string()),
        ("generation".to_owned(), id.key.generation.to_string()),
    ]);
    let Rendered { subject, html, text } = rendered;
    Mail { from, to, subject, html, text, tags }
}

fn variables<L: TrackingLinks>(event: &Event, order: &Order, snapshot: &Snapshot, links: &L) -> Variables {
    Variables {
        order_number: order.number.clone(),
        customer_name: snapshot.customer.name.clone().unwrap_or_default(),
        stage_name: event.transition.as_ref().map(|t| t.to.name.clone()).unwrap_or_default(),
        tracking_url: links.link(order),
    }
}

/// How many earlier mails of one order are looked at: more cannot be in flight at once.
const MAILS_BACK_MAX: usize = 20;

/// Mails of one order go in the order of their events: whether one before this is being sent right now.
///
/// One that only waits (for its grace, or after a refusal) holds nothing up: its order has left the stage,
/// so it is told here already what it would find out when it is rung.
async fn earlier_mail_in_flight<S>(core: &Core<S>, order: &Order, run: &Run) -> Result<bool, StoreError>
where
    S: OrderStore + RunStore,
{
    let mut before = run.after_mail;
    for _ in 0..MAILS_BACK_MAX {
        let Some(seq) = before else { return Ok(false) };
        let Some(event) = core.store.event(&order.id, seq).await? else { return Ok(false) };
        before = None;
        for (key, mail) in event.runs.iter().filter(|(key, _)| key.action() == Action::Email) {
            match &mail.state {
                RunState::Pending { .. } if !given_up(core, &event, key, mail, order).await? => {
                    return Ok(true);
                }
                RunState::Claimed { .. } => return Ok(true),
                // One that never left may have one before it that is leaving.
                RunState::Pending { .. } | RunState::Skipped { .. } => before = mail.after_mail,
                RunState::Succeeded { .. } | RunState::Failed { .. } | RunState::Uncertain { .. } => {}
            }
        }
    }
    Ok(false)
}

/// Ends a mail whose order has left its stage; false if it is not the time, or somebody else was faster.
async fn given_up<S: RunStore>(
    core: &Core<S>,
    event: &Event,
    key: &RunKey,
    mail: &Run,
    order: &Order,
) -> Result<bool, StoreError> {
    let Some(why) = second_thoughts(event, key, order) else { return Ok(false) };
    let answered = skip(core, &run_id(&order.id, event.seq, key), mail, why).await?;
    Ok(matches!(answered, Answered::Recorded(_)))
}

async fn fail_unsent<S: RunStore>(
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
