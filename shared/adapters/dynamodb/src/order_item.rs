//! The control item: everything a decision reads of an order in at most 1 KB, so one write unit per write.
//!
//! Names are one or two letters, times are numbers, ids that the key holds are not repeated, and what is
//! usual is left out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stagepost_app::ports::{OrderFilter, OrderSummary, StoreError};
use stagepost_domain::Timestamp;
use stagepost_domain::fact::{Coverage, ShipmentId};
use stagepost_domain::fulfillment::{Attribution, Fulfillment, Lock, Shipment};
use stagepost_domain::id::{AttemptId, ChannelId, FlowId, OrderId, ShopId, StageId};
use stagepost_domain::order::{Erasure, Hold, Lifecycle, Order, Placement, Platform, Source, Visit};
use stagepost_domain::package::{Report, Rollup, TrackingStatus};
use stagepost_domain::run::RunKey;

use crate::expression::{Expression, replacing};
use crate::keys;
use crate::row::{Row, Stamp, corrupt, fields, key_of, number, read, text_of};

#[derive(Serialize, Deserialize)]
struct OrderItem {
    /// Version, for conditions.
    v: u64,
    /// The write that made this version, to recognise it after a lost answer.
    w: String,
    /// Last event.
    s: u64,
    /// Shop.
    sh: ShopId,
    /// Platform; projected into the listing.
    p: Platform,
    /// Store.
    st: String,
    /// External id.
    x: String,
    /// Channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ch: Option<ChannelId>,
    /// Number; projected into the listing.
    n: String,
    #[serde(flatten)]
    placement: PlacementItem,
    #[serde(default, skip_serializing_if = "is_open")]
    l: Lifecycle,
    /// Event of the lifecycle.
    #[serde(default, skip_serializing_if = "is_zero")]
    ls: u64,
    /// High-water mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mk: Option<Stamp>,
    /// Created on the platform.
    ca: Stamp,
    /// Fulfillment.
    fu: FulfillmentItem,
    /// Packages: all, delivered.
    #[serde(default, skip_serializing_if = "is_zero16")]
    pt: u16,
    #[serde(default, skip_serializing_if = "is_zero16")]
    pd: u16,
    /// More than are kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pm: bool,
    /// Hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    h: Option<Hold>,
    /// How often its link was renewed.
    #[serde(default, skip_serializing_if = "is_zero32")]
    lk: u32,
    /// Has an e-mail address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    em: bool,
    /// Last mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lm: Option<u64>,
    /// When its people were erased, which nobody takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    er: Option<Stamp>,
    /// The event that did it; not there with the first that were erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    erb: Option<u64>,
    g1pk: String,
    g1sk: String,
}

/// In a stage if it names one, else untriaged or awaited.
#[derive(Default, Serialize, Deserialize)]
struct PlacementItem {
    /// Awaited.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    aw: bool,
    /// Flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f: Option<FlowId>,
    /// Stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    g: Option<StageId>,
    /// Entered at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<Stamp>,
    /// Entered by event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    es: Option<u64>,
    /// Visited.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    vi: BTreeMap<StageId, Visit>,
}

#[derive(Serialize, Deserialize)]
struct FulfillmentItem {
    /// Epoch.
    #[serde(default, skip_serializing_if = "is_zero32")]
    e: u32,
    /// Coverage.
    #[serde(default)]
    c: Coverage,
    /// Whose the completing one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    b: Option<Whose>,
    /// When it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    t: Option<Stamp>,
    /// Edge decided.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    d: bool,
    /// Shipments.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    s: BTreeMap<String, ShipmentItem>,
    /// Reports of shipments whose packages are not known yet.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    r: BTreeMap<String, ReportItem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    l: Option<LockItem>,
}

#[derive(Serialize, Deserialize)]
struct ReportItem {
    /// Status.
    s: TrackingStatus,
    /// When.
    a: Stamp,
}

#[derive(Serialize, Deserialize)]
struct ShipmentItem {
    m: Stamp,
    /// Cancelled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    x: bool,
    b: Whose,
}

#[derive(Serialize, Deserialize)]
struct LockItem {
    s: u64,
    r: RunKey,
    a: AttemptId,
    /// Since.
    f: Stamp,
    /// Until.
    u: Stamp,
}

/// Attribution in a few letters: `t`, `u`, or our event's number.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Whose(Attribution);

impl From<Whose> for String {
    fn from(whose: Whose) -> Self {
        match whose.0 {
            Attribution::Theirs => "t".to_owned(),
            Attribution::Undetermined => "u".to_owned(),
            Attribution::Ours { seq } => seq.to_string(),
        }
    }
}

impl TryFrom<String> for Whose {
    type Error = std::num::ParseIntError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(Self(match text.as_str() {
            "t" => Attribution::Theirs,
            "u" => Attribution::Undetermined,
            seq => Attribution::Ours { seq: seq.parse()? },
        }))
    }
}

fn is_open(lifecycle: &Lifecycle) -> bool {
    *lifecycle == Lifecycle::Open
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero32(n: &u32) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero16(n: &u16) -> bool {
    *n == 0
}

/// Attributes that an order may come to be without.
const OPTIONAL: [&str; 16] =
    ["ch", "aw", "f", "g", "e", "es", "vi", "l", "ls", "mk", "pt", "pd", "pm", "h", "em", "lm"];
/// How many writes of packages the order knows of.
pub(crate) const PACKAGE_WRITES: &str = "pw";
/// The version at which its snapshot changed last.
pub(crate) const SNAPSHOT_AT: &str = "so";

/// What is written with the order.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Company {
    /// How many packages.
    pub packages: usize,
    /// Its snapshot.
    pub snapshot: bool,
}

/// The write that makes the item this order, and keeps count of what belongs to it.
pub(crate) fn to_update(
    order: &Order,
    write_id: &str,
    condition: Expression,
    with: Company,
) -> Result<Expression, StoreError> {
    let mut row = to_row(order, write_id)?;
    if with.snapshot {
        row.insert(SNAPSHOT_AT.to_owned(), number(order.version));
    }
    let expression = replacing(row, &OPTIONAL, condition);
    Ok(match u64::try_from(with.packages) {
        Ok(0) | Err(_) => expression,
        Ok(packages) => expression.add(PACKAGE_WRITES, packages),
    })
}

/// The order as an item of this write.
pub(crate) fn to_row(order: &Order, write_id: &str) -> Result<Row, StoreError> {
    let filter = order.stage().map_or(OrderFilter::Untriaged, |stage| OrderFilter::Stage(stage.clone()));
    let item = OrderItem {
        v: order.version,
        w: write_id.to_owned(),
        s: order.seq,
        sh: order.shop.clone(),
        p: order.source.platform,
        st: order.source.store.clone(),
        x: order.source.external_id.clone(),
        ch: order.source.channel.clone(),
        n: order.number.clone(),
        placement: placement_item(&order.placement),
        l: order.lifecycle.clone(),
        ls: order.lifecycle_seq,
        mk: order.mark.map(Stamp),
        ca: Stamp(order.created_at),
        fu: fulfillment_item(&order.fulfillment),
        pt: order.packages.total,
        pd: order.packages.delivered,
        pm: order.packages.more,
        h: order.hold.clone(),
        lk: order.links,
        em: order.has_email,
        lm: order.last_mail,
        er: order.erased.map(|erasure| Stamp(erasure.at)),
        erb: order.erased.map(|erasure| erasure.seq),
        g1pk: keys::listing_pk(&order.shop, &filter),
        g1sk: keys::listing_sk(listed_at(order), &order.id),
    };
    fields(&keys::order(&order.id), &item)
}

/// When it entered its stage, or was seen first.
fn listed_at(order: &Order) -> Timestamp {
    match &order.placement {
        Placement::Placed { entered_at, .. } => *entered_at,
        Placement::Awaiting | Placement::Untriaged => order.created_at,
    }
}

fn placement_item(placement: &Placement) -> PlacementItem {
    match placement {
        Placement::Awaiting => PlacementItem { aw: true, ..PlacementItem::default() },
        Placement::Untriaged => PlacementItem::default(),
        Placement::Placed { flow, stage, entered_at, entered_seq, visited } => PlacementItem {
            aw: false,
            f: Some(flow.clone()),
            g: Some(stage.clone()),
            e: Some(Stamp(*entered_at)),
            es: Some(*entered_seq),
            vi: visited.clone(),
        },
    }
}

fn fulfillment_item(fulfillment: &Fulfillment) -> FulfillmentItem {
    let shipment = |s: &Shipment| ShipmentItem { m: Stamp(s.mark), x: !s.active, b: Whose(s.by.clone()) };
    FulfillmentItem {
        e: fulfillment.epoch,
        c: fulfillment.coverage,
        b: fulfillment.by.clone().map(Whose),
        t: fulfillment.at.map(Stamp),
        d: fulfillment.edge_spent,
        s: fulfillment.shipments.iter().map(|(id, s)| (id.0.clone(), shipment(s))).collect(),
        r: fulfillment.reports.iter().map(|(id, r)| (id.0.clone(), report_item(r))).collect(),
        l: fulfillment.lock.as_ref().map(|lock| LockItem {
            s: lock.seq,
            r: lock.run.clone(),
            a: lock.attempt.clone(),
            f: Stamp(lock.since),
            u: Stamp(lock.until),
        }),
    }
}

fn report_item(report: &Report) -> ReportItem {
    ReportItem { s: report.status, a: Stamp(report.at) }
}

fn report(item: &ReportItem) -> Report {
    Report { status: item.s, at: item.a.0 }
}

/// The order of an item.
pub(crate) fn from_row(row: Row) -> Result<Order, StoreError> {
    let key = key_of(&row);
    let id = key.pk.strip_prefix("ORDER#").and_then(|id| OrderId::parse(id).ok());
    let id = id.ok_or_else(|| corrupt(key.name(), "its key names no order"))?;
    let item: OrderItem = read(row)?;
    let placement =
        placement(item.placement).ok_or_else(|| corrupt(key.name(), "its place is incomplete"))?;
    Ok(Order {
        id,
        shop: item.sh,
        source: Source { platform: item.p, store: item.st, external_id: item.x, channel: item.ch },
        number: item.n,
        seq: item.s,
        version: item.v,
        placement,
        lifecycle: item.l,
        lifecycle_seq: item.ls,
        mark: item.mk.map(|stamp| stamp.0),
        created_at: item.ca.0,
        fulfillment: fulfillment(item.fu),
        packages: Rollup { total: item.pt, delivered: item.pd, more: item.pm },
        hold: item.h,
        links: item.lk,
        has_email: item.em,
        last_mail: item.lm,
        // Where no event is named, the erasure reaches all that there are.
        erased: item.er.map(|at| Erasure { at: at.0, seq: item.erb.unwrap_or(item.s) }),
    })
}

fn placement(item: PlacementItem) -> Option<Placement> {
    let PlacementItem { aw, f, g, e, es, vi } = item;
    match g {
        None if aw => Some(Placement::Awaiting),
        None => Some(Placement::Untriaged),
        Some(stage) => {
            Some(Placement::Placed { flow: f?, stage, entered_at: e?.0, entered_seq: es?, visited: vi })
        }
    }
}

fn fulfillment(item: FulfillmentItem) -> Fulfillment {
    let shipment = |s: ShipmentItem| Shipment { mark: s.m.0, active: !s.x, by: s.b.0 };
    Fulfillment {
        epoch: item.e,
        coverage: item.c,
        by: item.b.map(|whose| whose.0),
        at: item.t.map(|stamp| stamp.0),
        edge_spent: item.d,
        shipments: item.s.into_iter().map(|(id, s)| (ShipmentId(id), shipment(s))).collect(),
        reports: item.r.into_iter().map(|(id, r)| (ShipmentId(id), report(&r))).collect(),
        lock: item.l.map(|lock| Lock {
            seq: lock.s,
            run: lock.r,
            attempt: lock.a,
            since: lock.f.0,
            until: lock.u.0,
        }),
    }
}

/// A line of the listing, from what the index projects.
pub(crate) fn summary(row: Row, filter: &OrderFilter) -> Result<OrderSummary, StoreError> {
    #[derive(Deserialize)]
    struct Projected {
        n: String,
        p: Platform,
    }
    let key = key_of(&row);
    let place = text_of(&row, "g1sk").and_then(keys::parse_listing_sk);
    let (entered_at, id) =
        place.ok_or_else(|| corrupt(key.name(), "its place in the listing is not valid"))?;
    let projected: Projected =
        serde_dynamo::from_item(row).map_err(|_| corrupt(key.name(), "it does not match its schema"))?;
    let stage = match filter {
        OrderFilter::Stage(stage) => Some(stage.clone()),
        OrderFilter::Untriaged => None,
    };
    Ok(OrderSummary { id, number: projected.n, platform: projected.p, stage, entered_at })
}
