//! Sales channels.

use stagepost_app::config::{self, ChannelInput, ChannelPatch, Removal};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::ChannelId;
use stagepost_lambda::http::Problem;

use super::State;
use crate::Stores;
use crate::answer::{Answer, Found, Gone, List, Made};
use crate::caller::{Admin, Caller};
use crate::payload::{Named, Payload};
use crate::view::ChannelView;

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
) -> Answer<Found<ChannelView>> {
    let channel = api.core.store.channel(&id).await?.filter(|c| c.shop == *caller.shop());
    Ok(Found(channel.ok_or_else(|| Problem::not_found("channel"))?.into()))
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Payload(input): Payload<ChannelInput>,
) -> Answer<Made<ChannelView>> {
    let create = config::create_channel(&api.core, &api.secrets, caller.shop(), &input, api.check_url);
    Ok(Made(create.await?.into()))
}

pub async fn update<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<ChannelId>,
    Payload(patch): Payload<ChannelPatch>,
) -> Answer<Found<ChannelView>> {
    let update = config::update_channel(&api.core, &api.secrets, caller.shop(), &id, &patch);
    Ok(Found(update.await?.into()))
}

pub async fn delete<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<ChannelId>,
) -> Answer<Gone> {
    config::remove(&api.core, caller.shop(), Removal::Channel(&id), None).await?;
    Ok(Gone)
}
