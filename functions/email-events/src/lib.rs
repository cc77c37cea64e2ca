//! What SES tells of mails that left: settles doubt, shows on the timeline, suppresses addresses.

mod record;

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use stagepost_app::Core;
use stagepost_app::mail::events::{EventStores, Listened, MailEvent, listen};
use stagepost_app::ports::{DeadLetters, Secrets};
use stagepost_domain::disposition::Disposition;
use stagepost_domain::search::SearchKey;
use stagepost_lambda::metrics::{Figure, Figures};
use stagepost_lambda::runner::{CONCURRENCY, bury};
use stagepost_lambda::sqs::{ComesBack, answer};

pub use record::{Unreadable, read};

/// How long the function may live.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// What the function needs.
pub struct EmailEvents<S, K, D> {
    /// Store, clock, ids.
    pub core: Core<S>,
    /// Seals suppressed addresses.
    pub secrets: K,
    /// Hashes them.
    pub key: SearchKey,
    /// For messages that nobody can read.
    pub dead: Arc<D>,
}

/// Answers one batch. What comes before its mail's sender has recorded an answer comes back; so does what the
/// store cannot take now.
pub async fn handle<S, K, D>(function: &Arc<EmailEvents<S, K, D>>, event: SqsEvent) -> SqsBatchResponse
where
    S: EventStores + 'static,
    K: Secrets + 'static,
    D: DeadLetters + 'static,
{
    answer(event, CONCURRENCY, |body| {
        let function = Arc::clone(function);
        async move { function.one(&body).await }
    })
    .await
}

impl<S: EventStores, K: Secrets, D: DeadLetters> EmailEvents<S, K, D> {
    async fn one(&self, body: &str) -> Result<Figures, ComesBack> {
        let told = match read(body) {
            Ok(Some(told)) => told,
            // Of a test mail, of another program's mail, or nothing that matters here.
            Ok(None) => return Ok(Figures::default()),
            Err(Unreadable) => return bury(&*self.dead, body).await.map(Figures::from),
        };
        match Box::pin(listen(&self.core, &self.secrets, &self.key, &told)).await {
            Ok(came_to) => Ok(heard(&told, came_to)),
            Err(error) if error.disposition() == Disposition::Permanent => {
                let (run, order) = (&told.run, &told.run.order);
                tracing::error!(%run, %order, %error, "a mail event cannot be taken in");
                bury(&*self.dead, body).await.map(Figures::from)
            }
            Err(error) => {
                let (run, order) = (&told.run, &told.run.order);
                tracing::warn!(%run, %order, %error, "a mail event comes back");
                Err(ComesBack)
            }
        }
    }
}

/// The line of a record that was taken in, and what it counts.
fn heard(told: &MailEvent, came_to: Listened) -> Figures {
    tracing::info!(run = %told.run, order = %told.run.order, word = ?told.word, ?came_to, "mail event");
    match came_to {
        Listened::Stopped => Figures::one(Figure::MailsStopped),
        Listened::Recorded | Listened::Nothing | Listened::Unknown => Figures::default(),
    }
}

#[cfg(test)]
mod tests;
