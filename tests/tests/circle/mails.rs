//! Mails over HTTP: what a template says, how its author sees it, what the shop's settings make of it.

use serde_json::{Value, json};
use stagepost_standins::{LineSpec, OrderSpec};
use stagepost_tests::{World, boats};

const OWN: &str = "hello@paperboat.example";

async fn settings(world: &World, patch: Value) -> Value {
    world.api.send("PATCH", "/v1/settings", Some(patch.to_string().into_bytes())).await.ok()
}

/// An order whose first mail is about to leave.
async fn ordered(world: &World, spec: &OrderSpec) -> String {
    let order = world.woo_order(&world.woo.create_order(spec));
    world.deliver_woo().await;
    order
}

async fn template(world: &World, parts: Value) {
    let path = format!("/v1/email-templates/{}", world.ids.template);
    let mut template = parts;
    template["name"] = json!("Stage");
    world.api.put(&path, &template).await.ok();
}

#[tokio::test]
async fn a_template_says_what_was_ordered_and_where_it_is() {
    let world = World::start().await;
    let text = "{{customer.firstName}}/{{shopName}}/{{orderDate}}/{{orderTotal}}/{{carrier}}\n\
                {{#each items}}{{quantity}} {{title}} {{price}} of {{../orderNumber}};{{/each}}\n\
                {{#each packages}}{{carrier}} {{number}} {{url}};{{/each}}";
    template(&world, json!({"subject": "{{stageName}}: {{stageDescription}}", "html": "<p>{{#each items}}{{title}}{{/each}}</p>", "text": text})).await;
    let spec = OrderSpec::new("Ada Lovelace", "ada@example.com").line(LineSpec::new("Boat <b>&</b>", 2, 950));
    let order = ordered(&world, &spec).await;
    let parcel = json!({"number": "1Z999", "carrier": "UPS"});
    world.api.post(&format!("/v1/orders/{order}/packages"), &parcel).await.ok();
    world.pass(11).await;
    let mail = world.mails().pop().unwrap();
    let text = mail.text.unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("Ada/") && lines[0].ends_with("/UPS"), "{text}");
    assert!(lines[1].starts_with("2 Boat <b>&</b>"), "{text}");
    assert!(lines[2].starts_with("UPS 1Z999 http://127.0.0.1"), "the tracking page stands in: {text}");
    assert_eq!(mail.html.as_deref(), Some("<p>Boat &lt;b&gt;&amp;&lt;/b&gt;</p>"));
}

#[tokio::test]
async fn a_template_that_no_mail_could_fill_is_refused_with_part_line_and_variable() {
    let world = World::start().await;
    let bad = json!({"name": "T", "subject": "{{nope}}", "html": "a\n{{#each items}}{{carrier}}{{/each}}", "text": "{{> x}}"});
    let refused = world.api.post("/v1/email-templates", &bad).await;
    assert_eq!(refused.status, 422);
    let told =
        |n: usize| format!("{} {}", refused.body["errors"][n]["field"], refused.body["errors"][n]["reason"]);
    assert!(told(0).contains("subject") && told(0).contains("{{nope}}"), "{}", told(0));
    assert!(
        told(1).contains("html") && told(1).contains("line 2: unknown variable {{carrier}}"),
        "{}",
        told(1)
    );
    assert!(told(2).contains("text"), "{}", told(2));
    let previewed =
        world.api.post("/v1/email-templates/preview", &json!({"subject": "{{nope}}", "text": "x"})).await;
    assert_eq!((previewed.status, &previewed.body["errors"][0]["field"]), (422, &json!("subject")));
}

#[tokio::test]
async fn a_preview_shows_the_mail_and_warns_of_what_orders_lack() {
    let world = World::start().await;
    let named = ordered(&world, &boats("Ada Lovelace", "ada@example.com")).await;
    let mut nameless = Vec::new();
    for n in 0..3 {
        nameless.push(ordered(&world, &boats("", &format!("x{n}@example.com"))).await);
    }
    let asked = json!({"subject": "{{orderNumber}}", "html": "<p>Dear {{customerName}}, {{carrier}}{{#if orderTotal}}{{orderTotal}}{{/if}}</p>"});
    let invented = world.api.post("/v1/email-templates/preview", &asked).await.ok();
    assert_eq!(invented["subject"], "#1001");
    assert_eq!(invented["html"], "<p>Dear Ada Lovelace, UPS34.90 EUR</p>");
    assert_eq!(invented["text"], "Dear Ada Lovelace, UPS34.90 EUR");
    let warning = |shown: &Value, name: &str| {
        let all = shown["warnings"].as_array().unwrap();
        all.iter().find(|w| w["variable"] == name).cloned().unwrap_or(Value::Null)
    };
    assert_eq!(invented["looked_at"], 4);
    assert_eq!(
        warning(&invented, "customerName"),
        json!({"variable": "customerName", "here": false, "empty_in": 3})
    );
    assert_eq!(warning(&invented, "carrier")["empty_in"], 4);
    assert_eq!(warning(&invented, "orderTotal"), Value::Null, "it stands behind an #if of itself");
    let mut real = asked.clone();
    real["order"] = json!(nameless[0]);
    let real = world.api.post("/v1/email-templates/preview", &real).await.ok();
    assert_eq!(warning(&real, "customerName")["here"], true);
    let path = format!("/v1/email-templates/{}/preview", world.ids.template);
    let saved = world.api.post(&path, &json!({"order": named})).await.ok();
    assert!(saved["subject"].as_str().unwrap().ends_with(": New"), "{saved}");
    assert!(saved["text"].as_str().unwrap().contains("Hello Ada Lovelace, see http"), "{saved}");
    let unknown = world.api.post(&path, &json!({"order": "ord_nobodys"})).await;
    assert_eq!((unknown.status, &unknown.body["errors"][0]["field"]), (422, &json!("order")));
    assert!(world.mails().is_empty(), "a preview sends nothing");
}

#[tokio::test]
async fn a_test_mail_goes_to_the_shops_own_addresses_marked_and_so_often() {
    let world = World::start().await;
    let path = format!("/v1/email-templates/{}/test", world.ids.template);
    let stranger = world.api.post(&path, &json!({"to": "stranger@example.com"})).await;
    assert_eq!((stranger.status, &stranger.body["errors"][0]["field"]), (422, &json!("to")));
    settings(&world, json!({"test_recipients": ["Dev@example.com"]})).await;
    let order = ordered(&world, &boats("Ada Lovelace", "ada@example.com")).await;
    let test = world.api.post(&path, &json!({"to": "dev@example.com", "order": order})).await;
    assert_eq!(test.status, 202);
    world.settle().await;
    let mails = world.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!((mails[0].to.as_str(), mails[0].tags.contains_key("order")), ("dev@example.com", false));
    assert!(
        mails[0].subject.starts_with("[Test] ") && mails[0].text.as_ref().unwrap().contains("Ada Lovelace")
    );
    let state = world.api.get(&format!("/v1/email-tests/{}", test.body["id"].as_str().unwrap())).await.ok();
    assert_eq!(state["state"], "sent");
    for _ in 1..20 {
        world.api.post(&path, &json!({"to": OWN})).await.ok();
    }
    let one_more = world.api.post(&path, &json!({"to": OWN})).await;
    assert_eq!((one_more.status, one_more.body["type"].as_str()), (429, Some("/problems/too-many")));
    world.settle().await;
    assert_eq!(world.mails().len(), 20);
    world.pass(3_600).await;
    world.api.post(&path, &json!({"to": OWN})).await.ok();
}

#[tokio::test]
async fn the_starters_can_be_saved_as_they_are() {
    let world = World::start().await;
    let starters = world.api.get("/v1/email-templates/starters").await.ok();
    let starters = starters["items"].as_array().unwrap();
    assert_eq!(starters.len(), 4);
    for starter in starters {
        let mut template = starter.clone();
        template.as_object_mut().unwrap().remove("key");
        world.api.post("/v1/email-templates", &template).await.ok();
    }
}

#[tokio::test]
async fn a_shops_mode_counts_when_a_mail_leaves() {
    let world = World::start().await;
    settings(&world, json!({"from_name": "Paper Boat Care", "reply_to": "care@paperboat.example"})).await;
    let live = ordered(&world, &boats("Ada", "ada@example.com")).await;
    world.pass(11).await;
    let mail = world.mails().pop().unwrap();
    assert_eq!(mail.from, format!("Paper Boat Care <{OWN}>"));
    assert_eq!(
        (mail.to.as_str(), mail.reply_to.as_deref()),
        ("ada@example.com", Some("care@paperboat.example"))
    );
    assert_eq!(world.states(&live, "email").await, ["succeeded"]);

    // Switched after the order came and before its mail leaves.
    let tested = ordered(&world, &boats("Bo", "bo@example.com")).await;
    settings(&world, json!({"mail_mode": {"mode": "test", "to": "dev@paperboat.example"}})).await;
    world.pass(11).await;
    let mail = world.mails().pop().unwrap();
    assert_eq!(mail.to, "dev@paperboat.example");
    assert!(mail.subject.starts_with("[Test] "), "{}", mail.subject);
    assert_eq!(world.states(&tested, "email").await, ["succeeded"]);

    settings(&world, json!({"mail_mode": {"mode": "dry_run"}})).await;
    let dry = ordered(&world, &boats("Cy", "cy@example.com")).await;
    world.pass(11).await;
    assert_eq!(world.runs_of(&dry, "email").await[0]["skipped"]["reason"], "dry_run");

    settings(&world, json!({"mail_mode": {"mode": "paused"}})).await;
    let waits = ordered(&world, &boats("Di", "di@example.com")).await;
    world.pass(3_600).await;
    let run = world.runs_of(&waits, "email").await.remove(0);
    assert_eq!((&run["state"], &run["attempts"]), (&json!("pending"), &json!(0)));
    assert!(run["last_error"].as_str().unwrap().contains("paused"), "{run}");
    assert_eq!(world.mails().len(), 2);
    settings(&world, json!({"mail_mode": {"mode": "live"}})).await;
    world.pass(601).await;
    assert_eq!(world.states(&waits, "email").await, ["succeeded"]);
    let refused = json!({"mail_mode": {"mode": "test", "to": "nowhere"}}).to_string().into_bytes();
    let refused = world.api.send("PATCH", "/v1/settings", Some(refused)).await;
    assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!("mail_mode.to")));
    let cleared = settings(&world, json!({"reply_to": null})).await;
    assert_eq!((&cleared["reply_to"], &cleared["from_name"]), (&Value::Null, &json!("Paper Boat Care")));
}

#[tokio::test]
async fn law_13_every_mail_that_does_not_leave_says_why() {
    let world = World::start().await;
    let reason = async |order: &str| world.runs_of(order, "email").await[0]["skipped"].clone();
    let nobody = ordered(&world, &boats("Ada", "").without_email()).await;
    assert_eq!(reason(&nobody).await["reason"], "no_address");
    world.api.post("/v1/suppressions", &json!({"address": "Bo@Example.com"})).await.ok();
    let suppressed = ordered(&world, &boats("Bo", "bo@example.com")).await;
    world.pass(11).await;
    assert_eq!(reason(&suppressed).await, json!({"reason": "suppressed", "because": "by_hand"}));
    let left = ordered(&world, &boats("Cy", "cy@example.com")).await;
    world.move_to(&left, "Printing").await.ok();
    world.pass(11).await;
    assert_eq!(reason(&left).await["reason"], "superseded");
    assert!(world.mails().is_empty(), "{:?}", world.subjects());
}

#[tokio::test]
async fn a_suppressed_address_is_shown_and_taken_away() {
    let world = World::start().await;
    let made = world.api.post("/v1/suppressions", &json!({"address": "Bo@example.com"})).await.ok();
    assert_eq!((&made["because"], &made["address"]), (&json!("by_hand"), &json!("Bo@example.com")));
    let again = world.api.post("/v1/suppressions", &json!({"address": "bo@example.com"})).await.ok();
    assert_eq!(again["id"], made["id"], "however it is capitalised");
    let listed = world.api.get("/v1/suppressions").await.ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["address"], "Bo@example.com");
    let path = format!("/v1/suppressions/{}", made["id"].as_str().unwrap());
    assert_eq!(world.api.get(&path).await.ok()["id"], made["id"]);
    assert_eq!(world.api.send("DELETE", &path, None).await.status, 204);
    assert_eq!(world.api.send("DELETE", &path, None).await.status, 404);
    let order = ordered(&world, &boats("Bo", "bo@example.com")).await;
    world.pass(11).await;
    assert_eq!(world.states(&order, "email").await, ["succeeded"]);
}

#[tokio::test]
async fn what_becomes_of_a_mail_is_shown_on_its_run_and_suppresses_who_must_not_be_mailed() {
    let world = World::start().await;
    let mut orders = Vec::new();
    for to in ["success", "bounce", "complaint"] {
        orders.push(ordered(&world, &boats("Ada", &format!("{to}@simulator.amazonses.com"))).await);
    }
    world.pass(11).await;
    for (order, fate) in orders.iter().zip(["delivered", "hard_bounced", "complained"]) {
        let run = world.runs_of(order, "email").await.remove(0);
        assert_eq!((&run["state"], &run["fate"]), (&json!("succeeded"), &json!(fate)), "{run}");
        assert!(run["fate_at"].is_string());
    }
    let listed = world.api.get("/v1/suppressions").await.ok();
    let mut because: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|s| s["because"].to_string()).collect();
    because.sort();
    assert_eq!(because, ["\"complaint\"", "\"hard_bounce\""]);
    let bounced = listed["items"].as_array().unwrap().iter().find(|s| s["because"] == "hard_bounce").unwrap();
    assert_eq!(bounced["address"], "bounce@simulator.amazonses.com");
    assert_eq!(bounced["run"], world.runs_of(&orders[1], "email").await[0]["id"]);
    world.move_to(&orders[1], "Ready").await.ok();
    world.pass(11).await;
    let next = world.runs_of(&orders[1], "email").await.pop().unwrap();
    assert_eq!(next["skipped"], json!({"reason": "suppressed", "because": "hard_bounce"}));
    assert_eq!(world.host.dead_letters().await, 0);
}

#[tokio::test]
async fn a_sender_that_nobody_checks_says_so() {
    let world = World::start().await;
    let sender = world.api.get("/v1/settings/sender").await.ok();
    assert_eq!((&sender["address"], &sender["state"]), (&json!(OWN), &json!("unchecked")));
    assert!(sender["hint"].as_str().unwrap().contains("test mail"));
}
