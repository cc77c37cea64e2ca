//! What people and their sessions need of the store.

use std::future::Future;

use stagepost_domain::Timestamp;
use stagepost_domain::id::{MemberId, PersonId, ShopId};
use stagepost_domain::link::Link;
use stagepost_domain::member::Member;
use stagepost_domain::session::Who;
use stagepost_domain::shop::{ApiKey, Settings};

use crate::ports::{CommitError, StoreError};

/// Who somebody is in a shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A member.
    Member(Box<Member>),
    /// Whoever has an API key.
    Key(Box<ApiKey>),
}

/// Members of shops. They are written as configuration is:
/// [`ConfigStore::save`](crate::ports::ConfigStore::save).
pub trait PeopleStore: Send + Sync {
    /// A member, strongly consistent.
    fn member(
        &self,
        shop: &ShopId,
        id: &MemberId,
    ) -> impl Future<Output = Result<Option<Member>, StoreError>> + Send;
    /// All members of a shop.
    fn members(&self, shop: &ShopId) -> impl Future<Output = Result<Vec<Member>, StoreError>> + Send;
    /// All memberships of a person, over all shops, strongly consistent.
    fn memberships(&self, person: &PersonId) -> impl Future<Output = Result<Vec<Member>, StoreError>> + Send;
    /// A shop and somebody of it in one round trip, each strongly consistent; `None` if one is gone.
    fn identity(
        &self,
        shop: &ShopId,
        who: &Who,
    ) -> impl Future<Output = Result<Option<(Settings, Identity)>, StoreError>> + Send;
    /// Notes when a member signed in. One who was removed meanwhile stays so. No change of configuration.
    fn note_sign_in(
        &self,
        member: &Member,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Links that sign somebody in.
pub trait LinkStore: Send + Sync {
    /// Keeps a new link, until some days after its end, so that somebody who comes late is told why it does not
    /// work. The same write again is a success.
    fn create_link(&self, link: &Link) -> impl Future<Output = Result<(), CommitError>> + Send;
    /// The link of a token with this hash, strongly consistent.
    fn link(&self, hash: &str) -> impl Future<Output = Result<Option<Link>, StoreError>> + Send;
    /// Writes down the use of a link that was not used; a lost race if it was, by another try.
    fn use_link(&self, link: &Link) -> impl Future<Output = Result<(), CommitError>> + Send;
}
