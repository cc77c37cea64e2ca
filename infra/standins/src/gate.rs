//! A gate that holds answers back until it is released.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, Default)]
struct State {
    open: bool,
    held: usize,
}

/// Holds calls until [`Gate::release`]; clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate(Arc<watch::Sender<State>>);

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }

    /// Lets everything through, now and later.
    pub fn release(&self) {
        self.0.send_modify(|s| s.open = true);
    }

    /// Waits until `n` calls have come to the gate; false after `timeout`.
    pub async fn reached(&self, n: usize, timeout: Duration) -> bool {
        let mut state = self.0.subscribe();
        let reached = tokio::time::timeout(timeout, state.wait_for(|s| s.held >= n)).await;
        matches!(reached, Ok(Ok(_)))
    }

    /// Waits at the gate.
    pub(crate) async fn pass(&self) {
        let mut state = self.0.subscribe();
        self.0.send_modify(|s| s.held = s.held.saturating_add(1));
        // The sender lives as long as `self`, so there is no error to see.
        let _ = state.wait_for(|s| s.open).await;
    }
}
