//! What failed and what is uncertain, newest first, and each of it tried again.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Path;
use stagepost_app::ports::{Secrets, StoreError};
use stagepost_app::run;
use stagepost_domain::event::Event;
use stagepost_domain::id::OrderId;
use stagepost_domain::run::{Run, RunId, RunKey, RunState, Target};

use super::{QUARANTINE, paged};
use crate::answer::{Answer, page, to_say};
use crate::error::{Failed, Trouble};
use crate::fields::Fields;
use crate::pages::id;
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::time::Moment;
use crate::ui::{Badge, Confirm, Empty, not_set_up, nothing_found, nothing_yet};
use crate::visitor::{Member, Visit, Visitor};
use crate::words;
use crate::{Console, Stores};

/// Events of one page: their orders are read in one round trip.
const PAGE: usize = 25;

#[derive(Template)]
#[template(path = "activity/wrong.html")]
struct WrongPage {
    shell: Shell,
    tab: &'static str,
    /// Since when mails are stopped, and why.
    stopped: Option<(Moment, String)>,
    /// Whether something stands in quarantine.
    unread: bool,
    only: Only,
    rows: Vec<Row>,
    empty: Empty<'static>,
    first: Option<String>,
    next: Option<String>,
}

/// Which of them are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Only {
    All,
    Failed,
    Uncertain,
}

impl Only {
    fn of(text: &str) -> Self {
        match text {
            "failed" => Self::Failed,
            "uncertain" => Self::Uncertain,
            _ => Self::All,
        }
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Self::All => None,
            Self::Failed => Some("failed"),
            Self::Uncertain => Some("uncertain"),
        }
    }

    fn takes(self, state: &RunState) -> bool {
        match state {
            RunState::Failed { .. } => self != Self::Uncertain,
            RunState::Uncertain { .. } => self != Self::Failed,
            _ => false,
        }
    }

    fn path(self, cursor: Option<&str>) -> String {
        let only = self.name().map(|name| ("only", name));
        let query: Vec<_> = only.into_iter().chain(cursor.map(|cursor| ("cursor", cursor))).collect();
        paged(Area::Activity.path(), &query)
    }
}

struct Row {
    id: String,
    what: &'static str,
    with: String,
    badge: Badge,
    why: String,
    order: String,
    number: String,
    stage: Option<String>,
    at: Option<Moment>,
    tries: Option<String>,
    /// Whether it may then happen twice, which is asked first.
    doubt: bool,
}

/// What ids are called here.
struct Called {
    numbers: BTreeMap<OrderId, String>,
    targets: BTreeMap<String, String>,
}

pub async fn show<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    fields: Fields,
) -> Answer {
    let (store, shop, cursor) = (&console.core.store, &visitor.shop, fields.some("cursor"));
    let (events, governor, unread, targets, flows) = tokio::join!(
        store.attention(shop, cursor, PAGE),
        store.governor(shop),
        store.quarantined(shop, None, 1, visitor.now),
        targets(&console, &visitor),
        console.flows(&visitor)
    );
    let (events, governor, unread, flows) = (events?, governor?, unread?, flows?);
    let numbers = numbers(&console, &visitor, &events.items).await?;
    let (called, only) = (Called { numbers, targets: targets? }, Only::of(fields.text("only")));
    let rows: Vec<Row> = events.items.iter().flat_map(|event| rows(event, only, &called, &visitor)).collect();
    let (filtered, later) = (only != Only::All, cursor.is_some() || events.next.is_some());
    page(&WrongPage {
        shell: visitor.shell(Area::Activity),
        tab: "wrong",
        stopped: governor.paused.map(|paused| (Moment::new(paused.at, visitor.now), words::stopped(&paused))),
        unread: !unread.items.is_empty(),
        only,
        rows,
        empty: empty(flows.is_empty(), filtered || later),
        first: cursor.map(|_| only.path(None)),
        next: events.next.map(|cursor| only.path(Some(&cursor))),
    })
}

fn empty(bare: bool, elsewhere: bool) -> Empty<'static> {
    if elsewhere {
        let text = "None of what went wrong is on this page with this filter.";
        return nothing_found("Nothing of this kind here", text)
            .next(Area::Activity.path(), "Show everything");
    }
    if bare {
        let text = "What fails on the way to customers and systems will stand here. For now there is no flow, so \
                    nothing is sent to anybody.";
        return not_set_up("Nothing needs you", text).next(Area::Flows.path(), "Make a flow");
    }
    let text = "Nothing failed, and nothing is uncertain. What does will stand here, with the reason and a way to try \
                it again.";
    nothing_yet("Nothing needs you", text)
}

/// What templates, endpoints, channels and carriers are called, by their ids.
async fn targets<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
) -> Result<BTreeMap<String, String>, StoreError> {
    let (store, shop) = (&console.core.store, &visit.shop);
    let (templates, endpoints, channels, carriers) = tokio::join!(
        store.templates(shop),
        store.endpoints(shop),
        store.channels(shop),
        store.carriers(shop)
    );
    let templates = templates?.into_iter().map(|one| (one.id.to_string(), one.name));
    let endpoints = endpoints?.into_iter().map(|one| (one.id.to_string(), one.name));
    let channels = channels?.into_iter().map(|one| (one.id.to_string(), one.name));
    let carriers = carriers?.into_iter().map(|one| (one.id.to_string(), one.name));
    Ok(templates.chain(endpoints).chain(channels).chain(carriers).collect())
}

/// The numbers of the events' orders: one round trip.
async fn numbers<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    events: &[Event],
) -> Result<BTreeMap<OrderId, String>, StoreError> {
    let mut ids: Vec<OrderId> = events.iter().map(|event| event.order.clone()).collect();
    ids.sort();
    ids.dedup();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = console.core.store.found(&ids).await?.into_iter();
    let ours = found.filter(|(order, _)| order.shop == visit.shop);
    Ok(ours.map(|(order, _)| (order.id, order.number)).collect())
}

fn rows(event: &Event, only: Only, called: &Called, visit: &Visit) -> Vec<Row> {
    let wrong = event.latest_runs().filter(|(_, run)| only.takes(&run.state));
    wrong.map(|(key, run)| row(event, key, run, called, visit)).collect()
}

fn row(event: &Event, key: &RunKey, run: &Run, called: &Called, visit: &Visit) -> Row {
    let id = RunId { order: event.order.clone(), seq: event.seq, key: key.clone() };
    let number = called.numbers.get(&event.order).cloned();
    Row {
        id: id.to_string(),
        what: words::doing(&key.target),
        with: with(&key.target, called),
        badge: words::run_badge(key.action(), &run.state),
        why: why(&run.state),
        order: format!("/orders/{}", event.order),
        number: number.unwrap_or_else(|| "an order".to_owned()),
        stage: event.transition.as_ref().map(|moved| moved.to.name.clone()),
        at: run.state.gone_wrong().map(|at| Moment::new(at, visit.now)),
        tries: (run.attempts > 1).then(|| format!("{} attempts", run.attempts)),
        doubt: matches!(run.state, RunState::Uncertain { .. }),
    }
}

fn with(target: &Target, called: &Called) -> String {
    let name = called.targets.get(target.name()).map_or("one that is gone", String::as_str);
    match target {
        Target::Webhook(_, told) => format!("{name} ({})", told.as_str()),
        Target::Fulfill(None) => String::new(),
        Target::Email(_) | Target::Fulfill(Some(_)) | Target::RegisterTracker(..) => name.to_owned(),
    }
}

fn why(state: &RunState) -> String {
    match state {
        RunState::Failed { error, .. } => error.clone(),
        RunState::Uncertain { error, .. } => format!("Nobody can tell whether it happened: {error}"),
        _ => String::new(),
    }
}

/// The shop's run that a path names.
async fn there<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    named: &str,
) -> Result<(RunId, Run), Failed> {
    let named = id(RunId::parse(named), "run")?;
    let event = console.core.store.event(&named.order, named.seq).await?;
    let event = event.filter(|event| event.shop == visit.shop);
    let run = event.and_then(|event| event.runs.get(&named.key).cloned());
    Ok((named, run.ok_or_else(|| Trouble::not_found("run"))?))
}

pub async fn ask<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(named): Path<String>,
) -> Answer {
    let (id, run) = there(&console, &visitor, &named).await?;
    let mut what = vec![format!("{} is tried again now.", words::doing(&id.key.target)), why(&run.state)];
    let doubt = matches!(run.state, RunState::Uncertain { .. });
    if doubt {
        let twice = match &id.key.target {
            Target::Email(_) => "If the mail did go out, the customer gets it twice.",
            _ => "If it did happen, it happens twice.",
        };
        what.push(twice.to_owned());
    }
    what.retain(|line| !line.is_empty());
    page(&Confirm {
        shell: visitor.shell(Area::Activity),
        title: "Try it again?".to_owned(),
        what,
        action: format!("/activity/runs/{id}/retry"),
        fields: doubt.then(|| ("accept_duplicate".to_owned(), "on".to_owned())).into_iter().collect(),
        verb: if doubt { "Try it again, even if it happens twice" } else { "Try it again" }.to_owned(),
        danger: doubt,
        back: Area::Activity.path().to_owned(),
    })
}

pub async fn retry<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(named): Path<String>,
    fields: Fields,
) -> Answer {
    let (id, _) = there(&console, &visitor, &named).await?;
    let flash = match run::retry(&console.core, &id, fields.is_on("accept_duplicate")).await? {
        None => return Err(Trouble::not_found("run").into()),
        Some(Ok(_)) => Flash::done("It is tried again now. If it goes wrong again, it comes back here."),
        Some(Err(why)) => Flash::note(words::not_retried(&why)),
    };
    to_say(Area::Activity.path(), flash)
}
