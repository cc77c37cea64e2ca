//! Asking for jobs, stopping them, hurrying them.

use stagepost_domain::event::{Action, Actor};
use stagepost_domain::flow::Flow;
use stagepost_domain::id::{ChannelId, EndpointId, JobId, OrderId, ShopId, StageId};
use stagepost_domain::job::{InvalidStep, Job, JobKind, ORDERS_MAX, Recovery, Selection};
use stagepost_domain::text::Invalid;
use stagepost_domain::{SignedDuration, Timestamp};

use super::recover::{Recoverable, counted};
use super::refused;
use crate::Core;
use crate::apply::TRIES_MAX;
use crate::ports::{CommitError, ConfigStore, JobStore, RunStore, StoreError};

/// Longest time that a back-fill looks back, in days: Shopify lists no older orders without a scope of its own
/// (integrations §2.7).
pub const BACKFILL_DAYS_MAX: u16 = 60;
/// Longest time that a recovery looks back, in days: bodies of webhooks are kept for so long.
const RECOVER_DAYS_MAX: i64 = 30;
const RECOVER_MAX: SignedDuration = SignedDuration::from_hours(24 * RECOVER_DAYS_MAX);
/// Longest id that a recovery is asked about.
const TARGET_MAX: usize = 60;

/// A job could not be made, stopped or hurried.
#[derive(Debug, thiserror::Error)]
pub enum JobRequestError {
    /// There is no such job, channel or stage.
    #[error("not found")]
    NotFound,
    /// A field is not valid.
    #[error("not valid")]
    Invalid(Vec<Invalid>),
    /// Its state does not allow it.
    #[error(transparent)]
    Step(InvalidStep),
    /// Others kept writing.
    #[error("the job is being changed by others")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The id generator is broken.
    #[error(transparent)]
    Id(#[from] stagepost_domain::id::InvalidId),
}

impl From<Invalid> for JobRequestError {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(vec![invalid])
    }
}

/// Orders that are to be moved.
#[derive(Debug, Clone)]
pub struct MoveRequest {
    /// The stage to move to, by id.
    pub to: StageId,
    /// Which orders.
    pub selection: Selection,
    /// Who wants it.
    pub actor: Actor,
}

/// Has orders moved, one after the other.
///
/// # Errors
/// No flow has the stage, or there are too many orders or none; or the store failed.
pub async fn bulk_move<S: ConfigStore + JobStore>(
    core: &Core<S>,
    shop: &ShopId,
    mut request: MoveRequest,
) -> Result<Job, JobRequestError> {
    destination(core, shop, &mut request).await?;
    let MoveRequest { to, selection, actor } = request;
    made(core, shop, JobKind::Move { to, selection, actor }).await
}

/// The flow that orders are to be moved in, if the request makes sense: each order once, or a stage of that flow.
pub(super) async fn destination<S: ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    request: &mut MoveRequest,
) -> Result<Flow, JobRequestError> {
    let flows = core.store.flows(shop).await?.into_iter();
    let mut with_it = flows.filter(|f| f.archived_at.is_none() && f.position(&request.to).is_some());
    let flow = with_it.next().ok_or_else(|| Invalid::new("stage", "no flow has this stage"))?;
    match &mut request.selection {
        Selection::Orders { orders } => check_orders(orders)?,
        Selection::Stage { stage } if flow.position(stage).is_none() => {
            return Err(Invalid::new("from_stage", "is not a stage of the same flow").into());
        }
        Selection::Stage { .. } => {}
    }
    Ok(flow)
}

/// Each order once, and not too many.
fn check_orders(orders: &mut Vec<OrderId>) -> Result<(), Invalid> {
    let mut met = std::collections::BTreeSet::new();
    orders.retain(|id| met.insert(id.clone()));
    if orders.is_empty() || orders.len() > ORDERS_MAX {
        return Err(Invalid::new("orders", format!("must name 1 to {ORDERS_MAX} orders")));
    }
    Ok(())
}

/// Has failed runs tried again.
///
/// # Errors
/// `since` is in the future or too long ago, the endpoint that is named is switched off, or the store failed.
pub async fn recover<S: JobStore + ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    which: Recovery,
) -> Result<Job, JobRequestError> {
    check_recovery(core, &which)?;
    if let Some(Ok(target)) = which.target.as_deref().map(EndpointId::parse) {
        let endpoint = core.store.endpoint(shop, &target).await?;
        if endpoint.is_some_and(|endpoint| endpoint.disabled.is_some()) {
            let why = "is switched off: what is sent to it is skipped; switch it on first";
            return Err(Invalid::new("target", why).into());
        }
    }
    made(core, shop, JobKind::Recover(which)).await
}

/// Counts what such a recovery would try again, among the latest 500 events that went wrong.
///
/// # Errors
/// `since` is in the future or too long ago, or the store failed.
pub async fn recoverable<S: RunStore + ConfigStore>(
    core: &Core<S>,
    shop: &ShopId,
    which: &Recovery,
) -> Result<Recoverable, JobRequestError> {
    check_recovery(core, which)?;
    Ok(counted(core, shop, which).await?)
}

/// The failed messages of an endpoint, as far back as a recovery goes.
#[must_use]
pub fn recovery_of<S>(core: &Core<S>, endpoint: &EndpointId) -> Recovery {
    Recovery {
        since: recovered_since(core),
        action: Some(Action::Webhook),
        target: Some(endpoint.to_string()),
    }
}

/// As far back as a recovery goes.
#[must_use]
pub fn recovered_since<S>(core: &Core<S>) -> Timestamp {
    core.now().checked_sub(RECOVER_MAX).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn check_recovery<S>(core: &Core<S>, which: &Recovery) -> Result<(), Invalid> {
    let age = core.now().duration_since(which.since);
    if age < SignedDuration::ZERO || age > RECOVER_MAX {
        return Err(Invalid::new("since", format!("must be a time in the last {RECOVER_DAYS_MAX} days")));
    }
    if which.target.as_ref().is_some_and(|target| target.len() > TARGET_MAX) {
        return Err(Invalid::new("target", "must be an id"));
    }
    Ok(())
}

/// Has an endpoint sent a test message.
///
/// # Errors
/// The shop has no such endpoint, or the store failed.
pub async fn test_endpoint<S: ConfigStore + JobStore>(
    core: &Core<S>,
    shop: &ShopId,
    endpoint: &EndpointId,
) -> Result<Job, JobRequestError> {
    let endpoint = core.store.endpoint(shop, endpoint).await?.ok_or(JobRequestError::NotFound)?;
    made(core, shop, JobKind::Test { endpoint: endpoint.id }).await
}

/// Has the orders of a channel's past adopted, silently.
///
/// # Errors
/// The shop has no such channel, the days are too many, or the store failed.
pub async fn backfill<S: ConfigStore + JobStore>(
    core: &Core<S>,
    shop: &ShopId,
    channel: &ChannelId,
    days: u16,
) -> Result<Job, JobRequestError> {
    let channel = core.store.channel(channel).await?.filter(|c| c.shop == *shop);
    let channel = channel.ok_or(JobRequestError::NotFound)?;
    if days == 0 || days > BACKFILL_DAYS_MAX {
        return Err(Invalid::new("days", format!("must be 1 to {BACKFILL_DAYS_MAX}")).into());
    }
    let kind = JobKind::Backfill { channel: channel.id, since: days_before(core.now(), days) };
    made(core, shop, kind).await
}

/// So many days before then.
pub(crate) fn days_before(now: Timestamp, days: u16) -> Timestamp {
    now.checked_sub(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::UNIX_EPOCH)
}

async fn made<S: JobStore>(core: &Core<S>, shop: &ShopId, kind: JobKind) -> Result<Job, JobRequestError> {
    let id = JobId::from_body(&core.entropy.id_body())?;
    if let Some(there) = core.store.job(shop, &id).await? {
        // The same request again, under the same key of its caller.
        return Ok(there);
    }
    let job = Job::new(id, shop.clone(), kind, core.now());
    match core.store.create_job(&job).await {
        Ok(()) => Ok(job),
        Err(CommitError::Store(error)) => Err(error.into()),
        Err(CommitError::LostRace | CommitError::Conflict) => Err(JobRequestError::Busy),
    }
}

/// Stops a job; what it did stands.
///
/// # Errors
/// There is no such job, it has ended or recurs, or the store failed.
pub async fn cancel<S: JobStore>(core: &Core<S>, shop: &ShopId, id: &JobId) -> Result<Job, JobRequestError> {
    changed(core, shop, id, |job, now| job.cancelled(now)).await
}

/// Has a waiting job done now.
///
/// # Errors
/// There is no such job, it has ended or is being worked on, or the store failed.
pub async fn hurry<S: JobStore>(core: &Core<S>, shop: &ShopId, id: &JobId) -> Result<Job, JobRequestError> {
    changed(core, shop, id, |job, now| job.hurried(now)).await
}

async fn changed<S: JobStore>(
    core: &Core<S>,
    shop: &ShopId,
    id: &JobId,
    step: impl Fn(&Job, Timestamp) -> Result<Job, InvalidStep>,
) -> Result<Job, JobRequestError> {
    for _ in 0..TRIES_MAX {
        let job = core.store.job(shop, id).await?.ok_or(JobRequestError::NotFound)?;
        let next = step(&job, core.now()).map_err(refused)?;
        match core.store.update_job(&next).await {
            Ok(()) => return Ok(next),
            Err(CommitError::LostRace | CommitError::Conflict) => {}
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
    }
    Err(JobRequestError::Busy)
}
