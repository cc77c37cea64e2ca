//! API keys: what programs come with. Each is shown once, and revoked at once.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use stagepost_app::config::{self, ConfigError, KeyInput};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::KeyId;
use stagepost_domain::member::People;
use stagepost_domain::session::Who;
use stagepost_domain::shop::ApiKey;
use stagepost_domain::text::Invalid;

use super::{Routes, id};
use crate::Stores;
use crate::answer::{Answer, page, page_as, to_say};
use crate::error::{Failed, Trouble};
use crate::fields::{Fields, Wrong};
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::time::Moment;
use crate::ui::{Confirm, Empty, not_set_up};
use crate::visitor::{Admin, Visit, Visitor};
use crate::words;

/// Where a new key is made.
const NEW: &str = "/settings/keys/new";

/// Its routes.
pub fn routes<S: Stores, K: Secrets + 'static>() -> Routes<S, K> {
    Router::new()
        .route(Area::Keys.path(), get(list::<S, K>))
        .route(NEW, get(begin).post(create::<S, K>))
        .route("/settings/keys/{id}/revoke", get(confirm::<S, K>).post(revoke::<S, K>))
}

#[derive(Template)]
#[template(path = "keys/list.html")]
struct ListPage {
    shell: Shell,
    rows: Vec<Row>,
    empty: Empty<'static>,
}

struct Row {
    id: KeyId,
    name: String,
    role: &'static str,
    prefix: String,
    made: Moment,
    used: Option<Moment>,
    /// Whether the visitor is signed in by it.
    own: bool,
    /// Whether the visitor's role lets them revoke it.
    below: bool,
}

async fn list<S: Stores, K: Secrets + 'static>(console: State<S, K>, visitor: Visitor<Admin>) -> Answer {
    let mut keys = console.core.store.api_keys(&visitor.shop).await?;
    keys.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    let empty = not_set_up(
        "No API key yet",
        "A key lets a program work with this shop: read orders, move them, change the configuration. What it may do \
         is its role.",
    );
    page(&ListPage {
        shell: visitor.shell(Area::Keys),
        rows: keys.into_iter().map(|key| row(key, &visitor)).collect(),
        empty: empty.next(NEW, "Make an API key"),
    })
}

fn row(key: ApiKey, visit: &Visit) -> Row {
    Row {
        own: is_own(&key, visit),
        below: key.role <= visit.role,
        role: key.role.as_str(),
        made: Moment::new(key.created_at, visit.now),
        used: key.last_used_at.map(|at| Moment::new(at, visit.now)),
        id: key.id,
        name: key.name,
        prefix: key.prefix,
    }
}

fn is_own(key: &ApiKey, visit: &Visit) -> bool {
    matches!(&visit.session.who, Who::Key(id) if *id == key.id)
}

#[derive(Template)]
#[template(path = "keys/new.html")]
struct NewPage<'a> {
    shell: Shell,
    name: &'a str,
    role: &'a str,
    roles: Vec<(String, String)>,
    wrong: Wrong,
}

fn form(visit: &Visit, fields: &Fields, wrong: Wrong) -> Answer {
    let status = wrong.status(false);
    let shown = NewPage {
        shell: visit.shell(Area::Keys),
        name: fields.text("name"),
        role: fields.some("role").unwrap_or("member"),
        roles: words::roles(visit.role),
        wrong,
    };
    page_as(status, &shown)
}

async fn begin(visitor: Visitor<Admin>) -> Answer {
    form(&visitor, &Fields::default(), Wrong::default())
}

/// The page that shows a token, this once.
#[derive(Template)]
#[template(path = "keys/made.html")]
struct MadePage<'a> {
    shell: Shell,
    name: &'a str,
    role: &'static str,
    meaning: &'static str,
    token: &'a str,
}

async fn create<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    fields: Fields,
) -> Answer {
    let Some(role) = words::role(fields.text("role")) else {
        return form(&visitor, &fields, Wrong(vec![Invalid::new("role", "must be one of these")]));
    };
    let input = KeyInput { name: fields.text("name").to_owned(), role };
    match config::make_key(&console.core, &visitor.shop, visitor.role, &input).await {
        Ok((key, token)) => page(&MadePage {
            shell: visitor.shell(Area::Keys),
            name: &key.name,
            role: key.role.as_str(),
            meaning: words::role_meaning(key.role),
            token: &token,
        }),
        Err(ConfigError::Invalid(wrong)) => form(&visitor, &fields, Wrong(wrong)),
        Err(error) => Err(error.into()),
    }
}

fn key_id(text: &str) -> Result<KeyId, Failed> {
    id(KeyId::parse(text), "API key")
}

/// What the use case says of an id that is nothing here.
fn named(error: ConfigError) -> Failed {
    match error {
        ConfigError::NotFound => Trouble::not_found("API key").into(),
        other => other.into(),
    }
}

async fn confirm<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(text): Path<String>,
) -> Answer {
    let (id, store) = (key_id(&text)?, &console.core.store);
    let (keys, members) = tokio::join!(store.api_keys(&visitor.shop), store.members(&visitor.shop));
    let (keys, members) = (keys?, members?);
    let key = keys.iter().find(|key| key.id == id).ok_or_else(|| Trouble::not_found("API key"))?;
    // What would be refused is not asked.
    People { members: &members, keys: &keys }.may_revoke(visitor.role, key).map_err(ConfigError::from)?;
    let used = match key.last_used_at {
        Some(at) => format!("It was last used on {} (known to the hour).", crate::time::exactly(at)),
        None => "It was never used.".to_owned(),
    };
    let own = is_own(key, &visitor).then(|| "You are signed in by this key: it signs you out.".to_owned());
    let told = [
        used,
        "Programs that use it are refused from the next moment on. It cannot be made to work again."
            .to_owned(),
        "What was done with it stays done, and orders keep naming it.".to_owned(),
    ];
    page(&Confirm {
        shell: visitor.shell(Area::Keys),
        title: format!("Revoke the API key \u{201c}{}\u{201d}?", key.name),
        what: own.into_iter().chain(told).collect(),
        action: format!("/settings/keys/{id}/revoke"),
        fields: Vec::new(),
        verb: "Revoke key".to_owned(),
        danger: true,
        back: Area::Keys.path().to_owned(),
    })
}

async fn revoke<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(text): Path<String>,
) -> Answer {
    let id = key_id(&text)?;
    let key = config::revoke_key(&console.core, &visitor.shop, visitor.role, &id).await.map_err(named)?;
    to_say(Area::Keys.path(), Flash::done(format!("The API key \u{201c}{}\u{201d} is revoked.", key.name)))
}
