//! Orders and flows: assignment, and stages that are no more.

use super::manual::changed;
use super::{Context, Decision, Draft, Refused};
use crate::event::{Cause, Change, StageRef, Transition};
use crate::fact::{AssignFact, Assigner, Coverage};
use crate::fulfillment::Attribution;
use crate::order::{Order, Placement};
use crate::outcome::{NoOpReason, SkipReason};
use crate::shop::Playbook;

/// Puts an order into a flow: by somebody, with the automations of the stage; by a new default flow of its
/// channel, silently and only if it has none.
pub(super) fn assigned(context: Context<'_>, fact: &AssignFact) -> Decision {
    let Some(order) = context.order else { return Decision::Refused(Refused::UnknownOrder) };
    let playbook = context.playbook.filter(|p| p.flow.id == fact.flow && p.flow.archived_at.is_none());
    let Some(playbook) = playbook else { return Decision::Refused(Refused::UnknownFlow) };
    if let Some(against) = against(order, fact) {
        return against;
    }
    let (cause, silent) = match &fact.by {
        Assigner::By { actor, .. } => (Cause::Manual { actor: actor.clone() }, None),
        Assigner::DefaultFlow => (Cause::Configuration, Some(SkipReason::ConfigurationChanged)),
    };
    let mut draft = Draft::new(context, order.clone(), cause, None);
    // What was entered in another flow counts for nothing in this one.
    draft.order.placement = Placement::Untriaged;
    if let Assigner::By { actor, .. } = &fact.by {
        draft.by_hand = Some(actor.clone());
    }
    match &fact.stage {
        None => draft.adopt(playbook, fulfilled_by_others(order), silent.as_ref()),
        Some(stage) => match playbook.flow.stage(stage) {
            Some(to) => draft.enter(playbook, to, silent),
            None => return Decision::Refused(Refused::UnknownStage),
        },
    }
    changed(draft.finish(Change::Assigned))
}

/// Why the order does not come into the flow as it stands.
fn against(order: &Order, fact: &AssignFact) -> Option<Decision> {
    match (&order.placement, &fact.by) {
        // Nobody told of the order itself yet.
        (Placement::Awaiting, _) => Some(Decision::Refused(Refused::NotPlaced)),
        (Placement::Placed { .. }, Assigner::DefaultFlow) => Some(Decision::NoOp(NoOpReason::AlreadyPlaced)),
        (_, Assigner::By { expected_seq, .. }) if order.seq != *expected_seq => {
            Some(Decision::Refused(Refused::Stale { stage: order.stage().cloned(), seq: order.seq }))
        }
        (Placement::Placed { flow, .. }, _) if *flow == fact.flow => {
            Some(Decision::Refused(Refused::AlreadyPlaced))
        }
        (Placement::Placed { .. } | Placement::Untriaged, _) => None,
    }
}

fn fulfilled_by_others(order: &Order) -> bool {
    let fulfillment = &order.fulfillment;
    fulfillment.coverage == Coverage::Complete && fulfillment.by == Some(Attribution::Theirs)
}

/// An order that stands in a deleted stage is put into the successor: it has not moved, so nothing follows.
pub(super) fn restaged(context: Context<'_>) -> Decision {
    let Some(order) = context.order else { return Decision::NoOp(NoOpReason::UnknownOrder) };
    let Some((playbook, from, to)) = succession(context, order) else {
        return Decision::NoOp(NoOpReason::SameStage);
    };
    let mut draft = Draft::new(context, order.clone(), Cause::Configuration, None);
    if let Placement::Placed { stage, .. } = &mut draft.order.placement {
        stage.clone_from(&to.id);
    }
    draft.transition = Some(Transition {
        flow: playbook.flow.id.clone(),
        flow_version: playbook.flow.version,
        from: Some(from),
        to,
        description: None,
    });
    changed(draft.finish(Change::StageRetired))
}

fn succession<'a>(context: Context<'a>, order: &Order) -> Option<(&'a Playbook, StageRef, StageRef)> {
    let playbook = context.playbook?;
    let stage = order.stage()?;
    let gone = playbook.flow.retired.get(stage)?;
    let to = playbook.flow.stage(stage)?;
    let from = StageRef { id: stage.clone(), name: gone.name.clone() };
    Some((playbook, from, StageRef { id: to.id.clone(), name: to.name.clone() }))
}
