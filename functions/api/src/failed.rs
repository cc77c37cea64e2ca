//! Problems out: use cases' errors as answers.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode};
use serde_json::json;
use stagepost_app::apply::ApplyError;
use stagepost_app::config::{ConfigError, MemberError};
use stagepost_app::mail::asked::AskedError;
use stagepost_app::mail::preview::PreviewError;
use stagepost_app::mail::suppressions::SuppressionError;
use stagepost_app::mail::trial::TrialError;
use stagepost_app::ports::{CommitError, StoreError};
use stagepost_app::quarantine::QuarantineError;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::text::Invalid;
use stagepost_lambda::http::Problem;

use crate::openapi::{Describe, Operation};

/// A problem as an axum answer.
pub fn problem(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_string(problem).unwrap_or_default();
    let mut response =
        (status, [(http::header::CONTENT_TYPE, "application/problem+json")], body).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
    }
    response
}

/// There were too many; the next hour has room.
fn too_many(title: &'static str, why: &str) -> Failed {
    let told = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", title).detail(why);
    let mut response = problem(&told);
    response.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from_static("3600"));
    response.into()
}

/// Seconds after which it is worth trying again when the store is away or busy.
const RETRY_AFTER: u32 = 2;

/// Use cases' errors as answers.
pub struct Failed(pub Response);

impl Describe for Failed {
    fn describe(operation: &mut Operation<'_>) {
        operation.problem(500, "Something stored cannot be read; trying again does not help.");
        operation.problem(503, "The store is away or busy; try again in a moment.");
        operation.header(503, "Retry-After", "Seconds.");
    }
}

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

impl From<PreviewError> for Failed {
    fn from(error: PreviewError) -> Self {
        match error {
            PreviewError::Invalid(errors) => Problem::invalid(errors).into(),
            // The body named it, not the path.
            PreviewError::NotFound => Problem::invalid(vec![Invalid::new("order", "no such order")]).into(),
            PreviewError::Store(error) => error.into(),
        }
    }
}

impl From<TrialError> for Failed {
    fn from(error: TrialError) -> Self {
        match error {
            TrialError::Invalid(invalid) => Problem::invalid(vec![invalid]).into(),
            TrialError::NotFound => Problem::not_found("e-mail template").into(),
            TrialError::TooMany => too_many("Too many test mails", &error.to_string()),
            TrialError::Store(error) => error.into(),
            TrialError::Asked(error) => error.into(),
        }
    }
}

impl From<AskedError> for Failed {
    fn from(error: AskedError) -> Self {
        match error {
            AskedError::Store(error) => error.into(),
            AskedError::Secret(error) => ConfigError::Secret(error).into(),
            AskedError::Id(error) => ConfigError::Id(error).into(),
        }
    }
}

impl From<MemberError> for Failed {
    fn from(error: MemberError) -> Self {
        match error {
            MemberError::Config(error) => error.into(),
            MemberError::TooMany => too_many("Too many invitations", &error.to_string()),
        }
    }
}

impl From<SuppressionError> for Failed {
    fn from(error: SuppressionError) -> Self {
        match error {
            SuppressionError::Invalid(invalid) => Problem::invalid(vec![invalid]).into(),
            SuppressionError::Store(error) => error.into(),
            SuppressionError::Secret(error) => ConfigError::Secret(error).into(),
            SuppressionError::Id(error) => ConfigError::Id(error).into(),
        }
    }
}

impl From<QuarantineError> for Failed {
    fn from(error: QuarantineError) -> Self {
        match error {
            QuarantineError::Store(e) => e.into(),
            error => {
                tracing::error!(%error, "quarantine");
                let passing = error.disposition() != Disposition::Permanent;
                if passing { Problem::unavailable().into() } else { Problem::internal().into() }
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
            ConfigError::AboveRole => {
                let title = "This key may not do that";
                Problem::new(StatusCode::FORBIDDEN, "forbidden", title)
                    .detail("Nobody gives or takes away a role above their own.")
                    .into()
            }
            ConfigError::LastOwner => {
                let title = "This is the last owner";
                Problem::new(StatusCode::CONFLICT, "last-owner", title)
                    .detail(
                        "A shop without one is a shop that nobody can run. Make another owner's key first, or \
                         have another owner sign in.",
                    )
                    .into()
            }
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
