//! Sales channels.

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
    let channels = api.core.store.channels(caller.shop()).await?;
    Ok(List::whole(channels.into_iter().map(ChannelView::from)))
}

pub async fn read<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<ChannelId>,
) -> Answer<Current<ChannelView>> {
    let channel = api.core.store.channel(&id).await?.filter(|c| c.shop == *caller.shop());
    Ok(Current(channel.ok_or_else(|| Problem::not_found("channel"))?.into()))
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Payload(input): Payload<ChannelInput>,
) -> Answer<MadeCurrent<ChannelView>> {
    let create = config::create_channel(&api.core, &api.secrets, caller.shop(), &input, api.check_url);
    Ok(MadeCurrent(create.await?.into()))
}

pub async fn update<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<ChannelId>,
    IfMatch(expected): IfMatch,
    Payload(patch): Payload<ChannelPatch>,
) -> Answer<Current<ChannelView>> {
    let update = config::update_channel(&api.core, &api.secrets, caller.shop(), &id, &patch, expected);
    Ok(Current(update.await?.into()))
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
