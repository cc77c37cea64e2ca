//! Expressions of updates and conditions, with all names and values as placeholders.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

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

    /// As the SDK wants them: no empty maps.
    pub fn names(&self) -> Option<HashMap<String, String>> {
        (!self.names.is_empty()).then(|| self.names.clone())
    }

    /// As the SDK wants them: no empty maps.
    pub fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        (!self.values.is_empty()).then(|| self.values.clone())
    }
}

/// No item stands there yet.
pub(crate) fn absent() -> Expression {
    Expression::condition("attribute_not_exists(pk)")
}
