//! Large secrets: compressed, encrypted with a key that is used once, and that key sealed by the
//! [`Secrets`] port. A key service takes 4 KB at most; a notification may have a thousand times as much.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use stagepost_domain::shop::Sealed;

use crate::ports::{Entropy, Scope, SecretAction, SecretError, SecretKind, Secrets};

/// Something sealed. What opens it is bound to a scope and a kind, so that it cannot stand in for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The key of `data`, sealed.
    pub key: Sealed,
    /// The compressed content, encrypted with AES-256-GCM.
    pub data: Vec<u8>,
}

/// Compresses and encrypts.
///
/// # Errors
/// The key could not be sealed.
pub async fn seal<K: Secrets>(
    secrets: &K,
    entropy: &dyn Entropy,
    scope: Scope<'_>,
    kind: SecretKind,
    plain: &[u8],
) -> Result<Envelope, SecretError> {
    let key = entropy.bytes();
    let sealed = secrets.seal(scope, kind, &STANDARD.encode(key)).await?;
    let data = encrypted(&key, deflated(plain));
    let data = data.ok_or_else(|| SecretError::hopeless(kind, SecretAction::Seal, "the cipher refuses"))?;
    Ok(Envelope { key: sealed, data })
}

/// Decrypts and decompresses; content of more than `max` bytes is refused before it fills the memory.
///
/// # Errors
/// It was not sealed like this, or not by this deployment, or the key could not be opened just now.
pub async fn open<K: Secrets>(
    secrets: &K,
    scope: Scope<'_>,
    kind: SecretKind,
    envelope: &Envelope,
    max: usize,
) -> Result<Vec<u8>, SecretError> {
    let key = secrets.open(scope, kind, &envelope.key).await?;
    let key = STANDARD.decode(key).ok().and_then(|key| <[u8; 32]>::try_from(key).ok());
    let plain = key.and_then(|key| inflated(&decrypted(&key, envelope.data.clone())?, max));
    plain.ok_or_else(|| SecretError::hopeless(kind, SecretAction::Open, "it was not sealed with its key"))
}

fn cipher(key: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}

/// The key is used for this and nothing else, so the nonce may be what it likes.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

fn encrypted(key: &[u8; 32], mut data: Vec<u8>) -> Option<Vec<u8>> {
    cipher(key)?.seal_in_place_append_tag(nonce(), Aad::empty(), &mut data).ok()?;
    Some(data)
}

fn decrypted(key: &[u8; 32], mut data: Vec<u8>) -> Option<Vec<u8>> {
    let plain = cipher(key)?.open_in_place(nonce(), Aad::empty(), &mut data).ok()?.len();
    data.truncate(plain);
    Some(data)
}

fn deflated(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    let written = encoder.write_all(plain).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}

fn inflated(data: &[u8], max: usize) -> Option<Vec<u8>> {
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let mut plain = Vec::new();
    DeflateDecoder::new(data).take(limit).read_to_end(&mut plain).ok()?;
    (plain.len() <= max).then_some(plain)
}
