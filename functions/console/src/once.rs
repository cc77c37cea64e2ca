//! A form acts once: clicked twice, sent again by a browser or after a crash in between, it does what it did and
//! shows what it showed. Its hidden field `once` is the key (docs/adr/0011).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use stagepost_app::once::{Answered, Begun, By, Call, Ended, Lease, OnceError, begin, finish};
use stagepost_app::ports::{Entropy, Secrets};
use stagepost_domain::disposition::Disposition;
use stagepost_domain::id::{ShopId, body_hash};

use crate::answer::{back, html, to, with};
use crate::csrf::{Form, ONCE};
use crate::error::{Failed, Trouble};
use crate::pages::signin::{SIGN_OUT, SWITCH};
use crate::shell::Flash;
use crate::visitor::Visit;
use crate::{Console, Stores};

/// Longest key of a form.
const KEY_MAX: usize = 100;

/// How the path of a form ends that only looks. It writes nothing, so it has no key of its own: a page that shows
/// a preview while somebody types sends the same form again and again, with other words.
const LOOKS: &str = "/preview";

/// Whether a form may be sent as often as one likes: it only looks, or it only gives the browser another cookie,
/// which no kept answer holds. Whoever signs out twice is to be signed out by either answer.
fn is_free(path: &str) -> bool {
    path.ends_with(LOOKS) || path == SIGN_OUT || path.starts_with(SWITCH)
}

/// Where ids and secrets of this request come from.
#[derive(Clone)]
pub struct Source(pub Arc<dyn Entropy>);

/// What a form was answered with, as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flash: Option<Flash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
}

/// Has the form acted on, unless it was.
pub async fn act<S: Stores, K: Secrets + 'static>(
    console: &Console<S, K>,
    visit: &Visit,
    form: Form,
    next: Next,
) -> Response {
    let Form { mut parts, body, fields } = form;
    if is_free(parts.uri.path()) {
        parts.extensions.insert(fields);
        return next.run(Request::from_parts(parts, Body::from(body))).await;
    }
    let key = fields.text(ONCE).to_owned();
    if key.is_empty() || key.len() > KEY_MAX {
        return Failed::new(Trouble::foreign_form()).into_response();
    }
    let route = format!("{} {}", parts.method, parts.uri.path());
    let (shop, by) = (&visit.shop, By { who: visit.session.who.as_str(), role: visit.role });
    let call = Call { shop, by, route: &route, key: &key, body: body_hash(&body) };
    let lease = match begin(&console.core, &console.secrets, &call).await {
        Ok(Begun::Act(lease)) => *lease,
        Ok(Begun::Replay(answered)) => return replayed(&answered),
        Ok(Begun::InProgress { .. }) => return in_progress(&parts.headers),
        Ok(Begun::OtherBody) => return Failed::new(Trouble::sent_before()).into_response(),
        Err(error) => return away(&error),
    };
    parts.extensions.insert(Source(lease.entropy()));
    parts.extensions.insert(fields);
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    recorded(console, shop, lease, response).await
}

/// Records the answer before it is given. If that fails it is given all the same: the lease ends by itself.
async fn recorded<S: Stores, K: Secrets>(
    console: &Console<S, K>,
    shop: &ShopId,
    lease: Lease,
    response: Response,
) -> Response {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let ended = if parts.status.is_success() || parts.status.is_redirection() {
        let to = parts.headers.get(header::LOCATION).and_then(|to| to.to_str().ok()).map(str::to_owned);
        let html = String::from_utf8(body.to_vec()).ok().filter(|html| !html.is_empty());
        let kept = Kept { to, flash: parts.extensions.get::<Flash>().cloned(), html };
        let body = serde_json::to_string(&kept).unwrap_or_default();
        Ended::Done(Answered { status: parts.status.as_u16(), etag: None, body })
    } else if parts.status.is_client_error() {
        Ended::Refused
    } else {
        Ended::Unknown
    };
    if let Err(error) = finish(&console.core, &console.secrets, lease, &ended).await {
        tracing::warn!(%error, %shop, "the answer of a form is not recorded");
    }
    Response::from_parts(parts, Body::from(body))
}

fn replayed(answered: &Answered) -> Response {
    let Ok(kept) = serde_json::from_str::<Kept>(&answered.body) else {
        return Failed::new(Trouble::broken()).into_response();
    };
    let status = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::OK);
    match (kept.to, kept.html) {
        (Some(path), _) => with(to(&path), kept.flash),
        (None, page) => html(status, page.unwrap_or_default()),
    }
}

/// The second of two clicks: the first is at it.
fn in_progress(headers: &HeaderMap) -> Response {
    with(to(&back(headers, "/")), Some(Flash::note("This was sent twice. It is being done once.")))
}

fn away(error: &OnceError) -> Response {
    tracing::error!(%error, "a form cannot begin");
    let trouble = match error.disposition() {
        Disposition::Permanent => Trouble::broken(),
        _ => Trouble::away(),
    };
    Failed::new(trouble).into_response()
}
