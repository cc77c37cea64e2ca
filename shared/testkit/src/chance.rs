//! Ids and chance that repeat from run to run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stagepost_app::ports::Entropy;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Entropy from a seed; clones share one sequence.
#[derive(Debug, Clone)]
pub struct SeededEntropy {
    seed: u64,
    drawn: Arc<AtomicU64>,
}

impl SeededEntropy {
    /// The same seed gives the same ids and numbers in the same order.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: Arc::new(AtomicU64::new(0)) }
    }

    fn draw(&self) -> (u64, u64) {
        let n = self.drawn.fetch_add(1, Ordering::Relaxed);
        (n, mixed(self.seed ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }
}

/// The finishing steps of splitmix64: neighbours in, unrelated numbers out.
fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn letters(mut bits: u64, count: usize) -> String {
    let mut text = Vec::with_capacity(count);
    for _ in 0..count {
        text.push(ALPHABET.get((bits & 31) as usize).copied().unwrap_or(b'0'));
        bits >>= 5;
    }
    text.reverse();
    String::from_utf8_lossy(&text).into_owned()
}

impl Entropy for SeededEntropy {
    fn id_body(&self) -> String {
        let (n, bits) = self.draw();
        // The counter first: like real ids, later ones sort after earlier ones.
        format!("{}{}{}", letters(n, 10), letters(bits, 12), letters(mixed(bits), 4))
    }

    fn fraction(&self) -> f64 {
        let (_, bits) = self.draw();
        f64::from((bits >> 32) as u32) / (f64::from(u32::MAX) + 1.0)
    }

    fn bytes(&self) -> [u8; 32] {
        let (_, bits) = self.draw();
        let mut bytes = [0; 32];
        let mut state = bits;
        for chunk in bytes.chunks_exact_mut(8) {
            state = mixed(state.wrapping_add(0x9e37_79b9_7f4a_7c15));
            chunk.copy_from_slice(&state.to_be_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_repeat_with_the_seed_and_sort_by_birth() {
        let (a, b) = (SeededEntropy::new(7), SeededEntropy::new(7));
        let ids: Vec<String> = (0..100).map(|_| a.id_body()).collect();
        assert_eq!(ids, (0..100).map(|_| b.id_body()).collect::<Vec<_>>());
        assert!(ids.is_sorted() && ids.iter().all(|id| id.len() == 26));
        assert!(ids.iter().all(|id| id.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())));
        assert_ne!(ids[0], SeededEntropy::new(8).id_body());
    }

    #[test]
    fn fractions_stay_below_one_and_bytes_differ() {
        let entropy = SeededEntropy::new(1);
        assert!((0..1000).all(|_| (0.0..1.0).contains(&entropy.fraction())));
        assert_ne!(entropy.bytes(), entropy.bytes());
    }
}
