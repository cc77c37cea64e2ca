//! The real clock and the real chance: the only places that read either.

use std::sync::Arc;

use rand::{Rng, RngCore};
use stagepost_app::Core;
use stagepost_app::ports::{Clock, Entropy};
use stagepost_domain::Timestamp;
use stagepost_domain::restore::RestoredAt;

/// The machine's clock, to the millisecond.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the injected clock")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

/// The machine's random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn id_body(&self) -> String {
        let time = u64::try_from(SystemClock.now().as_millisecond()).unwrap_or_default();
        ulid::Ulid::from_parts(time, u128::from_be_bytes(random())).to_string().to_lowercase()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the injected entropy")]
    fn fraction(&self) -> f64 {
        rand::rng().random()
    }

    fn bytes(&self) -> [u8; 32] {
        random()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the injected entropy")]
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// The use cases' core on this store, with the real clock and the real chance.
pub fn core<S>(store: S, restored_at: Option<RestoredAt>) -> Core<S> {
    Core { store, clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy), restored_at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_fresh_sortable_and_fit_their_types() {
        let (a, b) = (SystemEntropy.id_body(), SystemEntropy.id_body());
        assert_ne!(a, b);
        assert_eq!(a.len(), 26);
        assert!(stagepost_domain::id::OrderId::from_body(&a).is_ok());
    }
}
