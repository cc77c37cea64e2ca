//! Completing orders: look, then act (integrations §4, live notes §2).

use serde_json::{Value, json};
use stagepost_app::ports::{
    ActError, ApiAnswer, ChannelAccess, FulfillError, FulfillRequest, Fulfilled, FulfillmentPlatform,
    PlatformHttp, PlatformLook, PlatformShipment,
};
use stagepost_domain::fact::{Coverage, ShipmentId};
use stagepost_domain::order::{Lifecycle, Source};
use stagepost_domain::package::PackageSeen;
use stagepost_domain::{SignedDuration, Timestamp};

use crate::door::Way;
use crate::json::{each, id, whole};
use crate::order::{MARKER, Order, TRACKING, Tracking, fulfillments_id, parcel, slug};
use crate::problem::{Wish, json as parsed, ok, problem};
use crate::session::{Resource, Session};
use crate::tell::{Telling, undoubted};

/// What whole seconds hide.
const SECOND: SignedDuration = SignedDuration::from_secs(1);
/// A proxy in front of the store may date answers by a clock of its own, off by as much.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// WooCommerce as a place to fulfill on, over REST v3 with a consumer key (`ck_…:cs_…`).
#[derive(Debug, Clone)]
pub struct WooClient<H> {
    http: H,
}

impl<H: PlatformHttp> WooClient<H> {
    /// A client that calls through `http`. It keeps nothing between calls.
    pub fn new(http: H) -> Self {
        Self { http }
    }

    pub(crate) fn http(&self) -> &H {
        &self.http
    }
}

/// What an order's completion needs of what was seen before it.
#[derive(Debug, Clone)]
pub struct Work {
    /// Parcels that the order shows already.
    pub(crate) told: Vec<PackageSeen>,
    /// The list of tracking plugins as stored; `None` when it has a shape that we would destroy.
    pub(crate) items: Option<Vec<Value>>,
    /// Line items with their quantities.
    pub(crate) lines: Vec<(String, u64)>,
    /// The run whose mark the order carries.
    pub(crate) marker: Option<String>,
    /// How the store is reached.
    pub(crate) way: Way,
}

/// The metadata entry that marks an order as completed by this run.
pub(crate) fn mark(request: &FulfillRequest) -> Value {
    json!({ "key": MARKER, "value": request.run.to_string() })
}

impl<H: PlatformHttp> FulfillmentPlatform for WooClient<H> {
    type Work = Work;

    async fn look(&self, access: &ChannelAccess, order: &Source) -> Result<PlatformLook<Work>, ActError> {
        look(&Session::open(&self.http, access, order, Way::default())?).await
    }

    /// Tracking first, then the completion: WooCommerce mails the customer by itself when an order is
    /// completed, whatever was asked for, and that mail can carry what is there by then. `notify_customer`
    /// decides only about mails beside that one.
    async fn fulfill(
        &self,
        access: &ChannelAccess,
        order: &Source,
        work: &Work,
        request: &FulfillRequest,
    ) -> Result<Fulfilled, FulfillError> {
        let failed = |made: bool, already_done: bool, error| FulfillError {
            made: made.then(fulfillments_id).into_iter().collect(),
            already_done,
            error,
        };
        let session =
            Session::open(&self.http, access, order, work.way).map_err(|e| failed(false, false, e))?;
        let mut telling = Telling::new(&session, work, request);
        let told = telling.tell().await;
        let made = telling.fulfilled;
        let items = told.map_err(|e| failed(made, false, e))?;
        match finish(&telling, items).await {
            Ok(Some(completion)) => {
                let shipments = std::iter::once(completion).chain(made.then(fulfillments_id)).collect();
                Ok(Fulfilled { shipments, coverage: Coverage::Complete })
            }
            Ok(None) => Err(failed(made, true, ActError::permanent("somebody else was faster"))),
            Err(error) => Err(failed(made, false, error)),
        }
    }
}

/// Completes the order once its tracking is told; `None` if that is no longer ours to do.
async fn finish<H: PlatformHttp>(
    telling: &Telling<'_, H>,
    items: Option<Value>,
) -> Result<Option<ShipmentId>, ActError> {
    let (session, request) = (telling.session, telling.request);
    if telling.talked {
        // Those calls took their time: what was seen before them may be so no longer.
        let seen = look(session).await.map_err(undoubted)?;
        let completed = seen.shipments.iter().any(|s| s.active && s.id != fulfillments_id());
        if completed && telling.announced {
            withdraw(session, request).await?;
        }
        // A fulfillment of our own may be all that remained, and wants its completion still.
        if completed || seen.blocked.is_some() || (seen.work.is_none() && !telling.fulfilled) {
            return Ok(None);
        }
    }
    let completion = complete(session, request, items).await?;
    if completion.is_none() {
        withdraw(session, request).await?;
    }
    Ok(completion)
}

async fn look<H: PlatformHttp>(session: &Session<'_, H>) -> Result<PlatformLook<Work>, ActError> {
    let answer = session.get(Resource::Order).await?;
    if !ok(&answer) {
        return Err(problem(Wish::Read, &answer));
    }
    let strange = || ActError::retry("the store did not answer with the order");
    let json = parsed(&answer).ok_or_else(strange)?;
    let seen = Order::parse(&json).ok_or_else(strange)?;
    if id(json.get("id")).as_deref() != Some(session.id()) {
        return Err(strange());
    }
    Ok(looked(&json, &seen, session.way()))
}

/// What an order shows to a reader who wants to complete it.
fn looked(json: &Value, order: &Order<'_>, way: Way) -> PlatformLook<Work> {
    let coverage = order.coverage();
    let blocked = blocked(order);
    let remains = coverage < Coverage::Complete && blocked.is_none();
    PlatformLook {
        coverage,
        shipments: shipments(order),
        work: remains.then(|| work(json, order, way)),
        blocked: blocked.filter(|_| coverage < Coverage::Complete),
    }
}

fn blocked(order: &Order<'_>) -> Option<String> {
    match order.lifecycle() {
        // A change of a trashed order answers 200 and silently takes it out of the trash (live notes 18).
        Lifecycle::Trashed => Some("the order is in the store's trash".to_owned()),
        Lifecycle::Cancelled { .. } => {
            Some(format!("the order is {} in the store", slug(order.status()).unwrap_or_default()))
        }
        Lifecycle::Open => order.is_draft().then(|| "the order is a cart that was never placed".to_owned()),
    }
}

fn shipments(order: &Order<'_>) -> Vec<PlatformShipment> {
    let parcels = order.parcels().unwrap_or_default();
    let numbers: Vec<String> = parcels.into_iter().filter_map(|p| p.number).collect();
    // Our completion writes its mark in the same call. An order without one is therefore not ours, and a
    // mark that is no run's says so: nobody has to guess by time and numbers.
    let marker = Some(order.marker().unwrap_or_default());
    let completion = order.completion().map(|(id, at)| (id, at, true));
    let taken_back = order.past_completion().map(|(id, at)| (id, Some(at), false));
    // When they were made, the order does not say; a completion comes after them.
    let at = order.modified_at().filter(|_| completion.is_none());
    let fulfillments = order.fulfillments().map(|id| (id, at, true));
    completion
        .into_iter()
        .chain(taken_back)
        .chain(fulfillments)
        .map(|(id, at, active)| PlatformShipment {
            id,
            created_at: at.unwrap_or(Timestamp::UNIX_EPOCH),
            active,
            numbers: numbers.clone(),
            marker: marker.clone(),
        })
        .collect()
}

fn work(json: &Value, order: &Order<'_>, way: Way) -> Work {
    let items = match order.tracking() {
        Tracking::Absent => Some(Vec::new()),
        Tracking::Items(items) => Some(items),
        Tracking::Garbage => None,
    };
    // A quantity that is not whole (sold by weight) counts as one piece.
    let line = |item: &Value| Some((id(item.get("id"))?, whole(item.get("quantity")).unwrap_or(1)));
    Work {
        told: items.iter().flatten().filter_map(parcel).collect(),
        items,
        lines: each(json.get("line_items")).into_iter().filter_map(line).filter(|(_, n)| *n > 0).collect(),
        marker: order.marker(),
        way,
    }
}

/// The write that fulfills; `None` if somebody else had completed the order before it. Completing twice mails
/// nobody twice and keeps the first time (live notes 45). What an earlier call of ours may have completed is
/// not taken for somebody else's.
async fn complete<H: PlatformHttp>(
    session: &Session<'_, H>,
    request: &FulfillRequest,
    items: Option<Value>,
) -> Result<Option<ShipmentId>, ActError> {
    let mut meta = vec![mark(request)];
    meta.extend(items.map(|items| json!({ "key": TRACKING, "value": items })));
    let answer = session.put(&json!({ "status": "completed", "meta_data": meta })).await?;
    if !ok(&answer) {
        return Err(problem(Wish::Write, &answer));
    }
    let (completion, before) = completed(&answer)?;
    Ok((request.in_doubt || !before).then_some(completion))
}

/// Takes our mark from a completion that somebody else made, so that nobody takes it for ours.
async fn withdraw<H: PlatformHttp>(
    session: &Session<'_, H>,
    request: &FulfillRequest,
) -> Result<(), ActError> {
    if request.in_doubt {
        return Ok(());
    }
    // Null removes an entry (live notes 48).
    let answer = session.put(&json!({ "meta_data": [{ "key": MARKER, "value": null }] })).await?;
    if ok(&answer) { Ok(()) } else { Err(problem(Wish::Write, &answer)) }
}

/// The completion, and whether it was made before the call.
///
/// A 200 alone proves nothing: plugins change the status back, caches answer in the store's place.
fn completed(answer: &ApiAnswer) -> Result<(ShipmentId, bool), ActError> {
    let unclear = || ActError::ambiguous("the store's answer to the completion cannot be read");
    let json = parsed(answer).ok_or_else(unclear)?;
    let order = Order::parse(&json).ok_or_else(unclear)?;
    if let Some((id, Some(at))) = order.completion() {
        return Ok((id, made_before(answer, &order, at)));
    }
    if order.status() == "completed" {
        return Err(unclear());
    }
    let status = slug(order.status()).unwrap_or_default();
    let message =
        format!("the store left the order at \"{status}\"; a plugin may have changed the completion");
    Err(ActError::permanent(message))
}

/// Whether a completion is older than our call, by the store's own times, which are in whole seconds. Our call
/// changes the order last, so that `date_modified` is the time of its end. Not so in the older storage of
/// orders, where a completed order keeps that time when only our mark is added (live notes 20): there the
/// answer's own date tells.
fn made_before(answer: &ApiAnswer, order: &Order<'_>, completed: Timestamp) -> bool {
    let allowed = answer.took.saturating_add(SECOND);
    let older = |end: Option<Timestamp>, than| end.is_some_and(|end| end.duration_since(completed) > than);
    older(order.modified_at(), allowed) || older(answer.date, allowed.saturating_add(CLOCK_SKEW))
}
