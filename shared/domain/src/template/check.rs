//! What a template may say: variables where they have a meaning, `#if`, `#unless` and one `#each` at a time.

use std::collections::BTreeMap;

use handlebars::Path;
use handlebars::template::{HelperTemplate, Parameter, Template as Parsed, TemplateElement};

use crate::text::{Invalid, truncated};

/// The variables that stand for a text.
pub const TEXTS: [&str; 11] = [
    "orderNumber",
    "customerName",
    "stageName",
    "trackingUrl",
    "customer.name",
    "customer.firstName",
    "shopName",
    "stageDescription",
    "orderDate",
    "orderTotal",
    "carrier",
];
/// The variables that stand for a list, with the fields of its entries.
pub const LISTS: [(&str, &[&str]); 2] =
    [("items", &["title", "sku", "quantity", "price"]), ("packages", &["number", "url", "carrier"])];
/// What a loop says of its round.
const ROUND: [&str; 3] = ["@first", "@last", "@index"];
/// Deepest nesting of blocks.
pub(super) const DEPTH_MAX: usize = 20;
/// Most tags in one part.
pub(super) const TAGS_MAX: usize = 1_000;
/// Longest reason told of one refusal, in bytes: the parser likes to quote.
pub(super) const REASON_MAX: usize = 400;
/// What can be used at all.
const ALLOWED: &str = "only variables, #if, #unless and #each can be used here";

/// What is wrong with a part.
pub(super) fn part(field: &str, source: &str, max: usize) -> Vec<Invalid> {
    if source.len() > max {
        return vec![Invalid::new(field, format!("must have at most {max} bytes"))];
    }
    let refused = |reason: &str| vec![Invalid::new(field, truncated(reason, REASON_MAX))];
    match parsed(source) {
        Ok(parsed) => {
            let mut walk = Walk::default();
            walk.elements(&parsed, Place::default());
            walk.wrong.into_iter().map(|reason| Invalid::new(field, reason)).collect()
        }
        Err(reason) => refused(&reason),
    }
}

/// The variables of a part, by the names of [`TEXTS`] and [`LISTS`] (`items.title` for a field). True where the
/// mail would say nothing if the variable is empty; false where each use stands behind an `#if` of it.
#[must_use]
pub fn uses(source: &str) -> BTreeMap<String, bool> {
    let mut walk = Walk::default();
    if let Ok(parsed) = parsed(source) {
        walk.elements(&parsed, Place::default());
    }
    walk.used
}

fn parsed(source: &str) -> Result<Parsed, String> {
    fit_for_the_parser(source)?;
    Parsed::compile(source).map_err(|e| {
        let line = e.pos().map_or_else(String::new, |(line, _)| format!("line {line}: "));
        format!("{line}{}", e.reason())
    })
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
            return Err(format!("line {}: {ALLOWED}", line(start)));
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

/// Where in the template an element stands.
#[derive(Clone, Copy, Default)]
struct Place<'a> {
    depth: usize,
    /// The list that is looped over, with its fields.
    list: Option<(&'static str, &'static [&'static str])>,
    guards: Option<&'a Guard<'a>>,
}

/// An `#if` that an element stands in.
struct Guard<'a> {
    name: &'a str,
    outer: Option<&'a Guard<'a>>,
}

impl Place<'_> {
    fn guarded(&self, name: &str) -> bool {
        let mut guard = self.guards;
        while let Some(at) = guard {
            if at.name == name {
                return true;
            }
            guard = at.outer;
        }
        false
    }
}

/// What a tag names.
enum Named {
    /// A text, by its full name.
    Text(String),
    /// A list.
    List(&'static str),
    /// What a loop says of its round.
    Round,
}

#[derive(Default)]
struct Walk {
    wrong: Vec<String>,
    used: BTreeMap<String, bool>,
}

impl Walk {
    fn elements(&mut self, template: &Parsed, place: Place<'_>) {
        if place.depth > DEPTH_MAX {
            self.wrong.push(format!("blocks are nested more than {DEPTH_MAX} deep"));
            return;
        }
        for (i, element) in template.elements.iter().enumerate() {
            let line = template.mapping.get(i).map_or(1, |mapping| mapping.0);
            if let Err(reason) = self.element(element, place, line) {
                self.wrong.push(format!("line {line}: {reason}"));
            }
        }
    }

    fn element(&mut self, element: &TemplateElement, place: Place<'_>, line: usize) -> Result<(), String> {
        match element {
            TemplateElement::RawString(_) | TemplateElement::Comment(_) => Ok(()),
            TemplateElement::Expression(e) if e.params.is_empty() && e.hash.is_empty() => {
                match named(&e.name, place)? {
                    Named::Text(name) => self.note(name, place),
                    Named::Round => {}
                    Named::List(list) => {
                        return Err(format!(
                            "{{{{{list}}}}} is a list: write {{{{#each {list}}}}}…{{{{/each}}}}"
                        ));
                    }
                }
                Ok(())
            }
            TemplateElement::HtmlExpression(_) => {
                Err("write {{…}}: three braces would put a customer's text in unescaped".into())
            }
            TemplateElement::HelperBlock(block) => self.block(block, place, line),
            TemplateElement::Expression(e) => {
                let name = e.name.as_name().unwrap_or_default();
                Err(format!("unknown helper {name}; a variable takes no arguments"))
            }
            _ => Err(ALLOWED.into()),
        }
    }

    fn block(&mut self, block: &HelperTemplate, place: Place<'_>, line: usize) -> Result<(), String> {
        let name = block.name.as_name().unwrap_or_default();
        if !matches!(name, "if" | "unless" | "each") {
            return Err(format!("unknown block {{{{#{name}}}}}; there are #if, #unless and #each"));
        }
        if block.params.len() != 1 || !block.hash.is_empty() || block.block_param.is_some() {
            self.wrong.push(format!("line {line}: {{{{#{name}}}}} takes one variable"));
        }
        let mut told = Ok(None);
        for parameter in &block.params {
            told = named(parameter, place).map(Some);
        }
        match told {
            Err(reason) => {
                self.wrong.push(format!("line {line}: {reason}"));
                self.branches(block, place, place);
            }
            Ok(named) if name == "each" => return self.each(block, named, place),
            Ok(named) => self.condition(block, name == "if", named, place),
        }
        Ok(())
    }

    fn condition(&mut self, block: &HelperTemplate, is_if: bool, on: Option<Named>, place: Place<'_>) {
        let name = match on {
            Some(Named::Text(name)) => name,
            Some(Named::List(list)) => list.to_owned(),
            Some(Named::Round) | None => return self.branches(block, place, place),
        };
        self.used.entry(name.clone()).or_default();
        let guard = Guard { name: &name, outer: place.guards };
        let guarded = Place { guards: Some(&guard), ..place };
        if is_if { self.branches(block, guarded, place) } else { self.branches(block, place, guarded) }
    }

    fn each(&mut self, block: &HelperTemplate, over: Option<Named>, place: Place<'_>) -> Result<(), String> {
        let list = match over {
            Some(Named::List(list)) => LISTS.into_iter().find(|(name, _)| *name == list),
            None => None,
            Some(_) => return Err("{{#each}} takes a list: items or packages".into()),
        };
        if place.list.is_some() {
            return Err("a loop cannot stand in another loop".into());
        }
        if let Some((name, _)) = list {
            let bare = block.inverse.is_none() && !place.guarded(name);
            *self.used.entry(name.to_owned()).or_default() |= bare;
        }
        self.branches(block, Place { list, ..place }, place);
        Ok(())
    }

    fn branches(&mut self, block: &HelperTemplate, then: Place<'_>, otherwise: Place<'_>) {
        for (template, place) in [(&block.template, then), (&block.inverse, otherwise)] {
            if let Some(template) = template {
                self.elements(template, Place { depth: place.depth + 1, ..place });
            }
        }
    }

    fn note(&mut self, name: String, place: Place<'_>) {
        let bare = !place.guarded(&name);
        *self.used.entry(name).or_default() |= bare;
    }
}

fn named(parameter: &Parameter, place: Place<'_>) -> Result<Named, String> {
    let raw = match parameter {
        Parameter::Name(name) => name,
        Parameter::Path(Path::Relative((_, raw)) | Path::Local((_, _, raw))) => raw,
        _ => return Err("only a variable can stand here".into()),
    };
    let unknown = || match meant(raw, place) {
        Some(name) => format!("unknown variable {{{{{raw}}}}}; write {{{{{name}}}}} instead"),
        None => format!("unknown variable {{{{{raw}}}}}; there are {}", known(place)),
    };
    match place.list {
        None => of_the_order(raw).ok_or_else(unknown),
        Some(_) if ROUND.contains(&raw.as_str()) => Ok(Named::Round),
        Some((list, fields)) => match raw.strip_prefix("../") {
            Some(outer) => of_the_order(outer).ok_or_else(unknown),
            None => {
                let field = raw.strip_prefix("this.").unwrap_or(raw);
                let known = fields.contains(&field);
                known.then(|| Named::Text(format!("{list}.{field}"))).ok_or_else(unknown)
            }
        },
    }
}

fn of_the_order(name: &str) -> Option<Named> {
    let list = LISTS.iter().find(|(list, _)| *list == name).map(|(list, _)| Named::List(list));
    list.or_else(|| TEXTS.contains(&name).then(|| Named::Text(name.to_owned())))
}

/// What somebody most likely meant by a name that is none: written otherwise (`order_number`), or in a loop
/// without the way out of it, or mistyped by a letter or two.
fn meant(raw: &str, place: Place<'_>) -> Option<String> {
    let texts = TEXTS.iter().map(|name| (*name).to_owned());
    let names: Vec<String> = match place.list {
        None => texts.collect(),
        Some((_, fields)) => {
            let outer = texts.map(|name| format!("../{name}"));
            fields.iter().map(|field| (*field).to_owned()).chain(outer).collect()
        }
    };
    let asked = letters(raw);
    let far = |name: &String| distance(&asked, &letters(name));
    let nearest = names.into_iter().min_by_key(far)?;
    (!asked.is_empty() && far(&nearest) <= asked.len() / 4).then_some(nearest)
}

/// The letters and digits of a name, all small; no more than any name has.
fn letters(name: &str) -> Vec<char> {
    name.chars().filter(char::is_ascii_alphanumeric).take(40).map(|c| c.to_ascii_lowercase()).collect()
}

/// How many letters one has to change, add or leave out.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        for (y, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let cost = corner + usize::from(x != y);
            corner = *above;
            left = cost.min(left + 1).min(corner + 1);
            *above = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

fn known(place: Place<'_>) -> String {
    let names: Vec<String> = match place.list {
        None => {
            let lists = LISTS.iter().map(|(list, _)| format!("{{{{#each {list}}}}}"));
            TEXTS.iter().map(|name| format!("{{{{{name}}}}}")).chain(lists).collect()
        }
        Some((_, fields)) => {
            let outer = ["{{../orderNumber}} and the like".to_owned()];
            fields.iter().map(|name| format!("{{{{{name}}}}}")).chain(outer).collect()
        }
    };
    names.join(", ")
}
