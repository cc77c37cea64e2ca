//! An endpoint: how it does, who calls it, what was sent to it; switched off and on, taken away.

use askama::Template;
use axum::extract::Path;
use stagepost_app::config::{ConfigError, EndpointInput, Removal, put_endpoint, remove};
use stagepost_app::jobs::{recoverable, recovery_of};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::EndpointId;
use stagepost_domain::shop::Endpoint;

use super::attempt::{Row, numbers};
use super::secret::former;
use super::standing::Standing;
use super::{endpoint_id, path, there, uses};
use crate::Stores;
use crate::answer::{Answer, page, to_say};
use crate::fields::Fields;
use crate::names::Use;
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::ui::Confirm;
use crate::visitor::{Admin, Visit, Visitor};
use crate::words::counted;

/// Attempts of one page.
const PAGE: usize = 25;

#[derive(Template)]
#[template(path = "webhooks/one.html")]
struct OnePage {
    shell: Shell,
    path: String,
    endpoint: Endpoint,
    standing: Standing,
    events: Vec<&'static str>,
    uses: Vec<Use>,
    /// Until when the secret before this one signs, too.
    former: Option<String>,
    rows: Vec<Row>,
    first: Option<String>,
    next: Option<String>,
}

pub async fn show<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let (id, cursor) = (endpoint_id(&id)?, fields.some("cursor"));
    let (store, shop, now) = (&console.core.store, &visitor.shop, visitor.now);
    let (there, attempts, flows) = tokio::join!(
        there(&console, &visitor, &id),
        store.attempts_of_endpoint(shop, &id, cursor, PAGE, now),
        console.flows(&visitor)
    );
    let ((endpoint, health), attempts, flows) = (there?, attempts?, flows?);
    let numbers = numbers(&console, &visitor, &attempts.items).await?;
    let row = |attempt| Row::new(attempt, &numbers, &visitor);
    page(&OnePage {
        shell: visitor.shell(Area::Webhooks),
        path: path(&id),
        standing: Standing::of(&endpoint, &health, now),
        events: endpoint.events.iter().map(|event| event.as_str()).collect(),
        uses: uses(&flows, &id),
        former: former(&endpoint, now),
        endpoint,
        rows: attempts.items.into_iter().map(row).collect(),
        first: cursor.map(|_| path(&id)),
        next: attempts.next.map(|cursor| format!("{}?cursor={cursor}", path(&id))),
    })
}

pub async fn confirm_off<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
) -> Answer {
    let id = endpoint_id(&id)?;
    let (there, flows) = tokio::join!(there(&console, &visitor, &id), console.flows(&visitor));
    let ((endpoint, _), flows) = (there?, flows?);
    let used: Vec<String> = uses(&flows, &id).iter().filter(|used| used.on).map(Use::told).collect();
    let users = match used.len() {
        0 => "No stage calls it now.".to_owned(),
        _ => format!("It is called by {}.", used.join(", ")),
    };
    page(&Confirm {
        shell: visitor.shell(Area::Webhooks),
        title: format!("Switch off \u{201c}{}\u{201d}?", endpoint.name),
        what: vec![
            users,
            "What would be sent to it while it is off is skipped, and not made up for later.".to_owned(),
            "Customers notice nothing. You can switch it on again at any time.".to_owned(),
        ],
        action: format!("{}/off", path(&id)),
        fields: vec![("version".to_owned(), endpoint.version.to_string())],
        verb: "Switch off".to_owned(),
        danger: true,
        back: path(&id),
    })
}

pub async fn off<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let id = endpoint_id(&id)?;
    switched(&console, &visitor, &id, false, fields.version()).await?;
    to_say(&path(&id), Flash::done("It is switched off. Nothing is sent to it."))
}

pub async fn on<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
) -> Answer {
    let id = endpoint_id(&id)?;
    switched(&console, &visitor, &id, true, None).await?;
    let found = recoverable(&console.core, &visitor.shop, &recovery_of(&console.core, &id)).await?;
    if found.failed == 0 {
        return to_say(&path(&id), Flash::done("It is switched on: messages are sent to it from now on."));
    }
    let missed = counted(found.failed, "message", "messages");
    let text =
        format!("It is switched on. {missed} failed in the last 30 days: send them again, or leave them.");
    to_say(&format!("{}/recover", path(&id)), Flash::done(text))
}

/// The endpoint as it is, on or off.
async fn switched<S: Stores, K: Secrets + 'static>(
    console: &State<S, K>,
    visit: &Visit,
    id: &EndpointId,
    enabled: bool,
    seen: Option<u64>,
) -> Result<Endpoint, crate::error::Failed> {
    let (endpoint, _) = there(console, visit, id).await?;
    let input = EndpointInput {
        name: endpoint.name,
        url: endpoint.url.to_string(),
        enabled: Some(enabled),
        events: None,
        headers: None,
    };
    let (core, secrets) = (&console.core, &console.secrets);
    let put = put_endpoint(core, secrets, &visit.shop, Some(id), &input, console.check_url, seen);
    Ok(put.await?.0)
}

pub async fn confirm_delete<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
) -> Answer {
    let id = endpoint_id(&id)?;
    let (there, flows) = tokio::join!(there(&console, &visitor, &id), console.flows(&visitor));
    let ((endpoint, _), flows) = (there?, flows?);
    let used: Vec<String> = uses(&flows, &id).iter().map(Use::told).collect();
    if !used.is_empty() {
        return Err(ConfigError::InUse(used).into());
    }
    page(&Confirm {
        shell: visitor.shell(Area::Webhooks),
        title: format!("Delete the endpoint \u{201c}{}\u{201d}?", endpoint.name),
        what: vec![
            "No stage calls it.".to_owned(),
            "What is on its way to it is skipped.".to_owned(),
            "Its secret is gone with it. The log of what was sent stays on each order for 30 days."
                .to_owned(),
        ],
        action: format!("{}/delete", path(&id)),
        fields: vec![("version".to_owned(), endpoint.version.to_string())],
        verb: "Delete endpoint".to_owned(),
        danger: true,
        back: path(&id),
    })
}

pub async fn delete<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let id = endpoint_id(&id)?;
    let seen = fields.version();
    remove(&console.core, &visitor.shop, Removal::Endpoint(&id), seen).await?;
    to_say(Area::Webhooks.path(), Flash::done("The endpoint is deleted."))
}
