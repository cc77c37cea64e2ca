//! E-mail templates: Handlebars, strict, with the variables of the product and no way to reach further.
//!
//! A template is saved only if it parses, uses nothing that a mail would not have, and renders the fullest
//! order within [`FULLEST_MAX`]: what was saved renders for every order. What is refused is named with its
//! part, line and variable.

mod check;
mod plain;
mod sample;
pub mod starters;
#[cfg(test)]
mod tests;
mod variables;

use std::collections::BTreeSet;
use std::io;

use handlebars::{Handlebars, no_escape};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{ShopId, TemplateId};
use crate::text::{Invalid, required_name, tidy, truncated};

pub use check::{LISTS, TEXTS, uses};
pub use variables::{CustomerName, Item, Occasion, Parcel, Variables};

/// Longest subject, in bytes.
pub const SUBJECT_MAX: usize = 300;
/// Longest HTML or text part, in bytes.
pub const BODY_MAX: usize = 100_000;
/// Longest part that the fullest order may make, in bytes.
pub const FULLEST_MAX: usize = 500_000;
/// Where rendering stops, in bytes. An escaped character has six bytes at most, so what stays within
/// [`FULLEST_MAX`] in plain letters never comes here.
const OUTPUT_MAX: usize = 6 * FULLEST_MAX;
/// Longest subject of a rendered mail, in bytes: a header line has 998 (RFC 5322).
const SUBJECT_LINE_MAX: usize = 900;

/// A version of a template, never changed once stored: runs name the version they were decided with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EmailTemplate {
    /// Stable id.
    pub id: TemplateId,
    /// Its tenant.
    pub shop: ShopId,
    /// As people see it.
    pub name: String,
    /// Counts edits, from 1.
    pub version: u64,
    /// One line.
    pub subject: String,
    /// The HTML part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// The plain part. Left out, it is made from the HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// When this version was saved.
    pub saved_at: Timestamp,
}

/// A rendered mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line, no control characters.
    pub subject: String,
    /// Escaped HTML.
    pub html: Option<String>,
    /// Plain text: every mail has it.
    pub text: String,
}

/// A template failed to render; saving should have refused it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part} does not render: {reason}")]
pub struct RenderError {
    /// Which part.
    pub part: &'static str,
    /// Why, without the data.
    pub reason: String,
}

/// The parts of a template: what is checked, rendered and previewed, saved or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// One line.
    pub subject: &'a str,
    /// The HTML part.
    pub html: Option<&'a str>,
    /// The plain part.
    pub text: Option<&'a str>,
}

impl EmailTemplate {
    /// Its parts.
    #[must_use]
    pub fn parts(&self) -> Parts<'_> {
        Parts { subject: &self.subject, html: self.html.as_deref(), text: self.text.as_deref() }
    }

    /// Checks everything that a mail could later fail on.
    ///
    /// # Errors
    /// Each refused field, with the line and the variable or rule.
    pub fn validated(mut self) -> Result<Self, Vec<Invalid>> {
        let mut wrong = Vec::new();
        match required_name("name", &self.name, 80) {
            Ok(name) => self.name = name,
            Err(e) => wrong.push(e),
        }
        wrong.extend(self.parts().check().err().unwrap_or_default());
        if wrong.is_empty() { Ok(self) } else { Err(wrong) }
    }

    /// Fills the template in.
    ///
    /// # Errors
    /// A part does not render.
    pub fn render(&self, variables: &Variables) -> Result<Rendered, RenderError> {
        self.parts().render(variables)
    }
}

impl Parts<'_> {
    fn each(&self) -> impl Iterator<Item = (&'static str, &str, usize)> {
        let parts = [
            ("subject", Some(self.subject), SUBJECT_MAX),
            ("html", self.html, BODY_MAX),
            ("text", self.text, BODY_MAX),
        ];
        parts.into_iter().filter_map(|(part, source, max)| Some((part, source?, max)))
    }

    /// Checks everything that a mail could later fail on.
    ///
    /// # Errors
    /// Each refused part, with the line and the variable or rule.
    pub fn check(&self) -> Result<(), Vec<Invalid>> {
        let mut wrong = Vec::new();
        if self.subject.trim().is_empty() {
            wrong.push(Invalid::new("subject", "must not be empty"));
        }
        if self.subject.contains(['\r', '\n']) {
            wrong.push(Invalid::new("subject", "must be one line"));
        }
        if self.html.is_none() && self.text.is_none() {
            wrong.push(Invalid::new("html", "a template needs html, text, or both"));
        }
        for (part, source, max) in self.each() {
            wrong.extend(check::part(part, source, max));
        }
        if wrong.is_empty() {
            wrong.extend(self.too_long_when_full());
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// The parts that the fullest order makes too long, or that do not render for it.
    fn too_long_when_full(&self) -> Vec<Invalid> {
        let fullest = Variables::fullest();
        let (plain, escaping) = (engine(false), engine(true));
        let rendered = self.each().map(|(part, source, _)| {
            let engine = if part == "html" { &escaping } else { &plain };
            render_part(engine, part, source, &fullest, FULLEST_MAX)
        });
        rendered.filter_map(Result::err).map(|e| Invalid::new(e.part, e.reason)).collect()
    }

    /// Fills the parts in. A missing plain part is made from the HTML.
    ///
    /// # Errors
    /// A part does not render.
    pub fn render(&self, variables: &Variables) -> Result<Rendered, RenderError> {
        let (plain, escaping) = (engine(false), engine(true));
        let filled = |engine, part, source| render_part(engine, part, source, variables, OUTPUT_MAX);
        let subject = filled(&plain, "subject", self.subject)?;
        let html = self.html.map(|source| filled(&escaping, "html", source)).transpose()?;
        let text = match self.text {
            Some(source) => filled(&plain, "text", source)?,
            None => plain::from_html(html.as_deref().unwrap_or_default()),
        };
        Ok(Rendered { subject: tidy(&subject, SUBJECT_LINE_MAX).unwrap_or_default(), html, text })
    }

    /// Every variable that some part uses, by the names of [`TEXTS`] and [`LISTS`].
    #[must_use]
    pub fn uses(&self) -> BTreeSet<String> {
        self.each().flat_map(|(_, source, _)| uses(source).into_keys()).collect()
    }

    /// Those without which some part would say nothing somewhere.
    #[must_use]
    pub fn shows(&self) -> BTreeSet<String> {
        let used = self.each().flat_map(|(_, source, _)| uses(source));
        used.filter_map(|(name, bare)| bare.then_some(name)).collect()
    }
}

fn engine(escaping: bool) -> Handlebars<'static> {
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    for helper in ["with", "lookup", "log", "raw"] {
        engine.unregister_helper(helper);
    }
    if !escaping {
        engine.register_escape_fn(no_escape);
    }
    engine
}

/// A part filled in, at most `max` bytes: rendering stops where it would be longer.
fn render_part(
    engine: &Handlebars<'_>,
    part: &'static str,
    source: &str,
    variables: &Variables,
    max: usize,
) -> Result<String, RenderError> {
    let mut out = Bounded { bytes: Vec::new(), max, full: false };
    let rendered = engine.render_template_to_write(source, variables, &mut out);
    if out.full {
        let reason = format!("an order with the most items makes more than {max} bytes of it");
        return Err(RenderError { part, reason });
    }
    rendered.map_err(|e| RenderError { part, reason: truncated(&e.reason().to_string(), 400) })?;
    String::from_utf8(out.bytes).map_err(|_| RenderError { part, reason: "it is not UTF-8".to_owned() })
}

struct Bounded {
    bytes: Vec<u8>,
    max: usize,
    full: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len().saturating_add(bytes.len()) > self.max {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
