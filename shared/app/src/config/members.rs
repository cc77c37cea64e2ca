//! Members: invited by a mail, changed and taken away by those who may.

use futures_util::future::try_join_all;
use serde::Deserialize;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::event::Actor;
use stagepost_domain::id::{InvalidId, MailId, MemberId, PersonId, ShopId};
use stagepost_domain::link::LINKS_PER_HOUR;
use stagepost_domain::member::{Member, People, Refusal, may_give};
use stagepost_domain::search::SearchKey;
use stagepost_domain::shop::{Role, Settings};
use stagepost_domain::text::{Invalid, email_address, required_name};

use super::{ConfigError, as_expected, edited, is_written, refuse_above, saved};
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::mail::asked::{AskedError, post, too_many};
use crate::mail::ports::{Asked, AskedMail, AskedMailStore, Hourly};
use crate::people::ports::PeopleStore;
use crate::ports::{ConfigChange, ConfigStore, SecretError, SecretKind, Secrets, StoreError};

/// Most invitations that a shop mails in an hour: whoever has an admin's key must not be able to mail any number of
/// strangers in the shop's name.
pub const INVITATIONS_PER_HOUR: u64 = 30;

/// What members need of the store.
pub trait MemberStores: ConfigStore + PeopleStore {}

impl<T: ConfigStore + PeopleStore> MemberStores for T {}

/// A member as somebody invites them.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MemberInput {
    /// Where the invitation goes, and later the links to sign in by.
    #[cfg_attr(feature = "schema", schemars(length(min = 3, max = 254), extend("format" = "email")))]
    pub email: String,
    /// As people see them.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 80)))]
    pub name: String,
    /// What they may do; at most what the caller may.
    pub role: Role,
}

/// What may be changed of a member.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MemberPatch {
    /// As people see them.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 80)))]
    pub name: Option<String>,
    /// What they may do; neither this nor what they may now is above what the caller may.
    pub role: Option<Role>,
}

/// A member with the address that is sealed in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberShown {
    /// The member.
    pub member: Member,
    /// The address; `None` if the key that sealed it is gone for good.
    pub email: Option<String>,
}

impl MemberShown {
    /// Opens a member's address.
    ///
    /// # Errors
    /// What opens it is away.
    pub async fn of<K: Secrets>(secrets: &K, member: Member) -> Result<Self, SecretError> {
        let opened = secrets.open((&member.shop).into(), SecretKind::MemberAddress, &member.email).await;
        let email = match opened {
            Ok(address) => Some(address),
            Err(error) if error.disposition == Disposition::Permanent => None,
            Err(error) => return Err(error),
        };
        Ok(Self { member, email })
    }
}

/// All members of a shop with their addresses, those who have been there longest first.
///
/// # Errors
/// The store failed, or what opens addresses is away.
pub async fn members<S: PeopleStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    shop: &ShopId,
) -> Result<Vec<MemberShown>, ConfigError> {
    let members = members_unopened(core, shop).await?;
    Ok(try_join_all(members.into_iter().map(|member| MemberShown::of(secrets, member))).await?)
}

/// All members of a shop, those who have been there longest first; nobody's address is opened.
///
/// # Errors
/// The store failed.
pub async fn members_unopened<S: PeopleStore>(
    core: &Core<S>,
    shop: &ShopId,
) -> Result<Vec<Member>, StoreError> {
    let mut members = core.store.members(shop).await?;
    members.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    Ok(members)
}

/// Something was not done about a member.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// As with all configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Enough for this hour.
    #[error(
        "a shop mails at most {INVITATIONS_PER_HOUR} invitations an hour, and an address gets at most \
         {LINKS_PER_HOUR} links"
    )]
    TooMany,
}

impl From<Invalid> for MemberError {
    fn from(error: Invalid) -> Self {
        Self::Config(error.into())
    }
}

impl From<StoreError> for MemberError {
    fn from(error: StoreError) -> Self {
        Self::Config(error.into())
    }
}

impl From<InvalidId> for MemberError {
    fn from(error: InvalidId) -> Self {
        Self::Config(error.into())
    }
}

impl From<AskedError> for MemberError {
    fn from(error: AskedError) -> Self {
        match error {
            AskedError::Store(error) => error.into(),
            AskedError::Secret(error) => Self::Config(error.into()),
            AskedError::Id(error) => error.into(),
        }
    }
}

/// Invites somebody for a caller of the role `by`: makes the member, and in the same write has the invitation mailed.
///
/// # Errors
/// A field is not valid, the role is above the caller's, the address is a member's already, the shop has too many
/// members or invited too many, or the store failed.
pub async fn invite<S: MemberStores + AskedMailStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    key: &SearchKey,
    shop: &ShopId,
    (by, actor): (Role, Actor),
    input: &MemberInput,
) -> Result<Member, MemberError> {
    may_give(by, input.role).map_err(ConfigError::from)?;
    let member = new_member(core, secrets, key, shop, Some(actor), input).await?;
    let asked = Asked::Invitation { shop: shop.clone(), member: member.id.clone() };
    let mail = AskedMail::new(MailId::from_body(&core.entropy.id_body())?, asked, core.now());
    let members = core.store.members(shop).await?;
    // Made by an earlier try of the same call.
    if let Some(there) = members.iter().find(|there| there.id == member.id) {
        return Ok(there.clone());
    }
    refuse_known(&members, &member)?;
    refuse_flood(core, shop, &member.person).await?;
    keep_new(core, member, |change| ConfigChange::WithMail(Box::new(change), Box::new(mail.clone()))).await
}

/// Makes an owner without a mail, for an operator of the deployment; gives the one who is there, if the address is a
/// member's already.
///
/// # Errors
/// The address or name is not valid, the shop has too many members, or the store failed.
pub async fn create_owner<S: MemberStores, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    key: &SearchKey,
    shop: &ShopId,
    (email, name): (&str, &str),
) -> Result<Member, MemberError> {
    let person = key.person(&email_address("email", email)?)?;
    let members = core.store.members(shop).await?;
    if let Some(there) = members.into_iter().find(|member| member.person == person) {
        return Ok(there);
    }
    let input = MemberInput { email: email.to_owned(), name: name.to_owned(), role: Role::Owner };
    let member = new_member(core, secrets, key, shop, None, &input).await?;
    keep_new(core, member, |change| change).await
}

async fn new_member<S, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    key: &SearchKey,
    shop: &ShopId,
    invited_by: Option<Actor>,
    input: &MemberInput,
) -> Result<Member, MemberError> {
    let address = email_address("email", &input.email)?;
    let name = required_name("name", &input.name, 80)?;
    let sealed = secrets.seal(shop.into(), SecretKind::MemberAddress, &address).await;
    let now = core.now();
    Ok(Member {
        id: MemberId::from_body(&core.entropy.id_body())?,
        shop: shop.clone(),
        person: key.person(&address)?,
        email: sealed.map_err(ConfigError::from)?,
        name,
        role: input.role,
        created_at: now,
        invited_by,
        signed_in_at: None,
        sessions_from: now,
        version: 1,
    })
}

async fn keep_new<S: MemberStores>(
    core: &Core<S>,
    member: Member,
    with: impl Fn(ConfigChange) -> ConfigChange,
) -> Result<Member, MemberError> {
    for _ in 0..TRIES_MAX {
        let settings = edited(core, &member.shop).await?;
        let members = core.store.members(&member.shop).await?;
        // Made by an earlier try of the same call.
        if let Some(there) = members.iter().find(|there| there.id == member.id) {
            return Ok(there.clone());
        }
        refuse_known(&members, &member)?;
        if saved(core, with(ConfigChange::Member(member.clone())), &settings).await? {
            return Ok(member);
        }
    }
    Err(ConfigError::Busy.into())
}

fn refuse_known(members: &[Member], new: &Member) -> Result<(), MemberError> {
    if members.iter().any(|there| there.person == new.person) {
        return Err(Invalid::new("email", "is a member's already").into());
    }
    Ok(refuse_above("members", members.len())?)
}

/// Counts an invitation. One that the shop may not mail any more takes nothing from the person's own links.
async fn refuse_flood<S: AskedMailStore>(
    core: &Core<S>,
    shop: &ShopId,
    person: &PersonId,
) -> Result<(), MemberError> {
    let flood = too_many(core, Hourly::Invitations(shop), INVITATIONS_PER_HOUR).await?
        || too_many(core, Hourly::Links(person), LINKS_PER_HOUR).await?;
    if flood { Err(MemberError::TooMany) } else { Ok(()) }
}

/// Has a member's invitation mailed again, for a caller of the role `by`. Links that were mailed before still work.
///
/// # Errors
/// There is no such member, their role is above the caller's, the shop or the address had too many, or the store
/// failed.
pub async fn invite_again<S: MemberStores + AskedMailStore>(
    core: &Core<S>,
    shop: &ShopId,
    by: Role,
    id: &MemberId,
) -> Result<Member, MemberError> {
    let member = core.store.member(shop, id).await?.ok_or(ConfigError::NotFound)?;
    may_give(by, member.role).map_err(ConfigError::from)?;
    refuse_flood(core, shop, &member.person).await?;
    post(core, Asked::Invitation { shop: shop.clone(), member: id.clone() }).await?;
    Ok(member)
}

/// Changes a member for a caller of the role `by`, if it still has the version `expected`. It counts from the
/// member's next request on.
///
/// # Errors
/// A field is not valid, there is no such member, a role is above the caller's, nobody would be left to run the
/// shop, or the store failed.
pub async fn update_member<S: MemberStores>(
    core: &Core<S>,
    shop: &ShopId,
    by: Role,
    id: &MemberId,
    patch: &MemberPatch,
    expected: Option<u64>,
) -> Result<Member, ConfigError> {
    let name = patch.name.as_ref().map(|name| required_name("name", name, 80)).transpose()?;
    let edit = |member: &Member| {
        let (name, role) = (name.as_ref().unwrap_or(&member.name), patch.role.unwrap_or(member.role));
        Member { name: name.clone(), role, ..member.clone() }
    };
    edited_member(core, shop, id, expected, edit, |people, was, next| {
        people.may_change(by, was, Some(next.role))
    })
    .await
}

/// Ends all sessions and open links of a member, for a caller of the role `by` or for the member (`own`).
///
/// # Errors
/// There is no such member, their role is above the caller's, or the store failed.
pub async fn sign_out_member<S: MemberStores>(
    core: &Core<S>,
    shop: &ShopId,
    by: Role,
    id: &MemberId,
    own: bool,
) -> Result<Member, ConfigError> {
    let edit = |member: &Member| member.clone().signed_out(core.now());
    edited_member(core, shop, id, None, edit, |_, was, _| if own { Ok(()) } else { may_give(by, was.role) })
        .await
}

async fn edited_member<S: MemberStores>(
    core: &Core<S>,
    shop: &ShopId,
    id: &MemberId,
    expected: Option<u64>,
    edit: impl Fn(&Member) -> Member,
    check: impl Fn(People<'_>, &Member, &Member) -> Result<(), Refusal>,
) -> Result<Member, ConfigError> {
    let mut tried: Option<Member> = None;
    for _ in 0..TRIES_MAX {
        let (settings, members) = (edited(core, shop).await?, core.store.members(shop).await?);
        let keys = core.store.api_keys(shop).await?;
        let old = members.iter().find(|member| member.id == *id).ok_or(ConfigError::NotFound)?;
        if is_written(tried.as_ref(), old, |member| member.version, expected)? {
            return Ok(old.clone());
        }
        let next = Member { version: old.version.saturating_add(1), ..edit(old) };
        check(People { members: &members, keys: &keys }, old, &next)?;
        if saved(core, ConfigChange::Member(next.clone()), &settings).await? {
            return Ok(next);
        }
        tried = Some(next);
    }
    Err(ConfigError::Busy)
}

/// Takes a member away for a caller of the role `by`, if it still has the version `expected`. Their sessions end
/// with their next request; causes keep naming them.
///
/// # Errors
/// There is no such member, their role is above the caller's, nobody would be left to run the shop, or the store
/// failed.
pub async fn remove_member<S: MemberStores>(
    core: &Core<S>,
    shop: &ShopId,
    by: Role,
    id: &MemberId,
    expected: Option<u64>,
) -> Result<(), ConfigError> {
    let mut tried = false;
    for _ in 0..TRIES_MAX {
        let (settings, members): (Settings, _) = (edited(core, shop).await?, core.store.members(shop).await?);
        let keys = core.store.api_keys(shop).await?;
        let Some(member) = members.iter().find(|member| member.id == *id) else {
            // Gone by our own write, whose answer was lost; or by somebody else's, which is as good.
            return if tried { Ok(()) } else { Err(ConfigError::NotFound) };
        };
        as_expected(member.version, expected)?;
        People { members: &members, keys: &keys }.may_change(by, member, None)?;
        if saved(core, ConfigChange::NoMember(member.clone()), &settings).await? {
            return Ok(());
        }
        tried = true;
    }
    Err(ConfigError::Busy)
}
