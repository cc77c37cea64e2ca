//! Endpoints: made, edited, tried, switched off and on, and what was sent to them.

use http::StatusCode;
use stagepost_app::attempt::{Attempt, AttemptOf};
use stagepost_app::ports::{
    AttemptStore, ConfigChange, ConfigStore, HealthStore, JobStore, OrderStore, RunStore, run_id,
};
use stagepost_domain::flow::Flow;
use stagepost_domain::health::{Failing, Health};
use stagepost_domain::id::{AttemptId, JobId};
use stagepost_domain::job::{JobKind, JobState};
use stagepost_domain::run::{RunId, RunKey, RunState, Target};
use stagepost_domain::shop::{DisabledReason, Endpoint, Role};
use stagepost_domain::webhook::EventType;
use stagepost_testkit::build;
use stagepost_testkit::build::seconds;

use super::World;

const HOOK: &str = "/settings/webhooks/ep_hook";
const NEW: &str = "/settings/webhooks/new";

fn uncalled(flow: &mut Flow) {
    flow.stages.iter_mut().for_each(|stage| stage.automations.webhook = None);
}

async fn endpoint(world: &World) -> Endpoint {
    world.store.endpoint(&build::shop(), &build::endpoint_id()).await.unwrap().unwrap()
}

/// An order in Packing, whose message to the endpoint ended like this.
async fn sent(world: &World, n: u64, state: RunState) -> RunId {
    let order = world.order(n).await;
    world.tell(&order, &build::move_to("packing", 1)).await;
    let target = Target::Webhook(build::endpoint_id(), EventType::StageEntered);
    let id = run_id(&order, 2, &RunKey { target, generation: 0 });
    let event = world.store.event(&order, 2).await.unwrap().unwrap();
    for (key, run) in &event.runs {
        let ended = if *key == id.key {
            state.clone()
        } else {
            RunState::Succeeded { at: seconds(1), detail: String::new() }
        };
        let next = stagepost_domain::run::Run { state: ended, ..run.clone() };
        if run.state.due().is_some() {
            world.store.update_run(&run_id(&order, 2, key), run, &next).await.unwrap();
        }
    }
    id
}

fn failed(at: i64) -> RunState {
    RunState::Failed { at: seconds(at), error: "HTTP 500".to_owned() }
}

async fn logged(world: &World, of: AttemptOf) {
    let attempt = Attempt {
        id: AttemptId::from_body("one").unwrap(),
        shop: build::shop(),
        endpoint: build::endpoint_id(),
        of,
        number: 2,
        at: seconds(0),
        took_ms: 1_234,
        status: Some(500),
        error: Some("HTTP 500".to_owned()),
        sent: vec![("webhook-signature".to_owned(), "[redacted]".to_owned())],
        got: vec![("server".to_owned(), "<script>alert(1)</script>".to_owned())],
        body: "</pre><script>alert(2)</script>".to_owned(),
        cut: true,
    };
    world.store.log_attempt(&attempt).await.unwrap();
}

#[tokio::test]
async fn the_list_says_how_each_does_and_who_calls_it() {
    let world = World::new().await;
    let seen = world.get("/settings/webhooks").await;
    assert!(seen.says("Warehouse") && seen.says("Not called yet") && seen.says("Packing"));
    let failing =
        Failing { since: seconds(0), error: "HTTP 503".to_owned(), cooling: None, notices: Vec::new() };
    let health = Health { version: 1, failing: Some(failing), ..Health::default() };
    world.store.put_health(&build::shop(), &build::endpoint_id(), &health).await.unwrap();
    let seen = world.get("/settings/webhooks").await;
    assert!(seen.says("Failing") && seen.says("HTTP 503"));
    assert!(world.get(HOOK).await.says("switched off on 6 Mar 2026"));
}

#[tokio::test]
async fn an_empty_list_says_what_an_endpoint_is() {
    let world = World::outside();
    world.bare(&build::shop()).await;
    world.sign_in(&build::shop(), Role::Admin).await;
    let seen = world.get("/settings/webhooks").await;
    assert!(seen.says("No endpoint yet") && seen.says("Add an endpoint"));
}

#[tokio::test]
async fn a_secret_is_shown_once_and_again_only_to_the_same_form() {
    let world = World::new().await;
    let page = world.get(NEW).await;
    let (csrf, once) = (page.value("csrf"), page.value("once"));
    let sent = [
        ("csrf", csrf.as_str()),
        ("once", once.as_str()),
        ("name", "ERP"),
        ("url", "https://erp.test/hook"),
        ("event", "order.created"),
        ("header_name", "X-Gateway"),
        ("header_value", "s3cret"),
        ("header_name", ""),
        ("header_value", ""),
    ];
    let made = world.post_as_it_is(NEW, &sent).await;
    assert_eq!(made.status, StatusCode::OK);
    let (_, secret) = made.body.split_once("<code>whsec_").unwrap();
    let secret = format!("whsec_{}", secret.split('<').next().unwrap());
    assert!(world.post_as_it_is(NEW, &sent).await.says(&secret), "sent again it made no second one");
    let all = world.store.endpoints(&build::shop()).await.unwrap();
    let made = all.iter().find(|endpoint| endpoint.name == "ERP").unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(made.events.iter().collect::<Vec<_>>(), [&EventType::Created]);
    for path in [format!("/settings/webhooks/{}", made.id), format!("/settings/webhooks/{}/edit", made.id)] {
        let seen = world.get(&path).await;
        assert!(seen.says("x-gateway") && !seen.says("whsec_") && !seen.says("s3cret"), "{path}");
    }
}

#[tokio::test]
async fn a_rotated_secret_says_until_when_two_of_them_count() {
    let world = World::new().await;
    assert!(world.get(&format!("{HOOK}/rotate")).await.says("two signatures"));
    let rotated = world.post(&format!("{HOOK}/rotate"), &[]).await;
    assert!(rotated.says("<code>whsec_") && rotated.says("until 2 Mar 2026, 10:00 UTC"));
    assert!(world.get(HOOK).await.says("the one before counts until 2 Mar 2026, 10:00 UTC"));
}

#[tokio::test]
async fn an_edit_keeps_the_values_of_headers_that_are_left_empty() {
    let world = World::new().await;
    let edit = format!("{HOOK}/edit");
    let base = [("name", "Warehouse"), ("url", "https://warehouse.test/hook")];
    let with = |version: &'static str, name: &'static str, value: &'static str| {
        [&base[..], &[("version", version), ("header_name", name), ("header_value", value)]].concat()
    };
    assert_eq!(world.post(&edit, &with("1", "Authorization", "Bearer a")).await.to(), HOOK);
    let first = endpoint(&world).await;
    assert!(world.get(&edit).await.says("Stored. Leave empty to keep it"));
    world.post(&edit, &with("2", "authorization", "")).await;
    let second = endpoint(&world).await;
    assert_eq!((second.version, &second.headers), (3, &first.headers));
    let unknown = world.post(&edit, &with("3", "X-New", "")).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unknown.says("X-New there is none to keep: give its value"), "{}", unknown.body);
    let bad = world.post(&edit, &with("3", "Host", "evil")).await;
    assert!(bad.says("Host must be Authorization") && !bad.says("evil"));
    assert!(bad.says(crate::ui::LOST) && !unknown.says(crate::ui::LOST), "a value came with the one alone");
    let twice = [&with("3", "X-A", "1")[..], &[("header_name", "x-a"), ("header_value", "2")]].concat();
    assert!(world.post(&edit, &twice).await.says("x-a is there twice"));
    let late = world.post(&edit, &with("1", "authorization", "")).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert_eq!(late.value("version"), "3");
    world.post(&edit, &with("3", "", "")).await;
    assert!(endpoint(&world).await.headers.is_empty());
}

#[tokio::test]
async fn a_test_is_a_job_and_its_page_ends_with_what_came_back() {
    let world = World::new().await;
    let asked = world.post(&format!("{HOOK}/test"), &[]).await;
    let path = asked.to().to_owned();
    let id = JobId::parse(path.rsplit('/').next().unwrap()).unwrap();
    let part = world.part(&path).await;
    assert!(part.status.is_success() && part.status.as_u16() != 286 && part.says("every 2s"));
    let job = world.store.job(&build::shop(), &id).await.unwrap().unwrap();
    let attempt = AttemptId::from_body("one").unwrap();
    let running = job.claimed(&attempt, world.core.now()).unwrap();
    world.store.update_job(&running).await.unwrap();
    let ended = running.stumbled("HTTP 500", None, true, world.core.now());
    world.store.update_job(&ended).await.unwrap();
    logged(&world, AttemptOf::Job(id)).await;
    let part = world.part(&path).await;
    assert_eq!(part.status.as_u16(), 286);
    assert!(part.says("did not take it: HTTP 500") && part.says("500 Refused") && part.says("1.2 s"));
    assert!(!part.says("<script>"));
}

#[tokio::test]
async fn what_was_sent_is_shown_as_text_and_can_be_sent_again() {
    let world = World::new().await;
    let run = sent(&world, 1001, failed(1)).await;
    logged(&world, AttemptOf::Run(run.clone())).await;
    let seen = world.get(HOOK).await;
    assert!(seen.says("#1001") && seen.says("order.stage_entered") && seen.says("attempt 2"));
    assert!(seen.says("kept for 30 days") && seen.says("the first 2 KiB are kept"));
    assert!(!seen.says("<script>"));
    let resend = format!("{HOOK}/resend");
    let again = world.post(&resend, &[("run", &run.to_string())]).await;
    assert_eq!(again.to(), HOOK);
    let event = world.store.event(&run.order, run.seq).await.unwrap().unwrap();
    let second = RunKey { generation: 1, ..run.key.clone() };
    assert!(event.runs.contains_key(&second));
    let second = run_id(&run.order, run.seq, &second);
    world.post(&resend, &[("run", &second.to_string())]).await;
    assert!(world.get(HOOK).await.says("It is still on its way"));
    let mail = RunKey { target: Target::Email(build::template_id()), generation: 0 };
    let mail = run_id(&run.order, run.seq, &mail).to_string();
    for other in [mail.as_str(), "run_nothing", "run_0a.1.webhook.ep_hook.0"] {
        let seen = world.post(&resend, &[("run", other)]).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND, "{other}");
    }
}

#[tokio::test]
async fn a_recovery_is_counted_asked_done_by_a_job_and_can_be_stopped() {
    let world = World::new().await;
    sent(&world, 1001, failed(1)).await;
    sent(&world, 1002, RunState::Uncertain { at: seconds(1), error: String::new() }).await;
    world.clock.advance(stagepost_domain::SignedDuration::from_mins(90));
    let recover = format!("{HOOK}/recover");
    assert!(world.get(&format!("{recover}?hours=1")).await.says("No message to this endpoint failed"));
    let asked = world.get(&recover).await;
    assert!(asked.says("Send 1 message again"), "{}", asked.body);
    let since = asked.value("since");
    let begun = world.post(&recover, &[("since", &since)]).await;
    let path = begun.to().to_owned();
    let id = JobId::parse(path.rsplit('/').next().unwrap()).unwrap();
    let job = world.store.job(&build::shop(), &id).await.unwrap().unwrap();
    let JobKind::Recover(which) = &job.kind else { panic!("{job:?}") };
    assert_eq!((which.target.as_deref(), which.since.to_string()), (Some("ep_hook"), since));
    assert!(world.get(&path).await.says("0 messages put back in line so far"));
    world.post(&format!("{path}/cancel"), &[]).await;
    let job = world.store.job(&build::shop(), &id).await.unwrap().unwrap();
    assert!(matches!(job.state, JobState::Cancelled { .. }));
    assert_eq!(world.post(&recover, &[("since", "yesterday")]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn one_that_is_switched_on_again_offers_what_failed_meanwhile() {
    let world = World::new().await;
    sent(&world, 1001, failed(1)).await;
    world.post(&format!("{HOOK}/off"), &[("version", "1")]).await;
    let off = endpoint(&world).await;
    assert_eq!(off.disabled.map(|off| off.reason), Some(DisabledReason::ByHand));
    let page = world.get(HOOK).await;
    assert!(page.says("Switched off") && page.says("Switch on again"));
    let refused = world.post(&format!("{HOOK}/recover"), &[("since", &seconds(0).to_string())]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "to one that is off all of it would be skipped");
    let on = world.post(&format!("{HOOK}/on"), &[]).await;
    assert_eq!(on.to(), format!("{HOOK}/recover"));
    assert!(world.get(on.to()).await.says("1 message failed in the last 30 days"));
    assert_eq!(endpoint(&world).await.disabled, None);
}

#[tokio::test]
async fn one_that_stages_call_is_not_deleted_and_they_are_named() {
    let world = World::new().await;
    for seen in [world.get(&format!("{HOOK}/delete")).await, world.post(&format!("{HOOK}/delete"), &[]).await]
    {
        assert_eq!(seen.status, StatusCode::CONFLICT);
        assert!(seen.says("Packing") && seen.says("Ready to ship"));
    }
    let world = World::with(Role::Admin, uncalled).await;
    let asked = world.get(&format!("{HOOK}/delete")).await;
    let deleted = world.post(&format!("{HOOK}/delete"), &[("version", &asked.value("version"))]).await;
    assert_eq!(deleted.to(), "/settings/webhooks");
    assert_eq!(world.get(HOOK).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn another_shop_sees_none_of_it_and_a_low_role_changes_none() {
    let world = World::new().await;
    let run = sent(&world, 1001, failed(1)).await.to_string();
    let job = world.post(&format!("{HOOK}/test"), &[]).await.to().to_owned();
    world.bare(&build::other_shop()).await;
    world.sign_in(&build::other_shop(), Role::Owner).await;
    let sub = |path: &str| format!("{HOOK}{path}");
    for path in ["", "/edit", "/rotate", "/off", "/delete", "/recover"] {
        assert_eq!(world.get(&sub(path)).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(world.get(&job).await.status, StatusCode::NOT_FOUND);
    let edit = [("name", "a"), ("url", "https://a.test/"), ("run", run.as_str())];
    for path in ["/edit", "/rotate", "/off", "/on", "/delete", "/test", "/recover", "/resend"] {
        assert_eq!(world.post(&sub(path), &edit).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(world.post(&format!("{job}/cancel"), &[]).await.status, StatusCode::NOT_FOUND);

    world.sign_in(&build::shop(), Role::Member).await;
    for path in ["/edit", "/rotate", "/off", "/on", "/delete"] {
        assert_eq!(world.post(&sub(path), &edit).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(world.post(NEW, &edit).await.status, StatusCode::FORBIDDEN);
    world.sign_in(&build::shop(), Role::Viewer).await;
    for path in ["/test", "/recover", "/resend"] {
        assert_eq!(world.post(&sub(path), &edit).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let read = world.get(HOOK).await;
    assert!(read.status.is_success() && !read.says("Send test") && !read.says("Resend"));
}

#[tokio::test]
async fn another_shops_message_is_not_sent_again_through_ones_own_endpoint() {
    let world = World::new().await;
    let run = sent(&world, 1001, failed(1)).await.to_string();
    world.configured(&build::other_shop(), |_| {}).await;
    world.sign_in(&build::other_shop(), Role::Owner).await;
    let seen = world.post(&format!("{HOOK}/resend"), &[("run", &run)]).await;
    assert_eq!(seen.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn names_are_text_wherever_they_stand() {
    let world = World::with(Role::Owner, uncalled).await;
    let evil = Endpoint { name: "<script>alert(1)</script>".to_owned(), ..build::endpoint(&build::shop()) };
    world.save(&build::shop(), ConfigChange::Endpoint(evil)).await;
    for path in [
        "/settings/webhooks",
        HOOK,
        &format!("{HOOK}/edit"),
        &format!("{HOOK}/delete"),
        &format!("{HOOK}/off"),
    ] {
        let seen = world.get(path).await;
        assert!(seen.status.is_success() && !seen.says("<script>"), "{path}");
    }
}
