//! Signatures over raw bytes: those we check and those we make.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;
use unicode_normalization::UnicodeNormalization;

/// Longest signature header that is looked at; the longest real one has 85 bytes.
const HEADER_MAX: usize = 200;

fn mac(key: &[u8], parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac)
}

fn verify(key: &[u8], parts: &[&[u8]], signature: &[u8]) -> bool {
    // Anybody can sign with an empty key.
    !key.is_empty() && mac(key, parts).is_some_and(|mac| mac.verify_slice(signature).is_ok())
}

fn digest(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    mac(key, parts).map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default()
}

/// Shopify and WooCommerce: `base64(HMAC-SHA256(secret, raw body))`, any of several active secrets
/// (integrations §1.3, §3.2). A header that is missing, overlong or not base64 is simply wrong.
pub fn base64_hmac_matches<'a>(
    mut secrets: impl Iterator<Item = &'a str>,
    body: &[u8],
    header: Option<&str>,
) -> bool {
    let Some(header) = header.map(str::trim).filter(|h| h.len() <= HEADER_MAX) else { return false };
    let Ok(signature) = STANDARD.decode(header) else { return false };
    secrets.any(|secret| verify(secret.as_bytes(), &[body], &signature))
}

/// The n-th 32 bytes that follow from a secret seed, for one purpose. Whoever does not know the seed cannot
/// tell them from random ones.
#[must_use]
pub fn derived(seed: &[u8; 32], purpose: &str, n: u64) -> [u8; 32] {
    // HMAC takes a key of any length, so there is always a digest.
    let mac = mac(seed, &[purpose.as_bytes(), b"|", &n.to_be_bytes()]);
    mac.map(|mac| mac.finalize().into_bytes().into()).unwrap_or_default()
}

/// The value that [`base64_hmac_matches`] accepts.
#[must_use]
pub fn base64_hmac(secret: &str, body: &[u8]) -> String {
    STANDARD.encode(digest(secret.as_bytes(), &[body]))
}

/// WooCommerce HTML-decodes a secret before it signs (`wp_specialchars_decode(…, ENT_QUOTES)`), so a secret
/// that contains entities is used decoded.
#[must_use]
pub fn woocommerce_key(secret: &str) -> String {
    // One pass, so that "&amp;lt;" becomes "&lt;" and not "<".
    let mut decoded = String::with_capacity(secret.len());
    let mut rest = secret;
    while let Some(c) = rest.chars().next() {
        let (after, d) = entity(rest).unwrap_or_else(|| (rest.get(c.len_utf8()..).unwrap_or_default(), c));
        decoded.push(d);
        rest = after;
    }
    decoded
}

/// The entity that `text` begins with, and what follows it. WordPress knows these and no others; the numbers
/// with any zeros before them.
fn entity(text: &str) -> Option<(&str, char)> {
    const NAMED: &[(&str, char)] = &[("quot;", '"'), ("lt;", '<'), ("gt;", '>'), ("amp;", '&')];
    const DECIMAL: &[(&str, char)] = &[("34;", '"'), ("39;", '\''), ("60;", '<'), ("62;", '>'), ("38;", '&')];
    const HEX: &[(&str, char)] = &[("22;", '"'), ("27;", '\''), ("26;", '&')];
    let name = text.strip_prefix('&')?;
    let (known, name) = match name.strip_prefix('#') {
        None => (NAMED, name),
        Some(number) => match number.strip_prefix(['x', 'X']) {
            None => (DECIMAL, number.trim_start_matches('0')),
            Some(hex) => (HEX, hex.trim_start_matches('0')),
        },
    };
    known.iter().find_map(|(entity, plain)| Some((name.strip_prefix(entity)?, *plain)))
}

const EASYPOST_PREFIX: &str = "hmac-sha256-hex=";

/// The headers that EasyPost signs with.
#[derive(Debug, Clone, Copy, Default)]
pub struct EasypostHeaders<'a> {
    /// `X-Hmac-Signature`: over the body.
    pub v1: Option<&'a str>,
    /// `x-hmac-signature-v2`: over timestamp, method, path and body.
    pub v2: Option<&'a str>,
    /// `x-timestamp`.
    pub timestamp: Option<&'a str>,
    /// `x-path`.
    pub path: Option<&'a str>,
}

/// EasyPost: hex with a prefix, the secret NFKD-normalised (integrations §5.1). Either version is enough: how
/// the second is made is not confirmed, and a wrong guess of it must not turn away what the first proves.
pub fn easypost_matches<'a>(
    mut secrets: impl Iterator<Item = &'a str>,
    body: &[u8],
    headers: EasypostHeaders<'_>,
) -> bool {
    let signature = |header: Option<&str>| header.and_then(easypost_hex);
    let (v1, v2) = (signature(headers.v1), signature(headers.v2));
    secrets.any(|secret| {
        let key: String = secret.nfkd().collect();
        let signed = |parts: &[&[u8]], signature: &[u8]| verify(key.as_bytes(), parts, signature);
        let second = match (&v2, headers.timestamp, headers.path) {
            (Some(v2), Some(timestamp), Some(path)) => {
                signed(&[timestamp.as_bytes(), b"POST", path.as_bytes(), body], v2)
            }
            _ => false,
        };
        second || v1.as_ref().is_some_and(|v1| signed(&[body], v1))
    })
}

fn easypost_hex(header: &str) -> Option<Vec<u8>> {
    let hex = header.trim().strip_prefix(EASYPOST_PREFIX)?;
    if hex.len() != 64 {
        return None;
    }
    hex.as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok()))
        .collect()
}

/// EasyPost's first version of the header, for tests and demos.
#[must_use]
pub fn easypost_v1(secret: &str, body: &[u8]) -> String {
    let key: String = secret.nfkd().collect();
    let hex: String = digest(key.as_bytes(), &[body]).iter().map(|b| format!("{b:02x}")).collect();
    format!("{EASYPOST_PREFIX}{hex}")
}

/// Prefix of a Standard Webhooks secret.
pub const WHSEC: &str = "whsec_";

/// Text that is not a Standard Webhooks secret of 24 to 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret is \"whsec_\" and the base64 of 24 to 64 bytes")]
pub struct InvalidSecret;

/// The key bytes of a `whsec_…` secret.
///
/// # Errors
/// No prefix where one is needed, no base64, or a key of another size.
pub fn webhook_key(secret: &str) -> Result<Vec<u8>, InvalidSecret> {
    let key = STANDARD.decode(secret.strip_prefix(WHSEC).unwrap_or(secret)).map_err(|_| InvalidSecret)?;
    if (24..=64).contains(&key.len()) { Ok(key) } else { Err(InvalidSecret) }
}

/// Makes a `whsec_…` secret of random bytes.
#[must_use]
pub fn webhook_secret(random: &[u8; 32]) -> String {
    format!("{WHSEC}{}", STANDARD.encode(random))
}

/// Standard Webhooks: signs `{id}.{timestamp}.{body}` with every key; receivers accept any match, so two
/// keys make a rotation without a gap.
#[must_use]
pub fn webhook_signature(keys: &[Vec<u8>], id: &str, timestamp: i64, body: &[u8]) -> String {
    let timestamp = timestamp.to_string();
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    keys.iter()
        .map(|key| format!("v1,{}", STANDARD.encode(digest(key, &parts))))
        .collect::<Vec<_>>()
        .join(" ")
}

/// How far a notification's time may be from ours, in both directions: what the Standard Webhooks libraries
/// allow (integrations §6).
pub const WEBHOOK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
/// Longest list of signatures that is looked at: a sender that rotates its secret has two.
const SIGNATURES_MAX: usize = 1_000;

/// The headers of Standard Webhooks.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebhookHeaders<'a> {
    /// `webhook-id`.
    pub id: Option<&'a str>,
    /// `webhook-timestamp`: seconds since 1970.
    pub timestamp: Option<&'a str>,
    /// `webhook-signature`: one or more of `v1,` and base64, with spaces between.
    pub signature: Option<&'a str>,
}

/// Standard Webhooks as received: any signature of the list by any of our secrets, and a time close to
/// `received_at`. A secret with the prefix `whsec_` is base64 of the key. Without it, it is the key itself, or
/// its base64 without the prefix, which the official libraries take for the same.
pub fn webhook_matches<'a>(
    mut secrets: impl Iterator<Item = &'a str>,
    body: &[u8],
    headers: WebhookHeaders<'_>,
    received_at: Timestamp,
) -> bool {
    let (Some(id), Some(timestamp), Some(list)) = (headers.id, headers.timestamp, headers.signature) else {
        return false;
    };
    let at = timestamp.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    let timely = at.is_some_and(|at| received_at.duration_since(at).abs() <= WEBHOOK_TOLERANCE);
    if !timely || list.len() > SIGNATURES_MAX {
        return false;
    }
    let signatures = list.split_ascii_whitespace().filter_map(|one| one.strip_prefix("v1,"));
    let signatures: Vec<Vec<u8>> = signatures.filter_map(|one| STANDARD.decode(one).ok()).collect();
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let signed = |key: &[u8]| signatures.iter().any(|signature| verify(key, &parts, signature));
    secrets.any(|secret| {
        let whole = !secret.starts_with(WHSEC) && signed(secret.as_bytes());
        whole || webhook_key(secret).is_ok_and(|key| signed(&key))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::prop;
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    const BODY: &[u8] = b"{\"id\":820982911946154508}";

    /// A well-known pair: HMAC-SHA256 of the body under the key, made with another implementation.
    const PAIR: (&str, &[u8], &str) = (
        "key",
        b"The quick brown fox jumps over the lazy dog",
        "97yD9DBThCSxMpjmqm+xQ+9NWaFJRhdZl0edvC0aPNg=",
    );

    #[test]
    fn a_signature_is_the_base64_of_hmac_sha256() {
        assert_eq!(base64_hmac(PAIR.0, PAIR.1), PAIR.2);
        assert!(base64_hmac_matches([PAIR.0].into_iter(), PAIR.1, Some(PAIR.2)));
    }

    #[test]
    fn any_active_secret_matches_and_nothing_else() {
        let good = base64_hmac("new", BODY);
        let ok = |secrets: &[&str], header: Option<&str>| {
            base64_hmac_matches(secrets.iter().copied(), BODY, header)
        };
        assert!(ok(&["new"], Some(&good)));
        assert!(ok(&["old", "new"], Some(&good)), "while a secret is rotated");
        assert!(ok(&["new"], Some(&format!(" {good}\n"))), "some helpers append a newline");
        let cut = STANDARD.encode(&STANDARD.decode(&good).unwrap()[..31]);
        let long = good.repeat(10);
        let empty_key = base64_hmac("", BODY);
        let wrong: [(&str, &[&str], Option<&str>); 9] = [
            ("no secret", &[], Some(&good)),
            ("another secret", &["old"], Some(&good)),
            ("missing", &["new"], None),
            ("empty", &["new"], Some("")),
            ("too short", &["new"], Some(&cut)),
            ("overlong", &["new"], Some(&long)),
            ("not base64", &["new"], Some("not base64!")),
            ("hex", &["new"], Some("f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8")),
            ("an empty secret signs nothing", &["", "new"], Some(&empty_key)),
        ];
        for (what, secrets, header) in wrong {
            assert!(!ok(secrets, header), "{what}");
        }
        assert!(!base64_hmac_matches(["new"].into_iter(), b"{}", Some(&good)), "another body");
    }

    #[test]
    fn a_woocommerce_secret_is_html_decoded_once() {
        let cases = [
            ("plain", "plain"),
            ("a&b<c>'\"", "a&b<c>'\""),
            ("a&amp;b", "a&b"),
            ("&lt;&gt;&quot;&#039;", "<>\"'"),
            ("&#034;&#x22;&#x27;&#060;&#062;&#038;&#x26;", "\"\"'<>&&"),
            ("&#39;&#34;&#60;&#62;&#38;&#x0022;&#X27;&#0000038;", "'\"<>&\"'&"),
            ("&#3 9;&#x3c;&#139;&#x;&#;&#0;&#39", "&#3 9;&#x3c;&#139;&#x;&#;&#0;&#39"),
            ("&amp;lt;", "&lt;"),
            ("&amp;amp;", "&amp;"),
            ("&nbsp;&unknown;&", "&nbsp;&unknown;&"),
            ("Žluť&amp;ký", "Žluť&ký"),
            ("", ""),
        ];
        for (secret, key) in cases {
            assert_eq!(woocommerce_key(secret), key, "{secret}");
        }
    }

    #[test]
    fn easypost_signatures_are_checked_in_both_versions() {
        let v1 = easypost_v1("secret", BODY);
        let sign = |parts: &[&[u8]]| {
            let hex: String = digest(b"secret", parts).iter().map(|b| format!("{b:02x}")).collect();
            format!("hmac-sha256-hex={hex}")
        };
        let v2 = sign(&[b"1700000000", b"POST", b"/webhooks", BODY]);
        let second = EasypostHeaders {
            v1: None,
            v2: Some(&v2),
            timestamp: Some("1700000000"),
            path: Some("/webhooks"),
        };
        // One public receiver signs timestamp and body only.
        let guess = sign(&[b"1700000000", BODY]);
        let second_by_guess = EasypostHeaders { v2: Some(&guess), ..second };
        let cases = [
            ("first", EasypostHeaders { v1: Some(&v1), ..Default::default() }, true),
            ("second", second, true),
            ("second, another path", EasypostHeaders { path: Some("/x"), ..second }, false),
            ("second, another time", EasypostHeaders { timestamp: Some("1"), ..second }, false),
            (
                "another second beside a right first",
                EasypostHeaders { v1: Some(&v1), ..second_by_guess },
                true,
            ),
            ("a right second beside a wrong first", EasypostHeaders { v1: Some(&v2), ..second }, true),
            ("both wrong", EasypostHeaders { v1: Some(&v2), ..second_by_guess }, false),
            (
                "no prefix",
                EasypostHeaders { v1: v1.strip_prefix("hmac-sha256-hex="), ..Default::default() },
                false,
            ),
            ("none", EasypostHeaders::default(), false),
        ];
        for (what, headers, accepted) in cases {
            assert_eq!(easypost_matches(["old", "secret"].into_iter(), BODY, headers), accepted, "{what}");
        }
        // Two spellings of one secret: composed and decomposed.
        let headers = EasypostHeaders { v1: Some(&easypost_v1("caf\u{e9}", BODY)), ..Default::default() };
        assert!(easypost_matches(["cafe\u{301}"].into_iter(), BODY, headers));
    }

    #[test]
    fn a_standard_webhook_is_taken_with_any_of_its_signatures_and_on_time_only() {
        let at: Timestamp = "2026-11-20T17:00:00Z".parse().unwrap();
        let (secret, raw) = (webhook_secret(&[7; 32]), "a secret that a person made up");
        let key = webhook_key(&secret).unwrap();
        let seconds = at.as_second().to_string();
        let good = webhook_signature(std::slice::from_ref(&key), "msg_1", at.as_second(), BODY);
        let by_raw = webhook_signature(&[raw.as_bytes().to_vec()], "msg_1", at.as_second(), BODY);
        let rotated = format!("v1a,AAAA {} {good}", webhook_signature(&[vec![1; 24]], "msg_1", 0, BODY));
        let ok = |secrets: &[&str], signature: &str, received_at: Timestamp| {
            let (id, timestamp) = (Some("msg_1"), Some(seconds.as_str()));
            let headers = WebhookHeaders { id, timestamp, signature: Some(signature) };
            webhook_matches(secrets.iter().copied(), BODY, headers, received_at)
        };
        let minutes = SignedDuration::from_mins;
        let second = SignedDuration::from_secs(1);
        let cases = [
            ("one", ok(&[&secret], &good, at), true),
            ("without the prefix", ok(&[&secret[WHSEC.len()..]], &good, at), true),
            ("a raw secret", ok(&[raw], &by_raw, at), true),
            ("one of ours is old", ok(&["old", &secret], &good, at), true),
            ("one of theirs is old", ok(&[&secret], &rotated, at), true),
            ("five minutes late", ok(&[&secret], &good, at + minutes(5)), true),
            ("five minutes early", ok(&[&secret], &good, at - minutes(5)), true),
            ("later", ok(&[&secret], &good, at + minutes(5) + second), false),
            ("earlier", ok(&[&secret], &good, at - minutes(5) - second), false),
            ("another secret", ok(&[raw], &good, at), false),
            ("the text of a secret is not its key", ok(&[&secret], &by_raw, at), false),
            ("no version", ok(&[&secret], &good[3..], at), false),
            ("an overlong list", ok(&[&secret], &format!("{good}{}", " ".repeat(1_000)), at), false),
            ("an empty secret signs nothing", ok(&[""], &good, at), false),
        ];
        for (what, taken, expected) in cases {
            assert_eq!(taken, expected, "{what}");
        }
        let one_missing = [
            WebhookHeaders { id: None, timestamp: Some(&seconds), signature: Some(&good) },
            WebhookHeaders { id: Some("msg_1"), timestamp: None, signature: Some(&good) },
            WebhookHeaders { id: Some("msg_1"), timestamp: Some("now"), signature: Some(&good) },
            WebhookHeaders { id: Some("msg_2"), timestamp: Some(&seconds), signature: Some(&good) },
            WebhookHeaders { id: Some("msg_1"), timestamp: Some(&seconds), signature: None },
        ];
        for headers in one_missing {
            assert!(!webhook_matches([secret.as_str()].into_iter(), BODY, headers, at), "{headers:?}");
        }
    }

    #[test]
    fn a_webhook_secret_has_24_to_64_bytes() {
        assert_eq!(webhook_key(&webhook_secret(&[7; 32])), Ok(vec![7; 32]));
        for (bytes, ok) in [(23, false), (24, true), (64, true), (65, false)] {
            assert_eq!(
                webhook_key(&format!("whsec_{}", STANDARD.encode(vec![1; bytes]))).is_ok(),
                ok,
                "{bytes}"
            );
        }
        assert_eq!(webhook_key("whsec_not base64"), Err(InvalidSecret));
    }

    proptest! {
        #[test]
        fn no_header_panics_and_none_but_the_right_one_matches(
            header in "\\PC{0,260}", secret in "\\PC{0,40}", body in prop::collection::vec(0_u8.., 0..64),
        ) {
            let secrets = || [secret.as_str()].into_iter();
            let prefixed = format!("{EASYPOST_PREFIX}{header}");
            let headers = EasypostHeaders { v1: Some(&prefixed), ..Default::default() };
            prop_assert!(!base64_hmac_matches(secrets(), &body, Some(&header)));
            prop_assert!(!easypost_matches(secrets(), &body, headers));
            let good = base64_hmac(&secret, &body);
            prop_assert_eq!(base64_hmac_matches(secrets(), &body, Some(&good)), !secret.is_empty());
            let _ = (woocommerce_key(&header), webhook_key(&header));
        }
    }
}
