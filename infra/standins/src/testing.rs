//! A clock that tests set.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use stagepost_app::ports::Clock;

use crate::lock;

/// Clones show the same time.
#[derive(Clone)]
pub(crate) struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    pub fn new(at: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(at)))
    }

    pub fn advance(&self, by: SignedDuration) {
        *lock(&self.0) += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *lock(&self.0)
    }
}
