//! Who calls: the shop and role of the key in `Authorization: Bearer sp_…`.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use stagepost_app::ports::Secrets;
use stagepost_domain::event::Actor;
use stagepost_domain::id::{ShopId, token_hash};
use stagepost_domain::shop::{ApiKey, Role};
use stagepost_domain::{SignedDuration, Timestamp};
use stagepost_lambda::asked::Asked;
use stagepost_lambda::http::{Problem, header};
pub use stagepost_lambda::role::{Admin, AtLeast, Member, Viewer};

use crate::failed::{Failed, problem};
use crate::openapi::{Describe, Operation};
use crate::{Api, Stores};

/// Longest key that is looked up.
const TOKEN_MAX: usize = 200;

/// How old a look at a key may be for a request that changes nothing. A revoked key reads for this long at
/// most, and writes not at all.
const READ_WITHIN: SignedDuration = SignedDuration::from_secs(5);

/// An authenticated key whose role is `R` or above. A key below it is answered 403 before anything else is
/// read.
#[derive(Debug, Clone)]
pub struct Caller<R = Viewer>(ApiKey, PhantomData<R>);

impl<R> Caller<R> {
    /// The key's shop: the only one that the request can see.
    pub fn shop(&self) -> &ShopId {
        &self.0.shop
    }

    /// What the key may do.
    pub fn role(&self) -> Role {
        self.0.role
    }

    /// As the actor of a cause.
    pub fn actor(&self) -> Actor {
        Actor::ApiKey { id: self.0.id.clone() }
    }
}

impl<R: AtLeast, S: Stores, K: Secrets + 'static> FromRequestParts<Arc<Api<S, K>>> for Caller<R> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api<S, K>>) -> Result<Self, Response> {
        let key = authenticated(parts, api).await?;
        if key.role >= R::ROLE { Ok(Self(key, PhantomData)) } else { Err(forbidden(R::ROLE)) }
    }
}

impl<R: AtLeast> Describe for Caller<R> {
    fn describe(operation: &mut Operation<'_>) {
        operation.needs(R::ROLE);
        operation.problem(401, "The key is missing, unknown or revoked.");
        operation.header(401, "WWW-Authenticate", "`Bearer`.");
        if R::ROLE > Role::Viewer {
            operation.problem(403, "The key's role is too low.");
        }
    }
}

/// The key that a request comes with.
pub async fn authenticated<S: Stores, K: Secrets + 'static>(
    parts: &Parts,
    api: &Api<S, K>,
) -> Result<ApiKey, Response> {
    let token = header(&parts.headers, "authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(str::trim)
        .filter(|token| token.len() <= TOKEN_MAX);
    let Some(token) = token else { return Err(unauthorized()) };
    let (hash, now) = (token_hash(token), api.core.now());
    // What only reads may lean on a key that was there a moment ago; what writes may not.
    let within = if parts.method.is_safe() { READ_WITHIN } else { SignedDuration::ZERO };
    let key = api.keys.get_within(within, &hash, now, api.core.store.api_key(&hash)).await;
    let key = key.map_err(|error| Failed::from(error).0)?.ok_or_else(unauthorized)?;
    Asked::note(&parts.extensions, &key.shop, key.id.as_str());
    if key.use_is_news(now) {
        note_use(api, &key, now).await;
    }
    Ok(key)
}

/// Writes down when the key was used. A request does not fail for it.
async fn note_use<S: Stores, K>(api: &Api<S, K>, key: &ApiKey, now: Timestamp) {
    match api.core.store.note_use(key, now).await {
        // Read anew the next time, with its last use in it.
        Ok(()) => api.keys.forget(&key.hash),
        Err(error) => tracing::warn!(%error, key = %key.id, "the use of a key is not noted"),
    }
}

fn forbidden(least: Role) -> Response {
    let title = "This key may not do that";
    let detail = format!("The key's role is below {}.", least.as_str());
    problem(&Problem::new(StatusCode::FORBIDDEN, "forbidden", title).detail(detail))
}

fn unauthorized() -> Response {
    let mut response = problem(
        &Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "A valid API key is needed")
            .detail("Send it as Authorization: Bearer sp_…"),
    );
    let scheme = http::HeaderValue::from_static("Bearer");
    response.headers_mut().insert(http::header::WWW_AUTHENTICATE, scheme);
    response
}
