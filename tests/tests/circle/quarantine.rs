//! Law 14: what is authentic and cannot be read is kept, sealed, until somebody hands it back to its reader or
//! throws it away.

use serde_json::{Value, json};
use stagepost_app::config::{create_key, create_shop};
use stagepost_domain::SignedDuration;
use stagepost_domain::id::ShopId;
use stagepost_domain::shop::Role;
use stagepost_tests::{Api, SHOPIFY_SECRET, WOO_SECRET, World};

use crate::support::{outcome, quarantine, shopify, woo};

/// Three notifications that cannot be read, a minute apart; gives the bodies, newest first.
async fn three(world: &World) -> Vec<Vec<u8>> {
    let bodies = [
        b"{\"id\":1,\"email\":\"ada@example.com\"}".to_vec(),
        b"not JSON \xff\x00".to_vec(),
        br#"{"code":"woocommerce_rest_cannot_view"}"#.to_vec(),
    ];
    for (n, body) in bodies.iter().enumerate() {
        let posted = match n {
            2 => world.courier.woocommerce(&world.ids.woo, &woo(WOO_SECRET, "order.updated", body)).await,
            _ => {
                let sent = shopify(SHOPIFY_SECRET, "orders/create", body);
                world.courier.shopify(&world.ids.shopify, &sent).await
            }
        };
        assert_eq!(outcome(&posted.unwrap()), "quarantined");
        world.clock.advance(SignedDuration::from_secs(60));
    }
    bodies.into_iter().rev().collect()
}

fn id(entry: &Value) -> &str {
    entry["id"].as_str().unwrap()
}

async fn key(world: &World, role: Role) -> Api {
    let made = create_key(world.host.core(), &world.shop, "key", role).await.unwrap();
    world.api.with_key(&made.1)
}

#[tokio::test]
async fn law_14_the_quarantine_is_listed_by_pages_and_read_byte_for_byte_by_admins() {
    let world = World::start().await;
    let bodies = three(&world).await;
    let all = quarantine(&world).await;
    let told: Vec<_> =
        all.iter().map(|q| (q["came_by"].clone(), q["topic"].clone(), q["bytes"].clone())).collect();
    let (on_shopify, on_woo) = (json!(world.ids.shopify), json!(world.ids.woo));
    let length = |n: usize| json!(bodies[n].len());
    let expected = [
        (on_woo, json!("order.updated"), length(0)),
        (on_shopify.clone(), json!("orders/create"), length(1)),
        (on_shopify, json!("orders/create"), length(2)),
    ];
    assert_eq!(told, expected);
    assert!(!json!(all).to_string().contains("ada@example.com"), "a listing shows nobody");

    let (mut cursor, mut paged) = (String::new(), Vec::new());
    loop {
        let page = world.api.get(&format!("/v1/quarantine?limit=1{cursor}")).await.ok();
        paged.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, all);

    let admin = key(&world, Role::Admin).await;
    for (entry, body) in all.iter().zip(&bodies) {
        let read = admin.call("GET", &format!("/v1/quarantine/{}", id(entry)), &[], None).await;
        assert_eq!((read.status, read.text.as_bytes()), (200, String::from_utf8_lossy(body).as_bytes()));
        let headers: Vec<_> = read.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert!(headers.contains(&("content-type", "application/octet-stream")), "{headers:?}");
        assert!(headers.contains(&("content-disposition", "attachment")), "a browser must not show it");
    }
    let member = key(&world, Role::Member).await;
    let path = format!("/v1/quarantine/{}", id(&all[0]));
    assert_eq!(member.get(&path).await.status, 403);
    assert_eq!(member.send("DELETE", &path, None).await.status, 403);
}

#[tokio::test]
async fn law_14_what_is_replayed_and_still_cannot_be_read_stays_as_it_was() {
    let world = World::start().await;
    three(&world).await;
    let before = quarantine(&world).await;
    world.clock.advance(SignedDuration::from_hours(1));
    for entry in &before {
        let replayed = world.api.post(&format!("/v1/quarantine/{}/replay", id(entry)), &json!({})).await;
        assert_eq!((replayed.status, &replayed.body), (202, entry));
    }
    world.settle().await;
    assert_eq!(quarantine(&world).await, before);
    assert_eq!((world.host.dead_letters().await, world.host.waiting_notifications().await), (0, 0));
}

#[tokio::test]
async fn what_is_thrown_away_is_gone_and_what_is_old_goes_by_itself() {
    let world = World::start().await;
    three(&world).await;
    let all = quarantine(&world).await;
    let path = format!("/v1/quarantine/{}", id(&all[1]));
    assert_eq!(world.api.send("DELETE", &path, None).await.status, 204);
    for (method, path) in
        [("GET", path.clone()), ("DELETE", path.clone()), ("POST", format!("{path}/replay"))]
    {
        assert_eq!(world.api.send(method, &path, None).await.status, 404, "{method}");
    }
    assert_eq!(quarantine(&world).await, [all[0].clone(), all[2].clone()]);
    // The newest came three minutes after the oldest.
    world.clock.advance(SignedDuration::from_hours(30 * 24) - SignedDuration::from_secs(90));
    assert_eq!(quarantine(&world).await, [all[0].clone()]);
    assert_eq!(world.api.get(&format!("/v1/quarantine/{}", id(&all[2]))).await.status, 404);
}

#[tokio::test]
async fn law_20_another_shop_has_another_quarantine() {
    let world = World::start().await;
    three(&world).await;
    let entry = quarantine(&world).await.remove(0);
    let other = ShopId::parse("shop_other").unwrap();
    let owner = create_shop(world.host.core(), &other, "Other", "other@example.com").await.unwrap();
    let stranger = world.api.with_key(&owner);
    assert!(stranger.get("/v1/quarantine").await.ok()["items"].as_array().unwrap().is_empty());
    let path = format!("/v1/quarantine/{}", id(&entry));
    for (method, path) in
        [("GET", path.clone()), ("DELETE", path.clone()), ("POST", format!("{path}/replay"))]
    {
        assert_eq!(stranger.send(method, &path, None).await.status, 404, "{method}");
    }
    assert_eq!(quarantine(&world).await.len(), 3);
}

#[tokio::test]
async fn law_13_an_unreadable_notification_waits_for_the_store_as_any_other() {
    let world = World::start().await;
    world.host.set_store_away(true);
    let sent = shopify(SHOPIFY_SECRET, "orders/create", b"{}");
    let posted = world.courier.shopify(&world.ids.shopify, &sent).await.unwrap();
    assert_eq!(outcome(&posted), "queued");
    let came = stagepost_app::ports::Clock::now(&world.clock);
    world.clock.advance(SignedDuration::from_mins(10));
    world.host.set_store_away(false);
    world.settle().await;
    let kept = quarantine(&world).await;
    assert_eq!((kept.len(), &kept[0]["at"]), (1, &json!(came)), "as of when it came");
}
