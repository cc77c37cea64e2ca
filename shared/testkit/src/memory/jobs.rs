//! Jobs in memory.

use std::cmp::Reverse;

use stagepost_app::ports::{CommitError, JobStore, Page, StoreError};
use stagepost_domain::id::{JobId, ShopId};
use stagepost_domain::job::Job;

use super::{MemoryStore, State, StoredJob, bad_cursor};

impl JobStore for MemoryStore {
    async fn create_job(&self, job: &Job) -> Result<(), CommitError> {
        self.write(|state| match state.job(job) {
            Some(there) if there == job => Ok(()),
            Some(_) => Err(CommitError::LostRace),
            None => {
                state.put_job(job);
                Ok(())
            }
        })
    }

    async fn job(&self, shop: &ShopId, id: &JobId) -> Result<Option<Job>, StoreError> {
        Ok(self.lock().jobs.get(&(shop.clone(), id.clone())).map(|stored| stored.job.clone()))
    }

    async fn jobs(&self, shop: &ShopId, cursor: Option<&str>, limit: usize) -> Result<Page<Job>, StoreError> {
        let skip = cursor.map_or(Ok(0), |c| c.parse::<usize>().map_err(|_| bad_cursor()))?;
        let state = self.lock();
        let mut found: Vec<Job> =
            state.jobs.values().map(|s| &s.job).filter(|job| job.shop == *shop).cloned().collect();
        found.sort_by_key(|job| Reverse(job.id.clone()));
        let more = found.len() > skip.saturating_add(limit);
        let items = found.into_iter().skip(skip).take(limit).collect();
        Ok(Page { items, next: more.then(|| skip.saturating_add(limit).to_string()) })
    }

    async fn update_job(&self, next: &Job) -> Result<(), CommitError> {
        self.write(|state| match state.job(next) {
            Some(there) if there == next => Ok(()),
            Some(there) if there.version.saturating_add(1) == next.version => {
                state.put_job(next);
                Ok(())
            }
            _ => Err(CommitError::LostRace),
        })
    }
}

impl State {
    fn job(&self, like: &Job) -> Option<&Job> {
        self.jobs.get(&(like.shop.clone(), like.id.clone())).map(|stored| &stored.job)
    }

    pub(super) fn put_job(&mut self, job: &Job) {
        let stored = StoredJob { job: job.clone(), due: job.due() };
        self.jobs.insert((job.shop.clone(), job.id.clone()), stored);
    }
}
