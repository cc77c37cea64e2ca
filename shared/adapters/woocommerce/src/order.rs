//! What an order of WooCommerce says, the same for a notification's body and an answer of REST v3: they
//! are one shape (live notes 7).

use serde_json::Value;
use stagepost_domain::Timestamp;
use stagepost_domain::fact::{Coverage, ShipmentId};
use stagepost_domain::order::Lifecycle;
use stagepost_domain::package::{PACKAGES_MAX, PackageSeen, URL_MAX};
use stagepost_domain::text::truncated;

use crate::json::{each, field, when};

/// Our run's id stands under this key of an order's metadata.
pub(crate) const MARKER: &str = "_stagepost_run";
/// Where Shipment Tracking and its relatives keep an order's parcels (live notes 48).
pub(crate) const TRACKING: &str = "_wc_shipment_tracking_items";
/// The fulfillments feature tells here how much it has fulfilled (live notes §4).
const FULFILLMENT_STATUS: &str = "_fulfillment_status";

/// Longest status: WordPress keeps 20 bytes, plugins' slugs are short.
const STATUS_MAX: usize = 40;
/// Longest run id that is looked at.
const MARKER_MAX: usize = 200;

/// An order with its status.
pub(crate) struct Order<'a> {
    json: &'a Value,
    status: String,
}

/// What the metadata says of parcels.
pub(crate) enum Tracking {
    /// Nothing: the key is not there, or emptied.
    Absent,
    /// Something that no plugin we know writes.
    Garbage,
    /// Entries as stored.
    Items(Vec<Value>),
}

impl<'a> Order<'a> {
    /// An order, if it has a status and looks like one: products and coupons have ids as well, and a
    /// topic proves nothing.
    pub fn parse(json: &'a Value) -> Option<Self> {
        let status = field(json, "status", STATUS_MAX)?;
        let like_an_order = ["line_items", "billing", "order_key"].iter().any(|k| json.get(k).is_some());
        let status = status.strip_prefix("wc-").unwrap_or(&status).to_owned();
        like_an_order.then_some(Self { json, status })
    }

    /// The status, without WordPress's `wc-`.
    pub fn status(&self) -> &str {
        &self.status
    }

    /// A cart that may never be placed: opening the checkout makes one (live notes 14).
    pub fn is_draft(&self) -> bool {
        matches!(self.status.as_str(), "checkout-draft" | "auto-draft")
    }

    /// Placed only if it is paid, or waits for a payment by hand (`on-hold`), or is worked on: an order that
    /// awaits a payment online, or whose payment failed, is none until then. WooCommerce itself tells nobody
    /// of such a one (docs/adr/0007).
    pub fn is_unplaced(&self) -> bool {
        match self.status.as_str() {
            "failed" => true,
            "pending" => when(self.json, "date_paid").is_none(),
            _ => false,
        }
    }

    /// Whether it wants to be worked on.
    pub fn lifecycle(&self) -> Lifecycle {
        match self.status.as_str() {
            "trash" => Lifecycle::Trashed,
            // WooCommerce does not say when; the update time of a later edit would be a guess.
            "cancelled" | "refunded" | "failed" => Lifecycle::Cancelled { at: None },
            _ => Lifecycle::Open,
        }
    }

    /// WooCommerce's one predicate of fulfilled: the order is *completed*. The fulfillments feature, where
    /// it is switched on, counts as well, because there the order stays *processing* when all is shipped.
    ///
    /// A fulfillment of our own stands a moment before our own completion. An order with our mark that was
    /// never completed is therefore not complete yet: else our first step would look like somebody's
    /// fulfillment, and a run that was interrupted there would never take its second.
    pub fn coverage(&self) -> Coverage {
        let underway = self.marker().is_some() && self.completed_at().is_none();
        let fulfilled = match self.fulfillment_status().as_deref() {
            Some("fulfilled") if !underway => Coverage::Complete,
            Some("fulfilled" | "partially_fulfilled") => Coverage::Partial,
            _ => Coverage::None,
        };
        fulfilled.max(self.told_by_status())
    }

    /// What the status says. Tracking plugins bring three of their own (integrations §3.3): `partial-shipped` is
    /// their word for a part, so that `shipped` is the one for the whole, and `delivered` what follows it. Were a
    /// part told and not the whole, an order that goes from the one to the other would wait for the rest for ever.
    ///
    /// Where a plugin turns our own completion into one of them, it is no word of somebody else's: an order with our
    /// mark is complete when it is completed. None of them leaves a time behind as a completion does, so that nothing
    /// tells when one was taken back.
    fn told_by_status(&self) -> Coverage {
        match self.status.as_str() {
            "completed" => Coverage::Complete,
            "shipped" | "delivered" if self.marker().is_none() => Coverage::Complete,
            "partial-shipped" => Coverage::Partial,
            _ => Coverage::None,
        }
    }

    fn fulfillment_status(&self) -> Option<String> {
        field(self.meta(FULFILLMENT_STATUS)?, "value", STATUS_MAX)
    }

    /// The completion, by its time: WooCommerce has no id for it. `date_completed` survives a way back to
    /// *processing* (live notes 45), so it counts only while the order is completed.
    pub fn completion(&self) -> Option<(ShipmentId, Option<Timestamp>)> {
        let at = self.completed_at().or_else(|| self.modified_at());
        let id = at.map_or_else(|| ShipmentId("completed@unknown".to_owned()), ShipmentId::completion);
        (self.status == "completed").then_some((id, at))
    }

    /// A completion that was taken back: `date_completed` survives it.
    pub fn past_completion(&self) -> Option<(ShipmentId, Timestamp)> {
        let at = self.completed_at().filter(|_| self.status != "completed")?;
        Some((ShipmentId::completion(at), at))
    }

    /// The fulfillments of WooCommerce's own feature, taken together: an order does not list them.
    pub fn fulfillments(&self) -> Option<ShipmentId> {
        let some = matches!(self.fulfillment_status().as_deref(), Some("fulfilled" | "partially_fulfilled"));
        some.then(fulfillments_id)
    }

    /// The platform says in so many words that the order is open again: set back after a completion, or
    /// all its fulfillments taken away. An open order that never was completed only says that it is not
    /// yet, and so does a notification that was built just before our own completion.
    pub fn reopened(&self) -> bool {
        let open = matches!(self.status.as_str(), "pending" | "processing" | "on-hold");
        let taken_back = self.completed_at().is_some()
            || (self.marker().is_none() && self.fulfillment_status().as_deref() == Some("unfulfilled"));
        open && taken_back && self.coverage() < Coverage::Complete
    }

    /// Our run's id.
    pub fn marker(&self) -> Option<String> {
        field(self.meta(MARKER)?, "value", MARKER_MAX)
    }

    /// Last change.
    pub fn modified_at(&self) -> Option<Timestamp> {
        when(self.json, "date_modified")
    }

    fn completed_at(&self) -> Option<Timestamp> {
        when(self.json, "date_completed")
    }

    /// The last entry of the metadata with this key: it is the one that WooCommerce keeps.
    fn meta(&self, key: &str) -> Option<&'a Value> {
        let entries = each(self.json.get("meta_data"));
        entries.into_iter().rev().find(|m| m.get("key").and_then(Value::as_str) == Some(key))
    }

    /// What the metadata says of parcels.
    pub fn tracking(&self) -> Tracking {
        tracking(self.meta(TRACKING).and_then(|m| m.get("value")))
    }

    /// The parcels told for the order as a whole. `None` where nothing is told: that takes no parcel away
    /// that was told by other means.
    pub fn parcels(&self) -> Option<Vec<PackageSeen>> {
        let Tracking::Items(items) = self.tracking() else { return None };
        let parcels: Vec<_> = items.iter().filter_map(parcel).take(PACKAGES_MAX + 1).collect();
        (items.is_empty() || !parcels.is_empty()).then_some(parcels)
    }
}

/// Identity of what the fulfillments feature has fulfilled.
pub(crate) fn fulfillments_id() -> ShipmentId {
    ShipmentId("fulfillments".to_owned())
}

fn tracking(value: Option<&Value>) -> Tracking {
    match value {
        None | Some(Value::Null) => Tracking::Absent,
        Some(Value::String(text)) if text.trim().is_empty() => Tracking::Absent,
        Some(list @ (Value::Array(_) | Value::Object(_))) => {
            Tracking::Items(each(Some(list)).into_iter().cloned().collect())
        }
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(list @ (Value::Array(_) | Value::Object(_))) => tracking(Some(&list)),
            _ => Tracking::Garbage,
        },
        Some(_) => Tracking::Garbage,
    }
}

/// One parcel in the shape of Shipment Tracking: as stored in the metadata, or as its API answers.
pub(crate) fn parcel(item: &Value) -> Option<PackageSeen> {
    let first = |keys: &[&str]| keys.iter().find_map(|k| field(item, k, URL_MAX + 1));
    let number = first(&["tracking_number"]);
    let carrier = first(&["custom_tracking_provider", "tracking_provider", "formatted_tracking_provider"]);
    let link =
        first(&["custom_tracking_link", "tracking_link", "formatted_tracking_link", "ast_tracking_link"]);
    // A link may be a template for the number; people paste links where the number belongs.
    let link = link.map(|l| l.replace("%1$s", number.as_deref().unwrap_or_default()));
    match number {
        Some(url) if is_link(&url) => PackageSeen::parse(None, Some(&url), carrier.as_deref()),
        number => PackageSeen::parse(number.as_deref(), link.as_deref(), carrier.as_deref()),
    }
}

fn is_link(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// A word of the platform (status, error code) that may stand in an error: a slug, nothing else.
pub(crate) fn slug(text: &str) -> Option<String> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    plain.then(|| truncated(text, 80))
}
