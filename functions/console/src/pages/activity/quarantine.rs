//! Notifications that were authentic and could not be read: kept until somebody hands them back or throws them away.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Path;
use stagepost_app::config::ConfigError;
use stagepost_app::ports::{QuarantineEntry, Secrets, StoreError};
use stagepost_app::quarantine::{self, QuarantineError};
use stagepost_domain::disposition::Disposition;
use stagepost_domain::id::QuarantineId;

use super::{QUARANTINE, paged};
use crate::answer::{Answer, page, to_say};
use crate::error::{Failed, Trouble};
use crate::fields::Fields;
use crate::pages::id;
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::time::{Moment, exactly};
use crate::ui::Confirm;
use crate::visitor::{Admin, Member, Visit, Visitor};
use crate::words::thousands;
use crate::{Console, Stores};

/// Notifications of one page.
const PAGE: usize = 50;
/// So much of a body is shown, in bytes.
const SHOWN: usize = 256 * 1024;

impl From<QuarantineError> for Failed {
    fn from(error: QuarantineError) -> Self {
        match error {
            QuarantineError::Store(error) => error.into(),
            QuarantineError::Secret(error) => ConfigError::Secret(error).into(),
            QuarantineError::Queue(error) => {
                tracing::error!(%error, "quarantine");
                let passing = error.disposition() != Disposition::Permanent;
                if passing { Trouble::away() } else { Trouble::broken() }.into()
            }
        }
    }
}

#[derive(Template)]
#[template(path = "activity/quarantine.html")]
struct ListPage {
    shell: Shell,
    tab: &'static str,
    rows: Vec<Row>,
    first: Option<String>,
    next: Option<String>,
}

struct Row {
    id: QuarantineId,
    by: String,
    topic: String,
    reason: String,
    at: Moment,
    bytes: String,
}

/// What channels and integrations are called, by their ids.
type Names = BTreeMap<String, String>;

async fn names<S: Stores, K>(console: &Console<S, K>, visit: &Visit) -> Result<Names, StoreError> {
    let (store, shop) = (&console.core.store, &visit.shop);
    let (channels, carriers) = tokio::join!(store.channels(shop), store.carriers(shop));
    let channels = channels?.into_iter().map(|one| (one.id.to_string(), one.name));
    let carriers = carriers?.into_iter().map(|one| (one.id.to_string(), one.name));
    Ok(channels.chain(carriers).collect())
}

fn row(entry: QuarantineEntry, names: &Names, visit: &Visit) -> Row {
    let came_by = entry.route.came_by();
    Row {
        by: names.get(came_by).cloned().unwrap_or_else(|| came_by.to_owned()),
        topic: entry.topic,
        reason: entry.reason,
        at: Moment::new(entry.at, visit.now),
        bytes: format!("{} bytes", thousands(usize::try_from(entry.bytes).unwrap_or(usize::MAX))),
        id: entry.id,
    }
}

pub async fn list<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    fields: Fields,
) -> Answer {
    let (store, shop, cursor) = (&console.core.store, &visitor.shop, fields.some("cursor"));
    let found = store.quarantined(shop, cursor, PAGE, visitor.now);
    let (found, names) = tokio::join!(found, names(&console, &visitor));
    let (found, names) = (found?, names?);
    page(&ListPage {
        shell: visitor.shell(Area::Activity),
        tab: "quarantine",
        rows: found.items.into_iter().map(|entry| row(entry, &names, &visitor)).collect(),
        first: cursor.map(|_| QUARANTINE.to_owned()),
        next: found.next.map(|cursor| paged(QUARANTINE, &[("cursor", &cursor)])),
    })
}

fn named(text: &str) -> Result<QuarantineId, Failed> {
    id(QuarantineId::parse(text), "notification in quarantine")
}

fn not_found() -> Failed {
    Trouble::not_found("notification in quarantine").into()
}

#[derive(Template)]
#[template(path = "activity/body.html")]
struct BodyPage {
    shell: Shell,
    row: Row,
    body: String,
    /// Whether it goes on.
    cut: bool,
    /// Whether all of it is text.
    text: bool,
}

pub async fn body<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(text): Path<String>,
) -> Answer {
    let id = named(&text)?;
    let read = quarantine::read(&console.core, &console.secrets, &visitor.shop, &id);
    let (read, names) = tokio::join!(read, names(&console, &visitor));
    let ((entry, bytes), names) = (read?.ok_or_else(not_found)?, names?);
    let beginning = bytes.get(..SHOWN).unwrap_or(&bytes);
    page(&BodyPage {
        shell: visitor.shell(Area::Activity),
        row: row(entry, &names, &visitor),
        body: String::from_utf8_lossy(beginning).into_owned(),
        cut: beginning.len() < bytes.len(),
        text: std::str::from_utf8(&bytes).is_ok(),
    })
}

pub async fn replay<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Member>,
    Path(text): Path<String>,
) -> Answer {
    let id = named(&text)?;
    // Its key is used once and made of chance alone, never of what a form may repeat.
    let whole: &Console<S, K> = &console;
    let replayed =
        quarantine::replay(&whole.core, &whole.secrets, &whole.inbound, &visitor.shop, &id).await?;
    replayed.ok_or_else(not_found)?;
    let text = "It is read again in a moment. If that goes well it leaves this list; if not, it stays with the reason \
                of then.";
    to_say(QUARANTINE, Flash::done(text))
}

/// The notification, without its body.
async fn there<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    text: &str,
) -> Result<QuarantineEntry, Failed> {
    let found = console.core.store.quarantined_item(&visit.shop, &named(text)?, visit.now).await?;
    Ok(found.ok_or_else(not_found)?.entry)
}

pub async fn ask<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(text): Path<String>,
) -> Answer {
    let entry = there(&console, &visitor, &text).await?;
    page(&Confirm {
        shell: visitor.shell(Area::Activity),
        title: format!("Throw away \u{201c}{}\u{201d} of {}?", entry.topic, exactly(entry.at)),
        what: vec![
            "What it told of is not known here, unless it is told again.".to_owned(),
            "It cannot be brought back.".to_owned(),
            "No customer is told anything.".to_owned(),
        ],
        action: format!("{QUARANTINE}/{}/delete", entry.id),
        fields: Vec::new(),
        verb: "Throw away".to_owned(),
        danger: true,
        back: QUARANTINE.to_owned(),
    })
}

pub async fn delete<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(text): Path<String>,
) -> Answer {
    let entry = there(&console, &visitor, &text).await?;
    quarantine::release(&console.core, &visitor.shop, &entry.id).await?;
    to_say(QUARANTINE, Flash::done("It is thrown away."))
}
