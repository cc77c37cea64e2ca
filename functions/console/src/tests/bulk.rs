//! Many orders at once.

use http::StatusCode;
use stagepost_app::ports::{ConfigChange, JobStore, OrderStore};
use stagepost_domain::id::JobId;
use stagepost_domain::job::{Job, JobKind, Selection};
use stagepost_domain::shop::Role;
use stagepost_testkit::build;

use super::World;

#[tokio::test]
async fn a_bulk_move_says_what_it_will_do_then_does_it_as_a_job() {
    let world = World::new().await;
    let (a, b) = (world.order(1001).await, world.order(1002).await);
    let mut silent = build::order_fact(1003, 0);
    silent.snapshot.customer.email = None;
    let c = build::order_id(1003);
    world.tell(&c, &build::told(silent)).await;
    let ask = world.get(&format!("/orders/move?to=stg_ready&order={a}&order={b}&order={c}")).await;
    assert!(ask.says("Move 3 orders to Ready to ship?"), "{}", ask.body);
    let text = "This moves 3 orders, mails 2 customers, sends 3 webhooks and fulfills 3 orders on Shopify.";
    assert!(ask.says(text), "{}", ask.body);
    assert!(ask.says("1 mail is skipped: The customer has no e-mail address on this order."));
    assert_eq!(world.store.order(&a).await.unwrap().unwrap().seq, 1, "nothing is done by asking");
    let form = [("to", "stg_ready"), ("order", a.as_str()), ("order", b.as_str())];
    let seen = world.post("/orders/move", &form).await;
    let id = JobId::parse(seen.to().strip_prefix("/jobs/").unwrap()).unwrap();
    let job = world.store.job(&build::shop(), &id).await.unwrap().unwrap();
    let orders = vec![a, b];
    let selection = Selection::Orders { orders };
    assert!(matches!(job.kind, JobKind::Move { selection: s, .. } if s == selection));
    let page = world.get(seen.to()).await;
    assert!(
        page.says("Moving orders to Ready to ship") && page.says("0 of 2 orders") && page.says("every 2s")
    );
    world.post(&format!("/jobs/{id}/stop"), &[]).await;
    assert!(world.get(&format!("/jobs/{id}")).await.says("Stopped"));
    assert_eq!(world.part(&format!("/jobs/{id}/progress")).await.status.as_u16(), 286);
}

#[tokio::test]
async fn all_of_a_stage_are_moved_without_naming_each() {
    let world = World::new().await;
    world.order(1001).await;
    world.order(1002).await;
    let ask = world.get("/orders/move?to=stg_shipped&from=stg_new").await;
    assert!(ask.says("Move 2 orders to Shipped?"));
    assert!(ask.says("This moves 2 orders and nothing else: no customer is told anything."));
    assert_eq!((ask.value("from"), ask.value("to")), ("stg_new".to_owned(), "stg_shipped".to_owned()));
}

#[tokio::test]
async fn nothing_chosen_says_so_and_nonsense_is_not_there() {
    let world = World::new().await;
    assert_eq!(world.get("/orders/move?to=stg_ready").await.to(), "/orders");
    assert!(world.get("/orders").await.says("Choose the orders first"));
    assert_eq!(world.get("/orders/move?to=x&order=y").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get("/jobs/job_1").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_job_of_another_kind_has_its_page_in_activity() {
    let world = World::new().await;
    let kind = JobKind::Backfill { channel: build::channel_id(), since: build::seconds(-60) };
    let job = Job::new(JobId::parse("job_1").unwrap(), build::shop(), kind, build::seconds(0));
    let channel = ConfigChange::Channel(build::channel(&build::shop()));
    world.save(&build::shop(), channel.with_jobs(vec![job])).await;
    assert!(world.get("/activity/jobs/job_1").await.status.is_success());
    assert_eq!(world.get("/jobs/job_1").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.part("/jobs/job_1/progress").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.post("/jobs/job_1/stop", &[]).await.status, StatusCode::NOT_FOUND);
    assert!(
        !world.store.job(&build::shop(), &JobId::parse("job_1").unwrap()).await.unwrap().unwrap().ended()
    );
}

#[tokio::test]
async fn law_20_another_shops_orders_and_jobs_are_not_there() {
    let world = World::new().await;
    let a = world.order(1001).await;
    let seen = world.post("/orders/move", &[("to", "stg_ready"), ("order", a.as_str())]).await;
    let job = seen.to().to_owned();
    world.configured(&build::other_shop(), |_| {}).await;
    world.sign_in(&build::other_shop(), Role::Owner).await;
    let ask = world.get(&format!("/orders/move?to=stg_ready&order={a}")).await;
    assert!(ask.says("1 order is not there any more.") && !ask.says("mails"));
    assert_eq!(world.get(&job).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.post(&format!("{job}/stop"), &[]).await.status, StatusCode::NOT_FOUND);
}
