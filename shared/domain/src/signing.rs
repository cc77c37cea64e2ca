//! Signatures over raw bytes: those we check and those we make.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
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
    mac(key, parts).is_some_and(|mac| mac.verify_slice(signature).is_ok())
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

/// The value that [`base64_hmac_matches`] accepts.
#[must_use]
pub fn base64_hmac(secret: &str, body: &[u8]) -> String {
    STANDARD.encode(digest(secret.as_bytes(), &[body]))
}

/// WooCommerce HTML-decodes a secret before it signs (`wp_specialchars_decode(…, ENT_QUOTES)`), so a secret
/// that contains entities is used decoded.
#[must_use]
pub fn woocommerce_key(secret: &str) -> String {
    const ENTITIES: &[(&str, char)] = &[
        ("&quot;", '"'),
        ("&#034;", '"'),
        ("&#x22;", '"'),
        ("&#039;", '\''),
        ("&#x27;", '\''),
        ("&lt;", '<'),
        ("&#060;", '<'),
        ("&gt;", '>'),
        ("&#062;", '>'),
        ("&amp;", '&'),
        ("&#038;", '&'),
        ("&#x26;", '&'),
    ];
    // One pass, so that "&amp;lt;" becomes "&lt;" and not "<".
    let mut decoded = String::with_capacity(secret.len());
    let mut rest = secret;
    while let Some(c) = rest.chars().next() {
        let entity = ENTITIES.iter().find_map(|(e, d)| rest.strip_prefix(e).map(|after| (after, *d)));
        let (after, d) = entity.unwrap_or_else(|| (rest.get(c.len_utf8()..).unwrap_or_default(), c));
        decoded.push(d);
        rest = after;
    }
    decoded
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

/// EasyPost: hex with a prefix, the secret NFKD-normalised (integrations §5.1). The second version is
/// checked where it is present, else the first.
pub fn easypost_matches<'a>(
    mut secrets: impl Iterator<Item = &'a str>,
    body: &[u8],
    headers: EasypostHeaders<'_>,
) -> bool {
    secrets.any(|secret| {
        let key: String = secret.nfkd().collect();
        match (headers.v2, headers.timestamp, headers.path) {
            (Some(v2), Some(timestamp), Some(path)) => {
                let parts = [timestamp.as_bytes(), b"POST", path.as_bytes(), body];
                easypost_hex(v2).is_some_and(|s| verify(key.as_bytes(), &parts, &s))
            }
            _ => headers.v1.and_then(easypost_hex).is_some_and(|s| verify(key.as_bytes(), &[body], &s)),
        }
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
const WHSEC: &str = "whsec_";

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
