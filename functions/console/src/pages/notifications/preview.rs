//! A mail as it would be, beside the fields that make it.

use askama::Template;
use stagepost_app::mail::preview::{Among, Known, Preview, PreviewError, Warning, newest, preview_among};
use stagepost_app::ports::{Secrets, StoreError};
use stagepost_domain::id::{OrderId, TemplateId};
use stagepost_domain::shop::Role;
use stagepost_domain::template::Parts;
use stagepost_domain::text::Invalid;

use super::editor::Draft;
use crate::error::{Failed, Trouble};
use crate::fields::Wrong;
use crate::visitor::Visit;
use crate::words::counted;
use crate::{Console, Stores};

/// Orders to choose among.
const CHOICES: usize = 25;

/// What a preview shows.
pub enum Seen {
    /// The mail.
    Mail(Shown),
    /// Why there is none.
    Nothing(Wrong),
}

/// A mail as its reader would get it.
pub struct Shown {
    /// Who it is from.
    pub from: String,
    /// Its subject line.
    pub subject: String,
    /// Its HTML part.
    pub html: Option<String>,
    /// Its plain part.
    pub text: String,
    /// What it would lack.
    pub warnings: Vec<String>,
    /// What was looked at for that.
    pub looked_at: String,
}

/// A field's hint, as htmx puts it in place while somebody types.
pub struct Hint {
    /// The field's name.
    pub name: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// Why it is refused.
    pub wrong: Option<String>,
    /// What to enter.
    pub hint: &'static str,
}

/// The preview on its own.
#[derive(Template)]
#[template(path = "notifications/part.html")]
pub struct Part {
    /// What it shows.
    pub seen: Seen,
    /// What the fields say beside it.
    pub hints: Vec<Hint>,
}

/// What the fields of a template are called and take.
pub const FIELDS: [(&str, &str, &str); 4] = [
    ("name", "Name", "Only you see it."),
    ("subject", "Subject", "One line. Variables work here, too."),
    ("html", "HTML", "Leave it empty for a mail of plain text."),
    ("text", "Plain text", "Leave it empty to have it made from the HTML."),
];

impl Part {
    /// The preview with what it says of each field.
    pub fn new(seen: Seen) -> Self {
        let wrong = match &seen {
            Seen::Nothing(wrong) => wrong.clone(),
            Seen::Mail(_) => Wrong::default(),
        };
        let hint = |(name, label, hint)| Hint { name, label, wrong: wrong.of(name).map(str::to_owned), hint };
        Self { seen, hints: FIELDS.into_iter().map(hint).collect() }
    }
}

/// A preview, and the orders that it may be seen with.
pub struct Looked {
    /// What it shows.
    pub seen: Seen,
    /// Each order with its id.
    pub orders: Vec<(String, String)>,
}

/// Sees a draft with the words of an order, or of an invented one.
pub async fn look<S: Stores, K: Secrets>(
    console: &Console<S, K>,
    visit: &Visit,
    draft: &Draft,
    template: Option<&TemplateId>,
) -> Result<Looked, Failed> {
    let flows = console.flows(visit).await?;
    // Whoever only reads sees an invented order's.
    let works = visit.role >= Role::Member;
    let newest = match works {
        true => newest(&console.core, &visit.shop, &flows, template).await?,
        false => Vec::new(),
    };
    let order = Some(draft.order.as_str()).filter(|order| works && !order.is_empty());
    let order = order.map(|order| crate::pages::id(OrderId::parse(order), "order")).transpose()?;
    let among = Among { settings: &visit.settings, flows: &flows, newest: &newest };
    let (html, text) = (draft.html(), draft.text());
    let parts = Parts { subject: &draft.subject, html: html.as_deref(), text: text.as_deref() };
    let shown = preview_among(&console.core, &*console.links, among, parts, order.as_ref()).await;
    let seen = match shown {
        Ok(preview) => Seen::Mail(shown_of(visit, preview)),
        Err(PreviewError::Invalid(wrong)) => Seen::Nothing(joined(wrong)),
        Err(PreviewError::NotFound) => return Err(Trouble::not_found("order").into()),
        Err(PreviewError::Store(error)) => return Err(StoreError::into(error)),
    };
    Ok(Looked { seen, orders: choices(&newest, order.as_ref()) })
}

/// All that is wrong with a field in one sentence: one can mend it all at once.
pub fn joined(wrong: Vec<Invalid>) -> Wrong {
    let mut fields: Vec<Invalid> = Vec::new();
    for one in wrong {
        match fields.iter_mut().find(|known| known.field == one.field) {
            Some(known) => known.reason = format!("{}; {}", known.reason, one.reason),
            None => fields.push(one),
        }
    }
    Wrong(fields)
}

fn shown_of(visit: &Visit, preview: Preview) -> Shown {
    let Preview { rendered, warnings, looked_at } = preview;
    let settings = &visit.settings;
    Shown {
        from: format!("{} <{}>", settings.sender_name(), settings.from_email),
        subject: rendered.subject,
        html: rendered.html,
        text: rendered.text,
        warnings: warnings.iter().map(|warning| told(warning, looked_at)).collect(),
        looked_at: match looked_at {
            0 => String::new(),
            n => format!("Nothing is empty, here or in the {}.", counted(n, "newest order", "newest orders")),
        },
    }
}

fn told(warning: &Warning, looked_at: usize) -> String {
    let name = &warning.variable;
    let others = match (warning.empty_in, looked_at) {
        (0, _) => String::new(),
        (1, 1) => "in the newest order".to_owned(),
        (n, all) if n == all => format!("in all of the {all} newest orders"),
        (n, all) => format!("in {n} of the {all} newest orders"),
    };
    let place = match (warning.here, others.is_empty()) {
        (true, true) => "here".to_owned(),
        (true, false) => format!("here, and {others}"),
        (false, _) => others,
    };
    match name.split_once('.').filter(|(list, _)| matches!(*list, "items" | "packages")) {
        Some((list, field)) => {
            format!(
                "{{{{{field}}}}} of {list} is empty {place}. Put {{{{#if {field}}}}} … {{{{/if}}}} around it."
            )
        }
        None if matches!(name.as_str(), "items" | "packages") => {
            format!(
                "There are no {name} {place}. {{{{#each {name}}}}} … {{{{else}}}} … {{{{/each}}}} can say so."
            )
        }
        None => format!("{{{{{name}}}}} is empty {place}. Put {{{{#if {name}}}}} … {{{{/if}}}} around it."),
    }
}

/// The newest orders as choices, and the one that is chosen.
pub fn choices(newest: &[Known], chosen: Option<&OrderId>) -> Vec<(String, String)> {
    let word = |(order, snapshot): &Known| {
        let customer = snapshot.as_ref().and_then(|snapshot| snapshot.customer.name.as_deref());
        let customer = customer.map(|name| format!(" · {name}")).unwrap_or_default();
        (order.id.to_string(), format!("{}{customer}", order.number))
    };
    let mut choices = vec![(String::new(), "An invented order".to_owned())];
    let is_chosen = |(order, _): &&Known| Some(&order.id) == chosen;
    let others = newest.iter().skip(CHOICES).filter(is_chosen);
    choices.extend(newest.iter().take(CHOICES).chain(others).map(word));
    if let Some(chosen) = chosen.filter(|chosen| choices.iter().all(|(id, _)| id != chosen.as_str())) {
        choices.push((chosen.to_string(), "The order that you came from".to_owned()));
    }
    choices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_empty_is_told_with_what_to_write() {
        let warning = |variable: &str, here, empty_in| {
            told(&Warning { variable: variable.to_owned(), here, empty_in }, 50)
        };
        assert_eq!(
            warning("carrier", true, 12),
            "{{carrier}} is empty here, and in 12 of the 50 newest orders. Put {{#if carrier}} … {{/if}} around it."
        );
        assert!(warning("carrier", true, 0).starts_with("{{carrier}} is empty here."));
        assert!(warning("carrier", false, 50).contains("in all of the 50 newest orders"));
        assert!(warning("items.sku", false, 1).starts_with("{{sku}} of items is empty in 1 of the 50"));
        assert!(warning("packages", true, 0).starts_with("There are no packages here. {{#each packages}}"));
        assert!(warning("customer.name", true, 0).starts_with("{{customer.name}} is empty"));
    }
}
