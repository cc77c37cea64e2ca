//! Trying an endpoint out: one test message, signed, sent and logged like any other (docs/adr/0016).

use std::future::ready;

use stagepost_domain::id::{AttemptId, EndpointId, JobId, ShopId};
use stagepost_domain::webhook::{message_id_of, test_body};

use super::{error_of, judge, post, remember};
use crate::Core;
use crate::attempt::{AttemptOf, Whose};
use crate::ports::{ActError, AttemptStore, ConfigStore, Secrets, StoreError, WebhookSender};

/// What a test came to.
pub(crate) enum Tried {
    /// There is no such endpoint.
    Gone,
    /// It was sent; why it did not count, if it did not.
    Sent(Option<String>),
}

/// Sends an endpoint the test message of a job. Also to one that is switched off: whoever mends it wants to know.
pub(crate) async fn try_out<S, W, K>(
    core: &Core<S>,
    sender: &W,
    secrets: &K,
    shop: &ShopId,
    endpoint: &EndpointId,
    job: &JobId,
    attempt: &AttemptId,
) -> Result<Tried, StoreError>
where
    S: ConfigStore + AttemptStore,
    W: WebhookSender,
    K: Secrets,
{
    let Some(endpoint) = core.store.endpoint(shop, endpoint).await? else { return Ok(Tried::Gone) };
    let body = test_body(core.now(), endpoint.id.as_str(), &endpoint.name);
    let post = match post::signed(core, secrets, &endpoint, message_id_of(&job.to_string()), body).await {
        Ok(Some(post)) => Ok(post),
        Ok(None) => Err(ActError::permanent("the endpoint has no secret to sign with")),
        Err(_) => Err(ActError::retry("the endpoint's secrets cannot be opened")),
    };
    let called = post::call(core, sender, post, ready(())).await;
    let outcome = judge(&called.answer);
    let whose =
        Whose { id: attempt, shop, endpoint: &endpoint.id, of: AttemptOf::Job(job.clone()), number: 1 };
    remember(core, &called.kept(whose, error_of(&outcome))).await;
    Ok(Tried::Sent(error_of(&outcome).map(str::to_owned)))
}
