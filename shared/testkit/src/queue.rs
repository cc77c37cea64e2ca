//! The inbound queue in memory, with faults on demand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stagepost_app::envelope::Envelope;
use stagepost_app::ports::{InboundQueue, QueueError};

/// What goes wrong with the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueFault {
    /// The queue is away.
    Down,
    /// The message is more than it takes.
    TooLarge,
    /// It is kept, but the answer never comes.
    LostReply,
}

#[derive(Debug, Default)]
struct Line {
    messages: VecDeque<Envelope>,
    faults: VecDeque<QueueFault>,
}

/// An inbound queue in memory; clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryInboundQueue {
    line: Arc<Mutex<Line>>,
}

impl MemoryInboundQueue {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next message fail this way; several queue up.
    pub fn inject(&self, fault: QueueFault) {
        self.lock().faults.push_back(fault);
    }

    /// Takes all messages out.
    #[must_use]
    pub fn take(&self) -> Vec<Envelope> {
        self.lock().messages.drain(..).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InboundQueue for MemoryInboundQueue {
    async fn keep(&self, packed: &Envelope) -> Result<(), QueueError> {
        let mut line = self.lock();
        let fault = line.faults.pop_front();
        match fault {
            Some(QueueFault::Down) => return Err(QueueError::Away("injected".to_owned())),
            Some(QueueFault::TooLarge) => return Err(QueueError::TooLarge { bytes: packed.data.len() }),
            Some(QueueFault::LostReply) | None => line.messages.push_back(packed.clone()),
        }
        fault.map_or(Ok(()), |_| Err(QueueError::Away("the answer was lost".to_owned())))
    }
}
