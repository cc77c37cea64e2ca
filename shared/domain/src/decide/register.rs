//! Which packages a carrier service is asked to report: each once, by the event that brings it.

use super::entry::staleness;
use super::{Draft, merged};
use crate::id::PackageId;
use crate::order::{Lifecycle, Order, Placement};
use crate::outcome::SkipReason;
use crate::package::Package;
use crate::run::{Run, RunKey, Target};

impl Draft<'_> {
    /// Plans one run for every package with a number that the order has come to hold: those that the event
    /// brings or brings back, and all of an order that comes into its first flow, or back from a cancellation.
    pub(super) fn register_packages(&mut self) {
        let registrar = self.context.playbook.and_then(|p| p.settings.registrar.as_ref());
        let (Some(registrar), true) = (registrar, is_placed(&self.order)) else { return };
        let (now, against) = (self.context.now, self.against_registering());
        for package in self.come_to_hold() {
            let key = RunKey::first(Target::RegisterTracker(registrar.carrier.clone(), package.id.clone()));
            let arrived = package.delivered().then_some(SkipReason::AlreadyDelivered);
            let run = match against.clone().or(arrived) {
                Some(why) => Run::skipped(now, why),
                None => {
                    self.set_registered_by(package);
                    Run::pending(now, registrar.version)
                }
            };
            self.runs.insert(key, run);
        }
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

    /// Why nothing is registered, as far as the order itself can tell (laws 3 and 4).
    fn against_registering(&self) -> Option<SkipReason> {
        let cancelled = self.order.lifecycle != Lifecycle::Open;
        self.silent
            .clone()
            .or_else(|| cancelled.then_some(SkipReason::OrderCancelled))
            .or_else(|| staleness(self.fact_at, self.context.now))
    }

    fn set_registered_by(&mut self, mut package: Package) {
        package.registered_by = Some(self.order.seq);
        match self.packages.iter_mut().find(|p| p.id == package.id) {
            Some(changed) => *changed = package,
            None => self.packages.push(package),
        }
    }
}

fn is_placed(order: &Order) -> bool {
    matches!(order.placement, Placement::Placed { .. })
}
