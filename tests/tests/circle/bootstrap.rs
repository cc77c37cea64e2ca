//! The first shop of a deployment, and the way back in when all keys are lost.

use serde_json::json;
use stagepost_app::people::{redeem, visitor};
use stagepost_domain::id::ShopId;
use stagepost_domain::shop::Role;
use stagepost_local::bootstrap::{BootstrapError, NewShop, Place, bootstrap, owner_key, sign_in};
use stagepost_local::{HostConfig, start};
use stagepost_tests::Api;

#[tokio::test]
async fn a_deployment_begins_with_one_shop_and_a_key_that_opens_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().to_owned());
    let shop = ShopId::parse("shop_boats").unwrap();
    let none = owner_key(&place, &shop).await.unwrap_err();
    assert!(matches!(none, BootstrapError::NoShop(_)), "{none}");
    let boats = |from| NewShop { shop: &shop, name: "Boats", from, owner: None };
    let refused = bootstrap(&place, boats("not an address")).await.err().unwrap();
    assert!(refused.to_string().contains("from_email"), "{refused}");
    let first = bootstrap(&place, boats("hello@boats.example")).await.unwrap().key;
    let again = bootstrap(&place, boats("hello@boats.example")).await.err().unwrap();
    assert!(again.to_string().contains("exists already"), "{again}");
    let second = owner_key(&place, &shop).await.unwrap();
    assert_ne!(first, second);

    let host = start(HostConfig::in_folder(folder.path())).await.unwrap();
    let in_use = owner_key(&place, &shop).await.unwrap_err();
    assert!(in_use.to_string().contains("another process"), "{in_use}");
    for key in [first, second] {
        let api = Api::new(&host.base_url(), &key);
        assert_eq!(api.get("/v1/settings").await.ok()["from_email"], "hello@boats.example");
        let stages = json!({"name": "F", "stages": [{"name": "New"}]});
        assert_eq!(api.post("/v1/flows", &stages).await.status, 201, "an owner may do everything");
    }
    host.stop().await;
}

#[tokio::test]
async fn an_operator_signs_in_without_a_mail() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().to_owned());
    let shop = ShopId::parse("shop_boats").unwrap();
    let nobody = sign_in(&place, &shop, Some("ann@boats.example")).await.unwrap_err();
    assert!(matches!(nobody, BootstrapError::NoShop(_)), "{nobody}");
    let boats = |owner| NewShop { shop: &shop, name: "Boats", from: "hello@boats.example", owner };
    let refused = bootstrap(&place, boats(Some("no address"))).await.err().unwrap();
    assert!(refused.to_string().contains("owner"), "{refused}");
    let made = bootstrap(&place, boats(None)).await.ok().unwrap();
    assert_eq!(made.link, None);
    let unnamed = sign_in(&place, &shop, None).await.unwrap_err();
    assert!(matches!(unnamed, BootstrapError::NoOwner(_)), "{unnamed}");
    let first = sign_in(&place, &shop, Some("ann@boats.example")).await.unwrap();
    let second = sign_in(&place, &shop, None).await.unwrap();
    let third = sign_in(&place, &shop, Some("ANN@boats.example")).await.unwrap();
    assert!(first != second && second != third);

    let host = start(HostConfig::in_folder(folder.path())).await.unwrap();
    let members = Api::new(&host.base_url(), &made.key).get("/v1/members").await.ok();
    let members = members["items"].as_array().unwrap();
    assert_eq!(members.len(), 1, "one address is one member");
    assert_eq!((&members[0]["email"], &members[0]["role"]), (&json!("ann@boats.example"), &json!("owner")));
    for token in [first, second, third] {
        let (session, owner) = redeem(host.core(), &token).await.unwrap();
        let visitor = visitor(host.core(), session).await.unwrap().unwrap();
        assert_eq!((visitor.role, members[0]["id"].as_str()), (Role::Owner, Some(owner.id.as_str())));
    }
    host.stop().await;
}

#[tokio::test]
async fn a_shop_begins_with_an_owner_who_can_sign_in() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().to_owned());
    let shop = ShopId::parse("shop_boats").unwrap();
    let (name, from, owner) = ("Boats", "hello@boats.example", Some("ann@boats.example"));
    let made = bootstrap(&place, NewShop { shop: &shop, name, from, owner }).await.ok().unwrap();
    let host = start(HostConfig::in_folder(folder.path())).await.unwrap();
    let (_, owner) = redeem(host.core(), &made.link.unwrap()).await.unwrap();
    assert_eq!(owner.role, Role::Owner);
    host.stop().await;
}
