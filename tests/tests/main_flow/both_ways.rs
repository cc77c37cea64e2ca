//! Fulfillment goes both ways, and never in a circle.

use serde_json::{Value, json};
use stagepost_standins::{Platform, Tracking};
use stagepost_tests::Trial;

use crate::{shopify_order, woo_order};

/// The order was fulfilled by its merchant: it moved once, and our own run was skipped with whose and when.
async fn is_the_merchants(trial: &Trial, id: &str, platform: &str) {
    trial.comes_to(id, "Shipped").await;
    assert_eq!(trial.path(id).await, ["New", "Shipped"]);
    let runs = trial.runs_of(id, "fulfill").await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    let skipped = &runs[0]["skipped"];
    assert_eq!(skipped["reason"], "already_fulfilled");
    assert_eq!(skipped["by"]["whose"], "theirs");
    assert_eq!(skipped["platform"], platform);
    assert!(skipped["at"].is_string(), "{skipped}");
    assert_eq!(trial.subjects().await.len(), 2);
}

#[tokio::test]
async fn fulfilled_in_shopify_moves_the_order_once_and_nothing_is_fulfilled_back() {
    let trial = Trial::start().await;
    let (external, id) = shopify_order(&trial).await;
    trial.shopify.fulfill_by_hand(&external, &Tracking::number("1Z999AA10123456784").by("UPS")).unwrap();
    trial.deliver_shopify().await;
    is_the_merchants(&trial, &id, "shopify").await;
    assert_eq!(trial.shopify.fulfillment_calls(), 0);
    assert_eq!(trial.order(&id).await["packages"][0]["number"], "1Z999AA10123456784");
}

#[tokio::test]
async fn completed_in_woocommerce_moves_the_order_once_and_nothing_is_completed_back() {
    let trial = Trial::start().await;
    let (external, id) = woo_order(&trial).await;
    trial.woo.complete_by_hand(&external, &Tracking::none()).unwrap();
    trial.deliver_woo().await;
    is_the_merchants(&trial, &id, "woocommerce").await;
    assert_eq!(trial.woo.fulfillment_calls(), 0);
}

/// Adds a package and moves the order to the stage that goes both ways.
async fn ships(trial: &Trial, id: &str) {
    let package = json!({"number": "9400100000000000000001", "carrier": "USPS"});
    trial.api.post(&format!("/v1/orders/{id}/packages"), &package).await.ok();
    trial.move_to(id, "Shipped").await.ok();
    trial.ended(id).await;
    assert_eq!(trial.states(id, "fulfill").await, ["succeeded"]);
}

/// What came back of our own call has moved nothing.
async fn is_ours(trial: &Trial, id: &str) {
    trial.ended(id).await;
    assert_eq!(trial.path(id).await, ["New", "Shipped"]);
    assert_eq!(trial.states(id, "fulfill").await, ["succeeded"]);
    let order = trial.order(id).await;
    assert_eq!(order["fulfillment"]["by"]["whose"], "ours");
    assert_eq!(order["packages"].as_array().map(Vec::len), Some(1), "our tracking came back: {order}");
    assert_eq!(trial.subjects().await.len(), 2);
}

#[tokio::test]
async fn a_move_fulfills_on_shopify_with_tracking_and_its_echoes_move_nothing() {
    let trial = Trial::start().await;
    let (external, id) = shopify_order(&trial).await;
    ships(&trial, &id).await;
    assert_eq!(trial.shopify.tracking_numbers(&external), ["9400100000000000000001"]);
    let echoes = trial.shopify.take_outbox();
    assert_eq!(echoes.len(), 3);
    for echo in echoes.iter().chain(&echoes) {
        trial.tell_shopify(echo).await;
    }
    is_ours(&trial, &id).await;
    assert_eq!(trial.shopify.fulfillment_calls(), 1);
    assert_eq!(trial.shopify.fulfillments(&external).len(), 1);
}

#[tokio::test]
async fn a_move_completes_in_woocommerce_with_tracking_and_its_echoes_move_nothing() {
    let trial = Trial::start().await;
    trial.woo.set_extra_updates(3);
    let (external, id) = woo_order(&trial).await;
    ships(&trial, &id).await;
    let tracking: Value = trial.woo.meta(&external, "_wc_shipment_tracking_items").unwrap();
    assert_eq!(tracking[0]["tracking_number"], "9400100000000000000001");
    let echoes = trial.woo.take_outbox();
    assert!(echoes.len() >= 4, "{echoes:?}");
    for echo in echoes.iter().chain(&echoes) {
        trial.tell_woo(echo).await;
    }
    is_ours(&trial, &id).await;
    assert_eq!(trial.woo.fulfillment_calls(), 1);
}

#[tokio::test]
async fn every_notification_ten_times_makes_one_order_one_move_and_one_mail_per_stage() {
    let trial = Trial::start().await;
    let (external, id) = shopify_order(&trial).await;
    trial.shopify.fulfill_by_hand(&external, &Tracking::number("1Z1")).unwrap();
    let told = trial.shopify.take_outbox();
    for round in 0..10 {
        for notification in &told {
            if round % 2 == 0 {
                trial.tell_shopify(notification).await;
            } else {
                let posted = trial.courier.shopify(&trial.ids.shopify, notification);
                let (a, b) = tokio::join!(posted, trial.courier.shopify(&trial.ids.shopify, notification));
                assert_eq!((a.unwrap().status, b.unwrap().status), (200, 200));
            }
        }
    }
    trial.comes_to(&id, "Shipped").await;
    assert_eq!(trial.path(&id).await, ["New", "Shipped"]);
    let subjects = trial.subjects().await;
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    assert_eq!(trial.shopify.fulfillment_calls(), 0);
}
