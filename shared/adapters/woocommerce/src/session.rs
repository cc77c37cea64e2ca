//! One order of one store, over REST v3 (integrations §4).

use serde_json::Value;
use stagepost_app::ports::{ActError, ApiAnswer, ChannelAccess, PlatformHttp};
use stagepost_domain::SignedDuration;
use stagepost_domain::order::Source;

use crate::door::{Door, Way};
use crate::json::is_id;

/// Where an order's resources are, and the key to them.
pub(crate) struct Session<'a, H> {
    door: Door<'a, H>,
    order: &'a str,
}

/// A resource of the order.
#[derive(Clone, Copy)]
pub(crate) enum Resource {
    /// Itself.
    Order,
    /// What people and programs noted on it.
    Notes,
    /// WooCommerce's own fulfillments; off in most shops.
    Fulfillments,
    /// The Shipment Tracking extension's parcels; absent in most shops.
    ShipmentTrackings,
}

impl<'a, H: PlatformHttp> Session<'a, H> {
    /// Checks address, credentials and id before anything is sent. `way`: as found before.
    pub fn open(
        http: &'a H,
        access: &'a ChannelAccess,
        order: &'a Source,
        way: Way,
    ) -> Result<Self, ActError> {
        let door = Door::open(http, access, way)?;
        if !is_id(&order.external_id) {
            return Err(ActError::permanent("the order's id is no id of WooCommerce"));
        }
        Ok(Self { door, order: &order.external_id })
    }

    pub fn id(&self) -> &str {
        self.order
    }

    /// How the store is reached, as far as it has shown.
    pub fn way(&self) -> Way {
        self.door.way()
    }

    /// How long the calls took so far.
    pub fn spent(&self) -> SignedDuration {
        self.door.spent()
    }

    pub async fn get(&self, what: Resource) -> Result<ApiAnswer, ActError> {
        self.door.read(&self.route(what), &[]).await
    }

    pub async fn post(&self, what: Resource, body: &Value) -> Result<ApiAnswer, ActError> {
        self.door.write("POST", &self.route(what), body).await
    }

    /// Changes the order.
    pub async fn put(&self, body: &Value) -> Result<ApiAnswer, ActError> {
        self.door.write("PUT", &self.route(Resource::Order), body).await
    }

    fn route(&self, what: Resource) -> String {
        let id = self.order;
        match what {
            Resource::Order => format!("wc/v3/orders/{id}"),
            Resource::Notes => format!("wc/v3/orders/{id}/notes"),
            Resource::Fulfillments => format!("wc/v3/orders/{id}/fulfillments"),
            Resource::ShipmentTrackings => format!("wc-shipment-tracking/v3/orders/{id}/shipment-trackings"),
        }
    }
}
