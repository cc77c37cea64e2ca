//! Law 10: one run, one live claim, one end.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::{Just, Strategy, prop};
use proptest::{prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::scene::{attempt, t};
use crate::backoff::attempts_max;
use crate::disposition::Disposition;
use crate::event::Action;
use crate::id::AttemptId;
use crate::outcome::SkipReason;
use crate::run::{AttemptOutcome, Claim, InvalidTransition, Run, RunState};

const LEASE: SignedDuration = SignedDuration::from_secs(60);

fn success() -> AttemptOutcome {
    AttemptOutcome::Success { detail: "200".into() }
}

fn failure(disposition: Disposition) -> AttemptOutcome {
    AttemptOutcome::Failure { disposition, error: "no".into() }
}

fn claimed(action: Action, at: i64) -> Run {
    let Claim::Granted(run) = Run::pending(t(0), 1).claim(action, &attempt("a"), t(at), LEASE) else {
        panic!()
    };
    run
}

fn ended() -> [Run; 4] {
    let end = |state| Run { state, ..Run::pending(t(0), 1) };
    let at = t(0);
    [
        end(RunState::Succeeded { at, detail: String::new() }),
        end(RunState::Skipped { at, why: SkipReason::NoAddress }),
        end(RunState::Failed { at, error: String::new() }),
        end(RunState::Uncertain { at, error: String::new() }),
    ]
}

#[test]
fn law_10_a_claim_is_granted_early_held_or_too_late() {
    let held = claimed(Action::Webhook, 0);
    let claim = |run: &Run, at| run.claim(Action::Webhook, &attempt("b"), t(at), LEASE);
    assert_eq!(claim(&Run::pending(t(5), 1), 4), Claim::Early { due: t(5) });
    assert!(matches!(claim(&Run::pending(t(5), 1), 5), Claim::Granted(_)));
    assert_eq!(claim(&held, 59), Claim::Held { until: t(60) });
    let Claim::Granted(again) = claim(&held, 60) else { panic!("the lease has passed") };
    assert_eq!(again.state, RunState::Claimed { attempt: attempt("b"), until: t(120) });
    assert_eq!(again.attempts, 2);
    for run in ended() {
        assert_eq!(claim(&run, 1_000), Claim::Ended, "{}", run.state.code());
    }
}

#[test]
fn law_10_finishing_is_conditional_on_holding_the_claim() {
    let run = claimed(Action::Webhook, 0);
    let finish = |run: &Run, name: &str| run.finish(Action::Webhook, &attempt(name), &success(), t(9), 0.5);
    assert_eq!(finish(&run, "b"), Err(InvalidTransition::NotHolding));
    let Claim::Granted(taken) = run.claim(Action::Webhook, &attempt("b"), t(60), LEASE) else { panic!() };
    assert_eq!(finish(&taken, "a"), Err(InvalidTransition::NotHolding), "the late first attempt");
    let done = finish(&taken, "b").unwrap();
    assert_eq!(done.state, RunState::Succeeded { at: t(9), detail: "200".into() });
    for run in ended().iter().chain([&Run::pending(t(0), 1)]) {
        assert_eq!(finish(run, "a"), Err(InvalidTransition::NotHolding));
    }
}

#[test]
fn law_10_what_an_attempt_found_out_decides_the_next_state() {
    let retry = Disposition::RETRY;
    let due = RunState::Pending { due: t(700) };
    let cases = [
        (Action::Webhook, success(), "succeeded"),
        (Action::Webhook, AttemptOutcome::Skip(SkipReason::EndpointDisabled), "skipped"),
        (Action::Webhook, failure(Disposition::Permanent), "failed"),
        (Action::Webhook, failure(retry), "pending"),
        (Action::Webhook, failure(Disposition::Ambiguous), "pending"),
        (Action::Fulfill, failure(Disposition::Ambiguous), "pending"),
        (Action::RegisterTracker, failure(Disposition::Ambiguous), "pending"),
        (Action::Email, failure(retry), "pending"),
        (Action::Email, failure(Disposition::Permanent), "failed"),
        (Action::Email, failure(Disposition::Ambiguous), "uncertain"),
    ];
    for (action, outcome, code) in cases {
        let run = claimed(action, 0).finish(action, &attempt("a"), &outcome, t(9), 0.5).unwrap();
        assert_eq!(run.state.code(), code, "{action:?} {outcome:?}");
        assert_eq!((run.attempts, run.is_open()), (1, code == "pending"));
    }
    let later = AttemptOutcome::Later { due: t(700), why: Some("paused".into()) };
    let run = claimed(Action::Email, 0).finish(Action::Email, &attempt("a"), &later, t(9), 0.5).unwrap();
    assert_eq!((run.state, run.attempts), (due, 0), "nothing was tried");
    assert_eq!(run.last_error.as_deref(), Some("paused"));
}

#[test]
fn law_10_a_failing_run_ends_after_its_schedule_even_if_its_attempts_vanish() {
    for action in Action::ALL {
        let (mut run, mut now, mut tries) = (Run::pending(t(0), 1), t(0), 0);
        while let Claim::Granted(held) = run.claim(action, &attempt("a"), now, LEASE) {
            run = held.finish(action, &attempt("a"), &failure(Disposition::RETRY), now, 1.0).unwrap();
            now = run.state.due().unwrap_or(now);
            tries += 1;
        }
        assert_eq!((tries, run.state.code()), (attempts_max(action), "failed"), "{action:?}");
    }
    for action in [Action::Webhook, Action::Fulfill, Action::RegisterTracker] {
        let (mut run, mut now) = (Run::pending(t(0), 1), t(0));
        let end = loop {
            match run.claim(action, &attempt("a"), now, LEASE) {
                Claim::Granted(held) if held.attempts <= attempts_max(action) => run = held,
                other => break other,
            }
            now += LEASE;
        };
        let Claim::InDoubt(end) = end else { panic!("{end:?}") };
        assert_eq!((end.state.code(), end.attempts), ("failed", attempts_max(action)));
    }
}

#[test]
fn law_10_only_a_failed_run_is_retried_and_an_uncertain_one_when_accepted() {
    let [succeeded, skipped, failed, uncertain] = ended();
    let open = [Run::pending(t(0), 1), claimed(Action::Email, 0)];
    for accept in [true, false] {
        for run in [&succeeded, &skipped] {
            assert_eq!(run.retry(t(9), accept), Err(InvalidTransition::NotRetryable));
        }
        for run in &open {
            assert_eq!(run.retry(t(9), accept), Err(InvalidTransition::StillOpen));
        }
        let again = failed.retry(t(9), accept).unwrap();
        assert_eq!((again.state, again.attempts), (RunState::Pending { due: t(9) }, 0));
    }
    assert_eq!(uncertain.retry(t(9), false), Err(InvalidTransition::NotRetryable));
    assert!(uncertain.retry(t(9), true).is_ok());
}

#[test]
fn a_run_is_waited_for_from_the_end_of_its_grace_and_from_the_last_word_that_kept_it() {
    let run = Run::pending(t(10), 1).born(t(0));
    assert_eq!((run.grace, run.wanted_from(t(0))), (10, t(10)));
    assert_eq!(Run::pending(t(0), 1).born(t(0)).wanted_from(t(0)), t(0), "one without a grace, at once");
    let Claim::Granted(held) = run.claim(Action::Email, &attempt("a"), t(10), LEASE) else { panic!("due") };
    let end = |outcome| held.finish(Action::Email, &attempt("a"), &outcome, t(11), 0.5).unwrap();
    let refused = end(failure(Disposition::RETRY));
    assert_eq!(refused.wanted_from(t(0)), t(10), "a refusal is nobody's word: what it costs counts");
    let busy = end(AttemptOutcome::Later { due: t(700), why: None });
    assert_eq!(busy.wanted_from(t(0)), t(10), "neither is a far end that asks for patience");
    let stopped = end(AttemptOutcome::Kept { until: t(611) });
    assert_eq!((stopped.attempts, stopped.wanted_from(t(0))), (0, t(611)));
    assert_eq!(run.kept(t(900)).state, RunState::Pending { due: t(900) });
    assert_eq!(run.kept(t(900)).wanted_from(t(0)), t(900));
    let again = end(failure(Disposition::Permanent)).retry(t(5_000), false).unwrap();
    assert_eq!(again.wanted_from(t(0)), t(5_000));
}

#[test]
fn law_10_a_run_is_stored_as_it_is() {
    let kept = Run::pending(t(10), 1).born(t(0)).kept(t(20));
    for run in ended().into_iter().chain([Run::pending(t(0), 1), claimed(Action::Email, 0), kept]) {
        let stored = serde_json::to_string(&run).unwrap();
        assert_eq!(serde_json::from_str::<Run>(&stored).unwrap(), run, "{stored}");
    }
}

/// What can happen to a run from outside.
#[derive(Debug, Clone)]
enum Step {
    Pass(i64),
    Claim(u8),
    Finish(u8, AttemptOutcome),
    Skip,
    Retry(bool),
}

fn any_step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        Just(success()),
        Just(AttemptOutcome::Skip(SkipReason::NoAddress)),
        Just(failure(Disposition::RETRY)),
        Just(failure(Disposition::Permanent)),
        Just(failure(Disposition::Ambiguous)),
        (0_i64..500).prop_map(|s| AttemptOutcome::Later { due: t(s), why: None }),
        (0_i64..500).prop_map(|s| AttemptOutcome::Kept { until: t(s) }),
    ];
    prop_oneof![
        (1_i64..200).prop_map(Step::Pass),
        (0_u8..3).prop_map(Step::Claim),
        ((0_u8..3), outcome).prop_map(|(n, o)| Step::Finish(n, o)),
        Just(Step::Skip),
        proptest::bool::ANY.prop_map(Step::Retry),
    ]
}

fn name(n: u8) -> AttemptId {
    attempt(&format!("n{n}"))
}

/// The one claim that may act, as an observer of the grants would know it.
#[derive(Default)]
struct Observer {
    live: Option<(u8, Timestamp)>,
}

proptest! {
    #[test]
    fn law_10_there_are_never_two_live_claims_and_what_ended_stays_ended(
        action in prop::sample::select(Action::ALL.to_vec()),
        steps in prop::collection::vec(any_step(), 1..60),
    ) {
        let (mut run, mut now, mut seen) = (Run::pending(t(0), 1), t(0), Observer::default());
        for step in steps {
            let before = run.clone();
            match step {
                Step::Pass(seconds) => now += SignedDuration::from_secs(seconds),
                Step::Claim(n) => match run.claim(action, &name(n), now, LEASE) {
                    Claim::Granted(next) => {
                        prop_assert!(seen.live.is_none_or(|(_, until)| until <= now), "two live claims");
                        prop_assert!(action != Action::Email || seen.live.is_none(), "a second blind mail");
                        prop_assert_eq!(next.attempts, before.attempts + 1);
                        (seen.live, run) = (Some((n, now + LEASE)), next);
                    }
                    Claim::InDoubt(next) => {
                        prop_assert!(!next.is_open());
                        (seen.live, run) = (None, next);
                    }
                    Claim::Held { until } => prop_assert_eq!(seen.live.map(|l| l.1), Some(until)),
                    Claim::Early { due } => prop_assert!(due > now),
                    Claim::Ended => prop_assert!(!before.is_open()),
                },
                Step::Finish(n, outcome) => {
                    let finished = run.finish(action, &name(n), &outcome, now, 0.5);
                    prop_assert_eq!(finished.is_ok(), seen.live.is_some_and(|(holder, _)| holder == n));
                    if let Ok(next) = finished {
                        (seen.live, run) = (None, next);
                    }
                }
                // The runner skips only what it may claim; an ended run does not change.
                Step::Skip if seen.live.is_none() => run = run.skip(SkipReason::NoChannel, now),
                Step::Skip => {}
                Step::Retry(accept) => {
                    if let Ok(next) = run.retry(now, accept) {
                        let code = before.state.code();
                        prop_assert!(code == "failed" || (code == "uncertain" && accept), "{} retried", code);
                        run = next;
                        continue;
                    }
                }
            }
            prop_assert!(before.is_open() || run == before, "an ended run changed: {:?}", before);
        }
    }
}
