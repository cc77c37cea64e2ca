//! Payloads here are our own, shaped by the facts; recorded ones are read where they are present.

mod client;
mod fixtures;
mod read;
mod store;

use serde_json::{Value, json};
use stagepost_domain::Timestamp;
use stagepost_domain::id::{ChannelId, ShopId};
use stagepost_domain::keyring::Keyring;
use stagepost_domain::order::Platform;
use stagepost_domain::shop::{Channel, Sealed};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn channel() -> Channel {
    Channel {
        id: ChannelId::parse("chan_woo").unwrap(),
        shop: ShopId::parse("shop_a").unwrap(),
        platform: Platform::Woocommerce,
        name: "Shop".into(),
        store: "https://shop.example".into(),
        default_flow: None,
        armed_at: at("2026-01-01T00:00:00Z"),
        webhook_secrets: Keyring::new(Sealed("sealed".into())),
        credentials: None,
        version: 1,
    }
}

/// An order in the shape of REST v3, one hour east of Greenwich.
fn order(status: &str) -> Value {
    json!({
        "id": 79, "status": status, "currency": "EUR", "total": "24.08", "number": "79",
        "order_key": "wc_order_secret", "payment_url": "https://shop.example/pay?key=wc_order_secret",
        "date_created": "2026-11-22T10:14:39", "date_created_gmt": "2026-11-22T09:14:39",
        "date_modified": "2026-11-22T10:15:00", "date_modified_gmt": "2026-11-22T09:15:00",
        "date_completed": null, "date_completed_gmt": null,
        "billing": { "first_name": "Ann", "last_name": "O&#8217;Conner", "company": "", "address_1": "High St 1",
            "address_2": "", "city": "Leeds", "state": "", "postcode": "LS1", "country": "GB",
            "email": "ann@example.test", "phone": "+44 1" },
        "shipping": { "first_name": "", "last_name": "", "company": "", "address_1": "", "address_2": "",
            "city": "", "state": "", "postcode": "", "country": "", "phone": "" },
        "line_items": [
            { "id": 7, "name": "Mug &amp; spoon", "quantity": 2, "sku": "MUG", "price": 9.950000000000001 },
            { "id": 8, "name": "Plate", "quantity": 1, "sku": "", "price": "4.18" }
        ],
        "meta_data": []
    })
}

fn completed(mut order: Value) -> Value {
    order["status"] = "completed".into();
    order["date_completed"] = "2026-11-22T10:20:00".into();
    order["date_completed_gmt"] = "2026-11-22T09:20:00".into();
    order["date_modified_gmt"] = "2026-11-22T09:20:01".into();
    order
}

fn with_meta(mut order: Value, key: &str, value: Value) -> Value {
    let meta = order["meta_data"].as_array_mut().unwrap();
    meta.retain(|m| m["key"] != key);
    meta.push(json!({ "id": 1, "key": key, "value": value }));
    order
}
