//! The one client.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response};
use stagepost_app::ports::{ActError, Answer, ApiAnswer, ApiCall, PlatformHttp, Post, WebhookSender};
use stagepost_domain::SignedDuration;
use stagepost_domain::health::SILENT_AFTER;
use stagepost_domain::webhook::BODY_MAX;
use tokio::time::Instant;
use url::Url;

use crate::answer::{act_error, date, retry_after};
use crate::guard::{Guard, check_url};
use crate::resolve::{Lookup, VettingResolver, system_lookup};

/// Name look-up, TCP and TLS together.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The whole call, the answer's body included. A claim's lease must be longer.
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);
/// Shorter than the idle timeouts of common servers, so that a kept connection is rarely a dead one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
const IDLE_PER_HOST: usize = 4;
const USER_AGENT: &str = "Stagepost/1 (+webhooks)";

/// Largest body of a call or an answer of a platform's API, in bytes.
const API_BODY_MAX: usize = 2 * 1024 * 1024;
/// So much of a receiver's answer is read: for the sake of the connection, and for people to look at.
const ANSWER_MAX: usize = 16 * 1024;
/// So many of its headers are.
const HEADERS_MAX: usize = 100;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// The client could not be built: a broken binary, not a broken input.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The TLS configuration is not possible.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The HTTP client refused its settings.
    #[error("the HTTP client cannot be built")]
    Client(#[source] reqwest::Error),
}

/// Calls URLs that merchants gave us. One per process: connections are shared and kept.
#[derive(Debug, Clone)]
pub struct OutboundHttp {
    client: Client,
    guard: Guard,
}

/// Times, apart so that tests need not wait.
#[derive(Clone, Copy)]
struct Times {
    connect: Duration,
    total: Duration,
}

impl OutboundHttp {
    /// Builds the client.
    ///
    /// # Errors
    /// The TLS stack or the client refuses its settings.
    pub fn new(guard: Guard) -> Result<Self, BuildError> {
        let times = Times { connect: CONNECT_TIMEOUT, total: TOTAL_TIMEOUT };
        Self::build(guard, times, system_lookup())
    }

    /// The same with less patience, for who cannot wait as long.
    ///
    /// # Errors
    /// As [`OutboundHttp::new`].
    pub fn within(guard: Guard, total: Duration) -> Result<Self, BuildError> {
        Self::build(guard, Times { connect: CONNECT_TIMEOUT.min(total), total }, system_lookup())
    }

    fn build(guard: Guard, times: Times, lookup: Lookup) -> Result<Self, BuildError> {
        #[expect(clippy::disallowed_methods, reason = "the one home of the client")]
        let client = Client::builder()
            .tls_backend_preconfigured(tls()?)
            .dns_resolver(Arc::new(VettingResolver::new(guard, lookup)))
            .https_only(guard == Guard::Public)
            // A redirect would lead past `check_url`, and Standard Webhooks counts 3xx as a failure.
            .redirect(reqwest::redirect::Policy::none())
            // A proxy from the environment would resolve names itself, past our resolver.
            .no_proxy()
            // Retries are ours alone (law 11); these options are said out loud because another crate's
            // features could turn them on.
            .retry(reqwest::retry::never())
            .http1_only()
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .referer(false)
            .user_agent(USER_AGENT)
            .connect_timeout(times.connect)
            .timeout(times.total)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .build()
            .map_err(BuildError::Client)?;
        Ok(Self { client, guard })
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Option<Vec<u8>>,
    ) -> Result<Response, ActError> {
        check_url(&url, self.guard).map_err(|refused| ActError::permanent(refused.to_string()))?;
        let mut request = self.client.request(method, url).headers(headers);
        if let Some(body) = body {
            request = request.body(body);
        }
        request.send().await.map_err(|error| act_error(&error))
    }
}

impl WebhookSender for OutboundHttp {
    async fn post(&self, post: &Post, silent: impl Future<Output = ()> + Send) -> Result<Answer, ActError> {
        check_size(post.body.len(), BODY_MAX)?;
        let headers = header_map(&post.headers)?;
        let sent = self.send(Method::POST, post.url.clone(), headers, Some(post.body.clone()));
        let watched = async {
            tokio::time::sleep(SILENT_AFTER.unsigned_abs()).await;
            silent.await;
            pending().await
        };
        let mut response = tokio::select! {
            answer = sent => answer?,
            never = watched => never,
        };
        let mut answer = Answer {
            retry_after: retry_after(response.headers()),
            headers: texts(response.headers()),
            ..Answer::of(response.status().as_u16())
        };
        // The status has been said; nothing that happens to the body can change it.
        let drained = tokio::time::timeout(DRAIN_TIMEOUT, drain(&mut response, &mut answer.body)).await;
        answer.more = drained != Ok(true);
        Ok(answer)
    }
}

impl PlatformHttp for OutboundHttp {
    async fn call(&self, call: ApiCall) -> Result<ApiAnswer, ActError> {
        let method = match call.method {
            "GET" => Method::GET,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            _ => return Err(ActError::permanent("the request could not be built")),
        };
        check_size(call.body.as_ref().map_or(0, Vec::len), API_BODY_MAX)?;
        let headers = header_map(&call.headers)?;
        let sent = Instant::now();
        let mut response = self.send(method, call.url, headers, call.body).await?;
        let status = response.status().as_u16();
        let (retry_after, date) = (retry_after(response.headers()), date(response.headers()));
        let body = read(&mut response).await?;
        let took = SignedDuration::try_from(sent.elapsed()).unwrap_or(SignedDuration::MAX);
        Ok(ApiAnswer { status, retry_after, took, date, body })
    }
}

/// TLS as the AWS SDK has it: rustls on ring. The trust roots are compiled in: they need no file (a minimal
/// Lambda image or container may have none), nothing is read at a cold start, and the same hosts are
/// trusted everywhere.
fn tls() -> Result<rustls::ClientConfig, BuildError> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(BuildError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn check_size(size: usize, max: usize) -> Result<(), ActError> {
    if size > max { Err(ActError::permanent("the request's body is too large")) } else { Ok(()) }
}

/// Values are marked sensitive: credentials and signatures are among them, and no debug output needs any.
fn header_map<N: AsRef<str>>(headers: &[(N, String)]) -> Result<HeaderMap, ActError> {
    let mut map = HeaderMap::new();
    map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in headers {
        let mut value =
            HeaderValue::from_str(value).map_err(|_| ActError::permanent("a header is not valid"))?;
        value.set_sensitive(true);
        let name = HeaderName::from_bytes(name.as_ref().as_bytes());
        map.insert(name.map_err(|_| ActError::permanent("a header is not valid"))?, value);
    }
    Ok(map)
}

/// The headers whose values are text, not too many of them.
fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let pairs =
        headers.iter().filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    pairs.take(HEADERS_MAX).collect()
}

/// Reads an answer's body into `into`; whether it was all of it.
async fn drain(response: &mut Response, into: &mut Vec<u8>) -> bool {
    while into.len() < ANSWER_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => into.extend(chunk.iter().take(ANSWER_MAX.saturating_sub(into.len()))),
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
    false
}

async fn read(response: &mut Response) -> Result<Vec<u8>, ActError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| act_error(&error))? {
        if body.len() + chunk.len() > API_BODY_MAX {
            // The call itself has taken place.
            return Err(ActError::ambiguous("the platform's answer is too large"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests;
