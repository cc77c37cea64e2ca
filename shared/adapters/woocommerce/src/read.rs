//! Notifications (integrations §3, live notes §1).

use std::collections::BTreeSet;

use serde_json::Value;
use stagepost_app::inbound::Reading;
use stagepost_domain::Timestamp;
use stagepost_domain::fact::{Fact, FulfillmentSeen, OrderFact, Origin, ShipmentSeen};
use stagepost_domain::order::{Customer, FIELD_MAX, LINES_MAX, Line, Platform, Snapshot, Source};
use stagepost_domain::outcome::NoOpReason;
use stagepost_domain::shop::Channel;

use crate::json::{decoded, each, field, id, when};
use crate::order::{Order, slug};

const DELETED: &str = "order.deleted";
const TOPICS: &[&str] = &["order.created", "order.updated", "order.restored", DELETED];
/// Longest ping: `webhook_id=` and this many digits.
const PING_DIGITS_MAX: usize = 20;

/// Reads an authentic notification; `now` stands in where the payload has no time at all.
///
/// The topic only says whether this is about orders. What happened is read from the payload: it is built
/// when it is delivered, and its signature covers neither topic nor time (live notes 3, 10).
#[must_use]
pub fn read(topic: &str, channel: &Channel, body: &[u8], now: Timestamp) -> Reading {
    let topic = topic.trim().to_ascii_lowercase();
    if !TOPICS.contains(&topic.as_str()) {
        return Reading::UnknownTopic;
    }
    let Ok(json) = serde_json::from_slice::<Value>(body) else { return unreadable("the body is not JSON") };
    let Some(external_id) = id(json.get("id")) else { return unreadable(&no_id(&json)) };
    let source = Source {
        platform: Platform::Woocommerce,
        store: channel.store.clone(),
        external_id,
        channel: Some(channel.id.clone()),
    };
    match Order::parse(&json) {
        Some(order) if order.is_draft() => Reading::NoOp(NoOpReason::Draft),
        Some(order) => {
            let fact = fact(&json, &order, channel, &source, now);
            Reading::Fact { source, fact: Fact::Order(Box::new(fact)) }
        }
        // `{"id":79}`: all that is left to tell.
        None if topic == DELETED => Reading::Fact { source, fact: Fact::Trashed },
        None => unreadable("the body is not an order"),
    }
}

fn unreadable(reason: &str) -> Reading {
    Reading::Unreadable { reason: reason.to_owned() }
}

/// A webhook whose owner lost his rights, or whose order is gone, delivers the REST error instead,
/// correctly signed (live notes 9). Its code tells a merchant what to do; nothing else is told.
fn no_id(json: &Value) -> String {
    match json.get("code").and_then(Value::as_str).and_then(slug) {
        Some(code) => format!("the store sent an error instead of the order: {code}"),
        None => "the body has no id".to_owned(),
    }
}

fn fact(json: &Value, order: &Order<'_>, channel: &Channel, source: &Source, now: Timestamp) -> OrderFact {
    let updated_at = order.modified_at();
    OrderFact {
        source: source.clone(),
        updated_at,
        created_at: when(json, "date_created").or(updated_at).unwrap_or(now),
        number: field(json, "number", FIELD_MAX).unwrap_or_else(|| source.external_id.clone()),
        lifecycle: order.lifecycle(),
        snapshot: snapshot(json, order),
        untold: BTreeSet::new(),
        fulfillment: fulfillment(order, updated_at.unwrap_or(now)),
        draft: order.is_unplaced(),
        origin: Origin::Live,
        armed_at: Some(channel.armed_at),
        default_flow: channel.default_flow.clone(),
        by: None,
    }
}

fn fulfillment(order: &Order<'_>, updated_at: Timestamp) -> FulfillmentSeen {
    let seen = |id, active| ShipmentSeen { id, updated_at, active, packages: Vec::new(), report: None };
    let standing = order.completion().map(|(id, _)| id).into_iter().chain(order.fulfillments());
    // Named, so that a late word of the completion is known for what it is. A cancelled order does not say
    // that it was taken back.
    let taken_back = order.past_completion().filter(|_| order.reopened()).map(|(id, _)| id);
    FulfillmentSeen {
        coverage: order.coverage(),
        shipments: standing.map(|id| seen(id, true)).chain(taken_back.map(|id| seen(id, false))).collect(),
        packages: order.parcels(),
        reopened: order.reopened(),
        marker: order.marker(),
    }
}

/// People, lines, money. `order_key` and `payment_url` open the order to whoever holds them: never kept.
fn snapshot(json: &Value, order: &Order<'_>) -> Snapshot {
    let lines = each(json.get("line_items"));
    Snapshot {
        customer: customer(json),
        ship_to: ship_to(json),
        line_count: u32::try_from(lines.len()).unwrap_or(u32::MAX),
        lines: lines.into_iter().take(LINES_MAX).map(line).collect(),
        total: field(json, "total", FIELD_MAX),
        currency: field(json, "currency", FIELD_MAX),
        // The two statuses that our own completion goes between are left out: its echo then changes
        // nothing here, and the fulfillment tells them anyway.
        platform_status: Some(order.status())
            .filter(|s| !matches!(*s, "processing" | "completed"))
            .map(Into::into),
    }
}

fn line(item: &Value) -> Line {
    let title = field(item, "name", FIELD_MAX).or_else(|| field(item, "parent_name", FIELD_MAX));
    Line {
        title: title.unwrap_or_default(),
        sku: field(item, "sku", FIELD_MAX),
        quantity: field(item, "quantity", FIELD_MAX).unwrap_or_else(|| "1".to_owned()),
        price: field(item, "price", FIELD_MAX),
    }
}

/// One line of several fields; nothing when all are blank.
fn joined(object: &Value, keys: &[&str]) -> Option<String> {
    let words: Vec<_> = keys.iter().filter_map(|k| field(object, k, FIELD_MAX)).collect();
    stagepost_domain::text::tidy(&words.join(" "), FIELD_MAX)
}

fn customer(json: &Value) -> Customer {
    let person = |part: &str| {
        let part = json.get(part)?;
        joined(part, &["first_name", "last_name"]).or_else(|| field(part, "company", FIELD_MAX))
    };
    let of = |part: &str, key: &str| json.get(part).and_then(|p| field(p, key, FIELD_MAX));
    Customer {
        name: person("billing").or_else(|| person("shipping")),
        email: json.get("billing").and_then(email),
        phone: of("billing", "phone").or_else(|| of("shipping", "phone")),
    }
}

/// A missing address comes as "" (live notes 49), which is none. So is one that is too long or has white space
/// in it: cut or mended, it might be another person's.
fn email(billing: &Value) -> Option<String> {
    let odd = |c: char| c.is_whitespace() || c.is_control();
    let text = decoded(billing.get("email")?.as_str()?);
    Some(text.trim()).filter(|e| !e.is_empty() && e.len() <= FIELD_MAX && !e.contains(odd)).map(str::to_owned)
}

/// The shipping address; where it is blank the order goes to the billing address, if anywhere.
fn ship_to(json: &Value) -> Vec<String> {
    let lines = |part: &str| -> Vec<String> {
        let Some(part) = json.get(part) else { return Vec::new() };
        let place: Vec<_> = [
            &["address_1"][..],
            &["address_2"][..],
            &["postcode", "city"][..],
            &["state"][..],
            &["country"][..],
        ]
        .iter()
        .filter_map(|keys| joined(part, keys))
        .collect();
        if place.is_empty() {
            return place;
        }
        let who = [joined(part, &["first_name", "last_name"]), field(part, "company", FIELD_MAX)];
        who.into_iter().flatten().chain(place).collect()
    };
    let shipping = lines("shipping");
    if shipping.is_empty() { lines("billing") } else { shipping }
}

/// Whether this is WooCommerce's ping: exactly the unsigned form body `webhook_id=N`, without any of its
/// own headers. It wants exactly 200 and means nothing (live notes 33, 34).
#[must_use]
pub fn is_ping(content_type: Option<&str>, has_wc_headers: bool, body: &[u8]) -> bool {
    let media = content_type.and_then(|c| c.split(';').next()).unwrap_or_default().trim();
    let digits = body.strip_prefix(b"webhook_id=").unwrap_or_default();
    !has_wc_headers
        && media.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        && (1..=PING_DIGITS_MAX).contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit)
}
