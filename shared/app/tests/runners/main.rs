//! The use cases against scripted far ends, on a store in memory and a clock that only tests move.
//!
//! Nothing here waits: every future is polled until it is done, or until it hangs where a test told it to;
//! a future that is dropped there is a function that crashed there.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests: what is not as expected ends them"
)]

mod applying;
mod auditing;
mod canarying;
mod far_end;
mod fulfilling;
mod looping;
mod mailing;
mod once;
mod people;
mod posting;
mod registering;
mod restoring;
mod retaining;
mod rotating;
mod searching;
mod setting_up;
mod simulating;
mod sweeping;
mod tracking;
mod wire;
mod working;
mod world;
