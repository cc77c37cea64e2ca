//! E-mail templates: Handlebars, strict, with the variables of the product and no way to reach further.
//!
//! A template is saved only if it parses and uses nothing that a mail would not have. What is refused is
//! named with its line.

use std::collections::BTreeMap;

use handlebars::Path;
use handlebars::template::{Parameter, Template as Parsed, TemplateElement};
use handlebars::{Handlebars, no_escape};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{ShopId, TemplateId};
use crate::text::{Invalid, required_name, tidy};

/// The variables that a template may use.
pub const VARIABLES: [&str; 4] = ["orderNumber", "customerName", "stageName", "trackingUrl"];
/// Helpers that only choose; nothing that loops, includes or reaches out.
const HELPERS: [&str; 2] = ["if", "unless"];
/// Longest subject, in bytes.
pub const SUBJECT_MAX: usize = 300;
/// Longest HTML or text part, in bytes.
pub const BODY_MAX: usize = 100_000;
/// Deepest nesting of blocks.
const DEPTH_MAX: usize = 20;

/// A version of a template, never changed once stored: runs name the version they were decided with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The plain part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// When this version was saved.
    pub saved_at: Timestamp,
}

/// What the variables stand for in one mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Variables {
    /// As the shop prints it.
    pub order_number: String,
    /// Empty for a customer without a name.
    pub customer_name: String,
    /// The stage's name when the order entered it.
    pub stage_name: String,
    /// Opens the order's tracking.
    pub tracking_url: String,
}

/// A rendered mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line, no control characters.
    pub subject: String,
    /// Escaped HTML.
    pub html: Option<String>,
    /// Plain text.
    pub text: Option<String>,
}

/// A stored template failed to render; saving should have refused it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part} does not render: {reason}")]
pub struct RenderError {
    /// Which part.
    pub part: &'static str,
    /// Why, without the data.
    pub reason: String,
}

impl EmailTemplate {
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
        if self.subject.trim().is_empty() {
            wrong.push(Invalid::new("subject", "must not be empty"));
        }
        if self.subject.contains(['\r', '\n']) {
            wrong.push(Invalid::new("subject", "must be one line"));
        }
        if self.html.is_none() && self.text.is_none() {
            wrong.push(Invalid::new("html", "a template needs html, text, or both"));
        }
        let parts = [
            ("subject", Some(&self.subject), SUBJECT_MAX),
            ("html", self.html.as_ref(), BODY_MAX),
            ("text", self.text.as_ref(), BODY_MAX),
        ];
        for (field, source, max) in parts {
            if let Some(source) = source {
                wrong.extend(check_part(field, source, max));
            }
        }
        if wrong.is_empty() { Ok(self) } else { Err(wrong) }
    }

    /// Fills the template in.
    ///
    /// # Errors
    /// A part does not render.
    pub fn render(&self, variables: &Variables) -> Result<Rendered, RenderError> {
        let mut plain = engine();
        plain.register_escape_fn(no_escape);
        let escaping = engine();
        let subject = render_part(&plain, "subject", &self.subject, variables)?;
        let html = self.html.as_ref().map(|h| render_part(&escaping, "html", h, variables)).transpose()?;
        let text = self.text.as_ref().map(|t| render_part(&plain, "text", t, variables)).transpose()?;
        Ok(Rendered { subject: tidy(&subject, 900).unwrap_or_default(), html, text })
    }
}

fn engine() -> Handlebars<'static> {
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    for helper in ["each", "with", "lookup", "log", "raw"] {
        engine.unregister_helper(helper);
    }
    engine
}

fn render_part(
    engine: &Handlebars<'_>,
    part: &'static str,
    source: &str,
    variables: &Variables,
) -> Result<String, RenderError> {
    engine
        .render_template(source, variables)
        .map_err(|e| RenderError { part, reason: e.reason().to_string() })
}

fn check_part(field: &str, source: &str, max: usize) -> Vec<Invalid> {
    if source.len() > max {
        return vec![Invalid::new(field, format!("must have at most {max} bytes"))];
    }
    match Parsed::compile(source) {
        Ok(parsed) => {
            let mut wrong = Vec::new();
            check_elements(field, &parsed, 0, &mut wrong);
            wrong
        }
        Err(e) => {
            let line = e.pos().map_or_else(String::new, |(line, _)| format!("line {line}: "));
            vec![Invalid::new(field, format!("{line}{}", e.reason()))]
        }
    }
}

fn check_elements(field: &str, template: &Parsed, depth: usize, wrong: &mut Vec<Invalid>) {
    if depth > DEPTH_MAX {
        wrong.push(Invalid::new(field, format!("blocks are nested more than {DEPTH_MAX} deep")));
        return;
    }
    let lines: BTreeMap<usize, usize> = template.mapping.iter().map(|m| m.0).enumerate().collect();
    for (i, element) in template.elements.iter().enumerate() {
        let line = lines.get(&i).copied().unwrap_or(1);
        let refuse = |reason: String| Invalid::new(field, format!("line {line}: {reason}"));
        match element {
            TemplateElement::RawString(_) | TemplateElement::Comment(_) => {}
            TemplateElement::Expression(e) if e.params.is_empty() && e.hash.is_empty() => {
                wrong.extend(unknown_variable(&e.name).map(refuse));
            }
            TemplateElement::HtmlExpression(_) => {
                wrong.push(refuse("write {{…}}: three braces would put a customer's text in unescaped".into()));
            }
            TemplateElement::HelperBlock(block) => {
                let name = block.name.as_name().unwrap_or_default();
                if !HELPERS.contains(&name) {
                    wrong.push(refuse(format!("unknown block {{{{#{name}}}}}; there are #if and #unless")));
                    continue;
                }
                if block.params.len() != 1 {
                    wrong.push(refuse(format!("{{{{#{name}}}}} takes one variable")));
                }
                wrong.extend(block.params.iter().filter_map(unknown_variable).map(refuse));
                for inner in [&block.template, &block.inverse].into_iter().flatten() {
                    check_elements(field, inner, depth + 1, wrong);
                }
            }
            TemplateElement::Expression(e) => {
                let name = e.name.as_name().unwrap_or_default();
                wrong.push(refuse(format!("unknown helper {name}; a variable takes no arguments")));
            }
            _ => wrong.push(refuse("only variables, #if and #unless can be used here".into())),
        }
    }
}

fn unknown_variable(parameter: &Parameter) -> Option<String> {
    let name = match parameter {
        Parameter::Name(name) => name.clone(),
        Parameter::Path(Path::Relative((_, raw)) | Path::Local((_, _, raw))) => raw.clone(),
        _ => return Some("only a variable can stand here".into()),
    };
    if VARIABLES.contains(&name.as_str()) {
        return None;
    }
    let known = VARIABLES.map(|v| format!("{{{{{v}}}}}")).join(", ");
    Some(format!("unknown variable {{{{{name}}}}}; there are {known}"))
}
