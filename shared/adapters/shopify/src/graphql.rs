//! The Admin GraphQL API's words: three documents, their answers, and what its errors mean
//! (integrations §2.2 to §2.5).

use serde::Deserialize;
use serde::de::DeserializeOwned;
use stagepost_app::ports::{ActError, ApiAnswer};
use stagepost_domain::SignedDuration;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::text::tidy;

/// Longest text of Shopify's that is passed on, in bytes.
const MESSAGE_MAX: usize = 200;
/// Longest wait that a throttle can ask for: a bucket refills in seconds, whatever its numbers say.
const THROTTLE_MAX_SECONDS: f64 = 600.0;

/// Everything that a decision to fulfill needs, in one read. Its cost stays well below the 1,000 points
/// that one query may cost: a few lines of each fulfillment order show whether something remains. It asks
/// for nothing that the app's scopes do not cover (integrations §2.7): a location would take `read_locations`,
/// and without it Shopify refuses the whole order. The fulfillment orders come page by page.
pub(crate) const LOOK: &str = "query Look($id: ID!, $after: String) { order(id: $id) { \
id displayFulfillmentStatus cancelledAt \
fulfillments(first: 50) { id status createdAt trackingInfo { number url company } } \
fulfillmentOrders(first: 20, after: $after) { nodes { id status supportedActions { action } \
lineItems(first: 10) { nodes { id remainingQuantity } pageInfo { hasNextPage } } } \
pageInfo { hasNextPage endCursor } } } }";

/// What is left after our calls. Shopify's word covers what our scopes do not show (integrations §2.2).
pub(crate) const LEFT: &str = "query Left($id: ID!) { order(id: $id) { id displayFulfillmentStatus } }";

/// Fulfills all that remains of the fulfillment orders named. There is no idempotency key for it
/// (integrations §2.4): a lost answer is settled by looking.
pub(crate) const FULFILL: &str = "mutation Fulfill($fulfillment: FulfillmentInput!) { \
fulfillmentCreate(fulfillment: $fulfillment) { fulfillment { id status } userErrors { field message } } }";

/// Whether a call may have changed something: decides what a lost answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Trying again is safe.
    Reads,
    /// Only looking is.
    Writes,
}

impl Effect {
    /// No answer, or none that can be understood.
    fn lost(self, message: &str) -> ActError {
        match self {
            Self::Reads => ActError::retry(message),
            Self::Writes => ActError::ambiguous(message),
        }
    }

    /// An error of the transport: a read that may have arrived is simply read again.
    pub fn transport(self, error: ActError) -> ActError {
        match error.disposition {
            Disposition::Ambiguous => self.lost(&error.message),
            _ => error,
        }
    }
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: Option<T>,
    errors: Option<Errors>,
    extensions: Option<Extensions>,
}

/// A list, but some edges of the service answer with one text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Errors {
    List(Vec<GraphqlError>),
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct GraphqlError {
    message: Option<String>,
    extensions: Option<ErrorExtensions>,
}

#[derive(Deserialize)]
struct ErrorExtensions {
    code: Option<String>,
}

#[derive(Deserialize)]
struct Extensions {
    cost: Option<Cost>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cost {
    requested_query_cost: Option<f64>,
    throttle_status: Option<Throttle>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Throttle {
    currently_available: Option<f64>,
    restore_rate: Option<f64>,
}

#[derive(Deserialize)]
pub(crate) struct LookData {
    /// Null when there is no such order.
    pub order: Option<OrderNode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderNode {
    pub display_fulfillment_status: Option<String>,
    pub cancelled_at: Option<String>,
    pub fulfillments: Option<Vec<FulfillmentNode>>,
    pub fulfillment_orders: Option<Connection<FulfillmentOrderNode>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Connection<T> {
    pub nodes: Vec<T>,
    pub page_info: Option<PageInfo>,
}

impl<T> Connection<T> {
    /// Whether there is more than what was listed.
    pub fn more(&self) -> bool {
        self.page_info.as_ref().is_some_and(|p| p.has_next_page)
    }

    /// Where the next page begins, if there is one.
    pub fn next(&self) -> Option<&str> {
        self.page_info.as_ref().filter(|page| page.has_next_page)?.end_cursor.as_deref()
    }
}

impl OrderNode {
    /// The order with the fulfillment orders of the pages before it.
    pub fn behind(mut self, before: Option<Self>) -> Self {
        let earlier = before.and_then(|before| before.fulfillment_orders).map(|list| list.nodes);
        if let Some(list) = &mut self.fulfillment_orders {
            list.nodes.splice(0..0, earlier.unwrap_or_default());
        }
        self
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PageInfo {
    pub has_next_page: bool,
    pub end_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FulfillmentNode {
    pub id: String,
    pub status: Option<String>,
    pub created_at: Option<String>,
    pub tracking_info: Option<Vec<TrackingNode>>,
}

#[derive(Deserialize)]
pub(crate) struct TrackingNode {
    pub number: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FulfillmentOrderNode {
    pub id: String,
    pub status: Option<String>,
    pub supported_actions: Option<Vec<ActionNode>>,
    pub line_items: Option<Connection<LineNode>>,
}

#[derive(Deserialize)]
pub(crate) struct ActionNode {
    pub action: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LineNode {
    pub remaining_quantity: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FulfillData {
    pub fulfillment_create: Option<FulfillPayload>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FulfillPayload {
    pub fulfillment: Option<MadeNode>,
    pub user_errors: Option<Vec<UserError>>,
}

#[derive(Deserialize)]
pub(crate) struct MadeNode {
    pub id: String,
    pub status: Option<String>,
}

/// It has no code, only words (integrations §2.3).
#[derive(Deserialize)]
pub(crate) struct UserError {
    pub message: Option<String>,
}

/// The numeric id in a `gid://shopify/{kind}/{id}`: the one that notifications carry.
pub(crate) fn numeric_id(gid: &str, kind: &str) -> Option<String> {
    let rest = gid.strip_prefix("gid://shopify/")?.strip_prefix(kind)?.strip_prefix('/')?;
    crate::id_text(rest.split('?').next().unwrap_or(rest))
}

/// Shopify's own words, short and on one line.
pub(crate) fn words(message: Option<&str>) -> String {
    message.and_then(|m| tidy(m, MESSAGE_MAX)).unwrap_or_else(|| "no reason given".to_owned())
}

/// The data of an answer, or what its status and errors mean.
pub(crate) fn data<T: DeserializeOwned>(answer: &ApiAnswer, effect: Effect) -> Result<T, ActError> {
    if !(200..300).contains(&answer.status) {
        return Err(refused(answer, effect));
    }
    let unread = || effect.lost("Shopify's answer could not be read");
    // Errors first: their envelope is readable even where the data beside it is not.
    let plain: Envelope<serde::de::IgnoredAny> =
        serde_json::from_slice(&answer.body).map_err(|_| unread())?;
    match plain.errors {
        Some(Errors::List(list)) => {
            if let Some(first) = list.first() {
                return Err(failed(first, plain.extensions.and_then(|e| e.cost), effect));
            }
        }
        Some(Errors::Other(_)) => return Err(unread()),
        None => {}
    }
    let full: Envelope<T> = serde_json::from_slice(&answer.body).map_err(|_| unread())?;
    full.data.ok_or_else(unread)
}

/// What an HTTP status says. 429 and 430 come from the edge, before anything was done.
fn refused(answer: &ApiAnswer, effect: Effect) -> ActError {
    let status = answer.status;
    match status {
        401 | 403 => ActError::permanent(format!(
            "Shopify refused the access token (HTTP {status}): connect the store again, or check the app's scopes"
        )),
        404 => ActError::permanent("Shopify does not know this store or API version (HTTP 404)"),
        429 | 430 => ActError {
            disposition: Disposition::Retry { after: answer.retry_after },
            message: format!("Shopify asks for patience (HTTP {status})"),
        },
        408 | 500.. => {
            let mut error = effect.lost(&format!("Shopify answered HTTP {status}"));
            if let Disposition::Retry { after } = &mut error.disposition {
                *after = answer.retry_after;
            }
            error
        }
        _ => ActError::permanent(format!("Shopify answered HTTP {status}")),
    }
}

/// What a top-level error says. Those that are known to come before anything is done are told apart; of
/// any other nobody can tell.
fn failed(error: &GraphqlError, cost: Option<Cost>, effect: Effect) -> ActError {
    let code = error.extensions.as_ref().and_then(|e| e.code.as_deref()).unwrap_or_default();
    let said = words(error.message.as_deref());
    match code {
        "THROTTLED" => ActError {
            disposition: Disposition::Retry { after: cost.as_ref().and_then(throttled_for) },
            message: "Shopify throttles this store's calls".to_owned(),
        },
        "ACCESS_DENIED" => ActError::permanent(format!(
            "Shopify denied access: the app needs read_orders, read_fulfillments and \
             write_merchant_managed_fulfillment_orders ({said})"
        )),
        "SHOP_INACTIVE"
        | "MAX_COST_EXCEEDED"
        | "BAD_REQUEST"
        | "INVALID_VARIABLE"
        | "undefinedField"
        | "argumentLiteralsIncompatible"
        | "argumentNotAccepted"
        | "missingRequiredArguments" => {
            ActError::permanent(format!("Shopify refused the call ({code}): {said}"))
        }
        _ => effect.lost(&format!("Shopify reported an error: {said}")),
    }
}

/// How long until the bucket holds what the call costs (integrations §2.5).
fn throttled_for(cost: &Cost) -> Option<SignedDuration> {
    let bucket = cost.throttle_status.as_ref()?;
    let missing = cost.requested_query_cost? - bucket.currently_available?;
    let rate = bucket.restore_rate.filter(|r| *r > 0.0)?;
    let seconds = (missing / rate).ceil().clamp(1.0, THROTTLE_MAX_SECONDS);
    #[expect(clippy::cast_possible_truncation, reason = "a whole number of seconds from 1 to 600")]
    let seconds = seconds as i64;
    Some(SignedDuration::from_secs(seconds))
}
