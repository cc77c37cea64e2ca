//! *Send again*: a new generation of a run that has ended, because a person wants it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{Action, Actor, Event};
use crate::run::{Run, RunKey, RunState};

/// Most generations of one run beside the first: the event that holds them is one item.
pub const GENERATIONS_MAX: u32 = 20;

/// Who wanted a run once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// Identity of the request: made again, it finds what it made.
    pub request: String,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
}

/// Why a run is not sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AgainRefused {
    /// The event has no such run.
    #[error("there is no such run")]
    Unknown,
    /// It will be sent anyway.
    #[error("the run is still open: it will be sent anyway")]
    StillOpen,
    /// The mail may have gone out.
    #[error("the mail may have gone out: say accept_duplicate to send another one")]
    Unconfirmed,
    /// What was sent is not kept any more, or nothing was ever frozen to be sent.
    #[error(
        "the message of this event is not there to be sent: it was never made, or it is older than 30 days"
    )]
    NoMessage,
    /// A platform is asked for one fulfillment.
    #[error("an order is fulfilled once: retry the run if it failed")]
    FulfilledOnce,
    /// Registering twice is the same as trying again.
    #[error("a parcel is registered once: retry the run if it failed")]
    RegisteredOnce,
    /// It was sent again as often as that is done.
    #[error("it was sent again 20 times")]
    TooMany,
}

impl AgainRefused {
    /// Stable word for the API.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::StillOpen => "still_open",
            Self::Unconfirmed => "unconfirmed",
            Self::NoMessage => "no_message",
            Self::FulfilledOnce => "fulfilled_once",
            Self::RegisteredOnce => "registered_once",
            Self::TooMany => "too_many",
        }
    }
}

/// The next generation of a run, due at once; or the one that the same request has made before.
///
/// A webhook keeps its frozen body and its `webhook-id`, so that a receiver drops what it has. A mail is another
/// mail: while one before it may still have gone out unnoticed, that takes a person's word (law 11).
///
/// # Errors
/// It makes no sense, or is not confirmed.
pub fn send_again(
    event: &Event,
    key: &RunKey,
    again: Again,
    accept_duplicate: bool,
) -> Result<(RunKey, Run), AgainRefused> {
    let same = |k: &&RunKey| k.target == key.target;
    let made = |run: &Run| run.again.as_ref().is_some_and(|there| there.request == again.request);
    if let Some((key, run)) = event.runs.iter().find(|(k, run)| same(k) && made(run)) {
        return Ok((key.clone(), run.clone()));
    }
    match key.action() {
        Action::Fulfill => return Err(AgainRefused::FulfilledOnce),
        Action::RegisterTracker => return Err(AgainRefused::RegisteredOnce),
        Action::Email | Action::Webhook => {}
    }
    let all: Vec<_> = event.runs.iter().filter(|(k, _)| same(k)).collect();
    let Some((last, run)) = all.last().filter(|_| event.runs.contains_key(key)) else {
        return Err(AgainRefused::Unknown);
    };
    if all.iter().any(|(_, run)| run.is_open()) {
        return Err(AgainRefused::StillOpen);
    }
    let in_doubt = all.iter().any(|(_, run)| matches!(run.state, RunState::Uncertain { .. }));
    if in_doubt && !accept_duplicate {
        return Err(AgainRefused::Unconfirmed);
    }
    if last.generation >= GENERATIONS_MAX {
        return Err(AgainRefused::TooMany);
    }
    let generation = last.generation.saturating_add(1);
    let next = Run {
        after_mail: run.after_mail,
        notify_customer: run.notify_customer,
        subscribed: run.subscribed,
        // One that was decided against never had the version of its target.
        ..Run::pending(again.at, run.target_version)
    };
    Ok((RunKey { target: key.target.clone(), generation }, Run { again: Some(again), ..next }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::event::{Cause, Change};
    use crate::id::{CarrierId, EndpointId, KeyId, OrderId, PackageId, ShopId, TemplateId};
    use crate::outcome::SkipReason;
    use crate::run::Target;
    use crate::webhook::EventType;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn again(request: &str) -> Again {
        let by = Actor::ApiKey { id: KeyId::parse("key_a").unwrap() };
        Again { request: request.to_owned(), at: NOW, by }
    }

    fn event(runs: impl IntoIterator<Item = (RunKey, RunState)>) -> Event {
        let run = |state| Run { state, after_mail: Some(1), ..Run::pending(NOW, 7) };
        Event {
            order: OrderId::parse("ord_a").unwrap(),
            shop: ShopId::parse("shop_a").unwrap(),
            seq: 2,
            at: NOW,
            fact_at: None,
            cause: Cause::Configuration,
            change: Change::Moved,
            transition: None,
            refused: None,
            tripped: false,
            runs: runs.into_iter().map(|(key, state)| (key, run(state))).collect::<BTreeMap<_, _>>(),
        }
    }

    fn mail(generation: u32) -> RunKey {
        RunKey { target: Target::Email(TemplateId::parse("tmpl_a").unwrap()), generation }
    }

    fn hook() -> RunKey {
        RunKey::first(Target::Webhook(EndpointId::parse("ep_a").unwrap(), EventType::StageEntered))
    }

    fn succeeded() -> RunState {
        RunState::Succeeded { at: NOW, detail: "HTTP 200".to_owned() }
    }

    fn uncertain() -> RunState {
        RunState::Uncertain { at: NOW, error: "no answer".to_owned() }
    }

    fn failed() -> RunState {
        RunState::Failed { at: NOW, error: "HTTP 500".to_owned() }
    }

    #[test]
    fn law_11_what_has_ended_is_sent_again_as_a_new_generation_due_at_once() {
        let skipped = RunState::Skipped { at: NOW, why: SkipReason::EndpointDisabled };
        for state in [succeeded(), failed(), skipped] {
            for key in [mail(0), hook()] {
                let (next, run) =
                    send_again(&event([(key.clone(), state.clone())]), &key, again("a"), false).unwrap();
                assert_eq!((next.generation, &next.target), (1, &key.target));
                assert_eq!(run.state, RunState::Pending { due: NOW });
                assert_eq!((run.target_version, run.after_mail, run.attempts), (7, Some(1), 0));
                assert_eq!(run.again, Some(again("a")));
            }
        }
    }

    #[test]
    fn law_11_a_mail_in_doubt_is_sent_again_only_by_a_persons_word_also_generations_later() {
        let event = event([(mail(0), uncertain()), (mail(1), succeeded())]);
        for key in [mail(0), mail(1)] {
            assert_eq!(send_again(&event, &key, again("a"), false), Err(AgainRefused::Unconfirmed));
            assert_eq!(send_again(&event, &key, again("a"), true).unwrap().0, mail(2));
        }
    }

    #[test]
    fn the_same_request_again_finds_what_it_made_and_another_one_that_it_is_open() {
        let mut event = event([(hook(), succeeded())]);
        let (key, run) = send_again(&event, &hook(), again("a"), false).unwrap();
        event.runs.insert(key.clone(), run.clone());
        assert_eq!(send_again(&event, &hook(), again("a"), false), Ok((key, run)));
        assert_eq!(send_again(&event, &hook(), again("b"), false), Err(AgainRefused::StillOpen));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let parcel =
            Target::RegisterTracker(CarrierId::parse("car_a").unwrap(), PackageId::parse("pkg_a").unwrap());
        let parcel = RunKey::first(parcel);
        let fulfill = RunKey::first(Target::Fulfill(None));
        let last = RunKey { generation: GENERATIONS_MAX, ..hook() };
        let cases = [
            (fulfill.clone(), fulfill, succeeded(), AgainRefused::FulfilledOnce),
            (parcel.clone(), parcel, succeeded(), AgainRefused::RegisteredOnce),
            (last.clone(), last, succeeded(), AgainRefused::TooMany),
            (hook(), hook(), RunState::Pending { due: NOW }, AgainRefused::StillOpen),
            (hook(), mail(0), succeeded(), AgainRefused::Unknown),
            (mail(0), mail(1), succeeded(), AgainRefused::Unknown),
        ];
        for (there, asked, state, why) in cases {
            assert_eq!(send_again(&event([(there, state)]), &asked, again("a"), true), Err(why), "{asked}");
        }
    }

    #[test]
    fn only_the_latest_generation_is_looked_at_by_people() {
        let wrong = event([(mail(0), failed()), (mail(1), succeeded())]);
        assert_eq!(wrong.wants_attention(), None);
        let wrong = event([(mail(0), succeeded()), (mail(1), failed()), (hook(), succeeded())]);
        assert_eq!(wrong.wants_attention(), Some(NOW));
        assert_eq!(wrong.latest_runs().map(|(key, _)| key.generation).collect::<Vec<_>>(), [1, 0]);
    }
}
