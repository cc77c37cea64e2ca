//! Items as the SDK sees them, and the ways in and out.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stagepost_app::ports::StoreError;
use stagepost_domain::{SignedDuration, Timestamp};

use crate::keys::{Key, due_pk, time_text};
use crate::table::{PK, SK, TTL};

/// The version of every item's schema. A reader refuses what is newer than itself.
const SCHEMA: u64 = 1;
/// How long what expires is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// An item's attributes.
pub(crate) type Row = HashMap<String, AttributeValue>;

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn corrupt(item: impl Into<String>, reason: &str) -> StoreError {
    StoreError::Corrupt { item: item.into(), reason: reason.to_owned() }
}

/// An item of its fields, without the keys.
pub(crate) fn fields<T: Serialize>(key: &Key, fields: &T) -> Result<Row, StoreError> {
    let mut row: Row =
        serde_dynamo::to_item(fields).map_err(|_| corrupt(key.name(), "it cannot be written"))?;
    row.extend(key_row(key));
    row.insert("sv".to_owned(), number(SCHEMA));
    Ok(row)
}

/// An item that holds one document under `d`.
pub(crate) fn document<T: Serialize>(key: &Key, document: &T) -> Result<Row, StoreError> {
    #[derive(Serialize)]
    struct Document<'a, T> {
        d: &'a T,
    }
    fields(key, &Document { d: document })
}

/// One value as an attribute.
pub(crate) fn attribute<T: Serialize>(key: &Key, value: &T) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(value).map_err(|_| corrupt(key.name(), "it cannot be written"))
}

/// The key alone, as reads and deletes want it.
pub(crate) fn key_row(key: &Key) -> Row {
    Row::from([(PK.to_owned(), text(&key.pk)), (SK.to_owned(), text(&key.sk))])
}

/// The key of an item that was read.
pub(crate) fn key_of(row: &Row) -> Key {
    Key::new(text_of(row, PK).unwrap_or_default(), text_of(row, SK).unwrap_or_default())
}

pub(crate) fn text_of<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    row.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
}

pub(crate) fn number_of(row: &Row, name: &str) -> Option<u64> {
    row.get(name).and_then(|value| value.as_n().ok()).and_then(|n| n.parse().ok())
}

/// Reads an item's fields, if its schema is one that we know.
///
/// The reason names no content: an item may hold a person.
pub(crate) fn read<T: DeserializeOwned>(row: Row) -> Result<T, StoreError> {
    let key = key_of(&row);
    match number_of(&row, "sv") {
        Some(version) if version <= SCHEMA => {}
        Some(_) => return Err(StoreError::Newer { item: key.name() }),
        None => return Err(corrupt(key.name(), "it has no schema version")),
    }
    serde_dynamo::from_item(row).map_err(|_| corrupt(key.name(), "it does not match its schema"))
}

/// Reads an item that holds one document.
pub(crate) fn read_document<T: DeserializeOwned>(row: Row) -> Result<T, StoreError> {
    #[derive(Deserialize)]
    struct Document<T> {
        d: T,
    }
    Ok(read::<Document<T>>(row)?.d)
}

/// Lets the item go 30 days after `at`.
pub(crate) fn expire(row: &mut Row, at: Timestamp) {
    let until = at.checked_add(KEPT).unwrap_or(at).as_second();
    row.insert(TTL.to_owned(), AttributeValue::N(until.to_string()));
}

/// Whether its time is over although the table has not removed it yet (that may take days).
pub(crate) fn expired(row: &Row, now: Timestamp) -> bool {
    let until = row.get(TTL).and_then(|value| value.as_n().ok()).and_then(|n| n.parse::<i64>().ok());
    until.is_some_and(|until| until <= now.as_second())
}

/// Places the item in the due index.
pub(crate) fn place_due(row: &mut Row, key: &Key, due: Timestamp) {
    row.insert("g2pk".to_owned(), text(due_pk(&key.pk)));
    row.insert("g2sk".to_owned(), text(time_text(due)));
}

/// A time in few bytes: nanoseconds as a number (trailing zeros cost nothing), or as text beyond the years
/// that 64 bits hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stamped", into = "Stamped")]
pub(crate) struct Stamp(pub Timestamp);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stamped {
    Nanoseconds(i64),
    Text(Timestamp),
}

impl From<Stamp> for Stamped {
    fn from(stamp: Stamp) -> Self {
        i64::try_from(stamp.0.as_nanosecond()).map_or(Self::Text(stamp.0), Self::Nanoseconds)
    }
}

impl From<Stamped> for Stamp {
    fn from(stamped: Stamped) -> Self {
        match stamped {
            Stamped::Text(at) => Self(at),
            Stamped::Nanoseconds(n) => Self(Timestamp::from_nanosecond(i128::from(n)).unwrap_or_default()),
        }
    }
}
