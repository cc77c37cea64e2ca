//! The door: in with an API key, and out.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{StatusCode, header};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::token_hash;
use stagepost_domain::text::Invalid;

use super::Routes;
use crate::answer::{Answer, local, page, page_as, to};
use crate::csrf::same_site;
use crate::error::{Failed, Trouble};
use crate::fields::{Fields, Wrong};
use crate::session::{Jar, Session};
use crate::visitor::{Visitor, session_cookie};
use crate::{Console, Stores};

/// Longest key that is looked up.
const TOKEN_MAX: usize = 200;
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
    let token = Some(fields.text("key")).filter(|token| token.len() <= TOKEN_MAX && !token.is_empty());
    let key = match token {
        Some(token) => console.core.store.api_key(&token_hash(token)).await?,
        None => None,
    };
    let Some(key) = key else {
        let wrong = Wrong(vec![Invalid::new("key", "is not known, or was revoked")]);
        return page_as(StatusCode::UNPROCESSABLE_ENTITY, &SignInPage { next, wrong });
    };
    let session = Session::new(key.hash, key.shop, console.core.now());
    Ok(signed(&console, to(next), Some(&session)))
}

async fn sign_out<S: Stores, K: Secrets + 'static>(
    State(console): State<Arc<Console<S, K>>>,
    _: Visitor,
) -> Response {
    signed(&console, to("/sign-in"), None)
}

/// The answer with the session in it, or with none any more.
fn signed<S, K>(console: &Console<S, K>, mut answer: Response, session: Option<&Session>) -> Response {
    let Some(cookie) = session_cookie(&console.keys, Jar::of(&console.public), session) else {
        return Failed::new(Trouble::broken()).into_response();
    };
    answer.headers_mut().append(header::SET_COOKIE, cookie);
    answer
}
