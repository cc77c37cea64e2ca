//! Jobs of shops.

use stagepost_domain::id::{JobId, ShopId};
use stagepost_domain::job::Job;

use super::errors::{CommitError, StoreError};
use super::orders::Page;

/// Jobs of shops. An open one stands in the due index.
pub trait JobStore: Send + Sync {
    /// Keeps a new job; one with its id is a lost race.
    fn create_job(&self, job: &Job) -> impl Future<Output = Result<(), CommitError>> + Send;
    /// A job, strongly consistent.
    fn job(&self, shop: &ShopId, id: &JobId) -> impl Future<Output = Result<Option<Job>, StoreError>> + Send;
    /// A shop's jobs, newest first; what has ended is kept for 30 days.
    fn jobs(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Page<Job>, StoreError>> + Send;
    /// Replaces a job if it still has the version before this one's. The same write again is a success.
    fn update_job(&self, next: &Job) -> impl Future<Output = Result<(), CommitError>> + Send;
}
