//! Integrations: the stores that orders come from, and the carrier services that tell of parcels.

mod carrier;
mod channel;
mod check;
mod connect;
mod list;
mod service;

use axum::Router;
use axum::routing::{get, post};
use stagepost_app::ports::Secrets;
use stagepost_domain::flow::Flow;
use stagepost_domain::id::{CarrierId, ChannelId};
use stagepost_domain::shop::{CarrierIntegration, Channel};
use url::Url;

use super::Routes;
use crate::error::{Failed, Trouble};
use crate::shell::Area;
use crate::visitor::Visit;
use crate::{Console, Stores};

/// Its routes.
pub fn routes<S: Stores, K: Secrets + 'static>() -> Routes<S, K> {
    let channels = Router::new()
        .route("/{id}", get(channel::show::<S, K>).post(channel::save::<S, K>))
        .route("/{id}/check", get(check::of_channel::<S, K>).post(check::check_channel::<S, K>))
        .route("/{id}/reconcile", post(channel::reconcile::<S, K>))
        .route("/{id}/backfill", get(channel::ask_backfill::<S, K>).post(channel::backfill::<S, K>))
        .route("/{id}/disconnect", get(channel::confirm::<S, K>).post(channel::disconnect::<S, K>));
    let carriers = Router::new()
        .route("/{id}", get(carrier::show::<S, K>).post(carrier::save::<S, K>))
        .route("/{id}/check", get(check::of_carrier::<S, K>).post(check::check_carrier::<S, K>))
        .route("/{id}/disconnect", get(carrier::confirm::<S, K>).post(carrier::disconnect::<S, K>));
    Router::new()
        .route(Area::Integrations.path(), get(list::show::<S, K>))
        .route(
            "/settings/integrations/connect/{service}",
            get(connect::ask::<S, K>).post(connect::connect::<S, K>),
        )
        .nest("/settings/integrations/channels", channels)
        .nest("/settings/integrations/carriers", carriers)
}

/// The page of a channel.
fn channel_path(id: &ChannelId) -> String {
    format!("/settings/integrations/channels/{id}")
}

/// The page of a carrier integration.
fn carrier_path(id: &CarrierId) -> String {
    format!("/settings/integrations/carriers/{id}")
}

/// Where a store sends its notifications.
fn channel_url(public: &Url, channel: &Channel) -> String {
    address(public, &format!("webhooks/{}/{}", channel.platform.as_str(), channel.id))
}

/// Where a carrier service sends its notifications.
fn carrier_url(public: &Url, carrier: &CarrierIntegration) -> String {
    address(public, &format!("webhooks/carriers/{}", carrier.id))
}

fn address(public: &Url, path: &str) -> String {
    format!("{}/{path}", public.as_str().trim_end_matches('/'))
}

/// A channel of the shop.
async fn channel<S: Stores, K>(console: &Console<S, K>, visit: &Visit, id: &str) -> Result<Channel, Failed> {
    let id = super::id(ChannelId::parse(id), "store")?;
    let found = console.core.store.channel(&id).await?.filter(|channel| channel.shop == visit.shop);
    Ok(found.ok_or_else(|| Trouble::not_found("store"))?)
}

/// A carrier integration of the shop.
async fn carrier<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    id: &str,
) -> Result<CarrierIntegration, Failed> {
    let id = super::id(CarrierId::parse(id), "carrier service")?;
    let found = console.core.store.carrier(&id).await?.filter(|carrier| carrier.shop == visit.shop);
    Ok(found.ok_or_else(|| Trouble::not_found("carrier service"))?)
}

/// Where a store's new orders may go.
fn flow_choices(flows: &[Flow]) -> Vec<(String, String)> {
    let none = (String::new(), "None: they wait untriaged".to_owned());
    let flows = flows.iter().map(|flow| (flow.id.to_string(), flow.name.clone()));
    std::iter::once(none).chain(flows).collect()
}
