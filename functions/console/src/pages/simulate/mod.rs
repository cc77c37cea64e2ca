//! What would happen to an order: the same decisions, and nothing written or sent.

mod asked;
mod plan;

use askama::Template;
use axum::Router;
use axum::routing::get;
use http::StatusCode;
use stagepost_app::ports::Secrets;
use stagepost_app::search::{Hit, search};
use stagepost_app::simulate::{SimulateError, Subject, simulate};
use stagepost_domain::id::OrderId;
use stagepost_domain::order::{Order, Platform, Snapshot};
use stagepost_domain::search::{QUERY_MAX, Query};

use self::asked::{Asked, InventedForm};
use self::plan::{Entry, Setting};
use super::Routes;
use crate::answer::{Answer, page_as, to};
use crate::error::{Failed, Trouble};
use crate::fields::{Fields, Wrong};
use crate::names::Flows;
use crate::shell::{Area, Shell};
use crate::state::State;
use crate::visitor::{Member, Visit, Visitor};
use crate::{Console, Stores, words};

/// Orders that are offered where a number means several.
const OFFERED: usize = 10;

/// Its routes.
pub fn routes<S: Stores, K: Secrets + 'static>() -> Routes<S, K> {
    Router::new().route("/simulate", get(show::<S, K>))
}

#[derive(Template)]
#[template(path = "simulate/page.html")]
struct SimulatePage<'a> {
    shell: Shell,
    /// Whether an order of the shop is played with, or one that is made up.
    existing: bool,
    number: &'a str,
    /// Where a number found several orders or none.
    offered: Option<Vec<Offer>>,
    chosen: Option<Chosen>,
    flow: Option<(String, String)>,
    tabs: Vec<(String, String, bool)>,
    invented: InventedForm,
    platforms: Vec<(String, String)>,
    places: Vec<(String, String)>,
    stages: Vec<(String, String)>,
    asked: &'a Asked,
    plan: Option<Vec<Entry>>,
    wrong: Wrong,
}

/// An order that the search found.
struct Offer {
    id: String,
    number: String,
    customer: String,
}

/// The order that is played with.
struct Chosen {
    id: String,
    number: String,
    customer: String,
    stage: Option<String>,
}

async fn show<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    fields: Fields,
) -> Answer {
    let flows = Flows(console.flows(&visitor).await?);
    let asked = Asked::of(&fields, &flows);
    if let Some(id) = &asked.order {
        return existing(&console, &visitor, &flows, &asked, id).await;
    }
    if let Some(number) = fields.some("number") {
        return searched(&console, &visitor, &asked, number).await;
    }
    made_up(&console, &visitor, &flows, &asked).await
}

/// An order of the shop, by its id.
async fn existing<S: Stores, K: Secrets + 'static>(
    console: &Console<S, K>,
    visit: &Visit,
    flows: &Flows,
    asked: &Asked,
    id: &OrderId,
) -> Answer {
    let (found, setting) =
        tokio::join!(console.core.store.order_with_snapshot(id), Setting::read(console, visit, flows));
    let (order, snapshot) =
        found?.filter(|(order, _)| order.shop == visit.shop).ok_or_else(|| Trouble::not_found("order"))?;
    let (snapshot, mut setting) = (snapshot.unwrap_or_default(), setting?);
    setting
        .customer(console, visit, snapshot.customer.name.as_deref(), snapshot.customer.email.as_deref())
        .await?;
    let flow = order.flow().and_then(|id| flows.flow(id));
    let plan = match asked.steps() {
        steps if steps.is_empty() => None,
        steps => {
            let subject = Subject::Existing(id.clone());
            let told = simulate(&console.core, &visit.shop, &visit.actor, &subject, &steps).await?;
            Some(setting.told(told, &steps, order.source.platform))
        }
    };
    let form = SimulatePage {
        stages: flow.map(asked::stages).unwrap_or_default(),
        chosen: Some(chosen(&order, &snapshot, flows)),
        existing: true,
        plan,
        ..blank(visit, asked)
    };
    page_as(StatusCode::OK, &form)
}

fn chosen(order: &Order, snapshot: &Snapshot, flows: &Flows) -> Chosen {
    let stage = order.stage().map(|id| crate::words::Names::stage(flows, id));
    let customer = snapshot.customer.name.clone().unwrap_or_default();
    Chosen { id: order.id.to_string(), number: order.number.clone(), customer, stage }
}

/// Orders with this number, or its beginning. The only one is taken.
async fn searched<S: Stores, K: Secrets + 'static>(
    console: &Console<S, K>,
    visit: &Visit,
    asked: &Asked,
    number: &str,
) -> Answer {
    let (store, key) = (&console.core.store, &console.keys.search);
    let query = Some(number).filter(|text| text.len() <= QUERY_MAX);
    let hits = match query.and_then(|text| Query::parse(text, &visit.shop, key)) {
        Some(query) => search(store, key, &visit.shop, &query, None, OFFERED).await?.items,
        None => Vec::new(),
    };
    if let [Hit { order, .. }] = hits.as_slice() {
        return Ok(to(&format!("/simulate?order={}", order.id)));
    }
    let offer = |Hit { order, customer }: Hit| Offer {
        id: order.id.to_string(),
        number: order.number,
        customer: customer.unwrap_or_default(),
    };
    let form = SimulatePage {
        number,
        offered: Some(hits.into_iter().map(offer).collect()),
        existing: true,
        ..blank(visit, asked)
    };
    page_as(StatusCode::OK, &form)
}

/// An order that is made up.
async fn made_up<S: Stores, K: Secrets + 'static>(
    console: &Console<S, K>,
    visit: &Visit,
    flows: &Flows,
    asked: &Asked,
) -> Answer {
    let mut setting = Setting::read(console, visit, flows).await?;
    let flow = asked.flow.as_ref().and_then(|id| flows.flow(id));
    let platforms = setting.platforms();
    let mut form = SimulatePage {
        existing: asked.existing,
        flow: flow.map(|flow| (flow.id.to_string(), flow.name.clone())),
        tabs: asked.tabs(flows),
        places: flow.map(asked::places).unwrap_or_default(),
        stages: flow.map(asked::stages).unwrap_or_default(),
        invented: asked.invented.clone(),
        ..blank(visit, asked)
    };
    if form.invented.platform.is_empty() {
        form.invented.platform = platforms.first().map(|(id, _)| id.clone()).unwrap_or_default();
    }
    form.platforms = platforms;
    let subject = match (flow, asked.runs) {
        (Some(flow), true) => form.invented.subject(flow),
        _ => return page_as(StatusCode::OK, &form),
    };
    let (name, email) = (subject.name.clone(), subject.email.clone());
    setting.customer(console, visit, name.as_deref(), email.as_deref()).await?;
    let (platform, steps) = (subject.platform, asked.steps());
    let told = simulate(&console.core, &visit.shop, &visit.actor, &Subject::Invented(subject), &steps).await;
    match told {
        Ok(told) => form.plan = Some(setting.told(told, &steps, platform)),
        Err(SimulateError::Invalid(wrong)) => {
            form.wrong = Wrong(vec![wrong]);
            return page_as(StatusCode::UNPROCESSABLE_ENTITY, &form);
        }
        Err(error) => return Err(Failed::from(error)),
    }
    page_as(StatusCode::OK, &form)
}

fn blank<'a>(visit: &Visit, asked: &'a Asked) -> SimulatePage<'a> {
    SimulatePage {
        shell: visit.shell(Area::Simulate),
        existing: false,
        number: "",
        offered: None,
        chosen: None,
        flow: None,
        tabs: Vec::new(),
        invented: InventedForm::default(),
        platforms: Vec::new(),
        places: Vec::new(),
        stages: Vec::new(),
        asked,
        plan: None,
        wrong: Wrong::default(),
    }
}

impl SimulatePage<'_> {
    /// What can happen, beside moves.
    fn facts(&self) -> [(&'static str, &'static str); 4] {
        asked::FACTS
    }

    /// Whether a choice of a step is the one that was made.
    fn is_step(&self, n: &usize, value: &str) -> bool {
        self.asked.said.get(*n).is_some_and(|said| said == value)
    }

    fn is_move(&self, n: &usize, stage: &str) -> bool {
        self.is_step(n, &format!("move:{stage}"))
    }
}

/// A platform as the form has it.
fn platform_choice(platform: Platform) -> (String, String) {
    (platform.as_str().to_owned(), words::platform(platform).to_owned())
}
