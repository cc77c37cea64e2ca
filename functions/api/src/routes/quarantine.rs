//! What stands in quarantine.

use schemars::JsonSchema;
use serde::Deserialize;
use stagepost_app::ports::Secrets;
use stagepost_app::quarantine;
use stagepost_domain::id::QuarantineId;
use stagepost_lambda::http::Problem;

use super::State;
use crate::Stores;
use crate::answer::{Accepted, Answer, Found, Gone, List, Raw};
use crate::caller::{Admin, Caller, Member};
use crate::payload::{Limit, Named, Queried};
use crate::view::QuarantineView;

/// Which page of the quarantine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// `next` of the page before.
    cursor: Option<String>,
    /// Most items of the page.
    #[serde(default)]
    limit: Limit,
}

pub async fn list<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Queried(q): Queried<ListQuery>,
) -> Answer<Found<List<QuarantineView>>> {
    let (limit, now) = (q.limit.get()?, api.core.now());
    let page = api.core.store.quarantined(caller.shop(), q.cursor.as_deref(), limit, now).await?;
    let items = page.items.into_iter().map(QuarantineView::from).collect();
    Ok(Found(List { items, next: page.next }))
}

pub async fn body<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<QuarantineId>,
) -> Answer<Raw> {
    let read = quarantine::read(&api.core, &api.secrets, caller.shop(), &id).await?;
    Ok(Raw(read.ok_or_else(not_found)?.1))
}

pub async fn replay<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named(id): Named<QuarantineId>,
) -> Answer<Accepted<QuarantineView>> {
    // Its key is used once and made of chance alone, never of what a caller may repeat.
    let core = &api.api.core;
    let replayed = quarantine::replay(core, &api.secrets, &api.inbound, caller.shop(), &id).await?;
    Ok(Accepted(replayed.ok_or_else(not_found)?.into()))
}

pub async fn delete<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<QuarantineId>,
) -> Answer<Gone> {
    let there = api.core.store.quarantined_item(caller.shop(), &id, api.core.now()).await?;
    there.ok_or_else(not_found)?;
    quarantine::release(&api.core, caller.shop(), &id).await?;
    Ok(Gone)
}

fn not_found() -> Problem {
    Problem::not_found("notification in quarantine")
}
