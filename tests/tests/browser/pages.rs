//! Every page, at a desk by day and on a phone by night: no barrier, and nothing wider than the screen. With
//! `STAGEPOST_SHOTS` they are gone through by the other light, too, so that there is a picture of each.

use serde_json::json;
use stagepost_tests::{EASYPOST_KEY, World, boats};

use super::browser::{Browser, DESK, PHONE, Screen, takes_pictures};
use super::scenarios::signed_in_at;

/// A page: what its picture is called, its path.
type Page = (&'static str, String);

/// Goes to each, and finds it as it should be.
async fn each(browser: &Browser, pages: &[Page]) {
    for (name, path) in pages {
        browser.go(path).await;
        let page = path.split('?').next().unwrap_or_default();
        assert_eq!((browser.path().await.as_str(), browser.status().await), (page, 200), "{name}");
        browser.shot(name).await;
        browser.is_accessible().await;
    }
}

/// Some orders on their way, of which the first has been in two stages, was mailed about and has a parcel.
async fn orders(world: &World) -> String {
    let customers = [
        ("Ada Example", &["Printing", "Shipped"][..]),
        ("Grace Example", &["Printing"]),
        ("Katherine Example-Johnson of the Northern Isles", &["Printing"]),
        ("Edsger Example", &["Shipped"]),
        ("Barbara Example", &[]),
        ("Alan Example", &[]),
    ];
    let key = json!({"credentials": EASYPOST_KEY}).to_string().into_bytes();
    world.api.send("PATCH", &format!("/v1/carriers/{}", world.ids.carrier), Some(key)).await.ok();
    let mut ids = Vec::new();
    for (name, stages) in customers {
        let order = world.shopify_order(&world.shopify.create_order(&boats(name, "ada@customer.example")));
        world.deliver_shopify().await;
        for stage in stages {
            world.pass(11).await;
            world.pass(700).await;
            world.move_to(&order, stage).await.ok();
            world.settle().await;
        }
        ids.push(order);
    }
    let parcel = json!({"number": "1Z999AA10123456784", "carrier": "UPS"});
    world.api.post(&format!("/v1/orders/{}/packages", ids[0]), &parcel).await.ok();
    world.pass(11).await;
    world.deliver_shopify().await;
    let scan = world.easypost.event("1Z999AA10123456784", "in_transit", world.now());
    world.tell_carrier(&scan).await;
    world.pass(11).await;
    ids.swap_remove(0)
}

fn of_orders(shop: &Shop) -> Vec<Page> {
    let Shop { order, tracking, .. } = shop;
    vec![
        ("orders", "/orders".to_owned()),
        ("orders-found", "/orders?q=ada".to_owned()),
        ("orders-nothing-matches", "/orders?q=nobody".to_owned()),
        ("orders-untriaged", "/orders?untriaged=true".to_owned()),
        ("order-new", "/orders/new".to_owned()),
        ("board", "/orders/board".to_owned()),
        ("order", format!("/orders/{order}")),
        ("renew-link", format!("/orders/{order}/renew-link")),
        ("erase", format!("/orders/{order}/erase")),
        ("simulate", "/simulate".to_owned()),
        ("simulate-order", format!("/simulate?order={order}")),
        ("activity", "/activity".to_owned()),
        ("activity-again", "/activity/retry-all".to_owned()),
        ("jobs", "/activity/jobs".to_owned()),
        ("quarantine", "/activity/quarantine".to_owned()),
        ("tracking", tracking.clone()),
    ]
}

fn of_flows_and_mails(shop: &Shop) -> Vec<Page> {
    let Shop { order, flow, stage, blank, template, .. } = shop;
    vec![
        ("flows", "/settings/flows".to_owned()),
        ("flow-new", "/settings/flows/new".to_owned()),
        ("flow", format!("/settings/flows/{flow}")),
        ("flow-blank", format!("/settings/flows/{blank}")),
        ("flow-archive", format!("/settings/flows/{flow}/archive")),
        ("stage", format!("/settings/flows/{flow}/stages/{stage}")),
        ("stage-delete", format!("/settings/flows/{flow}/stages/{stage}/delete")),
        ("notifications", "/settings/notifications".to_owned()),
        ("template-new", "/settings/notifications/new".to_owned()),
        ("template", format!("/settings/notifications/templates/{template}?order={order}")),
        ("test-mail", format!("/settings/notifications/templates/{template}/test")),
        ("sending", "/settings/notifications/sending".to_owned()),
        ("suppressed", "/settings/notifications/suppressed".to_owned()),
        ("brand", "/settings/brand".to_owned()),
    ]
}

fn of_connections_and_people(shop: &Shop) -> Vec<Page> {
    let Shop { endpoint, channel, carrier, .. } = shop;
    vec![
        ("webhooks", "/settings/webhooks".to_owned()),
        ("endpoint-new", "/settings/webhooks/new".to_owned()),
        ("endpoint", format!("/settings/webhooks/{endpoint}")),
        ("endpoint-edit", format!("/settings/webhooks/{endpoint}/edit")),
        ("endpoint-rotate", format!("/settings/webhooks/{endpoint}/rotate")),
        ("recover", format!("/settings/webhooks/{endpoint}/recover")),
        ("integrations", "/settings/integrations".to_owned()),
        ("channel", format!("/settings/integrations/channels/{channel}")),
        ("backfill", format!("/settings/integrations/channels/{channel}/backfill")),
        ("disconnect", format!("/settings/integrations/channels/{channel}/disconnect")),
        ("carrier", format!("/settings/integrations/carriers/{carrier}")),
        ("connect-shopify", "/settings/integrations/connect/shopify".to_owned()),
        ("connect-woocommerce", "/settings/integrations/connect/woocommerce".to_owned()),
        ("connect-easypost", "/settings/integrations/connect/easypost".to_owned()),
        ("connect-generic", "/settings/integrations/connect/generic".to_owned()),
        ("keys", "/settings/keys".to_owned()),
        ("key-new", "/settings/keys/new".to_owned()),
        ("people", "/settings/people".to_owned()),
        ("invite", "/settings/people/invite".to_owned()),
    ]
}

/// What stands in a shop in the middle of its work.
struct Shop {
    order: String,
    /// The path of its customer's page.
    tracking: String,
    flow: String,
    stage: String,
    blank: String,
    template: String,
    endpoint: String,
    channel: String,
    carrier: String,
}

impl Shop {
    async fn at_work(world: &World) -> Self {
        let order = orders(world).await;
        let flow = world.api.get(&format!("/v1/flows/{}", world.ids.flow)).await.ok();
        let stages = flow["stages"].as_array().unwrap();
        let stage = stages.iter().find(|stage| stage["name"] == "Shipped").unwrap();
        let blank = json!({"name": "Blank", "stages": [{"name": "New"}]});
        let blank = world.api.post("/v1/flows", &blank).await.ok();
        let link = world.order(&order).await["tracking_url"].as_str().unwrap().to_owned();
        Self {
            order,
            tracking: link.split_once("/t/").map(|(_, token)| format!("/t/{token}")).unwrap(),
            flow: world.ids.flow.clone(),
            stage: stage["id"].as_str().unwrap().to_owned(),
            blank: blank["id"].as_str().unwrap().to_owned(),
            template: world.ids.template.clone(),
            endpoint: world.ids.endpoint.clone(),
            channel: world.ids.shopify.clone(),
            carrier: world.ids.carrier.clone(),
        }
    }
}

/// Goes to some pages of a shop in the middle of its work.
async fn through(screen: Screen, pages: impl Fn(&Shop) -> Vec<Page>) {
    for screen in screens(screen) {
        let world = World::start().await;
        let browser = signed_in_at(&world, world.api.key(), screen).await;
        let shop = Shop::at_work(&world).await;
        each(&browser, &pages(&shop)).await;
    }
}

/// A shop with nothing in it.
async fn every_empty_page(screen: Screen) {
    let world = World::empty().await;
    let browser = signed_in_at(&world, world.api.key(), screen).await;
    let pages = [
        ("empty-orders", "/orders"),
        ("empty-simulate", "/simulate"),
        ("empty-activity", "/activity"),
        ("empty-jobs", "/activity/jobs"),
        ("empty-flows", "/settings/flows"),
        ("empty-notifications", "/settings/notifications"),
        ("empty-suppressed", "/settings/notifications/suppressed"),
        ("empty-webhooks", "/settings/webhooks"),
        ("empty-integrations", "/settings/integrations"),
    ];
    each(&browser, &pages.map(|(name, path)| (name, path.to_owned()))).await;
}

/// The screens of a test: with pictures, that by the other light, too.
fn screens(screen: Screen) -> impl Iterator<Item = Screen> {
    let other = takes_pictures().then_some(Screen { dark: !screen.dark, ..screen });
    std::iter::once(screen).chain(other)
}

#[tokio::test]
async fn no_page_of_orders_has_a_barrier_at_a_desk() {
    through(DESK, of_orders).await;
}

#[tokio::test]
async fn no_page_of_orders_has_a_barrier_on_a_phone_in_the_dark() {
    through(PHONE, of_orders).await;
}

#[tokio::test]
async fn no_page_of_flows_and_mails_has_a_barrier_at_a_desk() {
    through(DESK, of_flows_and_mails).await;
}

#[tokio::test]
async fn no_page_of_flows_and_mails_has_a_barrier_on_a_phone_in_the_dark() {
    through(PHONE, of_flows_and_mails).await;
}

#[tokio::test]
async fn no_page_of_connections_and_people_has_a_barrier_at_a_desk() {
    through(DESK, of_connections_and_people).await;
}

#[tokio::test]
async fn no_page_of_connections_and_people_has_a_barrier_on_a_phone_in_the_dark() {
    through(PHONE, of_connections_and_people).await;
}

#[tokio::test]
async fn the_door_has_no_barrier() {
    let world = World::empty().await;
    for screen in screens(DESK).chain(screens(PHONE)) {
        let browser = Browser::open(&world.host.base_url(), screen).await;
        each(&browser, &[("signin", "/sign-in".to_owned())]).await;
    }
}

#[tokio::test]
async fn no_page_of_a_shop_with_nothing_has_a_barrier() {
    for screen in screens(DESK).chain(screens(PHONE)) {
        every_empty_page(screen).await;
    }
}
