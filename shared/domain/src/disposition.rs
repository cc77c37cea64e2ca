//! What an error asks of its caller. Every error of the system answers this one question.

use jiff::SignedDuration;

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It did not happen; trying again may work, not before `after` if given.
    Retry {
        /// The shortest wait that the other side asked for.
        after: Option<SignedDuration>,
    },
    /// It did not happen and will not, however often it is tried.
    Permanent,
    /// Nobody can tell whether it happened.
    Ambiguous,
}

impl Disposition {
    /// Try again when it suits us.
    pub const RETRY: Self = Self::Retry { after: None };
}
