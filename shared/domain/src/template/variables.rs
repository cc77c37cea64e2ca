//! What a template's variables stand for in one mail.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::order::{Order, Snapshot};
use crate::package::Package;
use crate::text::tidy;

/// What the variables stand for in one mail. A name that is not known is empty, never missing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Variables {
    /// As the shop prints it.
    pub order_number: String,
    /// Empty for a customer without a name.
    pub customer_name: String,
    /// The stage's name when the order entered it.
    pub stage_name: String,
    /// Opens the order's tracking.
    pub tracking_url: String,
    /// The stage's description when the order entered it.
    pub stage_description: String,
    /// The shop's name.
    pub shop_name: String,
    /// The day of the order, `2026-11-20`, in UTC.
    pub order_date: String,
    /// With its currency, `19.00 EUR`.
    pub order_total: String,
    /// The carriers of its packages, each once.
    pub carrier: String,
    /// Who ordered.
    pub customer: CustomerName,
    /// What was ordered, the first 100.
    pub items: Vec<Item>,
    /// Its packages, those taken away left out.
    pub packages: Vec<Parcel>,
}

/// Who ordered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerName {
    /// Full name.
    pub name: String,
    /// Its first word.
    pub first_name: String,
}

/// A line of the order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Item {
    /// Title.
    pub title: String,
    /// Stock-keeping unit.
    pub sku: String,
    /// Pieces.
    pub quantity: String,
    /// Price of one.
    pub price: String,
}

/// A package.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Parcel {
    /// Tracking number.
    pub number: String,
    /// The carrier's page; the order's tracking page where the carrier's is not known.
    pub url: String,
    /// The carrier's name.
    pub carrier: String,
}

/// What a mail says of the moment that it is about.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// The shop's name.
    pub shop_name: &'a str,
    /// The stage's name.
    pub stage_name: &'a str,
    /// The stage's description.
    pub stage_description: Option<&'a str>,
    /// Opens the order's tracking.
    pub tracking_url: &'a str,
}

impl Variables {
    /// Those of an order, its people and its packages on an occasion.
    #[must_use]
    pub fn of(order: &Order, snapshot: &Snapshot, packages: &[Package], occasion: Occasion<'_>) -> Self {
        let name = snapshot.customer.name.clone().unwrap_or_default();
        let packages: Vec<Parcel> = packages
            .iter()
            .filter(|package| !package.removed)
            .map(|package| Parcel::of(package, occasion.tracking_url))
            .collect();
        Self {
            order_number: order.number.clone(),
            stage_name: occasion.stage_name.to_owned(),
            tracking_url: occasion.tracking_url.to_owned(),
            stage_description: occasion.stage_description.unwrap_or_default().to_owned(),
            shop_name: occasion.shop_name.to_owned(),
            order_date: day(order.created_at),
            order_total: total(snapshot),
            carrier: carriers(&packages),
            customer: CustomerName {
                first_name: name.split_whitespace().next().unwrap_or_default().to_owned(),
                name: name.clone(),
            },
            customer_name: name,
            items: snapshot.lines.iter().map(Item::of).collect(),
            packages,
        }
    }

    /// Whether a mail with this variable would say nothing there; of a list's field, whether any entry would.
    #[must_use]
    pub fn lacks(&self, name: &str) -> bool {
        if let Some(field) = name.strip_prefix("items.") {
            return self.items.iter().any(|item| item.field(field).is_empty());
        }
        if let Some(field) = name.strip_prefix("packages.") {
            return self.packages.iter().any(|parcel| parcel.field(field).is_empty());
        }
        match name {
            "items" => self.items.is_empty(),
            "packages" => self.packages.is_empty(),
            name => self.text(name).is_empty(),
        }
    }

    fn text(&self, name: &str) -> &str {
        match name {
            "orderNumber" => &self.order_number,
            "customerName" => &self.customer_name,
            "stageName" => &self.stage_name,
            "trackingUrl" => &self.tracking_url,
            "stageDescription" => &self.stage_description,
            "shopName" => &self.shop_name,
            "orderDate" => &self.order_date,
            "orderTotal" => &self.order_total,
            "carrier" => &self.carrier,
            "customer.name" => &self.customer.name,
            "customer.firstName" => &self.customer.first_name,
            _ => "",
        }
    }
}

impl Item {
    fn of(line: &crate::order::Line) -> Self {
        Self {
            title: line.title.clone(),
            sku: line.sku.clone().unwrap_or_default(),
            quantity: line.quantity.clone(),
            price: line.price.clone().unwrap_or_default(),
        }
    }

    fn field(&self, name: &str) -> &str {
        match name {
            "title" => &self.title,
            "sku" => &self.sku,
            "quantity" => &self.quantity,
            "price" => &self.price,
            _ => "",
        }
    }
}

impl Parcel {
    fn of(package: &Package, otherwise: &str) -> Self {
        let seen = &package.seen;
        Self {
            number: seen.number.clone().unwrap_or_default(),
            url: seen.url.clone().unwrap_or_else(|| otherwise.to_owned()),
            carrier: seen.carrier.clone().unwrap_or_default(),
        }
    }

    fn field(&self, name: &str) -> &str {
        match name {
            "number" => &self.number,
            "url" => &self.url,
            "carrier" => &self.carrier,
            _ => "",
        }
    }
}

fn day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).date().to_string()
}

fn total(snapshot: &Snapshot) -> String {
    let amount = snapshot.total.as_deref().unwrap_or_default();
    let currency = snapshot.currency.as_deref().filter(|_| !amount.is_empty()).unwrap_or_default();
    tidy(&format!("{amount} {currency}"), 80).unwrap_or_default()
}

fn carriers(packages: &[Parcel]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for parcel in packages.iter().filter(|parcel| !parcel.carrier.is_empty()) {
        if !names.contains(&parcel.carrier.as_str()) {
            names.push(&parcel.carrier);
        }
    }
    names.join(", ")
}
