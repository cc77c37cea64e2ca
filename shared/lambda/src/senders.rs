//! The sender check behind a pointer, as the inbound queue is.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use stagepost_app::mail::ports::{SenderCheck, SenderState, Unchecked};
use stagepost_app::ports::ActError;

type Checked<'a> = Pin<Box<dyn Future<Output = Result<SenderState, ActError>> + Send + 'a>>;

trait Checks: Send + Sync {
    fn check<'a>(&'a self, address: &'a str) -> Checked<'a>;
}

impl<C: SenderCheck> Checks for C {
    fn check<'a>(&'a self, address: &'a str) -> Checked<'a> {
        Box::pin(self.sender(address))
    }
}

/// How long somebody who looks at a page waits for it, be it one question or two.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// Any sender check.
#[derive(Clone)]
pub struct Senders(Arc<dyn Checks>);

impl Senders {
    /// This one.
    pub fn new(check: impl SenderCheck + 'static) -> Self {
        Self(Arc::new(check))
    }

    /// Those of a deployment: nobody can ask a relay which senders it knows.
    pub fn of_deployment<C: SenderCheck + 'static>(relay: bool, ses: impl FnOnce() -> C) -> Self {
        if relay { Self::new(Unchecked) } else { Self::new(ses()) }
    }

    /// How the provider stands to an address.
    ///
    /// # Errors
    /// It cannot be asked now.
    pub async fn state(&self, address: &str) -> Result<SenderState, ActError> {
        let late = |_| Err(ActError::retry("the provider takes too long to answer"));
        tokio::time::timeout(ANSWER_MAX, self.0.check(address)).await.unwrap_or_else(late)
    }
}
