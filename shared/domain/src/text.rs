//! Bounded text: everything a merchant or a platform sends is cut or refused at a stated length.

/// Cuts `text` to at most `max` bytes at a character boundary.
#[must_use]
pub fn truncated(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let mut end = max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

/// Trims, drops control characters and cuts; nothing left is `None`.
///
/// Platforms send names and tracking numbers with newlines and other controls; none of them belongs in a
/// header, a log or a key.
#[must_use]
pub fn tidy(text: &str, max: usize) -> Option<String> {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let clean = truncated(clean.trim(), max);
    let clean = clean.trim_end();
    if clean.is_empty() { None } else { Some(clean.to_owned()) }
}

/// A configuration value was refused: which field, and why, in words for its author.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[error("{field}: {reason}")]
pub struct Invalid {
    /// Path of the field, e.g. `stages[2].name`.
    pub field: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl Invalid {
    /// One refused field.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

/// Checks a required name: not blank, no control characters, at most `max` characters.
///
/// # Errors
/// Names the field and the rule.
pub fn required_name(field: &str, text: &str, max: usize) -> Result<String, Invalid> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(Invalid::new(field, "must not be empty"));
    }
    if trimmed.chars().any(char::is_control) {
        return Err(Invalid::new(field, "must not contain control characters"));
    }
    if trimmed.chars().count() > max {
        return Err(Invalid::new(field, format!("must have at most {max} characters")));
    }
    Ok(trimmed.to_owned())
}

/// An e-mail address as it is kept: trimmed, plain ASCII, one line.
///
/// # Errors
/// It is none; `field` is named.
pub fn email_address(field: &str, text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    let well_formed = text.len() <= 254
        && text.is_ascii()
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;\"".contains(c))
        && text.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
        });
    if well_formed { Ok(text.to_owned()) } else { Err(Invalid::new(field, "must be an e-mail address")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_a_character_boundary() {
        assert_eq!(truncated("äöü", 3), "ä");
        assert_eq!(truncated("abc", 3), "abc");
    }

    #[test]
    fn hostile_tracking_numbers_become_one_line() {
        assert_eq!(tidy("#☠1☢\n---\n4321\n", 40).as_deref(), Some("#☠1☢ --- 4321"));
        assert_eq!(tidy(" \n ", 40), None);
    }
}
