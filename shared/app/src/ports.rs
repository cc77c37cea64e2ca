//! Ports: one small trait per capability, native async. Adapters implement them; a function's role needs
//! no more rights than the ports it uses.

use stagepost_domain::Timestamp;

mod acting;
mod arrivals;
mod calls;
mod carriers;
mod config;
mod errors;
mod jobs;
mod mailing;
mod orders;
mod platform;
mod posting;
mod queues;
mod runs;
mod searching;
mod secrets;

pub use acting::*;
pub use arrivals::*;
pub use calls::*;
pub use carriers::*;
pub use config::*;
pub use errors::*;
pub use jobs::*;
pub use mailing::*;
pub use orders::*;
pub use platform::*;
pub use posting::*;
pub use queues::*;
pub use runs::*;
pub use searching::*;
pub use secrets::*;

/// The time, injected.
pub trait Clock: Send + Sync {
    /// Now, to the millisecond: what is stored compares equal to what was decided.
    fn now(&self) -> Timestamp;
}

/// Ids and chance, injected.
pub trait Entropy: Send + Sync {
    /// A fresh id body: 26 lower-case letters and digits, sortable by time.
    fn id_body(&self) -> String;
    /// A number in 0..1, for jitter.
    fn fraction(&self) -> f64;
    /// Random bytes for secrets and tokens.
    fn bytes(&self) -> [u8; 32];
}
