//! A timeline in words: where the order went, why, and what followed.

use serde_json::Value;

use super::timeline::{Timeline, text};
use crate::mailbox::Captured;

/// Columns of a line.
pub(super) const WIDTH: usize = 100;
/// Columns of where it went.
const WHERE: usize = 20;
/// Columns of why.
const WHY: usize = 33;
/// Columns before any of it.
pub(super) const INDENT: usize = 3;

/// One line or a few for each entry. `mails`: to say whom a mail went to.
pub(super) fn story(timeline: &Timeline, mails: &[Captured]) -> Vec<String> {
    timeline.entries().iter().flat_map(|entry| lines(entry, mails)).collect()
}

fn lines(entry: &Value, mails: &[Captured]) -> Vec<String> {
    let runs = entry.get("runs").and_then(Value::as_array);
    let followed = runs.into_iter().flatten().map(|run| run_in_words(run, mails));
    let column = WIDTH - INDENT - WHERE - WHY;
    let mut followed: Vec<String> = followed.flat_map(|words| wrapped(&words, column)).collect();
    if followed.is_empty() {
        followed.push(String::new());
    }
    let head = format!("{:INDENT$}{:<WHERE$}{:<WHY$}", "", went(entry), why(entry));
    let mut lines = Vec::with_capacity(followed.len());
    for (n, words) in followed.iter().enumerate() {
        let indent = INDENT + WHERE + WHY;
        let line = if n == 0 { format!("{head}{words}") } else { format!("{:indent$}{words}", "") };
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// `New → Printing`, or nothing for an event that moved nothing.
fn went(entry: &Value) -> String {
    let (from, to) = (text(entry, "/transition/from/name"), text(entry, "/transition/to/name"));
    match (from, to) {
        (_, "") => "·".to_owned(),
        ("", to) => format!("→ {to}"),
        (from, to) => format!("{from} → {to}"),
    }
}

fn why(entry: &Value) -> String {
    if text(entry, "/type") == "ignored" {
        return format!("ignored: {}", plain(text(entry, "/why/reason")));
    }
    let who = match text(entry, "/cause/actor/kind") {
        "console" => "in the console",
        _ => "with an API key",
    };
    let parcel = plain(text(entry, "/change/status"));
    let refused = text(entry, "/refused/reason/reason");
    let words = match (text(entry, "/cause/kind"), text(entry, "/change/kind")) {
        ("platform", "created") => "a new order".to_owned(),
        ("platform_fulfillment", _) => "fulfilled by the merchant".to_owned(),
        ("platform", "fulfillment") => "its store tells of a fulfillment".to_owned(),
        ("platform", "updated") => "its store tells of a change".to_owned(),
        ("manual", "moved") => format!("moved {who}"),
        ("manual", "packages") => format!("parcel added {who}"),
        ("carrier", _) => format!("carrier: a parcel is {parcel}"),
        (cause, change) => format!("{} ({})", plain(change), plain(cause)),
    };
    if refused.is_empty() { words } else { format!("{words}; stays: {}", plain(refused)) }
}

fn run_in_words(run: &Value, mails: &[Captured]) -> String {
    let action = text(run, "/action");
    let result = text(run, "/result");
    let again = match run.get("attempts").and_then(Value::as_u64) {
        Some(n) if n > 1 => format!(" (attempt {n})"),
        _ => String::new(),
    };
    match (text(run, "/state"), action) {
        ("succeeded", "email") => match mails.iter().find(|m| m.id == result) {
            Some(mail) => format!("mail \"{}\" to {}", mail.subject, masked(&mail.to)),
            None => "mail that is not in the mailbox".to_owned(),
        },
        ("succeeded", "fulfill") => result.to_owned(),
        ("succeeded", _) => format!("{action} sent: {result}{again}"),
        ("skipped", _) => {
            let what = if action == "email" { "mail" } else { action };
            format!("{what} skipped: {}", skipped(run))
        }
        (state, _) => format!("{action} is {state}: {}", text(run, "/last_error")),
    }
}

fn skipped(run: &Value) -> String {
    match text(run, "/skipped/reason") {
        "no_address" => "the customer has no address".to_owned(),
        "no_channel" => "an API order has no store".to_owned(),
        "already_fulfilled" => {
            let whose = match text(run, "/skipped/by/whose") {
                "theirs" => "the merchant",
                "ours" => "us",
                _ => "somebody",
            };
            format!(
                "fulfilled by {whose} on {} at {}",
                text(run, "/skipped/platform"),
                clock(text(run, "/skipped/at"))
            )
        }
        reason => plain(reason),
    }
}

/// The time of day of an RFC 3339 timestamp.
fn clock(at: &str) -> &str {
    at.split_once('T').and_then(|(_, time)| time.get(..8)).unwrap_or(at)
}

/// A stable word in plain ones.
fn plain(word: &str) -> String {
    word.replace('_', " ")
}

/// An address for a screen that others may see: `a…@example.com`.
pub(super) fn masked(address: &str) -> String {
    match address.split_once('@') {
        Some((name, domain)) => format!("{}…@{domain}", name.chars().take(1).collect::<String>()),
        None => "…".to_owned(),
    }
}

/// Lines of at most `width` columns, broken at spaces.
pub(super) fn wrapped(words: &str, width: usize) -> Vec<String> {
    let words: Vec<_> = words.split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect();
    side_by_side(&words, " ", width, 0)
}

/// Lines of at most `width` columns with as many items as fit, indented.
pub(super) fn side_by_side(items: &[String], gap: &str, width: usize, indent: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        let needed = gap.chars().count() + item.chars().count();
        match lines.last_mut().filter(|line| line.chars().count() + needed <= width) {
            Some(line) => line.extend([gap, item]),
            None => lines.push(format!("{:indent$}{item}", "")),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(entry: Value) -> Vec<String> {
        story(&Timeline::of(&json!({"items": [entry]})), &[])
    }

    #[test]
    fn a_move_says_why_and_what_followed() {
        let lines = told(json!({
            "type": "event", "cause": {"kind": "platform_fulfillment"}, "change": {"kind": "fulfillment"},
            "transition": {"from": {"name": "New"}, "to": {"name": "Shipped"}},
            "runs": [
                {"action": "email", "state": "skipped", "skipped": {"reason": "no_address"}},
                {"action": "fulfill", "state": "skipped", "skipped": {"reason": "already_fulfilled",
                    "by": {"whose": "theirs"}, "platform": "shopify", "at": "2026-11-20T17:00:05Z"}},
            ],
        }));
        let words: Vec<_> =
            lines.iter().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            words,
            [
                "New → Shipped fulfilled by the merchant mail skipped: the customer has no address",
                "fulfill skipped: fulfilled by the merchant",
                "on shopify at 17:00:05",
            ]
        );
    }

    #[test]
    fn an_address_is_not_told_in_full() {
        assert_eq!(masked("ada@example.com"), "a…@example.com");
        assert_eq!(masked("nonsense"), "…");
    }

    #[test]
    fn lines_break_at_spaces_and_keep_to_their_width() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("", 7), Vec::<String>::new());
        let items = ["one two".to_owned(), "three".to_owned(), "four".to_owned()];
        assert_eq!(side_by_side(&items, "  ", 16, 2), ["  one two  three", "  four"]);
    }
}
