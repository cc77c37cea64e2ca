//! Functions die by `kill -9` while they work.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use stagepost_standins::{Gate, Notification, Platform, Reply};
use stagepost_tests::deployment::Deployed;
use stagepost_tests::{PATIENCE, Trial, boats, until};

use crate::both_on_arrival;

/// Processes of functions: the stand-in's children that are a `bootstrap`.
fn functions(stand_in: u32) -> Vec<u32> {
    let child = |process: &Path| {
        let status = std::fs::read_to_string(process.join("status")).ok()?;
        let parent =
            status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse::<u32>().ok()?;
        let program = std::fs::read_link(process.join("exe")).ok()?;
        let ours = parent == stand_in && program.ends_with("bootstrap");
        ours.then(|| process.file_name()?.to_str()?.parse().ok())?
    };
    std::fs::read_dir("/proc").unwrap().filter_map(|entry| child(&entry.ok()?.path())).collect()
}

/// Kills every function that runs now, and gives how many did.
fn kill(stand_in: u32) -> usize {
    let running = functions(stand_in);
    let ids: Vec<String> = running.iter().map(u32::to_string).collect();
    if !ids.is_empty() {
        // One that has ended meanwhile is not there to be killed.
        let _ended = Command::new("kill").arg("-9").args(&ids).status().unwrap();
    }
    ids.len()
}

/// Posts it until it is taken, as a platform does.
async fn insist(trial: &Trial, notification: &Notification) {
    until(async || {
        let posted = trial.courier.shopify(&trial.ids.shopify, notification).await;
        posted.is_ok_and(|p| p.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_dies_in_the_middle_of_its_work_is_called_again_and_mailed_about_at_most_once() {
    let trial = Trial::start().await;
    let stand_in = Deployed::found().unwrap().pid;
    both_on_arrival(&trial).await;
    // The first receiver has read its message when the function that waits for the answer dies.
    let gate = Gate::new();
    trial.receiver.reply(Reply::Hang(gate.clone()), 1);
    let orders: Vec<_> = (0..20)
        .map(|n| trial.shopify.create_order(&boats(&format!("Customer {n}"), &format!("c{n}@example.com"))))
        .collect();
    let told = trial.shopify.take_outbox();
    let load = async {
        for notification in &told {
            insist(&trial, notification).await;
        }
    };
    let killer = async {
        assert!(gate.reached(1, PATIENCE).await, "nobody called the receiver");
        let mut killed = kill(stand_in);
        gate.release();
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(700)).await;
            killed += kill(stand_in);
        }
        killed
    };
    let ((), killed) = tokio::join!(load, killer);
    assert!(killed >= 5, "only {killed} functions were there to be killed");

    let mut uncertain = 0;
    for external in &orders {
        let id = trial.shopify_order(external);
        until(async || (trial.api.get(&format!("/v1/orders/{id}")).await.status == 200).then_some(())).await;
        trial.ended(&id).await;
        assert_eq!(trial.path(&id).await, ["New"]);
        assert_eq!(trial.states(&id, "webhook").await, ["succeeded"]);
        let mail = trial.states(&id, "email").await;
        assert!(mail == ["succeeded"] || mail == ["uncertain"], "{mail:?}");
        uncertain += usize::from(mail == ["uncertain"]);
    }
    let mut mailed: BTreeMap<String, usize> = BTreeMap::new();
    for mail in trial.mails().await {
        *mailed.entry(mail.to).or_default() += 1;
    }
    assert!(mailed.values().all(|n| *n == 1), "somebody was mailed twice: {mailed:?}");
    assert!(mailed.len() + uncertain >= orders.len(), "{} mailed, {uncertain} uncertain", mailed.len());
    let mut called: BTreeMap<String, usize> = BTreeMap::new();
    for call in trial.receiver.received() {
        *called.entry(call.header("webhook-id").unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(called.len(), orders.len(), "each is told under one id, however often");
    assert!(called.values().any(|n| *n > 1), "what was killed in its call was never called again");
}
