//! Expressions of updates and conditions, with all names and values as placeholders.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use stagepost_domain::Timestamp;

use crate::row::{Row, number};
use crate::table::{PK, SK, TTL};

/// An update or a condition, or both.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expression {
    pub update: Option<String>,
    pub condition: Option<String>,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Expression {
    pub fn condition(condition: &str) -> Self {
        Self { condition: Some(condition.to_owned()), ..Self::default() }
    }

    pub fn update(update: &str, condition: &str) -> Self {
        Self { update: Some(update.to_owned()), ..Self::condition(condition) }
    }

    /// An update without a condition.
    pub fn always(update: &str) -> Self {
        Self { update: Some(update.to_owned()), ..Self::default() }
    }

    /// `#name` stands for `attribute`.
    pub fn name(mut self, name: &str, attribute: &str) -> Self {
        self.names.insert(format!("#{name}"), attribute.to_owned());
        self
    }

    /// `:name` stands for `value`.
    pub fn value(mut self, name: &str, value: AttributeValue) -> Self {
        self.values.insert(format!(":{name}"), value);
        self
    }

    /// Adds to a number, or makes it of nothing. The update has a `SET` and no `ADD` so far.
    pub fn add(mut self, attribute: &str, by: u64) -> Self {
        if let Some(update) = &mut self.update {
            update.push_str(&format!(" ADD #{attribute} :{attribute}"));
        }
        self.name(attribute, attribute).value(attribute, number(by))
    }

    /// As the SDK wants them: no empty maps.
    pub fn names(&self) -> Option<HashMap<String, String>> {
        (!self.names.is_empty()).then(|| self.names.clone())
    }

    /// As the SDK wants them: no empty maps.
    pub fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        (!self.values.is_empty()).then(|| self.values.clone())
    }
}

/// Sets all attributes of the row but its keys, which are the item's place, and removes those `without`
/// that the row does not have.
pub(crate) fn replacing(row: Row, without: &[&str], condition: Expression) -> Expression {
    let gone: Vec<String> =
        without.iter().filter(|name| !row.contains_key(**name)).map(|name| format!("#{name}")).collect();
    let row: Vec<_> = row.into_iter().filter(|(name, _)| name != PK && name != SK).collect();
    let set: Vec<String> = row.iter().map(|(name, _)| format!("#{name} = :{name}")).collect();
    let remove = if gone.is_empty() { String::new() } else { format!(" REMOVE {}", gone.join(", ")) };
    let update = Some(format!("SET {}{remove}", set.join(", ")));
    let mut expression = Expression { update, ..condition };
    for name in gone {
        let attribute = name.trim_start_matches('#').to_owned();
        expression.names.insert(name, attribute);
    }
    row.into_iter()
        .fold(expression, |expression, (name, value)| expression.name(&name, &name).value(&name, value))
}

/// No item stands there yet.
pub(crate) fn absent() -> Expression {
    Expression::condition("attribute_not_exists(pk)")
}

/// No item stands there whose time is not over.
pub(crate) fn absent_or_expired(now: Timestamp) -> Expression {
    let now = AttributeValue::N(now.as_second().to_string());
    Expression::condition("attribute_not_exists(pk) OR #t <= :now").name("t", TTL).value("now", now)
}
