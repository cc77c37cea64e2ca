//! Templates to begin with: what a shop saves, and then makes its own.
//!
//! Mail clients are older than browsers. So the layout is tables with the styles on each cell (Gmail drops a
//! style block that it does not like, Outlook on Windows lays out with Word), 600 pixels wide at most, with
//! widths as attributes beside the styles, a table for Outlook alone round the card, a button that is a cell,
//! and nothing fetched from anywhere. Dark mode is asked for three ways: the two meta tags, the media query,
//! and the attributes that Outlook.com puts on what it has recoloured.

use serde::Serialize;

const LAYOUT: &str = include_str!("starters/layout.html");
const LAYOUT_TEXT: &str = include_str!("starters/layout.txt");
const ITEMS: (&str, &str) = (include_str!("starters/items.html"), include_str!("starters/items.txt"));
const PACKAGES: (&str, &str) =
    (include_str!("starters/packages.html"), include_str!("starters/packages.txt"));

/// A template to begin with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Starter {
    /// Stable word for it.
    pub key: &'static str,
    /// Name.
    pub name: &'static str,
    /// Subject line.
    pub subject: String,
    /// HTML part.
    pub html: String,
    /// Plain part.
    pub text: String,
}

/// What one starter says.
struct Words {
    key: &'static str,
    name: &'static str,
    subject: &'static str,
    preheader: &'static str,
    heading: &'static str,
    words: &'static str,
    button: &'static str,
    details: &'static [(&'static str, &'static str)],
}

const ALL: [Words; 4] = [
    Words {
        key: "order_received",
        name: "Order received",
        subject: "We have received your order {{orderNumber}}",
        preheader: "Thank you! Here is what you ordered.",
        heading: "Thank you for your order",
        words: "we have received your order {{orderNumber}} and will tell you as soon as there is news.",
        button: "See your order",
        details: &[ITEMS],
    },
    Words {
        key: "in_production",
        name: "In production",
        subject: "Your order {{orderNumber}} is being made",
        preheader: "We have started on your order.",
        heading: "Your order is being made",
        words: "we have started on your order {{orderNumber}}. \
                {{#if stageDescription}}{{stageDescription}}{{else}}We write again when it leaves us.{{/if}}",
        button: "See where it is",
        details: &[ITEMS],
    },
    Words {
        key: "shipped",
        name: "Shipped",
        subject: "Your order {{orderNumber}} is on its way",
        preheader: "Follow your parcel here.",
        heading: "It is on its way",
        words: "your order {{orderNumber}} has left us{{#if carrier}} with {{carrier}}{{/if}}.",
        button: "Follow your order",
        details: &[PACKAGES, ITEMS],
    },
    Words {
        key: "delivered",
        name: "Delivered",
        subject: "Your order {{orderNumber}} has arrived",
        preheader: "We hope that you like it.",
        heading: "It has arrived",
        words: "your order {{orderNumber}} was delivered. If anything is not as it should be, reply to this e-mail \
                and we will put it right.",
        button: "See your order",
        details: &[PACKAGES],
    },
];

/// All of them, in the order in which a customer would get them.
#[must_use]
pub fn all() -> Vec<Starter> {
    ALL.iter().map(Words::starter).collect()
}

impl Words {
    fn starter(&self) -> Starter {
        let html: String = self.details.iter().map(|(html, _)| *html).collect();
        let text: String = self.details.iter().map(|(_, text)| *text).collect();
        Starter {
            key: self.key,
            name: self.name,
            subject: self.subject.to_owned(),
            html: self.fill(LAYOUT, &html),
            text: self.fill(LAYOUT_TEXT, &text),
        }
    }

    fn fill(&self, layout: &str, details: &str) -> String {
        layout
            .replace("%%preheader%%", self.preheader)
            .replace("%%heading%%", self.heading)
            .replace("%%words%%", self.words)
            .replace("%%button%%", self.button)
            .replace("%%details%%", details)
    }
}
