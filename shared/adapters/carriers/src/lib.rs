//! Carriers' notifications, read, and their services, called. One module for each service that an
//! integration can speak.

mod easypost;
mod easypost_api;

pub use easypost::read_easypost;
pub use easypost_api::{EasyPostBase, EasyPostClient};
