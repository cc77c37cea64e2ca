//! Carries notifications to a Stagepost host on this machine.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::notification::Notification;

/// The whole call: longer than any of the platforms would wait.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Largest answer that is read, in bytes.
const ANSWER_MAX: usize = 1024 * 1024;

/// A notification could not be delivered.
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    /// The address or a header is not one.
    #[error("the notification cannot be addressed")]
    Address(#[source] http::Error),
    /// No connection, or it broke.
    #[error("the host did not answer")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    /// The answer broke off, or is too large.
    #[error("the host's answer could not be read")]
    Unreadable,
    /// No answer within a minute.
    #[error("the host took too long")]
    Timeout,
}

/// What the host answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
}

/// Posts notifications over plain HTTP: for a host on loopback. No proxy, no redirects, no retries.
#[derive(Debug, Clone)]
pub struct Courier {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
}

impl Courier {
    /// Delivers to the host at `base`, e.g. `http://127.0.0.1:8787`.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, base: base.trim_end_matches('/').to_owned() }
    }

    /// Posts to a path of the host.
    ///
    /// # Errors
    /// No answer. An HTTP status of any kind is an answer.
    pub async fn post(&self, path: &str, notification: &Notification) -> Result<Posted, CourierError> {
        let mut request = Request::builder().method(Method::POST).uri(format!("{}{path}", self.base));
        for (name, value) in &notification.headers {
            // Bytes beyond ASCII travel too: forgers send what they like.
            request = request.header(name, value.as_bytes());
        }
        let body = Full::new(Bytes::from(notification.body.clone()));
        let request = request.body(body).map_err(CourierError::Address)?;
        tokio::time::timeout(TIMEOUT, self.send(request)).await.map_err(|_| CourierError::Timeout)?
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Posted, CourierError> {
        let response = self.client.request(request).await.map_err(CourierError::Unreachable)?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
        let body = body.map_err(|_| CourierError::Unreadable)?.to_bytes().to_vec();
        Ok(Posted { status, body })
    }

    /// Posts a notification of the Shopify channel `channel`.
    ///
    /// # Errors
    /// As [`Courier::post`].
    pub async fn shopify(&self, channel: &str, n: &Notification) -> Result<Posted, CourierError> {
        self.post(&format!("/webhooks/shopify/{channel}"), n).await
    }

    /// Posts a notification of the WooCommerce channel `channel`.
    ///
    /// # Errors
    /// As [`Courier::post`].
    pub async fn woocommerce(&self, channel: &str, n: &Notification) -> Result<Posted, CourierError> {
        self.post(&format!("/webhooks/woocommerce/{channel}"), n).await
    }

    /// Posts a report of the carrier integration `integration`.
    ///
    /// # Errors
    /// As [`Courier::post`].
    pub async fn carrier(&self, integration: &str, n: &Notification) -> Result<Posted, CourierError> {
        self.post(&format!("/webhooks/carriers/{integration}"), n).await
    }
}
