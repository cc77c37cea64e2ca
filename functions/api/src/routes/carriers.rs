//! Carrier integrations.

use stagepost_app::config::{self, CarrierInput, CarrierPatch, Removal};
use stagepost_app::jobs;
use stagepost_app::ports::Secrets;
use stagepost_domain::id::CarrierId;
use stagepost_domain::job::Connection;
use stagepost_lambda::http::Problem;

use super::State;
use crate::Stores;
use crate::answer::{Accepted, Answer, Current, Found, Gone, List, MadeCurrent};
use crate::caller::{Admin, Caller, Member};
use crate::payload::{IfMatch, Named, Payload};
use crate::view::{CarrierView, JobView};

pub async fn list<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
) -> Answer<Found<List<CarrierView>>> {
    let carriers = api.core.store.carriers(caller.shop()).await?;
    Ok(List::whole(carriers.into_iter().map(CarrierView::from)))
}

pub async fn read<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<CarrierId>,
) -> Answer<Current<CarrierView>> {
    let carrier = api.core.store.carrier(&id).await?.filter(|c| c.shop == *caller.shop());
    Ok(Current(carrier.ok_or_else(|| Problem::not_found("carrier"))?.into()))
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Payload(input): Payload<CarrierInput>,
) -> Answer<MadeCurrent<CarrierView>> {
    let create = config::create_carrier(&api.core, &api.secrets, caller.shop(), &input);
    Ok(MadeCurrent(create.await?.into()))
}

pub async fn update<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<CarrierId>,
    IfMatch(expected): IfMatch,
    Payload(patch): Payload<CarrierPatch>,
) -> Answer<Current<CarrierView>> {
    let update = config::update_carrier(&api.core, &api.secrets, caller.shop(), &id, &patch, expected);
    Ok(Current(update.await?.into()))
}

pub async fn check<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named(id): Named<CarrierId>,
) -> Answer<Accepted<JobView>> {
    Ok(Accepted(jobs::check(&api.core, caller.shop(), Connection::Carrier(id)).await?.into()))
}

pub async fn delete<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<CarrierId>,
    IfMatch(expected): IfMatch,
) -> Answer<Gone> {
    config::remove(&api.core, caller.shop(), Removal::Carrier(&id), expected).await?;
    Ok(Gone)
}
