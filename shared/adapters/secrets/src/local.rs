//! A key of the deployment's own: for a single machine, and for deployments without a key service.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use stagepost_app::ports::{Scope, SecretAction, SecretError, SecretKind, Secrets};
use stagepost_domain::shop::Sealed;

use crate::KeyFileError;
use crate::cipher::{Cipher, KEY_LEN};

/// Names the scheme in front of what it sealed.
pub(crate) const SCHEME: &str = "v1:";

/// Seals under one key. The text is `v1:` and the base64 of what the cipher made.
#[derive(Clone)]
pub struct LocalSecrets {
    cipher: Cipher,
}

impl std::fmt::Debug for LocalSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LocalSecrets(…)")
    }
}

impl LocalSecrets {
    /// Seals and opens with this key.
    ///
    /// # Errors
    /// Never with a key of this size; the cipher's interface has an error, so it is passed on.
    pub fn from_key(key: [u8; KEY_LEN]) -> Result<Self, KeyFileError> {
        Cipher::new(&key).map(|cipher| Self { cipher }).ok_or(KeyFileError::NotAKey)
    }

    fn sealed(&self, scope: Scope<'_>, kind: SecretKind, plain: &str) -> Option<Sealed> {
        Some(Sealed(format!("{SCHEME}{}", STANDARD.encode(self.cipher.seal(scope, kind, plain)?))))
    }

    fn opened(&self, scope: Scope<'_>, kind: SecretKind, sealed: &Sealed) -> Option<String> {
        let whole = STANDARD.decode(sealed.0.strip_prefix(SCHEME)?).ok()?;
        self.cipher.open(scope, kind, &whole)
    }
}

impl Secrets for LocalSecrets {
    async fn seal(&self, scope: Scope<'_>, kind: SecretKind, plain: &str) -> Result<Sealed, SecretError> {
        let refused = || SecretError::hopeless(kind, SecretAction::Seal, "it is too long");
        self.sealed(scope, kind, plain).ok_or_else(refused)
    }

    async fn open(&self, scope: Scope<'_>, kind: SecretKind, sealed: &Sealed) -> Result<String, SecretError> {
        let refused =
            || SecretError::hopeless(kind, SecretAction::Open, "it was not sealed for this by this key");
        self.opened(scope, kind, sealed).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stagepost_domain::disposition::Disposition;
    use stagepost_domain::id::ShopId;

    use super::*;

    fn shop(name: &str) -> ShopId {
        ShopId::parse(name).unwrap()
    }

    fn secrets() -> LocalSecrets {
        LocalSecrets::from_key([7; KEY_LEN]).unwrap()
    }

    #[tokio::test]
    async fn law_19_a_secret_opens_for_its_own_shop_and_use_only() {
        let secrets = secrets();
        for kind in SecretKind::ALL {
            let sealed = secrets.seal((&shop("shop_a")).into(), kind, "whsec_sécret").await.unwrap();
            assert_eq!(secrets.open((&shop("shop_a")).into(), kind, &sealed).await.unwrap(), "whsec_sécret");
            assert!(secrets.open((&shop("shop_b")).into(), kind, &sealed).await.is_err());
            assert!(secrets.open(Scope::Deployment, kind, &sealed).await.is_err());
            for other in SecretKind::ALL.into_iter().filter(|other| *other != kind) {
                assert!(secrets.open((&shop("shop_a")).into(), other, &sealed).await.is_err());
            }
        }
    }

    #[tokio::test]
    async fn another_key_does_not_open_it() {
        let sealed = secrets().seal((&shop("shop_a")).into(), SecretKind::EndpointSecret, "x").await.unwrap();
        let other = LocalSecrets::from_key([8; KEY_LEN]).unwrap();
        let error =
            other.open((&shop("shop_a")).into(), SecretKind::EndpointSecret, &sealed).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Permanent);
        assert_eq!(
            error.to_string(),
            "a endpoint-secret secret cannot be opened: it was not sealed for this by this key"
        );
    }

    #[tokio::test]
    async fn the_same_secret_never_looks_the_same_twice() {
        let secrets = secrets();
        let one = secrets.seal((&shop("shop_a")).into(), SecretKind::EndpointSecret, "x").await.unwrap();
        let two = secrets.seal((&shop("shop_a")).into(), SecretKind::EndpointSecret, "x").await.unwrap();
        assert_ne!(one, two);
    }

    #[tokio::test]
    async fn an_oversized_secret_is_refused() {
        let long = "x".repeat(SecretKind::EndpointSecret.plain_max() + 1);
        assert!(secrets().seal((&shop("shop_a")).into(), SecretKind::EndpointSecret, &long).await.is_err());
    }

    #[test]
    fn law_19_debug_output_shows_nothing() {
        assert_eq!(format!("{:?}", secrets()), "LocalSecrets(…)");
        let sealed = secrets().sealed(Scope::Deployment, SecretKind::EndpointSecret, "x").unwrap();
        assert_eq!(format!("{sealed:?}"), "Sealed(…)");
    }

    proptest! {
        #[test]
        fn whatever_is_sealed_opens_again(plain in "\\PC{0,200}") {
            let sealed = secrets().sealed(Scope::Deployment, SecretKind::ChannelWebhook, &plain).unwrap();
            prop_assert!(plain.len() < 8 || !sealed.0.contains(&plain));
            let opened = secrets().opened(Scope::Deployment, SecretKind::ChannelWebhook, &sealed);
            prop_assert_eq!(opened, Some(plain));
        }

        #[test]
        fn one_changed_bit_is_refused(at in 0_usize..40, bit in 0_u8..8) {
            let sealed = secrets().sealed(Scope::Deployment, SecretKind::ChannelWebhook, "whsec_123456").unwrap();
            let mut whole = STANDARD.decode(&sealed.0[SCHEME.len()..]).unwrap();
            prop_assert_eq!(whole.len(), 40);
            whole[at] ^= 1 << bit;
            let forged = Sealed(format!("{SCHEME}{}", STANDARD.encode(whole)));
            prop_assert_eq!(secrets().opened(Scope::Deployment, SecretKind::ChannelWebhook, &forged), None);
        }

        #[test]
        fn garbage_is_refused_without_a_panic(text in "(v1:)?\\PC{0,80}") {
            prop_assert_eq!(secrets().opened(Scope::Deployment, SecretKind::ChannelWebhook, &Sealed(text)), None);
        }
    }
}
