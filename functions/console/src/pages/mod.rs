//! The pages, by area of the navigation.
//!
//! # Adding a page
//!
//! 1. **Where.** Each area has a file here with a `routes()` that [`all`] merges: `flows`, `notifications`,
//!    `brand`, `webhooks`, `integrations`, `keys`, `people`, `activity`, `simulate`. If yours grows,
//!    make it a folder with a `mod.rs`. Paths begin with [`crate::shell::Area::path`]. Templates go to `templates/{area}/`.
//!    Nothing else has to be touched.
//! 2. **The handler.** Its arguments say what it needs, in this order, each only if needed:
//!    `console: State<S, K>`; `visitor: Visitor` (whoever is signed in), `Visitor<Member>` (works with orders) or
//!    `Visitor<Admin>` (changes configuration); `Path(id): Path<String>`, read with [`id`]; `fields: Fields`, the
//!    query of a GET or the form of a POST. It gives an [`crate::answer::Answer`]. It calls what `functions/api` calls: no rules
//!    here. Reads that do not need each other go into one `tokio::join!`; flows are there already
//!    (`console.flows(&visitor)`), and so are the settings (`visitor.settings`).
//! 3. **A page.** A struct with `#[derive(Template)]` whose template `{% extends "base.html" %}` and that has
//!    `shell: Shell` from `visitor.shell(Area::Flows)`. Give it with `page(&…)`. A part that htmx asks for takes
//!    `visitor.fragment(…)`, and `last_of(&…)` ends its polling. Pieces are in [`crate::ui`]: `{{ badge }}`,
//!    `{{ moment }}`, `crate::ui::{icon, text, area, choice, tick, not_set_up, nothing_yet, nothing_found, pager}`;
//!    the rest is plain HTML in the classes of `assets/console.css` (its head lists them). Words for reasons,
//!    states and causes are in [`crate::words`]; a new reason goes there and nowhere else. No `style=` and no
//!    `on…=`: neither is let through. A merchant's colour is `crate::ui::dot(…)`.
//! 4. **A form.** `<form method="post" action="…">{{ crate::ui::keys(shell) }} … <button>`. The door has checked
//!    that it is ours and acts once under its key before the handler runs; ids come from `console.core.entropy`, so
//!    that the same form makes the same ones. Name fields as the use case names them when it refuses them
//!    (`stages[2].name`). Done: `to_say("/where", Flash::done("Saved."))`, which shows the message on the next page.
//!    Refused: the same page again with `page_as(StatusCode::UNPROCESSABLE_ENTITY, …)`, the values of `fields` and
//!    `Wrong(errors)` at the fields. Everything else: `?`, which becomes a page by `crate::error`. What is shown
//!    once (a secret) is a page, not a redirect: sent again it is shown again, for a day. A form that only looks
//!    goes to a path that ends in `/preview`: it must write nothing, and may be sent as often as one likes.
//! 5. **What cannot be taken back** goes over a [`crate::ui::Confirm`] page (GET) that says what it will do, with
//!    numbers; *Cancel* leads back.
//! 6. **Tests** in `src/tests/{area}.rs`: `World` signs in, gets, and sends forms as a browser does. Each page: as
//!    it should be, empty, another shop's id (404), a role too low (403), a name called `<script>`.

pub mod activity;
pub mod brand;
pub mod flows;
pub mod integrations;
pub mod keys;
pub mod notifications;
pub mod orders;
pub mod people;
pub mod signin;
pub mod simulate;
pub mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use stagepost_app::ports::Secrets;

use crate::answer::to;
use crate::error::{Failed, Trouble};
use crate::visitor::Visitor;
use crate::{Console, Stores};

/// Routes of the console.
pub type Routes<S, K> = Router<Arc<Console<S, K>>>;

/// Every page that is for people who are signed in.
pub fn all<S: Stores, K: Secrets + 'static>() -> Routes<S, K> {
    Router::new()
        .route("/", get(home))
        .merge(orders::routes())
        .merge(simulate::routes())
        .merge(activity::routes())
        .merge(flows::routes())
        .merge(notifications::routes())
        .merge(brand::routes())
        .merge(webhooks::routes())
        .merge(integrations::routes())
        .merge(keys::routes())
        .merge(people::routes())
        .merge(signin::inside())
}

async fn home(_: Visitor) -> Response {
    to("/orders")
}

/// Any other path.
pub async fn nothing_here() -> Failed {
    Trouble::not_found("page").into()
}

/// A path that there is, for something else: a form goes there, and nothing is read there, or the other way round.
pub async fn not_this_way() -> Failed {
    Trouble::not_this_way().into()
}

/// What a path names, read with its type's `parse`; text that no id can be names nothing.
///
/// # Errors
/// There is no such thing.
pub fn id<T, E>(parsed: Result<T, E>, what: &str) -> Result<T, Failed> {
    parsed.map_err(|_| Trouble::not_found(what).into())
}
