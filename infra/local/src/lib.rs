//! The one-process host: every function of the deployment behind one loopback address, fed the events that
//! Lambda would feed it, on an embedded engine with in-process queues.
//!
//! A restart, `kill -9` included, loses nothing: what is to be done stands in the due index of the table, and
//! sweeping it begins at the start. Only queues and stream are in memory, so a run that had been rung for is
//! rung for again a minute after.

pub mod bootstrap;
pub mod demo;
pub mod engine;
mod functions;
mod gateway;
pub mod host;
mod invoke;
pub mod mailbox;
mod mailer;
mod pulse;
mod queues;
pub mod redrive;
pub mod seed;
mod tap;

pub use host::{Host, HostConfig, HostError, start};
pub use mailbox::{Captured, Mailbox};
