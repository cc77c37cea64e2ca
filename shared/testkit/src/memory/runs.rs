//! Runs and the due index in memory.

use std::cmp::Reverse;

use stagepost_app::ports::{CommitError, DueItem, Page, RunStore, StoreError};
use stagepost_domain::Timestamp;
use stagepost_domain::event::Event;
use stagepost_domain::id::{OrderId, ShopId};
use stagepost_domain::run::{Run, RunId, RunState};

use super::inbound::same_report;
use super::{MemoryStore, StoredEvent, bad_cursor, expired};

impl RunStore for MemoryStore {
    async fn update_run(&self, id: &RunId, expected: &Run, next: &Run) -> Result<Event, CommitError> {
        self.write(|state| {
            let stored = state.events.get_mut(&(id.order.clone(), id.seq)).ok_or(CommitError::LostRace)?;
            match stored.event.runs.get_mut(&id.key) {
                Some(run) if run == next => {}
                Some(run) if run == expected => {
                    *run = next.clone();
                    stored.place();
                    if let RunState::Pending { .. } = next.state {
                        stored.due = stored.event.due();
                    }
                }
                _ => return Err(CommitError::LostRace),
            }
            Ok(stored.event.clone())
        })
    }

    async fn add_run(&self, id: &RunId, run: &Run) -> Result<Event, CommitError> {
        self.write(|state| {
            let stored = state.events.get_mut(&(id.order.clone(), id.seq)).ok_or(CommitError::LostRace)?;
            match stored.event.runs.get(&id.key) {
                Some(there) if there == run => {}
                Some(_) => return Err(CommitError::LostRace),
                None => {
                    stored.event.runs.insert(id.key.clone(), run.clone());
                    stored.due = stored.event.due();
                }
            }
            Ok(stored.event.clone())
        })
    }

    async fn webhook_body(
        &self,
        order: &OrderId,
        seq: u64,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let state = self.lock();
        let key = (order.clone(), seq);
        let stands = state.events.get(&key).is_some_and(|stored| !expired(stored.event.at, now));
        Ok(state.bodies.get(&key).filter(|_| stands).cloned())
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueItem>, StoreError> {
        let state = self.lock();
        let events = state
            .events
            .values()
            .filter_map(|stored| stored.due.map(|due| (due, DueItem::Event(Box::new(stored.event.clone())))));
        let parked = state
            .parked
            .iter()
            .filter_map(|stored| stored.due.map(|due| (due, DueItem::Parked(stored.fact.clone()))));
        let jobs = state
            .jobs
            .values()
            .filter_map(|stored| stored.due.map(|due| (due, DueItem::Job(Box::new(stored.job.clone())))));
        let mut due: Vec<_> = events.chain(parked).chain(jobs).filter(|(due, _)| *due <= now).collect();
        due.sort_by_key(|(due, _)| *due);
        Ok(due.into_iter().map(|(_, item)| item).take(limit).collect())
    }

    async fn attention(
        &self,
        shop: &ShopId,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Event>, StoreError> {
        let skip = cursor.map_or(Ok(0), |c| c.parse::<usize>().map_err(|_| bad_cursor()))?;
        let state = self.lock();
        let events = state.events.values().map(|stored| &stored.event).filter(|e| e.shop == *shop);
        let mut found: Vec<_> =
            events.filter_map(|e| e.wants_attention().map(|at| (at, e.clone()))).collect();
        found.sort_by_key(|(at, e)| Reverse((*at, e.order.clone(), e.seq)));
        let more = found.len() > skip.saturating_add(limit);
        let items = found.into_iter().map(|(_, e)| e).skip(skip).take(limit).collect();
        Ok(Page { items, next: more.then(|| skip.saturating_add(limit).to_string()) })
    }

    async fn set_due(&self, item: &DueItem, due: Option<Timestamp>) -> Result<(), StoreError> {
        self.write_plain(|state| match item {
            DueItem::Event(event) => {
                if let Some(stored) = state.events.get_mut(&(event.order.clone(), event.seq))
                    && stored.event.runs == event.runs
                {
                    stored.due = due;
                }
            }
            DueItem::Job(job) => {
                if let Some(stored) = state.jobs.get_mut(&(job.shop.clone(), job.id.clone()))
                    && stored.job == **job
                {
                    stored.due = due;
                }
            }
            DueItem::Parked(fact) => {
                if let Some(stored) = state.parked.iter_mut().find(|s| same_report(&s.fact, fact)) {
                    stored.due = due;
                }
            }
        })
    }
}

impl StoredEvent {
    /// Out of the index when the last run has ended, back in when one is opened again.
    fn place(&mut self) {
        match self.event.due() {
            None => self.due = None,
            Some(due) if self.due.is_none() => self.due = Some(due),
            Some(_) => {}
        }
    }
}
