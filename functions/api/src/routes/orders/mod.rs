//! Orders: create, read, list, timeline.

mod act;
mod input;

use schemars::JsonSchema;
use serde::Deserialize;
use stagepost_app::apply::{Outcome, apply};
use stagepost_app::ports::{OrderFilter, Secrets};
use stagepost_app::search::search;
use stagepost_domain::event::Change;
use stagepost_domain::fact::Fact;
use stagepost_domain::id::{FlowId, OrderId, ShopId, StageId};
use stagepost_domain::order::Order;
use stagepost_domain::search::{QUERY_MAX, Query};
use stagepost_domain::text::Invalid;
use stagepost_lambda::http::Problem;

use super::State;
use crate::answer::{Answer, Found, List, MadeOrFound};
use crate::caller::{Caller, Member};
use crate::failed::Failed;
use crate::payload::{Limit, Named, Payload, Queried};
use crate::view::{EntryView, OrderLine, OrderView};
use crate::{Api, Stores};
use act::settled;
pub use act::{
    add_package, assign, correct_package, erase, hold, move_to, remove_package, renew_link, resume,
};
use input::OrderInput;
pub use input::PackageInput;

/// Which orders to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// A stage's id.
    #[schemars(with = "Option<StageId>")]
    stage: Option<String>,
    /// True for the orders that are in no flow.
    #[serde(default)]
    untriaged: bool,
    /// What to look for: an order's number or its beginning, words of the customer's name or their beginnings, or
    /// a whole e-mail address.
    q: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Most items of the page.
    #[serde(default)]
    limit: Limit,
}

impl ListQuery {
    fn filter(&self) -> Result<OrderFilter, Invalid> {
        match (&self.stage, self.untriaged) {
            (Some(stage), false) => {
                let stage = StageId::parse(stage).map_err(|_| Invalid::new("stage", "must be a stage's id"));
                stage.map(OrderFilter::Stage)
            }
            (None, true) => Ok(OrderFilter::Untriaged),
            _ => Err(Invalid::new("stage", "say one of stage=stg_…, untriaged=true and q=…")),
        }
    }
}

pub async fn list<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Queried(q): Queried<ListQuery>,
) -> Answer<Found<List<OrderLine>>> {
    if let Some(text) = &q.q {
        return find(&api, caller.shop(), text, &q).await;
    }
    let filter = q.filter().map_err(|e| Problem::invalid(vec![e]))?;
    let page = api.core.store.orders(caller.shop(), &filter, q.cursor.as_deref(), q.limit.get()?).await?;
    Ok(Found(List { items: page.items.into_iter().map(OrderLine::from).collect(), next: page.next }))
}

/// The orders that a query finds.
async fn find<S: Stores, K>(
    api: &Api<S, K>,
    shop: &ShopId,
    text: &str,
    q: &ListQuery,
) -> Answer<Found<List<OrderLine>>> {
    let wrong = |reason: &str| Problem::invalid(vec![Invalid::new("q", reason)]);
    if q.stage.is_some() || q.untriaged {
        return Err(wrong("is for all orders: leave stage and untriaged out").into());
    }
    if text.len() > QUERY_MAX {
        return Err(wrong(&format!("must have at most {QUERY_MAX} bytes")).into());
    }
    let query = Query::parse(text, shop, &api.search);
    let query = query.ok_or_else(|| wrong("must have letters or digits, or be an e-mail address"))?;
    let (store, cursor, limit) = (&api.core.store, q.cursor.as_deref(), q.limit.get()?);
    let page = search(store, &api.search, shop, &query, cursor, limit).await?;
    Ok(Found(List { items: page.items.into_iter().map(OrderLine::from).collect(), next: page.next }))
}

/// The shop's order with this id; anybody else's is not there.
async fn own<S: Stores, K>(api: &Api<S, K>, shop: &ShopId, id: &OrderId) -> Result<Order, Failed> {
    let order = api.core.store.order(id).await?.filter(|o| o.shop == *shop);
    Ok(order.ok_or_else(|| Problem::not_found("order"))?)
}

async fn shown<S: Stores, K>(api: &Api<S, K>, id: &OrderId) -> Result<OrderView, Failed> {
    let found = api.core.store.order_with_snapshot(id).await?;
    let (order, snapshot) = found.ok_or_else(|| Problem::not_found("order"))?;
    let packages = api.core.store.packages(id).await?;
    let flow = match order.flow() {
        Some(flow) => api.core.store.flow(&order.shop, flow).await?,
        None => None,
    };
    let link = api.links.link(&order);
    Ok(OrderView::new(order, snapshot, packages, flow.as_ref(), link))
}

pub async fn read<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<OrderId>,
) -> Answer<Found<OrderView>> {
    let order = own(&api, caller.shop(), &id).await?;
    Ok(Found(shown(&api, &order.id).await?))
}

/// Whether a flow takes the order: an archived one takes none that is new.
async fn takes<S: Stores, K>(
    api: &Api<S, K>,
    shop: &ShopId,
    flow: &FlowId,
    order: &OrderId,
) -> Result<(), Failed> {
    let wrong = match api.core.store.flow(shop, flow).await? {
        None => "no such flow",
        Some(flow) if flow.archived_at.is_none() => return Ok(()),
        Some(_) if api.core.store.order(order).await?.is_some() => return Ok(()),
        Some(_) => "is archived: it takes no new orders",
    };
    Err(Problem::invalid(vec![Invalid::new("flow", wrong)]).into())
}

/// Which part of a list to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// `next` of the page before.
    cursor: Option<String>,
    /// Most items of the page.
    #[serde(default)]
    limit: Limit,
}

impl PageQuery {
    /// Where to go on.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// How many.
    pub fn limit(&self) -> Result<usize, Problem> {
        self.limit.get()
    }
}

pub async fn timeline<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<OrderId>,
    Queried(q): Queried<PageQuery>,
) -> Answer<Found<List<EntryView>>> {
    let order = own(&api, caller.shop(), &id).await?;
    let (limit, now) = (q.limit.get()?, api.core.now());
    let page = api.core.store.timeline(&order.id, q.cursor.as_deref(), limit, now).await?;
    Ok(Found(List { items: page.items.into_iter().map(EntryView::from).collect(), next: page.next }))
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Payload(input): Payload<OrderInput>,
) -> Answer<MadeOrFound<OrderView>> {
    let fact = input.fact(api.core.now()).map_err(Problem::invalid)?;
    let id = fact.source.order_id(caller.shop());
    if let Some(flow) = &fact.default_flow {
        takes(&api, caller.shop(), flow, &id).await?;
    }
    let outcome = apply(&api.core, caller.shop(), &id, &Fact::Order(Box::new(fact))).await?;
    let new = matches!(&outcome, Outcome::Changed(changes) if matches!(changes.event.change, Change::Created { .. }));
    settled(outcome)?;
    let view = shown(&api, &id).await?;
    Ok(if new { MadeOrFound::Made(view) } else { MadeOrFound::Found(view) })
}
