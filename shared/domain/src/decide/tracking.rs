//! Parcels: carriers' reports, edits by hand, and the advance on delivery.

use jiff::{SignedDuration, Timestamp};

use super::manual::changed;
use super::seen::blank_order;
use super::{Context, Decision, Draft, Refused, merged};
use crate::event::{Actor, Cause, Change, Refusal, StageRef};
use crate::fact::{Coverage, PackageEdit, ShipmentId, ShipmentReport, TrackingFact};
use crate::fulfillment::SHIPMENTS_MAX;
use crate::id::PackageId;
use crate::order::{Order, Placement, Platform};
use crate::outcome::{IgnoreReason, NoOpReason};
use crate::package::{
    CHECKPOINTS_MAX, Checkpoint, PACKAGES_MAX, Package, PackagePatch, PackageSeen, Report, Rollup,
    TrackingStatus, is_full, normalised_number,
};
use crate::run::later;
use crate::text::tidy;

/// Longest words of a carrier that are kept, in bytes.
const DETAIL_MAX: usize = 200;
/// How far a time may be off that a carrier told without its zone.
const ZONES: SignedDuration = SignedDuration::from_hours(14);

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
    let detail = fact.detail.as_deref().and_then(|d| tidy(d, DETAIL_MAX));
    let scan = Checkpoint { at: fact.occurred_at, status: fact.status, detail, offset: fact.offset };
    let report = as_kept(order, scan);
    let mut next = match reported(package, &report) {
        Ok(next) => next,
        Err(refused) => return refused,
    };
    if of_another_parcel(order, fact) {
        return Decision::Ignored(IgnoreReason::BeforeOrder);
    }
    let carrier = fact.carrier.as_deref().and_then(|c| tidy(c, 60));
    next.seen.fill_from(&PackageSeen { number: None, url: fact.url.clone(), carrier });
    let cause = Cause::Carrier { package: package.id.clone(), carrier: None };
    let mut draft = Draft::new(context, order.clone(), cause, Some(fact.occurred_at));
    draft.set_packages(vec![next.clone()]);
    draft.advance_if_delivered();
    changed(draft.finish(Change::Package { package: next.id, status: next.status }))
}

/// The scan as the order keeps it: a carrier's words may name who took the parcel in (law 19).
fn as_kept(order: &Order, mut scan: Checkpoint) -> Checkpoint {
    scan.detail = scan.detail.filter(|_| order.erased.is_none());
    scan
}

/// Whether the report is from before its order existed: carriers give a number anew, and this is of the parcel that
/// had it then. An order of the API may be written after its parcels left, and of one that only a fulfillment told of
/// nobody knows yet when it was created.
fn of_another_parcel(order: &Order, fact: &TrackingFact) -> bool {
    let dated = order.source.platform != Platform::Api && order.placement != Placement::Awaiting;
    dated && later(fact.occurred_at, ZONES) < order.created_at
}

/// A platform's report of a fulfillment's parcels: the same rules, for each of them. Where it has not told of
/// the parcels yet, or of the order itself, the report is kept on the order until it does.
pub(super) fn shipment_reported(context: Context<'_>, fact: &ShipmentReport) -> Decision {
    let order = context.order.cloned().unwrap_or_else(|| {
        blank_order(context, fact.source.clone(), fact.source.external_id.clone(), fact.report.at)
    });
    if order.fulfillment.shipments.get(&fact.shipment).is_some_and(|s| !s.active) {
        return Decision::Ignored(IgnoreReason::PackageRemoved);
    }
    let parcels = context.packages.iter().filter(|p| !p.removed);
    let parcels: Vec<_> = parcels.filter(|p| p.shipment.as_deref() == Some(&fact.shipment.0)).collect();
    let Some(first) = parcels.first() else { return kept(context, order, fact) };
    let cause = Cause::Carrier { package: first.id.clone(), carrier: None };
    let (mut next, mut refused) = (Vec::new(), Vec::new());
    let report = as_kept(&order, fact.report.clone());
    for outcome in parcels.iter().map(|p| reported(p, &report)) {
        match outcome {
            Ok(package) => next.push(package),
            Err(why) => refused.push(why),
        }
    }
    if next.is_empty() {
        // What a rule refuses is kept for people to see; a duplicate is not.
        let told = refused.iter().position(|why| matches!(why, Decision::Ignored(_))).unwrap_or_default();
        return refused.swap_remove(told);
    }
    let mut draft = Draft::new(context, order, cause, Some(fact.report.at));
    draft.order.fulfillment.reports.remove(&fact.shipment);
    draft.set_packages(next);
    draft.advance_if_delivered();
    changed(draft.finish(told_of(&fact.shipment, fact.report.status)))
}

/// The report waits on the order, where the parcels will find it.
fn kept(context: Context<'_>, order: Order, fact: &ShipmentReport) -> Decision {
    let reports = &order.fulfillment.reports;
    let known = reports.get(&fact.shipment);
    let report = Report { status: fact.report.status, at: fact.report.at };
    if let Err(refused) = weighed(&known.map(Standing::of_report).unwrap_or_default(), &report.into()) {
        return refused;
    }
    if known.is_none() && reports.len() >= SHIPMENTS_MAX {
        return Decision::Ignored(IgnoreReason::TooMany { limit: SHIPMENTS_MAX });
    }
    let cause = Cause::Platform { channel: fact.source.channel.clone() };
    let mut draft = Draft::new(context, order, cause, Some(fact.report.at));
    draft.order.fulfillment.reports.insert(fact.shipment.clone(), report);
    changed(draft.finish(told_of(&fact.shipment, fact.report.status)))
}

fn told_of(shipment: &ShipmentId, status: TrackingStatus) -> Change {
    Change::Shipment { shipment: shipment.clone(), status }
}

/// What is known of a parcel when a report of it comes.
#[derive(Default)]
struct Standing<'a> {
    status: TrackingStatus,
    mark: Option<Timestamp>,
    detail: Option<&'a String>,
}

impl<'a> Standing<'a> {
    fn of_package(package: &'a Package) -> Self {
        let detail = package.checkpoints.last().and_then(|c| c.detail.as_ref());
        Self { status: package.status, mark: package.mark, detail }
    }

    fn of_report(report: &Report) -> Self {
        Self { status: report.status, mark: Some(report.at), detail: None }
    }

    /// What a report must outrank to count although it is older: at least the states before the delivery.
    fn settled_rank(&self) -> u8 {
        self.status.rank().max(TrackingStatus::InTransit.rank())
    }
}

/// Whether a report counts beside what stands, or what it is instead.
fn weighed(known: &Standing<'_>, report: &Checkpoint) -> Result<(), Decision> {
    let detail = report.detail.as_ref();
    match known.mark {
        // A delivery (or a return) is told once and holds for ever: a scan that its carrier dated later but
        // that came first does not hide it.
        Some(mark) if report.at < mark && report.status.rank() <= known.settled_rank() => {
            return Err(Decision::NoOp(NoOpReason::Older));
        }
        // Without words of its own, a report of a known state says nothing.
        _ if known.status == report.status && (detail.is_none() || known.detail == detail) => {
            return Err(Decision::NoOp(NoOpReason::Same));
        }
        _ => {}
    }
    let arrived = known.status.rank() >= TrackingStatus::Delivered.rank();
    if arrived && report.status.rank() < known.status.rank() {
        return Err(Decision::Ignored(IgnoreReason::LateScan { status: known.status }));
    }
    // Two scans of one moment: ordered by their content, so that either order of arrival ends the same.
    if known.mark == Some(report.at) && (known.status, known.detail) > (report.status, detail) {
        return Err(Decision::NoOp(NoOpReason::Older));
    }
    Ok(())
}

/// The parcel with one more report, if it counts.
pub(super) fn reported(package: &Package, report: &Checkpoint) -> Result<Package, Decision> {
    weighed(&Standing::of_package(package), report)?;
    let mut next = package.clone();
    next.status = report.status;
    next.mark = next.mark.max(Some(report.at));
    if report.status == TrackingStatus::Delivered {
        next.delivered_at = Some(report.at);
    }
    next.checkpoints.push(report.clone());
    let extra = next.checkpoints.len().saturating_sub(CHECKPOINTS_MAX);
    next.checkpoints.drain(..extra);
    Ok(next)
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
