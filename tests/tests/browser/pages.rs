//! Every page, at a desk by day and on a phone by night: no barrier, and nothing wider than the screen.

use stagepost_tests::{World, boats};

use super::browser::{Browser, DESK, PHONE, Screen};

/// A shop in the middle of its work, and somebody signed in.
async fn world(screen: Screen) -> (World, Browser, String) {
    let world = World::start().await;
    let order =
        world.shopify_order(&world.shopify.create_order(&boats("Ada Example", "ada@customer.example")));
    world.deliver_shopify().await;
    world.move_to(&order, "Printing").await.ok();
    world.pass(11).await;
    let browser = Browser::open(&world.host.base_url(), screen).await;
    browser.go("/sign-in").await;
    browser.is_accessible().await;
    browser.shot(&format!("signin-{}", screen.width)).await;
    browser.click("Sign in with an API key").await;
    browser.write("API key", world.api.key()).await;
    browser.click("Sign in").await;
    browser.sees("Orders").await;
    (world, browser, order)
}

async fn every_page(screen: Screen) {
    let (world, browser, order) = world(screen).await;
    let link = world.order(&order).await["tracking_url"].as_str().unwrap().to_owned();
    let pages = [
        ("orders", "/orders".to_owned()),
        ("board", "/orders/board".to_owned()),
        ("order", format!("/orders/{order}")),
        ("flows", "/settings/flows".to_owned()),
        ("flow", format!("/settings/flows/{}", world.ids.flow)),
        ("simulate", "/simulate".to_owned()),
        ("activity", "/activity".to_owned()),
        ("notifications", "/settings/notifications".to_owned()),
        ("template", format!("/settings/notifications/templates/{}?order={order}", world.ids.template)),
        ("test-mail", format!("/settings/notifications/templates/{}/test", world.ids.template)),
        ("sending", "/settings/notifications/sending".to_owned()),
        ("suppressed", "/settings/notifications/suppressed".to_owned()),
        ("webhooks", "/settings/webhooks".to_owned()),
        ("endpoint", format!("/settings/webhooks/{}", world.ids.endpoint)),
        ("endpoint-edit", format!("/settings/webhooks/{}/edit", world.ids.endpoint)),
        ("recover", format!("/settings/webhooks/{}/recover", world.ids.endpoint)),
        ("integrations", "/settings/integrations".to_owned()),
        ("channel", format!("/settings/integrations/channels/{}", world.ids.shopify)),
        ("backfill", format!("/settings/integrations/channels/{}/backfill", world.ids.shopify)),
        ("carrier", format!("/settings/integrations/carriers/{}", world.ids.carrier)),
        ("connect", "/settings/integrations/connect/shopify".to_owned()),
        ("keys", "/settings/keys".to_owned()),
        ("people", "/settings/people".to_owned()),
        ("tracking", link.split_once("/t/").map(|(_, token)| format!("/t/{token}")).unwrap()),
    ];
    for (name, path) in pages {
        browser.go(&path).await;
        let page = path.split('?').next().unwrap_or_default();
        assert_eq!((browser.path().await.as_str(), browser.status().await), (page, 200), "{name}");
        browser.shot(&format!("{name}-{}", screen.width)).await;
        browser.is_accessible().await;
    }
}

#[tokio::test]
async fn no_page_has_a_barrier_at_a_desk() {
    every_page(DESK).await;
}

#[tokio::test]
async fn no_page_has_a_barrier_on_a_phone_in_the_dark() {
    every_page(PHONE).await;
}
