//! What is configured wrongly is refused with 422 when it is written, naming the field and the reason.

use serde_json::{Value, json};
use stagepost_standins::OrderSpec;
use stagepost_tests::{Answered, SHOPIFY_DOMAIN, World};

use crate::support::call;

/// Method, path, body; then the field that is named, and words of the reason.
struct Refusal {
    method: &'static str,
    path: String,
    body: Value,
    field: &'static str,
    reason: &'static str,
}

fn refusal(path: &str, body: Value, field: &'static str, reason: &'static str) -> Refusal {
    Refusal { method: "POST", path: path.to_owned(), body, field, reason }
}

/// The good body with one member changed, or taken away where the value is null.
fn with(good: &Value, member: &str, value: Value) -> Value {
    let mut body = good.clone();
    let object = body.as_object_mut().unwrap();
    match value {
        Value::Null => drop(object.remove(member)),
        value => drop(object.insert(member.to_owned(), value)),
    }
    body
}

async fn check(world: &World, refusals: Vec<Refusal>) {
    let mut wrong = Vec::new();
    for r in refusals {
        let sent =
            format!("{} {} {}", r.method, r.path, r.body.to_string().chars().take(120).collect::<String>());
        let answer: Answered = world.api.send(r.method, &r.path, Some(r.body.to_string().into_bytes())).await;
        let named = answer.body["errors"].as_array().is_some_and(|errors| {
            errors.iter().any(|e| e["field"] == r.field && e["reason"].as_str().unwrap().contains(r.reason))
        });
        if answer.status != 422 || !named {
            wrong.push(format!(
                "{sent}\n  wanted {}: {}\n  got {} {}",
                r.field, r.reason, answer.status, answer.body
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the shop has, so that a refusal can be shown to have changed nothing.
async fn configuration(world: &World) -> Vec<Value> {
    let mut all = Vec::new();
    for path in ["settings", "flows", "email-templates", "webhook-endpoints", "channels", "carriers"] {
        all.push(world.api.get(&format!("/v1/{path}")).await.ok());
    }
    all
}

async fn check_and_nothing_changed(world: &World, refusals: Vec<Refusal>) {
    let before = configuration(world).await;
    check(world, refusals).await;
    assert_eq!(configuration(world).await, before);
}

#[tokio::test]
async fn a_wrong_flow_is_refused_with_its_field_and_reason() {
    let world = World::start().await;
    let path = "/v1/flows";
    let good = json!({"name": "Second", "stages": [{"name": "New"}, {"name": "Done"}]});
    let stages = |stages: Value| with(&good, "stages", stages);
    let stage = |member: &str, value: Value| stages(json!([with(&json!({"name": "New"}), member, value)]));
    let automation = |automation: Value| stage("automations", automation);
    let many: Vec<_> = (0..51).map(|i| json!({"name": format!("Stage {i}")})).collect();
    let advance = json!({"advance_on_delivery": {"enabled": true}});
    let two_advance = json!([{"name": "A", "automations": advance}, {"name": "B", "automations": advance}]);
    let mut refusals = vec![
        refusal(path, with(&good, "name", Value::Null), "name", "missing"),
        refusal(path, with(&good, "name", json!(" ")), "name", "must not be empty"),
        refusal(path, with(&good, "name", json!("n".repeat(81))), "name", "at most 80"),
        refusal(path, with(&good, "name", json!("a\u{7}b")), "name", "control characters"),
        refusal(path, with(&good, "name", json!(7)), "name", "invalid type"),
        refusal(path, with(&good, "stages", Value::Null), "stages", "missing"),
        refusal(path, stages(json!([])), "stages", "must not be empty"),
        refusal(path, stages(json!("New")), "stages", "invalid type"),
        refusal(path, stages(json!(many)), "stages", "1 to 50"),
        refusal(path, stages(json!([{"name": "New"}, {"name": "new"}])), "stages[1].name", "another stage"),
        refusal(path, stages(json!([{"name": "New"}, {}])), "stages[1].name", "missing"),
        refusal(path, stage("id", json!("stg_elsewhere")), "stages[0].id", "not a stage of this flow"),
        refusal(path, stage("id", json!("elsewhere")), "stages[0].id", "stg_"),
        refusal(path, stage("color", json!("red")), "stages[0].color", "#1a2b3c"),
        refusal(path, stage("description", json!("d".repeat(501))), "stages[0].description", "at most 500"),
        refusal(path, stage("customer_visible", json!("yes")), "stages[0].customer_visible", "invalid type"),
        refusal(path, stage("colour", json!("#1a2b3c")), "stages[0].colour", "unknown field"),
        refusal(path, with(&good, "default_stage", json!("Nowhere")), "default_stage", "Nowhere"),
        refusal(path, with(&good, "fulfilled_stage", json!("Nowhere")), "fulfilled_stage", "Nowhere"),
        refusal(path, with(&good, "fulfilled_when", json!("never")), "fulfilled_when", "unknown variant"),
        refusal(path, with(&good, "fulfiled_stage", json!("Done")), "fulfiled_stage", "unknown field"),
        refusal(path, stages(two_advance), "stages[1].automations.advance_on_delivery", "only one stage"),
        refusal(
            path,
            automation(json!({"email": {"enabled": true, "template": "tmpl_gone"}})),
            "stages[0].automations.email.template",
            "no such",
        ),
        refusal(
            path,
            automation(json!({"webhook": {"enabled": true, "endpoint": "ep_gone"}})),
            "stages[0].automations.webhook.endpoint",
            "no such",
        ),
        refusal(
            path,
            automation(json!({"email": {"enabled": true}})),
            "stages[0].automations.email.template",
            "missing",
        ),
        refusal(
            path,
            automation(json!({"email": {"enabled": "on", "template": "tmpl_gone"}})),
            "stages[0].automations.email.enabled",
            "invalid type",
        ),
    ];
    let mut left_out = refusal(&format!("{path}/{}", world.ids.flow), good.clone(), "stages", "left out");
    left_out.method = "PUT";
    refusals.push(left_out);
    check_and_nothing_changed(&world, refusals).await;
}

#[tokio::test]
async fn an_automation_with_an_unknown_or_mistyped_member_is_not_saved_as_if_it_were_understood() {
    let world = World::start().await;
    let stage =
        |automations: Value| json!({"name": "F", "stages": [{"name": "New", "automations": automations}]});
    let template = &world.ids.template;
    let at = |member: &'static str, automations: Value| {
        refusal("/v1/flows", stage(automations), member, "unknown field")
    };
    let refusals = vec![
        at("stages[0].automations.emial", json!({"emial": {"enabled": true, "template": template}})),
        at(
            "stages[0].automations.email.templete",
            json!({"email": {"enabled": true, "template": template, "templete": "x"}}),
        ),
        at(
            "stages[0].automations.fulfill.notify_costumer",
            json!({"fulfill": {"enabled": true, "notify_costumer": true}}),
        ),
    ];
    check_and_nothing_changed(&world, refusals).await;
}

#[tokio::test]
async fn a_wrong_template_is_refused_with_its_line_and_variable() {
    let world = World::start().await;
    let good = json!({"name": "Mail", "subject": "{{orderNumber}}", "text": "Hello"});
    let path = "/v1/email-templates";
    let part = |part: &str, source: &str| with(&good, part, json!(source));
    let refusals = vec![
        refusal(
            path,
            part("text", "Hello\n\n{{customerNam}}"),
            "text",
            "line 3: unknown variable {{customerNam}}",
        ),
        refusal(
            path,
            part("html", "<p>\n{{order.number}}</p>"),
            "html",
            "line 2: unknown variable {{order.number}}",
        ),
        refusal(path, part("subject", "{{nope}}"), "subject", "line 1: unknown variable {{nope}}"),
        refusal(
            path,
            part("text", "a\n{{#if stageName}}\n{{nope}}{{/if}}"),
            "text",
            "line 3: unknown variable {{nope}}",
        ),
        refusal(path, part("text", "a\n{{#each x}}{{/each}}"), "text", "line 2: unknown variable {{x}}"),
        refusal(path, part("text", "a\n{{#with x}}{{/with}}"), "text", "line 2: unknown block {{#with}}"),
        refusal(path, part("text", "\n{{customerName"), "text", "line 2: "),
        refusal(path, part("html", "{{{customerName}}}"), "html", "three braces"),
        refusal(path, part("html", "{{> partial}}"), "html", "line 1: "),
        refusal(path, part("subject", " "), "subject", "must not be empty"),
        refusal(path, part("subject", "a\r\nBcc: everybody@example.com"), "subject", "one line"),
        refusal(path, part("subject", &"s".repeat(301)), "subject", "at most 300"),
        refusal(path, part("text", &"t".repeat(100_001)), "text", "at most 100000"),
        refusal(path, part("name", ""), "name", "must not be empty"),
        refusal(path, with(&good, "text", Value::Null), "html", "html, text, or both"),
        refusal(path, with(&good, "subject", Value::Null), "subject", "missing"),
        refusal(path, with(&good, "body", json!("Hello")), "body", "unknown field"),
        refusal(path, with(&good, "text", json!(["Hello"])), "text", "invalid type"),
    ];
    check_and_nothing_changed(&world, refusals).await;
}

#[tokio::test]
async fn a_listing_of_templates_leaves_out_their_parts_and_so_fits_into_one_answer() {
    let world = World::start().await;
    let path = "/v1/email-templates";
    let long = "t".repeat(100_000);
    let template = json!({"name": "Long", "subject": "{{orderNumber}}", "text": long, "html": long});
    let made = world.api.post(path, &template).await.ok();
    let listed = world.api.get(path).await.ok();
    assert!(listed.to_string().len() < 1_000 * listed["items"].as_array().unwrap().len());
    let line = listed["items"].as_array().unwrap().iter().find(|t| t["id"] == made["id"]).unwrap();
    assert_eq!((&line["name"], &line["subject"]), (&template["name"], &template["subject"]));
    assert_eq!((&line["version"], &line["saved_at"]), (&json!(1), &made["saved_at"]));
    let whole = world.api.get(&format!("{path}/{}", made["id"].as_str().unwrap())).await.ok();
    assert_eq!((&whole["text"], &whole["html"]), (&template["text"], &template["html"]));
}

#[tokio::test]
async fn an_endpoint_that_points_into_somebodys_network_is_refused() {
    let world = World::start().await;
    let path = "/v1/webhook-endpoints";
    let url = |url: &str, reason| refusal(path, json!({"name": "ERP", "url": url}), "url", reason);
    let mut refusals = vec![
        url("", "relative URL"),
        url("not a url", "relative URL"),
        url("javascript:alert(1)", "https://"),
        url("ftp://example.com/", "https://"),
        url("file:///etc/passwd", "https://"),
        url("http://example.com/", "https://"),
        url("https://user:password@example.com/", "user name"),
        url("https://example.com:22/", "443 or 8443"),
        url("https://10.0.0.1/", "public internet address"),
        url("https://192.168.1.1/", "public internet address"),
        url("https://3232235777/", "public internet address"),
        url("https://0xa9fea9fe/", "public internet address"),
        url("https://169.254.169.254/latest/meta-data/", "public internet address"),
        url("https://100.100.100.200/", "public internet address"),
        url("https://0.0.0.0/", "public internet address"),
        url("https://[fd00:ec2::254]/", "public internet address"),
        url("https://[::ffff:10.0.0.1]/", "public internet address"),
        url("https://[64:ff9b::a00:1]/", "public internet address"),
        url("https://metadata.google.internal/", "full public domain name"),
        url("https://printer.local/", "full public domain name"),
        url("https://intranet/", "full public domain name"),
        url(&format!("https://example.com/{}", "a".repeat(2_048)), "at most 2048"),
        refusal(path, json!({"name": "ERP"}), "url", "missing"),
        refusal(path, json!({"name": "", "url": "https://example.com/"}), "name", "must not be empty"),
        refusal(
            path,
            json!({"name": "E", "url": "https://example.com/", "secret": "s"}),
            "secret",
            "unknown field",
        ),
    ];
    let mut edit = url("https://10.0.0.1/", "public internet address");
    (edit.method, edit.path) = ("PUT", format!("{path}/{}", world.ids.endpoint));
    refusals.push(edit);
    check_and_nothing_changed(&world, refusals).await;
}

#[tokio::test]
async fn a_wrong_channel_or_carrier_is_refused_with_its_field_and_reason() {
    let world = World::start().await;
    let path = "/v1/channels";
    let shopify =
        json!({"platform": "shopify", "name": "S", "store": "a.myshopify.com", "webhook_secret": "s"});
    let woo =
        json!({"platform": "woocommerce", "name": "W", "store": "https://a.example", "webhook_secret": "s"});
    let on_shopify = |member: &str, value| with(&shopify, member, value);
    let on_woo = |member: &str, value| with(&woo, member, value);
    let mut refusals = vec![
        refusal(path, on_shopify("platform", json!("etsy")), "platform", "unknown variant"),
        refusal(path, on_shopify("platform", json!("api")), "platform", "shopify or woocommerce"),
        refusal(path, on_shopify("platform", Value::Null), "platform", "missing"),
        refusal(path, on_shopify("name", json!("")), "name", "must not be empty"),
        refusal(path, on_shopify("webhook_secret", json!("")), "webhook_secret", "1 to 500"),
        refusal(path, on_shopify("webhook_secret", json!("  ")), "webhook_secret", "1 to 500"),
        refusal(path, on_shopify("webhook_secret", json!("s".repeat(501))), "webhook_secret", "1 to 500"),
        refusal(path, on_shopify("webhook_secret", Value::Null), "webhook_secret", "missing"),
        refusal(path, on_shopify("credentials", json!("")), "credentials", "1 to 500"),
        refusal(path, on_shopify("default_flow", json!("flow_gone")), "default_flow", "no such flow"),
        refusal(path, on_shopify("default_flow", json!("Orders")), "default_flow", "flow_"),
        refusal(path, on_shopify("shop", json!("shop_other")), "shop", "unknown field"),
        refusal(path, on_woo("credentials", json!("ck_only")), "credentials", "ck_"),
        refusal(path, on_woo("store", json!("a.example")), "store", "relative URL"),
        refusal(path, on_woo("store", json!("http://a.example")), "store", "https://"),
        refusal(path, on_woo("store", json!("https://10.0.0.1")), "store", "public internet address"),
        refusal(path, on_woo("store", json!("https://a.example/?x=1")), "store", "without ? or #"),
        refusal(
            path,
            on_woo("store", json!(format!("https://a.example/{}", "x".repeat(200)))),
            "store",
            "200",
        ),
        refusal(path, on_shopify("store", json!(SHOPIFY_DOMAIN)), "store", "connected already"),
        refusal(
            path,
            on_shopify("store", json!(SHOPIFY_DOMAIN.to_uppercase())),
            "store",
            "connected already",
        ),
    ];
    for store in [
        "",
        "a.example",
        "https://a.myshopify.com",
        "a.myshopify.com.evil.example",
        "a.b.myshopify.com",
        "-a.myshopify.com",
        "a/../b.myshopify.com",
        ".myshopify.com",
        "a@b.myshopify.com",
    ] {
        refusals.push(refusal(path, on_shopify("store", json!(store)), "store", "my-shop.myshopify.com"));
    }
    let carrier = json!({"kind": "easypost", "name": "E", "webhook_secret": "s"});
    let path = "/v1/carriers";
    refusals.extend([
        refusal(path, with(&carrier, "kind", json!("pigeon")), "kind", "unknown variant"),
        refusal(path, with(&carrier, "name", json!("\n")), "name", "must not be empty"),
        refusal(path, with(&carrier, "webhook_secret", json!("")), "webhook_secret", "1 to 500"),
        refusal(path, with(&carrier, "webhook_secret", Value::Null), "webhook_secret", "missing"),
        refusal(path, with(&carrier, "api_key", json!("k")), "api_key", "unknown field"),
    ]);
    check_and_nothing_changed(&world, refusals).await;
}

#[tokio::test]
async fn a_wrong_edit_of_a_channel_or_carrier_is_refused_with_its_field_and_reason() {
    let world = World::start().await;
    let edit = |id: &str, member: &'static str, value: Value, reason| Refusal {
        method: "PATCH",
        path: format!("/v1/{}/{id}", if id.starts_with("car_") { "carriers" } else { "channels" }),
        body: json!({member: value}),
        field: member,
        reason,
    };
    let refusals = vec![
        edit(&world.ids.shopify, "name", json!(" "), "must not be empty"),
        edit(&world.ids.shopify, "webhook_secret", json!(""), "1 to 500"),
        edit(&world.ids.woo, "credentials", json!("ck_only"), "ck_"),
        edit(&world.ids.woo, "default_flow", json!("flow_gone"), "no such flow"),
        edit(&world.ids.woo, "store", json!("https://b.example"), "unknown field"),
        edit(&world.ids.carrier, "name", json!(""), "must not be empty"),
        edit(&world.ids.carrier, "webhook_secret", json!("s".repeat(501)), "1 to 500"),
        edit(&world.ids.carrier, "kind", json!("easypost"), "unknown field"),
    ];
    check_and_nothing_changed(&world, refusals).await;
}

#[tokio::test]
async fn wrong_settings_are_refused_with_their_field_and_reason() {
    let world = World::start().await;
    let cases = [
        ("name", json!(""), "must not be empty"),
        ("from_email", json!("nobody"), "e-mail address"),
        ("from_email", json!("a@b.example, c@d.example"), "e-mail address"),
        ("from_email", json!("Boss <a@b.example>"), "e-mail address"),
        ("from_email", json!("a@example"), "e-mail address"),
        ("grace_seconds", json!(301), "at most 300"),
        ("grace_seconds", json!(-1), "invalid value"),
        ("grace_seconds", json!("10"), "invalid type"),
        ("config_version", json!(1), "unknown field"),
    ];
    let mut refusals = Vec::new();
    for (field, value, reason) in cases {
        let mut refused = refusal("/v1/settings", with(&json!({}), field, value), field, reason);
        refused.method = "PATCH";
        refusals.push(refused);
    }
    check_and_nothing_changed(&world, refusals).await;
}

#[tokio::test]
async fn a_wrong_order_is_refused_with_its_field_and_reason() {
    let world = World::start().await;
    let path = "/v1/orders";
    let good = json!({"external_id": "x"});
    let one = |member: &str, value| with(&good, member, value);
    let line = json!({"title": "Boat", "quantity": 1});
    let refusals = vec![
        refusal(path, json!({}), "external_id", "missing"),
        refusal(path, one("external_id", json!(" ")), "external_id", "must not be empty"),
        refusal(path, one("external_id", json!("x".repeat(101))), "external_id", "at most 100"),
        refusal(path, one("external_id", json!(1)), "external_id", "invalid type"),
        refusal(path, one("customer", json!({"email": "nobody"})), "customer.email", "e-mail address"),
        refusal(path, one("customer", json!({"mail": "a@b.example"})), "customer.mail", "unknown field"),
        refusal(path, one("lines", json!(vec![line; 101])), "lines", "at most 100"),
        refusal(
            path,
            one("lines", json!([{"title": "Boat", "quantity": -1}])),
            "lines[0].quantity",
            "invalid value",
        ),
        refusal(path, one("lines", json!([{"quantity": 1}])), "lines[0].title", "missing"),
        refusal(path, one("packages", json!([{"number": "1"}, {}])), "packages[1]", "tracking number"),
        refusal(path, one("packages", json!([{"url": "javascript:alert(1)"}])), "packages[0]", "http(s) URL"),
        refusal(path, one("packages", json!(vec![json!({"number": "1"}); 51])), "packages", "at most 50"),
        refusal(path, one("flow", json!("flow_gone")), "flow", "no such flow"),
        refusal(path, one("flow", json!("Paper boats")), "flow", "flow_"),
        refusal(path, one("stage", json!("New")), "stage", "unknown field"),
    ];
    check(&world, refusals).await;
    let untriaged = world.api.get("/v1/orders?untriaged=true").await.ok();
    assert_eq!(untriaged["items"], json!([]), "nothing was made");
}

#[tokio::test]
async fn a_wrong_move_or_package_is_refused_and_a_stale_screen_learns_where_the_order_stands() {
    let world = World::start().await;
    let external = world.shopify.create_order(&OrderSpec::new("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    let id = world.shopify_order(&external);
    let path = format!("/v1/orders/{id}/move");
    let parcels = format!("/v1/orders/{id}/packages");
    let before = world.order(&id).await;
    let refusals = vec![
        refusal(&path, json!({"stage": "Ready"}), "expected_seq", "missing"),
        refusal(&path, json!({"expected_seq": 1}), "stage", "missing"),
        refusal(&path, json!({"stage": "Ready", "expected_seq": "1"}), "expected_seq", "invalid type"),
        refusal(&path, json!({"stage": "Ready", "expected_seq": -1}), "expected_seq", "invalid value"),
        refusal(&path, json!({"stage": "Nowhere", "expected_seq": 1}), "stage", "no stage"),
        refusal(&path, json!({"stage": "stg_gone", "expected_seq": 1}), "stage", "no stage"),
        refusal(
            &path,
            json!({"stage": "Ready", "expected_seq": 1, "silent": true}),
            "silent",
            "unknown field",
        ),
        refusal(&parcels, json!({}), "number", "tracking number"),
        refusal(&parcels, json!({"number": "--"}), "number", "tracking number"),
        refusal(&parcels, json!({"url": "data:text/html,x"}), "number", "http(s) URL"),
        refusal(&parcels, json!({"tracking": "1Z"}), "tracking", "unknown field"),
    ];
    check(&world, refusals).await;
    let stale = world.api.post(&path, &json!({"stage": "Ready", "expected_seq": 7})).await;
    assert_eq!(stale.status, 409, "{}", stale.body);
    assert_eq!((&stale.body["seq"], &stale.body["stage"]), (&before["seq"], &before["stage"]["id"]));
    assert_eq!(world.order(&id).await, before);
}

#[tokio::test]
async fn a_wrong_query_is_refused_with_its_field_and_reason() {
    let world = World::start().await;
    let flow = world.api.get(&format!("/v1/flows/{}", world.ids.flow)).await.ok();
    let stage = flow["stages"][0]["id"].as_str().unwrap();
    let key = bearer(&world).await;
    for (query, field) in [
        ("", "stage"),
        ("?stage=New", "stage"),
        (&format!("?stage={stage}&untriaged=true"), "stage"),
        (&format!("?stage={stage}&limit=0"), "limit"),
        (&format!("?stage={stage}&limit=101"), "limit"),
        (&format!("?stage={stage}&limit=many"), "query"),
        (&format!("?stage={stage}&offset=1"), "query"),
        (&format!("?stage={stage}&cursor=forged"), "cursor"),
    ] {
        let answer =
            call(&world, "GET", &format!("/v1/orders{query}"), &[("authorization", &key)], None).await;
        let problem = answer.problem(422, query);
        assert_eq!(problem["errors"][0]["field"], field, "{query}: {problem}");
        assert!(!problem["errors"][0]["reason"].as_str().unwrap().is_empty(), "{query}");
    }
}

/// A key of the shop, as a header's value.
async fn bearer(world: &World) -> String {
    let role = stagepost_domain::shop::Role::Owner;
    let made = stagepost_app::config::create_key(world.host.core(), &world.shop, "query", role).await;
    format!("Bearer {}", made.unwrap().1)
}
