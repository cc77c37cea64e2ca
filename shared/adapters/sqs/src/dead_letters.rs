//! The dead letters: messages that nobody can read, kept for a person.

use stagepost_app::ports::{DeadLetters, DoorbellError};

use crate::{Client, CodeOrKind};

/// Keeps messages in a queue.
#[derive(Debug, Clone)]
pub struct SqsDeadLetters {
    client: Client,
    queue_url: String,
}

impl SqsDeadLetters {
    /// `client` is from [`client`](crate::client).
    #[must_use]
    pub fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }
}

impl DeadLetters for SqsDeadLetters {
    async fn bury(&self, body: &str) -> Result<(), DoorbellError> {
        let sent = self.client.send_message().queue_url(&self.queue_url).message_body(body).send().await;
        sent.map(drop).map_err(|error| DoorbellError(format!("dead letters: {}", error.code_or_kind())))
    }
}
