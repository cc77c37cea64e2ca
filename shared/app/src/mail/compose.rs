//! What a mail says: its variables, sender and marks.

use std::collections::BTreeMap;

use stagepost_domain::order::{Order, Snapshot};
use stagepost_domain::run::RunId;
use stagepost_domain::shop::Settings;
use stagepost_domain::template::{Occasion, Parts, Rendered, Variables};

use crate::Core;
use crate::ports::{Mail, OrderStore, StoreError};

/// The variables of an order for these parts. Its packages are read only where a part speaks of them.
pub(super) async fn variables<S: OrderStore>(
    core: &Core<S>,
    parts: Parts<'_>,
    order: &Order,
    snapshot: &Snapshot,
    occasion: Occasion<'_>,
) -> Result<Variables, StoreError> {
    let speaks = parts.uses().iter().any(|name| name == "carrier" || name.starts_with("packages"));
    let packages = match speaks && order.packages.total > 0 {
        true => core.store.packages(&order.id).await?,
        false => Vec::new(),
    };
    Ok(Variables::of(order, snapshot, &packages, occasion))
}

/// A mail of the shop to one address.
pub(crate) fn letter(
    settings: &Settings,
    to: String,
    rendered: Rendered,
    tags: BTreeMap<String, String>,
) -> Mail {
    let Rendered { subject, html, text } = rendered;
    Mail {
        from: sender(settings.sender_name(), &settings.from_email),
        reply_to: settings.mail.reply_to.clone(),
        to,
        subject,
        html,
        text: Some(text),
        tags,
        configuration_set: settings.mail.configuration_set.clone(),
    }
}

/// A mail to the shop itself.
pub(crate) fn notice(
    settings: &Settings,
    to: String,
    subject: String,
    text: String,
    tags: BTreeMap<String, String>,
) -> Mail {
    letter(settings, to, Rendered { subject, html: None, text }, tags)
}

/// The subject of a mail that is none of a customer's.
pub(super) fn marked(subject: &str) -> String {
    format!("[Test] {subject}")
}

/// What comes back with a provider's events and leads to the run: [`run_of`] reads it.
pub(super) fn tags(id: &RunId) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("order".to_owned(), id.order.to_string()),
        ("seq".to_owned(), id.seq.to_string()),
        ("template".to_owned(), id.key.target.name().to_owned()),
        ("generation".to_owned(), id.key.generation.to_string()),
    ])
}

/// The run that a mail with these tags is of, if it is one of a run.
#[must_use]
pub fn run_of<'a>(tag: impl Fn(&str) -> Option<&'a str>) -> Option<RunId> {
    let order = tag("order")?.strip_prefix("ord_")?;
    let (seq, template, generation) = (tag("seq")?, tag("template")?, tag("generation")?);
    RunId::parse(&format!("run_{order}.{seq}.email.{template}.{generation}")).ok()
}

fn sender(name: &str, address: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control() && !"<>\"".contains(*c)).collect();
    format!("{name} <{address}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mails_tags_lead_back_to_its_run() {
        let run = RunId::parse("run_0a1b.12.email.tmpl_x.3").unwrap();
        let tags = tags(&run);
        assert_eq!(run_of(|name| tags.get(name).map(String::as_str)), Some(run));
        assert!(tags.values().all(|v| v.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))));
        for (name, value) in [("order", "x"), ("seq", "01"), ("template", "tmpl"), ("generation", "")] {
            let other =
                |asked: &str| if asked == name { Some(value) } else { tags.get(asked).map(String::as_str) };
            assert_eq!(run_of(other), None, "{name}");
        }
    }
}
