//! What went wrong, what could not be read, and work in the background.

use std::collections::BTreeMap;

use http::StatusCode;
use stagepost_app::inbound::{Arrival, Proof, Route};
use stagepost_app::ports::{
    ConfigChange, GovernorStore, InboundStore, JobStore, OrderStore, RunStore, run_id,
};
use stagepost_app::quarantine;
use stagepost_domain::event::Action;
use stagepost_domain::governor::Governor;
use stagepost_domain::id::{JobId, QuarantineId};
use stagepost_domain::job::{Connection, Job, JobKind, JobState};
use stagepost_domain::run::{Run, RunId, RunState};
use stagepost_domain::shop::{Endpoint, Role};
use stagepost_secrets::LocalSecrets;
use stagepost_testkit::build;
use stagepost_testkit::build::seconds;

use super::World;

const ACTIVITY: &str = "/activity";
const ALL: &str = "/activity/retry-all";
const QUARANTINE: &str = "/activity/quarantine";
const RESUME: &str = "/activity/resume";

/// An order in Packing, whose actions of this kind ended like this and whose others went well.
async fn ended(world: &World, n: u64, action: Action, state: RunState) -> RunId {
    let order = world.order(n).await;
    world.tell(&order, &build::move_to("packing", 1)).await;
    let event = world.store.event(&order, 2).await.unwrap().unwrap();
    let well = RunState::Succeeded { at: seconds(1), detail: String::new() };
    for (key, run) in event.runs.iter().filter(|(_, run)| run.state.due().is_some()) {
        let state = if key.action() == action { state.clone() } else { well.clone() };
        let next = Run { state, ..run.clone() };
        world.store.update_run(&run_id(&order, 2, key), run, &next).await.unwrap();
    }
    let (key, _) = event.runs.iter().find(|(key, _)| key.action() == action).unwrap();
    run_id(&order, 2, key)
}

fn failed(at: i64) -> RunState {
    RunState::Failed { at: seconds(at), error: "HTTP <500>".to_owned() }
}

fn uncertain(at: i64) -> RunState {
    RunState::Uncertain { at: seconds(at), error: "no answer".to_owned() }
}

async fn state(world: &World, id: &RunId) -> RunState {
    let event = world.store.event(&id.order, id.seq).await.unwrap().unwrap();
    event.runs[&id.key].state.clone()
}

fn retry(id: &RunId) -> String {
    format!("{ACTIVITY}/runs/{id}/retry")
}

/// A notification in quarantine.
async fn unread(world: &World, body: &[u8]) -> QuarantineId {
    let arrival = Arrival {
        route: Route::Shopify(build::channel_id()),
        topic: "orders/<b>".to_owned(),
        headers: BTreeMap::new(),
        body: body.to_vec(),
        received_at: seconds(0),
        proof: Proof::Signature,
    };
    let secrets = LocalSecrets::from_key([7; 32]).unwrap();
    quarantine::keep(&world.core, &secrets, &build::shop(), &arrival, "no <id>".to_owned()).await.unwrap()
}

async fn stands(world: &World, id: &QuarantineId) -> bool {
    world.store.quarantined_item(&build::shop(), id, world.core.now()).await.unwrap().is_some()
}

async fn stopped(world: &World) {
    let governor = Governor::default().paused(201, seconds(0));
    world.store.put_governor(&build::shop(), &governor).await.unwrap();
}

#[tokio::test]
async fn what_went_wrong_is_listed_newest_first_with_order_stage_and_reason() {
    let world = World::new().await;
    ended(&world, 1001, Action::Webhook, failed(1)).await;
    ended(&world, 1002, Action::Email, uncertain(5)).await;
    let seen = world.get(ACTIVITY).await;
    assert!(seen.says("#1001") && seen.says("Warehouse (order.stage_entered)") && seen.says("Packing"));
    assert!(seen.says("HTTP &#60;500&#62;") && seen.says("Nobody can tell whether it happened: no answer"));
    let place = |text: &str| seen.body.find(text).unwrap();
    assert!(place("#1002") < place("#1001"), "newest first");
    let only = world.get("/activity?only=failed").await;
    assert!(only.says("#1001") && !only.says("#1002"));
    let only = world.get("/activity?only=uncertain").await;
    assert!(!only.says("#1001") && only.says("#1002"));
}

#[tokio::test]
async fn each_kind_of_empty_says_why_it_is_empty() {
    let world = World::new().await;
    let seen = world.get(ACTIVITY).await;
    assert!(seen.says("Nothing needs you") && seen.says("Nothing failed") && !seen.says("Retry all"));
    assert!(world.get("/activity?only=failed").await.says("Nothing of this kind here"));
    assert!(world.get(QUARANTINE).await.says("Nothing needs you"));
    assert!(world.get("/activity/jobs").await.says("No job yet"));
    world.bare(&build::other_shop()).await;
    world.sign_in(&build::other_shop(), Role::Admin).await;
    let seen = world.get(ACTIVITY).await;
    assert!(seen.says("Nothing needs you") && seen.says("Make a flow"));
}

#[tokio::test]
async fn what_failed_is_tried_again_at_once() {
    let world = World::new().await;
    let run = ended(&world, 1001, Action::Webhook, failed(1)).await;
    assert_eq!(world.post(&retry(&run), &[]).await.to(), ACTIVITY);
    assert!(matches!(state(&world, &run).await, RunState::Pending { .. }));
    world.post(&retry(&run), &[]).await;
    assert!(world.get(ACTIVITY).await.says("It is still on its way"));
}

#[tokio::test]
async fn what_is_uncertain_is_tried_again_only_by_somebodys_word() {
    let world = World::new().await;
    let run = ended(&world, 1001, Action::Email, uncertain(1)).await;
    world.post(&retry(&run), &[]).await;
    assert!(world.get(ACTIVITY).await.says("needs your word that it may happen twice"));
    assert_eq!(state(&world, &run).await, uncertain(1));
    let asked = world.get(&retry(&run)).await;
    assert!(asked.says("the customer gets it twice"));
    let word = asked.value("accept_duplicate");
    world.post(&retry(&run), &[("accept_duplicate", &word)]).await;
    assert!(matches!(state(&world, &run).await, RunState::Pending { .. }));
}

#[tokio::test]
async fn all_that_failed_is_counted_then_tried_again_by_a_job_that_can_be_stopped() {
    let world = World::new().await;
    ended(&world, 1001, Action::Webhook, failed(1)).await;
    ended(&world, 1002, Action::Email, uncertain(1)).await;
    world.clock.advance(stagepost_domain::SignedDuration::from_mins(90));
    assert!(world.get(&format!("{ALL}?hours=1")).await.says("Nothing of that failed in that time"));
    assert!(world.get(&format!("{ALL}?action=email")).await.says("Nothing of that failed in that time"));
    let asked = world.get(&format!("{ALL}?action=webhook")).await;
    assert!(asked.says("Retry 1 failed action<") && asked.says("No mail is sent by it"), "{}", asked.body);
    assert!(
        world.store.jobs(&build::shop(), None, 10).await.unwrap().items.is_empty(),
        "asking does nothing"
    );
    let since = asked.value("since");
    let odd = world.post(ALL, &[("since", &since), ("action", "everything")]).await;
    assert_eq!(odd.to(), ALL, "a kind that is not known is not all of them");
    let begun = world.post(ALL, &[("since", &since), ("action", &asked.value("action"))]).await;
    let path = begun.to().to_owned();
    let id = JobId::parse(path.rsplit('/').next().unwrap()).unwrap();
    let job = world.store.job(&build::shop(), &id).await.unwrap().unwrap();
    let JobKind::Recover(which) = &job.kind else { panic!("{job:?}") };
    assert_eq!((which.action, which.since.to_string()), (Some(Action::Webhook), since));
    let part = world.part(&path).await;
    assert!(part.says("every 2s") && part.says("0 actions put back in line"));
    assert!(world.get("/activity/jobs").await.says("Tries again what failed"));
    assert_eq!(world.post(&format!("{path}/cancel"), &[]).await.to(), path);
    let job = world.store.job(&build::shop(), &id).await.unwrap().unwrap();
    assert!(matches!(job.state, JobState::Cancelled { .. }));
    assert_eq!(world.part(&path).await.status.as_u16(), 286, "it is not asked for any more");
    world.post(&format!("{path}/cancel"), &[]).await;
    assert!(world.get(&path).await.says("Not stopped: the job has ended"));
    assert_eq!(world.post(ALL, &[("since", "yesterday")]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_job_that_comes_again_by_itself_says_when_and_is_not_stopped() {
    let world = World::new().await;
    let kind = JobKind::Reconcile { channel: build::channel_id(), since: seconds(0), newest: None };
    let job = Job::new(JobId::from_body("one").unwrap(), build::shop(), kind, seconds(600));
    world.store.create_job(&job).await.unwrap();
    let path = format!("/activity/jobs/{}", job.id);
    for seen in [world.get("/activity/jobs").await, world.get(&path).await] {
        assert!(seen.says("Asks a store what has changed") && seen.says("in 10 min") && !seen.says(">Stop<"));
    }
    world.post(&format!("{path}/cancel"), &[]).await;
    assert!(world.get(&path).await.says("Not stopped: the job recurs"));
}

#[tokio::test]
async fn a_job_that_tries_out_credentials_says_so_and_counts_nothing() {
    let world = World::new().await;
    let connection = Connection::Channel(build::channel_id());
    let job =
        Job::new(JobId::from_body("one").unwrap(), build::shop(), JobKind::Check { connection }, seconds(0));
    world.store.create_job(&job).await.unwrap();
    for path in ["/activity/jobs".to_owned(), format!("/activity/jobs/{}", job.id)] {
        let seen = world.get(&path).await;
        assert!(seen.says("Tries out a store’s credentials") && !seen.says("looked at"), "{path}");
    }
}

#[tokio::test]
async fn stopped_mails_say_why_and_go_again_once_somebody_has_looked() {
    let world = World::new().await;
    world.post(RESUME, &[]).await;
    assert_eq!(world.get(RESUME).await.to(), ACTIVITY, "nothing is stopped");
    stopped(&world).await;
    let why = "201 in ten minutes are far more than the usual 0";
    assert!(world.get(ACTIVITY).await.says(why));
    let asked = world.get(RESUME).await;
    assert!(
        asked.says(why) && asked.says("For one hour") && asked.says("201 mails in ten minutes are taken")
    );
    assert!(world.store.governor(&build::shop()).await.unwrap().paused.is_some(), "asking does nothing");
    assert_eq!(world.post(RESUME, &[]).await.to(), ACTIVITY);
    assert_eq!(world.store.governor(&build::shop()).await.unwrap().paused, None);
    assert!(!world.get(ACTIVITY).await.says("Your mails are stopped"));
}

#[tokio::test]
async fn a_notification_is_read_as_text_handed_back_or_thrown_away() {
    let world = World::new().await;
    world.save(&build::shop(), ConfigChange::Channel(build::channel(&build::shop()))).await;
    let id = unread(&world, b"<script>alert(1)</script> \xff").await;
    assert!(world.get(ACTIVITY).await.says("Some notifications could not be read"));
    let seen = world.get(QUARANTINE).await;
    assert!(seen.says("no &#60;id&#62;") && seen.says(&build::channel(&build::shop()).name));
    let path = format!("{QUARANTINE}/{id}");
    let read = world.get(&path).await;
    assert!(read.says("&#60;script&#62;alert(1)") && !read.says("<script>alert"));
    assert!(read.says("Not all of it is text") && read.says(&build::channel(&build::shop()).name));
    assert_eq!(world.post(&format!("{path}/replay"), &[]).await.to(), QUARANTINE);
    assert_eq!(world.queue.take().len(), 1);
    assert!(stands(&world, &id).await, "it leaves when it is taken");
    assert!(world.get(&format!("{path}/delete")).await.says("It cannot be brought back"));
    assert!(stands(&world, &id).await, "asking does nothing");
    assert_eq!(world.post(&format!("{path}/delete"), &[]).await.to(), QUARANTINE);
    assert!(!stands(&world, &id).await);
    for gone in ["", "/delete"] {
        assert_eq!(world.get(&format!("{path}{gone}")).await.status, StatusCode::NOT_FOUND, "{gone}");
    }
}

#[tokio::test]
async fn a_long_body_is_cut_and_says_so() {
    let world = World::new().await;
    let id = unread(&world, &vec![b'a'; 300 * 1024]).await;
    let seen = world.get(&format!("{QUARANTINE}/{id}")).await;
    assert!(seen.says("The first 256 KiB") && seen.body.len() < 290 * 1024);
}

#[tokio::test]
async fn another_shop_sees_none_of_it() {
    let world = World::new().await;
    let run = ended(&world, 1001, Action::Webhook, failed(1)).await;
    let (item, since) = (unread(&world, b"{}").await, seconds(0).to_string());
    let job = world.post(ALL, &[("since", &since)]).await.to().to_owned();
    stopped(&world).await;
    world.configured(&build::other_shop(), |_| {}).await;
    world.sign_in(&build::other_shop(), Role::Owner).await;
    let seen = world.get(ACTIVITY).await;
    assert!(!seen.says("#1001") && !seen.says("are stopped") && !seen.says("could not be read"));
    assert!(!world.get(QUARANTINE).await.says("orders/"));
    assert!(!world.get("/activity/jobs").await.says("Tries again"));
    let item_path = format!("{QUARANTINE}/{item}");
    for path in [&retry(&run), &item_path, &format!("{item_path}/delete"), &job] {
        assert_eq!(world.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let forms =
        [retry(&run), format!("{item_path}/delete"), format!("{item_path}/replay"), format!("{job}/cancel")];
    for path in forms {
        assert_eq!(world.post(&path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    world.post(RESUME, &[]).await;
    assert!(world.store.governor(&build::shop()).await.unwrap().paused.is_some());
    assert!(stands(&world, &item).await && world.queue.take().is_empty());
    assert_eq!(state(&world, &run).await, failed(1));
}

#[tokio::test]
async fn a_low_role_reads_and_changes_nothing() {
    let world = World::new().await;
    let run = ended(&world, 1001, Action::Webhook, failed(1)).await;
    let item = format!("{QUARANTINE}/{}", unread(&world, b"{}").await);
    stopped(&world).await;
    let job = world.post(ALL, &[("since", &seconds(0).to_string())]).await.to().to_owned();
    world.sign_in(&build::shop(), Role::Member).await;
    let seen = world.get(QUARANTINE).await;
    assert!(seen.says("Read again") && !seen.says("Throw away"));
    assert!(world.get(ACTIVITY).await.says("An admin can let them go"));
    for path in [RESUME, &item, &format!("{item}/delete")] {
        assert_eq!(world.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    for path in [RESUME, &format!("{item}/delete")] {
        assert_eq!(world.post(path, &[]).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    world.sign_in(&build::shop(), Role::Viewer).await;
    let seen = world.get(ACTIVITY).await;
    assert!(seen.says("#1001") && !seen.says(">Retry<") && !seen.says("Retry all"));
    assert!(world.get(&job).await.status.is_success() && !world.get(&job).await.says(">Stop<"));
    for path in [ALL, QUARANTINE, &retry(&run)] {
        assert_eq!(world.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    for path in [ALL, &retry(&run), &format!("{item}/replay"), &format!("{job}/cancel")] {
        assert_eq!(world.post(path, &[]).await.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn names_are_text_wherever_they_stand() {
    let world = World::new().await;
    let evil = Endpoint { name: "<script>alert(1)</script>".to_owned(), ..build::endpoint(&build::shop()) };
    world.save(&build::shop(), ConfigChange::Endpoint(evil)).await;
    let run = ended(&world, 1001, Action::Webhook, failed(1)).await;
    let item = unread(&world, b"{}").await;
    let item = format!("{QUARANTINE}/{item}");
    for path in [ACTIVITY, &retry(&run), QUARANTINE, &item, &format!("{item}/delete")] {
        let seen = world.get(path).await;
        assert!(seen.status.is_success() && !seen.says("<script>alert") && !seen.says("<b>"), "{path}");
    }
}
