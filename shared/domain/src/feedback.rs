//! What is heard of a mail after it left: it arrived, it came back, its reader complained.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::run::{ERROR_MAX, Run, RunState};
use crate::suppression::Because;
use crate::text::truncated;

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Its receiver's server wants it later; it is tried on.
    Delayed,
    /// Its receiver's server has it.
    Delivered,
    /// It came back, for now.
    SoftBounced,
    /// It came back for good.
    HardBounced,
    /// Its reader called it spam.
    Complained,
}

impl Fate {
    /// Why nothing more goes to its address, if that follows.
    #[must_use]
    pub fn suppresses(self) -> Option<Because> {
        match self {
            Self::HardBounced => Some(Because::HardBounce),
            Self::Complained => Some(Because::Complaint),
            Self::Delayed | Self::Delivered | Self::SoftBounced => None,
        }
    }
}

/// What was heard last of a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// When it happened.
    pub at: Timestamp,
    /// What.
    #[serde(rename = "f")]
    pub fate: Fate,
}

/// What a provider tells of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It was taken to be sent.
    Sent,
    /// It was taken, and then refused: nobody gets it.
    Rejected {
        /// Why.
        reason: String,
    },
    /// What became of it.
    Fate(Fate),
}

/// What hearing it comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The run as it stands then.
    Changed(Box<Run>),
    /// Known already, or of a run that never sent.
    Nothing,
    /// Its sender has not recorded its own answer yet.
    TooEarly,
}

impl Run {
    /// Takes in what the provider tells of its mail. A word of a mail proves that it left: an uncertain run is
    /// settled by it, and one that waits for another try does not send a second (law 11).
    #[must_use]
    pub fn hears(&self, word: &Word, message: &str, at: Timestamp, now: Timestamp) -> Heard {
        let left = match &self.state {
            RunState::Claimed { .. } => return Heard::TooEarly,
            RunState::Skipped { .. } => return Heard::Nothing,
            RunState::Succeeded { .. } => true,
            RunState::Pending { .. } | RunState::Failed { .. } | RunState::Uncertain { .. } => false,
        };
        let mut run = self.clone();
        match word {
            Word::Rejected { reason } => {
                let error = truncated(&format!("rejected after it was taken: {reason}"), ERROR_MAX);
                if matches!(&self.state, RunState::Failed { error: known, .. } if *known == error) {
                    return Heard::Nothing;
                }
                run.last_error = Some(error.clone());
                run.state = RunState::Failed { at: now, error };
                return Heard::Changed(Box::new(run));
            }
            // What was refused after it was taken is not sent because it was taken.
            Word::Sent if left || matches!(self.state, RunState::Failed { .. }) => return Heard::Nothing,
            Word::Sent => {}
            Word::Fate(fate) => {
                if self.feedback.as_ref().is_some_and(|known| known.fate >= *fate) {
                    return Heard::Nothing;
                }
                run.feedback = Some(Feedback { at, fate: *fate });
            }
        }
        if !left {
            run.last_error = None;
            run.state = RunState::Succeeded { at: now, detail: truncated(message, ERROR_MAX) };
        }
        Heard::Changed(Box::new(run))
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::event::Action;
    use crate::id::AttemptId;
    use crate::outcome::SkipReason;
    use crate::run::Claim;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn run(state: RunState) -> Run {
        Run { state, ..Run::pending(at(0), 1) }
    }

    fn state_after(run: &Run, word: &Word) -> &'static str {
        match run.hears(word, "m-1", at(5), at(6)) {
            Heard::Changed(run) => run.state.code(),
            Heard::Nothing => "nothing",
            Heard::TooEarly => "too early",
        }
    }

    #[test]
    fn law_11_a_word_of_a_mail_settles_its_run_and_never_sends_another() {
        let sent = run(RunState::Succeeded { at: at(1), detail: "m-1".into() });
        let uncertain = run(RunState::Uncertain { at: at(1), error: "no answer".into() });
        let waiting = run(RunState::Pending { due: at(9) });
        let failed = run(RunState::Failed { at: at(1), error: "no".into() });
        let skipped = run(RunState::Skipped { at: at(1), why: SkipReason::NoAddress });
        let attempt = AttemptId::from_body("a").unwrap();
        let Claim::Granted(claimed) =
            Run::pending(at(0), 1).claim(Action::Email, &attempt, at(0), SignedDuration::from_secs(9))
        else {
            panic!("due")
        };
        let rejected = Word::Rejected { reason: "a virus".into() };
        let delivered = Word::Fate(Fate::Delivered);
        for (run, by_sent, by_delivery, by_rejection) in [
            (&sent, "nothing", "succeeded", "failed"),
            (&uncertain, "succeeded", "succeeded", "failed"),
            (&waiting, "succeeded", "succeeded", "failed"),
            (&failed, "nothing", "succeeded", "failed"),
            (&skipped, "nothing", "nothing", "nothing"),
            (&claimed, "too early", "too early", "too early"),
        ] {
            let told =
                [state_after(run, &Word::Sent), state_after(run, &delivered), state_after(run, &rejected)];
            assert_eq!(told, [by_sent, by_delivery, by_rejection], "{run:?}");
        }
    }

    #[test]
    fn what_is_heard_twice_or_late_changes_nothing() {
        use Fate::{Complained, Delayed, Delivered, HardBounced, SoftBounced};
        for known in [Delayed, Delivered, SoftBounced, HardBounced, Complained] {
            let mut run = run(RunState::Succeeded { at: at(1), detail: "m-1".into() });
            run.feedback = Some(Feedback { at: at(2), fate: known });
            for fate in [Delayed, Delivered, SoftBounced, HardBounced, Complained] {
                let changed = state_after(&run, &Word::Fate(fate)) != "nothing";
                assert_eq!(changed, fate > known, "{fate:?} after {known:?}");
            }
        }
    }

    #[test]
    fn only_what_is_for_good_suppresses() {
        assert_eq!(Fate::HardBounced.suppresses(), Some(Because::HardBounce));
        assert_eq!(Fate::Complained.suppresses(), Some(Because::Complaint));
        for fate in [Fate::Delayed, Fate::Delivered, Fate::SoftBounced] {
            assert_eq!(fate.suppresses(), None);
        }
    }
}
