//! The document: every route that the router has, and nothing else.

use serde_json::{Map, Value, json};

use stagepost_domain::webhook::{ENDPOINT_TEST, EventType, Message, TestMessage};

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
    ("email-tests", "Mails that somebody sent to see a template."),
    ("suppressions", "Addresses that get no mail."),
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
    (
        "members",
        "People who work with the shop; they sign in to the console by links that are mailed to them.",
    ),
    ("openapi.json", "This document."),
];

/// The whole document.
pub fn document(entries: &[Entry]) -> Value {
    let mut schemas = Schemas::new();
    let paths = paths(entries, &mut schemas);
    let webhooks = webhooks(&mut schemas);
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
        "webhooks": webhooks,
        "components": {
            "schemas": schemas.finish(),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key: `sp_…`."},
            },
        },
    })
}

/// What endpoints are sent, by type: the same message each time.
fn webhooks(schemas: &mut Schemas) -> Map<String, Value> {
    let header = |name: &str, about: &str| json!({"name": name, "in": "header", "required": true, "description": about, "schema": {"type": "string"}});
    let headers = [
        header("webhook-id", "The message's id: the same on every attempt and when it is sent again."),
        header("webhook-timestamp", "When this attempt was made, in seconds since 1970."),
        header("webhook-signature", "`v1,…`, one for each secret that counts, parted by spaces."),
    ];
    let sent = |name: &str, id: &str, summary: &str, schema: &Value| {
        let post = json!({
            "operationId": id,
            "summary": summary,
            "description": "Signed as Standard Webhooks 1.0 says. `type` is the webhook's name.",
            "tags": ["webhook-endpoints"],
            "security": [],
            "parameters": headers,
            "requestBody": {"required": true, "content": {"application/json": {"schema": schema}}},
            "responses": {
                "2XX": {"description": "It is taken. Anything else is tried again, 8 times over 28 hours."},
                "410": {"description": "The endpoint wants no more: it is switched off."},
            },
        });
        (name.to_owned(), json!({ "post": post }))
    };
    let (message, test) = (schemas.of_answer::<Message<'_>>(), schemas.of_answer::<TestMessage<'_>>());
    let told = EventType::ALL.into_iter().map(|told| {
        let (about, id) = summary(told);
        sent(told.as_str(), id, about, &message)
    });
    told.chain([sent(ENDPOINT_TEST, "endpointTest", "Somebody tries the endpoint out: sent once", &test)])
        .collect()
}

fn summary(told: EventType) -> (&'static str, &'static str) {
    match told {
        EventType::Created => ("An order is new", "orderCreated"),
        EventType::Updated => ("An order says something else than before", "orderUpdated"),
        EventType::StageEntered => ("An order has entered a stage", "orderStageEntered"),
        EventType::Delivered => ("All packages of an order are delivered", "orderDelivered"),
    }
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
