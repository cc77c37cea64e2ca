//! An endpoint made or edited. The values of its own headers go in and never come out.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::Path;
use stagepost_app::config::{ConfigError, EndpointInput, put_endpoint};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::EndpointId;
use stagepost_domain::shop::Endpoint;
use stagepost_domain::text::Invalid;
use stagepost_domain::webhook::EventType;
use url::Url;

use super::secret::{Occasion, shown};
use super::{NEW, endpoint_id, path, there};
use crate::answer::{Answer, page_as, to_say};
use crate::fields::{Fields, Wrong};
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::visitor::{Admin, Visit, Visitor};
use crate::words;
use crate::{Console, Stores};

/// Headers that a form has room for.
const HEADERS_MAX: usize = 10;
/// Empty rows for more of them.
const ROOM: usize = 2;
/// A receiver on the machine that the console runs on.
const LOOPBACK: &str = "http://127.0.0.1:8080/";

/// A header as the form shows it.
#[derive(Default)]
struct Header {
    name: String,
    /// Its value is stored already; an empty field keeps it.
    stored: bool,
    /// A value came with the form, and is not kept in the page.
    lost: bool,
    wrong: Option<String>,
}

/// An event to be told of.
struct Event {
    name: &'static str,
    meaning: &'static str,
    on: bool,
}

#[derive(Template)]
#[template(path = "webhooks/edit.html")]
struct EditPage {
    shell: Shell,
    action: String,
    back: String,
    is_new: bool,
    version: u64,
    name: String,
    url: String,
    events: Vec<Event>,
    headers: Vec<Header>,
    theirs: bool,
    /// A host on somebody's own machine calls receivers there, too.
    takes_loopback: bool,
    wrong: Wrong,
}

/// What the form says.
struct Draft {
    name: String,
    url: String,
    events: BTreeSet<EventType>,
    /// Names as they were entered, with new values.
    headers: Vec<(String, String)>,
    version: u64,
}

impl Draft {
    fn of(fields: &Fields) -> Self {
        let chosen: Vec<&str> = fields.all("event").collect();
        let names = fields.all("header_name").map(str::to_owned);
        let values = fields.all("header_value").map(str::to_owned);
        Self {
            name: fields.text("name").to_owned(),
            url: fields.text("url").to_owned(),
            events: EventType::ALL.into_iter().filter(|event| chosen.contains(&event.as_str())).collect(),
            headers: names
                .zip(values)
                .filter(|(name, value)| !name.is_empty() || !value.is_empty())
                .collect(),
            version: fields.version().unwrap_or_default(),
        }
    }

    fn of_endpoint(endpoint: &Endpoint) -> Self {
        Self {
            name: endpoint.name.clone(),
            url: endpoint.url.to_string(),
            events: endpoint.events.clone(),
            headers: endpoint.headers.keys().map(|name| (name.clone(), String::new())).collect(),
            version: endpoint.version,
        }
    }

    fn input(&self) -> EndpointInput {
        let value = |value: &String| Some(value.clone()).filter(|value| !value.is_empty());
        let headers: BTreeMap<String, Option<String>> =
            self.headers.iter().map(|(name, text)| (name.clone(), value(text))).collect();
        EndpointInput {
            name: self.name.clone(),
            url: self.url.clone(),
            enabled: None,
            events: Some(self.events.clone()),
            headers: Some(headers),
        }
    }
}

fn form<S, K>(
    console: &Console<S, K>,
    visit: &Visit,
    draft: &Draft,
    of: Option<&Endpoint>,
    theirs: bool,
    wrong: Wrong,
) -> Answer {
    let stored = |name: &str| of.is_some_and(|of| of.headers.contains_key(&name.to_ascii_lowercase()));
    let header = |(name, value): &(String, String)| Header {
        name: name.clone(),
        stored: stored(name),
        lost: !value.is_empty(),
        wrong: wrong
            .of(&format!("headers.{name}"))
            .or_else(|| wrong.of(&format!("headers.{}", name.to_ascii_lowercase())))
            .map(str::to_owned),
    };
    let mut headers: Vec<Header> = draft.headers.iter().map(header).collect();
    let room = headers.len().saturating_add(ROOM).min(HEADERS_MAX.max(headers.len()));
    headers.resize_with(room, Header::default);
    let event = |event: EventType| Event {
        name: event.as_str(),
        meaning: words::event_meaning(event),
        on: draft.events.contains(&event),
    };
    let status = wrong.status(theirs);
    let takes_loopback = Url::parse(LOOPBACK).is_ok_and(|url| (console.check_url)(&url).is_ok());
    let shown = EditPage {
        shell: visit.shell(Area::Webhooks),
        action: of.map_or_else(|| NEW.to_owned(), |of| format!("{}/edit", path(&of.id))),
        back: of.map_or_else(|| Area::Webhooks.path().to_owned(), |of| path(&of.id)),
        is_new: of.is_none(),
        version: of.map_or(0, |of| if theirs { of.version } else { draft.version }),
        name: draft.name.clone(),
        url: draft.url.clone(),
        events: EventType::ALL.into_iter().map(event).collect(),
        headers,
        theirs,
        takes_loopback,
        wrong,
    };
    page_as(status, &shown)
}

pub async fn begin<S: Stores, K: Secrets + 'static>(console: State<S, K>, visitor: Visitor<Admin>) -> Answer {
    let draft = Draft {
        name: String::new(),
        url: String::new(),
        events: BTreeSet::new(),
        headers: Vec::new(),
        version: 0,
    };
    form(&console, &visitor, &draft, None, false, Wrong::default())
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    fields: Fields,
) -> Answer {
    let draft = Draft::of(&fields);
    let input = match twice(&draft) {
        Some(wrong) => return form(&console, &visitor, &draft, None, false, Wrong(vec![wrong])),
        None => draft.input(),
    };
    let (core, secrets, shop) = (&console.core, &console.secrets, &visitor.shop);
    match put_endpoint(core, secrets, shop, None, &input, console.check_url, None).await {
        Ok((endpoint, Some(secret))) => shown(&visitor, &endpoint, &secret, Occasion::Made),
        Ok((endpoint, None)) => to_say(&path(&endpoint.id), Flash::done("The endpoint is there.")),
        Err(ConfigError::Invalid(wrong)) => form(&console, &visitor, &draft, None, false, Wrong(wrong)),
        Err(error) => Err(error.into()),
    }
}

/// A name that is in the form twice, which a map of headers could not say.
fn twice(draft: &Draft) -> Option<Invalid> {
    let mut met = BTreeSet::new();
    let again = draft.headers.iter().find(|(name, _)| !met.insert(name.to_ascii_lowercase()));
    again.map(|(name, _)| Invalid::new(format!("headers.{name}"), "is there twice"))
}

pub async fn show<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
) -> Answer {
    let (endpoint, _) = there(&console, &visitor, &endpoint_id(&id)?).await?;
    form(&console, &visitor, &Draft::of_endpoint(&endpoint), Some(&endpoint), false, Wrong::default())
}

pub async fn update<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let (id, draft) = (endpoint_id(&id)?, Draft::of(&fields));
    let (before, _) = there(&console, &visitor, &id).await?;
    if let Some(wrong) = twice(&draft) {
        return form(&console, &visitor, &draft, Some(&before), false, Wrong(vec![wrong]));
    }
    match saved(&console, &visitor, &id, &draft).await {
        Ok(endpoint) => {
            let moved = if endpoint.url == before.url {
                ""
            } else {
                " How the old address did does not count any more."
            };
            to_say(&path(&id), Flash::done(format!("Saved.{moved}")))
        }
        Err(ConfigError::Invalid(wrong)) => {
            form(&console, &visitor, &draft, Some(&before), false, Wrong(wrong))
        }
        Err(ConfigError::Stale { .. } | ConfigError::Conflict) => {
            let (theirs, _) = there(&console, &visitor, &id).await?;
            form(&console, &visitor, &draft, Some(&theirs), true, Wrong::default())
        }
        Err(error) => Err(error.into()),
    }
}

async fn saved<S: Stores, K: Secrets + 'static>(
    console: &State<S, K>,
    visit: &Visit,
    id: &EndpointId,
    draft: &Draft,
) -> Result<Endpoint, ConfigError> {
    let (core, secrets, input) = (&console.core, &console.secrets, draft.input());
    let expected = Some(draft.version);
    let put = put_endpoint(core, secrets, &visit.shop, Some(id), &input, console.check_url, expected);
    put.await.map(|(endpoint, _)| endpoint)
}
