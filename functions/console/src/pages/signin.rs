//! The door: in with an API key, and out.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, header};
use stagepost_app::people::sign_in_with_key;
use stagepost_app::ports::Secrets;
use stagepost_domain::text::Invalid;

use super::Routes;
use crate::answer::{Answer, local, page, page_as, to};
use crate::csrf::same_site;
use crate::error::Trouble;
use crate::fields::{Fields, Wrong};
use crate::session::{Jar, SESSION, session_cookie};
use crate::visitor::Visitor;
use crate::{Console, Stores};

/// Largest form that is taken from somebody who is not signed in.
const FORM_MAX: usize = 8 * 1024;

#[derive(Template)]
#[template(path = "signin.html")]
struct SignInPage<'a> {
    next: &'a str,
    wrong: Wrong,
}

/// For those who are not signed in.
pub fn routes<S: Stores, K: Secrets + 'static>() -> Routes<S, K> {
    Router::new().route("/sign-in", get(ask).post(sign_in::<S, K>))
}

/// For those who are.
pub fn inside<S: Stores, K: Secrets + 'static>() -> Routes<S, K> {
    Router::new().route("/sign-out", post(sign_out::<S, K>))
}

async fn ask(fields: Fields) -> Answer {
    let next = local(fields.text("next")).unwrap_or("/");
    page(&SignInPage { next, wrong: Wrong::default() })
}

async fn sign_in<S: Stores, K: Secrets + 'static>(
    State(console): State<Arc<Console<S, K>>>,
    request: Request,
) -> Answer {
    // Nobody else's page signs somebody in here, as somebody else.
    if !same_site(&console.public, request.headers()) {
        return Err(Trouble::foreign_form().into());
    }
    let body = axum::body::to_bytes(request.into_body(), FORM_MAX).await.unwrap_or_default();
    let fields = Fields::parse(&body);
    let next = local(fields.text("next")).unwrap_or("/");
    let Some((session, _)) = sign_in_with_key(&console.core, fields.text("key")).await? else {
        let wrong = Wrong(vec![Invalid::new("key", "is not known, or was revoked")]);
        return page_as(StatusCode::UNPROCESSABLE_ENTITY, &SignInPage { next, wrong });
    };
    let jar = Jar::of(&console.public);
    let cookie = session_cookie(&console.keys, jar, &session, console.core.now());
    signed(to(next), cookie)
}

async fn sign_out<S: Stores, K: Secrets + 'static>(
    State(console): State<Arc<Console<S, K>>>,
    _: Visitor,
) -> Answer {
    signed(to("/sign-in"), Jar::of(&console.public).write(SESSION, "", 0))
}

/// The answer with the cookie in it.
fn signed(mut answer: Response, cookie: Option<HeaderValue>) -> Answer {
    let cookie = cookie.ok_or_else(Trouble::broken)?;
    answer.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(answer)
}
