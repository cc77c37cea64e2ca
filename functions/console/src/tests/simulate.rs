//! Simulations.

use http::StatusCode;
use stagepost_app::mail::ports::SuppressionStore;
use stagepost_app::ports::{ConfigChange, ConfigStore};
use stagepost_domain::id::OrderId;
use stagepost_domain::search::SearchKey;
use stagepost_domain::shop::{MailMode, Role, Sealed};
use stagepost_domain::suppression::{Because, Suppression, suppression_id};
use stagepost_testkit::build;

use super::{Seen, World};

const INVENTED: &str = "/simulate?go=true&flow=flow_main&platform=shopify&name=Ada&email=ada%40customer.test";

impl World {
    /// With a store, so that there is something to fulfill on.
    async fn with_store(role: Role) -> Self {
        let world = Self::with(role, |_| {}).await;
        world.save(&build::shop(), ConfigChange::Channel(build::channel(&build::shop()))).await;
        world
    }

    async fn played(&self, path: &str) -> Seen {
        let before = self.store.writes();
        let seen = self.get(path).await;
        assert_eq!(self.store.writes(), before, "nothing is written");
        assert!(seen.status != StatusCode::OK || seen.says("<strong>Nothing is sent.</strong>"));
        seen
    }
}

fn of(id: &OrderId, step: &str) -> String {
    format!("/simulate?order={id}&step={step}")
}

#[tokio::test]
async fn an_order_is_found_by_its_number_and_played_through() {
    let world = World::with_store(Role::Member).await;
    let id = world.order(1001).await;
    let page = world.played(&format!("/simulate?order={id}")).await;
    assert!(page.says("#1001") && page.says("Ada Example") && page.says("Nothing played through yet"));
    let seen = world.played(&of(&id, "move:stg_ready")).await;
    for text in [
        "You move it to Ready to ship",
        "<span>New</span>",
        "<strong>Ready to ship</strong>",
        "\u{201c}News\u{201d} to Ada Example &#60;ada@customer.test&#62;",
        "order.stage_entered to Warehouse (https://warehouse.test/hook)",
        "Demo store",
        "After 10 seconds, unless it is moved on by then.",
        "Would run",
    ] {
        assert!(seen.says(text), "{text}");
    }
}

#[tokio::test]
async fn what_would_be_skipped_ignored_or_refused_says_why_in_words() {
    let world = World::with_store(Role::Owner).await;
    let seen = world.played("/simulate?go=true&flow=flow_main&platform=api&step=move:stg_ready").await;
    assert!(seen.says("Would be skipped") && seen.says("The customer has no e-mail address on this order."));
    assert!(seen.says("there is no sales channel to fulfill it on"));
    let fulfilled = world.played(&format!("{INVENTED}&step=fulfilled&step=move:stg_ready")).await;
    assert!(
        fulfilled.says("Somebody fulfills all of it on Shopify")
            && fulfilled.says("<strong>Shipped</strong>")
    );
    assert!(fulfilled.says("Already fulfilled by somebody on Shopify"));
    let back = world.played(&format!("{INVENTED}&at=stg_delivered&step=fulfilled")).await;
    assert!(back.says("Would not move"));
    assert!(back.says("It would not move to Shipped. Automatic moves go forward only"));
    let nothing = world.played(&format!("{INVENTED}&at=stg_new&step=delivered")).await;
    assert!(nothing.says("Nothing would change") && nothing.says("It has no parcel with a tracking number"));
    let same = world.played(&format!("{INVENTED}&at=stg_new&step=move:stg_new")).await;
    assert!(same.says("The order is in that stage already."));
    let gone = world.played(&format!("{INVENTED}&step=move:stg_nowhere")).await;
    assert!(gone.says("Would be refused") && gone.says("has no such stage"));
    let cancelled = world.played(&format!("{INVENTED}&step=cancelled")).await;
    assert!(cancelled.says("Order cancelled on its platform"));
}

#[tokio::test]
async fn what_is_decided_only_when_it_leaves_is_told_too() {
    let mails = format!("{INVENTED}&at=stg_new&step=move:stg_packing");
    let modes = [
        (MailMode::DryRun, "The shop&#39;s mails are set to a dry run"),
        (MailMode::Paused, "Would wait"),
        (MailMode::Test { to: "kim@shop.test".to_owned() }, "\u{201c}News\u{201d} to kim@shop.test"),
    ];
    for (mode, words) in modes {
        let world = World::with_store(Role::Owner).await;
        let mut settings = world.store.settings(&build::shop()).await.unwrap().unwrap();
        settings.mail.mode = mode;
        settings.config_version += 1;
        world.store.save(&ConfigChange::Shop, &settings).await.unwrap();
        assert!(world.played(&mails).await.says(words), "{words}");
    }
    let world = World::with_store(Role::Owner).await;
    let key = SearchKey::of_deployment(&[7; 32]);
    let id = suppression_id(&key, &build::shop(), "ada@customer.test").unwrap();
    let (shop, address, at) = (build::shop(), Sealed("x".to_owned()), build::at(build::START));
    let suppression = Suppression { id, shop, address, because: Because::HardBounce, since: at, run: None };
    world.store.suppress(&suppression).await.unwrap();
    assert!(world.played(&mails).await.says("a mail to it came back for good"));
    let mut endpoint = build::endpoint(&build::shop());
    let reason = stagepost_domain::shop::DisabledReason::ByHand;
    endpoint.disabled = Some(stagepost_domain::shop::Disabled { since: at, reason });
    world.save(&build::shop(), ConfigChange::Endpoint(endpoint)).await;
    assert!(world.played(&mails).await.says("The endpoint is switched off."));
}

#[tokio::test]
async fn the_page_of_a_stage_leads_to_what_happens_there() {
    let world = World::with_store(Role::Member).await;
    let seen = world.played("/simulate?stage=stg_packing").await;
    assert!(seen.says("You move it to Packing") && seen.says("<span>New</span>"));
    assert!(seen.says("<option value=\"stg_new\" selected>"));
    let first = world.played("/simulate?stage=stg_new").await;
    assert!(first.says("The order comes in") && first.says("<strong>New</strong>"));
}

#[tokio::test]
async fn numbers_that_several_orders_have_are_offered_and_one_that_none_has_says_so() {
    let world = World::with_store(Role::Member).await;
    assert!(world.played("/simulate?number=1001").await.says("No order matches."));
    for n in [1001, 1002] {
        let id = world.order(n).await;
        stagepost_app::search::keep(&world.store, &SearchKey::of_deployment(&[7; 32]), &id).await.unwrap();
    }
    let several = world.played("/simulate?number=100").await;
    assert!(several.says("Which one?") && several.says("#1001") && several.says("#1002"));
    let one = world.played("/simulate?number=1002").await;
    assert_eq!(one.to(), format!("/simulate?order={}", build::order_id(1002)));
}

#[tokio::test]
async fn without_a_flow_it_says_how_to_begin() {
    let world = World::new().await;
    let mut flow = build::flow(&build::shop());
    flow.archived_at = Some(build::at(build::START));
    world.save(&build::shop(), ConfigChange::Flow(flow)).await;
    assert!(world.played("/simulate").await.says("No order flow yet"));
    assert!(world.played("/simulate?go=true").await.says("No order flow yet"));
}

#[tokio::test]
async fn law_20_another_shops_order_flow_and_stage_are_not_played_with() {
    let world = World::with_store(Role::Owner).await;
    let id = world.order(1001).await;
    let other = build::other_shop();
    world.save(&other, ConfigChange::Shop).await;
    world.sign_in(&other, Role::Owner).await;
    for step in ["", "cancelled"] {
        assert_eq!(world.played(&of(&id, step)).await.status, StatusCode::NOT_FOUND, "{step}");
    }
    assert!(!world.played("/simulate?number=1001").await.says("#1001"));
    for path in [INVENTED, "/simulate?stage=stg_packing"] {
        assert!(world.played(path).await.says("No order flow yet"), "{path}");
    }
}

#[tokio::test]
async fn a_viewer_does_not_simulate() {
    let world = World::with_store(Role::Viewer).await;
    assert_eq!(world.get("/simulate").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_customer_called_script_is_text() {
    let world = World::with_store(Role::Owner).await;
    let bad = "%3Cscript%3Ealert(1)%3C/script%3E";
    let path = format!(
        "/simulate?go=true&flow=flow_main&platform=shopify&name={bad}&email={bad}&step=move:stg_ready"
    );
    for path in [path, format!("/simulate?number={bad}"), format!("/simulate?go=true&step={bad}&at={bad}")] {
        let seen = world.played(&path).await;
        assert!(!seen.says("<script>alert"), "{path}");
    }
}
