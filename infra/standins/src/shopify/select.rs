//! As much GraphQL as it takes to answer with the fields that were asked for, and no others: a query that
//! forgets a field, or asks for one that is not there, fails here as it would in the real store.

use serde_json::{Map, Value, json};

/// Deepest selection that is read.
const DEPTH_MAX: usize = 12;

/// A field of a selection with its own selection.
#[derive(Debug, Default)]
pub(super) struct Field {
    pub name: String,
    pub first: Option<usize>,
    inner: Vec<Field>,
}

impl Field {
    /// Whether a field of this name is selected, however deep.
    pub fn asks_for(&self, name: &str) -> bool {
        self.name == name || self.inner.iter().any(|field| field.asks_for(name))
    }
}

/// The fields of a document's one operation; `None` if it is not one.
pub(super) fn parse(document: &str) -> Option<Vec<Field>> {
    let (_, rest) = skip_variables(document)?;
    let mut tokens = Tokens(rest);
    let fields = selection(&mut tokens, DEPTH_MAX)?;
    tokens.next().is_none().then_some(fields)
}

/// Splits after the first brace that stands outside the variables' parentheses.
fn skip_variables(document: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (at, c) in document.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            '{' if depth == 0 => return Some((document.get(..at)?, document.get(at + 1..)?)),
            _ => {}
        }
    }
    None
}

struct Tokens<'a>(&'a str);

enum Token<'a> {
    Name(&'a str),
    Open,
    Close,
    Arguments(&'a str),
}

impl<'a> Tokens<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        self.0 = self.0.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        let c = self.0.chars().next()?;
        let end = match c {
            '{' | '}' => 1,
            '(' => self.0.find(')')? + 1,
            _ => self.0.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.0.len()),
        };
        let (token, rest) = self.0.split_at_checked(end).filter(|(t, _)| !t.is_empty())?;
        self.0 = rest;
        Some(match c {
            '{' => Token::Open,
            '}' => Token::Close,
            '(' => Token::Arguments(token),
            _ => Token::Name(token),
        })
    }
}

fn selection(tokens: &mut Tokens<'_>, depth: usize) -> Option<Vec<Field>> {
    let depth = depth.checked_sub(1)?;
    let mut fields: Vec<Field> = Vec::new();
    loop {
        match tokens.next()? {
            Token::Name(name) => fields.push(Field { name: name.to_owned(), ..Field::default() }),
            Token::Arguments(arguments) => fields.last_mut()?.first = first(arguments),
            Token::Open => fields.last_mut()?.inner = selection(tokens, depth)?,
            Token::Close => return Some(fields),
        }
    }
}

/// The value of `first: 50`.
fn first(arguments: &str) -> Option<usize> {
    let (_, after) = arguments.split_once("first:")?;
    let digits: String = after.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The part of `value` that `fields` select, or the name of one that is not there.
pub(super) fn select(value: &Value, fields: &[Field]) -> Result<Value, String> {
    match value {
        Value::Array(entries) => entries.iter().map(|e| select(e, fields)).collect(),
        Value::Object(_) if fields.is_empty() => Err("(a selection is missing)".to_owned()),
        Value::Object(object) => {
            let mut selected = Map::new();
            for field in fields {
                let inner = object.get(&field.name).ok_or_else(|| field.name.clone())?;
                selected.insert(field.name.clone(), select(&page(inner, field.first), &field.inner)?);
            }
            Ok(Value::Object(selected))
        }
        scalar if fields.is_empty() || scalar.is_null() => Ok(scalar.clone()),
        _ => Err(fields.first().map(|f| f.name.clone()).unwrap_or_default()),
    }
}

/// A list or connection cut to its first entries.
fn page(value: &Value, first: Option<usize>) -> Value {
    let mut value = value.clone();
    let Some(first) = first else { return value };
    if let Some(list) = value.as_array_mut() {
        list.truncate(first);
        return value;
    }
    let total = value.get("nodes").and_then(Value::as_array).map_or(0, Vec::len);
    if let Some(nodes) = value.get_mut("nodes").and_then(Value::as_array_mut) {
        nodes.truncate(first);
    }
    // One that was cut where it was made knows its own end.
    if let Some(info) =
        value.get_mut("pageInfo").filter(|info| info.get("endCursor").is_none_or(Value::is_null))
    {
        *info = json!({ "hasNextPage": total > first, "endCursor": null });
    }
    value
}
