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
use crate::text::{Invalid, required_name, tidy, truncated};

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
/// Most tags in one part.
const TAGS_MAX: usize = 1_000;
/// Longest reason told of one refusal, in bytes: the parser likes to quote.
const REASON_MAX: usize = 400;

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
    if let Err(reason) = fit_for_the_parser(source) {
        return vec![Invalid::new(field, reason)];
    }
    match Parsed::compile(source) {
        Ok(parsed) => {
            let mut wrong = Vec::new();
            check_elements(field, &parsed, 0, &mut wrong);
            wrong
        }
        Err(e) => {
            let line = e.pos().map_or_else(String::new, |(line, _)| format!("line {line}: "));
            vec![Invalid::new(field, truncated(&format!("{line}{}", e.reason()), REASON_MAX))]
        }
    }
}

/// The parser recurses without a limit into brackets and blocks: a hostile template would overflow the
/// stack before anything could be refused. No tag that a mail can use has a bracket or a quote, so none is
/// let through, and the tags are counted.
fn fit_for_the_parser(source: &str) -> Result<(), String> {
    let line = |at: usize| source.get(..at).unwrap_or_default().matches('\n').count() + 1;
    if let Some(at) = source.find("{{{{") {
        return Err(format!("line {}: four braces cannot be used here", line(at)));
    }
    let (mut from, mut tags) = (0, 0);
    while let Some(start) = source.get(from..).and_then(|rest| rest.find("{{")).map(|at| from + at) {
        let tag = source.get(start..).unwrap_or_default();
        let escaped = source.get(..start).is_some_and(|before| before.ends_with('\\'));
        let comment = if escaped { None } else { comment_length(tag) };
        let length = comment.or_else(|| tag.find("}}").map(|at| at + 2)).unwrap_or(tag.len());
        let inside = tag.get(..length).unwrap_or_default();
        if comment.is_none() && inside.contains(['(', '[', '"', '\'']) {
            return Err(format!("line {}: only variables, #if and #unless can be used here", line(start)));
        }
        tags += 1;
        if tags > TAGS_MAX {
            return Err(format!("must have at most {TAGS_MAX} tags"));
        }
        from = start + length;
    }
    Ok(())
}

/// The length of the comment that `tag` starts with, if it does.
fn comment_length(tag: &str) -> Option<usize> {
    let long = if tag.starts_with("{{!--") { tag.find("--}}").map(|at| at + 4) } else { None };
    let short = if tag.starts_with("{{!") { tag.find("}}").map(|at| at + 2) } else { None };
    long.or(short)
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
                wrong.push(refuse(
                    "write {{…}}: three braces would put a customer's text in unescaped".into(),
                ));
            }
            TemplateElement::HelperBlock(block) => {
                let name = block.name.as_name().unwrap_or_default();
                if !HELPERS.contains(&name) {
                    wrong.push(refuse(format!("unknown block {{{{#{name}}}}}; there are #if and #unless")));
                    continue;
                }
                if block.params.len() != 1 || !block.hash.is_empty() || block.block_param.is_some() {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, prop};
    use proptest::{prop_assert, proptest};

    use super::*;

    fn template(subject: &str, html: Option<&str>, text: Option<&str>) -> EmailTemplate {
        EmailTemplate {
            id: TemplateId::from_body("a").unwrap(),
            shop: ShopId::from_body("a").unwrap(),
            name: "Shipped".into(),
            version: 1,
            subject: subject.into(),
            html: html.map(Into::into),
            text: text.map(Into::into),
            saved_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn html(source: &str) -> EmailTemplate {
        template("Order", Some(source), None)
    }

    fn variables(customer_name: &str) -> Variables {
        Variables {
            order_number: "#1001".into(),
            customer_name: customer_name.into(),
            stage_name: "Shipped".into(),
            tracking_url: "https://a.example/t/x?a=1&b=2".into(),
        }
    }

    fn rendered(source: &str, customer_name: &str) -> String {
        html(source).validated().unwrap().render(&variables(customer_name)).unwrap().html.unwrap()
    }

    #[test]
    fn the_variables_of_the_product_are_filled_in() {
        let all = "{{orderNumber}} {{customerName}} {{stageName}} {{trackingUrl}}";
        let mail = template(all, None, Some(all)).validated().unwrap().render(&variables("Bob")).unwrap();
        let expected = "#1001 Bob Shipped https://a.example/t/x?a=1&b=2";
        assert_eq!((mail.subject.as_str(), mail.text.as_deref()), (expected, Some(expected)));
    }

    #[test]
    fn if_and_unless_may_be_nested() {
        let cases = [
            ("{{#if customerName}}Dear {{customerName}}{{else}}Hello{{/if}}", "Dear Bob", "Hello"),
            ("{{#unless customerName}}Hello{{/unless}}", "", "Hello"),
            ("{{#if customerName}}a{{^}}b{{/if}}", "a", "b"),
            ("{{#unless stageName}}x{{else if customerName}}y{{else}}z{{/unless}}", "y", "z"),
            (
                "{{#if stageName}}{{#unless customerName}}n{{/unless}}{{#if trackingUrl}}u{{/if}}{{/if}}",
                "u",
                "nu",
            ),
            ("a {{~ customerName ~}} b", "aBobb", "ab"),
            ("{{! it's (a \"comment\") }}{{!-- {{nope}} [x] --}}x", "x", "x"),
            (
                "a { b } }} c \\{{customerName}}",
                "a { b } }} c {{customerName}}",
                "a { b } }} c {{customerName}}",
            ),
            (
                "p { color: rgb(1,2,3); } \"it's\" [x]",
                "p { color: rgb(1,2,3); } \"it's\" [x]",
                "p { color: rgb(1,2,3); } \"it's\" [x]",
            ),
        ];
        for (source, named, nameless) in cases {
            assert_eq!(
                (rendered(source, "Bob").as_str(), rendered(source, "").as_str()),
                (named, nameless),
                "{source}"
            );
        }
    }

    #[test]
    fn what_a_mail_does_not_have_is_refused_with_its_line() {
        let cases = [
            ("a\n\n{{nope}}", "line 3: unknown variable {{nope}}"),
            ("{{#if orderNumber}}\n{{#if nope}}{{/if}}{{/if}}", "line 2: unknown variable {{nope}}"),
            ("\n{{{customerName}}}", "line 2: write {{…}}"),
            ("{{&customerName}}", "line 1: write {{…}}"),
            ("\n{{>partial}}", "line 2: only variables"),
            ("{{#>layout}}x{{/layout}}", "line 1: only variables"),
            ("{{*decorator}}", "line 1: only variables"),
            ("{{#*inline \"x\"}}a{{/inline}}", "line 1: only variables"),
            ("{{lookup customerName stageName}}", "line 1: unknown helper lookup"),
            ("{{lookup this \"a\"}}", "line 1: only variables"),
            ("{{log customerName}}", "line 1: unknown helper log"),
            ("{{if customerName}}", "line 1: unknown helper if"),
            ("{{#each customerName}}x{{/each}}", "line 1: unknown block {{#each}}"),
            ("{{#with customerName}}x{{/with}}", "line 1: unknown block {{#with}}"),
            ("{{#if stageName}}{{else each stageName}}{{/if}}", "line 1: unknown block {{#each}}"),
            ("{{#customerName}}x{{/customerName}}", "line 1: unknown block"),
            ("{{{{raw}}}}x{{{{/raw}}}}", "line 1: four braces"),
            ("{{@root.customerName}}", "line 1: unknown variable"),
            ("{{../customerName}}", "line 1: unknown variable"),
            ("{{this}}", "line 1: unknown variable"),
            ("{{this.customerName}}", "line 1: unknown variable"),
            ("{{./customerName}}", "line 1: unknown variable"),
            ("{{customerName.length}}", "line 1: unknown variable"),
            ("{{@index}}", "line 1: unknown variable"),
            ("{{[customerName]}}", "line 1: only variables"),
            ("{{#if (customerName)}}x{{/if}}", "line 1: only variables"),
            ("{{#if true}}x{{/if}}", "line 1: only a variable"),
            ("{{#if}}x{{/if}}", "line 1: {{#if}} takes one variable"),
            ("{{#if customerName stageName}}x{{/if}}", "line 1: {{#if}} takes one variable"),
            ("{{#if customerName includeZero=nope}}x{{/if}}", "line 1: {{#if}} takes one variable"),
            ("{{#if customerName as |x|}}x{{/if}}", "line 1: {{#if}} takes one variable"),
            ("\n{{customerName", "line 2: invalid"),
            ("{{#if customerName}}", "line 1: invalid"),
            ("{{#if customerName}}x{{/unless}}", "line 1: "),
            ("{{}}", "line 1: invalid"),
            ("{{else}}", "line 1: invalid"),
        ];
        for (source, reason) in cases {
            for (field, template) in [
                ("html", html(source)),
                ("text", template("Order", None, Some(source))),
                ("subject", template(source, None, Some("x"))),
            ] {
                if field == "subject" && source.contains('\n') {
                    continue;
                }
                let wrong = template.validated().expect_err(source);
                assert_eq!((wrong.len(), wrong[0].field.as_str()), (1, field), "{source}: {wrong:?}");
                assert!(wrong[0].reason.starts_with(reason), "{source}: {}", wrong[0].reason);
            }
        }
    }

    #[test]
    fn every_wrong_tag_is_named() {
        let wrong = html("{{a}}\n{{#if b}}{{c}}{{/if}}").validated().unwrap_err();
        assert_eq!(wrong.len(), 3, "{wrong:?}");
    }

    #[test]
    fn limits_hold_and_are_inclusive() {
        let deep = |n: usize| "{{#if stageName}}".repeat(n) + &"{{/if}}".repeat(n);
        let cases = [
            ("subject at its limit", template(&"s".repeat(SUBJECT_MAX), None, Some("x")), None),
            ("subject", template(&"s".repeat(SUBJECT_MAX + 1), None, Some("x")), Some("subject")),
            ("blank subject", template(" ", None, Some("x")), Some("subject")),
            ("two lines", template("a\nBcc: x@example.com", None, Some("x")), Some("subject")),
            ("nothing to send", template("s", None, None), Some("html")),
            ("blank name", EmailTemplate { name: " ".into(), ..html("x") }, Some("name")),
            ("html at its limit", html(&"x".repeat(BODY_MAX)), None),
            ("html", html(&"x".repeat(BODY_MAX + 1)), Some("html")),
            ("text", template("s", None, Some(&"x".repeat(BODY_MAX + 1))), Some("text")),
            ("nested at its limit", html(&deep(DEPTH_MAX)), None),
            ("nested", html(&deep(DEPTH_MAX + 1)), Some("html")),
            ("tags at their limit", html(&"{{stageName}}".repeat(TAGS_MAX)), None),
            ("tags", html(&"{{stageName}}".repeat(TAGS_MAX + 1)), Some("html")),
        ];
        for (what, template, field) in cases {
            let wrong = template.validated().err().unwrap_or_default();
            assert_eq!(wrong.first().map(|w| w.field.as_str()), field, "{what}: {wrong:?}");
        }
    }

    #[test]
    fn hostile_nesting_is_refused_before_the_stack_overflows() {
        let deep = |open: &str, close: &str| open.repeat(20_000) + "stageName" + &close.repeat(20_000);
        let tags = |n: usize, tag: &str| tag.repeat(n);
        let hostile = [
            format!("{{{{#if {}}}}}x{{{{/if}}}}", deep("(", ")")),
            format!("{{{{#if {}}}}}x{{{{/if}}}}", tags(5_000, "(if ") + "stageName" + &")".repeat(5_000)),
            format!("{{{{#if {}", tags(5_000, "(if ")),
            format!("{{{{#if {}}}}}x{{{{/if}}}}", deep("[", "]")),
            format!("\\{{{{!-- {{{{#if {}}}}}x{{{{/if}}}} --}}}}", tags(5_000, "(if ")),
            format!("{{{{#if \"}}}}\" {}}}}}x{{{{/if}}}}", tags(5_000, "(if \"}}\" ")),
            tags(5_000, "{{#if stageName}}"),
            tags(490, "{{#if stageName}}") + &tags(490, "{{/if}}"),
            format!("{{{{#if stageName}}}}{}{{{{/if}}}}", tags(998, "{{else if stageName}}")),
            tags(40_000, "{{"),
        ];
        for source in hostile {
            let wrong = html(&source).validated().expect_err("hostile");
            assert!(wrong.iter().all(|w| w.reason.len() <= REASON_MAX + 20), "the input is not thrown back");
        }
    }

    #[test]
    fn html_is_escaped_and_plain_text_is_not() {
        let name = "<script>\"O'Hara\" & {{stageName}}</script>";
        let source = "{{customerName}}";
        let mail = template(source, Some(source), Some(source))
            .validated()
            .unwrap()
            .render(&variables(name))
            .unwrap();
        let escaped = "&lt;script&gt;&quot;O&#x27;Hara&quot; &amp; {{stageName}}&lt;/script&gt;";
        assert_eq!(mail.html.as_deref(), Some(escaped), "and what a customer wrote is no template");
        assert_eq!((mail.subject.as_str(), mail.text.as_deref()), (name, Some(name)));
        let link = rendered("<a href=\"{{trackingUrl}}\">", "");
        assert_eq!(link, "<a href=\"https://a.example/t/x?a&#x3D;1&amp;b&#x3D;2\">");
    }

    #[test]
    fn a_subject_stays_one_line() {
        let mail = template("Dear {{customerName}}", None, Some("x"))
            .render(&variables("Bob\r\nBcc: x@example.com\u{85}\0"));
        assert_eq!(mail.unwrap().subject, "Dear Bob  Bcc: x@example.com");
    }

    /// Sources that come close to what parses.
    fn any_source() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "{{",
            "}}",
            "{{{",
            "}}}",
            "{{{{",
            "}}}}",
            "{",
            "}",
            "#",
            "/",
            "^",
            "else",
            "if",
            "unless",
            "each",
            "&",
            "~",
            ">",
            "*",
            "@",
            ".",
            "..",
            "this",
            " ",
            "\n",
            "\\",
            "!",
            "--",
            "|",
            "as",
            "=",
            "(",
            ")",
            "[",
            "]",
            "\"",
            "'",
            "customerName",
            "stageName",
            "nope",
            "{{customerName}}",
            "{{#if customerName}}",
            "{{else}}",
            "{{/if}}",
            "{{#unless stageName}}",
            "{{/unless}}",
            "{{!-- x --}}",
            "{{else if stageName}}",
            "é",
            "\u{0}",
            "<b>",
        ]);
        let any = "\\PC{0,40}".prop_map(|s| vec![s]);
        let pieces =
            prop::collection::vec(piece, 0..16).prop_map(|p| p.into_iter().map(str::to_owned).collect());
        proptest::prop_oneof![1 => any, 4 => pieces].prop_map(|p: Vec<String>| p.concat())
    }

    proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(2_000))]
        #[test]
        fn no_source_panics_and_what_is_accepted_renders(source in any_source(), name in "\\PC{0,20}") {
            let all = template(&source, Some(&source), Some(&source));
            let _ = all.render(&variables(&name));
            for one in [html(&source), template("s", None, Some(&source)), template(&source, None, Some("x"))] {
                if let Ok(good) = one.validated() {
                    for name in ["", name.as_str()] {
                        prop_assert!(good.render(&variables(name)).is_ok(), "{} does not render", source);
                    }
                }
            }
        }
    }
}
