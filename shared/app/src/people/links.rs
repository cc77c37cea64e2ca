//! Links that sign somebody in: asked for, made, looked at, used once.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use stagepost_domain::id::{InvalidId, link_hash};
use stagepost_domain::link::{LINKS_PER_HOUR, Link, LinkKind, NoEntry, Used};
use stagepost_domain::member::Member;
use stagepost_domain::search::SearchKey;
use stagepost_domain::session::Session;
use stagepost_domain::text::{Invalid, email_address};
use url::Url;

use super::ports::{LinkStore, PeopleStore};
use super::{note_sign_in, session_id};
use crate::Core;
use crate::mail::asked::{AskedError, post, too_many};
use crate::mail::ports::{Asked, AskedMailStore, Hourly};
use crate::ports::{CommitError, StoreError};

/// Longest token that is looked up.
const TOKEN_MAX: usize = 100;

/// Nobody can be asked for like this.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It is no address.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It could not be stored.
    #[error(transparent)]
    Asked(#[from] AskedError),
}

/// Asks for a link to be mailed to an address. Nobody can tell from the answer, nor from how long it takes, whether
/// the address is anybody's: that is looked up when the mail is to leave. What is too much for an hour is dropped
/// without a word.
///
/// # Errors
/// It is no address, or the store failed.
pub async fn ask_sign_in<S: AskedMailStore>(
    core: &Core<S>,
    key: &SearchKey,
    email: &str,
) -> Result<(), AskError> {
    let person = key.person(&email_address("email", email)?).map_err(AskedError::from)?;
    if too_many(core, Hourly::Links(&person), LINKS_PER_HOUR).await.map_err(AskedError::from)? {
        tracing::info!(%person, "too many links are asked for");
        return Ok(());
    }
    post(core, Asked::SignIn { person }).await?;
    Ok(())
}

/// Makes a link for a member; gives its token, of 256 bits, which is stored nowhere.
pub(crate) async fn make<S: LinkStore>(
    core: &Core<S>,
    member: &Member,
    kind: LinkKind,
) -> Result<String, StoreError> {
    let token = URL_SAFE_NO_PAD.encode(core.entropy.bytes());
    match core.store.create_link(&Link::made(&token, member, kind, core.now())).await {
        Ok(()) => Ok(token),
        Err(CommitError::LostRace | CommitError::Conflict) => Err(StoreError::Throttled),
        Err(CommitError::Store(error)) => Err(error),
    }
}

/// Makes a link for a member that is not mailed; for those who stand before the deployment. Gives its token.
///
/// # Errors
/// The store failed.
pub async fn print_link<S: LinkStore>(core: &Core<S>, member: &Member) -> Result<String, StoreError> {
    make(core, member, LinkKind::SignIn).await
}

/// The link of a token.
#[must_use]
pub fn link_url(public_url: &Url, token: &str) -> String {
    format!("{}/sign-in/{token}", public_url.as_str().trim_end_matches('/'))
}

/// A link did not let anybody in.
#[derive(Debug, thiserror::Error)]
pub enum RedeemError {
    /// It is not one that does, or not any more.
    #[error(transparent)]
    NoEntry(#[from] NoEntry),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The id generator is broken.
    #[error(transparent)]
    Id(#[from] InvalidId),
}

/// Whom a link lets in, without using it: what follows links in mails (scanners, previews) must not use them up, so
/// the page behind a link only shows this, and a button.
///
/// # Errors
/// It lets nobody in, with the reason; or the store failed.
pub async fn look_at_link<S: LinkStore + PeopleStore>(
    core: &Core<S>,
    token: &str,
) -> Result<Member, RedeemError> {
    Ok(found(core, token).await?.1)
}

/// Uses a link: a session of the member whom it lets in, who has signed in by that.
///
/// # Errors
/// It lets nobody in, with the reason; or the store failed.
pub async fn redeem<S: LinkStore + PeopleStore>(
    core: &Core<S>,
    token: &str,
) -> Result<(Session, Member), RedeemError> {
    let (link, member) = found(core, token).await?;
    let now = core.now();
    let used = Link { used: Some(Used { at: now, by: core.attempt()? }), ..link };
    match core.store.use_link(&used).await {
        Ok(()) => {}
        Err(CommitError::LostRace) => return Err(NoEntry::Used.into()),
        Err(CommitError::Conflict) => return Err(StoreError::Throttled.into()),
        Err(CommitError::Store(error)) => return Err(error.into()),
    }
    // The link is used up: better in without a note than out.
    note_sign_in(core, &member).await;
    Ok((member.session(session_id(core), now), member))
}

async fn found<S: LinkStore + PeopleStore>(
    core: &Core<S>,
    token: &str,
) -> Result<(Link, Member), RedeemError> {
    if token.len() > TOKEN_MAX {
        return Err(NoEntry::Unknown.into());
    }
    let link = core.store.link(&link_hash(token)).await?.ok_or(NoEntry::Unknown)?;
    link.open(core.now())?;
    let member = link.admits(core.store.member(&link.shop, &link.member).await?)?;
    Ok((link, member))
}
