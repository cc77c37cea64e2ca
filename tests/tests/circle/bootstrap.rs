//! The first shop of a deployment, and the way back in when all keys are lost.

use serde_json::json;
use stagepost_domain::id::ShopId;
use stagepost_local::bootstrap::{BootstrapError, Place, bootstrap, owner_key};
use stagepost_local::{HostConfig, start};
use stagepost_tests::Api;

#[tokio::test]
async fn a_deployment_begins_with_one_shop_and_a_key_that_opens_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().to_owned());
    let shop = ShopId::parse("shop_boats").unwrap();
    let none = owner_key(&place, &shop).await.unwrap_err();
    assert!(matches!(none, BootstrapError::NoShop(_)), "{none}");
    let refused = bootstrap(&place, &shop, "Boats", "not an address").await.unwrap_err();
    assert!(refused.to_string().contains("from_email"), "{refused}");
    let first = bootstrap(&place, &shop, "Boats", "hello@boats.example").await.unwrap();
    let again = bootstrap(&place, &shop, "Boats", "hello@boats.example").await.unwrap_err();
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
