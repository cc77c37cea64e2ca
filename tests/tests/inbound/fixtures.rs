//! Every recorded payload, correctly signed, through the local host; what becomes of each is written down.
//!
//! The payloads lie outside the repository; where they are not, these tests pass quietly.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use stagepost_app::ports::{ConfigChange, ConfigStore};
use stagepost_domain::id::ChannelId;
use stagepost_standins::{Notification, Posted};
use stagepost_tests::{EASYPOST_SECRET, SHOPIFY_SECRET, WOO_SECRET, World};

use crate::support::{
    assert_sound, come_to_rest, easypost, files, notification, outcome, shopify, shuffled, woo,
};

/// File, topic that it goes under, what becomes of it. Posted in this order.
type Row = (&'static str, &'static str, &'static str);

/// Files named `webhook…` each go to a store of their own, so that none depends on another.
/// What the API answers (`rest…`, `graphql…`, `oauth…`) is no notification: under a topic that is followed it
/// is kept as unreadable.
#[rustfmt::skip]
const SHOPIFY: &[Row] = &[
    ("derived_graphql_fulfillmentCreate_already_fulfilled.json", "orders/updated", "quarantined"),
    ("derived_graphql_fulfillmentCreate_success.json", "orders/updated", "quarantined"),
    ("derived_graphql_order_fulfillmentOrders_partial.json", "orders/updated", "quarantined"),
    ("derived_webhook_orders_cancelled_after_fulfillment_cancelled.json", "orders/cancelled", "created:silent>New"),
    ("derived_webhook_orders_create_huge_250_lines.json", "orders/create", "created:silent>New"),
    ("derived_webhook_orders_guest_unicode.json", "orders/create", "created:silent>New"),
    ("derived_webhook_orders_partially_fulfilled_realistic.json", "orders/partially_fulfilled", "created:silent>New"),
    ("derived_webhook_orders_updated_all_delivered.json", "orders/updated", "created:silent>Delivered"),
    ("derived_webhook_orders_updated_two_fulfillments_one_delivered.json", "orders/updated", "created:silent>Shipped"),
    ("graphql_goshopify_response_0.json", "orders/updated", "quarantined"),
    ("graphql_goshopify_response_1.json", "orders/updated", "quarantined"),
    ("graphql_goshopify_response_2.json", "orders/updated", "quarantined"),
    ("graphql_sdk_eventBridgeWebhookCheckResponse.json", "orders/updated", "quarantined"),
    ("graphql_sdk_pubSubWebhookCheckResponse.json", "orders/updated", "quarantined"),
    ("graphql_sdk_successResponse.json", "orders/updated", "quarantined"),
    ("graphql_sdk_webhookCheckEmptyResponse.json", "orders/updated", "quarantined"),
    ("graphql_sdk_webhookCheckErrorResponse.json", "orders/updated", "quarantined"),
    ("graphql_sdk_webhookCheckMultiHandlerResponse.json", "orders/updated", "quarantined"),
    ("graphql_sdk_webhookCheckResponse.json", "orders/updated", "quarantined"),
    ("graphql_throttled_goshopify.json", "orders/updated", "quarantined"),
    ("oauth_client_credentials_response.json", "orders/updated", "quarantined"),
    ("oauth_error_invalid_client.json", "orders/updated", "quarantined"),
    ("oauth_error_invalid_subject_token.json", "orders/updated", "quarantined"),
    ("oauth_online_token_response.json", "orders/updated", "quarantined"),
    ("oauth_refresh_token_response.json", "orders/updated", "quarantined"),
    ("rest_goshopify_fulfillment.json", "fulfillments/update", "quarantined"),
    ("rest_goshopify_fulfillment_event.json", "fulfillment_events/create", "quarantined"),
    ("rest_goshopify_fulfillment_events.json", "fulfillment_events/create", "quarantined"),
    ("rest_goshopify_fulfillment_order.json", "fulfillment_orders/moved", "no_op:unknown_topic"),
    ("rest_goshopify_fulfillment_order_move.json", "fulfillment_orders/moved", "no_op:unknown_topic"),
    ("rest_goshopify_fulfillment_reject.json", "fulfillment_orders/moved", "no_op:unknown_topic"),
    ("rest_goshopify_lineitem_properties_empty_object.json", "orders/updated", "quarantined"),
    ("rest_goshopify_lineitem_properties_object.json", "orders/updated", "quarantined"),
    ("rest_goshopify_lineitem_properties_ommited.json", "orders/updated", "quarantined"),
    ("rest_goshopify_lineitem_valid.json", "orders/updated", "quarantined"),
    ("rest_goshopify_order.json", "orders/updated", "quarantined"),
    ("rest_goshopify_order_with_transaction.json", "orders/updated", "quarantined"),
    ("rest_goshopify_orders.json", "orders/updated", "quarantined"),
    ("rest_goshopify_shop.json", "shop/update", "no_op:unknown_topic"),
    ("rest_goshopify_webhook.json", "orders/updated", "quarantined"),
    ("rest_pyapi_fulfillment.json", "fulfillments/update", "quarantined"),
    ("rest_pyapi_fulfillment_event.json", "fulfillment_events/create", "quarantined"),
    ("rest_pyapi_graphql.json", "orders/updated", "quarantined"),
    ("rest_pyapi_order.json", "orders/updated", "quarantined"),
    ("rest_pyapi_refund.json", "refunds/create", "no_op:unknown_topic"),
    ("rest_sdk2026-07_fulfillment_00.json", "fulfillments/update", "quarantined"),
    ("rest_sdk2026-07_fulfillment_01.json", "fulfillments/update", "quarantined"),
    ("rest_sdk2026-07_fulfillment_02.json", "fulfillments/update", "quarantined"),
    ("rest_sdk2026-07_fulfillment_04.json", "fulfillments/update", "quarantined"),
    ("rest_sdk2026-07_fulfillment_05.json", "fulfillments/update", "quarantined"),
    ("rest_sdk2026-07_fulfillment_06.json", "fulfillments/update", "quarantined"),
    ("rest_sdk2026-07_fulfillment_event_00.json", "fulfillment_events/create", "quarantined"),
    ("rest_sdk2026-07_fulfillment_event_01.json", "fulfillment_events/create", "quarantined"),
    ("rest_sdk2026-07_fulfillment_order_00.json", "fulfillment_orders/moved", "no_op:unknown_topic"),
    ("rest_sdk2026-07_fulfillment_order_04.json", "fulfillment_orders/moved", "no_op:unknown_topic"),
    ("rest_sdk2026-07_fulfillment_order_06.json", "fulfillment_orders/moved", "no_op:unknown_topic"),
    ("rest_sdk2026-07_fulfillment_order_08.json", "fulfillment_orders/moved", "no_op:unknown_topic"),
    ("rest_sdk2026-07_order_00.json", "orders/updated", "quarantined"),
    ("rest_sdk2026-07_order_12.json", "orders/updated", "quarantined"),
    ("rest_sdk2026-07_order_13.json", "orders/updated", "quarantined"),
    ("rest_sdk2026-07_order_15.json", "orders/updated", "quarantined"),
    ("rest_sdk2026-07_order_16.json", "orders/updated", "quarantined"),
    ("rest_sdk2026-07_order_17.json", "orders/updated", "quarantined"),
    ("rest_sdk2026-07_order_18.json", "orders/updated", "quarantined"),
    ("rest_sdk2026-07_order_20.json", "orders/updated", "quarantined"),
    ("rest_sdk2026-07_order_21.json", "orders/updated", "quarantined"),
    ("rest_sdk2026-07_order_23.json", "orders/updated", "quarantined"),
    ("rest_sdk2026-07_order_27.json", "orders/updated", "quarantined"),
    ("rest_sdk2026-07_refund_00.json", "refunds/create", "no_op:unknown_topic"),
    ("rest_sdk2026-07_refund_01.json", "refunds/create", "no_op:unknown_topic"),
    ("rest_sdk2026-07_webhook_00.json", "orders/updated", "quarantined"),
    ("rest_sdk2026-07_webhook_01.json", "orders/updated", "quarantined"),
    ("webhook_anon_fulfillment_event.json", "fulfillment_events/create", "no_op:same"),
    ("webhook_anon_fulfillment_no_email_no_tracking.json", "fulfillments/create", "quarantined"),
    ("webhook_anon_fulfillment_shipment_status_set.json", "fulfillments/update", "quarantined"),
    ("webhook_anon_fulfillment_with_email.json", "fulfillments/update", "quarantined"),
    ("webhook_anon_order_12_items_null_email.json", "orders/updated", "created:silent>New"),
    ("webhook_anon_order_2024_04.json", "orders/updated", "created:silent>New"),
    ("webhook_anon_order_2025_04_fulfilled.json", "orders/fulfilled", "created:silent>New"),
    ("webhook_anon_order_fulfilled.json", "orders/fulfilled", "created:silent>New"),
    ("webhook_anon_order_fulfilled_no_tracking.json", "orders/fulfilled", "created:silent>New"),
    ("webhook_anon_order_no_customer_no_email.json", "orders/updated", "created:silent>New"),
    ("webhook_anon_order_two_items.json", "orders/updated", "created:silent>New"),
    ("webhook_anon_orders_edited.json", "orders/edited", "no_op:unknown_topic"),
    ("webhook_anon_orders_risk_assessment.json", "orders/risk_assessment_changed", "no_op:unknown_topic"),
    ("webhook_anon_refund.json", "refunds/create", "no_op:unknown_topic"),
    ("webhook_docs2026-04_fulfillment_events_create.json", "fulfillment_events/create", "shipment"),
    ("webhook_docs2026-04_fulfillments_create.json", "fulfillments/create", "no_op:not_shipped"),
    ("webhook_docs2026-04_fulfillments_update.json", "fulfillments/update", "no_op:not_shipped"),
    ("webhook_docs2026-04_orders_cancelled.json", "orders/cancelled", "created:silent>New"),
    ("webhook_docs2026-04_orders_create.json", "orders/create", "created:silent>New"),
    ("webhook_docs2026-04_orders_partially_fulfilled.json", "orders/partially_fulfilled", "created:silent>New"),
    ("webhook_exactids_fulfillment_events_create.json", "fulfillment_events/create", "shipment"),
    ("webhook_exactids_fulfillments_create.json", "fulfillments/create", "no_op:not_shipped"),
    ("webhook_exactids_fulfillments_update.json", "fulfillments/update", "no_op:not_shipped"),
    ("webhook_exactids_orders_create.json", "orders/create", "created:silent>New"),
    ("webhook_exactids_orders_fulfilled.json", "orders/fulfilled", "created:silent>New"),
    ("webhook_exactids_orders_partially_fulfilled.json", "orders/partially_fulfilled", "created:silent>New"),
];

/// Two documented notifications of one order of 2017; the rest is what the API answers.
#[rustfmt::skip]
const WOOCOMMERCE: &[Row] = &[
    ("docs_error_rest_no_route.json", "order.updated", "quarantined"),
    ("docs_error_term_invalid.json", "order.updated", "quarantined"),
    ("docs_order_created_processing.json", "order.created", "created:silent>New"),
    ("docs_order_note.json", "order.updated", "quarantined"),
    ("docs_order_refund.json", "order.updated", "quarantined"),
    ("docs_order_updated_completed.json", "order.updated", "fulfillment>Shipped"),
    ("docs_orders_batch.json", "order.updated", "quarantined"),
    ("docs_orders_list.json", "order.updated", "quarantined"),
    ("docs_webhook_created.json", "order.updated", "quarantined"),
    ("docs_webhook_paused.json", "order.updated", "quarantined"),
    ("error_cannot_edit_401.json", "order.updated", "quarantined"),
    ("error_invalid_id_400.json", "order.updated", "quarantined"),
    ("error_rest_no_route_404.json", "order.updated", "quarantined"),
];

/// A tracker on its own means the same as in an event; no order has these parcels, so they are parked.
#[rustfmt::skip]
const EASYPOST: &[Row] = &[
    ("cassette_event_all_0.json", "", "quarantined"),
    ("cassette_event_retrieve_0.json", "", "quarantined"),
    ("cassette_event_retrieve_payload_0.json", "", "no_op:unknown_topic"),
    ("cassette_event_retrieve_payload_1.json", "", "no_op:unknown_topic"),
    ("cassette_event_retrieve_payload_2.json", "", "quarantined"),
    ("cassette_event_retrieve_payload_3.json", "", "quarantined"),
    ("cassette_event_retrieve_payload_4.json", "", "quarantined"),
    ("cassette_tracker_all_0.json", "", "quarantined"),
    ("cassette_tracker_create_0.json", "", "parked"),
    ("cassette_tracker_retrieve_0.json", "", "parked"),
    ("cassette_tracker_retrieve_1.json", "", "parked"),
    ("cassette_tracker_retrieve_batch_0.json", "", "parked"),
    ("cassette_tracker_retrieve_batch_1.json", "", "quarantined"),
    ("cassette_webhook_create_0.json", "", "no_op:unknown_topic"),
    ("cassette_webhook_create_1.json", "", "quarantined"),
    ("docs_events_list.json", "", "quarantined"),
    ("docs_events_retrieve.json", "", "quarantined"),
    ("docs_trackers_create.json", "", "parked"),
    ("docs_trackers_list.json", "", "quarantined"),
    ("docs_trackers_retrieve.json", "", "parked"),
    ("docs_webhooks_create.json", "", "no_op:unknown_topic"),
    ("docs_webhooks_list.json", "", "quarantined"),
    ("event_tracker_updated_in_transit.json", "", "parked"),
];

/// One recorded payload on its way to a route.
struct Item {
    name: String,
    path: String,
    notification: Notification,
}

/// The table's files, after a check that it lists the folder exactly.
fn listed(folder: &str, table: &[Row]) -> BTreeMap<String, Vec<u8>> {
    let found = files(folder);
    if found.is_empty() {
        return found;
    }
    let names: BTreeSet<&str> = found.keys().map(String::as_str).collect();
    let rows: BTreeSet<&str> = table.iter().map(|row| row.0).collect();
    let new: Vec<_> = names.difference(&rows).collect();
    assert!(new.is_empty(), "{folder} has files that its table does not list: say what becomes of {new:?}");
    let gone: Vec<_> = rows.difference(&names).collect();
    assert!(gone.is_empty(), "the table of {folder} lists files that are gone: {gone:?}");
    found
}

/// A store of its own for the file.
async fn shopify_item(world: &World, number: usize, name: &str, topic: &str, body: &[u8]) -> Item {
    let mut notification = shopify(SHOPIFY_SECRET, topic, body);
    let own = name.starts_with("webhook_") || name.starts_with("derived_webhook_");
    let path = if own {
        let store = format!("file-{number}.myshopify.com");
        notification.headers.retain(|(name, _)| name != "X-Shopify-Shop-Domain");
        notification.headers.push(("X-Shopify-Shop-Domain".to_owned(), store.clone()));
        connect(world, json!({"platform": "shopify", "store": store}), SHOPIFY_SECRET).await
    } else {
        format!("/webhooks/shopify/{}", world.ids.shopify)
    };
    Item { name: name.to_owned(), path, notification }
}

async fn connect(world: &World, mut channel: Value, secret: &str) -> String {
    channel["name"] = json!("Recorded");
    channel["webhook_secret"] = json!(secret);
    channel["default_flow"] = json!(world.ids.flow);
    let made = world.api.post("/v1/channels", &channel).await.ok();
    made["inbound_path"].as_str().unwrap().to_owned()
}

async fn shopify_items(world: &World) -> Vec<Item> {
    let found = listed("shopify", SHOPIFY);
    let mut items = Vec::new();
    for (i, (name, topic, _)) in SHOPIFY.iter().enumerate().filter(|(_, row)| found.contains_key(row.0)) {
        items.push(shopify_item(world, i, name, topic, &found[*name]).await);
    }
    items
}

fn woocommerce_items(world: &World) -> Vec<Item> {
    let found = listed("woocommerce", WOOCOMMERCE);
    let path = format!("/webhooks/woocommerce/{}", world.ids.woo);
    let item = |(name, topic, _): &Row| {
        let notification = woo(WOO_SECRET, topic, found.get(*name)?);
        Some(Item { name: (*name).to_owned(), path: path.clone(), notification })
    };
    WOOCOMMERCE.iter().filter_map(item).collect()
}

fn easypost_items(world: &World) -> Vec<Item> {
    let found = listed("easypost", EASYPOST);
    let path = format!("/webhooks/carriers/{}", world.ids.carrier);
    let item = |(name, _, _): &Row| {
        let notification = easypost(EASYPOST_SECRET, found.get(*name)?);
        Some(Item { name: (*name).to_owned(), path: path.clone(), notification })
    };
    EASYPOST.iter().filter_map(item).collect()
}

/// Makes a channel one of the World's own WooCommerce site. Nobody connects a site twice over the API.
async fn of_the_same_site(world: &World, path: &str) {
    let store = &world.host.core().store;
    let id = ChannelId::parse(path.rsplit('/').next().unwrap()).unwrap();
    let mut channel = store.channel(&id).await.unwrap().unwrap();
    channel.store = world.woo.url().to_owned();
    let mut settings = store.settings(&world.shop).await.unwrap().unwrap();
    settings.config_version += 1;
    store.save(&ConfigChange::Channel(channel), &settings).await.unwrap();
}

/// Requests that a real WooCommerce sent, with their own headers and signatures: each of its secrets gets a
/// channel of the same site.
async fn captured_items(world: &World, folder: &str) -> Vec<Item> {
    let mut paths = BTreeMap::new();
    let mut items = Vec::new();
    for (name, file) in files(folder) {
        let capture: Value = serde_json::from_slice(&file).unwrap();
        let secret = capture["secret"].as_str().unwrap_or(WOO_SECRET).to_owned();
        if !paths.contains_key(&secret) {
            let site = format!("https://capture-{}.example", paths.len());
            let path = connect(world, json!({"platform": "woocommerce", "store": site}), &secret).await;
            of_the_same_site(world, &path).await;
            paths.insert(secret.clone(), path);
        }
        let body = STANDARD.decode(capture["body_base64"].as_str().unwrap()).unwrap();
        let headers: Vec<_> = capture["headers"].as_array().unwrap().iter().filter_map(header).collect();
        let topic = headers.iter().find(|h| h.0 == "X-WC-Webhook-Topic").map_or("", |h| h.1);
        let notification = notification(topic, &headers, &body);
        items.push(Item { name, path: paths[&secret].clone(), notification });
    }
    items
}

/// A header that belongs to the notification and not to its connection.
fn header(pair: &Value) -> Option<(&str, &str)> {
    let (name, value) = (pair[0].as_str()?, pair[1].as_str()?);
    (!["Host", "Connection", "Content-Length", "Accept-Encoding"].contains(&name)).then_some((name, value))
}

/// Posts it, and gives what became of it with the order that it made or changed.
async fn deliver(world: &World, item: &Item) -> (Posted, Option<String>) {
    let posted = world.courier.post(&item.path, &item.notification).await.unwrap();
    let told: Value = serde_json::from_slice(&posted.body).unwrap_or_default();
    (posted, told["order"].as_str().map(str::to_owned))
}

/// Posts everything in order and compares each outcome with the one expected.
async fn deliver_all(world: &World, items: &[Item], mut expected: impl FnMut(&Item) -> String) {
    let mut orders = BTreeSet::new();
    let mut wrong = Vec::new();
    let mut unreadable = BTreeSet::new();
    for item in items {
        let (posted, order) = deliver(world, item).await;
        let got = outcome(world, &posted).await;
        if got == "quarantined" {
            unreadable.insert((&item.path, &item.notification.topic, &item.notification.body));
        }
        orders.extend(order);
        let expected = expected(item);
        if got != expected {
            wrong.push(format!("{} {}: expected {expected}, got {got}", item.name, item.notification.topic));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), items.len(), wrong.join("\n"));
    assert_rest(world, &orders).await;
    let kept = world.api.get("/v1/quarantine?limit=100").await.ok()["items"].as_array().unwrap().len();
    assert_eq!(kept, unreadable.len().min(100), "every unreadable payload is kept, the same one once");
}

/// After everything: no order in an impossible state, no message lost, no platform called.
async fn assert_rest(world: &World, orders: &BTreeSet<String>) {
    let ids: Vec<String> = orders.iter().cloned().collect();
    come_to_rest(world, &ids).await;
    for id in orders {
        assert_sound(world, id).await;
    }
    assert_eq!(world.host.dead_letters().await, 0);
    assert_eq!(world.shopify.fulfillment_calls() + world.woo.fulfillment_calls(), 0);
}

fn in_table(table: &'static [Row]) -> impl FnMut(&Item) -> String {
    move |item| table.iter().find(|row| row.0 == item.name).expect("listed").2.to_owned()
}

#[tokio::test]
async fn every_recorded_shopify_payload_ends_as_written_down() {
    let world = World::start().await;
    let items = shopify_items(&world).await;
    deliver_all(&world, &items, in_table(SHOPIFY)).await;
    assert!(world.mails().is_empty(), "orders older than their channel are adopted silently");
}

#[tokio::test]
async fn every_recorded_woocommerce_payload_ends_as_written_down() {
    let world = World::start().await;
    let items = woocommerce_items(&world);
    deliver_all(&world, &items, in_table(WOOCOMMERCE)).await;
    assert!(world.mails().is_empty(), "orders older than their channel are adopted silently");
}

#[tokio::test]
async fn every_recorded_easypost_payload_ends_as_written_down() {
    let world = World::start().await;
    let items = easypost_items(&world);
    deliver_all(&world, &items, in_table(EASYPOST)).await;
}

/// What a capture must come to, told by its body and by what the captures before it said.
#[derive(Default)]
struct Site {
    orders: BTreeMap<u64, Shown>,
}

/// An order as the captures have shown it last.
struct Shown {
    modified: String,
    /// None in the trash: whatever comes next is news.
    content: Option<Value>,
    /// Somebody may move it no more: it was completed.
    shipped: bool,
}

impl Site {
    fn expected(&mut self, item: &Item) -> String {
        let n = &item.notification;
        if n.topic.is_empty() {
            // The ping, and the callback that brings keys, which is not signed and not meant for this route.
            return if item.name.contains("ping") { "empty".to_owned() } else { "401".to_owned() };
        }
        if !n.topic.starts_with("order.") {
            return "no_op:unknown_topic".to_owned();
        }
        let body: Value = serde_json::from_slice(&n.body).unwrap();
        match (body["id"].as_u64(), body["status"].as_str()) {
            (None, _) => "quarantined".to_owned(),
            (Some(id), None) => self.deleted(id),
            (Some(_), Some("checkout-draft")) => "no_op:draft".to_owned(),
            (Some(id), Some(status)) => self.shown(id, status, &body),
        }
    }

    fn deleted(&mut self, id: u64) -> String {
        match self.orders.get_mut(&id) {
            None => "no_op:unknown_order".to_owned(),
            Some(shown) if shown.content.is_none() => "no_op:same".to_owned(),
            Some(shown) => {
                shown.content = None;
                "trashed".to_owned()
            }
        }
    }

    fn shown(&mut self, id: u64, status: &str, body: &Value) -> String {
        let modified = body["date_modified_gmt"].as_str().unwrap().to_owned();
        let (content, completed) = (Some(content(status, body)), all_left(status));
        let Some(known) = self.orders.get_mut(&id) else {
            if status == "failed" || (status == "pending" && body["date_paid_gmt"].is_null()) {
                return "no_op:draft".to_owned();
            }
            self.orders.insert(id, Shown { modified, content, shipped: completed });
            let silent = if dead(status) { ":silent" } else { "" };
            return format!("created{silent}>{}", if completed { "Shipped" } else { "New" });
        };
        if modified < known.modified {
            return "no_op:older".to_owned();
        }
        if content == known.content {
            known.modified = modified;
            return "no_op:same".to_owned();
        }
        let before = std::mem::replace(&mut known.content, content.clone());
        known.modified = modified;
        let kind = kind(before.as_ref(), &content.unwrap());
        let moved = completed && !known.shipped;
        known.shipped |= completed;
        if moved { format!("{kind}>Shipped") } else { kind.to_owned() }
    }
}

/// Completed, or what a tracking plugin calls so.
fn all_left(status: &str) -> bool {
    matches!(status, "completed" | "shipped" | "delivered")
}

fn dead(status: &str) -> bool {
    matches!(status, "cancelled" | "refunded" | "failed" | "trash")
}

/// What of an order's body can change an order here.
fn content(status: &str, body: &Value) -> Value {
    let meta = |key: &str| {
        let all = body["meta_data"].as_array().unwrap();
        all.iter().rev().find(|m| m["key"] == key).map(|m| m["value"].clone())
    };
    let line = |l: &Value| json!([l["name"], l["sku"], l["quantity"], l["price"]]);
    json!({
        "status": if matches!(status, "processing" | "completed") { "under way" } else { status },
        "completed": all_left(status).then(|| json!([status, body["date_completed_gmt"]])),
        "people": [body["billing"], body["shipping"]],
        "money": [body["total"], body["currency"], body["number"]],
        "lines": body["line_items"].as_array().unwrap().iter().map(line).collect::<Vec<_>>(),
        "tracking": meta("_wc_shipment_tracking_items"),
        "fulfilled": meta("_fulfillment_status").filter(|s| s != "unfulfilled"),
    })
}

/// The kind of the change between two contents.
fn kind(before: Option<&Value>, after: &Value) -> &'static str {
    let died = |content: &Value| dead(content["status"].as_str().unwrap());
    let Some(before) = before else { return "reopened" };
    if died(before) != died(after) {
        return if died(after) { "cancelled" } else { "reopened" };
    }
    if before["completed"] != after["completed"] || before["fulfilled"] != after["fulfilled"] {
        return "fulfillment";
    }
    if before["tracking"] != after["tracking"] { "packages" } else { "updated" }
}

async fn every_capture_ends_as_expected(folder: &str) {
    let world = World::start().await;
    let items = captured_items(&world, folder).await;
    world.clock.set("2026-11-22T12:00:00Z".parse().unwrap());
    let mut site = Site::default();
    deliver_all(&world, &items, |item| site.expected(item)).await;
}

#[tokio::test]
async fn every_request_of_a_real_woocommerce_ends_as_its_body_says() {
    every_capture_ends_as_expected("woocommerce-live/webhooks").await;
}

#[tokio::test]
async fn every_request_of_a_real_woocommerce_10_5_ends_as_its_body_says() {
    every_capture_ends_as_expected("woocommerce-live/10.5/webhooks").await;
}

#[tokio::test]
async fn all_recorded_payloads_in_any_order_leave_every_order_in_a_state_that_can_be() {
    let world = World::start().await;
    let mut items = shopify_items(&world).await;
    items.extend(woocommerce_items(&world));
    items.extend(easypost_items(&world));
    items.extend(captured_items(&world, "woocommerce-live/webhooks").await);
    items.extend(captured_items(&world, "woocommerce-live/10.5/webhooks").await);
    world.clock.set("2026-11-22T12:00:00Z".parse().unwrap());
    let mut orders = BTreeSet::new();
    for item in shuffled(items, 20_261_122) {
        let (posted, order) = deliver(&world, &item).await;
        let unsigned = item.name.contains("wc-auth-callback");
        assert_eq!(posted.status, if unsigned { 401 } else { 200 }, "{}", item.name);
        orders.extend(order);
    }
    assert_rest(&world, &orders).await;
    assert!(orders.is_empty() || orders.len() > 20, "{} orders", orders.len());
}
