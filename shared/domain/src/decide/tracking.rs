//! Parcels: carriers' reports, edits by hand, and the advance on delivery.

use super::manual::changed;
use super::{Context, Decision, Draft, Refused, merged};
use crate::event::{Actor, Cause, Change, Refusal, StageRef};
use crate::fact::{Coverage, PackageEdit, TrackingFact};
use crate::id::PackageId;
use crate::order::Order;
use crate::outcome::{IgnoreReason, NoOpReason};
use crate::package::{
    CHECKPOINTS_MAX, Checkpoint, PACKAGES_MAX, Package, PackagePatch, PackageSeen, Rollup, TrackingStatus,
    is_full, normalised_number,
};
use crate::text::tidy;

/// A carrier's report: newer than the parcel's mark, and never back from a delivery.
pub(super) fn tracked(context: Context<'_>, fact: &TrackingFact) -> Decision {
    let Some(order) = context.order else { return Decision::NoOp(NoOpReason::UnknownOrder) };
    let number = normalised_number(&fact.number);
    let known = context
        .packages
        .iter()
        .find(|p| p.seen.number.as_deref().is_some_and(|n| normalised_number(n) == number));
    let Some(package) = known else { return Decision::NoOp(NoOpReason::UnknownPackage) };
    if package.removed {
        return Decision::Ignored(IgnoreReason::PackageRemoved);
    }
    let detail = fact.detail.as_deref().and_then(|d| tidy(d, 200));
    let last = package.checkpoints.last().and_then(|c| c.detail.as_ref());
    let same = package.status == fact.status && last == detail.as_ref();
    match package.mark {
        // A delivery (or a return) is told once and holds for ever: a scan that its carrier dated later but
        // that came first does not hide it.
        Some(mark) if fact.occurred_at < mark && fact.status.rank() <= settled_rank(package) => {
            return Decision::NoOp(NoOpReason::Older);
        }
        _ if same => return Decision::NoOp(NoOpReason::Same),
        _ => {}
    }
    if fact.status.rank() < package.status.rank() && package.status.rank() >= TrackingStatus::Delivered.rank()
    {
        return Decision::Ignored(IgnoreReason::LateScan { status: package.status });
    }
    // Two scans of one moment: ordered by their content, so that either order of arrival ends the same.
    if package.mark == Some(fact.occurred_at) && (package.status, last) > (fact.status, detail.as_ref()) {
        return Decision::NoOp(NoOpReason::Older);
    }
    let next = scanned(package, fact, detail);
    let cause = Cause::Carrier { package: package.id.clone(), carrier: None };
    let mut draft = Draft::new(context, order.clone(), cause, Some(fact.occurred_at));
    draft.set_packages(vec![next.clone()]);
    draft.advance_if_delivered();
    changed(draft.finish(Change::Package { package: next.id, status: next.status }))
}

/// What a fact must outrank to count although it is older: at least the states before the delivery.
fn settled_rank(package: &Package) -> u8 {
    package.status.rank().max(TrackingStatus::InTransit.rank())
}

fn scanned(package: &Package, fact: &TrackingFact, detail: Option<String>) -> Package {
    let mut next = package.clone();
    next.status = fact.status;
    next.mark = next.mark.max(Some(fact.occurred_at));
    if fact.status == TrackingStatus::Delivered {
        next.delivered_at = Some(fact.occurred_at);
    }
    let carrier = fact.carrier.as_deref().and_then(|c| tidy(c, 60));
    next.seen.fill_from(&PackageSeen { number: None, url: fact.url.clone(), carrier });
    next.checkpoints.push(Checkpoint { at: fact.occurred_at, status: fact.status, detail });
    let extra = next.checkpoints.len().saturating_sub(CHECKPOINTS_MAX);
    next.checkpoints.drain(..extra);
    next
}

/// Packages added, corrected or taken away by hand.
pub(super) fn edited(context: Context<'_>, edit: &PackageEdit, actor: &Actor) -> Decision {
    let Some(order) = context.order else { return Decision::Refused(Refused::UnknownOrder) };
    let stored = context.packages;
    let edited = match edit {
        PackageEdit::Add(seen) => added(stored, seen),
        PackageEdit::Remove(id) => in_use(stored, id).map(|p| vec![taken_away(p)]),
        PackageEdit::Correct(id, patch) => in_use(stored, id).and_then(|p| exchanged(stored, p, patch)),
    };
    let next = match edited {
        Ok(next) if next.is_empty() => return Decision::NoOp(NoOpReason::Same),
        Ok(next) => next,
        Err(refused) => return Decision::Refused(refused),
    };
    let removed = next.iter().any(|p| p.removed);
    let cause = Cause::Manual { actor: actor.clone() };
    let mut draft = Draft::new(context, order.clone(), cause, None);
    draft.set_packages(next);
    if removed {
        draft.advance_if_delivered();
    }
    changed(draft.finish(Change::Packages))
}

fn in_use<'a>(stored: &'a [Package], id: &PackageId) -> Result<&'a Package, Refused> {
    stored.iter().find(|p| p.id == *id && !p.removed).ok_or(Refused::UnknownPackage)
}

/// Without its tag, no later notification brings it back.
fn taken_away(package: &Package) -> Package {
    Package { removed: true, shipment: None, ..package.clone() }
}

/// The package that an addition makes or changes, if it changes anything.
fn added(stored: &[Package], seen: &PackageSeen) -> Result<Vec<Package>, Refused> {
    Ok(match stored.iter().find(|p| p.id == seen.id()) {
        Some(p) if !p.removed => Some(corrected(p, seen)).filter(|next| next != p).into_iter().collect(),
        Some(p) => vec![Package { removed: false, shipment: None, ..corrected(p, seen) }],
        None if is_full(stored) => return Err(Refused::TooMany { limit: PACKAGES_MAX }),
        None => vec![Package::new(seen.clone(), None)],
    })
}

/// The package as corrected; one that becomes another is taken away for it.
fn exchanged(stored: &[Package], old: &Package, patch: &PackagePatch) -> Result<Vec<Package>, Refused> {
    let seen = patch.of(&old.seen).ok_or(Refused::EmptyPackage)?;
    if seen.id() == old.id {
        let next = Package { seen, ..old.clone() };
        return Ok(Some(next).filter(|next| next != old).into_iter().collect());
    }
    let gone = taken_away(old);
    let rest = merged(stored, std::slice::from_ref(&gone));
    let mut next = added(&rest, &seen)?;
    next.push(gone);
    Ok(next)
}

/// A known package with the carrier and link that a person gives it; what they leave out stays.
fn corrected(known: &Package, seen: &PackageSeen) -> Package {
    let mut next = known.clone();
    next.seen.carrier = seen.carrier.clone().or(next.seen.carrier);
    next.seen.url = seen.url.clone().or(next.seen.url);
    next
}

impl Draft<'_> {
    /// Takes changed packages in and counts anew.
    pub(super) fn set_packages(&mut self, mut packages: Vec<Package>) {
        if packages.is_empty() {
            return;
        }
        for fresh in
            packages.iter_mut().filter(|p| !self.context.packages.iter().any(|known| known.id == p.id))
        {
            fresh.told_at = Some(self.context.now);
        }
        let more = self.order.packages.more;
        self.order.packages = Rollup { more, ..Rollup::of(merged(self.context.packages, &packages).iter()) };
        self.packages = packages;
    }

    /// *Advance on Delivery*: all packages delivered and nothing left to ship.
    pub(super) fn advance_if_delivered(&mut self) {
        let Some(flow) = self.context.playbook.map(|p| &p.flow) else { return };
        let Some(target) = flow.delivery_stage().filter(|_| self.order.packages.all_delivered()) else {
            return;
        };
        if !all_arrived(&self.order) {
            let to = StageRef { id: target.id.clone(), name: target.name.clone() };
            self.refused = Some(Refusal { to, reason: IgnoreReason::NotAllShipped });
            return;
        }
        let target = target.id.clone();
        self.move_automatically(&target);
    }
}

/// All packages are delivered and none is to come: a partly fulfilled order still has parcels to ship, even
/// if all that are known have arrived.
pub(super) fn all_arrived(order: &Order) -> bool {
    order.packages.all_delivered() && order.fulfillment.coverage != Coverage::Partial
}
