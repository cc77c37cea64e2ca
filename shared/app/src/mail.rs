//! Mails: what a mail says, whether it may leave, what becomes of it, and how its author sees it beforehand.

pub mod asked;
mod compose;
pub mod events;
pub mod ports;
pub mod preview;
mod send;
pub mod suppressions;
pub mod trial;

use stagepost_domain::order::Order;
use stagepost_domain::pace::Pace;
use stagepost_domain::search::SearchKey;
use url::Url;

pub(crate) use compose::{letter as letter_of, notice};
pub use send::{MailStores, email};

/// Builds the link behind `{{trackingUrl}}`.
pub trait TrackingLinks: Send + Sync {
    /// The page of one order.
    fn link(&self, order: &Order) -> String;
}

/// What a sender goes by beside the store: the same for every mail of a deployment.
#[derive(Clone)]
pub struct PostOffice<L> {
    /// Makes `{{trackingUrl}}`.
    pub links: L,
    /// Hashes the addresses that are not mailed to.
    pub addresses: SearchKey,
    /// How fast the provider takes mails.
    pub pace: Pace,
    /// Start of the links to the console.
    pub public_url: Url,
}
