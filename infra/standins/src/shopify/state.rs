//! What the store knows.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::spec::{LineSpec, OrderSpec, Tracking};

/// Ids of orders exceed 2^53, as they do in the official samples: whoever reads them as floats loses.
const FIRST_ORDER: u64 = 820_982_911_946_154_507;
const FIRST_LINE: u64 = 14_101_010_000_001;
const FIRST_FULFILLMENT_ORDER: u64 = 6_871_234_567_891;
const FIRST_FULFILLMENT: u64 = 5_000_000_000_001;
/// Locations are 70000000001, 70000000002, …
const FIRST_LOCATION: u64 = 70_000_000_001;

#[derive(Default)]
pub(super) struct State {
    pub orders: BTreeMap<u64, Order>,
    pub actions: u64,
    pub deliveries: u64,
    pub mails: usize,
    counter: u64,
}

pub(super) struct Order {
    pub id: u64,
    pub number: u64,
    pub spec: OrderSpec,
    pub street: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub cancelled_at: Option<Timestamp>,
    pub lines: Vec<OrderLine>,
    pub fulfillment_orders: Vec<FulfillmentOrder>,
    pub fulfillments: Vec<Fulfillment>,
}

pub(super) struct OrderLine {
    pub id: u64,
    pub spec: LineSpec,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Open,
    InProgress,
    OnHold,
    Closed,
    Cancelled,
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::InProgress => "IN_PROGRESS",
            Self::OnHold => "ON_HOLD",
            Self::Closed => "CLOSED",
            Self::Cancelled => "CANCELLED",
        }
    }

    pub fn workable(self) -> bool {
        matches!(self, Self::Open | Self::InProgress)
    }
}

pub(super) struct FulfillmentOrder {
    pub id: u64,
    pub location: u64,
    /// A third-party service's: the app's scopes do not show it (integrations §2.2).
    pub hidden: bool,
    pub status: Status,
    pub lines: Vec<Part>,
}

/// A part of an order's line, in a fulfillment order or a fulfillment.
#[derive(Clone)]
pub(super) struct Part {
    /// The fulfillment order line's own id; not the line's.
    pub id: u64,
    pub line: u64,
    pub total: u32,
    pub remaining: u32,
}

pub(super) struct Fulfillment {
    pub id: u64,
    /// From 1 in its order: `#1001.1`.
    pub count: usize,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub active: bool,
    pub shipment_status: Option<String>,
    pub location: u64,
    pub tracking: Tracking,
    pub parts: Vec<Part>,
}

/// A fulfillment and its order.
#[derive(Clone, Copy)]
pub(super) struct Shipment {
    pub order: u64,
    pub fulfillment: u64,
}

/// A fulfillment order to fulfill, with lines and quantities unless all that remains is meant.
pub(super) type Take = (u64, Option<Vec<(u64, u32)>>);

impl Order {
    fn shipped(&self, line: u64) -> u32 {
        let active = self.fulfillments.iter().filter(|f| f.active);
        active.flat_map(|f| &f.parts).filter(|p| p.line == line).fold(0, |n, p| n.saturating_add(p.total))
    }

    /// How much of a line can still be fulfilled, as payloads write it.
    pub fn fulfillable(&self, line: &OrderLine) -> u32 {
        if self.cancelled_at.is_some() {
            return 0;
        }
        line.spec.quantity.saturating_sub(self.shipped(line.id))
    }

    /// `fulfillment_status` of a line or, over all lines, of the order.
    pub fn line_coverage(&self, line: &OrderLine) -> Option<&'static str> {
        match self.shipped(line.id) {
            0 => None,
            n if n >= line.spec.quantity => Some("fulfilled"),
            _ => Some("partial"),
        }
    }

    /// `fulfillment_status`: null, `partial` or `fulfilled`.
    pub fn coverage(&self) -> Option<&'static str> {
        let words: Vec<_> = self.lines.iter().map(|l| self.line_coverage(l)).collect();
        if words.iter().all(Option::is_none) {
            return None;
        }
        let complete = words.iter().all(|w| *w == Some("fulfilled"));
        Some(if complete { "fulfilled" } else { "partial" })
    }

    /// The fulfillment orders that the app's scopes show.
    pub fn shown(&self) -> impl Iterator<Item = &FulfillmentOrder> {
        self.fulfillment_orders.iter().filter(|f| !f.hidden)
    }

    /// Fulfillment orders that can be fulfilled, those of one location together.
    pub fn open_by_location(&self, location: Option<usize>) -> Vec<Vec<u64>> {
        let wanted = location.map(location_id);
        let mut groups: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for f in self.fulfillment_orders.iter().filter(|f| f.status.workable()) {
            if wanted.is_none_or(|w| w == f.location) {
                groups.entry(f.location).or_default().push(f.id);
            }
        }
        groups.into_values().collect()
    }

    pub fn cancel(&mut self, at: Timestamp) {
        self.cancelled_at = Some(at);
        for f in self.fulfillment_orders.iter_mut().filter(|f| f.status != Status::Closed) {
            f.status = Status::Cancelled;
            f.lines.iter_mut().for_each(|l| l.remaining = 0);
        }
    }

    pub fn hold(&mut self, on: bool) {
        for f in &mut self.fulfillment_orders {
            match (on, f.status) {
                (true, Status::Open | Status::InProgress) => f.status = Status::OnHold,
                (false, Status::OnHold) => f.status = Status::Open,
                _ => {}
            }
        }
    }

    /// Gives the fulfillments that changed.
    pub fn set_shipment_status(&mut self, status: &str, at: Timestamp) -> Vec<u64> {
        let mut changed = Vec::new();
        for f in self.fulfillments.iter_mut().filter(|f| f.active) {
            f.shipment_status = Some(status.to_owned());
            f.updated_at = at;
            changed.push(f.id);
        }
        self.updated_at = at;
        changed
    }
}

fn location_id(index: usize) -> u64 {
    FIRST_LOCATION.saturating_add(u64::try_from(index).unwrap_or(u64::MAX))
}

impl State {
    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub fn create(&mut self, spec: &OrderSpec, at: Timestamp) -> u64 {
        let id = FIRST_ORDER + self.next();
        let number = 1001 + u64::try_from(self.orders.len()).unwrap_or_default();
        let order = Order {
            id,
            number,
            spec: OrderSpec { lines: Vec::new(), ..spec.clone() },
            street: "Sample Street 12".to_owned(),
            created_at: at,
            updated_at: at,
            cancelled_at: None,
            lines: Vec::new(),
            fulfillment_orders: Vec::new(),
            fulfillments: Vec::new(),
        };
        self.orders.insert(id, order);
        for line in &spec.lines {
            self.add_line(id, line, at);
        }
        id
    }

    /// A new line goes into an open fulfillment order of its location, or into a new one.
    pub fn add_line(&mut self, order: u64, spec: &LineSpec, at: Timestamp) {
        let (line, part, fresh) = (FIRST_LINE + self.next(), self.next(), self.next());
        let Some(order) = self.orders.get_mut(&order) else { return };
        order.updated_at = at;
        order.spec.lines.push(spec.clone());
        order.lines.push(OrderLine { id: line, spec: spec.clone() });
        let part = Part { id: FIRST_LINE + part, line, total: spec.quantity, remaining: spec.quantity };
        let location = location_id(spec.location);
        let hidden = spec.third_party;
        let open = |f: &&mut FulfillmentOrder| {
            f.location == location && f.hidden == hidden && f.status == Status::Open
        };
        match order.fulfillment_orders.iter_mut().find(open) {
            Some(open) => open.lines.push(part),
            None => order.fulfillment_orders.push(FulfillmentOrder {
                id: FIRST_FULFILLMENT_ORDER + fresh,
                location,
                hidden,
                status: Status::Open,
                lines: vec![part],
            }),
        }
    }

    /// Makes one fulfillment, or says in Shopify's words why not.
    pub fn ship(&mut self, takes: &[Take], tracking: &Tracking, at: Timestamp) -> Result<Shipment, String> {
        let fulfillment = FIRST_FULFILLMENT + self.next();
        let mut owners = takes.iter().map(|(id, _)| self.owner(*id));
        let order = owners.next().flatten().ok_or("Fulfillment order does not exist.")?;
        if owners.any(|o| o != Some(order)) {
            return Err("All fulfillment orders must belong to the same order.".to_owned());
        }
        let order = self.orders.get_mut(&order).ok_or("Fulfillment order does not exist.")?;
        let location = check(order, takes)?;
        let mut parts = Vec::new();
        for f in &mut order.fulfillment_orders {
            let Some((_, wanted)) = takes.iter().find(|(id, _)| *id == f.id) else { continue };
            parts.extend(take(f, wanted.as_deref()));
        }
        let count = order.fulfillments.len() + 1;
        order.updated_at = at;
        order.fulfillments.push(Fulfillment {
            id: fulfillment,
            count,
            created_at: at,
            updated_at: at,
            active: true,
            shipment_status: None,
            location,
            tracking: tracking.clone(),
            parts,
        });
        Ok(Shipment { order: order.id, fulfillment })
    }

    /// Whether the app may know of this fulfillment order.
    pub fn shows(&self, fulfillment_order: u64) -> bool {
        self.orders.values().any(|o| o.shown().any(|f| f.id == fulfillment_order))
    }

    pub fn owner(&self, fulfillment_order: u64) -> Option<u64> {
        let owns = |o: &&Order| o.fulfillment_orders.iter().any(|f| f.id == fulfillment_order);
        self.orders.values().find(owns).map(|o| o.id)
    }

    /// Cancels all fulfillments; what they held stands in new fulfillment orders, as in the real one.
    pub fn cancel_fulfillments(&mut self, order: u64, at: Timestamp) -> Vec<u64> {
        let mut cancelled = Vec::new();
        let Some(found) = self.orders.get_mut(&order) else { return cancelled };
        found.updated_at = at;
        let mut freed = Vec::new();
        for f in found.fulfillments.iter_mut().filter(|f| f.active) {
            f.active = false;
            f.updated_at = at;
            cancelled.push(f.id);
            freed.push((f.location, f.parts.clone()));
        }
        for (location, parts) in freed {
            let id = FIRST_FULFILLMENT_ORDER + self.next();
            let lines = parts.into_iter().map(|p| Part { id: FIRST_LINE + self.next(), ..p }).collect();
            if let Some(found) = self.orders.get_mut(&order) {
                let status = if found.cancelled_at.is_some() { Status::Cancelled } else { Status::Open };
                let hidden = found.fulfillment_orders.iter().any(|f| f.location == location && f.hidden);
                found.fulfillment_orders.push(FulfillmentOrder { id, location, hidden, status, lines });
            }
        }
        cancelled
    }
}

/// Whether all of `takes` can be fulfilled in one call; gives their location.
fn check(order: &Order, takes: &[Take]) -> Result<u64, String> {
    let mut location = None;
    for (id, wanted) in takes {
        let f = order.fulfillment_orders.iter().find(|f| f.id == *id);
        let f = f.ok_or("Fulfillment order does not exist.")?;
        if !f.status.workable() {
            let status = f.status.word().to_lowercase();
            // The spacing is really like this (integrations §2.3).
            return Err(format!("Fulfillment order {id} has an unfulfillable status= {status}."));
        }
        if *location.get_or_insert(f.location) != f.location {
            return Err("All fulfillment orders must have the same assigned location.".to_owned());
        }
        let enough = |(line, quantity): &(u64, u32)| {
            *quantity > 0 && f.lines.iter().any(|l| l.id == *line && l.remaining >= *quantity)
        };
        if !wanted.iter().flatten().all(enough) {
            return Err("Invalid fulfillment order line item quantity requested.".to_owned());
        }
    }
    location.ok_or_else(|| "Fulfillment order does not exist.".to_owned())
}

/// Takes what is wanted out of a fulfillment order.
fn take(f: &mut FulfillmentOrder, wanted: Option<&[(u64, u32)]>) -> Vec<Part> {
    let mut parts = Vec::new();
    for line in f.lines.iter_mut().filter(|l| l.remaining > 0) {
        let quantity = match wanted {
            None => line.remaining,
            Some(wanted) => wanted.iter().find(|(id, _)| *id == line.id).map_or(0, |(_, n)| *n),
        };
        let quantity = quantity.min(line.remaining);
        line.remaining -= quantity;
        if quantity > 0 {
            parts.push(Part { id: line.id, line: line.line, total: quantity, remaining: quantity });
        }
    }
    let left = f.lines.iter().any(|l| l.remaining > 0);
    f.status = if left { Status::InProgress } else { Status::Closed };
    parts
}
