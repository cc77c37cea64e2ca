//! A table that was restored from a point in time knows nothing of what was done between that time and now.
//!
//! Its deployment is told when it began, and that is the cut: whatever is from before it may have been done already,
//! by the deployment that is no more. So news from before it moves an order silently, a mail that was asked for
//! before it is never sent, and what is decided after it has numbers that nothing before it had (docs/adr/0021).

use jiff::Timestamp;

/// A second of 2024: no order has so many events, so a number like this was begun with by a restore.
const FIRST_CUT: u64 = 1_704_067_200;
/// The least that a restore leaves out behind numbers that one before it began with.
const BETWEEN_CUTS: u64 = 60;

/// Whether a restore may be why nothing stands between these two numbers of an order, the later of which is there. A
/// second restore within a minute, or a minute's worth of events that were lost, is taken for the other.
#[must_use]
pub fn may_leave_out(earlier: u64, later: u64) -> bool {
    later >= FIRST_CUT && later.saturating_sub(earlier) > BETWEEN_CUTS
}

/// Event numbers have ten digits in keys, which sort as text.
const LAST_SECOND: i64 = 9_999_999_999;

/// When a deployment on a restored table began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoredAt(Timestamp);

/// A text that is no time at which a table can have been restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a time like 2026-11-26T12:00:00Z")]
pub struct NoSuchTime;

impl RestoredAt {
    /// Reads a time as RFC 3339 writes it.
    ///
    /// # Errors
    /// It is none, or one before 1970 or after 2286.
    pub fn parse(text: &str) -> Result<Self, NoSuchTime> {
        let at: Timestamp = text.parse().map_err(|_| NoSuchTime)?;
        (0..=LAST_SECOND).contains(&at.as_second()).then_some(Self(at)).ok_or(NoSuchTime)
    }

    /// Whether this is from before the cut: it may have been done already.
    #[must_use]
    pub fn is_after(self, at: Timestamp) -> bool {
        at < self.0
    }

    /// The number of the event after this one. The first after the cut is the second of the cut: so no event that was
    /// lost had it, nor one of an earlier restore, as long as an order has less than one event in a second between
    /// two restores. Numbers only rise, so that what has a higher one is newer, before and after a restore.
    #[must_use]
    pub fn seq_after(self, seq: u64) -> u64 {
        let cut = u64::try_from(self.0.as_second()).unwrap_or_default();
        seq.saturating_add(1).max(cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_a_time_of_rfc_3339_that_numbers_can_be_made_of() {
        let cut = RestoredAt::parse("2026-11-26T13:00:00+01:00").unwrap();
        assert_eq!(cut, RestoredAt::parse("2026-11-26T12:00:00Z").unwrap());
        for wrong in
            ["", "yesterday", "1764158400", "2026-11-26", "1969-12-31T23:59:59Z", "2286-11-20T17:46:40Z"]
        {
            assert_eq!(RestoredAt::parse(wrong), Err(NoSuchTime), "{wrong}");
        }
    }

    #[test]
    fn numbers_only_rise_and_no_cut_meets_what_was_counted_before_it() {
        let [first, second] =
            ["2026-11-26T12:00:00.9Z", "2026-11-26T13:00:00Z"].map(|at| RestoredAt::parse(at).unwrap());
        let begins = first.seq_after(7);
        assert_eq!(begins, 1_795_694_400);
        assert_eq!(first.seq_after(begins), begins + 1, "counted on from there");
        assert_eq!(second.seq_after(7), begins + 3_600, "also of an order that had no event since the first");
        assert!(second.seq_after(begins + 3_599) > begins + 3_599);
        assert_eq!(first.seq_after(u64::MAX), u64::MAX);
    }

    #[test]
    fn only_a_restore_leaves_out_numbers() {
        let [first, second] =
            ["2026-11-26T12:00:00Z", "2026-11-26T13:00:00Z"].map(|at| RestoredAt::parse(at).unwrap());
        for (earlier, later) in
            [(7, first.seq_after(7)), (7, second.seq_after(7)), (first.seq_after(7) + 2, second.seq_after(7))]
        {
            assert!(may_leave_out(earlier, later), "{earlier} {later}");
        }
        let begun = first.seq_after(7);
        for (earlier, later) in [(1, 3), (1, 900), (begun, begun + 2), (begun, begun + 60)] {
            assert!(!may_leave_out(earlier, later), "{earlier} {later}");
        }
    }
}
