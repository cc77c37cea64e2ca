//! Laws of the attempt log and of endpoints' health.
#![expect(clippy::unwrap_used, reason = "a test library: an unexpected error ends the test")]

use stagepost_app::attempt::{Attempt, AttemptOf};
use stagepost_app::ports::{AttemptStore, CommitError, ConfigChange, ConfigStore, HealthStore};
use stagepost_domain::Timestamp;
use stagepost_domain::health::{Health, Heard, Strain};
use stagepost_domain::id::{AttemptId, EndpointId, JobId};
use stagepost_domain::run::{RunId, RunKey, Target};
use stagepost_domain::webhook::EventType;

use crate::build::{endpoint, endpoint_id, order_id, other_shop, seconds, settings, shop};

fn run(order: u64, generation: u32) -> RunId {
    let target = Target::Webhook(endpoint_id(), EventType::StageEntered);
    RunId { order: order_id(order), seq: 2, key: RunKey { target, generation } }
}

fn attempt(n: u32, of: AttemptOf, at: i64) -> Attempt {
    Attempt {
        id: AttemptId::from_body(&format!("{n:03}")).unwrap(),
        shop: shop(),
        endpoint: endpoint_id(),
        of,
        number: n,
        at: seconds(at),
        took_ms: 12,
        status: Some(500),
        error: Some("HTTP 500".to_owned()),
        sent: vec![("webhook-id".to_owned(), "msg_a".to_owned())],
        got: vec![("server".to_owned(), "x".to_owned())],
        body: "no\u{0}".to_owned(),
        cut: true,
    }
}

/// As it was kept, also where nothing came back; another run's and another generation's are not among them.
pub async fn a_runs_attempts_are_listed_newest_first<S: AttemptStore>(store: &S) {
    let first = attempt(1, AttemptOf::Run(run(1, 0)), 10);
    let second = Attempt {
        status: None,
        got: Vec::new(),
        body: String::new(),
        cut: false,
        ..attempt(2, first.of.clone(), 20)
    };
    for kept in [&first, &second, &second] {
        store.log_attempt(kept).await.unwrap();
    }
    store.log_attempt(&attempt(3, AttemptOf::Run(run(1, 1)), 30)).await.unwrap();
    store.log_attempt(&attempt(4, AttemptOf::Run(run(2, 0)), 30)).await.unwrap();
    assert_eq!(store.attempts_of_run(&run(1, 0), 10, seconds(40)).await.unwrap(), [second.clone(), first]);
    assert_eq!(store.attempts_of_run(&run(1, 0), 1, seconds(40)).await.unwrap(), [second]);
}

/// Over orders and tests, by pages.
pub async fn an_endpoints_attempts_are_paged_newest_first<S: AttemptStore>(store: &S) {
    for n in 1..=5 {
        store.log_attempt(&attempt(n, AttemptOf::Run(run(n.into(), 0)), i64::from(n))).await.unwrap();
    }
    let job = JobId::parse("job_a").unwrap();
    store.log_attempt(&attempt(6, AttemptOf::Job(job), 6)).await.unwrap();
    let elsewhere =
        Attempt { endpoint: EndpointId::parse("ep_b").unwrap(), ..attempt(7, AttemptOf::Run(run(1, 0)), 7) };
    store.log_attempt(&elsewhere).await.unwrap();
    let (mut cursor, mut found) = (None, Vec::new());
    loop {
        let page = store
            .attempts_of_endpoint(&shop(), &endpoint_id(), cursor.as_deref(), 4, seconds(9))
            .await
            .unwrap();
        assert!(page.items.len() <= 4);
        found.extend(page.items.iter().map(|a| a.number));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, [6, 5, 4, 3, 2, 1]);
    let other =
        store.attempts_of_endpoint(&other_shop(), &endpoint_id(), None, 10, seconds(9)).await.unwrap();
    assert!(other.items.is_empty());
    let bad = store.attempts_of_endpoint(&shop(), &endpoint_id(), Some("?"), 10, seconds(9)).await;
    assert!(bad.is_err());
}

/// What is 30 days old is gone, whether or not the table has removed it.
pub async fn an_attempt_is_kept_for_thirty_days<S: AttemptStore>(store: &S) {
    let kept = attempt(1, AttemptOf::Run(run(1, 0)), 0);
    store.log_attempt(&kept).await.unwrap();
    let month = 30 * 24 * 3_600;
    for (now, there) in [(month - 1, 1), (month, 0)] {
        assert_eq!(store.attempts_of_run(&run(1, 0), 10, seconds(now)).await.unwrap().len(), there);
        let page = store.attempts_of_endpoint(&shop(), &endpoint_id(), None, 10, seconds(now)).await.unwrap();
        assert_eq!(page.items.len(), there);
    }
}

fn by_attempt(n: u32) -> AttemptId {
    AttemptId::from_body(&n.to_string()).unwrap()
}

fn failed(health: &Health, by: u32, at: Timestamp) -> Health {
    let heard = Heard::Failure { error: "HTTP 503", strain: Strain::Busy(None) };
    health.heard(&by_attempt(by), at, None, heard).unwrap().health
}

/// Of two that find out the same one wins; its repetition is a success.
pub async fn health_is_replaced_over_the_version_that_was_read<S: HealthStore>(store: &S) {
    let fresh = store.health(&shop(), &endpoint_id()).await.unwrap();
    assert_eq!(fresh, Health::default());
    let (one, other) = (failed(&fresh, 1, seconds(1)), failed(&fresh, 2, seconds(1)));
    store.put_health(&shop(), &endpoint_id(), &one).await.unwrap();
    store.put_health(&shop(), &endpoint_id(), &one).await.unwrap();
    let lost = store.put_health(&shop(), &endpoint_id(), &other).await;
    assert!(matches!(lost, Err(CommitError::LostRace)));
    assert_eq!(store.health(&shop(), &endpoint_id()).await.unwrap(), one);
    let well = one.heard(&by_attempt(3), seconds(3), None, Heard::Success).unwrap().health;
    store.put_health(&shop(), &endpoint_id(), &well).await.unwrap();
    assert_eq!(store.healths(&shop()).await.unwrap(), [(endpoint_id(), well)].into());
    assert!(store.healths(&other_shop()).await.unwrap().is_empty());
}

/// In one read; an endpoint of which nothing was heard is well, and one that is gone is nothing.
pub async fn an_endpoint_is_read_with_its_health_and_goes_with_it<S: ConfigStore + HealthStore>(store: &S) {
    store.save(&ConfigChange::Endpoint(endpoint(&shop())), &settings(&shop(), 1)).await.unwrap();
    let there = store.endpoint_and_health(&shop(), &endpoint_id()).await.unwrap();
    assert_eq!(there, Some((endpoint(&shop()), Health::default())));
    let one = failed(&Health::default(), 1, seconds(1));
    store.put_health(&shop(), &endpoint_id(), &one).await.unwrap();
    let there = store.endpoint_and_health(&shop(), &endpoint_id()).await.unwrap();
    assert_eq!(there, Some((endpoint(&shop()), one)));
    assert_eq!(store.endpoint_and_health(&other_shop(), &endpoint_id()).await.unwrap(), None);
    store.save(&ConfigChange::NoEndpoint(endpoint_id()), &settings(&shop(), 2)).await.unwrap();
    assert_eq!(store.endpoint_and_health(&shop(), &endpoint_id()).await.unwrap(), None);
    assert_eq!(store.health(&shop(), &endpoint_id()).await.unwrap(), Health::default());
}
