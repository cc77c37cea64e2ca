//! Jobs. Their version is their condition; an open one has its place in the due index.

use stagepost_app::ports::{CommitError, JobStore, Page, StoreError};
use stagepost_domain::id::{JobId, ShopId};
use stagepost_domain::job::{Job, JobState};

use crate::expression::{Expression, absent};
use crate::keys::{self, Key};
use crate::row::{Row, document, expire, key_row, number, place_due, read_document};
use crate::store::{Bounds, DynamoStore, Span, WriteError};

/// Longest page of a listing.
const PAGE_MAX: usize = 100;

impl JobStore for DynamoStore {
    async fn create_job(&self, job: &Job) -> Result<(), CommitError> {
        self.write_job(job, absent()).await
    }

    async fn job(&self, shop: &ShopId, id: &JobId) -> Result<Option<Job>, StoreError> {
        self.get(&keys::job(shop, id)).await?.map(read_document).transpose()
    }

    async fn jobs(&self, shop: &ShopId, cursor: Option<&str>, limit: usize) -> Result<Page<Job>, StoreError> {
        let start = cursor.map(|c| keys::parse_cursor(c, |id| JobId::parse(id).ok())).transpose()?;
        let span = Span {
            index: None,
            pk: keys::shop_pk(shop),
            sk: Bounds::Prefix(keys::JOBS.to_owned()),
            newest_first: true,
            start: start.map(|id| key_row(&keys::job(shop, &id))),
        };
        let limit = limit.clamp(1, PAGE_MAX);
        let rows = self.query(&span, limit.saturating_add(1)).await?;
        let more = rows.len() > limit;
        let items = rows.into_iter().take(limit).map(read_document).collect::<Result<Vec<Job>, _>>()?;
        let next = items.last().filter(|_| more).map(|job| keys::cursor(job.id.as_str()));
        Ok(Page { items, next })
    }

    async fn update_job(&self, next: &Job) -> Result<(), CommitError> {
        let was = number(next.version.saturating_sub(1));
        self.write_job(next, Expression::condition("#v = :was").name("v", "v").value("was", was)).await
    }
}

impl DynamoStore {
    async fn write_job(&self, job: &Job, condition: Expression) -> Result<(), CommitError> {
        match self.put(to_row(job)?, Some(condition)).await {
            Ok(()) => Ok(()),
            // Our own write, whose answer was lost.
            Err(WriteError::Condition(there)) => match there.map(read_document::<Job>).transpose()? {
                Some(there) if there == *job => Ok(()),
                _ => Err(CommitError::LostRace),
            },
            Err(WriteError::Other(error)) => Err(error),
        }
    }
}

/// The item of a job as it is now.
pub(crate) fn to_row(job: &Job) -> Result<Row, StoreError> {
    let key: Key = keys::job(&job.shop, &job.id);
    let mut row = document(&key, job)?;
    row.insert("v".to_owned(), number(job.version));
    match (job.due(), &job.state) {
        (Some(due), _) => place_due(&mut row, &key, due),
        (
            None,
            JobState::Done { at }
            | JobState::Failed { at, .. }
            | JobState::Cancelled { at }
            | JobState::Waiting { due: at }
            | JobState::Running { until: at, .. },
        ) => expire(&mut row, *at),
    }
    Ok(row)
}
