//! Webhook endpoints.

use stagepost_app::config::{self, EndpointInput, Removal};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::EndpointId;
use stagepost_lambda::http::Problem;

use super::State;
use crate::Stores;
use crate::answer::{Answer, Found, Gone, List, Made};
use crate::caller::{Admin, Caller};
use crate::payload::{Named, Payload};
use crate::view::EndpointView;

pub async fn list<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
) -> Answer<Found<List<EndpointView>>> {
    let endpoints = api.core.store.endpoints(caller.shop()).await?;
    Ok(List::whole(endpoints.into_iter().map(EndpointView::from)))
}

pub async fn read<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<EndpointId>,
) -> Answer<Found<EndpointView>> {
    let endpoint = api.core.store.endpoint(caller.shop(), &id).await?;
    Ok(Found(endpoint.ok_or_else(|| Problem::not_found("webhook endpoint"))?.into()))
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Payload(input): Payload<EndpointInput>,
) -> Answer<Made<EndpointView>> {
    let put = config::put_endpoint(&api.core, &api.secrets, caller.shop(), None, &input, api.check_url);
    let (endpoint, secret) = put.await?;
    Ok(Made(EndpointView::with_secret(endpoint, secret)))
}

pub async fn update<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<EndpointId>,
    Payload(input): Payload<EndpointInput>,
) -> Answer<Found<EndpointView>> {
    let put = config::put_endpoint(&api.core, &api.secrets, caller.shop(), Some(&id), &input, api.check_url);
    Ok(Found(put.await?.0.into()))
}

pub async fn delete<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<EndpointId>,
) -> Answer<Gone> {
    config::remove(&api.core, caller.shop(), Removal::Endpoint(&id), None).await?;
    Ok(Gone)
}
