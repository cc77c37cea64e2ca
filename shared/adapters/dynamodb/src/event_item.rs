//! The event item: timeline entry, outbox and run records in one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stagepost_app::ports::StoreError;
use stagepost_domain::event::{Cause, Change, Event, Refusal, Transition};
use stagepost_domain::id::{OrderId, ShopId};
use stagepost_domain::run::{Run, RunKey};

use crate::keys;
use crate::row::{Row, Stamp, corrupt, fields, key_of, place_due, read};

#[derive(Serialize, Deserialize)]
struct EventItem {
    /// Shop.
    sh: ShopId,
    /// Decided at.
    t: Stamp,
    /// Time of the fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ft: Option<Stamp>,
    /// Cause.
    c: Cause,
    /// Change.
    ch: Change,
    /// Transition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tr: Option<Transition>,
    /// Refused move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rf: Option<Refusal>,
    /// The breaker stopped the order.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    br: bool,
    /// Runs, updated by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    r: BTreeMap<RunKey, Run>,
    /// Open runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    o: Option<u64>,
}

/// A new event; it stands in the due index from birth while a run is open.
pub(crate) fn to_row(event: &Event) -> Result<Row, StoreError> {
    let key = keys::event(&event.order, event.seq);
    let open = u64::try_from(event.open_runs()).unwrap_or(u64::MAX);
    let item = EventItem {
        sh: event.shop.clone(),
        t: Stamp(event.at),
        ft: event.fact_at.map(Stamp),
        c: event.cause.clone(),
        ch: event.change.clone(),
        tr: event.transition.clone(),
        rf: event.refused.clone(),
        br: event.tripped,
        r: event.runs.clone(),
        o: (!event.runs.is_empty()).then_some(open),
    };
    let mut row = fields(&key, &item)?;
    if let Some(due) = event.due() {
        place_due(&mut row, &key, due);
    }
    Ok(row)
}

/// The event of an item.
pub(crate) fn from_row(row: Row) -> Result<Event, StoreError> {
    let key = key_of(&row);
    let order = key.pk.strip_prefix("ORDER#").and_then(|id| OrderId::parse(id).ok());
    let seq = key.sk.strip_prefix(keys::EVENTS).and_then(|seq| seq.parse().ok());
    let (Some(order), Some(seq)) = (order, seq) else {
        return Err(corrupt(key.name(), "its key names no event"));
    };
    let item: EventItem = read(row)?;
    Ok(Event {
        order,
        shop: item.sh,
        seq,
        at: item.t.0,
        fact_at: item.ft.map(|stamp| stamp.0),
        cause: item.c,
        change: item.ch,
        transition: item.tr,
        refused: item.rf,
        tripped: item.br,
        runs: item.r,
    })
}

/// How a new event looks in the stream. For whoever plays the stream.
///
/// # Errors
/// It cannot be written.
pub fn event_image(event: &Event) -> Result<serde_dynamo::Item, StoreError> {
    Ok(to_row(event)?.into())
}
