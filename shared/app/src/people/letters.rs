//! The mails that bring links: to whom, from which shop, with a link that is made as the mail leaves.

use std::collections::BTreeMap;

use stagepost_domain::id::{MailId, MemberId, PersonId, ShopId};
use stagepost_domain::link::{LinkKind, LinkMail};
use stagepost_domain::member::Member;
use stagepost_domain::shop::Settings;
use url::Url;

use super::links::{link_url, make};
use super::ports::{LinkStore, PeopleStore};
use crate::Core;
use crate::mail::asked::AskedError;
use crate::mail::letter_of;
use crate::ports::{ConfigStore, Mail, SecretKind, Secrets, StoreError};

/// A mail that lacks nothing but its link.
pub(crate) struct Letter {
    kind: LinkKind,
    member: Member,
    settings: Settings,
    to: String,
    mail: MailId,
}

/// The letter of whoever has an address, if they work with a shop. It goes where the member's own address is, not
/// to what was typed; of several shops it is the one that they came to last.
pub(crate) async fn for_person<S: PeopleStore + ConfigStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    mail: &MailId,
    person: &PersonId,
) -> Result<Option<Letter>, AskedError> {
    let members = core.store.memberships(person).await?;
    match members.into_iter().max_by_key(|member| member.signed_in_at) {
        Some(member) => letter(core, secrets, mail, member, LinkKind::SignIn).await,
        None => Ok(None),
    }
}

/// The letter of somebody who is invited, if they still are; to sign in by, if they have come before.
pub(crate) async fn for_member<S: PeopleStore + ConfigStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    mail: &MailId,
    shop: &ShopId,
    id: &MemberId,
) -> Result<Option<Letter>, AskedError> {
    match core.store.member(shop, id).await? {
        Some(member) => {
            let came = member.signed_in_at.is_some();
            let kind = if came { LinkKind::SignIn } else { LinkKind::Invitation };
            letter(core, secrets, mail, member, kind).await
        }
        None => Ok(None),
    }
}

async fn letter<S: ConfigStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    mail: &MailId,
    member: Member,
    kind: LinkKind,
) -> Result<Option<Letter>, AskedError> {
    let Some(settings) = core.store.settings(&member.shop).await? else { return Ok(None) };
    let to = secrets.open((&member.shop).into(), SecretKind::MemberAddress, &member.email).await?;
    Ok(Some(Letter { kind, member, settings, to, mail: mail.clone() }))
}

/// The letter with a link that is made now.
pub(crate) async fn written<S: LinkStore>(
    core: &Core<S>,
    public_url: &Url,
    letter: Letter,
) -> Result<Mail, StoreError> {
    let Letter { kind, member, settings, to, mail } = letter;
    let token = make(core, &member, kind).await?;
    let url = link_url(public_url, &token);
    let words = LinkMail { kind, shop: &settings.name, name: &member.name, url: &url };
    // No run's tags: nothing that is heard of it belongs to an order.
    let tags = BTreeMap::from([("asked".to_owned(), mail.to_string())]);
    Ok(letter_of(&settings, to, words.render(), tags))
}
