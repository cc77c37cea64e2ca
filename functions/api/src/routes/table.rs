//! The table of routes: the only way to the router, so that no route goes without its description.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};
use http::{StatusCode, header};
use stagepost_app::ports::Secrets;
use stagepost_lambda::http::Problem;

use crate::failed::problem;
use crate::once::{self, Once};
use crate::openapi::{About, Documented, Entry, Operation, about, document};
use crate::payload::BODY_MAX;
use crate::{Api, Stores};

/// Where the document is served.
const OPENAPI: &str = "/v1/openapi.json";

/// Routes with their descriptions.
pub struct Routes<S, K> {
    router: Router<Arc<Api<S, K>>>,
    entries: Vec<Entry>,
}

/// Adds a route for one method.
macro_rules! methods {
    ($($(#[$doc:meta])* $method:ident;)+) => {$(
        $(#[$doc])*
        pub fn $method<H, T, P>(self, path: &'static str, handler: H, about: About) -> Self
        where
            H: Handler<T, Arc<Api<S, K>>> + Documented<P>,
            T: 'static,
        {
            self.with(stringify!($method), path, routing::$method(handler), about, H::document)
        }
    )+};
}

impl<S: Stores, K: Secrets + 'static> Routes<S, K> {
    /// None yet.
    pub fn new() -> Self {
        Self { router: Router::new(), entries: Vec::new() }
    }

    methods! {
        /// Adds a GET.
        get;
        /// Adds a PUT.
        put;
        /// Adds a PATCH.
        patch;
        /// Adds a DELETE.
        delete;
    }

    /// Adds a POST, which takes an `Idempotency-Key`.
    pub fn post<H, T, P>(self, path: &'static str, handler: H, about: About) -> Self
    where
        H: Handler<T, Arc<Api<S, K>>> + Documented<P>,
        T: 'static,
    {
        self.with("post", path, routing::post(Once(handler)), about, once::describe::<H, P>)
    }

    fn with(
        mut self,
        method: &'static str,
        path: &'static str,
        handler: MethodRouter<Arc<Api<S, K>>>,
        about: About,
        describe: fn(&mut Operation<'_>),
    ) -> Self {
        self.entries.push(Entry { method, path, about, describe });
        Self { router: self.router.route(path, handler), ..self }
    }

    /// What was added, with the document's own route.
    pub fn entries(mut self) -> (Router<Arc<Api<S, K>>>, Vec<Entry>) {
        let own = about("getOpenApi", "Read this document").detail("No key is needed.");
        let describe = |operation: &mut Operation<'_>| {
            operation.answer::<serde_json::Map<String, serde_json::Value>>(200, "The document.");
        };
        self.entries.push(Entry { method: "get", path: OPENAPI, about: own, describe });
        (self.router, self.entries)
    }

    /// The router. The document is made when it is first asked for: a cold start has no use for it.
    pub fn router(self) -> Router<Arc<Api<S, K>>> {
        let (router, entries) = self.entries();
        let made = Arc::new(OnceLock::new());
        let entries = Arc::new(entries);
        let own = routing::get(move || {
            let text: String = made.get_or_init(|| document(&entries).to_string()).clone();
            async move { ([(header::CONTENT_TYPE, "application/json")], text) }
        });
        router
            .route(OPENAPI, own)
            .fallback(no_route)
            .method_not_allowed_fallback(no_method)
            .layer(DefaultBodyLimit::max(BODY_MAX))
    }
}

async fn no_route() -> Response {
    problem(&Problem::not_found("route"))
}

async fn no_method() -> Response {
    let title = "This route does not take that method";
    problem(&Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", title)).into_response()
}
