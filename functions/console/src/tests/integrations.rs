//! Stores and carrier services: connected, tried out, changed, asked, disconnected.

use http::StatusCode;
use stagepost_app::config::reconciliation_of;
use stagepost_app::contact::ContactStore;
use stagepost_app::jobs::{check_of_carrier, check_of_channel};
use stagepost_app::ports::{ConfigChange, ConfigStore, JobStore};
use stagepost_domain::SignedDuration;
use stagepost_domain::contact::{FarEnd, Way};
use stagepost_domain::id::{AttemptId, JobId};
use stagepost_domain::job::{Connection, Job, JobKind, JobState, Noted, PageDone, Progress};
use stagepost_domain::shop::{CarrierIntegration, Channel, Role, Sealed};
use stagepost_testkit::build;

use super::{Seen, World};

const ALL: &str = "/settings/integrations";
const STORE: &str = "/settings/integrations/channels/chan_store";
const PARCELS: &str = "/settings/integrations/carriers/car_parcels";

/// The demo store with its reconciliation, and the demo carrier service with a key.
async fn connected(world: &World) {
    let shop = build::shop();
    let kind = JobKind::Reconcile { channel: build::channel_id(), since: build::seconds(-60), newest: None };
    let id = reconciliation_of(&build::channel_id()).unwrap();
    let asking = Job::new(id, shop.clone(), kind, build::seconds(0));
    world.save(&shop, ConfigChange::Channel(build::channel(&shop)).with_jobs(vec![asking])).await;
    let key = Some(Sealed("sealed-key".to_owned()));
    let carrier = CarrierIntegration { credentials: key, ..build::carrier(&shop) };
    world.save(&shop, ConfigChange::Carrier(carrier)).await;
}

async fn store(world: &World) -> Channel {
    world.store.channel(&build::channel_id()).await.unwrap().unwrap()
}

async fn job(world: &World, id: &JobId) -> Job {
    world.store.job(&build::shop(), id).await.unwrap().unwrap()
}

/// The job was worked on, and failed like this for good, or did not fail.
async fn worked(world: &World, id: &JobId, error: Option<&str>) {
    let running =
        job(world, id).await.claimed(&AttemptId::from_body("one").unwrap(), world.core.now()).unwrap();
    world.store.update_job(&running).await.unwrap();
    let ended = match error {
        Some(error) => running.stumbled(error, None, true, world.core.now()),
        None => running.over(world.core.now()),
    };
    world.store.update_job(&ended).await.unwrap();
}

fn woo<'a>(store: &'a str, credentials: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("sent", "yes"),
        ("name", "Outlet"),
        ("store", store),
        ("credentials", credentials),
        ("webhook_secret", ""),
        ("default_flow", "flow_main"),
        ("backfill_days", "30"),
    ]
}

async fn connect(world: &World, service: &str, fields: &[(&str, &str)]) -> Seen {
    world.post(&format!("{ALL}/connect/{service}"), fields).await
}

#[tokio::test]
async fn nothing_connected_says_what_connecting_brings() {
    let world = World::new().await;
    let seen = world.get(ALL).await;
    assert!(seen.says("No store yet") && seen.says("No carrier service yet"));
    for service in ["shopify", "woocommerce", "easypost", "generic"] {
        assert!(seen.says(&format!("{ALL}/connect/{service}")));
        assert!(world.get(&format!("{ALL}/connect/{service}")).await.status.is_success());
    }
    assert_eq!(world.get(&format!("{ALL}/connect/magento")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_store_is_connected_with_a_secret_shown_once_and_its_credentials_are_tried_out_by_a_job() {
    let world = World::new().await;
    let made = connect(&world, "woocommerce", &woo("https://outlet.test", "ck_a:cs_b")).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    let channels = world.store.channels(&build::shop()).await.unwrap();
    let [channel] = channels.as_slice() else { panic!("{channels:?}") };
    let url = format!("https://console.test/webhooks/woocommerce/{}", channel.id);
    assert!(
        made.says(&url)
            && made.says("it is not shown again")
            && made.says("WooCommerce → Settings → Advanced")
    );
    assert!(made.says("Saved, not yet checked") && !made.says("cs_b"));
    let check = check_of_channel(channel).unwrap();
    let connection = Connection::Channel(channel.id.clone());
    assert_eq!(job(&world, &check).await.kind, JobKind::Check { connection });

    let path = format!("{ALL}/channels/{}", channel.id);
    let part = world.part(&format!("{path}/check")).await;
    assert!(part.status.as_u16() == 200 && part.says("every 2s"));
    worked(&world, &check, Some("the key is refused, <b>")).await;
    let part = world.part(&format!("{path}/check")).await;
    assert_eq!(part.status.as_u16(), 286);
    assert!(part.says("Refused") && part.says("they do not work: the key is refused, &#60;b&#62;"));

    world.post(&format!("{path}/check"), &[]).await;
    assert!(matches!(job(&world, &check).await.state, JobState::Waiting { .. }), "checked once more");
    worked(&world, &check, None).await;
    let page = world.get(&path).await;
    assert!(page.says("Works") && page.says(&url) && !page.says("ck_a"));
}

#[tokio::test]
async fn credentials_of_which_the_other_side_does_not_know_yet_are_told_as_such() {
    let world = World::new().await;
    connected(&world).await;
    let page = world.get(STORE).await;
    assert!(page.says("Not checked lately"));
    world.post(&format!("{STORE}/check"), &[]).await;
    assert!(world.get(STORE).await.says("Saved, not yet checked"));
    let check = check_of_channel(&store(&world).await).unwrap();
    let running = job(&world, &check).await.claimed(&AttemptId::from_body("one").unwrap(), world.core.now());
    let running = running.unwrap();
    world.store.update_job(&running).await.unwrap();
    let put_off = running.stumbled("the store failed (HTTP 502)", None, false, world.core.now());
    world.store.update_job(&put_off).await.unwrap();
    let page = world.get(STORE).await;
    assert!(page.says("Not reached yet") && page.says("HTTP 502") && page.says("tried again on 1 Mar 2026"));
    // New credentials are new: what was found of the others says nothing of them.
    let edit = [
        ("version", "1"),
        ("name", "Demo store"),
        ("default_flow", "flow_main"),
        ("credentials", "shpat_new"),
    ];
    assert_eq!(world.post(STORE, &edit).await.to(), STORE);
    let fresh = check_of_channel(&store(&world).await).unwrap();
    assert_ne!(fresh, check);
    assert!(world.get(STORE).await.says("The new credentials are tried out now"));
    assert!(world.get(STORE).await.says("Saved, not yet checked"));
}

#[tokio::test]
async fn what_is_wrong_with_a_store_stands_at_its_field_and_secrets_do_not_come_back() {
    let world = World::new().await;
    for (fields, told) in [
        (woo("nonsense", "ck_a:cs_b"), "Site relative URL"),
        (woo("https://outlet.test", "ck_a"), "Consumer key and secret must be consumer key and secret"),
    ] {
        let refused = connect(&world, "woocommerce", &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.says(told) && refused.says("Outlet"), "{told}");
        assert!(!refused.says("ck_a"), "a secret is not written into a page");
    }
    let shopify = [
        ("sent", "yes"),
        ("name", "Main"),
        ("store", "my-shop.com"),
        ("webhook_secret", "abc"),
        ("backfill_days", "0"),
    ];
    assert!(connect(&world, "shopify", &shopify).await.says("must look like my-shop.myshopify.com"));
    let without = [("sent", "yes"), ("name", "Main"), ("store", "a.myshopify.com"), ("backfill_days", "0")];
    assert!(
        connect(&world, "shopify", &without).await.says("Webhook signing secret must have 1 to 500 bytes")
    );
    assert!(world.store.channels(&build::shop()).await.unwrap().is_empty());
}

/// How often a page says of a secret that it is to be entered again.
fn lost(seen: &Seen) -> usize {
    seen.body.matches(crate::ui::LOST).count()
}

#[tokio::test]
async fn a_secret_that_came_with_a_refused_form_is_asked_for_again_at_its_field() {
    let world = World::new().await;
    connected(&world).await;
    assert_eq!(lost(&world.get(STORE).await) + lost(&world.get(&format!("{ALL}/connect/generic")).await), 0);
    let refused = connect(&world, "woocommerce", &woo("nonsense", "ck_a:cs_b")).await;
    assert_eq!((refused.status, lost(&refused)), (StatusCode::UNPROCESSABLE_ENTITY, 1), "the other is empty");
    let field = refused.body.split("id=\"h-credentials\">").nth(1).unwrap();
    assert!(field.starts_with("<strong class=\"error\">What you entered here is not kept"), "at its field");
    let both = |version, name| {
        [("version", version), ("name", name), ("credentials", "a:b"), ("webhook_secret", "whsec")]
    };
    for path in [STORE, PARCELS] {
        let refused = world.post(path, &both("1", "")).await;
        assert_eq!((refused.status, lost(&refused)), (StatusCode::UNPROCESSABLE_ENTITY, 2), "{path}");
        assert_eq!(refused.value("version"), "1");
        let stale = world.post(path, &both("7", "Mine")).await;
        assert_eq!((stale.status, lost(&stale)), (StatusCode::CONFLICT, 2), "{path}");
        assert!(stale.says("value=\"Mine\"") && !stale.says("whsec\"") && !stale.says("a:b"), "{path}");
        let without = world.post(path, &[("version", "1"), ("name", "")]).await;
        assert_eq!((without.status, lost(&without)), (StatusCode::UNPROCESSABLE_ENTITY, 0), "{path}");
    }
}

#[tokio::test]
async fn the_same_form_sent_twice_connects_one_carrier_and_shows_the_same_secret() {
    let world = World::new().await;
    let path = format!("{ALL}/connect/generic");
    let page = world.get(&path).await;
    let (csrf, once) = (page.value("csrf"), page.value("once"));
    let sent = [("csrf", csrf.as_str()), ("once", once.as_str()), ("sent", "yes"), ("name", "Couriers")];
    let secrets =
        [world.post_as_it_is(&path, &sent).await, world.post_as_it_is(&path, &sent).await].map(|seen| {
            let (_, rest) = seen.body.split_once("<code>whsec_").unwrap();
            rest.split('<').next().unwrap().to_owned()
        });
    assert_eq!(secrets[0], secrets[1]);
    let carriers = world.store.carriers(&build::shop()).await.unwrap();
    assert_eq!(carriers.len(), 1);
    let seen = world.get(&format!("{ALL}/carriers/{}", carriers[0].id)).await;
    assert!(seen.says("Nothing to check") && !seen.says("whsec_"));
}

#[tokio::test]
async fn a_carrier_key_is_tried_out_too_and_can_be_taken_away() {
    let world = World::new().await;
    connected(&world).await;
    world.post(&format!("{PARCELS}/check"), &[]).await;
    let carrier = world.store.carrier(&build::carrier_id()).await.unwrap().unwrap();
    let check = check_of_carrier(&carrier).unwrap();
    worked(&world, &check, None).await;
    assert!(world.get(PARCELS).await.says("Works"));
    assert!(world.get(ALL).await.says("checked <span"), "when we called it last");
    let sent = [("version", "1"), ("name", "Parcels"), ("forget", "on")];
    assert_eq!(world.post(PARCELS, &sent).await.to(), PARCELS);
    let page = world.get(PARCELS).await;
    assert!(page.says("No credentials") && page.says("Without it only those parcels are reported"));
    let late = world.post(PARCELS, &sent).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert_eq!(late.value("version"), "2");
}

#[tokio::test]
async fn an_edit_keeps_secrets_that_are_left_empty_and_is_not_made_over_somebody_elses() {
    let world = World::new().await;
    connected(&world).await;
    let before = store(&world).await;
    let edit = [
        ("version", "1"),
        ("name", "Main store"),
        ("default_flow", ""),
        ("credentials", ""),
        ("webhook_secret", ""),
    ];
    assert_eq!(world.post(STORE, &edit).await.to(), STORE);
    let now = store(&world).await;
    assert_eq!((&now.credentials, &now.webhook_secrets), (&before.credentials, &before.webhook_secrets));
    assert_eq!((now.name.as_str(), &now.default_flow), ("Main store", &None));
    let late = world.post(STORE, &edit).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.says("Somebody else changed this"));
    let gone = [("version", "2"), ("name", "Main store"), ("default_flow", "flow_gone")];
    assert!(world.post(STORE, &gone).await.says("New orders go to no such flow"));
}

#[tokio::test]
async fn a_store_is_asked_now_and_its_past_is_taken_over_silently() {
    let world = World::new().await;
    connected(&world).await;
    let asking = reconciliation_of(&build::channel_id()).unwrap();
    let running =
        job(&world, &asking).await.claimed(&AttemptId::from_body("one").unwrap(), world.core.now()).unwrap();
    world.store.update_job(&running).await.unwrap();
    world.post(&format!("{STORE}/reconcile"), &[]).await;
    assert!(world.get(STORE).await.says("The store is being asked just now"));
    let failed = running.stumbled("Shopify answered HTTP 502", None, false, world.core.now());
    world.store.update_job(&failed).await.unwrap();
    world.post(&format!("{STORE}/reconcile"), &[]).await;
    assert_eq!(job(&world, &asking).await.due(), Some(world.core.now()));
    assert!(world.get(STORE).await.says("The last time it failed: Shopify answered HTTP 502"));
    assert!(world.get(ALL).await.says("Shopify answered HTTP 502"));

    let ask = format!("{STORE}/backfill");
    assert!(world.get(&ask).await.says("This is silent"));
    for days in ["0", "61", "many"] {
        assert_eq!(world.post(&ask, &[("days", days)]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let begun = world.post(&ask, &[("days", "7")]).await;
    assert!(
        begun.to().starts_with("/activity/jobs/"),
        "its own page, not that of a bulk move: {}",
        begun.to()
    );
    let id = JobId::parse(begun.to().rsplit('/').next().unwrap()).unwrap();
    assert!(matches!(job(&world, &id).await.kind, JobKind::Backfill { .. }));
    assert!(world.get(begun.to()).await.status.is_success());
}

#[tokio::test]
async fn the_list_says_when_a_store_was_asked_last_and_what_was_new_there() {
    let world = World::new().await;
    connected(&world).await;
    assert!(!world.get(ALL).await.says("asked <span") && world.get(ALL).await.says("None yet"));
    let now = world.clock.advance(SignedDuration::from_mins(10));
    let asking = reconciliation_of(&build::channel_id()).unwrap();
    let running = job(&world, &asking).await.claimed(&AttemptId::from_body("one").unwrap(), now).unwrap();
    world.store.update_job(&running).await.unwrap();
    let through =
        PageDone { progress: Progress::default(), next: None, noted: Noted::Newest(build::seconds(540)) };
    let done = running.advanced(through, now);
    world.store.update_job(&done).await.unwrap();
    let seen = world.get(ALL).await;
    assert!(seen.says("asked <span") && seen.says("1 Mar 2026, 10:10 UTC"), "{}", seen.body);
    assert!(seen.says("1 Mar 2026, 10:09 UTC"), "and the newest change");
}

#[tokio::test]
async fn what_is_connected_says_when_it_was_last_in_contact() {
    let world = World::new().await;
    connected(&world).await;
    assert!(world.get(STORE).await.says("<dt>Last one that came</dt><dd>None yet</dd>"));
    let channel = FarEnd::Channel(build::channel_id());
    let carrier = FarEnd::Carrier(build::carrier_id());
    for (far, way, at) in
        [(&channel, Way::Inbound, 60), (&channel, Way::Outbound, 120), (&carrier, Way::Inbound, 180)]
    {
        world.store.note_contact(&build::shop(), far, way, build::seconds(at)).await.unwrap();
    }
    let (store, parcels, all) = (world.get(STORE).await, world.get(PARCELS).await, world.get(ALL).await);
    for page in [&store, &all] {
        assert!(page.says("1 Mar 2026, 10:01 UTC") && page.says("1 Mar 2026, 10:02 UTC"), "{}", page.body);
    }
    assert!(parcels.says("1 Mar 2026, 10:03 UTC") && all.says("1 Mar 2026, 10:03 UTC"));
}

#[tokio::test]
async fn disconnecting_says_what_stays() {
    let world = World::new().await;
    connected(&world).await;
    for (path, stays) in [(STORE, "Its orders stay"), (PARCELS, "stays on their timelines")] {
        let asked = world.get(&format!("{path}/disconnect")).await;
        assert!(asked.says(stays));
        let stale = world.post(&format!("{path}/disconnect"), &[("version", "9")]).await;
        assert_eq!(stale.status, StatusCode::CONFLICT);
        let done = world.post(&format!("{path}/disconnect"), &[("version", &asked.value("version"))]).await;
        assert_eq!(done.to(), ALL);
        assert_eq!(world.get(path).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn another_shop_sees_none_of_it_and_a_low_role_changes_none() {
    let world = World::new().await;
    connected(&world).await;
    world.bare(&build::other_shop()).await;
    world.sign_in(&build::other_shop(), Role::Owner).await;
    assert!(!world.get(ALL).await.says("Demo store"));
    let store = |path: &str| format!("{STORE}{path}");
    for path in ["", "/backfill", "/disconnect", "/check"] {
        assert_eq!(world.part(&store(path)).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let edit = [("name", "a"), ("days", "7"), ("version", "1")];
    for path in ["", "/check", "/reconcile", "/backfill", "/disconnect"] {
        assert_eq!(world.post(&store(path), &edit).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["", "/check", "/disconnect"] {
        assert_eq!(world.post(&format!("{PARCELS}{path}"), &edit).await.status, StatusCode::NOT_FOUND);
        assert_eq!(world.part(&format!("{PARCELS}{path}")).await.status, StatusCode::NOT_FOUND);
    }
    world.sign_in(&build::shop(), Role::Member).await;
    for path in ["", "/backfill", "/disconnect"] {
        assert_eq!(world.post(&store(path), &edit).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(world.get(&format!("{ALL}/connect/shopify")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(connect(&world, "generic", &edit).await.status, StatusCode::FORBIDDEN);
    world.sign_in(&build::shop(), Role::Viewer).await;
    for path in [store("/check"), store("/reconcile"), format!("{PARCELS}/check")] {
        assert_eq!(world.post(&path, &[]).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let read = world.get(STORE).await;
    assert!(read.status.is_success() && !read.says("Check again") && !read.says("Disconnect"));
}

#[tokio::test]
async fn names_are_text_wherever_they_stand() {
    let world = World::new().await;
    let name = "<script>alert(1)</script>".to_owned();
    let shop = build::shop();
    world.save(&shop, ConfigChange::Channel(Channel { name: name.clone(), ..build::channel(&shop) })).await;
    let evil = CarrierIntegration { name, ..build::carrier(&shop) };
    world.save(&shop, ConfigChange::Carrier(evil)).await;
    let all = [STORE, PARCELS].map(|path| [path.to_owned(), format!("{path}/disconnect")]).concat();
    for path in all.iter().map(String::as_str).chain([ALL, &format!("{STORE}/backfill")]) {
        let seen = world.get(path).await;
        assert!(seen.status.is_success() && !seen.says("<script>"), "{path}");
    }
}
