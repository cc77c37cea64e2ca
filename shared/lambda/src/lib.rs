//! What the Lambda functions share: the real clock and entropy, HTTP answers, SQS batches, logs.
//!
//! A function is: decode → authenticate → one use case → encode. Everything here serves the first and the
//! last of these.

pub mod asked;
pub mod aws;
pub mod cache;
pub mod env;
pub mod http;
pub mod inbound;
pub mod links;
pub mod metrics;
pub mod queue;
pub mod role;
pub mod runner;
pub mod senders;
pub mod sqs;
pub mod system;
pub mod telemetry;
