//! The key service of AWS (KMS): envelope encryption.
//!
//! KMS gives a fresh data key for each seal, plain and encrypted; the plain one seals and is forgotten, the
//! encrypted one stays with the text. Shop and kind are KMS's encryption context: it decrypts a data key for
//! no other, each function's role names the kinds that it may ask for, and the trail shows who asked for which.
//! The same context is authenticated with the text itself, so that a text and the data key of another do not
//! go together.

mod warm;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kms::Client;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use stagepost_app::ports::{Clock, Scope, SecretAction, SecretError, SecretKind, Secrets};
use stagepost_domain::shop::Sealed;

use self::warm::WarmKeys;
use crate::cipher::Cipher;

/// Names the scheme in front of what it sealed.
pub(crate) const SCHEME: &str = "k1:";
/// Longest sealed text that is looked at, in bytes: a data key of KMS's own limit (6,144 bytes) and the longest
/// text of the kind, in base64.
fn sealed_max(kind: SecretKind) -> usize {
    kind.plain_max().saturating_mul(4) / 3 + 10 * 1_024
}

/// A call in all, an attempt of it, its connection: a notification that waits for a key has ten seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(4);
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1_500);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// What KMS says when the same question will be answered the same way: text and key do not go together, or
/// the role may not. Everything else may pass, or a person may put it right: a key that was disabled by mistake.
const FINAL: [&str; 6] = [
    "AccessDeniedException",
    "IncorrectKeyException",
    "InvalidCiphertextException",
    "InvalidKeyUsageException",
    "NotFoundException",
    "ValidationException",
];

/// A client bounded in time; the SDK's own retries stay on, because no call changes anything. Takes what the
/// SDK's configuration converts from: `&SdkConfig`, or a builder.
pub fn client(base: impl Into<aws_sdk_kms::config::Builder>) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT)
        .build();
    Client::from_conf(base.into().timeout_config(timeouts).build())
}

/// Seals under data keys of KMS. The text is `k1:`, the data key as KMS encrypted it, `:`, and what the cipher
/// made, both in base64. Clones share the warm data keys.
#[derive(Clone)]
pub struct KmsSecrets {
    client: Client,
    key_id: String,
    clock: Arc<dyn Clock>,
    warm: Arc<WarmKeys>,
}

impl std::fmt::Debug for KmsSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KmsSecrets(…)")
    }
}

impl KmsSecrets {
    /// Seals with this key: an id, an ARN or an alias. `client` is from [`client`].
    #[must_use]
    pub fn new(client: Client, key_id: String, clock: Arc<dyn Clock>) -> Self {
        Self { client, key_id, clock, warm: Arc::default() }
    }

    /// The cipher under a new data key, and the data key as KMS encrypted it.
    async fn fresh(&self, scope: Scope<'_>, kind: SecretKind) -> Result<(Cipher, String), SecretError> {
        let call = self.client.generate_data_key().key_id(&self.key_id).key_spec(DataKeySpec::Aes256);
        let (name, of) = context(scope);
        let call = call.encryption_context(name, of).encryption_context("kind", kind.as_str());
        let answer = call.send().await.map_err(|error| failed(kind, SecretAction::Seal, &error))?;
        let cipher = answer.plaintext().and_then(|key| Cipher::new(key.as_ref()));
        let encrypted = answer.ciphertext_blob().map(|key| STANDARD.encode(key));
        let unreadable = || SecretError::away(kind, SecretAction::Seal, "the key service gave no data key");
        cipher.zip(encrypted).ok_or_else(unreadable)
    }

    /// The cipher under a data key that KMS encrypted.
    ///
    /// No key is named: KMS finds the one that it used, and the role says which may be used. So texts of before a
    /// change of keys open as long as the role has the old key's right.
    async fn known(
        &self,
        scope: Scope<'_>,
        kind: SecretKind,
        encrypted: &str,
    ) -> Result<Cipher, SecretError> {
        let now = self.clock.now();
        if let Some(cipher) = self.warm.get(scope, kind, encrypted, now) {
            return Ok(cipher);
        }
        let blob = STANDARD.decode(encrypted).map_err(|_| not_sealed(kind))?;
        let call = self.client.decrypt().ciphertext_blob(Blob::new(blob));
        let (name, of) = context(scope);
        let call = call.encryption_context(name, of).encryption_context("kind", kind.as_str());
        let answer = call.send().await.map_err(|error| failed(kind, SecretAction::Open, &error))?;
        let cipher = answer.plaintext().and_then(|key| Cipher::new(key.as_ref()));
        let cipher = cipher.ok_or_else(|| not_sealed(kind))?;
        self.warm.put(scope, kind, encrypted, now, &cipher);
        Ok(cipher)
    }
}

impl Secrets for KmsSecrets {
    async fn seal(&self, scope: Scope<'_>, kind: SecretKind, plain: &str) -> Result<Sealed, SecretError> {
        let (cipher, encrypted) = self.fresh(scope, kind).await?;
        let too_long = || SecretError::hopeless(kind, SecretAction::Seal, "it is too long");
        let text = cipher.seal(scope, kind, plain).ok_or_else(too_long)?;
        self.warm.put(scope, kind, &encrypted, self.clock.now(), &cipher);
        Ok(Sealed(format!("{SCHEME}{encrypted}:{}", STANDARD.encode(text))))
    }

    async fn open(&self, scope: Scope<'_>, kind: SecretKind, sealed: &Sealed) -> Result<String, SecretError> {
        let (encrypted, text) = parts(kind, sealed).ok_or_else(|| not_sealed(kind))?;
        let cipher = self.known(scope, kind, encrypted).await?;
        cipher.open(scope, kind, &text).ok_or_else(|| not_sealed(kind))
    }
}

/// The scope in KMS's encryption context.
fn context(scope: Scope<'_>) -> (&'static str, String) {
    match scope {
        Scope::Shop(shop) => ("shop", shop.to_string()),
        Scope::Deployment => ("scope", scope.to_string()),
    }
}

/// The encrypted data key, still in base64, and the text.
fn parts(kind: SecretKind, sealed: &Sealed) -> Option<(&str, Vec<u8>)> {
    let inner = sealed.0.strip_prefix(SCHEME).filter(|_| sealed.0.len() <= sealed_max(kind))?;
    let (encrypted, text) = inner.split_once(':')?;
    Some((encrypted, STANDARD.decode(text).ok()?)).filter(|(encrypted, _)| !encrypted.is_empty())
}

fn not_sealed(kind: SecretKind) -> SecretError {
    SecretError::hopeless(kind, SecretAction::Open, "it was not sealed for this by the key service")
}

/// Says what KMS said in one word; its messages name ARNs.
fn failed<E, R>(kind: SecretKind, action: SecretAction, error: &SdkError<E, R>) -> SecretError
where
    E: ProvideErrorMetadata,
{
    let why = match error {
        SdkError::ServiceError(answer) => answer.err().code().unwrap_or("error without a code"),
        SdkError::TimeoutError(_) => "no answer in time",
        SdkError::DispatchFailure(_) => "not reached",
        _ => "no readable answer",
    };
    let told = format!("the key service: {why}");
    if FINAL.contains(&why) {
        SecretError::hopeless(kind, action, told)
    } else {
        SecretError::away(kind, action, told)
    }
}

#[cfg(test)]
mod tests;
