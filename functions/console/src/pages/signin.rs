//! The door: in by a link that is mailed, or with an API key; from one shop to another; out.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, header};
use stagepost_app::people::{
    AskError, OtherShop, ask_sign_in, look_at_link, other_shops, redeem, sign_in_with_key, switch,
};
use stagepost_app::ports::Secrets;
use stagepost_domain::id::ShopId;
use stagepost_domain::session::Session;
use stagepost_domain::text::Invalid;

use super::{Routes, id};
use crate::answer::{Answer, local, page, page_as, to};
use crate::csrf::same_site;
use crate::error::{Failed, Trouble};
use crate::fields::{Fields, Wrong};
use crate::session::{Jar, SESSION, session_cookie};
use crate::shell::{Area, Shell};
use crate::visitor::Visitor;
use crate::{Console, Stores};

/// Where somebody signs out.
pub const SIGN_OUT: &str = "/sign-out";
/// How the path begins by which somebody goes to another shop of theirs.
pub const SWITCH: &str = "/shops/";

/// Largest form that is taken from somebody who is not signed in.
const FORM_MAX: usize = 8 * 1024;

#[derive(Template)]
#[template(path = "signin/door.html")]
struct DoorPage<'a> {
    next: &'a str,
    email: &'a str,
    wrong: Wrong,
}

#[derive(Template)]
#[template(path = "signin/asked.html")]
struct AskedPage<'a> {
    email: &'a str,
}

#[derive(Template)]
#[template(path = "signin/link.html")]
struct LinkPage<'a> {
    token: &'a str,
    name: String,
    role: &'static str,
    shop: String,
}

#[derive(Template)]
#[template(path = "signin/shops.html")]
struct ShopsPage {
    shell: Shell,
    others: Vec<OtherShop>,
}

/// For those who are not signed in.
pub fn routes<S: Stores, K: Secrets + 'static>() -> Routes<S, K> {
    Router::new()
        .route("/sign-in", get(ask).post(with_key::<S, K>))
        .route("/sign-in/mail", get(to_door).post(by_mail::<S, K>))
        .route("/sign-in/{token}", get(look::<S, K>).post(with_link::<S, K>))
}

/// For those who are.
pub fn inside<S: Stores, K: Secrets + 'static>() -> Routes<S, K> {
    Router::new()
        .route(SIGN_OUT, post(sign_out::<S, K>))
        .route("/shops", get(shops::<S, K>))
        .route("/shops/{shop}", post(go::<S, K>))
}

/// The address of a form that came back leads to the form.
async fn to_door() -> Response {
    to("/sign-in")
}

async fn ask(fields: Fields) -> Answer {
    let next = local(fields.text("next")).unwrap_or("/");
    page(&DoorPage { next, email: "", wrong: Wrong::default() })
}

/// A form of somebody who is not signed in, unless another site's page sent it: nobody else signs somebody in here,
/// as somebody else.
async fn form<S, K>(console: &Console<S, K>, request: Request) -> Result<Fields, Failed> {
    if !same_site(&console.public, request.headers()) {
        return Err(Trouble::foreign_form().into());
    }
    let body = axum::body::to_bytes(request.into_body(), FORM_MAX).await.unwrap_or_default();
    Ok(Fields::parse(&body))
}

/// The form once more, with what was wrong.
fn door_again(fields: &Fields, wrong: Invalid) -> Answer {
    let next = local(fields.text("next")).unwrap_or("/");
    let wrong = Wrong(vec![wrong]);
    page_as(StatusCode::UNPROCESSABLE_ENTITY, &DoorPage { next, email: fields.text("email"), wrong })
}

async fn with_key<S: Stores, K: Secrets + 'static>(
    State(console): State<Arc<Console<S, K>>>,
    request: Request,
) -> Answer {
    let fields = form(&console, request).await?;
    let Some((session, _)) = sign_in_with_key(&console.core, fields.text("key")).await? else {
        return door_again(&fields, Invalid::new("key", "is not known, or was revoked"));
    };
    signed_in(&console, &session, local(fields.text("next")).unwrap_or("/"))
}

/// Everybody is told the same, whoever the address belongs to.
async fn by_mail<S: Stores, K: Secrets + 'static>(
    State(console): State<Arc<Console<S, K>>>,
    request: Request,
) -> Answer {
    let fields = form(&console, request).await?;
    let email = fields.text("email");
    match ask_sign_in(&console.core, &console.keys.search, email).await {
        Ok(()) => page(&AskedPage { email }),
        Err(AskError::Invalid(wrong)) => door_again(&fields, wrong),
        Err(AskError::Asked(error)) => Err(error.into()),
    }
}

/// What a link leads to, without using it: what reads mails before people do must not use it up.
async fn look<S: Stores, K: Secrets + 'static>(
    State(console): State<Arc<Console<S, K>>>,
    Path(token): Path<String>,
) -> Answer {
    let member = look_at_link(&console.core, &token).await?;
    let settings = console.core.store.settings(&member.shop).await?;
    let shop = settings.map(|settings| settings.name).unwrap_or_default();
    page(&LinkPage { token: &token, name: member.name, role: member.role.as_str(), shop })
}

async fn with_link<S: Stores, K: Secrets + 'static>(
    State(console): State<Arc<Console<S, K>>>,
    Path(token): Path<String>,
    request: Request,
) -> Answer {
    form(&console, request).await?;
    let (session, _) = redeem(&console.core, &token).await?;
    signed_in(&console, &session, "/")
}

/// The shops that somebody works with.
async fn shops<S: Stores, K: Secrets + 'static>(
    State(console): State<Arc<Console<S, K>>>,
    visitor: Visitor,
) -> Answer {
    let others = other_shops(&console.core, &visitor.who).await?;
    page(&ShopsPage { shell: visitor.shell(Area::None), others })
}

async fn go<S: Stores, K: Secrets + 'static>(
    State(console): State<Arc<Console<S, K>>>,
    visitor: Visitor,
    Path(shop): Path<String>,
) -> Answer {
    let shop = id(ShopId::parse(&shop), "shop")?;
    let session = switch(&console.core, &visitor.who, &shop).await?;
    signed_in(&console, &session.ok_or_else(|| Trouble::not_found("shop"))?, "/")
}

async fn sign_out<S: Stores, K: Secrets + 'static>(
    State(console): State<Arc<Console<S, K>>>,
    _: Visitor,
) -> Answer {
    signed(to("/sign-in"), Jar::of(&console.public).write(SESSION, "", 0))
}

fn signed_in<S, K>(console: &Console<S, K>, session: &Session, next: &str) -> Answer {
    let jar = Jar::of(&console.public);
    signed(to(next), session_cookie(&console.keys, jar, session, console.core.now()))
}

/// The answer with the cookie in it.
fn signed(mut answer: Response, cookie: Option<HeaderValue>) -> Answer {
    let cookie = cookie.ok_or_else(Trouble::broken)?;
    answer.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(answer)
}
