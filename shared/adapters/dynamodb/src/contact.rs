//! When far ends were last in contact: items apart from the configuration, for functions that may not write that.

use std::collections::BTreeMap;

use stagepost_app::contact::ContactStore;
use stagepost_app::ports::StoreError;
use stagepost_domain::Timestamp;
use stagepost_domain::contact::{Contact, FarEnd, Way};
use stagepost_domain::id::ShopId;

use crate::expression::Expression;
use crate::keys::{Key, seen_pk};
use crate::row::{key_of, text, text_of};
use crate::store::{Bounds, DynamoStore, Span, WriteError};

/// Far ends of a shop that are listed.
const LISTED_MAX: usize = 200;

fn attribute(way: Way) -> &'static str {
    match way {
        Way::Inbound => "i",
        Way::Outbound => "o",
    }
}

impl ContactStore for DynamoStore {
    async fn note_contact(
        &self,
        shop: &ShopId,
        far: &FarEnd,
        way: Way,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        // Whole seconds compare as texts do.
        let at = Timestamp::from_second(at.as_second()).unwrap_or(at).to_string();
        let note = Expression::update("SET #at = :at", "attribute_not_exists(#at) OR #at < :at");
        let note = note.name("at", attribute(way)).value("at", text(at));
        match self.update(&Key::new(seen_pk(shop), far.to_string()), &note).await {
            Ok(_) | Err(WriteError::Condition(_)) => Ok(()),
            Err(error) => Err(error.plain()),
        }
    }

    async fn contacts(&self, shop: &ShopId) -> Result<BTreeMap<FarEnd, Contact>, StoreError> {
        let span = Span { index: None, pk: seen_pk(shop), sk: Bounds::All, newest_first: false, start: None };
        let rows = self.query(&span, LISTED_MAX).await?;
        let mut all = BTreeMap::new();
        for row in rows {
            let Some(far) = FarEnd::parse(&key_of(&row).sk) else { continue };
            let at = |way| text_of(&row, attribute(way)).and_then(|text| text.parse().ok());
            all.insert(far, Contact { inbound: at(Way::Inbound), outbound: at(Way::Outbound) });
        }
        Ok(all)
    }
}
