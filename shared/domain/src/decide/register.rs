//! Which packages a carrier service is asked to report: each once, by the event that brings it.

use super::entry::staleness;
use super::manual::changed;
use super::{Context, Decision, Draft, merged};
use crate::event::{Cause, Change};
use crate::id::PackageId;
use crate::order::{Lifecycle, Order, Placement};
use crate::outcome::{NoOpReason, SkipReason};
use crate::package::Package;
use crate::run::{Run, RunKey, Target};
use crate::shop::Registrar;

/// Has the parcels under way registered that the shop's carrier service does not report yet.
pub(super) fn carrier_connected(context: Context<'_>) -> Decision {
    let Some(order) = context.order else { return Decision::NoOp(NoOpReason::UnknownOrder) };
    let registrar = context.playbook.and_then(|p| p.settings.registrar.as_ref());
    let (Some(registrar), true) = (registrar, is_placed(order) && order.lifecycle == Lifecycle::Open) else {
        return Decision::NoOp(NoOpReason::Same);
    };
    let mut draft = Draft::new(context, order.clone(), Cause::Configuration, None);
    for package in context.packages.iter().filter(|p| is_unreported(p, registrar)) {
        draft.register(registrar, package.clone(), None);
    }
    match draft.runs.is_empty() {
        true => Decision::NoOp(NoOpReason::Same),
        false => changed(draft.finish(Change::CarrierConnected)),
    }
}

fn is_unreported(package: &Package, registrar: &Registrar) -> bool {
    let decided = match &package.registered_with {
        Some(with) => *with == registrar.carrier,
        None => package.registered_by.is_some(),
    };
    !package.removed && package.seen.number.is_some() && package.is_under_way() && !decided
}

impl Draft<'_> {
    /// Plans one run for every package with a number that the order has come to hold: those that the event
    /// brings or brings back, and all of an order that comes into its first flow, or back from a cancellation.
    pub(super) fn register_packages(&mut self) {
        let registrar = self.context.playbook.and_then(|p| p.settings.registrar.as_ref());
        let (Some(registrar), true) = (registrar, is_placed(&self.order)) else { return };
        let against = self.against_registering();
        for package in self.come_to_hold() {
            let arrived = package.delivered().then_some(SkipReason::AlreadyDelivered);
            self.register(registrar, package, against.clone().or(arrived));
        }
    }

    /// One run, or why there is none.
    fn register(&mut self, registrar: &Registrar, mut package: Package, against: Option<SkipReason>) {
        let now = self.context.now;
        let key = RunKey::first(Target::RegisterTracker(registrar.carrier.clone(), package.id.clone()));
        package.registered_with = Some(registrar.carrier.clone());
        let run = match against {
            Some(why) => Run::skipped(now, why),
            None => {
                package.registered_by = Some(self.order.seq);
                Run::pending(now, registrar.version)
            }
        };
        self.put_package(package);
        self.runs.insert(key, run);
    }

    fn come_to_hold(&self) -> Vec<Package> {
        let stored = self.context.packages;
        let was_followed = self
            .context
            .order
            .is_some_and(|order| is_placed(order) && !self.is_back_from_cancellation(order));
        let held = |id: &PackageId| was_followed && stored.iter().any(|p| p.id == *id && !p.removed);
        let all = merged(stored, &self.packages).into_iter();
        all.filter(|p| !p.removed && p.seen.number.is_some() && !held(&p.id)).collect()
    }

    fn is_back_from_cancellation(&self, before: &Order) -> bool {
        before.lifecycle != Lifecycle::Open && self.order.lifecycle == Lifecycle::Open
    }

    /// Why nothing is registered, as far as the order itself can tell (laws 3 and 4). What may have been registered
    /// before the table was restored is registered again: that is the same tracker, which is known here then.
    fn against_registering(&self) -> Option<SkipReason> {
        let cancelled = self.order.lifecycle != Lifecycle::Open;
        let silent = self.silent.clone().filter(|why| *why != SkipReason::BeforeRestore);
        silent
            .or_else(|| cancelled.then_some(SkipReason::OrderCancelled))
            .or_else(|| staleness(self.fact_at, self.context.now))
    }

    fn put_package(&mut self, package: Package) {
        match self.packages.iter_mut().find(|p| p.id == package.id) {
            Some(changed) => *changed = package,
            None => self.packages.push(package),
        }
    }
}

fn is_placed(order: &Order) -> bool {
    matches!(order.placement, Placement::Placed { .. })
}
