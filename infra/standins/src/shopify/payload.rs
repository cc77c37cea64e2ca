//! Payloads of notifications (integrations §1.5).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::state::{Fulfillment, Order, OrderLine, Shipment};
use crate::json::{money, time};

/// The store's zone, in hours from UTC: payloads carry its offset.
const ZONE: i8 = -5;

fn local(at: Timestamp) -> String {
    time(at, ZONE, "%Y-%m-%dT%H:%M:%S%:z")
}

fn gid(kind: &str, id: u64) -> String {
    format!("gid://shopify/{kind}/{id}")
}

fn money_set(cents: u64, currency: &str) -> Value {
    let side = json!({ "amount": money(cents), "currency_code": currency });
    json!({ "shop_money": side, "presentment_money": side })
}

/// The whole order, as in `orders/*`.
pub(super) fn order(order: &Order, domain: &str) -> Value {
    let mut body = head(order, domain);
    for part in [state(order), amounts(order), people(order)] {
        if let (Some(body), Value::Object(part)) = (body.as_object_mut(), part) {
            body.extend(part);
        }
    }
    body
}

fn head(order: &Order, domain: &str) -> Value {
    json!({
        "id": order.id,
        "admin_graphql_api_id": gid("Order", order.id),
        "app_id": 1_354_745,
        "name": format!("#{}", order.number),
        "number": order.number - 1000,
        "order_number": order.number,
        "order_status_url": format!("https://{domain}/orders/{:x}/authenticate?key=none", order.id),
        "token": format!("{:032x}", order.id),
        "checkout_token": null,
        "confirmation_number": format!("C{:08X}", order.number),
        "confirmed": true,
        "test": false,
        "source_name": "web",
        "tags": "",
        "note": null,
        "note_attributes": [],
        "landing_site": "/",
        "referring_site": "",
        "customer_locale": "en-CZ",
        "buyer_accepts_marketing": false,
        "client_details": null,
        "browser_ip": null,
        "location_id": null,
        "user_id": null,
        "po_number": null,
        "payment_gateway_names": ["bogus"],
        "payment_terms": null,
        "discount_applications": [],
        "discount_codes": [],
        "tax_exempt": false,
        "taxes_included": true,
    })
}

fn state(order: &Order) -> Value {
    let cancelled = order.cancelled_at.map(local);
    json!({
        "created_at": local(order.created_at),
        "processed_at": local(order.created_at),
        "updated_at": local(order.updated_at),
        "closed_at": if order.coverage() == Some("fulfilled") { Some(local(order.updated_at)) } else { None },
        "cancelled_at": cancelled,
        "cancel_reason": cancelled.as_ref().map(|_| "customer"),
        "financial_status": if cancelled.is_some() { "voided" } else { "paid" },
        "fulfillment_status": order.coverage(),
        "fulfillments": order.fulfillments.iter().map(|f| shipped(order, f)).collect::<Vec<_>>(),
        "line_items": order.lines.iter().map(|l| line(order, l, l.spec.quantity)).collect::<Vec<_>>(),
        "refunds": [],
        "returns": [],
    })
}

fn amounts(order: &Order) -> Value {
    let (total, currency) = (order.spec.total(), order.spec.currency.as_str());
    let (set, zero) = (money_set(total, currency), money_set(0, currency));
    json!({
        "currency": currency,
        "presentment_currency": currency,
        "subtotal_price": money(total),
        "subtotal_price_set": set,
        "current_subtotal_price": money(total),
        "current_subtotal_price_set": set,
        "total_price": money(total),
        "total_price_set": set,
        "current_total_price": money(total),
        "current_total_price_set": set,
        "total_line_items_price": money(total),
        "total_line_items_price_set": set,
        "total_discounts": "0.00",
        "total_discounts_set": zero,
        "total_shipping_price_set": zero,
        "total_tax": "0.00",
        "total_tax_set": zero,
        "total_outstanding": "0.00",
        "total_tip_received": "0.00",
        "total_weight": 0,
        "tax_lines": [],
        "shipping_lines": [{
            "id": order.id ^ 1, "title": "Standard", "code": "Standard", "price": "0.00", "price_set": zero,
            "discounted_price": "0.00", "discounted_price_set": zero, "discount_allocations": [],
            "tax_lines": [], "phone": null, "source": "shopify", "carrier_identifier": null,
        }],
    })
}

fn people(order: &Order) -> Value {
    let spec = &order.spec;
    let address = address(order);
    json!({
        "email": spec.email.as_deref().unwrap_or_default(),
        "contact_email": spec.email,
        "phone": null,
        "billing_address": address,
        "shipping_address": address,
        "customer": {
            "id": order.id / 100_000,
            "admin_graphql_api_id": gid("Customer", order.id / 100_000),
            "email": spec.email,
            "first_name": spec.first_name,
            "last_name": spec.last_name,
            "phone": spec.phone,
            "created_at": local(order.created_at),
            "updated_at": local(order.created_at),
            "state": "disabled",
            "verified_email": true,
            "note": null,
            "tags": "",
            "currency": spec.currency,
            "tax_exempt": false,
            "tax_exemptions": [],
            "default_address": address,
        },
    })
}

fn address(order: &Order) -> Value {
    let spec = &order.spec;
    json!({
        "first_name": spec.first_name,
        "last_name": spec.last_name,
        "name": format!("{} {}", spec.first_name, spec.last_name).trim(),
        "company": null,
        "address1": order.street,
        "address2": null,
        "zip": "110 00",
        "city": "Prague",
        "province": null,
        "province_code": null,
        "country": "Czechia",
        "country_code": "CZ",
        "phone": spec.phone,
        "latitude": 50.087,
        "longitude": 14.421,
    })
}

fn line(order: &Order, line: &OrderLine, quantity: u32) -> Value {
    let currency = order.spec.currency.as_str();
    json!({
        "id": line.id,
        "admin_graphql_api_id": gid("LineItem", line.id),
        "name": line.spec.title,
        "title": line.spec.title,
        "variant_title": null,
        "sku": line.spec.sku,
        "quantity": quantity,
        "current_quantity": quantity,
        "fulfillable_quantity": order.fulfillable(line),
        "fulfillment_service": "manual",
        "fulfillment_status": order.line_coverage(line),
        "price": money(line.spec.cents),
        "price_set": money_set(line.spec.cents, currency),
        "total_discount": "0.00",
        "total_discount_set": money_set(0, currency),
        "discount_allocations": [],
        "duties": [],
        "gift_card": false,
        "grams": 100,
        "product_exists": true,
        "product_id": line.id + 1_000,
        "variant_id": line.id + 2_000,
        "variant_inventory_management": "shopify",
        "vendor": "Stand-in",
        "properties": [],
        "requires_shipping": true,
        "taxable": true,
        "tax_lines": [],
    })
}

/// A fulfillment as it stands in an order.
fn shipped(order: &Order, f: &Fulfillment) -> Value {
    let of = |id: u64, n: u32| order.lines.iter().find(|l| l.id == id).map(|l| line(order, l, n));
    json!({
        "id": f.id,
        "admin_graphql_api_id": gid("Fulfillment", f.id),
        "order_id": order.id,
        "name": format!("#{}.{}", order.number, f.count),
        "status": if f.active { "success" } else { "cancelled" },
        "shipment_status": f.shipment_status,
        "created_at": local(f.created_at),
        "updated_at": local(f.updated_at),
        "location_id": f.location,
        "origin_address": {},
        "receipt": {},
        "service": "manual",
        "tracking_company": f.tracking.company,
        "tracking_number": f.tracking.numbers.first(),
        "tracking_numbers": f.tracking.numbers,
        "tracking_url": f.tracking.urls.first(),
        "tracking_urls": f.tracking.urls,
        "line_items": f.parts.iter().filter_map(|p| of(p.line, p.total)).collect::<Vec<_>>(),
    })
}

/// A fulfillment told on its own: with the customer's address.
pub(super) fn fulfillment(order: &Order, f: &Fulfillment) -> Value {
    let mut body = shipped(order, f);
    if let Some(fields) = body.as_object_mut() {
        fields.insert("email".to_owned(), json!(order.spec.email));
        fields.insert("destination".to_owned(), address(order));
    }
    body
}

/// What happened to a fulfillment's parcels; it names none of them.
pub(super) fn fulfillment_event(shipment: Shipment, status: &str, message: &str, at: Timestamp) -> Value {
    // As many events as seconds: their ids only have to differ.
    let id = at.as_second();
    json!({
        "id": id,
        "admin_graphql_api_id": format!("gid://shopify/FulfillmentEvent/{id}"),
        "fulfillment_id": shipment.fulfillment,
        "order_id": shipment.order,
        "shop_id": 548_380_009,
        "status": status,
        "message": message,
        "happened_at": local(at),
        "created_at": local(at),
        "updated_at": local(at),
        "estimated_delivery_at": null,
        "city": null, "province": null, "country": "CZ", "zip": null, "address1": null,
        "latitude": null, "longitude": null,
    })
}
