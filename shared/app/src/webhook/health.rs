//! What a call says of its receiver, and who is told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use stagepost_domain::Timestamp;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::health::{Admission, Health, Heard, Notice, Step, Strain};
use stagepost_domain::id::AttemptId;
use stagepost_domain::run::later;
use stagepost_domain::shop::{DisabledReason, Endpoint};

use super::{is_gone, switch_off};
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::attempt::Called;
use crate::ports::{ActError, Answer, CommitError, ConfigStore, HealthStore, Mailer, StoreError};
use crate::run::{LOOK_AGAIN, Notable};

/// How its receiver does, once this attempt may call it; or when to look again.
pub(super) async fn admitted<S: HealthStore>(
    core: &Core<S>,
    endpoint: &Endpoint,
    mut health: Health,
    attempt: &AttemptId,
) -> Result<Result<Health, Timestamp>, StoreError> {
    let now = core.now();
    for _ in 0..TRIES_MAX {
        let next = match health.admits(attempt, now, endpoint.mended_at, core.entropy.fraction()) {
            Admission::Free => return Ok(Ok(health)),
            Admission::Rests(due) => return Ok(Err(due)),
            Admission::Probe(next) => next,
        };
        match core.store.put_health(&endpoint.shop, &endpoint.id, &next).await {
            Ok(()) => return Ok(Ok(next)),
            Err(CommitError::LostRace | CommitError::Conflict) => {}
            Err(CommitError::Store(error)) => return Err(error),
        }
        health = core.store.health(&endpoint.shop, &endpoint.id).await?;
    }
    Ok(Err(later(now, LOOK_AGAIN)))
}

/// Has others go a few at a time, because a call to this endpoint since then has had no answer for long. `noted`
/// says whether that may have been written.
pub(super) async fn silent<S: HealthStore>(
    core: &Core<S>,
    endpoint: &Endpoint,
    health: &Health,
    attempt: &AttemptId,
    since: Timestamp,
    noted: &AtomicBool,
) {
    let Some(next) = health.silent(attempt, since, endpoint.mended_at) else { return };
    noted.store(true, Ordering::Relaxed);
    match core.store.put_health(&endpoint.shop, &endpoint.id, &next).await {
        // Another call says the same, or has been heard: it is known anyway how the receiver does.
        Ok(()) | Err(CommitError::LostRace | CommitError::Conflict) => {}
        Err(error) => tracing::warn!(endpoint = %endpoint.id, %error, "a silent endpoint is not noted"),
    }
}

/// What is known of a receiver's health when its call is over.
pub(super) enum Seen {
    /// As it was before the call.
    Now(Health),
    /// The call itself has written since.
    Stale,
}

/// Gives a place back that no call was made from.
pub(super) async fn left<S: HealthStore>(
    core: &Core<S>,
    endpoint: &Endpoint,
    health: Health,
    attempt: &AttemptId,
) {
    if let Err(error) = changed(core, endpoint, health, attempt, Heard::Nothing).await {
        tracing::warn!(endpoint = %endpoint.id, %error, "a place at an endpoint is not given back");
    }
}

/// Takes a call into account; gives word if that switched the endpoint off. What cannot be written now, the next call
/// says again.
pub(super) async fn heard<S, M>(
    core: &Core<S>,
    mailer: &M,
    endpoint: &Endpoint,
    seen: Seen,
    attempt: &AttemptId,
    (called, error): (&Called, Option<&str>),
) -> Option<Notable>
where
    S: ConfigStore + HealthStore,
    M: Mailer,
{
    let gone = is_gone(called);
    let heard = match error {
        _ if gone => Heard::Nothing,
        None => Heard::Success,
        Some(error) => Heard::Failure { error, strain: strain(&called.answer) },
    };
    let noted = noted(core, endpoint, seen, attempt, heard).await;
    if gone {
        return switch_off(core, endpoint, DisabledReason::ReceiverGone).await;
    }
    match noted {
        Ok(Changed { tell, over }) => {
            // Off first: what the mail says is so.
            let notable =
                if over { switch_off(core, endpoint, DisabledReason::KeptFailing).await } else { None };
            if let Some((notice, since)) = tell {
                let what = Trouble { notice, since, error: error.unwrap_or_default() };
                tell_owner(core, mailer, endpoint, &what).await;
            }
            notable
        }
        Err(error) => {
            tracing::warn!(endpoint = %endpoint.id, %error, "an endpoint's health is not noted");
            None
        }
    }
}

async fn noted<S: HealthStore>(
    core: &Core<S>,
    endpoint: &Endpoint,
    seen: Seen,
    attempt: &AttemptId,
    heard: Heard<'_>,
) -> Result<Changed, StoreError> {
    let health = match seen {
        Seen::Now(health) => health,
        Seen::Stale => core.store.health(&endpoint.shop, &endpoint.id).await?,
    };
    changed(core, endpoint, health, attempt, heard).await
}

fn strain(answer: &Result<Answer, ActError>) -> Strain {
    match answer {
        Ok(Answer { status: 429 | 503, retry_after, .. }) => Strain::Busy(*retry_after),
        Ok(_) => Strain::None,
        // Refused by our own guard or for its certificate: the next call is refused as fast.
        Err(ActError { disposition: Disposition::Permanent, .. }) => Strain::None,
        Err(_) => Strain::Silent,
    }
}

struct Changed {
    /// With the beginning of its trouble.
    tell: Option<(Notice, Timestamp)>,
    over: bool,
}

/// Writes what the call changes, if anything; others may be writing the same of their own calls.
async fn changed<S: HealthStore>(
    core: &Core<S>,
    endpoint: &Endpoint,
    mut health: Health,
    attempt: &AttemptId,
    heard: Heard<'_>,
) -> Result<Changed, StoreError> {
    let (now, mended_at) = (core.now(), endpoint.mended_at);
    let failed = matches!(heard, Heard::Failure { .. });
    for _ in 0..TRIES_MAX {
        let Some(Step { health: next, tell }) = health.heard(attempt, now, mended_at, heard) else {
            return Ok(Changed { tell: None, over: failed && health.is_over(mended_at) });
        };
        match core.store.put_health(&endpoint.shop, &endpoint.id, &next).await {
            Ok(()) => {
                let since = next.failing.as_ref().map(|failing| failing.since);
                return Ok(Changed { tell: tell.zip(since), over: failed && next.is_over(mended_at) });
            }
            Err(CommitError::LostRace | CommitError::Conflict) => {}
            Err(CommitError::Store(error)) => return Err(error),
        }
        health = core.store.health(&endpoint.shop, &endpoint.id).await?;
    }
    Err(StoreError::Throttled)
}

/// What an owner is told of.
struct Trouble<'a> {
    notice: Notice,
    since: Timestamp,
    error: &'a str,
}

/// Tells the owner by mail, once at most: the notice stands on the endpoint whatever becomes of the mail.
async fn tell_owner<S, M>(core: &Core<S>, mailer: &M, endpoint: &Endpoint, what: &Trouble<'_>)
where
    S: ConfigStore,
    M: Mailer,
{
    tracing::warn!(endpoint = %endpoint.id, percent = what.notice.percent, "an endpoint keeps failing");
    let settings = match core.store.settings(&endpoint.shop).await {
        Ok(Some(settings)) => settings,
        Ok(None) => return,
        Err(error) => return tracing::warn!(endpoint = %endpoint.id, %error, "its owner is not mailed"),
    };
    let Some(to) = settings.notify_email.clone() else { return };
    let (subject, text) = words(endpoint, what);
    let tags = BTreeMap::from([("endpoint".to_owned(), endpoint.id.to_string())]);
    let mail = crate::mail::notice(&settings, to, subject, text, tags);
    if let Err(error) = mailer.send(&mail).await {
        tracing::warn!(endpoint = %endpoint.id, %error, "its owner is not mailed");
    }
}

fn words(endpoint: &Endpoint, what: &Trouble<'_>) -> (String, String) {
    let Trouble { notice, since, error } = what;
    let name: String = endpoint.name.chars().filter(|c| !c.is_control()).collect();
    let (url, id, hours) = (&endpoint.url, &endpoint.id, notice.at.duration_since(*since).as_hours());
    let (subject, follows) = if notice.percent >= 100 {
        (
            "is switched off",
            "It is switched off. What waited for it counts as failed. When it is mended, switch it on again: the \
             answer says how many messages failed and how to have them sent again.",
        )
    } else {
        ("is failing", "After five days of this it is switched off.")
    };
    let text = format!(
        "The webhook endpoint \"{name}\" ({url}) has taken nothing for {hours} hours.\n\nThe last answer was: \
         {error}\n\n{follows}\n\nEndpoint: {id}\n"
    );
    (format!("Webhook endpoint \"{name}\" {subject}"), text)
}
