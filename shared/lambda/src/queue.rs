//! The inbound queue behind a pointer: one type parameter more on every handler would tell nobody anything.

use std::pin::Pin;
use std::sync::Arc;

use stagepost_app::envelope::Envelope;
use stagepost_app::ports::{InboundQueue, QueueError};

type Kept<'a> = Pin<Box<dyn Future<Output = Result<(), QueueError>> + Send + 'a>>;

trait Keeps: Send + Sync {
    fn keep<'a>(&'a self, packed: &'a Envelope) -> Kept<'a>;
}

impl<Q: InboundQueue> Keeps for Q {
    fn keep<'a>(&'a self, packed: &'a Envelope) -> Kept<'a> {
        Box::pin(InboundQueue::keep(self, packed))
    }
}

/// Any inbound queue.
#[derive(Clone)]
pub struct Queue(Arc<dyn Keeps>);

impl Queue {
    /// This one.
    pub fn new(queue: impl InboundQueue + 'static) -> Self {
        Self(Arc::new(queue))
    }
}

impl InboundQueue for Queue {
    async fn keep(&self, packed: &Envelope) -> Result<(), QueueError> {
        Keeps::keep(&*self.0, packed).await
    }
}
