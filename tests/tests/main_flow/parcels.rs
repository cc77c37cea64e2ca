//! Advance on Delivery.

use serde_json::json;
use stagepost_domain::Timestamp;
use stagepost_standins::{Notification, Tracking};
use stagepost_tests::{EASYPOST_KEY, Trial, until};

use crate::{shopify_order, woo_order};

/// A scan at this moment.
fn delivered(trial: &Trial, number: &str) -> Notification {
    trial.easypost.event(number, "delivered", now())
}

fn now() -> Timestamp {
    stagepost_local::HostConfig::in_memory().clock.now()
}

async fn add(trial: &Trial, id: &str, number: &str) {
    let package = json!({"number": number, "carrier": "UPS"});
    trial.api.post(&format!("/v1/orders/{id}/packages"), &package).await.ok();
}

#[tokio::test]
async fn an_order_advances_when_the_second_of_its_two_packages_has_arrived() {
    let trial = Trial::start().await;
    let (_, id) = woo_order(&trial).await;
    add(&trial, &id, "1Z999AA10123456784").await;
    add(&trial, &id, "1Z999AA10123456785").await;
    trial.tell_carrier(&delivered(&trial, "1Z999AA10123456784")).await;
    assert_eq!(trial.stage(&id).await, "New", "one of two packages has arrived");
    let second = delivered(&trial, "1Z999AA10123456785");
    trial.tell_carrier(&second).await;
    trial.tell_carrier(&second).await;
    trial.comes_to(&id, "Delivered").await;
    assert_eq!(trial.path(&id).await, ["New", "Delivered"]);
    assert_eq!(trial.subjects().await.len(), 2);
}

#[tokio::test]
async fn a_delivery_that_is_told_before_its_order_waits_for_it() {
    let trial = Trial::start().await;
    let early = delivered(&trial, "1Z999AA10123456786");
    assert_eq!(trial.tell_carrier(&early).await["outcome"], "parked");
    let (external, id) = shopify_order(&trial).await;
    trial.shopify.fulfill_by_hand(&external, &Tracking::number("1Z999AA10123456786").by("UPS")).unwrap();
    trial.deliver_shopify().await;
    trial.comes_to(&id, "Delivered").await;
    assert_eq!(trial.tell_carrier(&early).await["orders"][0]["outcome"], "no_op");
}

#[tokio::test]
async fn a_package_is_registered_with_the_carrier_service_whose_report_advances_the_order() {
    let trial = Trial::start().await;
    let key = json!({ "credentials": EASYPOST_KEY }).to_string().into_bytes();
    trial.api.send("PATCH", &format!("/v1/carriers/{}", trial.ids.carrier), Some(key)).await.ok();
    let (_, id) = woo_order(&trial).await;
    add(&trial, &id, "1Z999AA10123456787").await;
    until(async || (!trial.parcels.tracked().is_empty()).then_some(())).await;
    trial.ended(&id).await;
    assert_eq!(trial.states(&id, "register_tracker").await, ["succeeded"]);
    trial.parcels.scan("1Z999AA10123456787", "delivered");
    trial.deliver_parcels().await;
    trial.comes_to(&id, "Delivered").await;
}
