//! The rest of the circle: what goes on round the main job, over HTTP, with stand-ins at the far ends.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests: what does not hold ends the test"
)]

mod again;
mod bootstrap;
mod calls;
mod carriers;
mod console;
mod correcting;
mod flows;
mod jobs;
mod keeping;
mod limits;
mod mails;
mod outage;
mod people;
mod platforms;
mod quarantine;
mod receivers;
mod registering;
mod rotating;
mod searching;
mod support;
mod template;
mod walk;
