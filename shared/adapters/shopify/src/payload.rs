//! Lenient access to a JSON payload: a field of another type than promised is a field that is not there,
//! so that one odd field never costs the whole notification.

use serde_json::Value;
use stagepost_domain::Timestamp;
use stagepost_domain::text::tidy;

/// A payload, or an object in it.
#[derive(Clone, Copy)]
pub(crate) struct Payload<'a>(pub &'a Value);

impl<'a> Payload<'a> {
    /// The field, unless it is absent or null.
    fn get(self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|v| !v.is_null())
    }

    /// An object in the field.
    pub fn object(self, key: &str) -> Option<Payload<'a>> {
        self.get(key).filter(|v| v.is_object()).map(Payload)
    }

    /// The objects of an array; none for anything else.
    pub fn objects(self, key: &str) -> impl Iterator<Item = Payload<'a>> {
        self.list(key).iter().filter(|v| v.is_object()).map(Payload)
    }

    /// An array; empty for anything else.
    pub fn list(self, key: &str) -> &'a [Value] {
        self.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// Raw text.
    pub fn raw(self, key: &str) -> Option<&'a str> {
        self.get(key).and_then(Value::as_str)
    }

    /// Text without control characters, at most `max` bytes; nothing when blank.
    pub fn text(self, key: &str, max: usize) -> Option<String> {
        self.raw(key).and_then(|t| tidy(t, max))
    }

    /// Text, or a number as written: quantities and prices come as either.
    pub fn scalar(self, key: &str, max: usize) -> Option<String> {
        match self.get(key)? {
            Value::Number(n) => tidy(&n.to_string(), max),
            _ => self.text(key, max),
        }
    }

    /// A resource id, number or text, exact; a number with a fraction or an exponent is none.
    pub fn id(self, key: &str) -> Option<String> {
        match self.get(key)? {
            Value::Number(n) => crate::id_text(&n.as_u64()?.to_string()),
            Value::String(s) => crate::id_text(s.trim()),
            _ => None,
        }
    }

    /// An RFC 3339 time with its offset.
    pub fn time(self, key: &str) -> Option<Timestamp> {
        self.raw(key)?.trim().parse().ok()
    }
}

/// A recorded payload, where the folder is present.
#[cfg(test)]
pub(crate) fn fixture(name: &str) -> Option<Vec<u8>> {
    std::fs::read(fixtures().join(name)).ok()
}

/// Where recorded payloads lie, outside the repository.
#[cfg(test)]
pub(crate) fn fixtures() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/fixtures")
}
