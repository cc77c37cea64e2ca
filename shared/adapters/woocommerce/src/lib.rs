//! WooCommerce: its notifications read, its orders completed over REST v3 (integrations §3, §4).
//!
//! Everything is lenient towards the payload: plugins turn numbers into text and arrays into objects, and
//! one odd field never costs the whole notification. Only what identifies an order is strict.

mod client;
mod door;
mod json;
mod list;
mod order;
mod problem;
mod read;
mod session;
mod tell;

#[cfg(test)]
mod tests;

pub use client::{WooClient, Work};
pub use read::{is_ping, read};
