//! Chance from the seed, things that many hands share, and the one way to wait.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use stagepost_domain::SignedDuration;

/// All chance of one world: one sequence, drawn by everybody in turn.
#[derive(Debug, Clone)]
pub(super) struct Dice {
    state: Arc<Mutex<u64>>,
    calm: Arc<AtomicBool>,
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds start far apart.
        let state = seed.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(0x2545_f491_4f6c_dd1d);
        Self { state: Arc::new(Mutex::new(state)), calm: Arc::new(AtomicBool::new(false)) }
    }

    /// From now on nothing fails any more.
    pub fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    /// Splitmix64.
    fn draw(&self) -> u64 {
        let mut state = lock(&self.state);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..n`; 0 if there is none.
    pub fn below(&self, n: usize) -> usize {
        let n = u64::try_from(n).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.draw() % n).unwrap_or_default()
    }

    /// One of `low..=high`.
    pub fn between(&self, low: i64, high: i64) -> i64 {
        let span = usize::try_from(high.saturating_sub(low)).unwrap_or_default().saturating_add(1);
        low.saturating_add(i64::try_from(self.below(span)).unwrap_or_default())
    }

    /// True in so many cases of a hundred.
    pub fn chance(&self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// The same for what goes wrong: never once the dice are calm.
    pub fn fault(&self, percent: usize) -> bool {
        !self.calm.load(Ordering::Relaxed) && self.chance(percent)
    }

    /// One of these.
    pub fn pick<'a, T>(&self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }

    /// How long something takes that is mostly quick and sometimes takes days.
    pub fn delay(&self) -> SignedDuration {
        let seconds = match self.below(100) {
            0..60 => self.between(0, 2),
            60..80 => self.between(3, 90),
            80..90 => self.between(90, 3_600),
            90..97 => self.between(3_600, 2 * 86_400),
            _ => self.between(86_400, 9 * 86_400),
        };
        SignedDuration::from_secs(seconds)
    }
}

/// A list that clones share.
#[derive(Debug)]
pub(super) struct Shelf<T>(Arc<Mutex<Vec<T>>>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Shelf<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Shelf<T> {
    pub fn open(&self) -> MutexGuard<'_, Vec<T>> {
        lock(&self.0)
    }

    pub fn put(&self, thing: T) {
        self.open().push(thing);
    }

    pub fn take_all(&self) -> Vec<T> {
        std::mem::take(&mut self.open())
    }

    /// Takes one of those that are wanted, if there is any.
    pub fn take_one(&self, dice: &Dice, wanted: impl Fn(&T) -> bool) -> Option<T> {
        let mut all = self.open();
        let fit: Vec<usize> = all.iter().enumerate().filter(|(_, t)| wanted(t)).map(|(i, _)| i).collect();
        let chosen = *dice.pick(&fit)?;
        Some(all.swap_remove(chosen))
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets others go first, once: every place where a function waits for another machine, and so every place
/// where others may come in between or where it may die.
pub(super) async fn breathe() {
    let mut breathed = false;
    poll_fn(move |_| {
        if breathed {
            return Poll::Ready(());
        }
        breathed = true;
        Poll::Pending
    })
    .await;
}
