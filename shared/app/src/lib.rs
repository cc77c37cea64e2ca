//! Use cases and the ports they act through.
//!
//! One way through: fact → decide (pure) → one conditional transaction → doorbell → claim (conditional
//! write) → act → record. Nothing here knows AWS, HTTP servers or a real clock.

pub mod ports;
pub mod inbound;
