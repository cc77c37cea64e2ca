//! Who calls: the shop and role of the key in `Authorization: Bearer sp_…`.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use stagepost_app::ports::{Secrets, StoreError};
use stagepost_domain::event::Actor;
use stagepost_domain::id::{ShopId, token_hash};
use stagepost_domain::shop::{ApiKey, Role};
use stagepost_lambda::http::{Problem, header};

use crate::payload::problem;
use crate::{Api, Stores};

/// Longest key that is looked up.
const TOKEN_MAX: usize = 200;

/// An authenticated key.
#[derive(Debug, Clone)]
pub struct Caller(ApiKey);

impl Caller {
    /// The key's shop: the only one that the request can see.
    pub fn shop(&self) -> &ShopId {
        &self.0.shop
    }

    /// As the actor of a cause.
    pub fn actor(&self) -> Actor {
        Actor::ApiKey { id: self.0.id.clone() }
    }

    /// Refuses a key whose role is below `least`.
    pub fn at_least(&self, least: Role) -> Result<(), Response> {
        if self.0.role >= least {
            return Ok(());
        }
        let title = "This key may not do that";
        let detail = format!("The key's role is below {}.", format!("{least:?}").to_lowercase());
        Err(problem(&Problem::new(StatusCode::FORBIDDEN, "forbidden", title).detail(detail)))
    }
}

impl<S: Stores, K: Secrets + 'static> FromRequestParts<Arc<Api<S, K>>> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api<S, K>>) -> Result<Self, Response> {
        let token = header(&parts.headers, "authorization")
            .and_then(|value| value.strip_prefix("Bearer "))
            .map(str::trim)
            .filter(|token| token.len() <= TOKEN_MAX);
        let Some(token) = token else { return Err(unauthorized()) };
        let hash = token_hash(token);
        match api.keys.get(&hash, api.core.now(), api.core.store.api_key(&hash)).await {
            Ok(Some(key)) => Ok(Self(key)),
            Ok(None) => Err(unauthorized()),
            Err(error) => Err(away(&error)),
        }
    }
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

fn away(error: &StoreError) -> Response {
    tracing::error!(%error, "the store is away");
    problem(&Problem::unavailable())
}
