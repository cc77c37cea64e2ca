//! Who visits: the person behind the session, read anew for each request, and the door that every signed-in page
//! is behind.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use stagepost_app::people;
use stagepost_app::people::ports::PeopleStore;
use stagepost_app::ports::{Secrets, StoreError};
use stagepost_domain::Timestamp;
use stagepost_lambda::asked::Asked;
pub use stagepost_lambda::role::{Admin, AtLeast, Member, Viewer};
use url::form_urlencoded::byte_serialize;

use crate::answer::{back, from_script, local};
use crate::error::{Failed, Trouble};
use crate::sealed::Keys;
use crate::session::{FLASH, Jar, session, session_cookie};
use crate::shell::{Area, Flash, Shell};
use crate::{Console, Stores, csrf, once};

/// What one request knows of who made it: the person with their shop, role and name, and the page's own part.
pub struct Visit {
    /// Who.
    pub who: people::Visitor,
    /// When the request came.
    pub now: Timestamp,
    /// Proves that a form is ours.
    csrf: String,
    /// Where the keys of this page's forms begin.
    once: String,
    flash: Option<Flash>,
    flash_shown: AtomicBool,
}

impl Deref for Visit {
    type Target = people::Visitor;

    fn deref(&self) -> &people::Visitor {
        &self.who
    }
}

impl Visit {
    /// The frame around a page of this area. It shows what the page before left to be said, once.
    #[must_use]
    pub fn shell(&self, area: Area) -> Shell {
        let flash = self.flash.clone();
        self.flash_shown.store(flash.is_some(), Ordering::Relaxed);
        self.fragment(area).with_flash(flash)
    }

    /// The same for a part of a page that is fetched on its own: it leaves that to the next page.
    #[must_use]
    pub fn fragment(&self, area: Area) -> Shell {
        let shell = Shell::new(
            area,
            &self.settings.name,
            &self.name,
            self.role,
            self.csrf.clone(),
            self.once.clone(),
        );
        shell.for_person(self.person.is_some())
    }
}

/// A visitor whose role is `R` or above. Everybody else is shown that they may not, before anything is read.
pub struct Visitor<R = Viewer>(Arc<Visit>, PhantomData<R>);

impl<R> Deref for Visitor<R> {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        &self.0
    }
}

impl<R: AtLeast, S: Send + Sync> FromRequestParts<S> for Visitor<R> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failed> {
        let visit = parts.extensions.get::<Arc<Visit>>().cloned();
        let visit = visit.ok_or_else(|| Failed::new(Trouble::broken()))?;
        if visit.role < R::ROLE {
            return Err(Failed::new(Trouble::forbidden(R::ROLE)));
        }
        Ok(Self(visit, PhantomData))
    }
}

/// Lets signed-in people through, and their forms once each; shows errors inside the console's frame.
pub async fn signed_in<S: Stores, K: Secrets + 'static>(
    State(console): State<Arc<Console<S, K>>>,
    mut request: Request,
    next: Next,
) -> Response {
    let visit = match visit(&console, request.headers()).await {
        Ok(Some(visit)) => Arc::new(visit),
        Ok(None) => return to_sign_in(&request),
        Err(error) => return Failed::from(error).into_response(),
    };
    Asked::note(request.extensions(), &visit.shop, visit.session.who.as_str());
    request.extensions_mut().insert(Arc::clone(&visit));
    let response = if request.method().is_safe() {
        next.run(request).await
    } else {
        match csrf::admitted(&console.public, &console.keys, &visit, request).await {
            Ok(form) => once::act(&console, &visit, form, next).await,
            Err(refused) => refused.into_response(),
        }
    };
    finished(&console.keys, Jar::of(&console.public), &visit, response)
}

/// Who the session says, as they stand now, with the shop's settings: one round trip.
async fn visit<S: PeopleStore, K>(
    console: &Console<S, K>,
    headers: &HeaderMap,
) -> Result<Option<Visit>, StoreError> {
    let (jar, keys, now) = (Jar::of(&console.public), &console.keys, console.core.now());
    let Some(session) = session(keys, jar, headers, now) else { return Ok(None) };
    let Some(who) = people::visitor(&console.core, session).await? else { return Ok(None) };
    let flash = jar.read(headers, FLASH).and_then(|text| keys.noted(&text));
    Ok(Some(Visit {
        now,
        csrf: keys.sessions.csrf(&who.session),
        once: console.core.entropy.id_body(),
        flash,
        flash_shown: AtomicBool::new(false),
        who,
    }))
}

/// To the door. Who signs in there with a key comes back to the page that they wanted; a mailed link is opened in a
/// tab of its own and leads to the first page. A form that was sent without a session was not done: it is its page
/// that they come back to. A script that sends one while somebody types takes them nowhere: what they have typed
/// stays before them.
fn to_sign_in(request: &Request) -> Response {
    let (safe, scripted) = (request.method().is_safe(), from_script(request.headers()));
    if scripted && !safe {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let here = request.uri().path_and_query().map(|p| p.as_str());
    let wanted = here.filter(|_| safe && !scripted);
    let wanted = wanted.and_then(local).map(str::to_owned).unwrap_or_else(|| back(request.headers(), "/"));
    let door = format!("/sign-in?next={}", byte_serialize(wanted.as_bytes()).collect::<String>());
    let Ok(door) = HeaderValue::from_str(&door) else {
        return StatusCode::SEE_OTHER.into_response();
    };
    if scripted {
        return [("hx-redirect", door)].into_response();
    }
    (StatusCode::SEE_OTHER, [(header::LOCATION, door)]).into_response()
}

/// Turns what handlers left beside their answer into pages and cookies.
fn finished(keys: &Keys, jar: Jar, visit: &Visit, mut response: Response) -> Response {
    if let Some(trouble) = response.extensions_mut().remove::<Trouble>() {
        response = trouble.page(visit.shell(Area::None));
    }
    let note = match response.extensions_mut().remove::<Flash>() {
        Some(flash) => jar.write(FLASH, &keys.note(&flash), 60),
        None if visit.flash_shown.load(Ordering::Relaxed) => jar.write(FLASH, "", 0),
        None => None,
    };
    // Whoever signs out is not signed in again by it.
    let ends = response.headers().contains_key(header::SET_COOKIE);
    let renewed = visit.session.renewed(visit.now).filter(|_| !ends);
    let session = renewed.and_then(|session| session_cookie(keys, jar, &session, visit.now));
    for cookie in note.into_iter().chain(session) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
