//! Runs, and what stands in quarantine.

use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use stagepost_app::ports::Secrets;
use stagepost_app::run::retry as retry_run;
use stagepost_domain::event::Event;
use stagepost_domain::run::RunId;
use stagepost_domain::shop::Role;
use stagepost_lambda::http::Problem;

use super::{Answer, State, list, ok};
use crate::caller::Caller;
use crate::payload::{Failed, Named, Payload};
use crate::{Api, Stores, view};

/// Entries shown of the quarantine.
const QUARANTINE_SHOWN: usize = 100;

async fn found<S: Stores, K>(api: &Api<S, K>, caller: &Caller, id: &str) -> Result<(RunId, Event), Failed> {
    let id = RunId::parse(id).map_err(|_| Problem::not_found("run"))?;
    let event = api.core.store.event(&id.order, id.seq).await?;
    let event = event.filter(|e| e.shop == *caller.shop() && e.runs.contains_key(&id.key));
    Ok((id, event.ok_or_else(|| Problem::not_found("run"))?))
}

pub async fn read<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<String>,
) -> Answer {
    let (id, event) = found(&api, &caller, &id).await?;
    let run = event.runs.get(&id.key).ok_or_else(|| Problem::not_found("run"))?;
    ok(json!(view::run(&event, &id.key, run)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryInput {
    /// Needed for an uncertain run: it may then happen twice.
    #[serde(default)]
    accept_duplicate: bool,
}

pub async fn retry<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<String>,
    Payload(input): Payload<RetryInput>,
) -> Answer {
    caller.at_least(Role::Member)?;
    let (id, event) = found(&api, &caller, &id).await?;
    match retry_run(&api.core, &id, input.accept_duplicate).await? {
        None => Err(Problem::not_found("run").into()),
        Some(Ok(run)) => ok(json!(view::run(&event, &id.key, &run))),
        Some(Err(why)) => {
            let title = "This run cannot be retried";
            Err(Problem::new(StatusCode::CONFLICT, "not-retryable", title).detail(why.to_string()).into())
        }
    }
}

pub async fn quarantine<S: Stores, K: Secrets + 'static>(api: State<S, K>, caller: Caller) -> Answer {
    caller.at_least(Role::Member)?;
    let items = api.core.store.quarantined(caller.shop(), QUARANTINE_SHOWN).await?;
    let view = |entry: &stagepost_app::ports::QuarantineEntry| {
        let q = &entry.item;
        json!({"at": q.at, "came_by": q.came_by, "topic": q.topic, "reason": q.reason, "bytes": entry.bytes})
    };
    list(items.iter().map(view).collect(), None)
}
