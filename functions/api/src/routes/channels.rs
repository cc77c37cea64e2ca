//! Sales channels.

use std::collections::BTreeMap;

use stagepost_app::config::{self, ChannelInput, ChannelPatch, Removal};
use stagepost_app::jobs;
use stagepost_app::ports::Secrets;
use stagepost_domain::id::ChannelId;
use stagepost_domain::job::Connection;
use stagepost_lambda::http::Problem;

use super::State;
use crate::Stores;
use crate::answer::{Accepted, Answer, Current, Found, Gone, List, MadeCurrent};
use crate::caller::{Admin, Caller, Member};
use crate::payload::{IfMatch, Named, Payload};
use crate::view::{ChannelView, JobView};

pub async fn list<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
) -> Answer<Found<List<ChannelView>>> {
    let store = &api.core.store;
    let (channels, contacts) =
        tokio::try_join!(store.channels(caller.shop()), store.contacts(caller.shop()))?;
    Ok(List::whole(channels.into_iter().map(|one| ChannelView::new(one, &contacts))))
}

pub async fn read<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<ChannelId>,
) -> Answer<Current<ChannelView>> {
    let store = &api.core.store;
    let (channel, contacts) = tokio::try_join!(store.channel(&id), store.contacts(caller.shop()))?;
    let channel =
        channel.filter(|c| c.shop == *caller.shop()).ok_or_else(|| Problem::not_found("channel"))?;
    Ok(Current(ChannelView::new(channel, &contacts)))
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Payload(input): Payload<ChannelInput>,
) -> Answer<MadeCurrent<ChannelView>> {
    let create = config::create_channel(&api.core, &api.secrets, caller.shop(), &input, api.check_url);
    Ok(MadeCurrent(ChannelView::new(create.await?, &BTreeMap::new())))
}

pub async fn update<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<ChannelId>,
    IfMatch(expected): IfMatch,
    Payload(patch): Payload<ChannelPatch>,
) -> Answer<Current<ChannelView>> {
    let update = config::update_channel(&api.core, &api.secrets, caller.shop(), &id, &patch, expected);
    let contacts = api.core.store.contacts(caller.shop()).await?;
    Ok(Current(ChannelView::new(update.await?, &contacts)))
}

pub async fn check<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named(id): Named<ChannelId>,
) -> Answer<Accepted<JobView>> {
    Ok(Accepted(jobs::check(&api.core, caller.shop(), Connection::Channel(id)).await?.into()))
}

pub async fn delete<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<ChannelId>,
    IfMatch(expected): IfMatch,
) -> Answer<Gone> {
    config::remove(&api.core, caller.shop(), Removal::Channel(&id), expected).await?;
    Ok(Gone)
}
