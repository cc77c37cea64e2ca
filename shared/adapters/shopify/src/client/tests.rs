use std::collections::VecDeque;
use std::sync::Mutex;

use stagepost_app::ports::ApiAnswer;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::id::{ChannelId, OrderId, ShopId};
use stagepost_domain::keyring::Keyring;
use stagepost_domain::order::Platform;
use stagepost_domain::run::{RunId, RunKey, Target};
use stagepost_domain::shop::{Channel, Sealed};
use stagepost_domain::{SignedDuration, Timestamp};

use super::*;
use crate::payload::fixture;

/// Answers in turn, and keeps what it was asked.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Result<ApiAnswer, ActError>>>,
    calls: Mutex<Vec<ApiCall>>,
}

impl PlatformHttp for &Script {
    async fn call(&self, call: ApiCall) -> Result<ApiAnswer, ActError> {
        self.calls.lock().unwrap().push(call);
        self.answers.lock().unwrap().pop_front().expect("one call more than the script has answers")
    }
}

impl Script {
    fn of(answers: impl IntoIterator<Item = Result<ApiAnswer, ActError>>) -> Self {
        Self { answers: Mutex::new(answers.into_iter().collect()), calls: Mutex::default() }
    }

    fn client(&self) -> ShopifyClient<&Self> {
        ShopifyClient::new(self, ApiBase::Shopify)
    }

    fn inputs(&self) -> Vec<Value> {
        let calls = self.calls.lock().unwrap();
        let body = |c: &ApiCall| serde_json::from_slice::<Value>(c.body.as_deref().unwrap()).unwrap();
        calls.iter().map(|c| body(c)["variables"]["fulfillment"].clone()).filter(|f| !f.is_null()).collect()
    }
}

fn http(status: u16, body: &str) -> Result<ApiAnswer, ActError> {
    Ok(ApiAnswer {
        status,
        retry_after: None,
        took: SignedDuration::ZERO,
        date: None,
        body: body.as_bytes().to_vec(),
    })
}

fn ok(body: &Value) -> Result<ApiAnswer, ActError> {
    http(200, &body.to_string())
}

fn access() -> ChannelAccess {
    let channel = Channel {
        id: ChannelId::parse("chan_a").unwrap(),
        shop: ShopId::parse("shop_a").unwrap(),
        platform: Platform::Shopify,
        name: "Main".into(),
        store: "demo.myshopify.com".into(),
        default_flow: None,
        armed_at: Timestamp::UNIX_EPOCH,
        webhook_secrets: Keyring::new(Sealed("sealed".into())),
        credentials: None,
        version: 1,
    };
    ChannelAccess { channel, credentials: "shpat_token".into() }
}

fn order() -> Source {
    Source {
        platform: Platform::Shopify,
        store: "demo.myshopify.com".into(),
        external_id: "820982911946154508".into(),
        channel: None,
    }
}

fn request(packages: Vec<PackageSeen>) -> FulfillRequest {
    let key = RunKey::first(Target::Fulfill(Some(ChannelId::parse("chan_a").unwrap())));
    let run = RunId { order: OrderId::parse("ord_1").unwrap(), seq: 1, key };
    FulfillRequest { run, packages, notify_customer: true, in_doubt: false }
}

fn parcel(number: Option<&str>, url: Option<&str>, carrier: Option<&str>) -> PackageSeen {
    PackageSeen::parse(number, url, carrier).unwrap()
}

fn fulfillment_order(id: u64, status: &str, remaining: u64) -> Value {
    let action = if matches!(status, "OPEN" | "IN_PROGRESS") { "CREATE_FULFILLMENT" } else { "MOVE" };
    json!({
        "id": format!("gid://shopify/FulfillmentOrder/{id}"),
        "status": status,
        "supportedActions": [{"action": action}, {"action": "HOLD"}],
        "lineItems": {"nodes": [{"id": "gid://shopify/FulfillmentOrderLineItem/1", "remainingQuantity": remaining}],
                      "pageInfo": {"hasNextPage": false}}
    })
}

fn order_answer(status: &str, orders: &[Value]) -> Value {
    json!({"data": {"order": {
        "id": "gid://shopify/Order/820982911946154508",
        "displayFulfillmentStatus": status,
        "cancelledAt": null,
        "fulfillments": [],
        "fulfillmentOrders": {"nodes": orders, "pageInfo": {"hasNextPage": false}}
    }}})
}

fn made_answer(id: u64) -> Value {
    let fulfillment = json!({"id": format!("gid://shopify/Fulfillment/{id}"), "status": "SUCCESS"});
    json!({"data": {"fulfillmentCreate": {"fulfillment": fulfillment, "userErrors": []}}})
}

fn refused_answer(message: &str) -> Value {
    let errors = json!([{"field": ["fulfillment"], "message": message}]);
    json!({"data": {"fulfillmentCreate": {"fulfillment": null, "userErrors": errors}}})
}

fn throttled_answer() -> Value {
    json!({
        "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
        "extensions": {"cost": {"requestedQueryCost": 401, "actualQueryCost": null,
            "throttleStatus": {"maximumAvailable": 1000.0, "currentlyAvailable": 300, "restoreRate": 50.0}}}
    })
}

fn left_answer(status: &str) -> Value {
    json!({"data": {"order": {"id": "gid://shopify/Order/820982911946154508", "displayFulfillmentStatus": status}}})
}

fn work(ids: &[&str]) -> Work {
    let orders = ids.iter().map(|id| format!("gid://shopify/FulfillmentOrder/{id}")).collect();
    Work { orders, more: false }
}

/// The answer, with another page of fulfillment orders behind it.
fn with_more(mut answer: Value, cursor: &str) -> Value {
    answer["data"]["order"]["fulfillmentOrders"]["pageInfo"] =
        json!({"hasNextPage": true, "endCursor": cursor});
    answer
}

fn ids(made: &[ShipmentId]) -> Vec<&str> {
    made.iter().map(|id| id.0.as_str()).collect()
}

async fn look(answer: Result<ApiAnswer, ActError>) -> Result<PlatformLook<Work>, ActError> {
    Script::of([answer]).client().look(&access(), &order()).await
}

async fn fulfill(script: &Script, work: &Work) -> Result<Fulfilled, FulfillError> {
    script.client().fulfill(&access(), &order(), work, &request(Vec::new())).await
}

fn after(error: &ActError) -> Option<SignedDuration> {
    match error.disposition {
        Disposition::Retry { after } => after,
        other => panic!("no retry: {other:?}"),
    }
}

#[tokio::test]
async fn looking_asks_the_stores_own_address_with_its_token() {
    let script = Script::of([ok(&order_answer("UNFULFILLED", &[fulfillment_order(1, "OPEN", 2)]))]);
    script.client().look(&access(), &order()).await.unwrap();
    let calls = script.calls.lock().unwrap();
    let call = &calls[0];
    assert_eq!(call.url.as_str(), "https://demo.myshopify.com/admin/api/2026-07/graphql.json");
    assert_eq!(call.method, "POST");
    assert!(call.headers.contains(&("x-shopify-access-token", "shpat_token".to_owned())));
    let body: Value = serde_json::from_slice(call.body.as_deref().unwrap()).unwrap();
    assert_eq!(body["variables"], json!({"id": "gid://shopify/Order/820982911946154508"}));
}

#[tokio::test]
async fn a_stand_in_is_told_the_store_in_its_path() {
    let script = Script::of([ok(&json!({"data": {"order": null}}))]);
    for base in ["http://127.0.0.1:9/shopify", "http://127.0.0.1:9/shopify/"] {
        let url = ApiBase::Override(base.parse().unwrap()).endpoint("demo.myshopify.com").unwrap();
        let expected = "http://127.0.0.1:9/shopify/demo.myshopify.com/admin/api/2026-07/graphql.json";
        assert_eq!(url.as_str(), expected);
    }
    let error = script.client().look(&access(), &order()).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Permanent);
}

#[test]
fn the_token_goes_to_shopify_stores_only() {
    assert!(is_store("a.myshopify.com") && is_store("0-a.myshopify.com"));
    for bad in [
        "myshopify.com",
        ".myshopify.com",
        "-a.myshopify.com",
        "A.myshopify.com",
        "a.b.myshopify.com",
        "evil.example/.myshopify.com",
        "evil.example#.myshopify.com",
        "u@a.myshopify.com",
        "a.myshopify.com.evil.example",
        "a.myshopify.com:444",
        "a.myshopify.com\n",
        "",
    ] {
        assert!(!is_store(bad), "{bad}");
        assert!(ApiBase::Shopify.endpoint(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn one_stores_token_is_not_used_for_an_order_of_another() {
    let script = Script::default();
    let foreign = Source { store: "other.myshopify.com".into(), ..order() };
    let error = script.client().look(&access(), &foreign).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Permanent);
    let odd = Source { external_id: "1\") { id }".into(), ..order() };
    let error = script.client().fulfill(&access(), &odd, &work(&["1"]), &request(Vec::new())).await;
    assert_eq!(error.unwrap_err().error.disposition, Disposition::Permanent);
    assert!(script.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_may_be_fulfilled_is_each_fulfillment_order_by_itself() {
    let orders = [
        fulfillment_order(1, "OPEN", 2),
        fulfillment_order(2, "IN_PROGRESS", 1),
        fulfillment_order(3, "OPEN", 1),
        fulfillment_order(4, "CLOSED", 3),
        fulfillment_order(5, "OPEN", 1),
        fulfillment_order(6, "OPEN", 0),
    ];
    let seen = look(ok(&order_answer("PARTIALLY_FULFILLED", &orders))).await.unwrap();
    assert_eq!(seen.coverage, Coverage::Partial);
    assert_eq!(seen.work, Some(work(&["1", "2", "3", "5"])));
    assert_eq!(seen.blocked, None);
}

#[tokio::test]
async fn what_is_on_hold_is_none_of_our_work() {
    let orders = [fulfillment_order(1, "OPEN", 2), fulfillment_order(2, "ON_HOLD", 2)];
    let seen = look(ok(&order_answer("UNFULFILLED", &orders))).await.unwrap();
    assert_eq!(seen.work, Some(work(&["1"])));
    assert!(seen.blocked.unwrap().contains("platform hold"), "why the rest is not done");
}

#[tokio::test]
async fn the_fulfillment_orders_of_another_page_are_left_to_the_next_attempt() {
    let page = |orders: &[Value]| with_more(order_answer("UNFULFILLED", orders), "page2");
    let seen = look(ok(&page(&[fulfillment_order(1, "OPEN", 2)]))).await.unwrap();
    let expected = Work { more: true, ..work(&["1"]) };
    assert_eq!(seen.work, Some(expected.clone()));
    // No look at what is left: nothing would end with it.
    let failed = fulfill(&Script::of([ok(&made_answer(11))]), &expected).await.unwrap_err();
    assert_eq!((ids(&failed.made), failed.error.disposition), (vec!["11"], Disposition::RETRY));
    // That attempt finds the first page done, and reads on.
    let done = page(&[fulfillment_order(1, "CLOSED", 0), fulfillment_order(2, "ON_HOLD", 1)]);
    let rest = order_answer("PARTIALLY_FULFILLED", &[fulfillment_order(3, "OPEN", 1)]);
    let script = Script::of([ok(&done), ok(&rest)]);
    let seen = script.client().look(&access(), &order()).await.unwrap();
    assert_eq!((seen.coverage, seen.work), (Coverage::Partial, Some(work(&["3"]))));
    assert!(seen.blocked.unwrap().contains("platform hold"), "what the first page had is told as well");
    let calls = script.calls.lock().unwrap();
    let body: Value = serde_json::from_slice(calls[1].body.as_deref().unwrap()).unwrap();
    assert_eq!(body["variables"]["after"], json!("page2"));
}

#[tokio::test]
async fn a_look_does_not_read_on_for_ever() {
    let page = with_more(order_answer("PARTIALLY_FULFILLED", &[fulfillment_order(1, "CLOSED", 0)]), "more");
    let script = Script::of(std::iter::repeat_with(|| ok(&page)).take(PAGES_MAX));
    let seen = script.client().look(&access(), &order()).await.unwrap();
    assert!(seen.work.is_none() && seen.blocked.unwrap().contains("more fulfillment orders"));
}

#[tokio::test]
async fn lines_that_were_not_listed_may_remain() {
    let mut long = fulfillment_order(1, "OPEN", 0);
    long["lineItems"]["pageInfo"]["hasNextPage"] = json!(true);
    let seen = look(ok(&order_answer("PARTIALLY_FULFILLED", &[long]))).await.unwrap();
    assert_eq!(seen.work, Some(work(&["1"])));
}

#[tokio::test]
async fn a_fulfilled_order_leaves_no_work_whatever_its_lists_say() {
    for status in ["FULFILLED", "FULFILLMENT_NOT_REQUIRED"] {
        let mut answer = order_answer(status, &[fulfillment_order(1, "OPEN", 2)]);
        answer["data"]["order"]["fulfillments"] = json!([
            {"id": "gid://shopify/Fulfillment/5000000000001", "status": "SUCCESS", "createdAt": "2026-08-01T10:00:00Z",
             "trackingInfo": [{"number": "1Z1\n", "url": null, "company": "UPS"}, {"number": null}]},
            {"id": "gid://shopify/Fulfillment/2", "status": "CANCELLED", "createdAt": "2026-08-01T10:00:00Z"}
        ]);
        let seen = look(ok(&answer)).await.unwrap();
        assert_eq!((seen.coverage, &seen.work, &seen.blocked), (Coverage::Complete, &None, &None));
        assert_eq!(seen.shipments[0].id, ShipmentId("5000000000001".into()));
        assert_eq!(seen.shipments[0].numbers, ["1Z1"]);
        assert!(seen.shipments[0].active && !seen.shipments[1].active);
    }
}

#[tokio::test]
async fn law_2_an_order_that_was_refunded_before_anything_went_is_not_fulfilled() {
    let mut answer = order_answer("FULFILLMENT_NOT_REQUIRED", &[]);
    answer["data"]["order"]["fulfillments"] = json!([
        {"id": "gid://shopify/Fulfillment/2", "status": "CANCELLED", "createdAt": "2026-08-01T10:00:00Z"}
    ]);
    let seen = look(ok(&answer)).await.unwrap();
    assert_eq!((seen.coverage, seen.work), (Coverage::None, None));
    assert_eq!(seen.blocked.as_deref(), Some("nothing remains to fulfill"));
}

#[tokio::test]
async fn what_cannot_be_fulfilled_says_why() {
    let one = |status: &str| order_answer("UNFULFILLED", &[fulfillment_order(1, status, 2)]);
    let mut service = one("OPEN");
    service["data"]["order"]["fulfillmentOrders"]["nodes"][0]["supportedActions"] =
        json!([{"action": "REQUEST_FULFILLMENT"}]);
    let mut cancelled = one("OPEN");
    cancelled["data"]["order"]["cancelledAt"] = json!("2026-08-01T10:00:00Z");
    let both = [fulfillment_order(1, "ON_HOLD", 2), fulfillment_order(2, "SCHEDULED", 2)];
    for (answer, words) in [
        (one("ON_HOLD"), "platform hold"),
        (one("SCHEDULED"), "scheduled"),
        (service, "another fulfillment service"),
        (cancelled, "cancelled"),
        (order_answer("UNFULFILLED", &[]), "lacks the scope"),
        (one("CLOSED"), "scope"),
        (order_answer("ON_HOLD", &both), "Shopify; scheduled"),
    ] {
        let seen = look(ok(&answer)).await.unwrap();
        assert!(seen.work.is_none());
        let blocked = seen.blocked.unwrap();
        assert!(blocked.contains(words), "{blocked}");
    }
}

#[tokio::test]
async fn an_order_in_progress_is_partly_fulfilled_once_something_went() {
    let mut answer = order_answer("IN_PROGRESS", &[fulfillment_order(1, "IN_PROGRESS", 1)]);
    assert_eq!(look(ok(&answer)).await.unwrap().coverage, Coverage::None);
    answer["data"]["order"]["fulfillments"] = json!([{"id": "gid://shopify/Fulfillment/2", "status": "SUCCESS", "createdAt": "2026-08-01T10:00:00Z"}]);
    assert_eq!(look(ok(&answer)).await.unwrap().coverage, Coverage::Partial);
}

#[tokio::test]
async fn each_fulfillment_order_takes_a_call_and_all_of_them_complete_the_order() {
    let script = Script::of([ok(&made_answer(11)), ok(&made_answer(12)), ok(&left_answer("FULFILLED"))]);
    let done = fulfill(&script, &work(&["1", "2"])).await.unwrap();
    assert_eq!(ids(&done.shipments), ["11", "12"]);
    assert_eq!(done.coverage, Coverage::Complete);
    let order = |id: u8| json!({"fulfillmentOrderId": format!("gid://shopify/FulfillmentOrder/{id}")});
    assert_eq!(
        script.inputs(),
        [
            json!({"lineItemsByFulfillmentOrder": [order(1)], "notifyCustomer": true}),
            json!({"lineItemsByFulfillmentOrder": [order(2)], "notifyCustomer": true}),
        ]
    );
}

#[tokio::test]
async fn law_2_what_our_scopes_do_not_show_may_remain_so_shopifys_word_for_the_order_counts() {
    for (left, coverage) in [
        (ok(&left_answer("FULFILLED")), Coverage::Complete),
        (ok(&left_answer("FULFILLMENT_NOT_REQUIRED")), Coverage::Complete),
        (ok(&left_answer("PARTIALLY_FULFILLED")), Coverage::Partial),
        (ok(&left_answer("ON_HOLD")), Coverage::Partial),
        (ok(&left_answer("UNFULFILLED")), Coverage::Partial),
        // Without an answer nothing is claimed, and the fulfillment is no failure.
        (http(503, ""), Coverage::Partial),
        (ok(&throttled_answer()), Coverage::Partial),
        (ok(&json!({"data": {"order": null}})), Coverage::Partial),
        (Err(ActError::ambiguous("timed out")), Coverage::Partial),
    ] {
        let script = Script::of([ok(&made_answer(11)), left.clone()]);
        let done = fulfill(&script, &work(&["1"])).await.unwrap();
        assert_eq!((ids(&done.shipments), done.coverage), (vec!["11"], coverage), "{left:?}");
    }
}

#[tokio::test]
async fn calls_that_take_their_time_leave_the_rest_to_the_next_attempt() {
    let slow = |id| ok(&made_answer(id)).map(|a| ApiAnswer { took: SignedDuration::from_secs(15), ..a });
    let script = Script::of([slow(11), slow(12), slow(13)]);
    let failed = fulfill(&script, &work(&["1", "2", "3", "4"])).await.unwrap_err();
    assert_eq!(ids(&failed.made), ["11", "12", "13"]);
    assert_eq!(failed.error.disposition, Disposition::RETRY);
    assert!(!failed.already_done);
}

#[test]
fn looking_asks_for_nothing_beyond_the_documented_scopes() {
    // `location` takes read_locations or read_inventory, and Shopify then refuses the whole order.
    assert!(!graphql::LOOK.to_lowercase().contains("location"));
}

#[tokio::test]
async fn a_second_call_that_fails_names_what_the_first_one_made() {
    let script = Script::of([ok(&made_answer(11)), http(503, "")]);
    let failed = fulfill(&script, &work(&["1", "2", "3"])).await.unwrap_err();
    assert_eq!(ids(&failed.made), ["11"]);
    assert_eq!(failed.error.disposition, Disposition::Ambiguous);
    assert!(!failed.already_done);
}

#[tokio::test]
async fn somebody_was_there_before_us() {
    for message in ["Fulfillment order 68 has an unfulfillable status= closed.", "UNFULFILLABLE STATUS"] {
        let script = Script::of([ok(&made_answer(11)), ok(&refused_answer(message))]);
        let failed = fulfill(&script, &work(&["1", "2"])).await.unwrap_err();
        assert!(failed.already_done);
        assert_eq!(ids(&failed.made), ["11"]);
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_shopifys_words_cut_short() {
    let message = format!("Invalid fulfillment order line item quantity requested. {}", "x".repeat(900));
    let script = Script::of([ok(&refused_answer(&message))]);
    let failed = fulfill(&script, &work(&["1"])).await.unwrap_err();
    assert_eq!(failed.error.disposition, Disposition::Permanent);
    assert!(failed.error.message.contains("quantity requested") && failed.error.message.len() < 250);
    assert!(!failed.already_done);
}

#[tokio::test]
async fn a_throttled_call_did_not_happen_and_says_when_to_come_back() {
    let script = Script::of([ok(&throttled_answer())]);
    let failed = fulfill(&script, &work(&["1"])).await.unwrap_err();
    assert_eq!(after(&failed.error), Some(SignedDuration::from_secs(3)));
    assert_eq!(after(&look(ok(&throttled_answer())).await.unwrap_err()), Some(SignedDuration::from_secs(3)));
    for (field, value) in [("restoreRate", json!(0)), ("currentlyAvailable", json!(null))] {
        let mut odd = throttled_answer();
        odd["extensions"]["cost"]["throttleStatus"][field] = value;
        assert_eq!(after(&look(ok(&odd)).await.unwrap_err()), None);
    }
    let mut endless = throttled_answer();
    endless["extensions"]["cost"]["requestedQueryCost"] = json!(1e300);
    assert_eq!(after(&look(ok(&endless)).await.unwrap_err()), Some(SignedDuration::from_secs(600)));
    let busy = Ok(ApiAnswer {
        status: 429,
        retry_after: Some(SignedDuration::from_secs(7)),
        took: SignedDuration::ZERO,
        date: None,
        body: Vec::new(),
    });
    let failed = fulfill(&Script::of([busy]), &work(&["1"])).await.unwrap_err();
    assert_eq!(after(&failed.error), Some(SignedDuration::from_secs(7)));
}

#[tokio::test]
async fn a_lost_answer_is_ambiguous_for_a_write_and_nothing_for_a_read() {
    let internal =
        json!({"errors": [{"message": "Internal error", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}]});
    let unnamed = json!({"data": {"fulfillmentCreate": {"fulfillment": null, "userErrors": []}}});
    let foreign = json!({"data": {"fulfillmentCreate": {"fulfillment": {"id": "5"}}}});
    for answer in [
        Err(ActError::ambiguous("timed out")),
        http(500, "oops"),
        http(502, "<html>"),
        http(200, "<html>"),
        http(200, "{}"),
        http(200, r#"{"data": null}"#),
        http(200, r#"{"errors": "oops"}"#),
        ok(&internal),
        ok(&unnamed),
        ok(&foreign),
    ] {
        let failed = fulfill(&Script::of([answer.clone()]), &work(&["1"])).await.unwrap_err();
        assert_eq!(failed.error.disposition, Disposition::Ambiguous, "{answer:?}");
        assert!(failed.made.is_empty());
    }
    for answer in [
        Err(ActError::ambiguous("timed out")),
        http(500, "oops"),
        http(200, "<html>"),
        http(200, "{\"data\":null}"),
        ok(&internal),
    ] {
        assert_eq!(after(&look(answer).await.unwrap_err()), None);
    }
}

#[tokio::test]
async fn a_call_that_never_left_is_tried_again() {
    let refused = || Err(ActError::retry("could not connect"));
    let failed = fulfill(&Script::of([refused()]), &work(&["1"])).await.unwrap_err();
    assert_eq!(failed.error.disposition, Disposition::RETRY);
    assert_eq!(look(refused()).await.unwrap_err().disposition, Disposition::RETRY);
}

#[tokio::test]
async fn a_refused_token_or_store_is_permanent_and_says_so() {
    let denied = json!({"data": {"order": null}, "errors": [
        {"message": "Access denied for fulfillmentOrders field.", "extensions": {"code": "ACCESS_DENIED"}}]});
    let bad =
        json!({"errors": [{"message": "Field 'x' doesn't exist", "extensions": {"code": "undefinedField"}}]});
    for (answer, words) in [
        (
            http(401, r#"{"errors":"[API] Invalid API key or access token"}"#),
            "Shopify refused the access token",
        ),
        (http(403, ""), "Shopify refused the access token"),
        (http(404, r#"{"errors":"Not Found"}"#), "does not know this store"),
        (http(402, ""), "HTTP 402"),
        (http(301, ""), "HTTP 301"),
        (ok(&denied), "write_merchant_managed_fulfillment_orders"),
        (ok(&bad), "undefinedField"),
    ] {
        let failed = fulfill(&Script::of([answer.clone()]), &work(&["1"])).await.unwrap_err().error;
        for error in [look(answer).await.unwrap_err(), failed] {
            assert_eq!(error.disposition, Disposition::Permanent, "{error}");
            assert!(error.message.contains(words) && !error.message.contains("shpat"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_fulfillment_that_shopify_marks_as_failed_is_ours_and_no_success() {
    let mut answer = made_answer(11);
    answer["data"]["fulfillmentCreate"]["fulfillment"]["status"] = json!("FAILURE");
    let failed = fulfill(&Script::of([ok(&answer)]), &work(&["1"])).await.unwrap_err();
    assert_eq!(ids(&failed.made), ["11"]);
    assert_eq!(failed.error.disposition, Disposition::Permanent);
}

#[test]
fn tracking_has_numbers_or_links_as_shopify_takes_them() {
    let link = |n: u8| format!("https://t.example/{n}");
    for (packages, info) in [
        (vec![parcel(Some("A"), None, None)], json!({"number": "A"})),
        (
            vec![parcel(Some("A"), Some(&link(1)), Some("UPS"))],
            json!({"number": "A", "url": link(1), "company": "UPS"}),
        ),
        (vec![parcel(None, Some(&link(1)), None)], json!({"number": link(1), "url": link(1)})),
        (
            vec![parcel(Some("A"), Some(&link(1)), Some("UPS")), parcel(None, Some(&link(2)), Some("UPS"))],
            json!({"numbers": ["A", link(2)], "urls": [link(1), link(2)], "company": "UPS"}),
        ),
        (
            vec![parcel(Some("A"), Some(&link(1)), Some("UPS")), parcel(Some("B"), None, Some("DHL"))],
            json!({"numbers": ["A", "B"]}),
        ),
        (
            vec![parcel(Some("A"), None, Some("DHLExpress")), parcel(Some("B"), None, Some("dhl express"))],
            json!({"numbers": ["A", "B"], "company": "DHL Express"}),
        ),
    ] {
        assert_eq!(tracking_info(&packages), Some(info));
    }
    assert_eq!(tracking_info(&[]), None);
}

#[tokio::test]
async fn tracking_goes_with_every_call_and_notifying_is_always_said() {
    let script = Script::of([ok(&made_answer(11)), ok(&made_answer(12)), ok(&left_answer("FULFILLED"))]);
    let quiet = FulfillRequest { notify_customer: false, ..request(vec![parcel(Some("A"), None, None)]) };
    script.client().fulfill(&access(), &order(), &work(&["1", "2"]), &quiet).await.unwrap();
    for input in script.inputs() {
        assert_eq!(input["trackingInfo"], json!({"number": "A"}));
        assert_eq!(input["notifyCustomer"], json!(false));
    }
}

#[tokio::test]
async fn the_recorded_answers_are_understood() {
    let file = |name: &str| fixture(&format!("shopify/{name}.json")).map(|b| String::from_utf8(b).unwrap());
    let Some(partial) = file("derived_graphql_order_fulfillmentOrders_partial") else { return };
    let seen = look(http(200, &partial)).await.unwrap();
    assert_eq!((seen.coverage, seen.work), (Coverage::Partial, Some(work(&["7000000000002"]))));

    let made = file("derived_graphql_fulfillmentCreate_success").unwrap();
    let script = Script::of([http(200, &made), ok(&left_answer("FULFILLED"))]);
    let done = fulfill(&script, &work(&["1"])).await.unwrap();
    assert_eq!(ids(&done.shipments), ["5000000000001"]);

    let script =
        Script::of([http(200, &file("derived_graphql_fulfillmentCreate_already_fulfilled").unwrap())]);
    assert!(fulfill(&script, &work(&["1"])).await.unwrap_err().already_done);

    let error = look(http(200, &file("graphql_throttled_goshopify").unwrap())).await.unwrap_err();
    assert_eq!(after(&error), Some(SignedDuration::from_secs(2)));
}

async fn probed(answer: Result<ApiAnswer, ActError>) -> Result<(), ActError> {
    use stagepost_app::ports::OrderSource;
    Script::of([answer]).client().probe(&access()).await
}

#[tokio::test]
async fn a_token_is_good_if_its_app_may_do_what_we_do() {
    let app = |scopes: &[&str]| {
        let scopes: Vec<Value> = scopes.iter().map(|handle| json!({ "handle": handle })).collect();
        ok(&json!({ "data": { "currentAppInstallation": { "accessScopes": scopes } } }))
    };
    let fulfills = "write_merchant_managed_fulfillment_orders";
    assert_eq!(probed(app(&["read_orders", "read_fulfillments", fulfills])).await, Ok(()));
    assert_eq!(
        probed(app(&["write_orders", "write_fulfillments", fulfills])).await,
        Ok(()),
        "who writes reads"
    );
    let error = probed(app(&["read_orders"])).await.unwrap_err();
    assert_eq!(error.disposition, Disposition::Permanent);
    assert!(
        error.message.contains("lacks read_fulfillments and write_merchant_managed"),
        "{}",
        error.message
    );
    let unknown = probed(http(401, "{}")).await.unwrap_err();
    assert!(unknown.disposition == Disposition::Permanent && unknown.message.contains("access token"));
    let away = probed(http(502, "")).await.unwrap_err();
    assert!(matches!(away.disposition, Disposition::Retry { .. }), "it says nothing of the token");
}
