//! The document against the router, and against itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use stagepost_app::Core;
use stagepost_app::mail::TrackingLinks;
use stagepost_domain::order::Order;
use stagepost_domain::search::SearchKey;
use stagepost_secrets::LocalSecrets;
use stagepost_testkit::MemoryInboundQueue;
use stagepost_testkit::chance::SeededEntropy;
use stagepost_testkit::clock::ManualClock;
use stagepost_testkit::memory::MemoryStore;
use tower::ServiceExt;

use super::document::paths;
use super::{Schemas, document};
use crate::{Api, Queue, router, routes};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

struct NoLinks;

impl TrackingLinks for NoLinks {
    fn link(&self, _: &Order) -> String {
        String::new()
    }
}

fn entries() -> Vec<super::Entry> {
    routes::all::<MemoryStore, LocalSecrets>().entries().1
}

fn whole() -> Value {
    document(&entries())
}

fn serving() -> Router {
    let core = Core {
        store: MemoryStore::new(),
        clock: Arc::new(ManualClock::new("2026-11-20T17:00:00Z".parse().unwrap())),
        entropy: Arc::new(SeededEntropy::new(1)),
        restored_at: None,
    };
    let secrets = LocalSecrets::from_key([7; 32]).unwrap();
    let search = SearchKey::of_deployment(&[7; 32]);
    let inbound = Queue::new(MemoryInboundQueue::new());
    router(Arc::new(Api::new(core, secrets, Arc::new(NoLinks), search, |_| Ok(()), inbound)))
}

async fn answered(router: &Router, method: &str, path: &str) -> (StatusCode, Value) {
    let request = Request::builder().method(method.to_uppercase().as_str()).uri(path);
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// Every operation of the document: path, method, operation.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().unwrap().clone();
        let path = path.clone();
        methods.into_iter().map(move |(method, operation)| (path.clone(), method, operation))
    };
    paths.iter().flat_map(of).collect()
}

#[tokio::test]
async fn the_router_has_every_route_of_the_document_and_no_other_method_of_its_paths() {
    let (router, document) = (serving(), whole());
    for (path, method, operation) in operations(&document) {
        let wanted =
            if operation["security"] == json!([]) { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        assert_eq!(answered(&router, &method, &path).await.0, wanted, "{method} {path}");
    }
    for (path, methods) in document["paths"].as_object().unwrap() {
        for other in METHODS.into_iter().filter(|m| methods.get(m).is_none()) {
            assert_eq!(answered(&router, other, path).await.0, 405, "{other} {path} is not documented");
        }
    }
}

#[tokio::test]
async fn the_document_is_served_without_a_key() {
    let (status, served) = answered(&serving(), "get", "/v1/openapi.json").await;
    assert_eq!((status, served), (StatusCode::OK, whole()));
}

#[test]
fn every_operation_says_what_it_is_and_what_it_answers() {
    let document = whole();
    let tags: BTreeSet<&str> =
        document["tags"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let at = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{at}: id taken");
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{at}: no summary");
        assert!(tags.contains(operation["tags"][0].as_str().unwrap()), "{at}: a resource without its line");
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{at}: no good answer");
        let secured = operation["security"] != json!([]);
        for status in ["401", "500", "503"] {
            assert_eq!(answers.contains_key(status), secured, "{at}: {status}");
        }
        for (status, answer) in answers {
            assert!(!answer["description"].as_str().unwrap().is_empty(), "{at}: {status}");
        }
        let parameters = operation["parameters"].as_array().unwrap();
        let named: BTreeSet<_> =
            parameters.iter().filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap()).collect();
        let braces = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        assert_eq!(named, braces.collect(), "{at}: what its path names");
    }
}

#[test]
fn every_reference_leads_somewhere_and_no_name_means_two_things() {
    let document = whole();
    let mut refs = BTreeSet::new();
    collect_refs(&document, &mut refs);
    for reference in refs {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let mut schemas = Schemas::new();
    paths(&entries(), &mut schemas);
    assert_eq!(schemas.clashes(), Vec::<String>::new());
}

fn collect_refs(value: &Value, refs: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get("$ref") {
                refs.insert(reference.clone());
            }
            object.values().for_each(|v| collect_refs(v, refs));
        }
        Value::Array(items) => items.iter().for_each(|v| collect_refs(v, refs)),
        _ => {}
    }
}
