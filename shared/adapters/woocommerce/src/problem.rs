//! What an answer other than success means. Matched on status and `code`: the message is in the site's
//! language (integrations §4, live notes 41 to 43).

use serde_json::Value;
use stagepost_app::ports::{ActError, ApiAnswer};
use stagepost_domain::disposition::Disposition;

use crate::order::slug;

/// What the call wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing can have happened.
    Read,
    /// A 5xx, or a time-out, leaves in doubt whether it happened: also where a proxy speaks for a store that it
    /// has stopped waiting for.
    Write,
}

/// Whether the answer is a success.
pub(crate) fn ok(answer: &ApiAnswer) -> bool {
    (200..300).contains(&answer.status)
}

/// Whether the same call may work later.
pub(crate) fn passing(answer: &ApiAnswer) -> bool {
    matches!(answer.status, 408 | 425 | 429 | 500..=599)
}

/// The answer as JSON; `None` for what security plugins, caches and maintenance pages put in its place.
pub(crate) fn json(answer: &ApiAnswer) -> Option<Value> {
    serde_json::from_slice(&answer.body).ok()
}

/// The error's code; the fulfillments feature writes numbers (live notes §4).
pub(crate) fn code(answer: &ApiAnswer) -> Option<String> {
    match json(answer)?.get("code")? {
        Value::String(code) => slug(code),
        Value::Number(code) => Some(code.to_string()),
        _ => None,
    }
}

/// The error in an answer that is no success.
pub(crate) fn problem(wish: Wish, answer: &ApiAnswer) -> ActError {
    let (disposition, message) = match answer.status {
        // WordPress's maintenance mode answers 503 before anything was done, but so does a proxy after it: the
        // status alone does not tell them apart.
        408 | 500..=599 if wish == Wish::Write => {
            (Disposition::Ambiguous, "the store failed while it changed the order".to_owned())
        }
        // Refused before anything was done.
        408 | 425 | 429 | 503 => {
            (Disposition::Retry { after: answer.retry_after }, "the store asks to try again later".to_owned())
        }
        500..=599 => (Disposition::Retry { after: answer.retry_after }, "the store failed".to_owned()),
        300..=399 => (
            Disposition::Permanent,
            "the store answers with a redirect; check the address of the channel (https, www)".to_owned(),
        ),
        _ => (Disposition::Permanent, refusal(wish, answer.status, code(answer).as_deref())),
    };
    let told = code(answer).map(|c| format!(", {c}")).unwrap_or_default();
    ActError { disposition, message: format!("{message} (HTTP {}{told})", answer.status) }
}

fn refusal(wish: Wish, status: u16, code: Option<&str>) -> String {
    let hint = match (status, code) {
        (401 | 403, None) => "a firewall or security plugin answered instead of WooCommerce",
        (401, Some("woocommerce_rest_authentication_error")) if wish == Wish::Write => {
            "the API key may not write; make one with read/write permission"
        }
        (401, Some("woocommerce_rest_authentication_error")) => {
            "the API key is refused: its secret is wrong or it may not read"
        }
        (401, Some(_)) => "the store does not know the API key: it was revoked, or belongs to another store",
        (403, Some(_)) => "the owner of the API key lacks the right to manage orders",
        (_, Some("woocommerce_rest_shop_order_invalid_id" | "woocommerce_rest_order_invalid_id")) => {
            "the store has no such order (any more)"
        }
        (404, _) => "the store has no REST API at its address; check it",
        _ => "the store refuses the call",
    };
    hint.to_owned()
}
