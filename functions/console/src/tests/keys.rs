//! API keys: made, shown once, revoked.

use http::StatusCode;
use stagepost_app::ports::{ConfigChange, ConfigStore};
use stagepost_domain::id::{KeyId, token_hash};
use stagepost_domain::shop::{ApiKey, Role};
use stagepost_testkit::build;
use stagepost_testkit::build::seconds;

use super::World;

const KEYS: &str = "/settings/keys";
const NEW: &str = "/settings/keys/new";

async fn key(world: &World, name: &str, role: Role) -> ApiKey {
    let id = KeyId::from_body(name).unwrap();
    let hash = token_hash(name);
    let key = ApiKey { id, hash, name: name.to_owned(), role, ..build::api_key(&build::shop(), role) };
    world.save(&build::shop(), ConfigChange::Key(key.clone())).await;
    key
}

async fn keys(world: &World) -> Vec<ApiKey> {
    world.store.api_keys(&build::shop()).await.unwrap()
}

#[tokio::test]
async fn the_list_says_what_each_is_and_when_it_was_used() {
    let world = World::new().await;
    let used = key(&world, "erp", Role::Member).await;
    let used = ApiKey { last_used_at: Some(seconds(-86_400)), ..used };
    world.save(&build::shop(), ConfigChange::Key(used)).await;
    key(&world, "shelf", Role::Viewer).await;
    let seen = world.get(KEYS).await;
    assert_eq!(seen.status, StatusCode::OK);
    assert!(seen.says("erp") && seen.says("<td>member</td>") && seen.says("sp_demo…"));
    assert!(seen.says("28 Feb 2026, 10:00 UTC") && seen.says("Never"));
    assert!(seen.says("you are signed in by it"));
}

#[tokio::test]
async fn a_token_is_shown_once_and_again_only_to_the_same_form() {
    let world = World::new().await;
    let page = world.get(NEW).await;
    let (csrf, once) = (page.value("csrf"), page.value("once"));
    let sent = [("csrf", csrf.as_str()), ("once", once.as_str()), ("name", "ERP"), ("role", "member")];
    let made = world.post_as_it_is(NEW, &sent).await;
    assert_eq!(made.status, StatusCode::OK);
    let (_, token) = made.body.split_once("<code>sp_").unwrap();
    let token = format!("sp_{}", token.split('<').next().unwrap());
    assert!(world.post_as_it_is(NEW, &sent).await.says(&token), "sent again it made another");
    let stored = keys(&world).await;
    let made: Vec<_> = stored.iter().filter(|key| key.name == "ERP").collect();
    assert_eq!(made.len(), 1);
    assert_eq!((made[0].role, made[0].hash.clone()), (Role::Member, token_hash(&token)));
    assert!(!world.get(KEYS).await.says(&token));
}

#[tokio::test]
async fn what_is_wrong_with_a_key_is_said_at_its_field_and_makes_none() {
    let world = World::with(Role::Admin, |_| {}).await;
    let page = world.get(NEW).await;
    assert!(page.says("value=\"admin\"") && !page.says("value=\"owner\""), "no role above one's own");
    let nameless = world.post(NEW, &[("name", " "), ("role", "admin")]).await;
    assert_eq!(nameless.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(nameless.says("is-wrong") && nameless.says("value=\"admin\" selected"));
    let odd = world.post(NEW, &[("name", "ERP"), ("role", "king")]).await;
    assert_eq!(odd.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(odd.says("Role must be one of these") && odd.says("value=\"ERP\""));
    let above = world.post(NEW, &[("name", "ERP"), ("role", "owner")]).await;
    assert_eq!(above.status, StatusCode::FORBIDDEN);
    assert_eq!(keys(&world).await.len(), 1);
}

#[tokio::test]
async fn a_key_is_revoked_after_a_page_that_says_what_that_does() {
    let world = World::new().await;
    let path = format!("{KEYS}/{}/revoke", key(&world, "erp", Role::Owner).await.id);
    let asked = world.get(&path).await;
    assert!(asked.says("Revoke the API key “erp”?") && asked.says("It was never used"));
    assert_eq!(keys(&world).await.len(), 2, "asking does nothing");
    assert_eq!(world.post(&path, &[]).await.to(), KEYS);
    assert!(world.get(KEYS).await.says("The API key “erp” is revoked"));
    assert_eq!(keys(&world).await.len(), 1);
    assert_eq!(world.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.post(&path, &[]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_last_owner_is_not_revoked_and_ones_own_key_says_that_it_signs_out() {
    let world = World::new().await;
    let own = format!("{KEYS}/key_Owner/revoke");
    for seen in [world.get(&own).await, world.post(&own, &[]).await] {
        assert_eq!(seen.status, StatusCode::CONFLICT);
        assert!(seen.says("This is the last owner") && seen.says("Make another owner first"));
    }
    key(&world, "other", Role::Owner).await;
    assert!(world.get(&own).await.says("it signs you out"));
    world.post(&own, &[]).await;
    assert_eq!(world.get(KEYS).await.status, StatusCode::SEE_OTHER, "its session ended with it");
}

#[tokio::test]
async fn another_shop_sees_none_of_it_and_a_low_role_changes_none() {
    let world = World::new().await;
    let path = format!("{KEYS}/{}/revoke", key(&world, "erp", Role::Owner).await.id);
    world.bare(&build::other_shop()).await;
    world.sign_in(&build::other_shop(), Role::Owner).await;
    assert!(!world.get(KEYS).await.says("erp"));
    assert_eq!(world.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.post(&path, &[]).await.status, StatusCode::NOT_FOUND);
    world.sign_in(&build::shop(), Role::Admin).await;
    assert!(world.get(KEYS).await.says("Above your role"));
    for seen in [world.get(&path).await, world.post(&path, &[]).await] {
        assert_eq!(seen.status, StatusCode::FORBIDDEN, "an owner's key is above an admin");
    }
    world.sign_in(&build::shop(), Role::Member).await;
    for page in [KEYS, NEW, &path] {
        assert_eq!(world.get(page).await.status, StatusCode::FORBIDDEN, "{page}");
    }
    let new = [("name", "a"), ("role", "viewer")];
    for form in [NEW, &path] {
        assert_eq!(world.post(form, &new).await.status, StatusCode::FORBIDDEN, "{form}");
    }
    assert!(keys(&world).await.iter().any(|key| key.name == "erp"));
}

#[tokio::test]
async fn a_name_is_text_wherever_it_stands() {
    let world = World::new().await;
    let evil = "<script>alert(1)</script>";
    let made = world.post(NEW, &[("name", evil), ("role", "viewer")]).await;
    let stored = keys(&world).await;
    let id = &stored.iter().find(|key| key.name == evil).unwrap().id;
    for seen in [made, world.get(KEYS).await, world.get(&format!("{KEYS}/{id}/revoke")).await] {
        assert!(seen.status.is_success() && !seen.says("<script>alert"));
    }
}
