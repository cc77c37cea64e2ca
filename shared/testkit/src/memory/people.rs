//! People in memory.

use stagepost_app::mail::ports::AskedMail;
use stagepost_app::people::ports::{Identity, LinkStore, PeopleStore};
use stagepost_app::ports::{CommitError, StoreError};
use stagepost_domain::Timestamp;
use stagepost_domain::id::{MemberId, PersonId, ShopId};
use stagepost_domain::link::Link;
use stagepost_domain::member::Member;
use stagepost_domain::session::Who;
use stagepost_domain::shop::Settings;

use super::MemoryStore;

impl PeopleStore for MemoryStore {
    async fn member(&self, shop: &ShopId, id: &MemberId) -> Result<Option<Member>, StoreError> {
        Ok(self.lock().members.get(&(shop.clone(), id.clone())).cloned())
    }

    async fn members(&self, shop: &ShopId) -> Result<Vec<Member>, StoreError> {
        Ok(self.lock().members.values().filter(|member| &member.shop == shop).cloned().collect())
    }

    async fn memberships(&self, person: &PersonId) -> Result<Vec<Member>, StoreError> {
        Ok(self.lock().members.values().filter(|member| &member.person == person).cloned().collect())
    }

    async fn identity(&self, shop: &ShopId, who: &Who) -> Result<Option<(Settings, Identity)>, StoreError> {
        let state = self.lock();
        let identity = match who {
            Who::Member(id) => {
                let member = state.members.get(&(shop.clone(), id.clone())).cloned();
                member.map(|member| Identity::Member(Box::new(member)))
            }
            Who::Key(id) => {
                let key = state.keys.values().find(|key| key.shop == *shop && key.id == *id).cloned();
                key.map(|key| Identity::Key(Box::new(key)))
            }
        };
        Ok(state.settings.get(shop).cloned().zip(identity))
    }

    async fn note_sign_in(&self, member: &Member, at: Timestamp) -> Result<(), StoreError> {
        self.write_plain(|state| {
            if let Some(there) = state.members.get_mut(&(member.shop.clone(), member.id.clone())) {
                there.signed_in_at = Some(at);
            }
        })
    }
}

impl LinkStore for MemoryStore {
    async fn create_link(&self, link: &Link) -> Result<(), CommitError> {
        self.write(|state| match state.links.get(&link.hash) {
            Some(there) if there != link => Err(CommitError::LostRace),
            _ => {
                state.links.insert(link.hash.clone(), link.clone());
                Ok(())
            }
        })
    }

    async fn link(&self, hash: &str) -> Result<Option<Link>, StoreError> {
        Ok(self.lock().links.get(hash).cloned())
    }

    async fn use_link(&self, link: &Link) -> Result<(), CommitError> {
        self.write(|state| match state.links.get_mut(&link.hash) {
            Some(there) if there.used.is_none() || there == link => {
                *there = link.clone();
                Ok(())
            }
            _ => Err(CommitError::LostRace),
        })
    }
}

impl MemoryStore {
    /// Every mail that was asked for, in the order in which they were.
    #[must_use]
    pub fn asked_mails(&self) -> Vec<AskedMail> {
        let mut mails: Vec<AskedMail> = self.lock().asked_mails.values().cloned().collect();
        mails.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        mails
    }

    /// Every member and every link.
    #[must_use]
    pub fn members_and_links(&self) -> (Vec<Member>, Vec<Link>) {
        let state = self.lock();
        (state.members.values().cloned().collect(), state.links.values().cloned().collect())
    }
}
