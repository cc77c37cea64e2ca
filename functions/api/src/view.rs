//! What the API shows. Explicit shapes: what is stored may change without the contract changing.

use serde::Serialize;
use serde_json::{Value, json};
use stagepost_app::ports::{IgnoredFact, TimelineEntry};
use stagepost_domain::Timestamp;
use stagepost_domain::event::Event;
use stagepost_domain::flow::Flow;
use stagepost_domain::fulfillment::Fulfillment;
use stagepost_domain::order::{Order, Placement, Snapshot};
use stagepost_domain::package::Package;
use stagepost_domain::run::{Run, RunId, RunKey, RunState};
use stagepost_domain::shop::{CarrierIntegration, Channel, Endpoint};
use stagepost_domain::template::EmailTemplate;

/// An order with everything a person wants to know.
pub fn order(
    order: &Order,
    snapshot: Option<&Snapshot>,
    packages: &[Package],
    flow: Option<&Flow>,
    link: &str,
) -> Value {
    let stage = order.stage().map(|id| {
        let name = flow.and_then(|f| f.stage(id)).map(|s| s.name.clone());
        json!({"id": id, "name": name})
    });
    let (state, entered_at) = match &order.placement {
        Placement::Awaiting => ("awaiting_order", None),
        Placement::Untriaged => ("untriaged", None),
        Placement::Placed { entered_at, .. } => ("placed", Some(entered_at)),
    };
    json!({
        "id": order.id,
        "number": order.number,
        "platform": order.source.platform,
        "store": order.source.store,
        "external_id": order.source.external_id,
        "channel": order.source.channel,
        "placement": state,
        "flow": order.flow(),
        "stage": stage,
        "entered_at": entered_at,
        "seq": order.seq,
        "lifecycle": order.lifecycle,
        "hold": order.hold,
        "fulfillment": fulfillment(&order.fulfillment),
        "details": snapshot,
        "more_packages": order.packages.more,
        "packages": packages.iter().filter(|p| !p.removed).map(package).collect::<Vec<_>>(),
        "created_at": order.created_at,
        "tracking_url": link,
    })
}

fn fulfillment(f: &Fulfillment) -> Value {
    let shipments: Vec<_> = f
        .shipments
        .iter()
        .map(|(id, s)| {
            // One that only our own answer told of has no update time of its platform yet.
            let seen_as_of = Some(s.mark).filter(|at| *at > Timestamp::UNIX_EPOCH);
            json!({"id": id, "active": s.active, "attribution": s.by, "seen_as_of": seen_as_of})
        })
        .collect();
    json!({
        "coverage": f.coverage,
        "by": f.by,
        "at": f.at,
        "epoch": f.epoch,
        "being_fulfilled": f.lock.is_some(),
        "shipments": shipments,
    })
}

/// A package.
pub fn package(p: &Package) -> Value {
    json!({
        "id": p.id,
        "number": p.seen.number,
        "url": p.seen.url,
        "carrier": p.seen.carrier,
        "status": p.status,
        "delivered_at": p.delivered_at,
        "checkpoints": p.checkpoints,
    })
}

/// A run.
#[derive(Serialize)]
pub struct RunView {
    id: String,
    order: String,
    seq: u64,
    action: &'static str,
    target: Value,
    target_version: u64,
    generation: u32,
    state: &'static str,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
}

/// A run with its id.
pub fn run(event: &Event, key: &RunKey, run: &Run) -> RunView {
    let id = RunId { order: event.order.clone(), seq: event.seq, key: key.clone() };
    let text = key.to_string();
    let target = text.split('.').nth(1).filter(|t| *t != "none");
    let (ended_at, result, skipped) = match &run.state {
        RunState::Succeeded { at, detail } => (Some(*at), Some(detail.clone()), None),
        RunState::Failed { at, error } | RunState::Uncertain { at, error } => {
            (Some(*at), Some(error.clone()), None)
        }
        RunState::Skipped { at, why } => (Some(*at), None, Some(json!(why))),
        RunState::Pending { .. } | RunState::Claimed { .. } => (None, None, None),
    };
    RunView {
        id: id.to_string(),
        order: event.order.to_string(),
        seq: event.seq,
        action: key.action().as_str(),
        target: json!(target),
        target_version: run.target_version,
        generation: key.generation,
        state: run.state.code(),
        attempts: run.attempts,
        due: run.state.due(),
        ended_at,
        result,
        skipped,
        last_error: run.last_error.clone(),
    }
}

/// A line of the timeline.
pub fn entry(entry: &TimelineEntry) -> Value {
    match entry {
        TimelineEntry::Event(event) => event_view(event),
        TimelineEntry::Ignored(IgnoredFact { at, fact, fact_at, why, .. }) => {
            json!({"type": "ignored", "at": at, "fact": fact, "fact_at": fact_at, "why": why})
        }
    }
}

/// An event with its runs.
pub fn event_view(event: &Event) -> Value {
    let runs: Vec<_> = event.runs.iter().map(|(key, r)| run(event, key, r)).collect();
    json!({
        "type": "event",
        "seq": event.seq,
        "at": event.at,
        "fact_at": event.fact_at,
        "cause": event.cause,
        "change": event.change,
        "transition": event.transition,
        "refused": event.refused,
        "runs": runs,
    })
}

/// A template in a listing, without its parts: a hundred whole ones do not fit into one answer.
pub fn template_line(t: &EmailTemplate) -> Value {
    json!({"id": t.id, "name": t.name, "subject": t.subject, "version": t.version, "saved_at": t.saved_at})
}

/// A channel, without its secrets.
pub fn channel(c: &Channel) -> Value {
    let kind = c.platform.as_str();
    json!({
        "id": c.id,
        "platform": c.platform,
        "name": c.name,
        "store": c.store,
        "default_flow": c.default_flow,
        "armed_at": c.armed_at,
        "has_credentials": c.credentials.is_some(),
        "inbound_path": format!("/webhooks/{kind}/{}", c.id),
        "version": c.version,
    })
}

/// A carrier integration, without its secrets.
pub fn carrier(c: &CarrierIntegration) -> Value {
    json!({
        "id": c.id,
        "kind": c.kind,
        "name": c.name,
        "inbound_path": format!("/webhooks/carriers/{}", c.id),
        "version": c.version,
    })
}

/// An endpoint; its secret only where it was just made.
pub fn endpoint(e: &Endpoint, secret: Option<&str>) -> Value {
    let mut view =
        json!({"id": e.id, "name": e.name, "url": e.url, "enabled": e.enabled, "version": e.version});
    if let (Some(secret), Some(object)) = (secret, view.as_object_mut()) {
        object.insert("secret".into(), json!(secret));
    }
    view
}
