//! A carrier service: how it does, what can be changed, and its end.

use askama::Template;
use axum::extract::Path;
use stagepost_app::config::{CarrierPatch, ConfigError, Plain, Removal, remove, update_carrier};
use stagepost_app::jobs::check_of_carrier;
use stagepost_app::ports::Secrets;
use stagepost_domain::contact::FarEnd;
use stagepost_domain::shop::CarrierIntegration;

use super::check::{Check, job};
use super::service::Service;
use super::{Heard, Lost, Standing, carrier, carrier_path, carrier_url};
use crate::answer::{Answer, page, page_as, to_say};
use crate::fields::{Fields, Wrong};
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::time::exactly;
use crate::ui::Confirm;
use crate::visitor::{Admin, Visit, Visitor};
use crate::{Console, Stores};

#[derive(Template)]
#[template(path = "integrations/carrier.html")]
struct CarrierPage<'a> {
    shell: Shell,
    path: String,
    service: Service,
    carrier: &'a CarrierIntegration,
    check: Check,
    /// Whether new parcels are registered with it.
    registers: bool,
    heard: Heard,
    url: String,
    after: Vec<String>,
    /// Until when the secret before this one counts, too.
    former: Option<String>,
    name: &'a str,
    version: u64,
    theirs: bool,
    lost: Lost,
    wrong: Wrong,
}

async fn shown<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    carrier: &CarrierIntegration,
    standing: Standing<'_>,
) -> Answer {
    let (check, contacts) = tokio::join!(
        job(console, visit, check_of_carrier(carrier)),
        console.core.store.contacts(&visit.shop)
    );
    let (check, contacts) = (check?, contacts?);
    let service = Service::of_carrier(carrier.kind);
    let (has, path) = (carrier.credentials.is_some(), carrier_path(&carrier.id));
    let registrar = visit.settings.registrar.as_ref();
    let shown = CarrierPage {
        shell: visit.shell(Area::Integrations),
        check: Check::new(service, has, check.as_ref(), path.clone(), visit),
        registers: registrar.is_some_and(|registrar| registrar.carrier == carrier.id),
        heard: Heard::new(contacts.get(&FarEnd::Carrier(carrier.id.clone())), visit),
        url: carrier_url(&console.public, carrier),
        after: service.after(),
        former: carrier.webhook_secrets.at(visit.now).find_map(|(_, until)| until).map(exactly),
        name: standing.text("name", &carrier.name),
        version: standing.version(carrier.version),
        lost: standing.lost(),
        path,
        service,
        carrier,
        theirs: standing.theirs,
        wrong: standing.wrong,
    };
    page_as(shown.wrong.status(shown.theirs), &shown)
}

pub async fn show<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Answer {
    let carrier = carrier(&console, &visitor, &id).await?;
    shown(&console, &visitor, &carrier, Standing::default()).await
}

pub async fn save<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let before = carrier(&console, &visitor, &id).await?;
    let expected = fields.version();
    let fresh = fields.some("credentials").map(|text| Some(Plain::new(text)));
    let patch = CarrierPatch {
        name: Some(fields.text("name").to_owned()),
        webhook_secret: fields.some("webhook_secret").map(Plain::new),
        credentials: if fields.is_on("forget") { Some(None) } else { fresh },
    };
    let (core, secrets, shop) = (&console.core, &console.secrets, &visitor.shop);
    match update_carrier(core, secrets, shop, &before.id, &patch, expected).await {
        Ok(now) => to_say(&carrier_path(&now.id), Flash::done(told(&before, &now))),
        Err(ConfigError::Invalid(wrong)) => {
            shown(&console, &visitor, &before, Standing::refused(&fields, wrong)).await
        }
        Err(ConfigError::Stale { .. } | ConfigError::Conflict) => {
            let theirs = carrier(&console, &visitor, &id).await?;
            shown(&console, &visitor, &theirs, Standing::overtaken(&fields)).await
        }
        Err(error) => Err(error.into()),
    }
}

/// What follows from an edit.
fn told(before: &CarrierIntegration, now: &CarrierIntegration) -> String {
    let mut said = vec!["Saved."];
    if now.credentials != before.credentials {
        said.push(match now.credentials {
            Some(_) => "The new key is tried out now.",
            None => "Its key is gone: no parcel is registered with it any more.",
        });
    }
    if now.webhook_secrets != before.webhook_secrets {
        said.push("The secret before it counts for 24 hours more.");
    }
    said.join(" ")
}

pub async fn confirm<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
) -> Answer {
    let carrier = carrier(&console, &visitor, &id).await?;
    let path = carrier_path(&carrier.id);
    page(&Confirm {
        shell: visitor.shell(Area::Integrations),
        title: format!("Disconnect \u{201c}{}\u{201d}?", carrier.name),
        what: vec![
            "Its reports are refused from now on, and no parcel is registered with it.".to_owned(),
            "Orders do not advance on delivery by what it says. What it said before stays on their timelines."
                .to_owned(),
            "Its key and its secret are deleted here. Take its webhook away over there, too.".to_owned(),
        ],
        action: format!("{path}/disconnect"),
        fields: vec![("version".to_owned(), carrier.version.to_string())],
        verb: "Disconnect carrier service".to_owned(),
        danger: true,
        back: path,
    })
}

pub async fn disconnect<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let carrier = carrier(&console, &visitor, &id).await?;
    let seen = fields.version();
    remove(&console.core, &visitor.shop, Removal::Carrier(&carrier.id), seen).await?;
    to_say(Area::Integrations.path(), Flash::done("The carrier service is disconnected."))
}
