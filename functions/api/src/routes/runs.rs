//! Runs.

use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use stagepost_app::again::again;
use stagepost_app::ports::Secrets;
use stagepost_app::run::retry as retry_run;
use stagepost_domain::again::AgainRefused;
use stagepost_domain::event::Event;
use stagepost_domain::id::ShopId;
use stagepost_domain::run::RunId;
use stagepost_lambda::http::Problem;

use super::State;
use super::orders::PageQuery;
use crate::answer::{Answer, Found, List, Made};
use crate::caller::{Caller, Member};
use crate::failed::Failed;
use crate::payload::{Named, Payload, Queried};
use crate::view::{AttemptView, RunView};
use crate::{Api, Stores};

/// The event that holds the shop's run.
async fn found<S: Stores, K>(api: &Api<S, K>, shop: &ShopId, id: &RunId) -> Result<Event, Failed> {
    let event = api.core.store.event(&id.order, id.seq).await?;
    let event = event.filter(|e| e.shop == *shop && e.runs.contains_key(&id.key));
    Ok(event.ok_or_else(|| Problem::not_found("run"))?)
}

pub async fn read<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<RunId>,
) -> Answer<Found<RunView>> {
    let event = found(&api, caller.shop(), &id).await?;
    let run = event.runs.get(&id.key).ok_or_else(|| Problem::not_found("run"))?;
    Ok(Found(RunView::new(&event, &id.key, run)))
}

pub async fn list<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Queried(q): Queried<PageQuery>,
) -> Answer<Found<List<RunView>>> {
    let page = api.core.store.attention(caller.shop(), q.cursor(), q.limit()?).await?;
    let wrong = page.items.iter().flat_map(|event| {
        let runs = event.latest_runs().filter(|(_, run)| run.state.gone_wrong().is_some());
        runs.map(|(key, run)| RunView::new(event, key, run))
    });
    Ok(Found(List { items: wrong.collect(), next: page.next }))
}

/// How a run is to be tried again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryInput {
    /// Needed for an uncertain run: it may then happen twice.
    #[serde(default)]
    accept_duplicate: bool,
}

pub async fn retry<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named(id): Named<RunId>,
    Payload(input): Payload<RetryInput>,
) -> Answer<Found<RunView>> {
    let event = found(&api, caller.shop(), &id).await?;
    match retry_run(&api.core, &id, input.accept_duplicate).await? {
        None => Err(Problem::not_found("run").into()),
        Some(Ok(run)) => Ok(Found(RunView::new(&event, &id.key, &run))),
        Some(Err(why)) => {
            let title = "This run cannot be retried";
            Err(Problem::new(StatusCode::CONFLICT, "not-retryable", title).detail(why.to_string()).into())
        }
    }
}

/// How a run is to be sent again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendAgainInput {
    /// Needed for a mail that may have gone out already.
    #[serde(default)]
    accept_duplicate: bool,
}

pub async fn send_again<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Member>,
    Named(id): Named<RunId>,
    Payload(input): Payload<SendAgainInput>,
) -> Answer<Made<RunView>> {
    found(&api, caller.shop(), &id).await?;
    match again(&api.core, &id, caller.actor(), input.accept_duplicate).await? {
        Ok(sent) => {
            let run = sent.event.runs.get(&sent.id.key).ok_or_else(|| Problem::not_found("run"))?;
            Ok(Made(RunView::new(&sent.event, &sent.id.key, run)))
        }
        Err(AgainRefused::Unknown) => Err(Problem::not_found("run").into()),
        Err(why) => {
            let title = "This run is not sent again";
            let problem = Problem::new(StatusCode::CONFLICT, "not-sent-again", title).detail(why.to_string());
            Err(problem.with(json!({ "reason": why.code() })).into())
        }
    }
}

/// More than a run has attempts, retries by hand included.
const ATTEMPTS_MAX: usize = 100;

pub async fn attempts<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<RunId>,
) -> Answer<Found<List<AttemptView>>> {
    found(&api, caller.shop(), &id).await?;
    let attempts = api.core.store.attempts_of_run(&id, ATTEMPTS_MAX, api.core.now()).await?;
    Ok(List::whole(attempts.into_iter().map(AttemptView::from)))
}
