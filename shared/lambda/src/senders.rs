//! The sender check behind a pointer, as the inbound queue is.

use std::pin::Pin;
use std::sync::Arc;

use stagepost_app::mail::ports::{SenderCheck, SenderState};
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

/// Any sender check.
#[derive(Clone)]
pub struct Senders(Arc<dyn Checks>);

impl Senders {
    /// This one.
    pub fn new(check: impl SenderCheck + 'static) -> Self {
        Self(Arc::new(check))
    }

    /// How the provider stands to an address.
    ///
    /// # Errors
    /// It cannot be asked now.
    pub async fn state(&self, address: &str) -> Result<SenderState, ActError> {
        self.0.check(address).await
    }
}
