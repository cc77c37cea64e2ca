//! What happened to an order and what was refused, and the runs that followed.

use schemars::JsonSchema;
use serde::Serialize;
use stagepost_app::ports::{QuarantineEntry, TimelineEntry};
use stagepost_domain::Timestamp;
use stagepost_domain::again::Again;
use stagepost_domain::event::{Action, Actor, Cause, Change, Event, Refusal, Transition};
use stagepost_domain::feedback::Fate;
use stagepost_domain::id::{OrderId, QuarantineId};
use stagepost_domain::outcome::{IgnoreReason, SkipReason};
use stagepost_domain::run::{Run, RunId, RunKey, RunState, Target};
use stagepost_domain::webhook::EventType;

/// A run.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Run")]
pub struct RunView {
    /// Its id.
    id: RunId,
    /// Its order.
    order: OrderId,
    /// Its event.
    seq: u64,
    /// What it does.
    action: Action,
    /// The template, endpoint or channel.
    target: Option<String>,
    /// What a webhook tells of.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_type: Option<EventType>,
    /// The target's version when the event was decided.
    target_version: u64,
    /// Counts resends, from 0.
    generation: u32,
    /// Where it stands.
    state: RunStateView,
    /// Attempts so far.
    attempts: u32,
    /// When an open run wants attention.
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    /// The other side's word for it, or the last error.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
    /// Why it was decided against.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<SkipReason>,
    /// What the last failed attempt said.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    /// What was heard of the mail after it left.
    #[serde(skip_serializing_if = "Option::is_none")]
    fate: Option<Fate>,
    /// When that happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    fate_at: Option<Timestamp>,
    /// Who had it sent again, if it is not the first of its kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_again: Option<AgainView>,
}

/// Who had a run sent again.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SentAgain")]
pub struct AgainView {
    /// When.
    at: Timestamp,
    /// Who.
    by: Actor,
}

impl From<Again> for AgainView {
    fn from(again: Again) -> Self {
        Self { at: again.at, by: again.by }
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[schemars(rename = "RunState")]
#[serde(rename_all = "snake_case")]
pub enum RunStateView {
    /// Waits until `due`.
    Pending,
    /// An attempt holds it.
    Claimed,
    /// Done.
    Succeeded,
    /// Decided against.
    Skipped,
    /// Given up; may be retried.
    Failed,
    /// It may have happened.
    Uncertain,
}

impl RunView {
    /// A run of an event.
    pub fn new(event: &Event, key: &RunKey, run: &Run) -> Self {
        let (state, ended_at, result, skipped) = ended(&run.state);
        Self {
            id: RunId { order: event.order.clone(), seq: event.seq, key: key.clone() },
            order: event.order.clone(),
            seq: event.seq,
            action: key.action(),
            target: Some(key.target.name().to_owned()).filter(|name| name != "none"),
            event_type: match key.target {
                Target::Webhook(_, told) => Some(told),
                _ => None,
            },
            target_version: run.target_version,
            generation: key.generation,
            state,
            attempts: run.attempts,
            due: run.state.due(),
            ended_at,
            result,
            skipped,
            last_error: run.last_error.clone(),
            sent_again: run.again.clone().map(AgainView::from),
            fate: run.feedback.as_ref().map(|heard| heard.fate),
            fate_at: run.feedback.as_ref().map(|heard| heard.at),
        }
    }
}

/// How it ended, if it has.
fn ended(state: &RunState) -> (RunStateView, Option<Timestamp>, Option<String>, Option<SkipReason>) {
    match state.clone() {
        RunState::Pending { .. } => (RunStateView::Pending, None, None, None),
        RunState::Claimed { .. } => (RunStateView::Claimed, None, None, None),
        RunState::Succeeded { at, detail } => (RunStateView::Succeeded, Some(at), Some(detail), None),
        RunState::Skipped { at, why } => (RunStateView::Skipped, Some(at), None, Some(why)),
        RunState::Failed { at, error } => (RunStateView::Failed, Some(at), Some(error), None),
        RunState::Uncertain { at, error } => (RunStateView::Uncertain, Some(at), Some(error), None),
    }
}

/// A line of the timeline.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TimelineEntry")]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EntryView {
    /// Something happened.
    Event(Box<EventView>),
    /// A fact was refused by a rule.
    Ignored {
        /// When it came.
        at: Timestamp,
        /// What kind of fact it was.
        fact: String,
        /// When it says it happened.
        fact_at: Option<Timestamp>,
        /// Why it was refused.
        why: IgnoreReason,
    },
}

impl From<TimelineEntry> for EntryView {
    fn from(entry: TimelineEntry) -> Self {
        match entry {
            TimelineEntry::Event(event) => Self::Event(Box::new((*event).into())),
            TimelineEntry::Ignored(i) => {
                Self::Ignored { at: i.at, fact: i.fact, fact_at: i.fact_at, why: i.why }
            }
        }
    }
}

/// An event with its runs.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct EventView {
    /// Its number within the order, from 1.
    seq: u64,
    /// When it was decided.
    at: Timestamp,
    /// When the outside says it happened.
    fact_at: Option<Timestamp>,
    /// Why.
    cause: Cause,
    /// What changed.
    change: Change,
    /// The stage entry, if there is one.
    transition: Option<Transition>,
    /// The move that a rule refused, if there is one.
    refused: Option<Refusal>,
    /// What followed.
    runs: Vec<RunView>,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        let runs = event.runs.iter().map(|(key, run)| RunView::new(&event, key, run)).collect();
        Self {
            seq: event.seq,
            at: event.at,
            fact_at: event.fact_at,
            cause: event.cause,
            change: event.change,
            transition: event.transition,
            refused: event.refused,
            runs,
        }
    }
}

/// A notification in quarantine, without its body.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Quarantined")]
pub struct QuarantineView {
    /// Its id.
    id: QuarantineId,
    /// When it came.
    at: Timestamp,
    /// The channel or integration it came by.
    came_by: String,
    /// Topic or kind as told.
    topic: String,
    /// Why it could not be read.
    reason: String,
    /// Length of the body.
    bytes: u64,
}

impl From<QuarantineEntry> for QuarantineView {
    fn from(entry: QuarantineEntry) -> Self {
        let QuarantineEntry { id, route, topic, at, reason, bytes, .. } = entry;
        Self { id, at, came_by: route.came_by().to_owned(), topic, reason, bytes }
    }
}
