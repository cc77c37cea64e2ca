//! `Idempotency-Key` on every POST: the same call again is answered as it was, and does nothing again.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use stagepost_app::once::{Answered, Begun, By, Call, Ended, Lease, OnceError, begin, finish};
use stagepost_app::ports::{Entropy, Secrets};
use stagepost_domain::Timestamp;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::id::{ShopId, body_hash};
use stagepost_domain::text::Invalid;
use stagepost_lambda::http::Problem;

use crate::caller::authenticated;
use crate::failed::problem;
use crate::openapi::{Documented, Operation};
use crate::payload::{BODY_MAX, too_large};
use crate::{Api, Stores};

/// The header that names a call.
const KEY: &str = "Idempotency-Key";
/// The header of an answer that was given before.
const REPLAYED: &str = "Idempotency-Replayed";
/// Longest key.
const KEY_MAX: usize = 255;

/// What a request has that came under a key.
#[derive(Clone)]
pub struct Source {
    /// Where its ids and secrets come from.
    pub entropy: Arc<dyn Entropy>,
    /// It came before, and nobody knows what became of it.
    pub resumed: bool,
}

/// A handler that acts once per key.
#[derive(Clone)]
pub struct Once<H>(pub H);

/// Describes a handler with the key that it takes.
pub fn describe<H: Documented<P>, P>(operation: &mut Operation<'_>) {
    H::document(operation);
    let schema = serde_json::json!({
        "type": "string", "minLength": 1, "maxLength": KEY_MAX, "pattern": "^[ -~]+$",
    });
    let about = "Names this call for a day: the same key with the same body is answered as the first time, \
                 and nothing is done twice.";
    operation.parameter("header", KEY, false, schema, about);
    operation.optional_header(REPLAYED, "`true` when the answer was given before.");
    operation.problem(409, "A call with this `Idempotency-Key` is in progress.");
    operation.problem(422, "The `Idempotency-Key` is no such key, or was used for another call.");
}

impl<H, T, S, K> Handler<T, Arc<Api<S, K>>> for Once<H>
where
    H: Handler<T, Arc<Api<S, K>>>,
    S: Stores,
    K: Secrets + 'static,
    T: 'static,
{
    type Future = std::pin::Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, api: Arc<Api<S, K>>) -> Self::Future {
        Box::pin(async move {
            if request.headers().contains_key(KEY) {
                once(self.0, request, api).await.unwrap_or_else(|refused| refused)
            } else {
                self.0.call(request, api).await
            }
        })
    }
}

async fn once<H, T, S, K>(handler: H, request: Request, api: Arc<Api<S, K>>) -> Result<Response, Response>
where
    H: Handler<T, Arc<Api<S, K>>>,
    S: Stores,
    K: Secrets + 'static,
    T: 'static,
{
    let (mut parts, body) = request.into_parts();
    let caller = authenticated(&parts, &api).await?;
    let shop = caller.shop;
    let key = parts.headers.get(KEY).and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
    if key.is_empty() || key.len() > KEY_MAX || !key.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        let reason = format!("must be 1 to {KEY_MAX} printable ASCII characters");
        return Err(problem(&Problem::invalid(vec![Invalid::new(KEY, reason)])));
    }
    let body = to_bytes(body, BODY_MAX).await.map_err(|_| too_large())?;
    let route = format!("{} {}", parts.method, parts.uri.path());
    let by = By { who: caller.id.as_str(), role: caller.role };
    let call = Call { shop: &shop, by, route: &route, key: &key, body: body_hash(&body) };
    let lease = match begin(&api.core, &api.secrets, &call).await.map_err(|e| away(&e))? {
        Begun::Act(lease) => lease,
        Begun::Replay(answered) => return Ok(replayed(answered)),
        Begun::InProgress { until } => return Err(in_progress(api.core.now(), until)),
        Begun::OtherBody => return Err(other_body()),
    };
    parts.extensions.insert(Source { entropy: lease.entropy(), resumed: lease.is_resumed() });
    let response = handler.call(Request::from_parts(parts, Body::from(body)), Arc::clone(&api)).await;
    Ok(recorded(&api, &shop, *lease, response).await)
}

/// Records the answer before it is given. If that fails it is given all the same: the lease ends by itself.
async fn recorded<S: Stores, K: Secrets>(
    api: &Api<S, K>,
    shop: &ShopId,
    lease: Lease,
    response: Response,
) -> Response {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let ended = match (parts.status, std::str::from_utf8(&body)) {
        (status, Ok(text)) if status.is_success() => {
            let etag = parts.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
            Ended::Done(Answered { status: status.as_u16(), etag, body: text.to_owned() })
        }
        (status, _) if status.is_client_error() => Ended::Refused,
        _ => Ended::Unknown,
    };
    if let Err(error) = finish(&api.core, &api.secrets, lease, &ended).await {
        tracing::warn!(%error, %shop, "the answer of a call under a key is not recorded");
    }
    Response::from_parts(parts, Body::from(body))
}

fn replayed(answered: Answered) -> Response {
    let mut response = Response::new(Body::from(Bytes::from(answered.body)));
    *response.status_mut() = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    if let Some(etag) = answered.etag.and_then(|tag| HeaderValue::from_str(&tag).ok()) {
        headers.insert(header::ETAG, etag);
    }
    response
}

fn in_progress(now: Timestamp, until: Timestamp) -> Response {
    let title = "A call with this key is in progress";
    let told = Problem::new(StatusCode::CONFLICT, "in-progress", title)
        .detail("Call again in a moment: the answer will be the same.");
    let mut response = problem(&told);
    let seconds = until.duration_since(now).as_secs().clamp(1, 60);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.unsigned_abs()));
    response
}

fn other_body() -> Response {
    let title = "This key was used for another call";
    let told = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", title)
        .detail("The body is not the same. A new call wants a new key.");
    problem(&told)
}

fn away(error: &OnceError) -> Response {
    tracing::error!(%error, "a call under a key cannot begin");
    match error.disposition() {
        Disposition::Permanent => problem(&Problem::internal()),
        _ => problem(&Problem::unavailable()),
    }
}
