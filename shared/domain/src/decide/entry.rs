//! Entering a stage: whether automation may (laws 8 and 9), and the runs that follow (laws 3, 4, 7, 12).

use jiff::{SignedDuration, Timestamp};

use super::{Context, Draft};
use crate::event::{Action, Actor, Cause, Event, Refusal, StageRef, Transition};
use crate::flow::{Flow, Stage};
use crate::fulfillment::Attribution;
use crate::id::StageId;
use crate::order::{Hold, HoldReason, Lifecycle, Order, Placement, Platform};
use crate::outcome::{IgnoreReason, SkipReason};
use crate::run::{Run, RunKey, RunState, Target, later};
use crate::shop::Playbook;
use crate::webhook::EventType;

/// A fact older than this moves an order silently (law 4).
pub const STALE_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The third automatic re-entry of one stage puts the order on hold (law 9).
pub const AUTOMATIC_REENTRIES_MAX: u8 = 3;

/// Why a stage entry runs nothing, if it is to be silent.
pub(super) fn staleness(fact_at: Option<Timestamp>, received_at: Timestamp) -> Option<SkipReason> {
    let age = fact_at.map(|at| received_at.duration_since(at))?;
    (age > STALE_AFTER).then_some(SkipReason::StaleFact)
}

impl Context<'_> {
    /// The same for news from before the table was restored, as any of these times tells; what has no time of its
    /// own is as old as its arrival.
    pub(super) fn before_restore(
        &self,
        times: impl IntoIterator<Item = Option<Timestamp>>,
    ) -> Option<SkipReason> {
        let earliest = times.into_iter().flatten().fold(self.received_at, Timestamp::min);
        self.restored_at.filter(|cut| cut.is_after(earliest)).map(|_| SkipReason::BeforeRestore)
    }
}

fn stage_ref(stage: &Stage) -> StageRef {
    StageRef { id: stage.id.clone(), name: stage.name.clone() }
}

impl Draft<'_> {
    /// Why nothing follows from what came at `received_at`, if it is to be silent.
    pub(super) fn silence(&self, received_at: Timestamp) -> Option<SkipReason> {
        staleness(self.fact_at, received_at)
            .or_else(|| self.context.before_restore([self.fact_at, self.news_at]))
    }

    /// Moves the order because a fact asks for it: forward only, never back to where it was since the last
    /// manual move, never while it is on hold.
    pub(super) fn move_automatically(&mut self, target: &StageId) {
        let Some(playbook) = self.context.playbook else { return };
        let (Some(to), Placement::Placed { stage: from, visited, .. }) =
            (playbook.flow.stage(target), &self.order.placement)
        else {
            return;
        };
        let (flow, target) = (&playbook.flow, &to.id);
        let (here, there) = (flow.position(from), flow.position(target));
        if here == there {
            return;
        }
        let visit = visited.get(target).copied().unwrap_or_default();
        let forward = there > here;
        let reason = if self.order.lifecycle != Lifecycle::Open {
            Some(IgnoreReason::OrderCancelled)
        } else if !forward {
            Some(IgnoreReason::NotForward)
        } else if visit.fresh {
            Some(IgnoreReason::AlreadyEntered)
        } else if self.order.hold.is_some() {
            // Asked last, so that only a move that is allowed otherwise waits for the release.
            Some(IgnoreReason::OnHold)
        } else {
            None
        };
        let silent = self.silence(self.context.received_at);
        match reason {
            None if self.trips_breaker(visit.automatic) => self.hold(target, silent),
            None => self.enter(playbook, to, silent),
            Some(reason) => {
                if let (IgnoreReason::OnHold, Some(hold)) = (&reason, &mut self.order.hold) {
                    (hold.pending, hold.pending_silent) = (Some(target.clone()), silent);
                }
                self.refused = Some(Refusal { to: stage_ref(to), reason });
            }
        }
    }

    /// Whether one more automatic entry would be the third re-entry.
    pub(super) fn trips_breaker(&self, automatic_entries: u8) -> bool {
        automatic_entries >= AUTOMATIC_REENTRIES_MAX
    }

    /// Stops the order; the move that was one too many waits for a person, as silent as it would have been.
    pub(super) fn hold(&mut self, target: &StageId, silent: Option<SkipReason>) {
        self.tripped = true;
        let why = HoldReason::Breaker { stage: target.clone() };
        let (at, pending) = (self.context.now, Some(target.clone()));
        self.order.hold = Some(Hold { at, why, pending, pending_silent: silent });
        if let Some(to) = self.context.playbook.and_then(|p| p.flow.stage(target)) {
            self.refused = Some(Refusal { to: stage_ref(to), reason: IgnoreReason::OnHold });
        }
    }

    /// Puts the order into the stage and plans its runs.
    pub(super) fn enter(&mut self, playbook: &Playbook, to: &Stage, silent: Option<SkipReason>) {
        self.enter_for(playbook, to, silent, |_| true);
    }

    /// The same, but plans only the runs that are wanted.
    fn enter_for(
        &mut self,
        playbook: &Playbook,
        to: &Stage,
        silent: Option<SkipReason>,
        wanted: impl Fn(&RunKey) -> bool,
    ) {
        let from = self.order.stage().and_then(|id| playbook.flow.stage(id)).map(stage_ref);
        self.transition = Some(Transition {
            flow: playbook.flow.id.clone(),
            flow_version: playbook.flow.version,
            from,
            to: stage_ref(to),
            description: to.description.clone(),
        });
        self.place(&playbook.flow, to);
        self.silent.clone_from(&silent);
        self.plan(playbook, to, silent, wanted);
    }

    fn place(&mut self, flow: &Flow, to: &Stage) {
        let mut visited = match &mut self.order.placement {
            Placement::Placed { visited, .. } => std::mem::take(visited),
            _ => std::collections::BTreeMap::new(),
        };
        match &self.by_hand {
            Some(Actor::Console { .. }) => visited.clear(),
            Some(Actor::ApiKey { .. }) => {
                visited.values_mut().for_each(|v| v.fresh = false);
            }
            None => {}
        }
        let visit = visited.entry(to.id.clone()).or_default();
        visit.fresh = true;
        visit.automatic = visit.automatic.saturating_add(1);
        self.order.placement = Placement::Placed {
            flow: flow.id.clone(),
            stage: to.id.clone(),
            entered_at: self.context.now,
            entered_seq: self.order.seq,
            visited,
        };
    }

    /// Plans one run per enabled automation of the stage, each pending or skipped with its reason.
    fn plan(
        &mut self,
        playbook: &Playbook,
        stage: &Stage,
        silent: Option<SkipReason>,
        wanted: impl Fn(&RunKey) -> bool,
    ) {
        let now = self.context.now;
        let grace = later(now, playbook.settings.grace());
        let due = self.due(playbook);
        for (target, version, notify) in targets(playbook, stage, &self.order) {
            let key = RunKey::first(target);
            if !wanted(&key) {
                continue;
            }
            let target = &key.target;
            let skip = silent.clone().or_else(|| reason_against(&self.order, target, version));
            let run = match (skip, target) {
                (Some(why), _) => Run::skipped(now, why),
                (None, Target::Email(_)) => {
                    let after_mail = self.order.last_mail.replace(self.order.seq);
                    Run { after_mail, ..Run::pending(grace, version.unwrap_or_default()) }
                }
                (None, _) => {
                    Run { notify_customer: notify, ..Run::pending(due, version.unwrap_or_default()) }
                }
            };
            self.runs.entry(key).or_insert(run);
        }
    }

    /// When what follows may leave: at once, or after the grace in which a person may take it back (law 12).
    pub(super) fn due(&self, playbook: &Playbook) -> Timestamp {
        match &self.by_hand {
            Some(Actor::Console { .. }) => later(self.context.now, playbook.settings.grace()),
            _ => self.context.now,
        }
    }

    /// A reopened order enters its stage once more if its cancellation is all that came of its last entry:
    /// what was skipped for that, and is switched on still, is planned anew. No run of that entry has acted
    /// or ever will, so each acts once at most (docs/adr/0007).
    pub(super) fn come_back(&mut self) {
        let (Some(playbook), Some(entry)) = (self.context.playbook, self.context.entry) else { return };
        let Placement::Placed { stage, visited, .. } = &self.order.placement else { return };
        let Some(to) = playbook.flow.stage(stage) else { return };
        let of_stage = entry.runs.iter().filter(|(key, run)| is_of_stage(&key.target, run));
        let all_skipped = of_stage.map(|(_, run)| &run.state).all(|s| matches!(s, RunState::Skipped { .. }));
        let planned = targets(playbook, to, &self.order);
        let some_missed = planned.into_iter().any(|(target, _, _)| missed(entry, &RunKey::first(target)));
        if self.transition.is_some() || self.order.hold.is_some() || !all_skipped || !some_missed {
            return;
        }
        let silent = self.silence(self.context.now);
        if self.trips_breaker(visited.get(&to.id).map_or(0, |visit| visit.automatic)) {
            return self.hold(&to.id, silent);
        }
        self.enter_for(playbook, to, silent, |key| missed(entry, key));
    }

    /// The order returns to the stage that it left by a move that is taken back. What that move superseded there is
    /// planned anew: it has not acted and never will. All else of the stage has told of itself before.
    pub(super) fn return_to(&mut self, playbook: &Playbook, to: &Stage) {
        // As runners will see the order: one whose run is due by now acts itself, however late its doorbell is.
        let stands = self.context.order.cloned().map(|mut order| {
            if let Placement::Placed { entered_seq, entered_at, .. } = &mut order.placement {
                (*entered_seq, *entered_at) = (self.order.seq, self.context.now);
            }
            order
        });
        let before = self.context.entry.zip(stands.as_ref());
        let waited = |key: &RunKey| before.is_some_and(|(entry, order)| was_superseded(entry, key, order));
        self.enter_for(playbook, to, None, waited);
        let quiet = Some(SkipReason::Quiet);
        self.silent.clone_from(&quiet);
        self.plan(playbook, to, quiet, |_| true);
        self.tell_after_all(playbook, waited);
    }

    /// Records the automations of the stages that a first sighting jumps.
    pub(super) fn pass_through(&mut self, playbook: &Playbook, passed: &[Stage]) {
        for stage in passed {
            for (target, _, _) in targets(playbook, stage, &self.order) {
                let why = SkipReason::PassedThrough { stage: stage.id.clone() };
                let run = Run::skipped(self.context.now, why);
                self.runs.entry(RunKey::first(target)).or_insert(run);
            }
        }
    }
}

/// What registers a parcel belongs to the parcel, and what tells a subscriber to the event.
fn is_of_stage(target: &Target, run: &Run) -> bool {
    match target {
        Target::Email(_) | Target::Fulfill(_) => true,
        Target::Webhook(..) => !run.subscribed,
        Target::RegisterTracker(..) => false,
    }
}

/// What keeps a run from acting because its order went on since. A mail is superseded once its order has left the
/// stage; anything else only if the move was taken back in the console while the run still waited for its first
/// attempt (law 12).
#[must_use]
pub fn superseded(event: &Event, key: &RunKey, order: &Order) -> Option<SkipReason> {
    let Placement::Placed { entered_seq, entered_at, .. } = &order.placement else { return None };
    let left = *entered_seq > event.seq;
    let too_late = key.action() == Action::Email || undone_in_grace(event, key, *entered_at);
    (left && too_late).then_some(SkipReason::Superseded { by_seq: *entered_seq })
}

fn undone_in_grace(event: &Event, key: &RunKey, left_at: Timestamp) -> bool {
    let by_hand = matches!(event.cause, Cause::Manual { actor: Actor::Console { .. } });
    let waits = event.runs.get(key).filter(|run| run.attempts == 0).and_then(|run| run.state.due());
    by_hand && waits.is_some_and(|due| left_at < due)
}

/// Whether a run of an entry has not acted and, as its order has left that stage, never will.
fn was_superseded(entry: &Event, key: &RunKey, order: &Order) -> bool {
    match entry.runs.get(key).map(|run| &run.state) {
        Some(RunState::Pending { .. }) => superseded(entry, key, order).is_some(),
        Some(RunState::Skipped { why: SkipReason::Superseded { .. }, .. }) => true,
        _ => false,
    }
}

/// Whether the order's cancellation alone kept this run of an entry from acting.
fn missed(entry: &Event, key: &RunKey) -> bool {
    let why = |run: &Run| matches!(&run.state, RunState::Skipped { why: SkipReason::OrderCancelled, .. });
    entry.runs.get(key).is_some_and(why)
}

/// The enabled automations of a stage with the version that each target has now.
fn targets(playbook: &Playbook, stage: &Stage, order: &Order) -> Vec<(Target, Option<u64>, bool)> {
    let settings = &playbook.settings;
    let automations = &stage.automations;
    let mut all = Vec::new();
    if let Some(email) = automations.email.as_ref().filter(|a| a.enabled) {
        let version = settings.templates.get(&email.template).copied();
        all.push((Target::Email(email.template.clone()), version, false));
    }
    if let Some(webhook) = automations.webhook.as_ref().filter(|a| a.enabled) {
        let version = settings.endpoints.get(&webhook.endpoint).copied();
        all.push((Target::Webhook(webhook.endpoint.clone(), EventType::StageEntered), version, false));
    }
    if let Some(fulfill) = automations.fulfill.as_ref().filter(|a| a.enabled) {
        all.push((Target::Fulfill(order.source.channel.clone()), Some(0), fulfill.notify_customer));
    }
    all
}

/// Why this run will not be tried, as far as the order itself can tell.
fn reason_against(order: &Order, target: &Target, version: Option<u64>) -> Option<SkipReason> {
    match target {
        Target::Email(_) if version.is_none() => Some(SkipReason::TargetGone),
        Target::Email(_) => (!order.has_email).then_some(SkipReason::NoAddress),
        Target::Webhook(..) => version.is_none().then_some(SkipReason::TargetGone),
        Target::Fulfill(channel) => fulfill_reason(order, channel.is_some()),
        // No stage has one: packages do, wherever their order stands.
        Target::RegisterTracker(..) => None,
    }
}

fn fulfill_reason(order: &Order, has_channel: bool) -> Option<SkipReason> {
    if !has_channel || order.source.platform == Platform::Api {
        return Some(SkipReason::NoChannel);
    }
    match order.fulfillment.complete() {
        // Seen under our own lock: the runner that holds it will tell whose it is.
        Some((Attribution::Undetermined, _)) => None,
        Some((by, at)) => Some(SkipReason::AlreadyFulfilled { by, platform: order.source.platform, at }),
        None => (order.lifecycle != Lifecycle::Open).then_some(SkipReason::OrderCancelled),
    }
}
