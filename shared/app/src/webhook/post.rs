//! One call: signed, sent, timed.

use stagepost_domain::Timestamp;
use stagepost_domain::disposition::Disposition;
use stagepost_domain::shop::Endpoint;
use stagepost_domain::signing::{webhook_key, webhook_signature};

use crate::Core;
use crate::attempt::{Called, sent_headers};
use crate::ports::{ActError, Post, SecretError, SecretKind, Secrets, WebhookSender};

/// The call with its signatures; `None` if no secret can sign: nothing leaves unsigned.
pub(super) async fn signed<S, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    endpoint: &Endpoint,
    message: String,
    body: String,
) -> Result<Option<Post>, SecretError> {
    let now = core.now();
    let keys = signing_keys(secrets, endpoint, now).await?;
    if keys.is_empty() {
        return Ok(None);
    }
    let timestamp = now.as_second();
    let signature = webhook_signature(&keys, &message, timestamp, body.as_bytes());
    let mut headers = own_headers(secrets, endpoint).await?;
    // Behind its own headers: none of those takes the place of one of these.
    headers.extend(
        [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", message),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", signature),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    Ok(Some(Post { url: endpoint.url.clone(), headers, body: body.into_bytes() }))
}

/// Keys of the secrets that count at `now`. A former one that never opens again is done without: only what
/// becomes of the current one is worth another try.
async fn signing_keys<K: Secrets>(
    secrets: &K,
    endpoint: &Endpoint,
    now: Timestamp,
) -> Result<Vec<Vec<u8>>, SecretError> {
    let mut keys = Vec::new();
    for (sealed, until) in endpoint.secrets.at(now) {
        match secrets.open((&endpoint.shop).into(), SecretKind::EndpointSecret, sealed).await {
            Ok(secret) => keys.extend(webhook_key(&secret).ok()),
            Err(error) if until.is_some() && error.disposition == Disposition::Permanent => {
                tracing::error!(endpoint = %endpoint.id, %error, "a former secret signs no more");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(keys)
}

/// The headers that the endpoint's owner wants on every call.
async fn own_headers<K: Secrets>(
    secrets: &K,
    endpoint: &Endpoint,
) -> Result<Vec<(String, String)>, SecretError> {
    let mut headers = Vec::new();
    for (name, sealed) in &endpoint.headers {
        let value = secrets.open((&endpoint.shop).into(), SecretKind::EndpointHeader, sealed).await?;
        headers.push((name.clone(), value));
    }
    Ok(headers)
}

/// Makes the call, if there is one to make, and keeps what came of it. `silent` runs once it has had no answer
/// for long.
pub(super) async fn call<S, W: WebhookSender>(
    core: &Core<S>,
    sender: &W,
    post: Result<Post, ActError>,
    silent: impl Future<Output = ()> + Send,
) -> Called {
    let at = core.now();
    let (sent, answer) = match post {
        Ok(post) => (sent_headers(&post), sender.post(&post, silent).await),
        Err(unsigned) => (Vec::new(), Err(unsigned)),
    };
    Called { at, took: core.now().duration_since(at), sent, answer }
}
