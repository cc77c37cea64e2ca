//! Lenient access to WooCommerce's JSON (integrations §3.3): a field of another type than promised is
//! read as far as it can be, else it is not there.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Number, Value};
use stagepost_domain::Timestamp;
use stagepost_domain::text::tidy;

/// Longest resource id, in digits: what fits a 64-bit number.
const ID_DIGITS_MAX: usize = 20;
/// Longest HTML entity between `&` and `;`, in bytes.
const ENTITY_MAX: usize = 8;

/// Text of a field, HTML entities decoded, tidied, at most `max` bytes; numbers as they read best.
pub(crate) fn field(object: &Value, key: &str, max: usize) -> Option<String> {
    match object.get(key)? {
        Value::String(text) => tidy(&decoded(text), max),
        Value::Number(number) => tidy(&plain(number), max),
        _ => None,
    }
}

/// `line_items[].price` is an unrounded float (`19.900000000000002`): six digits are enough for any
/// currency and drop the noise.
fn plain(number: &Number) -> String {
    if number.is_i64() || number.is_u64() {
        return number.to_string();
    }
    let rounded = format!("{:.6}", number.as_f64().unwrap_or_default());
    rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A resource id, exact, as text: a whole positive number, or digits as text.
pub(crate) fn id(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::Number(number) => number.as_u64()?.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    (is_id(&text) && text.bytes().any(|b| b != b'0')).then_some(text)
}

/// Whether `text` can be an order's id: it becomes part of a path.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=ID_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// The entries of a list. PHP writes a list with a gap in its keys as an object of its entries, and plugins
/// write one entry without its list.
pub(crate) fn each(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(entries)) => entries.iter().collect(),
        Some(Value::Object(map)) if map.keys().all(|k| is_id(k)) || map.values().all(Value::is_object) => {
            map.values().collect()
        }
        Some(single @ Value::Object(_)) => vec![single],
        _ => Vec::new(),
    }
}

/// Whether [`each`] sees a list in it: an error's object is none.
pub(crate) fn is_list(value: &Value) -> bool {
    let numbered = |map: &serde_json::Map<String, Value>| !map.is_empty() && map.keys().all(|k| is_id(k));
    value.is_array() || value.as_object().is_some_and(numbered)
}

/// A whole number, or one written as text.
pub(crate) fn whole(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The time in `{key}_gmt`: UTC, written without a zone. Only where that is missing the site-local twin is
/// taken for it: off by the site's zone, but still in order among its own.
pub(crate) fn when(object: &Value, key: &str) -> Option<Timestamp> {
    let utc = object.get(format!("{key}_gmt")).and_then(time);
    utc.or_else(|| object.get(key).and_then(time))
}

fn time(value: &Value) -> Option<Timestamp> {
    let text = value.as_str()?.trim();
    let zoneless = text.parse::<DateTime>().ok().and_then(|t| t.to_zoned(TimeZone::UTC).ok());
    zoneless.map(|z| z.timestamp()).or_else(|| text.parse().ok())
}

/// Decodes the HTML entities that WordPress puts into titles and names, in one pass.
pub(crate) fn decoded(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let (c, tail) = entity(after).unwrap_or(('&', after));
        plain.push(c);
        rest = tail;
    }
    plain.push_str(rest);
    plain
}

fn entity(after: &str) -> Option<(char, &str)> {
    let end = after.bytes().take(ENTITY_MAX + 1).position(|b| b == b';')?;
    let (name, tail) = (after.get(..end)?, after.get(end + 1..)?);
    let c = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        "reg" => '®',
        "trade" => '™',
        "copy" => '©',
        "deg" => '°',
        "times" => '×',
        "euro" => '€',
        _ => numeric(name.strip_prefix('#')?)?,
    };
    Some((c, tail))
}

fn numeric(digits: &str) -> Option<char> {
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    code.ok().and_then(char::from_u32)
}
