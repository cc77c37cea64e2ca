//! An order as somebody writes it, over the API or in the console, where no platform tells of it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{FulfillmentSeen, OrderFact, Origin};
use crate::event::Actor;
use crate::id::FlowId;
use crate::order::{FIELD_MAX, Lifecycle, Platform, Snapshot, Source};
use crate::package::PackageSeen;
use crate::text::{Invalid, email_address, required_name, tidy};

/// Longest own id of an order.
pub const EXTERNAL_ID_MAX: usize = 100;

/// What they write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenOrder {
    /// Their own id of the order: the same again is the same order, which a hand does not write over.
    pub external_id: String,
    /// As the shop prints it; the external id unless said.
    pub number: Option<String>,
    /// People, lines, money.
    pub snapshot: Snapshot,
    /// Its parcels; not said, they stay as they are.
    pub packages: Option<Vec<PackageSeen>>,
    /// The flow for an order that is new.
    pub flow: Option<FlowId>,
    /// Who wrote it by hand; nobody where a program did.
    pub by: Option<Actor>,
}

impl WrittenOrder {
    /// The source of an order with this id of its writer's own.
    #[must_use]
    pub fn source(external_id: String) -> Source {
        Source { platform: Platform::Api, store: "api".into(), external_id, channel: None }
    }

    /// As a fact, told now.
    ///
    /// # Errors
    /// What is wrong, all at once.
    pub fn fact(self, now: Timestamp) -> Result<OrderFact, Vec<Invalid>> {
        let external_id = required_name("external_id", &self.external_id, EXTERNAL_ID_MAX);
        let email = self.snapshot.customer.email.as_deref();
        let email = email.and_then(|email| email_address("customer.email", email).err());
        let external_id = match (external_id, email) {
            (Ok(id), None) => id,
            (id, email) => return Err(email.into_iter().chain(id.err()).collect()),
        };
        let number = self.number.as_deref().and_then(|number| tidy(number, FIELD_MAX));
        Ok(OrderFact {
            // Not our clock's word: of two calls the one that is decided last is the newer.
            updated_at: None,
            created_at: now,
            number: number.unwrap_or_else(|| external_id.clone()),
            lifecycle: Lifecycle::Open,
            snapshot: self.snapshot,
            untold: BTreeSet::new(),
            fulfillment: FulfillmentSeen { packages: self.packages, ..FulfillmentSeen::default() },
            draft: false,
            origin: Origin::Live,
            armed_at: None,
            default_flow: self.flow,
            by: self.by,
            source: Self::source(external_id),
        })
    }
}
