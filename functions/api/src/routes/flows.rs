//! Flows.

use stagepost_app::config::{self, FlowInput, Removal};
use stagepost_app::ports::Secrets;
use stagepost_domain::flow::Flow;
use stagepost_domain::id::FlowId;
use stagepost_lambda::http::Problem;

use super::State;
use crate::Stores;
use crate::answer::{Answer, Current, Found, Gone, List, MadeCurrent};
use crate::caller::{Admin, Caller};
use crate::payload::{IfMatch, Named, Payload};

pub async fn list<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
) -> Answer<Found<List<Flow>>> {
    let flows = api.core.store.flows(caller.shop()).await?;
    Ok(List::whole(flows.into_iter().filter(|flow| flow.archived_at.is_none())))
}

pub async fn read<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<FlowId>,
) -> Answer<Current<Flow>> {
    let flow = api.core.store.flow(caller.shop(), &id).await?.filter(|flow| flow.archived_at.is_none());
    Ok(Current(flow.ok_or_else(|| Problem::not_found("flow"))?))
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Payload(input): Payload<FlowInput>,
) -> Answer<MadeCurrent<Flow>> {
    Ok(MadeCurrent(config::put_flow(&api.core, caller.shop(), None, &input, None).await?))
}

pub async fn update<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<FlowId>,
    IfMatch(expected): IfMatch,
    Payload(input): Payload<FlowInput>,
) -> Answer<Current<Flow>> {
    Ok(Current(config::put_flow(&api.core, caller.shop(), Some(&id), &input, expected).await?))
}

pub async fn archive<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<FlowId>,
    IfMatch(expected): IfMatch,
) -> Answer<Gone> {
    config::remove(&api.core, caller.shop(), Removal::Flow(&id), expected).await?;
    Ok(Gone)
}
