//! One order: its page, and what people do there.

use axum::body::Body;
use http::{Request, StatusCode, header};
use stagepost_app::ports::{OrderStore, RunStore};
use stagepost_domain::SignedDuration;
use stagepost_domain::event::{Action, Event};
use stagepost_domain::id::{AttemptId, OrderId};
use stagepost_domain::outcome::SkipReason;
use stagepost_domain::run::{AttemptOutcome, Claim, Run, RunKey, RunState};
use stagepost_domain::shop::Role;
use stagepost_testkit::build;

use super::World;

async fn stage(world: &World, id: &OrderId) -> String {
    let order = world.store.order(id).await.unwrap().unwrap();
    order.stage().unwrap().to_string()
}

async fn event(world: &World, id: &OrderId, seq: u64) -> Event {
    world.store.event(id, seq).await.unwrap().unwrap()
}

fn run(event: &Event, action: Action) -> (RunKey, Run) {
    let (key, run) = event.runs.iter().find(|(key, _)| key.action() == action).unwrap();
    (key.clone(), run.clone())
}

/// Ends a run of an event as an attempt would.
async fn end(world: &World, id: &OrderId, seq: u64, action: Action, outcome: AttemptOutcome) {
    let (key, run) = run(&event(world, id, seq).await, action);
    let (attempt, now) =
        (AttemptId::parse("att_1").unwrap(), world.clock.advance(SignedDuration::from_secs(20)));
    let Claim::Granted(claimed) = run.claim(action, &attempt, now, SignedDuration::from_secs(10)) else {
        panic!("not granted")
    };
    let done = claimed.finish(action, &attempt, &outcome, now, 0.5).unwrap();
    let id = stagepost_app::ports::run_id(id, seq, &key);
    world.store.update_run(&id, &run, &claimed).await.unwrap();
    world.store.update_run(&id, &claimed, &done).await.unwrap();
}

fn failure(disposition: stagepost_domain::disposition::Disposition) -> AttemptOutcome {
    AttemptOutcome::Failure { disposition, error: "it did not work".to_owned() }
}

#[tokio::test]
async fn the_page_shows_facts_people_packages_and_one_timeline() {
    let world = World::new().await;
    let id = world.order(1001).await;
    let page = world.get(&format!("/orders/{id}")).await;
    for text in [
        "#1001",
        "Ada Example",
        "ada@customer.test",
        "Mug",
        "Order received",
        "Move to Packing",
        "Add a package",
    ] {
        assert!(page.says(text), "{text}");
    }
    assert!(page.says("https://demo.myshopify.com/admin/orders/1001"));
}

#[tokio::test]
async fn a_form_that_is_sent_twice_moves_once() {
    let world = World::new().await;
    let id = world.order(1001).await;
    let page = world.get(&format!("/orders/{id}")).await;
    let (csrf, once, path) = (page.value("csrf"), page.value("once"), format!("/orders/{id}/move"));
    let form = [("csrf", csrf.as_str()), ("once", &once), ("stage", "stg_packing"), ("seq", "1")];
    let first = world.post_as_it_is(&path, &form).await;
    let writes = world.store.writes();
    let second = world.post_as_it_is(&path, &form).await;
    assert_eq!((first.status, second.status), (StatusCode::SEE_OTHER, StatusCode::SEE_OTHER));
    assert_eq!((first.to(), second.to()), (second.to(), first.to()), "it is answered the same");
    assert_eq!(world.store.writes(), writes, "and nothing is written");
    let order = world.store.order(&id).await.unwrap().unwrap();
    assert_eq!((order.seq, order.stage()), (2, Some(&build::stage_id("packing"))));
    // The same key with another wish is not that form any more.
    let other = [("csrf", csrf.as_str()), ("once", &once), ("stage", "stg_ready"), ("seq", "2")];
    let third = world.post_as_it_is(&path, &other).await;
    assert_eq!(third.status, StatusCode::CONFLICT);
    assert!(third.says("This form was sent before"));
    assert_eq!(stage(&world, &id).await, "stg_packing");
}

#[tokio::test]
async fn a_stale_screen_moves_nothing_and_says_so() {
    let world = World::new().await;
    let id = world.order(1001).await;
    world.tell(&id, &build::move_to("packing", 1)).await;
    let seen = world.post(&format!("/orders/{id}/move"), &[("stage", "stg_ready"), ("seq", "1")]).await;
    assert_eq!(seen.to(), format!("/orders/{id}"));
    assert!(
        world.get(&format!("/orders/{id}")).await.says("The order has changed since the page was opened")
    );
    assert_eq!(stage(&world, &id).await, "stg_packing");
}

#[tokio::test]
async fn law_12_a_move_is_taken_back_while_nothing_has_left_and_nothing_follows_from_that() {
    let world = World::new().await;
    let id = world.order(1001).await;
    let path = format!("/orders/{id}");
    world.tell(&id, &build::move_to("packing", 1)).await;
    world.clock.advance(SignedDuration::from_secs(60));
    for action in [Action::Email, Action::Webhook] {
        let taken = AttemptOutcome::Success { detail: "taken".to_owned() };
        end(&world, &id, 2, action, taken).await;
    }
    world.post(&format!("{path}/move"), &[("stage", "stg_ready"), ("seq", "2")]).await;
    let page = world.get(&path).await;
    let text = "moved to Ready to ship. Nothing has left yet: a mail to the customer, 1 webhook";
    assert!(page.says(text), "{}", page.body);
    assert!(page.says(&format!("action=\"{path}/undo\"")) && page.says("data-until"));
    assert!(!world.get(&path).await.says("/undo"), "it is said once");
    world.clock.advance(SignedDuration::from_secs(9));
    world.post(&format!("{path}/undo"), &[("stage", "stg_packing"), ("seq", "3")]).await;
    assert!(world.get(&path).await.says("Undone: #1001 is in Packing again, and nothing was sent."));
    // Packing has mailed and called before: it does not once more.
    let back = event(&world, &id, 4).await;
    assert_eq!(back.transition.as_ref().unwrap().to.name, "Packing");
    let quiet = |run: &Run| matches!(run.state, RunState::Skipped { why: SkipReason::Quiet, .. });
    assert!(!back.runs.is_empty() && back.runs.values().all(quiet));
}

#[tokio::test]
async fn law_12_after_the_grace_a_move_is_not_taken_back() {
    let world = World::new().await;
    let id = world.order(1001).await;
    let path = format!("/orders/{id}");
    world.post(&format!("{path}/move"), &[("stage", "stg_packing"), ("seq", "1")]).await;
    world.clock.advance(SignedDuration::from_secs(10));
    world.post(&format!("{path}/undo"), &[("stage", "stg_new"), ("seq", "2")]).await;
    assert!(world.get(&path).await.says("It is too late to undo"));
    assert_eq!(stage(&world, &id).await, "stg_packing");
}

#[tokio::test]
async fn a_move_without_automations_sends_nothing() {
    let world = World::new().await;
    let id = world.order(1001).await;
    let form = [("stage", "stg_ready"), ("seq", "1"), ("quiet", "on")];
    world.post(&format!("/orders/{id}/move"), &form).await;
    assert!(
        world.get(&format!("/orders/{id}")).await.says("Whoever moved the order wanted nothing to follow")
    );
    assert_eq!(event(&world, &id, 2).await.due(), None);
}

#[tokio::test]
async fn an_order_is_held_and_resumed_and_an_untriaged_one_assigned() {
    let world = World::new().await;
    let id = world.order(1001).await;
    let path = format!("/orders/{id}");
    world.post(&format!("{path}/hold"), &[]).await;
    assert!(world.get(&path).await.says("Stopped by Demo."));
    world.post(&format!("{path}/resume"), &[]).await;
    assert!(world.store.order(&id).await.unwrap().unwrap().hold.is_none());
    let mut fact = build::order_fact(1002, 0);
    fact.default_flow = None;
    let id = build::order_id(1002);
    world.tell(&id, &build::told(fact)).await;
    let path = format!("/orders/{id}");
    assert!(world.get(&path).await.says("In no flow yet"));
    world.post(&format!("{path}/assign"), &[("stage", "stg_packing"), ("seq", "1")]).await;
    assert_eq!(stage(&world, &id).await, "stg_packing");
}

#[tokio::test]
async fn packages_are_added_corrected_and_removed_and_a_bad_one_comes_back_with_its_values() {
    let world = World::new().await;
    let id = world.order(1001).await;
    let path = format!("/orders/{id}");
    let bad = [("package", "new"), ("number", "--"), ("carrier", "<UPS>")];
    let seen = world.post(&format!("{path}/packages"), &bad).await;
    assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(seen.says("Tracking number is needed, or a link") && seen.says("value=\"&#60;UPS&#62;\""));
    world.post(&format!("{path}/packages"), &[("number", "1Z1"), ("carrier", "UPS")]).await;
    let parcel = world.store.packages(&id).await.unwrap().remove(0);
    let form = [("number", "1Z2"), ("url", ""), ("carrier", "UPS")];
    world.post(&format!("{path}/packages/{}", parcel.id), &form).await;
    assert!(world.get(&path).await.says("1Z2"));
    let parcel = world.store.packages(&id).await.unwrap().into_iter().find(|p| !p.removed).unwrap();
    assert_eq!(parcel.seen.number.as_deref(), Some("1Z2"));
    world.post(&format!("{path}/packages/{}/remove", parcel.id), &[]).await;
    assert!(world.store.packages(&id).await.unwrap().iter().all(|p| p.removed));
}

#[tokio::test]
async fn what_failed_is_tried_again_and_what_is_uncertain_only_with_a_persons_word() {
    let world = World::new().await;
    let id = world.order(1001).await;
    let path = format!("/orders/{id}");
    world.tell(&id, &build::move_to("packing", 1)).await;
    end(&world, &id, 2, Action::Webhook, failure(stagepost_domain::disposition::Disposition::Permanent))
        .await;
    end(&world, &id, 2, Action::Email, failure(stagepost_domain::disposition::Disposition::Ambiguous)).await;
    let page = world.get(&path).await;
    assert!(
        page.says("Failed")
            && page.says("it did not work")
            && page.says("Nobody can tell whether it happened")
    );
    let happened = event(&world, &id, 2).await;
    let (webhook, mail) = (run(&happened, Action::Webhook).0, run(&happened, Action::Email).0);
    let named = |key: &RunKey| format!("{path}/runs/{}", stagepost_app::ports::run_id(&id, 2, key));
    world.post(&format!("{}/retry", named(&webhook)), &[]).await;
    assert!(run(&event(&world, &id, 2).await, Action::Webhook).1.is_open());
    world.post(&format!("{}/retry", named(&mail)), &[]).await;
    assert!(world.get(&path).await.says("needs your word that it may happen twice"));
    let ask = world.get(&format!("{}/retry", named(&mail))).await;
    assert!(ask.says("it may then happen twice") && ask.value("accept_duplicate") == "on");
    world.post(&format!("{}/retry", named(&mail)), &[("accept_duplicate", "on")]).await;
    assert!(run(&event(&world, &id, 2).await, Action::Email).1.is_open());
}

#[tokio::test]
async fn a_mail_is_sent_again_as_another_run_once_per_form() {
    let world = World::new().await;
    let id = world.order(1001).await;
    world.tell(&id, &build::move_to("packing", 1)).await;
    end(&world, &id, 2, Action::Email, AttemptOutcome::Success { detail: "message-1".to_owned() }).await;
    let mail = run(&event(&world, &id, 2).await, Action::Email).0;
    let path = format!("/orders/{id}/runs/{}/again", stagepost_app::ports::run_id(&id, 2, &mail));
    let ask = world.get(&path).await;
    assert!(ask.says("The customer gets another mail"));
    let form = [("csrf", ask.value("csrf")), ("once", ask.value("once"))];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    world.post_as_it_is(&path, &form).await;
    world.post_as_it_is(&path, &form).await;
    let mails = event(&world, &id, 2).await.runs.keys().filter(|key| key.action() == Action::Email).count();
    assert_eq!(mails, 2);
}

#[tokio::test]
async fn a_timeline_asks_while_something_is_under_way_and_stops() {
    let world = World::with(Role::Owner, |_| {}).await;
    let id = world.order(1001).await;
    let path = format!("/orders/{id}/timeline");
    let part = world.part(&path).await;
    assert_eq!((part.status.as_u16(), part.says("every 3s")), (286, false));
    world.tell(&id, &build::move_to("packing", 1)).await;
    let part = world.part(&path).await;
    assert_eq!((part.status.as_u16(), part.says("every 3s")), (200, true));
    assert!(part.says("hx-swap-oob") && part.says("Move to Ready to ship"), "the buttons are new, too");
    assert_eq!(world.get(&path).await.to(), format!("/orders/{id}"));
}

#[tokio::test]
async fn law_20_another_shops_order_is_not_there_whatever_is_tried() {
    let world = World::new().await;
    let id = world.order(1001).await;
    world.tell(&id, &build::move_to("packing", 1)).await;
    let mail = run(&event(&world, &id, 2).await, Action::Email).0;
    let run = stagepost_app::ports::run_id(&id, 2, &mail);
    world.configured(&build::other_shop(), |_| {}).await;
    world.sign_in(&build::other_shop(), Role::Owner).await;
    let (seen, path) = (event(&world, &id, 2).await, format!("/orders/{id}"));
    for path in [path.clone(), format!("{path}/runs/{run}/retry"), format!("{path}/runs/{run}/again")] {
        assert_eq!(world.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(world.part(&format!("{path}/timeline")).await.status, StatusCode::NOT_FOUND);
    let own = [("stage", "stg_new"), ("seq", "2"), ("number", "1Z1")];
    for what in ["move", "assign", "hold", "resume", "packages", "packages/pkg_1", "packages/pkg_1/remove"] {
        let seen = world.post(&format!("{path}/{what}"), &own).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND, "{what}");
    }
    for what in ["retry", "again"] {
        let seen = world.post(&format!("{path}/runs/{run}/{what}"), &[]).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND, "{what}");
    }
    world.post(&format!("{path}/undo"), &own).await;
    assert_eq!(event(&world, &id, 2).await, seen);
    assert_eq!(world.store.order(&id).await.unwrap().unwrap().seq, 2);
}

#[tokio::test]
async fn a_new_tracking_link_ends_the_one_before_after_a_page_that_says_so() {
    let world = World::new().await;
    let id = world.order(1001).await;
    let (page, renew) = (format!("/orders/{id}"), format!("/orders/{id}/renew-link"));
    let link = |body: &str| {
        let (_, rest) = body.split_once("https://console.test/t/").unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let before = link(&world.get(&page).await.body);
    let asked = world.get(&renew).await;
    assert!(asked.says("Links in mails that were sent stop working"));
    assert_eq!(link(&world.get(&page).await.body), before, "asking does nothing");
    assert_eq!(world.post(&renew, &[]).await.to(), page);
    let now = world.get(&page).await;
    assert!(link(&now.body) != before && now.says("The tracking link is new."));
    world.sign_in(&build::shop(), Role::Viewer).await;
    assert!(!world.get(&page).await.says("New tracking link"));
    world.bare(&build::other_shop()).await;
    for (shop, role, status) in [
        (build::shop(), Role::Viewer, StatusCode::FORBIDDEN),
        (build::other_shop(), Role::Owner, StatusCode::NOT_FOUND),
    ] {
        world.sign_in(&shop, role).await;
        assert_eq!(world.get(&renew).await.status, status);
        assert_eq!(world.post(&renew, &[]).await.status, status);
    }
    assert_eq!(world.store.order(&id).await.unwrap().unwrap().links, 1);
}

#[tokio::test]
async fn a_viewer_sees_everything_and_changes_nothing() {
    let world = World::with(Role::Viewer, |_| {}).await;
    let id = world.order(1001).await;
    let path = format!("/orders/{id}");
    for page in [path.as_str(), "/orders", "/orders/board"] {
        let seen = world.get(page).await;
        assert_eq!(seen.status, StatusCode::OK, "{page}");
        assert!(!seen.says("Move to") && !seen.says("Add a package") && !seen.says("Review move"), "{page}");
    }
    for what in ["move", "undo", "hold", "resume", "packages", "assign"] {
        let form = [("stage", "stg_packing"), ("seq", "1"), ("number", "1Z")];
        let seen = world.post(&format!("{path}/{what}"), &form).await;
        assert_eq!(seen.status, StatusCode::FORBIDDEN, "{what}");
        assert!(seen.says("Your role does not allow that") && seen.says("member or above"));
    }
    assert_eq!(world.store.order(&id).await.unwrap().unwrap().seq, 1);
}

#[tokio::test]
async fn the_board_has_a_column_per_stage_and_its_cards_move_back_to_it() {
    let world = World::new().await;
    let id = world.order(1001).await;
    let board = world.get("/orders/board").await;
    for text in ["Packing", "Ready", "Shipped", "Delivered", "#1001", "Ada Example", "draggable"] {
        assert!(board.says(text), "{text}");
    }
    let keys = format!("csrf={}&once={}&stage=stg_packing&seq=1", board.value("csrf"), board.value("once"));
    let request = Request::post(format!("/orders/{id}/move"))
        .header(header::REFERER, "https://console.test/orders/board?flow=flow_main");
    let seen = world.send(request, Body::from(keys)).await;
    assert_eq!(seen.to(), "/orders/board?flow=flow_main");
    assert!(world.get("/orders/board").await.says("moved to Packing"));
}

#[tokio::test]
async fn an_order_that_cannot_be_read_is_told_as_our_own_trouble() {
    let world = World::new().await;
    let id = world.order(1001).await;
    world.store.break_order(&id, true);
    let seen = world.get(&format!("/orders/{id}")).await;
    assert_eq!(seen.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(seen.says("Something is wrong on our side") && seen.says("Trying again will not help"));
}

#[tokio::test]
async fn law_19_an_admin_erases_an_orders_people_after_a_page_that_says_what_goes() {
    let world = World::new().await;
    let id = world.order(1001).await;
    let (page, erase) = (format!("/orders/{id}"), format!("/orders/{id}/erase"));
    let people = async || world.store.order_with_snapshot(&id).await.unwrap().unwrap().1.unwrap();
    world.bare(&build::other_shop()).await;
    for (shop, role, status) in [
        (build::shop(), Role::Member, StatusCode::FORBIDDEN),
        (build::other_shop(), Role::Owner, StatusCode::NOT_FOUND),
    ] {
        world.sign_in(&shop, role).await;
        assert_eq!(world.get(&erase).await.status, status);
        assert_eq!(world.post(&erase, &[]).await.status, status);
    }
    assert_eq!(people().await, build::snapshot());
    world.sign_in(&build::shop(), Role::Admin).await;
    assert!(world.get(&page).await.says("Erase\u{2026}"));
    assert!(world.get(&erase).await.says("This cannot be taken back."));
    assert_eq!(people().await, build::snapshot(), "asking does nothing");
    assert_eq!(world.post(&erase, &[]).await.to(), page);
    assert_eq!(people().await, build::snapshot().without_people());
    let now = world.get(&page).await;
    assert!(now.says("Personal data erased for good") && !now.says("Ada Example"));
}
