//! The scenes: what happens to each order, and what is expected of it.

use serde_json::{Value, json};
use stagepost_domain::signing::{webhook_key, webhook_signature};
use stagepost_standins::{LineSpec, OrderSpec, Platform, Received, Tracking};

use super::expect::Checks;
use super::surroundings::{GRACE, Sender, Surroundings};
use super::timeline::{Timeline, text};
use super::{DemoError, Scene};

/// How far a webhook's time may be from its receiver's, in seconds (Standard Webhooks).
const WEBHOOK_TOLERANCE: i64 = 300;

const PARCEL_1: &str = "1Z999AA10123456784";
const PARCEL_2: &str = "1Z999AA10123456793";
const PARCEL_3: &str = "1Z999AA10123456801";
const PARCEL_4: &str = "1Z999AA10123456819";
const PARCEL_5: &str = "1Z999AA10123456827";
const PARCEL_6: &str = "1Z999AA10123456835";

fn order_of(name: &str, email: &str) -> OrderSpec {
    OrderSpec::new(name, email).line(LineSpec::new("Print, A2", 1, 4_900))
}

fn subjects(s: &Surroundings, order: &str) -> Vec<String> {
    s.mails_of(order).into_iter().map(|m| m.subject).collect()
}

/// Whose the order's fulfillment is, as the API shows it.
async fn whose(s: &Surroundings, order: &str) -> Result<String, DemoError> {
    Ok(text(&s.order(order).await?, "/fulfillment/by/whose").to_owned())
}

/// Shopify, through all stages, with both directions on *Shipped*.
pub(super) async fn both_directions(s: &mut Surroundings) -> Result<Scene, DemoError> {
    let external = s.shopify.create_order(&order_of("Ada Lovelace", "ada@example.com"));
    let order = s.arrive(Sender::Shopify).await?;
    s.move_to(&order, "Printing").await?;
    s.pass(GRACE).await?;
    s.add_parcel(&order, PARCEL_1).await?;
    s.move_to(&order, "Shipped").await?;
    let heard = s.hear_ourselves(Sender::Shopify, &order).await?;
    s.pass(GRACE).await?;
    s.carrier(PARCEL_1, "delivered").await?;

    let mut checks = Checks::default();
    let timeline = s.timeline(&order).await?;
    let path = ["New by platform", "Printing by manual", "Shipped by manual", "Delivered by carrier"];
    checks.equal("four stages, no loop", &timeline.path(), &path);
    checks.equal("three mails", &subjects(s, &order), &["#1001: New", "#1001: Shipped", "#1001: Delivered"]);
    let received = s.receiver.received();
    let stages: Vec<_> = received.iter().map(|r| entered(r, &order, &s.ids.endpoint_secret)).collect();
    checks.equal("a signed webhook", &stages, &[Ok("Printing".to_owned())]);
    let shipped = (s.shopify.fulfillment_calls(), s.shopify.tracking_numbers(&external));
    checks.equal("one fulfillmentCreate, with tracking", &shipped, &(1, vec![PARCEL_1.to_owned()]));
    checks.equal("3 notifications of it recognised: no move", &heard, &(3, 0));
    checks.equal("fulfilled by us", &whose(s, &order).await?, &"ours");
    let title =
        "\n1 Shopify, \"Shipped\" in both directions: printed, shipped by us, delivered by the carrier";
    Ok(Scene { title, order: Some(order), checks })
}

/// The stage that a webhook tells of, if it is about the order, on time and signed with the secret.
fn entered(received: &Received, order: &str, secret: &str) -> Result<String, &'static str> {
    let header = |name| received.header(name).unwrap_or_default();
    let at: i64 = header("webhook-timestamp").parse().map_err(|_| "no time")?;
    let key = webhook_key(secret).map_err(|_| "no secret")?;
    let signature = webhook_signature(&[key], header("webhook-id"), at, &received.body);
    if !header("webhook-signature").split(' ').any(|s| s == signature) {
        return Err("wrong signature");
    }
    if at.abs_diff(received.at.as_second()) > WEBHOOK_TOLERANCE.unsigned_abs() {
        return Err("not on time");
    }
    let body: Value = serde_json::from_slice(&received.body).map_err(|_| "not JSON")?;
    if text(&body, "/type") != "order.stage_entered" || text(&body, "/data/order/id") != order {
        return Err("about something else");
    }
    Ok(text(&body, "/data/stage/name").to_owned())
}

/// WooCommerce, which has no id for a fulfillment and tells of one four times.
pub(super) async fn woocommerce(s: &mut Surroundings) -> Result<Scene, DemoError> {
    let external = s.woo.create_order(&order_of("Božena Němcová", "bozena@example.com"));
    let order = s.arrive(Sender::Woo).await?;
    s.add_parcel(&order, PARCEL_2).await?;
    s.move_to(&order, "Shipped").await?;
    let heard = s.hear_ourselves(Sender::Woo, &order).await?;
    s.pass(GRACE).await?;

    let mut checks = Checks::default();
    let timeline = s.timeline(&order).await?;
    checks.equal("moved once, by us", &timeline.path(), &["New by platform", "Shipped by manual"]);
    checks.equal("one PUT to completed", &s.woo.fulfillment_calls(), &1);
    checks.equal("it is completed", &s.woo.status(&external).as_deref(), &Some("completed"));
    let told = s.woo.meta(&external, "_wc_shipment_tracking_items").unwrap_or_default();
    checks.equal("with the tracking number", &text(&told, "/0/tracking_number"), &PARCEL_2);
    checks.equal("4 notifications of it recognised: no move", &heard, &(4, 0));
    checks.equal("fulfilled by us", &whose(s, &order).await?, &"ours");
    checks.equal("two mails", &subjects(s, &order).len(), &2);
    let title = "\n2 WooCommerce, shipped by us; it tells of that four times";
    Ok(Scene { title, order: Some(order), checks })
}

/// The merchant fulfills in Shopify's admin.
pub(super) async fn by_hand(s: &mut Surroundings) -> Result<Scene, DemoError> {
    let external = s.shopify.create_order(&order_of("Grace Hopper", "grace@example.com"));
    let order = s.arrive(Sender::Shopify).await?;
    let calls = s.shopify.fulfillment_calls();
    s.shopify.fulfill_by_hand(&external, &Tracking::number(PARCEL_3).by("UPS"))?;
    let told = s.deliver_all(Sender::Shopify).await?.len();
    s.pass(GRACE).await?;

    let mut checks = Checks::default();
    let timeline = s.timeline(&order).await?;
    let path = ["New by platform", "Shipped by platform_fulfillment"];
    checks.equal(
        "3 notifications, one move",
        &(told, timeline.path()),
        &(3, path.map(String::from).to_vec()),
    );
    checks.equal("not fulfilled again", &timeline.ends("fulfill"), &["skipped already_fulfilled"]);
    checks.equal("theirs", &whose(s, &order).await?, &"theirs");
    checks.equal("no call", &(s.shopify.fulfillment_calls() - calls), &0);
    checks.equal("two mails", &subjects(s, &order), &["#1002: New", "#1002: Shipped"]);
    checks.equal(
        "parcel known",
        &s.order(&order).await?.pointer("/packages/0/number"),
        &Some(&json!(PARCEL_3)),
    );
    let title = "\n3 Shopify, fulfilled by the merchant's own hand";
    Ok(Scene { title, order: Some(order), checks })
}

/// An order with two parcels; the carrier's last word comes late.
pub(super) async fn two_parcels(s: &mut Surroundings) -> Result<Scene, DemoError> {
    let order = json!({
        "external_id": "web-77", "number": "W-77", "flow": s.ids.flow,
        "customer": {"name": "Karel Čapek", "email": "karel@example.com"},
        "packages": [{"number": PARCEL_4, "carrier": "UPS"}, {"number": PARCEL_5, "carrier": "UPS"}],
    });
    let order = s.make_order(&order).await?;
    s.move_to(&order, "Shipped").await?;
    s.pass(GRACE).await?;
    s.carrier(PARCEL_4, "delivered").await?;
    let after_one = last_stage(&s.timeline(&order).await?);
    s.carrier(PARCEL_5, "delivered").await?;
    s.carrier(PARCEL_5, "in_transit").await?;

    let mut checks = Checks::default();
    let timeline = s.timeline(&order).await?;
    checks.equal("one of two delivered: stays", &after_one, &"Shipped");
    let path = ["New by platform", "Shipped by manual", "Delivered by carrier"];
    checks.equal("both delivered: advances once", &timeline.path(), &path);
    checks.equal("the late scan is ignored", &timeline.ignored(), &["late_scan"]);
    checks.equal("no store to fulfill on: skipped", &timeline.ends("fulfill"), &["skipped no_channel"]);
    checks.equal("three mails", &subjects(s, &order), &["W-77: New", "W-77: Shipped", "W-77: Delivered"]);
    let title = "\n4 An order made over the API, in two parcels";
    Ok(Scene { title, order: Some(order), checks })
}

fn last_stage(timeline: &Timeline) -> String {
    timeline.stages().last().copied().unwrap_or_default().to_owned()
}

/// A guest of a till, and a cart.
pub(super) async fn nobody_to_mail(s: &mut Surroundings) -> Result<Scene, DemoError> {
    let before = s.effects();
    let _external = s.shopify.create_order(&order_of("Guest", "").without_email());
    let order = s.arrive(Sender::Shopify).await?;
    let _cart = s.woo.open_checkout(&OrderSpec::new("", "").line(LineSpec::new("Print, A4", 1, 1_900)));
    let told = s.deliver_all(Sender::Woo).await?;

    let mut checks = Checks::default();
    let timeline = s.timeline(&order).await?;
    checks.equal("a visible skip", &timeline.ends("email"), &["skipped no_address"]);
    checks.equal("no mail", &s.effects(), &before);
    let told: Vec<_> = told.iter().map(|o| text(o, "/reason")).collect();
    let in_stage = s.count(&format!("/v1/orders?stage={}", s.ids.first_stage)).await?;
    let untriaged = s.count("/v1/orders?untriaged=true").await?;
    checks.equal(
        "a WooCommerce cart (checkout-draft) is no order",
        &(told, in_stage + untriaged),
        &(vec!["draft"], 1),
    );
    let title = "\n5 Shopify, a guest without an address";
    Ok(Scene { title, order: Some(order), checks })
}

/// Shopify fulfills and the connection breaks: nobody knows, and the notifications come meanwhile.
pub(super) async fn lost_answer(s: &mut Surroundings) -> Result<Scene, DemoError> {
    let external = s.shopify.create_order(&order_of("Alan Turing", "alan@example.com"));
    let order = s.arrive(Sender::Shopify).await?;
    s.add_parcel(&order, PARCEL_6).await?;
    let calls = s.shopify.fulfillment_calls();
    s.shopify.drop_answers(1);
    s.move_to(&order, "Shipped").await?;
    let heard = s.hear_ourselves(Sender::Shopify, &order).await?;
    let meanwhile = whose(s, &order).await?;
    // The runner looks again after a pause that a late request would have arrived in.
    s.pass(60).await?;

    let mut checks = Checks::default();
    let timeline = s.timeline(&order).await?;
    checks.equal(
        "3 notifications under our lock: nobody's yet, no move",
        &(heard, meanwhile.as_str()),
        &((3, 0), "undetermined"),
    );
    checks.equal("moved once", &timeline.path(), &["New by platform", "Shipped by manual"]);
    checks.equal("settled by looking", &timeline.ends("fulfill"), &["succeeded"]);
    checks.equal(
        "one call, one fulfillment",
        &(s.shopify.fulfillment_calls() - calls, s.shopify.fulfillments(&external).len()),
        &(1, 1),
    );
    checks.equal("ours after all", &whose(s, &order).await?, &"ours");
    let title = "\n6 Shopify fulfills for us, but its answer is lost";
    Ok(Scene { title, order: Some(order), checks })
}

/// Everything once more, twice, and with a wrong signature.
pub(super) async fn all_again(s: &mut Surroundings) -> Result<Scene, DemoError> {
    let before = (events(s).await?, s.effects());
    let first = s.replay().await?;
    let second = s.replay().await?;
    let after = (events(s).await?, s.effects());
    let mut refused = Vec::new();
    for (from, mut notification) in s.one_of_each() {
        notification.body.push(b' ');
        refused.push(s.post(from, &notification).await?);
    }

    let mut checks = Checks::default();
    checks.equal("no event, mail, webhook or call more", &(after == before), &true);
    checks.equal("all sent", &(first, second), &(s.posted.len(), s.posted.len()));
    checks.equal("forged: 401", &refused, &vec![(401, Value::Null); 3]);
    let timelines = s.timelines().await?;
    let open = timelines
        .iter()
        .flat_map(Timeline::runs)
        .filter(|r| !matches!(text(r, "/state"), "succeeded" | "skipped"));
    checks.equal("no run open or failed", &open.count(), &0);
    checks.equal("nothing quarantined", &s.count("/v1/quarantine").await?, &0);
    checks.equal("no dead letters", &s.host.dead_letters().await, &0);
    checks.equal("12 mails, 1 webhook, 3 calls", &s.effects(), &(12, 1, 3));
    checks.equal("no loops", &timelines.iter().map(Timeline::loops).sum::<usize>(), &0);
    let title = "\n7 Every notification of all orders again, twice, newest first";
    Ok(Scene { title, order: None, checks })
}

/// Every event of every order with its runs, as they stand.
async fn events(s: &Surroundings) -> Result<Vec<Value>, DemoError> {
    let timelines = s.timelines().await?;
    Ok(timelines.iter().flat_map(Timeline::events).cloned().collect())
}
