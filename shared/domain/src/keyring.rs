//! A secret and those it took the place of.
//!
//! Whoever signs with a secret, or checks with it, does not learn of a new one at the same moment. So the one
//! before it counts for a while longer, and then no more: a secret that leaked and was replaced is worth
//! nothing a day later.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::run::later;
use crate::shop::Sealed;

/// How long a secret still counts after another took its place. Shopify signs with the old one for up to an
/// hour (integrations §1.3); people change the other end by hand, within a working day.
pub const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// Former secrets that are kept: who replaces one more often than this within [`OVERLAP`] drops the oldest.
const FORMER_MAX: usize = 3;

/// The secrets of one connection: one counts for good, and some that it took the place of for a while.
///
/// Stored as a list, newest first: the sealed text, or the sealed text with its end. Lists of before there were
/// ends hold texts alone; what stands behind the first then counts until the next replacement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Stored>", into = "Vec<Stored>")]
pub struct Keyring {
    current: Sealed,
    former: Vec<Former>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Former {
    sealed: Sealed,
    until: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Endless(Sealed),
    Ending { sealed: Sealed, until: Timestamp },
}

/// A stored list without a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no secret is stored")]
pub struct NoSecret;

impl Keyring {
    /// One secret that took nobody's place.
    #[must_use]
    pub fn new(sealed: Sealed) -> Self {
        Self { current: sealed, former: Vec::new() }
    }

    /// The secret that counts for good.
    #[must_use]
    pub fn current(&self) -> &Sealed {
        &self.current
    }

    /// What counts at `now`, newest first, each with its end if it has one.
    pub fn at(&self, now: Timestamp) -> impl Iterator<Item = (&Sealed, Option<Timestamp>)> {
        let former = self.former.iter().filter(move |one| one.counts(now));
        let former = former.map(|one| (&one.sealed, one.until));
        std::iter::once((&self.current, None)).chain(former)
    }

    /// `fresh` in front; the one before it counts for [`OVERLAP`] more.
    ///
    /// `same` tells which of those here are `fresh` under another seal. One that is given again ends nobody
    /// sooner and nobody later: who saves a form twice has not replaced anything twice.
    #[must_use]
    pub fn replaced(self, fresh: Sealed, same: impl Fn(&Sealed) -> bool, now: Timestamp) -> Self {
        let Self { current, former } = self;
        let again = same(&current);
        let end = later(now, OVERLAP);
        let before = (!again).then_some(Former { sealed: current, until: Some(end) });
        let former = former.into_iter().filter(|one| one.counts(now) && !same(&one.sealed));
        let former = former.map(|one| match one.until {
            None if !again => Former { until: Some(end), ..one },
            _ => one,
        });
        Self { current: fresh, former: before.into_iter().chain(former).take(FORMER_MAX).collect() }
    }
}

impl Former {
    fn counts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl TryFrom<Vec<Stored>> for Keyring {
    type Error = NoSecret;
    fn try_from(stored: Vec<Stored>) -> Result<Self, NoSecret> {
        let mut all = stored.into_iter().map(|one| match one {
            Stored::Endless(sealed) => Former { sealed, until: None },
            Stored::Ending { sealed, until } => Former { sealed, until: Some(until) },
        });
        let Former { sealed: current, .. } = all.next().ok_or(NoSecret)?;
        Ok(Self { current, former: all.collect() })
    }
}

impl From<Keyring> for Vec<Stored> {
    fn from(Keyring { current, former }: Keyring) -> Self {
        let former = former.into_iter().map(|Former { sealed, until }| match until {
            None => Stored::Endless(sealed),
            Some(until) => Stored::Ending { sealed, until },
        });
        std::iter::once(Stored::Endless(current)).chain(former).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hours(after: i64) -> Timestamp {
        later("2026-03-01T10:00:00Z".parse().unwrap(), SignedDuration::from_hours(after))
    }

    fn secret(text: &str) -> Sealed {
        Sealed(text.to_owned())
    }

    /// Replaces by a secret whose seal is its text, so that the same text is the same secret.
    fn replace(ring: Keyring, text: &str, at: i64) -> Keyring {
        ring.replaced(secret(text), |sealed| sealed.0 == text, hours(at))
    }

    fn count(ring: &Keyring, at: i64) -> Vec<&str> {
        ring.at(hours(at)).map(|(sealed, _)| sealed.0.as_str()).collect()
    }

    #[test]
    fn law_17_a_replaced_secret_counts_for_a_day_and_no_longer() {
        let ring = replace(Keyring::new(secret("one")), "two", 0);
        assert_eq!(count(&ring, 0), ["two", "one"]);
        assert_eq!(count(&ring, 23), ["two", "one"]);
        assert_eq!(count(&ring, 24), ["two"]);
        assert_eq!(ring.current(), &secret("two"));
    }

    #[test]
    fn each_replaced_secret_has_an_end_of_its_own() {
        let ring = replace(replace(Keyring::new(secret("one")), "two", 0), "three", 10);
        assert_eq!(count(&ring, 23), ["three", "two", "one"]);
        assert_eq!(count(&ring, 24), ["three", "two"]);
        assert_eq!(count(&ring, 34), ["three"]);
    }

    #[test]
    fn a_secret_that_is_given_again_prolongs_nothing_and_ends_nothing() {
        let ring = replace(Keyring::new(secret("one")), "two", 0);
        let again = replace(ring.clone(), "two", 10);
        assert_eq!(again, ring);
        // Back to the one before: the other end may sign with either.
        let back = replace(again, "one", 10);
        assert_eq!(count(&back, 33), ["one", "two"]);
        assert_eq!(count(&back, 34), ["one"]);
    }

    #[test]
    fn more_replacements_than_are_kept_drop_the_oldest() {
        let ring = ["2", "3", "4", "5"]
            .into_iter()
            .fold(Keyring::new(secret("1")), |ring, text| replace(ring, text, 0));
        assert_eq!(count(&ring, 1), ["5", "4", "3", "2"]);
    }

    #[test]
    fn what_was_stored_before_there_were_ends_is_read_and_ends_with_the_next_replacement() {
        let ring: Keyring = serde_json::from_value(json!(["two", "one"])).unwrap();
        assert_eq!(count(&ring, 1_000), ["two", "one"]);
        assert_eq!(serde_json::to_value(&ring).unwrap(), json!(["two", "one"]));
        assert_eq!(count(&replace(ring.clone(), "two", 0), 1_000), ["two", "one"], "nothing was replaced");
        let ring = replace(ring, "three", 0);
        assert_eq!(count(&ring, 23), ["three", "two", "one"]);
        assert_eq!(count(&ring, 24), ["three"]);
    }

    #[test]
    fn it_is_stored_as_it_is_read() {
        let ring = replace(Keyring::new(secret("one")), "two", 0);
        let stored = json!(["two", {"sealed": "one", "until": "2026-03-02T10:00:00Z"}]);
        assert_eq!(serde_json::to_value(&ring).unwrap(), stored);
        assert_eq!(serde_json::from_value::<Keyring>(stored).unwrap(), ring);
        assert!(serde_json::from_value::<Keyring>(json!([])).is_err(), "a connection has a secret");
    }
}
