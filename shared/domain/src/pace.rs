//! How fast a sender may send: mails take places in a line, so many a second.
//!
//! The line is one time: when the next place is free. Taking a place moves it on by the distance of two places,
//! so a mail has to come once to learn its place and once to leave, however long the line is (the generic cell
//! rate algorithm, without a queue).

use jiff::{SignedDuration, Timestamp};

use crate::run::later;

/// How long a place is kept for the mail that has it.
pub const KEPT: SignedDuration = SignedDuration::from_secs(120);
/// Most mails that a sender may send in a second.
pub const PER_SECOND_MAX: u32 = 1_000;

/// How many mails a sender may send in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace(u32);

impl Default for Pace {
    /// SES's sandbox: one a second (integrations §7.2).
    fn default() -> Self {
        Self(1)
    }
}

/// A place in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// When its mail may leave.
    pub at: Timestamp,
    /// When the place behind it is free.
    pub next: Timestamp,
}

impl Pace {
    /// So many a second, 1 to 1,000.
    #[must_use]
    pub fn per_second(mails: u32) -> Self {
        Self(mails.clamp(1, PER_SECOND_MAX))
    }

    fn distance(self) -> SignedDuration {
        let mails = i64::from(self.0.max(1));
        // Rounded up: never faster than asked.
        SignedDuration::from_millis((1_000 + mails - 1) / mails)
    }

    /// The place at the end of a line whose next one is free at `free`.
    #[must_use]
    pub fn place(self, free: Option<Timestamp>, now: Timestamp) -> Place {
        let at = free.map_or(now, |free| free.max(now));
        Place { at, next: later(at, self.distance()) }
    }
}

/// Whether a mail with this place may leave now.
#[must_use]
pub fn holds(slot: Option<Timestamp>, now: Timestamp) -> bool {
    slot.is_some_and(|at| at <= now && now <= later(at, KEPT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    #[test]
    fn no_second_has_more_places_than_the_pace() {
        for per_second in [1, 3, 14, 1_000] {
            let pace = Pace::per_second(per_second);
            let (mut free, mut taken) = (None, Vec::new());
            for n in 0..3_000 {
                let place = pace.place(free, at(n % 7));
                free = Some(place.next);
                taken.push(place.at);
            }
            assert!(taken.is_sorted());
            let in_a_second = |from: Timestamp| {
                taken
                    .iter()
                    .filter(|t| **t >= from && **t < later(from, SignedDuration::from_secs(1)))
                    .count()
            };
            let most = taken.iter().step_by(97).map(|t| in_a_second(*t)).max().unwrap();
            assert!(most <= per_second as usize, "{most}");
        }
    }

    #[test]
    fn an_idle_line_has_a_place_at_once_and_a_place_is_not_kept_for_ever() {
        let place = Pace::default().place(Some(at(-5_000)), at(0));
        assert_eq!((place.at, place.next), (at(0), at(1_000)));
        assert_eq!(Pace::default().place(Some(at(900)), at(0)).at, at(900));
        for (slot, now, held) in [(0, -1, false), (0, 0, true), (0, 120_000, true), (0, 120_001, false)] {
            assert_eq!(holds(Some(at(slot)), at(now)), held, "{now}");
        }
        assert!(!holds(None, at(0)));
        assert_eq!(Pace::per_second(0), Pace::default());
    }
}
