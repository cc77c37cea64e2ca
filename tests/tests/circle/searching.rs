//! `GET /v1/orders?q=`: by number, name and address, kept up by the table's stream (laws 13, 19, 20).

use serde_json::{Value, json};
use stagepost_app::config::create_shop;
use stagepost_domain::id::ShopId;
use stagepost_tests::{Api, World, boats};

/// An order over the API; gives its id.
async fn order(api: &Api, external_id: &str, number: &str, name: &str, email: &str) -> String {
    let input = json!({
        "external_id": external_id, "number": number, "customer": {"name": name, "email": email},
    });
    api.post("/v1/orders", &input).await.ok()["id"].as_str().unwrap().to_owned()
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn hits(api: &Api, q: &str) -> Vec<String> {
    let page = api.get(&format!("/v1/orders?q={}&limit=100", encoded(q))).await.ok();
    assert_eq!(page["next"], Value::Null);
    page["items"].as_array().unwrap().iter().map(|o| o["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_order_of_any_origin_is_found_by_number_name_and_address() {
    let world = World::start().await;
    let external = world.shopify.create_order(&boats("Zoë Šťastná", "zoe@example.com"));
    world.deliver_shopify().await;
    let ours = order(&world.api, "web-1", "EN-2001", "Ada O’Brien", "Ada@Example.com").await;
    world.settle().await;
    let theirs = world.shopify_order(&external);
    let number = world.order(&theirs).await["number"].as_str().unwrap().to_owned();
    for q in [number.as_str(), number.trim_start_matches('#'), "zoe stast", "STASTNA", " zoe@EXAMPLE.com "] {
        assert_eq!(hits(&world.api, q).await, std::slice::from_ref(&theirs), "{q}");
    }
    for q in ["en-2001", "2001", "#EN", "obrien", "O'Brien ada", "ada@example.com"] {
        assert_eq!(hits(&world.api, q).await, std::slice::from_ref(&ours), "{q}");
    }
    for q in ["2002", "brien", "zoe ada", "da@example.com", "example.com"] {
        assert!(hits(&world.api, q).await.is_empty(), "{q}");
    }
    let line = world.api.get("/v1/orders?q=obrien").await.ok()["items"][0].clone();
    assert_eq!((&line["number"], &line["customer"]), (&json!("EN-2001"), &json!("Ada O’Brien")));
}

#[tokio::test]
async fn a_changed_name_is_found_and_the_one_before_it_is_not() {
    let world = World::start().await;
    let id = order(&world.api, "1", "#1", "Ada Lovelace", "ada@example.com").await;
    world.settle().await;
    order(&world.api, "1", "#1", "Ada King", "ada@king.example").await;
    world.settle().await;
    for q in ["king", "ada", "ada@king.example"] {
        assert_eq!(hits(&world.api, q).await, std::slice::from_ref(&id), "{q}");
    }
    for q in ["lovelace", "ada@example.com"] {
        assert!(hits(&world.api, q).await.is_empty(), "{q}");
    }
}

#[tokio::test]
async fn hits_come_page_by_page_the_newest_first() {
    let world = World::start().await;
    let mut made = Vec::new();
    for n in 1..=30 {
        made.push(
            order(&world.api, &n.to_string(), &format!("#9{n:02}"), "Grace Hopper", "g@example.com").await,
        );
        world.clock.advance(stagepost_domain::SignedDuration::from_secs(1));
    }
    world.settle().await;
    made.reverse();
    for q in ["grace", "g@example.com"] {
        let (mut all, mut path) = (Vec::new(), format!("/v1/orders?limit=7&q={}", encoded(q)));
        loop {
            let page = world.api.get(&path).await.ok();
            all.extend(
                page["items"].as_array().unwrap().iter().map(|o| o["id"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/orders?limit=7&q={}&cursor={next}", encoded(q));
        }
        assert_eq!(all, made, "{q}");
    }
}

#[tokio::test]
async fn law_20_another_shop_finds_nothing_of_ours_not_even_with_our_cursor() {
    let world = World::start().await;
    for n in 1..=3 {
        order(&world.api, &n.to_string(), &format!("#70{n}"), "Ada Lovelace", "ada@example.com").await;
    }
    world.settle().await;
    let cursor = world.api.get("/v1/orders?q=ada&limit=1").await.ok()["next"].as_str().unwrap().to_owned();
    let shop = ShopId::parse("shop_other").unwrap();
    let key = create_shop(world.host.core(), &shop, "Other", "hello@other.example").await.unwrap();
    let other = world.api.with_key(&key);
    let theirs = order(&other, "1", "#701", "Ada Byron", "ada@example.com").await;
    world.settle().await;
    for q in ["ada", "701", "ada@example.com"] {
        assert_eq!(hits(&other, q).await, std::slice::from_ref(&theirs), "{q}");
    }
    let page = other.get(&format!("/v1/orders?q=ada&cursor={cursor}")).await;
    let leaked =
        page.body["items"].as_array().is_some_and(|items| items.iter().any(|o| o["id"] != json!(theirs)));
    assert!(!leaked, "{page:?}");
}

#[tokio::test]
async fn a_query_that_cannot_be_one_is_refused_and_says_why() {
    let world = World::start().await;
    for (query, field) in [
        ("q=".to_owned(), "q"),
        (format!("q={}", encoded("##")), "q"),
        (format!("q={}", encoded("🚢 ✨")), "q"),
        (format!("q={}", "a".repeat(255)), "q"),
        ("q=ada&untriaged=true".to_owned(), "q"),
        ("q=ada&stage=stg_x".to_owned(), "q"),
        ("q=ada&cursor=nonsense".to_owned(), "cursor"),
        ("q=ada&limit=0".to_owned(), "limit"),
        ("limit=5".to_owned(), "stage"),
    ] {
        let refused = world.api.get(&format!("/v1/orders?{query}")).await;
        assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!(field)), "{query}");
    }
}
