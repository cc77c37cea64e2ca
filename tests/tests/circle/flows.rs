//! Configuration that cannot dangle: deleted stages, what is in use, untriaged orders, holds, simulation.

use serde_json::{Value, json};
use stagepost_app::ports::{Clock, GovernorStore};
use stagepost_domain::SignedDuration;
use stagepost_domain::governor::{FLOOR, window};
use stagepost_standins::Tracking;
use stagepost_tests::{World, boats};

async fn flow(world: &World) -> Value {
    world.api.get(&format!("/v1/flows/{}", world.ids.flow)).await.ok()
}

/// The flow as an edit would send it, without the stage; and that stage's id.
fn without(flow: &Value, stage: &str) -> (Value, String) {
    let stages = flow["stages"].as_array().unwrap();
    let gone = stages.iter().find(|s| s["name"] == stage).unwrap()["id"].as_str().unwrap().to_owned();
    let rest: Vec<&Value> = stages.iter().filter(|s| s["name"] != stage).collect();
    let edit =
        json!({"name": flow["name"], "stages": rest, "default_stage": "New", "fulfilled_stage": "Shipped"});
    (edit, gone)
}

async fn delete(world: &World, path: &str) -> stagepost_tests::Answered {
    world.api.send("DELETE", path, None).await
}

#[tokio::test]
async fn law_15_a_deleted_stage_names_a_successor_and_its_orders_come_there_silently() {
    let world = World::start().await;
    let order = world.woo_order(&world.woo.create_order(&boats("Bo", "b@x.example")));
    world.deliver_woo().await;
    world.move_to(&order, "Printing").await.ok();
    world.pass(11).await;
    let (mails, calls) = (world.mails().len(), world.receiver.received().len());
    let path = format!("/v1/flows/{}", world.ids.flow);
    let (mut edit, printing) = without(&flow(&world).await, "Printing");
    let refused = world.api.put(&path, &edit).await;
    assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!("stages")));
    edit["successors"] = json!({printing.clone(): "Nowhere"});
    let refused = world.api.put(&path, &edit).await;
    assert_eq!(refused.body["errors"][0]["field"], json!(format!("successors.{printing}")));
    edit["successors"] = json!({printing.clone(): "Ready"});
    world.api.put(&path, &edit).await.ok();
    world.pass(11).await;
    assert_eq!(world.stage(&order).await, "Ready");
    assert_eq!(
        (world.mails().len(), world.receiver.received().len()),
        (mails, calls),
        "law 4: nothing is sent"
    );
    assert_eq!(world.woo.fulfillment_calls(), 0);
    let last = world.timeline(&order).await.pop().unwrap();
    assert_eq!(
        (&last["change"]["kind"], &last["cause"]["kind"]),
        (&json!("stage_retired"), &json!("configuration"))
    );
    // An old link still leads somewhere.
    world.move_to(&order, "New").await.ok();
    world.move_to(&order, &printing).await.ok();
    assert_eq!(world.stage(&order).await, "Ready");
}

#[tokio::test]
async fn law_15_what_is_in_use_is_not_deleted_and_the_error_names_its_users() {
    let world = World::start().await;
    let template = format!("/v1/email-templates/{}", world.ids.template);
    let refused = delete(&world, &template).await;
    assert_eq!((refused.status, refused.body["type"].as_str()), (409, Some("/problems/in-use")));
    let users = refused.body["users"].as_array().unwrap();
    assert!(users.iter().any(|u| u.as_str().unwrap().contains("\"Shipped\"")), "{users:?}");
    let endpoint = format!("/v1/webhook-endpoints/{}", world.ids.endpoint);
    assert_eq!(delete(&world, &endpoint).await.status, 409);
    let flow = format!("/v1/flows/{}", world.ids.flow);
    let users = delete(&world, &flow).await.body["users"].to_string();
    assert!(users.contains("Paper Boat EU"), "{users}");
    for channel in [&world.ids.shopify, &world.ids.woo] {
        assert_eq!(delete(&world, &format!("/v1/channels/{channel}")).await.status, 204);
    }
    assert_eq!(delete(&world, &flow).await.status, 204);
    assert_eq!(world.api.get(&flow).await.status, 404);
    for path in [&template, &endpoint] {
        assert_eq!(delete(&world, path).await.status, 204, "no flow names it any more");
        assert_eq!(world.api.get(path).await.status, 404);
        assert_eq!(delete(&world, path).await.status, 404);
    }
    assert_eq!(delete(&world, &format!("/v1/carriers/{}", world.ids.carrier)).await.status, 204);
}

#[tokio::test]
async fn untriaged_orders_are_assigned_by_hand_and_by_a_new_default_flow() {
    let world = World::start().await;
    let path = format!("/v1/channels/{}", world.ids.woo);
    let patch = |flow: Value| Some(json!({"default_flow": flow}).to_string().into_bytes());
    world.api.send("PATCH", &path, patch(Value::Null)).await.ok();
    let by_hand = world.woo_order(&world.woo.create_order(&boats("Ada", "a@x.example")));
    let later = world.woo_order(&world.woo.create_order(&boats("Bo", "b@x.example")));
    world.deliver_woo().await;
    world.pass(11).await;
    assert_eq!(world.order(&by_hand).await["placement"], "untriaged");
    assert!(world.mails().is_empty(), "never automated");
    let assign = format!("/v1/orders/{by_hand}/assign");
    let seq = world.order(&by_hand).await["seq"].clone();
    let stale = world.api.post(&assign, &json!({"flow": world.ids.flow, "expected_seq": 99})).await;
    assert_eq!(stale.status, 409);
    let assigned = world.api.post(&assign, &json!({"flow": world.ids.flow, "expected_seq": seq})).await.ok();
    assert_eq!(assigned["stage"]["name"], "New");
    world.api.send("PATCH", &path, patch(json!(world.ids.flow))).await.ok();
    world.pass(11).await;
    assert_eq!(world.stage(&later).await, "New");
    assert_eq!(world.mails().len(), 1, "what a person asked for acts, what an edit brought about does not");
    let skipped = world.runs_of(&later, "email").await;
    assert_eq!(skipped[0]["skipped"]["reason"], "configuration_changed");
}

#[tokio::test]
async fn law_9_a_hold_by_hand_stops_everything_until_it_is_released() {
    let world = World::start().await;
    let external = world.woo.create_order(&boats("Bo", "b@x.example"));
    let order = world.woo_order(&external);
    world.deliver_woo().await;
    let held = world.api.post(&format!("/v1/orders/{order}/hold"), &json!({})).await.ok();
    assert_eq!(held["hold"]["by"]["kind"], "api_key", "{held}");
    world.pass(60).await;
    assert!(world.mails().is_empty(), "not even what was on its way");
    world.woo.complete_by_hand(&external, &Tracking::none()).unwrap();
    world.deliver_woo().await;
    assert_eq!(world.stage(&order).await, "New");
    world.api.post(&format!("/v1/orders/{order}/resume"), &json!({})).await.ok();
    world.pass(3_600).await;
    assert_eq!(world.stage(&order).await, "Shipped", "the latest was applied, once");
    assert_eq!(world.subjects().len(), 1, "of several stages at once only the last mails");
}

#[tokio::test]
async fn a_simulation_tells_the_whole_plan_with_reasons_and_writes_nothing() {
    let world = World::start().await;
    let order = world.woo_order(&world.woo.create_order(&boats("Bo", "b@x.example").without_email()));
    world.deliver_woo().await;
    let before = world.order(&order).await;
    let asked = json!({"order": order, "steps": [{"kind": "move", "stage": "Ready"}, {"kind": "fulfilled_on_platform"}]});
    let plan = world.api.post("/v1/simulate", &asked).await.ok();
    let steps = plan["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 2, "{plan}");
    let runs = steps[0]["event"]["runs"].as_array().unwrap();
    let mail = runs.iter().find(|r| r["action"] == "email").unwrap();
    assert_eq!(mail["skipped"]["reason"], "no_address");
    assert_eq!(steps[1]["event"]["transition"]["to"]["name"], "Shipped");
    world.pass(60).await;
    assert_eq!(world.order(&order).await, before);
    let invented = json!({"invented": {"flow": world.ids.flow, "platform": "shopify", "has_email": true},
        "steps": [{"kind": "move", "stage": "Nowhere"}]});
    let plan = world.api.post("/v1/simulate", &invented).await.ok();
    assert_eq!(plan["steps"][0]["event"]["change"]["kind"], "created");
    assert_eq!(plan["steps"][1]["outcome"], "refused");
    let both = world.api.post("/v1/simulate", &json!({"steps": []})).await;
    assert_eq!(both.status, 422);
    let many = json!({"order": order, "steps": vec![json!({"kind": "delivered"}); 21]});
    let refused = world.api.post("/v1/simulate", &many).await;
    assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!("steps")));
}

#[tokio::test]
async fn law_9_a_flood_of_mails_is_stopped_shown_and_let_go_by_hand() {
    let world = World::start().await;
    world.clock.advance(SignedDuration::from_secs(11));
    for _ in 0..FLOOR - 2 {
        world.host.core().store.count_mail(&world.shop, window(world.clock.now())).await.unwrap();
    }
    world.clock.advance(SignedDuration::from_secs(-11));
    for n in 0..4 {
        let _order = world.woo.create_order(&boats("Bo", &format!("b{n}@x.example")));
    }
    world.deliver_woo().await;
    world.pass(11).await;
    assert_eq!(world.mails().len(), 2);
    let governor = world.api.get("/v1/governor").await.ok();
    assert!(governor["paused"]["count"].as_u64() > Some(FLOOR), "{governor}");
    world.pass(3_600).await;
    assert_eq!(world.mails().len(), 2, "time alone lets nothing go");
    let released = world.api.post("/v1/governor/resume", &json!({})).await.ok();
    assert_eq!(released["paused"], Value::Null);
    world.pass(700).await;
    assert_eq!(world.mails().len(), 4);
}

#[tokio::test]
async fn a_flow_is_read_with_what_would_surprise_and_some_to_begin_with_are_there() {
    let world = World::start().await;
    let path = format!("/v1/flows/{}", world.ids.flow);
    let told = |flow: &Value| {
        let warnings = flow["warnings"].as_array().unwrap().clone();
        warnings.into_iter().map(|w| w["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let before = told(&flow(&world).await);
    assert!(!before.contains(&"mails_not_live".to_owned()), "{before:?}");
    let paused = json!({"mail_mode": {"mode": "paused"}}).to_string();
    world.api.send("PATCH", "/v1/settings", Some(paused.into_bytes())).await.ok();
    let flow = flow(&world).await;
    assert!(told(&flow).contains(&"mails_not_live".to_owned()), "{flow}");
    let paused = flow["warnings"].as_array().unwrap().iter().find(|w| w["kind"] == "mails_not_live").unwrap();
    assert_eq!(paused["mode"], json!({"mode": "paused"}));
    assert!(flow["stages"].as_array().unwrap().iter().any(|stage| stage["id"] == paused["stage"]));
    let starters = world.api.get("/v1/flows/starters").await.ok();
    assert_eq!(starters["items"][0]["key"], "made_to_order");
    assert_eq!(world.api.get(&path.replace("flow_", "flow_0")).await.status, 404);
}
