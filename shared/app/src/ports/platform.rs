//! Sales platforms.

use stagepost_domain::Timestamp;
use stagepost_domain::fact::{Coverage, ShipmentId};
use stagepost_domain::order::Source;
use stagepost_domain::package::PackageSeen;
use stagepost_domain::run::RunId;
use stagepost_domain::shop::Channel;

use super::acting::ActError;

/// A call of a platform's API.
#[derive(Clone)]
pub struct ApiCall {
    /// `GET`, `POST` or `PUT`.
    pub method: &'static str,
    /// Vetted at connect time like a merchant's URL: a store's address is a merchant's word.
    pub url: url::Url,
    /// Header names in lower case; credentials among them, so this type has no `Debug`.
    pub headers: Vec<(&'static str, String)>,
    /// JSON bytes.
    pub body: Option<Vec<u8>>,
}

/// A platform's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiAnswer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, if sent.
    pub retry_after: Option<stagepost_domain::SignedDuration>,
    /// How long the call took, from its sending to its whole answer.
    pub took: stagepost_domain::SignedDuration,
    /// `Date`, if sent: when it was answered by the other side's clock, in whole seconds.
    pub date: Option<Timestamp>,
    /// At most 2 MiB.
    pub body: Vec<u8>,
}

/// Calls platforms' APIs: guarded, bounded, without redirects. Any HTTP answer is `Ok`; an error says
/// whether the request may have reached the platform (`Ambiguous`) or not (`Retry`, `Permanent`).
pub trait PlatformHttp: Send + Sync {
    /// One call.
    fn call(&self, call: ApiCall) -> impl Future<Output = Result<ApiAnswer, ActError>> + Send;
}

/// A channel with its credentials opened, for one use.
#[derive(Clone)]
pub struct ChannelAccess {
    /// The channel.
    pub channel: Channel,
    /// Shopify's access token, or WooCommerce's `key:secret`.
    pub credentials: String,
}

/// What to fulfill with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FulfillRequest {
    /// Our run, kept in the platform's metadata where it has any.
    pub run: RunId,
    /// The order's packages that are not taken away and that no fulfillment on the platform brought.
    pub packages: Vec<PackageSeen>,
    /// Whether the platform mails the customer.
    pub notify_customer: bool,
    /// Whether an earlier call of this run may have taken effect, or still may: what is found done meanwhile
    /// may be our own doing.
    pub in_doubt: bool,
}

/// A fulfillment as the platform shows it to a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformShipment {
    /// Its identity, the same as in notifications.
    pub id: ShipmentId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Not cancelled.
    pub active: bool,
    /// Its tracking numbers as the platform shows them.
    pub numbers: Vec<String>,
    /// Our run's id, if the platform kept it.
    pub marker: Option<String>,
}

/// What the platform shows of an order before we act.
#[derive(Debug, Clone)]
pub struct PlatformLook<W> {
    /// How much is fulfilled.
    pub coverage: Coverage,
    /// The fulfillments there.
    pub shipments: Vec<PlatformShipment>,
    /// What is left for us to fulfill, in the adapter's own terms; `None` when there is nothing.
    pub work: Option<W>,
    /// Why nothing can be fulfilled although something remains: cancelled, a platform hold, another
    /// service's, a missing permission. Beside work, why the rest is not for us to fulfill. In words for the
    /// timeline.
    pub blocked: Option<String>,
}

/// What our call made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fulfilled {
    /// The fulfillments named in the answers.
    pub shipments: Vec<ShipmentId>,
    /// Whether nothing remains.
    pub coverage: Coverage,
}

/// A call that failed, perhaps after some of its parts had worked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FulfillError {
    /// What the platform had confirmed before.
    pub made: Vec<ShipmentId>,
    /// The platform says that nothing was left: settle by looking again.
    pub already_done: bool,
    /// The error.
    pub error: ActError,
}

/// One sales platform, for the fulfillment runner: look, then act.
pub trait FulfillmentPlatform: Send + Sync {
    /// What remains, in the adapter's own terms.
    type Work: Send + Sync;
    /// Reads the order. Never writes.
    fn look(
        &self,
        access: &ChannelAccess,
        order: &Source,
    ) -> impl Future<Output = Result<PlatformLook<Self::Work>, ActError>> + Send;
    /// Fulfills what remains.
    fn fulfill(
        &self,
        access: &ChannelAccess,
        order: &Source,
        work: &Self::Work,
        request: &FulfillRequest,
    ) -> impl Future<Output = Result<Fulfilled, FulfillError>> + Send;
}

/// An order as a platform lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedOrder {
    /// What it says, as a notification of it would be read.
    pub reading: crate::inbound::Reading,
    /// The raw order in the shape of its notification, for the quarantine.
    pub raw: Vec<u8>,
    /// The topic under which that is read.
    pub topic: &'static str,
}

/// A page of a platform's orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPage {
    /// The orders, those that changed first before the others.
    pub orders: Vec<ListedOrder>,
    /// The newest change on the page.
    pub newest: Option<Timestamp>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

/// One sales platform, for reconciliation: what changed since.
pub trait OrderSource: Send + Sync {
    /// A page of the orders that changed after `since`, oldest change first. `cursor` is a page's `next`.
    fn changed(
        &self,
        access: &ChannelAccess,
        since: Timestamp,
        cursor: Option<&str>,
        now: Timestamp,
    ) -> impl Future<Output = Result<OrderPage, ActError>> + Send;
    /// Whether the platform takes our credentials, and whether they allow what we do: a call that changes
    /// nothing. Why not, and what to do about it, is in the error.
    fn probe(&self, access: &ChannelAccess) -> impl Future<Output = Result<(), ActError>> + Send;
}
