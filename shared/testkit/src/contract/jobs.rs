//! Laws of jobs.
#![expect(clippy::unwrap_used, reason = "a test library: an unexpected error ends the test")]

use stagepost_app::ports::{CommitError, ConfigChange, ConfigStore, DueItem, JobStore, RunStore};
use stagepost_domain::id::{AttemptId, JobId, ShopId};
use stagepost_domain::job::{Job, JobKind, PageDone, Progress};

use crate::build::{channel, channel_id, endpoint, other_shop, seconds, settings, shop};

fn job(shop: &ShopId, name: &str) -> Job {
    let kind = JobKind::Backfill { channel: channel_id(), since: seconds(-1_000) };
    Job::new(JobId::from_body(name).unwrap(), shop.clone(), kind, seconds(0))
}

fn claimed(job: &Job, attempt: &str, now: i64) -> Job {
    job.claimed(&AttemptId::from_body(attempt).unwrap(), seconds(now)).unwrap()
}

fn done(job: &Job) -> Job {
    let page = PageDone::new(Progress { seen: 3, changed: 2, refused: 1 }, None);
    job.advanced(page, seconds(9))
}

async fn due<S: RunStore>(store: &S, now: i64) -> Vec<Job> {
    let items = store.due(seconds(now), 100).await.unwrap();
    let jobs = items.into_iter().filter_map(|item| match item {
        DueItem::Job(job) => Some(*job),
        _ => None,
    });
    jobs.collect()
}

/// Two attempts at one job: the second has lost, and the same write again is a success.
pub async fn a_job_is_claimed_by_one<S: JobStore>(store: &S) {
    let job = job(&shop(), "one");
    store.create_job(&job).await.unwrap();
    let first = claimed(&job, "a", 1);
    store.update_job(&first).await.unwrap();
    store.update_job(&first).await.unwrap();
    assert!(matches!(store.update_job(&claimed(&job, "b", 1)).await, Err(CommitError::LostRace)));
    assert_eq!(store.job(&shop(), &job.id).await.unwrap(), Some(first));
}

/// The same job again is a success, another one with its id is not.
pub async fn a_job_is_made_once<S: JobStore>(store: &S) {
    let one = job(&shop(), "one");
    store.create_job(&one).await.unwrap();
    store.create_job(&one).await.unwrap();
    let later = Job { created_at: seconds(5), ..one.clone() };
    assert!(matches!(store.create_job(&later).await, Err(CommitError::LostRace)));
    assert_eq!(store.job(&shop(), &one.id).await.unwrap(), Some(one));
}

/// Whoever dies in the middle of a job leaves it in the due index.
pub async fn an_open_job_is_due_and_an_ended_one_is_not<S: JobStore + RunStore>(store: &S) {
    let waiting = job(&shop(), "one");
    store.create_job(&waiting).await.unwrap();
    assert_eq!(due(store, 0).await, std::slice::from_ref(&waiting));
    let running = claimed(&waiting, "a", 1);
    store.update_job(&running).await.unwrap();
    assert!(due(store, 100).await.is_empty(), "somebody is at it");
    assert_eq!(due(store, 151).await, std::slice::from_ref(&running), "its lease has passed");
    store.set_due(&DueItem::Job(Box::new(running.clone())), Some(seconds(300))).await.unwrap();
    assert!(due(store, 200).await.is_empty());
    let ended = done(&running);
    store.update_job(&ended).await.unwrap();
    store.set_due(&DueItem::Job(Box::new(running)), Some(seconds(0))).await.unwrap();
    assert!(due(store, 10_000).await.is_empty(), "a late word about its place changes nothing");
    assert_eq!(store.job(&shop(), &ended.id).await.unwrap(), Some(ended));
}

/// Newest first, page by page, and nobody else's.
pub async fn jobs_are_listed_newest_first<S: JobStore>(store: &S) {
    for name in ["b", "c", "a"] {
        store.create_job(&job(&shop(), name)).await.unwrap();
    }
    store.create_job(&job(&other_shop(), "z")).await.unwrap();
    let first = store.jobs(&shop(), None, 2).await.unwrap();
    let second = store.jobs(&shop(), first.next.as_deref(), 2).await.unwrap();
    let names: Vec<_> = first.items.iter().chain(&second.items).map(|job| job.id.to_string()).collect();
    assert_eq!(names, ["job_c", "job_b", "job_a"]);
    assert_eq!(second.next, None);
    assert_eq!(store.job(&other_shop(), &job(&shop(), "a").id).await.unwrap(), None);
    assert!(store.jobs(&shop(), Some("nonsense"), 2).await.is_err());
}

/// A change of configuration and what follows from it: all or nothing.
pub async fn jobs_come_with_the_change_that_wants_them<S: ConfigStore + JobStore>(store: &S) {
    store.save(&ConfigChange::Shop, &settings(&shop(), 1)).await.unwrap();
    let wanted = job(&shop(), "one");
    let change = ConfigChange::Channel(channel(&shop())).with_jobs(vec![wanted.clone()]);
    let lost = store.save(&change, &settings(&shop(), 5)).await;
    assert!(matches!(lost, Err(CommitError::LostRace)));
    assert_eq!(store.job(&shop(), &wanted.id).await.unwrap(), None);
    store.save(&change, &settings(&shop(), 2)).await.unwrap();
    assert_eq!(store.job(&shop(), &wanted.id).await.unwrap(), Some(wanted));
    assert!(store.channel(&channel_id()).await.unwrap().is_some());
}

/// What is taken away is found neither by its shop nor by its lookup.
pub async fn what_is_removed_is_gone<S: ConfigStore>(store: &S) {
    let shop = shop();
    let template = crate::build::template(&shop, 1);
    let carrier = crate::build::carrier(&shop);
    let endpoint = endpoint(&shop);
    let changes = [
        ConfigChange::Shop,
        ConfigChange::Template(template.clone()),
        ConfigChange::Endpoint(endpoint.clone()),
        ConfigChange::Channel(channel(&shop)),
        ConfigChange::Carrier(carrier.clone()),
        ConfigChange::NoTemplate(template.id.clone()),
        ConfigChange::NoEndpoint(endpoint.id.clone()),
        ConfigChange::NoChannel(channel_id()),
        ConfigChange::NoCarrier(carrier.id.clone()),
    ];
    for (version, change) in (1..).zip(changes) {
        store.save(&change, &settings(&shop, version)).await.unwrap();
    }
    assert_eq!(store.template(&shop, &template.id, None).await.unwrap(), None);
    let kept = store.template(&shop, &template.id, Some(1)).await.unwrap();
    assert_eq!(kept, Some(template), "runs that name the version still render");
    assert!(store.templates(&shop).await.unwrap().is_empty());
    assert_eq!(store.endpoint(&shop, &endpoint.id).await.unwrap(), None);
    assert_eq!(store.channel(&channel_id()).await.unwrap(), None);
    assert!(store.channels(&shop).await.unwrap().is_empty());
    assert_eq!(store.carrier(&carrier.id).await.unwrap(), None);
    assert!(store.carriers(&shop).await.unwrap().is_empty());
}
