//! The pieces that pages are made of. In a template they are written as `{{ badge }}`, `{{ crate::ui::icon("box") }}`
//! or `{{ crate::ui::text("name", "Name", value).wrong(wrong.of("name")) }}`, and escape what is put into them.

use askama::Template;
use askama::filters::HtmlSafe;
use serde::{Deserialize, Serialize};

use crate::shell::Shell;
use crate::time::Moment;

/// How something is to be taken. Never told by colour alone: each has an icon, and there are always words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// It is as it should be.
    Good,
    /// It is on its way.
    Busy,
    /// Somebody should know.
    Warn,
    /// Somebody should do something.
    Bad,
    /// Neither good nor bad.
    Plain,
}

impl Tone {
    /// Its style.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Busy => "busy",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Plain => "plain",
        }
    }

    /// Its icon, by the name that `ui/icon.html` knows.
    #[must_use]
    pub fn icon(self) -> &'static str {
        match self {
            Self::Good => "check",
            Self::Busy => "clock",
            Self::Warn => "warning",
            Self::Bad => "cross",
            Self::Plain => "dot",
        }
    }
}

/// An icon and a word.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "ui/badge.html")]
pub struct Badge {
    /// How it is to be taken.
    pub tone: Tone,
    /// The word.
    pub text: String,
}

impl Badge {
    /// A badge.
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, text: text.into() }
    }
}

impl HtmlSafe for Badge {}
impl HtmlSafe for Moment {}

/// An icon of the set in `ui/icon.html`; the words beside it say what it means.
#[derive(Template)]
#[template(path = "ui/icon.html")]
pub struct Icon<'a> {
    name: &'a str,
}

impl HtmlSafe for Icon<'_> {}

/// An icon by its name.
#[must_use]
pub fn icon(name: &str) -> Icon<'_> {
    Icon { name }
}

/// What every form carries: the session's token, and a key under which it acts once.
#[derive(Template)]
#[template(
    source = r#"<input type="hidden" name="csrf" value="{{ csrf }}"><input type="hidden" name="once" value="{{ once }}">"#,
    ext = "html"
)]
pub struct FormKeys<'a> {
    csrf: &'a str,
    once: String,
}

impl HtmlSafe for FormKeys<'_> {}

/// The first thing in every `<form method="post">`.
#[must_use]
pub fn keys(shell: &Shell) -> FormKeys<'_> {
    FormKeys { csrf: &shell.csrf, once: shell.once() }
}

/// A colour of the shop's own, as a dot: styles written into a page are not let through, an attribute of a
/// picture is.
#[derive(Template)]
#[template(
    source = r#"<svg class="dot" viewBox="0 0 10 10" aria-hidden="true"><circle cx="5" cy="5" r="5" fill="{{ color }}"/></svg>"#,
    ext = "html"
)]
pub struct Dot<'a> {
    color: &'a str,
}

impl HtmlSafe for Dot<'_> {}

/// The colour of a stage that none was chosen for.
pub const GREY: &str = "#8a8f98";

/// The dot of a stage.
#[must_use]
pub fn dot(color: Option<&str>) -> Dot<'_> {
    Dot { color: color.unwrap_or(GREY) }
}

/// The same for a colour that is owned.
#[must_use]
pub fn stage_dot(color: &Option<String>) -> Dot<'_> {
    dot(color.as_deref())
}

/// What a field is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// One line: the `type` of its `<input>`.
    Line(&'static str),
    /// Several lines, so many of them shown.
    Area(u8),
    /// One of these: value and word.
    Choice(Vec<(String, String)>),
    /// A box to tick.
    Tick(bool),
}

/// A field of a form: label, hint, error, and what was entered.
#[derive(Template)]
#[template(path = "ui/field.html")]
pub struct Field<'a> {
    name: &'a str,
    within: &'a str,
    label: &'a str,
    value: &'a str,
    kind: Kind,
    hint: &'a str,
    wrong: Option<&'a str>,
    lost: bool,
    required: bool,
}

/// What a field says whose secret a page that comes back does not hold.
pub const LOST: &str = "What you entered here is not kept in the page: enter it again.";

impl HtmlSafe for Field<'_> {}

impl<'a> Field<'a> {
    fn new(name: &'a str, label: &'a str, value: &'a str, kind: Kind) -> Self {
        Self { name, within: "", label, value, kind, hint: "", wrong: None, lost: false, required: false }
    }

    /// What to enter, under the label.
    #[must_use]
    pub fn hint(self, hint: &'a str) -> Self {
        Self { hint, ..self }
    }

    /// Why it was refused: `wrong.of("name")`.
    #[must_use]
    pub fn wrong(self, wrong: Option<&'a str>) -> Self {
        Self { wrong, ..self }
    }

    /// One of several of this name on a page: in which form it is.
    #[must_use]
    pub fn within(self, within: &'a str) -> Self {
        Self { within, ..self }
    }

    /// A secret was sent in it, and the form came back without.
    #[must_use]
    pub fn lost(self, lost: bool) -> Self {
        Self { lost, ..self }
    }

    /// It must be filled in.
    #[must_use]
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// Another `type` of a line: `email`, `url`, `password`, `number`.
    #[must_use]
    pub fn typed(self, kind: &'static str) -> Self {
        Self { kind: Kind::Line(kind), ..self }
    }

    /// What tells it from every other field of its page.
    fn id(&self) -> String {
        if self.within.is_empty() { self.name.to_owned() } else { format!("{}-{}", self.name, self.within) }
    }

    /// Whether something stands under it.
    fn tells(&self) -> bool {
        !self.hint.is_empty() || self.wrong.is_some() || self.lost
    }

    fn is_choice(&self, value: &str) -> bool {
        self.value == value
    }
}

/// A line.
#[must_use]
pub fn text<'a>(name: &'a str, label: &'a str, value: &'a str) -> Field<'a> {
    Field::new(name, label, value, Kind::Line("text"))
}

/// Several lines.
#[must_use]
pub fn area<'a>(name: &'a str, label: &'a str, value: &'a str, rows: u8) -> Field<'a> {
    Field::new(name, label, value, Kind::Area(rows))
}

/// One of several, each a value and a word.
#[must_use]
pub fn choice<'a>(name: &'a str, label: &'a str, value: &'a str, options: &[(String, String)]) -> Field<'a> {
    Field::new(name, label, value, Kind::Choice(options.to_vec()))
}

/// A box to tick; it says `on` if it is.
#[must_use]
pub fn tick<'a>(name: &'a str, label: &'a str, on: bool) -> Field<'a> {
    Field::new(name, label, "", Kind::Tick(on))
}

/// Why a list is empty. Each has one next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Nothing is set up: what would appear, and how to begin.
    SetUp,
    /// Nothing has happened yet.
    Happened,
    /// The filter leaves nothing.
    Found,
}

/// An empty list.
#[derive(Template)]
#[template(path = "ui/empty.html")]
pub struct Empty<'a> {
    lack: Lack,
    title: &'a str,
    text: &'a str,
    next: Option<(&'a str, &'a str)>,
}

impl HtmlSafe for Empty<'_> {}

impl<'a> Empty<'a> {
    /// The one next step: where it leads and what it is called.
    #[must_use]
    pub fn next(self, path: &'a str, label: &'a str) -> Self {
        Self { next: Some((path, label)), ..self }
    }

    fn icon(&self) -> Icon<'static> {
        icon(match self.lack {
            Lack::SetUp => "plug",
            Lack::Happened => "clock",
            Lack::Found => "search",
        })
    }
}

/// Nothing is set up yet.
#[must_use]
pub fn not_set_up<'a>(title: &'a str, text: &'a str) -> Empty<'a> {
    Empty { lack: Lack::SetUp, title, text, next: None }
}

/// Nothing has happened yet.
#[must_use]
pub fn nothing_yet<'a>(title: &'a str, text: &'a str) -> Empty<'a> {
    Empty { lack: Lack::Happened, title, text, next: None }
}

/// Nothing is left by the filter.
#[must_use]
pub fn nothing_found<'a>(title: &'a str, text: &'a str) -> Empty<'a> {
    Empty { lack: Lack::Found, title, text, next: None }
}

/// The way through a list, page by page.
#[derive(Template)]
#[template(path = "ui/pager.html")]
pub struct Pager<'a> {
    first: Option<&'a str>,
    next: Option<&'a str>,
}

impl HtmlSafe for Pager<'_> {}

/// `first` where one is not on the first page, `next` where there is one.
#[must_use]
pub fn pager<'a>(first: &'a Option<String>, next: &'a Option<String>) -> Pager<'a> {
    Pager { first: first.as_deref(), next: next.as_deref() }
}

/// A page that says what a button will do, before it does it.
#[derive(Template)]
#[template(path = "confirm.html")]
pub struct Confirm {
    /// The frame.
    pub shell: Shell,
    /// The question: *Delete the flow "Print shop"?*
    pub title: String,
    /// What it will do, a sentence each, with numbers.
    pub what: Vec<String>,
    /// Where the form goes.
    pub action: String,
    /// What it says beside its keys.
    pub fields: Vec<(String, String)>,
    /// The button: a verb and its object.
    pub verb: String,
    /// Whether it takes something away.
    pub danger: bool,
    /// Where *Cancel* leads.
    pub back: String,
}
