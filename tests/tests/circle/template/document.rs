//! The template as JSON, and the few questions that the checks ask of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file of the repository.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The folders of the functions.
pub fn folders() -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join("functions")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

pub fn template() -> Value {
    let text = read("template.yaml");
    let mut documents = Yaml::load_from_str(&text).unwrap();
    assert_eq!(documents.len(), 1);
    to_json(documents.remove(0))
}

/// The template of a deployment that works on the table of its own stack.
pub fn with_own_table(template: &Value) -> Value {
    match template {
        Value::Object(fields) => match chosen(template, "HasRestoredTable") {
            Some((_, own)) => own.clone(),
            None => Value::Object(fields.iter().map(|(k, v)| (k.clone(), with_own_table(v))).collect()),
        },
        Value::Array(items) => items.iter().map(with_own_table).collect(),
        other => other.clone(),
    }
}

/// The two values between which this condition chooses, if that is what stands there.
pub fn chosen<'a>(value: &'a Value, condition: &str) -> Option<(&'a Value, &'a Value)> {
    match value["Fn::If"].as_array().map(Vec::as_slice) {
        Some([by, then, otherwise]) if by == condition => Some((then, otherwise)),
        _ => None,
    }
}

/// Short intrinsics in their long form: `!Ref x` is `{"Ref": "x"}`, `!Sub x` is `{"Fn::Sub": "x"}`.
fn to_json(yaml: Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        Yaml::Value(Scalar::String(value)) => json!(value),
        Yaml::Sequence(items) => items.into_iter().map(to_json).collect(),
        Yaml::Mapping(entries) => {
            let entry = |(name, value)| (to_json(name).as_str().unwrap().to_owned(), to_json(value));
            Value::Object(entries.into_iter().map(entry).collect())
        }
        Yaml::Tagged(tag, value) => {
            let value = to_json(*value);
            let (name, value) = match (tag.suffix.as_str(), value) {
                ("Ref", value) => ("Ref".to_owned(), value),
                ("GetAtt", Value::String(path)) => ("Fn::GetAtt".to_owned(), path.split('.').collect()),
                (name, value) => (format!("Fn::{name}"), value),
            };
            Value::Object(Map::from_iter([(name, value)]))
        }
        other => panic!("the template has {other:?}"),
    }
}

/// Properties of all resources of a type, by name.
pub fn of_type<'a>(template: &'a Value, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let all = template["Resources"].as_object().unwrap().iter();
    all.filter(|(_, r)| r["Type"] == kind).map(|(name, r)| (name.as_str(), &r["Properties"])).collect()
}

pub fn functions(template: &Value) -> BTreeMap<&str, &Value> {
    of_type(template, "AWS::Serverless::Function")
}

/// The resource that `!Ref x` or `!GetAtt x.y` names.
pub fn named(value: &Value) -> Option<&str> {
    value["Ref"].as_str().or_else(|| value["Fn::GetAtt"][0].as_str())
}

/// One or many.
pub fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

pub fn texts(value: &Value) -> BTreeSet<&str> {
    items(value).into_iter().filter_map(Value::as_str).collect()
}

/// Every text in it, however deep.
pub fn leaves(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(leaves).collect(),
        Value::Object(fields) => fields.values().flat_map(leaves).collect(),
        _ => Vec::new(),
    }
}

/// A function's folder, from where its code is.
pub fn folder(function: &Value) -> &str {
    let path = function["CodeUri"].as_str().unwrap_or_default().trim_end_matches('/');
    path.strip_prefix("target/lambda/stagepost-").unwrap_or_default()
}

/// A function's longest life, in seconds.
pub fn timeout(function: &Value) -> u64 {
    function["Timeout"].as_u64().unwrap_or_default()
}
