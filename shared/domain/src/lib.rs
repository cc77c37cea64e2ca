//! The rules of Stagepost, and nothing else.
//!
//! What an order is, what a fact from outside does to it, which runs follow and how a run ends. No
//! clock, no randomness, no I/O: time and ids come in as arguments, so that every law of the design is
//! a table or a property in the tests beside the code.

pub mod again;
pub mod audit;
pub mod backoff;
pub mod brand;
pub mod canary;
pub mod contact;
pub mod decide;
pub mod disposition;
pub mod event;
pub mod fact;
pub mod feedback;
pub mod flow;
pub mod fulfillment;
pub mod governor;
pub mod health;
pub mod id;
pub mod job;
pub mod keyring;
pub mod link;
pub mod member;
pub mod order;
pub mod outcome;
pub mod pace;
pub mod package;
pub mod restore;
pub mod retention;
pub mod run;
pub mod search;
pub mod session;
pub mod shop;
pub mod signing;
pub mod suppression;
pub mod template;
pub mod text;
pub mod webhook;

#[cfg(test)]
mod laws;

pub use jiff::{SignedDuration, Timestamp};
