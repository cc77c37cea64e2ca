//! Secrets at rest: sealed with a key of the deployment, bound to the shop and to what they are for (law 19).
//!
//! This is the key-file implementation of the [`Secrets`] port, for local mode and a single machine.

mod key_file;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use stagepost_app::ports::{SecretError, SecretKind, Secrets};
use stagepost_domain::id::ShopId;
use stagepost_domain::shop::Sealed;

pub use key_file::KeyFileError;

/// Size of the key, in bytes.
pub const KEY_LEN: usize = 32;
/// Longest secret, in bytes; real ones have fewer than 300.
const PLAIN_MAX: usize = 4_096;
/// Names the format, so that a later one can be told apart.
const VERSION: &str = "v1:";

/// Seals with AES-256-GCM under one key. The text is `v1:` and the base64 of nonce, ciphertext and tag;
/// `{shop}|{kind}` is authenticated with it, so that a sealed text moved to another shop or another use
/// does not open.
///
/// Nonces are random: with 96 bits, billions of seals under one key stay safe, and secrets are sealed by
/// hand.
#[derive(Clone)]
pub struct LocalSecrets {
    key: LessSafeKey,
    random: SystemRandom,
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
        let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| KeyFileError::NotAKey)?;
        Ok(Self { key: LessSafeKey::new(key), random: SystemRandom::new() })
    }

    fn sealed(&self, shop: &ShopId, kind: SecretKind, plain: &str) -> Option<Sealed> {
        if plain.len() > PLAIN_MAX {
            return None;
        }
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let mut text = plain.as_bytes().to_vec();
        let context = context(shop, kind);
        self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), context, &mut text).ok()?;
        let mut whole = nonce.to_vec();
        whole.append(&mut text);
        Some(Sealed(format!("{VERSION}{}", STANDARD.encode(whole))))
    }

    fn opened(&self, shop: &ShopId, kind: SecretKind, sealed: &Sealed) -> Option<String> {
        let whole = STANDARD.decode(sealed.0.strip_prefix(VERSION)?).ok()?;
        let (nonce, text) = whole.split_first_chunk::<NONCE_LEN>()?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.key.open_in_place(nonce, context(shop, kind), &mut text).ok()?;
        std::str::from_utf8(plain).ok().map(str::to_owned)
    }
}

fn context(shop: &ShopId, kind: SecretKind) -> Aad<Vec<u8>> {
    Aad::from(format!("{shop}|{}", kind.as_str()).into_bytes())
}

impl Secrets for LocalSecrets {
    async fn seal(&self, shop: &ShopId, kind: SecretKind, plain: &str) -> Result<Sealed, SecretError> {
        self.sealed(shop, kind, plain).ok_or(SecretError { kind: kind.as_str(), action: "sealed" })
    }

    async fn open(&self, shop: &ShopId, kind: SecretKind, sealed: &Sealed) -> Result<String, SecretError> {
        self.opened(shop, kind, sealed).ok_or(SecretError { kind: kind.as_str(), action: "opened" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: [SecretKind; 4] = [
        SecretKind::ChannelWebhook,
        SecretKind::ChannelCredentials,
        SecretKind::CarrierWebhook,
        SecretKind::EndpointSecret,
    ];

    fn shop(name: &str) -> ShopId {
        ShopId::parse(name).unwrap()
    }

    fn secrets() -> LocalSecrets {
        LocalSecrets::from_key([7; KEY_LEN]).unwrap()
    }

    #[tokio::test]
    async fn law_19_a_secret_opens_for_its_own_shop_and_use_only() {
        let secrets = secrets();
        for kind in KINDS {
            let sealed = secrets.seal(&shop("shop_a"), kind, "whsec_sécret").await.unwrap();
            assert_eq!(secrets.open(&shop("shop_a"), kind, &sealed).await.unwrap(), "whsec_sécret");
            assert!(secrets.open(&shop("shop_b"), kind, &sealed).await.is_err());
            for other in KINDS.into_iter().filter(|other| *other != kind) {
                assert!(secrets.open(&shop("shop_a"), other, &sealed).await.is_err());
            }
        }
    }

    #[tokio::test]
    async fn another_key_does_not_open_it() {
        let sealed = secrets().seal(&shop("shop_a"), SecretKind::EndpointSecret, "x").await.unwrap();
        let other = LocalSecrets::from_key([8; KEY_LEN]).unwrap();
        let error = other.open(&shop("shop_a"), SecretKind::EndpointSecret, &sealed).await.unwrap_err();
        assert_eq!(error.to_string(), "a endpoint-secret secret cannot be opened");
    }

    #[tokio::test]
    async fn the_same_secret_never_looks_the_same_twice() {
        let secrets = secrets();
        let one = secrets.seal(&shop("shop_a"), SecretKind::EndpointSecret, "x").await.unwrap();
        let two = secrets.seal(&shop("shop_a"), SecretKind::EndpointSecret, "x").await.unwrap();
        assert_ne!(one, two);
    }

    #[tokio::test]
    async fn an_oversized_secret_is_refused() {
        let long = "x".repeat(PLAIN_MAX + 1);
        assert!(secrets().seal(&shop("shop_a"), SecretKind::EndpointSecret, &long).await.is_err());
    }

    #[test]
    fn law_19_debug_output_shows_nothing() {
        assert_eq!(format!("{:?}", secrets()), "LocalSecrets(…)");
        let sealed = secrets().sealed(&shop("shop_a"), SecretKind::EndpointSecret, "x").unwrap();
        assert_eq!(format!("{sealed:?}"), "Sealed(…)");
    }

    proptest! {
        #[test]
        fn whatever_is_sealed_opens_again(plain in "\\PC{0,200}") {
            let sealed = secrets().sealed(&shop("shop_a"), SecretKind::ChannelWebhook, &plain).unwrap();
            prop_assert!(plain.len() < 8 || !sealed.0.contains(&plain));
            let opened = secrets().opened(&shop("shop_a"), SecretKind::ChannelWebhook, &sealed);
            prop_assert_eq!(opened, Some(plain));
        }

        #[test]
        fn one_changed_bit_is_refused(at in 0_usize..40, bit in 0_u8..8) {
            let sealed = secrets().sealed(&shop("shop_a"), SecretKind::ChannelWebhook, "whsec_123456").unwrap();
            let mut whole = STANDARD.decode(&sealed.0[VERSION.len()..]).unwrap();
            prop_assert_eq!(whole.len(), 40);
            whole[at] ^= 1 << bit;
            let forged = Sealed(format!("{VERSION}{}", STANDARD.encode(whole)));
            prop_assert_eq!(secrets().opened(&shop("shop_a"), SecretKind::ChannelWebhook, &forged), None);
        }

        #[test]
        fn garbage_is_refused_without_a_panic(text in "(v1:)?\\PC{0,80}") {
            prop_assert_eq!(secrets().opened(&shop("shop_a"), SecretKind::ChannelWebhook, &Sealed(text)), None);
        }
    }
}
