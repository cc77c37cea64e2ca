//! Facts: what the outside says is so, normalised. State, not events: a notification's topic proves
//! nothing, its payload's own update time does.

mod written;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{Actor, Cause};
use crate::id::{FlowId, StageId};
use crate::order::{Lifecycle, Snapshot, Source};
use crate::package::{Checkpoint, PackagePatch, PackageSeen, TrackingStatus};

pub use written::{EXTERNAL_ID_MAX, WrittenOrder};

/// Identity of one fulfillment on its platform: Shopify's fulfillment id, or for WooCommerce, which has
/// none, the completion time (`completed@…`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShipmentId(pub String);

impl ShipmentId {
    /// The completion of a whole order at that time.
    #[must_use]
    pub fn completion(at: Timestamp) -> Self {
        Self(format!("completed@{at}"))
    }

    /// When the order was completed, if this is a completion: it leaves nothing to fulfill.
    #[must_use]
    pub fn completed_at(&self) -> Option<Timestamp> {
        self.0.strip_prefix("completed@")?.parse().ok()
    }
}

/// How much of an order is fulfilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// Nothing.
    #[default]
    None,
    /// Something, not all.
    Partial,
    /// Nothing remains to fulfill.
    Complete,
}

/// One fulfillment as a platform shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShipmentSeen {
    /// Its identity.
    pub id: ShipmentId,
    /// The payload's own update time.
    pub updated_at: Timestamp,
    /// False once it was cancelled.
    pub active: bool,
    /// Its parcels.
    pub packages: Vec<PackageSeen>,
    /// How they stand, where the platform follows them itself.
    pub report: Option<Checkpoint>,
}

/// The fulfillment part of an order as a platform shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FulfillmentSeen {
    /// How much is fulfilled, by the channel's one predicate.
    pub coverage: Coverage,
    /// The fulfillments listed.
    pub shipments: Vec<ShipmentSeen>,
    /// Parcels told for the order as a whole; `None` when the platform does not say.
    pub packages: Option<Vec<PackageSeen>>,
    /// The platform says in so many words that the order is open (a WooCommerce order set back from
    /// *completed*). Shopify says it by a cancelled fulfillment instead.
    pub reopened: bool,
    /// Our run's id, if the platform kept it in the order's metadata (WooCommerce). It tells whose a
    /// fulfillment is that is seen while that run holds the lock.
    pub marker: Option<String>,
}

/// How an order reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A notification or an API call, as it happens.
    Live,
    /// Import or back-fill: adopted silently.
    Import,
}

/// A part of an order that a source may have no word for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The name of who ordered: what stands in its place is the recipient's.
    CustomerName,
    /// Where mail goes.
    CustomerEmail,
    /// The phone of who ordered: what stands in its place is the recipient's.
    CustomerPhone,
    /// The lines behind those that are listed.
    MoreLines,
    /// With how many digits an amount is written.
    Digits,
}

/// An order as a platform (or the API) shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFact {
    /// Where it comes from.
    pub source: Source,
    /// The payload's own update time; `None` if the payload has none.
    pub updated_at: Option<Timestamp>,
    /// When it was created there.
    pub created_at: Timestamp,
    /// As the shop prints it.
    pub number: String,
    /// Open, cancelled, in the trash.
    pub lifecycle: Lifecycle,
    /// People, lines, money.
    pub snapshot: Snapshot,
    /// What the source cannot tell: of an order that is known, that stays as it was told before.
    pub untold: BTreeSet<Part>,
    /// What is fulfilled.
    pub fulfillment: FulfillmentSeen,
    /// Not placed yet: its payment is awaited, or has failed. An order that is not known is none until it is
    /// placed; of a known one this says nothing.
    pub draft: bool,
    /// Live or imported.
    pub origin: Origin,
    /// Orders created there before this are adopted silently.
    pub armed_at: Option<Timestamp>,
    /// The flow for an order without one.
    pub default_flow: Option<crate::id::FlowId>,
    /// Who wrote it by hand; nobody where a platform or a program tells of it.
    pub by: Option<Actor>,
}

impl OrderFact {
    /// What brought it about.
    pub(crate) fn cause(&self) -> Cause {
        match &self.by {
            Some(actor) => Cause::Manual { actor: actor.clone() },
            None => Cause::Platform { channel: self.source.channel.clone() },
        }
    }

    /// Its snapshot beside the one that is stored: what its source cannot tell is kept of that.
    pub(crate) fn snapshot_beside(&self, stored: &Snapshot) -> Snapshot {
        let mut told = self.snapshot.clone();
        let before = &stored.customer;
        let kept = |before: &Option<String>, told: &mut Option<String>| before.clone().or(told.take());
        for part in &self.untold {
            let who = &mut told.customer;
            match part {
                Part::CustomerName => who.name = kept(&before.name, &mut who.name),
                Part::CustomerEmail => who.email = kept(&before.email, &mut who.email),
                Part::CustomerPhone => who.phone = kept(&before.phone, &mut who.phone),
                // A longer list that is stored has them. Where none is, there are more lines than it knew of.
                Part::MoreLines if stored.line_count > told.line_count => {
                    told.lines.clone_from(&stored.lines);
                    told.line_count = stored.line_count;
                }
                Part::MoreLines => {}
                Part::Digits => told.keep_digits(stored),
            }
        }
        told
    }
}

/// One fulfillment of an order, told on its own (Shopify `fulfillments/*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShipmentFact {
    /// Where the order comes from.
    pub source: Source,
    /// The order's number as far as the payload tells it.
    pub number: Option<String>,
    /// The fulfillment.
    pub shipment: ShipmentSeen,
}

/// A parcel as its carrier shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackingFact {
    /// Which parcel: its number as sent.
    pub number: String,
    /// The carrier's name, if told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// Where it is.
    pub status: TrackingStatus,
    /// When that happened, by the carrier's clock.
    pub occurred_at: Timestamp,
    /// The public tracking page, if told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The carrier's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Minutes that the clock there was ahead of UTC, if told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<i16>,
}

/// The parcels of a fulfillment as its platform follows them, told without their numbers (Shopify
/// `fulfillment_events/create`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShipmentReport {
    /// Where the order comes from.
    pub source: Source,
    /// Which fulfillment.
    pub shipment: ShipmentId,
    /// How its parcels stand.
    pub report: Checkpoint,
}

/// A person or a program wants the order elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveFact {
    /// Where to.
    pub stage: StageId,
    /// The order's `seq` that the person saw: a stale screen loses.
    pub expected_seq: u64,
    /// Who.
    pub actor: Actor,
    /// What follows from it.
    pub follows: Follows,
}

/// What follows from a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// The stage's automations act.
    All,
    /// Nothing: whoever moves the order wants no mails, webhooks or fulfillments.
    Nothing,
    /// A move is taken back: what waited in the stage that the order returns to when it left, and nothing that has
    /// acted.
    WhatWaited {
        /// The event that had entered that stage.
        entry: u64,
    },
}

/// Who puts an order into a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assigner {
    /// Somebody: the automations of the stage act.
    By {
        /// Who.
        actor: Actor,
        /// The order's `seq` that they saw: a stale screen loses.
        expected_seq: u64,
    },
    /// A channel got a default flow: its untriaged orders come into it silently (law 4).
    DefaultFlow,
}

/// An order is to run in a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignFact {
    /// Which.
    pub flow: FlowId,
    /// Where; the furthest stage that its state asks for unless said.
    pub stage: Option<StageId>,
    /// Who wants it.
    pub by: Assigner,
}

/// A person or a program edits an order's packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageEdit {
    /// Adds one (again: nothing).
    Add(PackageSeen),
    /// Takes one away.
    Remove(crate::id::PackageId),
    /// Corrects one. Another number is another package: the old one is taken away, the new one added.
    Correct(crate::id::PackageId, PackagePatch),
}

/// What the fulfillment runner found on the platform: the finishing write of its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The platform's answer names these as made by our call.
    Ours {
        /// The fulfillments that our call made.
        shipments: Vec<ShipmentId>,
        /// Those that our call made and somebody has cancelled since.
        gone: Vec<ShipmentId>,
        /// Whether nothing remains.
        coverage: Coverage,
    },
    /// Nothing was left for us to do: somebody else had fulfilled it.
    Theirs {
        /// What the platform shows.
        shipments: Vec<ShipmentId>,
        /// What it shows as cancelled: whoever completed the order did it without these.
        gone: Vec<ShipmentId>,
        /// Whether nothing remains.
        coverage: Coverage,
        /// When the last of them was made, as the platform says.
        at: Option<Timestamp>,
    },
    /// Our run ended without effect; whatever was seen meanwhile was not ours.
    Nothing,
}

/// Everything that can happen to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// An order as seen.
    Order(Box<OrderFact>),
    /// One fulfillment as seen.
    Shipment(ShipmentFact),
    /// The order is in the trash (WooCommerce `order.deleted`, which carries only an id).
    Trashed,
    /// A parcel as seen by its carrier.
    Tracking(TrackingFact),
    /// The parcels of a fulfillment as its platform follows them.
    ShipmentReport(ShipmentReport),
    /// A move requested.
    Move(MoveFact),
    /// A flow for the order.
    Assign(AssignFact),
    /// The stage it stands in may have been deleted.
    StageRetired,
    /// Packages edited.
    Packages {
        /// What to change.
        edit: PackageEdit,
        /// Who.
        actor: Actor,
    },
    /// The shop has a carrier service: the order's parcels under way are to be reported by it.
    CarrierConnected,
    /// An order's personal data is to go, asked for by somebody or by the shop's settings.
    Erase {
        /// Who; nobody where the settings ask.
        actor: Option<Actor>,
    },
    /// The link to the order's tracking page is to open nothing any more, and another one to open it.
    RenewLink {
        /// Who.
        actor: Actor,
    },
    /// The order is stopped by hand.
    Hold {
        /// Who.
        actor: Actor,
    },
    /// The order is released from its hold.
    Resume {
        /// Who.
        actor: Actor,
    },
}
