//! JSON in with errors that name the field, problems out.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;
use stagepost_app::apply::ApplyError;
use stagepost_app::config::ConfigError;
use stagepost_app::ports::{CommitError, StoreError};
use stagepost_domain::disposition::Disposition;
use stagepost_domain::text::Invalid;
use stagepost_lambda::http::Problem;

/// Largest request body of the API.
pub const BODY_MAX: usize = 512 * 1024;

/// A problem as an axum answer.
pub fn problem(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_string(problem).unwrap_or_default();
    (status, [(http::header::CONTENT_TYPE, "application/problem+json")], body).into_response()
}

/// A JSON body; what does not fit is refused with the path of the field.
pub struct Payload<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Payload<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let bytes = Bytes::from_request(request, state).await.map_err(|e| unreadable(&e))?;
        // Nothing sent is the empty object: every field may then still have its say.
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        json_object(bytes)?;
        let mut json = serde_json::Deserializer::from_slice(bytes);
        serde_path_to_error::deserialize(&mut json).map(Self).map_err(|e| misfit(&e))
    }
}

/// What the path names. Text that no id can be, such as half a character, names nothing.
pub struct Named<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(named)| Self(named)).map_err(|_| problem(&Problem::not_found("thing here")))
    }
}

/// JSON first, so that half a body is told as what it is; and an object, because serde would take an array
/// for one, its items in the order of the fields.
fn json_object(bytes: &[u8]) -> Result<(), Response> {
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|e| not_json(&e.to_string()))?;
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
        return Ok(());
    }
    Err(problem(&Problem::invalid(vec![Invalid::new("", "must be a JSON object")])))
}

fn unreadable(rejection: &BytesRejection) -> Response {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let title = "The body is too large";
        let detail = format!("At most {BODY_MAX} bytes are taken.");
        return problem(&Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", title).detail(detail));
    }
    not_json("the body could not be read")
}

fn misfit(error: &serde_path_to_error::Error<serde_json::Error>) -> Response {
    if error.inner().is_syntax() || error.inner().is_eof() {
        return not_json(&error.inner().to_string());
    }
    let reason = error.inner().to_string();
    let reason = reason.split(" at line ").next().unwrap_or_default();
    let path = error.path().to_string();
    let parent = if path == "." { String::new() } else { path };
    // The path ends where the field is missing; the merchant wants to know which one.
    let missing = reason.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    let field = match missing {
        Some(name) if parent.is_empty() => name.to_owned(),
        Some(name) => format!("{parent}.{name}"),
        None => parent,
    };
    problem(&Problem::invalid(vec![Invalid::new(field, reason)]))
}

fn not_json(why: &str) -> Response {
    problem(&Problem::new(StatusCode::BAD_REQUEST, "not-json", "The body is not JSON").detail(why))
}

/// Use cases' errors as answers.
pub struct Failed(pub Response);

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        self.0
    }
}

impl From<Response> for Failed {
    fn from(response: Response) -> Self {
        Self(response)
    }
}

impl From<Problem> for Failed {
    fn from(p: Problem) -> Self {
        Self(problem(&p))
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        if matches!(&error, StoreError::Corrupt { item, .. } if item == "cursor") {
            return Problem::invalid(vec![Invalid::new("cursor", "is not a cursor that was given out")])
                .into();
        }
        if matches!(error, StoreError::TooLarge) {
            let title = "This is too large to store";
            return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", title).into();
        }
        tracing::error!(%error, "the store failed");
        if error.disposition() == Disposition::Permanent {
            return Problem::internal().into();
        }
        Problem::unavailable().into()
    }
}

impl From<ApplyError> for Failed {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Store(e) => e.into(),
            ApplyError::Busy => Problem::unavailable().into(),
        }
    }
}

impl From<CommitError> for Failed {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Store(e) => e.into(),
            CommitError::LostRace | CommitError::Conflict => {
                let title = "Somebody else was faster";
                Problem::new(StatusCode::CONFLICT, "conflict", title)
                    .detail("Read it again and try again.")
                    .into()
            }
        }
    }
}

impl From<ConfigError> for Failed {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Invalid(errors) => Problem::invalid(errors).into(),
            ConfigError::NotFound => Problem::not_found("thing here").into(),
            ConfigError::Store(e) => e.into(),
            ConfigError::Conflict => CommitError::Conflict.into(),
            ConfigError::InUse(users) => Problem::new(StatusCode::CONFLICT, "in-use", "It is in use")
                .detail("Take it out of these first.")
                .with(json!({ "users": users }))
                .into(),
            ConfigError::Stale { version } => {
                let title = "It has changed since you read it";
                Problem::new(StatusCode::PRECONDITION_FAILED, "stale", title)
                    .with(json!({ "version": version }))
                    .into()
            }
            ConfigError::Busy => Problem::unavailable().into(),
            ConfigError::Secret(ref away) if away.disposition != Disposition::Permanent => {
                tracing::warn!(%error, "configuration");
                Problem::unavailable().into()
            }
            ConfigError::Secret(_) | ConfigError::Id(_) => {
                tracing::error!(%error, "configuration");
                Problem::internal().into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_trying_again_can_read_is_not_called_a_passing_trouble() {
        let corrupt = StoreError::Corrupt { item: "ord_1".to_owned(), reason: "no version".to_owned() };
        for (error, status) in [
            (corrupt, StatusCode::INTERNAL_SERVER_ERROR),
            (StoreError::Throttled, StatusCode::SERVICE_UNAVAILABLE),
            (StoreError::Unavailable("gone".to_owned()), StatusCode::SERVICE_UNAVAILABLE),
            (StoreError::TooLarge, StatusCode::PAYLOAD_TOO_LARGE),
        ] {
            assert_eq!(Failed::from(error).0.status(), status);
        }
    }
}
