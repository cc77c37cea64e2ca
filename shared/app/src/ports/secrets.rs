//! Secrets at rest.

use stagepost_domain::disposition::Disposition;
use stagepost_domain::id::ShopId;
use stagepost_domain::shop::Sealed;

/// What a secret is for: part of the encryption context, so that one cannot stand in for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// Signs a channel's notifications.
    ChannelWebhook,
    /// Opens a channel's platform.
    ChannelCredentials,
    /// Signs a carrier's notifications.
    CarrierWebhook,
    /// Opens a carrier service's API.
    CarrierCredentials,
    /// Signs our webhooks.
    EndpointSecret,
    /// A header that an endpoint's owner wants on every call.
    EndpointHeader,
    /// What a call under an idempotency key makes and answers.
    Call,
    /// Opens one message of the inbound queue.
    InboundMessage,
    /// Opens one body in quarantine.
    QuarantinedBody,
    /// An address that a shop does not mail to.
    SuppressedAddress,
    /// The address of somebody who works with a shop.
    MemberAddress,
}

impl SecretKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::ChannelWebhook,
        Self::ChannelCredentials,
        Self::CarrierWebhook,
        Self::CarrierCredentials,
        Self::EndpointSecret,
        Self::EndpointHeader,
        Self::Call,
        Self::InboundMessage,
        Self::QuarantinedBody,
        Self::SuppressedAddress,
        Self::MemberAddress,
    ];

    /// Stable word in the encryption context.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChannelWebhook => "channel-webhook",
            Self::ChannelCredentials => "channel-credentials",
            Self::CarrierWebhook => "carrier-webhook",
            Self::CarrierCredentials => "carrier-credentials",
            Self::EndpointSecret => "endpoint-secret",
            Self::EndpointHeader => "endpoint-header",
            Self::Call => "call",
            Self::InboundMessage => "inbound-message",
            Self::QuarantinedBody => "quarantined-body",
            Self::SuppressedAddress => "suppressed-address",
            Self::MemberAddress => "member-address",
        }
    }

    /// Longest text that is sealed for this, in bytes. Real secrets have fewer than 300; an answer holds a
    /// template at most, and its record must fit into one item.
    #[must_use]
    pub fn plain_max(self) -> usize {
        match self {
            Self::Call => 256 * 1_024,
            _ => 4_096,
        }
    }
}

impl std::fmt::Display for SecretKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was to be done with a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretAction {
    /// Encrypt it.
    Seal,
    /// Decrypt it.
    Open,
}

impl std::fmt::Display for SecretAction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Seal => "sealed",
            Self::Open => "opened",
        })
    }
}

/// A secret could not be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {kind} secret cannot be {action}: {why}")]
pub struct SecretError {
    /// Which kind.
    pub kind: SecretKind,
    /// What was to be done.
    pub action: SecretAction,
    /// In words, without the secret.
    pub why: String,
    /// What to do about it. Never ambiguous: nothing changes by it.
    pub disposition: Disposition,
}

impl SecretError {
    /// What holds the key is away for now.
    pub fn away(kind: SecretKind, action: SecretAction, why: impl Into<String>) -> Self {
        Self { kind, action, why: why.into(), disposition: Disposition::RETRY }
    }

    /// It never works like this: another key, another shop, a text that nobody sealed.
    pub fn hopeless(kind: SecretKind, action: SecretAction, why: impl Into<String>) -> Self {
        Self { kind, action, why: why.into(), disposition: Disposition::Permanent }
    }
}

/// Whose a secret is: part of the encryption context, like its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// One tenant's.
    Shop(&'a ShopId),
    /// The deployment's own: of what comes in before anybody can tell whose it is.
    Deployment,
}

impl std::fmt::Display for Scope<'_> {
    /// Stable text in the encryption context. A shop's id begins with `shop_`, so the two never meet.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shop(shop) => shop.fmt(f),
            Self::Deployment => f.write_str("deployment"),
        }
    }
}

impl<'a> From<&'a ShopId> for Scope<'a> {
    fn from(shop: &'a ShopId) -> Self {
        Self::Shop(shop)
    }
}

/// Encrypts small secrets at rest, bound to their scope and kind. For anything large a key is sealed here that
/// is used once: [`envelope`](crate::envelope).
pub trait Secrets: Send + Sync {
    /// Encrypts; at most 4 KB.
    fn seal(
        &self,
        scope: Scope<'_>,
        kind: SecretKind,
        plain: &str,
    ) -> impl Future<Output = Result<Sealed, SecretError>> + Send;
    /// Decrypts.
    fn open(
        &self,
        scope: Scope<'_>,
        kind: SecretKind,
        sealed: &Sealed,
    ) -> impl Future<Output = Result<String, SecretError>> + Send;
}
