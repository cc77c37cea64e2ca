//! Runs and attempts as state machines.
//!
//! A run is one action for one event and one target. It is claimed by one attempt at a time, with a
//! lease; finishing is conditional on still holding the claim. What a silent attempt means differs by
//! action: a webhook is sent again (its `webhook-id` is stable), a mail is never (it becomes *uncertain*),
//! a platform call is settled by reading the platform.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::again::Again;
use crate::backoff::{attempts_max, next_wait};
use crate::disposition::Disposition;
use crate::event::Action;
use crate::feedback::Feedback;
use crate::id::{AttemptId, CarrierId, ChannelId, EndpointId, OrderId, PackageId, TemplateId};
use crate::outcome::SkipReason;
use crate::text::truncated;
use crate::webhook::EventType;

/// Longest error text kept of an attempt, in bytes.
pub const ERROR_MAX: usize = 300;

/// What a run acts on, frozen when the event was decided.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A mail from this template.
    Email(TemplateId),
    /// A message to this endpoint, of this type.
    Webhook(EndpointId, EventType),
    /// A fulfillment on this channel; `None` for an order without one (always skipped).
    Fulfill(Option<ChannelId>),
    /// A package of the order, to be reported by this carrier integration.
    RegisterTracker(CarrierId, PackageId),
}

impl Target {
    /// The action.
    #[must_use]
    pub fn action(&self) -> Action {
        match self {
            Self::Email(_) => Action::Email,
            Self::Webhook(..) => Action::Webhook,
            Self::Fulfill(_) => Action::Fulfill,
            Self::RegisterTracker(..) => Action::RegisterTracker,
        }
    }

    /// The id of what people configured for it: template, endpoint, channel or carrier integration.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Email(id) => id.as_str(),
            Self::Webhook(id, _) => id.as_str(),
            Self::Fulfill(id) => id.as_ref().map_or("none", ChannelId::as_str),
            Self::RegisterTracker(id, _) => id.as_str(),
        }
    }
}

/// A run's key within its event: action, target, generation. *Send again* is a new generation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct RunKey {
    /// What it acts on.
    pub target: Target,
    /// Counts resends, from 0.
    pub generation: u32,
}

/// Text that is no run key or run id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a run id")]
pub struct InvalidRunId;

/// A number as we write it: one text for one number, so that no two texts name one run.
fn canonical<N: std::str::FromStr + fmt::Display>(text: &str) -> Result<N, InvalidRunId> {
    text.parse::<N>().ok().filter(|n| n.to_string() == text).ok_or(InvalidRunId)
}

impl RunKey {
    /// The first generation.
    #[must_use]
    pub fn first(target: Target) -> Self {
        Self { target, generation: 0 }
    }

    /// The action.
    #[must_use]
    pub fn action(&self) -> Action {
        self.target.action()
    }

    /// Parses `email.tmpl_x.0`.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidRunId> {
        let mut parts = text.splitn(3, '.');
        let (Some(action), Some(target), Some(generation)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidRunId);
        };
        let generation = canonical(generation)?;
        let target = match (action, target) {
            ("email", t) => Target::Email(TemplateId::parse(t).map_err(|_| InvalidRunId)?),
            ("webhook", t) => message_to(t).ok_or(InvalidRunId)?,
            ("fulfill", "none") => Target::Fulfill(None),
            ("fulfill", t) => Target::Fulfill(Some(ChannelId::parse(t).map_err(|_| InvalidRunId)?)),
            ("register_tracker", t) => parcel_of(t).ok_or(InvalidRunId)?,
            _ => return Err(InvalidRunId),
        };
        Ok(Self { target, generation })
    }
}

/// The message of a stage entry goes without saying: it was the only one.
fn message_to(text: &str) -> Option<Target> {
    let (endpoint, told) = match text.split_once('-') {
        None => (text, EventType::StageEntered),
        Some((endpoint, "created")) => (endpoint, EventType::Created),
        Some((endpoint, "updated")) => (endpoint, EventType::Updated),
        Some((endpoint, "delivered")) => (endpoint, EventType::Delivered),
        Some(_) => return None,
    };
    Some(Target::Webhook(EndpointId::parse(endpoint).ok()?, told))
}

fn parcel_of(text: &str) -> Option<Target> {
    let (carrier, package) = text.split_once('-')?;
    Some(Target::RegisterTracker(CarrierId::parse(carrier).ok()?, PackageId::parse(package).ok()?))
}

impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.action().as_str(), self.target.name())?;
        // No id has a hyphen.
        match &self.target {
            Target::RegisterTracker(_, package) => write!(f, "-{package}")?,
            Target::Webhook(_, EventType::Created) => f.write_str("-created")?,
            Target::Webhook(_, EventType::Updated) => f.write_str("-updated")?,
            Target::Webhook(_, EventType::Delivered) => f.write_str("-delivered")?,
            Target::Email(_) | Target::Webhook(_, EventType::StageEntered) | Target::Fulfill(_) => {}
        }
        write!(f, ".{}", self.generation)
    }
}

impl TryFrom<String> for RunKey {
    type Error = InvalidRunId;
    fn try_from(text: String) -> Result<Self, InvalidRunId> {
        Self::parse(&text)
    }
}

impl From<RunKey> for String {
    fn from(key: RunKey) -> String {
        key.to_string()
    }
}

/// A run, found from anywhere: order, event, key. As text `run_{order}.{seq}.{key}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct RunId {
    /// Its order.
    pub order: OrderId,
    /// Its event.
    pub seq: u64,
    /// Its key.
    pub key: RunKey,
}

impl RunId {
    /// Parses the text form.
    ///
    /// # Errors
    /// Anything that `to_string` would not have made.
    pub fn parse(text: &str) -> Result<Self, InvalidRunId> {
        let mut parts = text.strip_prefix("run_").ok_or(InvalidRunId)?.splitn(3, '.');
        let (Some(order), Some(seq), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(InvalidRunId);
        };
        Ok(Self {
            order: OrderId::from_body(order).map_err(|_| InvalidRunId)?,
            seq: canonical(seq)?,
            key: RunKey::parse(key)?,
        })
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = self.order.as_str().strip_prefix("ord_").unwrap_or_default();
        write!(f, "run_{order}.{}.{}", self.seq, self.key)
    }
}

impl TryFrom<String> for RunId {
    type Error = InvalidRunId;
    fn try_from(text: String) -> Result<Self, InvalidRunId> {
        Self::parse(&text)
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> String {
        id.to_string()
    }
}

/// Where a run stands. Each state carries what is true in it and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RunState {
    /// Waits until `due`.
    Pending {
        /// Not before.
        due: Timestamp,
    },
    /// An attempt holds it.
    Claimed {
        /// Which attempt.
        attempt: AttemptId,
        /// After this the attempt is presumed dead.
        until: Timestamp,
    },
    /// Done.
    Succeeded {
        /// When.
        at: Timestamp,
        /// The other side's word for it: message id, HTTP status, fulfillment ids.
        detail: String,
    },
    /// Decided against.
    Skipped {
        /// When.
        at: Timestamp,
        /// Why: an object of its own, because a reason may have a time as well.
        why: SkipReason,
    },
    /// Given up; a person may retry it.
    Failed {
        /// When.
        at: Timestamp,
        /// The last error.
        error: String,
    },
    /// It may have happened; only the other side or a person can tell.
    Uncertain {
        /// When.
        at: Timestamp,
        /// What is known.
        error: String,
    },
}

impl RunState {
    /// When an open run wants attention; `None` once it has ended.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Pending { due } => Some(*due),
            Self::Claimed { until, .. } => Some(*until),
            _ => None,
        }
    }

    /// When it ended in a way that a person should look at.
    #[must_use]
    pub fn gone_wrong(&self) -> Option<Timestamp> {
        match self {
            Self::Failed { at, .. } | Self::Uncertain { at, .. } => Some(*at),
            _ => None,
        }
    }

    /// Stable word for API and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Claimed { .. } => "claimed",
            Self::Succeeded { .. } => "succeeded",
            Self::Skipped { .. } => "skipped",
            Self::Failed { .. } => "failed",
            Self::Uncertain { .. } => "uncertain",
        }
    }
}

/// One run of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Where it stands.
    #[serde(flatten)]
    pub state: RunState,
    /// Version of its template or endpoint when the event was decided.
    #[serde(default, rename = "v", skip_serializing_if = "is_zero")]
    pub target_version: u64,
    /// Attempts claimed so far.
    #[serde(default, rename = "n", skip_serializing_if = "is_zero32")]
    pub attempts: u32,
    /// What the last failed attempt said.
    #[serde(default, rename = "e", skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The platform mails the customer about the fulfillment.
    #[serde(default, rename = "nc", skip_serializing_if = "std::ops::Not::not")]
    pub notify_customer: bool,
    /// The event whose mail must have ended before this one leaves.
    #[serde(default, rename = "after", skip_serializing_if = "Option::is_none")]
    pub after_mail: Option<u64>,
    /// Its endpoint subscribed to the event; no stage called it.
    #[serde(default, rename = "sb", skip_serializing_if = "std::ops::Not::not")]
    pub subscribed: bool,
    /// When a person last had it tried again: what was undone before that is wanted again.
    #[serde(default, rename = "ra", skip_serializing_if = "Option::is_none")]
    pub reopened_at: Option<Timestamp>,
    /// Who wanted it once more, if it is not the first of its target.
    #[serde(default, rename = "ag", skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
    /// When it may leave by its sender's rate: a place in the line that nobody else has.
    #[serde(default, rename = "sl", skip_serializing_if = "Option::is_none")]
    pub slot: Option<Timestamp>,
    /// What was heard of the mail after it left.
    #[serde(default, rename = "fb", skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
    /// Seconds between its event and when it was first due: its grace.
    #[serde(default, rename = "gr", skip_serializing_if = "is_zero32")]
    pub grace: u32,
    /// Until when somebody's word last kept it: a hold, a pause, a stop. Nobody waits for it before that.
    #[serde(default, rename = "kp", skip_serializing_if = "Option::is_none")]
    pub kept_until: Option<Timestamp>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_zero32(n: &u32) -> bool {
    *n == 0
}

/// What became of a wish to claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The run with the claim in it: store it under its condition, then act.
    Granted(Run),
    /// Another attempt holds it until then.
    Held {
        /// Its lease.
        until: Timestamp,
    },
    /// Not yet.
    Early {
        /// Not before.
        due: Timestamp,
    },
    /// It has ended.
    Ended,
    /// The attempt that held it went silent and may have acted: store this end, do not act. A fulfillment's
    /// lock is settled before.
    InDoubt(Run),
}

/// What an attempt found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// It worked.
    Success {
        /// The other side's word for it.
        detail: String,
    },
    /// Looked again and decided against it.
    Skip(SkipReason),
    /// It did not work.
    Failure {
        /// What that means.
        disposition: Disposition,
        /// In words, without personal data.
        error: String,
    },
    /// Nothing was tried; look again then. Does not count as an attempt.
    Later {
        /// Not before.
        due: Timestamp,
        /// In words, without personal data, if people should know.
        why: Option<String>,
    },
    /// The same, by somebody's word: nobody waits for it until then.
    Kept {
        /// Not before.
        until: Timestamp,
    },
}

/// A step that the state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTransition {
    /// Another attempt holds the run, or none does.
    #[error("this attempt does not hold the run")]
    NotHolding,
    /// Only ended runs are retried.
    #[error("the run is still open")]
    StillOpen,
    /// The run succeeded or was decided against: a retry would do it twice or against its reason.
    #[error("only a failed run, or an uncertain one after confirmation, can be retried")]
    NotRetryable,
}

impl Run {
    /// A run that waits until `due`.
    #[must_use]
    pub fn pending(due: Timestamp, target_version: u64) -> Self {
        Self {
            state: RunState::Pending { due },
            target_version,
            attempts: 0,
            last_error: None,
            notify_customer: false,
            after_mail: None,
            subscribed: false,
            reopened_at: None,
            again: None,
            slot: None,
            feedback: None,
            grace: 0,
            kept_until: None,
        }
    }

    /// The same, born with an event of that time: what it waits from then on is its grace.
    #[must_use]
    pub fn born(self, event_at: Timestamp) -> Self {
        let waits = self.state.due().map(|due| due.duration_since(event_at).as_secs());
        Self { grace: waits.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(0), ..self }
    }

    /// When somebody began to wait for it: `event_at` and its grace, or later by a person's word, who kept it, had
    /// it tried again or wanted it once more.
    #[must_use]
    pub fn wanted_from(&self, event_at: Timestamp) -> Timestamp {
        let first = later(event_at, SignedDuration::from_secs(i64::from(self.grace)));
        let again = self.again.as_ref().map(|again| again.at);
        [self.kept_until, self.reopened_at, again].into_iter().flatten().fold(first, Timestamp::max)
    }

    /// Waits for its next look, kept by somebody's word.
    #[must_use]
    pub fn kept(&self, until: Timestamp) -> Self {
        Self { state: RunState::Pending { due: until }, kept_until: Some(until), ..self.clone() }
    }

    /// A run decided against at birth.
    #[must_use]
    pub fn skipped(at: Timestamp, why: SkipReason) -> Self {
        let mut run = Self::pending(at, 0);
        run.state = RunState::Skipped { at, why };
        run
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state.due().is_some()
    }

    /// When it was last asked for: by its event, decided at `decided_at`, or by a person since.
    #[must_use]
    pub fn asked_at(&self, decided_at: Timestamp) -> Timestamp {
        let again = self.again.as_ref().map(|again| again.at);
        [again, self.reopened_at].into_iter().flatten().fold(decided_at, Timestamp::max)
    }

    /// Asks for the exclusive right to act until `now + lease`.
    #[must_use]
    pub fn claim(&self, action: Action, attempt: &AttemptId, now: Timestamp, lease: SignedDuration) -> Claim {
        match &self.state {
            RunState::Pending { due } if *due > now => Claim::Early { due: *due },
            RunState::Claimed { until, .. } if *until > now => Claim::Held { until: *until },
            RunState::Claimed { .. } if action == Action::Email => Claim::InDoubt(self.in_doubt(now)),
            // Whatever kills every attempt would go on for ever.
            RunState::Claimed { .. } if !self.may_try_again(action) => Claim::InDoubt(self.gone_silent(now)),
            RunState::Pending { .. } | RunState::Claimed { .. } => {
                let mut run = self.clone();
                run.attempts = run.attempts.saturating_add(1);
                // Its place in the line is used; another try takes another.
                run.slot = None;
                run.state = RunState::Claimed { attempt: attempt.clone(), until: later(now, lease) };
                Claim::Granted(run)
            }
            _ => Claim::Ended,
        }
    }

    fn in_doubt(&self, now: Timestamp) -> Self {
        let mut run = self.clone();
        let error = "the sender stopped between sending and recording; the mail may have gone out".to_owned();
        run.state = RunState::Uncertain { at: now, error };
        run
    }

    fn gone_silent(&self, now: Timestamp) -> Self {
        let mut run = self.clone();
        let error = "the last attempt stopped before it recorded an answer".to_owned();
        run.last_error = Some(error.clone());
        run.state = RunState::Failed { at: now, error };
        run
    }

    /// Records what `attempt` found out.
    ///
    /// # Errors
    /// The attempt no longer holds the claim.
    pub fn finish(
        &self,
        action: Action,
        attempt: &AttemptId,
        outcome: &AttemptOutcome,
        now: Timestamp,
        jitter: f64,
    ) -> Result<Self, InvalidTransition> {
        match &self.state {
            RunState::Claimed { attempt: holder, .. } if holder == attempt => {}
            _ => return Err(InvalidTransition::NotHolding),
        }
        let mut run = self.clone();
        run.state = match outcome {
            AttemptOutcome::Success { detail } => {
                run.last_error = None;
                RunState::Succeeded { at: now, detail: truncated(detail, ERROR_MAX) }
            }
            AttemptOutcome::Skip(why) => RunState::Skipped { at: now, why: why.clone() },
            AttemptOutcome::Later { due, why } => {
                run.last_error = why.as_deref().map(|why| truncated(why, ERROR_MAX)).or(run.last_error);
                run.attempts = run.attempts.saturating_sub(1);
                RunState::Pending { due: *due }
            }
            AttemptOutcome::Kept { until } => {
                run.attempts = run.attempts.saturating_sub(1);
                run.kept_until = Some(*until);
                RunState::Pending { due: *until }
            }
            AttemptOutcome::Failure { disposition, error } => {
                let error = truncated(error, ERROR_MAX);
                run.last_error = Some(error.clone());
                run.after_failure(action, *disposition, error, now, jitter)
            }
        };
        Ok(run)
    }

    fn after_failure(
        &self,
        action: Action,
        disposition: Disposition,
        error: String,
        now: Timestamp,
        jitter: f64,
    ) -> RunState {
        let asked = match disposition {
            Disposition::Permanent => return RunState::Failed { at: now, error },
            Disposition::Ambiguous if action == Action::Email => {
                return RunState::Uncertain { at: now, error };
            }
            Disposition::Ambiguous => None,
            Disposition::Retry { after } => after,
        };
        match next_wait(action, self.attempts, asked, jitter) {
            Some(wait) => RunState::Pending { due: later(now, wait) },
            None => RunState::Failed { at: now, error },
        }
    }

    /// Ends an open, unclaimed run without acting; one that has ended stays as it ended.
    #[must_use]
    pub fn skip(&self, why: SkipReason, now: Timestamp) -> Self {
        let mut run = self.clone();
        if !self.is_open() {
            return run;
        }
        run.state = RunState::Skipped { at: now, why };
        run
    }

    /// Opens a failed run again, with a fresh count of attempts. An uncertain one only when a person has
    /// confirmed that doing it twice is acceptable.
    ///
    /// # Errors
    /// The run is open, or its end does not allow a retry.
    pub fn retry(&self, now: Timestamp, accept_duplicate: bool) -> Result<Self, InvalidTransition> {
        match &self.state {
            RunState::Failed { .. } => {}
            RunState::Uncertain { .. } if accept_duplicate => {}
            RunState::Pending { .. } | RunState::Claimed { .. } => return Err(InvalidTransition::StillOpen),
            _ => return Err(InvalidTransition::NotRetryable),
        }
        let mut run = self.clone();
        run.attempts = 0;
        run.reopened_at = Some(now);
        run.state = RunState::Pending { due: now };
        Ok(run)
    }

    /// Whether attempts remain after those made.
    #[must_use]
    pub fn may_try_again(&self, action: Action) -> bool {
        self.attempts < attempts_max(action)
    }
}

/// `at + by`, or the end of time: a schedule never panics.
#[must_use]
pub fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy};
    use proptest::{prop_assert_eq, prop_oneof, proptest};

    use super::*;

    #[test]
    fn only_what_we_write_is_a_run_id() {
        assert!(RunId::parse("run_0a1b.2.email.tmpl_x.0").is_ok());
        assert!(RunId::parse("run_0a1b.2.fulfill.none.0").is_ok());
        assert!(RunId::parse("run_0a1b.2.register_tracker.car_x-pkg_y.0").is_ok());
        let bad = [
            "",
            "run_",
            "run_0a1b",
            "run_0a1b.2",
            "run_0a1b.2.email",
            "run_0a1b.2.email.tmpl_x",
            "run_0a1b.2.email.tmpl_x.0.1",
            "run_0a1b.2.email.ep_x.0",
            "run_0a1b.2.register_tracker.car_x.0",
            "run_0a1b.2.register_tracker.pkg_y-car_x.0",
            "run_0a1b.2.register_tracker.car_x-pkg_y-pkg_y.0",
            "run_0a1b.2.email.none.0",
            "run_0a1b.2.sms.tmpl_x.0",
            "run_0a1b.02.email.tmpl_x.0",
            "run_0a1b.+2.email.tmpl_x.0",
            "run_0a1b.2.email.tmpl_x.+0",
            "run_0a1b.2.email.tmpl_x.00",
            "run_0a1b.2.email.tmpl_x.4294967296",
            "run_ord_0a1b.2.email.tmpl_x.0",
            "0a1b.2.email.tmpl_x.0",
        ];
        for text in bad {
            assert_eq!(RunId::parse(text), Err(InvalidRunId), "{text}");
        }
    }

    #[test]
    fn a_skip_is_read_back_with_its_time_and_with_the_time_of_its_reason() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let why = SkipReason::AlreadyFulfilled {
            by: crate::fulfillment::Attribution::Theirs,
            platform: crate::order::Platform::Shopify,
            at: Some(at(1)),
        };
        let run = Run::skipped(at(2), why);
        let text = serde_json::to_string(&run).unwrap();
        assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), run, "{text}");
    }

    fn any_target() -> impl Strategy<Value = Target> {
        let id = "[a-zA-Z0-9]{1,40}";
        prop_oneof![
            id.prop_map(|b| Target::Email(TemplateId::from_body(&b).unwrap())),
            (id, proptest::sample::select(EventType::ALL.to_vec()))
                .prop_map(|(b, told)| Target::Webhook(EndpointId::from_body(&b).unwrap(), told)),
            id.prop_map(|b| Target::Fulfill(Some(ChannelId::from_body(&b).unwrap()))),
            Just(Target::Fulfill(None)),
            (id, id).prop_map(|(a, b)| Target::RegisterTracker(
                CarrierId::from_body(&a).unwrap(),
                PackageId::from_body(&b).unwrap()
            )),
        ]
    }

    proptest! {
        #[test]
        fn a_run_id_is_read_back_as_it_was_written(
            order in "[a-zA-Z0-9]{1,40}", seq in 0_u64.., generation in 0_u32.., target in any_target(),
        ) {
            let key = RunKey { target, generation };
            let id = RunId { order: OrderId::from_body(&order).unwrap(), seq, key };
            prop_assert_eq!(RunId::parse(&id.to_string()), Ok(id.clone()));
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<RunId>(&json).unwrap(), id);
        }

        #[test]
        fn what_is_read_as_a_run_id_was_written_like_that(
            text in prop_oneof![
                "\\PC{0,60}",
                "run_[a-z0-9]{0,3}\\.[+0-9]{1,3}\\.(email|webhook|fulfill|register_tracker)\\.(tmpl_|ep_|chan_|none|car_x-pkg_)[a-z]{0,2}\\.[+0-9]{1,3}",
            ],
        ) {
            if let Ok(id) = RunId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn a_long_error_is_cut() {
        let att = AttemptId::from_body("a").unwrap();
        let Claim::Granted(run) = Run::pending(Timestamp::UNIX_EPOCH, 1).claim(
            Action::Webhook,
            &att,
            Timestamp::UNIX_EPOCH,
            SignedDuration::ZERO,
        ) else {
            panic!("due")
        };
        let outcome =
            AttemptOutcome::Failure { disposition: Disposition::Permanent, error: "é".repeat(ERROR_MAX) };
        let run = run.finish(Action::Webhook, &att, &outcome, Timestamp::UNIX_EPOCH, 0.5).unwrap();
        assert_eq!(run.last_error.unwrap().len(), ERROR_MAX);
    }

    #[test]
    fn a_schedule_never_panics() {
        assert_eq!(later(Timestamp::MAX, SignedDuration::MAX), Timestamp::MAX);
    }
}
