//! An order's fulfillment: epochs, attribution, and the lock that is the only right to call the platform.
//!
//! Every fulfillment seen gets one attribution by identity. The order moves only on the edge
//! *unfulfilled → fulfilled* attributed to *theirs*, once per epoch; the edge of our own write moves
//! nothing, however many notifications it makes (laws 2, 5, 6, 7).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::fact::{Coverage, FulfillmentSeen, Settlement, ShipmentId, ShipmentSeen};
use crate::flow::FulfilledWhen;
use crate::id::AttemptId;
use crate::package::Report;
use crate::run::{RunId, RunKey, later};

/// Most fulfillments remembered of one order.
pub const SHIPMENTS_MAX: usize = 50;

/// Whose a fulfillment is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "whose", rename_all = "snake_case")]
pub enum Attribution {
    /// Made by one of our runs.
    Ours {
        /// The run's event.
        seq: u64,
    },
    /// Made by somebody else on the platform.
    Theirs,
    /// Seen while our lock was held: the runner's finishing write will tell.
    Undetermined,
}

/// A fulfillment as remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    /// High-water mark.
    pub mark: Timestamp,
    /// False once it was cancelled.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub active: bool,
    /// Whose.
    #[serde(flatten)]
    pub by: Attribution,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_true(b: &bool) -> bool {
    *b
}

/// The order's exclusive right to call its platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The event of the run that holds it.
    pub seq: u64,
    /// The run.
    pub run: RunKey,
    /// The attempt.
    pub attempt: AttemptId,
    /// When this run first took it: what the platform shows since then may be ours.
    pub since: Timestamp,
    /// After this the attempt is presumed dead and the same run may take it again.
    pub until: Timestamp,
}

/// Why the lock was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockRefused {
    /// Nothing remains to fulfill.
    Fulfilled {
        /// Whose it was.
        by: Attribution,
        /// When.
        at: Option<Timestamp>,
    },
    /// Another attempt or run holds it.
    Held {
        /// Its lease.
        until: Timestamp,
    },
}

/// What observing a fact changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// Something is different now.
    pub changed: bool,
    /// A cancellation opened a new epoch.
    pub reopened: bool,
    /// The edge unfulfilled → fulfilled, with whose it was; at most once per epoch.
    pub edge: Option<Attribution>,
    /// The fulfillments that were new or changed.
    pub shipments: Vec<ShipmentId>,
    /// Some did not fit.
    pub overflow: bool,
}

/// The fulfillment state of an order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fulfillment {
    /// Counts explicit cancellations.
    #[serde(default)]
    pub epoch: u32,
    /// How much is fulfilled in this epoch.
    #[serde(default)]
    pub coverage: Coverage,
    /// Whose the completing fulfillment of this epoch is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Attribution>,
    /// When it was completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The edge of this epoch has been decided.
    #[serde(default)]
    pub edge_spent: bool,
    /// Every fulfillment seen.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shipments: BTreeMap<ShipmentId, Shipment>,
    /// What the platform reported last of fulfillments whose parcels it has not named yet; without its words,
    /// which may name a person.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reports: BTreeMap<ShipmentId, Report>,
    /// Held while a run calls the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
}

impl Fulfillment {
    /// Whether nothing remains to fulfill, and then whose and when.
    #[must_use]
    pub fn complete(&self) -> Option<(Attribution, Option<Timestamp>)> {
        (self.coverage == Coverage::Complete)
            .then(|| (self.by.clone().unwrap_or(Attribution::Theirs), self.at))
    }

    /// Compares a fulfillment told on its own with what is stored. It never completes an order: one
    /// fulfillment cannot know what remains.
    #[must_use]
    pub fn observe_shipment(
        &self,
        seen: &ShipmentSeen,
        edited: bool,
        rule: FulfilledWhen,
    ) -> (Self, Observed) {
        let mut next = self.clone();
        let mut observed = Observed::default();
        next.note_shipment(seen, edited, None, rule, &mut observed);
        if observed.changed && !observed.reopened && seen.active {
            next.coverage = next.coverage.max(Coverage::Partial);
        }
        if next.gained_on(self, &observed) {
            observed.edge = next.take_edge(rule);
        }
        (next, observed)
    }

    /// Compares an order's fulfillment with what is stored. The caller has already refused older facts.
    /// `marked`: the run of this order whose mark the platform shows.
    #[must_use]
    pub fn observe(
        &self,
        seen: &FulfillmentSeen,
        seen_at: Timestamp,
        newer: bool,
        edited: &BTreeSet<ShipmentId>,
        marked: Option<&RunId>,
        rule: FulfilledWhen,
    ) -> (Self, Observed) {
        let mut next = self.clone();
        let mut observed = Observed::default();
        for shipment in &seen.shipments {
            next.note_shipment(shipment, edited.contains(&shipment.id), marked, rule, &mut observed);
        }
        if seen.reopened && newer && next.coverage == Coverage::Complete && next.told_before(seen_at) {
            // A platform that says "open again" in so many words takes back all it said before.
            next.shipments.values_mut().for_each(|s| s.active = false);
            next.open_epoch(rule, &mut observed);
        }
        if next.counts_cancelled(seen) {
            // Older than a cancellation that we know of: what it says of the whole is out of date.
        } else if observed.reopened && self.knows_better(seen, seen_at) {
            next.keep_epoch_of(self, &mut observed);
        } else if observed.reopened {
            next.coverage = seen.coverage;
        } else if seen.coverage > next.coverage {
            // Absence never lowers it, an added line never lowers it: only an explicit cancellation does.
            next.coverage = seen.coverage;
            observed.changed = true;
        }
        next.name_completion(seen_at);
        if next.gained_on(self, &observed) {
            observed.edge = next.take_edge(rule);
        }
        (next, observed)
    }

    /// When the newest of what stands was told last, if any of it was told by its platform itself.
    pub(crate) fn last_told(&self) -> Option<Timestamp> {
        let standing = self.shipments.values().filter(|s| s.active).map(|s| s.mark);
        standing.max().filter(|mark| *mark > Timestamp::UNIX_EPOCH)
    }

    /// Whether everything that counts was told before `at`: only a newer word takes it back.
    fn told_before(&self, at: Timestamp) -> bool {
        self.shipments.values().filter(|s| s.active).all(|s| s.mark < at)
    }

    /// Whether the order was completed anew, which the fact does not know of and which is not older than it.
    fn knows_better(&self, seen: &FulfillmentSeen, seen_at: Timestamp) -> bool {
        let listed = |id: &ShipmentId| seen.shipments.iter().any(|s| s.id == *id);
        let mut standing = self.shipments.iter().filter(|(_, s)| s.active).map(|(id, _)| id);
        standing.any(|id| id.completed_at().is_some_and(|at| at >= seen_at) && !listed(id))
    }

    /// What was cancelled was not what completes the order now.
    fn keep_epoch_of(&mut self, before: &Self, observed: &mut Observed) {
        (self.epoch, self.coverage, self.edge_spent) = (before.epoch, before.coverage, before.edge_spent);
        (self.by, self.at) = (before.by.clone(), before.at);
        observed.reopened = false;
    }

    /// Whether the fact still counts a fulfillment that is known to be cancelled.
    fn counts_cancelled(&self, seen: &FulfillmentSeen) -> bool {
        seen.shipments
            .iter()
            .any(|s| s.active && self.shipments.get(&s.id).is_some_and(|known| !known.active))
    }

    /// Whether more is fulfilled than before: an edge needs a step up. A cancellation that leaves a part,
    /// or a changed rule, is none.
    fn gained_on(&self, before: &Self, observed: &Observed) -> bool {
        let still_active = |id| self.shipments.get(id).is_some_and(|s: &Shipment| s.active);
        let left = match observed.reopened {
            false => before.coverage,
            true if before.shipments.iter().any(|(id, s)| s.active && still_active(id)) => Coverage::Partial,
            true => Coverage::None,
        };
        let one_more = self.shipments.iter().any(|(id, s)| s.active && !before.shipments.contains_key(id));
        self.coverage > left || one_more
    }

    /// Whose a fulfillment is that is seen for the first time. Under the lock only the mark of the very run
    /// that holds it tells at once; without the lock a mark may be left from an earlier completion.
    fn first_seen_by(&self, marked: Option<&RunId>) -> Attribution {
        match (&self.lock, marked) {
            (None, _) => Attribution::Theirs,
            (Some(lock), Some(run)) if lock.seq == run.seq && lock.run == run.key => {
                Attribution::Ours { seq: lock.seq }
            }
            (Some(_), _) => Attribution::Undetermined,
        }
    }

    /// `edited`: its packages differ from those stored.
    fn note_shipment(
        &mut self,
        seen: &ShipmentSeen,
        edited: bool,
        marked: Option<&RunId>,
        rule: FulfilledWhen,
        observed: &mut Observed,
    ) {
        let by = self.first_seen_by(marked);
        let full = self.shipments.len() >= SHIPMENTS_MAX;
        match self.shipments.get_mut(&seen.id) {
            Some(known) if seen.updated_at < known.mark => return,
            Some(known) if known.active == seen.active && !edited => return,
            // A cancelled fulfillment does not come back; only its packages may still be corrected.
            Some(known) if !known.active && seen.active => return,
            Some(known) => {
                let cancelled = known.active && !seen.active;
                known.mark = seen.updated_at;
                known.active = seen.active;
                if cancelled {
                    self.open_epoch(rule, observed);
                }
            }
            None if full => {
                observed.overflow = true;
                return;
            }
            None => {
                let shipment = Shipment { mark: seen.updated_at, active: seen.active, by };
                self.shipments.insert(seen.id.clone(), shipment);
            }
        }
        observed.changed = true;
        observed.shipments.push(seen.id.clone());
    }

    /// The edge comes back, unless what still stands is enough for it: then the order was fulfilled all along.
    fn open_epoch(&mut self, rule: FulfilledWhen, observed: &mut Observed) {
        self.epoch = self.epoch.saturating_add(1);
        let shipped = self.shipments.values().any(|s| s.active);
        self.coverage = if shipped { Coverage::Partial } else { Coverage::None };
        self.by = None;
        self.at = None;
        self.edge_spent &= edge_reached(rule, self.coverage);
        observed.reopened = true;
        observed.changed = true;
    }

    /// `seen_at` stands for when it was completed, where the fulfillments do not say.
    fn name_completion(&mut self, seen_at: Timestamp) {
        if self.coverage == Coverage::Complete && self.by.is_none() {
            let standing = self.shipments.iter().filter(|(_, s)| s.active);
            let completed = standing.filter_map(|(id, _)| id.completed_at()).max();
            self.by = Some(self.whose());
            self.at = Some(completed.unwrap_or(seen_at));
        }
    }

    /// Decides the edge once per epoch: ours if every active fulfillment is, theirs otherwise, nobody's
    /// yet while the lock is held.
    pub(crate) fn take_edge(&mut self, rule: FulfilledWhen) -> Option<Attribution> {
        if self.edge_spent || !edge_reached(rule, self.coverage) {
            return None;
        }
        let by = self.whose();
        if by == Attribution::Undetermined {
            return None;
        }
        self.edge_spent = true;
        Some(by)
    }

    fn whose(&self) -> Attribution {
        if self.lock.is_some() {
            return Attribution::Undetermined;
        }
        let mut active = self.shipments.values().filter(|s| s.active).map(|s| &s.by);
        match active.next() {
            Some(Attribution::Ours { seq }) if active.all(|by| matches!(by, Attribution::Ours { .. })) => {
                Attribution::Ours { seq: *seq }
            }
            _ => Attribution::Theirs,
        }
    }

    /// Takes the lock for one attempt, or takes it again after the same run's lease has passed.
    ///
    /// # Errors
    /// Nothing remains to fulfill, or another run or a live attempt holds it.
    pub fn locked(
        &self,
        seq: u64,
        run: &RunKey,
        attempt: &AttemptId,
        now: Timestamp,
        lease: SignedDuration,
    ) -> Result<Self, LockRefused> {
        let since = match &self.lock {
            Some(held) if held.seq == seq && held.run == *run && held.until <= now => held.since,
            Some(held) => return Err(LockRefused::Held { until: held.until }),
            // A completion that was seen under our own lock is for the runner to settle, not a reason to
            // stay away; without a lock, complete is complete.
            None => match self.complete() {
                Some((by, at)) => return Err(LockRefused::Fulfilled { by, at }),
                None => now,
            },
        };
        let until = later(now, lease);
        let lock = Lock { seq, run: run.clone(), attempt: attempt.clone(), since, until };
        Ok(Self { lock: Some(lock), ..self.clone() })
    }

    /// Keeps the lock of a run whose call got no answer until it looks again.
    #[must_use]
    pub fn lock_extended(&self, until: Timestamp) -> Self {
        let mut next = self.clone();
        if let Some(lock) = &mut next.lock {
            lock.until = until;
        }
        next
    }

    /// Notes fulfillments that the platform has confirmed as made by our run while its lock goes on.
    pub fn note_ours(&mut self, ids: &[ShipmentId], seq: u64) {
        let by = Attribution::Ours { seq };
        for id in ids.iter().take(SHIPMENTS_MAX) {
            let noted = Shipment { mark: mark_of(id), active: true, by: by.clone() };
            self.shipments.entry(id.clone()).or_insert(noted).by = by.clone();
        }
    }

    /// The runner's finishing write: releases the lock and attributes everything seen under it.
    #[must_use]
    pub fn settled(
        &self,
        seq: u64,
        found: &Settlement,
        now: Timestamp,
        rule: FulfilledWhen,
    ) -> (Self, Observed) {
        let mut next = self.clone();
        let mut observed = Observed { changed: true, ..Observed::default() };
        next.lock = None;
        let (ids, gone, by, coverage): (&[_], &[_], _, _) = match found {
            Settlement::Ours { shipments, gone, coverage } => {
                (shipments, gone, Attribution::Ours { seq }, *coverage)
            }
            Settlement::Theirs { shipments, gone, coverage, .. } => {
                (shipments, gone, Attribution::Theirs, *coverage)
            }
            Settlement::Nothing => (&[], &[], Attribution::Theirs, next.coverage),
        };
        next.note_gone(gone, &by, rule, &mut observed);
        for id in ids.iter().take(SHIPMENTS_MAX) {
            next.named(id, &by);
        }
        for (id, shipment) in &mut next.shipments {
            if shipment.by == Attribution::Undetermined {
                shipment.by = Attribution::Theirs;
                observed.shipments.push(id.clone());
            }
        }
        // What was cancelled while we waited for the answer stays cancelled.
        let cancelled = ids.iter().any(|id| next.shipments.get(id).is_some_and(|s| !s.active));
        if !cancelled {
            next.coverage = next.coverage.max(coverage);
        }
        let ours = matches!(found, Settlement::Ours { .. });
        if ours && edge_reached(rule, coverage.min(next.coverage)) {
            next.edge_spent = true;
        }
        if ours && coverage >= next.coverage {
            // Our answer names the write that completed it: that is the edge, and it moves nothing.
            next.by = (next.coverage == Coverage::Complete).then_some(by);
            next.at = next.by.is_some().then(|| next.at.unwrap_or(now));
        } else {
            // Not ours, or a part of ours that others completed while we waited for the answer.
            next.by = None;
            next.name_completion(next.at.unwrap_or(now));
            observed.edge = next.take_edge(rule);
        }
        (next, observed)
    }

    /// What the platform shows as cancelled. A notification may tell it later, or may still tell of it as
    /// standing: neither is then taken for a completion.
    fn note_gone(
        &mut self,
        gone: &[ShipmentId],
        by: &Attribution,
        rule: FulfilledWhen,
        observed: &mut Observed,
    ) {
        let mut stood = false;
        for id in gone.iter().take(SHIPMENTS_MAX) {
            stood |= self.shipments.get(id).is_some_and(|known| known.active);
            self.named(id, by).active = false;
        }
        if stood {
            self.open_epoch(rule, observed);
        }
    }

    /// The fulfillment, as attributed by the runner. What is known as ours stays ours.
    fn named(&mut self, id: &ShipmentId, by: &Attribution) -> &mut Shipment {
        let unheard = || Shipment { mark: mark_of(id), active: true, by: by.clone() };
        let shipment = self.shipments.entry(id.clone()).or_insert_with(unheard);
        if !matches!(shipment.by, Attribution::Ours { .. }) {
            shipment.by = by.clone();
        }
        shipment
    }
}

fn edge_reached(rule: FulfilledWhen, coverage: Coverage) -> bool {
    match rule {
        FulfilledWhen::Complete => coverage == Coverage::Complete,
        FulfilledWhen::First => coverage > Coverage::None,
    }
}

/// The high-water mark of a fulfillment that only an answer of the platform has told: its completion time
/// where that is its identity (`completed@…`), else the beginning of time. Never by our own clock: marks are
/// compared with the platform's.
fn mark_of(id: &ShipmentId) -> Timestamp {
    id.completed_at().unwrap_or(Timestamp::UNIX_EPOCH)
}
