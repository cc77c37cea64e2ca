use std::time::Duration;

use crate::testing::ManualClock;
use jiff::SignedDuration;
use stagepost_app::inbound::Reading;
use stagepost_app::ports::{ChannelAccess, FulfillRequest, Fulfilled, FulfillmentPlatform};
use stagepost_domain::Timestamp;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::fact::{Coverage, Fact, OrderFact, ShipmentId};
use stagepost_domain::id::{ChannelId, OrderId, ShopId};
use stagepost_domain::keyring::Keyring;
use stagepost_domain::order::{Lifecycle, Platform as Kind, Source};
use stagepost_domain::package::PackageSeen;
use stagepost_domain::run::{RunId, RunKey, Target};
use stagepost_domain::shop::{Channel, Sealed};
use stagepost_domain::signing::base64_hmac_matches;
use stagepost_outbound_http::{Guard, OutboundHttp};
use stagepost_shopify::{ApiBase, ShopifyClient};

use super::*;
use crate::spec::THIRD_PARTY;

const DOMAIN: &str = "demo.myshopify.com";
const TOKEN: &str = "shpat_standin";
const SECRET: &str = "hush";

async fn store() -> (ShopifyStore, ManualClock) {
    let clock = ManualClock::new("2026-03-01T12:00:00.700Z".parse().unwrap());
    let store = ShopifyStore::start(DOMAIN, TOKEN, SECRET, Arc::new(clock.clone())).await.unwrap();
    (store, clock)
}

fn channel() -> Channel {
    Channel {
        id: ChannelId::parse("chan_a").unwrap(),
        shop: ShopId::parse("shop_a").unwrap(),
        platform: Kind::Shopify,
        name: "Demo".into(),
        store: DOMAIN.into(),
        default_flow: None,
        armed_at: Timestamp::UNIX_EPOCH,
        webhook_secrets: Keyring::new(Sealed("sealed".into())),
        credentials: None,
        version: 1,
    }
}

fn client(store: &ShopifyStore) -> ShopifyClient<OutboundHttp> {
    let base = ApiBase::Override(url::Url::parse(&store.base_url()).unwrap());
    ShopifyClient::new(OutboundHttp::new(Guard::LoopbackAllowed).unwrap(), base)
}

fn access(token: &str) -> ChannelAccess {
    ChannelAccess { channel: channel(), credentials: token.into() }
}

fn source(order: &str) -> Source {
    Source { platform: Kind::Shopify, store: DOMAIN.into(), external_id: order.into(), channel: None }
}

fn request(packages: Vec<PackageSeen>) -> FulfillRequest {
    let key = RunKey::first(Target::Fulfill(Some(ChannelId::parse("chan_a").unwrap())));
    let run = RunId { order: OrderId::parse("ord_1").unwrap(), seq: 1, key };
    FulfillRequest { run, packages, notify_customer: true, in_doubt: false }
}

fn spec() -> OrderSpec {
    OrderSpec::new("Zoë Čapek", "zoe@example.test")
        .line(LineSpec::new("Mug", 2, 1_250))
        .line(LineSpec::new("Lamp", 1, 4_900))
}

/// Verifies and reads.
fn read(n: &Notification) -> (Source, Fact) {
    assert!(base64_hmac_matches([SECRET].into_iter(), &n.body, n.header("x-shopify-hmac-sha256")), "{n:?}");
    match stagepost_shopify::read(n.header("x-shopify-topic").unwrap(), &channel(), &n.body, Timestamp::MAX) {
        Reading::Fact { source, fact } => (source, fact),
        other => panic!("{n:?} reads as {other:?}"),
    }
}

fn order_fact(n: &Notification) -> OrderFact {
    match read(n).1 {
        Fact::Order(fact) => *fact,
        other => panic!("{n:?} is {other:?}"),
    }
}

fn topics(all: &[Notification]) -> Vec<&str> {
    all.iter().map(|n| n.topic.as_str()).collect()
}

async fn fulfill(store: &ShopifyStore, order: &str, packages: Vec<PackageSeen>) -> Fulfilled {
    let client = client(store);
    let look = client.look(&access(TOKEN), &source(order)).await.unwrap();
    let work = look.work.unwrap();
    client.fulfill(&access(TOKEN), &source(order), &work, &request(packages)).await.unwrap()
}

#[tokio::test]
async fn a_new_order_is_told_twice_with_its_exact_id_and_whole_seconds() {
    let (store, _) = store().await;
    let id = store.create_order(&spec());
    assert!(id.parse::<u64>().unwrap() > 1 << 53);
    let sent = store.take_outbox();
    assert_eq!(topics(&sent), ["orders/create", "orders/updated"]);
    assert_eq!(sent[0].header("X-Shopify-Event-Id"), sent[1].header("X-Shopify-Event-Id"));
    assert_ne!(sent[0].header("X-Shopify-Webhook-Id"), sent[1].header("X-Shopify-Webhook-Id"));
    for n in &sent {
        let fact = order_fact(n);
        assert_eq!(fact.source.external_id, id);
        assert_eq!(fact.number, "#1001");
        assert_eq!(fact.updated_at, "2026-03-01T12:00:00Z".parse().ok());
        assert_eq!(fact.fulfillment.coverage, Coverage::None);
        assert_eq!(fact.snapshot.customer.email.as_deref(), Some("zoe@example.test"));
        assert_eq!(fact.snapshot.total.as_deref(), Some("74.00"));
        assert_eq!(fact.snapshot.line_count, 2);
    }
}

#[tokio::test]
async fn the_clock_of_the_store_never_goes_back() {
    let (store, clock) = store().await;
    let id = store.create_order(&spec());
    clock.advance(SignedDuration::from_secs(-60));
    store.edit_address(&id, "Elsewhere 1").unwrap();
    let last = order_fact(&store.take_outbox()[2]);
    assert_eq!(last.updated_at, "2026-03-01T12:00:00Z".parse().ok());
    assert!(last.snapshot.ship_to.contains(&"Elsewhere 1".to_owned()));
}

#[tokio::test]
async fn our_fulfillment_makes_three_notifications_that_name_it() {
    let (store, clock) = store().await;
    let id = store.create_order(&spec());
    store.take_outbox();
    clock.advance(SignedDuration::from_secs(60));
    let parcel = PackageSeen::parse(Some("1Z999"), Some("https://ups.example/1Z999"), Some("UPS")).unwrap();
    let made = fulfill(&store, &id, vec![parcel.clone()]).await;
    assert_eq!(made.coverage, Coverage::Complete);
    assert_eq!(made.shipments, store.fulfillments(&id).into_iter().map(ShipmentId).collect::<Vec<_>>());
    let sent = store.take_outbox();
    assert_eq!(topics(&sent), ["fulfillments/create", "orders/fulfilled", "orders/updated"]);
    let Fact::Shipment(shipment) = read(&sent[0]).1 else { panic!("no shipment") };
    assert_eq!(shipment.shipment.id, made.shipments[0]);
    assert_eq!(shipment.number.as_deref(), Some("#1001"));
    for n in &sent[1..] {
        let fact = order_fact(n);
        assert_eq!(fact.fulfillment.coverage, Coverage::Complete);
        assert_eq!(fact.fulfillment.shipments[0].id, made.shipments[0]);
        assert_eq!(fact.fulfillment.shipments[0].packages, std::slice::from_ref(&parcel));
    }
    assert_eq!((store.fulfillment_calls(), store.mails()), (1, 1));
}

#[tokio::test]
async fn two_locations_take_two_calls_and_the_first_is_partial() {
    let (store, _) = store().await;
    let id = store.create_order(&spec().line(LineSpec::new("Chair", 1, 9_900).at(1)));
    store.take_outbox();
    assert_eq!(fulfill(&store, &id, Vec::new()).await.shipments.len(), 2);
    let sent = store.take_outbox();
    assert_eq!(sent[1].topic, "orders/partially_fulfilled");
    assert_eq!(order_fact(&sent[1]).fulfillment.coverage, Coverage::Partial);
    assert_eq!(sent[4].topic, "orders/fulfilled");
    assert_eq!(order_fact(&sent[4]).fulfillment.coverage, Coverage::Complete);
}

#[tokio::test]
async fn a_third_partys_part_is_hidden_and_the_order_is_not_complete_without_it() {
    let (store, _) = store().await;
    let id = store.create_order(&spec().line(LineSpec::new("Printed shirt", 1, 2_900).by_third_party()));
    let look = client(&store).look(&access(TOKEN), &source(&id)).await.unwrap();
    assert!(look.work.is_some());
    assert_eq!(fulfill(&store, &id, Vec::new()).await.coverage, Coverage::Partial);
    let look = client(&store).look(&access(TOKEN), &source(&id)).await.unwrap();
    assert_eq!((look.coverage, look.work), (Coverage::Partial, None));
    store.fulfill_location(&id, THIRD_PARTY, &Tracking::none()).unwrap();
    let look = client(&store).look(&access(TOKEN), &source(&id)).await.unwrap();
    assert_eq!(look.coverage, Coverage::Complete);
}

#[tokio::test]
async fn a_location_takes_a_scope_that_the_app_does_not_have() {
    let (store, _) = store().await;
    let id = store.create_order(&spec());
    let query = "query Q($id: ID!) { order(id: $id) { fulfillmentOrders(first: 5) { nodes { id \
                 assignedLocation { location { id } } } } } }";
    let variables = serde_json::json!({ "id": format!("gid://shopify/Order/{id}") });
    let body = serde_json::json!({ "query": query, "variables": variables }).to_string();
    let headers = vec![("x-shopify-access-token".to_owned(), TOKEN.to_owned())];
    let call = Notification { topic: String::new(), headers, body: body.into() };
    let path = format!("/{DOMAIN}/admin/api/{API_VERSION}/graphql.json");
    let posted = crate::Courier::new(&store.base_url()).post(&path, &call).await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&posted.body).unwrap();
    assert_eq!(answer["errors"][0]["extensions"]["code"], "ACCESS_DENIED", "{answer}");
    assert_eq!(answer["data"]["order"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_second_fulfillment_is_refused_in_shopifys_words() {
    let (store, _) = store().await;
    let id = store.create_order(&spec());
    let client = client(&store);
    let (access, source) = (access(TOKEN), source(&id));
    let work = client.look(&access, &source).await.unwrap().work.unwrap();
    store.fulfill_by_hand(&id, &Tracking::number("BY-HAND")).unwrap();
    let refused = client.fulfill(&access, &source, &work, &request(Vec::new())).await.unwrap_err();
    assert!(refused.already_done, "{refused:?}");
    let look = client.look(&access, &source).await.unwrap();
    assert_eq!((look.coverage, look.work), (Coverage::Complete, None));
    assert_eq!(look.shipments[0].numbers, ["BY-HAND"]);
    assert_eq!(store.fulfillments(&id).len(), 1);
}

#[tokio::test]
async fn a_cancelled_fulfillment_can_be_made_again() {
    let (store, clock) = store().await;
    let id = store.create_order(&spec());
    store.fulfill_by_hand(&id, &Tracking::none()).unwrap();
    store.take_outbox();
    clock.advance(SignedDuration::from_secs(5));
    store.cancel_fulfillment(&id).unwrap();
    let sent = store.take_outbox();
    assert_eq!(topics(&sent), ["fulfillments/update", "orders/updated"]);
    let Fact::Shipment(shipment) = read(&sent[0]).1 else { panic!("no shipment") };
    assert!(!shipment.shipment.active);
    assert_eq!(order_fact(&sent[1]).fulfillment.coverage, Coverage::None);
    assert_eq!(fulfill(&store, &id, Vec::new()).await.coverage, Coverage::Complete);
}

#[tokio::test]
async fn a_cancelled_order_is_told_and_cannot_be_fulfilled() {
    let (store, _) = store().await;
    let id = store.create_order(&spec());
    store.take_outbox();
    store.cancel_order(&id).unwrap();
    let sent = store.take_outbox();
    assert_eq!(topics(&sent), ["orders/cancelled", "orders/updated"]);
    assert!(matches!(order_fact(&sent[0]).lifecycle, Lifecycle::Cancelled { at: Some(_) }));
    let look = client(&store).look(&access(TOKEN), &source(&id)).await.unwrap();
    assert!(look.work.is_none() && look.blocked.is_some());
    assert!(store.fulfill_by_hand(&id, &Tracking::none()).is_err());
}

#[tokio::test]
async fn a_platform_hold_blocks_and_an_added_line_reopens_the_rest() {
    let (store, _) = store().await;
    let id = store.create_order(&spec());
    store.set_platform_hold(&id, true).unwrap();
    let look = client(&store).look(&access(TOKEN), &source(&id)).await.unwrap();
    assert!(look.blocked.unwrap().contains("hold"));
    store.set_platform_hold(&id, false).unwrap();
    fulfill(&store, &id, Vec::new()).await;
    store.take_outbox();
    store.add_line(&id, &LineSpec::new("Spoon", 1, 300)).unwrap();
    assert_eq!(order_fact(&store.take_outbox()[0]).fulfillment.coverage, Coverage::Partial);
}

#[tokio::test]
async fn a_lost_answer_leaves_the_fulfillment_made() {
    let (store, _) = store().await;
    let id = store.create_order(&spec());
    let client = client(&store);
    let (access, source) = (access(TOKEN), source(&id));
    let work = client.look(&access, &source).await.unwrap().work.unwrap();
    store.drop_answers(1);
    let lost = client.fulfill(&access, &source, &work, &request(Vec::new())).await.unwrap_err();
    assert_eq!(lost.error.disposition, Disposition::Ambiguous, "{lost:?}");
    assert_eq!((store.fulfillments(&id).len(), store.fulfillment_calls()), (1, 1));
    assert_eq!(store.log().last().unwrap().status, None);
}

#[tokio::test]
async fn notifications_can_overtake_the_answer() {
    let (store, _) = store().await;
    let id = store.create_order(&spec());
    store.take_outbox();
    let gate = store.hold_answers();
    let call = tokio::spawn({
        let (store, id) = (store.clone(), id.clone());
        async move { fulfill(&store, &id, Vec::new()).await }
    });
    assert!(gate.reached(1, Duration::from_secs(10)).await);
    assert_eq!(store.take_outbox().len(), 3);
    assert!(!call.is_finished());
    gate.release();
    assert_eq!(call.await.unwrap().coverage, Coverage::Complete);
}

#[tokio::test]
async fn refusals_and_throttles_do_nothing() {
    let (store, _) = store().await;
    let id = store.create_order(&spec());
    let client = client(&store);
    let source = source(&id);
    let wrong = client.look(&access("shpat_wrong"), &source).await.unwrap_err();
    assert_eq!(wrong.disposition, Disposition::Permanent);
    let work = client.look(&access(TOKEN), &source).await.unwrap().work.unwrap();
    store.throttle_next(1);
    let throttled = client.fulfill(&access(TOKEN), &source, &work, &request(Vec::new())).await.unwrap_err();
    assert!(matches!(throttled.error.disposition, Disposition::Retry { after: Some(_) }), "{throttled:?}");
    store.fail_next_writes(503, 1);
    client.look(&access(TOKEN), &source).await.unwrap();
    client.fulfill(&access(TOKEN), &source, &work, &request(Vec::new())).await.unwrap_err();
    assert!(store.fulfillments(&id).is_empty());
    assert_eq!(store.fulfillment_calls(), 2);
}

#[tokio::test]
async fn odd_calls_get_an_error_and_nothing_else() {
    let (store, _) = store().await;
    let path = format!("/{DOMAIN}/admin/api/{API_VERSION}/graphql.json");
    let courier = crate::Courier::new(&store.base_url());
    for (body, status, word) in [
        ("", 400, "query"),
        ("[1]", 400, "query"),
        ("{\"query\":\"{\"}", 400, "query"),
        ("{\"query\":\"{ order(id: $id) { id } }\"}", 200, "INVALID_VARIABLE"),
        ("{\"query\":\"{ shop { name } }\"}", 200, "undefinedField"),
        (
            "{\"query\":\"mutation { fulfillmentCreate(f: $f) { x } }\",\"variables\":{\"f\":{}}}",
            200,
            "INVALID",
        ),
    ] {
        let headers = vec![("x-shopify-access-token".to_owned(), TOKEN.to_owned())];
        let n = Notification { topic: String::new(), headers, body: body.into() };
        let posted = courier.post(&path, &n).await.unwrap();
        assert_eq!(posted.status, status, "{body}");
        assert!(String::from_utf8(posted.body).unwrap().contains(word), "{body}");
    }
    assert_eq!(
        courier
            .post("/other", &store.notification("1", "x").unwrap_or_else(|_| empty()))
            .await
            .unwrap()
            .status,
        404
    );
}

fn empty() -> Notification {
    Notification { topic: String::new(), headers: Vec::new(), body: Vec::new() }
}

#[tokio::test]
async fn a_query_gets_the_fields_it_asks_for_and_no_unknown_ones() {
    let value = serde_json::json!({ "order": { "id": 1, "list": { "nodes": [1, 2, 3], "pageInfo": {} } } });
    let fields = select::parse("query Q($id: ID!) { order(id: $id) { list(first: 2) { nodes } } }").unwrap();
    assert_eq!(select::select(&value, &fields).unwrap().to_string(), r#"{"order":{"list":{"nodes":[1,2]}}}"#);
    let fields = select::parse("{ order { colour } }").unwrap();
    assert_eq!(select::select(&value, &fields).unwrap_err(), "colour");
}

#[tokio::test]
async fn pushed_notifications_arrive_in_order_and_failures_are_kept() {
    let (store, clock) = store().await;
    let receiver = crate::Receiver::start(Arc::new(clock)).await.unwrap();
    receiver.reply(crate::Reply::Status(503), 1);
    let courier = crate::Courier::new(receiver.url().trim_end_matches("/hook"));
    store.push_to(&courier, "/webhooks/shopify/chan_a");
    let id = store.create_order(&spec());
    assert!(store.settled(Duration::from_secs(10)).await);
    let came: Vec<_> =
        receiver.received().iter().map(|r| r.header("x-shopify-topic").map(str::to_owned)).collect();
    assert_eq!(came, [Some("orders/create".to_owned()), Some("orders/updated".to_owned())]);
    assert_eq!(topics(&store.take_undelivered()), ["orders/create"]);
    store.queue_again();
    store.edit_address(&id, "Elsewhere 1").unwrap();
    assert_eq!(store.take_outbox().len(), 1);
}
