//! An order as REST v3 and webhooks show it: one shape (live notes 7).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::state::{Fulfillment, Meta, Note, Order};
use crate::json::{money, time};
use crate::spec::LineSpec;

/// The site's zone, in hours from UTC.
const ZONE: i8 = 1;
/// No zone, no offset, whole seconds.
const FORMAT: &str = "%Y-%m-%dT%H:%M:%S";

fn local(at: Timestamp) -> String {
    time(at, ZONE, FORMAT)
}

fn gmt(at: Timestamp) -> String {
    time(at, 0, FORMAT)
}

/// The whole order.
pub(super) fn order(order: &Order, site: &str) -> Value {
    let mut body = head(order, site);
    for part in [dates(order), amounts(order), people(order)] {
        if let (Some(body), Value::Object(part)) = (body.as_object_mut(), part) {
            body.extend(part);
        }
    }
    body
}

fn head(order: &Order, site: &str) -> Value {
    let key = format!("wc_order_{:013x}", order.id.wrapping_mul(0x9e37_79b9));
    let pay = format!("{site}/checkout/order-pay/{}/?pay_for_order=true&key={key}", order.id);
    let api = format!("{site}/wp-json/wc/v3/orders");
    json!({
        "id": order.id,
        "parent_id": 0,
        "number": order.id.to_string(),
        "order_key": key,
        "status": order.status,
        "version": "10.0.2",
        "created_via": "checkout",
        "customer_id": 0,
        "customer_ip_address": "",
        "customer_user_agent": "",
        "customer_note": "",
        "payment_method": "bacs",
        "payment_method_title": "Direct bank transfer",
        "transaction_id": "",
        "cart_hash": "",
        "payment_url": pay,
        "is_editable": matches!(order.status.as_str(), "pending" | "on-hold" | "auto-draft"),
        "needs_payment": false,
        "needs_processing": true,
        "meta_data": order.meta.iter().map(meta).collect::<Vec<_>>(),
        "_links": {
            "self": [{ "href": format!("{api}/{}", order.id),
                "targetHints": { "allow": ["GET", "POST", "PUT", "PATCH", "DELETE"] } }],
            "collection": [{ "href": api }],
        },
    })
}

fn dates(order: &Order) -> Value {
    json!({
        "date_created": local(order.created),
        "date_created_gmt": gmt(order.created),
        "date_modified": local(order.modified),
        "date_modified_gmt": gmt(order.modified),
        "date_completed": order.completed.map(local),
        "date_completed_gmt": order.completed.map(gmt),
        "date_paid": order.paid.map(local),
        "date_paid_gmt": order.paid.map(gmt),
    })
}

fn amounts(order: &Order) -> Value {
    json!({
        "currency": order.spec.currency,
        "currency_symbol": if order.spec.currency == "EUR" { "€" } else { "$" },
        "prices_include_tax": false,
        "discount_total": "0.00",
        "discount_tax": "0.00",
        "shipping_total": "0.00",
        "shipping_tax": "0.00",
        "cart_tax": "0.00",
        "total": money(order.spec.total()),
        "total_tax": "0.00",
        "line_items": order.lines.iter().map(|(id, spec)| line(*id, spec)).collect::<Vec<_>>(),
        "tax_lines": [],
        "shipping_lines": [{ "id": order.id, "method_title": "Flat rate", "method_id": "flat_rate",
            "instance_id": "1", "total": "0.00", "total_tax": "0.00", "taxes": [], "tax_status": "taxable",
            "meta_data": [] }],
        "fee_lines": [],
        "coupon_lines": [],
        "refunds": [],
    })
}

fn line(id: u64, spec: &LineSpec) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "WooCommerce writes the price as an unrounded float")]
    let price = spec.cents as f64 / 100.0;
    json!({
        "id": id,
        "name": spec.title,
        "parent_name": null,
        "product_id": id + 1_000,
        "variation_id": 0,
        "quantity": spec.quantity,
        "tax_class": "",
        "subtotal": money(spec.total()),
        "subtotal_tax": "0.00",
        "total": money(spec.total()),
        "total_tax": "0.00",
        "taxes": [],
        "meta_data": [],
        "sku": spec.sku,
        "price": price,
        "image": { "id": "", "src": "" },
    })
}

/// A checkout that is only open has neither name nor address (live notes 14). A missing e-mail is "".
fn people(order: &Order) -> Value {
    let placed = order.status != "checkout-draft";
    let text = |text: &str| if placed { text.to_owned() } else { String::new() };
    let spec = &order.spec;
    let address = json!({
        "first_name": text(&spec.first_name),
        "last_name": text(&spec.last_name),
        "company": "",
        "address_1": text(&order.street),
        "address_2": "",
        "city": text("Prague"),
        "state": "",
        "postcode": text("110 00"),
        "country": "CZ",
        "phone": text(spec.phone.as_deref().unwrap_or_default()),
    });
    let mut billing = address.clone();
    if let Some(billing) = billing.as_object_mut() {
        billing.insert("email".to_owned(), json!(text(spec.email.as_deref().unwrap_or_default())));
    }
    json!({ "billing": billing, "shipping": address })
}

fn meta(meta: &Meta) -> Value {
    json!({ "id": meta.id, "key": meta.key, "value": meta.value })
}

/// A note of an order.
pub(super) fn note(note: &Note) -> Value {
    json!({
        "id": note.id,
        "author": "WooCommerce",
        "date_created": local(note.at),
        "date_created_gmt": gmt(note.at),
        "note": note.text,
        "customer_note": note.customer,
    })
}

/// A fulfillment: times are site-local with a blank, the order's id is a text (live notes §4).
pub(super) fn fulfillment(order: u64, f: &Fulfillment) -> Value {
    json!({
        "id": f.id,
        "entity_type": "WC_Order",
        "entity_id": order.to_string(),
        "is_fulfilled": f.is_fulfilled(),
        "status": f.status,
        "date_updated": time(f.at, ZONE, "%Y-%m-%d %H:%M:%S"),
        "meta_data": f.meta.iter().map(meta).collect::<Vec<_>>(),
    })
}

/// An entry of the plugins' list as the Shipment Tracking extension's API answers it.
pub(super) fn tracking(entry: &Value) -> Value {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
    let either = |a: &str, b: &str| if text(a).is_empty() { text(b).to_owned() } else { text(a).to_owned() };
    json!({
        "tracking_id": text("tracking_id"),
        "tracking_provider": either("custom_tracking_provider", "tracking_provider"),
        "tracking_link": text("custom_tracking_link"),
        "tracking_number": text("tracking_number"),
        "date_shipped": text("date_shipped"),
    })
}
