//! Out: what a handler answers when all is well.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

use crate::failed::Failed;
use crate::openapi::{Describe, Operation};

/// What a handler answers: one of the types here, or a problem.
pub type Answer<T> = Result<T, Failed>;

/// 200 with what is there.
pub struct Found<T>(pub T);

impl<T: Serialize> IntoResponse for Found<T> {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

impl<T: JsonSchema> Describe for Found<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.answer::<T>(200, "As it is now.");
    }
}

/// 201 with what was made.
pub struct Made<T>(pub T);

impl<T: Serialize> IntoResponse for Made<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: JsonSchema> Describe for Made<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.answer::<T>(201, "Made.");
    }
}

/// 202: it will be done, and this is what it is done to.
pub struct Accepted<T>(pub T);

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(self.0)).into_response()
    }
}

impl<T: JsonSchema> Describe for Accepted<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.answer::<T>(202, "On its way.");
    }
}

/// What an hour has only so many of.
pub struct Limited<T>(pub T);

impl<T: IntoResponse> IntoResponse for Limited<T> {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl<T: Describe> Describe for Limited<T> {
    fn describe(operation: &mut Operation<'_>) {
        T::describe(operation);
        operation.problem(429, "There were too many in this hour; `detail` says how many there may be.");
        operation.header(429, "Retry-After", "Seconds.");
    }
}

/// 200 with bytes as somebody else sent them: saved by a browser and never shown.
pub struct Raw(pub Vec<u8>);

impl IntoResponse for Raw {
    fn into_response(self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, "application/octet-stream"),
            (header::CONTENT_DISPOSITION, "attachment"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (headers, self.0).into_response()
    }
}

impl Describe for Raw {
    fn describe(operation: &mut Operation<'_>) {
        operation.bytes(200, "The bytes as they came.");
    }
}

/// What has a version, and so an `ETag`.
pub trait Versioned {
    /// Its version.
    fn version(&self) -> u64;
}

/// 200 with a versioned resource as it is now.
pub struct Current<T>(pub T);

impl<T: Serialize + Versioned> IntoResponse for Current<T> {
    fn into_response(self) -> Response {
        (etag(&self.0), Json(self.0)).into_response()
    }
}

impl<T: JsonSchema> Describe for Current<T> {
    fn describe(operation: &mut Operation<'_>) {
        Found::<T>::describe(operation);
        operation.header(200, "ETag", ETAG);
    }
}

/// 201 with a versioned resource that was made.
pub struct MadeCurrent<T>(pub T);

impl<T: Serialize + Versioned> IntoResponse for MadeCurrent<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, etag(&self.0), Json(self.0)).into_response()
    }
}

impl<T: JsonSchema> Describe for MadeCurrent<T> {
    fn describe(operation: &mut Operation<'_>) {
        Made::<T>::describe(operation);
        operation.header(201, "ETag", ETAG);
    }
}

const ETAG: &str = "Its version in quotes: pass it as `If-Match` to change only what was read.";

fn etag(resource: &impl Versioned) -> [(header::HeaderName, String); 1] {
    [(header::ETAG, format!("\"{}\"", resource.version()))]
}

/// 201 for what is new, 200 for what was there already.
pub enum MadeOrFound<T> {
    /// New.
    Made(T),
    /// There already.
    Found(T),
}

impl<T: Serialize> IntoResponse for MadeOrFound<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Made(made) => Made(made).into_response(),
            Self::Found(found) => Found(found).into_response(),
        }
    }
}

impl<T: JsonSchema> Describe for MadeOrFound<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.answer::<T>(200, "It was there already; this is how it is now.");
        Made::<T>::describe(operation);
    }
}

/// 204: it is gone.
pub struct Gone;

impl IntoResponse for Gone {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl Describe for Gone {
    fn describe(operation: &mut Operation<'_>) {
        operation.empty(204, "Gone.");
    }
}

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub struct List<T> {
    /// The items.
    pub items: Vec<T>,
    /// Pass it as `cursor` for the next page; null at the end.
    pub next: Option<String>,
}

impl<T> List<T> {
    /// A list that has no more pages.
    pub fn whole(items: impl IntoIterator<Item = T>) -> Found<Self> {
        Found(Self { items: items.into_iter().collect(), next: None })
    }
}
