//! What people and programs ask for: moves and releases.

use super::{Changeset, Context, Decision, Draft, Refused};
use crate::event::{Actor, Cause, Change};
use crate::fact::{Follows, MoveFact};
use crate::flow::{Flow, Stage};
use crate::id::StageId;
use crate::order::{Erasure, Hold, HoldReason, Lifecycle, Order, Placement, Snapshot};
use crate::outcome::{NoOpReason, SkipReason};
use crate::package::Package;

/// A move by hand goes anywhere, once, from the screen that was seen.
pub(super) fn moved(context: Context<'_>, fact: &MoveFact) -> Decision {
    let Some(order) = context.order else { return Decision::Refused(Refused::UnknownOrder) };
    let Placement::Placed { stage, visited, .. } = &order.placement else {
        return Decision::Refused(Refused::NotPlaced);
    };
    let Some(playbook) = context.playbook else { return Decision::Refused(Refused::NotPlaced) };
    let Some(to) = playbook.flow.stage(&fact.stage) else { return Decision::Refused(Refused::UnknownStage) };
    if order.seq != fact.expected_seq {
        return Decision::Refused(Refused::Stale { stage: order.stage().cloned(), seq: order.seq });
    }
    if playbook.flow.position(stage) == playbook.flow.position(&to.id) {
        return Decision::NoOp(NoOpReason::SameStage);
    }
    let by_program = matches!(fact.actor, Actor::ApiKey { .. });
    if by_program && order.hold.is_some() {
        return Decision::Refused(Refused::OnHold);
    }
    let entries = visited.get(&to.id).map_or(0, |v| v.automatic);
    let cause = Cause::Manual { actor: fact.actor.clone() };
    let mut draft = Draft::new(context, order.clone(), cause, None);
    let silent = match fact.follows {
        // A job's move was wanted when the job was.
        Follows::All => draft.silence(context.received_at),
        Follows::Nothing | Follows::WhatWaited { .. } => Some(SkipReason::Quiet),
    };
    if by_program && draft.trips_breaker(entries) {
        draft.hold(&to.id, silent);
        return changed(draft.finish(Change::Held));
    }
    draft.by_hand = Some(fact.actor.clone());
    draft.order.hold = order.hold.as_ref().and_then(|hold| kept(hold, &playbook.flow, to));
    match fact.follows {
        Follows::All | Follows::Nothing => draft.enter(playbook, to, silent),
        Follows::WhatWaited { .. } => draft.return_to(playbook, to),
    }
    changed(draft.finish(Change::Moved))
}

/// What is left of a hold when somebody moves the order to `to`. A person who does so has looked at it: that ends the
/// breaker's hold. One that somebody put stays until it is released, and keeps a move only if that leads on from there.
fn kept(hold: &Hold, flow: &Flow, to: &Stage) -> Option<Hold> {
    let HoldReason::Manual { .. } = hold.why else { return None };
    let ahead = |stage: &StageId| flow.position(stage) > flow.position(&to.id);
    if hold.pending.as_ref().is_some_and(ahead) {
        return Some(hold.clone());
    }
    Some(Hold { pending: None, pending_silent: None, ..hold.clone() })
}

/// Makes another link to the order's tracking page; the one before opens nothing any more.
pub(super) fn link_renewed(context: Context<'_>, actor: &Actor) -> Decision {
    let Some(order) = context.order else { return Decision::Refused(Refused::UnknownOrder) };
    let mut draft = Draft::new(context, order.clone(), Cause::Manual { actor: actor.clone() }, None);
    draft.order.links = order.links.saturating_add(1);
    changed(draft.finish(Change::LinkRenewed))
}

/// Takes the people out of an order, for good. What is told of them later is left out as well (law 19).
pub(super) fn erased(context: Context<'_>, actor: Option<&Actor>) -> Decision {
    let Some(order) = context.order else { return Decision::Refused(Refused::UnknownOrder) };
    let packages: Vec<Package> = context.packages.iter().filter_map(Package::without_words).collect();
    // Carriers' words were not always taken along.
    if order.erased.is_some() && packages.is_empty() {
        return Decision::NoOp(NoOpReason::Same);
    }
    let cause = actor.map_or(Cause::Configuration, |actor| Cause::Manual { actor: actor.clone() });
    let mut draft = Draft::new(context, order.clone(), cause, None);
    draft.order.erased = order.erased.or(Some(Erasure { at: context.now, seq: draft.order.seq }));
    draft.order.has_email = false;
    draft.snapshot = context.snapshot.map(Snapshot::without_people);
    draft.packages = packages;
    changed(draft.finish(Change::Erased))
}

/// Stops an order until somebody releases it: its runs wait, facts are still recorded.
pub(super) fn held(context: Context<'_>, actor: &Actor) -> Decision {
    let Some(order) = context.order else { return Decision::Refused(Refused::UnknownOrder) };
    if order.hold.is_some() {
        return Decision::NoOp(NoOpReason::AlreadyHeld);
    }
    let mut draft = Draft::new(context, order.clone(), Cause::Manual { actor: actor.clone() }, None);
    let why = HoldReason::Manual { by: actor.clone() };
    draft.order.hold = Some(Hold { at: context.now, why, pending: None, pending_silent: None });
    changed(draft.finish(Change::Held))
}

/// Releases a hold and applies the latest move that waited for it, once.
pub(super) fn resumed(context: Context<'_>, actor: &Actor) -> Decision {
    let Some(order) = context.order else { return Decision::Refused(Refused::UnknownOrder) };
    let Some(hold) = &order.hold else { return Decision::NoOp(NoOpReason::NotHeld) };
    let mut released: Order = order.clone();
    released.hold = None;
    if let (Placement::Placed { visited, .. }, HoldReason::Breaker { .. }) =
        (&mut released.placement, &hold.why)
    {
        visited.clear();
    }
    let mut draft = Draft::new(context, released, Cause::Manual { actor: actor.clone() }, None);
    draft.by_hand = Some(actor.clone());
    if let Some(playbook) = context.playbook
        && let Some(to) = still_wanted(order, hold, &playbook.flow)
    {
        draft.enter(playbook, to, hold.pending_silent.clone());
    }
    changed(draft.finish(Change::Resumed))
}

/// Where the move that waited leads, if it still does: forward by the positions of now (law 8), as when it was asked
/// for. The one that tripped the breaker may be a program's, and goes where that wanted.
fn still_wanted<'a>(order: &Order, hold: &Hold, flow: &'a Flow) -> Option<&'a Stage> {
    let (from, pending) = (order.stage()?, hold.pending.as_ref()?);
    let (here, there) = (flow.position(from), flow.position(pending));
    let leads_on = match &hold.why {
        HoldReason::Breaker { stage } if stage == pending => there != here,
        HoldReason::Breaker { .. } | HoldReason::Manual { .. } => there > here,
    };
    flow.stage(pending).filter(|_| leads_on && order.lifecycle == Lifecycle::Open)
}

pub(super) fn changed(changes: Changeset) -> Decision {
    Decision::Changed(Box::new(changes))
}
