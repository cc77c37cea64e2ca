//! Warm look-ups: a value read once serves an instance for up to a minute.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use stagepost_domain::{SignedDuration, Timestamp};

/// How long a value may be old.
const FRESH: SignedDuration = SignedDuration::from_secs(60);
/// How young a value is not asked for again, whatever is said against it.
const YOUNG: SignedDuration = SignedDuration::from_secs(5);
/// Most values kept; a full cache starts over.
const ENTRIES_MAX: usize = 1_000;

/// A bounded cache of values that may be a minute old. What is not there is never remembered: a channel
/// that was just connected works at once.
pub struct Warm<K, V> {
    entries: Mutex<HashMap<K, (Timestamp, V)>>,
}

impl<K, V> Default for Warm<K, V> {
    fn default() -> Self {
        Self { entries: Mutex::new(HashMap::new()) }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Warm<K, V> {
    /// The cached value, or the one that `read` gives now.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn get<E>(
        &self,
        key: &K,
        now: Timestamp,
        read: impl Future<Output = Result<Option<V>, E>>,
    ) -> Result<Option<V>, E> {
        self.get_within(FRESH, key, now, read).await
    }

    /// The cached value if it is younger than `limit`, or the one that `read` gives now.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn get_within<E>(
        &self,
        limit: SignedDuration,
        key: &K,
        now: Timestamp,
        read: impl Future<Output = Result<Option<V>, E>>,
    ) -> Result<Option<V>, E> {
        match self.younger_than(limit, key, now) {
            Some(value) => Ok(Some(value)),
            None => self.read(key, now, read).await,
        }
    }

    /// Forgets a value that is known to be gone.
    pub fn forget(&self, key: &K) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// `value` if it passes `proof`; if not, the one that `read` gives now, if that does: a secret may have been
    /// changed since. A value younger than five seconds is not read anew, so that forgeries do not become
    /// reads.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn proven<E>(
        &self,
        key: &K,
        now: Timestamp,
        value: V,
        proof: impl Fn(&V) -> bool,
        read: impl Future<Output = Result<Option<V>, E>>,
    ) -> Result<Option<V>, E> {
        if proof(&value) {
            return Ok(Some(value));
        }
        if self.younger_than(YOUNG, key, now).is_some() {
            return Ok(None);
        }
        Ok(self.read(key, now, read).await?.filter(proof))
    }

    async fn read<E>(
        &self,
        key: &K,
        now: Timestamp,
        read: impl Future<Output = Result<Option<V>, E>>,
    ) -> Result<Option<V>, E> {
        let found = read.await?;
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        match &found {
            Some(value) => {
                if entries.len() >= ENTRIES_MAX {
                    entries.clear();
                }
                entries.insert(key.clone(), (now, value.clone()));
            }
            None => drop(entries.remove(key)),
        }
        Ok(found)
    }

    fn younger_than(&self, limit: SignedDuration, key: &K, now: Timestamp) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, value) = entries.get(key)?;
        let age = now.duration_since(*at);
        (age >= SignedDuration::ZERO && age < limit).then(|| value.clone())
    }
}
