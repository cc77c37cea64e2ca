//! What people do to one order: each is the fact that the API makes of it.

use axum::extract::Path;
use http::HeaderMap;
use serde::Deserialize;
use stagepost_app::apply::{Outcome, apply};
use stagepost_app::erase::erase_people;
use stagepost_app::ports::Secrets;
use stagepost_app::undo::{UndoRequest, undo, undo_until};
use stagepost_domain::decide::{Changeset, Refused};
use stagepost_domain::event::{Action, Event};
use stagepost_domain::fact::{AssignFact, Assigner, Fact, Follows, MoveFact, PackageEdit};
use stagepost_domain::id::{FlowId, OrderId, PackageId, StageId};
use stagepost_domain::order::Order;
use stagepost_domain::package::{PackagePatch, PackageSeen};
use stagepost_domain::run::{Run, RunState};
use stagepost_domain::text::Invalid;

use super::order::refused as form_back;
use crate::answer::{Answer, back, page, to, to_say};
use crate::error::{Failed, Trouble};
use crate::fields::{Fields, Wrong};
use crate::names::Flows;
use crate::pages::id;
use crate::shell::{Area, Flash, Undo};
use crate::state::State;
use crate::ui::Confirm;
use crate::visitor::{Admin, Member, Visit, Visitor};
use crate::words::{self, counted};
use crate::{Console, Stores};

/// The page of an order.
pub fn place(order: &OrderId) -> String {
    format!("/orders/{order}")
}

/// An order of the visitor's shop.
async fn own<S: Stores, K>(console: &State<S, K>, visit: &Visit, named: &str) -> Result<Order, Failed> {
    let order = console.core.store.order(&id(OrderId::parse(named), "order")?).await?;
    Ok(order.filter(|order| order.shop == visit.shop).ok_or_else(|| Trouble::not_found("order"))?)
}

/// The order that a path names, beside whatever else it names.
#[derive(Deserialize)]
pub struct OfOrder {
    id: String,
}

/// The address of a form that came back leads to the order.
pub async fn to_order(_: Visitor, Path(of): Path<OfOrder>) -> Answer {
    Ok(to(&place(&id(OrderId::parse(&of.id), "order")?)))
}

/// Where a move was made: the board, or the order's page.
fn moved_on(headers: &HeaderMap, order: &OrderId) -> String {
    let from = back(headers, "");
    if from.starts_with("/orders/board") { from } else { place(order) }
}

/// The `seq` that the page showed.
fn seen_seq(fields: &Fields) -> u64 {
    fields.text("seq").parse().unwrap_or_default()
}

/// Applies a fact to an order of the visitor's shop: anybody else's is not there.
async fn applied<S: Stores, K>(
    console: &State<S, K>,
    visit: &Visit,
    order: &OrderId,
    fact: Fact,
) -> Result<Outcome, Failed> {
    let outcome = apply(&console.core, &visit.shop, order, &fact).await?;
    if outcome == Outcome::Refused(Refused::UnknownOrder) {
        return Err(Trouble::not_found("order").into());
    }
    Ok(outcome)
}

/// What an outcome without a change says.
fn unchanged(outcome: &Outcome) -> Flash {
    Flash::note(match outcome {
        Outcome::Changed(_) => "It was done.".to_owned(),
        Outcome::NoOp(why) => words::no_op(*why).to_owned(),
        Outcome::Ignored(why) => words::ignored(why),
        Outcome::Refused(why) => words::refused(why),
    })
}

pub async fn move_to<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(named): Path<String>,
    headers: HeaderMap,
    fields: Fields,
) -> Answer {
    let order = id(OrderId::parse(&named), "order")?;
    let stage = id(StageId::parse(fields.text("stage")), "stage")?;
    let actor = visitor.actor.clone();
    let follows = if fields.is_on("quiet") { Follows::Nothing } else { Follows::All };
    let fact = MoveFact { stage, expected_seq: seen_seq(&fields), actor, follows };
    let outcome = applied(&console, &visitor, &order, Fact::Move(fact)).await?;
    let flash = match &outcome {
        Outcome::Changed(changes) => moved(&console, &visitor, changes).await?,
        other => unchanged(other),
    };
    to_say(&moved_on(&headers, &order), flash)
}

/// What a move says: what follows from it, and how to take it back while nothing has left.
async fn moved<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    changes: &Changeset,
) -> Result<Flash, Failed> {
    let Changeset { order, event, .. } = changes;
    let flows = Flows(console.flows(visit).await?);
    let Some(transition) = &event.transition else {
        return Ok(Flash::note(format!("{} is on hold now.", order.number)));
    };
    let text = format!("{} moved to {}. {}", order.number, transition.to.name, follows(event, &flows));
    let from = transition.from.as_ref();
    let until = undo_until(order, &visit.settings).filter(|until| *until > visit.now);
    Ok(match from.zip(until) {
        Some((from, until)) => Flash::done(text).with_undo(Undo {
            action: format!("/orders/{}/undo", order.id),
            fields: vec![
                ("stage".to_owned(), from.id.to_string()),
                ("seq".to_owned(), order.seq.to_string()),
            ],
            until,
        }),
        None => Flash::done(text),
    })
}

/// What follows from an event, in words.
pub fn follows(event: &Event, flows: &Flows) -> String {
    let open =
        |action| event.runs.iter().filter(|(key, run)| key.action() == action && run.is_open()).count();
    let (mails, calls, fulfillments) = (open(Action::Email), open(Action::Webhook), open(Action::Fulfill));
    let mut parts = Vec::new();
    if mails > 0 {
        parts.push("a mail to the customer".to_owned());
    }
    if calls > 0 {
        parts.push(counted(calls, "webhook", "webhooks"));
    }
    if fulfillments > 0 {
        parts.push("a fulfillment on the sales channel".to_owned());
    }
    let skipped = event.runs.iter().find_map(|(key, run)| match &run.state {
        RunState::Skipped { why, .. } => Some(words::skipped(key.action(), why, flows)),
        _ => None,
    });
    match (parts.is_empty(), skipped) {
        (false, _) => format!("Nothing has left yet: {} will follow in a moment.", parts.join(", ")),
        (true, Some(why)) => format!("Nothing is sent. {why}"),
        (true, None) => "Nothing is sent about it.".to_owned(),
    }
}

pub async fn take_back<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(named): Path<String>,
    headers: HeaderMap,
    fields: Fields,
) -> Answer {
    let order = id(OrderId::parse(&named), "order")?;
    let stage = id(StageId::parse(fields.text("stage")), "stage")?;
    let request = UndoRequest { stage, expected_seq: seen_seq(&fields), actor: visitor.actor.clone() };
    let flash = match undo(&console.core, &visitor.shop, &order, request).await? {
        None => Flash::note(
            "It is too late to undo: what follows from the move is on its way. You can still move the order back \
             by hand.",
        ),
        Some(Outcome::Changed(changes)) => {
            let to = changes.event.transition.as_ref().map(|t| t.to.name.clone()).unwrap_or_default();
            let number = &changes.order.number;
            let waits = changes.event.runs.values().any(Run::is_open);
            let flows = Flows(console.flows(&visitor).await?);
            let also = if waits { format!(" {}", follows(&changes.event, &flows)) } else { String::new() };
            Flash::done(format!("Undone: {number} is in {to} again, and nothing was sent.{also}"))
        }
        Some(other) => unchanged(&other),
    };
    to_say(&moved_on(&headers, &order), flash)
}

pub async fn assign<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(named): Path<String>,
    fields: Fields,
) -> Answer {
    let order = id(OrderId::parse(&named), "order")?;
    let stage = id(StageId::parse(fields.text("stage")), "stage")?;
    let flows = Flows(console.flows(&visitor).await?);
    let flow: Option<FlowId> = flows.find(&stage).map(|(flow, _)| flow.id.clone());
    let flow = flow.ok_or_else(|| Trouble::not_found("stage"))?;
    let by = Assigner::By { actor: visitor.actor.clone(), expected_seq: seen_seq(&fields) };
    let fact = Fact::Assign(AssignFact { flow, stage: Some(stage), by });
    let flash = match applied(&console, &visitor, &order, fact).await? {
        Outcome::Changed(changes) => moved(&console, &visitor, &changes).await?.without_undo(),
        other => unchanged(&other),
    };
    to_say(&place(&order), flash)
}

pub async fn hold<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(named): Path<String>,
) -> Answer {
    let order = id(OrderId::parse(&named), "order")?;
    let flash = match applied(&console, &visitor, &order, Fact::Hold { actor: visitor.actor.clone() }).await?
    {
        Outcome::Changed(_) => Flash::done("On hold: its runs wait until somebody resumes it."),
        other => unchanged(&other),
    };
    to_say(&place(&order), flash)
}

pub async fn resume<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(named): Path<String>,
) -> Answer {
    let order = id(OrderId::parse(&named), "order")?;
    let fact = Fact::Resume { actor: visitor.actor.clone() };
    let flash = match applied(&console, &visitor, &order, fact).await? {
        Outcome::Changed(changes) if changes.event.transition.is_some() => {
            moved(&console, &visitor, &changes).await?.without_undo()
        }
        Outcome::Changed(_) => Flash::done("Released: its runs go on."),
        other => unchanged(&other),
    };
    to_say(&place(&order), flash)
}

pub async fn ask_renew_link<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(named): Path<String>,
) -> Answer {
    let order = own(&console, &visitor, &named).await?;
    page(&Confirm {
        shell: visitor.shell(Area::Orders),
        title: format!("Make a new tracking link for {}?", order.number),
        what: vec![
            "Links in mails that were sent stop working: whoever opens one finds nothing.".to_owned(),
            "The customer is not told. Mails that leave from now on have the new link.".to_owned(),
            "The link before cannot be brought back.".to_owned(),
        ],
        action: format!("{}/renew-link", place(&order.id)),
        fields: Vec::new(),
        verb: "Make a new link".to_owned(),
        danger: true,
        back: place(&order.id),
    })
}

pub async fn renew_link<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(named): Path<String>,
) -> Answer {
    let order = id(OrderId::parse(&named), "order")?;
    let fact = Fact::RenewLink { actor: visitor.actor.clone() };
    let flash = match applied(&console, &visitor, &order, fact).await? {
        Outcome::Changed(_) => {
            Flash::done("The tracking link is new. Links in mails that were sent do not work any more.")
        }
        other => unchanged(&other),
    };
    to_say(&place(&order), flash)
}

pub async fn ask_erase<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(named): Path<String>,
) -> Answer {
    let order = own(&console, &visitor, &named).await?;
    page(&Confirm {
        shell: visitor.shell(Area::Orders),
        title: format!("Erase the personal data of {}?", order.number),
        what: vec![
            "Name, addresses and phone number go, and so do the messages and calls that may name them."
                .to_owned(),
            "The order, its lines and its timeline stay. No mail of it leaves any more.".to_owned(),
            "What the store tells of the customer later is left out. This cannot be taken back.".to_owned(),
        ],
        action: format!("{}/erase", place(&order.id)),
        fields: Vec::new(),
        verb: "Erase".to_owned(),
        danger: true,
        back: place(&order.id),
    })
}

pub async fn erase<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(named): Path<String>,
) -> Answer {
    let order = id(OrderId::parse(&named), "order")?;
    let by = Some(visitor.actor.clone());
    let flash = match erase_people(&console.core, &visitor.shop, &order, by).await? {
        Outcome::Changed(_) => Flash::done("The personal data of this order is erased."),
        Outcome::Refused(_) => return Err(Trouble::not_found("order").into()),
        other => unchanged(&other),
    };
    to_say(&place(&order), flash)
}

pub async fn add_package<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(named): Path<String>,
    fields: Fields,
) -> Answer {
    let order = id(OrderId::parse(&named), "order")?;
    let seen = PackageSeen::parse(fields.some("number"), fields.some("url"), fields.some("carrier"));
    let Some(seen) = seen else {
        let wrong = Invalid::new("number", "is needed, or a link that begins with https://");
        return form_back(&console, &visitor, &order, &fields, Wrong(vec![wrong])).await;
    };
    edited(&console, &visitor, &order, PackageEdit::Add(seen), &fields, "Package added.").await
}

pub async fn correct_package<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path((named, package)): Path<(String, String)>,
    fields: Fields,
) -> Answer {
    let order = id(OrderId::parse(&named), "order")?;
    let package = id(PackageId::parse(&package), "package")?;
    let said = |name: &str| Some(fields.some(name).map(str::to_owned));
    let patch = match PackagePatch::parse(said("number"), said("url"), said("carrier")) {
        Ok(patch) => patch,
        Err(wrong) => return form_back(&console, &visitor, &order, &fields, Wrong(wrong)).await,
    };
    edited(&console, &visitor, &order, PackageEdit::Correct(package, patch), &fields, "Package saved.").await
}

pub async fn remove_package<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path((named, package)): Path<(String, String)>,
    fields: Fields,
) -> Answer {
    let order = id(OrderId::parse(&named), "order")?;
    let package = id(PackageId::parse(&package), "package")?;
    edited(&console, &visitor, &order, PackageEdit::Remove(package), &fields, "Package removed.").await
}

async fn edited<S: Stores, K: Secrets + 'static>(
    console: &State<S, K>,
    visit: &Visit,
    order: &OrderId,
    edit: PackageEdit,
    fields: &Fields,
    done: &str,
) -> Answer {
    let fact = Fact::Packages { edit, actor: visit.actor.clone() };
    match applied(console, visit, order, fact).await? {
        Outcome::Changed(_) => to_say(&place(order), Flash::done(done)),
        Outcome::Refused(Refused::EmptyPackage) => {
            let wrong = Invalid::new("number", "or a link is needed");
            form_back(console, visit, order, fields, Wrong(vec![wrong])).await
        }
        other => to_say(&place(order), unchanged(&other)),
    }
}
