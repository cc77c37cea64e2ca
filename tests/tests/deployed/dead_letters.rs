//! Messages that are given up, and how they come home.

use std::process::Command;

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};
use stagepost_sqs::Client;
use stagepost_tests::deployment::Deployed;
use stagepost_tests::{Trial, until};

/// The queues of the deployment.
struct Queues {
    deployed: Deployed,
    sqs: Client,
}

impl Queues {
    async fn open() -> Self {
        let sqs = stagepost_sqs::client(&stagepost_lambda::aws::config().await);
        Self { deployed: Deployed::found().unwrap(), sqs }
    }

    async fn holds(&self, queue: &str) -> usize {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let asked = self.sqs.get_queue_attributes().queue_url(&self.deployed.stack[queue]);
        let told = asked.attribute_names(name.clone()).send().await.unwrap().attributes.unwrap();
        told[&name].parse().unwrap()
    }

    /// How often a message of the queue is received, and how long it is hidden between, in seconds.
    async fn set_patience(&self, queue: &str, dead: &str, receives: u32, hidden: u32) {
        let arn = QueueAttributeName::QueueArn;
        let asked = self.sqs.get_queue_attributes().queue_url(&self.deployed.stack[dead]);
        let told = asked.attribute_names(arn.clone()).send().await.unwrap().attributes.unwrap();
        let policy = json!({"deadLetterTargetArn": told[&arn], "maxReceiveCount": receives}).to_string();
        let set = self.sqs.set_queue_attributes().queue_url(&self.deployed.stack[queue]);
        let set = set.attributes(QueueAttributeName::VisibilityTimeout, hidden.to_string());
        set.attributes(QueueAttributeName::RedrivePolicy, policy).send().await.unwrap();
    }

    /// The operator's command, in its own words.
    fn redrive(&self, from: &str, to: &str) -> String {
        let stack = &self.deployed.stack;
        let command = ["redrive", "--from", &stack[from], "--to", &stack[to]];
        let done = Command::new(&self.deployed.program).args(command).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }
}

#[tokio::test]
async fn a_message_that_always_fails_ends_in_the_dead_letters_and_a_redrive_brings_it_home() {
    let (trial, queues) = (Trial::start().await, Queues::open().await);
    queues.set_patience("WebhookQueue", "WebhookDeadLetters", 2, 1).await;
    let table = queues.deployed.variable("WebhookRunnerFunction", "TABLE_NAME", "nowhere").await;
    let order = json!({"external_id": "dead", "flow": trial.ids.flow, "customer": {"name": "Grace"}});
    let id = trial.api.post("/v1/orders", &order).await.ok()["id"].as_str().unwrap().to_owned();
    trial.move_to(&id, "Printing").await.ok();
    until(async || (queues.holds("WebhookDeadLetters").await > 0).then_some(())).await;
    assert_eq!(trial.states(&id, "webhook").await, ["pending"]);
    assert!(trial.receiver.received().is_empty());

    queues.deployed.variable("WebhookRunnerFunction", "TABLE_NAME", &table).await;
    queues.set_patience("WebhookQueue", "WebhookDeadLetters", 20, 180).await;
    let said = queues.redrive("WebhookDeadLetters", "WebhookQueue");
    assert!(said.contains("brought home") && !said.starts_with("0 "), "{said}");
    trial.ended(&id).await;
    assert_eq!(trial.states(&id, "webhook").await, ["succeeded"]);
    assert_eq!(trial.receiver.received().len(), 1);
    assert_eq!(queues.holds("WebhookDeadLetters").await, 0);
}

#[tokio::test]
async fn a_message_that_nobody_can_read_is_buried_at_once_and_a_redrive_does_not_go_in_circles() {
    let queues = Queues::open().await;
    let send = queues.sqs.send_message().queue_url(&queues.deployed.stack["EmailQueue"]);
    send.message_body("not ours").send().await.unwrap();
    for _ in 0..2 {
        until(async || (queues.holds("EmailDeadLetters").await == 1).then_some(())).await;
        assert_eq!(
            queues.redrive("EmailDeadLetters", "EmailQueue"),
            "1 of about 1 messages were brought home\n"
        );
    }
    until(async || (queues.holds("EmailDeadLetters").await == 1).then_some(())).await;
    queues.sqs.purge_queue().queue_url(&queues.deployed.stack["EmailDeadLetters"]).send().await.unwrap();
}

#[tokio::test]
async fn the_schedule_rings_for_what_no_message_is_left_of() {
    let (trial, queues) = (Trial::start().await, Queues::open().await);
    let mapping = &queues.deployed.stack["DispatchMapping"];
    let off = json!({"Enabled": false});
    let off = queues.deployed.configure("event-source-mappings", mapping, "", &off).await;
    assert_eq!(off["State"], "Disabled", "nothing rings but the schedule: {off}");
    let order = json!({
        "external_id": "unrung", "flow": trial.ids.flow,
        "customer": {"name": "Grace", "email": "grace@example.com"},
    });
    let id = trial.api.post("/v1/orders", &order).await.ok()["id"].as_str().unwrap().to_owned();
    let runs: Vec<Value> = trial.ended(&id).await;
    queues.deployed.configure("event-source-mappings", mapping, "", &json!({"Enabled": true})).await;
    assert_eq!(runs[0]["state"], "succeeded", "{runs:?}");
    assert_eq!(trial.mails().await.len(), 1);
}
