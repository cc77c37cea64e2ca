//! Notifications into facts. The topic says which shape to expect and nothing else: the official samples
//! of `orders/fulfilled` are copies of `orders/create` (integrations §1.5).

use std::collections::BTreeSet;

use serde_json::Value;
use stagepost_app::inbound::Reading;
use stagepost_domain::Timestamp;
use stagepost_domain::fact::{
    Coverage, Fact, FulfillmentSeen, OrderFact, Origin, Part, ShipmentFact, ShipmentId, ShipmentReport,
    ShipmentSeen,
};
use stagepost_domain::fulfillment::SHIPMENTS_MAX;
use stagepost_domain::order::{Customer, FIELD_MAX, LINES_MAX, Lifecycle, Line, Platform, Snapshot, Source};
use stagepost_domain::outcome::NoOpReason;
use stagepost_domain::package::{Checkpoint, PACKAGES_MAX, PackageSeen, TrackingStatus};
use stagepost_domain::shop::Channel;
use stagepost_domain::text::tidy;

use crate::payload::Payload;

#[cfg(test)]
mod tests;

/// The list's own word in an order that it puts into the words of a notification, which has no such key: it cannot
/// tell all that a notification tells.
pub(crate) const LISTED: &str = "stagepost_listed";
/// In it: there are more lines than are listed.
pub(crate) const MORE_LINES: &str = "more_lines";
/// Longest order number kept, in bytes: it stands on the small control item.
const NUMBER_MAX: usize = 64;
/// Longest words of a carrier that are kept, in bytes.
const DETAIL_MAX: usize = 200;
/// One more than an order may have, so that the domain sees that some did not fit.
const SHIPMENTS_READ: usize = SHIPMENTS_MAX + 1;
/// The same for parcels.
const PACKAGES_READ: usize = PACKAGES_MAX + 1;

/// Reads a notification of `channel`.
///
/// Topics: `orders/create|updated|fulfilled|partially_fulfilled|cancelled` (a whole order),
/// `fulfillments/create|update` (one fulfillment) and `fulfillment_events/create` (where a fulfillment's
/// parcels are). The three about privacy (integrations §1.1) are for a person, who finds them in quarantine.
/// State comes from the payload only, and so do all
/// times: `_now` is not used, because a fact without a time of its own cannot be ordered (law 1).
/// The caller caps the size of `body`; nesting is bounded by the parser.
#[must_use]
pub fn read(topic: &str, channel: &Channel, body: &[u8], _now: Timestamp) -> Reading {
    let reader = match topic {
        "orders/create"
        | "orders/updated"
        | "orders/fulfilled"
        | "orders/partially_fulfilled"
        | "orders/cancelled" => order,
        "fulfillments/create" | "fulfillments/update" => fulfillment,
        "fulfillment_events/create" => fulfillment_event,
        _ => return for_a_person(topic),
    };
    let read = match serde_json::from_slice::<Value>(body) {
        Ok(value) if topic.starts_with("fulfillments/") && unshipped(Payload(&value)) => {
            return Reading::NoOp(NoOpReason::NotShipped);
        }
        Ok(value) if value.is_object() => reader(channel, Payload(&value)),
        Ok(_) => Err("the payload is not a JSON object"),
        Err(_) => Err("the payload is not JSON"),
    };
    match read {
        Ok((source, fact)) => Reading::Fact { source, fact },
        Err(reason) => Reading::Unreadable { reason: reason.to_owned() },
    }
}

/// What Shopify asks of an app's owner by law is kept where people look, with what there is to do. Anything else that
/// nobody subscribed to is nothing to us.
fn for_a_person(topic: &str) -> Reading {
    let reason = match topic {
        "customers/redact" => {
            "Shopify asks that a customer is forgotten: erase the orders that it names under orders_to_redact"
        }
        "customers/data_request" => {
            "a customer asks for their data: export the orders that it names under orders_requested"
        }
        "shop/redact" => "the store has left the app two days ago: delete what is kept of it",
        _ => return Reading::UnknownTopic,
    };
    Reading::Unreadable { reason: reason.to_owned() }
}

/// The fact and its order, or why there is none (never with the payload's content).
type Read = Result<(Source, Fact), &'static str>;

fn source(channel: &Channel, external_id: String) -> Source {
    Source {
        platform: Platform::Shopify,
        store: channel.store.clone(),
        external_id,
        channel: Some(channel.id.clone()),
    }
}

fn order(channel: &Channel, payload: Payload<'_>) -> Read {
    let id = payload.id("id").ok_or("the order has no id")?;
    let updated_at = payload.time("updated_at");
    let created_at = payload.time("created_at").or(updated_at).ok_or("the order has no time")?;
    let source = source(channel, id);
    let fact = OrderFact {
        updated_at,
        created_at,
        number: order_number(payload, &source.external_id),
        lifecycle: lifecycle(payload),
        snapshot: snapshot(payload),
        untold: untold(payload),
        fulfillment: FulfillmentSeen {
            coverage: coverage(payload),
            shipments: shipments(payload, updated_at.unwrap_or(created_at)),
            // Shopify tells parcels per fulfillment, and takes a fulfillment back by cancelling it.
            packages: None,
            reopened: false,
            marker: None,
        },
        draft: false,
        origin: Origin::Live,
        armed_at: Some(channel.armed_at),
        default_flow: channel.default_flow.clone(),
        by: None,
        source: source.clone(),
    };
    Ok((source, Fact::Order(Box::new(fact))))
}

fn order_number(payload: Payload<'_>, id: &str) -> String {
    payload
        .text("name", NUMBER_MAX)
        .or_else(|| payload.scalar("order_number", NUMBER_MAX).map(|n| format!("#{n}")))
        .unwrap_or_else(|| id.to_owned())
}

fn lifecycle(payload: Payload<'_>) -> Lifecycle {
    match payload.text("cancelled_at", NUMBER_MAX) {
        Some(_) => Lifecycle::Cancelled { at: payload.time("cancelled_at") },
        None => Lifecycle::Open,
    }
}

/// The channel's one predicate (law 2): what Shopify says of the order as a whole. A fulfillment in the
/// list proves nothing, because cancelled ones stay there.
fn coverage(payload: Payload<'_>) -> Coverage {
    match payload.raw("fulfillment_status") {
        Some("fulfilled") => Coverage::Complete,
        Some("partial") => Coverage::Partial,
        _ => Coverage::None,
    }
}

/// A fulfillment that is not shipped yet (integrations §1.5).
fn unshipped(payload: Payload<'_>) -> bool {
    payload.raw("status").is_some_and(|status| crate::unshipped(status.trim()))
}

/// The order's fulfillments; one without an id, with a status that we do not know or not shipped yet is left
/// out, which changes nothing: absence is no cancellation.
fn shipments(payload: Payload<'_>, order_time: Timestamp) -> Vec<ShipmentSeen> {
    payload
        .objects("fulfillments")
        .filter(|f| !unshipped(*f))
        .filter_map(|f| shipment(f, Some(order_time)).ok())
        .take(SHIPMENTS_READ)
        .collect()
}

fn shipment(payload: Payload<'_>, order_time: Option<Timestamp>) -> Result<ShipmentSeen, &'static str> {
    let id = payload.id("id").ok_or("the fulfillment has no id")?;
    let status = payload.raw("status").ok_or("the fulfillment has no status")?;
    let active = crate::active(status.trim()).ok_or("the fulfillment's status is not one we know")?;
    let updated_at = payload
        .time("updated_at")
        .or_else(|| payload.time("created_at"))
        .or(order_time)
        .ok_or("the fulfillment has no time")?;
    let report = shipment_status(payload, updated_at);
    Ok(ShipmentSeen { id: ShipmentId(id), updated_at, active, packages: packages(payload), report })
}

/// Where the fulfillment's parcels are. It came there at the latest when the fulfillment was updated last: the
/// payload has no other time for it. A word of tomorrow says nothing here, so it takes back nothing.
fn shipment_status(payload: Payload<'_>, updated_at: Timestamp) -> Option<Checkpoint> {
    let status = status(payload.raw("shipment_status")?)?;
    Some(Checkpoint { at: updated_at, status, detail: None, offset: None })
}

/// Integrations §5.0, column Shopify; `carrier_picked_up` and `delayed` as GraphQL has them, in lower case
/// (§1.6).
fn status(word: &str) -> Option<TrackingStatus> {
    Some(match word.trim() {
        "label_printed" | "label_purchased" | "confirmed" => TrackingStatus::PreTransit,
        "in_transit" | "carrier_picked_up" | "delayed" => TrackingStatus::InTransit,
        "out_for_delivery" => TrackingStatus::OutForDelivery,
        "ready_for_pickup" => TrackingStatus::AvailableForPickup,
        "attempted_delivery" => TrackingStatus::AttemptFailed,
        "delivered" => TrackingStatus::Delivered,
        "failure" => TrackingStatus::Exception,
        _ => return None,
    })
}

/// It names its fulfillment, and no tracking number (integrations §1.5).
fn fulfillment_event(channel: &Channel, payload: Payload<'_>) -> Read {
    let order_id = payload.id("order_id").ok_or("the event has no order id")?;
    let shipment = payload.id("fulfillment_id").ok_or("the event has no fulfillment id")?;
    let word = payload.raw("status").ok_or("the event has no status")?;
    let times = ["happened_at", "created_at", "updated_at"];
    let at = times.into_iter().find_map(|key| payload.time(key)).ok_or("the event has no time")?;
    let source = source(channel, order_id);
    let report = Checkpoint {
        at,
        status: status(word).unwrap_or(TrackingStatus::Unknown),
        detail: payload.text("message", DETAIL_MAX),
        offset: None,
    };
    let fact = ShipmentReport { source: source.clone(), shipment: ShipmentId(shipment), report };
    Ok((source, Fact::ShipmentReport(fact)))
}

fn fulfillment(channel: &Channel, payload: Payload<'_>) -> Read {
    let order_id = payload.id("order_id").ok_or("the fulfillment has no order id")?;
    let source = source(channel, order_id);
    let fact = ShipmentFact {
        source: source.clone(),
        number: payload.text("name", NUMBER_MAX).and_then(|n| order_number_of(&n)),
        shipment: shipment(payload, None)?,
    };
    Ok((source, Fact::Shipment(fact)))
}

/// A fulfillment is named after its order: `#1001.1` → `#1001`.
fn order_number_of(name: &str) -> Option<String> {
    let (number, count) = name.rsplit_once('.')?;
    let counts = !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit());
    (counts && !number.is_empty()).then(|| number.to_owned())
}

// ---------------------------------------------------------------- parcels

/// Numbers and URLs by place; the lists may differ in length, and old fulfillments have only the singular
/// fields (integrations §1.5). Where there is any number, a place without one is no parcel: a carrier's second
/// link to the same parcel would be waited for as one that never arrives. Links alone are a parcel each.
fn packages(payload: Payload<'_>) -> Vec<PackageSeen> {
    let numbers = texts(payload, "tracking_numbers", "tracking_number");
    let urls = texts(payload, "tracking_urls", "tracking_url");
    let carrier = payload.raw("tracking_company");
    let at = |list: &[Option<&'_ str>], place: usize| list.get(place).copied().flatten().map(str::to_owned);
    let numbered = numbers.iter().any(Option::is_some);
    let mut seen: Vec<PackageSeen> = Vec::new();
    for place in 0..numbers.len().max(urls.len()).min(PACKAGES_READ) {
        let (number, url) = (at(&numbers, place), at(&urls, place));
        if numbered && number.is_none() {
            continue;
        }
        let Some(package) = package(number.as_deref(), url.as_deref(), carrier) else { continue };
        // Numbers and links are sometimes repeated; that is no further parcel.
        let again =
            |p: &PackageSeen| p.id() == package.id() || (package.number.is_none() && p.url == package.url);
        if !seen.iter().any(again) {
            seen.push(package);
        }
    }
    seen
}

fn texts<'a>(payload: Payload<'a>, plural: &str, singular: &str) -> Vec<Option<&'a str>> {
    let blank = |t: &&str| !t.trim().is_empty();
    let many: Vec<_> = payload.list(plural).iter().map(|v| v.as_str().filter(blank)).collect();
    if many.iter().any(Option::is_some) {
        return many;
    }
    payload.raw(singular).filter(blank).map(|t| vec![Some(t)]).unwrap_or_default()
}

/// A link in the place of a number is a parcel known by its link: that is how our own fulfillment of such
/// a parcel comes back, and it must be recognised as the same parcel.
fn package(number: Option<&str>, url: Option<&str>, carrier: Option<&str>) -> Option<PackageSeen> {
    number
        .filter(|n| n.contains("://"))
        .and_then(|link| PackageSeen::parse(None, Some(link), carrier))
        .or_else(|| PackageSeen::parse(number, url, carrier))
}

// ---------------------------------------------------------------- people, lines, money

fn snapshot(payload: Payload<'_>) -> Snapshot {
    let lines = payload.list("line_items");
    Snapshot {
        customer: customer(payload),
        ship_to: payload.object("shipping_address").map(address).unwrap_or_default(),
        lines: payload.objects("line_items").take(LINES_MAX).map(line).collect(),
        line_count: u32::try_from(lines.len()).unwrap_or(u32::MAX),
        total: payload.scalar("total_price", FIELD_MAX),
        currency: payload.text("currency", FIELD_MAX),
        // Only the money's state: with the fulfillment's in it, the echo of our own fulfillment would look
        // like a change of the order.
        platform_status: payload.text("financial_status", FIELD_MAX).map(|s| s.replace('_', " ")),
    }
}

/// What a listed order cannot tell: it has no `customer`, whose fields our scopes do not cover, and no
/// `contact_email`, so that who ordered shows only in the order's own fields; and its lines end at some place.
fn untold(payload: Payload<'_>) -> BTreeSet<Part> {
    let Some(listed) = payload.object(LISTED) else { return BTreeSet::new() };
    let more_lines = listed.0.get(MORE_LINES) == Some(&Value::Bool(true));
    [
        (Part::CustomerName, true),
        (Part::CustomerEmail, payload.raw("email").and_then(address_to_mail).is_none()),
        (Part::CustomerPhone, payload.text("phone", FIELD_MAX).is_none()),
        (Part::MoreLines, more_lines),
        // GraphQL writes `500.0` where a notification of a currency without small change may write `500`.
        (Part::Digits, true),
    ]
    .into_iter()
    .filter_map(|(part, untold)| untold.then_some(part))
    .collect()
}

fn customer(payload: Payload<'_>) -> Customer {
    let customer = payload.object("customer");
    let shipping = payload.object("shipping_address");
    let billing = payload.object("billing_address");
    let homes = [Some(payload), customer, shipping, billing];
    Customer {
        name: [customer, shipping, billing].into_iter().flatten().find_map(full_name),
        email: email(payload, customer),
        phone: homes.into_iter().flatten().find_map(|p| p.text("phone", FIELD_MAX)),
    }
}

fn full_name(person: Payload<'_>) -> Option<String> {
    let part = |key| person.text(key, FIELD_MAX).unwrap_or_default();
    tidy(&format!("{} {}", part("first_name"), part("last_name")), FIELD_MAX)
        .or_else(|| person.text("name", FIELD_MAX))
}

/// The three homes of the address, which may differ (integrations §1.5).
fn email(payload: Payload<'_>, customer: Option<Payload<'_>>) -> Option<String> {
    [payload.raw("email"), payload.raw("contact_email"), customer.and_then(|c| c.raw("email"))]
        .into_iter()
        .flatten()
        .find_map(address_to_mail)
}

/// An address that is too long or has white space in it is none: cut or mended, it might be another person's.
fn address_to_mail(text: &str) -> Option<String> {
    let odd = |c: char| c.is_whitespace() || c.is_control();
    Some(text.trim()).filter(|e| !e.is_empty() && e.len() <= FIELD_MAX && !e.contains(odd)).map(str::to_owned)
}

fn address(address: Payload<'_>) -> Vec<String> {
    let text = |key| address.text(key, FIELD_MAX);
    let place: Vec<String> = ["zip", "city", "province"].into_iter().filter_map(text).collect();
    let lines = [
        address.text("name", FIELD_MAX).or_else(|| full_name(address)),
        text("company"),
        text("address1"),
        text("address2"),
        tidy(&place.join(" "), FIELD_MAX),
        text("country"),
    ];
    lines.into_iter().flatten().collect()
}

fn line(line: Payload<'_>) -> Line {
    Line {
        // `name` is the title with its variant.
        title: line.text("name", FIELD_MAX).or_else(|| line.text("title", FIELD_MAX)).unwrap_or_default(),
        sku: line.text("sku", FIELD_MAX),
        quantity: line.scalar("quantity", FIELD_MAX).unwrap_or_default(),
        price: line.scalar("price", FIELD_MAX),
    }
}
