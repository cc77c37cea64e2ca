//! What was sent to an endpoint, as it is kept, and sending one of it again.

use std::collections::BTreeMap;

use axum::extract::Path;
use stagepost_app::again::again;
use stagepost_app::attempt::{Attempt, AttemptOf};
use stagepost_app::ports::{Secrets, StoreError};
use stagepost_domain::id::OrderId;
use stagepost_domain::run::{RunId, Target};

use super::{endpoint_id, path};
use crate::answer::{Answer, to_say};
use crate::error::Trouble;
use crate::fields::Fields;
use crate::shell::Flash;
use crate::state::State;
use crate::time::{Moment, took};
use crate::ui::Badge;
use crate::visitor::{Member, Visit, Visitor};
use crate::words;
use crate::{Console, Stores};

/// An attempt in a list.
pub struct Row {
    /// What came back.
    pub badge: Badge,
    /// What was sent.
    pub what: &'static str,
    /// The order: where it is, and its number.
    pub order: Option<(String, String)>,
    /// The run, to have it sent again.
    pub run: Option<String>,
    /// Which attempt it was, if not the first.
    pub number: Option<u32>,
    /// When.
    pub at: Moment,
    /// How long it took.
    pub took: String,
    /// Why it did not count.
    pub error: Option<String>,
    /// What was sent with it.
    pub sent: Vec<(String, String)>,
    /// What came with the answer.
    pub got: Vec<(String, String)>,
    /// The beginning of the answer.
    pub body: String,
    /// Whether it went on.
    pub cut: bool,
}

/// The numbers of the orders that attempts were about.
pub type Numbers = BTreeMap<OrderId, String>;

/// Reads those numbers: one round trip.
pub async fn numbers<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    attempts: &[Attempt],
) -> Result<Numbers, StoreError> {
    let mut ids: Vec<OrderId> =
        attempts.iter().filter_map(|attempt| of_run(attempt).map(|run| run.order.clone())).collect();
    ids.sort();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Numbers::new());
    }
    let found = console.core.store.found(&ids).await?.into_iter();
    let ours = found.filter(|(order, _)| order.shop == visit.shop);
    Ok(ours.map(|(order, _)| (order.id, order.number)).collect())
}

fn of_run(attempt: &Attempt) -> Option<&RunId> {
    match &attempt.of {
        AttemptOf::Run(run) => Some(run),
        AttemptOf::Job(_) => None,
    }
}

impl Row {
    /// An attempt as a list shows it.
    pub fn new(attempt: Attempt, numbers: &Numbers, visit: &Visit) -> Self {
        let run = of_run(&attempt);
        let number = |id: &OrderId| numbers.get(id).cloned().unwrap_or_else(|| "an order".to_owned());
        Self {
            badge: words::attempt_badge(attempt.status, attempt.error.is_none()),
            what: match run.map(|run| &run.key.target) {
                Some(Target::Webhook(_, event)) => event.as_str(),
                _ => "Test message",
            },
            order: run.map(|run| (format!("/orders/{}", run.order), number(&run.order))),
            run: run.map(ToString::to_string),
            number: Some(attempt.number).filter(|n| *n > 1),
            at: Moment::new(attempt.at, visit.now),
            took: took(attempt.took_ms),
            error: attempt.error,
            sent: attempt.sent,
            got: attempt.got,
            body: attempt.body,
            cut: attempt.cut,
        }
    }
}

pub async fn resend<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let endpoint = endpoint_id(&id)?;
    let run = crate::pages::id(RunId::parse(fields.text("run")), "message")?;
    let event = console.core.store.event(&run.order, run.seq).await?;
    let ours = event.is_some_and(|event| event.shop == visitor.shop && event.runs.contains_key(&run.key));
    if !ours || !matches!(&run.key.target, Target::Webhook(to, _) if *to == endpoint) {
        return Err(Trouble::not_found("message").into());
    }
    let flash = match again(&console.core, &run, visitor.actor.clone(), false).await? {
        Ok(_) => Flash::done(
            "It is sent once more in a moment: the same message with the same webhook-id, so that a receiver that \
             has it drops it.",
        ),
        Err(why) => Flash::note(words::not_again(why)),
    };
    to_say(&path(&endpoint), flash)
}
