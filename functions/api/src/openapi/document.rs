//! The document: every route that the router has, and nothing else.

use serde_json::{Map, Value, json};

use super::{About, Operation, Schemas};

/// A route as it was added.
pub struct Entry {
    /// Lower case.
    pub method: &'static str,
    /// With its placeholders in braces.
    pub path: &'static str,
    /// What a person wrote of it.
    pub about: About,
    /// What its types say of it.
    pub describe: fn(&mut Operation<'_>),
}

const DESCRIPTION: &str = "Orders move through stages; stages mail, call and fulfill.\n\n\
    Bodies are JSON. Errors are `application/problem+json` (RFC 9457): `type` is stable, `errors` name the \
    fields. A method that a route does not take gets 405 with `Allow`, an unknown route 404. Lists give \
    `items` and `next`: pass `next` as `cursor` until it is null.";

/// What the first part of a path is about.
const TAGS: &[(&str, &str)] = &[
    ("settings", "The shop itself."),
    ("flows", "Pipelines of stages, with the automations of each stage."),
    ("email-templates", "What customers are mailed: Handlebars, strict, versioned."),
    ("webhook-endpoints", "The shop's own receivers (Standard Webhooks)."),
    ("channels", "Connected Shopify and WooCommerce stores."),
    ("carriers", "Connected carrier services."),
    ("orders", "Orders, where they stand and why."),
    ("runs", "Single actions: one mail, one call, one fulfillment."),
    ("jobs", "Work over many orders: back-fill, reconciliation, bulk moves, recovery."),
    ("simulate", "What would happen, with reasons; nothing is written."),
    ("governor", "Stops a shop that suddenly mails far more than usual."),
    ("quarantine", "Notifications that were authentic but could not be read."),
    ("api-keys", "Keys of this API."),
    ("openapi.json", "This document."),
];

/// The whole document.
pub fn document(entries: &[Entry]) -> Value {
    let mut schemas = Schemas::new();
    let paths = paths(entries, &mut schemas);
    let used = |tag: &str| entries.iter().any(|entry| entry.path.split('/').nth(2) == Some(tag));
    let tags: Vec<_> = TAGS.iter().filter(|(name, _)| used(name)).collect();
    let tags: Vec<_> = tags.iter().map(|(name, about)| json!({"name": name, "description": about})).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Stagepost",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas.finish(),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key: `sp_…`."},
            },
        },
    })
}

pub(super) fn paths(entries: &[Entry], schemas: &mut Schemas) -> Map<String, Value> {
    let mut paths = Map::new();
    for entry in entries {
        let mut operation = Operation::new(entry.path, schemas);
        (entry.describe)(&mut operation);
        let path = paths.entry(entry.path).or_insert_with(|| json!({}));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(entry.method.to_owned(), operation.finish(&entry.about));
        }
    }
    paths
}
