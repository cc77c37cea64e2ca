//! What comes in, black-box over HTTP: recorded payloads, signatures, bad input, and every order of
//! arrival.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: what does not hold ends the test"
)]

mod arrival;
mod bad_config;
mod bad_input;
mod fixtures;
mod signatures;
mod support;
mod tenants;
