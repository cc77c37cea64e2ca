//! People who work with the shop: who they are, and how they come and go.

mod edit;
mod invite;
mod leave;
mod list;

use axum::Router;
use axum::routing::{get, post};
use http::StatusCode;
use stagepost_app::config::{ConfigError, MemberError};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::MemberId;
use stagepost_domain::member::Member as Person;
use stagepost_domain::session::Who;

use super::Routes;
use crate::error::{Failed, Trouble};
use crate::shell::Area;
use crate::visitor::Visit;
use crate::{Console, Stores};

/// Where somebody is invited.
const INVITE: &str = "/settings/people/invite";

/// Its routes.
pub fn routes<S: Stores, K: Secrets + 'static>() -> Routes<S, K> {
    Router::new()
        .route(Area::People.path(), get(list::show::<S, K>))
        .route(INVITE, get(invite::begin).post(invite::create::<S, K>))
        .route("/settings/people/{id}", get(edit::show::<S, K>).post(edit::update::<S, K>))
        .route("/settings/people/{id}/invite", post(invite::again::<S, K>))
        .route(
            "/settings/people/{id}/sign-out",
            get(leave::ask_sign_out::<S, K>).post(leave::sign_out::<S, K>),
        )
        .route("/settings/people/{id}/remove", get(leave::ask_remove::<S, K>).post(leave::remove::<S, K>))
}

impl From<MemberError> for Failed {
    fn from(error: MemberError) -> Self {
        match error {
            MemberError::Config(error) => named(error),
            MemberError::TooMany => {
                let (title, meaning) =
                    ("Too many invitations", "Nobody was mailed, and nothing was changed.");
                let advice = format!("Try again in an hour: {error}.");
                Trouble::new(StatusCode::TOO_MANY_REQUESTS, title, meaning, advice).into()
            }
        }
    }
}

/// What a use case says of an id that is nobody here.
fn named(error: ConfigError) -> Failed {
    match error {
        ConfigError::NotFound => not_found(),
        other => other.into(),
    }
}

fn not_found() -> Failed {
    Trouble::not_found("person").into()
}

/// A person's id, as a path names it.
fn member_id(id: &str) -> Result<MemberId, Failed> {
    super::id(MemberId::parse(id), "person")
}

/// A person of the shop.
async fn there<S: Stores, K>(
    console: &Console<S, K>,
    visit: &Visit,
    id: &MemberId,
) -> Result<Person, Failed> {
    console.core.store.member(&visit.shop, id).await?.ok_or_else(not_found)
}

/// Whether it is the visitor.
fn is_own(id: &MemberId, visit: &Visit) -> bool {
    matches!(&visit.session.who, Who::Member(own) if own == id)
}
