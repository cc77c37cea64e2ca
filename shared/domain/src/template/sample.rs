//! Orders that are made up: to check a template against the fullest, and to preview it without one.

use crate::order::{FIELD_MAX, LINES_MAX};
use crate::package::{NUMBER_MAX, PACKAGES_MAX, URL_MAX};

use super::{CustomerName, Item, Parcel, Variables};

impl Variables {
    /// The most that any order can have of everything, in plain letters.
    #[must_use]
    pub(super) fn fullest() -> Self {
        let text = |length: usize| "m".repeat(length);
        let field = || text(FIELD_MAX);
        let item = Item { title: field(), sku: field(), quantity: field(), price: field() };
        let parcel = Parcel { number: text(NUMBER_MAX), url: text(URL_MAX), carrier: field() };
        Self {
            order_number: field(),
            customer_name: field(),
            stage_name: field(),
            tracking_url: text(URL_MAX),
            // 500 characters of four bytes.
            stage_description: text(2_000),
            shop_name: text(320),
            order_date: field(),
            order_total: field(),
            carrier: text(PACKAGES_MAX * 62),
            customer: CustomerName { name: field(), first_name: field() },
            items: vec![item; LINES_MAX],
            packages: vec![parcel; PACKAGES_MAX],
        }
    }

    /// An order that nobody made, for a preview without a real one.
    #[must_use]
    pub fn invented(shop_name: &str, tracking_url: &str) -> Self {
        let text = str::to_owned;
        let item = |title, sku, quantity, price| Item {
            title: text(title),
            sku: text(sku),
            quantity: text(quantity),
            price: text(price),
        };
        Self {
            order_number: text("#1001"),
            customer_name: text("Ada Lovelace"),
            stage_name: text("Shipped"),
            tracking_url: text(tracking_url),
            stage_description: text("Your parcel is with the carrier."),
            shop_name: text(shop_name),
            order_date: text("2026-11-20"),
            order_total: text("34.90 EUR"),
            carrier: text("UPS"),
            customer: CustomerName { name: text("Ada Lovelace"), first_name: text("Ada") },
            items: vec![
                item("Paper boat, blue", "BOAT-BLUE", "2", "9.50"),
                item("Art print “Harbour”, A3", "PRINT-A3", "1", "15.90"),
            ],
            packages: vec![Parcel {
                number: text("1Z999AA10123456784"),
                url: text("https://www.ups.com/track?tracknum=1Z999AA10123456784"),
                carrier: text("UPS"),
            }],
        }
    }
}
