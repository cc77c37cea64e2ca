//! Webhook endpoints.

use stagepost_app::config::{self, EndpointInput, Removal};
use stagepost_app::jobs::{recoverable, recovery_of, test_endpoint};
use stagepost_app::ports::Secrets;
use stagepost_domain::health::Health;
use stagepost_domain::id::EndpointId;
use stagepost_domain::shop::Endpoint;
use stagepost_lambda::http::Problem;

use super::State;
use super::orders::PageQuery;
use crate::Stores;
use crate::answer::{Accepted, Answer, Current, Found, Gone, List, MadeCurrent};
use crate::caller::{Admin, Caller, Member};
use crate::failed::Failed;
use crate::payload::{IfMatch, Named, Payload, Queried};
use crate::view::{AttemptView, EndpointView, JobView, RecoveryView};

/// An endpoint with what was heard of its receiver.
async fn there<S: Stores, K: Secrets + 'static>(
    api: &State<S, K>,
    caller: &Caller<impl Sized>,
    id: &EndpointId,
) -> Result<(Endpoint, Health), Failed> {
    let there = api.core.store.endpoint_and_health(caller.shop(), id).await?;
    Ok(there.ok_or_else(|| Problem::not_found("webhook endpoint"))?)
}

pub async fn list<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
) -> Answer<Found<List<EndpointView>>> {
    let endpoints = api.core.store.endpoints(caller.shop()).await?;
    let mut healths = api.core.store.healths(caller.shop()).await?;
    let now = api.core.now();
    Ok(List::whole(endpoints.into_iter().map(|endpoint| {
        let health = healths.remove(&endpoint.id).unwrap_or_default();
        EndpointView::new(endpoint, &health, now)
    })))
}

pub async fn read<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<EndpointId>,
) -> Answer<Current<EndpointView>> {
    let (endpoint, health) = there(&api, &caller, &id).await?;
    Ok(Current(EndpointView::new(endpoint, &health, api.core.now())))
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Payload(input): Payload<EndpointInput>,
) -> Answer<MadeCurrent<EndpointView>> {
    let put = config::put_endpoint(&api.core, &api.secrets, caller.shop(), None, &input, api.check_url, None);
    let (endpoint, secret) = put.await?;
    let view = EndpointView::new(endpoint, &Health::default(), api.core.now());
    Ok(MadeCurrent(view.with_secret(secret)))
}

pub async fn update<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<EndpointId>,
    IfMatch(expected): IfMatch,
    Payload(input): Payload<EndpointInput>,
) -> Answer<Current<EndpointView>> {
    let shop = caller.shop();
    let (before, health) = there(&api, &caller, &id).await?;
    let put = config::put_endpoint(&api.core, &api.secrets, shop, Some(&id), &input, api.check_url, expected);
    let (endpoint, _) = put.await?;
    let recovery = match before.disabled {
        Some(_) if endpoint.disabled.is_none() => {
            let found = recoverable(&api.core, shop, &recovery_of(&api.core, &id)).await?;
            Some(RecoveryView::new(&id, found.failed, found.more, found.oldest))
        }
        _ => None,
    };
    Ok(Current(EndpointView::new(endpoint, &health, api.core.now()).with_recovery(recovery)))
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
    let health = api.core.store.health(caller.shop(), &id).await?;
    Ok(Found(EndpointView::new(endpoint, &health, api.core.now()).with_secret(Some(secret))))
}

pub async fn test<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named(id): Named<EndpointId>,
) -> Answer<Accepted<JobView>> {
    Ok(Accepted(test_endpoint(&api.core, caller.shop(), &id).await?.into()))
}

pub async fn attempts<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<EndpointId>,
    Queried(q): Queried<PageQuery>,
) -> Answer<Found<List<AttemptView>>> {
    there(&api, &caller, &id).await?;
    let (core, limit) = (&api.core, q.limit()?);
    let page = core.store.attempts_of_endpoint(caller.shop(), &id, q.cursor(), limit, core.now()).await?;
    Ok(Found(List { items: page.items.into_iter().map(AttemptView::from).collect(), next: page.next }))
}
