//! How an endpoint does, in words.

use stagepost_domain::Timestamp;
use stagepost_domain::health::{Failing, Health};
use stagepost_domain::shop::{DisabledReason, Endpoint};

use crate::time::exactly;
use crate::ui::{Badge, Tone};

/// How an endpoint does.
pub struct Standing {
    /// In a word.
    pub badge: Badge,
    /// What that means, and what comes next.
    pub meaning: String,
    /// What its receiver answered, if that is what is wrong.
    pub error: Option<String>,
}

impl Standing {
    /// As it does at `now`.
    pub fn of(endpoint: &Endpoint, health: &Health, now: Timestamp) -> Self {
        let failing = health.failing_since(endpoint.mended_at);
        let (badge, meaning) = match (&endpoint.disabled, failing) {
            (Some(disabled), _) => off(disabled.reason, disabled.since),
            (None, Some(failing)) => fails(failing, now),
            (None, None) if health.version == 0 => {
                (Badge::new(Tone::Plain, "Not called yet"), "Nothing has been sent to it so far.".to_owned())
            }
            (None, None) if health.well_at.is_none() => {
                let meaning =
                    "A call has had no answer for a while; others go a few at a time until one has.";
                (Badge::new(Tone::Busy, "Slow"), meaning.to_owned())
            }
            (None, None) => (Badge::new(Tone::Good, "Healthy"), "It takes what it is sent.".to_owned()),
        };
        Self { badge, meaning, error: failing.map(|failing| failing.error.clone()) }
    }
}

fn off(reason: DisabledReason, since: Timestamp) -> (Badge, String) {
    let since = exactly(since);
    match reason {
        DisabledReason::ByHand => (
            Badge::new(Tone::Plain, "Switched off"),
            format!("Somebody switched it off on {since}. What would be sent to it is skipped."),
        ),
        DisabledReason::ReceiverGone => (
            Badge::new(Tone::Bad, "Switched off"),
            format!(
                "Its receiver answered 410 on {since}: it wants no more messages. They are skipped since."
            ),
        ),
        DisabledReason::KeptFailing => (
            Badge::new(Tone::Bad, "Switched off"),
            format!(
                "It took nothing for five days, so it was switched off on {since}. What came since counts as failed \
                 and can be sent again."
            ),
        ),
    }
}

fn fails(failing: &Failing, now: Timestamp) -> (Badge, String) {
    let since = exactly(failing.since);
    let ends = exactly(failing.ends_at());
    let goes_on = format!("If it goes on like this it is switched off on {ends}, and you are told before.");
    match failing.cooling.filter(|cooling| cooling.until > now) {
        Some(cooling) if cooling.probing => (
            Badge::new(Tone::Busy, "Being tried"),
            format!(
                "It has taken nothing since {since}. One message goes first to see how it does. {goes_on}"
            ),
        ),
        Some(cooling) => (
            Badge::new(Tone::Warn, "Resting"),
            format!(
                "It has taken nothing since {since}. It is busy or away, so nothing is sent before {}; what waits \
                 leaves then. {goes_on}",
                exactly(cooling.until)
            ),
        ),
        None => (
            Badge::new(Tone::Bad, "Failing"),
            format!(
                "It has taken nothing since {since}. Each message is tried again for about a day. {goes_on}"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use stagepost_domain::health::Cooling;
    use stagepost_domain::shop::Disabled;
    use stagepost_testkit::build;
    use stagepost_testkit::build::seconds;

    use super::*;

    fn failing(cooling: Option<Cooling>) -> Health {
        let failing = Failing { since: seconds(0), error: "500".to_owned(), cooling, notices: Vec::new() };
        Health { version: 3, failing: Some(failing), ..Health::default() }
    }

    #[test]
    fn every_state_has_a_word_and_says_what_comes_next() {
        let endpoint = build::endpoint(&build::shop());
        let off =
            |reason| Endpoint { disabled: Some(Disabled { since: seconds(0), reason }), ..endpoint.clone() };
        let cooling = |probing| Some(Cooling { until: seconds(60), times: 1, probing });
        let well = Health { version: 1, well_at: Some(seconds(0)), ..Health::default() };
        for (endpoint, health, word, says) in [
            (endpoint.clone(), Health::default(), "Not called yet", "Nothing has been sent"),
            (endpoint.clone(), well, "Healthy", "takes"),
            (endpoint.clone(), Health { version: 2, ..Health::default() }, "Slow", "a few at a time"),
            (endpoint.clone(), failing(None), "Failing", "switched off on 6 Mar 2026, 10:00 UTC"),
            (
                endpoint.clone(),
                failing(cooling(false)),
                "Resting",
                "nothing is sent before 1 Mar 2026, 10:01",
            ),
            (endpoint.clone(), failing(cooling(true)), "Being tried", "One message goes first"),
            (off(DisabledReason::ByHand), Health::default(), "Switched off", "Somebody"),
            (off(DisabledReason::ReceiverGone), Health::default(), "Switched off", "410"),
            (off(DisabledReason::KeptFailing), failing(None), "Switched off", "five days"),
        ] {
            let standing = Standing::of(&endpoint, &health, seconds(1));
            assert_eq!(standing.badge.text, word);
            assert!(standing.meaning.contains(says), "{word}: {}", standing.meaning);
        }
    }

    #[test]
    fn what_was_before_somebody_mended_it_does_not_count() {
        let endpoint = Endpoint { mended_at: Some(seconds(5)), ..build::endpoint(&build::shop()) };
        assert_eq!(Standing::of(&endpoint, &failing(None), seconds(9)).error, None);
    }
}
