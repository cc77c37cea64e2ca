//! Flows.

use stagepost_app::config::{self, FlowInput, Removal};
use stagepost_app::ports::Secrets;
use stagepost_domain::flow::Flow;
use stagepost_domain::id::FlowId;
use stagepost_lambda::http::Problem;

use super::State;
use crate::Stores;
use crate::answer::{Answer, Found, Gone, List, Made};
use crate::caller::{Admin, Caller};
use crate::payload::{Named, Payload};

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
) -> Answer<Found<Flow>> {
    let flow = api.core.store.flow(caller.shop(), &id).await?.filter(|flow| flow.archived_at.is_none());
    Ok(Found(flow.ok_or_else(|| Problem::not_found("flow"))?))
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Payload(input): Payload<FlowInput>,
) -> Answer<Made<Flow>> {
    Ok(Made(config::put_flow(&api.core, caller.shop(), None, &input).await?))
}

pub async fn update<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<FlowId>,
    Payload(input): Payload<FlowInput>,
) -> Answer<Found<Flow>> {
    Ok(Found(config::put_flow(&api.core, caller.shop(), Some(&id), &input).await?))
}

pub async fn archive<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<FlowId>,
) -> Answer<Gone> {
    config::remove(&api.core, caller.shop(), Removal::Flow(&id), None).await?;
    Ok(Gone)
}
