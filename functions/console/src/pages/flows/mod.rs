//! Order flows, their stages and automations.

mod around;
mod draft;
mod edit;
mod list;
mod remove;
mod stage;
mod stage_draft;

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use stagepost_app::ports::{ConfigStore, OrderFilter, OrderStore, Secrets, StoreError};
use stagepost_domain::flow::Flow;
use stagepost_domain::id::{FlowId, ShopId, StageId};

use super::{Routes, id};
use crate::answer::to;
use crate::error::{Failed, Trouble};
use crate::visitor::{Visit, Visitor};
use crate::words::counted;
use crate::{Console, Stores};

/// Its routes.
pub fn routes<S: Stores, K: Secrets + 'static>() -> Routes<S, K> {
    Router::new()
        .route("/settings/flows", get(list::show::<S, K>).post(list::make::<S, K>))
        .route("/settings/flows/new", get(list::choose))
        .route("/settings/flows/{id}", get(edit::show::<S, K>).post(edit::save::<S, K>))
        .route("/settings/flows/{id}/preview", get(back).post(edit::preview::<S, K>))
        .route("/settings/flows/{id}/archive", get(remove::ask::<S, K>).post(remove::archive::<S, K>))
        .route("/settings/flows/{id}/stages/{stage}", get(stage::show::<S, K>).post(stage::save::<S, K>))
        .route(
            "/settings/flows/{id}/stages/{stage}/delete",
            get(remove::ask_stage::<S, K>).post(remove::delete_stage::<S, K>),
        )
}

/// Where a flow is edited.
fn path(flow: &FlowId) -> String {
    format!("/settings/flows/{flow}")
}

/// The address of a form that came back leads to the flow.
async fn back(_: Visitor, Path(named): Path<String>) -> Result<Response, Failed> {
    Ok(to(&path(&id(FlowId::parse(&named), "order flow")?)))
}

/// Where a stage is edited.
fn stage_path(flow: &FlowId, stage: &StageId) -> String {
    format!("/settings/flows/{flow}/stages/{stage}")
}

/// The flow that the path names, as it is this moment: an edit begins with it.
async fn read<S: ConfigStore, K>(
    console: &Console<S, K>,
    visit: &Visit,
    named: &str,
) -> Result<Flow, Failed> {
    let id = id(FlowId::parse(named), "order flow")?;
    let flow = console.core.store.flow(&visit.shop, &id).await?.filter(|flow| flow.archived_at.is_none());
    flow.ok_or_else(|| Trouble::not_found("order flow").into())
}

/// Orders are counted so far.
const COUNTED: usize = 1_000;

/// How many orders stand in a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count {
    n: usize,
    more: bool,
}

impl Count {
    async fn read<S: OrderStore>(store: &S, shop: &ShopId, stage: &StageId) -> Result<Self, StoreError> {
        let (filter, mut cursor, mut n) = (OrderFilter::Stage(stage.clone()), None, 0);
        loop {
            let page = store.orders(shop, &filter, cursor.as_deref(), COUNTED.saturating_sub(n)).await?;
            n = page.items.len().saturating_add(n);
            cursor = page.next;
            if cursor.is_none() || n >= COUNTED {
                return Ok(Self { n, more: cursor.is_some() });
            }
        }
    }

    /// `12`, `1,000+`
    fn number(self) -> String {
        let text = counted(self.n, "", "");
        format!("{}{}", text.trim(), if self.more { "+" } else { "" })
    }

    /// `1 order`, `1,000+ orders`
    fn orders(self) -> String {
        format!("{} {}", self.number(), if self.n == 1 { "order" } else { "orders" })
    }
}

/// A flow that others keep editing, or the store that is away.
fn busy() -> Failed {
    Trouble::away().into()
}
