//! Laws of what is noted of far ends.
#![expect(clippy::unwrap_used, reason = "a test library: an unexpected error ends the test")]

use stagepost_app::contact::ContactStore;
use stagepost_domain::contact::{Contact, FarEnd, Way};
use stagepost_domain::id::{CarrierId, ChannelId};

use crate::build::{other_shop, seconds, shop};

/// The latest of each way stays, whoever writes last; a shop sees its own.
pub async fn the_last_contact_of_each_way_is_kept<S: ContactStore>(store: &S) {
    let channel = FarEnd::Channel(ChannelId::from_body("a").unwrap());
    let carrier = FarEnd::Carrier(CarrierId::from_body("a").unwrap());
    assert!(store.contacts(&shop()).await.unwrap().is_empty());
    for (far, way, at) in [
        (&channel, Way::Inbound, 9),
        (&channel, Way::Inbound, 7),
        (&channel, Way::Outbound, 8),
        (&carrier, Way::Inbound, 5),
        (&carrier, Way::Inbound, 6),
    ] {
        store.note_contact(&shop(), far, way, seconds(at)).await.unwrap();
    }
    let contacts = store.contacts(&shop()).await.unwrap();
    let at = |inbound, outbound: Option<i64>| Contact {
        inbound: Some(seconds(inbound)),
        outbound: outbound.map(seconds),
    };
    assert_eq!(contacts.get(&channel), Some(&at(9, Some(8))));
    assert_eq!((contacts.get(&carrier), contacts.len()), (Some(&at(6, None)), 2));
    assert!(store.contacts(&other_shop()).await.unwrap().is_empty());
}
