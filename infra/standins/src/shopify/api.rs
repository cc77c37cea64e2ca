//! `POST /{store}/admin/api/{version}/graphql.json`: the one query and the one mutation that fulfilling
//! takes (integrations §2.2 to §2.5).

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::orders;
use super::select::{Field, parse, select};
use super::state::{Fulfillment, FulfillmentOrder, Order, Status, Take};
use super::{API_VERSION, Inner, lock};
use crate::json::time;
use crate::server::{Answer, Handler, Request};
use crate::spec::Tracking;

/// The mutation's name, also in the log.
pub(super) const FULFILLMENT_CREATE: &str = "fulfillmentCreate";
const ORDER: &str = "order";
const INSTALLATION: &str = "currentAppInstallation";
/// Fields that the app's documented scopes do not cover, and the scopes that they take.
const BEYOND: [(&str, &str); 2] = [
    ("location", "`read_locations` access scope or `read_inventory` access scope."),
    ("customer", "`read_customers` access scope."),
];
/// The bucket of a store on the Advanced plan.
const BUCKET: u32 = 2_000;
const RATE: u32 = 200;

impl Handler for Inner {
    async fn handle(&self, request: Request) -> Option<Answer> {
        if let Some(refused) = self.refuse(&request) {
            return self.desk.answer("?", None, false, refused).await;
        }
        let Some(call) = GraphqlCall::read(&request.body) else {
            let body = json!({ "errors": { "query": "Required parameter missing or invalid" } });
            return self.desk.answer("?", None, false, answer(400, &body)).await;
        };
        let writes = call.field.name == FULFILLMENT_CREATE;
        let order = call.order(self);
        if let Some(refused) = self.desk.refused(writes) {
            // Not spoiled or held: nothing was done.
            return self.desk.answer(&call.field.name, order, false, refused).await;
        }
        let throttled = self.desk.throttled();
        let body = if throttled { throttled_answer(call.cost()) } else { self.act(&call) };
        self.desk.answer(&call.field.name, order, writes && !throttled, answer(200, &body)).await
    }
}

/// The app with the scopes that our documentation asks for.
fn installation() -> Value {
    let scopes = ["read_orders", "read_fulfillments", "write_merchant_managed_fulfillment_orders"];
    json!({ "accessScopes": scopes.map(|handle| json!({ "handle": handle })) })
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer::json(status, body.to_string().into_bytes())
}

impl Inner {
    /// The address and the token.
    fn refuse(&self, request: &Request) -> Option<Answer> {
        let path = format!("/{}/admin/api/{API_VERSION}/graphql.json", self.domain);
        if request.path != path || request.method != Method::POST {
            return Some(answer(404, &json!({ "errors": "Not Found" })));
        }
        if request.header("x-shopify-access-token") != Some(&self.token) {
            let words = "[API] Invalid API key or access token (unrecognized login or wrong password)";
            return Some(answer(401, &json!({ "errors": words })));
        }
        None
    }

    fn act(&self, call: &GraphqlCall) -> Value {
        let beyond = BEYOND.iter().find(|(field, _)| call.field.asks_for(field));
        if let Some((field, access)) = beyond {
            return denied(&call.field.name, field, access);
        }
        let data = match call.field.name.as_str() {
            FULFILLMENT_CREATE => self.fulfillment_create(call),
            ORDER => self.order(call),
            orders::ORDERS => orders::changed(&lock(&self.state), &call.variables, call.field.first),
            INSTALLATION => Ok(installation()),
            name => return undefined(name),
        };
        let selected = data.and_then(|data| {
            let data = json!({ call.field.name.clone(): data });
            select(&data, std::slice::from_ref(&call.field)).map_err(|name| undefined(&name))
        });
        match selected {
            Ok(data) => {
                json!({ "data": data, "extensions": { "cost": cost(call.cost(), Some(call.cost())) } })
            }
            Err(errors) => errors,
        }
    }

    fn order(&self, call: &GraphqlCall) -> Result<Value, Value> {
        let id = call.variables.get("id").and_then(Value::as_str).ok_or_else(|| invalid("id"))?;
        let id = numeric(id, "Order").ok_or_else(|| invalid("id"))?;
        let state = lock(&self.state);
        Ok(state.orders.get(&id).map_or(Value::Null, order_node))
    }

    fn fulfillment_create(&self, call: &GraphqlCall) -> Result<Value, Value> {
        let input = call.input().ok_or_else(|| invalid("fulfillment"))?;
        let takes = takes(input).ok_or_else(|| invalid("fulfillment"))?;
        let at = self.desk.tick();
        let mut state = lock(&self.state);
        let shown = takes.iter().all(|(id, _)| state.shows(*id));
        let made = if shown {
            tracking(input).and_then(|t| state.ship(&takes, &t, at))
        } else {
            Err("Fulfillment order does not exist.".to_owned())
        };
        let shipment = match made {
            Ok(shipment) => shipment,
            Err(message) => {
                let error = json!({ "field": ["fulfillment"], "message": message });
                return Ok(json!({ "fulfillment": null, "userErrors": [error] }));
            }
        };
        self.announce_fulfillment(&mut state, shipment);
        let order = state.orders.get(&shipment.order);
        let told = order.is_some_and(|o| o.spec.email.is_some())
            && input.get("notifyCustomer") == Some(&json!(true));
        let node = order.and_then(|o| o.fulfillments.last()).map(fulfillment_node);
        state.mails += usize::from(told);
        Ok(json!({ "fulfillment": node, "userErrors": [] }))
    }
}

/// A call with one field.
struct GraphqlCall {
    field: Field,
    variables: Value,
}

impl GraphqlCall {
    fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let mut fields = parse(body.get("query")?.as_str()?)?;
        let field = fields.pop().filter(|_| fields.is_empty())?;
        Some(Self { field, variables: body.get("variables").cloned().unwrap_or_default() })
    }

    /// The `FulfillmentInput`, whatever its variable is called.
    fn input(&self) -> Option<&Value> {
        self.variables.as_object()?.values().find(|v| v.get("lineItemsByFulfillmentOrder").is_some())
    }

    /// The order that the call is about, for the log.
    fn order(&self, inner: &Inner) -> Option<String> {
        if let Some(id) = self.variables.get("id").and_then(Value::as_str) {
            return numeric(id, "Order").map(|id| id.to_string());
        }
        let (first, _) = takes(self.input()?)?.into_iter().next()?;
        lock(&inner.state).owner(first).map(|id| id.to_string())
    }

    fn cost(&self) -> u32 {
        if self.field.name == FULFILLMENT_CREATE { 10 } else { 22 }
    }
}

fn numeric(gid: &str, kind: &str) -> Option<u64> {
    gid.strip_prefix("gid://shopify/")?.strip_prefix(kind)?.strip_prefix('/')?.parse().ok()
}

/// What is to be fulfilled; `None` if the input's types are wrong.
fn takes(input: &Value) -> Option<Vec<Take>> {
    let list = input.get("lineItemsByFulfillmentOrder")?.as_array()?;
    list.iter().map(one_take).collect()
}

fn one_take(entry: &Value) -> Option<Take> {
    let id = numeric(entry.get("fulfillmentOrderId")?.as_str()?, "FulfillmentOrder")?;
    let line = |line: &Value| {
        let id = numeric(line.get("id")?.as_str()?, "FulfillmentOrderLineItem")?;
        Some((id, u32::try_from(line.get("quantity")?.as_u64()?).ok()?))
    };
    let lines = match entry.get("fulfillmentOrderLineItems").filter(|l| !l.is_null()) {
        Some(lines) => Some(lines.as_array()?.iter().map(line).collect::<Option<Vec<_>>>()?),
        None => None,
    };
    Some((id, lines))
}

/// `FulfillmentTrackingInput`: number xor numbers, url xor urls, never a link without a number.
fn tracking(input: &Value) -> Result<Tracking, String> {
    let Some(info) = input.get("trackingInfo").filter(|i| !i.is_null()) else { return Ok(Tracking::none()) };
    let list = |one: &str, many: &str| {
        let both = info.get(one).is_some() && info.get(many).is_some();
        let texts = info.get(many).and_then(Value::as_array).into_iter().flatten().chain(info.get(one));
        let texts = texts.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>();
        if both { Err(format!("Only one of {one} and {many} can be given.")) } else { Ok(texts) }
    };
    let (numbers, urls) = (list("number", "numbers")?, list("url", "urls")?);
    if numbers.is_empty() && !urls.is_empty() {
        return Err("A tracking url needs a tracking number.".to_owned());
    }
    let company = info.get("company").and_then(Value::as_str).map(str::to_owned);
    Ok(Tracking { company, numbers, urls })
}

// ---------------------------------------------------------------- answers

fn cost(requested: u32, actual: Option<u32>) -> Value {
    let left = actual.map_or(0, |n| BUCKET.saturating_sub(n));
    json!({ "requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": {
        "maximumAvailable": f64::from(BUCKET), "currentlyAvailable": left, "restoreRate": f64::from(RATE) } })
}

/// HTTP 200 without `data` (integrations §2.5).
fn throttled_answer(requested: u32) -> Value {
    let error = json!({ "message": "Throttled", "extensions": { "code": "THROTTLED" } });
    json!({ "errors": [error], "extensions": { "cost": cost(requested, None) } })
}

pub(super) fn invalid(variable: &str) -> Value {
    let message = format!("Variable ${variable} was provided invalid value");
    json!({ "errors": [{ "message": message, "extensions": { "code": "INVALID_VARIABLE" } }] })
}

fn undefined(field: &str) -> Value {
    let message = format!("Field '{field}' doesn't exist");
    json!({ "errors": [{ "message": message, "extensions": { "code": "undefinedField" } }] })
}

/// The whole answer is null beside it, for want of one field.
fn denied(asked: &str, field: &str, access: &str) -> Value {
    let extensions = json!({
        "code": "ACCESS_DENIED",
        "documentation": "https://shopify.dev/api/usage/access-scopes",
        "requiredAccess": access,
    });
    let message = format!("Access denied for {field} field. Required access: {access}");
    json!({ "data": { asked: null }, "errors": [{ "message": message, "extensions": extensions }] })
}

pub(super) fn utc(at: Timestamp) -> String {
    time(at, 0, "%Y-%m-%dT%H:%M:%SZ")
}

fn gid(kind: &str, id: u64) -> String {
    format!("gid://shopify/{kind}/{id}")
}

pub(super) fn order_node(order: &Order) -> Value {
    let held = order.fulfillment_orders.iter().any(|f| f.status == Status::OnHold);
    let status = match order.coverage() {
        Some("fulfilled") => "FULFILLED",
        Some(_) => "PARTIALLY_FULFILLED",
        None if held => "ON_HOLD",
        None => "UNFULFILLED",
    };
    json!({
        "id": gid("Order", order.id),
        "name": format!("#{}", order.number),
        "displayFulfillmentStatus": status,
        "createdAt": utc(order.created_at),
        "updatedAt": utc(order.updated_at),
        "cancelledAt": order.cancelled_at.map(utc),
        "fulfillments": order.fulfillments.iter().map(fulfillment_node).collect::<Vec<_>>(),
        "fulfillmentOrders": connection(order.shown().map(fulfillment_order_node)),
    })
}

pub(super) fn connection(nodes: impl Iterator<Item = Value>) -> Value {
    let info = json!({ "hasNextPage": false, "endCursor": null });
    json!({ "nodes": nodes.collect::<Vec<_>>(), "pageInfo": info })
}

fn fulfillment_node(f: &Fulfillment) -> Value {
    let (numbers, urls) = (&f.tracking.numbers, &f.tracking.urls);
    let info = (0..numbers.len().max(urls.len()))
        .map(|n| json!({ "company": f.tracking.company, "number": numbers.get(n), "url": urls.get(n) }));
    json!({
        "id": gid("Fulfillment", f.id),
        "legacyResourceId": f.id.to_string(),
        "status": if f.active { "SUCCESS" } else { "CANCELLED" },
        "displayStatus": if f.active { "FULFILLED" } else { "CANCELED" },
        "createdAt": utc(f.created_at),
        "updatedAt": utc(f.updated_at),
        "trackingInfo": info.collect::<Vec<_>>(),
    })
}

fn fulfillment_order_node(f: &FulfillmentOrder) -> Value {
    let actions: &[&str] = match f.status {
        Status::Open => &["CREATE_FULFILLMENT", "HOLD", "MOVE", "SPLIT"],
        Status::InProgress => &["CREATE_FULFILLMENT", "HOLD"],
        Status::OnHold => &["RELEASE_HOLD"],
        Status::Closed | Status::Cancelled => &[],
    };
    let line = |l: &super::state::Part| {
        json!({
            "id": gid("FulfillmentOrderLineItem", l.id),
            "totalQuantity": l.total,
            "remainingQuantity": l.remaining,
            "lineItem": { "id": gid("LineItem", l.line) },
        })
    };
    let actions = actions.iter().map(|a| json!({ "action": a, "externalUrl": null })).collect::<Vec<_>>();
    json!({
        "id": gid("FulfillmentOrder", f.id),
        "status": f.status.word(),
        "requestStatus": "UNSUBMITTED",
        "supportedActions": actions,
        "assignedLocation": { "name": "Stand-in" },
        "lineItems": connection(f.lines.iter().map(line)),
    })
}
