//! The inbound queue: packed arrivals in messages that carry everything, unlike a doorbell's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use stagepost_app::envelope::Envelope;
use stagepost_app::ports::{BadMessage, InboundQueue, QueueError};
use stagepost_domain::shop::Sealed;

use crate::message::VersionOnly;
use crate::{Client, CodeOrKind};

const VERSION: u32 = 1;
/// Largest message (integrations §8.2): 1 MiB with its attributes, of which these have none. 4 MiB of JSON,
/// the most that is taken in, compress to far less; what does not compress is no notification.
pub const MESSAGE_MAX: usize = 1_048_576;

#[derive(Serialize, Deserialize)]
struct Message {
    v: u32,
    key: Sealed,
    data: String,
}

/// `{"v":1,"key":"…","data":"base64 of what the key opens"}`.
#[must_use]
pub fn encode_inbound(packed: &Envelope) -> String {
    let message = Message { v: VERSION, key: packed.key.clone(), data: STANDARD.encode(&packed.data) };
    // Text and a number: writing them cannot fail.
    serde_json::to_string(&message).unwrap_or_default()
}

/// Reads a message's body.
///
/// # Errors
/// Anything that [`encode_inbound`] does not make. The version is looked at first: what else another version
/// has is its own affair.
pub fn decode_inbound(body: &str) -> Result<Envelope, BadMessage> {
    if body.len() > MESSAGE_MAX {
        return Err(BadMessage::Garbage);
    }
    match serde_json::from_str::<VersionOnly>(body) {
        Ok(VersionOnly { v: VERSION }) => {}
        Ok(VersionOnly { v }) => return Err(BadMessage::Version(v)),
        Err(_) => return Err(BadMessage::Garbage),
    }
    let message: Message = serde_json::from_str(body).map_err(|_| BadMessage::Garbage)?;
    let data = STANDARD.decode(message.data).map_err(|_| BadMessage::Garbage)?;
    Ok(Envelope { key: message.key, data })
}

/// The inbound queue on SQS.
#[derive(Debug, Clone)]
pub struct SqsInboundQueue {
    client: Client,
    queue_url: String,
}

impl SqsInboundQueue {
    /// `client` is from [`client`](crate::client).
    #[must_use]
    pub fn new(client: Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }
}

impl InboundQueue for SqsInboundQueue {
    async fn keep(&self, packed: &Envelope) -> Result<(), QueueError> {
        let body = encode_inbound(packed);
        if body.len() > MESSAGE_MAX {
            return Err(QueueError::TooLarge { bytes: body.len() });
        }
        let sent = self.client.send_message().queue_url(&self.queue_url).message_body(body).send().await;
        sent.map(drop).map_err(|error| QueueError::Away(error.code_or_kind().to_owned()))
    }
}
