//! An order with everything a person wants to know.

use schemars::JsonSchema;
use serde::Serialize;
use stagepost_app::ports::OrderSummary;
use stagepost_app::search::Hit;
use stagepost_domain::Timestamp;
use stagepost_domain::fact::{Coverage, ShipmentId};
use stagepost_domain::flow::Flow;
use stagepost_domain::fulfillment::{Attribution, Fulfillment};
use stagepost_domain::id::{ChannelId, FlowId, OrderId, PackageId, StageId};
use stagepost_domain::order::{Hold, Lifecycle, Order, Placement, Platform, Snapshot};
use stagepost_domain::package::{Checkpoint, Package, TrackingStatus};

/// Whether an order is in a flow.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlacementView {
    /// A fulfillment told of it before any order notification did.
    AwaitingOrder,
    /// In no flow, never automated.
    Untriaged,
    /// In a stage.
    Placed,
}

/// The stage that an order is in.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StageNow {
    /// Its id.
    id: StageId,
    /// Its name.
    name: Option<String>,
}

/// An order in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrderLine {
    /// Its id.
    id: OrderId,
    /// As the shop prints it.
    number: String,
    /// Where it comes from.
    platform: Platform,
    /// Its stage; none when it is in no flow.
    stage: Option<StageId>,
    /// When it entered the stage, or was created.
    entered_at: Timestamp,
    /// The customer's name, where the list is one of hits.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<String>,
}

impl From<OrderSummary> for OrderLine {
    fn from(s: OrderSummary) -> Self {
        let OrderSummary { id, number, platform, stage, entered_at } = s;
        Self { id, number, platform, stage, entered_at, customer: None }
    }
}

impl From<Hit> for OrderLine {
    fn from(Hit { order, customer }: Hit) -> Self {
        let entered_at = match &order.placement {
            Placement::Placed { entered_at, .. } => *entered_at,
            Placement::Awaiting | Placement::Untriaged => order.created_at,
        };
        Self {
            stage: order.stage().cloned(),
            id: order.id,
            number: order.number,
            platform: order.source.platform,
            entered_at,
            customer,
        }
    }
}

/// An order.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Order")]
pub struct OrderView {
    /// Its id.
    id: OrderId,
    /// As the shop prints it.
    number: String,
    /// Where it comes from.
    platform: Platform,
    /// The store's own identity.
    store: String,
    /// The order's id there.
    external_id: String,
    /// The channel that it came through.
    channel: Option<ChannelId>,
    /// Whether it is in a flow.
    placement: PlacementView,
    /// Its flow.
    flow: Option<FlowId>,
    /// Its stage.
    stage: Option<StageNow>,
    /// When it came there.
    entered_at: Option<Timestamp>,
    /// The number of its last event; a move names it as `expected_seq`.
    seq: u64,
    /// Open, cancelled or in the trash.
    lifecycle: Lifecycle,
    /// Why and since when it is stopped.
    hold: Option<Hold>,
    /// What is fulfilled, and by whom.
    fulfillment: FulfillmentView,
    /// People, lines and money.
    details: Option<Snapshot>,
    /// The platform tells of more packages than are kept.
    more_packages: bool,
    /// Its parcels.
    packages: Vec<PackageView>,
    /// When it was created on its platform.
    created_at: Timestamp,
    /// When its personal data was erased; what is told of people since is left out.
    erased_at: Option<Timestamp>,
    /// Where the customer can follow it.
    tracking_url: String,
}

impl OrderView {
    /// The order as it is now.
    pub fn new(
        order: Order,
        snapshot: Option<Snapshot>,
        packages: Vec<Package>,
        flow: Option<&Flow>,
        tracking_url: String,
    ) -> Self {
        let (placement, entered_at) = match &order.placement {
            Placement::Awaiting => (PlacementView::AwaitingOrder, None),
            Placement::Untriaged => (PlacementView::Untriaged, None),
            Placement::Placed { entered_at, .. } => (PlacementView::Placed, Some(*entered_at)),
        };
        let named = |id: &StageId| flow.and_then(|f| f.stage(id)).map(|s| s.name.clone());
        let stage = order.stage().map(|id| StageNow { id: id.clone(), name: named(id) });
        Self {
            flow: order.flow().cloned(),
            id: order.id,
            number: order.number,
            platform: order.source.platform,
            store: order.source.store,
            external_id: order.source.external_id,
            channel: order.source.channel,
            placement,
            stage,
            entered_at,
            seq: order.seq,
            lifecycle: order.lifecycle,
            hold: order.hold,
            fulfillment: order.fulfillment.into(),
            details: snapshot,
            more_packages: order.packages.more,
            packages: packages.into_iter().filter(|p| !p.removed).map(PackageView::from).collect(),
            created_at: order.created_at,
            erased_at: order.erased.map(|erasure| erasure.at),
            tracking_url,
        }
    }
}

/// What is fulfilled of an order, and by whom.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Fulfillment")]
pub struct FulfillmentView {
    /// How much.
    coverage: Coverage,
    /// Whose the completing fulfillment is.
    by: Option<Attribution>,
    /// When it was completed.
    at: Option<Timestamp>,
    /// Counts explicit cancellations.
    epoch: u32,
    /// A run holds the order's lock.
    being_fulfilled: bool,
    /// Every fulfillment seen.
    shipments: Vec<ShipmentView>,
}

impl From<Fulfillment> for FulfillmentView {
    fn from(f: Fulfillment) -> Self {
        let shipment = |(id, s): (ShipmentId, stagepost_domain::fulfillment::Shipment)| ShipmentView {
            id,
            active: s.active,
            attribution: s.by,
            // One that only our own answer told of has no update time of its platform yet.
            seen_as_of: Some(s.mark).filter(|at| *at > Timestamp::UNIX_EPOCH),
        };
        Self {
            coverage: f.coverage,
            by: f.by,
            at: f.at,
            epoch: f.epoch,
            being_fulfilled: f.lock.is_some(),
            shipments: f.shipments.into_iter().map(shipment).collect(),
        }
    }
}

/// One fulfillment.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Shipment")]
pub struct ShipmentView {
    /// Its identity on the platform.
    id: ShipmentId,
    /// False once it was cancelled.
    active: bool,
    /// Whose it is.
    attribution: Attribution,
    /// The platform's own update time.
    seen_as_of: Option<Timestamp>,
}

/// A parcel.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Package")]
pub struct PackageView {
    /// Its id within the order.
    id: PackageId,
    /// Tracking number, as written.
    number: Option<String>,
    /// The carrier's tracking page.
    url: Option<String>,
    /// The carrier's name.
    carrier: Option<String>,
    /// Where it is.
    status: TrackingStatus,
    /// When the carrier delivered it.
    delivered_at: Option<Timestamp>,
    /// The last scans, newest last.
    checkpoints: Vec<Checkpoint>,
}

impl From<Package> for PackageView {
    fn from(p: Package) -> Self {
        Self {
            id: p.id,
            number: p.seen.number,
            url: p.seen.url,
            carrier: p.seen.carrier,
            status: p.status,
            delivered_at: p.delivered_at,
            checkpoints: p.checkpoints,
        }
    }
}
