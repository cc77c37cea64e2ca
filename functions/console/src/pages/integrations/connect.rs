//! Connecting: a form for each service, and then what to do on the other side.

use askama::Template;
use axum::extract::Path;
use stagepost_app::config::{CarrierInput, ChannelInput, ConfigError, Plain, create_carrier, create_channel};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::FlowId;
use stagepost_domain::order::Platform;
use stagepost_domain::shop::CarrierKind;
use stagepost_domain::signing::webhook_secret;
use stagepost_domain::text::Invalid;

use super::check::Check;
use super::service::Service;
use super::{Lost, carrier_path, carrier_url, channel_path, channel_url, flow_choices};
use crate::answer::{Answer, page, page_as};
use crate::error::{Failed, Trouble};
use crate::fields::{Fields, Wrong};
use crate::shell::{Area, Shell};
use crate::state::State;
use crate::visitor::{Admin, Visit, Visitor};
use crate::{Console, Stores};

/// How much of a store's past may be taken over.
const PAST: [(&str, &str); 4] =
    [("30", "The last 30 days"), ("7", "The last 7 days"), ("60", "The last 60 days"), ("0", "None of it")];

#[derive(Template)]
#[template(path = "integrations/connect.html")]
struct ConnectPage<'a> {
    shell: Shell,
    service: Service,
    name: &'a str,
    store: &'a str,
    flow: &'a str,
    flows: Vec<(String, String)>,
    days: &'a str,
    past: Vec<(String, String)>,
    before: Vec<String>,
    lost: Lost,
    wrong: Wrong,
}

#[derive(Template)]
#[template(path = "integrations/connected.html")]
struct ConnectedPage {
    shell: Shell,
    service: Service,
    name: String,
    path: String,
    url: String,
    /// One that we made: it is shown this once.
    secret: Option<String>,
    check: Check,
    after: Vec<String>,
    silent: bool,
}

fn service(named: &str) -> Result<Service, Failed> {
    Ok(Service::named(named).ok_or_else(|| Trouble::not_found("service"))?)
}

pub async fn ask<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(named): Path<String>,
) -> Answer {
    form(&console, &visitor, service(&named)?, &Fields::default(), Wrong::default()).await
}

async fn form<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    service: Service,
    fields: &Fields,
    wrong: Wrong,
) -> Answer {
    let flows = console.flows(visit).await?;
    let sent = fields.some("sent").is_some();
    let status = wrong.status(false);
    let first = flows.first().map(|flow| flow.id.as_str()).unwrap_or_default();
    let shown = ConnectPage {
        shell: visit.shell(Area::Integrations),
        service,
        name: if sent { fields.text("name") } else { service.name() },
        store: fields.text("store"),
        flow: if sent { fields.text("default_flow") } else { first },
        flows: flow_choices(&flows),
        days: fields.some("backfill_days").unwrap_or("30"),
        past: PAST.into_iter().map(|(days, word)| (days.to_owned(), word.to_owned())).collect(),
        before: service.before(),
        lost: Lost::of(fields),
        wrong,
    };
    page_as(status, &shown)
}

/// What was entered beside what each service has of its own.
struct Entered {
    name: String,
    secret: Plain,
    /// The secret, if we made it.
    made: Option<String>,
    credentials: Option<Plain>,
}

impl Entered {
    fn of<S: Stores, K>(console: &State<S, K>, service: Service, fields: &Fields) -> Self {
        let own = fields.some("webhook_secret").map(str::to_owned);
        let made = (own.is_none() && !service.makes_secret())
            .then(|| made_secret(service, console.core.entropy.bytes()));
        Self {
            name: fields.text("name").to_owned(),
            secret: Plain::new(own.or_else(|| made.clone()).unwrap_or_default()),
            made,
            credentials: fields.some("credentials").map(Plain::new),
        }
    }
}

/// Letters and digits where the other side takes any text: there is nothing in them that a form could mangle.
fn made_secret(service: Service, bytes: [u8; 32]) -> String {
    match service {
        Service::Generic => webhook_secret(&bytes),
        _ => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

pub async fn connect<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(named): Path<String>,
    fields: Fields,
) -> Answer {
    let service = service(&named)?;
    let connected = match service {
        Service::Shopify => store(&console, &visitor, service, Platform::Shopify, &fields).await,
        Service::Woocommerce => store(&console, &visitor, service, Platform::Woocommerce, &fields).await,
        Service::Easypost => carrier(&console, &visitor, service, CarrierKind::Easypost, &fields).await,
        Service::Generic => carrier(&console, &visitor, service, CarrierKind::Generic, &fields).await,
    };
    match connected {
        Ok(connected) => page(&connected),
        Err(ConfigError::Invalid(wrong)) => form(&console, &visitor, service, &fields, Wrong(wrong)).await,
        Err(error) => Err(error.into()),
    }
}

async fn store<S: Stores, K: Secrets + 'static>(
    console: &State<S, K>,
    visit: &Visit,
    service: Service,
    platform: Platform,
    fields: &Fields,
) -> Result<ConnectedPage, ConfigError> {
    let flow = fields.some("default_flow").map(FlowId::parse).transpose();
    let days = fields.text("backfill_days").parse();
    let entered = Entered::of(console, service, fields);
    let input = ChannelInput {
        platform,
        name: entered.name,
        store: fields.text("store").to_owned(),
        webhook_secret: entered.secret,
        credentials: entered.credentials,
        default_flow: flow.map_err(|_| Invalid::new("default_flow", "no such flow"))?,
        backfill_days: Some(days.map_err(|_| Invalid::new("backfill_days", "must be a number of days"))?),
    };
    let (core, secrets) = (&console.core, &console.secrets);
    let made = create_channel(core, secrets, &visit.shop, &input, console.check_url).await?;
    let path = channel_path(&made.id);
    Ok(ConnectedPage {
        shell: visit.shell(Area::Integrations),
        service,
        url: channel_url(&console.public, &made),
        secret: entered.made,
        check: Check::begun(service, made.credentials.is_some(), path.clone(), visit),
        path,
        name: made.name,
        after: service.after(),
        silent: made.credentials.is_some() && input.backfill_days != Some(0),
    })
}

async fn carrier<S: Stores, K: Secrets + 'static>(
    console: &State<S, K>,
    visit: &Visit,
    service: Service,
    kind: CarrierKind,
    fields: &Fields,
) -> Result<ConnectedPage, ConfigError> {
    let entered = Entered::of(console, service, fields);
    let input = CarrierInput {
        kind,
        name: entered.name,
        webhook_secret: entered.secret,
        credentials: entered.credentials,
    };
    let made = create_carrier(&console.core, &console.secrets, &visit.shop, &input).await?;
    let path = carrier_path(&made.id);
    Ok(ConnectedPage {
        shell: visit.shell(Area::Integrations),
        service,
        url: carrier_url(&console.public, &made),
        secret: entered.made,
        check: Check::begun(service, made.credentials.is_some(), path.clone(), visit),
        path,
        name: made.name,
        after: service.after(),
        silent: false,
    })
}
