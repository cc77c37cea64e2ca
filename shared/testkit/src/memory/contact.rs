//! When far ends were last in contact, in memory.

use std::collections::BTreeMap;

use stagepost_app::contact::ContactStore;
use stagepost_app::ports::StoreError;
use stagepost_domain::Timestamp;
use stagepost_domain::contact::{Contact, FarEnd, Way};
use stagepost_domain::id::ShopId;

use super::MemoryStore;

impl ContactStore for MemoryStore {
    async fn note_contact(
        &self,
        shop: &ShopId,
        far: &FarEnd,
        way: Way,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write_plain(|state| {
            let contact = state.contacts.entry((shop.clone(), far.clone())).or_default();
            let last = match way {
                Way::Inbound => &mut contact.inbound,
                Way::Outbound => &mut contact.outbound,
            };
            *last = (*last).max(Timestamp::from_second(at.as_second()).ok());
        })
    }

    async fn contacts(&self, shop: &ShopId) -> Result<BTreeMap<FarEnd, Contact>, StoreError> {
        let state = self.lock();
        let ours = state.contacts.iter().filter(|((of, _), _)| of == shop);
        Ok(ours.map(|((_, far), contact)| (far.clone(), *contact)).collect())
    }
}
