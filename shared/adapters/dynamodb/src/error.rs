//! What the SDK's errors mean. Codes only: messages may repeat what was stored.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use stagepost_app::ports::{CommitError, StoreError};

/// An error without a condition's say in it.
pub(crate) fn store_error<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> StoreError {
    match error {
        SdkError::ServiceError(service) => by_code(service.err().code().unwrap_or("an error without a code")),
        SdkError::TimeoutError(_) => StoreError::Unavailable("no answer in time".to_owned()),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            StoreError::Unavailable("no connection in time".to_owned())
        }
        SdkError::DispatchFailure(_) => StoreError::Unavailable("the request did not get through".to_owned()),
        SdkError::ResponseError(_) => StoreError::Unavailable("the answer was cut off".to_owned()),
        _ => StoreError::Corrupt { item: "request".to_owned(), reason: "it could not be built".to_owned() },
    }
}

/// An error of a conditional write other than its own condition.
pub(crate) fn commit_error<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> CommitError {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    match code {
        Some("TransactionConflictException" | "TransactionInProgressException") => CommitError::Conflict,
        _ => store_error(error).into(),
    }
}

fn by_code(code: &str) -> StoreError {
    match code {
        "ThrottlingException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "LimitExceededException"
        | "TransactionConflictException"
        | "TransactionInProgressException" => StoreError::Throttled,
        "ItemCollectionSizeLimitExceededException" => StoreError::TooLarge,
        // The request itself is wrong, most often an item over 400 KB: no retry mends that.
        "ValidationException" => StoreError::TooLarge,
        "IdempotentParameterMismatchException" | "SerializationException" => {
            StoreError::Corrupt { item: "request".to_owned(), reason: code.to_owned() }
        }
        // A missing table or a missing right is a deployment's fault: it may be mended under way.
        other => StoreError::Unavailable(other.to_owned()),
    }
}
