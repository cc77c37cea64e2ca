//! `PATCH /v1/orders/{id}/packages/{package}`: a corrected number is another parcel, and its tracker follows.

use serde_json::{Value, json};
use stagepost_tests::{Answered, EASYPOST_KEY, World, boats};

const WRONG: &str = "1Z999AA10123456785";
const RIGHT: &str = "1Z999AA10123456784";

/// A WooCommerce order with a parcel under a mistyped number, in a shop that has parcels reported.
async fn mistyped() -> (World, String) {
    let world = World::start().await;
    let key = json!({ "credentials": EASYPOST_KEY }).to_string().into_bytes();
    world.api.send("PATCH", &format!("/v1/carriers/{}", world.ids.carrier), Some(key)).await.ok();
    let external = world.woo.create_order(&boats("Grace Hopper", "grace@example.com"));
    world.deliver_woo().await;
    let id = world.woo_order(&external);
    let package = json!({"number": WRONG, "carrier": "UPS", "url": format!("https://ups.example/{WRONG}")});
    world.api.post(&format!("/v1/orders/{id}/packages"), &package).await.ok();
    world.settle().await;
    (world, id)
}

async fn package(world: &World, id: &str) -> Value {
    let packages = world.order(id).await["packages"].as_array().unwrap().clone();
    assert_eq!(packages.len(), 1, "{packages:?}");
    packages[0].clone()
}

async fn correct(world: &World, id: &str, patch: Value) -> Answered {
    let package = package(world, id).await["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/orders/{id}/packages/{package}");
    let answered = world.api.send("PATCH", &path, Some(patch.to_string().into_bytes())).await;
    world.settle().await;
    answered
}

#[tokio::test]
async fn a_corrected_number_is_one_event_and_the_new_parcel_is_the_one_that_advances_the_order() {
    let (world, id) = mistyped().await;
    let before = world.timeline(&id).await.len();
    correct(&world, &id, json!({ "number": RIGHT })).await.ok();
    let timeline = world.timeline(&id).await;
    assert_eq!((timeline.len(), &timeline[before]["change"]["kind"]), (before + 1, &json!("packages")));
    let shown = package(&world, &id).await;
    assert_eq!(
        (&shown["number"], &shown["carrier"], &shown["url"]),
        (&json!(RIGHT), &json!("UPS"), &Value::Null)
    );
    assert_eq!(world.states(&id, "register_tracker").await, ["succeeded", "succeeded"]);
    assert_eq!(world.parcels.tracked(), [RIGHT, WRONG]);
    // Somebody else's parcel arrives: the order holds it no more.
    world.parcels.scan(WRONG, "delivered");
    world.deliver_parcels().await;
    world.pass(15).await;
    assert_eq!(world.stage(&id).await, "New");
    world.parcels.scan(RIGHT, "delivered");
    world.deliver_parcels().await;
    world.pass(15).await;
    assert_eq!(world.stage(&id).await, "Delivered");
}

#[tokio::test]
async fn what_is_not_named_stays_and_the_same_again_is_no_event() {
    let (world, id) = mistyped().await;
    let link = format!("https://ups.example/{WRONG}");
    correct(&world, &id, json!({"carrier": "UPS SurePost"})).await.ok();
    let shown = package(&world, &id).await;
    assert_eq!((&shown["carrier"], &shown["url"]), (&json!("UPS SurePost"), &json!(link)));
    let before = world.timeline(&id).await.len();
    correct(&world, &id, json!({"carrier": "UPS SurePost"})).await.ok();
    correct(&world, &id, json!({})).await.ok();
    assert_eq!(world.timeline(&id).await.len(), before);
    assert_eq!(world.runs_of(&id, "register_tracker").await.len(), 1, "the parcel is the same");
    correct(&world, &id, json!({"url": null, "number": RIGHT, "carrier": null})).await.ok();
    let shown = package(&world, &id).await;
    assert_eq!(
        (&shown["number"], &shown["carrier"], &shown["url"]),
        (&json!(RIGHT), &Value::Null, &Value::Null)
    );
    // Only a link is left: it is a parcel that nobody can report.
    correct(&world, &id, json!({"number": null, "url": "https://courier.example/7"})).await.ok();
    assert_eq!(package(&world, &id).await["url"], "https://courier.example/7");
}

#[tokio::test]
async fn a_correction_that_cannot_be_made_says_why_and_changes_nothing() {
    let (world, id) = mistyped().await;
    let before = world.timeline(&id).await.len();
    for (patch, status, field) in [
        (json!({"number": "--"}), 422, "number"),
        (json!({"url": "javascript:alert(1)"}), 422, "url"),
        (json!({"number": null, "url": null}), 422, "number"),
        (json!({"tracking": "1"}), 422, "tracking"),
        (json!({"number": 7}), 422, "number"),
    ] {
        let refused = correct(&world, &id, patch.clone()).await;
        assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (status, &json!(field)), "{patch}");
    }
    let body = || Some(json!({"number": RIGHT}).to_string().into_bytes());
    let unknown = format!("/v1/orders/{id}/packages/pkg_nothing");
    assert_eq!(world.api.send("PATCH", &unknown, body()).await.status, 404);
    let shown = package(&world, &id).await["id"].as_str().unwrap().to_owned();
    let nobodys = format!("/v1/orders/ord_nothing/packages/{shown}");
    assert_eq!(world.api.send("PATCH", &nobodys, body()).await.status, 404);
    assert_eq!(world.timeline(&id).await.len(), before);
}
