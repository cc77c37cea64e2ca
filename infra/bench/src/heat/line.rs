//! The end of the sender's line is one item that every mail moves on by a write on what it read (`place_in_line`).
//! Who comes second has read what is past, and tries again: played here call by call, to see how many mails a second
//! one line gives places to, and what the lost races cost.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A write and its answer take so many microseconds, give or take a half.
const ROUND_TRIP: u64 = 5_000;
/// What a mail does beside that: ten other calls of the table.
const BESIDE: u64 = 10 * ROUND_TRIP;
/// Writes that the line's partition takes in a second, and how many of them it lets through at once.
const PARTITION: u64 = 1_000;
const BURST: u64 = 100;
/// How long a write that was throttled waits before it is sent again.
const BACK_OFF: u64 = 50_000;
/// Tries of one mail, as in `shared/app/src/apply.rs`.
const TRIES: u32 = 10;
/// Microseconds that are played.
const PLAYED: u64 = 20_000_000;
const SECOND: u64 = 1_000_000;

/// What one line came to, per second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Taken {
    /// Mails that have a place.
    pub places: f64,
    /// Writes that found the line moved on: each costs its unit.
    pub lost: f64,
    /// Writes that the partition did not take.
    pub throttled: f64,
    /// Mails that gave up after all their tries, and come again.
    pub gave_up: f64,
}

/// A mail's write on its way to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Write {
    /// When it is there.
    at: u64,
    mail: u32,
    tries: u32,
    /// The end of the line that it read; none at its first try.
    seen: Option<u64>,
}

/// The line's item, and what its partition still takes: as the line itself, one time that moves on.
struct Line {
    end: u64,
    distance: u64,
    spent: u64,
}

enum Answer {
    Moved,
    /// It ends elsewhere.
    At(u64),
    Throttled,
}

impl Line {
    fn takes(&mut self, write: Write) -> Answer {
        let spent = self.spent.max(write.at.saturating_sub(BURST * SECOND / PARTITION)) + SECOND / PARTITION;
        if spent > write.at {
            return Answer::Throttled;
        }
        self.spent = spent;
        if write.seen.map_or(self.end <= write.at, |seen| seen == self.end) {
            self.end = self.end.max(write.at) + self.distance;
            return Answer::Moved;
        }
        Answer::At(self.end)
    }
}

/// So many mails at once, one following the other without end, at a line of so many mails a second.
pub fn play(at_once: u32, per_second: u64, seed: u64) -> Taken {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut about = |micros: u64| chance.random_range(micros / 2..=micros * 3 / 2);
    let mut queue: BinaryHeap<Reverse<Write>> =
        (0..at_once).map(|mail| Reverse(Write { at: about(BESIDE), mail, tries: 1, seen: None })).collect();
    let mut line = Line { end: 0, distance: SECOND / per_second.max(1), spent: 0 };
    let mut taken = Taken::default();
    let one = SECOND as f64 / PLAYED as f64;
    while let Some(Reverse(write)) = queue.pop().filter(|Reverse(write)| write.at < PLAYED) {
        let back = write.at + about(ROUND_TRIP);
        let next = Write { at: back + about(BESIDE), tries: 1, seen: None, ..write };
        queue.push(Reverse(match line.takes(write) {
            Answer::Moved => {
                taken.places += one;
                next
            }
            Answer::At(_) if write.tries == TRIES => {
                (taken.lost, taken.gave_up) = (taken.lost + one, taken.gave_up + one);
                next
            }
            Answer::At(end) => {
                taken.lost += one;
                Write { at: back, tries: write.tries + 1, seen: Some(end), ..write }
            }
            Answer::Throttled => {
                taken.throttled += one;
                Write { at: back + about(BACK_OFF), ..write }
            }
        }));
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_alone_at_an_idle_line_loses_nothing() {
        let alone = play(1, 1_000, 1);
        assert!(alone.lost + alone.throttled + alone.gave_up < 0.1, "{alone:?}");
        // One after the other, each with its other calls.
        let each = (BESIDE + ROUND_TRIP) as f64 / SECOND as f64;
        assert!((alone.places * each - 1.0).abs() < 0.1, "{alone:?}");
    }

    #[test]
    fn a_line_that_ends_in_the_future_costs_a_second_write() {
        let slow = play(1, 1, 1);
        assert!(
            (slow.lost - slow.places).abs() < 1.0,
            "each first try is lost, each second takes a place: {slow:?}"
        );
    }

    #[test]
    fn the_partition_takes_no_more_than_it_takes() {
        let many = play(50, 1_000, 1);
        assert!(many.places + many.lost <= 1_010.0, "{many:?}");
        assert!(many.throttled > 0.0 && many.lost > many.places, "{many:?}");
        assert_eq!(many, play(50, 1_000, 1), "the same seed, the same figures");
    }
}
