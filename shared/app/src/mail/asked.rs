//! Mails that somebody asked for and waits for: a template to be seen, a link to sign in by.
//!
//! One that is asked for is stored, `dispatch` rings for it, and the mail runner claims it and sends it once at
//! most, as it does the others, in its place of the sender's line. What goes wrong on the way is told and not tried
//! again: whoever asked is there and can. Only a provider that takes nothing yet is waited for, and a mail of which
//! nobody knows whether it left says so.

use stagepost_domain::SignedDuration;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::id::{InvalidId, MailId};
use stagepost_domain::run::later;

use super::ports::{Asked, AskedMail, AskedMailStore, AskedState, Asker, Hourly, PaceStore};
use super::preview::{PreviewError, PreviewStores};
use super::send::place_in_line;
use super::{PostOffice, TrackingLinks, trial};
use crate::Core;
use crate::people::letters::{self, Letter};
use crate::people::ports::{LinkStore, PeopleStore};
use crate::ports::{CommitError, Mail, MailError, Mailer, SecretError, Secrets, StoreError};

/// How long a mail that was asked for is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// What mails that are asked for need of the store.
pub trait AskedStores: PreviewStores + AskedMailStore + PaceStore + PeopleStore + LinkStore {}

impl<T: PreviewStores + AskedMailStore + PaceStore + PeopleStore + LinkStore> AskedStores for T {}

/// Nothing was sent, and trying again may help.
#[derive(Debug, thiserror::Error)]
pub enum AskedError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What opens addresses is away.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The id generator is broken.
    #[error(transparent)]
    Id(#[from] InvalidId),
}

/// Counts one more mail of this hour; whether it is one too many.
pub(crate) async fn too_many<S: AskedMailStore>(
    core: &Core<S>,
    what: Hourly<'_>,
    most: u64,
) -> Result<bool, StoreError> {
    let hour = core.now().as_second().div_euclid(3_600);
    Ok(core.store.count_hourly(what, hour).await? > most)
}

/// Stores a mail that is asked for; its record rings for it. One that is there was stored by an earlier try of the
/// same call.
pub(crate) async fn post<S: AskedMailStore>(core: &Core<S>, asked: Asked) -> Result<AskedMail, AskedError> {
    let mail = AskedMail::new(MailId::from_body(&core.entropy.id_body())?, asked, core.now());
    match core.store.put_asked_mail(&mail).await {
        Ok(()) | Err(CommitError::LostRace) => Ok(mail),
        Err(CommitError::Conflict) => Err(StoreError::Throttled.into()),
        Err(CommitError::Store(error)) => Err(error.into()),
    }
}

/// A mail that is about to leave.
enum Draft {
    /// As it is.
    Whole(Mail),
    /// But for its link: a link's time begins when its mail leaves.
    Link(Box<Letter>),
}

/// Sends a mail that was asked for, if nobody has begun to; gives it as it stands then. One that is pending still
/// has a place in the line, and is to be rung for when that has come.
///
/// # Errors
/// The store failed before anything was sent, or what opens addresses did.
pub async fn send<S, K, M, L>(
    core: &Core<S>,
    secrets: &K,
    mailer: &M,
    office: &PostOffice<L>,
    asker: &Asker,
    id: &MailId,
) -> Result<Option<AskedMail>, AskedError>
where
    S: AskedStores,
    K: Secrets,
    M: Mailer,
    L: TrackingLinks,
{
    let found = core.store.asked_mail(asker, id, core.now()).await?;
    let Some(asked) = found.filter(|mail| mail.state == AskedState::Pending) else { return Ok(None) };
    // The name of every write of this attempt.
    let asked = AskedMail { by: Some(core.attempt()?), ..asked };
    if core.is_from_before(asked.at) {
        let error = "it was asked for before the data was restored, and may have left then".to_owned();
        return Ok(stand(core, &asked, AskedState::Failed { error }).await?);
    }
    let draft = match drafted(core, secrets, office, &asked).await? {
        Ok(draft) => draft,
        Err(error) => return Ok(stand(core, &asked, AskedState::Failed { error }).await?),
    };
    if asked.slot.is_some_and(|slot| slot > core.now()) {
        // A message waits for a quarter of an hour at most.
        return Ok(Some(asked));
    }
    if let Some(slot) = place_in_line(core, office.pace, asked.slot).await? {
        let waits = AskedMail { slot: Some(slot), ..asked };
        return Ok(stand(core, &waits, AskedState::Pending).await?);
    }
    let mail = match draft {
        Draft::Whole(mail) => mail,
        Draft::Link(letter) => letters::written(core, &office.public_url, *letter).await?,
    };
    let Some(sending) = stand(core, &asked, AskedState::Sending).await? else { return Ok(None) };
    let next = answered(core, &sending, mailer.send(&mail).await);
    if next.state == AskedState::Sending {
        return Ok(Some(sending));
    }
    // Sent or not, it is over: a doorbell that came back would find it begun.
    Ok(stand(core, &next, next.state.clone()).await.unwrap_or(Some(sending)))
}

/// How a mail stands after its provider has answered.
fn answered<S>(core: &Core<S>, sending: &AskedMail, answer: Result<String, MailError>) -> AskedMail {
    let (state, slot) = match answer {
        Ok(_) => (AskedState::Sent, None),
        // Nobody knows whether it left.
        Err(MailError::Failed(error)) if error.disposition == Disposition::Ambiguous => {
            (AskedState::Sending, None)
        }
        Err(MailError::Failed(error)) => (AskedState::Failed { error: error.message }, None),
        Err(MailError::Paused { message }) => (AskedState::Failed { error: message }, None),
        Err(MailError::TooFast { after, .. }) => (AskedState::Pending, Some(later(core.now(), after))),
    };
    AskedMail { state, slot: slot.or(sending.slot), ..sending.clone() }
}

/// What is to be sent, or why it never is.
async fn drafted<S: AskedStores, K: Secrets, L: TrackingLinks>(
    core: &Core<S>,
    secrets: &K,
    office: &PostOffice<L>,
    mail: &AskedMail,
) -> Result<Result<Draft, String>, AskedError> {
    let letter = match &mail.asked {
        Asked::Trial(asked) => {
            return match trial::written(core, office, &mail.id, asked).await {
                Ok(whole) => Ok(Ok(Draft::Whole(whole))),
                Err(PreviewError::Store(error)) => Err(error.into()),
                Err(error) => Ok(Err(trial::told(&error))),
            };
        }
        Asked::SignIn { person } => letters::for_person(core, secrets, &mail.id, person).await,
        Asked::Invitation { shop, member } => {
            letters::for_member(core, secrets, &mail.id, shop, member).await
        }
    };
    match letter {
        Ok(Some(letter)) => Ok(Ok(Draft::Link(Box::new(letter)))),
        Ok(None) => Ok(Err("nobody of that address works with a shop".to_owned())),
        Err(AskedError::Secret(error)) if error.disposition == Disposition::Permanent => {
            Ok(Err(error.to_string()))
        }
        Err(error) => Err(error),
    }
}

/// Writes where it stands; `None` if somebody else was faster.
async fn stand<S: AskedMailStore>(
    core: &Core<S>,
    mail: &AskedMail,
    state: AskedState,
) -> Result<Option<AskedMail>, StoreError> {
    let next = AskedMail { version: mail.version.saturating_add(1), state, ..mail.clone() };
    match core.store.put_asked_mail(&next).await {
        Ok(()) => Ok(Some(next)),
        Err(CommitError::LostRace) => Ok(None),
        Err(CommitError::Conflict) => Err(StoreError::Throttled),
        Err(CommitError::Store(error)) => Err(error),
    }
}

/// How long until a mail's place in the line, if it waits for one.
#[must_use]
pub fn wait<S>(core: &Core<S>, mail: &AskedMail) -> Option<SignedDuration> {
    let slot = mail.slot.filter(|_| mail.state == AskedState::Pending)?;
    Some(slot.duration_since(core.now()).max(SignedDuration::ZERO))
}
