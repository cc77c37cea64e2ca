//! Which of the platform's fulfillments are of our own hand (law 5), by what we know of our calls.

use std::collections::BTreeSet;

use stagepost_domain::SignedDuration;
use stagepost_domain::event::Action;
use stagepost_domain::fact::{Coverage, ShipmentId};
use stagepost_domain::fulfillment::{Attribution, Lock, Shipment};
use stagepost_domain::order::Order;
use stagepost_domain::package::{Package, normalised_number};
use stagepost_domain::run::{Run, RunId, RunState, later};

use crate::ports::PlatformShipment;
use crate::run::lease;

/// The platform's clock may be behind ours by this much.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// A run that holds the lock of its order, and what is known of its calls.
pub(super) struct Hand<'a> {
    pub id: &'a RunId,
    pub order: &'a Order,
    pub run: &'a Run,
    pub lock: &'a Lock,
}

/// What of the run's own doing the platform shows.
pub(super) struct Seen {
    /// What stands.
    pub standing: Vec<ShipmentId>,
    /// What a person has undone since: the call did its work.
    pub taken_back: Vec<ShipmentId>,
}

impl Hand<'_> {
    /// Tells the run's own fulfillments from everybody else's: those that carry its id or that the platform
    /// has named as its before, and, after a call without an answer, those made since it holds the lock with
    /// tracking that it would have sent. `told`: the order's own packages, removed ones included.
    pub fn recognise(&self, shipments: &[PlatformShipment], told: &[Package]) -> Seen {
        let sent = Sent::of(told, self.lock);
        let (standing, gone): (Vec<_>, Vec<_>) =
            shipments.iter().filter(|s| self.made(s, &sent)).partition(|s| s.active);
        let ids = |shipments: Vec<&PlatformShipment>| shipments.into_iter().map(|s| s.id.clone()).collect();
        Seen { standing: ids(standing), taken_back: ids(gone) }
    }

    fn made(&self, shipment: &PlatformShipment, sent: &Sent) -> bool {
        let known = self.order.fulfillment.shipments.get(&shipment.id);
        if known.is_some_and(|known| known.by == ours(self.id.seq)) {
            return shipment.active || known.is_some_and(|known| undone(known, self.run));
        }
        let in_doubt = in_doubt(self.lock, self.run);
        let recent = in_doubt && shipment.created_at >= later(self.lock.since, -CLOCK_SKEW);
        match &shipment.marker {
            // A mark outlives what it marked.
            Some(marker) => *marker == self.id.to_string() && (shipment.active || recent),
            None => recent && known.map(|k| &k.by) != Some(&Attribution::Theirs) && sent.fits(shipment),
        }
    }
}

/// The tracking that a call since the lock was taken may have sent.
struct Sent {
    numbers: BTreeSet<String>,
    /// There may have been none.
    bare: bool,
}

impl Sent {
    fn of(told: &[Package], lock: &Lock) -> Self {
        // What a platform shows of a package that we sent: its number, or its link in the number's place.
        let shown = |p: &Package| p.seen.number.as_deref().or(p.seen.url.as_deref()).map(normalised_number);
        let came_since = |p: &Package| p.told_at.is_some_and(|at| at >= lock.since);
        Self {
            numbers: told.iter().filter_map(shown).collect(),
            bare: told.iter().all(|p| p.removed || came_since(p)),
        }
    }

    /// A package that came since the call was not sent: some of what we know is enough, and none if we may
    /// have known of none.
    fn fits(&self, shipment: &PlatformShipment) -> bool {
        let numbers: BTreeSet<String> = shipment.numbers.iter().map(|n| normalised_number(n)).collect();
        if numbers.is_empty() {
            self.bare
        } else {
            self.numbers.is_empty() || numbers.is_subset(&self.numbers)
        }
    }
}

fn ours(seq: u64) -> Attribution {
    Attribution::Ours { seq }
}

/// The run's own fulfillments that stand, as far as the order knows.
pub(super) fn ours_of(order: &Order, seq: u64) -> impl Iterator<Item = &ShipmentId> {
    order.fulfillment.shipments.iter().filter(move |(_, s)| s.by == ours(seq) && s.active).map(|(id, _)| id)
}

/// Whether the run had made it, and a person undid it, since it was last asked for: what was undone before
/// that is wanted again. `known`: as last told, which may be before it was undone.
fn undone(known: &Shipment, run: &Run) -> bool {
    match run.reopened_at {
        None => true,
        Some(_) if known.active => run.attempts > 1,
        Some(again) => known.mark > again,
    }
}

/// Whether the lock was taken again after its lease: its run had an attempt that went silent, or waits for
/// a call to become clear.
pub(super) fn taken_over(lock: &Lock) -> bool {
    lock.since < later(lock.until, -lease(Action::Fulfill))
}

/// Whether an earlier attempt may have called without hearing the answer. One that only took the lock has
/// not.
pub(super) fn in_doubt(lock: &Lock, claimed: &Run) -> bool {
    taken_over(lock) && claimed.attempts > 1
}

/// What an attempt wrote on the order before it could end its run: all was fulfilled, by us. It may have been
/// taken back since, which is no reason to do it again.
pub(super) fn settled_before(run: &Run, order: &Order, seq: u64) -> Option<String> {
    let words = |ids: &[&ShipmentId]| ids.iter().map(|id| id.0.as_str()).collect::<Vec<_>>().join(", ");
    let standing: Vec<_> = ours_of(order, seq).collect();
    if !standing.is_empty() && order.fulfillment.coverage == Coverage::Complete {
        return Some(format!("fulfilled: {}", words(&standing)));
    }
    let gone = |s: &Shipment| s.by == ours(seq) && !s.active && undone(s, run);
    let gone: Vec<_> =
        order.fulfillment.shipments.iter().filter(|(_, s)| gone(s)).map(|(id, _)| id).collect();
    let unrecorded = matches!(run.state, RunState::Claimed { .. });
    (unrecorded && !gone.is_empty()).then(|| format!("fulfilled, then taken back: {}", words(&gone)))
}

/// The packages that are told for the order itself. Those that a fulfillment on the platform brought belong
/// to that one: we send them with none of ours.
pub(super) fn loose(packages: Vec<Package>, shipments: &[PlatformShipment]) -> Vec<Package> {
    let brought =
        |p: &Package| p.shipment.as_ref().is_some_and(|tag| shipments.iter().any(|s| s.id.0 == *tag));
    packages.into_iter().filter(|p| !brought(p)).collect()
}
