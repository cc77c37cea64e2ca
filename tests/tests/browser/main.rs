//! The console and the tracking page as people use them: by what they read and click.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "an unexpected error ends the test"
)]

mod browser;
mod from_nothing;
mod pages;
mod scenarios;
