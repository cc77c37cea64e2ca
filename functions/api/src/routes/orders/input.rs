//! Orders and packages as somebody writes them.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use stagepost_domain::Timestamp;
use stagepost_domain::fact::{OrderFact, WrittenOrder};
use stagepost_domain::id::FlowId;
use stagepost_domain::order::{Customer, FIELD_MAX, LINES_MAX, Line, Snapshot};
use stagepost_domain::package::{PACKAGES_MAX, PackagePatch, PackageSeen};
use stagepost_domain::text::{Invalid, tidy};

/// An order as somebody writes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderInput {
    /// The caller's own id of the order: the same again is the same order.
    #[schemars(length(min = 1, max = 100))]
    external_id: String,
    /// As the shop prints it; the external id unless said.
    number: Option<String>,
    /// Who ordered.
    #[serde(default)]
    customer: CustomerInput,
    /// What was ordered.
    #[serde(default)]
    #[schemars(length(max = 100))]
    lines: Vec<LineInput>,
    /// Total, as a person would read it.
    total: Option<String>,
    /// ISO 4217.
    currency: Option<String>,
    /// Where it goes, one line each; the first 10 are kept.
    #[serde(default)]
    ship_to: Vec<String>,
    /// Its parcels; left out, they stay as they are.
    #[schemars(length(max = 50))]
    packages: Option<Vec<PackageInput>>,
    /// The flow for an order that is new.
    flow: Option<FlowId>,
}

/// Who ordered.
#[derive(Debug, Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CustomerInput {
    /// Full name.
    name: Option<String>,
    /// Where mail goes.
    email: Option<String>,
    /// Phone.
    phone: Option<String>,
}

/// One line of an order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LineInput {
    /// Title.
    title: String,
    /// Stock-keeping unit.
    sku: Option<String>,
    /// Pieces.
    quantity: u32,
    /// Price of one.
    price: Option<String>,
}

/// A parcel: a tracking number, or an http(s) URL, or both.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PackageInput {
    /// Tracking number.
    number: Option<String>,
    /// The carrier's tracking page.
    url: Option<String>,
    /// The carrier's name.
    carrier: Option<String>,
}

impl PackageInput {
    /// As a parcel seen; `field` is where the input stands.
    pub fn seen(&self, field: &str) -> Result<PackageSeen, Invalid> {
        PackageSeen::parse(self.number.as_deref(), self.url.as_deref(), self.carrier.as_deref())
            .ok_or_else(|| Invalid::new(field, "needs a tracking number, or an http(s) URL, or both"))
    }
}

/// What to correct about a parcel; what is left out stays, `null` takes it away.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PackagePatchInput {
    /// Another tracking number. It makes another package: the one before is taken away with its link, unless a
    /// link is given as well.
    #[serde(deserialize_with = "said")]
    number: Option<Option<String>>,
    /// The carrier's tracking page.
    #[serde(deserialize_with = "said")]
    url: Option<Option<String>>,
    /// The carrier's name.
    #[serde(deserialize_with = "said")]
    carrier: Option<Option<String>>,
}

/// Tells `null` from nothing said.
fn said<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(value).map(Some)
}

impl PackagePatchInput {
    /// As a patch.
    pub fn patch(self) -> Result<PackagePatch, Vec<Invalid>> {
        PackagePatch::parse(self.number, self.url, self.carrier)
    }
}

impl OrderInput {
    /// As a fact, told now.
    pub fn fact(&self, now: Timestamp) -> Result<OrderFact, Vec<Invalid>> {
        let mut wrong = Vec::new();
        let packages = self.packages(&mut wrong);
        if self.lines.len() > LINES_MAX {
            wrong.push(Invalid::new("lines", format!("at most {LINES_MAX} are taken")));
        }
        let written = WrittenOrder {
            external_id: self.external_id.clone(),
            number: self.number.clone(),
            snapshot: self.snapshot(),
            packages,
            flow: self.flow.clone(),
            by: None,
        };
        match written.fact(now) {
            Ok(fact) if wrong.is_empty() => Ok(fact),
            other => {
                wrong.extend(other.err().unwrap_or_default());
                Err(wrong)
            }
        }
    }

    fn packages(&self, wrong: &mut Vec<Invalid>) -> Option<Vec<PackageSeen>> {
        let inputs = self.packages.as_ref()?;
        if inputs.len() > PACKAGES_MAX {
            wrong.push(Invalid::new("packages", format!("at most {PACKAGES_MAX} are taken")));
            return None;
        }
        let mut seen = Vec::with_capacity(inputs.len());
        for (i, input) in inputs.iter().enumerate() {
            match input.seen(&format!("packages[{i}]")) {
                Ok(package) => seen.push(package),
                Err(e) => wrong.push(e),
            }
        }
        Some(seen)
    }

    fn snapshot(&self) -> Snapshot {
        let text = |value: &Option<String>| value.as_deref().and_then(|v| tidy(v, FIELD_MAX));
        let line = |l: &LineInput| Line {
            title: tidy(&l.title, FIELD_MAX).unwrap_or_default(),
            sku: text(&l.sku),
            quantity: l.quantity.to_string(),
            price: text(&l.price),
        };
        Snapshot {
            customer: Customer {
                name: text(&self.customer.name),
                email: text(&self.customer.email),
                phone: text(&self.customer.phone),
            },
            ship_to: self.ship_to.iter().take(10).filter_map(|l| tidy(l, FIELD_MAX)).collect(),
            lines: self.lines.iter().map(line).collect(),
            line_count: u32::try_from(self.lines.len()).unwrap_or(u32::MAX),
            total: text(&self.total),
            currency: text(&self.currency),
            platform_status: None,
        }
    }
}
