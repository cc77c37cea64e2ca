//! REST v3 for one order, its notes, and what plugins add (live notes §2, §4).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::state::{State, TRACKING};
use super::{Inner, UPDATED, lock, payload};
use crate::json::php;
use crate::server::{Answer, Handler, Request};

/// A PUT that sets *completed*, in the log.
pub(super) const COMPLETE: &str = "PUT order completed";
/// The list of orders.
const LIST: &str = "/wp-json/wc/v3/orders";
/// A POST to the fulfillments feature, in the log.
pub(super) const POST_FULFILLMENTS: &str = "POST fulfillments";
const STATUSES: &[&str] = &[
    "auto-draft",
    "pending",
    "processing",
    "on-hold",
    "completed",
    "cancelled",
    "refunded",
    "failed",
    "checkout-draft",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Resource {
    Order,
    Notes,
    Fulfillments,
    ShipmentTrackings,
}

struct Call {
    resource: Resource,
    order: u64,
    writes: bool,
    body: Value,
}

impl Handler for Inner {
    async fn handle(&self, request: Request) -> Option<Answer> {
        let request = match self.received(request) {
            Ok(request) => request,
            Err(page) => return self.desk.answer("?", None, false, page).await,
        };
        if request.method == Method::GET && request.path == LIST {
            let answer = self.desk.refused(false).or_else(|| self.authorize(&request, false).err());
            let answer = answer.unwrap_or_else(|| self.changed(&request.query));
            return self.desk.answer("GET orders", None, false, answer).await;
        }
        let call = match self.read(&request) {
            Ok(call) => call,
            Err(refused) => return self.desk.answer("?", None, false, refused).await,
        };
        let (what, order) = (call.what(&request.method), Some(call.order.to_string()));
        if let Some(refused) = self.desk.refused(call.writes) {
            return self.desk.answer(&what, order, false, refused).await;
        }
        if self.desk.throttled() {
            let mut refused = Answer::empty(429);
            refused.headers.push(("retry-after", "2".to_owned()));
            return self.desk.answer(&what, order, false, refused).await;
        }
        let answer = self.act(&call);
        self.desk.answer(&what, order, call.writes, answer).await
    }
}

fn json_answer(status: u16, body: &Value) -> Answer {
    Answer::json(status, php(body))
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    json_answer(status, &json!({ "code": code, "message": message, "data": { "status": status } }))
}

fn no_route() -> Answer {
    error(404, "rest_no_route", "No route was found matching the URL and request method.")
}

impl Inner {
    /// The request as it reaches the API: by its path, or with plain permalinks by the route in its query.
    fn received(&self, mut request: Request) -> Result<Request, Answer> {
        let state = lock(&self.state);
        let query: BTreeMap<_, _> = form_urlencoded::parse(request.query.as_bytes()).into_owned().collect();
        if state.drops_login {
            request.headers.remove("authorization");
        }
        match (state.plain_permalinks, query.get("rest_route")) {
            (false, _) => {}
            (true, Some(route)) if request.path == "/" => {
                // Keys are only looked at where the address says so somewhere (live notes 42).
                if !request.query.contains("wp-json/wc/") {
                    request.headers.remove("authorization");
                    request.query.clear();
                }
                request.path = format!("/wp-json{route}");
            }
            (true, _) => {
                let headers = vec![("content-type", "text/html; charset=UTF-8".to_owned())];
                return Err(Answer {
                    status: 404,
                    headers,
                    body: b"<!doctype html><title>Not found".to_vec(),
                });
            }
        }
        Ok(request)
    }

    /// Route, key and body, in WordPress's order.
    fn read(&self, request: &Request) -> Result<Call, Answer> {
        let writes = match request.method {
            Method::GET => false,
            Method::POST | Method::PUT | Method::PATCH => true,
            _ => return Err(no_route()),
        };
        let (resource, order) = route(&request.path).ok_or_else(no_route)?;
        let alters = resource == Resource::Order || request.method == Method::POST;
        if writes && !alters || !lock(&self.state).has(resource) {
            return Err(no_route());
        }
        self.authorize(request, writes)?;
        // Under any other type WordPress ignores the body and answers 200 (live notes 47).
        let typed = request.header("content-type").is_some_and(|t| t.starts_with("application/json"));
        let body = if writes && typed { serde_json::from_slice(&request.body) } else { Ok(json!({})) };
        let body = body.map_err(|_| error(400, "rest_invalid_json", "Invalid JSON body passed."))?;
        Ok(Call { resource, order, writes, body })
    }

    /// Live notes 41.
    fn authorize(&self, request: &Request, writes: bool) -> Result<(), Answer> {
        let denied = |message| error(401, "woocommerce_rest_authentication_error", message);
        let given = request.header("authorization").and_then(|a| a.strip_prefix("Basic "));
        let given = given.and_then(|g| STANDARD.decode(g).ok()).and_then(|g| String::from_utf8(g).ok());
        let query: BTreeMap<_, _> = form_urlencoded::parse(request.query.as_bytes()).into_owned().collect();
        let in_query = query.get("consumer_key").zip(query.get("consumer_secret"));
        let in_query = in_query.map(|(key, secret)| format!("{key}:{secret}"));
        let given = given.or(in_query);
        let given = given.as_deref().and_then(|g| g.split_once(':'));
        let key = self.key.split_once(':').unwrap_or((&self.key, ""));
        match given {
            Some(given) if given == key => {}
            Some((name, _)) if name == key.0 => return Err(denied("Consumer secret is invalid.")),
            _ if writes => {
                let message = "Sorry, you are not allowed to edit this resource.";
                return Err(error(401, "woocommerce_rest_cannot_edit", message));
            }
            _ => {
                let message = "Sorry, you cannot view this resource.";
                return Err(error(401, "woocommerce_rest_cannot_view", message));
            }
        }
        if writes && lock(&self.state).read_only {
            return Err(denied("The API key provided does not have write permissions."));
        }
        Ok(())
    }

    /// Orders that changed after `modified_after`, which is exclusive and in whole seconds; trash is left out
    /// (live notes 51, 52).
    fn changed(&self, query: &str) -> Answer {
        let given: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let number =
            |key: &str, default: usize| given.get(key).and_then(|n| n.parse().ok()).unwrap_or(default);
        let per_page = number("per_page", 10);
        let since =
            given.get("modified_after").map_or(Ok(Timestamp::UNIX_EPOCH), |at| at.parse::<Timestamp>());
        let (Ok(since), 1..=100) = (since, per_page) else {
            return error(400, "rest_invalid_param", "Invalid parameter(s)");
        };
        let state = lock(&self.state);
        let there =
            state.orders.values().filter(|o| !o.trashed() && o.modified.as_second() > since.as_second());
        let mut found: Vec<_> = there.collect();
        found.sort_by_key(|o| (o.modified, o.id));
        let start = per_page.saturating_mul(number("page", 1).saturating_sub(1));
        let page = found.into_iter().skip(start).take(per_page).map(|o| payload::order(o, &state.site));
        json_answer(200, &Value::Array(page.collect()))
    }

    fn act(&self, call: &Call) -> Answer {
        let mut state = lock(&self.state);
        if !state.orders.contains_key(&call.order) {
            return unknown(call);
        }
        match (call.resource, call.writes) {
            (Resource::Order, false) => show(&state, call.order, 200),
            (Resource::Order, true) => self.put_order(&mut state, call),
            (Resource::Notes, true) => self.post_note(&mut state, call),
            (Resource::Fulfillments, true) => self.post_fulfillment(&mut state, call),
            (Resource::ShipmentTrackings, true) => self.post_tracking(&mut state, call),
            (resource, false) => list(&state, resource, call.order),
        }
    }

    /// Every accepted PUT sends one `order.updated`, also when nothing changed (live notes 12).
    fn put_order(&self, state: &mut State, call: &Call) -> Answer {
        let status = call.body.get("status").and_then(Value::as_str);
        if status.is_some_and(|s| !STATUSES.contains(&s)) {
            return error(400, "rest_invalid_param", "Invalid parameter(s): status");
        }
        let at = self.desk.tick();
        for entry in call.body.get("meta_data").and_then(Value::as_array).into_iter().flatten() {
            let key = entry.get("key").and_then(Value::as_str);
            if let (Some(key), Some(value)) = (key, entry.get("value")) {
                state.set_meta(call.order, key, value.clone());
            }
        }
        state.saved_meta(call.order, at);
        let Some(order) = state.orders.get_mut(&call.order) else { return unknown(call) };
        let trashed = order.trashed();
        if status.is_some_and(|s| s != order.status) {
            order.modified = at;
        }
        let completes = status == Some("completed") && order.status != "completed";
        let mailed = status.is_some_and(|s| order.set_status(s, at));
        state.mails += usize::from(mailed);
        // Out of the trash nothing is sent (live notes 18).
        if !trashed {
            self.tell(state, call.order, &[UPDATED]);
        }
        let answer = show(state, call.order, 200);
        if completes {
            self.extra_updates(state, call.order);
        }
        answer
    }

    /// Plugins that save the order again once it is complete.
    fn extra_updates(&self, state: &mut State, order: u64) {
        for n in 1..=state.extra_updates {
            state.set_meta(order, "_standin_synced", json!(n.to_string()));
            state.saved_meta(order, self.desk.tick());
            self.tell(state, order, &[UPDATED]);
        }
    }

    /// Sends nothing and does not touch the order's time (live notes 16).
    fn post_note(&self, state: &mut State, call: &Call) -> Answer {
        let Some(text) = call.body.get("note").and_then(Value::as_str) else {
            return error(400, "rest_missing_callback_param", "Missing parameter(s): note");
        };
        let customer = call.body.get("customer_note").and_then(Value::as_bool).unwrap_or_default();
        state.add_note(call.order, text, customer, self.desk.tick());
        let note = state.orders.get(&call.order).and_then(|o| o.notes.last()).map(payload::note);
        json_answer(201, &note.unwrap_or_default())
    }

    fn post_tracking(&self, state: &mut State, call: &Call) -> Answer {
        let text = |key: &str| call.body.get(key).and_then(Value::as_str).unwrap_or_default();
        if text("tracking_number").is_empty() {
            return error(400, "rest_missing_callback_param", "Missing parameter(s): tracking_number");
        }
        let at = self.desk.tick();
        let entry = json!({
            "tracking_provider": text("tracking_provider"),
            "custom_tracking_provider": text("custom_tracking_provider"),
            "custom_tracking_link": text("custom_tracking_link"),
            "tracking_number": text("tracking_number"),
            "date_shipped": at.as_second().to_string(),
            "tracking_id": format!("{:032x}", state.next()),
        });
        let answer = json_answer(201, &payload::tracking(&entry));
        state.add_tracking(call.order, entry);
        self.saved(state, call.order);
        answer
    }

    /// Needs `"id": 0` in each metadata entry, else the entry is dropped (live notes §4).
    fn post_fulfillment(&self, state: &mut State, call: &Call) -> Answer {
        let at = self.desk.tick();
        let status = call.body.get("status").and_then(Value::as_str).unwrap_or_default();
        let status = if status == "fulfilled" { status } else { "unfulfilled" };
        let entries = call.body.get("meta_data").and_then(Value::as_array).into_iter().flatten();
        let entry = |e: &Value| {
            let kept = e.get("id").and_then(Value::as_u64) == Some(0);
            kept.then(|| Some((e.get("key")?.as_str()?.to_owned(), e.get("value")?.clone()))).flatten()
        };
        let entries: Vec<(String, Value)> = entries.filter_map(entry).collect();
        let items = entries.iter().find(|(key, _)| key == "_items").and_then(|(_, v)| v.as_array());
        if items.is_none_or(Vec::is_empty) {
            let message = "The fulfillment should contain at least one item.";
            return json_answer(400, &json!({ "code": 0, "message": message, "data": { "status": 400 } }));
        }
        state.add_fulfillment(call.order, status, entries, at);
        let order = state.orders.get(&call.order);
        let told = call.body.get("notify_customer") == Some(&json!(true));
        let told = told && order.is_some_and(|o| o.spec.email.is_some());
        let made = order.and_then(|o| o.fulfillments.last()).map(|f| payload::fulfillment(call.order, f));
        state.mails += usize::from(told);
        self.saved(state, call.order);
        json_answer(201, &made.unwrap_or_default())
    }

    fn saved(&self, state: &mut State, order: u64) {
        state.saved_meta(order, self.desk.tick());
        self.tell(state, order, &[UPDATED]);
    }
}

impl State {
    fn has(&self, resource: Resource) -> bool {
        match resource {
            Resource::Order | Resource::Notes => true,
            Resource::Fulfillments => self.fulfillments,
            Resource::ShipmentTrackings => self.shipment_tracking,
        }
    }
}

impl Call {
    fn what(&self, method: &Method) -> String {
        let completes = self.body.get("status").and_then(Value::as_str) == Some("completed");
        match self.resource {
            Resource::Order if self.writes && completes => COMPLETE.to_owned(),
            Resource::Order if self.writes => "PUT order".to_owned(),
            Resource::Order => "GET order".to_owned(),
            Resource::Notes => format!("{method} notes"),
            Resource::Fulfillments => format!("{method} fulfillments"),
            Resource::ShipmentTrackings => format!("{method} shipment-trackings"),
        }
    }
}

fn route(path: &str) -> Option<(Resource, u64)> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (resource, id) = match segments.as_slice() {
        ["wp-json", "wc", "v3", "orders", id] => (Resource::Order, id),
        ["wp-json", "wc", "v3", "orders", id, "notes"] => (Resource::Notes, id),
        ["wp-json", "wc", "v3", "orders", id, "fulfillments"] => (Resource::Fulfillments, id),
        ["wp-json", "wc-shipment-tracking", "v3", "orders", id, "shipment-trackings"] => {
            (Resource::ShipmentTrackings, id)
        }
        _ => return None,
    };
    Some((resource, id.parse().ok()?))
}

/// Live notes 43.
fn unknown(call: &Call) -> Answer {
    match (call.resource, call.writes) {
        (Resource::Order, true) => error(400, "woocommerce_rest_shop_order_invalid_id", "Invalid ID."),
        (Resource::Order, false) => error(404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID."),
        _ => error(404, "woocommerce_rest_order_invalid_id", "Invalid order ID."),
    }
}

fn show(state: &State, order: u64, status: u16) -> Answer {
    let body = state.orders.get(&order).map(|o| payload::order(o, &state.site));
    json_answer(status, &body.unwrap_or_default())
}

fn list(state: &State, resource: Resource, order: u64) -> Answer {
    let Some(order) = state.orders.get(&order) else { return no_route() };
    let entries: Vec<Value> = match resource {
        Resource::Order => Vec::new(),
        // Newest first.
        Resource::Notes => order.notes.iter().rev().map(payload::note).collect(),
        Resource::Fulfillments => {
            order.fulfillments.iter().map(|f| payload::fulfillment(order.id, f)).collect()
        }
        Resource::ShipmentTrackings => {
            let list = order.meta.iter().find(|m| m.key == TRACKING).and_then(|m| m.value.as_array());
            list.into_iter().flatten().map(payload::tracking).collect()
        }
    };
    json_answer(200, &Value::Array(entries))
}
