//! Addresses that the shop does not mail to.

use schemars::JsonSchema;
use serde::Deserialize;
use stagepost_app::mail::suppressions;
use stagepost_app::ports::Secrets;
use stagepost_domain::id::SuppressionId;
use stagepost_domain::suppression::Because;
use stagepost_lambda::http::Problem;

use super::State;
use super::orders::PageQuery;
use crate::Stores;
use crate::answer::{Answer, Found, Gone, List, Made};
use crate::caller::{Admin, Caller, Member};
use crate::payload::{Named, Payload, Queried};
use crate::view::SuppressionView;

/// An address to be put aside.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuppressionInput {
    /// The address.
    #[schemars(length(min = 3, max = 254), extend("format" = "email"))]
    address: String,
}

pub async fn list<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Queried(q): Queried<PageQuery>,
) -> Answer<Found<List<SuppressionView>>> {
    let page = suppressions::list(&api.core, &api.secrets, caller.shop(), q.cursor(), q.limit()?).await?;
    Ok(Found(List { items: page.items.into_iter().map(SuppressionView::from).collect(), next: page.next }))
}

pub async fn read<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named(id): Named<SuppressionId>,
) -> Answer<Found<SuppressionView>> {
    let found = suppressions::read(&api.core, &api.secrets, caller.shop(), &id).await?;
    Ok(Found(found.ok_or_else(|| Problem::not_found("suppressed address"))?.into()))
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Payload(input): Payload<SuppressionInput>,
) -> Answer<Made<SuppressionView>> {
    let (key, shop) = (&api.search, caller.shop());
    let kept =
        suppressions::suppress(&api.core, &api.secrets, key, shop, &input.address, Because::ByHand, None);
    Ok(Made(kept.await?.into()))
}

pub async fn delete<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<SuppressionId>,
) -> Answer<Gone> {
    let found = api.core.store.suppression(caller.shop(), &id).await?;
    found.ok_or_else(|| Problem::not_found("suppressed address"))?;
    api.core.store.unsuppress(caller.shop(), &id).await?;
    Ok(Gone)
}
