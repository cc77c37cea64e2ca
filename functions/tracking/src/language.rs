//! The page's own words in the languages that it speaks. Stages are in the shop's words.

use stagepost_domain::package::TrackingStatus;

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    German,
}

/// The page's words.
pub struct Words {
    /// As in `lang` and `?lang=`.
    pub code: &'static str,
    pub order: &'static str,
    pub progress: &'static str,
    pub done: &'static str,
    pub now: &'static str,
    pub ahead: &'static str,
    pub parcels: &'static str,
    pub parcel: &'static str,
    pub follow: &'static str,
    pub history: &'static str,
    pub last_news: &'static str,
    pub no_news: &'static str,
    pub their_time: &'static str,
    pub cancelled: &'static str,
    pub trouble: &'static str,
    pub missed: &'static str,
    pub pickup: &'static str,
    pub returning: &'static str,
    pub help: &'static str,
    pub no_order: &'static str,
    pub away: &'static str,
    pub read_only: &'static str,
    /// The other language, in its own words.
    pub other: &'static str,
    months: [&'static str; 12],
}

static ENGLISH: Words = Words {
    code: "en",
    order: "Order",
    progress: "Progress of your order",
    done: "done",
    now: "now",
    ahead: "still to come",
    parcels: "Parcels",
    parcel: "Parcel",
    follow: "Follow it at the carrier",
    history: "All news of this parcel",
    last_news: "Last news",
    no_news: "No news from the carrier yet",
    their_time: "local time",
    cancelled: "This order was cancelled.",
    trouble: "The carrier reports a problem with a parcel. Its page says more; if it does not move on, please ask the shop.",
    missed: "Nobody could take a parcel. The carrier tries again, or has left word where it is.",
    pickup: "A parcel is waiting for you at a pick-up point. The carrier's page says where and how long.",
    returning: "A parcel is on its way back to the shop. Please ask the shop what happens next.",
    help: "Questions about your order? Answer the latest e-mail that you got about it.",
    no_order: "This link is not valid. Please use the link in the latest e-mail about your order.",
    away: "We cannot show your order right now. Please try again in a moment.",
    read_only: "This page can only be read.",
    other: "Deutsch",
    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
};

static GERMAN: Words = Words {
    code: "de",
    order: "Bestellung",
    progress: "Stand Ihrer Bestellung",
    done: "erledigt",
    now: "jetzt",
    ahead: "kommt noch",
    parcels: "Pakete",
    parcel: "Paket",
    follow: "Beim Paketdienst verfolgen",
    history: "Alle Meldungen zu diesem Paket",
    last_news: "Letzte Meldung",
    no_news: "Noch keine Meldung vom Paketdienst",
    their_time: "Ortszeit",
    cancelled: "Diese Bestellung wurde storniert.",
    trouble: "Der Paketdienst meldet ein Problem mit einem Paket. Auf seiner Seite steht mehr; wenn es nicht weitergeht, fragen Sie bitte beim Shop nach.",
    missed: "Ein Paket konnte niemandem übergeben werden. Der Paketdienst versucht es noch einmal oder hat hinterlassen, wo es liegt.",
    pickup: "Ein Paket liegt an einer Abholstelle für Sie bereit. Wo und wie lange, steht auf der Seite des Paketdienstes.",
    returning: "Ein Paket ist auf dem Weg zurück zum Shop. Bitte fragen Sie beim Shop, wie es weitergeht.",
    help: "Fragen zu Ihrer Bestellung? Antworten Sie auf die letzte E-Mail, die Sie dazu bekommen haben.",
    no_order: "Dieser Link ist nicht gültig. Bitte nehmen Sie den Link aus der letzten E-Mail zu Ihrer Bestellung.",
    away: "Wir können Ihre Bestellung gerade nicht anzeigen. Bitte versuchen Sie es gleich noch einmal.",
    read_only: "Diese Seite kann nur gelesen werden.",
    other: "English",
    months: [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
};

impl Language {
    /// The language of a visit: the one that the visitor chose, else the first of those that their browser
    /// prefers, else English.
    pub fn of(chosen: Option<&str>, accepted: &str) -> Self {
        let known = |tag: &str| match tag.trim().get(..2).map(str::to_ascii_lowercase).as_deref() {
            Some("en") => Some(Self::English),
            Some("de") => Some(Self::German),
            _ => None,
        };
        let weight = |part: &str| {
            let q = part.split_once(";q=").and_then(|(_, q)| q.trim().parse::<f32>().ok());
            q.filter(|q| q.is_finite()).unwrap_or(1.0)
        };
        let mut parts: Vec<&str> = accepted.split(',').take(20).filter(|part| weight(part) > 0.0).collect();
        parts.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
        chosen.and_then(known).or_else(|| parts.into_iter().find_map(known)).unwrap_or(Self::English)
    }

    /// Its words.
    pub fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
        }
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::English => Self::German,
            Self::German => Self::English,
        }
    }

    /// A day and a minute.
    pub fn moment(self, at: &jiff::civil::DateTime) -> String {
        let month =
            self.words().months.get(usize::try_from(at.month() - 1).unwrap_or_default()).unwrap_or(&"");
        let (day, year, hour, minute) = (at.day(), at.year(), at.hour(), at.minute());
        match self {
            Self::English => format!("{day} {month} {year}, {hour:02}:{minute:02}"),
            Self::German => format!("{day}. {month} {year}, {hour:02}:{minute:02}"),
        }
    }

    /// How long ago, roughly; nothing where the other clock is ahead of ours.
    pub fn ago(self, minutes: i64) -> String {
        let (hours, days) = (minutes / 60, minutes / (24 * 60));
        match self {
            _ if minutes < 0 => String::new(),
            Self::English if minutes == 0 => "just now".to_owned(),
            Self::English if minutes < 60 => format!("{minutes} min ago"),
            Self::English if hours < 48 => format!("{hours} h ago"),
            Self::English => format!("{days} days ago"),
            Self::German if minutes == 0 => "gerade eben".to_owned(),
            Self::German if minutes < 60 => format!("vor {minutes} Min."),
            Self::German if hours < 48 => format!("vor {hours} Std."),
            Self::German => format!("vor {days} Tagen"),
        }
    }

    /// Where a parcel is: the few words that customers know from carriers.
    pub fn status(self, status: TrackingStatus) -> &'static str {
        let both = match status {
            TrackingStatus::Unknown => ("No news yet", "Noch keine Meldung"),
            TrackingStatus::PreTransit => ("Announced to the carrier", "Beim Paketdienst angekündigt"),
            TrackingStatus::InTransit => ("On its way", "Unterwegs"),
            TrackingStatus::OutForDelivery => ("Out for delivery", "In Zustellung"),
            TrackingStatus::AvailableForPickup => ("Ready to be picked up", "Zur Abholung bereit"),
            TrackingStatus::AttemptFailed => ("A delivery was tried", "Zustellung versucht"),
            TrackingStatus::Exception => ("Held up", "Aufgehalten"),
            TrackingStatus::Cancelled => ("Cancelled", "Storniert"),
            TrackingStatus::Delivered => ("Delivered", "Zugestellt"),
            TrackingStatus::ReturnToSender => ("On its way back", "Auf dem Rückweg"),
        };
        match self {
            Self::English => both.0,
            Self::German => both.1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_visitors_choice_comes_before_their_browsers_and_english_is_for_all_others() {
        for (chosen, accepted, language) in [
            (None, "", Language::English),
            (None, "de-AT,en;q=0.8", Language::German),
            (None, "en-GB,de;q=0.9", Language::English),
            (None, "en;q=0.3, de;q=0.9", Language::German),
            (None, "fr-FR,de;q=0.5", Language::German),
            (None, "de;q=0,en", Language::English),
            (None, "ja;q=NaN,;;;,d", Language::English),
            (Some("en"), "de", Language::English),
            (Some("xx"), "de", Language::German),
        ] {
            assert_eq!(Language::of(chosen, accepted), language, "{chosen:?} {accepted}");
        }
    }
}
