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
use stagepost_domain::Timestamp;
use stagepost_domain::contact::Contact;
use stagepost_domain::flow::Flow;
use stagepost_domain::id::{CarrierId, ChannelId};
use stagepost_domain::shop::{CarrierIntegration, Channel};
use stagepost_domain::text::Invalid;
use url::Url;

use super::Routes;
use crate::error::{Failed, Trouble};
use crate::fields::{Fields, Wrong};
use crate::shell::Area;
use crate::time::Moment;
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

/// When something that is connected was last in contact.
#[derive(Default)]
struct Heard {
    inbound: Option<Moment>,
    outbound: Option<Moment>,
}

impl Heard {
    fn new(contact: Option<&Contact>, visit: &Visit) -> Self {
        let moment = |at: Option<Timestamp>| at.map(|at| Moment::new(at, visit.now));
        let contact = contact.copied().unwrap_or_default();
        Self { inbound: moment(contact.inbound), outbound: moment(contact.outbound) }
    }
}

/// Secrets that came with a form: the page that shows the form again does not hold them.
#[derive(Debug, Clone, Copy, Default)]
struct Lost {
    credentials: bool,
    webhook_secret: bool,
}

impl Lost {
    /// Those that a form brought.
    fn of(sent: &Fields) -> Self {
        let came = |name: &str| sent.some(name).is_some();
        Self { credentials: came("credentials"), webhook_secret: came("webhook_secret") }
    }
}

/// How the form of something that is connected stands: as it is stored, or come back.
#[derive(Default)]
struct Standing<'a> {
    sent: Option<&'a Fields>,
    /// Whether somebody else has saved it meanwhile.
    theirs: bool,
    wrong: Wrong,
}

impl<'a> Standing<'a> {
    /// It was refused, and the form says what it said.
    fn refused(sent: &'a Fields, wrong: Vec<Invalid>) -> Self {
        Self { sent: Some(sent), theirs: false, wrong: Wrong(wrong) }
    }

    /// Somebody else was faster.
    fn overtaken(sent: &'a Fields) -> Self {
        Self { sent: Some(sent), theirs: true, wrong: Wrong::default() }
    }

    /// What a field says: as it was sent, or as it is stored.
    fn text(&self, name: &str, stored: &'a str) -> &'a str {
        self.sent.map_or(stored, |fields| fields.text(name))
    }

    /// The version that the form is of.
    fn version(&self, stored: u64) -> u64 {
        self.sent.filter(|_| !self.theirs).and_then(Fields::version).unwrap_or(stored)
    }

    fn lost(&self) -> Lost {
        self.sent.map(Lost::of).unwrap_or_default()
    }
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
