//! Laws 4 and 8: moves by hand, and what is frozen with them.

use serde_json::{Value, json};
use stagepost_tests::{World, flow};

async fn api_order(world: &World, external: &str) -> String {
    let order = json!({
        "external_id": external, "number": format!("#{external}"), "flow": world.ids.flow,
        "customer": {"name": "Grace", "email": "grace@example.com"},
    });
    world.api.post("/v1/orders", &order).await.ok()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn of_two_concurrent_moves_one_wins_and_the_other_gets_409_with_the_current_stage() {
    let world = World::start().await;
    let id = api_order(&world, "two").await;
    let path = format!("/v1/orders/{id}/move");
    let to = |stage: &str| json!({"stage": stage, "expected_seq": 1});
    let (printing, delivered) = (to("Printing"), to("Delivered"));
    let (a, b) = tokio::join!(world.api.post(&path, &printing), world.api.post(&path, &delivered));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let loser = if a.status == 409 { &a } else { &b };
    assert_eq!(loser.body["type"], "/problems/stale");
    assert_eq!(loser.body["seq"], 2);
    assert_eq!(loser.body["stage"], world.order(&id).await["stage"]["id"]);
    assert_eq!(world.path(&id).await.len(), 2);
}

#[tokio::test]
async fn a_flow_edited_between_event_and_run_changes_nothing_of_that_run() {
    let world = World::start().await;
    api_order(&world, "frozen").await;
    // The mail of "New" waits for its grace. Meanwhile the stage is renamed and mails no more, and the
    // template says something else.
    let current = world.api.get(&format!("/v1/flows/{}", world.ids.flow)).await.ok();
    let mut edited = flow(&world.ids.template, &world.ids.endpoint);
    for (i, stage) in current["stages"].as_array().unwrap().iter().enumerate() {
        edited["stages"][i]["id"] = stage["id"].clone();
    }
    edited["stages"][0]["name"] = json!("Renamed");
    edited["stages"][0]["automations"] = json!({});
    edited["default_stage"] = json!("Renamed");
    world.api.put(&format!("/v1/flows/{}", world.ids.flow), &edited).await.ok();
    let template = json!({"name": "Stage", "subject": "Edited", "text": "Edited"});
    world.api.put(&format!("/v1/email-templates/{}", world.ids.template), &template).await.ok();
    world.pass(10).await;
    assert_eq!(world.subjects(), ["#frozen: New"]);
    let other = api_order(&world, "later").await;
    world.pass(10).await;
    assert_eq!(world.subjects(), ["#frozen: New"]);
    assert!(world.runs(&other).await.is_empty());
}

#[tokio::test]
async fn of_ten_concurrent_moves_one_wins() {
    let world = std::sync::Arc::new(World::start().await);
    let id = api_order(&world, "ten").await;
    let path = format!("/v1/orders/{id}/move");
    let mut moves = tokio::task::JoinSet::new();
    for n in 0..10 {
        let stage = ["Printing", "Ready", "Delivered"][n % 3];
        let (api, path) = (world.api.clone(), path.clone());
        moves.spawn(async move { api.post(&path, &json!({"stage": stage, "expected_seq": 1})).await.status });
    }
    let mut statuses = moves.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [[200].as_slice(), &[409; 9]].concat());
    assert_eq!(world.path(&id).await.len(), 2);
}

/// The flow without any automation, and another fulfilled stage.
async fn strip_the_flow(world: &World) {
    let path = format!("/v1/flows/{}", world.ids.flow);
    let mut flow = world.api.get(&path).await.ok();
    let stages = flow["stages"].as_array_mut().unwrap();
    for stage in stages.iter_mut() {
        stage["automations"] = json!({});
    }
    let edited = json!({
        "name": flow["name"], "stages": flow["stages"], "default_stage": flow["default_stage"],
        "fulfilled_stage": "Delivered",
    });
    world.api.put(&path, &edited).await.ok();
}

#[tokio::test]
async fn a_flow_edited_between_event_and_run_takes_no_call_back() {
    let world = World::start().await;
    let external = world.shopify.create_order(&stagepost_tests::boats("Ada", "ada@example.com"));
    world.deliver_shopify().await;
    let fulfilled = world.shopify_order(&external);
    let called = api_order(&world, "called").await;
    world.host.stop_queue_workers();
    world.move_to(&fulfilled, "Ready").await.ok();
    world.move_to(&called, "Printing").await.ok();
    strip_the_flow(&world).await;
    world.host.start_queue_workers();
    world.pass(10).await;
    assert_eq!(world.states(&fulfilled, "fulfill").await, ["succeeded"]);
    assert_eq!(world.shopify.fulfillment_calls(), 1);
    assert_eq!(world.states(&called, "webhook").await, ["succeeded"]);
    assert_eq!(world.receiver.received().len(), 1);
    assert_eq!(world.path(&fulfilled).await, ["New", "Ready"]);
}

#[tokio::test]
async fn enabling_an_automation_does_nothing_to_orders_that_are_there() {
    let world = World::start().await;
    let id = api_order(&world, "there").await;
    world.move_to(&id, "Ready").await.ok();
    world.pass(10).await;
    let before = world.mails().len();
    let current = world.api.get(&format!("/v1/flows/{}", world.ids.flow)).await.ok();
    let mut edited: Value = flow(&world.ids.template, &world.ids.endpoint);
    for (i, stage) in current["stages"].as_array().unwrap().iter().enumerate() {
        edited["stages"][i]["id"] = stage["id"].clone();
    }
    edited["stages"][2]["automations"]["webhook"] = json!({"enabled": true, "endpoint": world.ids.endpoint});
    world.api.put(&format!("/v1/flows/{}", world.ids.flow), &edited).await.ok();
    world.pass(600).await;
    assert_eq!(world.mails().len(), before);
    assert!(world.receiver.received().is_empty());
}

#[tokio::test]
async fn a_third_re_entry_by_programs_puts_the_order_on_hold_until_somebody_resumes_it() {
    let world = World::start().await;
    let id = api_order(&world, "circle").await;
    let mut held = None;
    for round in 0..6 {
        for stage in ["Printing", "New"] {
            let answer = world.move_to(&id, stage).await;
            if held.is_none() && !world.order(&id).await["hold"].is_null() {
                held = Some((round, stage));
            }
            assert!(answer.status == 200 || answer.status == 409, "{}", answer.body);
        }
    }
    assert!(held.is_some(), "never held");
    assert_eq!(world.move_to(&id, "Delivered").await.body["type"], "/problems/on-hold");
    let resumed = world.api.post(&format!("/v1/orders/{id}/resume"), &json!({})).await.ok();
    assert!(resumed["hold"].is_null());
    assert_eq!(world.move_to(&id, "Delivered").await.status, 200);
}
