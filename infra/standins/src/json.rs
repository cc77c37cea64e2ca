//! JSON as the platforms write it.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde_json::Value;

/// Money as text with two decimals.
pub(crate) fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// A time by `format` at an offset of whole hours from UTC.
pub(crate) fn time(at: Timestamp, hours: i8, format: &str) -> String {
    at.to_zoned(TimeZone::fixed(Offset::constant(hours))).strftime(format).to_string()
}

/// PHP's `json_encode`: pure ASCII, `/` as `\/`, no white space (live notes 4).
pub(crate) fn php(value: &Value) -> Vec<u8> {
    let mut encoded = String::new();
    for c in value.to_string().chars() {
        match c {
            // In JSON a slash stands only inside texts.
            '/' => encoded.push_str("\\/"),
            c if c.is_ascii() => encoded.push(c),
            c => {
                let mut units = [0_u16; 2];
                for unit in c.encode_utf16(&mut units) {
                    encoded.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    encoded.into_bytes()
}
