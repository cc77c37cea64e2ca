//! Runs and the due index in memory.

use stagepost_app::ports::{CommitError, DueItem, RunStore, StoreError};
use stagepost_domain::Timestamp;
use stagepost_domain::event::Event;
use stagepost_domain::id::OrderId;
use stagepost_domain::run::{Run, RunId, RunState};

use super::inbound::same_report;
use super::{MemoryStore, StoredEvent};

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

    async fn webhook_body(&self, order: &OrderId, seq: u64) -> Result<Option<String>, StoreError> {
        Ok(self.lock().bodies.get(&(order.clone(), seq)).cloned())
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
        let mut due: Vec<_> = events.chain(parked).filter(|(due, _)| *due <= now).collect();
        due.sort_by_key(|(due, _)| *due);
        Ok(due.into_iter().map(|(_, item)| item).take(limit).collect())
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
