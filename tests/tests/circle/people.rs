//! People over HTTP: invited, mailed a link, in once, and out at once.

use serde_json::{Value, json};
use stagepost_app::config::create_key;
use stagepost_app::people::{NoEntry, RedeemError, Session, ask_sign_in, redeem, visitor};
use stagepost_app::ports::Entropy;
use stagepost_domain::member::Member;
use stagepost_domain::search::SearchKey;
use stagepost_domain::shop::Role;
use stagepost_local::Captured;
use stagepost_testkit::SeededEntropy;
use stagepost_tests::{Api, World};

async fn invited(api: &Api, email: &str, role: &str) -> Value {
    api.post("/v1/members", &json!({"email": email, "name": "Ann", "role": role})).await.ok()
}

fn token(mail: &Captured) -> String {
    let text = mail.text.as_ref().unwrap();
    let link = text.split_whitespace().find(|word| word.contains("/sign-in/")).unwrap();
    assert!(mail.html.as_ref().unwrap().contains(link));
    link.rsplit('/').next().unwrap().to_owned()
}

async fn let_in(world: &World, token: &str) -> Result<(Session, Member), RedeemError> {
    redeem(world.host.core(), token).await
}

async fn is_in(world: &World, session: &Session) -> Option<Role> {
    visitor(world.host.core(), session.clone()).await.unwrap().map(|visitor| visitor.role)
}

/// Invites an owner and signs them in.
async fn came(world: &World, email: &str, role: &str) -> (Session, String) {
    let id = invited(&world.api, email, role).await["id"].as_str().unwrap().to_owned();
    world.settle().await;
    let (session, _) = let_in(world, &token(&world.mails().pop().unwrap())).await.unwrap();
    (session, id)
}

async fn patch(api: &Api, id: &str, body: Value) -> stagepost_tests::Answered {
    api.send("PATCH", &format!("/v1/members/{id}"), Some(body.to_string().into_bytes())).await
}

#[tokio::test]
async fn an_invitation_is_mailed_and_its_link_lets_in_once() {
    let world = World::start().await;
    let made = invited(&world.api, "ann@people.example", "admin").await;
    assert_eq!((&made["email"], &made["signed_in_at"]), (&json!("ann@people.example"), &Value::Null));
    assert_eq!(made["invited_by"]["kind"], "api_key");
    world.settle().await;
    let mails = world.mails();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(
        (mail.to.as_str(), mail.subject.as_str()),
        ("ann@people.example", "You are invited to Paper Boat")
    );
    assert!(mail.text.as_ref().unwrap().contains(&format!("{}/sign-in/", world.host.base_url())));
    let token = token(mail);
    let (session, member) = let_in(&world, &token).await.unwrap();
    assert_eq!(is_in(&world, &session).await, Some(Role::Admin));
    let again = let_in(&world, &token).await;
    assert!(matches!(again, Err(RedeemError::NoEntry(NoEntry::Used))), "{again:?}");
    let shown = world.api.get(&format!("/v1/members/{}", member.id)).await.ok();
    assert!(shown["signed_in_at"].is_string(), "{shown}");
    world.pass(3_600).await;
    assert_eq!(world.mails().len(), 1, "nothing is mailed twice");
}

#[tokio::test]
async fn an_unknown_address_is_answered_like_a_known_one() {
    let entropy = SeededEntropy::new(7);
    let world = World::start().await;
    // The host in memory takes its key from the first of its chance.
    let key = SearchKey::of_deployment(&entropy.bytes());
    invited(&world.api, "ann@people.example", "viewer").await;
    world.settle().await;
    for email in ["nobody@people.example", "ANN@people.example"] {
        ask_sign_in(world.host.core(), &key, email).await.unwrap();
    }
    world.settle().await;
    let mails = world.mails();
    assert_eq!(mails.len(), 2, "the invitation and one link");
    assert_eq!(
        (mails[1].to.as_str(), mails[1].subject.as_str()),
        ("ann@people.example", "Sign in to Paper Boat")
    );
    let_in(&world, &token(&mails[1])).await.unwrap();
    world.clock.advance(stagepost_domain::SignedDuration::from_hours(7 * 24));
    let late = let_in(&world, &token(&mails[0])).await;
    assert!(matches!(late, Err(RedeemError::NoEntry(NoEntry::Expired))), "{late:?}");
}

#[tokio::test]
async fn a_link_comes_whatever_becomes_of_the_shops_other_mails() {
    let world = World::start().await;
    let paused = json!({"mail_mode": {"mode": "paused"}}).to_string().into_bytes();
    world.api.send("PATCH", "/v1/settings", Some(paused)).await.ok();
    world.api.post("/v1/suppressions", &json!({"address": "ann@people.example"})).await.ok();
    invited(&world.api, "ann@people.example", "viewer").await;
    world.settle().await;
    assert_eq!(world.mails().len(), 1);
}

#[tokio::test]
async fn whoever_is_out_is_out_at_once() {
    let world = World::start().await;
    let (session, id) = came(&world, "ann@people.example", "admin").await;
    let shown = patch(&world.api, &id, json!({"role": "viewer", "name": "Anna"})).await.ok();
    assert_eq!((&shown["role"], &shown["name"]), (&json!("viewer"), &json!("Anna")));
    assert_eq!(is_in(&world, &session).await, Some(Role::Viewer));
    world.api.post(&format!("/v1/members/{id}/sign-out"), &json!({})).await.ok();
    assert_eq!(is_in(&world, &session).await, None);
    assert_eq!(world.api.post(&format!("/v1/members/{id}/invite"), &json!({})).await.status, 202);
    world.pass(5).await;
    let (session, _) = let_in(&world, &token(&world.mails().pop().unwrap())).await.unwrap();
    assert_eq!(is_in(&world, &session).await, Some(Role::Viewer));
    assert_eq!(world.api.send("DELETE", &format!("/v1/members/{id}"), None).await.status, 204);
    assert_eq!(is_in(&world, &session).await, None);
    assert_eq!(world.api.get(&format!("/v1/members/{id}")).await.status, 404);
    // The address is free again.
    invited(&world.api, "ann@people.example", "viewer").await;
}

#[tokio::test]
async fn the_last_owner_stays() {
    let world = World::start().await;
    let key = world.api.get("/v1/api-keys").await.ok()["items"][0]["id"].as_str().unwrap().to_owned();
    let revoke = || async { world.api.send("DELETE", &format!("/v1/api-keys/{key}"), None).await };
    invited(&world.api, "new@people.example", "owner").await;
    let last = revoke().await;
    assert_eq!(
        (last.status, last.body["type"].as_str()),
        (409, Some("/problems/last-owner")),
        "who never came"
    );
    let (_, owner) = came(&world, "ann@people.example", "owner").await;
    let admin = create_key(world.host.core(), &world.shop, "admin", Role::Admin).await.unwrap().1;
    let admin = world.api.with_key(&admin);
    for above in [
        patch(&admin, &owner, json!({"name": "X"})).await,
        admin.send("DELETE", &format!("/v1/members/{owner}"), None).await,
        admin.post(&format!("/v1/members/{owner}/sign-out"), &json!({})).await,
        admin.post("/v1/members", &json!({"email": "x@people.example", "name": "X", "role": "owner"})).await,
    ] {
        assert_eq!((above.status, above.body["type"].as_str()), (403, Some("/problems/forbidden")));
    }
    assert_eq!(revoke().await.status, 204, "a member who comes is an owner as well");
    let spare = create_key(world.host.core(), &world.shop, "owner", Role::Owner).await.unwrap().1;
    let spare = world.api.with_key(&spare);
    assert_eq!(patch(&spare, &owner, json!({"role": "admin"})).await.status, 200);
}

#[tokio::test]
async fn a_member_is_changed_as_it_was_seen_and_a_bad_one_is_refused_by_field() {
    let world = World::start().await;
    let made = invited(&world.api, "ann@people.example", "viewer").await;
    let path = format!("/v1/members/{}", made["id"].as_str().unwrap());
    let body = json!({"name": "Anna"}).to_string().into_bytes();
    let first = world.api.call("PATCH", &path, &[("if-match", "\"1\""), JSON], Some(body.clone())).await;
    assert_eq!(first.status, 200, "{}", first.text);
    let stale = world.api.call("PATCH", &path, &[("if-match", "\"1\""), JSON], Some(body)).await;
    assert_eq!(stale.status, 412, "{}", stale.text);
    for (wrong, field) in [
        (json!({"email": "no address", "name": "A", "role": "viewer"}), "email"),
        (json!({"email": "ann@people.example", "name": "A", "role": "viewer"}), "email"),
        (json!({"email": "b@people.example", "name": " ", "role": "viewer"}), "name"),
    ] {
        let refused = world.api.post("/v1/members", &wrong).await;
        assert_eq!(
            (refused.status, refused.body["errors"][0]["field"].as_str()),
            (422, Some(field)),
            "{wrong}"
        );
    }
    // The same call again makes one member and one mail.
    let body = json!({"email": "c@people.example", "name": "C", "role": "viewer"}).to_string().into_bytes();
    let headers = [("idempotency-key", "once"), JSON];
    let one = world.api.call("POST", "/v1/members", &headers, Some(body.clone())).await;
    let two = world.api.call("POST", "/v1/members", &headers, Some(body)).await;
    assert_eq!((one.status, &one.text), (201, &two.text));
    world.settle().await;
    let to: Vec<String> = world.mails().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to.iter().filter(|to| *to == "c@people.example").count(), 1, "{to:?}");
}

const JSON: (&str, &str) = ("content-type", "application/json");
