//! The table's stream: rings the doorbell for the runs of a new event, for a new job and for a mail that was asked
//! for, ids only, and keeps the search up to the event's order.
//!
//! Losing a record loses no work: event and job stand in the due index from birth, and `wake` rings for it. The
//! search is behind until the next event of the order's platform.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::dynamodb::{Event as StreamEvent, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use stagepost_app::dispatch::dispatch;
use stagepost_app::mail::ports::{AskedMail, AskedMailDoorbell};
use stagepost_app::ports::{Clock, Doorbell, JobDoorbell, SearchStore};
use stagepost_app::search::{concerns, keep};
use stagepost_domain::disposition::Disposition;
use stagepost_domain::event::Event;
use stagepost_domain::id::OrderId;
use stagepost_domain::job::Job;
use stagepost_domain::search::SearchKey;
use stagepost_dynamodb::Inserted;
use stagepost_lambda::metrics::{Figure, Figures};
use tokio::task::JoinSet;

/// Orders whose entries are looked at at a time: most of it is waiting for the table.
const CONCURRENCY: usize = 10;

/// What dispatch needs. To ring it needs no store, because the record carries the event.
pub struct Dispatch<S, D> {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The queues.
    pub doorbell: D,
    /// The search.
    pub store: S,
    /// Hashes e-mail addresses.
    pub key: SearchKey,
}

/// A new item, and the place of its record in the stream.
struct New {
    sequence: Option<String>,
    item: Inserted,
}

impl New {
    /// The order whose entries in the search may be behind because of it.
    fn concerned(&self) -> Option<&OrderId> {
        match &self.item {
            Inserted::Event(event) if concerns(event) => Some(&event.order),
            _ => None,
        }
    }
}

/// Works off one batch of stream records. From the first record that failed, all come back: what was done of
/// them is harmless to do again. Bells first: people wait for mails, nobody waits for the search.
pub async fn handle<S, D>(function: &Arc<Dispatch<S, D>>, batch: StreamEvent) -> DynamoDbEventResponse
where
    S: SearchStore + 'static,
    D: Doorbell + JobDoorbell + AskedMailDoorbell + 'static,
{
    let new: Vec<New> = batch.records.into_iter().filter_map(new_item).collect();
    let unrung = Box::pin(first_unrung(function, &new)).await;
    let rung = new.get(..unrung.unwrap_or(new.len())).unwrap_or_default();
    figures(rung).emit();
    let failed = behind(function, rung).await.or(unrung);
    let mut response = DynamoDbEventResponse::default();
    response.batch_item_failures = failed.and_then(|at| new.get(at)).map(failure).into_iter().collect();
    response
}

/// What the events count: wherever a move came from, a breaker that stopped it is told here.
fn figures(rung: &[New]) -> Figures {
    let tripped = rung.iter().filter(|new| matches!(&new.item, Inserted::Event(event) if event.tripped));
    tripped.fold(Figures::default(), |all, _| all.with(Figure::Held, 1))
}

/// Rings for each item; gives the place of the first that could not be rung for.
async fn first_unrung<S, D>(function: &Dispatch<S, D>, new: &[New]) -> Option<usize>
where
    D: Doorbell + JobDoorbell + AskedMailDoorbell,
{
    for (at, New { item, .. }) in new.iter().enumerate() {
        let rung = match item {
            Inserted::Event(event) => event_rung(function, event).await,
            Inserted::Job(job) => job_rung(function, job).await,
            Inserted::Mail(mail) => mail_rung(function, mail).await,
        };
        if !rung {
            return Some(at);
        }
    }
    None
}

async fn event_rung<S, D: Doorbell>(function: &Dispatch<S, D>, event: &Event) -> bool {
    match dispatch(&function.doorbell, event, function.clock.now()).await {
        Ok(rung) => {
            let (order, shop, tripped) = (&event.order, &event.shop, event.tripped);
            tracing::info!(%shop, %order, seq = event.seq, rung, tripped, "dispatch");
        }
        Err(error) => {
            tracing::error!(shop = %event.shop, order = %event.order, seq = event.seq, %error, "dispatch");
            return false;
        }
    }
    true
}

/// A job that waits for later is left to the sweep.
async fn job_rung<S, D: JobDoorbell>(function: &Dispatch<S, D>, job: &Job) -> bool {
    if job.due().is_none_or(|due| due > function.clock.now()) {
        return true;
    }
    match Box::pin(function.doorbell.ring_job(&job.shop, &job.id)).await {
        Ok(()) => tracing::info!(shop = %job.shop, job = %job.id, "dispatch"),
        Err(error) => {
            tracing::error!(shop = %job.shop, job = %job.id, %error, "dispatch");
            return false;
        }
    }
    true
}

/// Nothing but its record rings for a mail that was asked for: one that is lost is asked for again by whoever waits.
async fn mail_rung<S, D: AskedMailDoorbell>(function: &Dispatch<S, D>, mail: &AskedMail) -> bool {
    let asker = mail.asker();
    match Box::pin(function.doorbell.ring_asked_mail(&asker, &mail.id, Duration::ZERO)).await {
        Ok(()) => tracing::info!(%asker, mail = %mail.id, "dispatch"),
        Err(error) => {
            tracing::error!(%asker, mail = %mail.id, %error, "dispatch");
            return false;
        }
    }
    true
}

/// Keeps the search for the events' orders, each once; gives the place of the first event whose order is still
/// behind.
async fn behind<S, D>(function: &Arc<Dispatch<S, D>>, new: &[New]) -> Option<usize>
where
    S: SearchStore + 'static,
    D: Doorbell + JobDoorbell + AskedMailDoorbell + 'static,
{
    let orders: BTreeSet<OrderId> = new.iter().filter_map(New::concerned).cloned().collect();
    let orders: Vec<OrderId> = orders.into_iter().collect();
    let mut failed = BTreeSet::new();
    for some in orders.chunks(CONCURRENCY) {
        let mut tasks = JoinSet::new();
        for order in some.iter().cloned() {
            let function = Arc::clone(function);
            tasks.spawn(async move { (followed(&function, &order).await, order) });
        }
        for (followed, order) in tasks.join_all().await {
            if !followed {
                failed.insert(order);
            }
        }
    }
    new.iter().position(|new| new.concerned().is_some_and(|order| failed.contains(order)))
}

/// Whether the search is as good as it gets. What no trying again can read blocks nobody.
async fn followed<S: SearchStore, D>(function: &Dispatch<S, D>, order: &OrderId) -> bool {
    match keep(&function.store, &function.key, order).await {
        Ok(kept) => {
            tracing::debug!(%order, ?kept, "search");
            true
        }
        Err(error) => {
            tracing::error!(%order, %error, "the search is behind");
            error.disposition() == Disposition::Permanent
        }
    }
}

fn failure(new: &New) -> DynamoDbBatchItemFailure {
    let mut failure = DynamoDbBatchItemFailure::default();
    failure.item_identifier.clone_from(&new.sequence);
    failure
}

/// The item of an `INSERT` that somebody waits for; anything else is not for us. An item that cannot be read
/// blocks nobody: the due index still holds it, and reading it there tells of it.
fn new_item(record: EventRecord) -> Option<New> {
    if record.event_name != "INSERT" {
        return None;
    }
    let sequence = record.change.sequence_number.clone();
    match stagepost_dynamodb::inserted(record.change.new_image) {
        Ok(item) => item.map(|item| New { sequence, item }),
        Err(error) => {
            tracing::error!(%error, "a stream record cannot be read");
            None
        }
    }
}

#[cfg(test)]
mod tests;
