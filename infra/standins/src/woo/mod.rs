//! A small WooCommerce site: orders, notes, tracking plugins, REST v3, webhooks (live notes).

mod payload;
mod rest;
mod state;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use stagepost_app::ports::Clock;
use stagepost_domain::signing::{base64_hmac, easypost_v1, woocommerce_key};

use self::state::{Order, State, TRACKING};
use crate::desk::{Desk, Platform};
use crate::json::php;
use crate::notification::Notification;
use crate::server::Server;
use crate::spec::{OrderSpec, Tracking};
use crate::{ScriptError, lock};

const USER_AGENT: &str = "WooCommerce/10.0.2 Hookshot (WordPress/6.8.7)";
const UPDATED: &str = "order.updated";
const CREATED: &str = "order.created";

/// A WooCommerce site on loopback, as if behind https. Clones are the same site; the last one closes its
/// port. Every save is told at once, as on a busy site: nothing is coalesced.
#[derive(Clone)]
pub struct WooStore {
    inner: Arc<Inner>,
    server: Arc<Server>,
}

struct Inner {
    /// Consumer key and secret, `ck_…:cs_…`.
    key: String,
    secret: String,
    desk: Desk,
    state: Mutex<State>,
}

impl Platform for WooStore {
    fn desk(&self) -> &Desk {
        &self.inner.desk
    }
}

impl WooStore {
    /// Opens a site. Calls need `key` (`ck_…:cs_…`); notifications are signed with `secret`.
    ///
    /// # Errors
    /// No loopback port is free.
    pub async fn start(key: &str, secret: &str, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let inner = Arc::new(Inner {
            key: key.to_owned(),
            secret: secret.to_owned(),
            desk: Desk::new(clock),
            state: Mutex::default(),
        });
        let server = Arc::new(Server::start(Arc::clone(&inner)).await?);
        lock(&inner.state).site = server.url();
        Ok(Self { inner, server })
    }

    /// The site's address, which is also the store's identity: no trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Whether the Shipment Tracking extension is installed (off at first).
    pub fn set_shipment_tracking(&self, on: bool) {
        lock(&self.inner.state).shipment_tracking = on;
    }

    /// Whether the fulfillments feature of WooCommerce 10.5 is on (off at first).
    pub fn set_fulfillments_feature(&self, on: bool) {
        lock(&self.inner.state).fulfillments = on;
    }

    /// Whether the key may only read (off at first).
    pub fn set_read_only(&self, on: bool) {
        lock(&self.inner.state).read_only = on;
    }

    /// Whether orders are kept as posts, as in shops from before WooCommerce 8 (off at first): a change of
    /// metadata alone then leaves the modification time as it was (live notes 20).
    pub fn set_legacy_storage(&self, on: bool) {
        lock(&self.inner.state).legacy = on;
    }

    /// Whether permalinks are plain (off at first): the API is then found by the query alone, and the path of
    /// other shops shows a page (live notes 42).
    pub fn set_plain_permalinks(&self, on: bool) {
        lock(&self.inner.state).plain_permalinks = on;
    }

    /// Whether the host drops the login header before WordPress sees it (off at first).
    pub fn set_drops_login(&self, on: bool) {
        lock(&self.inner.state).drops_login = on;
    }

    /// How many further saves of plugins follow a completion over REST, each with its own `order.updated`:
    /// 3 make the four notifications of one fulfillment that busy shops send. None at first.
    pub fn set_extra_updates(&self, n: usize) {
        lock(&self.inner.state).extra_updates = n;
    }

    /// A paid order by the classic checkout: `order.created` and `order.updated` with the same body.
    /// Gives the order's id.
    #[must_use]
    pub fn create_order(&self, spec: &OrderSpec) -> String {
        let at = self.inner.desk.tick();
        let mut state = lock(&self.inner.state);
        let id = state.create(spec, "processing", at);
        self.inner.tell(&state, id, &[CREATED, UPDATED]);
        id.to_string()
    }

    /// An order whose payment at another site is awaited (`pending`): `order.created` and `order.updated`.
    /// Gives its id; [`Self::set_status`] makes it paid, failed or cancelled.
    #[must_use]
    pub fn create_unpaid(&self, spec: &OrderSpec) -> String {
        let at = self.inner.desk.tick();
        let mut state = lock(&self.inner.state);
        let id = state.create(spec, "pending", at);
        self.inner.tell(&state, id, &[CREATED, UPDATED]);
        id.to_string()
    }

    /// A shopper opens the block checkout: `order.updated` of a `checkout-draft` without a name, for an
    /// order that may never be placed. Gives its id.
    #[must_use]
    pub fn open_checkout(&self, spec: &OrderSpec) -> String {
        let at = self.inner.desk.tick();
        let mut state = lock(&self.inner.state);
        let id = state.create(spec, "checkout-draft", at);
        self.inner.tell(&state, id, &[UPDATED]);
        id.to_string()
    }

    /// The shopper places that order: `order.updated`, then `order.created`.
    ///
    /// # Errors
    /// No such order.
    pub fn place_checkout(&self, order: &str) -> Result<(), ScriptError> {
        self.change(order, &[UPDATED, CREATED], |order, at| {
            order.set_status("processing", at);
        })
    }

    /// Somebody completes the order in the admin, with tracking for the list that plugins keep:
    /// `order.updated`.
    ///
    /// # Errors
    /// No such order.
    pub fn complete_by_hand(&self, order: &str, tracking: &Tracking) -> Result<(), ScriptError> {
        let at = self.inner.desk.tick();
        let mut state = lock(&self.inner.state);
        let id = order_of(&mut state, order)?.id;
        let entries = state::tracking_entries(tracking, at);
        if !entries.is_empty() {
            state.set_meta(id, TRACKING, Value::Array(entries));
        }
        let found = order_of(&mut state, order)?;
        found.modified = at;
        let mailed = found.set_status("completed", at);
        state.mails += usize::from(mailed);
        self.inner.tell(&state, id, &[UPDATED]);
        Ok(())
    }

    /// Somebody sets a status in the admin (`processing` opens a completed order again): `order.updated`.
    ///
    /// # Errors
    /// No such order.
    pub fn set_status(&self, order: &str, status: &str) -> Result<(), ScriptError> {
        self.change(order, &[UPDATED], |order, at| {
            order.set_status(status, at);
        })
    }

    /// Somebody edits the street of the shipping address: `order.updated`.
    ///
    /// # Errors
    /// No such order.
    pub fn edit_address(&self, order: &str, street: &str) -> Result<(), ScriptError> {
        self.change(order, &[UPDATED], |order, _| street.clone_into(&mut order.street))
    }

    /// A plugin writes the order's list of parcels and saves the order: `order.updated`.
    ///
    /// # Errors
    /// No such order.
    pub fn add_tracking(&self, order: &str, tracking: &Tracking) -> Result<(), ScriptError> {
        let at = self.inner.desk.tick();
        let mut state = lock(&self.inner.state);
        let id = order_of(&mut state, order)?.id;
        for entry in state::tracking_entries(tracking, at) {
            state.add_tracking(id, entry);
        }
        state.saved_meta(id, at);
        self.inner.tell(&state, id, &[UPDATED]);
        Ok(())
    }

    /// A save that changes nothing but the modification time: `order.updated`.
    ///
    /// # Errors
    /// No such order.
    pub fn touch(&self, order: &str) -> Result<(), ScriptError> {
        self.change(order, &[UPDATED], |_, _| {})
    }

    /// Somebody puts the order in the trash: `order.deleted` with the id alone.
    ///
    /// # Errors
    /// No such order.
    pub fn trash(&self, order: &str) -> Result<(), ScriptError> {
        self.change(order, &["order.deleted"], |order, _| order.trash())
    }

    /// Somebody takes it out again: `order.restored`, and `order.updated` if it was completed.
    ///
    /// # Errors
    /// No such order, or it is not in the trash.
    pub fn restore(&self, order: &str) -> Result<(), ScriptError> {
        let at = self.inner.desk.tick();
        let mut state = lock(&self.inner.state);
        let found = order_of(&mut state, order)?;
        if !found.restore() {
            return Err(ScriptError::Refused("the order is not in the trash".to_owned()));
        }
        found.modified = at;
        let (id, completed) = (found.id, found.status == "completed");
        let topics = if completed { &["order.restored", UPDATED][..] } else { &["order.restored"] };
        self.inner.tell(&state, id, topics);
        Ok(())
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
        found.modified = at;
        edit(found, at);
        let id = found.id;
        self.inner.tell(&state, id, topics);
        Ok(())
    }

    /// A notification of the order as it is now; sends nothing. WooCommerce builds a body when it delivers
    /// it, so this is also how a late notification looks.
    ///
    /// # Errors
    /// No such order.
    pub fn notification(&self, order: &str, topic: &str) -> Result<Notification, ScriptError> {
        let mut state = lock(&self.inner.state);
        let id = order_of(&mut state, order)?.id;
        self.inner.build(&state, id, topic).ok_or(ScriptError::UnknownOrder)
    }

    /// The unsigned ping of a new webhook: a form, without WooCommerce's headers.
    #[must_use]
    pub fn ping(&self) -> Notification {
        let headers = [
            ("User-Agent", USER_AGENT),
            ("Accept", "*/*"),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let headers = headers.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        Notification { topic: "ping".to_owned(), headers, body: b"webhook_id=1".to_vec() }
    }

    /// How many calls wanted to complete an order or make a fulfillment, whatever became of them.
    #[must_use]
    pub fn fulfillment_calls(&self) -> usize {
        let log = self.log();
        log.iter().filter(|c| matches!(c.what.as_str(), rest::COMPLETE | rest::POST_FULFILLMENTS)).count()
    }

    /// How many mails the site itself sent to customers.
    #[must_use]
    pub fn mails(&self) -> usize {
        lock(&self.inner.state).mails
    }

    /// The order's status.
    #[must_use]
    pub fn status(&self, order: &str) -> Option<String> {
        order_of(&mut lock(&self.inner.state), order).ok().map(|o| o.status.clone())
    }

    /// The value of an order's metadata.
    #[must_use]
    pub fn meta(&self, order: &str, key: &str) -> Option<Value> {
        let mut state = lock(&self.inner.state);
        let order = order_of(&mut state, order).ok()?;
        order.meta.iter().find(|m| m.key == key).map(|m| m.value.clone())
    }

    /// The texts of the order's notes, oldest first.
    #[must_use]
    pub fn notes(&self, order: &str) -> Vec<String> {
        let mut state = lock(&self.inner.state);
        let Ok(order) = order_of(&mut state, order) else { return Vec::new() };
        order.notes.iter().map(|n| n.text.clone()).collect()
    }
}

fn order_of<'a>(state: &'a mut State, id: &str) -> Result<&'a mut Order, ScriptError> {
    let id: u64 = id.parse().map_err(|_| ScriptError::UnknownOrder)?;
    state.orders.get_mut(&id).ok_or(ScriptError::UnknownOrder)
}

impl Inner {
    fn tell(&self, state: &State, id: u64, topics: &[&str]) {
        for topic in topics {
            if let Some(notification) = self.build(state, id, topic) {
                self.desk.outbox.send(notification);
            }
        }
    }

    /// The request of live notes §1.
    fn build(&self, state: &State, id: u64, topic: &str) -> Option<Notification> {
        let body = match topic {
            "order.deleted" => json!({ "id": id }),
            _ => payload::order(state.orders.get(&id)?, &state.site),
        };
        let body = php(&body);
        let webhook = match topic {
            CREATED => 1,
            UPDATED => 2,
            "order.deleted" => 3,
            _ => 4,
        };
        let (resource, event) = topic.split_once('.').unwrap_or((topic, ""));
        let headers = [
            ("User-Agent", USER_AGENT.to_owned()),
            ("Accept", "*/*".to_owned()),
            ("Content-Type", "application/json".to_owned()),
            ("X-WC-Webhook-Source", format!("{}/", state.site)),
            ("X-WC-Webhook-Topic", topic.to_owned()),
            ("X-WC-Webhook-Resource", resource.to_owned()),
            ("X-WC-Webhook-Event", event.to_owned()),
            ("X-WC-Webhook-Signature", base64_hmac(&woocommerce_key(&self.secret), &body)),
            ("X-WC-Webhook-ID", webhook.to_string()),
            ("X-WC-Webhook-Delivery-ID", self.delivery_id(webhook)),
        ];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Some(Notification { topic: topic.to_owned(), headers, body })
    }

    /// Shared by all deliveries of one webhook within one second (live notes 6). The real one is an MD5;
    /// here the 32 digits come from the only hash at hand that is written in hex.
    fn delivery_id(&self, webhook: u32) -> String {
        let text = format!("{webhook}{}", self.desk.tick().as_second());
        let digits = easypost_v1("wp_hash", text.as_bytes());
        digits.chars().rev().take(32).collect()
    }
}
