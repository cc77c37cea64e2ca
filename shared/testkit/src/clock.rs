//! A clock that moves only when told to.

use std::sync::{Arc, Mutex, PoisonError};

use stagepost_app::ports::Clock;
use stagepost_domain::{SignedDuration, Timestamp};

/// A clock that tests set; clones show the same time.
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: Arc<Mutex<Timestamp>>,
}

impl ManualClock {
    /// Starts at `at`.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self { now: Arc::new(Mutex::new(at)) }
    }

    /// Moves on by `by` and gives the new time.
    pub fn advance(&self, by: SignedDuration) -> Timestamp {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.checked_add(by).unwrap_or(Timestamp::MAX);
        *now
    }

    /// Shows `at` from now on, even if that is earlier.
    pub fn set(&self, at: Timestamp) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
