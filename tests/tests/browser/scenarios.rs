//! The product's own scenarios, by reading and clicking.

use fantoccini::key::Key;
use stagepost_domain::Timestamp;
use stagepost_tests::{World, boats};

use super::browser::{Browser, DESK, Screen};

/// Signed in at a desk with this key, at the browser's time: what counts down on a page does so by its clock.
pub async fn signed_in(world: &World, key: &str) -> Browser {
    signed_in_at(world, key, DESK).await
}

/// The same at another screen.
pub async fn signed_in_at(world: &World, key: &str, screen: Screen) -> Browser {
    let browser = Browser::open(&world.host.base_url(), screen).await;
    now_as_in(&browser, world).await;
    browser.go("/sign-in").await;
    browser.click("Sign in with an API key").await;
    browser.write("API key", key).await;
    browser.click("Sign in").await;
    browser.sees("Orders").await;
    browser
}

/// Sets the world's time half a minute ahead of the browser's, unless it is further: what counts down on a page has
/// that much more time on a slow machine.
pub async fn now_as_in(browser: &Browser, world: &World) {
    let now = browser.ask("return Date.now()").await.as_i64().unwrap();
    world.clock.set(Timestamp::from_millisecond(now + 30_000).unwrap().max(world.now()));
}

#[tokio::test]
async fn a_move_is_taken_back_within_its_grace_and_nobody_is_mailed() {
    let world = World::start().await;
    let browser = signed_in(&world, world.api.key()).await;
    let order =
        world.shopify_order(&world.shopify.create_order(&boats("Ada Example", "ada@customer.example")));
    world.deliver_shopify().await;
    world.pass(11).await;
    let mailed = world.mails().len();
    browser.go(&format!("/orders/{order}")).await;
    browser.choose("Move to", "Delivered").await;
    now_as_in(&browser, &world).await;
    browser.click("Move").await;
    browser.sees("Undo").await;
    assert_eq!(world.stage(&order).await, "Delivered");
    let undo = browser.ask("return document.querySelector('.flash form button').innerText").await;
    assert!(undo.as_str().unwrap().starts_with("Undo"), "{undo}");
    browser.ask("document.querySelector('.flash form button').click()").await;
    browser.sees("is in New again").await;
    world.pass(11).await;
    assert_eq!((world.stage(&order).await.as_str(), world.mails().len()), ("New", mailed));
}

#[tokio::test]
async fn a_platforms_fulfillment_moves_the_order_and_the_outbound_skip_is_explained() {
    let world = World::start().await;
    let browser = signed_in(&world, world.api.key()).await;
    let external = world.shopify.create_order(&boats("Ada Example", "ada@customer.example"));
    let order = world.shopify_order(&external);
    world.deliver_shopify().await;
    world.shopify.fulfill_by_hand(&external, &stagepost_standins::Tracking::number("1Z1")).unwrap();
    world.deliver_shopify().await;
    world.pass(11).await;
    browser.go(&format!("/orders/{order}")).await;
    browser.sees("fulfilled").await;
    assert_eq!(world.stage(&order).await, "Shipped");
    browser.shot("fulfilled-by-hand").await;
    let words = browser.words().await;
    assert!(words.contains("Skipped") && words.contains("Shopify"), "{words}");
}

#[tokio::test]
async fn the_keyboard_alone_moves_an_order() {
    let world = World::start().await;
    let browser = signed_in(&world, world.api.key()).await;
    let order =
        world.shopify_order(&world.shopify.create_order(&boats("Ada Example", "ada@customer.example")));
    world.deliver_shopify().await;
    browser.go(&format!("/orders/{order}")).await;
    browser.press(&Key::Tab.to_string()).await;
    assert_eq!(browser.focus().await, "Skip to content");
    browser.press(&Key::Enter.to_string()).await;
    for _ in 0..10 {
        browser.press(&Key::Tab.to_string()).await;
        if browser.focus().await.starts_with("Move to Printing") {
            now_as_in(&browser, &world).await;
            browser.press(&Key::Enter.to_string()).await;
            browser.sees("Undo").await;
            assert_eq!(world.stage(&order).await, "Printing");
            return;
        }
    }
    panic!("no way to the button by Tab:\n{}", browser.words().await);
}
