//! Webhooks.

use super::acting::ActError;

/// A webhook call.
#[derive(Debug, Clone)]
pub struct Post {
    /// Vetted at connect time.
    pub url: url::Url,
    /// Header names in lower case; of two of one name the last counts.
    pub headers: Vec<(String, String)>,
    /// The frozen bytes.
    pub body: Vec<u8>,
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Its wish for patience.
    pub retry_after: Option<stagepost_domain::SignedDuration>,
    /// Headers whose values are text.
    pub headers: Vec<(String, String)>,
    /// The beginning of its body.
    pub body: Vec<u8>,
    /// Whether the body went on.
    pub more: bool,
}

impl Answer {
    /// A status and nothing else.
    #[must_use]
    pub fn of(status: u16) -> Self {
        Self { status, retry_after: None, headers: Vec::new(), body: Vec::new(), more: false }
    }
}

/// Calls merchants' URLs: guarded, bounded, without redirects.
pub trait WebhookSender: Send + Sync {
    /// One POST. Any HTTP answer is `Ok`. Once there has been none for
    /// [`SILENT_AFTER`](stagepost_domain::health::SILENT_AFTER), `silent` runs beside the call.
    fn post(
        &self,
        post: &Post,
        silent: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = Result<Answer, ActError>> + Send;
}
