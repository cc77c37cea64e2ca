//! The end of a world: nothing fails any more, everything outstanding is delivered, every person does what
//! is theirs, and the sweep goes on until there is nothing left to do.

use std::collections::BTreeSet;

use stagepost_app::ports::{Clock, RunStore};
use stagepost_domain::event::Action;
use stagepost_domain::fact::Fact;
use stagepost_domain::run::{RunId, RunState, later};
use stagepost_domain::{SignedDuration, Timestamp};

use super::work::Work;
use super::world::{World, at_once};
use crate::build;

/// More rounds than any schedule of attempts is long.
const ROUNDS_MAX: usize = 400;
/// The sweep comes every minute.
const MINUTE: SignedDuration = SignedDuration::from_secs(60);

impl World {
    /// Brings everything to its end. `each` is called after every step with what it did.
    pub fn settle<E>(&mut self, mut each: impl FnMut(&mut Self, String) -> Result<(), E>) -> Result<bool, E>
    where
        E: From<String>,
    {
        self.dice.calm_down();
        let mut pressed = BTreeSet::new();
        for task in std::mem::take(&mut self.tasks) {
            let said = self.kill(task);
            each(self, said)?;
        }
        for source in self.own.clone() {
            let work = self.upsert(source);
            let said = self.begin(work)?;
            each(self, said)?;
        }
        for _ in 0..ROUNDS_MAX {
            let Some(next) = self.next_time() else {
                let wishes = self.last_wishes(&mut pressed);
                if wishes.is_empty() {
                    return Ok(true);
                }
                for wish in wishes {
                    let said = self.begin(wish)?;
                    each(self, said)?;
                }
                continue;
            };
            let wait = next.duration_since(self.now()).max(SignedDuration::ZERO);
            // Things come in their turn, but not to the second.
            let said = format!("finale: {} s pass{}", wait.as_secs(), self.pass(wait));
            each(self, said)?;
            while let Some(work) = self.outstanding() {
                let said = self.begin(work)?;
                each(self, said)?;
            }
            let said = self.begin(Work::Wake)?;
            each(self, said)?;
            for release in self.releases() {
                let said = self.begin(release)?;
                each(self, said)?;
            }
            while let Some(work) = self.outstanding() {
                let said = self.begin(work)?;
                each(self, said)?;
            }
            self.pass(MINUTE);
        }
        Ok(false)
    }

    /// When something is due next: a notification, a message, or an entry of the due index.
    fn next_time(&self) -> Option<Timestamp> {
        let notes = self.ground.inbox.open().iter().map(|n| n.not_before).min();
        let rings = self.hands.bell.queue.open().iter().map(|m| m.not_before).min();
        let records = (!self.hands.core.store.stream.open().is_empty()).then(|| self.now());
        // The index does not tell when; minutes, then hours are tried until something is due.
        let index = (0..40).map(|n| later(self.now(), MINUTE * (1 << n.min(14)) - MINUTE)).find(|at| {
            at_once(self.store.due(*at, 1)).and_then(Result::ok).is_some_and(|due| !due.is_empty())
        });
        [notes, rings, records, index].into_iter().flatten().min()
    }

    fn outstanding(&self) -> Option<Work> {
        let now = self.clock.now();
        let record = self.hands.core.store.stream.take_one(&self.dice, |_| true);
        if let Some(event) = record {
            return Some(Work::Record(Box::new(event)));
        }
        if let Some(note) = self.ground.inbox.take_one(&self.dice, |n| n.not_before <= now) {
            return Some(Work::Note(note));
        }
        let message = self.hands.bell.queue.take_one(&self.dice, |m| m.not_before <= now)?;
        Some(Work::Ring(message))
    }

    /// Somebody looks at what is on hold, and releases it.
    fn releases(&self) -> Vec<Work> {
        let held = self.order_ids().into_iter().filter(|id| self.order(id).is_some_and(|o| o.hold.is_some()));
        held.map(|id| Work::Wish(id, Box::new(Fact::Resume { actor: build::person() }))).collect()
    }

    /// What people do when all is quiet: press Retry once where something failed that was not theirs to mend.
    fn last_wishes(&self, pressed: &mut BTreeSet<RunId>) -> Vec<Work> {
        let failed = self.runs(|state| matches!(state, RunState::Failed { .. }));
        failed
            .into_iter()
            .filter(|run| run.key.action() != Action::Email && pressed.insert(run.clone()))
            .map(|run| Work::Retry { run, accept_duplicate: false })
            .collect()
    }
}
