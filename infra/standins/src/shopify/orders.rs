//! `orders(query: "updated_at:>…", sortKey: UPDATED_AT)`: what changed since (integrations §1.4).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::{connection, invalid, order_node, utc};
use super::state::{Order, State};

/// The query's name.
pub(super) const ORDERS: &str = "orders";

/// The orders that changed after the time in the query, oldest change first, behind the cursor.
pub(super) fn changed(state: &State, variables: &Value, first: Option<usize>) -> Result<Value, Value> {
    let since = since(variables).ok_or_else(|| invalid("query"))?;
    let first = first.ok_or_else(|| invalid("first"))?;
    let after = variables.get("after").and_then(Value::as_str);
    let mut found: Vec<&Order> = state.orders.values().filter(|o| o.updated_at > since).collect();
    found.sort_by_key(|o| (o.updated_at, o.id));
    found.retain(|o| after.is_none_or(|after| cursor(o).as_str() > after));
    let end = found.get(first.saturating_sub(1)).or(found.last()).map(|o| cursor(o));
    let more = found.len() > first;
    let nodes: Vec<Value> = found.into_iter().take(first).map(node).collect();
    Ok(json!({ "nodes": nodes, "pageInfo": { "hasNextPage": more, "endCursor": end } }))
}

fn since(variables: &Value) -> Option<Timestamp> {
    let query = variables.get("query")?.as_str()?;
    query.strip_prefix("updated_at:>'")?.strip_suffix('\'')?.parse().ok()
}

fn cursor(order: &Order) -> String {
    format!("{}|{:020}", utc(order.updated_at), order.id)
}

/// GraphQL writes whole and half amounts with one digit.
fn amount(cents: u64) -> Value {
    let text = crate::json::money(cents);
    let text = text.strip_suffix('0').unwrap_or(&text);
    json!({ "shopMoney": { "amount": text } })
}

fn node(order: &Order) -> Value {
    let spec = &order.spec;
    let mut node = order_node(order);
    let address = json!({
        "name": format!("{} {}", spec.first_name, spec.last_name).trim(),
        "firstName": spec.first_name,
        "lastName": spec.last_name,
        "company": null,
        "address1": order.street,
        "address2": null,
        "zip": "110 00",
        "city": "Prague",
        "province": null,
        "country": "Czechia",
        "phone": spec.phone,
    });
    let line = |line: &super::state::OrderLine| {
        json!({ "name": line.spec.title, "title": line.spec.title, "sku": line.spec.sku,
            "quantity": line.spec.quantity, "originalUnitPriceSet": amount(line.spec.cents) })
    };
    let more = json!({
        "legacyResourceId": order.id.to_string(),
        "displayFinancialStatus": if order.cancelled_at.is_some() { "VOIDED" } else { "PAID" },
        "email": spec.email,
        "phone": null,
        "currencyCode": spec.currency,
        "totalPriceSet": amount(spec.total()),
        "customer": { "firstName": spec.first_name, "lastName": spec.last_name },
        "shippingAddress": address,
        "billingAddress": address,
        "lineItems": connection(order.lines.iter().map(line)),
    });
    if let (Some(node), Value::Object(more)) = (node.as_object_mut(), more) {
        node.extend(more);
    }
    node
}
