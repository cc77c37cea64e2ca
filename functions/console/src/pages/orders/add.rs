//! An order by hand: one that came by telephone, or the first one, to see what a flow does.

use askama::Template;
use stagepost_app::apply::{Outcome, apply};
use stagepost_app::ports::Secrets;
use stagepost_domain::fact::{Fact, WrittenOrder};
use stagepost_domain::id::FlowId;
use stagepost_domain::order::{Customer, FIELD_MAX, Line, Snapshot};
use stagepost_domain::package::PackageSeen;
use stagepost_domain::text::{Invalid, tidy};

use super::act::{follows, place};
use crate::Stores;
use crate::answer::{Answer, page_as, to_say};
use crate::fields::{Fields, Wrong};
use crate::names::Flows;
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::visitor::{Member, Visit, Visitor};

#[derive(Template)]
#[template(path = "orders/add.html")]
struct AddPage<'a> {
    shell: Shell,
    fields: &'a Fields,
    flow: &'a str,
    flows: Vec<(String, String)>,
    wrong: Wrong,
}

pub async fn ask<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    fields: Fields,
) -> Answer {
    let flows = Flows(console.flows(&visitor).await?);
    form(&visitor, &flows, &fields, Wrong::default())
}

fn form(visit: &Visit, flows: &Flows, fields: &Fields, wrong: Wrong) -> Answer {
    let sent = fields.some("sent").is_some();
    let first = flows.asked(fields.text("flow")).map(|flow| flow.id.as_str()).unwrap_or_default();
    let choices = flows.0.iter().map(|flow| (flow.id.to_string(), flow.name.clone()));
    let none = (String::new(), "No flow: it waits untriaged".to_owned());
    page_as(
        wrong.status(false),
        &AddPage {
            shell: visit.shell(Area::Orders),
            flow: if sent { fields.text("flow") } else { first },
            flows: choices.chain([none]).collect(),
            fields,
            wrong,
        },
    )
}

/// What the form says; the number is the order's own id, too.
fn written(visit: &Visit, fields: &Fields, package: Option<PackageSeen>) -> WrittenOrder {
    let text = |name: &str| tidy(fields.text(name), FIELD_MAX);
    let line = |title| Line { title, sku: None, quantity: "1".to_owned(), price: None };
    let lines: Vec<Line> = text("item").map(line).into_iter().collect();
    let customer = Customer { name: text("customer.name"), email: text("customer.email"), phone: None };
    let line_count = u32::try_from(lines.len()).unwrap_or_default();
    WrittenOrder {
        external_id: fields.text("external_id").to_owned(),
        number: None,
        snapshot: Snapshot { customer, lines, line_count, ..Snapshot::default() },
        packages: package.map(|package| vec![package]),
        flow: None,
        by: Some(visit.actor.clone()),
    }
}

/// The parcel whose number was entered, if one was.
fn parcel(fields: &Fields) -> Result<Option<PackageSeen>, Invalid> {
    let Some(number) = fields.some("package") else { return Ok(None) };
    let seen = PackageSeen::parse(Some(number), None, None);
    seen.map(Some).ok_or_else(|| Invalid::new("package", "must have letters or digits"))
}

/// The flow that was chosen, if one was.
fn chosen(fields: &Fields, flows: &Flows) -> Result<Option<FlowId>, Invalid> {
    let Some(named) = fields.some("flow") else { return Ok(None) };
    let flow = FlowId::parse(named).ok().filter(|flow| flows.flow(flow).is_some());
    flow.map(Some).ok_or_else(|| Invalid::new("flow", "is gone: choose another"))
}

pub async fn make<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    fields: Fields,
) -> Answer {
    let flows = Flows(console.flows(&visitor).await?);
    let (flow, package) = match (chosen(&fields, &flows), parcel(&fields)) {
        (Ok(flow), Ok(package)) => (flow, package),
        (flow, package) => {
            let wrong = flow.err().into_iter().chain(package.err()).collect();
            return form(&visitor, &flows, &fields, Wrong(wrong));
        }
    };
    let written = WrittenOrder { flow, ..written(&visitor, &fields, package) };
    let fact = match written.fact(console.core.now()) {
        Ok(fact) => fact,
        Err(wrong) => return form(&visitor, &flows, &fields, Wrong(wrong)),
    };
    let order = fact.source.order_id(&visitor.shop);
    let outcome = apply(&console.core, &visitor.shop, &order, &Fact::Order(Box::new(fact))).await?;
    to_say(&place(&order), came(&outcome, &flows))
}

/// What is said of the order that is there now.
fn came(outcome: &Outcome, flows: &Flows) -> Flash {
    let Outcome::Changed(changes) = outcome else {
        return Flash::note(
            "An order with this number is here already: this is it. Nothing of it was changed.",
        );
    };
    let number = &changes.order.number;
    Flash::done(match &changes.event.transition {
        Some(entry) => format!("{number} is in {}. {}", entry.to.name, follows(&changes.event, flows)),
        None => format!("{number} is here, in no flow yet."),
    })
}
