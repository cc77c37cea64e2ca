//! The page behind `{{trackingUrl}}`.

use serde_json::json;
use stagepost_tests::World;

async fn visit(url: &str) -> (u16, Vec<(String, String)>, String) {
    let api = stagepost_tests::Api::new("", "");
    api.page(url).await
}

#[tokio::test]
async fn the_link_in_the_mail_opens_a_page_with_the_visible_stages_and_the_parcels_and_no_person() {
    let world = World::start().await;
    let order = json!({
        "external_id": "page", "number": "#<b>1001</b>", "flow": world.ids.flow, "ship_to": ["1 Secret Road"],
        "customer": {"name": "Grace Hopper", "email": "grace@example.com"},
        "packages": [{"number": "1Z999AA10123456784", "carrier": "UPS", "url": "https://ups.example/track?n=1"}],
    });
    let id = world.api.post("/v1/orders", &order).await.ok()["id"].as_str().unwrap().to_owned();
    world.move_to(&id, "Printing").await.ok();
    let url = world.order(&id).await["tracking_url"].as_str().unwrap().to_owned();
    let (status, headers, page) = visit(&url).await;
    assert_eq!(status, 200);
    let expected =
        ["#&#60;b&#62;1001", "Paper Boat", "aria-current=\"step\">Printing", "1Z999AA10123456784", "UPS"];
    for words in expected {
        assert!(page.contains(words), "{words} is not in {page}");
    }
    for person in ["Grace", "Hopper", "example.com\"", "Secret Road", "<b>", "<script"] {
        assert!(!page.contains(person), "{person} is in {page}");
    }
    assert!(page.len() < 50_000);
    let has = |name: &str, value: &str| headers.iter().any(|(n, v)| n == name && v.contains(value));
    assert!(has("x-robots-tag", "noindex") && has("referrer-policy", "no-referrer"), "{headers:?}");
    assert!(has("content-security-policy", "default-src 'none'"), "{headers:?}");
}

#[tokio::test]
async fn a_wrong_token_and_an_order_that_is_not_there_get_the_same_answer() {
    let world = World::start().await;
    let order = json!({"external_id": "guess", "flow": world.ids.flow});
    let id = world.api.post("/v1/orders", &order).await.ok()["id"].as_str().unwrap().to_owned();
    let url = world.order(&id).await["tracking_url"].as_str().unwrap().to_owned();
    let (base, token) = url.rsplit_once('/').unwrap();
    let (body, tag) = token.split_once('-').unwrap();
    let (first, rest) = tag.split_at(1);
    let flipped = format!("{}{rest}", if first == "A" { "B" } else { "A" });
    let nobody = format!("{}-{tag}", "0".repeat(26));
    let mut answers = Vec::new();
    for wrong in [format!("{body}-{flipped}"), nobody, body.to_owned(), "x".repeat(3_000), "%00".into()] {
        let (status, _, page) = visit(&format!("{base}/{wrong}")).await;
        assert_eq!(status, 404, "{wrong}");
        answers.push(page);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}
