//! Packages: parcels of an order, as their carriers see them.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::id::{CarrierId, PackageId};
use crate::text::{Invalid, tidy};

/// Most packages that one order may have.
pub const PACKAGES_MAX: usize = 50;
/// Most packages that are kept of one order, those taken away included: all of them, the order, its event,
/// snapshot and webhook body are what one transaction of 100 items can write.
pub const PACKAGES_KEPT_MAX: usize = 96;
/// Checkpoints kept of a package, newest last.
pub const CHECKPOINTS_MAX: usize = 20;
/// A parcel under way is scanned within this, or its service has lost a notification.
pub const NEWS_WITHIN: SignedDuration = SignedDuration::from_hours(48);
/// A parcel that nobody saw for so long is not asked for again.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Longest tracking number, in bytes.
pub const NUMBER_MAX: usize = 100;
/// Longest tracking URL, in bytes.
pub const URL_MAX: usize = 1_000;

/// Where a parcel is, in the words common to all carriers (integrations §5.0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TrackingStatus {
    /// The carrier says nothing that we know.
    #[default]
    Unknown,
    /// A label exists.
    PreTransit,
    /// On its way.
    InTransit,
    /// On the van.
    OutForDelivery,
    /// Waiting at a pick-up point.
    AvailableForPickup,
    /// Nobody was there.
    AttemptFailed,
    /// Damaged, lost, held.
    Exception,
    /// The label was cancelled or expired.
    Cancelled,
    /// Delivered.
    Delivered,
    /// On its way back, even after a delivery.
    ReturnToSender,
}

impl TrackingStatus {
    /// Ranks for "never back from delivered, except to its return". States before the delivery follow the
    /// carrier's clock among themselves: a parcel can really go from the van back to the depot.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::PreTransit
            | Self::InTransit
            | Self::OutForDelivery
            | Self::AvailableForPickup
            | Self::AttemptFailed
            | Self::Exception
            | Self::Cancelled => 1,
            Self::Delivered => 2,
            Self::ReturnToSender => 3,
        }
    }
}

/// Upper-case letters and digits only: how two spellings of one tracking number are compared.
#[must_use]
pub fn normalised_number(number: &str) -> String {
    number.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect()
}

/// A parcel as somebody told us of it: at least a number or a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageSeen {
    /// Tracking number, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The carrier's tracking page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The carrier's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
}

impl PackageSeen {
    /// Tidies what was sent; `None` when neither a number nor an http(s) URL is left.
    #[must_use]
    pub fn parse(number: Option<&str>, url: Option<&str>, carrier: Option<&str>) -> Option<Self> {
        let number = number.and_then(|n| tidy(n, NUMBER_MAX)).filter(|n| !normalised_number(n).is_empty());
        let url = url.filter(|u| u.len() <= URL_MAX).and_then(web_url);
        if number.is_none() && url.is_none() {
            return None;
        }
        Some(Self { number, url, carrier: carrier.and_then(|c| tidy(c, 60)) })
    }

    /// Takes over what it does not say itself: a platform often knows a carrier's link only later.
    pub(crate) fn fill_from(&mut self, other: &Self) {
        self.carrier = self.carrier.take().or_else(|| other.carrier.clone());
        self.url = self.url.take().or_else(|| other.url.clone());
    }

    /// The package's id: by number if there is one, else by URL. A corrected number is a new package.
    #[must_use]
    pub fn id(&self) -> PackageId {
        match (&self.number, &self.url) {
            (Some(number), _) => PackageId::derive(&format!("n:{}", normalised_number(number))),
            (None, url) => PackageId::derive(&format!("u:{}", url.as_deref().unwrap_or_default())),
        }
    }
}

/// What somebody corrects about a parcel; what they do not name stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackagePatch {
    /// Another number, or none. The link that went with the old one goes, unless another is given.
    pub number: Option<Option<String>>,
    /// Another link, or none.
    pub url: Option<Option<String>>,
    /// Another carrier, or none.
    pub carrier: Option<Option<String>>,
}

impl PackagePatch {
    /// Reads what somebody writes; what is left out stays, and none takes away.
    ///
    /// # Errors
    /// A number without letters or digits, or what is no link.
    pub fn parse(
        number: Option<Option<String>>,
        url: Option<Option<String>>,
        carrier: Option<Option<String>>,
    ) -> Result<Self, Vec<Invalid>> {
        let usable = |number, url| PackageSeen::parse(number, url, None).is_some();
        let mut wrong = Vec::new();
        if number.iter().flatten().any(|number| !usable(Some(number), None)) {
            wrong.push(Invalid::new("number", "must have letters or digits"));
        }
        if url.iter().flatten().any(|url| !usable(None, Some(url))) {
            wrong.push(Invalid::new("url", format!("must be an http(s) URL of at most {URL_MAX} bytes")));
        }
        if wrong.is_empty() { Ok(Self { number, url, carrier }) } else { Err(wrong) }
    }

    /// The parcel as corrected; `None` when neither a number nor a link is left.
    pub(crate) fn of(&self, seen: &PackageSeen) -> Option<PackageSeen> {
        let number = self.number.clone().unwrap_or_else(|| seen.number.clone());
        let same = |a: &Option<String>| a.as_deref().map(normalised_number);
        let kept = seen.url.clone().filter(|_| same(&number) == same(&seen.number));
        let url = self.url.clone().unwrap_or(kept);
        let carrier = self.carrier.clone().unwrap_or_else(|| seen.carrier.clone());
        PackageSeen::parse(number.as_deref(), url.as_deref(), carrier.as_deref())
    }
}

/// Only links that a browser may follow: `javascript:` never reaches a mail.
fn web_url(text: &str) -> Option<String> {
    let url = url::Url::parse(text.trim()).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.to_string())
}

/// One scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Checkpoint {
    /// By the carrier's clock.
    pub at: Timestamp,
    /// What it meant.
    pub status: TrackingStatus,
    /// The carrier's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Minutes that the clock there is ahead of UTC, if the carrier said so: customers read the parcel's own time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<i16>,
}

/// Where a parcel was reported to be, without words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Where.
    pub status: TrackingStatus,
    /// When.
    pub at: Timestamp,
}

impl From<Report> for Checkpoint {
    fn from(report: Report) -> Self {
        Self { at: report.at, status: report.status, detail: None, offset: None }
    }
}

/// A parcel of an order, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its id within the order.
    pub id: PackageId,
    /// How it was told.
    #[serde(flatten)]
    pub seen: PackageSeen,
    /// When we were told of it, by our clock: what a call before that cannot have sent. `None` until it is
    /// decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<Timestamp>,
    /// Where it is.
    pub status: TrackingStatus,
    /// High-water mark of its tracking facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Timestamp>,
    /// When the carrier delivered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    /// The fulfillment that brought it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipment: Option<String>,
    /// The event that had it registered with a carrier service: its run tells what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_by: Option<u64>,
    /// The integration that it was registered with, or decided not to be. `None` also of those registered before
    /// that was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_with: Option<CarrierId>,
    /// Taken away by hand, or with its fulfillment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// The last scans, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checkpoints: Vec<Checkpoint>,
}

impl Package {
    /// A parcel that no carrier has spoken of yet.
    #[must_use]
    pub fn new(seen: PackageSeen, shipment: Option<String>) -> Self {
        let id = seen.id();
        Self {
            id,
            seen,
            told_at: None,
            status: TrackingStatus::Unknown,
            mark: None,
            delivered_at: None,
            shipment,
            registered_by: None,
            registered_with: None,
            removed: false,
            checkpoints: Vec::new(),
        }
    }

    /// The same without what carriers said of it, which may name people; `None` if they said nothing.
    #[must_use]
    pub fn without_words(&self) -> Option<Self> {
        let mut bare = self.clone();
        for scan in &mut bare.checkpoints {
            scan.detail = None;
        }
        (bare != *self).then_some(bare)
    }

    /// Whether its carrier service owes us news: registered, under way, and silent for two days. One that has
    /// been silent for a month is given up.
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        let heard = self.mark.max(self.told_at);
        let silence = heard.map_or(SignedDuration::ZERO, |at| now.duration_since(at));
        self.registered_by.is_some()
            && !self.removed
            && self.is_under_way()
            && silence >= NEWS_WITHIN
            && silence < GIVEN_UP_AFTER
    }

    /// Whether there is something left to report: it has neither arrived nor turned back.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.status.rank() < TrackingStatus::Delivered.rank()
    }

    /// Whether it counts as delivered. A parcel on its way back was delivered or never will be: it does
    /// not count.
    #[must_use]
    pub fn delivered(&self) -> bool {
        self.status == TrackingStatus::Delivered
    }
}

/// Whether an order with these packages takes no further one.
#[must_use]
pub fn is_full(packages: &[Package]) -> bool {
    packages.len() >= PACKAGES_KEPT_MAX || packages.iter().filter(|p| !p.removed).count() >= PACKAGES_MAX
}

/// How an order's packages stand together; kept on the order so that no decision has to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rollup {
    /// Packages not taken away.
    #[serde(default)]
    pub total: u16,
    /// Of these, delivered.
    #[serde(default)]
    pub delivered: u16,
    /// The platform tells of more than are kept: nobody knows whether those have arrived.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

impl Rollup {
    /// Counts packages.
    #[must_use]
    pub fn of<'a>(packages: impl Iterator<Item = &'a Package>) -> Self {
        packages.filter(|p| !p.removed).fold(Self::default(), |sum, p| Self {
            total: sum.total.saturating_add(1),
            delivered: sum.delivered.saturating_add(u16::from(p.delivered())),
            more: false,
        })
    }

    /// Whether there is something and all of it is delivered.
    #[must_use]
    pub fn all_delivered(self) -> bool {
        self.total > 0 && self.delivered == self.total && !self.more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_says_what_stays_what_goes_and_what_cannot_be() {
        let some = |text: &str| Some(Some(text.to_owned()));
        let patch = PackagePatch::parse(some("1Z1"), Some(None), None).unwrap();
        assert_eq!(patch, PackagePatch { number: some("1Z1"), url: Some(None), carrier: None });
        let wrong = PackagePatch::parse(some(" - "), some("javascript:alert(1)"), some("UPS")).unwrap_err();
        assert_eq!(wrong.iter().map(|wrong| wrong.field.as_str()).collect::<Vec<_>>(), ["number", "url"]);
        let long = format!("https://a.test/{}", "a".repeat(URL_MAX));
        assert!(PackagePatch::parse(None, some(&long), None).is_err());
    }
}
