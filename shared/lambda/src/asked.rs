//! The line of a request: one for each that the API and the console answer, ids only.

use std::sync::{Arc, OnceLock};

#[cfg(feature = "routes")]
use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use lambda_http::http::{Extensions, Method, StatusCode};
use stagepost_domain::id::ShopId;

/// Who asks, once that is known. It goes with the request, and whoever finds out notes it.
#[derive(Debug, Clone, Default)]
pub struct Asked(Arc<OnceLock<(ShopId, String)>>);

impl Asked {
    /// Notes whose request this is, and the id of the key or person that makes it.
    pub fn note(extensions: &Extensions, shop: &ShopId, by: &str) {
        if let Some(asked) = extensions.get::<Self>() {
            let _noted_before = asked.0.set((shop.clone(), by.to_owned()));
        }
    }

    /// Writes the line. `route` is the pattern and never the path, which may hold a token.
    pub fn told(&self, method: &Method, route: Option<&str>, status: StatusCode) {
        let (shop, by) = self.0.get().map(|(shop, by)| (shop.as_str(), by.as_str())).unzip();
        let status = status.as_u16();
        if status >= 500 {
            tracing::error!(shop, by, %method, route, status, "request");
        } else {
            tracing::info!(shop, by, %method, route, status, "request");
        }
    }
}

/// Writes the line of each request, around all routes.
#[cfg(feature = "routes")]
pub async fn told(mut request: Request, next: Next) -> Response {
    let asked = Asked::default();
    request.extensions_mut().insert(asked.clone());
    let (method, route) = (request.method().clone(), request.extensions().get::<MatchedPath>().cloned());
    let response = next.run(request).await;
    asked.told(&method, route.as_ref().map(MatchedPath::as_str), response.status());
    response
}
