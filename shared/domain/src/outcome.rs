//! Why something did not happen: each reason is a type, and each can be told to a person.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fulfillment::Attribution;
use crate::id::StageId;
use crate::order::Platform;

/// Why a run was decided against. It stands on the timeline with what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum SkipReason {
    /// The customer has no address.
    NoAddress,
    /// The order came by import or is older than its channel (law 3).
    Imported,
    /// The fact is older than 7 days (law 4).
    StaleFact,
    /// It is from before the table was restored from a point in time: it may have been done already.
    BeforeRestore,
    /// First seen further on: this stage was jumped (law 3).
    PassedThrough {
        /// The jumped stage.
        stage: StageId,
    },
    /// Nothing remains to fulfill (law 7).
    AlreadyFulfilled {
        /// Whose fulfillment it was.
        by: Attribution,
        /// On which platform.
        platform: Platform,
        /// When, as the platform says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// A later event took its place: the order has left the stage (law 12), or the package was told again.
    Superseded {
        /// That event.
        by_seq: u64,
    },
    /// The order is cancelled or in the trash.
    OrderCancelled,
    /// The order has no sales channel to fulfill on.
    NoChannel,
    /// The automation names a template or endpoint that is not there any more.
    TargetGone,
    /// The endpoint is switched off.
    EndpointDisabled,
    /// The order is on hold.
    OnHold,
    /// The package has arrived: there is nothing left to report.
    AlreadyDelivered,
    /// The package was taken away, or its number corrected.
    PackageRemoved,
    /// The order came into the stage by an edit of the configuration (law 4).
    ConfigurationChanged,
    /// The shop does not mail to this address any more.
    Suppressed {
        /// Why not.
        because: crate::suppression::Because,
    },
    /// The shop's mails are only rendered, not sent.
    DryRun,
    /// Whoever moved the order wanted nothing to follow from it.
    Quiet,
}

impl SkipReason {
    /// Stable word for API and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoAddress => "no_address",
            Self::Imported => "imported",
            Self::StaleFact => "stale_fact",
            Self::BeforeRestore => "before_restore",
            Self::PassedThrough { .. } => "passed_through",
            Self::AlreadyFulfilled { .. } => "already_fulfilled",
            Self::Superseded { .. } => "superseded",
            Self::OrderCancelled => "order_cancelled",
            Self::NoChannel => "no_channel",
            Self::TargetGone => "target_gone",
            Self::EndpointDisabled => "endpoint_disabled",
            Self::OnHold => "on_hold",
            Self::AlreadyDelivered => "already_delivered",
            Self::PackageRemoved => "package_removed",
            Self::ConfigurationChanged => "configuration_changed",
            Self::Suppressed { .. } => "suppressed",
            Self::DryRun => "dry_run",
            Self::Quiet => "quiet",
        }
    }
}

/// Why a real fact, or the move it asked for, was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum IgnoreReason {
    /// Automatic moves go forward only (law 8).
    NotForward,
    /// It was entered since the last manual move (law 8).
    AlreadyEntered,
    /// The order is on hold (law 9).
    OnHold,
    /// The order is cancelled or in the trash.
    OrderCancelled,
    /// Delivered before everything was shipped.
    NotAllShipped,
    /// A carrier's report from before the order existed on its platform: of another parcel that had the number.
    BeforeOrder,
    /// A scan that would undo a delivery.
    LateScan {
        /// What stands.
        status: crate::package::TrackingStatus,
    },
    /// More packages or fulfillments than an order may have.
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The package was taken away.
    PackageRemoved,
}

/// Why a fact changed nothing. Counted, never written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NoOpReason {
    /// Older than what is stored.
    Older,
    /// The same as what is stored.
    Same,
    /// The echo of a fulfillment that we made ourselves.
    OwnFulfillment,
    /// A cart, not an order yet.
    Draft,
    /// A fulfillment that is not shipped yet.
    NotShipped,
    /// Nothing here has that id.
    UnknownOrder,
    /// The order is there already.
    SameStage,
    /// The order holds no such package.
    UnknownPackage,
    /// The order is not on hold.
    NotHeld,
    /// The order is on hold already.
    AlreadyHeld,
    /// The order is in a flow already.
    AlreadyPlaced,
}
