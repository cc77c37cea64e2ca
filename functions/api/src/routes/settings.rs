//! The shop's settings.

use stagepost_app::config::{self, BrandInput, SettingsInput};
use stagepost_app::jobs::save_settings;
use stagepost_app::ports::Secrets;
use stagepost_lambda::http::Problem;

use super::State;
use crate::Stores;
use crate::answer::{Answer, Current, Found};
use crate::caller::{Admin, Caller};
use crate::payload::{IfMatch, Payload};
use crate::view::{BrandView, SenderView, SettingsView};

pub async fn read<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
) -> Answer<Current<SettingsView>> {
    let settings = api.core.store.settings(caller.shop()).await?;
    Ok(Current(settings.ok_or_else(|| Problem::not_found("shop"))?.into()))
}

pub async fn update<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    IfMatch(expected): IfMatch,
    Payload(input): Payload<SettingsInput>,
) -> Answer<Current<SettingsView>> {
    Ok(Current(save_settings(&api.core, caller.shop(), &input, expected).await?.into()))
}

pub async fn brand<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
) -> Answer<Found<BrandView>> {
    Ok(Found(api.core.store.brand(caller.shop()).await?.into()))
}

pub async fn update_brand<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Payload(input): Payload<BrandInput>,
) -> Answer<Found<BrandView>> {
    Ok(Found(config::update_brand(&api.core, caller.shop(), &input).await?.into()))
}

pub async fn sender<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
) -> Answer<Found<SenderView>> {
    let settings = api.core.store.settings(caller.shop()).await?;
    let settings = settings.ok_or_else(|| Problem::not_found("shop"))?;
    let state = api.senders.state(&settings.from_email).await.map_err(|error| {
        tracing::warn!(%error, "sender");
        Problem::unavailable()
    })?;
    Ok(Found(SenderView::new(settings.from_email, state)))
}
