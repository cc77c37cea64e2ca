//! What a form or a query says. A field is named as the use case names it when it refuses it
//! (`stages[2].name`), so that the reason finds its way back to the field.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::request::Parts;
use stagepost_domain::text::Invalid;
use url::form_urlencoded;

/// Most fields that are read of one form.
const FIELDS_MAX: usize = 5_000;

/// The fields, in the order of the form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads an encoded form or query.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().take(FIELDS_MAX).collect())
    }

    /// What a field says, without spaces around it; nothing where it is not there.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// The same, unless it is empty.
    #[must_use]
    pub fn some(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// What a field says, as it was typed.
    #[must_use]
    pub fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Whether a box is ticked.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        matches!(self.text(name), "on" | "true" | "1")
    }

    /// The version of what the form was made of, if it says one.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.text("version").parse().ok()
    }

    /// Everything that fields of one name say.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.trim())
    }
}

/// The fields of the form that was sent, or those of the query where none was.
impl<S: Send + Sync> FromRequestParts<S> for Fields {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let sent = parts.extensions.get::<Self>().cloned();
        Ok(sent.unwrap_or_else(|| Self::parse(parts.uri.query().unwrap_or_default().as_bytes())))
    }
}

/// What is wrong with fields, to be shown at each.
#[derive(Debug, Clone, Default)]
pub struct Wrong(pub Vec<Invalid>);

impl Wrong {
    /// What is wrong with one, if something is.
    #[must_use]
    pub fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|wrong| wrong.field == field).map(|wrong| wrong.reason.as_str())
    }

    /// Whether something is.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// What a page with the form is answered with: `theirs` if somebody else has saved it meanwhile.
    #[must_use]
    pub fn status(&self, theirs: bool) -> StatusCode {
        match (theirs, self.any()) {
            (true, _) => StatusCode::CONFLICT,
            (false, true) => StatusCode::UNPROCESSABLE_ENTITY,
            (false, false) => StatusCode::OK,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_says_what_its_fields_say() {
        let fields = Fields::parse(b"a=+x%20y+&b=&on=on&o=1&o=2&stages%5B0%5D.name=New");
        assert_eq!((fields.text("a"), fields.raw("a"), fields.some("b")), ("x y", " x y ", None));
        assert!(fields.is_on("on") && !fields.is_on("off"));
        assert_eq!(fields.all("o").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(fields.text("stages[0].name"), "New");
        let wrong = Wrong(vec![Invalid::new("stages[0].name", "must not be empty")]);
        assert_eq!((wrong.of("stages[0].name"), wrong.of("name")), (Some("must not be empty"), None));
    }
}
