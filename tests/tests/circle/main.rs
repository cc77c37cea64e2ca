//! The rest of the circle: what goes on round the main job.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests: what does not hold ends the test")]

mod flows;
mod jobs;
