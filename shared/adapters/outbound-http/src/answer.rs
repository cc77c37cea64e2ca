//! Reading answers and errors.

use std::error::Error;
use std::io;

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use stagepost_app::ports::ActError;
use stagepost_domain::{SignedDuration, Timestamp};

use crate::resolve::LookupError;

/// Nobody may ask for more patience than this.
const RETRY_AFTER_MAX: SignedDuration = SignedDuration::from_hours(24);

static HTTP_DATE: DateTimeParser = DateTimeParser::new();

/// `Retry-After` as a wait. A date counts from the answer's own `Date`: that needs no clock of ours and
/// forgives one of theirs that is wrong. Without a `Date` it is ignored.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<SignedDuration> {
    let asked = text(headers, &RETRY_AFTER)?;
    let wait = if asked.bytes().all(|b| b.is_ascii_digit()) {
        SignedDuration::from_secs(asked.parse().unwrap_or(i64::MAX))
    } else {
        let until = HTTP_DATE.parse_timestamp(asked).ok()?;
        until.duration_since(date(headers)?)
    };
    Some(wait.clamp(SignedDuration::ZERO, RETRY_AFTER_MAX))
}

/// The other side's clock.
pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    HTTP_DATE.parse_timestamp(text(headers, &DATE)?).ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|t| !t.is_empty() && t.len() <= 64)
}

/// What an error of the client means. Its own words are not passed on: they carry the URL with its query.
pub(crate) fn act_error(error: &reqwest::Error) -> ActError {
    if let Some(lookup) = find::<LookupError>(error) {
        return match lookup {
            LookupError::Forbidden => ActError::permanent(lookup.to_string()),
            LookupError::TooSlow | LookupError::Empty | LookupError::Failed(_) => {
                ActError::retry(lookup.to_string())
            }
        };
    }
    if error.is_builder() {
        return ActError::permanent("the request could not be built");
    }
    if error.is_connect() {
        return ActError::retry(unconnected(error));
    }
    // From here on the request was, or may have been, written.
    if error.is_timeout() {
        return ActError::ambiguous("no answer in time");
    }
    ActError::ambiguous("the connection broke before the answer was complete")
}

fn unconnected(error: &reqwest::Error) -> &'static str {
    match find::<rustls::Error>(error) {
        Some(rustls::Error::InvalidCertificate(_)) => "the host's certificate is not valid for it",
        Some(_) => "the host did not agree on a secure connection",
        None if error.is_timeout() => "the host could not be connected to in time",
        None => "the host could not be connected to",
    }
}

/// Finds a cause. An `io::Error` hides the error that it was made of from `source`, so it is opened.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(retry_after_value: &str, date: Option<&str>) -> Option<i64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after_value.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        retry_after(&headers).map(|d| d.as_secs())
    }

    #[test]
    fn a_receiver_asks_for_patience_in_seconds_or_by_its_own_clock() {
        let now = Some("Wed, 21 Oct 2015 07:28:00 GMT");
        assert_eq!(wait("120", None), Some(120));
        assert_eq!(wait(" 0 ", None), Some(0));
        assert_eq!(wait("Wed, 21 Oct 2015 07:30:00 GMT", now), Some(120));
        assert_eq!(wait("Wed, 21 Oct 2015 07:00:00 GMT", now), Some(0), "a date in the past is now");
        assert_eq!(wait("Wed, 21 Oct 2015 07:30:00 GMT", None), None, "a date without a clock says nothing");
    }

    #[test]
    fn the_other_sides_clock_is_read_where_it_is_told() {
        let told = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, value.parse().unwrap());
            date(&headers)
        };
        assert_eq!(told("Sun, 22 Nov 2026 09:40:07 GMT"), "2026-11-22T09:40:07Z".parse().ok());
        assert_eq!((told("yesterday"), told(""), date(&HeaderMap::new())), (None, None, None));
    }

    #[test]
    fn a_silly_wish_for_patience_is_cut_or_ignored() {
        assert_eq!(wait("99999999999999999999999", None), Some(86_400));
        for silly in ["", "soon", "-5", "1.5", "12 parsecs"] {
            assert_eq!(wait(silly, Some("Wed, 21 Oct 2015 07:28:00 GMT")), None, "{silly}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
