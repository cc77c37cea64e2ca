use serde_json::{Value, json};
use stagepost_tests::{World, boats};

#[tokio::test]
async fn a_paid_shopify_order_lands_in_the_default_stage_and_its_customer_gets_one_mail() {
    let world = World::start().await;
    let external = world.shopify.create_order(&boats("Ada Lovelace", "ada@example.com"));
    world.deliver_shopify().await;
    let id = world.shopify_order(&external);
    assert_eq!(world.stage(&id).await, "New");
    world.settle().await;
    assert!(world.mails().is_empty(), "a mail left before its grace");
    world.pass(10).await;
    assert_eq!(world.mails().len(), 1);
    let mail = &world.mails()[0];
    assert_eq!(mail.to, "ada@example.com");
    assert!(mail.text.as_deref().unwrap().starts_with("Hello Ada Lovelace, see http"));
    assert_eq!(world.states(&id, "email").await, ["succeeded"]);
}

#[tokio::test]
async fn an_api_order_moves_and_its_webhook_is_signed() {
    let world = World::start().await;
    let order = json!({
        "external_id": "web-1", "number": "#W1", "flow": world.ids.flow,
        "customer": {"name": "Grace", "email": "grace@example.com"},
    });
    let made = world.api.post("/v1/orders", &order).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.body["id"].as_str().unwrap().to_owned();
    assert_eq!(world.move_to(&id, "Printing").await.status, 200);
    world.pass(10).await;
    let received = world.receiver.received();
    assert_eq!(received.len(), 1);
    // The receiver's own library signs the same bytes to the same signature (its `verify` reads the machine's
    // clock, which this test does not run on).
    let receivers = standardwebhooks::Webhook::new(&world.ids.endpoint_secret).unwrap();
    let header = |name: &str| received[0].header(name).unwrap();
    let timestamp = header("webhook-timestamp").parse().unwrap();
    let expected = receivers.sign(header("webhook-id"), timestamp, &received[0].body).unwrap();
    assert_eq!(header("webhook-signature"), expected);
    let body: serde_json::Value = serde_json::from_slice(&received[0].body).unwrap();
    assert_eq!(body["type"], "order.stage_entered");
    assert_eq!(body["data"]["stage"]["name"], "Printing");
    assert_eq!(body["data"]["previous_stage"]["name"], "New");
    // The first stage's mail was taken back: the order had left within the grace.
    assert_eq!(world.states(&id, "email").await, ["skipped"]);
    assert!(world.mails().is_empty());
}

/// Every item of a listing, page by page.
async fn pages(world: &World, path: &str, limit: usize) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.api.get(&format!("{path}limit={limit}{cursor}")).await.ok();
        let found = page["items"].as_array().unwrap();
        assert!(found.len() <= limit);
        items.extend(found.iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

#[tokio::test]
async fn orders_are_listed_by_stage_newest_entry_first_page_by_page() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for n in 0..7 {
        let order = json!({"external_id": format!("list-{n}"), "flow": world.ids.flow});
        ids.push(world.api.post("/v1/orders", &order).await.ok()["id"].as_str().unwrap().to_owned());
        world.clock.advance(stagepost_domain::SignedDuration::from_secs(5));
    }
    world.move_to(&ids[2], "Printing").await.ok();
    world.settle().await;
    let stage_of = async |id: &str| world.order(id).await["stage"]["id"].as_str().unwrap().to_owned();
    let (new, printing) = (stage_of(&ids[0]).await, stage_of(&ids[2]).await);
    let listed = async |stage: &str, limit| {
        let items = pages(&world, &format!("/v1/orders?stage={stage}&"), limit).await;
        items.iter().map(|o| o["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let newest_first: Vec<String> = [6, 5, 4, 3, 1, 0].iter().map(|n: &usize| ids[*n].clone()).collect();
    for limit in [1, 2, 3, 100] {
        assert_eq!(listed(&new, limit).await, newest_first, "pages of {limit}");
    }
    assert_eq!(listed(&printing, 2).await, [ids[2].clone()]);
}

#[tokio::test]
async fn a_timeline_reads_the_same_page_by_page() {
    let world = World::start().await;
    let order = json!({"external_id": "long", "flow": world.ids.flow});
    let id = world.api.post("/v1/orders", &order).await.ok()["id"].as_str().unwrap().to_owned();
    for n in 0..6 {
        let package = json!({"number": format!("PARCEL{n}")});
        world.api.post(&format!("/v1/orders/{id}/packages"), &package).await.ok();
        world.clock.advance(stagepost_domain::SignedDuration::from_secs(5));
    }
    let path = format!("/v1/orders/{id}/timeline?");
    let whole = pages(&world, &path, 100).await;
    assert_eq!(whole.len(), 7);
    for limit in [1, 2, 5] {
        assert_eq!(pages(&world, &path, limit).await, whole, "pages of {limit}");
    }
}

#[tokio::test]
async fn a_woocommerce_order_that_went_to_the_trash_and_back_moves_on() {
    let world = World::start().await;
    let external = world.woo.create_order(&boats("Grace Hopper", "grace@example.com"));
    world.deliver_woo().await;
    world.pass(10).await;
    let id = world.woo_order(&external);
    world.woo.trash(&external).unwrap();
    assert_eq!(world.deliver_woo().await[0]["outcome"], "changed");
    assert_eq!(world.order(&id).await["lifecycle"]["state"], "trashed");
    world.clock.advance(stagepost_domain::SignedDuration::from_secs(60));
    world.woo.restore(&external).unwrap();
    world.deliver_woo().await;
    assert_eq!(world.order(&id).await["lifecycle"]["state"], "open");
    world.clock.advance(stagepost_domain::SignedDuration::from_secs(60));
    world.woo.complete_by_hand(&external, &stagepost_standins::Tracking::none()).unwrap();
    world.deliver_woo().await;
    world.pass(10).await;
    assert_eq!(world.path(&id).await, ["New", "Shipped"]);
    assert_eq!(world.mails().len(), 2, "{:?}", world.subjects());
}
