//! From a shop with nothing in it to everything that a stage does, by reading and clicking alone. Each page on the way
//! is held against the rules of accessibility.

use stagepost_local::seed::{demo_link, seed};
use stagepost_tests::{EASYPOST_KEY, EASYPOST_SECRET, SHOPIFY_DOMAIN, SHOPIFY_SECRET, World, boats};

use super::browser::{Browser, DESK};
use super::scenarios::{now_as_in, signed_in};

const NUMBER: &str = "1Z999AA10123456784";

/// A flow of the shop's own: named, its stages added one by one.
async fn makes_a_flow(browser: &Browser) {
    browser.sees_well("No order flow yet").await;
    browser.click("Make an order flow").await;
    browser.sees_well("Begin with a flow").await;
    browser.write("Name", "Print shop").await;
    browser.click("Make a blank flow").await;
    browser.sees_well("Print shop is there").await;
    for stage in ["Printing", "Shipped", "Delivered"] {
        browser.write("Name of the new stage", stage).await;
        browser.click("Add stage").await;
        browser.sees("Save to set it up").await;
        browser.is_accessible().await;
    }
    browser.choose("Fulfilled Stage", "Shipped").await;
    browser.click("Save flow").await;
    browser.sees_well("The flow is saved").await;
}

async fn makes_a_template(browser: &Browser) {
    browser.click("Notifications").await;
    browser.sees_well("No template yet").await;
    browser.click("Shipped").await;
    browser.sees_well("Nothing is saved before you save it").await;
    browser.click("Make template").await;
    browser.sees_well("Saved. A stage mails it once it names it").await;
}

async fn makes_an_endpoint(browser: &Browser, url: &str) {
    browser.click("Webhooks").await;
    browser.sees_well("No endpoint yet").await;
    browser.click("Add an endpoint").await;
    browser.sees_well("Own headers").await;
    browser.write("Name", "ERP").await;
    browser.write("URL", url).await;
    browser.click("Add endpoint").await;
    browser.sees_well("it is not shown again").await;
    browser.click("I have copied it").await;
    browser.sees_well("No messages in the last 30 days").await;
}

async fn opens_stage(browser: &Browser, stage: &str) {
    browser.click("Order Flows").await;
    browser.sees_well("No store begins here").await;
    browser.click("Print shop").await;
    browser.sees_well("Where orders go").await;
    browser.click(&format!("Edit stage {stage}")).await;
    browser.sees_well("When an order enters this stage").await;
}

async fn saves_stage(browser: &Browser, says: &str) {
    browser.click("Save stage").await;
    browser.sees_well("The stage is saved").await;
    browser.sees(says).await;
}

async fn sets_the_automations(browser: &Browser) {
    let from_now_on = "Acts on orders that enter the stage from now on";
    opens_stage(browser, "Printing").await;
    browser.click("Trigger Webhook").await;
    browser.choose("Endpoint", "ERP").await;
    saves_stage(browser, from_now_on).await;
    opens_stage(browser, "Shipped").await;
    browser.click("Send Email Notification").await;
    browser.choose("Template", "Shipped").await;
    browser.click("Mark fulfilled on platform").await;
    saves_stage(browser, from_now_on).await;
    opens_stage(browser, "Delivered").await;
    browser.click("Advance on Delivery").await;
    saves_stage(browser, "Orders come here with the next confirmed delivery").await;
}

/// Connects the service whose form is open, waits for what the check of its credentials finds, and gives its id.
async fn connects(browser: &Browser) -> String {
    browser.click("Connect").await;
    browser.sees_well("is connected").await;
    browser.sees_well("Works").await;
    browser.click("I have done that").await;
    browser.sees_well("Check again").await;
    browser.path().await.rsplit('/').next().unwrap().to_owned()
}

async fn connects_shopify(browser: &Browser) -> String {
    browser.click("Integrations").await;
    browser.sees_well("No store yet").await;
    browser.click("Connect Shopify").await;
    browser.sees_well("Connect Shopify").await;
    browser.write("Store", SHOPIFY_DOMAIN).await;
    browser.write("Admin API access token", "shpat_test").await;
    browser.write("Webhook signing secret", SHOPIFY_SECRET).await;
    browser.choose("New orders go to", "Print shop").await;
    connects(browser).await
}

async fn connects_easypost(browser: &Browser) -> String {
    browser.click("Integrations").await;
    browser.sees_well("No carrier service yet").await;
    browser.click("Connect EasyPost").await;
    browser.sees_well("Connect EasyPost").await;
    browser.write("API key", EASYPOST_KEY).await;
    browser.write("Webhook secret", EASYPOST_SECRET).await;
    connects(browser).await
}

/// Everything that a shop needs, set up by somebody who starts with nothing.
async fn shop_of_ones_own(world: &mut World) -> Browser {
    let browser = signed_in(world, world.api.key()).await;
    makes_a_flow(&browser).await;
    makes_a_template(&browser).await;
    makes_an_endpoint(&browser, &world.receiver.url()).await;
    sets_the_automations(&browser).await;
    world.ids.shopify = connects_shopify(&browser).await;
    world.ids.carrier = connects_easypost(&browser).await;
    now_as_in(&browser, world).await;
    browser
}

/// Adds a package by the form on the order's page.
async fn adds_a_package(browser: &Browser) {
    browser.click("Add a package").await;
    browser.write("Tracking number", NUMBER).await;
    browser.click("Add package").await;
    browser.sees_well("Registered").await;
    browser.sees(NUMBER).await;
}

#[tokio::test]
async fn a_shop_begun_from_nothing_mails_calls_fulfills_and_advances() {
    let mut world = World::empty().await;
    let browser = shop_of_ones_own(&mut world).await;

    let external = world.shopify.create_order(&boats("Ada Example", "ada@customer.example"));
    world.deliver_shopify().await;
    let order = world.shopify_order(&external);
    browser.click("Orders").await;
    browser.sees_well("Ada Example").await;
    browser.click("#1001").await;
    browser.sees_well("Order received").await;

    now_as_in(&browser, &world).await;
    browser.click("Move to Printing").await;
    browser.sees_well("Undo").await;
    assert_eq!(world.receiver.received().len(), 0, "nothing leaves within the grace");
    world.pass(11).await;
    browser.sees("ERP (order.stage_entered)").await;
    browser.sees_well("Delivered").await;
    assert_eq!(world.receiver.received().len(), 1);

    adds_a_package(&browser).await;
    assert_eq!(world.parcels.tracked(), [NUMBER]);

    now_as_in(&browser, &world).await;
    browser.click("Move to Shipped").await;
    browser.sees("Undo").await;
    world.pass(11).await;
    browser.sees("Mail to the customer Shipped").await;
    browser.sees("Sent").await;
    browser.sees_well("Fulfillment on the sales channel Shopify").await;
    browser.sees("Fulfilled").await;
    assert_eq!(world.subjects(), ["Your order #1001 is on its way"]);
    assert_eq!(world.shopify.fulfillment_calls(), 1);
    assert_eq!(world.shopify.tracking_numbers(&external), [NUMBER]);
    world.deliver_shopify().await;
    assert_eq!(world.stage(&order).await, "Shipped", "the echo of its own fulfillment moves nothing");

    world.pass(20).await;
    world.parcels.scan(NUMBER, "delivered");
    world.deliver_parcels().await;
    browser.click("Orders").await;
    browser.sees_well("Delivered").await;
    browser.click("#1001").await;
    browser.sees("by the carrier").await;
    browser.sees_well("Package: Delivered").await;
    browser.shot("from-nothing").await;
    assert_eq!(world.path(&order).await, ["New", "Printing", "Shipped", "Delivered"]);
    assert_eq!((world.mails().len(), world.receiver.received().len()), (1, 1));
}

#[tokio::test]
async fn a_broken_template_is_mended_from_its_error() {
    let world = World::start().await;
    let browser = signed_in(&world, world.api.key()).await;
    browser.click("Notifications").await;
    browser.click("Stage").await;
    browser.sees_well("Mailed by").await;
    let broken = "<p>Hello {{customerName}},</p>\n<p>see {{trakingUrl}}</p>";
    browser.write("HTML", broken).await;
    browser.sees("No mail can be made of this yet").await;
    browser.click("Save template").await;
    browser.sees("HTML line 2:").await;
    browser.sees_well("trakingUrl").await;
    browser.shot("template-broken").await;
    assert_eq!(browser.field("HTML").await.prop("value").await.unwrap().as_deref(), Some(broken));
    browser.write("HTML", &broken.replace("traking", "tracking")).await;
    browser.click("Save template").await;
    browser.sees_well("Saved as version 2").await;
    let template = world.api.get(&format!("/v1/email-templates/{}", world.ids.template)).await.ok();
    assert!(template["html"].as_str().unwrap().contains("{{trackingUrl}}"));
}

/// Clicks what the README names in its first five minutes.
async fn as_told(browser: &Browser, words: &str) {
    let readme = include_str!("../../../README.md");
    let (_, told) = readme.split_once("## Five minutes").unwrap();
    let told = told.split("\n## ").next().unwrap();
    assert!(told.contains(words), "the README does not tell of \"{words}\"");
    browser.click(words).await;
}

#[tokio::test]
async fn the_first_five_minutes_go_as_the_readme_tells_them() {
    let world = World::empty().await;
    let browser = Browser::open(&world.host.base_url(), DESK).await;
    now_as_in(&browser, &world).await;
    seed(world.host.core()).await.unwrap();
    let link = demo_link(&world.host).await.unwrap().unwrap();
    browser.go(&format!("/sign-in/{link}")).await;
    browser.sees_well("Sign in to Demo Shop").await;
    as_told(&browser, "Sign in").await;
    browser.sees_well("No orders yet").await;
    for words in ["Notifications", "New template", "Shipped", "Make template"] {
        as_told(&browser, words).await;
    }
    browser.sees_well("Saved. A stage mails it once it names it").await;
    as_told(&browser, "Order Flows").await;
    as_told(&browser, "New flow").await;
    browser.sees_well("Simple shipping").await;
    browser.click("Use this flow: Simple shipping").await;
    browser.sees_well("Simple shipping is there").await;
    browser.click("Edit stage Shipped").await;
    as_told(&browser, "Send Email Notification").await;
    browser.choose("Template", "Shipped").await;
    as_told(&browser, "Save stage").await;
    browser.sees_well("Acts on orders that enter the stage from now on").await;
    as_told(&browser, "Orders").await;
    as_told(&browser, "Add order").await;
    browser.sees_well("Add an order").await;
    browser.write("Order number", "#T-1").await;
    browser.choose("Order flow", "Simple shipping").await;
    browser.write("Customer", "Ada Example").await;
    browser.write("E-mail address", "ada@customer.example").await;
    as_told(&browser, "Add order").await;
    browser.sees_well("#T-1 is in New.").await;
    now_as_in(&browser, &world).await;
    as_told(&browser, "Move to Shipped").await;
    browser.sees_well("Undo").await;
    world.pass(11).await;
    browser.sees("Sent").await;
    browser.go("/_local/mailbox").await;
    browser.sees("Your order #T-1 is on its way").await;
}
