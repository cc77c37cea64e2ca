//! Carriers' notifications, read. One module for each service that an integration can speak.

mod easypost;

pub use easypost::read_easypost;
