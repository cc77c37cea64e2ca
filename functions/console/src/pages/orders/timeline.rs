//! What happened to an order: stage entries, what followed from each, and each call that was made, with the reason
//! for whatever did not happen.

use std::collections::BTreeMap;

use stagepost_app::attempt::Attempt;
use stagepost_app::ports::{IgnoredFact, TimelineEntry};
use stagepost_domain::event::{Action, Change, Event};
use stagepost_domain::id::{EndpointId, KeyId, StageId, TemplateId};
use stagepost_domain::order::Platform;
use stagepost_domain::run::{Run, RunId, RunKey, RunState, Target};
use stagepost_domain::{SignedDuration, Timestamp};

use crate::names::Flows;
use crate::time::{Moment, took};
use crate::ui::{Badge, Tone};
use crate::words::{self, Names};

/// What is due within this is worth asking for every few seconds.
const SOON: SignedDuration = SignedDuration::from_secs(120);

/// What ids on a timeline are called.
pub struct Called {
    /// Flows with their stages.
    pub flows: Flows,
    /// Endpoints.
    pub endpoints: BTreeMap<EndpointId, String>,
    /// API keys.
    pub keys: BTreeMap<KeyId, String>,
    /// Templates.
    pub templates: BTreeMap<TemplateId, String>,
    /// Each webhook's calls, newest first.
    pub attempts: BTreeMap<RunId, Vec<Attempt>>,
    /// Where the order comes from.
    pub platform: Platform,
    /// Whether the visitor works with orders.
    pub works: bool,
}

impl Names for Called {
    fn stage(&self, id: &StageId) -> String {
        self.flows.stage(id)
    }

    fn key(&self, id: &KeyId) -> Option<String> {
        self.keys.get(id).cloned()
    }
}

/// One thing that happened.
pub struct Entry {
    /// Its number within the order; none of what was refused.
    pub seq: Option<u64>,
    /// In words.
    pub title: String,
    /// From which stage to which.
    pub moved: Option<Moved>,
    /// Who or what caused it.
    pub by: String,
    /// When it was decided.
    pub at: Moment,
    /// When the outside says it happened, if that is another time.
    pub fact_at: Option<String>,
    /// The move that a rule refused.
    pub refused: Option<String>,
    /// What followed.
    pub runs: Vec<RunLine>,
    /// How it is to be taken.
    pub tone: Tone,
}

/// A stage entry.
pub struct Moved {
    /// From where.
    pub from: Option<String>,
    /// Where to.
    pub to: String,
    /// The colour of where to.
    pub color: Option<String>,
}

/// One action that followed.
pub struct RunLine {
    /// Its id.
    pub id: String,
    /// What it does.
    pub title: &'static str,
    /// With what: the template's name, the endpoint's.
    pub with: String,
    /// Where it stands.
    pub badge: Badge,
    /// What was heard of a mail.
    pub fate: Option<Badge>,
    /// Why, or what came of it.
    pub text: String,
    /// When it is tried next, and whether that is the first time.
    pub next: Option<(&'static str, Moment)>,
    /// When it ended.
    pub ended: Option<Moment>,
    /// How often it was tried.
    pub tries: Option<String>,
    /// Who had it sent again.
    pub again_by: Option<String>,
    /// Its calls.
    pub attempts: Vec<AttemptLine>,
    /// What can be done about it.
    pub retry: Retry,
    /// Whether it can be sent once more.
    pub again: bool,
}

/// Whether a run can be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// No.
    No,
    /// At once.
    Yes,
    /// With a person's word that it may happen twice.
    Confirmed,
}

/// One call of an endpoint.
pub struct AttemptLine {
    /// Which, from 1.
    pub number: u32,
    /// What it came to.
    pub badge: Badge,
    /// When it was made.
    pub at: Moment,
    /// How long it took.
    pub took: String,
    /// Why it did not count.
    pub error: String,
    /// Headers sent.
    pub sent: Vec<(String, String)>,
    /// Headers of the answer.
    pub got: Vec<(String, String)>,
    /// The beginning of the answer.
    pub body: String,
    /// Whether it went on.
    pub cut: bool,
}

/// The entries of a timeline, newest first.
pub fn entries(entries: &[TimelineEntry], called: &Called, now: Timestamp) -> Vec<Entry> {
    let one = |entry: &TimelineEntry| match entry {
        TimelineEntry::Event(event) => happened(event, called, now),
        TimelineEntry::Ignored(fact) => ignored(fact, now),
    };
    entries.iter().map(one).collect()
}

/// Whether something of them changes by itself, soon.
pub fn is_under_way(entries: &[TimelineEntry], now: Timestamp) -> bool {
    let due = entries.iter().filter_map(|entry| match entry {
        TimelineEntry::Event(event) => event.due(),
        TimelineEntry::Ignored(_) => None,
    });
    due.min().is_some_and(|due| due.duration_since(now) < SOON)
}

fn happened(event: &Event, called: &Called, now: Timestamp) -> Entry {
    let moved = event.transition.as_ref().map(|to| Moved {
        from: to.from.as_ref().map(|from| from.name.clone()),
        to: to.to.name.clone(),
        color: called.flows.find(&to.to.id).and_then(|(_, stage)| stage.color.clone()),
    });
    let refused = event
        .refused
        .as_ref()
        .map(|refusal| format!("Not moved to {}. {}", refusal.to.name, words::ignored(&refusal.reason)));
    let told = |at: &Timestamp| event.at.duration_since(*at).as_secs() >= 60;
    Entry {
        seq: Some(event.seq),
        title: words::change(&event.change),
        moved,
        by: words::cause(&event.cause, called.platform, called),
        at: Moment::new(event.at, now),
        fact_at: event.fact_at.filter(told).map(crate::time::exactly),
        tone: tone(event, refused.is_some()),
        refused,
        runs: event.runs.iter().map(|(key, run)| run_line(event, key, run, called, now)).collect(),
    }
}

fn tone(event: &Event, refused: bool) -> Tone {
    if event.runs.values().any(|run| run.is_open()) {
        return Tone::Busy;
    }
    match &event.change {
        _ if event.wants_attention().is_some() => Tone::Bad,
        Change::Cancelled | Change::Trashed => Tone::Bad,
        Change::Held => Tone::Warn,
        _ if refused => Tone::Warn,
        _ if event.transition.is_some() => Tone::Good,
        _ => Tone::Plain,
    }
}

fn ignored(fact: &IgnoredFact, now: Timestamp) -> Entry {
    Entry {
        seq: None,
        title: format!("Ignored: {}", fact_name(&fact.fact)),
        moved: None,
        by: String::new(),
        at: Moment::new(fact.at, now),
        fact_at: fact.fact_at.map(crate::time::exactly),
        refused: Some(words::ignored(&fact.why)),
        runs: Vec::new(),
        tone: Tone::Plain,
    }
}

/// The kinds of facts as the store keeps them.
fn fact_name(kind: &str) -> &str {
    match kind {
        "order" => "what the store told of the order",
        "fulfillment" => "a fulfillment that the store told of",
        "tracking" => "a carrier's report",
        "shipment_report" => "a report of the store's own tracking",
        "trashed" => "a deletion in the store",
        other => other,
    }
}

fn run_line(event: &Event, key: &RunKey, run: &Run, called: &Called, now: Timestamp) -> RunLine {
    let id = RunId { order: event.order.clone(), seq: event.seq, key: key.clone() };
    let attempts = called.attempts.get(&id).map(Vec::as_slice).unwrap_or_default();
    RunLine {
        title: words::doing(&key.target),
        with: with(&key.target, called),
        badge: words::run_badge(key.action(), &run.state),
        fate: run.feedback.as_ref().map(|heard| words::fate_badge(heard.fate)),
        text: text(key, run, called),
        next: next(run, now),
        ended: ended(&run.state).map(|at| Moment::new(at, now)),
        tries: (run.attempts > 1).then(|| format!("{} attempts", run.attempts)),
        again_by: run.again.as_ref().map(|again| words::actor(&again.by, called)),
        attempts: attempts.iter().map(|attempt| attempt_line(attempt, now)).collect(),
        retry: if called.works { retry(&run.state) } else { Retry::No },
        again: called.works && may_go_again(event, key, run),
        id: id.to_string(),
    }
}

fn next(run: &Run, now: Timestamp) -> Option<(&'static str, Moment)> {
    let RunState::Pending { due } = &run.state else { return None };
    let word = if run.attempts == 0 && run.last_error.is_none() { "leaves" } else { "next try" };
    Some((word, Moment::new(*due, now)))
}

fn with(target: &Target, called: &Called) -> String {
    match target {
        Target::Email(id) => called.templates.get(id).cloned().unwrap_or_default(),
        Target::Webhook(id, told) => {
            let endpoint = called.endpoints.get(id).map_or("an endpoint that is gone", String::as_str);
            format!("{endpoint} ({})", told.as_str())
        }
        Target::Fulfill(_) => called.platform.label().to_owned(),
        Target::RegisterTracker(..) => String::new(),
    }
}

/// Why it stands where it stands.
fn text(key: &RunKey, run: &Run, called: &Called) -> String {
    let last =
        || run.last_error.as_ref().map(|error| format!("The last attempt: {error}")).unwrap_or_default();
    match &run.state {
        RunState::Pending { .. } => last(),
        RunState::Claimed { .. } => last(),
        RunState::Succeeded { detail, .. } => match key.action() {
            Action::Email => format!("Message {detail}"),
            Action::Webhook | Action::Fulfill | Action::RegisterTracker => detail.clone(),
        },
        RunState::Skipped { why, .. } => words::skipped(key.action(), why, called),
        RunState::Failed { error, .. } => error.clone(),
        RunState::Uncertain { error, .. } => format!("Nobody can tell whether it happened: {error}."),
    }
}

fn ended(state: &RunState) -> Option<Timestamp> {
    match state {
        RunState::Pending { .. } | RunState::Claimed { .. } => None,
        RunState::Succeeded { at, .. }
        | RunState::Skipped { at, .. }
        | RunState::Failed { at, .. }
        | RunState::Uncertain { at, .. } => Some(*at),
    }
}

fn retry(state: &RunState) -> Retry {
    match state {
        RunState::Failed { .. } => Retry::Yes,
        RunState::Uncertain { .. } => Retry::Confirmed,
        RunState::Pending { .. }
        | RunState::Claimed { .. }
        | RunState::Succeeded { .. }
        | RunState::Skipped { .. } => Retry::No,
    }
}

/// A button where pressing it makes sense: the last of its target, ended, and a thing that is sent.
fn may_go_again(event: &Event, key: &RunKey, run: &Run) -> bool {
    let sent = matches!(key.action(), Action::Email | Action::Webhook);
    let last = event.latest_runs().any(|(latest, _)| latest == key);
    sent && last && !run.is_open()
}

fn attempt_line(attempt: &Attempt, now: Timestamp) -> AttemptLine {
    AttemptLine {
        number: attempt.number,
        badge: words::attempt_badge(attempt.status, attempt.error.is_none()),
        at: Moment::new(attempt.at, now),
        took: took(attempt.took_ms),
        error: attempt.error.clone().unwrap_or_default(),
        sent: attempt.sent.clone(),
        got: attempt.got.clone(),
        body: attempt.body.clone(),
        cut: attempt.cut,
    }
}
