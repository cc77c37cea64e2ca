//! Waiting before another try, where the SDK gives up at once: a cancelled transaction, an item that a
//! transaction holds, a read that met a transaction half-way.

use std::time::Duration;

/// Waits of one call: with them a call takes at most 775 ms longer.
const WAITS: [u64; 5] = [25, 50, 100, 200, 400];

/// A few tries, at growing and uneven distances.
#[derive(Debug)]
pub(crate) struct Patience {
    seed: u32,
    waits: std::slice::Iter<'static, u64>,
}

impl Patience {
    /// `seed` tells two writers apart who met once, so that they do not meet again at every try.
    pub fn new(seed: &str) -> Self {
        // FNV-1a.
        let hash = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        Self { seed: seed.bytes().fold(0x811c_9dc5, hash), waits: WAITS.iter() }
    }

    /// Waits for the next try; false when there have been enough.
    pub async fn wait(&mut self) -> bool {
        let Some(wait) = self.next_wait() else { return false };
        tokio::time::sleep(wait).await;
        true
    }

    /// Between half and the whole of the next distance.
    fn next_wait(&mut self) -> Option<Duration> {
        let longest = self.waits.next()? * 1_000;
        self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let half = longest / 2;
        Some(Duration::from_micros(half + u64::from(self.seed >> 8) % half))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(seed: &str) -> Vec<u128> {
        let mut patience = Patience::new(seed);
        std::iter::from_fn(|| patience.next_wait()).map(|wait| wait.as_micros()).collect()
    }

    #[test]
    fn waits_grow_end_within_a_second_and_differ_between_writers() {
        let one = waits("01kaj3m2q8v7x9w5t4s6r2p0n1");
        assert_eq!(one.len(), WAITS.len());
        for (wait, longest) in one.iter().zip(WAITS.map(|ms| u128::from(ms) * 1_000)) {
            assert!((longest / 2..longest).contains(wait), "{wait} of {longest}");
        }
        assert!(one.iter().sum::<u128>() < 1_000_000);
        assert_ne!(one, waits("01kaj3m2q8v7x9w5t4s6r2p0n2"));
    }
}
