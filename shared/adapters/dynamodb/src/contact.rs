//! When far ends were last in contact: items apart from the configuration, for functions that may not write that.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use stagepost_app::contact::ContactStore;
use stagepost_app::ports::StoreError;
use stagepost_domain::contact::{Contact, FarEnd, Way};
use stagepost_domain::id::ShopId;
use stagepost_domain::run::later;
use stagepost_domain::{SignedDuration, Timestamp};

use crate::expression::Expression;
use crate::keys::{Key, seen_pk};
use crate::row::{Row, key_of, text, text_of};
use crate::store::{Bounds, DynamoStore, Span, WriteError};
use crate::table::TTL;

/// Far ends of a shop that are listed: all that it may have, and those that it had lately.
const LISTED_MAX: usize = 1_000;
/// How long it is known of one that is gone.
const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

fn attribute(way: Way) -> &'static str {
    match way {
        Way::Inbound => "i",
        Way::Outbound => "o",
    }
}

pub(crate) fn contact_of(row: &Row) -> Contact {
    let at = |way| text_of(row, attribute(way)).and_then(|text| text.parse().ok());
    Contact { inbound: at(Way::Inbound), outbound: at(Way::Outbound) }
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
        let until = AttributeValue::N(later(at, KEPT).as_second().to_string());
        let at = Timestamp::from_second(at.as_second()).unwrap_or(at).to_string();
        let note = Expression::update("SET #at = :at, #t = :t", "attribute_not_exists(#at) OR #at < :at");
        let note = note.name("at", attribute(way)).value("at", text(at)).name("t", TTL).value("t", until);
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
            all.insert(far, contact_of(&row));
        }
        Ok(all)
    }
}
