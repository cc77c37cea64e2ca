//! Jobs: bulk moves, back-fill, reconciliation, recovery.

use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use stagepost_app::config::reconciliation_of;
use stagepost_app::jobs::{self, JobRequestError, MoveRequest};
use stagepost_app::ports::Secrets;
use stagepost_domain::Timestamp;
use stagepost_domain::event::Action;
use stagepost_domain::flow::Flow;
use stagepost_domain::id::{ChannelId, JobId, OrderId, StageId};
use stagepost_domain::job::{Recovery, Selection};
use stagepost_domain::text::Invalid;
use stagepost_lambda::http::Problem;

use super::State;
use super::orders::PageQuery;
use crate::Stores;
use crate::answer::{Answer, Found, List, Made};
use crate::caller::{Admin, Caller, Member};
use crate::failed::Failed;
use crate::payload::{Named, Payload, Queried};
use crate::view::{JobView, RecoverableView};

impl From<JobRequestError> for Failed {
    fn from(error: JobRequestError) -> Self {
        match error {
            JobRequestError::NotFound => Problem::not_found("thing here").into(),
            JobRequestError::Invalid(errors) => Problem::invalid(errors).into(),
            JobRequestError::Step(step) => {
                let title = "The job does not allow that as it stands";
                Problem::new(StatusCode::CONFLICT, "job-state", title).detail(step.to_string()).into()
            }
            JobRequestError::Busy => Problem::unavailable().into(),
            JobRequestError::Store(error) => error.into(),
            JobRequestError::Id(error) => {
                tracing::error!(%error, "job");
                Problem::internal().into()
            }
        }
    }
}

pub async fn list<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Queried(q): Queried<PageQuery>,
) -> Answer<Found<List<JobView>>> {
    let page = api.core.store.jobs(caller.shop(), q.cursor(), q.limit()?).await?;
    Ok(Found(List { items: page.items.into_iter().map(JobView::from).collect(), next: page.next }))
}

pub async fn read<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<JobId>,
) -> Answer<Found<JobView>> {
    let job = api.core.store.job(caller.shop(), &id).await?;
    Ok(Found(job.ok_or_else(|| Problem::not_found("job"))?.into()))
}

pub async fn cancel<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named(id): Named<JobId>,
) -> Answer<Found<JobView>> {
    Ok(Found(jobs::cancel(&api.core, caller.shop(), &id).await?.into()))
}

/// Which orders are to go where.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkMoveInput {
    /// The stage's id, or its name where only one flow has it.
    stage: String,
    /// These orders, at most 500.
    orders: Option<Vec<OrderId>>,
    /// Instead of `orders`: all that stand in this stage now, by its id or name.
    from_stage: Option<String>,
}

pub async fn bulk_move<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Payload(input): Payload<BulkMoveInput>,
) -> Answer<Made<JobView>> {
    let flows = api.core.store.flows(caller.shop()).await?;
    let to = stage_of(&flows, "stage", &input.stage).map_err(|e| Problem::invalid(vec![e]))?;
    let selection = match (input.orders, input.from_stage) {
        (Some(orders), None) => Ok(Selection::Orders { orders }),
        (None, Some(named)) => stage_of(&flows, "from_stage", &named).map(|stage| Selection::Stage { stage }),
        _ => Err(Invalid::new("orders", "say either orders or from_stage")),
    };
    let selection = selection.map_err(|e| Problem::invalid(vec![e]))?;
    let request = MoveRequest { to, selection, actor: caller.actor() };
    Ok(Made(jobs::bulk_move(&api.core, caller.shop(), request).await?.into()))
}

/// A stage by its id, or by a name that only one stage of all flows has.
fn stage_of(flows: &[Flow], field: &str, named: &str) -> Result<StageId, Invalid> {
    if let Ok(id) = StageId::parse(named) {
        return Ok(id);
    }
    let live = flows.iter().filter(|flow| flow.archived_at.is_none());
    let mut found = live.flat_map(|flow| &flow.stages).filter(|stage| stage.name == named);
    match (found.next(), found.next()) {
        (Some(stage), None) => Ok(stage.id.clone()),
        (None, _) => Err(Invalid::new(field, "no stage has this id or name")),
        (Some(_), Some(_)) => {
            Err(Invalid::new(field, "several flows have a stage of this name: give its id"))
        }
    }
}

/// How much of a channel's past to adopt.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackfillInput {
    /// Days, 1 to 60.
    #[schemars(range(min = 1, max = 60))]
    days: u16,
}

pub async fn backfill<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<ChannelId>,
    Payload(input): Payload<BackfillInput>,
) -> Answer<Made<JobView>> {
    Ok(Made(jobs::backfill(&api.core, caller.shop(), &id, input.days).await?.into()))
}

pub async fn reconcile<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named(id): Named<ChannelId>,
) -> Answer<Found<JobView>> {
    let job = reconciliation_of(&id).map_err(JobRequestError::from)?;
    Ok(Found(jobs::hurry(&api.core, caller.shop(), &job).await?.into()))
}

/// Which failed runs to try again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoverInput {
    /// Those that ended since then, at most 30 days ago.
    since: Timestamp,
    /// Of one kind only.
    action: Option<Action>,
    /// Of one template, endpoint or channel only, by its id.
    #[schemars(length(max = 60))]
    target: Option<String>,
}

impl From<RecoverInput> for Recovery {
    fn from(RecoverInput { since, action, target }: RecoverInput) -> Self {
        Self { since, action, target }
    }
}

pub async fn recover<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Payload(input): Payload<RecoverInput>,
) -> Answer<Made<JobView>> {
    Ok(Made(jobs::recover(&api.core, caller.shop(), input.into()).await?.into()))
}

/// Which failed runs to count.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoverableQuery {
    /// Those that ended since then; of the last 30 days unless said.
    since: Option<Timestamp>,
    /// Of one kind only.
    action: Option<Action>,
    /// Of one template, endpoint or channel only, by its id.
    #[schemars(length(max = 60))]
    target: Option<String>,
}

pub async fn recoverable<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Queried(RecoverableQuery { since, action, target }): Queried<RecoverableQuery>,
) -> Answer<Found<RecoverableView>> {
    let since = since.unwrap_or_else(|| jobs::recovered_since(&api.core));
    let which = Recovery { since, action, target };
    Ok(Found(jobs::recoverable(&api.core, caller.shop(), &which).await?.into()))
}
