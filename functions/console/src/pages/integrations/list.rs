//! What is connected.

use askama::Template;
use futures_util::future::try_join_all;
use stagepost_app::config::reconciliation_of;
use stagepost_app::jobs::{check_of_carrier, check_of_channel};
use stagepost_app::ports::Secrets;
use stagepost_domain::contact::FarEnd;
use stagepost_domain::flow::Flow;
use stagepost_domain::shop::{CarrierIntegration, Channel};

use super::channel::{Asked, asked};
use super::check::{Check, job};
use super::service::Service;
use super::{Heard, carrier_path, channel_path};
use crate::answer::{Answer, page};
use crate::error::Failed;
use crate::shell::{Area, Shell};
use crate::state::State;
use crate::visitor::{Visit, Visitor};
use crate::{Console, Stores};

struct Row {
    path: String,
    name: String,
    about: String,
    service: Service,
    check: Check,
    /// Where its new orders go; none of a carrier's.
    flow: Option<String>,
    asked: Option<Asked>,
    contact: Heard,
}

#[derive(Template)]
#[template(path = "integrations/list.html")]
struct ListPage {
    shell: Shell,
    channels: Vec<Row>,
    carriers: Vec<Row>,
    /// What can be connected: stores, and those that tell of parcels.
    stores: Vec<Service>,
    feeds: Vec<Service>,
}

pub async fn show<S: Stores, K: Secrets + 'static>(console: State<S, K>, visitor: Visitor) -> Answer {
    let (store, shop) = (&console.core.store, &visitor.shop);
    let (channels, carriers, flows, contacts) = tokio::join!(
        store.channels(shop),
        store.carriers(shop),
        console.flows(&visitor),
        store.contacts(shop)
    );
    let (channels, carriers, flows, contacts) = (channels?, carriers?, flows?, contacts?);
    let heard = |far: FarEnd| Heard::new(contacts.get(&far), &visitor);
    let of_channels = channels.into_iter().map(|channel| {
        let heard = heard(FarEnd::Channel(channel.id.clone()));
        channel_row(&console, &visitor, channel, &flows, heard)
    });
    let of_carriers = carriers.into_iter().map(|carrier| {
        let heard = heard(FarEnd::Carrier(carrier.id.clone()));
        carrier_row(&console, &visitor, carrier, heard)
    });
    let (channels, carriers) = tokio::join!(try_join_all(of_channels), try_join_all(of_carriers));
    let (stores, feeds) = Service::ALL.into_iter().partition(|service| service.is_channel());
    page(&ListPage {
        shell: visitor.shell(Area::Integrations),
        channels: channels?,
        carriers: carriers?,
        stores,
        feeds,
    })
}

async fn channel_row<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    channel: Channel,
    flows: &[Flow],
    contact: Heard,
) -> Result<Row, Failed> {
    let (check, asking) = tokio::join!(
        job(console, visit, check_of_channel(&channel)),
        job(console, visit, reconciliation_of(&channel.id).ok())
    );
    let (check, asking) = (check?, asking?);
    let service = Service::of_channel(channel.platform).unwrap_or(Service::Shopify);
    let has = channel.credentials.is_some();
    let path = channel_path(&channel.id);
    let flow = channel.default_flow.as_ref().and_then(|id| flows.iter().find(|flow| flow.id == *id));
    Ok(Row {
        check: Check::new(service, has, check.as_ref(), path.clone(), visit),
        path,
        name: channel.name,
        about: channel.store,
        service,
        flow: Some(flow.map_or_else(|| "Untriaged".to_owned(), |flow| flow.name.clone())),
        asked: asking.filter(|_| has).map(|job| asked(&job, visit)),
        contact,
    })
}

async fn carrier_row<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    carrier: CarrierIntegration,
    contact: Heard,
) -> Result<Row, Failed> {
    let check = job(console, visit, check_of_carrier(&carrier)).await?;
    let service = Service::of_carrier(carrier.kind);
    let path = carrier_path(&carrier.id);
    let registrar =
        visit.settings.registrar.as_ref().is_some_and(|registrar| registrar.carrier == carrier.id);
    let about = match (service, registrar) {
        (Service::Easypost, true) => "New parcels are registered here",
        (Service::Easypost, false) => "Reports what others register",
        _ => "Reports what it signs",
    };
    Ok(Row {
        check: Check::new(service, carrier.credentials.is_some(), check.as_ref(), path.clone(), visit),
        path,
        name: carrier.name,
        about: about.to_owned(),
        service,
        flow: None,
        asked: None,
        contact,
    })
}
