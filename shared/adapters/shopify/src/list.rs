//! Orders that changed since, over the Admin GraphQL API (integrations §1.4, §2).
//!
//! An order comes in GraphQL's words and is put into those of a notification, so that one reader decides what
//! either means.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use stagepost_app::ports::{ActError, ChannelAccess, ListedOrder, OrderPage, OrderSource, PlatformHttp};
use stagepost_domain::Timestamp;
use stagepost_domain::shop::Channel;

use crate::client::ShopifyClient;
use crate::graphql::{Connection, Effect};
use crate::read::{LISTED, MORE_LINES, read};

/// A few orders with all that a notification tells. One query may cost 1,000 points (integrations §2.1); this
/// one asks for some 700 at the most, and for nothing that our scopes do not cover: the customer would take
/// `read_customers`, and the addresses have a name as well, if the recipient's. What it leaves out, and lines beyond
/// these, are marked as untold: what a notification told of them stays.
const CHANGED: &str = "query Changed($query: String!, $after: String) { \
orders(first: 10, after: $after, sortKey: UPDATED_AT, query: $query) { \
nodes { legacyResourceId name createdAt updatedAt cancelledAt displayFinancialStatus displayFulfillmentStatus \
email phone currencyCode totalPriceSet { shopMoney { amount } } \
shippingAddress { name firstName lastName company address1 address2 zip city province country phone } \
billingAddress { name firstName lastName company address1 address2 zip city province country phone } \
lineItems(first: 50) { nodes { name title sku quantity originalUnitPriceSet { shopMoney { amount } } } \
pageInfo { hasNextPage } } \
fulfillments(first: 20) { legacyResourceId status displayStatus createdAt updatedAt \
trackingInfo { number url company } } } \
pageInfo { hasNextPage endCursor } } }";
/// The topic under which a listed order is read.
const TOPIC: &str = "orders/updated";
/// What the token's app may do. It takes no scope to ask.
const PROBE: &str = "query Probe { currentAppInstallation { accessScopes { handle } } }";
/// What we need of it (integrations §2.7).
const SCOPES: [&str; 3] = ["read_orders", "read_fulfillments", "write_merchant_managed_fulfillment_orders"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Installed {
    current_app_installation: Option<App>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct App {
    access_scopes: Vec<Scope>,
}

#[derive(Deserialize)]
struct Scope {
    handle: String,
}

#[derive(Deserialize)]
struct Data {
    orders: Connection<Value>,
}

impl<H: PlatformHttp> OrderSource for ShopifyClient<H> {
    async fn changed(
        &self,
        access: &ChannelAccess,
        since: Timestamp,
        cursor: Option<&str>,
        now: Timestamp,
    ) -> Result<OrderPage, ActError> {
        let variables = json!({ "query": format!("updated_at:>'{since}'"), "after": cursor });
        let data: Data = self.call(access, CHANGED, variables, Effect::Reads).await?;
        let time = |node: &Value| node.get("updatedAt")?.as_str()?.parse::<Timestamp>().ok();
        let newest = data.orders.nodes.iter().filter_map(time).max();
        let next = data.orders.next().map(str::to_owned);
        let orders = data.orders.nodes.iter().map(|node| listed(&access.channel, node, now)).collect();
        Ok(OrderPage { orders, newest, next })
    }

    async fn probe(&self, access: &ChannelAccess) -> Result<(), ActError> {
        let data: Installed = self.call(access, PROBE, json!({}), Effect::Reads).await?;
        let scopes = data.current_app_installation.map(|app| app.access_scopes).unwrap_or_default();
        let missing = missing(scopes.iter().map(|scope| scope.handle.as_str()));
        if missing.is_empty() {
            return Ok(());
        }
        Err(ActError::permanent(format!(
            "Shopify knows the access token, but the app lacks {}: add that under the app's Admin API scopes, \
             install it again, and enter the new token",
            missing.join(" and ")
        )))
    }
}

/// Which of the scopes that we need are not among these.
fn missing<'a>(granted: impl Iterator<Item = &'a str>) -> Vec<&'static str> {
    let granted: Vec<&str> = granted.collect();
    // Who may write may read.
    let has = |scope: &str| {
        let writes = scope.strip_prefix("read_").map(|what| format!("write_{what}"));
        granted.iter().any(|known| *known == scope || Some(*known) == writes.as_deref())
    };
    SCOPES.into_iter().filter(|scope| !has(scope)).collect()
}

fn listed(channel: &Channel, node: &Value, now: Timestamp) -> ListedOrder {
    let raw = notification(node).to_string().into_bytes();
    let reading = read(TOPIC, channel, &raw, now);
    ListedOrder { reading, raw, topic: TOPIC }
}

/// The order in the words of `orders/updated`.
fn notification(node: &Value) -> Value {
    let mut order = renamed(
        node,
        &[
            ("legacyResourceId", "id"),
            ("name", "name"),
            ("createdAt", "created_at"),
            ("updatedAt", "updated_at"),
            ("cancelledAt", "cancelled_at"),
            ("email", "email"),
            ("phone", "phone"),
            ("currencyCode", "currency"),
        ],
    );
    let lower = |key: &str| node.get(key).and_then(Value::as_str).map(str::to_lowercase);
    let set = |order: &mut Map<String, Value>, key: &str, value: Value| order.insert(key.to_owned(), value);
    set(&mut order, "financial_status", json!(lower("displayFinancialStatus")));
    set(&mut order, "fulfillment_status", json!(fulfillment_status(node)));
    set(&mut order, "total_price", json!(money(node, "totalPriceSet")));
    set(&mut order, "shipping_address", person(node.get("shippingAddress")));
    set(&mut order, "billing_address", person(node.get("billingAddress")));
    let lines = node.pointer("/lineItems/nodes").and_then(Value::as_array);
    set(&mut order, "line_items", lines.into_iter().flatten().map(line).collect());
    let more_lines = node.pointer("/lineItems/pageInfo/hasNextPage") == Some(&Value::Bool(true));
    set(&mut order, LISTED, json!({ MORE_LINES: more_lines }));
    let fulfillments = node.get("fulfillments").and_then(Value::as_array);
    set(&mut order, "fulfillments", fulfillments.into_iter().flatten().map(fulfillment).collect());
    Value::Object(order)
}

fn renamed(node: &Value, names: &[(&str, &str)]) -> Map<String, Value> {
    let field = |(from, to): &(&str, &str)| Some(((*to).to_owned(), node.get(*from)?.clone()));
    names.iter().filter_map(field).collect()
}

fn person(node: Option<&Value>) -> Value {
    let Some(node) = node.filter(|node| node.is_object()) else { return Value::Null };
    let mut person = renamed(node, &[("firstName", "first_name"), ("lastName", "last_name")]);
    for key in ["name", "company", "address1", "address2", "zip", "city", "province", "country", "phone"] {
        person.extend(node.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    Value::Object(person)
}

fn line(node: &Value) -> Value {
    let mut line =
        renamed(node, &[("name", "name"), ("title", "title"), ("sku", "sku"), ("quantity", "quantity")]);
    line.insert("price".to_owned(), json!(money(node, "originalUnitPriceSet")));
    Value::Object(line)
}

/// GraphQL writes `19.9` where a notification writes `19.90`.
fn money(node: &Value, set: &str) -> Option<String> {
    let amount = node.get(set)?.pointer("/shopMoney/amount")?.as_str()?;
    let one_digit = amount.split_once('.').is_some_and(|(_, fraction)| fraction.len() == 1);
    Some(if one_digit { format!("{amount}0") } else { amount.to_owned() })
}

/// A notification has three words; the words for what goes on in between do not say whether a part has gone. Nothing
/// remains of what is not required, but that is a fulfillment only where something has gone: from API 2026-10 on, the
/// word is also for an order that was refunded before anything was.
fn fulfillment_status(node: &Value) -> Option<&'static str> {
    match node.get("displayFulfillmentStatus").and_then(Value::as_str) {
        Some("FULFILLED") => Some("fulfilled"),
        Some("FULFILLMENT_NOT_REQUIRED") => shipped_something(node).then_some("fulfilled"),
        Some("PARTIALLY_FULFILLED") => Some("partial"),
        Some("UNFULFILLED" | "RESTOCKED") => None,
        _ => shipped_something(node).then_some("partial"),
    }
}

fn shipped_something(node: &Value) -> bool {
    let fulfillments = node.get("fulfillments").and_then(Value::as_array);
    let success = |f: &Value| f.get("status").and_then(Value::as_str) == Some("SUCCESS");
    fulfillments.into_iter().flatten().any(success)
}

fn fulfillment(node: &Value) -> Value {
    let mut fulfillment = renamed(
        node,
        &[("legacyResourceId", "id"), ("createdAt", "created_at"), ("updatedAt", "updated_at")],
    );
    let lower = |key: &str| node.get(key).and_then(Value::as_str).map(str::to_lowercase);
    let infos = node.get("trackingInfo").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let all = |key: &str| infos.iter().map(|info| info.get(key).cloned().unwrap_or_default()).collect();
    let company = infos.first().and_then(|info| info.get("company")).cloned().unwrap_or_default();
    for (key, value) in [
        ("status", json!(lower("status"))),
        // The words of `shipment_status` and a few more, which say nothing there.
        ("shipment_status", json!(lower("displayStatus"))),
        ("tracking_numbers", Value::Array(all("number"))),
        ("tracking_urls", Value::Array(all("url"))),
        ("tracking_company", company),
    ] {
        fulfillment.insert(key.to_owned(), value);
    }
    Value::Object(fulfillment)
}

#[cfg(test)]
mod tests {
    use stagepost_app::inbound::Reading;
    use stagepost_domain::fact::{Coverage, Fact, OrderFact, Part};

    use super::*;

    fn channel() -> Channel {
        serde_json::from_value(json!({
            "id": "chan_a", "shop": "shop_a", "platform": "shopify", "name": "A",
            "store": "a.myshopify.com", "armed_at": "2026-01-01T00:00:00Z", "webhook_secrets": ["sealed"],
            "version": 1,
        }))
        .unwrap()
    }

    fn fact(reading: Reading) -> OrderFact {
        match reading {
            Reading::Fact { fact: Fact::Order(fact), .. } => *fact,
            other => panic!("{other:?}"),
        }
    }

    /// An order as both APIs tell it.
    fn both() -> (Value, Value) {
        let graphql = json!({
            "legacyResourceId": "820982911946154508", "name": "#1001", "createdAt": "2026-02-01T00:00:00Z",
            "updatedAt": "2026-02-02T00:00:00Z", "cancelledAt": null, "displayFinancialStatus": "PAID",
            "displayFulfillmentStatus": "PARTIALLY_FULFILLED", "email": "bob@example.com", "phone": null,
            "currencyCode": "EUR", "totalPriceSet": {"shopMoney": {"amount": "19.9"}},
            "shippingAddress": {"name": "Bob Norman", "address1": "Way 1", "zip": "10115", "city": "Berlin",
                "country": "Germany"},
            "lineItems": {"nodes": [{"name": "Mug - blue", "title": "Mug", "sku": "M", "quantity": 2,
                "originalUnitPriceSet": {"shopMoney": {"amount": "9.95"}}}]},
            "fulfillments": [{"legacyResourceId": "255858046", "status": "SUCCESS", "displayStatus": "DELIVERED",
                "createdAt": "2026-02-02T00:00:00Z", "updatedAt": "2026-02-02T00:00:00Z",
                "trackingInfo": [{"number": "1Z1", "url": "https://ups.example/1Z1", "company": "UPS"}]}],
        });
        let notified = json!({
            "id": 820_982_911_946_154_508_u64, "name": "#1001", "created_at": "2026-02-01T01:00:00+01:00",
            "updated_at": "2026-02-02T01:00:00+01:00", "cancelled_at": null, "financial_status": "paid",
            "fulfillment_status": "partial", "email": "bob@example.com", "currency": "EUR",
            "total_price": "19.90", "customer": {"first_name": "Bob", "last_name": "Norman"},
            "shipping_address": {"name": "Bob Norman", "address1": "Way 1", "zip": "10115", "city": "Berlin",
                "country": "Germany"},
            "line_items": [{"name": "Mug - blue", "title": "Mug", "sku": "M", "quantity": 2, "price": "9.95"}],
            "fulfillments": [{"id": 255_858_046, "status": "success", "shipment_status": "delivered",
                "created_at": "2026-02-02T01:00:00+01:00",
                "updated_at": "2026-02-02T01:00:00+01:00", "tracking_numbers": ["1Z1"],
                "tracking_urls": ["https://ups.example/1Z1"], "tracking_company": "UPS"}],
        });
        (graphql, notified)
    }

    #[test]
    fn law_1_a_listed_order_says_what_its_notification_says() {
        let (graphql, notified) = both();
        let now = "2026-03-01T00:00:00Z".parse().unwrap();
        let mut listed = fact(listed(&channel(), &graphql, now).reading);
        let told = fact(read(TOPIC, &channel(), notified.to_string().as_bytes(), now));
        listed.untold.clear();
        assert_eq!(listed, told);
        assert_eq!(listed.fulfillment.coverage, Coverage::Partial);
    }

    #[test]
    fn law_1_a_listed_order_names_what_it_cannot_tell() {
        let untold = |patch: Value| {
            let (mut graphql, _) = both();
            graphql.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
            let listed = listed(&channel(), &graphql, "2026-03-01T00:00:00Z".parse().unwrap());
            let told = fact(listed.reading).untold;
            // From quarantine it is read once more, from what was kept of it.
            let again = fact(read(listed.topic, &channel(), &listed.raw, Timestamp::UNIX_EPOCH));
            assert_eq!(again.untold, told);
            told
        };
        let lines = |more: bool| json!({"nodes": [], "pageInfo": {"hasNextPage": more}});
        let (email, phone, more) = (Part::CustomerEmail, Part::CustomerPhone, Part::MoreLines);
        for (patch, parts) in [
            (json!({}), vec![phone]),
            (json!({"phone": "+1"}), vec![]),
            (json!({"email": null}), vec![email, phone]),
            (json!({"email": "two words"}), vec![email, phone]),
            (json!({"lineItems": lines(false)}), vec![phone]),
            (json!({"lineItems": lines(true)}), vec![phone, more]),
        ] {
            let parts = parts.into_iter().chain([Part::CustomerName, Part::Digits]);
            assert_eq!(untold(patch.clone()), parts.collect(), "{patch}");
        }
    }

    #[test]
    fn listing_asks_whether_there_are_more_lines_and_for_no_customer() {
        let lines = CHANGED.split_once("lineItems").unwrap().1.split_once("fulfillments").unwrap().0;
        assert!(lines.contains("pageInfo { hasNextPage }"), "{lines}");
        assert!(!CHANGED.contains("customer"), "it takes read_customers");
    }

    #[test]
    fn law_2_only_what_remains_of_nothing_is_complete() {
        let status = |word: &str, shipped: &str| {
            let node = json!({"displayFulfillmentStatus": word, "fulfillments": [{"status": shipped}]});
            fulfillment_status(&node)
        };
        assert_eq!(status("FULFILLED", "SUCCESS"), Some("fulfilled"));
        assert_eq!(status("IN_PROGRESS", "SUCCESS"), Some("partial"));
        assert_eq!(status("ON_HOLD", "CANCELLED"), None);
        assert_eq!(status("UNFULFILLED", "SUCCESS"), None, "cancelled fulfillments stay in the list");
        assert_eq!(status("FULFILLMENT_NOT_REQUIRED", "SUCCESS"), Some("fulfilled"));
        assert_eq!(status("FULFILLMENT_NOT_REQUIRED", "CANCELLED"), None, "refunded before anything went");
    }
}
