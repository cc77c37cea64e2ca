//! The dead letters: messages that nobody can read, kept for a person.

use aws_sdk_sqs::types::MessageAttributeValue;
use stagepost_app::ports::{DeadLetters, DoorbellError};

use crate::{Client, CodeOrKind};

/// Keeps messages in a queue.
#[derive(Debug, Clone)]
pub struct SqsDeadLetters {
    client: Client,
    queue_url: String,
    runner: &'static str,
}

impl SqsDeadLetters {
    /// `client` is from [`client`](crate::client); `runner` is who could not read them, which the message says
    /// in its attributes: what is put there by hand has no queue to be sent back to.
    #[must_use]
    pub fn new(client: Client, queue_url: String, runner: &'static str) -> Self {
        Self { client, queue_url, runner }
    }
}

impl DeadLetters for SqsDeadLetters {
    async fn bury(&self, body: &str) -> Result<(), DoorbellError> {
        let said =
            |text: &str| MessageAttributeValue::builder().data_type("String").string_value(text).build();
        let attributes = [("runner", self.runner), ("reason", "cannot be decoded")];
        let mut message = self.client.send_message().queue_url(&self.queue_url).message_body(body);
        for (name, text) in attributes {
            let value = said(text).map_err(|_| DoorbellError("dead letters: an attribute".to_owned()))?;
            message = message.message_attributes(name, value);
        }
        message
            .send()
            .await
            .map(drop)
            .map_err(|error| DoorbellError(format!("dead letters: {}", error.code_or_kind())))
    }
}
