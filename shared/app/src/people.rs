//! People: who works with a shop, how they sign in, and who a request is from.

pub(crate) mod letters;
mod links;
pub mod ports;

use stagepost_domain::event::Actor;
use stagepost_domain::id::{PersonId, ShopId, token_hash};
use stagepost_domain::member::Member;
use stagepost_domain::shop::{ApiKey, Role, Settings};

pub use links::{AskError, RedeemError, ask_sign_in, link_url, look_at_link, print_link, redeem};
pub use stagepost_domain::link::NoEntry;
pub use stagepost_domain::session::{Session, SessionKey, Who};

use crate::Core;
use crate::ports::{ConfigStore, StoreError};
use ports::{Identity, PeopleStore};

/// Longest API key that is looked up.
const TOKEN_MAX: usize = 200;

/// Who a request of the console is from, as of this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// The session that they came with; [`Session::renewed`] tells whether to give them another.
    pub session: Session,
    /// The only shop that they see.
    pub shop: ShopId,
    /// What the shop says of itself: read with who they are, for the head of every page.
    pub settings: Settings,
    /// What they may do.
    pub role: Role,
    /// What they are called.
    pub name: String,
    /// As causes name them.
    pub actor: Actor,
    /// Whose address they came by; nobody's if they came by a key.
    pub person: Option<PersonId>,
}

/// Who a session's request is from, read now: a removed member, a lowered role, a revoked key and a sign-out
/// count at once. `None` if the session is worth nothing any more. One round trip.
///
/// # Errors
/// The store failed.
pub async fn visitor<S: PeopleStore>(
    core: &Core<S>,
    session: Session,
) -> Result<Option<Visitor>, StoreError> {
    if core.now() >= session.until {
        return Ok(None);
    }
    let found = core.store.identity(&session.shop, &session.who).await?;
    Ok(found.and_then(|(settings, identity)| standing(session, settings, identity)))
}

fn standing(session: Session, settings: Settings, identity: Identity) -> Option<Visitor> {
    let (role, name, person) = match identity {
        Identity::Member(member) if member.counts(session.since) => {
            (member.role, member.name, Some(member.person))
        }
        Identity::Member(_) => return None,
        Identity::Key(key) => (key.role, key.name, None),
    };
    let actor = Actor::Console { name: name.clone(), by: Some(session.who.clone()) };
    Some(Visitor { shop: session.shop.clone(), session, settings, role, name, actor, person })
}

/// A shop that a visitor works with, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherShop {
    /// Which.
    pub shop: ShopId,
    /// What it is called.
    pub name: String,
}

/// The other shops that a visitor may [go to](switch) without another link.
///
/// # Errors
/// The store failed.
pub async fn other_shops<S: PeopleStore + ConfigStore>(
    core: &Core<S>,
    visitor: &Visitor,
) -> Result<Vec<OtherShop>, StoreError> {
    let mut others = Vec::new();
    for member in elsewhere(core, visitor).await? {
        if let Some(settings) = core.store.settings(&member.shop).await? {
            others.push(OtherShop { shop: member.shop, name: settings.name });
        }
    }
    Ok(others)
}

/// A session of the same person in another of their shops; `None` if it is none of theirs. It is as old as the one
/// that they came with: what a sign-out there has ended is not opened from here.
///
/// # Errors
/// The store failed.
pub async fn switch<S: PeopleStore>(
    core: &Core<S>,
    visitor: &Visitor,
    shop: &ShopId,
) -> Result<Option<Session>, StoreError> {
    let there = elsewhere(core, visitor).await?.into_iter().find(|member| member.shop == *shop);
    let Some(member) = there else { return Ok(None) };
    note_sign_in(core, &member).await;
    let (id, who) = (session_id(core), Who::Member(member.id));
    Ok(Some(Session { id, who, shop: member.shop, ..visitor.session.clone() }))
}

async fn elsewhere<S: PeopleStore>(core: &Core<S>, visitor: &Visitor) -> Result<Vec<Member>, StoreError> {
    let Some(person) = &visitor.person else { return Ok(Vec::new()) };
    let members = core.store.memberships(person).await?.into_iter();
    Ok(members.filter(|m| m.shop != visitor.shop && m.counts(visitor.session.since)).collect())
}

/// Writes down when a member came, to the hour. Nobody stays out for it.
async fn note_sign_in<S: PeopleStore>(core: &Core<S>, member: &Member) {
    let now = core.now();
    if member.sign_in_is_news(now)
        && let Err(error) = core.store.note_sign_in(member, now).await
    {
        tracing::warn!(%error, member = %member.id, "a sign-in is not noted");
    }
}

/// Signs in with an API key, `sp_…`: a session that ends after twelve hours or with the key. `None` if there is
/// no such key.
///
/// # Errors
/// The store failed.
pub async fn sign_in_with_key<S: ConfigStore>(
    core: &Core<S>,
    token: &str,
) -> Result<Option<(Session, ApiKey)>, StoreError> {
    let token = token.trim();
    if token.is_empty() || token.len() > TOKEN_MAX {
        return Ok(None);
    }
    let Some(key) = core.store.api_key(&token_hash(token)).await? else { return Ok(None) };
    let now = core.now();
    if key.use_is_news(now)
        && let Err(error) = core.store.note_use(&key, now).await
    {
        tracing::warn!(%error, key = %key.id, "the use of a key is not noted");
    }
    let session = Session::begun(session_id(core), Who::Key(key.id.clone()), key.shop.clone(), now);
    Ok(Some((session, key)))
}

/// Half of what the generator gives: 128 bits.
fn session_id<S>(core: &Core<S>) -> [u8; 16] {
    let mut id = [0; 16];
    id.iter_mut().zip(core.entropy.bytes()).for_each(|(to, from)| *to = from);
    id
}
