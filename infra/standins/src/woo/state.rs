//! What the site knows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::spec::{LineSpec, OrderSpec, Tracking};

/// Where tracking plugins keep an order's parcels (live notes 48).
pub(super) const TRACKING: &str = "_wc_shipment_tracking_items";

#[derive(Default)]
pub(super) struct State {
    pub site: String,
    pub orders: BTreeMap<u64, Order>,
    pub shipment_tracking: bool,
    pub fulfillments: bool,
    pub read_only: bool,
    pub legacy: bool,
    pub plain_permalinks: bool,
    pub drops_login: bool,
    pub extra_updates: usize,
    pub mails: usize,
    counter: u64,
}

pub(super) struct Order {
    pub id: u64,
    pub status: String,
    /// The status before the trash.
    untrashed: Option<String>,
    pub spec: OrderSpec,
    pub street: String,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub completed: Option<Timestamp>,
    pub paid: Option<Timestamp>,
    pub lines: Vec<(u64, LineSpec)>,
    pub meta: Vec<Meta>,
    pub notes: Vec<Note>,
    pub fulfillments: Vec<Fulfillment>,
}

pub(super) struct Meta {
    pub id: u64,
    pub key: String,
    pub value: Value,
}

pub(super) struct Note {
    pub id: u64,
    pub at: Timestamp,
    pub text: String,
    pub customer: bool,
}

pub(super) struct Fulfillment {
    pub id: u64,
    pub at: Timestamp,
    pub status: String,
    pub meta: Vec<Meta>,
}

impl Fulfillment {
    pub fn is_fulfilled(&self) -> bool {
        self.status == "fulfilled"
    }

    /// Pieces by line item.
    fn pieces(&self) -> impl Iterator<Item = (u64, u64)> {
        let items = self.meta.iter().filter(|m| m.key == "_items").filter_map(|m| m.value.as_array());
        items.flatten().filter_map(|i| Some((i.get("item_id")?.as_u64()?, i.get("qty")?.as_u64()?)))
    }
}

impl Order {
    /// Sets a status; true if the customer is mailed that the order is complete. Leaving *completed* keeps
    /// its time; coming back overwrites it and mails again (live notes 45).
    pub fn set_status(&mut self, status: &str, at: Timestamp) -> bool {
        let changed = self.status != status;
        status.clone_into(&mut self.status);
        self.untrashed = None;
        if matches!(status, "processing" | "completed") {
            self.paid.get_or_insert(at);
        }
        if changed && status == "completed" {
            self.completed = Some(at);
        }
        changed && status == "completed" && self.spec.email.is_some()
    }

    pub fn trash(&mut self) {
        if self.untrashed.is_none() {
            self.untrashed = Some(std::mem::replace(&mut self.status, "trash".to_owned()));
        }
    }

    pub fn restore(&mut self) -> bool {
        let Some(status) = self.untrashed.take() else { return false };
        self.status = status;
        true
    }

    pub fn trashed(&self) -> bool {
        self.untrashed.is_some()
    }

    /// What the fulfillments feature tells in the order's metadata.
    fn fulfillment_status(&self) -> &'static str {
        let active = self.fulfillments.iter().filter(|f| f.is_fulfilled());
        let mut sent: BTreeMap<u64, u64> = BTreeMap::new();
        for (item, pieces) in active.flat_map(Fulfillment::pieces) {
            let sum = sent.entry(item).or_default();
            *sum = sum.saturating_add(pieces);
        }
        let all = |(id, line): &(u64, LineSpec)| sent.get(id).is_some_and(|n| *n >= u64::from(line.quantity));
        match (sent.is_empty(), self.lines.iter().all(all)) {
            (true, _) => "unfulfilled",
            (false, true) => "fulfilled",
            (false, false) => "partially_fulfilled",
        }
    }
}

impl State {
    pub fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub fn create(&mut self, spec: &OrderSpec, status: &str, at: Timestamp) -> u64 {
        let id = 70 + self.next();
        let lines = spec.lines.iter().map(|l| (self.next(), l.clone())).collect();
        let order = Order {
            id,
            status: status.to_owned(),
            untrashed: None,
            spec: spec.clone(),
            street: "Sample Street 12".to_owned(),
            created: at,
            modified: at,
            completed: None,
            paid: (status == "processing").then_some(at),
            lines,
            meta: Vec::new(),
            notes: Vec::new(),
            fulfillments: Vec::new(),
        };
        self.orders.insert(id, order);
        id
    }

    /// The same key updates in place; null deletes (live notes 48).
    pub fn set_meta(&mut self, order: u64, key: &str, value: Value) {
        let fresh = self.next();
        let Some(order) = self.orders.get_mut(&order) else { return };
        if value.is_null() {
            order.meta.retain(|m| m.key != key);
            return;
        }
        match order.meta.iter_mut().find(|m| m.key == key) {
            Some(meta) => meta.value = value,
            None => order.meta.push(Meta { id: fresh, key: key.to_owned(), value }),
        }
    }

    /// The order was saved with nothing but its metadata changed.
    pub fn saved_meta(&mut self, order: u64, at: Timestamp) {
        if let Some(order) = self.orders.get_mut(&order).filter(|_| !self.legacy) {
            order.modified = at;
        }
    }

    pub fn add_note(&mut self, order: u64, text: &str, customer: bool, at: Timestamp) {
        let id = self.next();
        let Some(order) = self.orders.get_mut(&order) else { return };
        order.notes.push(Note { id, at, text: text.to_owned(), customer });
        self.mails += usize::from(customer && order.spec.email.is_some());
    }

    /// Adds an entry to the list of tracking plugins.
    pub fn add_tracking(&mut self, order: u64, entry: Value) {
        let Some(found) = self.orders.get(&order) else { return };
        let list = found.meta.iter().find(|m| m.key == TRACKING).and_then(|m| m.value.as_array());
        let mut list = list.cloned().unwrap_or_default();
        list.push(entry);
        self.set_meta(order, TRACKING, Value::Array(list));
    }

    /// Adds a fulfillment; the order tells only how much is fulfilled (live notes §4).
    pub fn add_fulfillment(
        &mut self,
        order: u64,
        status: &str,
        entries: Vec<(String, Value)>,
        at: Timestamp,
    ) {
        let id = self.next();
        let meta = entries.into_iter().map(|(key, value)| Meta { id: self.next(), key, value }).collect();
        self.saved_meta(order, at);
        let Some(found) = self.orders.get_mut(&order) else { return };
        found.fulfillments.push(Fulfillment { id, at, status: status.to_owned(), meta });
        let status = found.fulfillment_status();
        self.set_meta(order, "_fulfillment_status", json!(status));
    }
}

/// Entries in the shape of Shipment Tracking, one for each number, or for each link without one.
pub(super) fn tracking_entries(tracking: &Tracking, at: Timestamp) -> Vec<Value> {
    let count = tracking.numbers.len().max(tracking.urls.len());
    let company = tracking.company.as_deref().unwrap_or_default();
    let entry = |n: usize| {
        let url = tracking.urls.get(n).map(String::as_str).unwrap_or_default();
        let (known, own) = if url.is_empty() { (company, "") } else { ("", company) };
        json!({
            "tracking_provider": known,
            "custom_tracking_provider": own,
            "custom_tracking_link": url,
            "tracking_number": tracking.numbers.get(n).map(String::as_str).unwrap_or_default(),
            "date_shipped": at.as_second().to_string(),
            "tracking_id": format!("{:032x}", at.as_second().unsigned_abs() ^ ((n as u64) << 40)),
        })
    };
    (0..count).map(entry).collect()
}
