//! *Send again*: one more generation of a run, because a person wants it.

use stagepost_domain::again::{Again, AgainRefused, send_again};
use stagepost_domain::event::{Actor, Event};
use stagepost_domain::run::{RunId, Target};

use crate::Core;
use crate::apply::TRIES_MAX;
use crate::ports::{CommitError, ConfigStore, OrderStore, RunStore, run_id};

/// A run that is sent again: its event with it, and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentAgain {
    /// The event as it is now.
    pub event: Event,
    /// The new run.
    pub id: RunId,
}

/// Sends a run again that has ended, whatever its end. The same request (its ids follow from its idempotency key)
/// finds what it made.
///
/// # Errors
/// The inner error says why that makes no sense; the outer one that the store failed, or that others kept
/// changing the event.
pub async fn again<S>(
    core: &Core<S>,
    id: &RunId,
    by: Actor,
    accept_duplicate: bool,
) -> Result<Result<SentAgain, AgainRefused>, CommitError>
where
    S: OrderStore + RunStore + ConfigStore,
{
    let again = Again { request: core.entropy.id_body(), at: core.now(), by };
    for _ in 0..TRIES_MAX {
        let Some(event) = core.store.event(&id.order, id.seq).await? else {
            return Ok(Err(AgainRefused::Unknown));
        };
        let (key, mut run) = match send_again(&event, &id.key, again.clone(), accept_duplicate) {
            Ok(next) => next,
            Err(refused) => return Ok(Err(refused)),
        };
        let next = run_id(&id.order, id.seq, &key);
        if event.runs.contains_key(&key) {
            return Ok(Ok(SentAgain { event, id: next }));
        }
        match &key.target {
            Target::Webhook(..)
                if core.store.webhook_body(&id.order, id.seq, core.now()).await?.is_none() =>
            {
                return Ok(Err(AgainRefused::NoMessage));
            }
            // Decided against when its event was, so that no version was chosen.
            Target::Email(template) if run.target_version == 0 => {
                let newest = core.store.template(&event.shop, template, None).await?;
                run.target_version = newest.map_or(0, |template| template.version);
            }
            _ => {}
        }
        match core.store.add_run(&next, &run).await {
            Ok(event) => return Ok(Ok(SentAgain { event, id: next })),
            Err(CommitError::LostRace | CommitError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Err(CommitError::Conflict)
}
