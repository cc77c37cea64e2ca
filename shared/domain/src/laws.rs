//! The laws of the design, each by a table or a property named after it.

mod law_01_marks;
mod law_01_reports;
mod law_02_fulfilled;
mod law_03_04_silence;
mod law_05_06_07_loops;
mod law_08_09_moves;
mod law_10_runs;
mod law_11_at_most_once;
mod law_12_grace;
mod law_13_parcels;
mod law_15_flows;
mod law_16_subscribers;
mod law_19_erasure;
mod restored;
pub(crate) mod scene;
