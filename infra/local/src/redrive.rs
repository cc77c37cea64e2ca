//! Brings messages home from a deployment's dead letters.
//!
//! One after the other: sent to its queue first, deleted then. Whatever fails in between, a message is in one of the
//! two queues, or in both, which is harmless: a doorbell rings twice, and a notification is a no-op the second time.
//! SQS's own move (`StartMessageMoveTask`) knows the way home of what SQS put there, but not of what a runner buried.

use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use stagepost_sqs::Client;

/// Messages of one call.
const BATCH: usize = 10;
/// How long a message is kept from others while it is carried over, in seconds.
const CARRIED: i32 = 120;
/// How long SQS looks for messages on all of its servers, in seconds.
const LOOKS: i32 = 1;

/// What became of a redrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redriven {
    /// Brought home.
    pub moved: usize,
    /// About how many there were when it began. No more are moved, so one that is buried again at once does not go in
    /// circles.
    pub found: usize,
}

/// It stopped in the middle. Nothing is lost: what was not brought home shows up in the dead letters again within
/// two minutes.
#[derive(Debug, thiserror::Error)]
pub enum RedriveError {
    /// Both are one queue.
    #[error("the dead letters and the queue are the same")]
    SameQueue,
    /// SQS did not do what it was asked.
    #[error("{moved} messages were brought home, then SQS did not {what}: {why}")]
    Sqs {
        /// How many came home before.
        moved: usize,
        /// What it was asked.
        what: &'static str,
        /// Its word.
        why: String,
    },
}

/// Brings home what is in `from` now, to the queue `to`.
///
/// # Errors
/// SQS cannot be reached, or refuses; nothing is lost then.
pub async fn redrive(client: &Client, from: &str, to: &str) -> Result<Redriven, RedriveError> {
    if from == to {
        return Err(RedriveError::SameQueue);
    }
    let found = waiting(client, from).await.map_err(|why| failed(0, "count", why))?;
    let mut moved = 0;
    while moved < found {
        let wanted = BATCH.min(found.saturating_sub(moved));
        let messages = receive(client, from, wanted).await.map_err(|why| failed(moved, "receive", why))?;
        if messages.is_empty() {
            break;
        }
        for message in messages {
            send(client, to, &message).await.map_err(|why| failed(moved, "send", why))?;
            delete(client, from, message).await.map_err(|why| failed(moved, "delete", why))?;
            moved = moved.saturating_add(1);
        }
    }
    Ok(Redriven { moved, found })
}

fn failed(moved: usize, what: &'static str, why: String) -> RedriveError {
    RedriveError::Sqs { moved, what, why }
}

/// The SDK's error with what stands behind it.
fn told(error: impl std::error::Error) -> String {
    DisplayErrorContext(error).to_string()
}

async fn waiting(client: &Client, queue: &str) -> Result<usize, String> {
    let name = QueueAttributeName::ApproximateNumberOfMessages;
    let asked = client.get_queue_attributes().queue_url(queue).attribute_names(name.clone());
    let attributes = asked.send().await.map_err(told)?.attributes.unwrap_or_default();
    Ok(attributes.get(&name).and_then(|n| n.parse().ok()).unwrap_or_default())
}

async fn receive(client: &Client, queue: &str, wanted: usize) -> Result<Vec<Message>, String> {
    let asked = client
        .receive_message()
        .queue_url(queue)
        .max_number_of_messages(i32::try_from(wanted).unwrap_or(1))
        .visibility_timeout(CARRIED)
        .wait_time_seconds(LOOKS)
        .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId);
    Ok(asked.send().await.map_err(told)?.messages.unwrap_or_default())
}

/// With its group, which keeps the queue fair, and without what the burial noted on it.
async fn send(client: &Client, queue: &str, message: &Message) -> Result<(), String> {
    let body = message.body.clone().unwrap_or_default();
    let asked = client.send_message().queue_url(queue).message_body(body);
    asked.set_message_group_id(group_of(message)).send().await.map(drop).map_err(told)
}

fn group_of(message: &Message) -> Option<String> {
    message.attributes.as_ref()?.get(&MessageSystemAttributeName::MessageGroupId).cloned()
}

async fn delete(client: &Client, queue: &str, message: Message) -> Result<(), String> {
    let asked = client.delete_message().queue_url(queue).set_receipt_handle(message.receipt_handle);
    asked.send().await.map(drop).map_err(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queues::LocalQueues;

    struct Two {
        client: Client,
        dead: String,
        home: String,
    }

    async fn two() -> Two {
        let client = LocalQueues::create().await.unwrap().client;
        let make =
            async |name| client.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap();
        Two { dead: make("dead").await, home: make("home").await, client: client.clone() }
    }

    impl Two {
        async fn bury(&self, n: usize) {
            for i in 0..n {
                let sent = self.client.send_message().queue_url(&self.dead).message_body(format!("m{i}"));
                sent.message_group_id("endp_1").send().await.unwrap();
            }
        }

        /// Every message of the queue home.
        async fn at_home(&self) -> Vec<String> {
            let mut all = Vec::new();
            loop {
                let batch = receive(&self.client, &self.home, BATCH).await.unwrap();
                if batch.is_empty() {
                    all.sort();
                    return all;
                }
                all.extend(batch.into_iter().map(|message| message.body.unwrap()));
            }
        }
    }

    #[tokio::test]
    async fn every_message_comes_home_once() {
        let two = two().await;
        two.bury(25).await;
        let done = redrive(&two.client, &two.dead, &two.home).await.unwrap();
        assert_eq!(done, Redriven { moved: 25, found: 25 });
        let mut expected: Vec<_> = (0..25).map(|i| format!("m{i}")).collect();
        expected.sort();
        assert_eq!(two.at_home().await, expected);
        let again = redrive(&two.client, &two.dead, &two.home).await.unwrap();
        assert_eq!(again, Redriven { moved: 0, found: 0 });
    }

    /// Read from what SQS tells: the queues of this host tell no group of a queue that keeps no order.
    #[test]
    fn a_message_comes_home_in_its_group() {
        let told =
            Message::builder().attributes(MessageSystemAttributeName::MessageGroupId, "endp_1").build();
        assert_eq!(group_of(&told).as_deref(), Some("endp_1"));
        assert_eq!(group_of(&Message::builder().build()), None);
    }

    #[tokio::test]
    async fn what_cannot_be_sent_stays_in_the_dead_letters() {
        let two = two().await;
        two.bury(3).await;
        let nowhere = format!("{}-gone", two.home);
        let error = redrive(&two.client, &two.dead, &nowhere).await.unwrap_err();
        assert!(matches!(error, RedriveError::Sqs { moved: 0, what: "send", .. }), "{error}");
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let asked = two.client.get_queue_attributes().queue_url(&two.dead);
        let told = asked.set_attribute_names(Some(names.to_vec())).send().await.unwrap().attributes.unwrap();
        let kept: usize = names.iter().map(|name| told[name].parse::<usize>().unwrap()).sum();
        assert_eq!(kept, 3);
        let same = redrive(&two.client, &two.dead, &two.dead).await.unwrap_err();
        assert!(matches!(same, RedriveError::SameQueue));
    }
}
