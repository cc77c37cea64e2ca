//! A small Shopify store: orders, fulfillment orders, fulfillments, notifications, Admin GraphQL.

mod api;
mod orders;
mod payload;
mod select;
mod state;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use stagepost_app::ports::Clock;
use stagepost_domain::signing::base64_hmac;

use self::state::{Order, Shipment, State};
use crate::desk::{Desk, Platform};
use crate::notification::Notification;
use crate::server::Server;
use crate::spec::{LineSpec, OrderSpec, Tracking};
use crate::{ScriptError, json, lock};

/// The Admin API version that is served and that payloads have (integrations §2.1).
const API_VERSION: &str = "2026-07";

/// A Shopify store on loopback. Clones are the same store; the last one closes its port.
#[derive(Clone)]
pub struct ShopifyStore {
    inner: Arc<Inner>,
    server: Arc<Server>,
}

struct Inner {
    domain: String,
    token: String,
    secret: String,
    desk: Desk,
    state: Mutex<State>,
}

impl Platform for ShopifyStore {
    fn desk(&self) -> &Desk {
        &self.inner.desk
    }
}

impl ShopifyStore {
    /// Opens the store `domain` (`{name}.myshopify.com`). Calls need `token`; notifications are signed
    /// with `secret`.
    ///
    /// # Errors
    /// No loopback port is free.
    pub async fn start(domain: &str, token: &str, secret: &str, clock: Arc<dyn Clock>) -> io::Result<Self> {
        Self::start_on(0, domain, token, secret, clock).await
    }

    /// The same on this port; 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start_on(
        port: u16,
        domain: &str,
        token: &str,
        secret: &str,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let inner = Arc::new(Inner {
            domain: domain.to_owned(),
            token: token.to_owned(),
            secret: secret.to_owned(),
            desk: Desk::new(clock),
            state: Mutex::default(),
        });
        let server = Arc::new(Server::start_on(port, Arc::clone(&inner)).await?);
        Ok(Self { inner, server })
    }

    /// The base that `{base}/{store}/admin/api/{version}/graphql.json` is served under.
    #[must_use]
    pub fn base_url(&self) -> String {
        self.server.url()
    }

    /// The store's own identity, `{name}.myshopify.com`.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.inner.domain
    }

    /// A customer orders: `orders/create` and `orders/updated`. Gives the order's id.
    #[must_use]
    pub fn create_order(&self, spec: &OrderSpec) -> String {
        let at = self.inner.desk.tick();
        let mut state = lock(&self.inner.state);
        let id = state.create(spec, at);
        let mut action = self.inner.action(&mut state);
        action.order(id, &["orders/create", "orders/updated"]);
        id.to_string()
    }

    /// Somebody fulfills all that remains, in the admin: one fulfillment for each location, each with
    /// `fulfillments/create`, `orders/fulfilled` or `orders/partially_fulfilled`, and `orders/updated`.
    /// Gives the fulfillments' ids.
    ///
    /// # Errors
    /// No such order, or nothing remains.
    pub fn fulfill_by_hand(&self, order: &str, tracking: &Tracking) -> Result<Vec<String>, ScriptError> {
        self.fulfill(order, None, tracking)
    }

    /// The same for what remains at one location.
    ///
    /// # Errors
    /// No such order, or nothing remains there.
    pub fn fulfill_location(
        &self,
        order: &str,
        location: usize,
        tracking: &Tracking,
    ) -> Result<Vec<String>, ScriptError> {
        self.fulfill(order, Some(location), tracking)
    }

    fn fulfill(
        &self,
        order: &str,
        location: Option<usize>,
        tracking: &Tracking,
    ) -> Result<Vec<String>, ScriptError> {
        let at = self.inner.desk.tick();
        let mut state = lock(&self.inner.state);
        let groups = order_of(&mut state, order)?.open_by_location(location);
        if groups.is_empty() {
            return Err(ScriptError::Refused("nothing remains to fulfill".to_owned()));
        }
        let mut made = Vec::new();
        for group in groups {
            let takes: Vec<_> = group.into_iter().map(|id| (id, None)).collect();
            let shipment = state.ship(&takes, tracking, at).map_err(ScriptError::Refused)?;
            self.inner.announce_fulfillment(&mut state, shipment);
            made.push(shipment.fulfillment.to_string());
        }
        Ok(made)
    }

    /// Somebody cancels every fulfillment of the order: `fulfillments/update` and `orders/updated` for
    /// each. What they held can be fulfilled again, in new fulfillment orders.
    ///
    /// # Errors
    /// No such order, or nothing to cancel.
    pub fn cancel_fulfillment(&self, order: &str) -> Result<(), ScriptError> {
        let at = self.inner.desk.tick();
        let mut state = lock(&self.inner.state);
        let order = order_of(&mut state, order)?.id;
        let cancelled = state.cancel_fulfillments(order, at);
        if cancelled.is_empty() {
            return Err(ScriptError::Refused("nothing is fulfilled".to_owned()));
        }
        for fulfillment in cancelled {
            self.inner.announce_update(&mut state, Shipment { order, fulfillment });
        }
        Ok(())
    }

    /// Somebody cancels the order: `orders/cancelled` and `orders/updated`.
    ///
    /// # Errors
    /// No such order.
    pub fn cancel_order(&self, order: &str) -> Result<(), ScriptError> {
        self.change(order, &["orders/cancelled", "orders/updated"], |order, at| order.cancel(at))
    }

    /// Somebody edits the street of the shipping address: `orders/updated`.
    ///
    /// # Errors
    /// No such order.
    pub fn edit_address(&self, order: &str, street: &str) -> Result<(), ScriptError> {
        self.change(order, &["orders/updated"], |order, _| street.clone_into(&mut order.street))
    }

    /// Somebody adds a line, perhaps after everything was fulfilled: `orders/updated`.
    ///
    /// # Errors
    /// No such order.
    pub fn add_line(&self, order: &str, line: &LineSpec) -> Result<(), ScriptError> {
        let at = self.inner.desk.tick();
        let mut state = lock(&self.inner.state);
        let id = order_of(&mut state, order)?.id;
        state.add_line(id, line, at);
        self.inner.action(&mut state).order(id, &["orders/updated"]);
        Ok(())
    }

    /// A carrier that Shopify follows tells a status (`in_transit`, `delivered`, …) of every parcel:
    /// `fulfillments/update` and `orders/updated` for each fulfillment.
    ///
    /// # Errors
    /// No such order.
    pub fn set_shipment_status(&self, order: &str, status: &str) -> Result<(), ScriptError> {
        let at = self.inner.desk.tick();
        let mut state = lock(&self.inner.state);
        let found = order_of(&mut state, order)?;
        let (order, shipped) = (found.id, found.set_shipment_status(status, at));
        for fulfillment in shipped {
            self.inner.announce_update(&mut state, Shipment { order, fulfillment });
        }
        Ok(())
    }

    /// The same with the event that brought it, as `fulfillmentEventCreate` makes one:
    /// `fulfillment_events/create` before the others.
    ///
    /// # Errors
    /// No such order.
    pub fn shipment_event(&self, order: &str, status: &str, message: &str) -> Result<(), ScriptError> {
        let at = self.inner.desk.tick();
        let mut state = lock(&self.inner.state);
        let found = order_of(&mut state, order)?;
        let (order, shipped) = (found.id, found.set_shipment_status(status, at));
        for fulfillment in shipped {
            let shipment = Shipment { order, fulfillment };
            let body = payload::fulfillment_event(shipment, status, message, at);
            let notification = self.inner.action(&mut state).build("fulfillment_events/create", &body);
            self.inner.desk.outbox.send(notification);
            self.inner.announce_update(&mut state, shipment);
        }
        Ok(())
    }

    /// Puts what remains on Shopify's own hold, or releases it. Sends nothing of the topics we follow.
    ///
    /// # Errors
    /// No such order.
    pub fn set_platform_hold(&self, order: &str, on: bool) -> Result<(), ScriptError> {
        self.change(order, &[], |order, _| order.hold(on))
    }

    fn change(
        &self,
        order: &str,
        topics: &[&str],
        edit: impl FnOnce(&mut Order, jiff::Timestamp),
    ) -> Result<(), ScriptError> {
        let at = self.inner.desk.tick();
        let mut state = lock(&self.inner.state);
        let found = order_of(&mut state, order)?;
        found.updated_at = at;
        edit(found, at);
        let id = found.id;
        self.inner.action(&mut state).order(id, topics);
        Ok(())
    }

    /// A notification of the order as it is now; sends nothing. Each is a delivery of its own, so this is
    /// how to play a second subscription.
    ///
    /// # Errors
    /// No such order.
    pub fn notification(&self, order: &str, topic: &str) -> Result<Notification, ScriptError> {
        let mut state = lock(&self.inner.state);
        let body = payload::order(order_of(&mut state, order)?, &self.inner.domain);
        Ok(self.inner.action(&mut state).build(topic, &body))
    }

    /// How many `fulfillmentCreate` came in, whatever became of them.
    #[must_use]
    pub fn fulfillment_calls(&self) -> usize {
        self.log().iter().filter(|c| c.what == api::FULFILLMENT_CREATE).count()
    }

    /// Ids of the order's fulfillments that are not cancelled.
    #[must_use]
    pub fn fulfillments(&self, order: &str) -> Vec<String> {
        let mut state = lock(&self.inner.state);
        let Ok(order) = order_of(&mut state, order) else { return Vec::new() };
        order.fulfillments.iter().filter(|f| f.active).map(|f| f.id.to_string()).collect()
    }

    /// Tracking numbers of the order's fulfillments that are not cancelled.
    #[must_use]
    pub fn tracking_numbers(&self, order: &str) -> Vec<String> {
        let mut state = lock(&self.inner.state);
        let Ok(order) = order_of(&mut state, order) else { return Vec::new() };
        order.fulfillments.iter().filter(|f| f.active).flat_map(|f| f.tracking.numbers.clone()).collect()
    }

    /// How many mails Shopify itself sent to customers.
    #[must_use]
    pub fn mails(&self) -> usize {
        lock(&self.inner.state).mails
    }
}

fn order_of<'a>(state: &'a mut State, id: &str) -> Result<&'a mut Order, ScriptError> {
    let id: u64 = id.parse().map_err(|_| ScriptError::UnknownOrder)?;
    state.orders.get_mut(&id).ok_or(ScriptError::UnknownOrder)
}

impl Inner {
    /// The next action: all its notifications share one event id.
    fn action<'a>(&'a self, state: &'a mut State) -> Action<'a> {
        state.actions += 1;
        Action { inner: self, event: state.actions, state }
    }

    fn announce_fulfillment(&self, state: &mut State, shipment: Shipment) {
        let done = state.orders.get(&shipment.order).is_some_and(|o| o.coverage() == Some("fulfilled"));
        let topic = if done { "orders/fulfilled" } else { "orders/partially_fulfilled" };
        let mut action = self.action(state);
        action.fulfillment(shipment, "fulfillments/create");
        action.order(shipment.order, &[topic, "orders/updated"]);
    }

    fn announce_update(&self, state: &mut State, shipment: Shipment) {
        let mut action = self.action(state);
        action.fulfillment(shipment, "fulfillments/update");
        action.order(shipment.order, &["orders/updated"]);
    }
}

/// One merchant's action and what it sends.
struct Action<'a> {
    inner: &'a Inner,
    state: &'a mut State,
    event: u64,
}

impl Action<'_> {
    fn order(&mut self, id: u64, topics: &[&str]) {
        let Some(body) = self.state.orders.get(&id).map(|o| payload::order(o, &self.inner.domain)) else {
            return;
        };
        for topic in topics {
            let notification = self.build(topic, &body);
            self.inner.desk.outbox.send(notification);
        }
    }

    fn fulfillment(&mut self, shipment: Shipment, topic: &str) {
        let order = self.state.orders.get(&shipment.order);
        let found = order.and_then(|o| {
            let fulfillment = o.fulfillments.iter().find(|f| f.id == shipment.fulfillment)?;
            Some(payload::fulfillment(o, fulfillment))
        });
        if let Some(body) = found {
            let notification = self.build(topic, &body);
            self.inner.desk.outbox.send(notification);
        }
    }

    /// The headers of integrations §1.2.
    fn build(&mut self, topic: &str, body: &Value) -> Notification {
        self.state.deliveries += 1;
        let body = body.to_string().into_bytes();
        let at = json::time(self.inner.desk.tick(), 0, "%Y-%m-%dT%H:%M:%S.000000Z");
        let headers = [
            ("Content-Type", "application/json".to_owned()),
            ("User-Agent", "Shopify-Captain-Hook".to_owned()),
            ("X-Shopify-Topic", topic.to_owned()),
            ("X-Shopify-Hmac-Sha256", base64_hmac(&self.inner.secret, &body)),
            ("X-Shopify-Shop-Domain", self.inner.domain.clone()),
            ("X-Shopify-API-Version", API_VERSION.to_owned()),
            ("X-Shopify-Webhook-Id", uuid(0xb0, self.state.deliveries)),
            ("X-Shopify-Event-Id", uuid(0xe0, self.event)),
            ("X-Shopify-Triggered-At", at),
        ];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Notification { topic: topic.to_owned(), headers, body }
    }
}

/// Shaped like a UUID; repeats from run to run.
fn uuid(kind: u8, n: u64) -> String {
    format!("{kind:02x}5a1e57-0000-4000-8000-{n:012x}")
}
