//! How a deployment keeps its secrets.

use std::sync::Arc;

use stagepost_app::ports::{Clock, Scope, SecretAction, SecretError, SecretKind, Secrets};
use stagepost_domain::shop::Sealed;

use crate::kms::{KmsSecrets, client};
use crate::{KEY_LEN, LocalSecrets, kms};

/// Seals by one scheme, and opens what any scheme sealed whose key is here.
#[derive(Debug, Clone)]
pub enum DeployedSecrets {
    /// By a key of the deployment's own.
    Key(LocalSecrets),
    /// By the key service; what the own key sealed before still opens, if the key is here.
    Kms(KmsSecrets, Option<LocalSecrets>),
}

/// Neither the key service's key nor an own one is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no key to seal secrets with")]
pub struct NoKey;

impl DeployedSecrets {
    /// By the key service if one of its keys is named, and else by the own key.
    ///
    /// # Errors
    /// There is neither.
    pub fn new(
        aws: impl Into<aws_sdk_kms::config::Builder>,
        kms_key: Option<String>,
        own_key: Option<[u8; KEY_LEN]>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, NoKey> {
        let own = own_key.map(LocalSecrets::from_key).transpose().map_err(|_| NoKey)?;
        match (kms_key, own) {
            (Some(id), own) => Ok(Self::Kms(KmsSecrets::new(client(aws), id, clock), own)),
            (None, Some(own)) => Ok(Self::Key(own)),
            (None, None) => Err(NoKey),
        }
    }
}

impl Secrets for DeployedSecrets {
    async fn seal(&self, scope: Scope<'_>, kind: SecretKind, plain: &str) -> Result<Sealed, SecretError> {
        match self {
            Self::Key(own) => own.seal(scope, kind, plain).await,
            Self::Kms(kms, _) => kms.seal(scope, kind, plain).await,
        }
    }

    async fn open(&self, scope: Scope<'_>, kind: SecretKind, sealed: &Sealed) -> Result<String, SecretError> {
        let by_kms = sealed.0.starts_with(kms::SCHEME);
        match self {
            Self::Kms(kms, _) if by_kms => kms.open(scope, kind, sealed).await,
            Self::Key(own) | Self::Kms(_, Some(own)) if !by_kms => own.open(scope, kind, sealed).await,
            _ => {
                let why = "it was sealed with a key that is not here";
                Err(SecretError::hopeless(kind, SecretAction::Open, why))
            }
        }
    }
}
