//! HTTP to the outside: merchants' webhook receivers and platforms' APIs.
//!
//! Every address here is a merchant's word, so each call is vetted (law 18): the URL when it is sent, every
//! resolved address when it is connected. This crate is the only home of a `reqwest::Client`.

#[cfg(feature = "client")]
mod answer;
#[cfg(feature = "client")]
mod client;
mod guard;
pub mod rehearsal;
#[cfg(feature = "client")]
mod resolve;

#[cfg(feature = "client")]
pub use client::{BuildError, CONNECT_TIMEOUT, OutboundHttp, TOTAL_TIMEOUT};
pub use guard::{Guard, URL_MAX, UrlRefused, check_url, is_forbidden};
