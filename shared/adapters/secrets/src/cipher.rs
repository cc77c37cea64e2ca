//! The cipher under every scheme: AES-256-GCM, bound to what the text is for.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use stagepost_app::ports::{Scope, SecretKind};

/// Size of a key, in bytes.
pub const KEY_LEN: usize = 32;

/// Seals and opens under one key. A sealed text is nonce, ciphertext and tag; `{scope}|{kind}` is authenticated
/// with it, so that one moved to another shop or another use does not open.
///
/// Nonces are random: with 96 bits, billions of seals under one key stay safe, and secrets are sealed by hand.
#[derive(Clone)]
pub(crate) struct Cipher {
    key: LessSafeKey,
    random: SystemRandom,
}

impl Cipher {
    /// `None` for a key of another size.
    pub fn new(key: &[u8]) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM, key).ok()?;
        Some(Self { key: LessSafeKey::new(key), random: SystemRandom::new() })
    }

    /// `None` for an overlong text, or without random bytes.
    pub fn seal(&self, scope: Scope<'_>, kind: SecretKind, plain: &str) -> Option<Vec<u8>> {
        if plain.len() > kind.plain_max() {
            return None;
        }
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let mut text = plain.as_bytes().to_vec();
        let nonce_used = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(nonce_used, context(scope, kind), &mut text).ok()?;
        let mut whole = nonce.to_vec();
        whole.append(&mut text);
        Some(whole)
    }

    /// `None` for whatever this key did not seal for this shop and this use.
    pub fn open(&self, scope: Scope<'_>, kind: SecretKind, sealed: &[u8]) -> Option<String> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.key.open_in_place(nonce, context(scope, kind), &mut text).ok()?;
        std::str::from_utf8(plain).ok().map(str::to_owned)
    }
}

fn context(scope: Scope<'_>, kind: SecretKind) -> Aad<Vec<u8>> {
    Aad::from(format!("{scope}|{kind}").into_bytes())
}
