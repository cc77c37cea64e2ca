//! Times for people: how long ago, and exactly when beside it.

use askama::Template;
use stagepost_domain::Timestamp;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A time as a page shows it: `{{ moment }}`.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "ui/moment.html")]
pub struct Moment {
    /// For `<time datetime>`.
    pub iso: String,
    /// `3 May 2026, 14:02 UTC`
    pub exactly: String,
    /// `5 min ago`
    pub ago: String,
}

impl Moment {
    /// A time seen from now.
    #[must_use]
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        Self { iso: at.to_string(), exactly: exactly(at), ago: ago(at, now) }
    }
}

/// `3 May 2026, 14:02 UTC`
#[must_use]
pub fn exactly(at: Timestamp) -> String {
    at.strftime("%-d %b %Y, %H:%M UTC").to_string()
}

/// How long a call took: `999 ms`, `1.2 s`
#[must_use]
pub fn took(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        _ => format!("{}.{} s", ms / 1_000, (ms % 1_000) / 100),
    }
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    let passed = now.duration_since(at).as_secs();
    let (seconds, future) = (passed.abs(), passed < 0);
    let text = match seconds {
        0..MINUTE if future => format!("{} s", seconds.max(1)),
        0..MINUTE => return "just now".to_owned(),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..DAY => format!("{} h", seconds / HOUR),
        _ if seconds < 2 * DAY => "1 day".to_owned(),
        _ if seconds < 60 * DAY => format!("{} days", seconds / DAY),
        _ => return at.strftime("%-d %b %Y").to_string(),
    };
    if future { format!("in {text}") } else { format!("{text} ago") }
}

#[cfg(test)]
mod tests {
    use stagepost_testkit::build::seconds;

    use super::*;

    #[test]
    fn a_time_is_told_as_people_tell_it() {
        for (passed, text) in [
            (0, "just now"),
            (59, "just now"),
            (60, "1 min ago"),
            (3_599, "59 min ago"),
            (7_200, "2 h ago"),
            (90_000, "1 day ago"),
            (260_000, "3 days ago"),
            (-8, "in 8 s"),
            (-300, "in 5 min"),
        ] {
            assert_eq!(ago(seconds(0), seconds(passed)), text, "{passed}");
        }
        assert_eq!((took(0), took(999), took(1_290)), ("0 ms".into(), "999 ms".into(), "1.2 s".into()));
        assert_eq!(ago(seconds(0), seconds(10_000_000)), "1 Mar 2026");
        let moment = Moment::new(seconds(61), seconds(61));
        assert_eq!(
            (moment.iso.as_str(), moment.exactly.as_str()),
            ("2026-03-01T10:01:01Z", "1 Mar 2026, 10:01 UTC")
        );
    }
}
