//! Notes of when stores and carrier services were last in contact.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use stagepost_domain::Timestamp;
use stagepost_domain::contact::{Contact, FarEnd, NOTED, Way};
use stagepost_domain::id::{ChannelId, ShopId};
use stagepost_domain::run::later;

use crate::Core;
use crate::ports::{ConfigStore, StoreError};

/// Far ends of which one function remembers that it has noted them: the store is asked again after that many.
const REMEMBERED_MAX: usize = 10_000;

/// When far ends were last in contact.
pub trait ContactStore: Send + Sync {
    /// Notes a contact, unless a later one is noted.
    fn note_contact(
        &self,
        shop: &ShopId,
        far: &FarEnd,
        way: Way,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
    /// All of a shop's that were ever in contact.
    fn contacts(
        &self,
        shop: &ShopId,
    ) -> impl Future<Output = Result<BTreeMap<FarEnd, Contact>, StoreError>> + Send;
}

/// What one function has noted: each far end costs it a write in five minutes, however much it says.
#[derive(Debug, Default)]
pub struct Contacts {
    noted: Mutex<BTreeMap<(FarEnd, Way), Timestamp>>,
}

impl Contacts {
    /// Notes a contact at `at`. Nothing fails for it.
    pub async fn note<S: ContactStore>(
        &self,
        core: &Core<S>,
        shop: &ShopId,
        far: FarEnd,
        way: Way,
        at: Timestamp,
    ) {
        if !self.is_news(&far, way, at) {
            return;
        }
        if let Err(error) = core.store.note_contact(shop, &far, way, at).await {
            tracing::warn!(%far, ?way, %error, "a contact is not noted");
        }
    }

    /// Notes that a channel took something at `at`. Whose it is is read only where that is news.
    pub async fn took<S: ConfigStore + ContactStore>(
        &self,
        core: &Core<S>,
        channel: &ChannelId,
        at: Timestamp,
    ) {
        let far = FarEnd::Channel(channel.clone());
        if !self.is_news(&far, Way::Outbound, at) {
            return;
        }
        let noted = async {
            let Some(channel) = core.store.channel(channel).await? else { return Ok(()) };
            core.store.note_contact(&channel.shop, &far, Way::Outbound, at).await
        };
        if let Err(error) = noted.await {
            tracing::warn!(%far, %error, "a contact is not noted");
        }
    }

    /// Whether nothing was noted for so long; if so, it is from now on.
    fn is_news(&self, far: &FarEnd, way: Way, at: Timestamp) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (far.clone(), way);
        if noted.get(&key).is_some_and(|last| at < later(*last, NOTED)) {
            return false;
        }
        if noted.len() >= REMEMBERED_MAX {
            noted.clear();
        }
        noted.insert(key, at);
        true
    }
}
