//! HTTP in and out: bytes, headers, and errors that name what is wrong (RFC 9457).

use lambda_http::http::{HeaderMap, StatusCode, header};
use lambda_http::{Body, Request, Response};
use serde::Serialize;
use stagepost_domain::text::Invalid;

/// Largest notification body that is read. API Gateway itself stops at 10 MB, Lambda at 6 MB.
pub const NOTIFICATION_MAX: usize = stagepost_app::inbound::BODY_MAX;

/// The body's bytes: API Gateway's base64 is already undone, so that a signature is checked over what was
/// sent.
#[must_use]
pub fn body_bytes(request: &Request) -> &[u8] {
    match request.body() {
        Body::Text(text) => text.as_bytes(),
        Body::Binary(bytes) => bytes,
        _ => &[],
    }
}

/// A header as text; not there and not text are the same.
#[must_use]
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// The last segment of the path: the channel or integration of an inbound route.
#[must_use]
pub fn last_segment(request: &Request) -> &str {
    request.uri().path().trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// An answer without a body.
#[must_use]
pub fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response
}

/// A JSON answer.
#[must_use]
pub fn json<T: Serialize>(status: StatusCode, value: &T) -> Response<Body> {
    typed(status, "application/json", serde_json::to_string(value).unwrap_or_default())
}

fn typed(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::Text(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}

/// An RFC 9457 problem.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// Stable word for programs, as a relative reference.
    pub r#type: String,
    /// In words, the same for every problem of this type.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// In words, for this case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The fields that were refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Invalid>,
    /// What a program needs to go on, e.g. the current stage.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub extra: Option<serde_json::Value>,
}

impl Problem {
    /// A problem of a status, with its stable word and title.
    #[must_use]
    pub fn new(status: StatusCode, code: &str, title: &str) -> Self {
        Self {
            r#type: format!("/problems/{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: None,
            errors: Vec::new(),
            extra: None,
        }
    }

    /// Says more of this case.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds members that a program needs.
    #[must_use]
    pub fn with(mut self, extra: serde_json::Value) -> Self {
        self.extra = Some(extra);
        self
    }

    /// Fields that were refused.
    #[must_use]
    pub fn invalid(errors: Vec<Invalid>) -> Self {
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "Some fields are not valid");
        Self { errors, ..problem }
    }

    /// Nothing here under that id, or nothing of yours: the answer is the same.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found").detail(format!("There is no such {what}."))
    }

    /// The store or a queue is away for now.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Try again in a moment")
    }

    /// Something stored cannot be read: no trying again helps, a person has to look.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something is wrong on our side")
            .detail("Trying again will not help. The log names what could not be read.")
    }

    /// As an HTTP answer.
    #[must_use]
    pub fn response(&self) -> Response<Body> {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        typed(status, "application/problem+json", serde_json::to_string(self).unwrap_or_default())
    }
}
