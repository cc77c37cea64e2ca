//! Fulfilling on Shopify: look, then one `fulfillmentCreate` per fulfillment order, and look what is left
//! (integrations §2).

use serde_json::{Value, json};
use stagepost_app::ports::{
    ActError, ApiCall, ChannelAccess, FulfillError, FulfillRequest, Fulfilled, FulfillmentPlatform,
    PlatformHttp, PlatformLook, PlatformShipment,
};
use stagepost_domain::SignedDuration;
use stagepost_domain::fact::{Coverage, ShipmentId};
use stagepost_domain::order::Source;
use stagepost_domain::package::{NUMBER_MAX, PACKAGES_MAX, PackageSeen};
use stagepost_domain::text::tidy;
use url::Url;

use crate::company::spelled;
use crate::graphql::{self, Connection, Effect, FulfillmentNode, FulfillmentOrderNode, OrderNode};

#[cfg(test)]
mod tests;

/// The Admin API version that is spoken (integrations §2.1).
pub const API_VERSION: &str = "2026-07";

/// The end of every Shopify store's own domain name.
const STORE_DOMAIN: &str = ".myshopify.com";

/// Where the Admin API is.
#[derive(Debug, Clone)]
pub enum ApiBase {
    /// `https://{store}`, for stores under `myshopify.com` only.
    Shopify,
    /// A stand-in that serves `{base}/{store}/admin/api/{version}/graphql.json`.
    Override(Url),
}

impl ApiBase {
    /// The endpoint of a store.
    ///
    /// # Errors
    /// The store is not `{name}.myshopify.com`: the token must not go anywhere else.
    fn endpoint(&self, store: &str) -> Result<Url, ActError> {
        let not_a_store = || ActError::permanent("the channel's store is not a {name}.myshopify.com address");
        let (mut url, first) = match self {
            Self::Shopify if !is_store(store) => return Err(not_a_store()),
            Self::Shopify => (Url::parse(&format!("https://{store}")).map_err(|_| not_a_store())?, None),
            Self::Override(base) => (base.clone(), Some(store)),
        };
        url.path_segments_mut()
            .map_err(|()| ActError::permanent("the address of the Shopify stand-in cannot have a path"))?
            .pop_if_empty()
            .extend(first)
            .extend(["admin", "api", API_VERSION, "graphql.json"]);
        Ok(url)
    }
}

/// `^[a-z0-9][a-z0-9-]*\.myshopify\.com$` (integrations §2.7).
fn is_store(store: &str) -> bool {
    let Some(name) = store.strip_suffix(STORE_DOMAIN) else { return false };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.len() <= 63 && name.bytes().next().is_some_and(plain) && name.bytes().all(|b| plain(b) || b == b'-')
}

/// How long creating may take in one attempt: with the call under way and the look after it, the attempt
/// ends within its lease.
const PATIENCE: SignedDuration = SignedDuration::from_secs(45);
/// Pages of an order's fulfillment orders that one look reads at the most.
const PAGES_MAX: usize = 5;
/// Shopify's word for an order of which nothing remains and nothing need have gone: from API 2026-10 on, also for one
/// that was refunded or cancelled before anything was shipped (its changelog of 2026-07-03).
const NOT_REQUIRED: &str = "FULFILLMENT_NOT_REQUIRED";

/// What is left for us to fulfill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Ids of fulfillment orders. Each takes a call: one call takes one location (integrations §2.3), and
    /// where a fulfillment order is, our scopes do not tell.
    orders: Vec<String>,
    /// There are more fulfillment orders than were looked at.
    more: bool,
}

/// Shopify's Admin API over an injected HTTP port.
#[derive(Debug, Clone)]
pub struct ShopifyClient<H> {
    http: H,
    base: ApiBase,
}

impl<H: PlatformHttp> ShopifyClient<H> {
    /// A client that calls through `http`; timeouts, caps and the address guard are the port's.
    pub fn new(http: H, base: ApiBase) -> Self {
        Self { http, base }
    }

    pub(crate) async fn call<T: serde::de::DeserializeOwned>(
        &self,
        access: &ChannelAccess,
        document: &str,
        variables: Value,
        effect: Effect,
    ) -> Result<T, ActError> {
        self.timed(access, document, variables, effect).await.map(|(data, _)| data)
    }

    /// The data, and how long the call took.
    async fn timed<T: serde::de::DeserializeOwned>(
        &self,
        access: &ChannelAccess,
        document: &str,
        variables: Value,
        effect: Effect,
    ) -> Result<(T, SignedDuration), ActError> {
        let call = ApiCall {
            method: "POST",
            url: self.base.endpoint(&access.channel.store)?,
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("accept", "application/json".to_owned()),
                ("x-shopify-access-token", access.credentials.clone()),
            ],
            body: Some(json!({ "query": document, "variables": variables }).to_string().into_bytes()),
        };
        let answer = self.http.call(call).await.map_err(|e| effect.transport(e))?;
        Ok((graphql::data(&answer, effect)?, answer.took))
    }

    /// One `fulfillmentCreate`: the fulfillment it made, and how long that took.
    async fn create(
        &self,
        access: &ChannelAccess,
        input: Value,
    ) -> Result<(ShipmentId, SignedDuration), Failed> {
        let variables = json!({ "fulfillment": input });
        let (data, took): (graphql::FulfillData, _) =
            self.timed(access, graphql::FULFILL, variables, Effect::Writes).await.map_err(Failed::plain)?;
        Ok((made(data)?, took))
    }

    /// What our calls came to, by Shopify's own word for the order: another service's part, which our scopes
    /// do not show, may remain. A look that fails claims nothing: a notification will tell.
    async fn left(&self, access: &ChannelAccess, gid: &str) -> Coverage {
        let look = self.call(access, graphql::LEFT, json!({ "id": gid }), Effect::Reads).await;
        let node = look.ok().and_then(|data: graphql::LookData| data.order);
        let status = node.and_then(|node| node.display_fulfillment_status);
        // Whatever word it is that nothing remains, our calls have shipped something.
        let complete = matches!(status.as_deref(), Some("FULFILLED" | NOT_REQUIRED));
        if complete { Coverage::Complete } else { Coverage::Partial }
    }

    /// The order, its fulfillment orders read on until there are some that we may fulfill.
    async fn order(&self, access: &ChannelAccess, gid: &str) -> Result<Option<OrderNode>, ActError> {
        let mut variables = json!({ "id": gid });
        let mut seen: Option<OrderNode> = None;
        for _ in 0..PAGES_MAX {
            let data: graphql::LookData = self.call(access, graphql::LOOK, variables, Effect::Reads).await?;
            let Some(page) = data.order else { return Ok(None) };
            let node = page.behind(seen);
            let next = node.fulfillment_orders.as_ref().filter(|list| !list.nodes.iter().any(is_work));
            let next = next.and_then(|list| list.next()).map(str::to_owned);
            seen = Some(node);
            let Some(after) = next else { break };
            variables = json!({ "id": gid, "after": after });
        }
        Ok(seen)
    }
}

impl<H: PlatformHttp> FulfillmentPlatform for ShopifyClient<H> {
    type Work = Work;

    async fn look(&self, access: &ChannelAccess, order: &Source) -> Result<PlatformLook<Work>, ActError> {
        match self.order(access, &order_gid(access, order)?).await? {
            Some(node) => Ok(seen(&node)),
            None => Err(ActError::permanent("Shopify does not know this order")),
        }
    }

    async fn fulfill(
        &self,
        access: &ChannelAccess,
        order: &Source,
        work: &Work,
        request: &FulfillRequest,
    ) -> Result<Fulfilled, FulfillError> {
        let mut shipments = Vec::new();
        let gid = match order_gid(access, order) {
            Ok(gid) => gid,
            Err(error) => return Err(Failed::plain(error).after(shipments)),
        };
        let tracking = tracking_info(&request.packages);
        let rest = || Failed::plain(ActError::retry("the rest of the order is fulfilled next"));
        let mut spent = SignedDuration::ZERO;
        for id in &work.orders {
            if spent >= PATIENCE {
                return Err(rest().after(shipments));
            }
            match self.create(access, input(id, tracking.as_ref(), request.notify_customer)).await {
                Ok((made, took)) => {
                    shipments.push(made);
                    spent = spent.saturating_add(took);
                }
                Err(failed) => return Err(failed.after(shipments)),
            }
        }
        if work.more {
            return Err(rest().after(shipments));
        }
        let coverage = self.left(access, &gid).await;
        Ok(Fulfilled { shipments, coverage })
    }
}

/// The order's global id. The token of one store is never used for an order of another.
fn order_gid(access: &ChannelAccess, order: &Source) -> Result<String, ActError> {
    if order.store != access.channel.store {
        return Err(ActError::permanent("the order belongs to another store than the channel"));
    }
    crate::id_text(&order.external_id)
        .map(|id| format!("gid://shopify/Order/{id}"))
        .ok_or_else(|| ActError::permanent("the order's id is not one of Shopify's"))
}

// ---------------------------------------------------------------- look

fn seen(node: &OrderNode) -> PlatformLook<Work> {
    let shipments: Vec<_> = node.fulfillments.iter().flatten().filter_map(platform_shipment).collect();
    let coverage = coverage(node, &shipments);
    let (work, blocked) = if coverage == Coverage::Complete {
        (None, None)
    } else if node.cancelled_at.is_some() {
        (None, Some("the order is cancelled on Shopify".to_owned()))
    } else if node.display_fulfillment_status.as_deref() == Some(NOT_REQUIRED) {
        (None, Some("nothing remains to fulfill".to_owned()))
    } else {
        remaining(node)
    };
    PlatformLook { coverage, shipments, work, blocked }
}

fn platform_shipment(node: &FulfillmentNode) -> Option<PlatformShipment> {
    let numbers = node.tracking_info.iter().flatten();
    Some(PlatformShipment {
        id: ShipmentId(graphql::numeric_id(&node.id, "Fulfillment")?),
        created_at: node.created_at.as_deref()?.parse().ok()?,
        active: node.status.as_deref().and_then(crate::active).unwrap_or(true),
        numbers: numbers.filter_map(|t| tidy(t.number.as_deref()?, NUMBER_MAX)).collect(),
        // Shopify keeps nothing of ours on a fulfillment: identity is its id.
        marker: None,
    })
}

/// Complete means that nothing remains (law 2). Shopify's word for the order counts; only the words for
/// what goes on in between (`IN_PROGRESS`, `ON_HOLD`, …) do not say whether a part has gone already. An order that
/// needs no fulfillment is a fulfilled one only if something of it went.
fn coverage(node: &OrderNode, shipments: &[PlatformShipment]) -> Coverage {
    let shipped = shipments.iter().any(|s| s.active);
    match node.display_fulfillment_status.as_deref() {
        Some("FULFILLED") => Coverage::Complete,
        Some(NOT_REQUIRED) if shipped => Coverage::Complete,
        Some("PARTIALLY_FULFILLED") => Coverage::Partial,
        Some("UNFULFILLED" | "RESTOCKED" | NOT_REQUIRED) => Coverage::None,
        _ if shipped => Coverage::Partial,
        _ => Coverage::None,
    }
}

/// What we may fulfill, and why the rest is not ours to fulfill.
fn remaining(node: &OrderNode) -> (Option<Work>, Option<String>) {
    let Some(list) = node.fulfillment_orders.as_ref().filter(|l| !l.nodes.is_empty()) else {
        // Shopify lists only what the app's scopes cover (integrations §2.2).
        let hint = "Shopify shows no fulfillment orders: the app probably lacks the scope \
                    write_merchant_managed_fulfillment_orders";
        return (None, Some(hint.to_owned()));
    };
    let (ours, others): (Vec<_>, Vec<_>) = list.nodes.iter().filter(|f| remains(f)).partition(|f| is_work(f));
    let others = reasons(&others);
    if ours.is_empty() {
        return (None, Some(blocked(&others, list)));
    }
    let orders = ours.iter().map(|f| f.id.clone()).collect();
    (Some(Work { orders, more: list.more() }), (!others.is_empty()).then(|| others.join("; ")))
}

/// Whether something of it is left. A closed or cancelled one was replaced by another. Where more lines
/// exist than were listed, the order's open state counts.
fn remains(node: &FulfillmentOrderNode) -> bool {
    let gone = matches!(node.status.as_deref(), Some("CLOSED" | "CANCELLED"));
    let left = |lines: &Connection<graphql::LineNode>| {
        lines.more() || lines.nodes.iter().any(|l| l.remaining_quantity > 0)
    };
    !gone && node.line_items.as_ref().is_some_and(left)
}

/// Whether something of it is left, and for us to fulfill.
fn is_work(node: &FulfillmentOrderNode) -> bool {
    remains(node) && node.supported_actions.iter().flatten().any(|a| a.action == "CREATE_FULFILLMENT")
}

/// Why these are not for us to fulfill, each reason once.
fn reasons(others: &[&FulfillmentOrderNode]) -> Vec<&'static str> {
    let mut reasons: Vec<&str> = Vec::new();
    for node in others {
        let reason = match node.status.as_deref() {
            Some("ON_HOLD") => "a platform hold: release it in Shopify",
            Some("SCHEDULED") => "scheduled for a later date in Shopify",
            _ => "another fulfillment service's to fulfill",
        };
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons
}

fn blocked(others: &[&str], list: &Connection<FulfillmentOrderNode>) -> String {
    match others {
        [] if list.more() => "more fulfillment orders than can be looked at".to_owned(),
        [] => "nothing that this app may fulfill remains; what does may need another scope of the app"
            .to_owned(),
        others => others.join("; "),
    }
}

// ---------------------------------------------------------------- act

/// One call that failed.
struct Failed {
    made: Option<ShipmentId>,
    already_done: bool,
    error: ActError,
}

impl Failed {
    fn plain(error: ActError) -> Self {
        Self { made: None, already_done: false, error }
    }

    /// Behind the calls that had worked before it.
    fn after(self, mut made: Vec<ShipmentId>) -> FulfillError {
        made.extend(self.made);
        FulfillError { made, already_done: self.already_done, error: self.error }
    }
}

/// `FulfillmentInput` for one fulfillment order; without inner lines it takes all that remains.
fn input(id: &str, tracking: Option<&Value>, notify_customer: bool) -> Value {
    let orders = [json!({ "fulfillmentOrderId": id })];
    let mut input = json!({ "lineItemsByFulfillmentOrder": orders, "notifyCustomer": notify_customer });
    if let (Some(fields), Some(info)) = (input.as_object_mut(), tracking) {
        fields.insert("trackingInfo".to_owned(), info.clone());
    }
    input
}

/// `FulfillmentTrackingInput`: number or numbers, url or urls, never an url without a number
/// (integrations §2.3).
fn tracking_info(packages: &[PackageSeen]) -> Option<Value> {
    // A parcel known by its link only has the link as its number too: Shopify refuses an url without a
    // number, and dropping the merchant's link would be worse. Reading takes it back as a link.
    let parcels: Vec<(&str, Option<&str>)> = packages
        .iter()
        .take(PACKAGES_MAX)
        .filter_map(|p| Some((p.number.as_deref().or(p.url.as_deref())?, p.url.as_deref())))
        .collect();
    let mut info = match parcels.as_slice() {
        [] => return None,
        [(number, None)] => json!({ "number": number }),
        [(number, Some(url))] => json!({ "number": number, "url": url }),
        many => {
            let numbers: Vec<&str> = many.iter().map(|(number, _)| *number).collect();
            // Links are matched to numbers by place, so they go only when each number has one.
            match many.iter().map(|(_, url)| *url).collect::<Option<Vec<&str>>>() {
                Some(urls) => json!({ "numbers": numbers, "urls": urls }),
                None => json!({ "numbers": numbers }),
            }
        }
    };
    if let (Some(fields), Some(company)) = (info.as_object_mut(), company(packages)) {
        fields.insert("company".to_owned(), json!(company));
    }
    Some(info)
}

/// The carrier, if all parcels have the same: Shopify takes one for the whole fulfillment.
fn company(packages: &[PackageSeen]) -> Option<&str> {
    let mut carriers = packages.iter().map(|p| p.carrier.as_deref().map(spelled));
    let first = carriers.next()??;
    carriers.all(|other| other == Some(first)).then_some(first)
}

/// What a `fulfillmentCreate` answered.
fn made(data: graphql::FulfillData) -> Result<ShipmentId, Failed> {
    let unclear =
        || Failed::plain(ActError::ambiguous("Shopify's answer does not name the fulfillment it made"));
    let payload = data.fulfillment_create.ok_or_else(unclear)?;
    let Some(node) = payload.fulfillment else {
        return Err(payload.user_errors.as_deref().and_then(refused).unwrap_or_else(unclear));
    };
    let id = ShipmentId(graphql::numeric_id(&node.id, "Fulfillment").ok_or_else(unclear)?);
    if node.status.as_deref().and_then(crate::active) == Some(false) {
        let error = ActError::permanent("Shopify made the fulfillment and marked it as failed");
        return Err(Failed { made: Some(id), already_done: false, error });
    }
    Ok(id)
}

/// What the first user error says. "Unfulfillable status" means that somebody was there before us: its
/// exact words vary, and there is no code.
fn refused(errors: &[graphql::UserError]) -> Option<Failed> {
    let said = |e: &graphql::UserError| e.message.clone().unwrap_or_default();
    let taken = errors.iter().find(|e| said(e).to_lowercase().contains("unfulfillable status"));
    let first = taken.or(errors.first())?;
    let message = format!("Shopify refused the fulfillment: {}", graphql::words(first.message.as_deref()));
    // Another look tells what is left, so the run itself may go on.
    let error = if taken.is_some() { ActError::retry(message) } else { ActError::permanent(message) };
    Some(Failed { made: None, already_done: taken.is_some(), error })
}
