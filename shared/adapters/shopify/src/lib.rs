//! Shopify: reads its notifications and fulfills orders through its Admin GraphQL API.
//!
//! Facts of the wire are those of "integrations" §1 (notifications) and §2 (Admin API). Nothing here
//! knows AWS or opens a connection: the HTTP port is handed in.

mod client;
mod company;
mod graphql;
mod list;
mod payload;
mod read;

pub use client::{API_VERSION, ApiBase, ShopifyClient, Work};
pub use read::read;

/// The status in which a fulfillment is shipped (integrations §1.5).
const SHIPPED: &str = "success";
/// Statuses in which it is yet to be shipped: deprecated, but still sent.
const UNSHIPPED: [&str; 2] = ["pending", "open"];
/// Statuses in which it does not, told in so many words.
const INACTIVE: [&str; 3] = ["cancelled", "error", "failure"];

/// Whether a fulfillment of this status stands; `None` for a word we do not know. An unknown word must
/// never pass for a cancellation, because a cancellation opens the order for fulfillment again (law 2).
/// One that is yet to be shipped stands: it may be the one that our own call made.
/// Notifications write statuses in lower case, GraphQL in upper.
fn active(status: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|w| status.eq_ignore_ascii_case(w));
    if is(&[SHIPPED]) || unshipped(status) {
        return Some(true);
    }
    is(&INACTIVE).then_some(false)
}

/// Whether a fulfillment of this status is yet to be shipped: no word about the order until it is.
fn unshipped(status: &str) -> bool {
    UNSHIPPED.iter().any(|w| status.eq_ignore_ascii_case(w))
}

/// A resource id as exact text: ids exceed 2^53, so they are only ever integers or text (integrations §1.5).
fn id_text(digits: &str) -> Option<String> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let id: u64 = digits.parse().ok().filter(|_| plain)?;
    (id > 0).then(|| id.to_string())
}

#[cfg(test)]
mod tests {
    use stagepost_domain::signing::base64_hmac_matches;

    use super::*;
    use crate::payload::fixture;

    #[test]
    fn the_signature_vectors_of_shopifys_own_libraries_hold() {
        let Some(bytes) = fixture("signatures/shopify_webhook_hmac.json") else { return };
        let file: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        for vector in file["vectors"].as_array().unwrap() {
            let text = |key: &str| vector[key].as_str().unwrap();
            let matches = |secrets: &[&str], header| {
                base64_hmac_matches(secrets.iter().copied(), text("raw_body").as_bytes(), header)
            };
            let expected = vector["valid"].as_bool().unwrap();
            assert_eq!(matches(&[text("secret")], Some(text("expected"))), expected, "{vector}");
            assert_eq!(matches(&["old", text("secret")], Some(text("expected"))), expected, "rotated");
            assert!(!matches(&["another"], Some(text("expected"))));
            assert!(!matches(&[text("secret")], None));
        }
    }

    #[test]
    fn an_id_is_its_digits_and_nothing_else() {
        assert_eq!(id_text("820982911946154508").as_deref(), Some("820982911946154508"));
        assert_eq!(id_text("0012").as_deref(), Some("12"));
        for bad in ["", "0", "-1", "+1", "1.0", "1e3", " 1", "99999999999999999999999", "x"] {
            assert_eq!(id_text(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_unknown_status_is_no_cancellation() {
        assert_eq!(active("success"), Some(true));
        assert_eq!(active("CANCELLED"), Some(false));
        assert_eq!(active("teleported"), None);
        for (status, expected) in [("pending", true), ("OPEN", true), ("success", false), ("error", false)] {
            assert_eq!(unshipped(status), expected, "{status}");
        }
    }
}
