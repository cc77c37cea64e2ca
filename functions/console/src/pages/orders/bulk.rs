//! Many orders at once: what it would do, then a job that does it, then how far that is.

use askama::Template;
use axum::extract::Path;
use http::HeaderMap;
use stagepost_app::jobs::{self, FORESEEN_MAX, Foreseen, JobRequestError, MoveRequest, foresee};
use stagepost_app::ports::Secrets;
use stagepost_domain::event::Action;
use stagepost_domain::id::{JobId, OrderId, StageId};
use stagepost_domain::job::{Job, JobKind, Selection};

use crate::Stores;
use crate::answer::{Answer, from_script, last_of, page, to, to_say};
use crate::error::{Failed, Trouble};
use crate::fields::Fields;
use crate::names::Flows;
use crate::pages::id;
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::time::Moment;
use crate::ui::{Badge, Confirm};
use crate::visitor::{Member, Visit, Visitor};
use crate::words::{self, Names, counted};

/// Which orders go where, as the query or the form says.
fn asked(fields: &Fields, visit: &Visit) -> Result<MoveRequest, Failed> {
    let to = id(StageId::parse(fields.text("to")), "stage")?;
    let selection = match fields.some("from") {
        Some(stage) => Selection::Stage { stage: id(StageId::parse(stage), "stage")? },
        None => {
            let orders = fields.all("order").map(|order| id(OrderId::parse(order), "order"));
            Selection::Orders { orders: orders.collect::<Result<_, _>>()? }
        }
    };
    Ok(MoveRequest { to, selection, actor: visit.actor.clone() })
}

pub async fn ask<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    fields: Fields,
) -> Answer {
    let request = asked(&fields, &visitor)?;
    if matches!(&request.selection, Selection::Orders { orders } if orders.is_empty()) {
        return to_say("/orders", Flash::note("Choose the orders first, then what to do with them."));
    }
    let flows = Flows(console.flows(&visitor).await?);
    let stage = flows.stage(&request.to);
    let foreseen = foresee(&console.core, &visitor.shop, request.clone()).await?;
    let back = match &request.selection {
        Selection::Stage { stage } => format!("/orders?stage={stage}"),
        Selection::Orders { .. } => "/orders".to_owned(),
    };
    page(&Confirm {
        shell: visitor.shell(Area::Orders),
        title: format!("Move {} to {stage}?", orders(foreseen.orders, foreseen.more)),
        what: told(&foreseen, &stage, &flows),
        action: "/orders/move".to_owned(),
        fields: form(&request),
        verb: format!("Move {}", orders(foreseen.orders, foreseen.more)),
        danger: false,
        back,
    })
}

/// `37 orders`, `1,000+ orders`
fn orders(n: usize, more: bool) -> String {
    let n = n.min(if more { FORESEEN_MAX } else { usize::MAX });
    if more { format!("{}+ orders", words::thousands(n)) } else { counted(n, "order", "orders") }
}

fn form(request: &MoveRequest) -> Vec<(String, String)> {
    let to = ("to".to_owned(), request.to.to_string());
    let of = match &request.selection {
        Selection::Orders { orders } => {
            orders.iter().map(|id| ("order".to_owned(), id.to_string())).collect()
        }
        Selection::Stage { stage } => vec![("from".to_owned(), stage.to_string())],
    };
    std::iter::once(to).chain(of).collect()
}

/// What it does, a sentence each.
fn told(foreseen: &Foreseen, stage: &str, flows: &Flows) -> Vec<String> {
    let mut what = vec![sum(foreseen)];
    if foreseen.more {
        let most = words::thousands(FORESEEN_MAX);
        what.push(format!("There are more than {most} orders; these are the numbers of the newest {most}."));
    }
    for ((action, _), (why, n)) in &foreseen.skipped {
        let what_of = match action {
            Action::Email => counted(*n, "mail is", "mails are"),
            Action::Webhook => counted(*n, "webhook is", "webhooks are"),
            Action::Fulfill => counted(*n, "fulfillment is", "fulfillments are"),
            Action::RegisterTracker => counted(*n, "registration is", "registrations are"),
        };
        what.push(format!("{what_of} skipped: {}", words::skipped(*action, why, flows)));
    }
    if foreseen.same > 0 {
        what.push(format!("{} in {stage} already.", counted(foreseen.same, "order is", "orders are")));
    }
    for (why, n) in &foreseen.refused {
        what.push(format!("{} not moved: {}", counted(*n, "order is", "orders are"), words::refused(why)));
    }
    if foreseen.unknown > 0 {
        what.push(format!("{} not there any more.", counted(foreseen.unknown, "order is", "orders are")));
    }
    what.push("It is done one after the other, and can be stopped; what was done by then stands.".to_owned());
    what
}

/// *This mails 37 customers, sends 37 webhooks and fulfills 12 orders on Shopify.*
fn sum(foreseen: &Foreseen) -> String {
    let mut parts = vec![format!("moves {}", counted(foreseen.moved, "order", "orders"))];
    if foreseen.mails > 0 {
        parts.push(format!("mails {}", counted(foreseen.mails, "customer", "customers")));
    }
    if foreseen.webhooks > 0 {
        parts.push(format!("sends {}", counted(foreseen.webhooks, "webhook", "webhooks")));
    }
    for (platform, n) in &foreseen.fulfillments {
        parts.push(format!("fulfills {} on {platform}", counted(*n, "order", "orders")));
    }
    let last = parts.pop().unwrap_or_default();
    let silent = foreseen.mails + foreseen.webhooks + foreseen.fulfilled() == 0;
    let rest = if silent { " and nothing else: no customer is told anything" } else { "" };
    if parts.is_empty() {
        return format!("This {last}{rest}.");
    }
    format!("This {} and {last}{rest}.", parts.join(", "))
}

pub async fn begin<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    fields: Fields,
) -> Answer {
    let request = asked(&fields, &visitor)?;
    let job = jobs::bulk_move(&console.core, &visitor.shop, request).await?;
    Ok(to(&format!("/jobs/{}", job.id)))
}

/// How far a job is.
#[derive(Template)]
#[template(path = "orders/job.html")]
struct JobPage {
    shell: Shell,
    job: JobView,
}

/// The part of it that changes.
#[derive(Template)]
#[template(path = "orders/progress.html")]
struct JobPart {
    shell: Shell,
    job: JobView,
}

struct JobView {
    id: String,
    title: String,
    badge: Badge,
    seen: u64,
    changed: u64,
    refused: u64,
    same: u64,
    total: Option<u64>,
    began: Moment,
    ended: Option<Moment>,
    error: String,
    /// Whether it goes on, and can be stopped.
    open: bool,
    back: String,
}

/// A job of the visitor's shop.
async fn found<S: Stores, K>(console: &State<S, K>, visit: &Visit, named: &str) -> Result<JobView, Failed> {
    let named = id(JobId::parse(named), "job")?;
    let (job, flows) = tokio::join!(console.core.store.job(&visit.shop, &named), console.flows(visit));
    let (job, flows) = (job?, Flows(flows?));
    Ok(job.and_then(|job| view(&job, &flows, visit)).ok_or_else(|| Trouble::not_found("job"))?)
}

pub async fn show<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    Path(named): Path<String>,
) -> Answer {
    let job = found(&console, &visitor, &named).await?;
    page(&JobPage { shell: visitor.shell(Area::Orders), job })
}

pub async fn progress<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    Path(named): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let job = found(&console, &visitor, &named).await?;
    if !from_script(&headers) {
        return Ok(to(&format!("/jobs/{}", job.id)));
    }
    let open = job.open;
    let part = JobPart { shell: visitor.fragment(Area::Orders), job };
    if open { page(&part) } else { last_of(&part) }
}

pub async fn stop<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(named): Path<String>,
) -> Answer {
    // Only a job of this kind is stopped here.
    let (named, _) = (id(JobId::parse(&named), "job")?, found(&console, &visitor, &named).await?);
    let flash = match jobs::cancel(&console.core, &visitor.shop, &named).await {
        Ok(_) => Flash::done("Stopped. What was done by then stands."),
        Err(JobRequestError::Step(step)) => Flash::note(format!("Not stopped: {step}.")),
        Err(error) => return Err(error.into()),
    };
    to_say(&format!("/jobs/{named}"), flash)
}

/// A bulk move as its page shows it: every other job has its page in Activity.
fn view(job: &Job, flows: &Flows, visit: &Visit) -> Option<JobView> {
    let JobKind::Move { to, selection, .. } = &job.kind else { return None };
    let total = match selection {
        Selection::Orders { orders } => u64::try_from(orders.len()).ok(),
        Selection::Stage { .. } => None,
    };
    let (seen, changed, refused) = (job.progress.seen, job.progress.changed, job.progress.refused);
    Some(JobView {
        id: job.id.to_string(),
        title: format!("Moving orders to {}", flows.stage(to)),
        badge: words::job_badge(&job.state),
        seen,
        changed,
        refused,
        same: seen.saturating_sub(changed).saturating_sub(refused),
        total,
        began: Moment::new(job.created_at, visit.now),
        ended: job.state.ended_at().map(|at| Moment::new(at, visit.now)),
        error: job.error().unwrap_or_default().to_owned(),
        open: !job.ended(),
        back: format!("/orders?stage={to}"),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_a_bulk_move_does_is_told_with_numbers() {
        let fulfillments = BTreeMap::from([("Shopify", 12)]);
        let all =
            Foreseen { orders: 40, moved: 38, mails: 37, webhooks: 1, fulfillments, ..Foreseen::default() };
        let text =
            "This moves 38 orders, mails 37 customers, sends 1 webhook and fulfills 12 orders on Shopify.";
        assert_eq!(sum(&all), text);
        let silent = Foreseen { orders: 1, moved: 1, ..Foreseen::default() };
        assert_eq!(sum(&silent), "This moves 1 order and nothing else: no customer is told anything.");
        assert_eq!(
            (orders(1, false), orders(1_050, true)),
            ("1 order".to_owned(), "1,000+ orders".to_owned())
        );
    }
}
