//! What a shop keeps and for how long, what it erases, and what it takes along.

use serde_json::{Value, json};
use stagepost_app::config::{create_key, create_shop};
use stagepost_domain::id::ShopId;
use stagepost_domain::shop::Role;
use stagepost_local::bootstrap::{BootstrapError, Place, canary, export, exported};
use stagepost_local::{HostConfig, start};
use stagepost_tests::{Api, World, boats};

async fn patch(world: &World, retention: Value) -> stagepost_tests::Answered {
    let body = serde_json::to_vec(&json!({ "retention": retention })).unwrap();
    world.api.send("PATCH", "/v1/settings", Some(body)).await
}

async fn order_of_ada(world: &World) -> String {
    let order = world.shopify.create_order(&boats("Ada Example", "ada@example.com"));
    world.deliver_shopify().await;
    world.settle().await;
    world.pass(11).await;
    world.shopify_order(&order)
}

#[tokio::test]
async fn retention_is_set_within_its_bounds_and_nothing_is_erased_unless_somebody_says_so() {
    let world = World::start().await;
    let retention = |settings: &Value| settings["retention"].clone();
    let settings = world.api.get("/v1/settings").await.ok();
    let default = json!({"attempts_days": 30, "quarantine_days": 30, "orders_days": null});
    assert_eq!(retention(&settings), default);
    for (field, value) in [
        ("attempts_days", 0),
        ("attempts_days", 31),
        ("quarantine_days", 0),
        ("quarantine_days", 31),
        ("orders_days", 0),
        ("orders_days", 3_651),
    ] {
        let refused = patch(&world, json!({field: value})).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        assert!(refused.body.to_string().contains(&format!("retention.{field}")), "{}", refused.body);
    }
    let jobs = async || world.api.get("/v1/jobs?limit=100").await.ok()["items"].as_array().unwrap().clone();
    assert!(jobs().await.iter().all(|job| job["kind"] != "retain"));
    let set = patch(&world, json!({"attempts_days": 7, "orders_days": 90})).await.ok();
    assert_eq!(retention(&set), json!({"attempts_days": 7, "quarantine_days": 30, "orders_days": 90}));
    assert_eq!(jobs().await.iter().filter(|job| job["kind"] == "retain").count(), 1);
    let off = patch(&world, json!({"attempts_days": 30, "orders_days": null})).await.ok();
    assert_eq!(retention(&off), default);
}

#[tokio::test]
async fn law_19_an_admin_erases_an_orders_people_and_its_store_does_not_bring_them_back() {
    let world = World::start().await;
    let external = world.shopify.create_order(&boats("Ada Example", "ada@example.com"));
    world.deliver_shopify().await;
    world.settle().await;
    world.pass(11).await;
    let id = world.shopify_order(&external);
    let path = format!("/v1/orders/{id}/personal-data");
    let member = create_key(world.host.core(), &world.shop, "key", Role::Member).await.unwrap().1;
    assert_eq!(world.api.with_key(&member).send("DELETE", &path, None).await.status, 403);
    assert_eq!(world.order(&id).await["details"]["customer"]["name"], "Ada Example");
    let erased = world.api.send("DELETE", &path, None).await.ok();
    assert_eq!(erased["details"]["customer"], json!({}), "{erased}");
    assert!(erased["erased_at"].is_string(), "{erased}");
    assert_eq!(erased["stage"]["name"], "New");
    world.settle().await;
    let found = async |what: &str| {
        let hits = world.api.get(&format!("/v1/orders?q={what}")).await.ok();
        hits["items"].as_array().unwrap().len()
    };
    assert_eq!((found("Ada").await, found("ada%40example.com").await), (0, 0));
    world.pass(60).await;
    world.shopify.edit_address(&external, "9 New Street").unwrap();
    world.deliver_shopify().await;
    world.settle().await;
    let shown = world.order(&id).await.to_string();
    assert!(!shown.contains("Ada Example") && !shown.contains("9 New Street"), "{shown}");
    assert!(!world.timeline(&id).await.iter().any(|entry| entry.to_string().contains("ada@")));
    let again = world.api.send("DELETE", &path, None).await;
    assert_eq!(again.status, 200, "once more is nothing: {}", again.body);
}

/// An export as lines.
async fn lines(world: &World, shop: &ShopId) -> Vec<Value> {
    let mut out = Vec::new();
    export(world.host.core(), shop, &mut out).await.unwrap();
    String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn law_20_an_export_holds_all_of_a_shop_no_secret_and_nothing_of_another() {
    let world = World::start().await;
    let order = order_of_ada(&world).await;
    world.move_to(&order, "Printing").await.ok();
    let woo = world.woo.create_order(&boats("Grace Example", "grace@example.com"));
    world.deliver_woo().await;
    world.settle().await;
    world.pass(11).await;
    let other = ShopId::parse("shop_other").unwrap();
    let key = create_shop(world.host.core(), &other, "Other", "hello@other.example").await.unwrap();
    let theirs = json!({"external_id": "7", "customer": {"name": "Nobody Else"}});
    world.api.with_key(&key).post("/v1/orders", &theirs).await.ok();

    let all = lines(&world, &world.shop).await;
    let count = |thing: &str| all.iter().filter(|line| line["thing"] == thing).count();
    for (thing, least) in [
        ("settings", 1),
        ("brand", 1),
        ("flow", 1),
        ("email_template", 1),
        ("webhook_endpoint", 1),
        ("channel", 2),
        ("carrier", 1),
        ("api_key", 1),
        ("job", 3),
        ("timeline_entry", 3),
    ] {
        assert!(count(thing) >= least, "{thing}: {}", count(thing));
    }
    let ids: Vec<_> = all.iter().filter(|l| l["thing"] == "order").map(|l| &l["data"]["id"]).collect();
    assert_eq!(ids.len(), 2);
    for id in [order.clone(), world.woo_order(&woo)] {
        assert!(ids.contains(&&json!(id)), "{id} is missing");
        let shown = all.iter().find(|l| l["thing"] == "order" && l["data"]["id"] == json!(id)).unwrap();
        let mut api = world.order(&id).await;
        api.as_object_mut().unwrap().remove("tracking_url");
        assert_eq!(shown["data"], api, "as the API shows it");
    }
    let text: String = all.iter().map(|line| format!("{line}\n")).collect();
    assert!(text.contains("Ada Example") && text.contains("Grace Example"));
    let secrets =
        ["whsec_", "shpat_test", "ck_test", "cs_test", "sp_", "webhook_secrets", "Sealed", "/t/", "hash\""];
    for private in secrets.into_iter().chain(["Nobody Else", "shop_other", "hello@other.example"]) {
        let told = text.lines().find(|line| line.contains(private));
        // What a key begins with is there to recognise it by.
        let told = told.filter(|line| private != "sp_" || !line.contains("\"api_key\""));
        assert_eq!(told, None, "{private}");
    }
    assert!(!text.contains(world.api.key()));
}

#[tokio::test]
async fn an_operator_exports_a_shop_and_starts_the_canary_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().to_owned());
    let nowhere =
        exported(&place, &ShopId::parse("shop_canary").unwrap(), &mut Vec::new()).await.unwrap_err();
    assert!(nowhere.to_string().contains("no shop"), "{nowhere}");
    let refused = canary(&place, "no address", None).await.unwrap_err();
    assert!(matches!(refused, BootstrapError::Refused(_)), "{refused}");
    let shop = canary(&place, "canary@boats.example", None).await.unwrap();
    assert_eq!(canary(&place, "canary@boats.example", Some("ops@boats.example")).await.unwrap(), shop);

    let host = start(HostConfig::in_folder(folder.path())).await.unwrap();
    assert!(host.settle(std::time::Duration::from_secs(30)).await);
    let key = create_key(host.core(), &shop, "key", Role::Owner).await.unwrap().1;
    let api = Api::new(&host.base_url(), &key);
    let mode = json!({"mode": "test", "to": "ops@boats.example"});
    assert_eq!(api.get("/v1/settings").await.ok()["mail_mode"], mode);
    let jobs = api.get("/v1/jobs").await.ok()["items"].clone();
    let canaries: Vec<_> = jobs.as_array().unwrap().iter().filter(|job| job["kind"] == "canary").collect();
    assert_eq!(
        (canaries.len(), &canaries[0]["about"]["turn"]),
        (1, &json!(1)),
        "it has sung at once: {jobs}"
    );
    host.stop().await;

    let mut out = Vec::new();
    let done = exported(&place, &shop, &mut out).await.unwrap();
    assert_eq!(done.orders, 1);
    assert_eq!(String::from_utf8(out).unwrap().lines().count(), usize::try_from(done.lines).unwrap());
}
