//! Events: what we decided happened to an order. Timeline entry, outbox and run record in one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fact::{Follows, MoveFact, ShipmentId};
use crate::fulfillment::Attribution;
use crate::id::{CarrierId, ChannelId, FlowId, KeyId, OrderId, PackageId, ShopId, StageId};
use crate::outcome::{IgnoreReason, SkipReason};
use crate::package::TrackingStatus;
use crate::run::{Run, RunKey, RunState};
use crate::session::Who;

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Mails the customer.
    Email,
    /// Calls an endpoint.
    Webhook,
    /// Fulfills the order on its sales channel.
    Fulfill,
    /// Asks a carrier service to report a package.
    RegisterTracker,
}

impl Action {
    /// All of them; those of a stage in the order in which it plans them.
    pub const ALL: [Self; 4] = [Self::Email, Self::Webhook, Self::Fulfill, Self::RegisterTracker];

    /// As in run keys and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Webhook => "webhook",
            Self::Fulfill => "fulfill",
            Self::RegisterTracker => "register_tracker",
        }
    }
}

/// Who acted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// A program with an API key.
    ApiKey {
        /// The key's id.
        id: KeyId,
    },
    /// A person in the console.
    Console {
        /// Who, as they were called then.
        name: String,
        /// As whom they signed in; nothing in what was stored before there were members.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Who>,
    },
}

/// Why an event happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// An order notification of a sales channel.
    Platform {
        /// The channel, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<ChannelId>,
    },
    /// A fulfillment on the sales channel that was not ours.
    PlatformFulfillment {
        /// The channel, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<ChannelId>,
    },
    /// A carrier's report.
    Carrier {
        /// The parcel.
        package: PackageId,
        /// The integration, if it came by one; a platform tells of the parcels that it follows, too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        carrier: Option<CarrierId>,
    },
    /// Somebody, by hand or by API.
    Manual {
        /// Who.
        actor: Actor,
    },
    /// An edit of the shop's configuration, or what its settings ask for.
    Configuration,
    /// The fulfillment runner's finding.
    Runner {
        /// Its run, as `seq` and key.
        seq: u64,
        /// Its run's key.
        run: RunKey,
    },
}

/// A stage as it was called when the event was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StageRef {
    /// Id.
    pub id: StageId,
    /// Name then.
    pub name: String,
}

/// A stage entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Transition {
    /// The flow.
    pub flow: FlowId,
    /// Its version then.
    pub flow_version: u64,
    /// From where; nowhere for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<StageRef>,
    /// Where to.
    pub to: StageRef,
    /// What the shop said of that stage then, for `{{stageDescription}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A move that automation asked for and a rule refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refusal {
    /// Where to.
    pub to: StageRef,
    /// Which rule.
    pub reason: IgnoreReason,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// The order is new to us.
    Created {
        /// Adopted without automations, e.g. because it is older than its channel.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        silent: bool,
    },
    /// Something in its snapshot.
    Updated,
    /// Moved by somebody.
    Moved,
    /// What is fulfilled.
    Fulfillment {
        /// Whose the completing fulfillment is, once known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Attribution>,
        /// The fulfillments told.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        shipments: Vec<ShipmentId>,
        /// A cancellation opened a new epoch.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        reopened: bool,
    },
    /// A package's state.
    Package {
        /// Which.
        package: PackageId,
        /// Where it is now.
        status: TrackingStatus,
    },
    /// The packages of a fulfillment, as its platform follows them.
    Shipment {
        /// Which fulfillment.
        shipment: ShipmentId,
        /// Where they are now.
        status: TrackingStatus,
    },
    /// Packages added or taken away.
    Packages,
    /// Cancelled on its platform.
    Cancelled,
    /// Moved to the platform's trash.
    Trashed,
    /// Back from cancellation or trash.
    Reopened,
    /// Its parcels under way are to be reported by a carrier service that was connected.
    CarrierConnected,
    /// Put into a flow, or into another one.
    Assigned,
    /// Its stage was deleted; it stands in the successor now.
    StageRetired,
    /// The link to its tracking page was revoked and made anew.
    LinkRenewed,
    /// Its personal data was erased.
    Erased,
    /// Stopped, by the breaker or by somebody.
    Held,
    /// Released.
    Resumed,
}

/// One event of an order, with its runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its order.
    pub order: OrderId,
    /// Its tenant.
    pub shop: ShopId,
    /// Its number within the order, from 1.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// When the outside says it happened, if it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact_at: Option<Timestamp>,
    /// Why.
    pub cause: Cause,
    /// What changed.
    pub change: Change,
    /// The stage entry, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<Transition>,
    /// The refused move, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
    /// The breaker stopped the order with it (law 9).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tripped: bool,
    /// What follows, frozen now.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub runs: BTreeMap<RunKey, Run>,
}

impl Event {
    /// When the earliest open run wants attention; `None` when all have ended.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        self.runs.values().filter_map(|r| r.state.due()).min()
    }

    /// Whether this is what somebody wished for with this move. Of two such wishes from the same `seq` only one can have
    /// been met, so whoever did not hear the answer and asks again is not to be told of a conflict with itself.
    #[must_use]
    pub fn meets(&self, wish: &MoveFact) -> bool {
        let asked = matches!(&self.cause, Cause::Manual { actor } if *actor == wish.actor);
        let there = self.transition.as_ref().is_some_and(|moved| moved.to.id == wish.stage);
        let quiet = |run: &Run| matches!(run.state, RunState::Skipped { why: SkipReason::Quiet, .. });
        let followed =
            self.runs.is_empty() || self.runs.values().any(quiet) == (wish.follows == Follows::Nothing);
        self.seq == wish.expected_seq.saturating_add(1) && asked && there && followed
    }

    /// When its last run ended, if all have and one failed or is uncertain: somebody should look.
    #[must_use]
    pub fn wants_attention(&self) -> Option<Timestamp> {
        if self.due().is_some() {
            return None;
        }
        self.latest_runs().filter_map(|(_, run)| run.state.gone_wrong()).max()
    }

    /// The last generation of each run: what was sent again is not looked at any more.
    pub fn latest_runs(&self) -> impl Iterator<Item = (&RunKey, &Run)> {
        // Generations of one target are neighbours in the map.
        let mut next = self.runs.keys().skip(1);
        self.runs.iter().filter(move |(key, _)| next.next().is_none_or(|after| after.target != key.target))
    }

    /// How many runs are open.
    #[must_use]
    pub fn open_runs(&self) -> usize {
        self.runs.values().filter(|r| r.state.due().is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::MemberId;

    #[test]
    fn a_cause_of_before_there_were_members_is_read_and_one_of_now_says_who() {
        let old = json!({"kind": "manual", "actor": {"kind": "console", "name": "Kim"}});
        let cause: Cause = serde_json::from_value(old.clone()).unwrap();
        let kim = Actor::Console { name: "Kim".to_owned(), by: None };
        assert_eq!(cause, Cause::Manual { actor: kim });
        assert_eq!(serde_json::to_value(&cause).unwrap(), old);
        for by in [Who::Member(MemberId::parse("mem_1").unwrap()), Who::Key(KeyId::parse("key_1").unwrap())] {
            let new = json!({"kind": "console", "name": "Kim", "by": by.as_str()});
            let actor = Actor::Console { name: "Kim".to_owned(), by: Some(by) };
            assert_eq!(serde_json::to_value(&actor).unwrap(), new);
            assert_eq!(serde_json::from_value::<Actor>(new).unwrap(), actor);
        }
    }
}
