//! The board: a column per stage. A card is moved by dragging, or by the form on it.

use askama::Template;
use futures_util::future::try_join_all;
use stagepost_app::ports::{OrderFilter, OrderSummary, Page, Secrets, StoreError};
use stagepost_domain::flow::{Flow, Stage};
use stagepost_domain::id::OrderId;
use stagepost_domain::order::{Order, Snapshot};

use super::row::{Known, Row};
use crate::answer::{Answer, page};
use crate::fields::Fields;
use crate::names::Flows;
use crate::shell::{Area, Shell};
use crate::state::State;
use crate::ui::Badge;
use crate::visitor::{Visit, Visitor};
use crate::{Console, Stores, words};

/// Cards of one column; the others are in the list.
const CARDS: usize = 20;
/// A column's orders are counted so far: the index page that holds its cards.
const COUNTED: usize = 100;
/// Orders whose people are read in one round trip.
const BATCH: usize = 50;

/// A card.
struct Card {
    row: Row,
    seq: u64,
    items: String,
}

/// A column.
struct Column {
    id: String,
    name: String,
    color: Option<String>,
    count: String,
    cards: Vec<Card>,
    more: Option<String>,
    /// Its automations that are on: icon, word and what each does.
    does: Vec<(&'static str, &'static str, &'static str)>,
}

/// A flow to choose.
struct Tab {
    name: String,
    path: String,
    here: bool,
}

#[derive(Template)]
#[template(path = "orders/board.html")]
struct BoardPage {
    shell: Shell,
    flow: String,
    flows: Vec<Tab>,
    columns: Vec<Column>,
    stages: Vec<(String, String)>,
}

pub async fn show<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    fields: Fields,
) -> Answer {
    let flows = Flows(console.flows(&visitor).await?);
    let Some(flow) = flows.asked(fields.text("flow")) else {
        return Ok(crate::answer::to("/orders"));
    };
    let columns = columns(&console, &visitor, flow, &flows).await?;
    let tab = |f: &Flow| Tab {
        name: f.name.clone(),
        path: format!("/orders/board?flow={}", f.id),
        here: f.id == flow.id,
    };
    page(&BoardPage {
        shell: visitor.shell(Area::Orders),
        flow: flow.id.to_string(),
        flows: flows.0.iter().map(tab).collect(),
        stages: flow.stages.iter().map(|s| (s.id.to_string(), s.name.clone())).collect(),
        columns,
    })
}

/// Every column: its page of the index first, all at once, then the people of all cards, all at once.
async fn columns<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    flow: &Flow,
    flows: &Flows,
) -> Result<Vec<Column>, StoreError> {
    let store = &console.core.store;
    let filters: Vec<OrderFilter> = flow.stages.iter().map(|s| OrderFilter::Stage(s.id.clone())).collect();
    let pages = filters.iter().map(|filter| store.orders(&visit.shop, filter, None, COUNTED));
    let pages = try_join_all(pages).await?;
    let shown = pages.iter().flat_map(|page| page.items.iter().take(CARDS));
    let ids: Vec<OrderId> = shown.map(|summary| summary.id.clone()).collect();
    let batches = try_join_all(ids.chunks(BATCH).map(|ids| store.found(ids))).await?;
    let found: Vec<(Order, Option<Snapshot>)> =
        batches.into_iter().flatten().filter(|(order, _)| order.shop == visit.shop).collect();
    let column = |(stage, page): (&Stage, Page<OrderSummary>)| {
        let more = page.items.len() > CARDS;
        let cards = page.items.iter().take(CARDS).filter_map(|summary| {
            let (order, snapshot) = found.iter().find(|(order, _)| order.id == summary.id)?;
            Some(card(order, snapshot.as_ref(), flows, visit))
        });
        Column {
            id: stage.id.to_string(),
            name: stage.name.clone(),
            color: stage.color.clone(),
            count: format!("{}{}", page.items.len(), if page.next.is_some() { "+" } else { "" }),
            cards: cards.collect(),
            more: more.then(|| format!("/orders?stage={}", stage.id)),
            does: words::automations(&stage.automations),
        }
    };
    Ok(flow.stages.iter().zip(pages).map(column).collect())
}

fn card(order: &Order, snapshot: Option<&Snapshot>, flows: &Flows, visit: &Visit) -> Card {
    let known = Known { order: order.clone(), snapshot: snapshot.cloned() };
    let first = snapshot.and_then(|snapshot| snapshot.lines.first());
    let items = first.map(|line| format!("{} × {}", line.quantity, line.title)).unwrap_or_default();
    let more = snapshot.map_or(0, |snapshot| snapshot.line_count.saturating_sub(1));
    let items = if more > 0 { format!("{items} +{more}") } else { items };
    Card { row: Row::new(&known, flows, visit.now), seq: order.seq, items }
}

impl Card {
    /// The badges that a column does not say already.
    fn badges(&self) -> &[Badge] {
        &self.row.badges
    }
}
