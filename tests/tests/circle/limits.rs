//! Input beyond every limit: refused, with the field and the limit named, and nothing changed.

use serde_json::{Value, json};
use stagepost_tests::{Reply, World};

async fn send(world: &World, method: &str, path: &str, body: Vec<u8>) -> Reply {
    world.api.call(method, path, &[], Some(body)).await
}

fn refused(reply: &Reply, field: &str, reason: &str) {
    assert_eq!(reply.status, 422, "{}", reply.text);
    let json = reply.json();
    let named = |e: &Value| e["field"] == field && e["reason"].as_str().unwrap().contains(reason);
    assert!(json["errors"].as_array().unwrap().iter().any(named), "{field}: {reason}: {json}");
}

/// Every route that takes a body.
fn routes(world: &World) -> Vec<(&'static str, String)> {
    let ids = &world.ids;
    vec![
        ("PATCH", "/v1/settings".to_owned()),
        ("POST", "/v1/flows".to_owned()),
        ("PUT", format!("/v1/flows/{}", ids.flow)),
        ("POST", "/v1/email-templates".to_owned()),
        ("PUT", format!("/v1/email-templates/{}", ids.template)),
        ("POST", "/v1/webhook-endpoints".to_owned()),
        ("PATCH", format!("/v1/channels/{}", ids.shopify)),
        ("POST", "/v1/carriers".to_owned()),
        ("POST", "/v1/orders".to_owned()),
        ("POST", "/v1/orders/move".to_owned()),
        ("POST", "/v1/simulate".to_owned()),
        ("POST", "/v1/api-keys".to_owned()),
    ]
}

#[tokio::test]
async fn a_body_of_ten_megabytes_or_of_half_a_megabyte_and_a_byte_is_413_with_the_limit() {
    let world = World::start().await;
    let above = || vec![b' '; 512 * 1024 + 1];
    for (method, path) in routes(&world) {
        let reply = send(&world, method, &path, above()).await;
        assert_eq!(reply.status, 413, "{path}");
        assert_eq!(reply.json()["detail"], "At most 524288 bytes are taken.", "{path}");
        if method == "POST" {
            let keyed = [("idempotency-key", "large")];
            let reply = world.api.call(method, &path, &keyed, Some(above())).await;
            assert_eq!(reply.status, 413, "{path} under a key");
        }
    }
    assert_eq!(send(&world, "POST", "/v1/flows", vec![b' '; 5 * 1024 * 1024]).await.status, 413);
    // The gateway's own limit.
    let reply = send(&world, "POST", "/v1/flows", vec![b' '; 10 * 1024 * 1024 + 1]).await;
    assert_eq!(reply.status, 413);
}

#[tokio::test]
async fn json_that_is_nested_deeply_is_refused_with_its_field_and_half_of_it_as_no_json() {
    let world = World::start().await;
    let name = |open: &str, close: &str, levels: usize| {
        format!("{{\"name\": {}{}}}", open.repeat(levels), close.repeat(levels)).into_bytes()
    };
    for (method, path) in routes(&world) {
        for body in [
            name("[", "]", 100_000),
            format!("{{\"name\": {}1{}}}", "{\"a\":".repeat(50_000), "}".repeat(50_000)).into_bytes(),
        ] {
            let reply = send(&world, method, &path, body).await;
            assert_eq!((reply.status, &reply.json()["errors"][0]["field"]), (422, &json!("name")), "{path}");
        }
        let half = send(&world, method, &path, name("[", "", 200_000)).await;
        assert_eq!((half.status, &half.json()["type"]), (400, &json!("/problems/not-json")), "{path}");
    }
}

#[tokio::test]
async fn ten_thousand_stages_lines_packages_or_orders_are_refused_by_their_limits() {
    let world = World::start().await;
    let many = |one: &dyn Fn(usize) -> Value| (0..10_000).map(one).collect::<Vec<_>>();
    let stages = json!({"name": "F", "stages": many(&|n| json!({"name": format!("S{n}")}))});
    refused(&send(&world, "POST", "/v1/flows", stages.to_string().into_bytes()).await, "stages", "1 to 50");
    let lines = json!({"external_id": "l", "lines": many(&|_| json!({"title": "B", "quantity": 1}))});
    refused(
        &send(&world, "POST", "/v1/orders", lines.to_string().into_bytes()).await,
        "lines",
        "at most 100",
    );
    let parcels = json!({"external_id": "p", "packages": many(&|n| json!({"number": format!("P{n}")}))});
    refused(
        &send(&world, "POST", "/v1/orders", parcels.to_string().into_bytes()).await,
        "packages",
        "at most 50",
    );
    let moved = json!({"stage": "New", "orders": many(&|n| json!(format!("ord_{n}")))});
    refused(&send(&world, "POST", "/v1/orders/move", moved.to_string().into_bytes()).await, "orders", "500");
}

#[tokio::test]
async fn names_of_emoji_are_names_and_are_counted_in_characters() {
    let world = World::start().await;
    let name = |n: usize| "\u{1f6a2}".repeat(n);
    for (path, mut body) in [
        ("/v1/flows", json!({"stages": [{"name": name(80)}]})),
        ("/v1/email-templates", json!({"subject": name(20), "text": name(1_000)})),
        ("/v1/webhook-endpoints", json!({"url": world.receiver.url()})),
        ("/v1/api-keys", json!({"role": "viewer"})),
        ("/v1/carriers", json!({"kind": "easypost", "webhook_secret": name(20)})),
    ] {
        body["name"] = json!(name(80));
        let made = world.api.post(path, &body).await;
        assert_eq!((made.status, &made.body["name"]), (201, &json!(name(80))), "{path}: {}", made.body);
        body["name"] = json!(name(81));
        refused(&send(&world, "POST", path, body.to_string().into_bytes()).await, "name", "at most 80");
    }
    let order = json!({"external_id": name(25), "customer": {"name": name(500), "email": "a@b.example"}});
    let made = world.api.post("/v1/orders", &order).await;
    assert_eq!(made.status, 201, "{}", made.body);
    // Cut at a character, never within one.
    assert_eq!(made.body["details"]["customer"]["name"], name(62));
}

#[tokio::test]
async fn a_template_of_a_megabyte_is_refused_and_so_is_one_above_its_own_limit() {
    let world = World::start().await;
    let template = |bytes: usize| json!({"name": "T", "subject": "s", "html": "x".repeat(bytes)});
    let path = "/v1/email-templates";
    assert_eq!(send(&world, "POST", path, template(1_000_000).to_string().into_bytes()).await.status, 413);
    refused(
        &send(&world, "POST", path, template(400_000).to_string().into_bytes()).await,
        "html",
        "at most 100000",
    );
    let most = world.api.post(path, &template(100_000)).await;
    assert_eq!(most.status, 201, "{}", most.body);
}

#[tokio::test]
async fn the_largest_template_is_answered_again_under_its_key() {
    let world = World::start().await;
    // Quotes double in JSON: this is the longest answer that a call under a key can have.
    let part = "\"".repeat(100_000);
    let body = json!({"name": "T", "subject": "s", "html": part, "text": part}).to_string().into_bytes();
    let keyed = [("idempotency-key", "large")];
    let first = world.api.call("POST", "/v1/email-templates", &keyed, Some(body.clone())).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let again = world.api.call("POST", "/v1/email-templates", &keyed, Some(body)).await;
    assert_eq!(again.status, 201, "{}", again.text);
    assert_eq!(again.json()["id"], first.json()["id"]);
    let listed = world.api.get("/v1/email-templates").await.ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "the world's own and this one");
}
