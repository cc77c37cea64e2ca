//! Carrier integrations.

use std::collections::BTreeMap;

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
    let store = &api.core.store;
    let (carriers, contacts) =
        tokio::try_join!(store.carriers(caller.shop()), store.contacts(caller.shop()))?;
    Ok(List::whole(carriers.into_iter().map(|one| CarrierView::new(one, &contacts))))
}

pub async fn read<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<CarrierId>,
) -> Answer<Current<CarrierView>> {
    let store = &api.core.store;
    let (carrier, contacts) = tokio::try_join!(store.carrier(&id), store.contacts(caller.shop()))?;
    let carrier =
        carrier.filter(|c| c.shop == *caller.shop()).ok_or_else(|| Problem::not_found("carrier"))?;
    Ok(Current(CarrierView::new(carrier, &contacts)))
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Payload(input): Payload<CarrierInput>,
) -> Answer<MadeCurrent<CarrierView>> {
    let create = config::create_carrier(&api.core, &api.secrets, caller.shop(), &input);
    Ok(MadeCurrent(CarrierView::new(create.await?, &BTreeMap::new())))
}

pub async fn update<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<CarrierId>,
    IfMatch(expected): IfMatch,
    Payload(patch): Payload<CarrierPatch>,
) -> Answer<Current<CarrierView>> {
    let update = config::update_carrier(&api.core, &api.secrets, caller.shop(), &id, &patch, expected);
    let contacts = api.core.store.contacts(caller.shop()).await?;
    Ok(Current(CarrierView::new(update.await?, &contacts)))
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
