//! Data keys that are kept for a few minutes, so that a warm function asks KMS once and not with every
//! notification.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use stagepost_app::ports::{Scope, SecretKind};
use stagepost_domain::{SignedDuration, Timestamp};

use crate::cipher::Cipher;

/// How long a data key is kept: a right that was taken from a function ends in its warm instances after this.
pub(super) const WARM: SignedDuration = SignedDuration::from_mins(5);
/// Most data keys kept; a full cache starts over.
pub(super) const KEYS_MAX: usize = 1_000;

type Of = (String, &'static str, String);

/// Ciphers by scope, kind and encrypted data key: what KMS gave for one context is given to no other.
#[derive(Default)]
pub(super) struct WarmKeys {
    keys: Mutex<HashMap<Of, (Timestamp, Cipher)>>,
}

impl WarmKeys {
    pub fn get(&self, scope: Scope<'_>, kind: SecretKind, encrypted: &str, now: Timestamp) -> Option<Cipher> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, cipher) = keys.get(&of(scope, kind, encrypted))?;
        let age = now.duration_since(*at);
        (age >= SignedDuration::ZERO && age < WARM).then(|| cipher.clone())
    }

    pub fn put(&self, scope: Scope<'_>, kind: SecretKind, encrypted: &str, now: Timestamp, cipher: &Cipher) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= KEYS_MAX {
            keys.clear();
        }
        keys.insert(of(scope, kind, encrypted), (now, cipher.clone()));
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.keys.lock().unwrap().len()
    }
}

fn of(scope: Scope<'_>, kind: SecretKind, encrypted: &str) -> Of {
    (scope.to_string(), kind.as_str(), encrypted.to_owned())
}
