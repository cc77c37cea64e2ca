//! What there is to do, and the functions that do it: each a future that is polled by hand, so that it can
//! stand still, be overtaken, or die at any place where it waits.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use stagepost_app::apply::{ApplyError, Outcome, apply};
use stagepost_app::carrier::{Tracked, track};
use stagepost_app::config::{
    ConfigError, FlowInput, SettingsInput, TemplateInput, put_flow, put_template, update_settings,
};
use stagepost_app::dispatch::dispatch;
use stagepost_app::mail::email;
use stagepost_app::platform::{Platforms, fulfill};
use stagepost_app::ports::{CommitError, StoreError};
use stagepost_app::run::{Answered, RunnerError, retry};
use stagepost_app::tracker::register;
use stagepost_app::wake::{WakeError, wake};
use stagepost_app::webhook::webhook;
use stagepost_domain::Timestamp;
use stagepost_domain::event::{Action, Event};
use stagepost_domain::fact::Fact;
use stagepost_domain::id::OrderId;
use stagepost_domain::run::{RunId, later};

use super::ends::{Links, Message};
use super::platform::{Note, Told};
use super::world::{Hands, LIFE, LONG_LIFE};
use crate::build;

/// Something to do.
#[derive(Debug, Clone)]
pub(super) enum Work {
    /// Take a notification.
    Note(Note),
    /// Answer a doorbell.
    Ring(Message),
    /// Hand a stream record on: the event as it was put.
    Record(Box<Event>),
    /// The sweep.
    Wake,
    /// Somebody asks for something.
    Wish(OrderId, Box<Fact>),
    /// A person presses Retry.
    Retry { run: RunId, accept_duplicate: bool },
    /// The merchant edits the flow.
    EditFlow(FlowInput),
    /// The merchant edits the template.
    EditTemplate(TemplateInput),
    /// The merchant changes the grace.
    EditGrace(u32),
}

/// Why a piece of work came to no end.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It can be done again.
    Again(String),
    /// The store holds something that it must not.
    Corrupt(String),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Throttled | StoreError::Unavailable(_) | StoreError::Newer { .. } => {
                Self::Again(error.to_string())
            }
            StoreError::Corrupt { .. } | StoreError::TooLarge => Self::Corrupt(error.to_string()),
        }
    }
}

impl From<ApplyError> for Trouble {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Store(error) => error.into(),
            ApplyError::Busy => Self::Again("busy".to_owned()),
        }
    }
}

impl From<RunnerError> for Trouble {
    fn from(error: RunnerError) -> Self {
        match error {
            RunnerError::Store(error) => error.into(),
            RunnerError::Apply(error) => error.into(),
            RunnerError::Id(error) => Self::Corrupt(error.to_string()),
            RunnerError::Late => Self::Again(error.to_string()),
        }
    }
}

impl From<CommitError> for Trouble {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Store(error) => error.into(),
            CommitError::LostRace | CommitError::Conflict => Self::Again(error.to_string()),
        }
    }
}

impl From<WakeError> for Trouble {
    fn from(error: WakeError) -> Self {
        match error {
            WakeError::Store(error) => error.into(),
            WakeError::Doorbell(error) => Self::Again(error.to_string()),
            WakeError::Apply(error) => error.into(),
        }
    }
}

impl From<ConfigError> for Trouble {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Store(error) => error.into(),
            other => Self::Again(other.to_string()),
        }
    }
}

type Ending = Result<String, Trouble>;

/// A function at work.
pub(super) struct Task {
    pub work: Work,
    pub name: String,
    /// Then it is killed.
    pub until: Timestamp,
    future: Pin<Box<dyn Future<Output = Ending>>>,
}

impl Task {
    /// Begins a piece of work. `fact`: what the notification tells, built by now.
    pub fn start(hands: &Hands, work: Work, fact: Option<(OrderId, Fact)>) -> Self {
        let life = match &work {
            Work::Ring(message) if message.run.key.action() == Action::Fulfill => LONG_LIFE,
            _ => LIFE,
        };
        let until = later(hands.core.now(), life);
        let name = name(&work, fact.as_ref());
        let future = Box::pin(perform(hands.clone(), work.clone(), fact));
        Self { work, name, until, future }
    }

    /// Goes on for so many waits; its end if it came to it.
    pub fn go_on(&mut self, waits: usize) -> Option<Ending> {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..waits {
            if let Poll::Ready(ending) = self.future.as_mut().poll(&mut context) {
                return Some(ending);
            }
        }
        None
    }
}

async fn perform(hands: Hands, work: Work, fact: Option<(OrderId, Fact)>) -> Ending {
    let (core, shop) = (&hands.core, build::shop());
    match (work, fact) {
        (Work::Note(Note { what: Told::Tracking(fact), .. }), _) => {
            Ok(tracked(&track(core, &shop, &build::carrier_id(), &fact).await?))
        }
        (Work::Note(_), Some((order, fact))) => Ok(came_to(&apply(core, &shop, &order, &fact).await?)),
        (Work::Note(_), None) => Ok("nothing".to_owned()),
        (Work::Ring(message), _) => Ok(answered(&ring(&hands, &message.run).await?)),
        (Work::Record(event), _) => {
            let rung = dispatch(&hands.bell, &event, core.now()).await;
            rung.map(|rung| format!("{rung} rung")).map_err(|error| Trouble::Again(error.to_string()))
        }
        (Work::Wake, _) => Ok(format!("{:?}", wake(core, &hands.bell).await?)),
        (Work::Wish(order, fact), _) => Ok(came_to(&apply(core, &shop, &order, &fact).await?)),
        (Work::Retry { run, accept_duplicate }, _) => {
            // Before the write: its answer may be lost.
            hands.market.wanted_again(&run);
            let done = retry(core, &run, accept_duplicate).await?;
            Ok(if matches!(done, Some(Ok(_))) { "opened again" } else { "refused" }.to_owned())
        }
        (Work::EditFlow(input), _) => {
            let flow = put_flow(core, &shop, Some(&build::flow_id()), &input, None).await?;
            Ok(format!("version {}", flow.version))
        }
        (Work::EditTemplate(input), _) => {
            let template = put_template(core, &shop, Some(&build::template_id()), &input, None).await?;
            Ok(format!("version {}", template.version))
        }
        (Work::EditGrace(seconds), _) => {
            let input = SettingsInput { grace_seconds: Some(seconds), ..SettingsInput::default() };
            update_settings(core, &shop, &input, None).await?;
            Ok("set".to_owned())
        }
    }
}

async fn ring(hands: &Hands, run: &RunId) -> Result<Answered, RunnerError> {
    let core = &hands.core;
    let rung = match run.key.action() {
        Action::Email => email(core, &hands.provider, &build::office(Links), run).await,
        Action::Webhook => webhook(core, &hands.receiver, &hands.provider, &hands.vault, run).await,
        Action::Fulfill => {
            let both = Platforms { shopify: hands.market.clone(), woocommerce: hands.market.clone() };
            fulfill(core, &hands.vault, &both, run).await
        }
        Action::RegisterTracker => register(core, &hands.vault, &hands.carriers, run).await,
    };
    Ok(rung?.answered)
}

// ---------------------------------------------------------------- in words, for the trace

fn name(work: &Work, fact: Option<&(OrderId, Fact)>) -> String {
    match work {
        Work::Note(Note { what: Told::Tracking(fact), again, .. }) => {
            format!("report {} {:?} (sent {again} times before)", fact.number, fact.status)
        }
        Work::Note(note) => match fact {
            Some((order, fact)) => {
                format!("notification {} (sent {} times before)", asked(order, fact), note.again)
            }
            None => "notification of nothing".to_owned(),
        },
        Work::Ring(message) => format!("ring {}", message.run),
        Work::Record(event) => format!("stream {} {}", event.order, event.seq),
        Work::Wake => "wake".to_owned(),
        Work::Wish(order, fact) => format!("wish {}", asked(order, fact)),
        Work::Retry { run, .. } => format!("retry {run}"),
        Work::EditFlow(_) => "edit of the flow".to_owned(),
        Work::EditTemplate(_) => "edit of the template".to_owned(),
        Work::EditGrace(seconds) => format!("grace {seconds}"),
    }
}

fn asked(order: &OrderId, fact: &Fact) -> String {
    match fact {
        Fact::Order(fact) => {
            let seen = &fact.fulfillment;
            let shipments: Vec<String> = seen
                .shipments
                .iter()
                .map(|s| format!("{}{}", if s.active { "" } else { "!" }, s.id.0))
                .collect();
            let at = fact.updated_at.map(|at| at.to_string()).unwrap_or_default();
            format!("{order} {:?} {:?} {shipments:?} as of {at}", fact.lifecycle, seen.coverage)
        }
        Fact::Shipment(fact) => {
            format!("{order} fulfillment {} active {}", fact.shipment.id.0, fact.shipment.active)
        }
        Fact::Move(wish) => format!("{order} to {} from {}", wish.stage, wish.expected_seq),
        other => format!("{order} {other:?}"),
    }
}

fn came_to(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Changed(changes) => brief(&changes.event),
        Outcome::Refused(refused) => format!("refused: {refused:?}"),
        other => format!("{other:?}"),
    }
}

fn tracked(tracked: &Tracked) -> String {
    match tracked {
        Tracked::Applied(orders) => orders.iter().map(|(_, o)| came_to(o)).collect::<Vec<_>>().join("; "),
        Tracked::Parked => "parked".to_owned(),
    }
}

fn answered(answered: &Answered) -> String {
    match answered {
        Answered::Recorded(run) => format!("{:?}, attempts {}", run.state, run.attempts),
        other => format!("{other:?}"),
    }
}

fn brief(event: &Event) -> String {
    let moved = event.transition.as_ref().map(|t| format!(" → {}", t.to.name)).unwrap_or_default();
    let runs: Vec<_> = event.runs.iter().map(|(k, r)| format!("{k} {}", r.state.code())).collect();
    format!("event {} {:?}{moved} {runs:?}", event.seq, event.change)
}
