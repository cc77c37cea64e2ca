//! People: members beside a shop's configuration, found by person over all shops, and the links that let them in.

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};
use stagepost_app::people::ports::{Identity, LinkStore, PeopleStore};
use stagepost_app::ports::{CommitError, StoreError};
use stagepost_domain::id::{MemberId, PersonId, ShopId};
use stagepost_domain::link::Link;
use stagepost_domain::member::Member;
use stagepost_domain::run::later;
use stagepost_domain::session::Who;
use stagepost_domain::shop::Settings;
use stagepost_domain::{SignedDuration, Timestamp};

use crate::commit::Step;
use crate::config::{of_shop, put};
use crate::expression::{Expression, absent};
use crate::keys::{self, Key, MEMBERSHIPS, SETTINGS, shop_pk};
use crate::row::{Row, document, key_of, read_document, text};
use crate::store::{DynamoStore, Span, WriteError};
use crate::table::TTL;

const MEMBER: &str = "MEMBER";
const KEY: &str = "KEY";
/// How long after its end a link is kept, so that somebody who comes late is told why it does not work.
const TOLD_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Memberships of one person that are looked at.
const SHOPS_MAX: usize = 100;

/// Where a person is found in a shop. The member stands there once; here is only the way.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Membership {
    shop: ShopId,
    member: MemberId,
}

impl PeopleStore for DynamoStore {
    async fn member(&self, shop: &ShopId, id: &MemberId) -> Result<Option<Member>, StoreError> {
        self.find(&place(shop, id)).await
    }

    async fn members(&self, shop: &ShopId) -> Result<Vec<Member>, StoreError> {
        self.list(shop, MEMBER).await
    }

    async fn memberships(&self, person: &PersonId) -> Result<Vec<Member>, StoreError> {
        let span = Span::prefix(keys::person_pk(person), MEMBERSHIPS);
        let found = self.query(&span, SHOPS_MAX).await?;
        let places = found.into_iter().map(|row| {
            let Membership { shop, member } = read_document(row)?;
            Ok(place(&shop, &member))
        });
        let places: Vec<Key> = places.collect::<Result<_, StoreError>>()?;
        let mut members: Vec<Member> =
            self.get_all(&places).await?.into_iter().map(read_document).collect::<Result<_, _>>()?;
        members.sort_by(|a, b| a.shop.cmp(&b.shop));
        Ok(members)
    }

    async fn identity(&self, shop: &ShopId, who: &Who) -> Result<Option<(Settings, Identity)>, StoreError> {
        let somebody = match who {
            Who::Member(id) => place(shop, id),
            Who::Key(id) => of_shop(shop, KEY, id.as_str()),
        };
        let (mut settings, mut identity): (Option<Row>, Option<Row>) = (None, None);
        for row in self.get_all(&[Key::new(shop_pk(shop), SETTINGS), somebody]).await? {
            let place = if key_of(&row).sk == SETTINGS { &mut settings } else { &mut identity };
            *place = Some(row);
        }
        let Some((settings, identity)) = settings.zip(identity) else { return Ok(None) };
        let identity = match who {
            Who::Member(_) => Identity::Member(Box::new(read_document(identity)?)),
            Who::Key(_) => Identity::Key(Box::new(read_document(identity)?)),
        };
        Ok(Some((read_document(settings)?, identity)))
    }

    async fn note_sign_in(&self, member: &Member, at: Timestamp) -> Result<(), StoreError> {
        let noted = Expression::update("SET #d.#at = :at", "attribute_exists(pk)");
        let noted = noted.name("d", "d").name("at", "signed_in_at").value("at", text(at.to_string()));
        match self.update(&place(&member.shop, &member.id), &noted).await {
            Ok(_) | Err(WriteError::Condition(_)) => Ok(()),
            Err(error) => Err(error.plain()),
        }
    }
}

impl LinkStore for DynamoStore {
    async fn create_link(&self, link: &Link) -> Result<(), CommitError> {
        self.put_link(link, absent()).await
    }

    async fn link(&self, hash: &str) -> Result<Option<Link>, StoreError> {
        self.find(&keys::link(hash)).await
    }

    async fn use_link(&self, link: &Link) -> Result<(), CommitError> {
        let unused = Expression::condition("attribute_exists(pk) AND attribute_not_exists(#d.#used)");
        self.put_link(link, unused.name("d", "d").name("used", "used")).await
    }
}

impl DynamoStore {
    async fn put_link(&self, link: &Link, condition: Expression) -> Result<(), CommitError> {
        let mut row = document(&keys::link(&link.hash), link)?;
        let until = later(link.until(), TOLD_AFTER).as_second();
        row.insert(TTL.to_owned(), AttributeValue::N(until.to_string()));
        match self.put(row, Some(condition)).await {
            Ok(()) => Ok(()),
            // Our own write, whose answer was lost.
            Err(WriteError::Condition(there)) => match there.map(read_document::<Link>).transpose()? {
                Some(there) if there == *link => Ok(()),
                _ => Err(CommitError::LostRace),
            },
            Err(WriteError::Other(error)) => Err(error),
        }
    }
}

fn place(shop: &ShopId, id: &MemberId) -> Key {
    of_shop(shop, MEMBER, id.as_str())
}

/// A member with the way to it, unless they have signed in since they were read. A shop has a person once: the way leads to this member or to nobody.
pub(crate) fn kept(member: &Member) -> Result<Vec<Step>, StoreError> {
    let way = Membership { shop: member.shop.clone(), member: member.id.clone() };
    let ours = Expression::condition("attribute_not_exists(pk) OR #d.#m = :m")
        .name("d", "d")
        .name("m", "member")
        .value("m", text(member.id.as_str()));
    let as_read = match member.signed_in_at {
        None => Expression::condition("attribute_not_exists(#d.#at)"),
        Some(at) => Expression::condition("#d.#at = :was").value("was", text(at.to_string())),
    };
    Ok(vec![
        put(
            &place(&member.shop, &member.id),
            member,
            Some(as_read.name("d", "d").name("at", "signed_in_at")),
        )?,
        put(&keys::membership(&member.person, &member.shop), &way, Some(ours))?,
    ])
}

pub(crate) fn gone(member: &Member) -> Vec<Step> {
    vec![
        Step::Delete(place(&member.shop, &member.id)),
        Step::Delete(keys::membership(&member.person, &member.shop)),
    ]
}
