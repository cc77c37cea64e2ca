//! Webhook endpoints.

use stagepost_app::config::{self, EndpointInput, Removal};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::EndpointId;
use stagepost_lambda::http::Problem;

use super::State;
use crate::Stores;
use crate::answer::{Answer, Current, Found, Gone, List, MadeCurrent};
use crate::caller::{Admin, Caller};
use crate::payload::{IfMatch, Named, Payload};
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
) -> Answer<Current<EndpointView>> {
    let endpoint = api.core.store.endpoint(caller.shop(), &id).await?;
    Ok(Current(endpoint.ok_or_else(|| Problem::not_found("webhook endpoint"))?.into()))
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Payload(input): Payload<EndpointInput>,
) -> Answer<MadeCurrent<EndpointView>> {
    let put = config::put_endpoint(&api.core, &api.secrets, caller.shop(), None, &input, api.check_url, None);
    let (endpoint, secret) = put.await?;
    Ok(MadeCurrent(EndpointView::with_secret(endpoint, secret)))
}

pub async fn update<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<EndpointId>,
    IfMatch(expected): IfMatch,
    Payload(input): Payload<EndpointInput>,
) -> Answer<Current<EndpointView>> {
    let shop = caller.shop();
    let put = config::put_endpoint(&api.core, &api.secrets, shop, Some(&id), &input, api.check_url, expected);
    Ok(Current(put.await?.0.into()))
}

pub async fn delete<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<EndpointId>,
    IfMatch(expected): IfMatch,
) -> Answer<Gone> {
    config::remove(&api.core, caller.shop(), Removal::Endpoint(&id), expected).await?;
    Ok(Gone)
}

pub async fn rotate_secret<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<EndpointId>,
) -> Answer<Found<EndpointView>> {
    let rotated = config::rotate_endpoint_secret(&api.core, &api.secrets, caller.shop(), &id);
    let (endpoint, secret) = rotated.await?;
    Ok(Found(EndpointView::with_secret(endpoint, Some(secret))))
}
