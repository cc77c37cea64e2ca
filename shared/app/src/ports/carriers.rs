//! Carrier services.

use stagepost_domain::fact::TrackingFact;
use stagepost_domain::package::PackageSeen;
use stagepost_domain::shop::CarrierIntegration;

use super::acting::ActError;

/// A carrier integration with its credentials opened, for one use.
#[derive(Clone)]
pub struct CarrierAccess {
    /// The integration.
    pub carrier: CarrierIntegration,
    /// EasyPost's API key.
    pub credentials: String,
}

/// A tracker as its carrier service shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracker {
    /// Its id there, at most [`TRACKER_ID_MAX`] bytes.
    pub id: String,
    /// What it says of the parcel, read as a notification is; nothing if it says nothing that can be read.
    pub fact: Option<TrackingFact>,
}

/// Longest id of a tracker, in bytes.
pub const TRACKER_ID_MAX: usize = 100;

/// A carrier service's API: what it reports is what it was asked to report.
pub trait TrackerService: Send + Sync {
    /// Asks for a parcel's reports. Asked again for the same parcel it gives the tracker that is there.
    fn register(
        &self,
        access: &CarrierAccess,
        parcel: &PackageSeen,
    ) -> impl Future<Output = Result<Tracker, ActError>> + Send;
    /// A tracker as it stands now.
    fn fetch(
        &self,
        access: &CarrierAccess,
        tracker: &str,
    ) -> impl Future<Output = Result<Tracker, ActError>> + Send;
    /// Whether the service takes our key: a call that changes nothing.
    fn probe(&self, access: &CarrierAccess) -> impl Future<Output = Result<(), ActError>> + Send;
}
