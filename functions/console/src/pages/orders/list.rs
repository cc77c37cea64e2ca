//! The list: orders of a stage, of a whole flow, untriaged ones, or those that a search finds.

use askama::Template;
use futures_util::future::try_join_all;
use stagepost_app::ports::{OrderFilter, OrderSummary, Page, Secrets, StoreError};
use stagepost_app::search::{Hit, search};
use stagepost_domain::flow::Flow;
use stagepost_domain::id::StageId;
use stagepost_domain::search::{QUERY_MAX, Query};
use url::form_urlencoded;

use super::row::{Known, Row, rows};
use crate::answer::{Answer, page};
use crate::error::Failed;
use crate::fields::Fields;
use crate::names::{Flows, Group};
use crate::shell::{Area, Shell};
use crate::state::State;
use crate::ui::{Empty, GREY, not_set_up, nothing_found, nothing_yet};
use crate::visitor::{Visit, Visitor};
use crate::{Console, Stores};

/// Orders of one page: as many as their people can be read of in one round trip.
const PAGE: usize = 50;
/// Untriaged orders are counted so far.
const COUNTED: usize = 100;

/// A choice among filters.
struct Tab {
    label: String,
    path: String,
    here: bool,
    count: String,
    color: Option<String>,
}

#[derive(Template)]
#[template(path = "orders/list.html")]
struct ListPage<'a> {
    shell: Shell,
    /// The flows, if there are several.
    flows: Vec<Tab>,
    stages: Vec<Tab>,
    untriaged: Tab,
    board: Option<String>,
    q: &'a str,
    flow: &'a str,
    /// The stage that all of a bulk move would come from.
    from: Option<(String, String)>,
    rows: Vec<Row>,
    targets: Vec<Group>,
    /// What the list does not show.
    note: &'static str,
    first: Option<String>,
    next: Option<String>,
    empty: Option<Empty<'static>>,
}

/// What is asked for.
enum Asked<'a> {
    Stage(StageId),
    Untriaged,
    Search(&'a str),
    Flow,
}

impl<'a> Asked<'a> {
    fn of(fields: &'a Fields) -> Self {
        if let Some(q) = fields.some("q") {
            return Self::Search(q);
        }
        match StageId::parse(fields.text("stage")) {
            Ok(stage) => Self::Stage(stage),
            Err(_) if fields.is_on("untriaged") => Self::Untriaged,
            Err(_) => Self::Flow,
        }
    }
}

pub async fn show<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    fields: Fields,
) -> Answer {
    let flows = Flows(console.flows(&visitor).await?);
    let asked = Asked::of(&fields);
    let here = match &asked {
        Asked::Stage(stage) => flows.find(stage).map(|(flow, _)| flow),
        _ => flows.asked(fields.text("flow")),
    };
    let (found, untriaged) = tokio::join!(
        found(&console, &visitor, &asked, here, &flows, fields.some("cursor")),
        console.core.store.orders(&visitor.shop, &OrderFilter::Untriaged, None, COUNTED)
    );
    let (Found { rows, next, note }, untriaged) = (found?, untriaged?);
    let first = fields.some("cursor").map(|_| path(&fields, None));
    let page_of = ListPage {
        shell: visitor.shell(Area::Orders),
        flows: flow_tabs(&flows, here, &asked),
        stages: here.map(|flow| stage_tabs(flow, &asked)).unwrap_or_default(),
        untriaged: untriaged_tab(&untriaged, &asked),
        board: here.map(|flow| format!("/orders/board?flow={}", flow.id)),
        q: if let Asked::Search(q) = asked { q } else { "" },
        flow: here.map_or("", |flow| flow.id.as_str()),
        from: from(&asked, &flows, first.is_some() || next.is_some()),
        empty: rows.is_empty().then(|| empty(&asked, &flows)),
        targets: flows.targets(here.map(|flow| &flow.id).filter(|_| !matches!(asked, Asked::Search(_)))),
        rows,
        note,
        first,
        next: next.map(|cursor| path(&fields, Some(&cursor))),
    };
    page(&page_of)
}

/// A page of what was asked for.
struct Found {
    rows: Vec<Row>,
    next: Option<String>,
    note: &'static str,
}

async fn found<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    asked: &Asked<'_>,
    here: Option<&Flow>,
    flows: &Flows,
    cursor: Option<&str>,
) -> Result<Found, Failed> {
    let (store, shop) = (&console.core.store, &visit.shop);
    let filtered = async |filter: OrderFilter| store.orders(shop, &filter, cursor, PAGE).await;
    let (listed, note) = match asked {
        Asked::Search(text) => return Ok(searched(console, visit, text, flows, cursor).await?),
        Asked::Stage(stage) => (filtered(OrderFilter::Stage(stage.clone())).await?, ""),
        Asked::Untriaged => (filtered(OrderFilter::Untriaged).await?, ""),
        Asked::Flow => newest(console, visit, here).await?,
    };
    let rows = rows(store, shop, listed.items, flows, visit.now).await?;
    Ok(Found { rows, next: listed.next, note })
}

/// The newest of all stages of a flow. There is no index over them, so each is asked for a page, at once.
async fn newest<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    here: Option<&Flow>,
) -> Result<(Page<OrderSummary>, &'static str), StoreError> {
    let filters: Vec<OrderFilter> =
        here.iter().flat_map(|flow| &flow.stages).map(|s| OrderFilter::Stage(s.id.clone())).collect();
    let asked = filters.iter().map(|filter| console.core.store.orders(&visit.shop, filter, None, PAGE));
    let pages = try_join_all(asked).await?;
    let more = pages.iter().any(|page| page.next.is_some());
    let mut items: Vec<OrderSummary> = pages.into_iter().flat_map(|page| page.items).collect();
    let more = more || items.len() > PAGE;
    items.sort_by_key(|summary| std::cmp::Reverse(summary.entered_at));
    items.truncate(PAGE);
    let note =
        if more { "The newest 50 of all stages. Choose a stage to see all of its orders." } else { "" };
    Ok((Page { items, next: None }, note))
}

async fn searched<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    text: &str,
    flows: &Flows,
    cursor: Option<&str>,
) -> Result<Found, StoreError> {
    let (store, key) = (&console.core.store, &console.keys.search);
    let query = Some(text).filter(|text| text.len() <= QUERY_MAX);
    let Some(query) = query.and_then(|text| Query::parse(text, &visit.shop, key)) else {
        return Ok(Found { rows: Vec::new(), next: None, note: "" });
    };
    let hits = search(store, key, &visit.shop, &query, cursor, PAGE).await?;
    let row = |Hit { order, customer }| {
        let mut row = Row::new(&Known { order, snapshot: None }, flows, visit.now);
        row.customer = customer.unwrap_or_default();
        row
    };
    Ok(Found { rows: hits.items.into_iter().map(row).collect(), next: hits.next, note: "" })
}

/// The same list from another place on.
fn path(fields: &Fields, cursor: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for name in ["flow", "stage", "untriaged", "q"] {
        query.extend_pairs(fields.some(name).map(|value| (name, value)));
    }
    query.extend_pairs(cursor.map(|cursor| ("cursor", cursor)));
    format!("/orders?{}", query.finish())
}

fn flow_tabs(flows: &Flows, here: Option<&Flow>, asked: &Asked<'_>) -> Vec<Tab> {
    let listing = matches!(asked, Asked::Stage(_) | Asked::Flow);
    let tab = |flow: &Flow| Tab {
        label: flow.name.clone(),
        path: format!("/orders?flow={}", flow.id),
        here: listing && here.is_some_and(|here| here.id == flow.id),
        count: String::new(),
        color: None,
    };
    flows.0.iter().map(tab).collect()
}

fn stage_tabs(flow: &Flow, asked: &Asked<'_>) -> Vec<Tab> {
    let all = Tab {
        label: "All stages".to_owned(),
        path: format!("/orders?flow={}", flow.id),
        here: matches!(asked, Asked::Flow),
        count: String::new(),
        color: None,
    };
    let here = |id: &StageId| match asked {
        Asked::Stage(stage) => flow.position(stage) == flow.position(id),
        _ => false,
    };
    let tab = |stage: &stagepost_domain::flow::Stage| Tab {
        label: stage.name.clone(),
        path: format!("/orders?stage={}", stage.id),
        here: here(&stage.id),
        count: String::new(),
        color: Some(stage.color.clone().unwrap_or_else(|| GREY.to_owned())),
    };
    std::iter::once(all).chain(flow.stages.iter().map(tab)).collect()
}

fn untriaged_tab(page: &Page<OrderSummary>, asked: &Asked<'_>) -> Tab {
    let more = if page.next.is_some() { "+" } else { "" };
    Tab {
        label: "Untriaged".to_owned(),
        path: "/orders?untriaged=true".to_owned(),
        here: matches!(asked, Asked::Untriaged),
        count: format!("{}{more}", page.items.len()),
        color: None,
    }
}

/// The stage of which all may be moved at once, where a page does not show all.
fn from(asked: &Asked<'_>, flows: &Flows, pages: bool) -> Option<(String, String)> {
    let Asked::Stage(stage) = asked else { return None };
    let (_, stage) = flows.find(stage).filter(|_| pages)?;
    Some((stage.id.to_string(), stage.name.clone()))
}

fn empty(asked: &Asked<'_>, flows: &Flows) -> Empty<'static> {
    if flows.0.is_empty() && matches!(asked, Asked::Flow | Asked::Stage(_)) {
        let text = "Orders move through the stages of an order flow. Design one, and new orders start in it.";
        return not_set_up("No order flow yet", text).next("/settings/flows", "Make an order flow");
    }
    match asked {
        Asked::Search(_) => nothing_found(
            "No order matches",
            "Search for an order number or its beginning, words of the customer's name, or a whole e-mail address.",
        )
        .next("/orders", "Show all orders"),
        Asked::Untriaged => nothing_yet(
            "Nothing to triage",
            "Orders that belong to no flow yet wait here, and nothing is ever sent about them.",
        )
        .next("/orders", "Show all orders"),
        Asked::Stage(_) => nothing_found(
            "No orders in this stage",
            "Orders appear here as soon as they enter it, by hand, by a store or by a carrier.",
        )
        .next("/orders", "Show all stages"),
        Asked::Flow => nothing_yet(
            "No orders yet",
            "Orders appear here as soon as a connected store or the API tells of one. To see what a flow does, add one \
             by hand.",
        )
        .next("/settings/integrations", "Connect a store"),
    }
}
