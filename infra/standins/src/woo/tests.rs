use std::time::Duration;

use crate::testing::ManualClock;
use jiff::SignedDuration;
use stagepost_app::inbound::Reading;
use stagepost_app::ports::{ChannelAccess, FulfillRequest, Fulfilled, FulfillmentPlatform, OrderSource};
use stagepost_domain::Timestamp;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::fact::{Coverage, Fact, OrderFact};
use stagepost_domain::id::{ChannelId, OrderId, ShopId};
use stagepost_domain::keyring::Keyring;
use stagepost_domain::order::{Lifecycle, Platform as Kind, Source};
use stagepost_domain::package::PackageSeen;
use stagepost_domain::run::{RunId, RunKey, Target};
use stagepost_domain::shop::{Channel, Sealed};
use stagepost_domain::signing::base64_hmac_matches;
use stagepost_outbound_http::{Guard, OutboundHttp};
use stagepost_woocommerce::WooClient;

use super::*;
use crate::spec::LineSpec;

const KEY: &str = "ck_standin:cs_standin";
const SECRET: &str = "a&amp;b";

async fn store() -> (WooStore, ManualClock) {
    let clock = ManualClock::new("2026-03-01T12:00:00.700Z".parse().unwrap());
    (WooStore::start(KEY, SECRET, Arc::new(clock.clone())).await.unwrap(), clock)
}

fn channel(store: &WooStore) -> Channel {
    Channel {
        id: ChannelId::parse("chan_w").unwrap(),
        shop: ShopId::parse("shop_a").unwrap(),
        platform: Kind::Woocommerce,
        name: "Demo".into(),
        store: store.url(),
        default_flow: None,
        armed_at: Timestamp::UNIX_EPOCH,
        webhook_secrets: Keyring::new(Sealed("sealed".into())),
        credentials: None,
        version: 1,
    }
}

fn access(store: &WooStore, key: &str) -> ChannelAccess {
    ChannelAccess { channel: channel(store), credentials: key.into() }
}

fn source(store: &WooStore, order: &str) -> Source {
    Source { platform: Kind::Woocommerce, store: store.url(), external_id: order.into(), channel: None }
}

fn client() -> WooClient<OutboundHttp> {
    WooClient::new(OutboundHttp::new(Guard::LoopbackAllowed).unwrap())
}

fn request(packages: Vec<PackageSeen>) -> FulfillRequest {
    let key = RunKey::first(Target::Fulfill(Some(ChannelId::parse("chan_w").unwrap())));
    let run = RunId { order: OrderId::parse("ord_1").unwrap(), seq: 1, key };
    FulfillRequest { run, packages, notify_customer: false, in_doubt: false }
}

fn parcel() -> PackageSeen {
    PackageSeen::parse(Some("JD-1"), Some("https://dhl.example/JD-1"), Some("DHL")).unwrap()
}

fn spec() -> OrderSpec {
    OrderSpec::new("Zoë Čapek", "zoe@example.test").line(LineSpec::new("Hrnek „Žlutý“ / ☕", 2, 1_990))
}

async fn fulfill(store: &WooStore, order: &str, packages: Vec<PackageSeen>) -> Fulfilled {
    let (access, source) = (access(store, KEY), source(store, order));
    let work = client().look(&access, &source).await.unwrap().work.unwrap();
    client().fulfill(&access, &source, &work, &request(packages)).await.unwrap()
}

/// Verifies and reads.
fn read(store: &WooStore, n: &Notification) -> Reading {
    let key = woocommerce_key(SECRET);
    assert!(base64_hmac_matches([key.as_str()].into_iter(), &n.body, n.header("x-wc-webhook-signature")));
    stagepost_woocommerce::read(
        n.header("x-wc-webhook-topic").unwrap(),
        &channel(store),
        &n.body,
        Timestamp::MAX,
    )
}

fn order_fact(store: &WooStore, n: &Notification) -> OrderFact {
    match read(store, n) {
        Reading::Fact { fact: Fact::Order(fact), .. } => *fact,
        other => panic!("{n:?} reads as {other:?}"),
    }
}

fn topics(all: &[Notification]) -> Vec<&str> {
    all.iter().map(|n| n.topic.as_str()).collect()
}

#[tokio::test]
async fn a_new_order_is_told_twice_with_one_body_in_phps_json() {
    let (store, _) = store().await;
    let id = store.create_order(&spec());
    let sent = store.take_outbox();
    assert_eq!(topics(&sent), ["order.created", "order.updated"]);
    assert_eq!(sent[0].body, sent[1].body);
    let text = String::from_utf8(sent[0].body.clone()).unwrap();
    assert!(
        text.is_ascii()
            && text.contains(r"Zo\u00eb")
            && text.contains(r"\/wp-json\/wc")
            && text.contains("19.9")
    );
    assert_eq!(sent[0].header("x-wc-webhook-source").unwrap(), format!("{}/", store.url()));
    let fact = order_fact(&store, &sent[0]);
    assert_eq!((fact.source.external_id, fact.number), (id.clone(), id));
    assert_eq!(fact.updated_at, "2026-03-01T12:00:00Z".parse().ok());
    assert_eq!(fact.snapshot.customer.name.as_deref(), Some("Zoë Čapek"));
    assert_eq!(fact.snapshot.lines[0].title, "Hrnek „Žlutý“ / ☕");
    assert_eq!(fact.snapshot.total.as_deref(), Some("39.80"));
}

#[tokio::test]
async fn a_delivery_id_is_shared_within_one_second_and_not_beyond() {
    let (store, clock) = store().await;
    let first = store.create_order(&spec());
    let second = store.create_order(&spec());
    clock.advance(SignedDuration::from_secs(1));
    store.touch(&first).unwrap();
    let sent = store.take_outbox();
    let id = |n: usize| sent[n].header("x-wc-webhook-delivery-id").unwrap();
    assert_ne!(first, second);
    assert_eq!(id(1), id(3), "two orders, one second, one webhook");
    assert_ne!(id(0), id(1), "two webhooks");
    assert_ne!(id(1), id(4), "two seconds");
    assert_eq!(id(0).len(), 32);
}

#[tokio::test]
async fn our_completion_is_told_and_carries_our_mark() {
    let (store, clock) = store().await;
    let id = store.create_order(&spec());
    store.take_outbox();
    clock.advance(SignedDuration::from_secs(60));
    let made = fulfill(&store, &id, vec![parcel()]).await;
    assert_eq!(made.coverage, Coverage::Complete);
    let sent = store.take_outbox();
    assert_eq!(topics(&sent), ["order.updated"]);
    let fact = order_fact(&store, &sent[0]);
    assert_eq!(fact.fulfillment.shipments[0].id, made.shipments[0]);
    assert_eq!(fact.fulfillment.marker, Some(request(Vec::new()).run.to_string()));
    assert_eq!(fact.fulfillment.packages, Some(vec![parcel()]));
    assert_eq!((store.fulfillment_calls(), store.mails()), (1, 1));
    assert_eq!(store.notes(&id).len(), 1);
}

#[tokio::test]
async fn plain_permalinks_and_hosts_that_drop_the_login_are_found_out() {
    for (plain, drops) in [(true, false), (false, true), (true, true)] {
        let (store, _) = store().await;
        store.set_plain_permalinks(plain);
        store.set_drops_login(drops);
        let id = store.create_order(&spec());
        let made = fulfill(&store, &id, vec![parcel()]).await;
        assert_eq!(made.coverage, Coverage::Complete, "plain: {plain}, drops: {drops}");
        assert_eq!((store.fulfillment_calls(), store.notes(&id).len()), (1, 1));
        let access = access(&store, KEY);
        let page =
            client().changed(&access, Timestamp::UNIX_EPOCH, None, Timestamp::UNIX_EPOCH).await.unwrap();
        assert_eq!(page.orders.len(), 1);
        let nobody = source(&store, "9999");
        let unknown = client().look(&access, &nobody).await.unwrap_err();
        assert!(unknown.message.contains("no such order"), "{unknown}");
    }
}

#[tokio::test]
async fn a_wrong_key_stays_wrong_whatever_way_it_comes() {
    let (store, _) = store().await;
    let id = store.create_order(&spec());
    let wrong = client().look(&access(&store, "ck_other:cs_other"), &source(&store, &id)).await.unwrap_err();
    assert_eq!(wrong.disposition, Disposition::Permanent);
    assert!(wrong.message.contains("does not know the API key"), "{wrong}");
}

#[tokio::test]
async fn plugins_can_make_it_four_notifications() {
    let (store, _) = store().await;
    store.set_extra_updates(3);
    let id = store.create_order(&spec());
    store.take_outbox();
    fulfill(&store, &id, Vec::new()).await;
    let sent = store.take_outbox();
    assert_eq!(topics(&sent), ["order.updated"; 4]);
    let facts: Vec<_> = sent.iter().map(|n| order_fact(&store, n)).collect();
    assert!(facts.iter().all(|f| f.fulfillment == facts[0].fulfillment));
}

#[tokio::test]
async fn completing_again_keeps_the_time_and_mails_nobody() {
    let (store, clock) = store().await;
    let id = store.create_order(&spec());
    store.complete_by_hand(&id, &Tracking::number("X-1").by("dhl")).unwrap();
    clock.advance(SignedDuration::from_secs(60));
    store.set_status(&id, "completed").unwrap();
    let sent = store.take_outbox();
    let (first, again) = (order_fact(&store, &sent[2]), order_fact(&store, &sent[3]));
    assert_eq!(first.fulfillment.shipments[0].id, again.fulfillment.shipments[0].id);
    assert!(first.updated_at < again.updated_at);
    assert_eq!(first.fulfillment.packages.unwrap()[0].number.as_deref(), Some("X-1"));
    assert_eq!(store.mails(), 1);
    clock.advance(SignedDuration::from_secs(60));
    store.set_status(&id, "processing").unwrap();
    let reopened = order_fact(&store, &store.take_outbox()[0]);
    assert!(reopened.fulfillment.reopened);
}

#[tokio::test]
async fn tracking_goes_to_the_extension_where_it_is_installed() {
    let (store, _) = store().await;
    store.set_shipment_tracking(true);
    let id = store.create_order(&spec());
    store.take_outbox();
    fulfill(&store, &id, vec![parcel()]).await;
    let sent = store.take_outbox();
    assert_eq!(sent.len(), 2, "the extension's save and the completion");
    assert_eq!(order_fact(&store, &sent[1]).fulfillment.packages, Some(vec![parcel()]));
    assert!(store.notes(&id).is_empty());
}

#[tokio::test]
async fn the_fulfillments_feature_takes_tracking_where_it_is_on() {
    let (store, _) = store().await;
    store.set_fulfillments_feature(true);
    let id = store.create_order(&spec());
    let made = fulfill(&store, &id, vec![parcel()]).await;
    assert_eq!(made.shipments.len(), 2);
    assert_eq!(store.meta(&id, "_fulfillment_status"), Some(json!("fulfilled")));
    assert_eq!(store.fulfillment_calls(), 2);
    assert_eq!(
        client().look(&access(&store, KEY), &source(&store, &id)).await.unwrap().coverage,
        Coverage::Complete
    );
}

#[tokio::test]
async fn a_checkout_that_is_only_open_is_a_draft() {
    let (store, _) = store().await;
    let id = store.open_checkout(&spec());
    store.place_checkout(&id).unwrap();
    let sent = store.take_outbox();
    assert_eq!(topics(&sent), ["order.updated", "order.updated", "order.created"]);
    assert!(matches!(read(&store, &sent[0]), Reading::NoOp(_)));
    assert!(!String::from_utf8_lossy(&sent[0].body).contains("example.test"));
    assert_eq!(order_fact(&store, &sent[2]).snapshot.customer.email.as_deref(), Some("zoe@example.test"));
}

#[tokio::test]
async fn the_trash_is_told_by_id_alone() {
    let (store, _) = store().await;
    let id = store.create_order(&spec());
    store.take_outbox();
    store.trash(&id).unwrap();
    let blocked = client().look(&access(&store, KEY), &source(&store, &id)).await.unwrap().blocked;
    assert!(blocked.unwrap().contains("trash"));
    store.restore(&id).unwrap();
    let sent = store.take_outbox();
    assert_eq!(topics(&sent), ["order.deleted", "order.restored"]);
    assert_eq!(sent[0].body, format!("{{\"id\":{id}}}").into_bytes());
    assert!(matches!(read(&store, &sent[0]), Reading::Fact { fact: Fact::Trashed, .. }));
    assert_eq!(order_fact(&store, &sent[1]).lifecycle, Lifecycle::Open);
    assert!(store.restore(&id).is_err());
}

#[tokio::test]
async fn the_ping_is_a_form_without_signature() {
    let (store, _) = store().await;
    let ping = store.ping();
    assert!(stagepost_woocommerce::is_ping(ping.header("content-type"), false, &ping.body));
    assert!(!ping.headers.iter().any(|(name, _)| name.starts_with("X-WC")));
}

#[tokio::test]
async fn keys_and_ids_are_checked_as_wordpress_does() {
    let (store, _) = store().await;
    let id = store.create_order(&spec());
    let ours = source(&store, &id);
    for (key, code) in [
        ("ck_other:cs_standin", "woocommerce_rest_cannot_view"),
        ("ck_standin:cs_wrong", "woocommerce_rest_authentication_error"),
    ] {
        let error = client().look(&access(&store, key), &ours).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Permanent);
        assert!(error.message.contains("401") && error.message.contains(code), "{error}");
    }
    let error = client().look(&access(&store, KEY), &source(&store, "9999")).await.unwrap_err();
    assert!(error.message.contains("404"), "{error}");
    let work = client().look(&access(&store, KEY), &ours).await.unwrap().work.unwrap();
    store.set_read_only(true);
    let error = client().fulfill(&access(&store, KEY), &ours, &work, &request(Vec::new())).await.unwrap_err();
    assert!(error.error.message.contains("401"), "{error:?}");
    assert_eq!(store.status(&id).as_deref(), Some("processing"));
}

#[tokio::test]
async fn a_lost_answer_leaves_the_order_completed_and_a_refusal_does_not() {
    let (store, _) = store().await;
    let id = store.create_order(&spec());
    let (access, source) = (access(&store, KEY), source(&store, &id));
    let work = client().look(&access, &source).await.unwrap().work.unwrap();
    store.fail_next_writes(503, 1);
    client().fulfill(&access, &source, &work, &request(Vec::new())).await.unwrap_err();
    assert_eq!(store.status(&id).as_deref(), Some("processing"));
    store.drop_answers(1);
    let lost = client().fulfill(&access, &source, &work, &request(Vec::new())).await.unwrap_err();
    assert_eq!(lost.error.disposition, Disposition::Ambiguous);
    assert_eq!(store.status(&id).as_deref(), Some("completed"));
    assert_eq!(store.fulfillment_calls(), 2);
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
    assert_eq!(store.take_outbox().len(), 1);
    gate.release();
    assert_eq!(call.await.unwrap().coverage, Coverage::Complete);
}
