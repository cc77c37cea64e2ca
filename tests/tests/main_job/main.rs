//! The main job, black-box over HTTP: what goes in as a notification or a call comes out as a mail, a
//! webhook and a platform call, once, with no loop.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests: what does not hold ends the test")]

mod connections;
mod epochs;
mod loops;
mod moves;
mod orders;
mod parcels;
mod tracking;
mod webhooks;
