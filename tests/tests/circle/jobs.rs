//! Jobs over HTTP: what was lost is found, the past comes in silently, many orders move, failures are recovered.

use serde_json::{Value, json};
use stagepost_app::ports::Clock;
use stagepost_domain::SignedDuration;
use stagepost_standins::{LineSpec, OrderSpec, Platform, Reply, Tracking};
use stagepost_tests::{EASYPOST_KEY, SHOPIFY_DOMAIN, SHOPIFY_SECRET, WOO_SECRET, World, boats};

/// All jobs of the shop, newest first.
async fn jobs(world: &World) -> Vec<Value> {
    world.api.get("/v1/jobs?limit=100").await.ok()["items"].as_array().unwrap().clone()
}

async fn job_of(world: &World, kind: &str) -> Value {
    jobs(world).await.into_iter().find(|job| job["kind"] == kind).unwrap()
}

/// Ids of the orders in a stage, over all pages.
async fn in_stage(world: &World, stage: &str) -> Vec<String> {
    let flow = world.api.get(&format!("/v1/flows/{}", world.ids.flow)).await.ok();
    let stages = flow["stages"].as_array().unwrap();
    let id = stages.iter().find(|s| s["name"] == stage).unwrap()["id"].as_str().unwrap().to_owned();
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world.api.get(&format!("/v1/orders?stage={id}&limit=100{cursor}")).await.ok();
        let ids = page["items"].as_array().unwrap().iter().map(|o| o["id"].as_str().unwrap().to_owned());
        all.extend(ids);
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

/// Connects both stores anew, as a merchant does who has sold for years.
async fn connect_again(world: &mut World) {
    for channel in [&world.ids.shopify, &world.ids.woo] {
        let gone = world.api.send("DELETE", &format!("/v1/channels/{channel}"), None).await;
        assert_eq!(gone.status, 204, "{}", gone.body);
    }
    let flow = &world.ids.flow;
    let shopify = json!({"platform": "shopify", "name": "Paper Boat", "store": SHOPIFY_DOMAIN,
        "webhook_secret": SHOPIFY_SECRET, "credentials": "shpat_test", "default_flow": flow});
    let woo = json!({"platform": "woocommerce", "name": "Paper Boat EU", "store": world.woo.url(),
        "webhook_secret": WOO_SECRET, "credentials": "ck_test:cs_test", "default_flow": flow});
    let id = |made: Value| made["id"].as_str().unwrap().to_owned();
    world.ids.shopify = id(world.api.post("/v1/channels", &shopify).await.ok());
    world.ids.woo = id(world.api.post("/v1/channels", &woo).await.ok());
}

/// The time so many seconds ago, as text.
fn ago(world: &World, seconds: i64) -> String {
    (world.clock.now() - SignedDuration::from_secs(seconds)).to_string()
}

fn small(n: usize) -> OrderSpec {
    OrderSpec::new("Ada Example", &format!("ada{n}@example.com")).line(LineSpec::new("Paper boat", 1, 950))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn law_3_five_hundred_old_orders_come_in_silently_beside_fifty_live_ones() {
    let mut world = World::start().await;
    for n in 0..250 {
        world.clock.advance(SignedDuration::from_secs(1));
        let _old = (world.shopify.create_order(&small(n)), world.woo.create_order(&small(n)));
    }
    // Nobody was there to be told.
    world.shopify.take_outbox();
    world.woo.take_outbox();
    world.clock.advance(SignedDuration::from_secs(60));
    connect_again(&mut world).await;
    world.clock.advance(SignedDuration::from_secs(60));
    // Orders come in while the past does.
    for n in 0..25 {
        let _live = (world.shopify.create_order(&small(n)), world.woo.create_order(&small(n)));
        world.deliver_shopify().await;
        world.deliver_woo().await;
    }
    world.settle().await;
    world.pass(11).await;
    for job in jobs(&world).await.iter().filter(|job| job["kind"] == "backfill") {
        assert_eq!(job["state"], "done", "{job}");
        assert!(job["progress"]["seen"].as_u64().unwrap() >= 250, "{job}");
        assert_eq!(job["progress"]["refused"], 0, "{job}");
    }
    assert_eq!(in_stage(&world, "New").await.len(), 550);
    assert_eq!(world.mails().len(), 50, "mails for the live ones only");
    // Adopted for good: what comes later acts normally.
    let old = world.woo_order("71");
    world.move_to(&old, "Shipped").await.ok();
    world.pass(11).await;
    assert_eq!(world.mails().len(), 51);
}

#[tokio::test]
async fn law_13_every_day_the_orders_are_audited_and_a_healthy_shop_has_nothing_to_find() {
    let world = World::start().await;
    let _ada = world.shopify.create_order(&boats("Ada", "a@x.example"));
    world.deliver_shopify().await;
    world.settle().await;
    world.pass(11).await;
    let audit = job_of(&world, "audit").await;
    assert_eq!((&audit["state"], &audit["progress"]["seen"]), (&json!("waiting"), &json!(0)), "{audit}");
    world.pass(24 * 3_600).await;
    let audit = job_of(&world, "audit").await;
    assert_eq!(audit["progress"], json!({"seen": 1, "changed": 0, "refused": 0}), "{audit}");
    let last = &audit["about"]["last"];
    assert_eq!((&last["orders"], &last["findings"]), (&json!(1), &json!(0)), "{audit}");
    assert!(last["events"].as_u64().unwrap() >= 1, "{audit}");
    assert_eq!(audit["state"], "waiting", "it comes again");
}

#[tokio::test]
async fn law_13_orders_that_no_notification_told_of_are_found_within_a_quarter_of_an_hour() {
    let world = World::start().await;
    let (shopify, woo) = (
        world.shopify.create_order(&boats("Ada", "a@x.example")),
        world.woo.create_order(&boats("Bo", "b@x.example")),
    );
    world.shopify.take_outbox();
    world.woo.take_outbox();
    world.pass(13 * 60).await;
    let path = format!("/v1/orders/{}", world.shopify_order(&shopify));
    assert_eq!(world.api.get(&path).await.status, 404, "lost, so far");
    world.pass(60).await;
    for order in [world.shopify_order(&shopify), world.woo_order(&woo)] {
        assert_eq!(world.stage(&order).await, "New");
    }
    world.pass(11).await;
    assert_eq!(world.mails().len(), 2, "they are live: the customer is told");
    // A fulfillment that got lost moves the order as its notification would have.
    world.woo.complete_by_hand(&woo, &Tracking::none()).unwrap();
    world.woo.take_outbox();
    world.pass(15 * 60).await;
    assert_eq!(world.stage(&world.woo_order(&woo)).await, "Shipped");
    let again = job_of(&world, "reconcile").await;
    assert_eq!(again["state"], "waiting", "it comes again: {again}");
}

#[tokio::test]
async fn law_1_what_a_list_cannot_tell_is_not_overwritten_by_it() {
    let world = World::start().await;
    let line = |n: usize| LineSpec::new(&format!("Paper boat {n}"), 1, 100);
    let long = (0..60).fold(OrderSpec::new("Ada Example", "ada@x.example"), |spec, n| spec.line(line(n)));
    let external = world.shopify.create_order(&long);
    world.deliver_shopify().await;
    world.pass(60).await;
    let id = world.shopify_order(&external);
    let before = world.order(&id).await;
    // Nothing that we keep has changed, but the order's time has, and a list has 50 lines of it.
    world.shopify.set_platform_hold(&external, true).unwrap();
    world.pass(15 * 60).await;
    assert_eq!(world.order(&id).await, before);
    // What the list can tell and nobody told of is put right, and nothing besides.
    world.shopify.edit_address(&external, "New Street 2").unwrap();
    world.shopify.take_outbox();
    world.pass(15 * 60).await;
    let after = world.order(&id).await;
    assert!(after["details"]["ship_to"].to_string().contains("New Street 2"), "{after}");
    for part in ["lines", "line_count", "customer"] {
        assert_eq!(after["details"][part], before["details"][part], "{part}");
    }
}

#[tokio::test]
async fn law_1_of_two_changes_within_a_second_the_second_is_found_though_it_was_lost() {
    let world = World::start().await;
    let order = world.shopify.create_order(&boats("Ada", "a@x.example"));
    world.deliver_shopify().await;
    world.shopify.fulfill_by_hand(&order, &Tracking::none()).unwrap();
    world.shopify.take_outbox();
    assert_eq!(world.stage(&world.shopify_order(&order)).await, "New");
    world.pass(15 * 60).await;
    assert_eq!(world.stage(&world.shopify_order(&order)).await, "Shipped");
}

#[tokio::test]
async fn a_reconciliation_can_be_had_at_once_and_says_why_it_failed() {
    let world = World::start().await;
    let order = world.woo.create_order(&boats("Bo", "b@x.example"));
    world.woo.take_outbox();
    let path = format!("/v1/channels/{}/reconcile", world.ids.woo);
    world.woo.fail_next(401, 1);
    world.api.post(&path, &json!({})).await.ok();
    world.settle().await;
    let failed = jobs(&world).await.into_iter().find(|job| job["last_error"].is_string()).unwrap();
    assert!(failed["last_error"].as_str().unwrap().contains("401"), "{failed}");
    assert_eq!(failed["state"], "waiting");
    world.api.post(&path, &json!({})).await.ok();
    world.settle().await;
    assert_eq!(world.stage(&world.woo_order(&order)).await, "New");
}

#[tokio::test]
async fn many_orders_move_as_if_each_had_been_moved_alone() {
    let world = World::start().await;
    for n in 0..30 {
        let _order = world.woo.create_order(&small(n));
    }
    world.deliver_woo().await;
    world.pass(11).await;
    let sent = world.mails().len();
    let from = in_stage(&world, "New").await;
    let two: Vec<&String> = from.iter().take(2).collect();
    let job = world.api.post("/v1/orders/move", &json!({"stage": "Printing", "orders": two})).await.ok();
    world.settle().await;
    let done = world.api.get(&format!("/v1/jobs/{}", job["id"].as_str().unwrap())).await.ok();
    assert_eq!((&done["state"], &done["progress"]["changed"]), (&json!("done"), &json!(2)));
    assert_eq!(in_stage(&world, "Printing").await.len(), 2);
    let all = json!({"stage": "Ready", "from_stage": "New"});
    world.api.post("/v1/orders/move", &all).await.ok();
    // One that comes in after the question was asked is not meant.
    world.pass(1).await;
    let late = world.woo.create_order(&small(99));
    world.deliver_woo().await;
    world.settle().await;
    assert_eq!(in_stage(&world, "Ready").await.len(), 28);
    assert_eq!(world.stage(&world.woo_order(&late)).await, "New");
    world.pass(60).await;
    assert_eq!(world.mails().len(), sent + 28 + 1, "one mail each, and the late one's own");
    let calls = world.receiver.received().len();
    assert_eq!(calls, 2, "Printing calls an endpoint");
}

#[tokio::test]
async fn a_bulk_move_that_cannot_be_is_refused_with_its_field() {
    let world = World::start().await;
    for (body, field) in [
        (json!({"stage": "Nowhere", "from_stage": "New"}), "stage"),
        (json!({"stage": "Ready", "from_stage": "Nowhere"}), "from_stage"),
        (json!({"stage": "Ready", "orders": []}), "orders"),
        (json!({"stage": "Ready"}), "orders"),
        (json!({"stage": "Ready", "orders": ["ord_1"], "from_stage": "New"}), "orders"),
    ] {
        let refused = world.api.post("/v1/orders/move", &body).await;
        assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!(field)), "{body}");
    }
}

#[tokio::test]
async fn runs_that_failed_for_good_are_listed_and_recovered_together() {
    let world = World::start().await;
    let orders: Vec<String> = (0..3).map(|n| world.woo_order(&world.woo.create_order(&small(n)))).collect();
    world.deliver_woo().await;
    let endpoint = format!("/v1/webhook-endpoints/{}", world.ids.endpoint);
    let url = world.receiver.url();
    for order in &orders {
        // Each switches the endpoint off.
        world.receiver.reply(Reply::Status(410), 1);
        world.move_to(order, "Printing").await.ok();
        world.pass(11).await;
        world.api.put(&endpoint, &json!({"name": "ERP", "url": url, "enabled": true})).await.ok();
    }
    let listed = world.api.get("/v1/runs").await.ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 3, "{listed}");
    assert_eq!(listed["items"][0]["state"], "failed");
    let since = ago(&world, 3_600);
    let asked = json!({"since": since, "action": "webhook", "target": world.ids.endpoint});
    let count = |filter: String| format!("/v1/runs/recoverable?since={since}{filter}");
    for (filter, failed) in [("", 3), ("&action=webhook", 3), ("&action=email", 0), ("&target=ep_other", 0)]
        .map(|(f, n)| (f.to_owned(), n))
    {
        let counted = world.api.get(&count(filter.clone())).await.ok();
        assert_eq!((&counted["failed"], &counted["more"]), (&json!(failed), &json!(false)), "{filter}");
    }
    assert_eq!(world.api.get("/v1/runs/recoverable?since=2020-01-01T00:00:00Z").await.status, 422);
    // What an endpoint would be sent that is off is skipped, and not found again.
    let off = |enabled: bool| json!({"name": "ERP", "url": url, "enabled": enabled});
    world.api.put(&endpoint, &off(false)).await.ok();
    let refused = world.api.post("/v1/runs/recover", &asked).await;
    assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!("target")));
    assert_eq!(world.api.get(&count(String::new())).await.ok()["failed"], 0);
    let target = format!("&target={}", world.ids.endpoint);
    assert_eq!(world.api.get(&count(target)).await.ok()["failed"], 3, "they wait for it to be on");
    world.api.put(&endpoint, &off(true)).await.ok();
    world.api.post("/v1/runs/recover", &asked).await.ok();
    world.pass(1).await;
    let job = job_of(&world, "recover").await;
    assert_eq!((&job["state"], &job["progress"]["changed"]), (&json!("done"), &json!(3)), "{job}");
    for order in &orders {
        assert_eq!(world.states(order, "webhook").await, ["succeeded"]);
    }
    assert!(world.api.get("/v1/runs").await.ok()["items"].as_array().unwrap().is_empty());
    let long_ago = json!({"since": ago(&world, 40 * 86_400)});
    let refused = world.api.post("/v1/runs/recover", &long_ago).await;
    assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!("since")));
}

#[tokio::test]
async fn a_job_is_stopped_by_hand_unless_it_recurs() {
    let world = World::start().await;
    let reconcile = job_of(&world, "reconcile").await;
    let stop = |id: &Value| format!("/v1/jobs/{}/cancel", id.as_str().unwrap());
    let refused = world.api.post(&stop(&reconcile["id"]), &json!({})).await;
    assert_eq!(refused.status, 409, "{}", refused.body);
    world.host.stop_queue_workers();
    let path = format!("/v1/channels/{}/backfill", world.ids.woo);
    let job = world.api.post(&path, &json!({"days": 7})).await.ok();
    let stopped = world.api.post(&stop(&job["id"]), &json!({})).await.ok();
    assert_eq!(stopped["state"], "cancelled");
    world.host.start_queue_workers();
    world.settle().await;
    assert_eq!(world.api.post(&stop(&job["id"]), &json!({})).await.status, 409, "it has ended");
    let too_far = world.api.post(&path, &json!({"days": 61})).await;
    assert_eq!((too_far.status, &too_far.body["errors"][0]["field"]), (422, &json!("days")));
}

#[tokio::test]
async fn credentials_that_come_later_bring_the_past_in() {
    let mut world = World::start().await;
    let _past = world.woo.create_order(&small(1));
    world.woo.take_outbox();
    world.clock.advance(SignedDuration::from_secs(60));
    let gone = world.api.send("DELETE", &format!("/v1/channels/{}", world.ids.woo), None).await;
    assert_eq!(gone.status, 204);
    let woo = json!({"platform": "woocommerce", "name": "Paper Boat EU", "store": world.woo.url(),
        "webhook_secret": WOO_SECRET, "default_flow": world.ids.flow});
    world.ids.woo = world.api.post("/v1/channels", &woo).await.ok()["id"].as_str().unwrap().to_owned();
    world.settle().await;
    let backfills = async |world: &World| {
        jobs(world)
            .await
            .into_iter()
            .filter(|job| job["about"]["channel"] == world.ids.woo.as_str() && job["kind"] == "backfill")
            .collect::<Vec<_>>()
    };
    assert!(backfills(&world).await.is_empty(), "there is nothing to ask with");
    let path = format!("/v1/channels/{}", world.ids.woo);
    for _ in 0..2 {
        let patch = json!({"credentials": "ck_test:cs_test"}).to_string().into_bytes();
        world.api.send("PATCH", &path, Some(patch)).await.ok();
        world.pass(2).await;
        let made = backfills(&world).await;
        assert_eq!((made.len(), &made[0]["state"]), (1, &json!("done")), "once: {made:?}");
    }
    assert_eq!(in_stage(&world, "New").await.len(), 1);
    assert!(world.mails().is_empty());
}

/// A job once its runner has been at it.
async fn check_of(world: &World, connection: &str) -> Value {
    world.settle().await;
    let there = world.api.get(connection).await.ok();
    world.api.get(&format!("/v1/jobs/{}", there["check"].as_str().unwrap())).await.ok()
}

#[tokio::test]
async fn new_credentials_are_tried_out_with_a_call_that_changes_nothing() {
    let world = World::start().await;
    let channel = |id: &str| format!("/v1/channels/{id}");
    let (shopify, woo) = (channel(&world.ids.shopify), channel(&world.ids.woo));
    for path in [&shopify, &woo] {
        let check = check_of(&world, path).await;
        assert_eq!((&check["kind"], &check["state"]), (&json!("check"), &json!("done")), "{check}");
    }
    for (path, wrong, told) in
        [(&shopify, "shpat_wrong", "access token"), (&woo, "ck_wrong:cs_test", "does not know the API key")]
    {
        let changed =
            world.api.send("PATCH", path, Some(json!({"credentials": wrong}).to_string().into_bytes())).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        let check = check_of(&world, path).await;
        assert_eq!(check["state"], "failed", "{check}");
        assert!(check["last_error"].as_str().unwrap().contains(told), "{check}");
    }
    // The same once more, because somebody wants to know.
    let again = world.api.post(&format!("{shopify}/check"), &json!({})).await.ok();
    assert_eq!((&again["state"], &again["last_error"]), (&json!("waiting"), &Value::Null));
    world.pass(60).await;
    assert_eq!(check_of(&world, &shopify).await["state"], "failed");

    let carrier = format!("/v1/carriers/{}", world.ids.carrier);
    assert_eq!(world.api.get(&carrier).await.ok()["check"], Value::Null);
    assert_eq!(world.api.post(&format!("{carrier}/check"), &json!({})).await.status, 422, "it has no key");
    for (key, state) in [("EZAKwrong", "failed"), (EASYPOST_KEY, "done")] {
        world.api.send("PATCH", &carrier, Some(json!({"credentials": key}).to_string().into_bytes())).await;
        assert_eq!(check_of(&world, &carrier).await["state"], state, "{key}");
    }
}
