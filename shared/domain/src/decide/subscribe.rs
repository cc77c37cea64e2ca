//! Which endpoints are told of an event because they subscribed to what it is.
//!
//! What is silent for customers is silent for programs, too: an import or a back-fill of ten thousand orders tells
//! nobody (laws 3 and 4).

use super::Draft;
use crate::event::Change;
use crate::order::Placement;
use crate::run::{Run, RunKey, Target};
use crate::shop::Playbook;
use crate::webhook::EventType;

impl Draft<'_> {
    /// Plans one message per subscriber and type; a stage's own call of an endpoint is not doubled.
    pub(super) fn tell_subscribers(&mut self, change: &Change) {
        let Some(playbook) = self.context.playbook else { return };
        let settings = &playbook.settings;
        if settings.subscribers.is_empty() || self.is_quiet(change) {
            return;
        }
        let (due, told) = (self.due(playbook), self.types(change));
        for (endpoint, wanted) in &settings.subscribers {
            let Some(version) = settings.endpoints.get(endpoint) else { continue };
            for told in told.iter().filter(|told| wanted.contains(told)) {
                let key = RunKey::first(Target::Webhook(endpoint.clone(), *told));
                self.runs
                    .entry(key)
                    .or_insert_with(|| Run { subscribed: true, ..Run::pending(due, *version) });
            }
        }
    }

    /// Plans the messages to subscribers of an earlier entry that have not been sent and never will: of a stage that
    /// the order returns to.
    pub(super) fn tell_after_all(&mut self, playbook: &Playbook, waited: impl Fn(&RunKey) -> bool) {
        let Some(entry) = self.context.entry else { return };
        let due = self.due(playbook);
        for (key, _) in entry.runs.iter().filter(|(key, run)| run.subscribed && waited(key)) {
            let Target::Webhook(endpoint, _) = &key.target else { continue };
            let Some(version) = playbook.settings.endpoints.get(endpoint) else { continue };
            let run = Run { subscribed: true, ..Run::pending(due, *version) };
            self.runs.entry(key.clone()).or_insert(run);
        }
    }

    fn is_quiet(&self, change: &Change) -> bool {
        let placed = matches!(self.order.placement, Placement::Placed { .. });
        let adopted = matches!(change, Change::Created { silent: true });
        !placed || adopted || self.silent.is_some() || self.silence(self.context.received_at).is_some()
    }

    /// What the event is.
    fn types(&self, change: &Change) -> Vec<EventType> {
        let arrived = |order: &crate::order::Order| order.packages.all_delivered();
        let moved = self.transition.is_some() && !matches!(change, Change::StageRetired);
        let delivered = arrived(&self.order) && !self.context.order.is_some_and(arrived);
        let is = [
            (EventType::Created, matches!(change, Change::Created { .. })),
            (EventType::Updated, is_update(change)),
            (EventType::StageEntered, moved),
            (EventType::Delivered, delivered),
        ];
        is.into_iter().filter(|(_, is)| *is).map(|(told, _)| told).collect()
    }
}

/// Whether the order itself says something else than before. Where it stands has a type of its own.
fn is_update(change: &Change) -> bool {
    match change {
        Change::Updated
        | Change::Fulfillment { .. }
        | Change::Package { .. }
        | Change::Shipment { .. }
        | Change::Packages
        | Change::Cancelled
        | Change::Trashed
        | Change::Reopened
        | Change::Held
        | Change::Resumed => true,
        Change::Created { .. }
        | Change::Moved
        | Change::Assigned
        | Change::StageRetired
        | Change::LinkRenewed
        | Change::Erased
        | Change::CarrierConnected => false,
    }
}
