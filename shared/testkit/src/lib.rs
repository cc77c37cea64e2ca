//! What tests stand on: an in-memory store with faults, time and ids that repeat, builders, and the
//! contract that every store keeps.
//!
//! A law of the store is written once, in [`contract`], and runs against each implementation by
//! [`store_contract!`].

pub mod build;
pub mod chance;
pub mod clock;
pub mod contract;
pub mod memory;
pub mod queue;
pub mod sim;

pub use chance::SeededEntropy;
pub use clock::ManualClock;
pub use memory::{Fault, MemoryStore};
pub use queue::{MemoryInboundQueue, QueueFault};
