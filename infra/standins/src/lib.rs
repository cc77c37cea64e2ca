//! Stand-ins for the far ends: a Shopify store, a WooCommerce site, EasyPost and a merchant's receiver,
//! each on a loopback port of this process. The demo and the black-box tests play them like the real ones.
//!
//! They are small but honest: what a change of theirs sends, how often, in which shape and with which
//! signature is what the real ones do ("integrations" §1 to §5, live notes), and they can misbehave in the
//! real ones' ways: answers that come late or never, notifications that overtake them, throttling.
//!
//! None of them panics on odd input, and none is part of the product: keep them off public addresses.

mod courier;
mod desk;
mod easypost;
mod easypost_api;
mod gate;
mod json;
mod notification;
mod raw;
mod receiver;
mod server;
mod shopify;
mod spec;
#[cfg(test)]
mod testing;
mod woo;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use courier::{Courier, CourierError, Posted};
pub use desk::{Call, Desk, Platform};
pub use easypost::EasyPost;
pub use easypost_api::EasyPostAccount;
pub use gate::Gate;
pub use notification::Notification;
pub use raw::{Ends, RawReceiver, Says};
pub use receiver::{Received, Receiver, Reply};
pub use shopify::ShopifyStore;
pub use spec::{LineSpec, OrderSpec, THIRD_PARTY, Tracking};
pub use woo::WooStore;

/// A script asked for something that the stand-in cannot do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// There is no such order.
    #[error("the stand-in has no such order")]
    UnknownOrder,
    /// The platform would refuse it, and why.
    #[error("the stand-in refuses: {0}")]
    Refused(String),
}

/// A lock whose holder panicked is taken all the same: the test that panicked fails by itself.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
