//! The schemas of the document: each type once, under its name.

use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

/// Two collections, because serde reads some types otherwise than it writes them: bodies may leave members
/// out that answers always have. What both have in common must not differ under one name.
pub struct Schemas {
    answers: SchemaGenerator,
    bodies: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        Self { answers: generator(Contract::Serialize), bodies: generator(Contract::Deserialize) }
    }

    /// Refers to what an answer shows.
    pub fn of_answer<T: JsonSchema>(&mut self) -> Value {
        self.answers.subschema_for::<T>().to_value()
    }

    /// Refers to what a body may say.
    pub fn of_body<T: JsonSchema>(&mut self) -> Value {
        self.bodies.subschema_for::<T>().to_value()
    }

    /// Whether a body has a member that must be there.
    pub fn has_required<T: JsonSchema>(&mut self) -> bool {
        let schema = T::json_schema(&mut self.bodies);
        schema.get("required").and_then(Value::as_array).is_some_and(|names| !names.is_empty())
    }

    /// The members of a query, each with whether it is required and its schema. Nothing in a query is `null`.
    pub fn of_query<T: JsonSchema>(&mut self) -> Vec<(String, bool, Value)> {
        let schema = T::json_schema(&mut self.bodies).to_value();
        let members = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let required = |name: &str| {
            let names = schema.get("required").and_then(Value::as_array);
            names.is_some_and(|names| names.iter().any(|n| n == name))
        };
        members.into_iter().map(|(name, member)| (name.clone(), required(&name), not_null(member))).collect()
    }

    /// All of them, by name.
    pub(super) fn finish(mut self) -> Map<String, Value> {
        let mut all = self.bodies.take_definitions(true);
        all.extend(self.answers.take_definitions(true));
        all
    }

    /// Names that mean one thing in bodies and another in answers.
    #[cfg(test)]
    pub(super) fn clashes(mut self) -> Vec<String> {
        let bodies = self.bodies.take_definitions(true);
        let answers = self.answers.take_definitions(true);
        bodies.into_iter().filter(|(n, b)| answers.get(n).is_some_and(|a| a != b)).map(|(n, _)| n).collect()
    }
}

fn generator(contract: Contract) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|s| {
        s.definitions_path = "/components/schemas".into();
        s.meta_schema = None;
        s.contract = contract;
    });
    settings.into_generator()
}

fn not_null(mut schema: Value) -> Value {
    let types = schema.get("type").and_then(Value::as_array);
    let only = types.and_then(|types| types.iter().find(|t| *t != "null").cloned());
    if let (Some(only), Some(schema)) = (only, schema.as_object_mut()) {
        schema.insert("type".to_owned(), only);
        return Value::Object(std::mem::take(schema));
    }
    let some = schema.get("anyOf").and_then(Value::as_array).and_then(|any| any.first()).cloned();
    if let (Some(Value::Object(some)), Some(schema)) = (some, schema.as_object_mut()) {
        schema.remove("anyOf");
        schema.extend(some);
    }
    schema
}
