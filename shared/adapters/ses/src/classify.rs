//! What an error of SES means for the mail.

use std::error::Error;

use aws_sdk_sesv2::config::http::HttpResponse;
use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use stagepost_app::ports::{ActError, MailError};
use stagepost_domain::SignedDuration;

/// The account's or the day's limits do not change within minutes.
const LONG: SignedDuration = SignedDuration::from_hours(1);
/// A rate is one of a second; others wait for it, too.
const SHORT: SignedDuration = SignedDuration::from_secs(5);

/// Whether the mail was refused for good, did not leave, or may have left (integrations §7.3).
///
/// Only a refusal that SES itself spelled out, or a connection that never was, counts as *not sent*. The
/// words are ours: SES's own name addresses.
#[must_use]
pub fn classify(error: &SdkError<SendEmailError, HttpResponse>) -> MailError {
    if let Some(SendEmailError::SendingPausedException(_)) = error.as_service_error() {
        // The account, or its configuration set: an operator is to be told, and no mail is to blame.
        return MailError::Paused { message: "SES: sending is paused".to_owned() };
    }
    if let Some(after) = too_fast(error) {
        let message = if after == LONG { "SES: a quota is used up" } else { "SES: sending too fast" };
        return MailError::TooFast { message: message.to_owned(), after };
    }
    failed(error).into()
}

/// How long to wait, if only the rate or a quota stands in the way: no mail is to blame for that.
fn too_fast(error: &SdkError<SendEmailError, HttpResponse>) -> Option<SignedDuration> {
    let SdkError::ServiceError(answer) = error else { return None };
    let (error, status) = (answer.err(), answer.raw().status().as_u16());
    let daily = error.message().is_some_and(|m| m.to_ascii_lowercase().contains("daily"));
    let throttled = match error {
        SendEmailError::TooManyRequestsException(_) => true,
        SendEmailError::LimitExceededException(_) => return Some(LONG),
        _ => status == 429 || error.code().is_some_and(|code| THROTTLES.contains(&code)),
    };
    throttled.then_some(if daily { LONG } else { SHORT })
}

/// How AWS's services say that they are asked too often.
const THROTTLES: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "SlowDown",
];

fn failed(error: &SdkError<SendEmailError, HttpResponse>) -> ActError {
    match error {
        SdkError::ConstructionFailure(_) => ActError::retry("the request to SES could not be made"),
        SdkError::DispatchFailure(_) if never_connected(error) => {
            ActError::retry("SES could not be connected to")
        }
        SdkError::ServiceError(answer) => refused(answer.err(), answer.raw().status().as_u16()),
        SdkError::TimeoutError(_) => ActError::ambiguous("no answer from SES in time"),
        // A broken connection, an answer that cannot be read, and whatever the SDK adds one day.
        _ => ActError::ambiguous("no readable answer from SES"),
    }
}

/// The HTTP client marks errors from before a connection stood: name look-up, TCP, TLS.
fn never_connected(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            return error.is_connect();
        }
        next = error.source();
    }
    false
}

fn refused(error: &SendEmailError, status: u16) -> ActError {
    use SendEmailError as E;
    let says = |part: &str| error.message().is_some_and(|m| m.to_ascii_lowercase().contains(part));
    match error {
        E::AccountSuspendedException(_) => ActError::permanent("SES: the account is suspended"),
        E::MailFromDomainNotVerifiedException(_) => {
            ActError::permanent("SES: the sender's MAIL FROM domain is not verified")
        }
        E::MessageRejected(_) if says("not verified") => {
            ActError::permanent("SES: the sender (or, in the sandbox, the recipient) is not verified")
        }
        E::MessageRejected(_) => ActError::permanent("SES rejected the mail's content"),
        E::BadRequestException(_) => ActError::permanent("SES does not accept the mail as it is written"),
        E::NotFoundException(_) => ActError::permanent("SES: the configuration set does not exist"),
        _ => unmodelled(status),
    }
}

/// Errors common to all of AWS, known by their status.
fn unmodelled(status: u16) -> ActError {
    match status {
        // Our credentials or rights: nothing is wrong with the mail, and nothing was sent.
        401 | 403 => ActError::retry("SES refused our credentials"),
        400..=499 => ActError::permanent("SES refused the request"),
        // An error on SES's side says nothing about what it had done before.
        _ => ActError::ambiguous("SES failed and may have taken the mail"),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sesv2::error::{ConnectorError, ErrorMetadata};
    use aws_sdk_sesv2::types::error as e;
    use aws_smithy_runtime_api::http::StatusCode;

    use stagepost_domain::disposition::Disposition;

    use super::*;

    fn answered(error: SendEmailError, status: u16) -> Disposition {
        let response = HttpResponse::new(StatusCode::try_from(status).unwrap(), "".into());
        match classify(&SdkError::service_error(error, response)) {
            MailError::Failed(error) => error.disposition,
            // It costs no attempt.
            MailError::TooFast { after, .. } => Disposition::Retry { after: Some(after) },
            MailError::Paused { message } => panic!("{message}"),
        }
    }

    fn coded(code: &str, status: u16) -> Disposition {
        answered(SendEmailError::generic(ErrorMetadata::builder().code(code).build()), status)
    }

    const RETRY: Disposition = Disposition::RETRY;
    const SOON: Disposition = Disposition::Retry { after: Some(SHORT) };
    const LATER: Disposition = Disposition::Retry { after: Some(LONG) };
    use Disposition::{Ambiguous, Permanent};

    #[test]
    fn law_11_what_ses_refused_in_its_own_words_was_not_sent() {
        use SendEmailError as E;
        let says = |message: &str| ErrorMetadata::builder().message(message).build();
        let fast = says("Maximum sending rate exceeded.");
        let daily = says("Daily message quota exceeded.");
        let unverified = says("Email address is not verified. a@example.com");
        for (error, status, expected) in [
            (
                E::TooManyRequestsException(e::TooManyRequestsException::builder().meta(fast).build()),
                429,
                SOON,
            ),
            (
                E::TooManyRequestsException(e::TooManyRequestsException::builder().meta(daily).build()),
                429,
                LATER,
            ),
            (E::LimitExceededException(e::LimitExceededException::builder().build()), 400, LATER),
            (E::AccountSuspendedException(e::AccountSuspendedException::builder().build()), 400, Permanent),
            (
                E::MailFromDomainNotVerifiedException(
                    e::MailFromDomainNotVerifiedException::builder().build(),
                ),
                400,
                Permanent,
            ),
            (E::MessageRejected(e::MessageRejected::builder().meta(unverified).build()), 400, Permanent),
            (E::BadRequestException(e::BadRequestException::builder().build()), 400, Permanent),
            (E::NotFoundException(e::NotFoundException::builder().build()), 404, Permanent),
        ] {
            let name = format!("{error:?}");
            assert_eq!(answered(error, status), expected, "{name}");
        }
    }

    #[test]
    fn a_paused_account_is_no_fault_of_the_mail() {
        let paused = e::SendingPausedException::builder().build();
        let response = HttpResponse::new(StatusCode::try_from(400).unwrap(), "".into());
        let error = SdkError::service_error(SendEmailError::SendingPausedException(paused), response);
        assert!(matches!(classify(&error), MailError::Paused { .. }));
    }

    #[test]
    fn law_11_errors_common_to_aws_are_told_by_code_and_status() {
        for (code, status, expected) in [
            ("ThrottlingException", 400, SOON),
            ("Throttling", 503, SOON),
            ("", 429, SOON),
            ("AccessDeniedException", 403, RETRY),
            ("ExpiredTokenException", 403, RETRY),
            ("ValidationException", 400, Permanent),
            ("InternalFailure", 500, Ambiguous),
            ("", 502, Ambiguous),
            ("ServiceUnavailable", 503, Ambiguous),
            ("", 504, Ambiguous),
            ("", 301, Ambiguous),
        ] {
            assert_eq!(coded(code, status), expected, "{code} {status}");
        }
    }

    #[test]
    fn law_11_no_answer_is_never_a_reason_to_send_again() {
        type Sdk = SdkError<SendEmailError, HttpResponse>;
        let response = HttpResponse::new(StatusCode::try_from(200).unwrap(), "".into());
        for (name, error) in [
            ("timeout", Sdk::timeout_error("t")),
            ("read timeout", Sdk::dispatch_failure(ConnectorError::timeout("t".into()))),
            ("broken pipe", Sdk::dispatch_failure(ConnectorError::io(std::io::Error::other("x").into()))),
            ("unknown", Sdk::dispatch_failure(ConnectorError::other("x".into(), None))),
            ("unreadable", Sdk::response_error("x", response)),
        ] {
            assert_eq!(failed(&error).disposition, Ambiguous, "{name}");
            assert!(matches!(classify(&error), MailError::Failed(_)), "{name}");
        }
        assert_eq!(failed(&Sdk::construction_failure("x")).disposition, RETRY);
    }

    #[test]
    fn law_19_the_timeline_never_shows_an_address_from_an_error() {
        let says =
            ErrorMetadata::builder().message("Email address is not verified: anna@example.com").build();
        let rejected = e::MessageRejected::builder().meta(says).build();
        let response = HttpResponse::new(StatusCode::try_from(400).unwrap(), "".into());
        let error = SdkError::service_error(SendEmailError::MessageRejected(rejected), response);
        assert!(!classify(&error).to_string().contains("anna"));
    }
}
