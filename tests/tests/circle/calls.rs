//! The conventions of the API: versions that are seen, calls that act once, keys that are taken away.

use std::sync::Arc;

use serde_json::{Value, json};
use stagepost_domain::SignedDuration;
use stagepost_tests::{Reply, World};

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

async fn call(world: &World, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
    world.api.call(method, path, headers, Some(body.to_string().into_bytes())).await
}

async fn post(world: &World, path: &str, key: &str, body: &Value) -> Reply {
    call(world, "POST", path, &[("idempotency-key", key)], body).await
}

/// Each configuration resource: method, path, a good edit.
fn edits(world: &World) -> [(&'static str, String, Value); 6] {
    let ids = &world.ids;
    let flow = stagepost_tests::flow(&ids.template, &ids.endpoint);
    [
        ("PATCH", "/v1/settings".to_owned(), json!({"name": "Boats"})),
        ("PUT", format!("/v1/flows/{}", ids.flow), flow),
        (
            "PUT",
            format!("/v1/email-templates/{}", ids.template),
            json!({"name": "N", "subject": "s", "text": "t"}),
        ),
        (
            "PUT",
            format!("/v1/webhook-endpoints/{}", ids.endpoint),
            json!({"name": "N", "url": world.receiver.url()}),
        ),
        ("PATCH", format!("/v1/channels/{}", ids.shopify), json!({"name": "N"})),
        ("PATCH", format!("/v1/carriers/{}", ids.carrier), json!({"name": "N"})),
    ]
}

#[tokio::test]
async fn configuration_is_changed_only_as_it_was_read() {
    let world = World::start().await;
    for (method, path, mut edit) in edits(&world) {
        let read = world.api.call("GET", &path, &[], None).await;
        let etag = header(&read, "etag").unwrap().to_owned();
        if path.contains("/flows/") {
            // The stages that are there keep their ids.
            edit["stages"] = read.json()["stages"].clone();
        }
        let saved = call(&world, method, &path, &[("if-match", &etag)], &edit).await;
        assert_eq!(saved.status, 200, "{path}: {}", saved.text);
        let next = header(&saved, "etag").unwrap().to_owned();
        assert_ne!(next, etag, "{path}");
        assert_eq!(header(&world.api.call("GET", &path, &[], None).await, "etag"), Some(next.as_str()));
        let late = call(&world, method, &path, &[("if-match", &etag)], &edit).await;
        assert_eq!(late.status, 412, "{path}: {}", late.text);
        let version = next.trim_matches('"').parse::<u64>().unwrap();
        assert_eq!(
            (&late.json()["type"], &late.json()["version"]),
            (&json!("/problems/stale"), &json!(version))
        );
        for strange in ["W/\"1\"", "1", "\"1\", \"2\"", "\"x\"", ""] {
            let refused = call(&world, method, &path, &[("if-match", strange)], &edit).await;
            assert_eq!(refused.status, 412, "{path} {strange}");
        }
        assert_eq!(call(&world, method, &path, &[("if-match", "*")], &edit).await.status, 200, "{path}");
        assert_eq!(call(&world, method, &path, &[], &edit).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn of_ten_concurrent_edits_of_one_version_one_wins() {
    let world = Arc::new(World::start().await);
    let path = format!("/v1/email-templates/{}", world.ids.template);
    let mut edits = tokio::task::JoinSet::new();
    for n in 0..10 {
        let (world, path) = (Arc::clone(&world), path.clone());
        edits.spawn(async move {
            let edit = json!({"name": format!("N{n}"), "subject": "s", "text": "t"});
            call(&world, "PUT", &path, &[("if-match", "\"1\"")], &edit).await.status
        });
    }
    let mut statuses = edits.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [[200].as_slice(), &[412; 9]].concat());
}

#[tokio::test]
async fn a_post_under_a_key_is_answered_again_byte_for_byte_and_makes_nothing_again() {
    let world = World::start().await;
    let path = "/v1/webhook-endpoints";
    let body = json!({"name": "Second", "url": world.receiver.url()});
    let first = post(&world, path, "k-1", &body).await;
    assert_eq!((first.status, header(&first, "idempotency-replayed")), (201, None), "{}", first.text);
    assert!(first.json()["secret"].as_str().unwrap().starts_with("whsec_"));
    let again = post(&world, path, "k-1", &body).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(header(&again, "idempotency-replayed"), Some("true"));
    assert_eq!(header(&again, "etag"), header(&first, "etag"));
    let listed = world.api.get(path).await.ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let other = post(&world, path, "k-1", &json!({"name": "Third", "url": world.receiver.url()})).await;
    assert_eq!((other.status, &other.json()["type"]), (422, &json!("/problems/idempotency-key-reused")));
    // The same key elsewhere is another call.
    let carrier = json!({"kind": "easypost", "name": "E", "webhook_secret": "s"});
    assert_eq!(post(&world, "/v1/carriers", "k-1", &carrier).await.status, 201);
    world.clock.advance(SignedDuration::from_hours(24));
    let new = post(&world, path, "k-1", &body).await;
    assert_eq!((new.status, header(&new, "idempotency-replayed")), (201, None));
    assert_ne!(new.json()["id"], first.json()["id"]);
}

#[tokio::test]
async fn of_many_concurrent_posts_under_one_key_one_acts() {
    let world = Arc::new(World::start().await);
    let body = json!({"name": "Mail", "subject": "s", "text": "t"});
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (world, body) = (Arc::clone(&world), body.clone());
        calls.spawn(async move { post(&world, "/v1/email-templates", "same", &body).await });
    }
    let replies = calls.join_all().await;
    for reply in &replies {
        assert!(matches!(reply.status, 201 | 409), "{}", reply.text);
        if reply.status == 409 {
            assert_eq!(reply.json()["type"], "/problems/in-progress");
            assert!(header(reply, "retry-after").is_some());
        }
    }
    let acted = |r: &&Reply| r.status == 201 && header(r, "idempotency-replayed").is_none();
    assert_eq!(replies.iter().filter(acted).count(), 1);
    let listed = world.api.get("/v1/email-templates").await.ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "the world's own and this one");
}

#[tokio::test]
async fn a_move_under_a_key_is_made_once_and_a_refused_call_leaves_its_key_free() {
    let world = World::start().await;
    let order = json!({"external_id": "once", "flow": world.ids.flow});
    let id = post(&world, "/v1/orders", "order", &order).await.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/orders/{id}/move");
    let wrong = post(&world, &path, "move", &json!({"stage": "Nowhere", "expected_seq": 1})).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    let right = json!({"stage": "Printing", "expected_seq": 1});
    let moved = post(&world, &path, "move", &right).await;
    assert_eq!(moved.status, 200, "{}", moved.text);
    let again = post(&world, &path, "move", &right).await;
    assert_eq!((again.status, &again.text), (200, &moved.text));
    assert_eq!(world.path(&id).await, ["New", "Printing"]);
}

#[tokio::test]
async fn law_20_what_was_answered_under_a_key_is_told_to_nobody_else() {
    let world = World::start().await;
    let new = json!({"name": "ci", "role": "owner"});
    let made = post(&world, "/v1/api-keys", "ci-key", &new).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let token = made.json()["token"].as_str().unwrap().to_owned();
    for (role, status) in [("viewer", 403), ("member", 403), ("admin", 403), ("owner", 201)] {
        let theirs = key(&world, role).await;
        let theirs = world.api.with_key(theirs["token"].as_str().unwrap());
        let body = Some(new.to_string().into_bytes());
        let answered = theirs.call("POST", "/v1/api-keys", &[("idempotency-key", "ci-key")], body).await;
        assert_eq!(answered.status, status, "{role}: {}", answered.text);
        assert!(!answered.text.contains(&token), "{role}");
    }
}

#[tokio::test]
async fn an_archived_flow_takes_no_new_order() {
    let world = World::start().await;
    let flow = stagepost_tests::flow(&world.ids.template, &world.ids.endpoint);
    let flow = world.api.post("/v1/flows", &flow).await.ok()["id"].as_str().unwrap().to_owned();
    let order = |external: &str| json!({"external_id": external, "flow": flow});
    let id = world.api.post("/v1/orders", &order("old")).await.ok()["id"].as_str().unwrap().to_owned();
    let wish = json!({"flow": world.ids.flow, "expected_seq": 1});
    world.api.post(&format!("/v1/orders/{id}/assign"), &wish).await.ok();
    let gone = world.api.send("DELETE", &format!("/v1/flows/{flow}"), None).await;
    assert!((200..300).contains(&gone.status), "{}", gone.body);
    let refused = world.api.post("/v1/orders", &order("new")).await;
    assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!("flow")));
    let invented = json!({"invented": {"flow": flow, "platform": "shopify"}, "steps": []});
    let refused = world.api.post("/v1/simulate", &invented).await;
    assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!("flow")));
    let again = world.api.post("/v1/orders", &order("old")).await.ok();
    assert_eq!(again["id"], json!(id), "one that is there is told of as before");
}

#[tokio::test]
async fn a_key_that_is_no_key_is_refused_with_its_name() {
    let world = World::start().await;
    let body = json!({"name": "Mail", "subject": "s", "text": "t"});
    for bad in ["", &"k".repeat(256), "caf\u{e9}"] {
        let refused = post(&world, "/v1/email-templates", bad, &body).await;
        assert_eq!((refused.status, &refused.json()["errors"][0]["field"]), (422, &json!("Idempotency-Key")));
    }
    assert_eq!(post(&world, "/v1/email-templates", &"k".repeat(255), &body).await.status, 201);
}

async fn key(world: &World, role: &str) -> Value {
    world.api.post("/v1/api-keys", &json!({"name": role, "role": role})).await.ok()
}

#[tokio::test]
async fn law_20_a_revoked_key_is_refused_at_once_and_the_last_owner_stays() {
    let world = World::start().await;
    let made = key(&world, "member").await;
    let api = world.api.with_key(made["token"].as_str().unwrap());
    assert_eq!(api.get("/v1/flows").await.status, 200);
    let listed = world.api.get("/v1/api-keys").await.ok();
    let listed = listed["items"].as_array().unwrap();
    let shown = listed.iter().find(|k| k["id"] == made["id"]).unwrap();
    assert!(shown["token"].is_null() && shown.get("hash").is_none(), "{shown}");
    assert!(made["token"].as_str().unwrap().starts_with(shown["prefix"].as_str().unwrap()));
    let path = format!("/v1/api-keys/{}", made["id"].as_str().unwrap());
    assert_eq!(world.api.send("DELETE", &path, None).await.status, 204);
    assert_eq!(api.get("/v1/flows").await.status, 401, "although it was read a moment ago");
    assert_eq!(world.api.send("DELETE", &path, None).await.status, 404);
    let owner = listed.iter().find(|k| k["role"] == "owner").unwrap()["id"].as_str().unwrap().to_owned();
    let last = world.api.send("DELETE", &format!("/v1/api-keys/{owner}"), None).await;
    assert_eq!((last.status, &last.body["type"]), (409, &json!("/problems/last-owner")));
    let second = key(&world, "owner").await;
    assert_eq!(world.api.send("DELETE", &format!("/v1/api-keys/{owner}"), None).await.status, 204);
    assert_eq!(world.api.get("/v1/flows").await.status, 401);
    let api = world.api.with_key(second["token"].as_str().unwrap());
    assert_eq!(api.get("/v1/api-keys").await.ok()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn law_20_nobody_gives_or_takes_away_what_is_above_their_own_role() {
    let world = World::start().await;
    let admin = key(&world, "admin").await;
    let admin = world.api.with_key(admin["token"].as_str().unwrap());
    let ask = |role: &str| json!({"name": "K", "role": role});
    for (role, status) in [("viewer", 201), ("member", 201), ("admin", 201), ("owner", 403)] {
        assert_eq!(admin.post("/v1/api-keys", &ask(role)).await.status, status, "{role}");
    }
    let owner = admin.get("/v1/api-keys").await.ok()["items"].as_array().unwrap().clone();
    let owner = owner.iter().find(|k| k["role"] == "owner").unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(admin.send("DELETE", &format!("/v1/api-keys/{owner}"), None).await.status, 403);
    for role in ["viewer", "member"] {
        let low = key(&world, role).await;
        let low = world.api.with_key(low["token"].as_str().unwrap());
        assert_eq!(low.get("/v1/api-keys").await.status, 403, "{role}");
        assert_eq!(low.post("/v1/api-keys", &ask("viewer")).await.status, 403, "{role}");
        assert_eq!(low.send("DELETE", &format!("/v1/api-keys/{owner}"), None).await.status, 403, "{role}");
    }
}

#[tokio::test]
async fn the_last_use_of_a_key_is_noted_to_the_hour() {
    let world = World::start().await;
    let made = key(&world, "viewer").await;
    assert!(made["last_used_at"].is_null());
    let api = world.api.with_key(made["token"].as_str().unwrap());
    let last_used = async || {
        let listed = world.api.get("/v1/api-keys").await.ok()["items"].as_array().unwrap().clone();
        listed.iter().find(|k| k["id"] == made["id"]).unwrap()["last_used_at"].clone()
    };
    assert!(last_used().await.is_null());
    api.get("/v1/flows").await.ok();
    let first = last_used().await;
    assert!(first.is_string());
    world.clock.advance(SignedDuration::from_secs(3_599));
    api.get("/v1/flows").await.ok();
    assert_eq!(last_used().await, first);
    world.clock.advance(SignedDuration::from_secs(1));
    api.get("/v1/flows").await.ok();
    assert_ne!(last_used().await, first);
}
