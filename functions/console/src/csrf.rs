//! Whether a form is one of ours, sent by a page of ours: checked before anything else of it.

use axum::body::to_bytes;
use axum::extract::Request;
use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use stagepost_domain::template::BODY_MAX;
use stagepost_lambda::http::header;
use url::Url;

use crate::error::{Failed, Trouble};
use crate::fields::Fields;
use crate::sealed::Keys;
use crate::visitor::Visit;

/// The field of a form that proves that it is ours.
pub const TOKEN: &str = "csrf";
/// The field of a form that names this sending of it.
pub const ONCE: &str = "once";
/// Largest form that is taken: a template whose HTML and text are as long as they may be. In a form three bytes stand
/// for each byte of a letter that is not ASCII.
const FORM_MAX: usize = 2 * 3 * BODY_MAX + 64 * 1024;

/// A form that may be acted on.
pub struct Form {
    /// The request without its body.
    pub parts: Parts,
    /// Its bytes.
    pub body: Vec<u8>,
    /// What they say.
    pub fields: Fields,
}

/// Whether the browser says that a page of ours sent this; an old one says nothing.
pub fn same_site(public: &Url, headers: &HeaderMap) -> bool {
    let from = header(headers, "sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    let origin = headers.get(ORIGIN).is_none_or(|origin| {
        let origin = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok());
        origin.is_some_and(|origin| is_ours(public, headers, &origin))
    });
    from && origin
}

/// By the name that people use, or by the one that this very request was sent to.
fn is_ours(public: &Url, headers: &HeaderMap, origin: &Url) -> bool {
    let host = origin.host_str().map(|name| match origin.port() {
        Some(port) => format!("{name}:{port}"),
        None => name.to_owned(),
    });
    origin.origin() == public.origin()
        || (host.is_some() && host.as_deref() == headers.get(HOST).and_then(|h| h.to_str().ok()))
}

/// Takes a form in, or says why not.
///
/// # Errors
/// It is not ours, or larger than any.
pub async fn admitted(public: &Url, keys: &Keys, visit: &Visit, request: Request) -> Result<Form, Failed> {
    let (parts, body) = request.into_parts();
    if !same_site(public, &parts.headers) {
        return Err(Failed::new(Trouble::foreign_form()));
    }
    let body = to_bytes(body, FORM_MAX).await.map_err(|_| Failed::new(too_large()))?;
    let fields = Fields::parse(&body);
    if !keys.sessions.is_csrf(&visit.session, fields.text(TOKEN)) {
        return Err(Failed::new(Trouble::foreign_form()));
    }
    Ok(Form { parts, body: body.to_vec(), fields })
}

fn too_large() -> Trouble {
    let title = "This form is too large";
    Trouble::new(StatusCode::PAYLOAD_TOO_LARGE, title, "Nothing was changed.", "Send less at a time.")
}
